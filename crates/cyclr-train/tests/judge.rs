//! Judged tables: those of golden/judge, whose figures are scipy's and statsmodels' and whose
//! writer is pandas, three public results, and tables that nobody should write.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use cyclr::stats::{Comparison, Obstacle, Verdict};
use cyclr::trainer::Direction;
use cyclr_train::judge::{Figure, JudgeError, Judgement, Question, judge, read_values};
use serde_json::Value;

fn asked(reference: &str) -> Question {
    Question {
        reference: reference.into(),
        margin: Some(0.5),
        figure: Figure {
            direction: Some(Direction::Higher),
            ..Figure::default()
        },
        ..Question::default()
    }
}

fn judged_file(path: &Path, question: &Question) -> Result<Judgement, JudgeError> {
    judge(&read_values(path, question)?, question)
}

fn judged(text: &str, question: &Question) -> Result<Judgement, JudgeError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results.csv");
    fs::write(&path, text).unwrap();
    judged_file(&path, question)
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Better => "better",
        Verdict::Worse => "worse",
        Verdict::Equivalent => "equivalent",
        Verdict::Undecided(_) => "undecided",
    }
}

#[track_caller]
fn check(what: &str, got: f64, want: &Value) {
    let want = want.as_f64().unwrap();
    let off = (got - want).abs();
    assert!(
        off <= 1e-7 * want.abs() + 1e-13,
        "{what}: got {got}, want {want}"
    );
}

fn check_arm(what: &str, found: &Comparison, want: &Value) {
    let difference = found.difference;
    assert_eq!(word(found.verdict), want["verdict"], "{what}");
    assert_eq!(difference.is_paired(), want["paired"], "{what}");
    assert_eq!(difference.n, want["n"], "{what}");
    check(what, difference.mean, &want["mean"]);
    let interval = difference.interval.unwrap();
    check(what, interval.low, &want["low"]);
    check(what, interval.high, &want["high"]);
    let (test, tost) = (found.t_test.unwrap(), found.tost.unwrap());
    check(what, test.df, &want["df"]);
    check(what, test.p, &want["p"]);
    check(what, found.adjusted_p, &want["p_holm"]);
    check(what, tost.p, &want["tost"]);
    check(what, found.adjusted_tost_p, &want["tost_holm"]);
    match found.correlation {
        Some(correlation) => check(what, correlation.r, &want["r"]),
        None => assert_eq!(want["r"], Value::Null, "{what}"),
    }
}

/// Every arm that was compared, and no other, is in the table of what was expected.
fn check_task(what: &str, judgement: &Judgement, task: Option<&str>, want: &Value) {
    let mut tasks = judgement.tasks.iter();
    let found = tasks.find(|found| found.task.as_deref() == task).unwrap();
    let compared = found.arms.iter().filter(|arm| arm.difference.is_some());
    assert_eq!(compared.count(), want.as_object().unwrap().len(), "{what}");
    for (label, want) in want.as_object().unwrap() {
        let arm = found.arms.iter().find(|arm| arm.label == *label).unwrap();
        let what = format!("{what}, {label}");
        check_arm(&what, arm.difference.as_ref().unwrap(), want);
    }
}

fn golden() -> Value {
    serde_json::from_str(include_str!("../../../golden/judge/tables.json")).unwrap()
}

#[test]
fn tables_in_every_shape_equal_scipy_and_statsmodels() {
    let golden = golden();
    let cases = golden["cases"].as_array().unwrap();
    assert!(cases.len() >= 20);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let options = &case["options"];
        let question = Question {
            reference: options["reference"].as_str().unwrap().into(),
            margin: options["margin"].as_f64(),
            figure: Figure {
                name: options["metric"].as_str().map(String::from),
                direction: options["higher"].as_bool().map(|higher| {
                    if higher {
                        Direction::Higher
                    } else {
                        Direction::Lower
                    }
                }),
                fraction: options["fraction"].as_bool(),
            },
            ..Question::default()
        };
        let found = judged(case["text"].as_str().unwrap(), &question);
        let found = found.unwrap_or_else(|error| panic!("{name}: {error}"));
        let tasks = case["tasks"].as_object().unwrap();
        assert_eq!(found.tasks.len(), tasks.len(), "{name}");
        for (task, want) in tasks {
            let task = Some(task.as_str()).filter(|task| !task.is_empty());
            check_task(name, &found, task, want);
        }
    }
}

#[test]
fn a_hundred_thousand_rows_equal_scipy() {
    let mut text = String::from("arm,seed,value\n");
    let arms = [
        ("a", 7_919_u64, 0.0),
        ("b", 104_729, 0.002),
        ("c", 15_485_863, 0.01),
        ("d", 32_452_843, 0.0),
    ];
    for (arm, factor, shift) in arms {
        for k in 0..25_000 {
            let value = (factor * k % 10_007) as f64 / 10_007.0 + shift;
            writeln!(text, "{arm},{k},{value}").unwrap();
        }
    }
    let question = Question {
        margin: Some(0.01),
        ..asked("a")
    };
    let found = judged(&text, &question).unwrap();
    check_task("large", &found, None, &golden()["large"]);
}

/// A public result of testdata/judge, whose README has the sources.
fn public(name: &str, question: &Question) -> Judgement {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/judge");
    judged_file(&folder.join(name), question).unwrap()
}

/// The verdicts of a task, an arm after the other, without the reference.
fn verdicts(judgement: &Judgement, task: usize) -> Vec<(&str, &str)> {
    let arms = judgement.tasks[task].arms.iter();
    let found = arms.filter_map(|arm| Some((&*arm.label, word(arm.difference?.verdict))));
    found.collect()
}

/// Its authors: "This improves the runtime by 2 seconds, i.e. 1.25%", both losses below 3.28.
#[test]
fn a_speed_record_is_faster_and_no_worse() {
    let question = |name: &str, margin| Question {
        reference: "PR 122".into(),
        figure: Figure {
            name: Some(name.into()),
            ..Figure::default()
        },
        margin: Some(margin),
        unpaired: true,
        ..Question::default()
    };
    let seconds = public("nanogpt.csv", &question("seconds", 0.5));
    assert_eq!(verdicts(&seconds, 0), [("PR 123", "better")]);
    assert_eq!(
        seconds.tasks[0].conclusion.headline,
        "PR 123 wins: -2.004 in seconds against PR 122 (-2.094 to -1.914, n = 12 and 17)"
    );
    let loss = public("nanogpt.csv", &question("val_loss", 0.002));
    assert_eq!(verdicts(&loss, 0), [("PR 123", "equivalent")]);
}

/// Its authors claim the best average performance among deep models for tables. In three digits the
/// means of their model and of the best other one are the same on adult and higgs-small, and theirs
/// are larger on churn and otto. The figures in the comments are scipy's: Holm's p, of the difference
/// or of the equivalence.
#[test]
fn tabr_is_better_where_its_means_are_larger() {
    let question = |reference: &str| Question {
        reference: reference.into(),
        figure: Figure {
            fraction: Some(true),
            ..Figure::default()
        },
        ..Question::default()
    };
    let found = public("tabr.csv", &question("MLP"));
    assert_eq!(found.tasks.len(), 4);
    for task in 0..4 {
        let arms = ["MLP-PLR", "TabR-S", "TabR"].map(|arm| (arm, "better"));
        assert_eq!(verdicts(&found, task), arms);
    }
    let tabr = found.arm("TabR").unwrap();
    assert_eq!(found.not_better(tabr).count(), 0);
    let found = public("tabr.csv", &question("MLP-PLR"));
    let of = |task| -> Vec<&str> { verdicts(&found, task).iter().map(|v| v.1).collect() };
    // churn: 6.5e-5, equivalent by 6.9e-5, 0.014.
    assert_eq!(of(0), ["worse", "equivalent", "better"]);
    // adult: 1.8e-14, 3.3e-5, equivalent by 2.3e-6.
    assert_eq!(of(1), ["worse", "worse", "equivalent"]);
    // otto: 0.0014, equivalent by 4.0e-5, 1.2e-7.
    assert_eq!(of(2), ["worse", "equivalent", "better"]);
    // higgs-small: 2.8e-10, 6.2e-9, equivalent by 8.6e-6.
    assert_eq!(of(3), ["worse", "worse", "equivalent"]);
    let headlines: Vec<&str> = found
        .tasks
        .iter()
        .map(|task| &*task.conclusion.headline)
        .collect();
    assert!(
        headlines[2].starts_with("TabR wins: +0.59 points over MLP-PLR"),
        "{headlines:?}"
    );
}

/// Its authors claim an advantage over 104 tasks together. Of single tasks three seeds show it where
/// the spread is small (Holm's p by scipy: 0.034), and nowhere else of these seven.
#[test]
fn three_seeds_decide_little_about_single_tasks() {
    let question = Question {
        margin: Some(50.0),
        unpaired: true,
        ..asked("TD-MPC")
    };
    let found = public("tdmpc2.csv", &question);
    assert_eq!(found.tasks.len(), 7);
    for (place, task) in found.tasks.iter().enumerate() {
        let verdicts = verdicts(&found, place);
        assert_eq!(verdicts.len(), 3);
        let expected = match task.task.as_deref() {
            Some("walker-run") => [
                ("SAC", "worse"),
                ("DreamerV3", "worse"),
                ("TD-MPC2", "better"),
            ],
            _ => ["SAC", "DreamerV3", "TD-MPC2"].map(|arm| (arm, "undecided")),
        };
        assert_eq!(verdicts, expected, "{:?}", task.task);
    }
    // Over all seven the claim stands. statsmodels' sign_test and multipletests (Holm):
    // 0.015625, 0.125, 0.015625 become 0.046875, 0.125, 0.046875.
    let over = found.over_tasks.iter().flatten();
    let over = over.map(|arm| (arm.ahead, arm.behind, arm.adjusted_p));
    let expected = [(0, 7, 0.046_875), (1, 6, 0.125), (7, 0, 0.046_875)];
    assert_eq!(over.collect::<Vec<_>>(), expected);
    let said = found.said_over_tasks();
    let expected = [
        "SAC is worse than TD-MPC over tasks like these: ahead at 0 of 7 (sign test, p = 0.047)",
        "DreamerV3 is not shown to differ from TD-MPC over tasks like these: ahead at 1 of 7 (sign test, p = 0.12)",
        "TD-MPC2 is better than TD-MPC over tasks like these: ahead at 7 of 7 (sign test, p = 0.047)",
    ];
    assert_eq!(said, expected);
}

#[test]
fn over_tasks_an_arm_must_be_compared_at_each() {
    let row =
        |task: &str, arm: &str, seed: u8, value: &str| format!("{task},{arm},{seed},{value}\n");
    let table = |tasks: &[(&str, [&str; 3])]| {
        let mut text = String::from("task,arm,seed,loss\n");
        for (task, values) in tasks {
            for (arm, value) in ["a", "b", "c"].iter().zip(values) {
                text += &row(task, arm, 1, value);
                text += &row(task, arm, 2, value);
            }
        }
        judged(&text, &asked("a")).unwrap()
    };
    // Less is better: b is ahead at x, level at y and behind at z; c has no value at z.
    let found = table(&[
        ("x", ["3", "2", "1"]),
        ("y", ["3", "3", "1"]),
        ("z", ["3", "4", "nan"]),
    ]);
    let b = found.over_tasks[1].unwrap();
    assert_eq!((b.ahead, b.behind, b.adjusted_p), (1, 1, 1.0));
    assert_eq!(found.over_tasks[2], None);
    let expected = [
        "b is not shown to differ from a over tasks like these: ahead at 1 of 3, level at 1 (sign test, p = 1)",
        "note: not compared at every task, and so not over all of them: c",
        "note: 3 tasks are too few to show anything of 1 arm: a sign test needs at least 6",
    ];
    assert_eq!(found.said_over_tasks(), expected);
    // One task is no sample of tasks.
    let found = table(&[("x", ["3", "2", "1"])]);
    assert!(found.over_tasks.is_empty() && found.said_over_tasks().is_empty());
}

/// In exact arithmetic both have a mean of 70.2 at every task.
#[test]
fn tasks_at_which_rounding_alone_decides_are_level() {
    let mut text = String::from("task,arm,seed,accuracy\n");
    for task in 1..=6 {
        for (arm, values) in [("a", ["70.2", "70.2"]), ("b", ["70.1", "70.3"])] {
            for (seed, value) in values.iter().enumerate() {
                writeln!(text, "{task},{arm},{seed},{value}").unwrap();
            }
        }
    }
    let b = judged(&text, &asked("a")).unwrap().over_tasks[1].unwrap();
    assert_eq!((b.ahead, b.behind, b.adjusted_p), (0, 0, 1.0));
}

#[test]
fn the_reference_does_not_win_over_arms_that_never_ran() {
    let text = "seed,a,b,c\n1,0.9,0.5,\n2,0.901,0.502,\n3,0.902,0.501,\n";
    let question = Question {
        margin: Some(0.01),
        ..asked("a")
    };
    let conclusion = &judged(text, &question).unwrap().tasks[0].conclusion;
    assert_eq!(conclusion.winner, None);
    assert_eq!(conclusion.table[1].verdict, "worse");
    let text = text.replace("a,b,c", "a,b,").replace(",\n", "\n");
    let conclusion = &judged(&text, &question).unwrap().tasks[0].conclusion;
    assert_eq!(conclusion.winner.unwrap().arm, 0);
}

fn said(judgement: &Judgement) -> String {
    judgement.tasks[0].conclusion.text(100)
}

#[track_caller]
fn same(found: &str, expected: &str) {
    let expected = expected.trim_start_matches('\n');
    assert!(found == expected, "found:\n{found}\nexpected:\n{expected}");
}

/// The words are those of a comparison.
#[test]
fn a_judged_table_reads_as_a_comparison_does() {
    let text = "seed,fixed,triangular2,linear\n1,84,84.3,85.9\n2,85,85.1,87.1\n3,86,86,88\n4,85.5,85.2,87.4\n5,84.5,85.1,86.6\n";
    let question = Question {
        figure: Figure {
            fraction: Some(false),
            ..Figure::default()
        },
        examples: Some(200),
        margin: None,
        ..asked("fixed")
    };
    same(
        &said(&judged(text, &question).unwrap()),
        "
linear wins: +2.00 points over fixed (1.88 to 2.12, n = 5)

arm          accuracy ± 95 %  difference, 95 %       verdict
fixed        85.00 ± 0.98     –                      reference
triangular2  85.14 ± 0.75     +0.14 (-0.28 to 0.56)  undecided
linear       87.00 ± 0.99     +2.00 (1.88 to 2.12)   better

note: Seeds in all that might decide: triangular2 7 to 37.
spread: Correlation with fixed by seed: triangular2 0.92 (0.19 to 0.99, n = 5), linear 0.99 (0.88 to
        1.00, n = 5).
spread: 200 test examples by themselves: a standard deviation of 2.52 points, at least 91 % (fixed),
        95 % (triangular2) and 90 % (linear) of the variance.
",
    );
}

#[test]
fn arms_that_cannot_be_judged_are_named() {
    let text = "arm,seed,loss\na,1,2.0\na,2,2.1\na,3,2.2\nb,1,1.0\nc,1,1.1\nc,2,1.2\nc,4,1.15\nd,1,nan\nd,2,1\n";
    let question = Question {
        figure: Figure::default(),
        ..asked("a")
    };
    let found = judged(text, &question).unwrap();
    let verdict = |arm: usize| found.tasks[0].arms[arm].difference.map(|d| d.verdict);
    assert_eq!(verdict(1), Some(Verdict::Undecided(Obstacle::OneSeed)));
    assert_eq!((verdict(2), verdict(3)), (Some(Verdict::Better), None));
    same(
        &said(&found),
        "
c wins: -0.95 in loss against a (-1.16 to -0.74, n = 3 and 3)

arm  loss ± 95 %  difference, 95 %        verdict
a    2.1 ± 0.25   –                       reference
b    1            -1.1                    undecided
c    1.15 ± 0.12  -0.95 (-1.16 to -0.74)  better
d    1            –                       diverged (1/2)

note: Not compared: d (a value is not finite).
note: One value has no spread, so nothing can be shown: b. Run more seeds.
note: Not paired, and so compared by Welch's t-test: b and c; their seeds are not those of a (b
      lacks 2 and 3; c lacks 3 and has 4).
",
    );
}

/// Differences of exactly 1 at every seed: t would be infinite.
#[test]
fn a_difference_without_spread_is_said_to_have_none() {
    let text = "arm,seed,score\na,1,2\na,2,5\na,3,3\nb,1,3\nb,2,6\nb,3,4\n";
    let found = judged(text, &asked("a")).unwrap();
    let difference = found.tasks[0].arms[1].difference.unwrap();
    assert_eq!(difference.difference.mean, 1.0);
    assert_eq!(difference.verdict, Verdict::Undecided(Obstacle::NoSpread));
    let said = said(&found);
    let note = "note: The difference of b from a does not vary over seeds";
    assert!(said.contains(note), "{said}");
}

/// One value at all seeds, or one difference, would have an interval of width 0: it would claim that
/// the true value is known.
#[test]
fn without_spread_no_interval_is_printed() {
    let text = "arm,seed,score\na,1,2\na,2,2\nb,1,2\nb,2,2\nc,1,3\nc,2,3\n";
    same(
        &said(&judged(text, &asked("a")).unwrap()),
        "
no winner: c is not shown to differ from a, +1 in score (n = 2)

arm  score ± 95 %  difference, 95 %  verdict
a    2             –                 reference
b    2             +0                undecided
c    3             +1                undecided

note: At every seed the value of b is that of a. The difference of c from a does not vary over
      seeds, so that nothing can be tested.
",
    );
}

/// scipy's `ttest_rel` has p = 0.03348 for b and 0.1560 for c.
#[test]
fn an_interval_without_0_of_an_undecided_arm_is_explained() {
    let text = "seed,a,b,c\n1,90,91,80\n2,91,91.9,85\n";
    let question = Question {
        figure: Figure {
            fraction: Some(false),
            ..Figure::default()
        },
        ..asked("a")
    };
    let found = judged(text, &question).unwrap();
    let note = "b: the interval leaves out 0, but verdicts are adjusted for 2 arms (p = 0.067).";
    let notes = &found.tasks[0].conclusion.notes;
    assert!(notes.iter().any(|said| said == note), "{notes:#?}");
    let alone = judged("seed,a,b\n1,90,91\n2,91,91.9\n", &question).unwrap();
    assert!(!said(&alone).contains("leaves out 0"));
    // Of an error rate less is better, and nothing is \"over\" another.
    let error = "seed,a,b\n1,9,8\n2,10,8.9\n3,11,10\n";
    let question = Question {
        figure: Figure {
            fraction: Some(false),
            direction: Some(Direction::Lower),
            ..Figure::default()
        },
        ..asked("a")
    };
    let said = said(&judged(error, &question).unwrap());
    assert!(
        said.starts_with("b wins: -1.03 points against a ("),
        "{said}"
    );
}

#[test]
fn fractions_beside_per_cent_are_asked_about() {
    let question = Question {
        figure: Figure {
            fraction: Some(false),
            ..Figure::default()
        },
        ..asked("a")
    };
    let text = "seed,a,b,c\n1,90,0.91,50\n2,91,0.93,0.9\n";
    let found = judged(text, &question).unwrap();
    let note = "Below 1 %, or written as a fraction beside values in per cent? b.";
    assert_eq!(found.tasks[0].conclusion.notes[0], note);
}

#[test]
fn of_many_arms_the_first_are_named() {
    let mut text = String::from("arm,seed,value\n");
    for arm in 0..30 {
        for seed in 1..4 {
            writeln!(text, "v{arm},{seed},{}", (arm * 7 + seed * seed * 5) % 11).unwrap();
        }
    }
    let found = judged(&text, &asked("v0")).unwrap();
    let said = said(&found);
    let (_, notes) = said.split_once("note: Seeds in all").unwrap();
    assert!(notes.contains(" more."), "{notes}");
    assert!(!notes.contains("v20"), "{notes}");
}

#[test]
fn a_task_without_the_reference_has_no_verdict() {
    let text = "task,arm,seed,value\nx,a,1,1\nx,a,2,2\nx,b,1,2\nx,b,2,2.5\ny,b,1,3\ny,b,2,4\n";
    let found = judged(text, &asked("a")).unwrap();
    assert!(found.has_verdict());
    let [x, y] = &found.tasks[..] else { panic!() };
    assert_eq!(
        (x.task.as_deref(), y.task.as_deref()),
        (Some("x"), Some("y"))
    );
    let headline = &y.conclusion.headline;
    assert_eq!(headline, "no verdict: the reference a has no values");
    assert_eq!(y.conclusion.table[0].verdict, "no values");
    assert_eq!(y.conclusion.table[1].verdict, "not compared");
}

#[test]
fn an_empty_cell_of_a_wide_table_is_a_run_that_was_not_made() {
    let text = "seed,a,b\n1.0,1,2\n2.0,2,\n3.0,3,2.5\n";
    let found = judged(text, &asked("a")).unwrap();
    let b = &found.tasks[0].arms[1];
    assert_eq!(b.values.len(), 2);
    assert_eq!(b.values[1].seed.as_deref(), Some("3"));
    let notes = found.tasks[0].conclusion.notes.join("\n");
    assert!(
        notes.contains("Welch's t-test: b; their seeds are not those of a (b lacks 2)"),
        "{notes}"
    );
}

/// As pandas names the columns of a pivoted table whose seeds are floats.
#[test]
fn columns_of_seeds_may_be_written_as_floats() {
    for head in ["arm,1.0,2.0,3.0", "arm,1,1e0,3", "arm,1,2.0,3"] {
        let text = format!("{head}\na,1,2,3\nb,2,3,4\n");
        match judged(&text, &asked("a")) {
            Ok(found) => {
                let seeds = &found.tasks[0].arms[1].values;
                let seeds: Vec<_> = seeds.iter().filter_map(|run| run.seed.as_deref()).collect();
                assert_eq!(seeds, ["1", "2", "3"], "{head}");
            }
            // Seed 1 is there twice.
            Err(error) => assert!(head.contains("1e0"), "{head}: {error}"),
        }
    }
}

#[test]
fn runs_without_seeds_are_judged_unpaired_if_that_is_said() {
    let text = "arm,value\na,1\na,2\nb,4\nb,5\nb,4\n";
    let refused = judged(text, &asked("a")).unwrap_err().to_string();
    assert!(refused.contains("--unpaired"), "{refused}");
    let unpaired = |reference| Question {
        unpaired: true,
        ..asked(reference)
    };
    let found = judged(text, &unpaired("a")).unwrap();
    let difference = found.tasks[0].arms[1].difference.unwrap().difference;
    assert_eq!((difference.n, difference.reference_n), (3, Some(2)));
    // With seeds that are the same by chance.
    let text = "arm,seed,value\na,1,1\na,2,2\nb,1,4\nb,2,5\n";
    let found = judged(text, &unpaired("a")).unwrap();
    assert!(said(&found).contains("Welch's t-test: b; as was asked for"));
}

#[test]
fn the_arm_that_is_required_must_be_better_at_every_task() {
    let text = "dataset,arm,seed,value\nx,a,1,1\nx,a,2,2\nx,b,1,5.1\nx,b,2,6\ny,a,1,1\ny,a,2,2\ny,b,1,1\ny,b,2,3\n";
    let found = judged(text, &asked("a")).unwrap();
    let not_better = |label| {
        let arm = found.arm(label).unwrap();
        let tasks = found.not_better(arm).map(|judged| judged.task.as_deref());
        tasks.collect::<Vec<_>>()
    };
    assert_eq!(not_better("b"), [Some("y")]);
    assert_eq!(not_better("a"), [Some("x"), Some("y")]);
    assert!(found.arm("c").is_none());
}

#[test]
fn figures_say_their_direction_or_are_asked() {
    let question = |name: Option<&str>| Question {
        figure: Figure {
            name: name.map(String::from),
            ..Figure::default()
        },
        ..asked("a")
    };
    let direction = |column: &str| {
        let text = format!("arm,seed,{column}\na,1,1\na,2,2\nb,1,5.1\nb,2,6\n");
        let found = judged(&text, &question(Some(column)));
        found.map(|found| found.objective.direction)
    };
    for column in ["test_acc", "Top1", "eval/episode_return", "F1"] {
        assert_eq!(direction(column).unwrap(), Direction::Higher, "{column}");
    }
    for column in ["loss", "test error", "RMSE", "train_seconds"] {
        assert_eq!(direction(column).unwrap(), Direction::Lower, "{column}");
    }
    for column in ["height", "accuracy_loss"] {
        let error = direction(column).unwrap_err().to_string();
        assert!(error.contains("--higher or --lower"), "{error}");
    }
    let text = "arm,seed,rmse\na,1,1\na,2,2\nb,1,5.1\nb,2,6\n";
    let no_margin = Question {
        margin: None,
        ..question(None)
    };
    let error = judged(text, &no_margin).unwrap_err().to_string();
    assert!(
        error.contains("--margin") && error.contains("`rmse`"),
        "{error}"
    );
}

/// As the trackers write them: MLflow's `search_runs().to_csv()` of version 3.18 and the table that
/// its page offers, the runs table of W&B, and its runs as `json_normalize` spreads them.
#[test]
fn exports_of_trackers_are_read() {
    let of = |name: &str| Question {
        figure: Figure {
            name: Some(name.into()),
            fraction: Some(true),
            ..Figure::default()
        },
        ..Question::default()
    };
    let by = |column: &str| Question {
        arm_column: Some(column.into()),
        ..of("accuracy")
    };
    let mlflow = "run_id,experiment_id,status,artifact_uri,start_time,metrics.accuracy,metrics.loss,params.seed,params.lr,\
        params.optimizer,tags.mlflow.runName,tags.mlflow.user\n\
        b0eb,2246,FINISHED,file:///b0eb,2026-11-26 18:18:05.636+00:00,0.95,0.19,2,0.1,adamw,adamw-2,root\n\
        50b6,2246,FINISHED,file:///50b6,2026-11-26 18:18:05.579+00:00,0.94,0.18,1,0.1,adamw,adamw-1,root\n\
        1b00,2246,FINISHED,file:///1b00,2026-11-26 18:18:05.524+00:00,0.92,0.19,2,0.1,sgd,sgd-2,root\n\
        46e9,2246,FINISHED,file:///46e9,2026-11-26 18:18:05.465+00:00,0.91,0.21,1,0.1,sgd,sgd-1,root\n";
    let mlflow_page = "Start Time,Duration,Run ID,Name,Source Type,Source Name,User,Status,model,optimizer,seed,accuracy,loss\n\
        2026-11-26 18:18:05,1.2min,b0eb,a,LOCAL,t.py,me,FINISHED,mlp,adamw,2,0.95,0.1\n\
        2026-11-26 18:18:05,1.2min,50b6,b,LOCAL,t.py,me,FINISHED,mlp,adamw,1,0.94,0.1\n\
        2026-11-26 18:18:05,1.2min,1b00,c,LOCAL,t.py,me,FINISHED,mlp,sgd,2,0.92,0.1\n\
        2026-11-26 18:18:05,1.2min,46e9,d,LOCAL,t.py,me,FINISHED,mlp,sgd,1,0.91,0.1\n";
    let wandb = "\"Name\",\"State\",\"Notes\",\"User\",\"Tags\",\"Created\",\"Runtime\",\"Sweep\",\"batch_size\",\"optimizer\",\
        \"seed\",\"epoch\",\"test/accuracy\",\"test/loss\"\n\
        \"haze-3\",\"finished\",\"-\",\"me\",\"\",\"2026-01-01T00:00:00.000Z\",\"120\",\"\",\"128\",\"adamw\",\"2\",\"10\",\"0.95\",\"0.1\"\n\
        \"haze-2\",\"finished\",\"-\",\"me\",\"\",\"2026-01-01T00:00:00.000Z\",\"120\",\"\",\"128\",\"adamw\",\"1\",\"10\",\"0.94\",\"0.1\"\n\
        \"haze-1\",\"finished\",\"-\",\"me\",\"\",\"2026-01-01T00:00:00.000Z\",\"120\",\"\",\"128\",\"sgd\",\"2\",\"10\",\"0.92\",\"0.1\"\n\
        \"haze-0\",\"finished\",\"-\",\"me\",\"\",\"2026-01-01T00:00:00.000Z\",\"120\",\"\",\"128\",\"sgd\",\"1\",\"10\",\"0.91\",\"0.1\"\n";
    let spread = ",name,config.sched,config.rng,config.lr,summary.accuracy,summary._step\n\
        0,haze-3,adamw,2,0.1,0.95,10\n1,haze-2,adamw,1,0.1,0.94,10\n2,haze-1,sgd,2,0.1,0.92,10\n3,haze-0,sgd,1,0.1,0.91,10\n";
    let seed_too = Question {
        seed_column: Some("config.rng".into()),
        ..by("config.sched")
    };
    for (text, question) in [
        (mlflow, of("accuracy")),
        (mlflow, of("metrics.accuracy")),
        (mlflow, by("params.optimizer")),
        (mlflow_page, by("optimizer")),
        (wandb, of("test/accuracy")),
        (spread, seed_too),
    ] {
        let question = Question {
            reference: "sgd".into(),
            ..question
        };
        let found = judged(text, &question).unwrap_or_else(|error| panic!("{text}\n{error}"));
        let values = found.tasks[0].arms.iter().map(|arm| {
            let values = arm.values.iter();
            let values = values.map(|run| (run.seed.as_deref().unwrap(), run.value.unwrap()));
            (&*arm.label, values.collect::<Vec<_>>())
        });
        let values: Vec<_> = values.collect();
        assert_eq!(
            values[0],
            ("adamw", vec![("2", 95.0), ("1", 94.0)]),
            "{text}"
        );
        assert_eq!(values[1], ("sgd", vec![("2", 92.0), ("1", 91.0)]), "{text}");
    }
}

#[test]
fn missing_columns_of_an_export_are_asked_for() {
    let own = Question {
        arm_column: Some("optimizer".into()),
        ..asked("a")
    };
    let seed = Question {
        seed_column: Some("n".into()),
        ..asked("a")
    };
    let named = asked("a");
    for (text, question, expected) in [
        (
            "seed,tag,accuracy\n1,x,0.9\n2,y,0.8\n",
            &named,
            "none is the arm; name it `arm`, or say which is with --arm-column (`tag` has no numbers",
        ),
        (
            "Wall time,Step,Value\n1.0,1,0.5\n2.0,2,0.6\n",
            &named,
            "none is the seed; name it `seed`, or say which is with --seed-column, or --unpaired if the runs have none; \
             it seems to be a log: give one final value of each run, with its arm and seed",
        ),
        (
            "Step,a-1 - loss,a-1 - loss__MIN,a-1 - loss__MAX\n1,0.5,0.5,0.5\n",
            &named,
            "it seems to be a log",
        ),
        (
            "model,optimizer,seed,value\nm,a,1,1\n",
            &named,
            "could both be the arm; say which with --arm-column",
        ),
        (
            "arm,seed,value\na,1,1\n",
            &own,
            "none is `optimizer`, which should be the arm",
        ),
        (
            "arm,seed,value\na,1,1\n",
            &seed,
            "none is `n`, which should be the seed",
        ),
        (
            ",summary,config,group\n0,{'accuracy': 0.9},{'seed': 1},a\n1,{'accuracy': 0.8},{'seed': 1},b\n",
            &named,
            "`summary` has objects in its cells, which pandas.json_normalize spreads into columns",
        ),
        (
            "optimizer,State,seed,value\na,finished,1,1\na,crashed,2,2\n",
            &own,
            "line 3, column `State`: a run that is `crashed` has no final value",
        ),
    ] {
        refused(text, question, expected);
    }
    let diverged = "arm,status,seed,value\na,FINISHED,1,1\na,FAILED,2,nan\nb,FINISHED,1,2\n";
    let found = judged(diverged, &asked("a")).unwrap();
    assert_eq!(found.tasks[0].arms[0].diverged(), 1);
}

/// The error names the file, and where there is one, the line and the column.
#[track_caller]
fn refused(text: &str, question: &Question, expected: &str) {
    let error = judged(text, question).unwrap_err();
    let said = error.to_string();
    assert!(said.contains(expected), "{text:?}: {said}");
    let of_table = matches!(error, JudgeError::Table(_));
    assert!(!of_table || said.contains("results.csv"), "{said}");
}

/// As in the `runs.csv` of a comparison.
#[test]
fn what_the_test_came_to_is_judged_before_what_the_runs_took() {
    let text = "arm,seed,updates,validation,test,seconds\n\
                a,1,300,83,85,2.5\na,2,300,82,84,1.5\nb,1,300,84,88,3\nb,2,300,85,87,1\n";
    let judged = judged(text, &asked("a")).unwrap();
    let headline = &judged.tasks[0].conclusion.headline;
    assert!(headline.contains("+3 in test"), "{headline}");
}

#[test]
fn files_that_are_no_tables_are_refused() {
    let own = asked("a");
    for (text, question, expected) in [
        ("", &own, "it is empty"),
        ("arm,seed,value\n", &own, "it has no values"),
        (
            "arm,seed,value\na,1,1\na,2,2\n",
            &own,
            "it has only the arm a",
        ),
        ("arm,seed,value\na,1\n", &own, "line 2 has 2 columns"),
        (
            "model,optimizer,seed,value\nm,a,1,1\n",
            &own,
            "`model` and `optimizer` could both be the arm",
        ),
        (
            "arm,seed,acc,loss\na,1,1,2\n",
            &own,
            "`acc` and `loss` could both be the values; say which with --metric",
        ),
        (
            "arm,seed,mos,seconds\na,1,1,2\n",
            &own,
            "`mos` and `seconds` could both be the values; say which with --metric",
        ),
        ("arm,seed\na,1\n", &own, "none has the values"),
        ("seed,value\n1,1\n", &own, "none is the arm"),
        ("arm,value\na,1\n", &own, "none is the seed"),
        (
            "arm,seed,metric,value\na,1,acc,1\na,1,f1,1\n",
            &own,
            "it has the figures acc and f1",
        ),
        ("arm,seed,value\nb,1,1\nc,1,2\n", &own, "choose one of b, c"),
        (
            "run,a,b,b\n1,1,2,3\n",
            &Question {
                unpaired: true,
                ..own.clone()
            },
            "two have the name `b`",
        ),
        ("{\"arm\": \"a\"", &own, "not valid JSON"),
        (
            "{\"seed\": [1], \"a\": [1], \"b\": [2], \"b\": [3]}",
            &own,
            "the key `b` stands twice",
        ),
        (
            "[{\"arm\": \"a\", \"seed\": 1}, 3]",
            &own,
            "record 2 is no object",
        ),
        (
            "{\"arm\": \"a\", \"seed\": 1, \"value\": 2}",
            &own,
            "it has only the arm a",
        ),
        (
            "{\"seed\": {\"0\": 1, \"1\": 2}, \"a\": {\"0\": 1, \"2\": 2}, \"b\": {\"0\": 3, \"1\": 4}}",
            &own,
            "its columns a and b have other keys",
        ),
        (
            "arm,seed,value\na,1,1\n#1,1,2\nb,1,3\n",
            &own,
            "line 3 begins with `#1`",
        ),
        ("[]", &own, "it is empty"),
        ("{}", &own, "it is empty"),
    ] {
        refused(text, question, expected);
    }
}

#[test]
fn bad_values_are_refused_with_line_and_column() {
    let accuracy = |fraction| Question {
        figure: Figure {
            fraction: Some(fraction),
            ..Figure::default()
        },
        ..asked("a")
    };
    let (own, fraction, percent) = (asked("a"), accuracy(true), accuracy(false));
    for (text, question, expected) in [
        (
            "arm,seed,value\na,1,1\nb,1,2\na,1,3\n",
            &own,
            "line 4: a has a value of seed 1 already (line 2)",
        ),
        (
            "task,arm,seed,value\nx,a,1,1\ny,a,1,2\ny,a,1.0,3\n",
            &own,
            "line 4: a has a value of seed 1 at y already (line 3)",
        ),
        (
            "{\"arm\":\"a\",\"seed\":1,\"value\":1}\n\n{\"arm\":\"a\",\"seed\":2,\"value\":\"x\"}\n",
            &own,
            "line 3, column `value`: `x` should be a number",
        ),
        (
            "arm,seed,value\na,1,one\n",
            &own,
            "line 2, column `value`: `one`",
        ),
        (
            "arm,seed,value\na,1,\n",
            &own,
            "line 2, column `value`: it is empty",
        ),
        (
            "arm,seed,value\na,,1\n",
            &own,
            "line 2, column `seed`: it is empty",
        ),
        (
            "arm,seed,value\n,1,1\n",
            &own,
            "line 2, column `arm`: it is empty",
        ),
        (
            "arm,seed,acc\na,1,84.2\n",
            &fraction,
            "line 2, column `acc`: 84.2 is not a fraction",
        ),
        (
            "arm,seed,acc\na,1,101\n",
            &percent,
            "line 2, column `acc`: 101 is not a percentage",
        ),
        (
            "arm,seed,acc\na,1,0.84\nb,1,0.85\n",
            &percent,
            "say --unit fraction",
        ),
        ("arm,seed,value\na,1,1e200\nb,1,2\n", &own, "1e100"),
        (
            "arm,seed,value\na,1,1\na,2,1e400\n",
            &own,
            "line 3, column `value`: `1e400` is beyond the largest number",
        ),
        (
            "arm,seed,value\na,1,1e-200\n",
            &own,
            "line 2, column `value`: 1e-200 is not from 1e-100 to 1e100",
        ),
        (
            "arm\tseed\tvalue\na\t1\t1,123\n",
            &own,
            "line 2, column `value`: `1,123` may be 1.123 or 1123",
        ),
        (
            "arm,seed,value\na,1,1\n\u{1b}[31mb,1,2\n",
            &own,
            "line 3, column `arm`: `[31mb` has the character U+001B",
        ),
        (
            "arm,seed,value\na,1,1\na\u{202e},1,2\n",
            &own,
            "line 3, column `arm`: `a` has the character U+202E",
        ),
        (
            "seed,a,b\u{200b}\n1,1,1\n",
            &own,
            "`b` has the character U+200B",
        ),
    ] {
        refused(text, question, expected);
    }
}

/// Scorers of scikit-learn that begin with `neg_` are better the higher they are, and an error in
/// the first guess the lower it is: such names are not guessed at, whatever their unit.
#[test]
fn a_name_whose_words_contradict_each_other_says_no_direction() {
    for name in [
        "top1_error",
        "neg_mean_squared_error",
        "accuracy_drop",
        "error reduction",
    ] {
        for fraction in [None, Some(true)] {
            let question = Question {
                figure: Figure {
                    fraction,
                    ..Figure::default()
                },
                ..asked("a")
            };
            let text = format!("arm,seed,{name}\na,1,0.5\nb,1,0.4\n");
            refused(&text, &question, "give --higher or --lower");
        }
    }
}

#[test]
fn the_figure_that_is_asked_for_is_judged_alone() {
    let of = |name: &str| Question {
        figure: Figure {
            name: Some(name.into()),
            ..asked("a").figure
        },
        unpaired: true,
        ..asked("a")
    };
    for text in [
        "arm,seed,metric,value\na,1,acc,1\na,1,loss,9\na,2,acc,2\na,2,loss,9\nb,1,acc,3\nb,1,loss,9\nb,2,acc,4\n",
        "metric,a,b\nacc,1,3\nloss,9,9\nacc,2,4\nloss,9,9\n",
        "arm,metric,1,2\na,acc,1,2\nb,acc,3,4\nb,loss,9,9\n",
        "arm,seed,Acc,acc\na,1,9,1\na,2,9,2\nb,1,9,3\nb,2,9,4\n",
        "arm,seed,aCC,acc_top5\na,1,1,9\na,2,2,9\nb,1,3,9\nb,2,4,9\n",
    ] {
        let found = judged(text, &of("acc")).unwrap_or_else(|error| panic!("{text}\n{error}"));
        let values = found.tasks[0].arms.iter().map(|arm| {
            let values = arm.values.iter().map(|run| run.value.unwrap());
            values.collect::<Vec<_>>()
        });
        let values: Vec<_> = values.collect();
        assert_eq!(values, [[1.0, 2.0], [3.0, 4.0]], "{text}");
    }
    let two = "arm,seed,Acc,acc\na,1,9,1\nb,1,9,3\n";
    refused(two, &of("ACC"), "`Acc` and `acc` could both be `ACC`");
    let figures = "seed,metric,a,b\n1,acc,1,3\n1,loss,9,9\n";
    refused(figures, &asked("a"), "it has the figures acc and loss");
}

#[test]
fn a_comment_among_the_rows_is_no_row() {
    let text = "arm,seed,value\n# by hand, in May, twice\na,1,1\n## b, 1, 2\nb,1,3\n";
    let found = judged(text, &asked("a")).unwrap();
    assert_eq!(found.tasks[0].arms.len(), 2);
}

#[test]
fn comments_above_the_header_are_no_header() {
    for comments in [
        "# results of May\n",
        "# by hand, in May\n\n## twice, all of them\n",
        "#results\n",
        "sep=,\n# results, of May\n",
    ] {
        let text = format!("{comments}arm,seed,value\na,1,1\nb,1,3\n");
        let found = judged(&text, &asked("a")).unwrap_or_else(|e| panic!("{text}\n{e}"));
        assert_eq!(found.tasks[0].arms.len(), 2, "{text}");
    }
    let short = "# of May\n\narm,seed,value\na,1\n";
    refused(short, &asked("a"), "line 4 has 2 columns, and the header 3");
    for header in ["# arm,seed,value\n", "#arm,seed,value\n# of May\n"] {
        let text = format!("{header}a,1,1\nb,1,3\n");
        let found = judged(&text, &asked("a")).unwrap_or_else(|e| panic!("{text}\n{e}"));
        assert_eq!(found.tasks[0].arms.len(), 2, "{text}");
    }
}

#[test]
fn a_table_that_is_cut_short_within_quotes_is_refused() {
    let whole = "arm,seed,value\na,1,\"0.5\"\nb,2,\"0.9437\"\n";
    for end in ["37\"\n", "\"\n"] {
        let text = whole.strip_suffix(end).unwrap();
        refused(text, &asked("a"), "line 3 has no end");
    }
    let quotes = "arm,seed,value\n\"a\"\"s\",1,1\n5\" b,1,3\n\"b, c\",1,2\n";
    let found = judged(quotes, &asked("a\"s")).unwrap();
    assert_eq!(found.tasks[0].arms.len(), 3);
}

#[test]
fn a_figure_or_a_file_that_is_not_there_is_named() {
    let own = asked("a");
    let named = Question {
        figure: Figure {
            name: Some("f1".into()),
            ..own.figure.clone()
        },
        ..own
    };
    let error = judged("arm,seed,acc\na,1,1\n", &named).unwrap_err();
    assert!(error.to_string().contains("none is `f1`"), "{error}");
    let missing = read_values(&PathBuf::from("no such file"), &named).unwrap_err();
    assert!(missing.to_string().contains("no such file cannot be read"));
}

#[test]
fn names_in_either_form_of_unicode_are_one() {
    let (composed, decomposed) = ("caf\u{e9}", "cafe\u{301}");
    let text = format!("arm,seed,value\n{composed},1,1\n{decomposed},2,2\nb,1,3\nb,2,5\n");
    let found = judged(&text, &asked(decomposed)).unwrap();
    let arms = &found.tasks[0].arms;
    assert_eq!((arms.len(), arms[0].values.len()), (2, 2));
    assert_eq!(arms[0].label, composed);
}

#[test]
fn a_comma_is_a_decimal_point_where_it_can_be_nothing_else() {
    for (value, read) in [("0,123", 0.123), ("1,25", 1.25), ("12,3456", 12.3456)] {
        let text = format!("arm\tseed\tvalue\na\t1\t{value}\nb\t1\t1,123\n");
        let found = judged(&text, &asked("a")).unwrap();
        assert_eq!(found.tasks[0].arms[0].values[0].value, Some(read));
    }
}
