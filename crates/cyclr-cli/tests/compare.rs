//! Whole comparisons of the embedded engine, as a user makes them, kills them and continues with
//! them.
#![expect(clippy::unwrap_used, reason = "an integration test")]

mod common;
#[path = "../../cyclr-train/tests/killing/mod.rs"]
mod killing;
#[path = "../../cyclr-train/tests/timeless/mod.rs"]
mod timeless;

use std::path::Path;
use std::process::{Command, Stdio};

use common::cyclr;
use killing::{kill_at, logged};
use serde_json::Value;

/// Two arms of a convnet: 12 runs of 20 updates, some seconds in all.
const STUDY: &str = r#"
title = "To be killed"

[train]
net = "lenet"
validation = 200
batch = 50

[[comparison]]
name = "small"
title = "lenet, 20 updates"
updates = 20
evaluations = 2
reference = "fixed"
seeds = [1, 2]
base_lr = 0.01
max_lr = 0.08

[[comparison.arm]]
label = "fixed"
policy = "fixed"

[[comparison.arm]]
label = "cycles"
policy = "triangular2(base=0.01, max=0.04, step=5)"
"#;

/// The arguments of the study in a folder.
fn arguments(study: &Path, out: &Path) -> [String; 5] {
    [
        String::from("compare"),
        String::from("--study"),
        study.display().to_string(),
        String::from("--out"),
        out.display().to_string(),
    ]
}

/// A record without what is measured by the clock.
fn timeless(path: &Path) -> Value {
    let record = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    timeless::timeless(record, &[])
}

/// Kills a comparison at several moments, evenly spread over what it logs, and holds what it comes
/// to against one that was left alone.
fn kill_and_resume(kills: u64) {
    let folder = tempfile::tempdir().unwrap();
    let study = folder.path().join("study.toml");
    std::fs::write(&study, STUDY).unwrap();
    let (straight, killed) = (folder.path().join("straight"), folder.path().join("killed"));
    let (code, _, err) = cyclr(&arguments(&study, &straight));
    assert_eq!(code, 0, "{err}");

    let whole = logged(&straight);
    let mut struck = 0;
    for kill in 1..=kills {
        let child = Command::new(assert_cmd::cargo::cargo_bin("cyclr"))
            .args(arguments(&study, &killed))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        struck += u64::from(kill_at(child, &killed, whole * kill / (kills + 1)));
    }
    assert!(struck > 0, "it was over before it could be killed");
    let (code, _, err) = cyclr(&["resume", killed.to_str().unwrap()]);
    assert_eq!(code, 0, "{err}");

    let result = |folder: &Path| timeless(&folder.join("result.json"));
    assert_eq!(result(&straight), result(&killed));
    for run in ["final/1/1-fixed-seed1", "final/1/2-cycles-seed2"] {
        let model =
            |folder: &Path| std::fs::read(folder.join(run).join("model.safetensors")).unwrap();
        assert!(model(&straight) == model(&killed), "{run}");
    }
    for file in ["winner.toml", "report.html", "charts"] {
        assert!(killed.join(file).exists(), "{file}");
    }
}

#[test]
fn a_killed_comparison_goes_on_to_the_same_result() {
    kill_and_resume(2);
}

#[test]
#[ignore = "twenty kills take a while"]
fn a_comparison_that_is_killed_twenty_times() {
    kill_and_resume(20);
}

#[test]
fn a_comparison_of_flags_hands_on_a_winner_and_runs_that_predict() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let out = out.to_str().unwrap();
    let (code, text, err) = cyclr(&[
        "compare", "--net", "mlp", "--budget", "320", "--seeds", "2", "--arm", "fixed", "--arm",
        "linear", "--out", out, "--json",
    ]);
    assert_eq!(code, 0, "{err}");
    let record: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(record["plan"]["arms"][1]["label"], "linear");
    let sweeps = format!("{out}/sweeps");
    let (code, _, err) = cyclr(&["find", "--from", &format!("{sweeps}/sweep-0.csv")]);
    assert!(code == 0 || code == 3, "{err}");

    let (code, _, err) = cyclr(&[
        "train",
        "--policy",
        &format!("{out}/winner.toml"),
        "--updates",
        "40",
        "--out",
        &format!("{out}/again"),
    ]);
    assert_eq!(code, 0, "{err}");

    let picture = folder.path().join("picture.png");
    let mut encoder = png::Encoder::new(std::fs::File::create(&picture).unwrap(), 30, 40);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&[90; 30 * 40 * 3]).unwrap();
    writer.finish().unwrap();
    let picture = picture.to_str().unwrap();
    let run = format!("{out}/final/1/2-linear-seed1");
    let (code, text, err) = cyclr(&["predict", &run, picture, "--top", "10", "--json"]);
    assert_eq!(code, 0, "{err}");
    let answer: Value = serde_json::from_str(&text).unwrap();
    let classes = answer["predictions"][0]["classes"].as_array().unwrap();
    let sum: f64 = classes
        .iter()
        .map(|c| c["probability"].as_f64().unwrap())
        .sum();
    assert!(classes.len() == 10 && (sum - 1.0).abs() < 1e-9, "{answer}");
    let (code, _, err) = cyclr(&["predict", out, picture]);
    assert!(code == 2 && err.contains("give one of its runs"), "{err}");
}

/// What is declared, forecast and said of a race, and where it cannot be asked for.
#[test]
fn a_race_is_declared_by_a_flag_and_says_how_it_ended() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let out = out.to_str().unwrap();
    let arguments = [
        "compare",
        "--net",
        "mlp",
        "--budget",
        "20",
        "--bounds",
        "0.01..0.1",
        "--arm",
        "fixed",
        "--arm",
        "linear",
        "--json",
        "--out",
        out,
        "--race",
    ];
    let with = |more: &[&str]| cyclr(&[&arguments, more].concat());
    for (more, said) in [
        (&["7"][..], "8..=1000"),
        (&["8", "--seeds", "3"], "--seeds"),
        (&["8", "--study", "x.toml"], "--study"),
    ] {
        let (code, _, err) = with(more);
        assert!(code == 2 && err.contains(said), "{err}");
    }
    let (code, text, err) = with(&["9", "--plan"]);
    assert_eq!(code, 0, "{err}");
    let forecast: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        forecast["plan"]["race"]["looks"],
        serde_json::json!([3, 5, 7, 9])
    );
    // Eight trials, two arms on three seeds, and what six more seeds would take.
    assert_eq!(
        (&forecast["updates"], &forecast["race_updates"]),
        (&280.into(), &240.into())
    );
    assert!(
        err.contains("looks at 3, 5, 7, 9 seeds, may add 240"),
        "{err}"
    );

    let (code, text, err) = with(&["8"]);
    assert_eq!(code, 0, "{err}");
    let record: Value = serde_json::from_str(&text).unwrap();
    let seeds = record["race"]["seeds"].as_u64().unwrap();
    for arm in record["arms"].as_array().unwrap() {
        let runs = arm["budgets"][0]["runs"].as_array().unwrap();
        assert_eq!(runs.len() as u64, seeds);
    }
    let said = record["conclusion"]["notes"][0].as_str().unwrap();
    assert!(said.starts_with("Race: "), "{said}");
    for file in ["verdict.txt", "report.html"] {
        let text = std::fs::read_to_string(format!("{out}/{file}")).unwrap();
        assert!(text.contains("Race: "), "{file}");
    }
}

/// Runs of two CPU levels are not held against each other in silence, and the record names both.
#[test]
fn a_comparison_goes_on_at_its_own_level() {
    let folder = tempfile::tempdir().unwrap();
    let (study, out) = (folder.path().join("study.toml"), folder.path().join("out"));
    std::fs::write(&study, STUDY.replace("lenet", "mlp")).unwrap();
    let at_portable = |args: &[&str]| {
        let output = Command::new(assert_cmd::cargo::cargo_bin("cyclr"))
            .args(args)
            .env("CYCLR_CPU", "portable")
            .output()
            .unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), text)
    };
    let arguments = arguments(&study, &out);
    let compare: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (code, err) = at_portable(&compare);
    assert_eq!(code, Some(0), "{err}");

    // As if another machine had begun it.
    let plan = out.join("comparison.json");
    let text = std::fs::read_to_string(&plan).unwrap();
    let other = text.replace(r#""level": "portable""#, r#""level": "avx2""#);
    assert_ne!(text, other);
    std::fs::write(&plan, other).unwrap();
    std::fs::remove_file(out.join("result.json")).unwrap();
    let resume = ["resume", out.to_str().unwrap()];
    for command in [&resume[..], &compare] {
        let (code, err) = at_portable(command);
        assert_eq!(code, Some(2), "{err}");
        for word in ["avx2", "portable", "--allow-inexact"] {
            assert!(err.contains(word), "{word}: {err}");
        }
    }
    let (code, err) = at_portable(&[resume[0], resume[1], "--allow-inexact"]);
    assert_eq!(code, Some(0), "{err}");
    let record = timeless(&out.join("result.json"));
    assert_eq!(record["about"]["level"], "avx2, then portable");
    // From now on neither level is its own.
    std::fs::remove_file(out.join("result.json")).unwrap();
    let (code, err) = at_portable(&resume);
    assert_eq!(code, Some(2), "{err}");
    assert!(
        err.contains("several CPU levels") && err.contains("--allow-inexact"),
        "{err}"
    );
    assert!(!err.contains("CYCLR_CPU="), "{err}");
}
