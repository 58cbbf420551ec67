//! What is asked wrongly is refused before any work, and work does not end because nobody reads
//! what is said of it.
#![expect(clippy::unwrap_used, reason = "an integration test")]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use common::cyclr;
use serde_json::Value;
use tempfile::TempDir;

/// Seven seeds, where five are usual.
const STUDY: &str = r#"
title = "Seven seeds"

[[comparison]]
name = "seven"
updates = 20
evaluations = 2
multiples = [0.5, 1.0]
reference = "fixed"
seeds = [1, 2, 3, 4, 5, 6, 7]
base_lr = 0.002
max_lr = 0.02

[[comparison.arm]]
label = "fixed"
policy = "fixed"

[[comparison.arm]]
label = "linear"
policy = "linear"
"#;

/// A command that is refused as usage, with these words, before it has begun anything.
fn refused(line: &str, words: &str) {
    let (code, out, err) = cyclr(&line.split_whitespace().collect::<Vec<_>>());
    assert!(code == 2 && err.contains(words), "{line}: {code}: {err}");
    assert!(out.is_empty() && !err.contains('×'), "{line}: {out}{err}");
}

/// The document of a command that is done.
fn json(args: &[&str]) -> Value {
    let (code, out, err) = cyclr(args);
    assert_eq!(code, 0, "{args:?}: {err}");
    serde_json::from_str(&out).unwrap_or_else(|e| panic!("{args:?}: {e}: {out}"))
}

fn study(folder: &Path) -> String {
    let path = folder.join("study.toml");
    fs::write(&path, STUDY).unwrap();
    path.display().to_string()
}

#[test]
fn plans_that_cannot_be_carried_out_are_refused_by_the_plan_too() {
    for (line, words) in [
        ("--arm fixed", "at least two arms"),
        ("--arm fixed --arm fixed", "the same label"),
        ("--arm =fixed --arm linear", "no label"),
        ("--arm fixed --arm linaer", "did you mean `linear`?"),
        ("--arm fixed --arm triangular2+avrage", "no `+avrage`"),
        ("--budget 0ep", "`0ep` is not a budget"),
        ("--budget 1e30ep", "`1e30ep` is not a budget"),
        ("--budget -3", "`-3` is not a budget"),
        ("--reference cosine", "fixed, triangular2, linear"),
        ("--margin 0", "the margin is 0: it must be a number above 0"),
        (
            "--margin -1",
            "the margin is -1: it must be a number above 0",
        ),
        ("--validation 0", "needs a validation split"),
        ("--budgets 1/4,1/2", "the budgets are 0.25, 0.5: they must"),
        ("--jobs 0", "0 is not in 1..=4096"),
    ] {
        refused(&format!("compare --plan {line}"), words);
    }
}

#[test]
fn range_tests_that_cannot_be_made_are_refused_before_they_begin() {
    for (line, words) in [
        ("find --fraction 0", "above 0, and at most 100"),
        ("find --fraction -5", "above 0, and at most 100"),
        ("find --fraction inf", "above 0, and at most 100"),
        ("find --plan --epochs -1 --max-lr 1", "-1"),
        ("find --plan --epochs 1e300 --max-lr 1", "too long"),
        ("find --plan --epochs 0.1 --max-lr 1", "8 updates"),
        ("find --plan --jobs 0", "0 is not in 1..=4096"),
        (
            "find --sweep-only --on val --validation 0",
            "needs a validation split",
        ),
        ("find --on val", "--sweep-only"),
        ("find --repeats 2", "--sweep-only"),
        (
            "find --sweep-only --epochs 1 --max-lr 1",
            "cannot be used with",
        ),
        ("find --over weight_decay=1e-4,0.0001", "twice"),
        (
            "find --epochs 1 --max-lr 1 --fraction 5",
            "cannot be used with",
        ),
        (
            "find --over weight_decay=0,1e-4 --weight-decay 0.1",
            "cannot be used with",
        ),
        (
            "find --plan --seed 18446744073709551615",
            "count up from 18446744073709551615",
        ),
        (
            "find --plan --sweep-only --seed 18446744073709551614",
            "count up from 18446744073709551614",
        ),
        ("find --from curve.csv --net lenet", "--net"),
        ("find --from curve.csv --on val", "--on"),
        ("train --threads 0 --policy fixed(lr=1)", "0 is not in"),
    ] {
        refused(line, words);
    }
}

/// 2^53 updates are the most that a run can have. Nothing may take memory or time for each of them.
#[test]
fn the_longest_runs_are_answered_at_once() {
    let updates = "9007199254740992";
    let cycles = "triangular(base=0.1,max=1,step=1)";
    for line in [
        format!("schedule {cycles} --updates {updates} --json --at 0"),
        format!("train --plan --policy {cycles} --updates {updates}"),
        format!("compare --plan --arm fixed --arm {cycles} --budget {updates}"),
    ] {
        refused(&line, "troughs");
    }
    refused(
        &format!("schedule fixed(lr=1) --updates {updates} --json"),
        "--at",
    );
    // The document has the rows of all its specs.
    refused(
        "schedule fixed(lr=1) fixed(lr=2) --updates 600000 --json",
        "1200000 rows",
    );
    let fixed = ["--policy", "fixed(lr=0.1)", "--updates", updates];
    let plan = ["train", "--plan", "--json", "--evaluate-every", "1"];
    let plan = json(&[&plan[..], &fixed].concat());
    assert_eq!(plan["evaluations"].to_string(), updates);
}

#[test]
fn settings_out_of_their_range_are_refused() {
    for (line, words) in [
        ("find --plan --momentum 2", "--momentum is 2; it must be"),
        ("compare --plan --weight-decay -1", "--weight-decay is -1"),
        ("find --plan --crop 28", "--crop is 28"),
        ("find --plan --batch 99999", "from 1 to 8000"),
        ("predict run --top 0 image.png", "0 is not in 1..=4096"),
        ("data --size 8", "required arguments"),
        (
            "train --policy Cargo.toml",
            "not a comparison's `winner.toml`",
        ),
        (
            "train --plan --policy fixed(lr=1) --updates 0",
            "updates = 0",
        ),
        ("check --budget 3x", "`3x` is not a budget"),
        (
            "find --plan --budget 9007199254740993",
            "`9007199254740993` is not a budget",
        ),
        (
            "train --plan --policy fixed(lr=1) --updates 18446744073709551615",
            "updates = 18446744073709551615 is",
        ),
        // Loading the data alone takes longer.
        (
            "train --policy fixed(lr=1) --time 0.001s",
            "--time 0.001s was over before the training began",
        ),
        (
            "train --time 0.001s",
            "a budget of 0.001 s is too short: an update takes 0.0",
        ),
        ("train --evaluate-every 0", "a whole number of at least 1"),
        ("train --plan --", "nothing follows `--`"),
        ("train --plan --validation 999999", "999999"),
        (
            "advise --examples 100 --batch 10 --epochs 9 --max 1 --from fixed(lr=1)",
            "cannot be used with",
        ),
        ("train --ensemble 0", "a whole number of at least 1"),
    ] {
        refused(line, words);
    }
}

#[test]
fn every_plan_is_one_json_document_where_one_is_asked_for() {
    let plan = json(&["find", "--plan", "--json"]);
    assert_eq!(
        (&plan["updates"], &plan["budget"]),
        (&240.into(), &2400.into())
    );
    assert!(plan["predicted_seconds"].as_f64().unwrap() > 0.0);
    let plan = json(&["train", "--plan", "--json"]);
    assert_eq!(plan["range_test_updates"], 240);
    assert_eq!(
        json(&["train", "--plan", "--json", "--policy", "rex"])["range_test_updates"],
        240
    );
    // No more than a readable test needs, and no more than a quarter of a short budget.
    for (budget, updates) in [("1200", 240), ("600", 150), ("100", 100)] {
        let plan = json(&["find", "--plan", "--json", "--budget", budget]);
        assert_eq!(plan["updates"], updates, "{budget}");
    }
    let plan = json(&["compare", "--plan", "--json"]);
    assert_eq!(
        (&plan["runs"], &plan["updates"]),
        (&27.into(), &34560.into())
    );
    assert!(plan["predicted_seconds"].as_f64().unwrap() > 0.0);
}

/// It is what was asked for, and so a result.
#[test]
fn a_plan_is_on_stdout() {
    for line in [
        "find --plan",
        "train --plan",
        "train --plan --policy fixed(lr=1)",
        "compare --plan",
    ] {
        let (code, out, err) = cyclr(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(code, 0, "{err}");
        assert!(out.contains("updates") && out.contains("predicted time"));
        assert!(err.is_empty(), "{line}: {err}");
    }
}

#[test]
fn a_study_has_the_seeds_that_it_declares() {
    let folder = TempDir::new().unwrap();
    let study = study(folder.path());
    let seeds = |more: &[&str]| {
        let plan = json(&[&["compare", "--plan", "--json", "--study", &study], more].concat());
        plan["plan"]["seeds"].as_array().unwrap().len()
    };
    assert_eq!((seeds(&[]), seeds(&["--seeds", "3"])), (7, 3));
    refused(
        &format!("compare --plan --study {study} --seeds 9"),
        "declares 7",
    );
}

#[test]
fn one_comparison_of_a_study_can_be_made_alone() {
    let folder = TempDir::new().unwrap();
    let (head, comparison) = STUDY.split_once("[[comparison]]").unwrap();
    let other = comparison.replace("seven", "other");
    let file = folder.path().join("two.toml");
    let both = format!("{head}[[comparison]]{comparison}[[comparison]]{other}");
    fs::write(&file, both).unwrap();
    let file = file.display().to_string();
    let declared = ["compare", "--json", "--study", &file];
    let all = json(&[&declared[..], &["--plan"]].concat());
    let out = folder.path().join("out").display().to_string();
    let alone = ["--comparison", "other", "--seeds", "2", "--out", &out];
    let made = json(&[&declared[..], &alone].concat());
    assert_eq!(made["plan"]["arms"], all[1]["plan"]["arms"]);
    // In the place that it has in the whole study, which can go on there.
    assert!(Path::new(&out).join("other/result.json").is_file());
    refused(
        &format!("compare --plan --study {file} --comparison third"),
        "there is no comparison `third`; there are seven, other",
    );
    refused("compare --plan --comparison other", "--study");
}

#[test]
fn a_policy_without_rates_takes_those_that_find_answers() {
    let folder = TempDir::new().unwrap();
    let found = json(&["find", "--budget", "600", "--json"]);
    let usual = [
        ("linear", "max_lr", 1.0),
        ("fixed", "fixed_lr", 1.0),
        ("triangular", "max_lr", 1.4),
    ];
    for (name, key, over) in usual {
        let out = folder.path().join(name).display().to_string();
        let words = ["train", "--policy", name, "--updates", "600", "--out"];
        let (code, _, err) = cyclr(&[&words[..], &[&out]].concat());
        assert_eq!(code, 0, "{err}");
        let record = fs::read_to_string(format!("{out}/run.json")).unwrap();
        let record: Value = serde_json::from_str(&record).unwrap();
        let spec = record["plan"]["task"]["spec"].as_str().expect("a spec");
        let peak = spec.parse::<cyclr::Spec>().unwrap().peak();
        let found = found[key].as_f64().expect("a rate");
        assert!((peak * over / found - 1.0).abs() < 5e-3, "{spec}, {found}");
    }
    refused("train --policy step --plan", "expected `(`");
    refused("train --policy linaer --plan", "did you mean `linear`?");
}

#[test]
fn curves_do_not_go_into_the_folder_of_a_run() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().display().to_string();
    fs::write(folder.path().join("run.json"), "{}").unwrap();
    refused(&format!("find --out {out}"), "run.json of a run");
    let plan = format!("train --policy fixed(lr=1) --updates 5 --plan --out {out}");
    let (code, _, err) = cyclr(&plan.split(' ').collect::<Vec<_>>());
    assert!(code != 0 && err.contains("already holds a run"), "{err}");
}

#[test]
fn an_answer_is_not_lost_to_a_folder_that_cannot_be_made() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let out = file.join("curves").display().to_string();
    for command in ["find", "train"] {
        let (code, _, err) = cyclr(&[command, "--out", &out]);
        assert!(code == 1 && err.contains("give another --out"), "{err}");
        assert!(!err.contains('×'), "it swept before it looked: {err}");
    }
}

#[test]
fn a_plot_says_what_was_measured() {
    let ramp = [
        "find",
        "--epochs",
        "1",
        "--max-lr",
        "0.05",
        "--repeats",
        "1",
    ];
    for (more, words) in [
        (
            &["--on", "val"][..],
            "accuracy of held-out examples against",
        ),
        (&["--on", "train"], "accuracy of training batches against"),
        (&["--over", "weight_decay=0,0.001"], "weight decay 0.001"),
    ] {
        let (_, out, err) = cyclr(&[&ramp[..], more].concat());
        assert!(out.contains(words), "{more:?}: {out}{err}");
    }
}

#[test]
fn first_commands_answer() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("found").display().to_string();
    let (code, text, err) = cyclr(&["find", "--out", &out]);
    assert_eq!(code, 0, "{err}");
    for words in [
        "max_lr",
        "max_lr / 25",
        "over 2400 updates",
        "policy",
        "probes",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(!text.contains("e-2"), "rates have one form: {text}");
    for file in [
        "sweep-0.csv",
        "probes.csv",
        "range-test.svg",
        "range-test.png",
    ] {
        assert!(folder.path().join("found").join(file).exists(), "{file}");
    }
    let run = folder.path().join("run").display().to_string();
    let (code, _, err) = cyclr(&["train", "--epochs", "4", "--out", &run]);
    assert_eq!(code, 0, "{err}");
    let (code, text, err) = cyclr(&["find", "--sweep-only"]);
    assert!(code == 0 || code == 3, "{err}");
    assert!(
        code == 3 || text.contains("no probe confirmed it"),
        "{text}"
    );
}

/// Of one net, whatever was spent.
#[test]
fn bounds_hardly_depend_on_their_cost() {
    let max_lr = |budget: &str| {
        json(&["find", "--json", "--budget", budget])["max_lr"]
            .as_f64()
            .unwrap()
    };
    let found = ["2400", "4800", "9600", "19200", "38400"].map(max_lr);
    let (low, high) = found
        .iter()
        .fold((f64::MAX, 0.0_f64), |(l, h), &x| (x.min(l), x.max(h)));
    assert!(high / low < 1.3, "{found:?}");
}

/// Runs the binary with nobody at the other end of a stream.
fn unread(args: &[&str], stdout: bool) -> Option<i32> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cyclr"));
    command
        .args(args)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if stdout {
        command.stdout(Stdio::piped());
    } else {
        command.stderr(Stdio::piped());
    }
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    drop(child.stderr.take());
    child.wait().unwrap().code()
}

#[test]
fn nobody_has_to_read_what_is_said() {
    let folder = TempDir::new().unwrap();
    let study = study(folder.path());
    for stdout in [true, false] {
        let out = |name: &str| folder.path().join(format!("{name}-{stdout}"));
        let (run, comparison) = (out("train"), out("compare"));
        let run = [
            "--policy",
            "fixed(lr=0.1)",
            "--updates",
            "20",
            "--out",
            run.to_str().unwrap(),
        ];
        assert_eq!(unread(&[&["train"], &run[..]].concat(), stdout), Some(0));
        let seeds = ["--seeds", "2", "--out", comparison.to_str().unwrap()];
        let compare = [&["compare", "--study", &study], &seeds[..]].concat();
        assert_eq!(unread(&compare, stdout), Some(0));
        assert_eq!(unread(&["data"], stdout), Some(0));
        for file in ["result.json", "report.html"] {
            assert!(comparison.join(file).exists(), "{file}, stdout: {stdout}");
        }
    }
}

/// What is asked for and cannot be written is an error, the help included.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_said() {
    for args in [
        &["--help"][..],
        &["completions", "bash"],
        &["schedule", "fixed(lr=1)"],
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cyclr"));
        let full = fs::File::create("/dev/full").unwrap();
        let output = command.args(args).stdout(full).output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {err}");
        assert!(err.contains("cannot write to stdout: No space"), "{err}");
    }
}

/// Also if its value is the usual one, which the study may not have.
#[test]
fn options_beside_a_study_or_curves_are_refused() {
    let folder = TempDir::new().unwrap();
    let study = study(folder.path());
    let curve = folder.path().join("curve.csv");
    fs::write(&curve, "lr,loss\n0.1,1\n").unwrap();
    let curve = curve.display().to_string();
    for option in [
        "--optimizer sgd",
        "--weight-decay 0.0005",
        "--crop 0",
        "--data-seed 0",
        "--net mlp",
    ] {
        let words = option.split(' ').next().unwrap();
        refused(&format!("compare --plan --study {study} {option}"), words);
        refused(&format!("find --from {curve} {option}"), words);
    }
    refused(
        &format!("find --from {curve} -- python x.py"),
        "a COMMAND cannot",
    );
}

#[test]
fn bounds_of_another_version_are_refused() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("bounds.json");
    let found = json(&["find", "--budget", "600", "--json"]);
    for (version, mark) in [(3, ""), (2, "\u{feff}")] {
        let mut found = found.clone();
        found["version"] = version.into();
        fs::write(&file, format!("{mark}{found}")).unwrap();
        let line = format!("compare --plan --from {}", file.display());
        match version {
            2 => assert_eq!(cyclr(&line.split(' ').collect::<Vec<_>>()).0, 0),
            _ => refused(&line, "has version 3"),
        }
    }
}

/// `find --over weight_decay=…` sets the decay itself, so arms that train with another one would not
/// train at the bounds that were found.
#[test]
fn bounds_that_were_found_with_another_weight_decay_are_refused() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("bounds.json");
    let file_name = file.display();
    let mut found = json(&["find", "--budget", "600", "--json"]);
    found["weight_decay"] = 0.002.into();
    fs::write(&file, found.to_string()).unwrap();
    let line = format!("compare --plan --from {file_name}");
    refused(
        &line,
        "with the weight decay 0.002, and the arms would train with 0.0005: give --weight-decay 0.002",
    );
    refused(&format!("{line} --weight-decay 0.001"), "with 0.001");
    let line = format!("{line} --weight-decay 0.002");
    assert_eq!(cyclr(&line.split(' ').collect::<Vec<_>>()).0, 0);
}

#[test]
fn numbers_that_are_written_otherwise_are_shown_in_digits() {
    for (line, words) in [
        (
            "train --updates 1e3",
            "--updates <N>: `1e3` is not a whole number; write 1000\n",
        ),
        (
            "train --updates 1_000",
            "`1_000` is not a whole number; write 1000\n",
        ),
        (
            "train --seed 1.5",
            "--seed <SEED>: `1.5` is not a whole number\n",
        ),
        ("train --seed -3", "`-3` is not a whole number\n"),
        (
            "train --seed 99999999999999999999",
            "`99999999999999999999` is too large\n",
        ),
        ("train --evaluate-every 2e2", "at least 1; write 200\n"),
        (
            "train --threads 2.0",
            "`2.0` is not a whole number; write 2\n",
        ),
        (
            "train --validation 1e3",
            "--validation <N>: `1e3` is not a whole number; write 1000\n",
        ),
        (
            "train --epochs ten",
            "--epochs <E>: `ten` is not a number\n",
        ),
        (
            "compare --seeds 1e1",
            "--seeds <N>: `1e1` is not a whole number; write 10\n",
        ),
        (
            "schedule linear(lr=1) --updates ten",
            "`ten` is not a whole number\n",
        ),
        ("compare --seeds 0", "0 is not in 1..=1000"),
    ] {
        refused(line, words);
    }
}
