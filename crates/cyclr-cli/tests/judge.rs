//! `cyclr judge`: what it prints and writes, and its exit codes.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

use common::cyclr;
use serde_json::Value;

mod common;

const TASKS: &str = "task,arm,seed,acc
x,fixed,1,84
x,fixed,2,85
x,fixed,3,86
x,linear,1,85.9
x,linear,2,87.1
x,linear,3,88
y,fixed,1,84
y,fixed,2,85
y,linear,1,84.9
y,linear,2,82
";

const ONE: &str = "seed,fixed,linear\n1,84,85.9\n2,85,87.1\n3,86,88\n";

/// Judges a text beside `fixed`, in per cent.
fn judge(text: &str, options: &[&str]) -> (i32, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results.csv");
    fs::write(&path, text).unwrap();
    let path = path.display().to_string();
    let mut args = vec!["judge", &path, "--reference", "fixed", "--unit", "percent"];
    args.extend(options);
    cyclr(&args)
}

#[test]
fn it_prints_the_verdict_of_every_task() {
    let (code, out, err) = judge(TASKS, &[]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(
        out.starts_with("== x\nlinear wins: +2.00 points over fixed (1.75 to 2.25, n = 3)\n"),
        "{out}"
    );
    let y = "\n\n== y\nno winner: linear is not shown to differ from fixed, -1.05 points (";
    assert!(out.contains(y), "{out}");
}

#[test]
fn a_table_comes_on_stdin_too() {
    let from_stdin = |text: &[u8]| {
        let mut command = assert_cmd::Command::cargo_bin("cyclr").unwrap();
        command.args(["judge", "-", "--reference", "fixed", "--unit", "percent"]);
        command.write_stdin(text).output().unwrap()
    };
    let output = from_stdin(TASKS.as_bytes());
    assert!(output.status.success() && output.stderr.is_empty());
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        judge(TASKS, &[]).1
    );
    for (text, said) in [
        (&b""[..], "stdin: it is empty: give a table"),
        (
            b"seed,fixed\n1,\xff\n",
            "stdin: it is text in another encoding than UTF-8",
        ),
        (b"seed,fixed\n1\n", "stdin: line 2 has 1 columns"),
    ] {
        let output = from_stdin(text);
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{err}");
        assert!(err.contains(said), "{err}");
    }
}

#[test]
fn the_required_arm_decides_the_exit_code() {
    let (code, _, err) = judge(ONE, &["--require", "linear"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let (code, out, err) = judge(TASKS, &["--require", "linear"]);
    assert_eq!(code, 4);
    assert_eq!(
        err,
        "linear is not shown to be better than fixed (y: undecided)\n"
    );
    assert!(out.contains("== y"), "the verdict is printed all the same");
    for (arm, said) in [
        ("fixed", "the reference itself"),
        ("adam", "no arm of that name"),
    ] {
        let (code, _, err) = judge(ONE, &["--require", arm]);
        assert_eq!(code, 2);
        assert!(err.contains(said), "{err}");
    }
}

#[test]
fn the_columns_of_arms_and_seeds_can_be_said() {
    let text = "model,sched,rng,acc\nm,fixed,1,84\nm,fixed,2,85\nm,linear,1,86\nm,linear,2,86.9\n";
    let columns = ["--arm-column", "sched", "--seed-column", "rng"];
    let (code, out, err) = judge(text, &columns);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(
        out.starts_with("linear wins: +1.95 points over fixed"),
        "{out}"
    );
    let (code, _, err) = judge(text, &["--arm-column", "sched"]);
    assert_eq!(code, 1);
    assert!(err.contains("say which is with --seed-column"), "{err}");
}

/// A label is the same arm in either form of Unicode.
#[test]
fn a_required_arm_is_found_in_either_form_of_unicode() {
    let text = "seed,fixed,caf\u{e9}\n1,84,84.1\n2,85,87.1\n3,86,84\n";
    let (code, _, err) = judge(text, &["--require", "cafe\u{301}"]);
    assert_eq!(code, 4);
    assert!(err.contains("(undecided)"), "{err}");
}

#[test]
fn a_table_whose_reference_diverged_has_no_answer() {
    let (code, out, _) = judge("seed,fixed,linear\n1,84,85\n2,nan,85\n", &[]);
    assert_eq!(code, 3);
    let headline = "no verdict: the reference fixed diverged in 1 of 2 runs\n";
    assert!(out.starts_with(headline), "{out}");
}

#[test]
fn questions_about_a_table_are_usage_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.csv");
    fs::write(&path, ONE).unwrap();
    let path = path.display().to_string();
    let run = |options: &str| {
        let options = options.split_whitespace();
        let args: Vec<&str> = ["judge", &path].into_iter().chain(options).collect();
        let (code, _, err) = cyclr(&args);
        (code, err)
    };
    for (options, said) in [
        ("", "--reference"),
        (
            "--reference adam --unit percent",
            "choose one of fixed, linear",
        ),
        ("--reference fixed", "--higher or --lower"),
        ("--reference fixed --higher", "--margin"),
        ("--reference fixed --higher --lower", "cannot be used with"),
        (
            "--reference fixed --higher --margin 1 --examples 9",
            "--unit",
        ),
        ("--reference fixed --higher --margin -1", "the margin is -1"),
    ] {
        let (code, err) = run(options);
        assert_eq!(code, 2, "{options}: {err}");
        assert!(err.contains(said), "{options}: {err}");
    }
    let (code, err) = run("--reference fixed --unit fraction");
    assert_eq!(code, 1);
    assert!(
        err.contains("r.csv: line 2, column `fixed`: 84 is not a fraction"),
        "{err}"
    );
}

#[test]
fn the_json_and_the_report_have_every_value() {
    let out = tempfile::tempdir().unwrap();
    let folder = out.path().join("judged").display().to_string();
    let (code, printed, err) = judge(TASKS, &["--json", "--examples", "2000", "--out", &folder]);
    assert_eq!(code, 0, "{err}");
    let printed: Value = serde_json::from_str(&printed).unwrap();
    let linear = &printed["tasks"][0]["arms"][1];
    assert_eq!(linear["values"][2]["value"], 88.0);
    assert_eq!(linear["difference"]["verdict"], "better");
    assert!(linear["examples"]["share"].as_f64().unwrap() > 0.2);
    let read = |name: &str| fs::read_to_string(Path::new(&folder).join(name)).unwrap();
    let mut written: Value = serde_json::from_str(&read("judgement.json")).unwrap();
    assert_eq!(written["version"], 2);
    written.as_object_mut().unwrap().remove("version");
    assert_eq!(written, printed);
    assert_eq!(read("runs.csv").lines().count(), 1 + 10);
    assert!(read("verdict.txt").starts_with("== x\nlinear wins"));
    let html = read("report.html");
    for part in [
        "linear wins: +2.00 points over fixed",
        "All 2 tasks",
        "over tasks like these: ahead at",
        "id=\"comparison-1\"",
        "id=\"1-differences\"",
        "<summary>6 values</summary>",
        "Correlation by seed",
        "The runs were not seen",
    ] {
        assert!(html.contains(part), "the page lacks {part}");
    }
    for absent in [
        "Time to target",
        "Policy",
        "Train with",
        "src=\"",
        "href=\"http",
    ] {
        assert!(!html.contains(absent), "the page has {absent}");
    }
    let svg = PathBuf::from(&folder).join("charts/2-differences.svg");
    assert!(fs::read_to_string(svg).unwrap().starts_with("<svg"));
}

/// Two tasks have numbered charts, one has not.
#[test]
fn a_report_made_again_leaves_no_figures_of_the_former() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().display().to_string();
    let charts = || {
        let entries = fs::read_dir(place.path().join("charts")).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    assert_eq!(judge(TASKS, &["--out", &folder]).0, 0);
    let two = charts();
    assert!(two.contains(&String::from("2-differences.png")), "{two:?}");
    for mine in ["charts/3-differences.svg", "charts/mine.png", "notes.txt"] {
        fs::write(place.path().join(mine), "mine").unwrap();
    }
    let (code, _, err) = judge(ONE, &["--out", &folder]);
    assert_eq!(code, 0, "{err}");
    let one = [
        "3-differences.svg",
        "differences.png",
        "differences.svg",
        "mine.png",
    ];
    assert_eq!(charts(), one);
    assert!(place.path().join("notes.txt").exists());
    // What names no file of a chart is left alone, and what cannot be read is said.
    for (figures, said) in [
        (r#"[{"id": "../notes"}, {"id": "mine.png/.."}]"#, false),
        ("[{", true),
    ] {
        fs::write(place.path().join("figures.json"), figures).unwrap();
        let (code, _, err) = judge(ONE, &["--out", &folder]);
        assert_eq!(
            (code, err.contains("charts of an earlier report")),
            (0, said),
            "{err}"
        );
        assert_eq!(charts(), one);
    }
}

#[test]
fn a_hundred_thousand_rows_make_a_page_that_opens() {
    use std::fmt::Write as _;
    let mut text = String::from("arm,seed,acc\n");
    for k in 0..50_000_u64 {
        let (a, b) = (7_919 * k % 10_007, 104_729 * k % 10_007);
        writeln!(
            text,
            "fixed,{k},{}\nlinear,{k},{}",
            a as f64 / 200.0,
            b as f64 / 200.0 + 1.0
        )
        .unwrap();
    }
    let out = tempfile::tempdir().unwrap();
    let folder = out.path().display().to_string();
    let (code, _, err) = judge(&text, &["--out", &folder]);
    assert_eq!(code, 0, "{err}");
    let html = fs::metadata(out.path().join("report.html")).unwrap();
    assert!(html.len() < 1_500_000, "{} bytes", html.len());
    let runs = fs::read_to_string(out.path().join("runs.csv")).unwrap();
    assert_eq!(runs.lines().count(), 100_001);
}

#[test]
fn files_and_exit_code_do_not_depend_on_the_reader_of_stdout() {
    let place = tempfile::tempdir().unwrap();
    let (table, out) = (place.path().join("r.csv"), place.path().join("judged"));
    fs::write(&table, TASKS).unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = std::process::Command::new(env!("CARGO_BIN_EXE_cyclr"))
        .args(["judge", "--reference", "fixed", "--unit", "percent"])
        .args(["--require", "linear", "--out"])
        .args([&out, &table])
        .stdout(writer)
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(4));
    assert!(out.join("judgement.json").exists());
}

#[test]
fn folders_of_other_results_are_not_written_over() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().display().to_string();
    fs::write(place.path().join("comparison.json"), "{}").unwrap();
    let (code, _, err) = judge(ONE, &["--out", &folder]);
    assert_eq!(code, 2, "{err}");
    assert!(
        err.contains("the folder of a comparison") && err.contains("--out"),
        "{err}"
    );
    let judged = place.path().join("judged").display().to_string();
    assert_eq!(judge(ONE, &["--out", &judged]).0, 0);
    let (code, _, err) = cyclr(&["report", &judged]);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("cyclr judge TABLE"), "{err}");
}

#[test]
fn a_report_into_a_file_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("r.csv");
    fs::write(&file, ONE).unwrap();
    let file = file.display().to_string();
    let (code, _, err) = judge(ONE, &["--out", &file]);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("r.csv is a file: give a folder"), "{err}");
    assert_eq!(fs::read_to_string(&file).unwrap(), ONE);
}
