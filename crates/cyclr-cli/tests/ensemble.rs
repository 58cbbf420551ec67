//! Runs and arms whose model is the ensemble of those at their last troughs.
#![expect(clippy::unwrap_used, reason = "an integration test")]

mod common;

use std::collections::BTreeMap;
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
    assert_eq!(train("mean", &["--average", "troughs"]).0, 0);
    let picture = picture(place.path());
    let predicted = |model: &str| {
        let model = place.path().join(model);
        let all = ["--top", "10", "--json"];
        let arguments = [&["predict", model.to_str().unwrap(), &picture], &all[..]].concat();
        let (code, out, err) = cyclr(&arguments);
        assert_eq!(code, 0, "{err}");
        probabilities(&serde_json::from_str(&out).unwrap())
    };
    let ensemble = predicted("both");
    let each = [1, 2].map(|n| predicted(&format!("both/ensemble-{n}.safetensors")));
    assert_eq!(ensemble.len(), 10);
    for (class, probability) in &ensemble {
        let mean = f64::midpoint(each[0][class], each[1][class]);
        assert!((probability - mean).abs() < 1e-12, "{class}");
    }
    assert_ne!(each[0], each[1]);
    assert_eq!(predicted("plain"), predicted("both/model.safetensors"));
    assert_eq!(predicted("mean"), predicted("mean/average.safetensors"));
    assert_ne!(predicted("mean"), predicted("plain"));
    // An ensemble of which a model is gone is none.
    let gone = place.path().join("both/ensemble-2.safetensors");
    let model = fs::read(&gone).unwrap();
    fs::remove_file(&gone).unwrap();
    let both = place.path().join("both").display().to_string();
    let (code, _, err) = cyclr(&["predict", &both, &picture]);
    assert!(code == 2 && err.contains("has no ensemble-2"), "{err}");
    fs::write(&gone, model).unwrap();
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
    for (more, said) in [
        (&["--ensemble", "0"][..], "--ensemble"),
        (
            &["--ensemble", "2", "--average", "troughs"],
            "+ensemble(2)' shows both",
        ),
        (
            &["--ensemble", "2", "--average", "ensemble(2)"],
            "give one of them",
        ),
    ] {
        let (code, _, err) = train("not", more);
        assert!(code == 2 && err.contains(said), "{err}");
    }
}

/// A picture of another size than the net takes.
fn picture(place: &Path) -> String {
    let path = place.join("picture.png");
    let mut encoder = png::Encoder::new(fs::File::create(&path).unwrap(), 30, 40);
    encoder.set_color(png::ColorType::Grayscale);
    let mut writer = encoder.write_header().unwrap();
    let pixels: Vec<u8> = (0..30 * 40).map(|n| (n * 7 % 256) as u8).collect();
    writer.write_image_data(&pixels).unwrap();
    writer.finish().unwrap();
    path.to_str().unwrap().to_owned()
}

/// The probability of each class.
fn probabilities(document: &Value) -> BTreeMap<String, f64> {
    let classes = document["predictions"][0]["classes"].as_array().unwrap();
    let class = |class: &Value| {
        let name = class["class"].as_str().unwrap().to_owned();
        (name, class["probability"].as_f64().unwrap())
    };
    classes.iter().map(class).collect()
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
