//! The schedules against tables made by the libraries that people move from (golden/schedules).
#![expect(clippy::unwrap_used, reason = "an integration test")]

use std::path::Path;

use cyclr::{Spec, units::Horizon};
use serde_json::Value;

/// The promise: `|difference| <= 1e-12 · max_lr` at every update below 1e5.
const TOLERANCE: f64 = 1e-12;

/// Compares every case of a table, and returns how many there were.
fn check(file: &str, fewest: usize) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../golden/schedules")
        .join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut cases = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let header = cases.next().unwrap();
    assert!(
        header["library"].is_string() && header["version"].is_string(),
        "{file} names its maker"
    );
    let mut count = 0;
    for case in cases {
        check_case(&case);
        count += 1;
    }
    assert!(
        count >= fewest,
        "{file} has {count} cases, and should have {fewest}"
    );
}

fn check_case(case: &Value) {
    let spec: Spec = case["spec"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap_or_else(|e| panic!("{e}"));
    let run = Horizon::of_updates(case["updates"].as_u64().unwrap()).unwrap();
    let schedule = spec
        .schedule(&run)
        .unwrap_or_else(|e| panic!("{spec}: {e}"));
    let rows = case["rows"].as_array().unwrap();
    let max_lr = rows
        .iter()
        .map(|row| row[1].as_f64().unwrap())
        .fold(0.0, f64::max);
    for (n, row) in rows.iter().enumerate() {
        let (update, expected) = (row[0].as_u64().unwrap(), row[1].as_f64().unwrap());
        let hyper = schedule.at(update);
        let allowed = case["tolerance"][n].as_f64().unwrap_or(TOLERANCE * max_lr);
        let off = (hyper.lr - expected).abs();
        assert!(
            off <= allowed,
            "{spec} at {update}: {} for {expected}, {off:e} > {allowed:e}",
            hyper.lr
        );
        let momentum = row.get(2).and_then(Value::as_f64);
        assert_eq!(
            hyper.momentum.is_some(),
            momentum.is_some(),
            "{spec} at {update}: momentum"
        );
        let off = hyper.momentum.unwrap_or(0.0) - momentum.unwrap_or(0.0);
        assert!(
            off.abs() <= TOLERANCE,
            "{spec} at {update}: momentum {:?} for {momentum:?}",
            hyper.momentum
        );
    }
}

#[test]
fn torch() {
    check("torch.jsonl", 300);
}

#[test]
fn tensorflow_addons() {
    check("tfa.jsonl", 50);
}

#[test]
fn optax() {
    check("optax.jsonl", 100);
}

#[test]
fn timm() {
    check("timm.jsonl", 50);
}

#[test]
fn transformers() {
    check("transformers.jsonl", 100);
}

#[test]
fn caffe() {
    check("caffe.jsonl", 100);
}

#[test]
fn published_formulas() {
    check("formulas.jsonl", 100);
}

#[test]
fn the_paper() {
    check("paper.jsonl", 6);
}
