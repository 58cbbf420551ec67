//! A program that cannot be touched, as a user compares with it: `tests/child/untouchable.py`.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "an integration test")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

const OPTIONS: &str = "--wrap --direction lower --examples 1000 --batch 50";
const COMPARE: &str = "compare --margin 0.01 --budget 240 --bounds 0.01..0.3 --out c";
/// Fewer runs, where their number does not matter.
const FEW: &str = "--seeds 2 --arm fixed --arm linear";
const WORDS: &str = r"--metric val_loss=(?<loss>\S+)";
const SCHEDULE: &str = "--lr-file {schedule} --seed {seed} --steps {updates} --folder {folder}";

/// `cyclr WORDS -- python3 untouchable.py CHILD` in a folder.
fn command(folder: &Path, words: &str, child: &str) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/child/untouchable.py");
    let mut command = Command::new(env!("CARGO_BIN_EXE_cyclr"));
    command.current_dir(folder).args(words.split_whitespace());
    command.args(["--", "python3"]).arg(script);
    command.args(child.split_whitespace());
    command
}

/// Its exit code, stdout and stderr.
fn cyclr(folder: &Path, words: &str, child: &str) -> (i32, String, String) {
    let output = command(folder, words, child).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap_or(-1);
    (code, text(output.stdout), text(output.stderr))
}

fn json(file: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

#[test]
fn a_program_that_knows_nothing_of_cyclr_is_compared() {
    let place = TempDir::new().unwrap();
    let words = format!("{COMPARE} --seeds 3 {OPTIONS} {WORDS} --test-metric $.test.loss");
    let (code, out, err) = cyclr(place.path(), &words, SCHEDULE);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("in loss") && out.contains("n = 3"), "{out}");
    assert!(!out.contains("one figure"), "{out}");

    let record = json(&place.path().join("c/result.json"));
    assert_eq!(record["info"]["whole_runs"]["test_apart"], true);
    let linear = &record["arms"][2]["budgets"][0]["runs"][0];
    let run = place
        .path()
        .join("c")
        .join(linear["folder"].as_str().unwrap());
    // The program's own words about what it was given, and its figures.
    let log = fs::read_to_string(run.join("output.log")).unwrap();
    let lines: Vec<Value> = log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    assert_eq!(lines[0]["steps"], 240);
    assert_eq!(
        lines[0]["folder"].as_str(),
        fs::canonicalize(&run).unwrap().to_str()
    );
    let rates = lines[0]["rates"].as_array().unwrap();
    assert!(rates[0].as_f64() < rates[1].as_f64(), "{rates:?}");
    assert_eq!(
        linear["values"]["test"],
        lines.last().unwrap()["test"]["loss"]
    );
    let gap = linear["values"]["test"].as_f64().unwrap()
        - linear["values"]["validation"].as_f64().unwrap();
    assert!((gap - 0.001).abs() < 1e-9, "{gap}");
}

#[test]
fn one_figure_is_said_to_be_one_and_constant_rates_are_enough() {
    let place = TempDir::new().unwrap();
    let child = "--lr {lr} --seed {seed} --steps {updates}";
    let arms = "--arm slow=fixed(lr=0.001) --arm fast=fixed(lr=0.2)";
    let words = format!("{COMPARE} --seeds 2 {OPTIONS} {WORDS} {arms}");
    let (code, out, err) = cyclr(place.path(), &words, child);
    assert_eq!(code, 0, "{err}");
    let said = out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("The program gives one figure"), "{out}");
    assert_eq!(
        json(&place.path().join("c/result.json"))["info"]["whole_runs"]["test_apart"],
        false
    );

    let (code, _, err) = cyclr(
        place.path(),
        &format!("{COMPARE}2 {OPTIONS} {WORDS}"),
        child,
    );
    assert_eq!(code, 2, "{err}");
    assert!(
        err.contains("{schedule}") && !place.path().join("c2").exists(),
        "{err}"
    );
}

#[test]
fn options_that_whole_runs_cannot_obey_are_refused_before_they_start() {
    let place = TempDir::new().unwrap();
    let fixed = "train --updates 40 --policy fixed(lr=0.1)";
    let cycles = "train --updates 40 --policy triangular(base=0.01,max=0.1,step=10)";
    let with = |words: &str, more: &str| format!("{words} {more}");
    for (n, (words, child, code, said)) in [
        (String::from("find"), SCHEDULE, 2, "--bounds LO..HI"),
        (
            with("compare --margin 1", "--budget 240"),
            SCHEDULE,
            2,
            "--bounds LO..HI",
        ),
        (
            with("train --time 10s", "--policy fixed(lr=1)"),
            SCHEDULE,
            2,
            "--updates",
        ),
        (
            with(fixed, "--evaluate-every 5"),
            SCHEDULE,
            2,
            "evaluations during the run",
        ),
        (
            with(cycles, "--stop-when plateau"),
            SCHEDULE,
            2,
            "a stop on plateau",
        ),
        (with(cycles, "--target 0.1"), SCHEDULE, 2, "a target"),
        (
            with(fixed, ""),
            "--seed {seed} --steps {updates}",
            2,
            "{schedule}",
        ),
        (with(fixed, ""), "--lr {lr} --steps {updates}", 2, "{seed}"),
        (with(fixed, ""), "--lr {lr} --seed {seed}", 2, "{updates}"),
    ]
    .into_iter()
    .enumerate()
    {
        let words = format!("{words} {OPTIONS} {WORDS} --out run{n}");
        let (is, _, err) = cyclr(place.path(), &words, child);
        assert_eq!(is, code, "{words} -- {child}: {err}");
        assert!(err.contains(said), "{words} -- {child}: {err}");
        assert!(!place.path().join(format!("run{n}")).exists(), "{words}");
    }
}

#[test]
fn a_program_that_fails_or_tells_no_figure_shows_its_last_lines() {
    let place = TempDir::new().unwrap();
    for (wrong, said) in [
        ("exit", &["exit status: 1", "no space left"][..]),
        ("silent", &[r"matches `val_loss=(?<loss>\S+)`", "step"]),
        ("hang", &["has not ended within 2 s"]),
    ] {
        // What it prints on the way is not the figure.
        let pattern = WORDS.replace("val_loss", "done:.val_loss");
        let pattern = if wrong == "silent" {
            pattern
        } else {
            String::from(WORDS)
        };
        let limit = if wrong == "hang" {
            "--child-timeout 2"
        } else {
            ""
        };
        let words = format!(
            "train --updates 40 --policy fixed(lr=0.1) {limit} {OPTIONS} {pattern} --out {wrong}"
        );
        let (code, _, err) = cyclr(place.path(), &words, &format!("{SCHEDULE} --wrong {wrong}"));
        assert_eq!(code, 1, "{err}");
        for said in said {
            assert!(
                err.contains(&said.replace("`val_loss", "`done:.val_loss")),
                "{wrong}: {err}"
            );
        }
    }
    // Nobody waits for seven more runs of a command that is wrong.
    let pattern = WORDS.replace("val_loss", "f1");
    let (code, _, err) = cyclr(
        place.path(),
        &format!("{COMPARE} {FEW} {OPTIONS} {pattern}"),
        SCHEDULE,
    );
    assert_eq!(code, 1, "{err}");
    assert_eq!(err.matches("not started").count(), 2 * 7, "{err}");
}

#[test]
fn runs_that_are_all_alike_have_no_verdict() {
    let place = TempDir::new().unwrap();
    for what in ["seed", "rate"] {
        let words = format!("{COMPARE}{what} {FEW} {OPTIONS} {WORDS}");
        let (code, _, err) = cyclr(place.path(), &words, &format!("{SCHEDULE} --ignore {what}"));
        assert_eq!(code, 2, "{err}");
        assert!(err.contains(&format!("the {what} is not obeyed")), "{err}");
    }
}

/// A run that is interrupted is made again, and the others are kept.
#[test]
fn a_comparison_that_is_interrupted_goes_on() {
    let place = TempDir::new().unwrap();
    let words = format!("{COMPARE} {FEW} {OPTIONS} {WORDS}");
    let child = format!("{SCHEDULE} --pause 0.2");
    let mut running = command(place.path(), &words, &child)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    let ended = |name: &str| {
        place
            .path()
            .join("c/tuning/1")
            .join(name)
            .join("result.json")
            .exists()
    };
    while !ended("1-fixed-x0.125000-seed1001") {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "no run has ended"
        );
        sleep(Duration::from_millis(20));
    }
    kill_process(Pid::from_child(&running), Signal::INT).unwrap();
    assert_eq!(running.wait().unwrap().code(), Some(130));
    let resumed = Command::new(env!("CARGO_BIN_EXE_cyclr"))
        .current_dir(place.path())
        .args(["resume", "c"])
        .output()
        .unwrap();
    assert_eq!(
        resumed.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&resumed.stderr)
    );
}
