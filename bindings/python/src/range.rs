use cyclr::range::{self, Estimate, NoAnswer, Point, Rule, Sweep};
use cyclr::trainer::Direction;
use cyclr_train::find::describe_basis;
use pyo3::prelude::*;

use crate::{CyclrError, refused};

/// A recorded sweep.
#[derive(FromPyObject)]
pub(crate) struct Recorded {
    lr: Vec<f64>,
    loss: Option<Vec<f64>>,
    figure: Option<Vec<f64>>,
    count: Option<Vec<u64>>,
    direction: String,
}

/// Bounds, or why there are none.
#[derive(IntoPyObject)]
pub(crate) struct Answer {
    bounds: Option<Bounds>,
    no_answer: Option<Reason>,
}

/// What sweeps say.
#[derive(IntoPyObject)]
pub(crate) struct SweepReading {
    answer: Answer,
    pub(crate) repeats: Vec<Option<(f64, f64)>>,
    pub(crate) largest_stable: Option<f64>,
    pub(crate) suggestions: Vec<Option<Suggestions>>,
}

#[derive(IntoPyObject)]
pub(crate) struct Bounds {
    base_lr: (f64, f64, f64, String),
    max_lr: (f64, f64, f64, String),
    held_by: Option<f64>,
    fixed_lr: Option<f64>,
}

#[derive(IntoPyObject)]
pub(crate) struct Reason {
    kind: &'static str,
    reason: String,
    advice: &'static str,
}

#[derive(IntoPyObject)]
pub(crate) struct Suggestions {
    minimum_tenth: f64,
    steepest: f64,
    valley: f64,
    slide: f64,
}

#[pyfunction]
pub(crate) fn read_bounds(sweeps: Vec<Recorded>) -> PyResult<SweepReading> {
    let sweeps: Vec<Sweep> = sweeps
        .iter()
        .map(Recorded::sweep)
        .collect::<PyResult<_>>()?;
    Ok(range::read_bounds(&sweeps, &Rule::default()).into())
}

impl Recorded {
    fn sweep(&self) -> PyResult<Sweep> {
        let n = self.lr.len();
        let lengths = [
            ("loss", self.loss.as_ref().map_or(n, Vec::len)),
            ("figure", self.figure.as_ref().map_or(n, Vec::len)),
            ("count", self.count.as_ref().map_or(n, Vec::len)),
        ];
        if let Some((name, length)) = lengths.iter().find(|(_, length)| *length != n) {
            return Err(CyclrError::new_err(format!(
                "lr has {n} values and {name} {length}: give one for each update"
            )));
        }
        let point = |i: usize| Point {
            lr: self.lr[i],
            loss: self.loss.as_ref().map(|loss| loss[i]),
            figure: self.figure.as_ref().map(|figure| figure[i]),
            count: self.count.as_ref().map_or(1, |count| count[i]),
        };
        Sweep::new((0..n).map(point).collect(), direction(&self.direction)?).map_err(refused)
    }
}

/// Whether more or less is better, from its word.
pub(crate) fn direction(word: &str) -> PyResult<Direction> {
    match word {
        "higher" => Ok(Direction::Higher),
        "lower" => Ok(Direction::Lower),
        _ => Err(CyclrError::new_err(format!(
            "direction = {word:?}: it must be \"higher\" or \"lower\""
        ))),
    }
}

impl From<range::SweepReading> for SweepReading {
    fn from(reading: range::SweepReading) -> Self {
        let pair = |pair: range::Pair| (pair.base_lr, pair.max_lr);
        Self {
            largest_stable: reading.largest_stable(),
            repeats: reading.repeats.iter().map(|r| r.ok().map(pair)).collect(),
            suggestions: reading
                .suggestions
                .iter()
                .map(|p| p.map(Into::into))
                .collect(),
            answer: reading.answer.into(),
        }
    }
}

impl From<Result<range::Bounds, NoAnswer>> for Answer {
    fn from(answer: Result<range::Bounds, NoAnswer>) -> Self {
        Self {
            bounds: answer.ok().map(Into::into),
            no_answer: answer.err().map(Into::into),
        }
    }
}

impl From<range::Bounds> for Bounds {
    fn from(bounds: range::Bounds) -> Self {
        let parts = |e: Estimate| {
            (
                e.value,
                e.interval.low,
                e.interval.high,
                describe_basis(e.basis),
            )
        };
        Self {
            base_lr: parts(bounds.base_lr),
            max_lr: parts(bounds.max_lr),
            held_by: bounds.held_by,
            fixed_lr: bounds.fixed_lr,
        }
    }
}

impl From<NoAnswer> for Reason {
    fn from(no_answer: NoAnswer) -> Self {
        Self {
            kind: match no_answer {
                NoAnswer::TooFewPoints { .. } => "too_few_points",
                NoAnswer::NothingLearnt { .. } => "nothing_learnt",
                NoAnswer::StartsTooHigh { .. } => "starts_too_high",
                NoAnswer::EndsBeforeSlowing { .. } => "ends_before_slowing",
                NoAnswer::RepeatsDisagree { .. } => "repeats_disagree",
                NoAnswer::DivergesAtOnce { .. } => "diverges_at_once",
                NoAnswer::Constant { .. } => "constant",
                NoAnswer::BestAtFirst { .. } => "best_at_first",
                NoAnswer::Smoothed { .. } => "smoothed",
                NoAnswer::NotRepeats { .. } => "not_repeats",
                NoAnswer::HardlyLearns { .. } => "hardly_learns",
                NoAnswer::NoBetterThanUntrained { .. } => "no_better_than_untrained",
                NoAnswer::BreaksAtOnce { .. } => "breaks_at_once",
                NoAnswer::ProbesDiverged { .. } => "probes_diverged",
                _ => "other",
            },
            reason: no_answer.to_string(),
            advice: no_answer.advice(),
        }
    }
}

impl From<range::Suggestions> for Suggestions {
    fn from(suggestions: range::Suggestions) -> Self {
        Self {
            minimum_tenth: suggestions.minimum_tenth,
            steepest: suggestions.steepest,
            valley: suggestions.valley,
            slide: suggestions.slide,
        }
    }
}
