//! Runs of the noisy quadratic: where they stop, what they read, and what is refused.
#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::num::NonZeroU64;
use std::thread::sleep;
use std::time::Duration;

use cyclr::Hyper;
use cyclr::trainer::{
    Evaluation, Metrics, Split, Trainer, TrainerError, TrainerFactory, TrainerInfo,
};
use cyclr_train::noisy_quadratic::NoisyQuadratic;
use cyclr_train::{
    Average, Budget, Error, Event, Interrupt, Outcome, Pace, RunPlan, StopReason, Task,
    ValidationPoint, Watch, train,
};

fn task(spec: &str, updates: u64) -> Task {
    Task::new(spec.parse().unwrap(), 1, Budget::Updates(updates))
}

fn watched(factory: &dyn TrainerFactory, task: &Task) -> (Result<Outcome, Error>, Vec<Event>) {
    let mut events = Vec::new();
    let mut observer = |event: &Event| events.push(event.clone());
    let watch = Watch {
        observer: &mut observer,
        interrupt: &Interrupt::new(),
    };
    (train(factory, task, watch), events)
}

fn outcome(task: &Task) -> Outcome {
    watched(&NoisyQuadratic::default(), task).0.unwrap()
}

fn stops(outcome: &Outcome) -> Vec<(u64, Option<u64>)> {
    outcome
        .evaluations
        .iter()
        .map(|r| (r.updates_done, r.trough))
        .collect()
}

const CYCLES: &str = "triangular(base=0.01, max=0.3, step=50)";

#[test]
fn a_cyclical_run_is_read_at_its_troughs_and_ends_at_the_last() {
    let (outcome, events) = watched(&NoisyQuadratic::default(), &task(CYCLES, 370));
    let outcome = outcome.unwrap();
    assert_eq!(
        stops(&outcome),
        [(100, Some(1)), (200, Some(2)), (300, Some(3))]
    );
    assert_eq!(
        (outcome.updates_done, &outcome.stop_reason),
        (300, &StopReason::Completed)
    );
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

/// The weights are read from the states of the same run, made by hand.
#[test]
fn an_averaged_run_measures_the_mean_of_its_weights_at_troughs() {
    let mut task = task(CYCLES, 400);
    task.evaluate_every = NonZeroU64::new(150);
    task.average = Some(Average::Troughs);
    let factory = NoisyQuadratic::default();
    let schedule = RunPlan::new(&factory, &task).unwrap().schedule().clone();
    let mut net = factory.start(task.seed).unwrap();
    let n = factory.dimensions;
    let mut sums = vec![0.0; n];
    let mut expected = Vec::new();
    for (update, hyper) in schedule.curve().enumerate() {
        net.update(hyper).unwrap();
        let updates_done = update as u64 + 1;
        if updates_done.is_multiple_of(100) {
            let state = net.state().unwrap();
            let weights = state[16..16 + 8 * n].chunks_exact(8);
            for (sum, bytes) in sums.iter_mut().zip(weights) {
                *sum += f64::from_le_bytes(bytes.try_into().unwrap());
            }
            let points = updates_done as f64 / 100.0;
            let loss = |(j, sum): (usize, &f64)| {
                let curvature = 1.0 - 0.9 * j as f64 / (n - 1) as f64;
                curvature * (sum / points).powi(2) / (2 * n) as f64
            };
            expected.push(sums.iter().enumerate().map(loss).sum::<f64>());
        }
    }
    let (outcome, events) = watched(&factory, &task);
    let outcome = outcome.unwrap();
    let found: Vec<_> = outcome
        .evaluations
        .iter()
        .map(|point| {
            let average = point.average.as_ref();
            (
                point.updates_done,
                average.map(|metrics| metrics.loss().unwrap().value),
            )
        })
        .collect();
    // Between two troughs the average is what the last left.
    let known = [Some(0), Some(0), Some(1), Some(2), Some(3)];
    let updates = [100, 150, 200, 300, 400];
    for ((found, known), updates_done) in found.iter().zip(known).zip(updates) {
        let expected = known.map(|k: usize| expected[k]);
        assert_eq!(found.0, updates_done);
        let off = found.1.unwrap() - expected.unwrap();
        assert!(off.abs() < 1e-12, "{found:?} {expected:?}");
    }
    assert_eq!(found.len(), updates.len());
    // The test is the averaged model's, and is read once.
    let test = outcome.test.unwrap();
    assert!((test.loss().unwrap().value - expected[3]).abs() < 1e-12);
    let tests = events.iter().filter(|e| matches!(e, Event::Tested { .. }));
    assert_eq!(tests.count(), 1);
    // The training is that of a run without an average.
    task.average = None;
    let plain = watched(&factory, &task).0.unwrap();
    let trained = |evaluations: &[ValidationPoint]| -> Vec<Metrics> {
        let points = evaluations.iter();
        points.map(|point| point.metrics.clone()).collect()
    };
    assert_eq!(trained(&plain.evaluations), trained(&outcome.evaluations));
}

#[test]
fn impossible_averages_are_refused_before_the_run() {
    let refused = |factory: &NoisyQuadratic, spec: &str| {
        let mut task = task(spec, 400);
        task.average = Some(Average::Troughs);
        let (outcome, events) = watched(factory, &task);
        assert!(events.is_empty(), "{events:?}");
        outcome.unwrap_err().to_string()
    };
    let mut unable = NoisyQuadratic::default();
    unable.info.averages = false;
    let message = refused(&unable, CYCLES);
    assert!(
        message.contains("needs a trainer that averages"),
        "{message}"
    );
    let message = refused(&NoisyQuadratic::default(), "linear(lr=0.1)");
    assert!(
        message.contains("needs a schedule with cycles"),
        "{message}"
    );
}

#[test]
fn the_rate_of_each_update_is_the_schedules() {
    let task = task(CYCLES, 300);
    let plan = RunPlan::new(&NoisyQuadratic::default(), &task).unwrap();
    let (_, events) = watched(&NoisyQuadratic::default(), &task);
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
        task.evaluate_every = NonZeroU64::new(80);
        stops(&outcome(&task))
            .iter()
            .map(|&(updates_done, _)| updates_done)
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
        .evaluations
        .iter()
        .map(|r| r.metrics.first_objective().unwrap().value)
        .collect();
    let mut task = task(CYCLES, 1000);
    task.evaluate_every = NonZeroU64::new(10);
    task.target = Some(values[1]);
    let first = values.iter().position(|&v| v >= values[1]).unwrap();
    let reached = outcome(&task);
    assert_eq!(
        (reached.stop_reason, reached.updates_done),
        (StopReason::Target, 100 * (first as u64 + 1))
    );
    task.target = Some(1.1);
    assert_eq!(outcome(&task).stop_reason, StopReason::Completed);
}

#[test]
fn a_run_ends_when_a_whole_cycle_brings_no_gain() {
    let mut last_gains = Vec::new();
    for seed in 0..20 {
        let mut task = task("triangular(base=0.002, max=0.004, step=50)", 4000);
        (task.stop_on_plateau, task.seed) = (true, seed);
        let outcome = outcome(&task);
        assert_eq!(outcome.stop_reason, StopReason::Plateau);
        let figures = outcome
            .evaluations
            .iter()
            .map(|r| r.metrics.first_objective().unwrap());
        let correct: Vec<i64> = figures.map(|m| m.correct.unwrap().cast_signed()).collect();
        let mut gains: Vec<i64> = correct.windows(2).map(|pair| pair[1] - pair[0]).collect();
        // The examples of the noisy quadratic are ordered by difficulty, so that none is lost
        // while others are gained, and five gains are significant at 5 % (1/32), four are not
        // (1/16).
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
    let (outcome, events) = watched(&NoisyQuadratic::default(), &task("fixed(lr=1e100)", 1000));
    let outcome = outcome.unwrap();
    let StopReason::Diverged { update } = outcome.stop_reason else {
        panic!("{:?}", outcome.stop_reason);
    };
    assert_eq!((outcome.updates_done, &outcome.test), (update + 1, &None));
    let last = events.iter().rfind(|e| matches!(e, Event::Updated { .. }));
    assert!(matches!(last, Some(Event::Updated { metrics, .. }) if !metrics.is_finite()));
}

#[test]
fn a_budget_of_time_becomes_updates_once() {
    let mut task = task(CYCLES, 0);
    task.budget = Budget::Time(Duration::from_millis(300));
    let (outcome, events) = watched(&NoisyQuadratic::default(), &task);
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
    assert!(outcome.updates_done <= updates && outcome.updates_done.is_multiple_of(100));
}

/// An evaluation takes as long as twenty updates, and is made after every second one.
#[test]
fn a_budget_of_time_has_room_for_the_evaluations_of_its_own_updates() {
    let pace = Pace {
        seconds_per_update: 0.001,
        seconds_per_evaluation: 0.02,
        ..Pace::default()
    };
    let info = NoisyQuadratic::default().info;
    let mut task = task("triangular(base=0.01, max=0.3, step=1)", 0);
    task.test = false;
    for milliseconds in [22, 100, 1000, 10_000] {
        task.budget = Budget::Time(Duration::from_millis(milliseconds));
        let plan = RunPlan::at_pace(&info, &task, &pace).unwrap();
        let fits = |updates: &u64| updates + updates / 2 * 20 <= milliseconds;
        assert_eq!(plan.horizon(), (1..=milliseconds).rfind(fits).unwrap());
    }
    task.spec = "fixed(lr=0.1)".parse().unwrap();
    task.evaluate_every = NonZeroU64::new(1);
    let plan = RunPlan::at_pace(&info, &task, &pace).unwrap();
    assert_eq!(plan.horizon(), 10_000 / 21);
}

/// A noisy quadratic that trains ten times slower than it is timed, at rate 0.
struct Slowing(NoisyQuadratic);

struct SlowingRun<'a>(Box<dyn Trainer + 'a>);

impl TrainerFactory for Slowing {
    fn start(&self, seed: u64) -> Result<Box<dyn Trainer + '_>, TrainerError> {
        Ok(Box::new(SlowingRun(self.0.start(seed)?)))
    }
}

impl Trainer for SlowingRun<'_> {
    fn info(&self) -> &TrainerInfo {
        self.0.info()
    }

    fn update(&mut self, hyper: Hyper) -> Result<Metrics, TrainerError> {
        let millis = if hyper.lr == 0.0 { 1 } else { 10 };
        sleep(Duration::from_millis(millis));
        self.0.update(hyper)
    }

    fn evaluate(&mut self, split: Split) -> Result<Evaluation, TrainerError> {
        self.0.evaluate(split)
    }

    fn state(&mut self) -> Result<Vec<u8>, TrainerError> {
        self.0.state()
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), TrainerError> {
        self.0.restore(state)
    }
}

#[test]
fn a_run_short_of_time_ends_at_the_last_trough_that_fits() {
    let mut task = task("triangular(base=0.01, max=0.3, step=10)", 0);
    task.budget = Budget::Time(Duration::from_millis(500));
    let (outcome, events) = watched(&Slowing(NoisyQuadratic::default()), &task);
    let outcome = outcome.unwrap();
    let planned = events.iter().find_map(|event| match event {
        Event::Started { end, .. } => Some(*end),
        _ => None,
    });
    assert_eq!(outcome.stop_reason, StopReason::OutOfTime);
    assert!(outcome.updates_done.is_multiple_of(20) && outcome.updates_done < planned.unwrap());
    assert!(outcome.test.is_some());
}

#[test]
fn epochs_are_counted_after_the_validation_cut() {
    let mut task = task("fixed(lr=0.1)", 0);
    task.budget = Budget::Epochs(cyclr::units::Epochs::new(2.5).unwrap());
    assert_eq!(outcome(&task).updates_done, 50);
}

fn refusal(info: impl Fn(&mut TrainerInfo), task: &Task) -> Error {
    let mut noisy_quadratic = NoisyQuadratic::default();
    info(&mut noisy_quadratic.info);
    watched(&noisy_quadratic, task).0.unwrap_err()
}

#[test]
fn tasks_without_validation_or_momentum_are_refused_if_they_need_it() {
    let mut plateau = task(CYCLES, 1000);
    plateau.stop_on_plateau = true;
    let mut target = task("linear(lr=0.1)", 1000);
    target.target = Some(0.5);
    let undecidable = |error| matches!(error, Error::Undecidable { .. });
    assert!(undecidable(refusal(|f| f.validation = 0, &plateau)));
    assert!(undecidable(refusal(|_| {}, &target)));
    target.evaluate_every = NonZeroU64::new(10);
    assert!(undecidable(refusal(|f| f.validation = 0, &target)));
    plateau.spec = "fixed(lr=0.1)".parse().unwrap();
    assert!(undecidable(refusal(|_| {}, &plateau)));

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
    let mut noisy_quadratic = NoisyQuadratic::default();
    (noisy_quadratic.info.validation, noisy_quadratic.info.test) = (0, 0);
    let outcome = watched(&noisy_quadratic, &task(CYCLES, 200)).0.unwrap();
    assert!(outcome.evaluations.is_empty() && outcome.test.is_none());
    assert_eq!(outcome.updates_done, 200);
}
