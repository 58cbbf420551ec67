//! Races over the noisy quadratic.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod timeless;

use std::cell::Cell;
use std::fs;
use std::path::Path;

use cyclr::stats::{Obstacle, Race, Verdict};
use cyclr_train::compare::record::{RaceEndReason, Record, Role};
use cyclr_train::compare::{
    Arm, BoundsSource, CompareEvent, Plan, Settings, compare, read_comparison,
};
use cyclr_train::noisy_quadratic::NoisyQuadratic;
use cyclr_train::{Error, Interrupt, Watch};
use serde_json::Value;
use timeless::timeless;

/// How much wider an interval at a look at ten seeds is. scipy 1.17: `t.ppf(0.992, 9) / t.ppf(0.975, 9)`
const RATIO: f64 = 1.307_796_160_981;

/// Two arms without tuning, the second held against the first.
fn race(reference: &str, other: &str, most: u64) -> Plan {
    let arm = |label: &str, policy: &str| Arm {
        label: label.into(),
        tuned: false,
        ..Arm::of(policy.parse().unwrap())
    };
    Plan {
        arms: vec![arm("reference", reference), arm("other", other)],
        seeds: (1..=most).collect(),
        race: Some(Race::up_to(most).unwrap()),
        tuning: None,
        bounds: BoundsSource::Unneeded,
        ..Plan::new(240)
    }
}

/// The chance of a run's last updates is left in `fixed`, and taken out by `linear`.
fn plain(most: u64) -> Plan {
    race("fixed(lr=0.3)", "linear(lr=0.3)", most)
}

/// Two arms that are the same: no number of seeds decides.
fn twins(most: u64) -> Plan {
    race("fixed(lr=0.1)", "fixed(lr=0.1)", most)
}

fn run_until(
    folder: &Path,
    plan: &Plan,
    jobs: usize,
    stop: &dyn Fn(&CompareEvent) -> bool,
) -> Result<Record, Error> {
    let settings = Settings {
        jobs,
        ..Settings::default()
    };
    let interrupt = Interrupt::new();
    let mut observer = |event: &CompareEvent| {
        if stop(event) {
            interrupt.request();
        }
    };
    let watch = Watch {
        observer: &mut observer,
        interrupt: &interrupt,
    };
    compare(&NoisyQuadratic::default(), plan, folder, &settings, watch)
}

fn run_in(folder: &Path, plan: &Plan) -> Result<Record, Error> {
    run_until(folder, plan, 2, &|_| false)
}

fn run(plan: &Plan) -> Record {
    run_in(tempfile::tempdir().unwrap().path(), plan).unwrap()
}

/// `result.json` without what is measured by the clock, and `verdict.txt`.
fn left(folder: &Path) -> (Value, String) {
    let read = |name| fs::read_to_string(folder.join(name)).unwrap();
    let record = serde_json::from_str(&read("result.json")).unwrap();
    (timeless(record, &[]), read("verdict.txt"))
}

fn end(record: &Record) -> (usize, RaceEndReason) {
    let end = record.race.unwrap();
    (end.seeds, end.because)
}

#[test]
fn a_race_ends_at_the_first_look_without_an_open_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let record = run_in(folder.path(), &plain(20)).unwrap();
    assert_eq!(end(&record), (10, RaceEndReason::Decided));
    assert_eq!(record.seeds(), (1..=10).collect::<Vec<_>>());
    // Nothing was done with the other seeds.
    let made = fs::read_dir(folder.path().join("final/1")).unwrap().count();
    assert_eq!(made, 20);
    assert_eq!(read_comparison(folder.path()).unwrap(), Some(record));
}

/// The same seeds without a race give the same values. What a look claims allows for four looks:
/// p-values are 0.05/0.016 times as large.
#[test]
fn the_verdicts_of_a_look_are_those_of_its_seeds_at_a_stricter_level() {
    let raced = run(&plain(20));
    let mut plan = plain(20);
    plan.seeds.truncate(10);
    plan.race = None;
    let fixed = run(&plan);
    let difference = |record: &Record| {
        let against = record.arms[1].whole().against(Role::Declared);
        against.unwrap().difference.unwrap()
    };
    let (looked, alone) = (difference(&raced), difference(&fixed));
    assert_eq!(looked.difference.mean, alone.difference.mean);
    assert_eq!(looked.t_test, alone.t_test);
    assert!((looked.adjusted_p / alone.adjusted_p - 3.125).abs() < 1e-12);
    let width = |interval: Option<cyclr::stats::Interval>| {
        let interval = interval.unwrap();
        interval.high - interval.low
    };
    let ratio = width(looked.difference.interval) / width(alone.difference.interval);
    assert!((ratio - RATIO).abs() < 1e-8, "{ratio}");
    let test = |record: &Record| record.arms[1].whole().samples.unwrap().test.interval;
    let ratio = width(test(&raced)) / width(test(&fixed));
    assert!((ratio - RATIO).abs() < 1e-8, "{ratio}");
}

#[test]
fn a_race_with_an_open_verdict_takes_all_its_seeds() {
    let record = run(&twins(9));
    assert_eq!(end(&record), (9, RaceEndReason::MostSeeds));
    let against = record.arms[1].whole().against(Role::Declared).unwrap();
    let verdict = against.difference.unwrap().verdict;
    assert_eq!(verdict, Verdict::Undecided(Obstacle::NoSpread));
    let note = &record.conclusion.notes[0];
    assert!(note.starts_with("Race: all 9 seeds, other still undecided."));
}

#[test]
fn a_race_whose_reference_diverges_ends_at_once() {
    let record = run(&race("fixed(lr=1000)", "fixed(lr=0.1)", 8));
    assert_eq!(end(&record), (2, RaceEndReason::NothingToCompare));
}

/// Wherever it was stopped, the race goes on to the same end: within a look, between two, and with
/// another number of jobs.
#[test]
fn a_race_that_was_stopped_goes_on_to_the_same_record() {
    // After four runs the first look at two seeds is over, and after 16 the last.
    for (plan, stops) in [(twins(8), &[2, 5, 7, 19][..]), (plain(20), &[11, 14])] {
        let alone = tempfile::tempdir().unwrap();
        run_in(alone.path(), &plan).unwrap();
        let straight = left(alone.path());
        for &stop in stops {
            let folder = tempfile::tempdir().unwrap();
            let seen = Cell::new(0);
            let at = |event: &CompareEvent| {
                let counts = matches!(event, CompareEvent::Over { .. } | CompareEvent::Open { .. });
                seen.set(seen.get() + usize::from(counts));
                seen.get() == stop
            };
            let stopped = run_until(folder.path(), &plan, 1 + stop % 2, &at);
            let is_stopped = matches!(stopped, Err(Error::Interrupted { .. }));
            assert!(is_stopped || seen.get() >= stop, "{stopped:?}");
            run_in(folder.path(), &plan).unwrap();
            assert_eq!(left(folder.path()), straight, "stopped after {stop}");
        }
    }
}

#[test]
fn a_race_is_declared_and_not_changed_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    run_in(folder.path(), &twins(8)).unwrap();
    let mut fixed = twins(8);
    fixed.race = None;
    for other in [twins(12), fixed] {
        let refused = run_in(folder.path(), &other).unwrap_err();
        assert!(matches!(refused, Error::OtherPlan { .. }), "{refused}");
        assert!(!refused.to_string().contains(['{', '[']), "{refused}");
    }
    let mut few = twins(12);
    few.seeds.truncate(8);
    let refused = run_in(&folder.path().join("new"), &few).unwrap_err();
    assert!(matches!(refused, Error::BadPlan { .. }), "{refused}");
}

/// The forecast counts the first look, and says what further ones may add.
#[test]
fn the_cost_of_a_race_is_known_beforehand() {
    let plan = plain(20);
    assert_eq!((plan.runs(), plan.updates_of_runs()), (10, 2400));
    assert_eq!(plan.updates_of_race(), 30 * 240);
}

#[test]
fn a_record_whose_race_does_not_fit_its_plan_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    run_in(folder.path(), &twins(8)).unwrap();
    let file = folder.path().join("result.json");
    let text = fs::read_to_string(&file).unwrap();
    for (from, to) in [
        (r#""seeds": 8"#, r#""seeds": 6"#),
        (r#""seeds": 8"#, r#""seeds": 7"#),
    ] {
        assert!(text.contains(from), "{text}");
        fs::write(&file, text.replace(from, to)).unwrap();
        let read = read_comparison(folder.path());
        assert!(matches!(read, Err(Error::BadRecord { .. })), "{read:?}");
    }
    // The race took all eight.
    let mut fewer: Value = serde_json::from_str(&text).unwrap();
    fewer["plan"]["seeds"].as_array_mut().unwrap().pop();
    fs::write(&file, fewer.to_string()).unwrap();
    let read = read_comparison(folder.path());
    assert!(matches!(read, Err(Error::BadRecord { .. })), "{read:?}");
}
