//! What a run writes, read back by others: TensorBoard's own reader, and a JSON Schema validator.
//!
//! Both need Python packages (`tests/requirements.txt`); where `python3` has not got them, the
//! test says so and passes.
#![expect(clippy::unwrap_used, reason = "these are tests")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cyclr_train::compare::{Manifest, record::Record};
use cyclr_train::find::AnswerRecord;
use cyclr_train::judge::Judgement;
use cyclr_train::noisy_quadratic::NoisyQuadratic;
use cyclr_train::store::{Failure, RunRecord, Versioned, read_events};
use cyclr_train::{Budget, Event, Interrupt, Outcome, Task, Watch, train_in};
use schemars::{JsonSchema, schema_for};
use tempfile::TempDir;

fn schemas() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema")
}

/// `UPDATE_SCHEMAS=1` writes them again.
fn check_schema<T: JsonSchema>(name: &str) {
    let path = schemas().join(name);
    let schema = serde_json::to_string_pretty(&schema_for!(T)).unwrap() + "\n";
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        fs::write(&path, &schema).unwrap();
    }
    let recorded = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        recorded, schema,
        "{name}: run this test with UPDATE_SCHEMAS=1"
    );
}

#[test]
fn the_schemas_are_those_of_the_records() {
    check_schema::<Versioned<RunRecord>>("run.json");
    check_schema::<Event>("event.json");
    check_schema::<Versioned<Outcome>>("result.json");
    check_schema::<Versioned<Failure>>("failed.json");
    check_schema::<AnswerRecord>("find-answer.json");
    check_schema::<Versioned<Manifest>>("comparison.json");
    check_schema::<Versioned<Record>>("comparison-result.json");
    check_schema::<Versioned<Judgement>>("judgement.json");
}

/// A run that leaves every kind of record: cycles, momentum, an adjusted budget; or one that
/// diverges.
fn run(folder: &Path, spec: &str) {
    let task = Task::new(spec.parse().unwrap(), 1, Budget::Updates(5001));
    let factory = serde_json::json!({ "net": "noisy quadratic" });
    let watch = Watch {
        observer: &mut |_| {},
        interrupt: &Interrupt::new(),
    };
    train_in(folder, &NoisyQuadratic::default(), factory, &task, watch).unwrap();
}

const CYCLES: &str = "triangular(base=0.01, max=0.3, step=250, momentum=0.8..0.95)";

/// What a script beside this file prints; `None` if `package` is not there.
fn python(package: &str, script: &str, args: &[&Path]) -> Option<String> {
    let has = Command::new("python3")
        .args(["-c", &format!("import {package}")])
        .output();
    if !has.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: python3 has no package {package}");
        return None;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(script);
    let output = Command::new("python3")
        .arg(script)
        .args(args)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn tensorboard_reads_the_curves() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path().join("run");
    run(&folder, CYCLES);
    let Some(read) = python("tensorboard", "read_tensorboard.py", &[&folder]) else {
        return;
    };
    let rows = read
        .lines()
        .map(|line| line.split('\t').collect::<Vec<_>>());
    let read: Vec<(String, u64, f32)> = rows
        .map(|row| {
            (
                row[0].into(),
                row[1].parse().unwrap(),
                row[2].parse().unwrap(),
            )
        })
        .collect();
    assert_eq!(read.len(), expected(&folder).len());
    for curve in expected(&folder) {
        assert!(read.contains(&curve), "{curve:?}");
    }
}

/// What should be in the file: every third update (at most 2,000 of 5,000), and every reading.
fn expected(folder: &Path) -> Vec<(String, u64, f32)> {
    let mut curves = Vec::new();
    let mut add = |tag: String, step, value: f64| curves.push((tag, step, value as f32));
    for event in read_events(folder).unwrap() {
        match event.unwrap() {
            Event::Updated {
                update,
                hyper,
                metrics,
                ..
            } if update % 3 == 0 => {
                add("schedule/learning_rate".into(), update, hyper.lr);
                add("schedule/momentum".into(), update, hyper.momentum.unwrap());
                for metric in &metrics {
                    add(format!("train/{}", metric.name), update, metric.value);
                }
            }
            Event::Evaluated(point) => {
                for metric in &point.metrics {
                    let tag = format!("validation/{}", metric.name);
                    add(tag, point.updates_done, metric.value);
                }
            }
            Event::Tested {
                updates_done,
                metrics,
            } => {
                for metric in &metrics {
                    add(format!("test/{}", metric.name), updates_done, metric.value);
                }
            }
            _ => {}
        }
    }
    curves
}

#[test]
fn real_records_are_valid() {
    for spec in [CYCLES, "fixed(lr=1e50)"] {
        let folder = TempDir::new().unwrap();
        let folder = folder.path().join("run");
        run(&folder, spec);
        if let Some(counted) = python("jsonschema", "validate_records.py", &[&schemas(), &folder]) {
            let events = read_events(&folder).unwrap().count();
            assert_eq!(counted.trim(), (events + 2).to_string());
        }
    }
}
