//! Comparisons whose shorter runs branch off, by the embedded engine and by a child, beside those
//! that train again.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "an integration test")]

mod common;
#[path = "../../cyclr-train/tests/timeless/mod.rs"]
mod timeless;

use std::fs;
use std::path::Path;

use common::cyclr;
use serde_json::Value;
use timeless::timeless;

/// The arms cool down over the last fifth, or not at all, or move always.
const STUDY: &str = r#"
title = "Budgets"

[train]
TRAIN

[[comparison]]
name = "small"
updates = 40
evaluations = 4
reference = "fixed"
seeds = [1]
budgets = [0.5, 1]
branches = BRANCHES

[[comparison.arm]]
label = "fixed"
policy = "fixed(lr=0.02)"
tuned = false

[[comparison.arm]]
label = "wsd"
policy = "wsd(lr=0.005)"
tuned = false

[[comparison.arm]]
label = "linear"
policy = "linear(lr=0.05)"
tuned = false
"#;

/// Makes the comparison, and gives its result and what was said.
fn compare(place: &Path, branches: bool, train: &str, command: &[&str]) -> (Value, String) {
    let study = STUDY.replace("BRANCHES", &branches.to_string());
    fs::write(place.join("study.toml"), study.replace("TRAIN", train)).unwrap();
    let [study, out] = ["study.toml", "out"].map(|name| place.join(name).display().to_string());
    let options = ["compare", "--study", &study, "--out", &out, "--jobs", "2"];
    let (code, _, err) = cyclr(&[&options[..], command].concat());
    assert_eq!(code, 0, "{err}");
    let result = fs::read(place.join("out/result.json")).unwrap();
    (serde_json::from_slice(&result).unwrap(), err)
}

fn same_but_cheaper(train: &str, command: &[&str], models: bool) {
    let [anew, branched] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let (expected, err) = compare(anew.path(), false, train, command);
    assert!(!err.contains("branches"), "{err}");
    let (found, err) = compare(branched.path(), true, train, command);
    assert!(err.contains("fixed 20, wsd 17, linear none"), "{err}");
    let shared =
        |arm: usize| found["arms"][arm]["budgets"][0]["runs"][0]["updates_shared"].as_u64();
    assert_eq!([0, 1, 2].map(shared), [Some(20), Some(17), None]);
    let same = |record| timeless(record, &["updates_shared", "branches"]);
    assert_eq!(same(found), same(expected));
    for run in ["0.5/1-fixed-seed1", "0.5/2-wsd-seed1", "1/2-wsd-seed1"] {
        let model = |place: &Path| {
            let folder = place.join("out/final").join(run);
            fs::read(folder.join("model.safetensors")).ok()
        };
        assert_eq!(model(anew.path()).is_some(), models);
        assert!(model(anew.path()) == model(branched.path()), "{run}");
    }
}

#[test]
fn the_engine_gives_the_same_models_from_branches() {
    same_but_cheaper("net = \"mlp\"\nvalidation = 200\nbatch = 50", &[], true);
}

#[test]
fn a_child_gives_the_same_values_from_branches() {
    let child = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/child/bowl.py");
    let command = ["--", "python3", child.to_str().unwrap()];
    same_but_cheaper("", &command, false);
}

#[test]
fn branches_need_shorter_budgets() {
    let (code, _, err) = cyclr(&["compare", "--branches"]);
    assert!(code == 2 && err.contains("--budgets"), "{err}");
}
