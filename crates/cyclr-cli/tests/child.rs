//! Programs of the user's behind the trainer interface, as a user runs them. The other side is a
//! real client: Python scripts in `tests/child`, of the standard library alone.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "an integration test")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// A folder for a test, and `cyclr` in it.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        python();
        let place = Self(TempDir::new().unwrap());
        for folder in ["pids", "tmp"] {
            fs::create_dir(place.path(folder)).unwrap();
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, words: &str, child: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cyclr"));
        let words = words.split_whitespace();
        command.current_dir(self.0.path()).args(words).arg("--");
        command.arg(python()).arg(script("bowl.py"));
        command.args(["--pids", "pids"]);
        command.env("TMPDIR", self.path("tmp"));
        command.args(child.split_whitespace());
        command
    }

    /// Runs `cyclr WORDS -- python3 SCRIPTS…` with scripts of `tests/child`.
    fn scripts(&self, words: &str, scripts: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cyclr"));
        command.current_dir(self.0.path());
        command.args(words.split_whitespace()).arg("--");
        command
            .arg(python())
            .args(scripts.iter().map(|s| script(s)));
        command.env("TMPDIR", self.path("tmp"));
        ended(command.output().unwrap())
    }

    /// Runs `cyclr WORDS -- python3 noisy_quadratic.py CHILD`: exit code, stdout, stderr.
    fn cyclr(&self, words: &str, child: &str) -> (i32, String, String) {
        ended(self.command(words, child).output().unwrap())
    }

    fn done(&self, words: &str, child: &str) -> String {
        let (code, out, err) = self.cyclr(words, child);
        assert_eq!(code, 0, "{words} -- {child}: {err}");
        out
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.text(name)).unwrap()
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The processes that the children were, and those that they started.
    fn pids(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("pids")).unwrap().flatten();
        entries
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect()
    }

    /// How many runs of a comparison have ended.
    fn runs(&self, folder: &str) -> usize {
        let stages = ["tuning/1", "final/1"].map(|stage| self.path(folder).join(stage));
        let runs = stages
            .into_iter()
            .filter_map(|stage| fs::read_dir(stage).ok());
        let ended = |run: &fs::DirEntry| run.path().join("result.json").exists();
        runs.flatten().flatten().filter(ended).count()
    }

    /// Whether the record in a folder is that in `straight`, but for times.
    fn check_as_straight(&self, folder: &str) {
        let [record, straight] =
            [folder, "straight"].map(|f| without_times(self.json(&format!("{f}/result.json"))));
        assert!(record == straight, "the records differ");
    }

    /// Waits until all of them are gone, and the folders in which states are handed over.
    fn check_all_gone(&self) {
        assert!(!self.pids().is_empty(), "no child was started");
        within(Duration::from_secs(10), || {
            let left = fs::read_dir(self.path("tmp")).unwrap().count();
            left == 0 && self.pids().iter().all(|pid| is_gone(pid))
        });
    }
}

/// The interpreter itself, and no wrapper around it that is slow to start.
fn python() -> &'static str {
    static PYTHON: OnceLock<String> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let show = "import sys; print(sys.executable)";
        let output = Command::new("python3").args(["-c", show]).output();
        let output = output.ok().filter(|output| output.status.success());
        let output = output.expect("these tests need python3, from version 3.9 on: install it");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    })
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/child")
        .join(name)
}

fn ended(output: Output) -> (i32, String, String) {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap_or(-1),
        text(output.stdout),
        text(output.stderr),
    )
}

/// Whether there is no such process, or nothing of it but its number.
fn is_gone(pid: &str) -> bool {
    let output = Command::new("ps").args(["-o", "stat=", "-p", pid]).output();
    let state = String::from_utf8(output.unwrap().stdout).unwrap();
    state.trim().is_empty() || state.trim().starts_with('Z')
}

fn within(most: Duration, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < most, "it has not come about");
        sleep(Duration::from_millis(20));
    }
}

fn send(signal: Signal, to: &Child) {
    kill_process(Pid::from_child(to), signal).unwrap();
}

const FIXED: &str = "train --updates 100 --policy fixed(lr=0.1) --out run";
const COMPARE: &str = "compare --budget 240 --seeds 2 --jobs 2 --arm fixed --arm linear --out c";

#[test]
fn a_script_is_trained_and_may_print() {
    let place = Place::new();
    let words = "train --updates 400 --policy triangular2(base=0.01,max=0.3,step=50,momentum=0.8..0.95) --out";
    let out = place.done(&format!("{words} loud"), "--chatty");
    assert!(
        out.contains("ended after 400 updates: all planned"),
        "{out}"
    );
    let log = place.text("loud/output.log");
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 800);
    assert!(
        lines[0].starts_with("update 0 at the rate 0.01"),
        "{}",
        lines[0]
    );
    assert_eq!((lines[1], lines[799]), ("to stderr", "to stderr"));
    place.done(&format!("{words} quiet"), "");
    assert!(!place.path("quiet/output.log").exists());
    let figures = |run: &str| without_times(place.json(&format!("{run}/result.json")));
    assert_eq!(figures("loud"), figures("quiet"));
    assert_eq!(figures("loud")["evaluations"].as_array().unwrap().len(), 4);
    place.check_all_gone();
}

#[test]
fn what_a_script_prints_in_a_range_test_is_kept_beside_its_curves() {
    let place = Place::new();
    let words = "find --budget 3000 --repeats 2 --epochs 2 --max-lr 2 --out";
    place.cyclr(&format!("{words} loud"), "--chatty");
    let log = place.text("loud/sweep-1.log");
    assert!(log.starts_with("update 0 at the rate 0"), "{log}");
    assert_eq!(
        log.lines().count(),
        2 * (place.text("loud/sweep-1.csv").lines().count() - 1)
    );
    place.cyclr(&format!("{words} quiet"), "");
    assert!(place.path("quiet/sweep-1.csv").exists() && !place.path("quiet/sweep-1.log").exists());
}

#[test]
fn what_the_package_tells_the_user_is_shown_once() {
    let place = Place::new();
    let words = "compare --budget 100 --seeds 2 --arm fixed --arm linear --bounds 0.01..0.2";
    let (code, _, err) = place.cyclr(words, "--note halved");
    assert_eq!(code, 0, "{err}");
    assert_eq!(err.matches("cyclr: halved\n").count(), 1, "{err}");
    assert!(place.pids().len() > 4);
}

/// What the rates, momenta and weight decays were, a child says itself: it trains as the engine's
/// noisy quadratic does.
#[test]
fn a_script_gets_the_rates_of_the_schedule() {
    let place = Place::new();
    let spec = "linear(lr=0.125, warmup=4)";
    place.done(
        "train --updates 16 --out run --policy linear(lr=0.125,warmup=4)",
        "--chatty",
    );
    let told = place.text("run/output.log");
    let told = told.lines().filter_map(|line| line.split_once("rate "));
    let told: Vec<f64> = told.map(|(_, rate)| rate.parse().unwrap()).collect();
    let rows = Command::new(env!("CARGO_BIN_EXE_cyclr"))
        .args(["schedule", spec, "--updates", "16", "--format", "csv"])
        .output();
    let (_, rows, _) = ended(rows.unwrap());
    let rows = rows.lines().skip(1).take(16);
    let rates: Vec<f64> = rows
        .map(|row| row.split(',').nth(1).unwrap().parse().unwrap())
        .collect();
    assert_eq!(told, rates);
}

#[test]
fn bounds_are_found_whatever_decides() {
    let place = Place::new();
    for metric in ["accuracy", "loss", "perplexity", "perplexity-alone", "f1"] {
        let words = format!("find --budget 12000 --out {metric} --json");
        let out = place.done(&words, &format!("--metric {metric}"));
        let found: Value = serde_json::from_str(&out).unwrap();
        let [base, max] = ["base_lr", "max_lr"].map(|name| found[name].as_f64().unwrap());
        // Curvature 1 and momentum 0.9: nothing above 2·(1 + 0.9) is stable.
        assert!(1e-4 < base && base < max && max < 3.8, "{metric}: {out}");
        // What was kept reads back.
        let again = Command::new(env!("CARGO_BIN_EXE_cyclr"))
            .current_dir(place.0.path())
            .args(["find", "--json", "--from"])
            .arg(format!("{metric}/sweep-0.csv"))
            .output();
        let (code, again, err) = ended(again.unwrap());
        assert!(code == 0 || code == 3, "{metric}: {err}");
        let again: Value = serde_json::from_str(&again).unwrap();
        assert_eq!(
            (&again["read_from"], &again["budget"]),
            (&"sweeps".into(), &Value::Null)
        );
    }
    place.check_all_gone();
}

#[test]
fn policies_are_compared_whatever_decides() {
    let place = Place::new();
    for (metric, margin, unit) in [
        ("accuracy", "", "points"),
        ("loss", "--margin 0.01", "own"),
        ("perplexity", "--margin 0.01", "own"),
        ("f1", "--margin 0.01", "own"),
    ] {
        let words = format!("{COMPARE} {margin}").replace("--out c", &format!("--out {metric}"));
        place.done(&words, &format!("--metric {metric}"));
        let record = place.json(&format!("{metric}/result.json"));
        assert_eq!(record["objective"]["name"], metric);
        assert_eq!(record["objective"]["unit"], unit);
        let higher = ["accuracy", "f1"].contains(&metric);
        let direction = if higher { "higher" } else { "lower" };
        assert_eq!(record["objective"]["direction"], direction);
        let title = record["plan"]["title"].as_str().unwrap();
        assert!(
            title.contains("bowl.py") && title.ends_with(metric),
            "{title}"
        );
        let report = place.text(&format!("{metric}/report.html"));
        assert!(report.contains(&format!("validation {metric}")));
        if metric == "loss" {
            assert!(!report.contains("validation accuracy") && report.contains("plus the margin"));
        }
    }
    let (code, _, err) = place.cyclr(COMPARE, "--metric loss");
    assert!(code == 2 && err.contains("--margin"), "{code}: {err}");
    place.check_all_gone();
}

/// A mean of two noisy weights lies nearer to the minimum than either, as the bowl is convex.
#[test]
fn a_script_averages_its_weights() {
    let place = Place::new();
    let words = "train --updates 400 --policy triangular(base=0.01,max=0.3,step=50)";
    let out = place.done(&format!("{words} --average troughs --out averaged"), "");
    assert!(out.contains("  averaged loss"), "{out}");
    assert!(out.contains("of the averaged weights"), "{out}");
    place.done(&format!("{words} --out plain"), "");
    let [mut averaged, plain] =
        ["averaged", "plain"].map(|run| without_times(place.json(&format!("{run}/result.json"))));
    let loss = |metrics: &Value| metrics[0]["value"].as_f64().unwrap();
    let points = averaged["evaluations"].as_array_mut().unwrap();
    let mut taken = Vec::new();
    for point in points.iter_mut() {
        let average = point.as_object_mut().unwrap().remove("average").unwrap();
        taken.push(loss(&point["metrics"]));
        let mean = taken.iter().sum::<f64>() / taken.len() as f64;
        assert!(
            loss(&average) <= mean * (1.0 + 1e-12),
            "{average} {taken:?}"
        );
    }
    assert_eq!(averaged["evaluations"], plain["evaluations"]);
    assert_ne!(averaged["test"], plain["test"]);
    place.check_all_gone();
}

/// Two abilities less, and what needs them is refused by name.
#[test]
fn requests_that_a_script_cannot_obey_are_refused() {
    let place = Place::new();
    for (words, child, why) in [
        (
            "train --updates 100 --policy triangular(base=0.01,max=0.1,step=20,momentum=0.8..0.9)",
            "--less momentum",
            "momentum",
        ),
        (
            "compare --budget 100 --arm fixed --arm one=triangular(base=0.01,max=0.1,step=20,momentum=0.8..0.9)",
            "--less momentum",
            "momentum",
        ),
        (
            "compare --budget 100",
            "--less validation",
            "validation split",
        ),
        (
            "train --updates 100 --policy triangular(base=0.01,max=0.1,step=20) --target 0.9",
            "--less validation",
            "validation split",
        ),
        (
            "train --updates 100 --policy triangular(base=0.01,max=0.1,step=20) --average troughs",
            "--less averages",
            "needs a trainer that averages",
        ),
        (
            "compare --budget 100 --arm fixed --arm triangular(base=0.01,max=0.1,step=20)+average",
            "--less averages",
            "needs a trainer that averages",
        ),
        (
            "compare --budget 100 --arm fixed --arm fixed+average",
            "",
            "needs a schedule with cycles",
        ),
        (
            "find --budget 12000 --sweep-only --on val",
            "--less validation",
            "validation split",
        ),
    ] {
        let (code, _, err) = place.cyclr(words, child);
        assert!(code == 2 && err.contains(why), "{words}: {code}: {err}");
    }
    place.done(FIXED, "--less validation --less momentum --less snapshots");
    assert!(
        place.json("run/result.json")["evaluations"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    place.check_all_gone();
}

/// Such runs would give intervals of width 0, and a verdict from one run.
#[test]
fn a_seed_or_a_rate_that_is_not_used_is_refused() {
    let place = Place::new();
    let bounds = "compare --budget 240 --seeds 3 --arm fixed --arm linear --bounds 0.01..0.1";
    for (words, child, why) in [
        (
            "find --budget 12000 --sweep-only",
            "--ignore seed",
            "the seed is not obeyed",
        ),
        (COMPARE, "--ignore seed", "the seed is not obeyed"),
        (bounds, "--ignore seed", "the seed is not obeyed"),
        (
            "find --budget 12000",
            "--ignore rate",
            "the rate is not obeyed",
        ),
        (COMPARE, "--ignore rate", "the rate is not obeyed"),
        (bounds, "--ignore rate", "the rate is not obeyed"),
        (
            COMPARE,
            "--objective bleu:higher:own",
            "`bleu`, and its evaluation has loss, accuracy",
        ),
    ] {
        let (code, out, err) = place.cyclr(words, child);
        assert_eq!(code, 2, "{words} -- {child}: {out} {err}");
        assert!(err.contains(why), "{words} -- {child}: {err}");
        if place.path("c").exists() {
            fs::remove_dir_all(place.path("c")).unwrap();
        }
    }
    place.check_all_gone();
}

/// A declared objective decides, whatever the evaluation's first metric is.
#[test]
fn the_declared_objective_decides() {
    let place = Place::new();
    let words = format!("{COMPARE} --margin 0.01");
    place.done(&words, "--objective loss:lower:own");
    let record = place.json("c/result.json");
    assert_eq!(record["objective"]["name"], "loss");
    assert_eq!(record["objective"]["direction"], "lower");
}

const STUDY: &str = r#"
title = "mine"
[[comparison]]
name = "mine"
updates = 60
seeds = [1, 2]
margin = 0.01
reference = "fixed"
base_lr = 0.01
max_lr = 0.1
[[comparison.arm]]
label = "fixed"
policy = "fixed"
[[comparison.arm]]
label = "linear"
policy = "linear"
"#;

#[test]
fn a_study_compares_the_command_or_refuses_it() {
    let place = Place::new();
    fs::write(place.path("study.toml"), STUDY).unwrap();
    place.done("compare --study study.toml --out s", "--metric loss");
    let record = place.json("s/result.json");
    assert_eq!(record["objective"]["name"], "loss");
    assert_eq!(record["info"]["examples"], 1000);

    for (table, words, why) in [
        ("[train]\nnet = \"mlp\"\n", "", "`net`"),
        ("[train]\ncommand = [\"true\"]\n", "", "`command`"),
    ] {
        fs::write(place.path("other.toml"), format!("{STUDY}{table}")).unwrap();
        let (code, _, err) = place.cyclr(&format!("compare --study other.toml {words}"), "");
        assert!(code == 2 && err.contains(why), "{table}: {code}: {err}");
    }
    for option in ["--net lenet", "--batch 20", "--validation 9", "--flip"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cyclr"));
        command.current_dir(place.0.path());
        command.args(["compare", "--study", "study.toml", "--plan"]);
        let (code, _, err) = ended(command.args(option.split(' ')).output().unwrap());
        let name = option.split(' ').next().unwrap();
        assert!(code == 2 && err.contains(name), "{option}: {code}: {err}");
    }
}

#[test]
fn bounds_are_handed_on() {
    let place = Place::new();
    let words = COMPARE.replace("--out c", "--margin 0.01");
    let given = |record: Value| {
        assert!(record["range"].is_null());
        let bounds = &record["plan"]["bounds"]["given"];
        [&bounds["base_lr"], &bounds["max_lr"]].map(|bound| bound.as_f64().unwrap())
    };
    place.done(&format!("{words} --bounds 0.01..0.1 --out c"), "");
    assert_eq!(given(place.json("c/result.json")), [0.01, 0.1]);

    let found = place.done("find --budget 12000 --json", "");
    fs::write(place.path("found.json"), &found).unwrap();
    place.done(&format!("{words} --from found.json --out d"), "");
    let found: Value = serde_json::from_str(&found).unwrap();
    let found = ["base_lr", "max_lr"].map(|bound| found[bound].as_f64().unwrap());
    assert_eq!(given(place.json("d/result.json")), found);

    fs::write(place.path("none.json"), "{}").unwrap();
    for (option, why) in [
        ("--bounds 0.1..0.01", "0.1..0.01"),
        ("--bounds 0.1", "LO..HI"),
        ("--bounds 0..1", "above 0"),
        ("--from none.json", "none.json"),
        ("--from nowhere.json", "nowhere.json"),
    ] {
        let (code, _, err) = place.cyclr(&format!("{words} {option} --out e"), "");
        assert!(code != 0 && err.contains(why), "{option}: {code}: {err}");
    }
}

#[test]
fn options_of_the_engine_mean_nothing_to_a_script() {
    let place = Place::new();
    for option in [
        "--net lenet",
        "--weight-decay 0.0005",
        "--flip",
        "--validation 10",
        "--threads 2",
    ] {
        let (code, _, err) = place.cyclr(&format!("{FIXED} {option}"), "");
        let name = option.split(' ').next().unwrap();
        assert!(code == 2 && err.contains(name), "{option}: {code}: {err}");
    }
    let (code, _, err) = place.cyclr(
        "train --updates 9 --child-timeout 0 --policy fixed(lr=1)",
        "",
    );
    assert!(code == 2 && err.contains("--child-timeout"), "{err}");
}

#[test]
fn a_batch_is_handed_on() {
    let place = Place::new();
    place.done(&format!("{FIXED} --batch 20"), "");
    assert_eq!(place.json("run/run.json")["plan"]["info"]["batch"], 20);
}

/// Everything that may go wrong in a child fails the run, and the message says what it was.
#[test]
fn a_child_that_fails_says_why() {
    for (wrong, words) in [
        ("raise", ["ValueError: the data are gone", "`updates`"]),
        (
            "initialize",
            ["ValueError: the data are gone", "`initialize`"],
        ),
        ("exit", ["exit status: 7", "word 29 of the last"]),
        ("kill", ["signal: 9", "`updates`"]),
        (
            "hang",
            ["has not answered `updates` within 1 s", "--child-timeout"],
        ),
        ("rubbish", ["Epoch 1: 100%", "does not allow"]),
        ("nan", ["NaN", "does not allow"]),
        ("id", ["99999", "does not allow"]),
        ("half", ["in the middle of its answer", "\"resu"]),
        ("missing", ["missing field `direction`", "does not allow"]),
        ("close", ["closed its descriptors", "`updates`"]),
        ("utf8", ["invalid unicode", "does not allow"]),
        ("endless", ["a line without an end", "`updates`"]),
        ("stopped", ["within 1 s", "--child-timeout"]),
        ("ahead", ["the id 2 instead of ", "does not allow"]),
        (
            "lacking",
            ["cannot do what was asked", "no method `updates`"],
        ),
        ("fifo", ["is not a regular file", "`state`"]),
        ("shutdown", ["signal: 11", "`shutdown`"]),
        ("stay", ["had not ended 1 s after `shutdown`", "staying"]),
    ] {
        let place = Place::new();
        let timeout = if ["hang", "stay", "stopped"].contains(&wrong) {
            "--child-timeout 1"
        } else {
            ""
        };
        let (code, _, err) =
            place.cyclr(&format!("{FIXED} {timeout}"), &format!("--wrong {wrong}"));
        assert_eq!(code, 1, "{wrong}: {err}");
        for word in words {
            assert!(err.contains(word), "{wrong}: {err}");
        }
        let reason = place.json("run/failed.json")["reason"].clone();
        assert!(
            reason.as_str().unwrap().contains(words[0]),
            "{wrong}: {reason}"
        );
        assert!(!place.path("run/result.json").exists());
        place.check_all_gone();
    }
}

#[test]
fn a_range_test_with_a_failed_repeat_is_an_error() {
    let place = Place::new();
    let (code, _, err) = place.cyclr("find --budget 12000 --seed 1", "--wrong exit --seed 1");
    assert!(code == 1 && err.contains("exit status: 7"), "{code}: {err}");
    place.check_all_gone();
}

/// One of four final runs fails. The others are finished, no verdict is made, and continuing makes
/// what is missing.
#[test]
fn the_other_runs_of_a_comparison_go_on() {
    let place = Place::new();
    let words = COMPARE;
    let child = "--wrong exit --seed 2 --unless mended";
    let (code, _, err) = place.cyclr(words, child);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("2 of 4 runs failed"), "{err}");
    assert!(
        err.contains("final/1/1-fixed-seed2: ") && err.contains("cyclr resume c --jobs 2"),
        "{err}"
    );
    assert!(!place.path("c/result.json").exists());
    let failed = place.json("c/final/1/2-linear-seed2/failed.json");
    assert!(
        failed["reason"]
            .as_str()
            .unwrap()
            .contains("exit status: 7")
    );
    let kept = place.text("c/final/1/1-fixed-seed1/result.json");

    fs::write(place.path("mended"), "").unwrap();
    let again = Command::new(env!("CARGO_BIN_EXE_cyclr"))
        .current_dir(place.0.path())
        .args(["resume", "c"])
        .output();
    let (code, _, err) = ended(again.unwrap());
    assert_eq!(code, 0, "{err}");
    assert_eq!(kept, place.text("c/final/1/1-fixed-seed1/result.json"));
    assert!(!place.path("c/final/1/2-linear-seed2/failed.json").exists());

    place.done(&words.replace("--out c", "--out straight"), child);
    place.check_as_straight("c");
    place.check_all_gone();
}

/// Killed in the middle, three times; with and without snapshots.
#[test]
fn a_comparison_that_was_killed_ends_as_a_straight_one() {
    for less in ["", "--less snapshots"] {
        let place = Place::new();
        let child = format!("--slow 0.0005 {less}");
        place.done(&COMPARE.replace("--out c", "--out straight"), &child);
        for ended_runs in [1, 5, 9] {
            let mut running = start(&mut place.command(COMPARE, &child));
            within(Duration::from_secs(30), || place.runs("c") >= ended_runs);
            sleep(Duration::from_millis(20));
            assert!(running.try_wait().unwrap().is_none(), "it ended too soon");
            send(Signal::KILL, &running);
            running.wait().unwrap();
            place.check_all_gone();
        }
        place.done(COMPARE, &child);
        place.check_as_straight("c");
    }
}

#[test]
fn nothing_is_left_after_an_interrupt_and_the_run_goes_on() {
    let place = Place::new();
    let words = "train --updates 500 --policy fixed(lr=0.1) --out";
    let slow = "--slow 0.004";
    place.done(&format!("{words} straight"), slow);
    let mut running = start(&mut place.command(&format!("{words} run"), slow));
    within(Duration::from_secs(10), || {
        place.path("run/events.jsonl").exists()
    });
    sleep(Duration::from_millis(300));
    send(Signal::INT, &running);
    let code = running.wait().unwrap().code();
    let mut err = String::new();
    running
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut err)
        .unwrap();
    assert_eq!(code, Some(130), "{err}");
    assert!(err.contains("cyclr resume run"), "{err}");
    place.check_all_gone();
    let again = Command::new(env!("CARGO_BIN_EXE_cyclr"))
        .current_dir(place.0.path())
        .args(["resume", "run"])
        .output();
    assert_eq!(ended(again.unwrap()).0, 0);
    place.check_as_straight("run");
}

/// A child that would never end by itself, and one that hangs: they go when cyclr is killed.
#[test]
fn nothing_is_left_after_a_kill() {
    for child in ["--slow 0.01", "--wrong hang"] {
        let place = Place::new();
        let mut running = start(&mut place.command(FIXED, child));
        within(Duration::from_secs(10), || place.pids().len() >= 2);
        sleep(Duration::from_millis(300));
        assert!(place.pids().iter().all(|pid| !is_gone(pid)));
        assert_eq!(fs::read_dir(place.path("tmp")).unwrap().count(), 1);
        send(Signal::KILL, &running);
        running.wait().unwrap();
        place.check_all_gone();
    }
}

/// The messages of real runs, both sides, held against the schema.
#[test]
fn messages_are_those_of_the_schema() {
    let has = Command::new(python())
        .args(["-c", "import jsonschema"])
        .output();
    if !has.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: python3 has no package jsonschema");
        return;
    }
    let place = Place::new();
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema/protocol.json");
    for metric in ["accuracy", "perplexity"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cyclr"));
        let out = [
            "--out",
            metric,
            "--policy",
            "triangular(base=0.01, max=9, step=40, momentum=0.8..0.9)",
            "--",
        ];
        command.current_dir(place.0.path()).args([
            "train",
            "--updates",
            "400",
            "--average",
            "troughs",
        ]);
        command
            .args(out)
            .arg(python())
            .arg(script("tee.py"))
            .arg("messages");
        command
            .arg(python())
            .arg(script("bowl.py"))
            .args(["--metric", metric]);
        let (code, _, err) = ended(command.output().unwrap());
        assert_eq!(code, 0, "{err}");
    }
    let held = Command::new(python())
        .arg(script("validate.py"))
        .args([&schema, &place.path("messages")])
        .output();
    let (code, held, err) = ended(held.unwrap());
    assert_eq!(code, 0, "{err}");
    assert!(held.trim().parse::<u32>().unwrap() > 20, "{held}");
}

/// A launcher closes the pipes, and the script may have opened files of its own at their numbers.
#[test]
fn a_script_behind_a_launcher_is_found_again() {
    let place = Place::new();
    place.done(FIXED, "");
    let straight = without_times(place.json("run/result.json"));
    for (out, scripts) in [
        ("launched", &["launcher.py", "bowl.py"][..]),
        ("files", &["launcher.py", "own_files.py", "bowl.py"]),
    ] {
        let words = FIXED.replace("--out run", &format!("--out {out}"));
        let (code, _, err) = place.scripts(&words, scripts);
        assert_eq!(code, 0, "{out}: {err}");
        let result = place.json(&format!("{out}/result.json"));
        assert_eq!(without_times(result), straight, "{out}");
    }
    let log = place.text("files/output.log");
    assert!(log.contains("descriptors 3 4"), "{log}");
    assert_eq!(place.text("results.csv"), "");
    assert_eq!(place.text("data.txt"), "one\ntwo\n");
    assert_eq!(fs::read_dir(place.path("tmp")).unwrap().count(), 0);
}

#[test]
fn a_script_that_never_asks_is_told_how_to() {
    let place = Place::new();
    fs::write(
        place.path("plain.py"),
        "import sys, time\nprint('epoch 1')\ntime.sleep(float(sys.argv[1]))",
    )
    .unwrap();
    for (seconds, why) in [("0", "ended (exit status: 0)"), ("100", "within 2 s")] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cyclr"));
        command.current_dir(place.0.path());
        command.args(FIXED.replace("--out run", "--out").split_whitespace());
        command.args([seconds, "--child-timeout", "2", "--"]);
        command.arg(python()).args(["plain.py", seconds]);
        let (code, _, err) = ended(command.output().unwrap());
        assert_eq!(code, 1, "{err}");
        for word in [
            why,
            "has not asked cyclr for anything",
            "cyclr drive",
            "cyclr.serve",
            "docs/protocol.md",
            "epoch 1",
        ] {
            assert!(err.contains(word), "{seconds}: {word}: {err}");
        }
        // What the program says is more often the cause than what it lacks.
        assert!(err.find("epoch 1") < err.find("has not asked"), "{err}");
    }
}

/// The script is found, and the command shown, also from another folder; an edited script is not
/// taken for the one that began.
#[test]
fn a_run_goes_on_from_another_folder_with_the_script_that_began_it() {
    let place = Place::new();
    fs::create_dir_all(place.path("a/b/c")).unwrap();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    fs::copy(
        examples.join("cyclr_child.py"),
        place.path("a/b/c/cyclr_child.py"),
    )
    .unwrap();
    fs::copy(script("bowl.py"), place.path("a/b/c/bowl.py")).unwrap();
    let resume = |options: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cyclr"));
        command.current_dir("/").arg("resume").args(options);
        ended(command.arg(place.path("a/b/c/run")).output().unwrap())
    };
    let mut command = Command::new(env!("CARGO_BIN_EXE_cyclr"));
    command
        .current_dir(place.path("a/b/c"))
        .args(FIXED.split_whitespace());
    command
        .arg("--")
        .arg(python())
        .args(["bowl.py", "--slow", "0.1"]);
    let mut running = start(&mut command);
    within(Duration::from_secs(30), || {
        place.path("a/b/c/run/events.jsonl").exists()
    });
    sleep(Duration::from_millis(300));
    send(Signal::INT, &running);
    assert_eq!(running.wait().unwrap().code(), Some(130));

    let original = place.text("a/b/c/bowl.py");
    fs::write(
        place.path("a/b/c/bowl.py"),
        original.replace("gauss(0, 0.3)", "gauss(0, 0.4)"),
    )
    .unwrap();
    let (code, _, err) = resume(&[]);
    assert_eq!(code, 2, "{err}");
    assert!(
        err.contains("bowl.py has changed since the run began") && err.contains("--allow-changed"),
        "{err}"
    );
    assert!(err.contains("run/run.json names"), "{err}");
    fs::write(place.path("a/b/c/bowl.py"), original).unwrap();
    let (code, _, err) = resume(&[]);
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("bowl.py --slow 0.1"), "{err}");
    let record = place.text("a/b/c/run/run.json");
    let gone = record.replacen(python(), "/no/such/python", 1);
    fs::write(place.path("a/b/c/run/run.json"), gone).unwrap();
    let (code, _, err) = resume(&["--updates", "120", "--keep-shape"]);
    assert_eq!(code, 1, "{err}");
    let said = "run/run.json cannot go on: the run failed: `/no/such/python` cannot be started";
    assert!(
        err.contains(said) && err.contains("give a program"),
        "{err}"
    );
    fs::write(place.path("a/b/c/run/run.json"), record).unwrap();
    // Nothing is left to run, so that nothing is refused.
    fs::write(place.path("a/b/c/bowl.py"), "").unwrap();
    assert_eq!(resume(&[]).0, 0);
    let (code, _, err) = resume(&["--updates", "120", "--keep-shape", "--allow-changed"]);
    assert!(
        code == 1 && err.contains("has not asked cyclr"),
        "{code}: {err}"
    );
}

/// The script of a comparison is found from anywhere, too.
#[test]
fn a_comparison_goes_on_from_another_folder() {
    let place = Place::new();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    fs::create_dir_all(place.path("a/b/c")).unwrap();
    for (from, to) in [
        (examples.join("cyclr_child.py"), "a/b/c/cyclr_child.py"),
        (script("bowl.py"), "a/b/c/bowl.py"),
    ] {
        fs::copy(from, place.path(to)).unwrap();
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_cyclr"));
    command
        .current_dir(place.path("a/b/c"))
        .args(COMPARE.split_whitespace())
        .args(["--margin", "0.01", "--bounds", "0.01..0.3", "--"]);
    command.arg(python()).args(["bowl.py", "--slow", "0.001"]);
    let mut running = start(&mut command);
    within(Duration::from_secs(60), || place.runs("a/b/c/c") > 0);
    send(Signal::INT, &running);
    assert_eq!(running.wait().unwrap().code(), Some(130));
    let mut command = Command::new(env!("CARGO_BIN_EXE_cyclr"));
    command.current_dir("/").arg("resume");
    let (code, out, err) = ended(command.arg(place.path("a/b/c/c")).output().unwrap());
    assert!(code == 0 && out.contains("n = 2"), "{code}: {err}");
}

/// A kill in the first moments: the child that does not look at its pipes is ended, and no folder
/// is left.
#[test]
fn nothing_is_left_after_a_kill_at_the_start() {
    let place = Place::new();
    for n in 0..40 {
        let sleeps = format!("77{:05}.{n}", std::process::id());
        let mut command = Command::new(env!("CARGO_BIN_EXE_cyclr"));
        command
            .current_dir(place.0.path())
            .args(FIXED.split_whitespace());
        command
            .args(["--", "sleep", &sleeps])
            .env("TMPDIR", place.path("tmp"));
        let mut running = start(&mut command);
        sleep(Duration::from_millis(n));
        send(Signal::KILL, &running);
        running.wait().unwrap();
        within(Duration::from_secs(20), || {
            let processes = Command::new("ps").args(["-eo", "args"]).output().unwrap();
            let processes = String::from_utf8_lossy(&processes.stdout).into_owned();
            let left = processes
                .lines()
                .any(|args| args == format!("sleep {sleeps}"));
            !left && fs::read_dir(place.path("tmp")).unwrap().count() == 0
        });
    }
}

/// Two containers may share the temporary folder, and have processes of the same numbers.
#[test]
fn two_process_namespaces_share_the_temporary_folder() {
    let place = Place::new();
    let alone = ["--pid", "--fork", "--mount-proc"];
    let mut probe = Command::new("unshare");
    let able = probe.args(alone).arg("true").output();
    if !able.is_ok_and(|output| output.status.success()) {
        eprintln!("no process namespaces here: left out");
        return;
    }
    let train = |out: &str, slow: &str| {
        let inner = place.command(
            "train --policy fixed(lr=0.1) --updates 20 --no-test",
            &format!("--slow {slow}"),
        );
        let mut words: Vec<_> = inner.get_args().map(ToOwned::to_owned).collect();
        words.splice(1..1, ["--out".into(), out.into()]);
        let mut command = Command::new("unshare");
        command.args(alone).arg(inner.get_program()).args(words);
        command.current_dir(place.0.path());
        command.env("TMPDIR", place.path("tmp"));
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        command
    };
    let first = start(&mut train("first", "0.1"));
    within(Duration::from_secs(60), || {
        place.path("first/events.jsonl").exists()
    });
    let (code, _, err) = ended(train("second", "0").output().unwrap());
    assert_eq!(code, 0, "{err}");
    let (code, _, err) = ended(first.wait_with_output().unwrap());
    assert_eq!(code, 0, "{err}");
    assert!(!err.contains("failed"), "{err}");
    assert_eq!(fs::read_dir(place.path("tmp")).unwrap().count(), 0);
}

#[test]
fn a_damaged_record_says_what_to_do() {
    let place = Place::new();
    let words = format!("{COMPARE} --margin 0.01");
    place.done(&words, "");
    place.done(&words.replace("--out c", "--out straight"), "");
    let resume = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cyclr"));
        command.current_dir(place.0.path()).args(["resume", "c"]);
        ended(command.output().unwrap())
    };
    let run = "c/final/1/1-fixed-seed1";
    for (file, advice) in [
        ("c/range.json".into(), "remove this file and resume"),
        (format!("{run}/result.json"), "remove this file and resume"),
        (format!("{run}/events.jsonl"), "remove this run's folder"),
        ("c/comparison.json".into(), "in another folder"),
    ] {
        let whole = place.text(&file);
        fs::write(place.path(&file), &whole[..whole.len() / 2]).unwrap();
        let (code, _, err) = resume();
        assert_eq!(code, 1, "{file}: {err}");
        assert!(err.contains(&file) && err.contains(advice), "{file}: {err}");
        // What it says helps.
        if advice.contains("remove this file") {
            fs::remove_file(place.path(&file)).unwrap();
        } else if advice.contains("folder to make") || advice.contains("this run") {
            fs::remove_dir_all(place.path(run)).unwrap();
        } else {
            fs::write(place.path(&file), whole).unwrap();
        }
        let (code, _, err) = resume();
        assert_eq!(code, 0, "{file}: {err}");
        place.check_as_straight("c");
    }
}

/// Of a value that a record has, the message names the record, wherever it does harm.
#[test]
fn errors_of_a_record_name_its_file() {
    let place = Place::new();
    place.done(&format!("{COMPARE} --margin 0.01"), "");
    place.done("train --policy fixed(lr=0.1) --updates 20 --out run", "");
    for result in ["c/result.json", "run/result.json"] {
        fs::remove_file(place.path(result)).unwrap();
    }
    for (file, folder, at, value) in [
        ("c/range.json", "c", "/max_lr", serde_json::json!(1e-320)),
        ("c/range.json", "c", "/base_lr", serde_json::json!(-1.0)),
        ("c/begin.json", "c", "/info/objective", Value::Null),
        ("c/comparison.json", "c", "/plan/updates", 0.into()),
        ("run/run.json", "run", "/plan/horizon", 0.into()),
        ("run/run.json", "run", "/plan/end", u64::MAX.into()),
        (
            "run/run.json",
            "run",
            "/trainer/command/0",
            "no-program".into(),
        ),
        ("run/run.json", "run", "/plan/info/examples", 7.into()),
    ] {
        let whole = place.text(file);
        let mut record: Value = serde_json::from_str(&whole).unwrap();
        *record.pointer_mut(at).unwrap() = value;
        fs::write(place.path(file), record.to_string()).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_cyclr"));
        command.current_dir(place.0.path()).args(["resume", folder]);
        let (code, _, err) = ended(command.output().unwrap());
        assert!(matches!(code, 1 | 2), "{file}{at}: {err}");
        assert!(err.contains(file), "{file}{at}: {err}");
        fs::write(place.path(file), whole).unwrap();
    }
}

#[test]
fn a_check_says_what_is_wrong_and_what_it_will_cost() {
    let place = Place::new();
    let out = place.done("check --budget 4000", "");
    let lines: Vec<&str> = out.lines().collect();
    assert!(
        lines[..6].iter().all(|line| line.starts_with("ok ")),
        "{out}"
    );
    assert!(
        lines[6].starts_with("a start takes ") && lines.len() == 9,
        "{out}"
    );
    for (child, wrong) in [
        ("--ignore seed", "another seed gives another loss"),
        ("--ignore rate", "the rate is obeyed"),
    ] {
        let (code, out, err) = place.cyclr("check --budget 4000", child);
        assert_eq!(code, 1, "{err}");
        let not_ok: Vec<&str> = out
            .lines()
            .filter(|line| line.starts_with("not ok"))
            .collect();
        assert!(
            not_ok.len() == 1 && not_ok[0].contains(wrong),
            "{child}: {out}"
        );
    }
    let out = place.done("check --json", "--less snapshots --metric loss");
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["checks"][5]["finding"], "unclear");
    assert_eq!(report["begin"]["info"]["examples"], 1000);
    // A tenth of 30 epochs of 20 updates is too little: the test costs what a readable one needs.
    let updates = report["find"]["updates"].as_u64().unwrap();
    assert!((100..=600).contains(&updates), "{out}");
    place.check_all_gone();
}

/// What is known of a run before it starts is told, and nothing else.
#[test]
fn a_script_is_told_the_updates_and_the_folder() {
    let place = Place::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_cyclr"));
    command
        .current_dir(place.0.path())
        .args(FIXED.split_whitespace());
    command
        .arg("--")
        .arg(python())
        .arg(script("tee.py"))
        .arg("messages");
    command.arg(python()).arg(script("bowl.py"));
    assert_eq!(ended(command.output().unwrap()).0, 0);
    let messages = place.text("messages");
    let first: Value = serde_json::from_str(&messages.lines().next().unwrap()[2..]).unwrap();
    assert_eq!(first["params"]["updates"], 100);
    let folder = Path::new(first["params"]["folder"].as_str().unwrap());
    assert_eq!(
        folder.canonicalize().unwrap(),
        place.path("run").canonicalize().unwrap()
    );
}

/// A plan says what an interruption costs where it costs more than a few updates.
#[test]
fn a_plan_says_that_a_run_would_start_anew() {
    let place = Place::new();
    let plan = format!("{COMPARE} --margin 0.01 --plan");
    for (child, says) in [("", false), ("--less snapshots", true)] {
        let (code, _, err) = place.cyclr(&plan, child);
        assert_eq!(code, 0, "{err}");
        assert_eq!(err.contains("loses up to 240 updates ("), says, "{err}");
    }
}

#[test]
fn a_shell_will_do() {
    let place = Place::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_cyclr"));
    command
        .current_dir(place.0.path())
        .args(FIXED.split_whitespace());
    command.args(["--", "sh"]).arg(script("shell.sh"));
    let (code, out, err) = ended(command.output().unwrap());
    assert!(
        code == 0 && out.contains("ended after 100 updates"),
        "{code}: {err}"
    );
}

fn start(command: &mut Command) -> Child {
    let quiet = command.stdout(Stdio::null()).stderr(Stdio::piped());
    quiet.spawn().unwrap()
}

/// A record without what every run does again: times, and the folder's own name.
fn without_times(mut record: Value) -> Value {
    fn clean(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.retain(|name, _| !name.contains("seconds"));
                fields.values_mut().for_each(clean);
            }
            Value::Array(values) => values.iter_mut().for_each(clean),
            _ => {}
        }
    }
    clean(&mut record);
    record
}
