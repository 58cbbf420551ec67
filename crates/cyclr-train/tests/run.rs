//! Runs of the noisy bowl: where they stop, what they read, and what is refused.
#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::num::NonZeroU64;
use std::time::Duration;

use cyclr::seam::{Facts, Lab};
use cyclr_train::bowl::Bowl;
use cyclr_train::{Budget, Ending, Error, Event, Interrupt, Outcome, Plan, Task, Watch, train};

fn task(spec: &str, updates: u64) -> Task {
    Task::new(spec.parse().unwrap(), 1, Budget::Updates(updates))
}

fn watched(lab: &dyn Lab, task: &Task) -> (Result<Outcome, Error>, Vec<Event>) {
    let mut events = Vec::new();
    let mut observer = |event: &Event| events.push(event.clone());
    let watch = Watch {
        observer: &mut observer,
        interrupt: &Interrupt::new(),
    };
    (train(lab, task, watch), events)
}

fn outcome(task: &Task) -> Outcome {
    watched(&Bowl::default(), task).0.unwrap()
}

fn stops(outcome: &Outcome) -> Vec<(u64, Option<u64>)> {
    outcome
        .readings
        .iter()
        .map(|r| (r.made, r.trough))
        .collect()
}

const CYCLES: &str = "triangular(base=0.01, max=0.3, step=50)";

#[test]
fn a_cyclical_run_is_read_at_its_troughs_and_ends_at_the_last() {
    let (outcome, events) = watched(&Bowl::default(), &task(CYCLES, 370));
    let outcome = outcome.unwrap();
    assert_eq!(
        stops(&outcome),
        [(100, Some(1)), (200, Some(2)), (300, Some(3))]
    );
    assert_eq!((outcome.made, &outcome.ending), (300, &Ending::Whole));
    assert_eq!(
        events[0],
        Event::Adjusted {
            budget: 370,
            end: 300
        }
    );
    let tests = events.iter().filter(|e| matches!(e, Event::Tested { .. }));
    assert_eq!(tests.count(), 1);
}

#[test]
fn the_rate_of_each_update_is_the_schedules() {
    let task = task(CYCLES, 300);
    let plan = Plan::new(&Bowl::default(), &task).unwrap();
    let (_, events) = watched(&Bowl::default(), &task);
    let updates = events.iter().filter_map(|event| match event {
        Event::Updated { update, hyper, .. } => Some((*update, *hyper)),
        _ => None,
    });
    let expected = (0..300).map(|update| (update, plan.schedule().at(update)));
    assert!(updates.eq(expected));
}

#[test]
fn arms_are_read_on_the_same_grid() {
    let grid = |spec| {
        let mut task = task(spec, 300);
        task.read_every = NonZeroU64::new(80);
        stops(&outcome(&task))
            .iter()
            .map(|&(made, _)| made)
            .collect::<Vec<_>>()
    };
    assert_eq!(grid("linear(lr=0.3)"), [80, 160, 240, 300]);
    assert_eq!(grid(CYCLES), [80, 100, 160, 200, 240, 300]);
}

#[test]
fn a_last_stage_without_cycles_runs_to_the_end_of_the_budget() {
    let spec = "triangular(base=0.01, max=0.3, step=50) for 200 then linear(lr=0.1)";
    let outcome = outcome(&task(spec, 350));
    assert_eq!(
        stops(&outcome),
        [(100, Some(1)), (200, Some(2)), (350, None)]
    );
}

#[test]
fn a_target_ends_the_run_at_a_trough() {
    let whole = outcome(&task(CYCLES, 1000));
    let values: Vec<f64> = whole
        .readings
        .iter()
        .map(|r| r.metrics.deciding().unwrap().value)
        .collect();
    let mut task = task(CYCLES, 1000);
    task.read_every = NonZeroU64::new(10);
    task.target = Some(values[1]);
    let first = values.iter().position(|&v| v >= values[1]).unwrap();
    let reached = outcome(&task);
    assert_eq!(
        (reached.ending, reached.made),
        (Ending::Target, 100 * (first as u64 + 1))
    );
    task.target = Some(1.1);
    assert_eq!(outcome(&task).ending, Ending::Whole);
}

#[test]
fn a_run_ends_when_a_whole_cycle_brings_no_gain() {
    let mut last_gains = Vec::new();
    for seed in 0..20 {
        let mut task = task("triangular(base=0.002, max=0.004, step=50)", 4000);
        (task.stop_when_flat, task.seed) = (true, seed);
        let outcome = outcome(&task);
        assert_eq!(outcome.ending, Ending::Flat);
        let figures = outcome
            .readings
            .iter()
            .map(|r| r.metrics.deciding().unwrap());
        let correct: Vec<i64> = figures.map(|m| m.correct.unwrap().cast_signed()).collect();
        let mut gains: Vec<i64> = correct.windows(2).map(|pair| pair[1] - pair[0]).collect();
        // The examples of the bowl are ordered by difficulty, so that none is lost while others are gained, and five
        // gains are significant at 5 % (1/32), four are not (1/16).
        last_gains.extend(gains.pop());
        assert!(
            gains.iter().all(|&gain| gain >= 5),
            "seed {seed}: {correct:?}"
        );
    }
    assert!(last_gains.iter().all(|&gain| gain < 5));
    assert!(last_gains.contains(&4), "{last_gains:?}");
}

#[test]
fn divergence_is_an_outcome_and_is_not_tested() {
    let (outcome, events) = watched(&Bowl::default(), &task("fixed(lr=1e100)", 1000));
    let outcome = outcome.unwrap();
    let Ending::Diverged { update } = outcome.ending else {
        panic!("{:?}", outcome.ending);
    };
    assert_eq!((outcome.made, &outcome.test), (update + 1, &None));
    let last = events.iter().rfind(|e| matches!(e, Event::Updated { .. }));
    assert!(matches!(last, Some(Event::Updated { metrics, .. }) if !metrics.is_finite()));
}

#[test]
fn a_budget_of_time_becomes_updates_once() {
    let mut task = task(CYCLES, 0);
    task.budget = Budget::Time(Duration::from_millis(300));
    let (outcome, events) = watched(&Bowl::default(), &task);
    let Event::Timed {
        updates,
        seconds_per_update,
        ..
    } = events[0]
    else {
        panic!("{:?}", events[0]);
    };
    assert!(seconds_per_update > 0.0 && seconds_per_update * updates as f64 <= 0.3);
    let outcome = outcome.unwrap();
    assert!(outcome.made <= updates && outcome.made.is_multiple_of(100));
}

#[test]
fn epochs_are_counted_after_the_validation_cut() {
    let mut task = task("fixed(lr=0.1)", 0);
    task.budget = Budget::Epochs(cyclr::units::Epochs::new(2.5).unwrap());
    assert_eq!(outcome(&task).made, 50);
}

fn refusal(facts: impl Fn(&mut Facts), task: &Task) -> Error {
    let mut bowl = Bowl::default();
    facts(&mut bowl.facts);
    watched(&bowl, task).0.unwrap_err()
}

#[test]
fn what_cannot_be_decided_or_obeyed_is_refused() {
    let mut flat = task(CYCLES, 1000);
    flat.stop_when_flat = true;
    let mut target = task("linear(lr=0.1)", 1000);
    target.target = Some(0.5);
    let undecidable = |error| matches!(error, Error::Undecidable { .. });
    assert!(undecidable(refusal(|f| f.validation = 0, &flat)));
    assert!(undecidable(refusal(|_| {}, &target)));
    target.read_every = NonZeroU64::new(10);
    assert!(undecidable(refusal(|f| f.validation = 0, &target)));
    flat.spec = "fixed(lr=0.1)".parse().unwrap();
    assert!(undecidable(refusal(|_| {}, &flat)));

    let momentum = task(
        "triangular(base=0.01, max=0.3, step=50, momentum=0.8..0.9)",
        200,
    );
    let error = refusal(|f| f.momentum = false, &momentum);
    assert!(matches!(error, Error::NotObeyed { what: "momentum" }));
}

#[test]
fn a_budget_below_one_cycle_is_refused() {
    let error = refusal(|_| {}, &task(CYCLES, 99));
    assert!(matches!(error, Error::BudgetTooShort { .. }));
    let mut none = task("fixed(lr=0.1)", 0);
    none.budget = Budget::Time(Duration::ZERO);
    assert!(matches!(
        refusal(|_| {}, &none),
        Error::BudgetTooShort { .. }
    ));
}

#[test]
fn without_held_out_data_the_run_only_trains() {
    let mut bowl = Bowl::default();
    (bowl.facts.validation, bowl.facts.test) = (0, 0);
    let outcome = watched(&bowl, &task(CYCLES, 200)).0.unwrap();
    assert!(outcome.readings.is_empty() && outcome.test.is_none());
    assert_eq!(outcome.made, 200);
}
