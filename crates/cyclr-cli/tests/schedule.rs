//! `cyclr schedule` and `cyclr advise`, as a user runs them.
#![expect(clippy::unwrap_used, reason = "an integration test")]

mod common;

use common::cyclr;

fn stdout(args: &[&str]) -> String {
    let (code, out, err) = cyclr(args);
    assert_eq!(code, 0, "{args:?}: {err}");
    out
}

#[test]
fn rows_have_the_papers_values() {
    let spec = "triangular(base=0.001, max=0.006, step=2000)";
    let out = stdout(&[
        "schedule",
        spec,
        "--updates",
        "20001",
        "--format",
        "csv",
        "--at",
        "1,2000,4000,4001,6000",
    ]);
    assert_eq!(
        out,
        "update,lr,momentum\n1,0.0010025,\n2000,0.006,\n4000,0.001,\n4001,0.0010025,\n6000,0.006,\n"
    );
}

#[test]
fn rows_have_momentum_where_it_moves_and_hold_past_the_end() {
    let spec = "triangular(base=1, max=5, up=2, down=6, momentum=0.8..0.9)";
    let out = stdout(&["schedule", spec, "--updates", "8", "--format", "csv"]);
    assert_eq!(out.lines().count(), 9);
    assert_eq!(out.lines().nth(3), Some("2,5,0.8"));
    let out = stdout(&[
        "schedule",
        spec,
        "--updates",
        "8",
        "--format",
        "csv",
        "--at",
        "8,18446744073709551615",
    ]);
    assert_eq!(
        out,
        "update,lr,momentum\n8,1,0.9\n18446744073709551615,1,0.9\n"
    );
}

#[test]
fn rows_read_back_to_the_same_rates() {
    let text = "exp_range(base=1e-7, max=0.0123456789, step=17, gamma=0.999)";
    let out = stdout(&["schedule", text, "--updates", "300", "--format", "csv"]);
    let schedule = text.parse::<cyclr::Spec>().unwrap();
    let schedule = schedule
        .schedule(&cyclr::units::Horizon::of_updates(300).unwrap())
        .unwrap();
    for row in out.lines().skip(1) {
        let mut cells = row.split(',');
        let update: u64 = cells.next().unwrap().parse().unwrap();
        let lr: f64 = cells.next().unwrap().parse().unwrap();
        assert_eq!(lr.to_bits(), schedule.at(update).lr.to_bits(), "{row}");
    }
}

#[test]
fn a_rate_of_minus_0_is_0() {
    let rows = stdout(&[
        "schedule",
        "fixed(lr=-0)",
        "--updates",
        "2",
        "--format",
        "csv",
    ]);
    assert_eq!(rows, "update,lr,momentum\n0,0,\n1,0,\n");
}

#[test]
fn json_is_one_document() {
    let out = stdout(&[
        "schedule",
        "triangular(base=0, max=1, step=2)",
        "--json",
        "--at",
        "2,4",
    ]);
    let document: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        document["schedules"][0]["troughs"],
        serde_json::json!([4, 8, 12, 16])
    );
    assert_eq!(document["schedules"][0]["rows"][0]["lr"], 1.0);
}

#[test]
fn usage_errors_say_what_to_write() {
    for (args, says) in [
        (vec!["schedule", "linear(lr=1)"], "give --updates N"),
        (
            vec!["schedule", "triangular(base=0, max=1, step=10%)"],
            "give --updates N",
        ),
        (
            vec![
                "schedule",
                "triangular(base=0, max=1, step=2ep)",
                "--updates",
                "9",
            ],
            "number of examples and the batch",
        ),
        (
            vec!["schedule", "triangluar(base=0, max=1, step=2)"],
            "did you mean `triangular`?",
        ),
        (
            vec!["schedule", "fixed(lr=1)", "fixed(lr=2)", "--format", "csv"],
            "give one",
        ),
        (
            vec!["schedule", "fixed(lr=1)", "--updates", "0"],
            "updates = 0 is out of range",
        ),
        (
            vec!["schedule", "fixed(lr=1)", "--out", "plot.gif"],
            ".svg or .png",
        ),
        (
            vec!["schedule", "fixed(lr=1)", "--epochs", "2"],
            "--examples",
        ),
        (vec!["schedule"], "SPEC"),
        (
            vec![
                "advise",
                "--examples",
                "100",
                "--batch",
                "0",
                "--epochs",
                "3",
            ],
            "batch = 0 is out of range",
        ),
        (
            vec![
                "advise",
                "--examples",
                "100",
                "--batch",
                "101",
                "--epochs",
                "3",
            ],
            "a batch of 101 out of 100 training examples: give a --batch from 1 to 100",
        ),
        (
            vec![
                "advise",
                "--examples",
                "100",
                "--batch",
                "10",
                "--epochs",
                "-3",
            ],
            "epochs",
        ),
    ] {
        let (code, out, err) = cyclr(&args);
        assert_eq!(code, 2, "{args:?}: {err}");
        assert!(err.contains(says), "{args:?} says {err:?}, not {says:?}");
        assert!(out.is_empty());
    }
}

#[test]
fn a_pipe_gets_a_plot_without_colour() {
    let out = stdout(&[
        "schedule",
        "triangular(base=0.001, max=0.006, step=2000)",
        "linear(lr=0.006)",
        "--updates",
        "8000",
    ]);
    assert!(out.contains("the rate rises from 0.001 to 0.006 over 2000 updates"));
    assert!(
        out.chars().any(|c| ('\u{2801}'..='\u{28ff}').contains(&c)),
        "there are braille dots"
    );
    assert!(!out.contains('\u{1b}'), "there are no escapes");
    assert!(out.lines().all(|line| line.chars().count() <= 200));
}

#[test]
fn files_are_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for name in ["plot.svg", "plot.png"] {
        stdout(&[
            "schedule",
            "triangular(base=0, max=1, step=2, momentum=0.8..0.9)",
            "--out",
            &path(name),
        ]);
    }
    let svg = std::fs::read_to_string(path("plot.svg")).unwrap();
    assert!(
        svg.contains("learning rate") && svg.contains("momentum") && svg.contains("update"),
        "axes are named"
    );
    assert!(
        std::fs::read(path("plot.png"))
            .unwrap()
            .starts_with(b"\x89PNG")
    );
    let (code, _, err) = cyclr(&["schedule", "fixed(lr=1)", "--out", "/nowhere/plot.svg"]);
    assert!(
        code == 1 && err.contains("cannot write /nowhere/plot.svg"),
        "{err}"
    );
}

#[test]
fn the_docs_pictures_are_todays() {
    let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../cyclr/doc");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plot.svg");
    for line in std::fs::read_to_string(docs.join("pictures.txt"))
        .unwrap()
        .lines()
    {
        let (name, spec) = line.split_once(' ').unwrap();
        stdout(&[
            "schedule",
            spec.trim(),
            "--updates",
            "200",
            "--out",
            path.to_str().unwrap(),
        ]);
        let (updates_done, kept) = (
            std::fs::read(&path).unwrap(),
            std::fs::read(docs.join(format!("{name}.svg"))).unwrap(),
        );
        assert!(
            updates_done == kept,
            "{name}.svg is not what the tool draws now: run `just pictures`"
        );
    }
}

#[test]
fn advice_replaces_a_stepped_schedule_by_cycles() {
    let args = [
        "advise",
        "--examples",
        "50000",
        "--batch",
        "100",
        "--epochs",
        "48",
    ];
    assert!(
        stdout(&args).starts_with(
            "step size 3000 updates (6.000 epochs; 2 to 10 are advised)\ncycles    4 "
        )
    );
    let from = [
        "--from",
        "multistep(lr=0.001, gamma=0.1, at=[12000, 18000])",
        "--json",
    ];
    let document: serde_json::Value =
        serde_json::from_str(&stdout(&[&args[..], &from].concat())).unwrap();
    assert_eq!(
        document["equivalent"],
        "triangular2(base=0.001, max=0.005, step=2000) for 12000 then \
         triangular2(base=0.0001, max=0.0005, step=1000) for 6000 then \
         triangular2(base=1e-5, max=5e-5, step=1000) for 6000"
    );
    let warmed = [
        "--from",
        "warmup(5ep) then step(lr=1, gamma=0.1, every=50%)",
    ];
    let advice = stdout(&[&args[..], &warmed].concat());
    assert!(
        advice.contains("as cycles warmup(2500) then triangular2(base=1, max=5, step=2000)"),
        "{advice}"
    );
}

#[test]
fn completions_and_the_version_are_there() {
    assert!(stdout(&["--version"]).starts_with("cyclr "));
    for shell in ["bash", "zsh", "fish"] {
        assert!(stdout(&["completions", shell]).contains("schedule"));
    }
}
