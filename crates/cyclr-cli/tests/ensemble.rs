//! Runs and arms whose model is the ensemble of those at their last troughs.
#![expect(clippy::unwrap_used, reason = "an integration test")]

mod common;

use std::fs;
use std::path::Path;

use common::cyclr;
use serde_json::{Value, json};

fn json_of(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_run_leaves_the_models_of_its_ensemble_and_tests_it_alone() {
    let place = tempfile::tempdir().unwrap();
    let train = |run: &str, more: &[&str]| {
        let out = place.path().join(run);
        let spec = "triangular(base=0.01, max=0.1, step=10)";
        let options = [
            "train",
            "--validation",
            "200",
            "--updates",
            "60",
            "--policy",
            spec,
        ];
        let out = out.to_str().unwrap();
        cyclr(&[&options[..], &["--out", out], more].concat())
    };
    let (code, out, err) = train("both", &["--ensemble", "2"]);
    assert_eq!(code, 0, "{err}");
    assert!(
        out.contains("  averaged loss") && out.contains(", of the ensemble"),
        "{out}"
    );
    assert_eq!(train("plain", &[]).0, 0);
    let file = |run: &str, name: &str| fs::read(place.path().join(run).join(name));
    // The run ends at its third trough, with the model that the ensemble has last.
    let last = file("both", "ensemble-2.safetensors").unwrap();
    assert!(last == file("both", "model.safetensors").unwrap());
    assert!(last != file("both", "ensemble-1.safetensors").unwrap());
    assert!(last == file("plain", "model.safetensors").unwrap());
    assert!(file("both", "ensemble-3.safetensors").is_err());
    let [both, plain] =
        ["both", "plain"].map(|run| json_of(&place.path().join(run).join("result.json")));
    assert_ne!(both["test"], plain["test"]);
    for (ours, theirs) in both["evaluations"]
        .as_array()
        .unwrap()
        .iter()
        .zip(plain["evaluations"].as_array().unwrap())
    {
        assert_eq!(ours["metrics"], theirs["metrics"]);
    }
    for more in [
        &["--ensemble", "0"][..],
        &["--ensemble", "2", "--average", "troughs"],
    ] {
        assert_eq!(train("not", more).0, 2);
    }
}

/// The other arm hardly learns, so that the ensemble wins as the reference.
const STUDY: &str = r#"
title = "An ensemble"

[train]
validation = 200

[[comparison]]
name = "small"
updates = 60
reference = "both"
seeds = [1, 2, 3]

[[comparison.arm]]
label = "both"
policy = "triangular(base=0.01, max=0.1, step=10)"
average = { ensemble = 2 }
tuned = false

[[comparison.arm]]
label = "still"
policy = "fixed(lr=1e-6)"
tuned = false
"#;

#[test]
fn an_arm_may_be_an_ensemble_and_win() {
    let place = tempfile::tempdir().unwrap();
    let study = place.path().join("study.toml");
    fs::write(&study, STUDY).unwrap();
    let out = place.path().join("out");
    let out = out.to_str().unwrap();
    let (code, text, err) = cyclr(&["compare", "--study", study.to_str().unwrap(), "--out", out]);
    assert_eq!(code, 0, "{err}");
    assert!(text.contains("ensemble of the last 2 troughs"), "{text}");
    let winner = fs::read_to_string(format!("{out}/winner.toml")).unwrap();
    assert!(winner.contains("# Its model is the ensemble"), "{winner}");
    let policy = format!("{out}/winner.toml");
    let run = format!("{out}/again");
    let (code, _, err) = cyclr(&[
        "train",
        "--policy",
        &policy,
        "--validation",
        "200",
        "--out",
        &run,
    ]);
    assert_eq!(code, 0, "{err}");
    let record = json_of(&Path::new(&run).join("run.json"));
    assert_eq!(record["plan"]["task"]["average"], json!({"ensemble": 2}));
}

#[test]
fn an_arm_is_declared_an_ensemble_by_a_flag() {
    let plan = |arm: &str| {
        let arms = ["--arm", "fixed", "--arm", arm];
        let rest = [
            "--budget",
            "60",
            "--bounds",
            "0.01..0.1",
            "--plan",
            "--json",
        ];
        cyclr(&[&["compare"][..], &arms, &rest].concat())
    };
    for (arm, average) in [
        ("triangular2+ensemble(5)", json!({"ensemble": 5})),
        ("triangular2+ensemble", json!({"ensemble": 3})),
        (
            "mine=triangular(base=0.01, max=0.1, step=5)+ensemble(2)",
            json!({"ensemble": 2}),
        ),
        ("triangular2+average", json!("troughs")),
    ] {
        let (code, text, err) = plan(arm);
        assert_eq!(code, 0, "{err}");
        let forecast: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(forecast["plan"]["arms"][1]["average"], average, "{arm}");
    }
    for arm in [
        "triangular2+ensemble(0)",
        "triangular2+ensembles",
        "fixed+ensemble(2)",
    ] {
        assert_eq!(plan(arm).0, 2, "{arm}");
    }
}
