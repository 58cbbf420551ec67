//! Runs whose predictions are averaged at troughs, over the noisy quadratic: the loss of its
//! ensemble is the mean of the losses of its models.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::num::NonZeroU32;

use cyclr::trainer::Metrics;
use cyclr_train::compare::{Arm, BoundsSource, Plan, Settings, compare};
use cyclr_train::noisy_quadratic::NoisyQuadratic;
use cyclr_train::{
    Average, Budget, Error, Event, Interrupt, Outcome, Task, Watch, resume, train, train_in,
};

/// Troughs after 60, 120, 180 and 240 updates.
const CYCLES: &str = "triangular(base=0.02, max=0.3, step=30)";

const LAST_TWO: Average = Average::Ensemble(NonZeroU32::new(2).unwrap());

fn task(average: Option<Average>) -> Task {
    let mut task = Task::new(CYCLES.parse().unwrap(), 7, Budget::Updates(240));
    task.average = average;
    task
}

fn run(factory: &NoisyQuadratic, task: &Task) -> Result<Outcome, Error> {
    let watch = Watch {
        observer: &mut |_| {},
        interrupt: &Interrupt::new(),
    };
    train(factory, task, watch)
}

fn loss(metrics: &Metrics) -> f64 {
    metrics.loss().unwrap().value
}

#[test]
fn the_ensemble_of_the_last_troughs_is_evaluated_decides_and_is_tested() {
    let plain = run(&NoisyQuadratic::default(), &task(None)).unwrap();
    let outcome = run(&NoisyQuadratic::default(), &task(Some(LAST_TWO))).unwrap();
    let losses: Vec<f64> = plain.evaluations.iter().map(|p| loss(&p.metrics)).collect();
    assert_eq!(losses.len(), 4);
    for (k, point) in outcome.evaluations.iter().enumerate() {
        // It leaves no trace in the training.
        assert_eq!(loss(&point.metrics), losses[k]);
        let expected = match k {
            0 => losses[0],
            _ => f64::midpoint(losses[k - 1], losses[k]),
        };
        let found = loss(point.declared());
        assert!((found - expected).abs() < 1e-12, "{found}, {expected}");
    }
    let tested = loss(outcome.test.as_ref().unwrap());
    assert_eq!(tested, loss(outcome.last().unwrap().declared()));
}

#[test]
fn a_run_that_was_stopped_goes_on_with_its_ensemble() {
    let place = tempfile::tempdir().unwrap();
    let factory = NoisyQuadratic::default();
    let interrupt = Interrupt::new();
    // Between two troughs, with a model of the ensemble behind.
    let mut observer = |event: &Event| {
        if matches!(event, Event::Updated { update: 100, .. }) {
            interrupt.request();
        }
    };
    let watch = Watch {
        observer: &mut observer,
        interrupt: &interrupt,
    };
    let task = task(Some(LAST_TWO));
    let nothing = serde_json::Value::Null;
    let stopped = train_in(place.path(), &factory, nothing, &task, watch);
    assert!(matches!(stopped, Err(Error::Interrupted { .. })));
    let watch = Watch {
        observer: &mut |_| {},
        interrupt: &Interrupt::new(),
    };
    let resumed = resume(place.path(), &factory, None, watch).unwrap();
    let straight = run(&factory, &task).unwrap();
    assert_eq!(resumed.test, straight.test);
    let figures = |outcome: &Outcome| {
        let points = outcome.evaluations.iter();
        let points = points.map(|p| (p.metrics.clone(), p.average.clone()));
        points.collect::<Vec<_>>()
    };
    assert_eq!(figures(&resumed), figures(&straight));
}

#[test]
fn impossible_ensembles_are_refused() {
    let mut steady = task(Some(LAST_TWO));
    steady.spec = "fixed(lr=0.1)".parse().unwrap();
    let mut averages_only = NoisyQuadratic::default();
    averages_only.info.ensembles = false;
    for (factory, task, said) in [
        (&NoisyQuadratic::default(), &steady, "cycles"),
        (&averages_only, &task(Some(LAST_TWO)), "ensembles"),
    ] {
        let refused = run(factory, task).unwrap_err().to_string();
        assert!(
            refused.contains("ensemble") && refused.contains(said),
            "{refused}"
        );
    }
    assert!(run(&averages_only, &task(Some(Average::Troughs))).is_ok());
}

#[test]
fn an_arm_may_be_an_ensemble() {
    let arm = |label: &str, average| Arm {
        label: label.into(),
        tuned: false,
        average,
        ..Arm::of(CYCLES.parse().unwrap())
    };
    let plan = Plan {
        arms: vec![arm("plain", None), arm("both", Some(LAST_TWO))],
        seeds: vec![1, 7],
        tuning: None,
        bounds: BoundsSource::Unneeded,
        ..Plan::new(240)
    };
    let text = serde_json::to_string(&plan).unwrap();
    assert!(text.contains(r#""average":{"ensemble":2}"#), "{text}");
    assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
    let place = tempfile::tempdir().unwrap();
    let watch = Watch {
        observer: &mut |_| {},
        interrupt: &Interrupt::new(),
    };
    let factory = NoisyQuadratic::default();
    let record = compare(&factory, &plan, place.path(), &Settings::default(), watch).unwrap();
    let row = &record.conclusion.table[1];
    let expected = format!("{CYCLES}, ensemble of the last 2 troughs");
    assert_eq!(row.policy.as_ref(), Some(&expected));
    let alone = run(&factory, &task(Some(LAST_TWO))).unwrap();
    let of_arm = record.arms[1].whole().runs[1].values.unwrap();
    let value = |metrics: &Metrics| record.objective.value(metrics);
    assert_eq!(Some(of_arm.test), alone.test.as_ref().and_then(value));
    assert_eq!(
        Some(of_arm.validation),
        value(alone.last().unwrap().declared())
    );
}

#[test]
fn averages_are_read_as_they_are_written() {
    for text in ["troughs", "ensemble(12)"] {
        assert_eq!(text.parse::<Average>().unwrap().to_string(), text);
    }
    for text in [
        "",
        "ensemble",
        "ensemble(0)",
        "ensemble(-1)",
        "ensemble(2",
        "weights",
    ] {
        assert!(text.parse::<Average>().is_err(), "{text}");
    }
}
