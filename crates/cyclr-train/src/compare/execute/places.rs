//! Where the runs of a comparison were made.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::store::unlocked;
use crate::{Error, Outcome};

/// The machines of finished runs.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// The hosts of each device.
    devices: BTreeMap<String, BTreeSet<String>>,
    /// The hosts on which the coordinator's lock was not seen.
    unlocked: BTreeSet<String>,
}

impl Places {
    /// Takes note of a run that is finished.
    pub(super) fn add(&mut self, folder: &Path, outcome: &Outcome) -> Result<(), Error> {
        for machine in &outcome.machines {
            let hosts = self.devices.entry(machine.device.clone()).or_default();
            hosts.insert(machine.host.clone());
        }
        self.unlocked.extend(unlocked(folder)?);
        Ok(())
    }

    /// What the record says of them; nothing of a single machine.
    pub(super) fn describe(&self) -> Vec<(String, String)> {
        let mut said = Vec::new();
        let hosts: BTreeSet<&String> = self.devices.values().flatten().collect();
        if hosts.len() > 1 || self.devices.len() > 1 {
            let devices = self.devices.iter();
            let devices = devices.map(|(device, hosts)| format!("{device} ({})", joined(hosts)));
            let mut text = devices.collect::<Vec<_>>().join("; ");
            if self.devices.len() > 1 {
                text += "; their pace differs, so that seconds of runs cannot be compared, and time to target counts updates";
            }
            said.push((String::from("machines"), text));
        }
        if !self.unlocked.is_empty() {
            let hosts = joined(&self.unlocked);
            let text = format!(
                "not seen on {hosts}: only the launcher kept two processes from making one run there"
            );
            said.push((String::from("locks"), text));
        }
        said
    }
}

fn joined(hosts: &BTreeSet<String>) -> String {
    hosts.iter().cloned().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Machine, StopReason};

    fn describe(machines: &[(&str, &str)]) -> Vec<(String, String)> {
        let folder = tempfile::tempdir().unwrap();
        let machine = |&(host, device): &(&str, &str)| Machine {
            host: host.into(),
            device: device.into(),
            updates: 1,
            compute_seconds: 1.0,
        };
        let outcome = Outcome {
            stop_reason: StopReason::Completed,
            updates_done: 1,
            updates_shared: 0,
            evaluations: Vec::new(),
            test: None,
            compute_seconds: 1.0,
            wall_seconds: 1.0,
            machines: machines.iter().map(machine).collect(),
        };
        let mut places = Places::default();
        places.add(folder.path(), &outcome).unwrap();
        places.describe()
    }

    #[test]
    fn machines_that_differ_are_named() {
        assert!(describe(&[("a", "x"), ("a", "x")]).is_empty());
        let hosts = describe(&[("b", "x"), ("a", "x")]);
        assert_eq!(hosts, [("machines".into(), "x (a, b)".into())]);
        let devices = describe(&[("a", "x"), ("b", "y")]);
        assert!(devices[0].1.starts_with("x (a); y (b); their pace differs"));
    }
}
