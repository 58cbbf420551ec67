use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// A machine, and what it has made of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Its name.
    pub host: String,
    /// The GPUs that `CUDA_VISIBLE_DEVICES` gave to the process, if it gave any; else the
    /// processor.
    pub device: String,
    /// The updates of the run that were made there.
    pub updates: u64,
    /// What they took, in seconds: its pace.
    pub compute_seconds: f64,
}

static HERE: LazyLock<Machine> = LazyLock::new(|| Machine {
    host: host(),
    device: gpus().unwrap_or_else(Machine::processor),
    updates: 0,
    compute_seconds: 0.0,
});

impl Machine {
    /// This one, which has made nothing yet.
    pub fn here() -> &'static Self {
        &HERE
    }

    /// The processor's name, where Linux says it; else `unknown`.
    pub fn processor() -> String {
        // Where there is no such file, the processor has no name.
        let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let name = cpu.lines().find_map(|line| line.strip_prefix("model name"));
        let name = name.map(|rest| rest.trim_start_matches([' ', '\t', ':']).trim());
        name.unwrap_or("unknown").to_owned()
    }

    fn is(&self, other: &Self) -> bool {
        self.host == other.host && self.device == other.device
    }

    /// Counts an update that this machine made.
    pub(crate) fn count(machines: &mut Vec<Self>, seconds: f64) {
        let here = Self::here();
        if !machines.last().is_some_and(|last| last.is(here)) {
            machines.push(here.clone());
        }
        if let Some(last) = machines.last_mut() {
            last.updates += 1;
            last.compute_seconds += seconds;
        }
    }
}

#[cfg(unix)]
fn host() -> String {
    let system = rustix::system::uname();
    system.nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn host() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_else(|_| String::from("unknown"))
}

/// `GPU 0, NVIDIA H100`: the numbers that the process was given, and the models that the machine
/// has.
fn gpus() -> Option<String> {
    let given = std::env::var("CUDA_VISIBLE_DEVICES").ok()?;
    if given.is_empty() {
        return None;
    }
    let mut models: Vec<String> = Vec::new();
    // Where there is no such folder, GPUs have no names.
    for gpu in std::fs::read_dir("/proc/driver/nvidia/gpus")
        .into_iter()
        .flatten()
        .flatten()
    {
        // A GPU that says nothing of itself has no name here.
        let says = std::fs::read_to_string(gpu.path().join("information")).unwrap_or_default();
        let model = says.lines().find_map(|line| line.strip_prefix("Model:"));
        models.extend(model.map(|model| model.trim().to_owned()));
    }
    models.sort();
    models.dedup();
    let models = if models.is_empty() {
        String::new()
    } else {
        format!(", {}", models.join(", "))
    };
    Some(format!("GPU {given}{models}"))
}
