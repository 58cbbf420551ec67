//! Whole comparisons over the noisy noisy quadratic.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod killing;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use cyclr_train::compare::record::{Because, Difference, Record, Role, Verdict};
use cyclr_train::compare::{
    Arm, Bounds, CompareEvent, Plan, Settings, compare, read_comparison, winner::WinnerFile,
};
use cyclr_train::noisy_quadratic::NoisyQuadratic;
use cyclr_train::record::Lock;
use cyclr_train::{Error, Event, Interrupt};
use killing::{kill_at, logged};
use serde_json::Value;

fn given(updates: u64, seeds: u64) -> Plan {
    Plan {
        seeds: (1..=seeds).collect(),
        bounds: Bounds::Given {
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
        policy: policy.into(),
        tuned: false,
        ..Arm::named("fixed")
    };
    Plan {
        arms: vec![arm("reference", reference), arm("other", other)],
        reference: "reference".into(),
        tuning: None,
        bounds: Bounds::Unneeded,
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
        &mut |_| {},
        &Interrupt::new(),
    )
}

fn run(plan: &Plan) -> Record {
    run_in(tempfile::tempdir().unwrap().path(), plan, 2).unwrap()
}

fn only(record: &Record) -> &Difference {
    let declared = &record.budgets.last().unwrap().against[0];
    assert_eq!(declared.role, Role::Declared);
    assert_eq!(declared.differences.len(), 1);
    &declared.differences[0]
}

/// The record without what is measured by the clock.
fn timeless(record: &Record) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.retain(|key, _| !key.contains("seconds"));
                fields.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut value = serde_json::to_value(record).unwrap();
    strip(&mut value);
    value
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
    assert_eq!(
        (record.measure.name.as_str(), record.measure.unit.as_str()),
        ("accuracy", "points")
    );
    let trials: Vec<usize> = record
        .arms
        .iter()
        .map(|a| a.tuning.as_ref().map_or(0, |t| t.trials.len()))
        .collect();
    assert!(
        trials == [4, 4, 4, 0] || trials == [5, 5, 5, 0],
        "every arm has as many trials: {trials:?}"
    );
    let cyclical: Vec<bool> = record.arms.iter().map(|arm| arm.cyclical).collect();
    assert_eq!(cyclical, [false, true, false, true]);
    assert_eq!(
        record.arms[3].peak,
        Some(0.2),
        "the untuned arm takes the found maximum"
    );
    for (budget, updates) in record.budgets.iter().zip([120, 240]) {
        assert_eq!(budget.updates, updates);
        for arm in &budget.arms {
            assert_eq!(arm.runs.len(), 4);
            for run in &arm.runs {
                assert_eq!(
                    run.updates_done, updates,
                    "cycles fill the budget: {:?}",
                    arm.spec
                );
                let read: Vec<u64> = run.evaluations.iter().map(|r| r.updates_done).collect();
                assert!(
                    budget.grid.iter().all(|point| read.contains(point)),
                    "{read:?}"
                );
                assert!(!run.training.is_empty());
                assert!(folder.path().join(&run.folder).join("result.json").exists());
            }
        }
        let cycles = budget.arms[1].runs[0]
            .evaluations
            .iter()
            .filter(|r| r.trough)
            .count();
        assert_eq!(cycles, 3, "twelve epochs, or six, are three cycles");
    }
    let winner = fs::read_to_string(folder.path().join("winner.toml")).unwrap();
    let file = WinnerFile::read(&winner).unwrap();
    assert_eq!(file.arm, record.conclusion.winner.unwrap().label);
}

#[test]
fn bounds_that_are_found_are_the_ones_that_tuning_starts_from() {
    let mut plan = given(600, 2);
    plan.bounds = Bounds::Found {
        repeats: 3,
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
    let spec: cyclr::Spec = record.arms[1].spec.as_ref().unwrap().parse().unwrap();
    assert!((spec.peak() - record.arms[1].peak.unwrap()).abs() < 1e-15);

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
        &mut |_| {},
        &Interrupt::new(),
    );
    assert!(matches!(none, Err(Error::NoBounds { .. })), "{none:?}");
}

#[test]
fn tuning_tries_the_same_rates_for_every_arm_on_a_seed_of_its_own() {
    let record = run(&given(120, 2));
    let tried: Vec<Vec<f64>> = record
        .arms
        .iter()
        .map(|arm| {
            let trials = arm.tuning.as_ref().unwrap().trials.iter();
            trials.filter(|t| !t.extra).map(|t| t.multiple).collect()
        })
        .collect();
    assert!(tried.iter().all(|tried| *tried == [0.125, 0.25, 0.5, 1.0]));
    for arm in &record.arms {
        let tuning = arm.tuning.as_ref().unwrap();
        let best = tuning
            .trials
            .iter()
            .filter_map(|t| t.validation)
            .fold(f64::MIN, f64::max);
        assert_eq!(tuning.trials[tuning.chosen.unwrap()].validation, Some(best));
    }
}

#[test]
fn arms_that_are_the_same_are_neither_better_nor_worse() {
    let record = run(&two("fixed(lr=0.05)", "fixed(lr=0.05)", 3));
    assert_eq!(only(&record).verdict, Verdict::Undecided);
    assert_eq!(only(&record).sample.unwrap().mean, 0.0);
    let winner = record.conclusion.winner.unwrap();
    assert_eq!(
        (winner.label.as_str(), winner.because),
        ("reference", Because::Cheapest)
    );
}

#[test]
fn arms_that_hardly_differ_are_equivalent() {
    let mut plan = two("linear(lr=0.1)", "linear(lr=0.1001)", 6);
    plan.margin = 3.0;
    plan.updates = 600;
    let record = run(&plan);
    let verdict = only(&record).verdict;
    assert!(
        verdict == Verdict::Equivalent || only(&record).sample.unwrap().sd == Some(0.0),
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
    let winner = record.conclusion.winner.clone().unwrap();
    assert_eq!(
        (winner.label.as_str(), winner.because),
        ("other", Because::Better)
    );
    assert!(
        record
            .conclusion
            .headline
            .starts_with("other is better than reference by ")
    );
    let time_to_target = record.budgets[0].against[0]
        .time_to_target
        .as_ref()
        .unwrap();
    assert_eq!(time_to_target.arms[1].reached, 4);
    assert!(time_to_target.arms[1].ratio[1].unwrap() < 1.0);

    let record = run(&two(good, bad, 4));
    assert_eq!(only(&record).verdict, Verdict::Worse);
    let winner = record.conclusion.winner.clone().unwrap();
    assert_eq!(
        (winner.label.as_str(), winner.because),
        ("reference", Because::NoneBetter)
    );
    assert!(
        record
            .conclusion
            .headline
            .starts_with("other is worse than reference by ")
    );
    let time_to_target = record.budgets[0].against[0]
        .time_to_target
        .as_ref()
        .unwrap();
    assert_eq!(
        (
            time_to_target.arms[1].reached,
            time_to_target.arms[1].updates.len()
        ),
        (0, 4)
    );
}

#[test]
fn an_arm_that_diverges_is_recorded_and_not_compared() {
    let record = run(&two("fixed(lr=0.05)", "fixed(lr=100)", 3));
    let arm = &record.budgets[0].arms[1];
    assert_eq!((arm.diverged, arm.test), (3, None));
    assert_eq!(only(&record).verdict, Verdict::Diverged);
    assert_eq!(record.conclusion.winner.unwrap().label, "reference");

    let record = run(&two("fixed(lr=100)", "fixed(lr=0.05)", 3));
    assert!(
        record.conclusion.headline.starts_with("No verdict"),
        "{}",
        record.conclusion.headline
    );
    let winner = record.conclusion.winner.unwrap();
    assert_eq!(
        (winner.label.as_str(), winner.because),
        ("other", Because::Validation)
    );
}

#[test]
fn where_no_rate_trains_the_arm_has_no_runs() {
    let mut plan = given(120, 2);
    plan.bounds = Bounds::Given {
        base_lr: 1e3,
        max_lr: 1e4,
    };
    let record = run(&plan);
    assert!(record.arms.iter().all(|arm| arm.spec.is_none()));
    assert_eq!(record.conclusion.winner, None);
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
            &mut observer,
            &interrupt,
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
        &mut observer,
        &Interrupt::new(),
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
    let marked: Vec<bool> = after.budgets[0].arms[0]
        .runs
        .iter()
        .map(|run| run.added)
        .collect();
    assert_eq!(marked, [false, false, true, true]);
    assert_eq!(
        after.budgets[0].arms[0].runs[0].test,
        before.budgets[0].arms[0].runs[0].test
    );
    assert!(
        after
            .conclusion
            .sentences
            .iter()
            .any(|s| s.contains("added when results were known"))
    );
}

#[test]
fn a_folder_is_one_comparison_and_one_process() {
    let folder = tempfile::tempdir().unwrap();
    run_in(folder.path(), &given(120, 2), 2).unwrap();
    let another = run_in(folder.path(), &given(240, 2), 2);
    assert!(
        matches!(another, Err(Error::OtherPlan { .. })),
        "{another:?}"
    );
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
    assert!(bad(&refused(&|p| p.arms.truncate(1))));
    assert!(bad(&refused(&|p| p.arms[1].label = "fixed".into())));
    assert!(bad(&refused(&|p| p.margin = 0.0)));
    assert!(bad(&refused(&|p| p.margin = f64::NAN)));
    assert!(bad(&refused(&|p| p.budgets = vec![1.0, 0.5])));
    assert!(bad(&refused(&|p| p.tuning = None)));
    assert!(bad(&refused(&|p| p.bounds = Bounds::Unneeded)));
    assert!(matches!(
        refused(&|p| p.reference = "adam".into()),
        Error::NoReference { .. }
    ));
    assert!(matches!(
        refused(&|p| p.arms[0].policy = "fixd(lr=1)".into()),
        Error::BadArm { .. }
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
            &mut |_| {},
            &Interrupt::new(),
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

/// Kills a comparison at so many moments, evenly spread over what it logs, and holds what it comes to against one that was
/// left alone.
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
