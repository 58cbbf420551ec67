//! What the coordinator of a large comparison costs: 1,000 runs of a trainer that costs nothing,
//! made by a launcher that is this test itself.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stderr, reason = "it is there for its figures")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Instant;

use cyclr_train::compare::{
    Arm, BoundsSource, Plan, Settings, Work, compare, launch_begin, work_begin,
};
use cyclr_train::noisy_quadratic::NoisyQuadratic;
use cyclr_train::{Error, Interrupt, Watch, resume};

/// Two arms without tuning, on `seeds` seeds.
fn plan(seeds: u64) -> Plan {
    let arm = |label: &str, policy: &str| Arm {
        label: label.into(),
        tuned: false,
        ..Arm::of(policy.parse().unwrap())
    };
    Plan {
        arms: vec![arm("a", "fixed(lr=0.05)"), arm("b", "linear(lr=0.05)")],
        tuning: None,
        bounds: BoundsSource::Unneeded,
        seeds: (1..=seeds).collect(),
        ..Plan::new(100)
    }
}

/// What the launcher below runs.
#[test]
#[ignore = "it is no test, but the work of one"]
fn the_units() {
    let (Ok(folder), Ok(units)) = (std::env::var("UNITS_DIR"), std::env::var("UNITS")) else {
        return;
    };
    let (began, folder) = (Instant::now(), Path::new(&folder));
    let factory = NoisyQuadratic::default();
    let interrupt = Interrupt::new();
    for unit in units.split(' ') {
        if unit == "begin" {
            let measure = || cyclr_train::compare::Begin::measure(&factory, 1);
            let watch = Watch {
                observer: &mut |_| {},
                interrupt: &interrupt,
            };
            work_begin(folder, &factory, measure, watch).unwrap();
        } else {
            let watch = Watch {
                observer: &mut |_| {},
                interrupt: &interrupt,
            };
            resume(&folder.join(unit), &factory, None, watch).unwrap();
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    let before = fs::read_to_string(folder.join("../times")).unwrap_or_default();
    fs::write(folder.join("../times"), format!("{before}{seconds}\n")).unwrap();
}

/// What this process has computed, without the processes that it started.
fn processor_seconds() -> f64 {
    let says = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = says.rsplit(')').next().unwrap_or("");
    let ticks = after_name.split_whitespace().skip(11).take(2);
    ticks
        .map(|ticks| ticks.parse::<f64>().unwrap())
        .sum::<f64>()
        / 100.0
}

/// `UNITS_OF` is the number of runs.
#[test]
#[ignore = "a minute; it asserts nothing of the times that it prints"]
fn a_thousand_units() {
    let runs: u64 = std::env::var("UNITS_OF").map_or(1000, |runs| runs.parse().unwrap());
    let place = tempfile::tempdir().unwrap();
    let launcher = place.path().join("launcher.sh");
    let this = std::env::current_exe().unwrap();
    let text = format!(
        "#!/bin/sh\nexport UNITS_DIR=$1; shift; export UNITS=\"$*\"\nexec {} --exact the_units --ignored > /dev/null\n",
        this.display()
    );
    fs::write(&launcher, text).unwrap();
    fs::set_permissions(&launcher, fs::Permissions::from_mode(0o755)).unwrap();
    let folder = place.path().join("comparison");
    let interrupt = Interrupt::new();
    let work = Work {
        trainer: serde_json::Value::Null,
        about: [].into(),
        environment: [].into(),
        allow_inexact: false,
        allow_changed: false,
    };
    let began = Instant::now();
    let done = || -> Result<_, Error> {
        let begin = launch_begin(&folder, &launcher, &work, &interrupt)?;
        let settings = Settings {
            launcher: Some(launcher.clone()),
            begin: Some(begin),
            ..Settings::default()
        };
        let watch = Watch {
            observer: &mut |_| {},
            interrupt: &interrupt,
        };
        compare(
            &NoisyQuadratic::default(),
            &plan(runs / 2),
            &folder,
            &settings,
            watch,
        )
    };
    let record = done().unwrap();
    let all = began.elapsed().as_secs_f64();
    assert!(
        record
            .arms
            .iter()
            .all(|arm| arm.budgets[0].runs.len() as u64 == runs / 2)
    );
    let times = fs::read_to_string(place.path().join("times")).unwrap();
    let units: f64 = times.lines().map(|line| line.parse::<f64>().unwrap()).sum();
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let memory = status.lines().find(|line| line.starts_with("VmHWM"));
    eprintln!(
        "{runs} units: {all:.1} s in all, {units:.1} s of them the units' own; the coordinator takes {:.2} ms a unit, \
         {:.2} ms of them on a processor; {}",
        1e3 * (all - units) / runs as f64,
        1e3 * processor_seconds() / runs as f64,
        memory.unwrap_or("memory unknown")
    );
}
