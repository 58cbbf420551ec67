use std::num::NonZeroU64;

use cyclr::range::ProbeResult;
use cyclr::trainer::{Direction, Metrics, TrainerFactory as _};
use cyclr::units::Epochs;
use cyclr_train::find::{
    Curve, FRACTION, Measure, Ramp, RangeTest, Shape, SweepTest, range_test, sweep_test,
};
use cyclr_train::{Average, Budget, Error, Interrupt, StopReason, Task, Watch};
use pyo3::prelude::*;

use crate::range::{Answer, SweepReading};
use crate::schedule::AnySpec;
use crate::trainer::{PyFactory, with_factory};
use crate::{CyclrError, refused, whole};

/// A sweep that is given rather than found out.
#[derive(FromPyObject)]
pub(crate) struct Sweep {
    shape: String,
    start: f64,
    end: f64,
    updates: u64,
}

impl Sweep {
    fn ramp(&self) -> PyResult<Ramp> {
        let shape = match self.shape.as_str() {
            "linear" => Shape::Linear,
            "exponential" => Shape::Exponential,
            other => {
                return Err(CyclrError::new_err(format!(
                    "shape = {other:?}: it must be \"linear\" or \"exponential\""
                )));
            }
        };
        Ramp::new(shape, self.start, self.end, self.updates).map_err(refused)
    }
}

/// What a range test measured, and what it says.
#[derive(IntoPyObject)]
pub(crate) struct Found {
    answer: Answer,
    probes: Vec<Probe>,
    reading: SweepReading,
    curves: Vec<Measured>,
    given_weights: bool,
}

/// One probe.
#[derive(IntoPyObject)]
struct Probe {
    lr: f64,
    updates: u64,
    repeat: u64,
    loss: Option<f64>,
    figure: Option<f64>,
    made: u64,
}

/// One sweep.
#[derive(IntoPyObject)]
struct Measured {
    lr: Vec<f64>,
    loss: Vec<Option<f64>>,
    figure: Vec<Option<f64>>,
    count: Vec<u64>,
    direction: &'static str,
    diverged: Option<f64>,
}

/// A range test over a Python trainer factory, as `cyclr find` makes it; if a sweep is given,
/// sweeps alone.
#[pyfunction]
#[pyo3(signature = (factory, *, budget, updates, repeats, seed, sweep, validation_points))]
#[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
pub(crate) fn find(
    py: Python<'_>,
    factory: Py<PyAny>,
    #[pyo3(from_py_with = whole)] budget: Option<u64>,
    #[pyo3(from_py_with = whole)] updates: Option<u64>,
    repeats: u32,
    seed: u64,
    sweep: Option<Sweep>,
    #[pyo3(from_py_with = whole)] validation_points: Option<u64>,
) -> PyResult<Found> {
    if budget == Some(0) {
        return Err(CyclrError::new_err(
            "budget = 0: give the updates of the training that the bounds are for",
        ));
    }
    let ramp = sweep.as_ref().map(Sweep::ramp).transpose()?;
    let measure =
        validation_points.map_or(Measure::Training, |points| Measure::Validation { points });
    // The interpreter is one, and the trainers share it.
    let threads = 1;
    with_factory(py, factory, |factory| {
        let Some(ramp) = ramp else {
            let usual = match budget {
                Some(budget) => RangeTest::for_budget(budget, FRACTION, &factory.info()?),
                None => RangeTest::default(),
            };
            let test = RangeTest {
                seed,
                threads,
                updates: updates.unwrap_or(usual.updates),
                ..usual
            };
            return tested(factory, &test);
        };
        let test = SweepTest {
            seed,
            repeats,
            threads,
            measure,
            ..SweepTest::new(ramp)
        };
        swept(factory, &test)
    })
}

/// A range test.
fn tested(factory: &PyFactory, test: &RangeTest) -> Result<Found, Error> {
    let watch = Watch {
        observer: &mut |_event| {},
        interrupt: &Interrupt::new(),
    };
    let found = range_test(factory, test, watch)?;
    Ok(Found {
        answer: found.answer.into(),
        probes: found.probes.iter().map(Into::into).collect(),
        reading: found.sweep.reading.into(),
        curves: found.sweep.curves.iter().map(Into::into).collect(),
        given_weights: found.given_weights,
    })
}

/// Sweeps alone.
fn swept(factory: &PyFactory, test: &SweepTest) -> Result<Found, Error> {
    let given_weights = factory.info()?.given_weights;
    let watch = Watch {
        observer: &mut |_event| {},
        interrupt: &Interrupt::new(),
    };
    let swept = sweep_test(factory, test, watch)?;
    Ok(Found {
        answer: swept.reading.answer.into(),
        probes: Vec::new(),
        reading: swept.reading.into(),
        curves: swept.curves.iter().map(Into::into).collect(),
        given_weights,
    })
}

impl From<&ProbeResult> for Probe {
    fn from(result: &ProbeResult) -> Self {
        Self {
            lr: result.probe.lr,
            updates: result.probe.updates,
            repeat: result.probe.repeat,
            loss: result.loss,
            figure: result.figure,
            made: result.made,
        }
    }
}

impl From<&Curve> for Measured {
    fn from(curve: &Curve) -> Self {
        Self {
            lr: curve.points.iter().map(|p| p.lr).collect(),
            loss: curve.points.iter().map(|p| p.loss).collect(),
            figure: curve.points.iter().map(|p| p.figure).collect(),
            count: curve.points.iter().map(|p| p.count).collect(),
            direction: word(curve.direction),
            diverged: curve.diverged.map(|d| d.lr),
        }
    }
}

/// What came of a training.
#[derive(IntoPyObject)]
pub(crate) struct Outcome {
    stop_reason: &'static str,
    updates_done: u64,
    evaluations: Vec<(u64, Option<u64>, Vec<Measurement>)>,
    test: Option<Vec<Measurement>>,
    compute_seconds: f64,
    averages: Vec<(u64, Vec<Measurement>)>,
}

/// The arguments of `cyclr.Metric`.
type Measurement = (String, f64, u64, &'static str, Option<u64>);

/// Trains one run of a Python trainer factory, as `cyclr train` does, without a folder.
#[pyfunction]
#[pyo3(signature = (factory, spec, *, seed, updates, epochs, evaluate_every, test, average))]
#[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
pub(crate) fn train(
    py: Python<'_>,
    factory: Py<PyAny>,
    spec: AnySpec,
    seed: u64,
    #[pyo3(from_py_with = whole)] updates: Option<u64>,
    epochs: Option<f64>,
    #[pyo3(from_py_with = whole)] evaluate_every: Option<u64>,
    test: bool,
    average: Option<String>,
) -> PyResult<Outcome> {
    let budget = match (updates, epochs) {
        (Some(updates), None) => Budget::Updates(updates),
        (None, Some(epochs)) => Budget::Epochs(Epochs::new(epochs).map_err(refused)?),
        _ => return Err(CyclrError::new_err("give updates=… or epochs=…")),
    };
    let mut task = Task::new(spec.0, seed, budget);
    task.test = test;
    let average = average.map(|average| average.parse::<Average>());
    task.average = average.transpose().map_err(CyclrError::new_err)?;
    let every = |updates| {
        NonZeroU64::new(updates)
            .ok_or_else(|| refused("evaluate_every = 0: give at least 1, or None"))
    };
    task.evaluate_every = evaluate_every.map(every).transpose()?;
    let outcome = with_factory(py, factory, |factory| {
        let watch = Watch {
            observer: &mut |_event| {},
            interrupt: &Interrupt::new(),
        };
        cyclr_train::train(factory, &task, watch)
    })?;
    let point =
        |p: &cyclr_train::ValidationPoint| (p.updates_done, p.trough, measurements(&p.metrics));
    let of_average = |p: &cyclr_train::ValidationPoint| {
        let metrics = p.average.as_ref()?;
        Some((p.updates_done, measurements(metrics)))
    };
    Ok(Outcome {
        stop_reason: match outcome.stop_reason {
            StopReason::Diverged { .. } => "diverged",
            _ => "completed",
        },
        updates_done: outcome.updates_done,
        evaluations: outcome.evaluations.iter().map(point).collect(),
        test: outcome.test.as_ref().map(measurements),
        compute_seconds: outcome.compute_seconds,
        // Points before the first trough have no average.
        averages: outcome.evaluations.iter().filter_map(of_average).collect(),
    })
}

fn measurements(metrics: &Metrics) -> Vec<Measurement> {
    let one = |m: &cyclr::trainer::Metric| {
        let name = m.name.clone().into_owned();
        (name, m.value, m.count, word(m.direction), m.correct)
    };
    metrics.iter().map(one).collect()
}

fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Higher => "higher",
        Direction::Lower => "lower",
    }
}
