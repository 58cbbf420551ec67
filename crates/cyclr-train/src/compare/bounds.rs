//! The range test of a comparison.

use std::path::Path;

use cyclr::trainer::{Objective, TrainerFactory};

use super::record::{Range, Sweep};
use crate::find::{
    Curve, CurvePoint, FindEvent, Kept, RangeTest, describe_intervals, range_test_keeping,
};
use crate::{Error, Watch};

/// The points of a recorded curve; about as many as a chart shows.
const BINS: usize = 150;

/// Makes the range test and keeps what the report shows of it; the curves themselves go into the
/// folder `sweeps`, also where they give no answer. What was finished before an interrupt, of the
/// sweep and the probes, is not made again; the caller, who stores the answer, forgets it.
pub(super) fn find(
    factory: &dyn TrainerFactory,
    objective: &Objective,
    test: &RangeTest,
    sweeps: &Path,
    watch: Watch<FindEvent>,
) -> Result<Range, Error> {
    let kept = Kept::read(sweeps)?;
    let found = range_test_keeping(factory, test, &kept, watch)?;
    found.keep(sweeps)?;
    let bounds = match found.answer {
        Ok(bounds) => bounds,
        Err(reason) => {
            Kept::forget(sweeps)?;
            return Err(Error::NoBounds {
                reason: format!("{reason}; {}", reason.advice()),
                sweeps: sweeps.to_owned(),
            });
        }
    };
    let curves = found.sweep.curves.iter();
    Ok(Range {
        base_lr: bounds.base_lr.value,
        base_interval: Some(bounds.base_lr.interval),
        max_lr: bounds.max_lr.value,
        max_interval: Some(bounds.max_lr.interval),
        interval: describe_intervals(&bounds),
        updates: found.updates(),
        sweeps: curves.map(|curve| thinned(curve, objective)).collect(),
    })
}

/// The curve in few bins, each with the geometric middle of its rates and the objective in its unit.
/// An objective that is not measured in training has no values.
fn thinned(curve: &Curve, objective: &Objective) -> Sweep {
    let value = |point: &CurvePoint| match &*objective.name {
        "loss" => point.loss,
        _ => point.figure.map(|figure| objective.unit.of(figure)),
    };
    let width = curve.points.len().div_ceil(BINS).max(1);
    let mut sweep = Sweep {
        lr: Vec::new(),
        value: Vec::new(),
        loss: Vec::new(),
    };
    for bin in curve.points.chunks(width) {
        let (first, last) = (bin[0].lr, bin[bin.len() - 1].lr);
        let middle = if first > 0.0 {
            (first * last).sqrt()
        } else {
            f64::midpoint(first, last)
        };
        sweep.lr.push(middle);
        sweep.loss.push(mean(bin, |point| point.loss));
        sweep.value.push(mean(bin, value));
    }
    sweep
}

fn mean(points: &[CurvePoint], of: impl Fn(&CurvePoint) -> Option<f64>) -> Option<f64> {
    let values: Vec<f64> = points
        .iter()
        .filter_map(of)
        .filter(|v| v.is_finite())
        .collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
