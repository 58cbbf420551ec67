//! Whole comparisons over the noisy quadratic.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod killing;
mod timeless;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, DirEntry};
use std::path::Path;
use std::process::{Command, Stdio};

use cyclr::stats::{Comparison, Obstacle, Verdict};
use cyclr::trainer::{Metric, Metrics, Objective};
use cyclr_train::compare::record::{Record, Role, WinnerReason};
use cyclr_train::compare::{
    Arm, BoundsSource, CompareEvent, Plan, Settings, WinnerFile, compare, read_comparison,
    read_plan,
};
use cyclr_train::find::FindEvent;
use cyclr_train::noisy_quadratic::NoisyQuadratic;
use cyclr_train::store::Lock;
use cyclr_train::{Average, Budget, Change, Error, Event, Interrupt, Task, Watch, resume, train};
use killing::{kill_at, logged};
use serde_json::{Value, json};

fn given(updates: u64, seeds: u64) -> Plan {
    Plan {
        seeds: (1..=seeds).collect(),
        bounds: BoundsSource::Given {
            base_lr: 0.02,
            max_lr: 0.2,
        },
        ..Plan::new(updates)
    }
}

/// Two arms, neither tuned.
fn two(reference: &str, other: &str, seeds: u64) -> Plan {
    let arm = |label: &str, policy: &str| Arm {
        label: label.into(),
        tuned: false,
        ..Arm::of(policy.parse().unwrap())
    };
    Plan {
        arms: vec![arm("reference", reference), arm("other", other)],
        reference: 0,
        tuning: None,
        bounds: BoundsSource::Unneeded,
        ..given(240, seeds)
    }
}

fn run_in(folder: &Path, plan: &Plan, jobs: usize) -> Result<Record, Error> {
    let settings = Settings {
        jobs,
        ..Settings::default()
    };
    compare(
        &NoisyQuadratic::default(),
        plan,
        folder,
        &settings,
        Watch {
            observer: &mut |_| {},
            interrupt: &Interrupt::new(),
        },
    )
}

fn run(plan: &Plan) -> Record {
    run_in(tempfile::tempdir().unwrap().path(), plan, 2).unwrap()
}

/// A log that was cut between two lines reads well, and lacks updates.
#[test]
fn a_log_that_lacks_updates_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let plan = two("fixed(lr=0.1)", "linear(lr=0.1)", 2);
    run_in(place.path(), &plan, 1).unwrap();
    let log = place.path().join("final/1/1-reference-seed2/events.jsonl");
    let text = fs::read_to_string(&log).unwrap();
    let half: String = text.split_inclusive('\n').take(100).collect();
    fs::write(&log, half).unwrap();
    fs::remove_file(place.path().join("result.json")).unwrap();
    let error = run_in(place.path(), &plan, 1).unwrap_err().to_string();
    assert!(
        error.contains("1-reference-seed2/events.jsonl") && error.contains("of the 240"),
        "{error}"
    );
    fs::remove_dir_all(log.parent().unwrap()).unwrap();
    run_in(place.path(), &plan, 1).unwrap();
}

/// Changes the record at `path`, has its comparison go on, and puts the record back.
fn with_other(
    place: &Path,
    plan: &Plan,
    path: &str,
    change: impl Fn(&mut Value),
) -> Result<(), Error> {
    let path = place.join(path);
    let text = fs::read_to_string(&path).unwrap();
    let mut value: Value = serde_json::from_str(&text).unwrap();
    change(&mut value);
    fs::write(&path, value.to_string()).unwrap();
    fs::remove_file(place.join("result.json")).unwrap();
    let done = run_in(place, plan, 1);
    fs::write(&path, text).unwrap();
    done.map(drop)
}

/// What is changed, and words of the refusal.
type Edit<T> = (fn(&mut T), &'static str);

#[test]
fn a_result_that_is_not_that_of_its_log_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let plan = two("fixed(lr=0.1)", "linear(lr=0.1)", 2);
    run_in(place.path(), &plan, 1).unwrap();
    let result = "final/1/1-reference-seed2/result.json";
    let changes: [fn(&mut Value); 2] = [
        |result| result["test"][0]["value"] = 0.25.into(),
        |result| result["evaluations"][3]["metrics"][0]["value"] = 0.25.into(),
    ];
    for change in changes {
        let error = with_other(place.path(), &plan, result, change);
        let error = error.unwrap_err().to_string();
        assert!(error.contains("1-reference-seed2/events.jsonl"), "{error}");
        run_in(place.path(), &plan, 1).unwrap();
    }
}

#[test]
fn a_log_with_another_update_or_without_a_figure_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let plan = two("fixed(lr=0.1)", "linear(lr=0.1)", 2);
    run_in(place.path(), &plan, 1).unwrap();
    let log = place.path().join("final/1/1-reference-seed2/events.jsonl");
    let text = fs::read_to_string(&log).unwrap();
    let changes: [Edit<Value>; 2] = [
        (
            |event| event["update"] = 7.into(),
            "it has update 7 where update 1 belongs",
        ),
        (
            |event| event["metrics"][0]["value"] = Value::Null,
            "a figure of update 1 is not finite, and training did not diverge there",
        ),
    ];
    for (change, words) in changes {
        let mut lines: Vec<String> = text.lines().map(String::from).collect();
        let mut event: Value = serde_json::from_str(&lines[1]).unwrap();
        change(&mut event);
        lines[1] = event.to_string();
        fs::write(&log, lines.join("\n") + "\n").unwrap();
        fs::remove_file(place.path().join("result.json")).unwrap();
        let error = run_in(place.path(), &plan, 1).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        fs::write(&log, &text).unwrap();
        run_in(place.path(), &plan, 1).unwrap();
    }
}

#[test]
fn a_trial_that_is_not_that_of_its_log_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let plan = given(120, 1);
    let record = run_in(place.path(), &plan, 1).unwrap();
    let trials = &record.arms[1].tuning.as_ref().unwrap().trials;
    let result = format!("{}/result.json", trials[2].runs[0].folder);
    let change = |result: &mut Value| {
        let last = result["evaluations"].as_array_mut().unwrap().last_mut();
        last.unwrap()["metrics"][1]["value"] = 0.25.into();
    };
    let error = with_other(place.path(), &plan, &result, change);
    let error = error.unwrap_err().to_string();
    assert!(error.contains(&trials[2].runs[0].folder), "{error}");
    run_in(place.path(), &plan, 1).unwrap();
}

/// A report is made from the record alone, perhaps on a machine that has none of its runs.
#[test]
fn a_record_whose_figures_do_not_follow_from_its_runs_is_refused() {
    let place = tempfile::tempdir().unwrap();
    run_in(place.path(), &two("fixed(lr=0.1)", "linear(lr=0.1)", 3), 1).unwrap();
    let file = place.path().join("result.json");
    let text = fs::read_to_string(&file).unwrap();
    let whole = "/arms/1/budgets/0";
    for figure in [
        "/runs/2/values/test",
        "/runs/0/values/validation",
        "/samples/test/mean",
        "/against/0/difference/adjusted_p",
        "/against/0/time_to_target/target",
    ] {
        let mut record: Value = serde_json::from_str(&text).unwrap();
        let value = record.pointer_mut(&format!("{whole}{figure}")).unwrap();
        *value = (value.as_f64().unwrap() + 0.01).into();
        fs::write(&file, record.to_string()).unwrap();
        let read = read_comparison(place.path());
        assert!(matches!(read, Err(Error::BadRecord { .. })), "{figure}");
    }
    // Earlier versions had fewer figures.
    let mut record: Value = serde_json::from_str(&text).unwrap();
    let difference = record.pointer_mut(&format!("{whole}/against/0/difference"));
    difference.unwrap()["correlation"] = Value::Null;
    fs::write(&file, record.to_string()).unwrap();
    read_comparison(place.path()).unwrap().unwrap();
}

/// What a record says twice must be the same, and what is impossible is no figure.
#[test]
fn a_record_that_contradicts_itself_is_refused() {
    let place = tempfile::tempdir().unwrap();
    run_in(place.path(), &given(60, 3), 1).unwrap();
    let file = place.path().join("result.json");
    let text = fs::read_to_string(&file).unwrap();
    let run = "/arms/1/budgets/0/runs/0";
    for (place_in_it, value, words) in [
        (
            "/conclusion/winner/arm",
            json!(1),
            "conclusion.winner.arm is 1, and 0 follows",
        ),
        (
            "/conclusion/winner",
            Value::Null,
            "conclusion.winner is null",
        ),
        (
            "/arms/1/spec",
            json!("linear(lr=9)"),
            "an arm's spec is not that of its runs",
        ),
        (
            "/arms/1/tuning/peak",
            json!(99.0),
            "arms[1].tuning.peak is 99, which is beyond",
        ),
        (
            &format!("{run}/seed"),
            json!(99),
            "not on the seeds of the plan",
        ),
        (
            &format!("{run}/seconds"),
            json!(-1.0),
            "arms[1].budgets[0].runs[0].seconds is -1",
        ),
        (
            &format!("{run}/evaluations/0/metrics/1/value"),
            json!(17.0),
            "runs[0].evaluations[0]",
        ),
    ] {
        let mut record: Value = serde_json::from_str(&text).unwrap();
        *record.pointer_mut(place_in_it).unwrap() = value;
        fs::write(&file, record.to_string()).unwrap();
        let error = read_comparison(place.path()).unwrap_err().to_string();
        assert!(error.contains(words), "{place_in_it}: {error}");
    }
}

/// A margin, a reference or seeds that are chosen when the results are known would make any verdict.
#[test]
fn a_plan_that_was_edited_beside_its_result_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let plan = two("fixed(lr=0.1)", "linear(lr=0.1)", 3);
    run_in(place.path(), &plan, 1).unwrap();
    let file = place.path().join("comparison.json");
    let text = fs::read_to_string(&file).unwrap();
    let changes: [Edit<Plan>; 3] = [
        (|plan| plan.margin = 9.0, "margin 9.0 instead of 0.5"),
        (|plan| plan.reference = 1, "reference 1 instead of 0"),
        (
            |plan| plan.seeds[0] = 77,
            "the seeds [77, 2, 3] instead of [1, 2, 3]",
        ),
    ];
    for (change, words) in changes {
        let mut other = plan.clone();
        change(&mut other);
        let mut manifest: Value = serde_json::from_str(&text).unwrap();
        manifest["plan"] = serde_json::to_value(&other).unwrap();
        fs::write(&file, manifest.to_string()).unwrap();
        let error = run_in(place.path(), &other, 1).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    fs::write(&file, &text).unwrap();
    run_in(place.path(), &two("fixed(lr=0.1)", "linear(lr=0.1)", 4), 1).unwrap();
}

/// A `null` says that a run diverged, or that there is nothing to say. In place of a number it is refused,
/// and the message has its place.
#[test]
fn a_record_with_null_in_place_of_a_number_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let plan = given(60, 4);
    run_in(place.path(), &plan, 1).unwrap();
    let file = place.path().join("result.json");
    let text = fs::read_to_string(&file).unwrap();
    let budget = "arms[1].budgets[0]";
    for figure in [
        "runs[2].values",
        "runs[2].evaluations[1].metrics[0].value",
        "runs[0].training[3].loss",
        "samples",
        "samples.test.sd",
        "samples.test.interval",
        "against[0].difference",
        "against[0].difference.t_test",
        "against[0].difference.difference.interval",
        "against[0].time_to_target",
    ]
    .map(|figure| format!("{budget}.{figure}"))
    .into_iter()
    .chain(
        [
            "trials[1].validation",
            "trials[1].runs[0].validation",
            "best",
        ]
        .map(|figure| format!("arms[1].tuning.{figure}")),
    ) {
        let mut record: Value = serde_json::from_str(&text).unwrap();
        let pointer = format!("/{}", figure.replace(['.', '['], "/").replace(']', ""));
        let value = record.pointer_mut(&pointer).unwrap();
        assert!(!value.is_null(), "{figure}");
        *value = Value::Null;
        if figure.ends_with("best") {
            record["arms"][1]["tuning"]["peak"] = Value::Null;
        }
        fs::write(&file, record.to_string()).unwrap();
        let error = read_comparison(place.path()).unwrap_err().to_string();
        // What is made of a list has the list's place.
        let shown = figure.split(".metrics").next().unwrap();
        let shown = shown.replace(".runs[0].validation", ".validation");
        assert!(error.contains(&shown), "{figure}: {error}");
    }
}

/// `watch`, which only looks at a comparison, reads its plan, too.
#[test]
fn a_plan_that_means_nothing_is_refused_where_it_is_read() {
    let place = tempfile::tempdir().unwrap();
    run_in(place.path(), &given(120, 1), 1).unwrap();
    assert_eq!(read_plan(place.path()).unwrap().plan, given(120, 1));
    let file = place.path().join("comparison.json");
    let text = fs::read_to_string(&file).unwrap();
    for (key, value) in [
        ("rungs", Value::Array(vec![])),
        ("seeds", Value::Array(vec![])),
    ] {
        let mut manifest: Value = serde_json::from_str(&text).unwrap();
        manifest["plan"]["tuning"][key] = value;
        fs::write(&file, manifest.to_string()).unwrap();
        let error = read_plan(place.path()).unwrap_err().to_string();
        assert!(
            error.contains("comparison.json") && error.contains("copy"),
            "{error}"
        );
    }
}

/// It did not diverge, and so is not one of the rates that are too high.
#[test]
fn a_trial_without_the_objective_has_failed() {
    let place = tempfile::tempdir().unwrap();
    let plan = given(120, 2);
    run_in(place.path(), &plan, 1).unwrap();
    let trial = "tuning/1/1-fixed-x0.125000-seed1001/result.json";
    let done = with_other(place.path(), &plan, trial, |result| {
        let last = result["evaluations"].as_array_mut().unwrap().last_mut();
        let metrics = last.unwrap()["metrics"].as_array_mut().unwrap();
        metrics.retain(|metric| metric["name"] != "accuracy");
    });
    let error = done.unwrap_err().to_string();
    assert!(
        error.contains("x0.125000") && error.contains("is missing"),
        "{error}"
    );
    assert!(error.starts_with("1 of 12 runs"), "{error}");
}

/// The second arm beside the first.
fn only(record: &Record) -> &Comparison {
    let against = &record.arms[1].whole().against[0];
    assert_eq!((against.reference, against.role), (0, Role::Declared));
    against.difference.as_ref().unwrap()
}

/// The record without what is measured by the clock.
fn timeless(record: &Record) -> Value {
    timeless::timeless(serde_json::to_value(record).unwrap(), &[])
}

#[test]
fn an_averaged_arm_is_judged_by_its_average() {
    let cycles = "triangular(base=0.02, max=0.3, step=30)";
    let mut plan = two(cycles, cycles, 3);
    plan.arms[1].average = Some(Average::Troughs);
    let record = run(&plan);
    let [plain, averaged] = [0, 1].map(|arm| &record.arms[arm].whole().runs);
    for (plain, averaged) in plain.iter().zip(averaged) {
        let mut task = Task::new(cycles.parse().unwrap(), plain.seed, Budget::Updates(240));
        task.average = Some(Average::Troughs);
        let watch = Watch {
            observer: &mut |_| {},
            interrupt: &Interrupt::new(),
        };
        let alone = train(&NoisyQuadratic::default(), &task, watch).unwrap();
        let accuracy = |metrics: &Metrics| 100.0 * metrics.get("accuracy").unwrap().value;
        let (values, last) = (averaged.values.unwrap(), alone.last().unwrap());
        let close = |a: f64, b: f64| (a - b).abs() < 1e-6;
        assert!(close(values.test, accuracy(alone.test.as_ref().unwrap())));
        assert!(close(
            values.validation,
            accuracy(last.average.as_ref().unwrap())
        ));
        // The model that is trained is the other arm's.
        assert!(close(
            plain.values.unwrap().validation,
            accuracy(&averaged.evaluations.last().unwrap().metrics)
        ));
    }
    let row = &record.conclusion.table[1];
    assert!(
        row.policy
            .as_deref()
            .is_some_and(|policy| policy.ends_with(", averaged over troughs")),
        "{row:?}"
    );
}

#[test]
fn a_whole_comparison_leaves_everything_that_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut plan = given(240, 4);
    plan.arms.push(Arm::untuned());
    plan.budgets = vec![0.5, 1.0];
    let record = run_in(folder.path(), &plan, 2).unwrap();

    assert_eq!(
        read_comparison(folder.path()).unwrap(),
        Some(record.clone())
    );
    assert_eq!(record.objective, Objective::ACCURACY);
    let trials: Vec<usize> = record
        .arms
        .iter()
        .map(|a| a.tuning.as_ref().map_or(0, |t| t.trials.len()))
        .collect();
    assert!(
        (4..=8).contains(&trials[0]) && trials == [trials[0], trials[0], trials[0], 0],
        "every arm has as many trials: {trials:?}"
    );
    let cyclical: Vec<bool> = record.arms.iter().map(|arm| arm.cyclical).collect();
    assert_eq!(cyclical, [false, true, false, true]);
    assert_eq!(
        record.arms[3].spec.as_ref().unwrap().peak(),
        0.2,
        "the untuned arm takes the found maximum"
    );
    for (place, updates) in [120, 240].into_iter().enumerate() {
        let grid = record.plan.grid(record.plan.budgets[place]);
        let grid: Vec<u64> = (0..=updates).filter(|&at| grid.contains(at)).collect();
        assert_eq!(grid.last(), Some(&updates));
        for arm in &record.arms {
            let budget = &arm.budgets[place];
            assert_eq!((budget.updates, budget.runs.len()), (updates, 4));
            for run in &budget.runs {
                assert_eq!(
                    run.updates_done, updates,
                    "cycles fill the budget: {:?}",
                    arm.spec
                );
                let read: Vec<u64> = run.evaluations.iter().map(|r| r.updates_done).collect();
                assert!(grid.iter().all(|point| read.contains(point)), "{read:?}");
                assert!(!run.training.is_empty());
                assert!(folder.path().join(&run.folder).join("result.json").exists());
            }
        }
        let cycles = record.arms[1].budgets[place].runs[0]
            .evaluations
            .iter()
            .filter(|r| r.trough.is_some())
            .count();
        assert_eq!(cycles, 3, "twelve epochs, or six, are three cycles");
    }
    let verdict = fs::read_to_string(folder.path().join("verdict.txt")).unwrap();
    // The headline is wrapped to the width of a screen.
    let words: Vec<&str> = verdict.split_whitespace().collect();
    assert!(
        words.join(" ").starts_with(&record.conclusion.headline),
        "{verdict}"
    );
    let winner = fs::read_to_string(folder.path().join("winner.toml")).unwrap();
    let file = WinnerFile::read(&winner).unwrap();
    assert_eq!(
        file.arm,
        record.label(record.conclusion.winner.unwrap().arm)
    );

    let updates = format!("updates = {}\n", file.updates);
    assert!(winner.contains(&updates), "{winner}");
    for damaged in ["updates = 0\n", "updates = 1\n"] {
        let winner = winner.replacen(&updates, damaged, 1);
        let winner = winner.replacen(&file.policy.to_string(), "warmup(1) then cosine(lr=1)", 1);
        let error = WinnerFile::read(&winner).unwrap_err().to_string();
        let said = error.starts_with("it is not a comparison's `winner.toml`")
            && error.contains("put back a copy");
        assert!(said, "{error}");
    }
}

#[test]
fn bounds_that_are_found_are_the_ones_that_tuning_starts_from() {
    let mut plan = given(600, 2);
    plan.bounds = BoundsSource::Found {
        updates: 1500,
        seed: 2001,
    };
    let record = run(&plan);
    let range = record.range.as_ref().unwrap();
    // Curvature 1 and momentum 0.9: nothing above 2·(1 + 0.9) = 3.8 is stable.
    assert!(range.base_lr < range.max_lr && range.max_lr < 3.8);
    assert!(range.updates <= 1500 && range.sweeps.len() == 1);
    let highest = record.arms[0].tuning.as_ref().unwrap().trials.iter();
    let highest = highest
        .filter(|t| !t.extra)
        .map(|t| t.peak)
        .fold(0.0, f64::max);
    assert!((highest / range.max_lr - 1.0).abs() < 1e-3, "{highest}");
    let arm = &record.arms[1];
    let tuning = arm.tuning.as_ref().unwrap();
    let peak = tuning.peak.unwrap();
    assert!((arm.spec.as_ref().unwrap().peak() - peak).abs() < 1e-15);
    let best = tuning.trials[tuning.best.unwrap()].peak;
    assert!((peak / best).log2().abs() < 0.501, "{peak} and {best}");

    // It diverges at every rate of the sweep.
    let steep = NoisyQuadratic {
        curvature: 1e9,
        ..NoisyQuadratic::default()
    };
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings::default();
    let none = compare(
        &steep,
        &plan,
        folder.path(),
        &settings,
        Watch {
            observer: &mut |_| {},
            interrupt: &Interrupt::new(),
        },
    );
    assert!(matches!(none, Err(Error::NoBounds { .. })), "{none:?}");
}

/// Four rates at a quarter of the budget for every arm, on two seeds; then, at half of it, the best
/// of them with a neighbour on either side; of these the best is chosen.
#[test]
fn tuning_tries_the_same_rates_for_every_arm_on_seeds_of_its_own() {
    let mut plan = given(120, 2);
    let tune = plan.tuning.as_mut().unwrap();
    tune.seeds = vec![1001, 1002];
    tune.rungs = vec![0.25, 0.5];
    let record = run(&plan);
    for arm in &record.arms {
        let tuning = arm.tuning.as_ref().unwrap();
        let at = |fraction: f64| {
            let trials = tuning.trials.iter();
            trials.filter(move |trial| trial.fraction == fraction)
        };
        let same = at(0.25).filter(|trial| !trial.extra);
        let same: Vec<f64> = same.map(|trial| trial.multiple).collect();
        assert_eq!(same, [0.125, 0.25, 0.5, 1.0]);
        for trial in &tuning.trials {
            let runs: Vec<_> = trial.runs.iter().map(|r| (r.seed, r.updates)).collect();
            let updates = (120.0 * trial.fraction) as u64;
            assert_eq!(runs, [(1001, updates), (1002, updates)]);
            let values = trial.runs.iter().map(|run| run.validation.unwrap());
            assert_eq!(trial.validation, Some(values.sum::<f64>() / 2.0));
        }
        let best = |fraction| {
            let values = at(fraction).filter_map(|trial| trial.validation);
            let best = values.fold(f64::MIN, f64::max);
            at(fraction)
                .find(|trial| trial.validation == Some(best))
                .unwrap()
        };
        let finer = at(0.5).map(|trial| trial.multiple / best(0.25).multiple);
        let octaves: Vec<f64> = finer.map(|ratio| (2.0 * ratio.log2()).round()).collect();
        assert_eq!(octaves, [-1.0, 0.0, 1.0]);
        assert_eq!(&tuning.trials[tuning.best.unwrap()], best(0.5));
    }
}

/// The best rates lie far above those that are declared: every arm gets one rate more a round, and
/// no more rounds than declared.
#[test]
fn tuning_goes_on_until_every_best_rate_lies_inside_and_no_longer_than_declared() {
    let low = |rounds: u32| {
        let mut plan = given(120, 2);
        plan.bounds = BoundsSource::Given {
            base_lr: 1e-4,
            max_lr: 1e-3,
        };
        plan.tuning.as_mut().unwrap().rounds = rounds;
        let record = run(&plan);
        let tunings = record.arms.iter().map(|arm| arm.tuning.as_ref().unwrap());
        let tunings = tunings.map(|tuning| {
            let extra = tuning.trials.iter().filter(|trial| trial.extra);
            (extra.count(), tuning.at_edge)
        });
        (plan, tunings.collect::<Vec<_>>())
    };
    let (plan, short) = low(1);
    assert_eq!(short, [(1, true); 3]);
    assert_eq!(plan.updates_of_rounds(), 3 * 120);
    let (_, long) = low(20);
    let rounds = long[0].0;
    assert!(
        rounds > 4 && rounds < 20 && long == [(rounds, false); 3],
        "{long:?}"
    );
}

#[test]
fn arms_that_are_the_same_are_neither_better_nor_worse() {
    let record = run(&two("fixed(lr=0.05)", "fixed(lr=0.05)", 3));
    assert!(matches!(only(&record).verdict, Verdict::Undecided(_)));
    assert_eq!(only(&record).difference.mean, 0.0);
    let winner = record.conclusion.winner.unwrap();
    assert_eq!((winner.arm, winner.because), (0, WinnerReason::Cheapest));
}

#[test]
fn arms_that_hardly_differ_are_equivalent() {
    let mut plan = two("linear(lr=0.1)", "linear(lr=0.1001)", 6);
    plan.margin = 3.0;
    plan.updates = 600;
    let record = run(&plan);
    let verdict = only(&record).verdict;
    assert!(
        verdict == Verdict::Equivalent || only(&record).difference.sd == Some(0.0),
        "{:?}",
        only(&record)
    );
}

#[test]
fn a_clearly_better_arm_is_called_better_and_wins_and_the_other_way_round() {
    let good = "linear(lr=0.1)";
    let bad = "fixed(lr=0.0005)";
    let record = run(&two(bad, good, 4));
    assert_eq!(only(&record).verdict, Verdict::Better);
    let winner = record.conclusion.winner.unwrap();
    assert_eq!((winner.arm, winner.because), (1, WinnerReason::Better));
    assert!(record.conclusion.headline.starts_with("other wins: +"));
    let against = &record.arms[1].whole().against[0];
    let time = against.time_to_target.as_ref().unwrap();
    assert_eq!(time.reached(), 4);
    assert!(time.ratio[1].unwrap() < 1.0);

    let record = run(&two(good, bad, 4));
    assert_eq!(only(&record).verdict, Verdict::Worse);
    let winner = record.conclusion.winner.unwrap();
    assert_eq!((winner.arm, winner.because), (0, WinnerReason::NoneBetter));
    assert!(
        record
            .conclusion
            .headline
            .starts_with("reference wins: other comes closest")
    );
    let against = &record.arms[1].whole().against[0];
    let time = against.time_to_target.as_ref().unwrap();
    assert_eq!((time.reached(), time.updates.len()), (0, 4));
}

#[test]
fn an_arm_that_diverges_is_recorded_and_not_compared() {
    let record = run(&two("fixed(lr=0.05)", "fixed(lr=100)", 3));
    let arm = record.arms[1].whole();
    assert_eq!((arm.diverged(), arm.samples), (3, None));
    assert_eq!(record.arms[1].whole().against[0].difference, None);
    assert_eq!(record.conclusion.winner.unwrap().arm, 0);

    let record = run(&two("fixed(lr=100)", "fixed(lr=0.05)", 3));
    assert!(
        record
            .conclusion
            .headline
            .starts_with("no winner: the reference"),
        "{}",
        record.conclusion.headline
    );
    let winner = record.conclusion.winner.unwrap();
    assert_eq!((winner.arm, winner.because), (1, WinnerReason::Validation));
}

#[test]
fn where_no_rate_trains_the_arm_has_no_runs() {
    let mut plan = given(120, 2);
    plan.bounds = BoundsSource::Given {
        base_lr: 1e11,
        max_lr: 1e12,
    };
    let folder = tempfile::tempdir().unwrap();
    let record = run_in(folder.path(), &plan, 2).unwrap();
    let read = read_comparison(folder.path()).unwrap();
    assert_eq!(read.as_ref(), Some(&record), "its record reads back");
    assert!(record.arms.iter().all(|arm| arm.spec.is_none()));
    assert_eq!(record.conclusion.winner, None);
}

/// Of fewer seeds there was one.
#[test]
fn where_there_is_no_winner_an_earlier_one_is_taken_away() {
    let (folder, plan) = (
        tempfile::tempdir().unwrap(),
        two("fixed(lr=100)", "linear(lr=100)", 2),
    );
    run_in(folder.path(), &plan, 2).unwrap();
    let winner = folder.path().join("winner.toml");
    fs::write(&winner, "that of fewer seeds").unwrap();
    fs::remove_file(folder.path().join("result.json")).unwrap();
    let record = run_in(folder.path(), &plan, 2).unwrap();
    assert_eq!(record.conclusion.winner, None);
    assert!(!winner.exists());
}

/// Somebody has let one of its runs go on for more updates, or has put other data in their place.
#[test]
fn runs_of_another_plan_are_not_compared() {
    let (folder, plan) = (
        tempfile::tempdir().unwrap(),
        two("fixed(lr=0.1)", "linear(lr=0.1)", 2),
    );
    let record = run_in(folder.path(), &plan, 2).unwrap();
    let run = folder.path().join("final/1/1-reference-seed2");
    let more = Change::KeepShape { updates: 300 };
    let watch = Watch {
        observer: &mut |_: &Event| {},
        interrupt: &Interrupt::new(),
    };
    resume(&run, &NoisyQuadratic::default(), Some(more), watch).unwrap();
    fs::remove_file(folder.path().join("result.json")).unwrap();
    let error = run_in(folder.path(), &plan, 2).unwrap_err();
    assert!(
        matches!(&error, Error::OtherRun { path, .. } if *path == run.join("run.json")),
        "{error}"
    );
    let said = error.to_string();
    assert!(
        said.contains(" instead of ") && !said.contains('{'),
        "{said}"
    );
    fs::remove_dir_all(&run).unwrap();
    let again = run_in(folder.path(), &plan, 2).unwrap();
    assert_eq!(timeless(&again), timeless(&record));

    let mut other = NoisyQuadratic::default();
    other.info.examples += 100;
    let watch = Watch {
        observer: &mut |_| {},
        interrupt: &Interrupt::new(),
    };
    let error = compare(&other, &plan, folder.path(), &Settings::default(), watch).unwrap_err();
    assert!(matches!(error, Error::OtherTrainer { .. }), "{error}");
}

#[test]
fn the_number_of_jobs_changes_nothing() {
    let plan = given(120, 3);
    let one = run_in(tempfile::tempdir().unwrap().path(), &plan, 1).unwrap();
    let many = run_in(tempfile::tempdir().unwrap().path(), &plan, 5).unwrap();
    assert_eq!(timeless(&one), timeless(&many));
}

#[test]
fn an_interrupted_comparison_goes_on_to_the_same_record() {
    let plan = given(120, 2);
    let straight = run(&plan);
    for stop_after in [1, 100, 700, 2000, 2900] {
        let folder = tempfile::tempdir().unwrap();
        let interrupt = Interrupt::new();
        let mut seen = 0;
        let mut observer = |event: &CompareEvent| {
            seen += u64::from(matches!(
                event,
                CompareEvent::Run {
                    event: Event::Updated { .. },
                    ..
                }
            ));
            if seen >= stop_after {
                interrupt.request();
            }
        };
        let settings = Settings {
            jobs: 2,
            ..Settings::default()
        };
        let stopped = compare(
            &NoisyQuadratic::default(),
            &plan,
            folder.path(),
            &settings,
            Watch {
                observer: &mut observer,
                interrupt: &interrupt,
            },
        );
        // The last runs may be over before the wish is seen.
        assert!(matches!(stopped, Err(Error::Interrupted { .. })) || stop_after > 2500);
        let record = run_in(folder.path(), &plan, 2).unwrap();
        assert_eq!(
            timeless(&record),
            timeless(&straight),
            "stopped after {stop_after} updates"
        );
    }
}

#[test]
fn finished_runs_are_never_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let plan = given(120, 2);
    run_in(folder.path(), &plan, 2).unwrap();
    let mut updates = 0;
    let mut observer = |event: &CompareEvent| {
        updates += u64::from(matches!(
            event,
            CompareEvent::Run {
                event: Event::Updated { .. },
                ..
            }
        ));
    };
    let settings = Settings::default();
    compare(
        &NoisyQuadratic::default(),
        &plan,
        folder.path(),
        &settings,
        Watch {
            observer: &mut observer,
            interrupt: &Interrupt::new(),
        },
    )
    .unwrap();
    assert_eq!(updates, 0);
}

#[test]
fn seeds_that_are_added_later_are_marked() {
    let folder = tempfile::tempdir().unwrap();
    let before = run_in(folder.path(), &given(120, 2), 2).unwrap();
    let after = run_in(folder.path(), &given(120, 4), 2).unwrap();
    assert_eq!(after.plan.added_seeds, [3, 4]);
    let marked: Vec<bool> = after.arms[0]
        .whole()
        .runs
        .iter()
        .map(|run| run.added)
        .collect();
    assert_eq!(marked, [false, false, true, true]);
    assert_eq!(
        after.arms[0].whole().runs[0].values,
        before.arms[0].whole().runs[0].values
    );
    assert!(
        after
            .conclusion
            .notes
            .iter()
            .any(|s| s.contains("added after results were known"))
    );
}

/// The result was removed, but its verdict had been read.
#[test]
fn seeds_are_marked_also_if_the_result_is_to_be_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let plan = |seeds| two("fixed(lr=0.1)", "linear(lr=0.1)", seeds);
    run_in(folder.path(), &plan(2), 2).unwrap();
    fs::remove_file(folder.path().join("result.json")).unwrap();
    let after = run_in(folder.path(), &plan(3), 2).unwrap();
    assert_eq!(after.plan.added_seeds, [3]);
}

#[test]
fn a_folder_is_one_comparison_and_one_process() {
    let folder = tempfile::tempdir().unwrap();
    run_in(folder.path(), &given(120, 2), 2).unwrap();
    let another = run_in(folder.path(), &given(240, 2), 2).unwrap_err();
    assert!(matches!(another, Error::OtherPlan { .. }), "{another}");
    let said = another.to_string();
    assert!(said.contains("updates 120 instead of 240"), "{said}");
    let lock = Lock::take(folder.path()).unwrap();
    let locked = run_in(folder.path(), &given(120, 2), 2);
    assert!(matches!(locked, Err(Error::Locked { .. })), "{locked:?}");
    drop(lock);

    let foreign = tempfile::tempdir().unwrap();
    fs::write(foreign.path().join("thesis.txt"), "mine").unwrap();
    let occupied = run_in(foreign.path(), &given(120, 2), 2);
    assert!(
        matches!(occupied, Err(Error::Occupied { .. })),
        "{occupied:?}"
    );
}

#[test]
fn plans_that_mean_nothing_are_refused() {
    let refused = |change: &dyn Fn(&mut Plan)| {
        let mut plan = given(120, 2);
        change(&mut plan);
        let folder = tempfile::tempdir().unwrap();
        run_in(&folder.path().join("new"), &plan, 1).unwrap_err()
    };
    let bad = |error: &Error| matches!(error, Error::BadPlan { .. });
    assert!(bad(&refused(&|p| p.seeds.clear())));
    assert!(bad(&refused(&|p| p.seeds.push(1))));
    assert!(
        bad(&refused(&|p| p.seeds.push(1001))),
        "the tuning seed is no final one"
    );
    assert!(
        bad(&refused(&|p| {
            p.bounds = BoundsSource::Found {
                updates: 300,
                seed: 2,
            };
        })),
        "the seeds of the range test are no final ones"
    );
    assert!(bad(&refused(&|p| p.arms.truncate(1))));
    assert!(bad(&refused(&|p| p.arms[1].label = "fixed".into())));
    assert!(bad(&refused(&|p| p.margin = 0.0)));
    assert!(bad(&refused(&|p| p.margin = f64::NAN)));
    assert!(bad(&refused(&|p| p.budgets = vec![1.0, 0.5])));
    assert!(bad(&refused(&|p| p.tuning = None)));
    assert!(bad(&refused(&|p| p.bounds = BoundsSource::Unneeded)));
    assert!(bad(&refused(&|p| p.reference = 3)));
    assert!(bad(&refused(&|p| p.arms[1].label = "a\u{1b}[31m".into())));
    assert!(matches!(
        given(120, 2).arm_of("adam"),
        Err(Error::NoReference { .. })
    ));
    let without = |validation, test| {
        let mut noisy_quadratic = NoisyQuadratic::default();
        (noisy_quadratic.info.validation, noisy_quadratic.info.test) = (validation, test);
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::default();
        compare(
            &noisy_quadratic,
            &given(120, 2),
            folder.path(),
            &settings,
            Watch {
                observer: &mut |_| {},
                interrupt: &Interrupt::new(),
            },
        )
    };
    assert!(matches!(without(0, 500), Err(Error::Undecidable { .. })));
    assert!(matches!(without(500, 0), Err(Error::Undecidable { .. })));
}

/// What a killed process runs: the test binary starts itself with this test alone.
#[test]
#[ignore = "it is the process that `a_killed_comparison_goes_on_to_the_same_record` kills"]
fn to_be_killed() {
    // Run by itself, it has nothing to do.
    let Ok(folder) = std::env::var("CYCLR_TEST_FOLDER") else {
        return;
    };
    run_in(Path::new(&folder), &killed_plan(), 2).unwrap();
}

fn killed_plan() -> Plan {
    given(2400, 3)
}

#[test]
fn a_killed_comparison_goes_on_to_the_same_record() {
    kill_and_resume(2);
}

#[test]
#[ignore = "twenty kills take a while"]
fn a_comparison_that_is_killed_twenty_times() {
    kill_and_resume(20);
}

/// Kills a comparison at several moments, evenly spread over what it logs, and holds what it comes
/// to against one that was left alone.
fn kill_and_resume(kills: u64) {
    let alone = tempfile::tempdir().unwrap();
    let straight = run_in(alone.path(), &killed_plan(), 2).unwrap();
    let whole = logged(alone.path());
    let folder = tempfile::tempdir().unwrap();
    let mut killed = 0;
    for kill in 1..=kills {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "to_be_killed", "--ignored"])
            .env("CYCLR_TEST_FOLDER", folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        killed += u64::from(kill_at(child, folder.path(), whole * kill / (kills + 1)));
    }
    assert!(
        killed > 0,
        "the comparison was over before it could be killed"
    );
    let record = run_in(folder.path(), &killed_plan(), 2).unwrap();
    assert_eq!(timeless(&record), timeless(&straight));
}

/// `testdata/comparison-v1` was made by the release before version 2: `cyclr compare --budget 60
/// --arm fixed --arm triangular2 --seeds 2`. What it says of the runs is what its record holds.
#[test]
fn a_comparison_of_version_1_is_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/comparison-v1");
    let record = read_comparison(&folder).unwrap().unwrap();
    let text = fs::read_to_string(folder.join("result.json")).unwrap();
    let old: Value = serde_json::from_str(&text).unwrap();
    for (n, arm) in record.arms.iter().enumerate() {
        let (then, now) = (&old["budgets"][0]["arms"][n], arm.whole());
        assert_eq!(then["label"], record.label(n));
        assert_eq!(then["spec"], now.spec.as_ref().unwrap().to_string());
        // The final runs of that time had the peak rate of a trial.
        let trials = &old["arms"][n]["tuning"];
        let tuning = arm.tuning.as_ref().unwrap();
        let chosen = trials["chosen"].as_u64().unwrap() as usize;
        assert_eq!(tuning.best, Some(chosen));
        assert_eq!(tuning.peak, trials["trials"][chosen]["peak"].as_f64());
        let test = now.samples.unwrap().test;
        assert_eq!(then["test"], serde_json::to_value(test).unwrap());
        for (then, now) in then["runs"].as_array().unwrap().iter().zip(&now.runs) {
            assert_eq!(then["validation"], now.values.unwrap().validation);
            for (then, now) in then["readings"]
                .as_array()
                .unwrap()
                .iter()
                .zip(&now.evaluations)
            {
                assert_eq!(then["value"].as_f64(), record.objective.value(&now.metrics));
            }
        }
    }
    let then = &old["budgets"][0]["against"][0];
    let now = &record.arms[1].whole().against[0];
    let difference = now.difference.as_ref().unwrap();
    let then_difference = &then["differences"][0];
    let sample = serde_json::to_value(difference.difference).unwrap();
    assert_eq!(then_difference["sample"], sample);
    assert_eq!(then_difference["p"], difference.adjusted_p);
    assert_eq!(then_difference["equivalence_p"], difference.adjusted_tost_p);
    let seeds = match difference.verdict {
        Verdict::Undecided(Obstacle::TooFewSeeds(seeds)) => [seeds.low, seeds.high],
        other => panic!("{other:?}, and it was {}", then_difference["verdict"]),
    };
    assert_eq!(then_difference["verdict"], "undecided");
    assert_eq!(then_difference["seeds_to_decide"], serde_json::json!(seeds));
    let time = serde_json::to_value(now.time_to_target.as_ref().unwrap()).unwrap();
    for field in ["updates", "median_updates", "ratio", "ratio_interval"] {
        assert_eq!(then["soon"]["arms"][1][field], time[field], "{field}");
    }
    assert!(matches!(
        read_plan(&folder),
        Err(Error::Version {
            found: 1,
            known: 2,
            ..
        })
    ));
}

/// The files of a range test in a comparison's folder, and what is in them.
fn sweeps(folder: &Path) -> BTreeMap<OsString, Vec<u8>> {
    let entries = fs::read_dir(folder.join("sweeps")).unwrap();
    let files = entries.map(|entry| entry.unwrap());
    let read = |file: DirEntry| (file.file_name(), fs::read(file.path()).unwrap());
    files.map(read).collect()
}

/// A comparison is interrupted in its range test whenever another probe is at work, and goes on.
fn check_that_a_range_test_is_kept(factory: &NoisyQuadratic) {
    let plan = Plan {
        seeds: vec![1, 2],
        ..Plan::new(240)
    };
    let place = tempfile::tempdir().unwrap();
    let (one, other) = (place.path().join("one"), place.path().join("other"));
    let watch = Watch {
        observer: &mut |_| {},
        interrupt: &Interrupt::new(),
    };
    let straight = compare(factory, &plan, &one, &Settings::default(), watch).unwrap();
    let (mut began, mut begun, mut trained, mut stops) = (0, Vec::new(), 0, 0);
    let record = loop {
        let interrupt = Interrupt::new();
        let mut observer = |event: &CompareEvent| match event {
            CompareEvent::Finding(FindEvent::SweepBegan { .. }) => began += 1,
            CompareEvent::Finding(FindEvent::Probing {
                probe,
                updates_done,
            }) => {
                trained += u64::from(*updates_done == probe.updates);
                if !begun.contains(probe) {
                    begun.push(*probe);
                    interrupt.request();
                }
            }
            _ => {}
        };
        let watch = Watch {
            observer: &mut observer,
            interrupt: &interrupt,
        };
        match compare(factory, &plan, &other, &Settings::default(), watch) {
            Err(Error::Interrupted { .. }) => stops += 1,
            done => break done.unwrap(),
        }
    };
    assert_eq!(began, 1, "the sweep was finished");
    let probes = fs::read_to_string(one.join("sweeps/probes.csv")).unwrap();
    let probes = probes.lines().count() - 1;
    // Probes that begin side by side are interrupted together.
    assert!(probes > 3 && begun.len() == probes, "{begun:?}");
    assert!((2..=probes).contains(&stops), "{stops} of {probes}");
    assert!(trained <= probes as u64, "{trained} of {probes} probes");
    assert_eq!(timeless(&record), timeless(&straight));
    assert_eq!(sweeps(&one), sweeps(&other));
}

#[test]
fn finished_parts_of_a_range_test_are_kept() {
    check_that_a_range_test_is_kept(&NoisyQuadratic::default());
}

#[test]
fn finished_parts_of_a_range_test_on_losses_are_kept() {
    let mut factory = NoisyQuadratic::default();
    factory.info.objective = Some(Objective::of(&Metric::loss(1.0, 1)));
    check_that_a_range_test_is_kept(&factory);
}
