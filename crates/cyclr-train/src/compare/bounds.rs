//! The range test of a comparison.

use std::fs;
use std::path::Path;

use cyclr::range::Estimate;
use cyclr::trainer::TrainerFactory;

use super::record::{Range, Sweep};
use crate::find::{
    Curve, CurvePoint, FindEvent, RangeTest, Swept, describe_intervals, probe_from, sweep_first,
};
use crate::store::write_atomically;
use crate::{Error, Watch};

/// The points of a recorded curve; about as many as a chart shows.
const BINS: usize = 150;

/// A finished sweep, until the range test is finished.
pub(super) const SWEEP: &str = ".sweep.csv";

/// Makes the range test and keeps what the report shows of it; the curves themselves go into the
/// folder `sweeps`, also where they give no answer. A sweep that was finished before an interrupt
/// is not made again.
pub(super) fn find(
    factory: &dyn TrainerFactory,
    test: &RangeTest,
    sweeps: &Path,
    watch: Watch<FindEvent>,
) -> Result<Range, Error> {
    let Watch {
        observer,
        interrupt,
    } = watch;
    let observer = &mut *observer;
    let swept = if let Some(swept) = kept(sweeps)? {
        swept
    } else {
        let watch = Watch {
            observer,
            interrupt,
        };
        let swept = sweep_first(factory, test, watch)?;
        keep(&swept, sweeps)?;
        swept
    };
    let watch = Watch {
        observer,
        interrupt,
    };
    let found = probe_from(factory, test, swept, watch)?;
    found.keep(sweeps)?;
    forget(sweeps)?;
    let bounds = found.answer.map_err(|reason| Error::NoBounds {
        reason,
        sweeps: sweeps.to_owned(),
    })?;
    let (base_lr, base_interval) = parts(bounds.base_lr);
    let (max_lr, max_interval) = parts(bounds.max_lr);
    Ok(Range {
        base_lr,
        base_interval,
        max_lr,
        max_interval,
        interval: describe_intervals(&bounds),
        updates: found.updates(),
        sweeps: found.sweep.curves.iter().map(thinned).collect(),
    })
}

/// Keeps a sweep that reads back the same from text. One that does not is made again.
fn keep(swept: &Swept, sweeps: &Path) -> Result<(), Error> {
    let [curve] = &swept.curves[..] else {
        return Ok(());
    };
    let text = curve.to_csv();
    let same = Curve::from_csv(&text).is_ok_and(|read| {
        // Figures that are not finite are no reason to make it again, and never equal.
        format!("{:?}", read.points) == format!("{:?}", curve.points)
            && read.direction == curve.direction
    });
    if same {
        fs::create_dir_all(sweeps).map_err(Error::io("create", sweeps))?;
        write_atomically(&sweeps.join(SWEEP), text.as_bytes())?;
    }
    Ok(())
}

fn kept(sweeps: &Path) -> Result<Option<Swept>, Error> {
    let path = sweeps.join(SWEEP);
    if !path.exists() {
        return Ok(None);
    }
    Swept::of(vec![Curve::read(&path)?]).map(Some)
}

fn forget(sweeps: &Path) -> Result<(), Error> {
    let path = sweeps.join(SWEEP);
    if path.exists() {
        fs::remove_file(&path).map_err(Error::io("remove", &path))?;
    }
    Ok(())
}

fn parts(estimate: Estimate) -> (f64, Option<[f64; 2]>) {
    (estimate.value, Some([estimate.low, estimate.high]))
}

/// The curve in few bins, each with the geometric middle of its rates; an accuracy in points.
fn thinned(curve: &Curve) -> Sweep {
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
        sweep
            .value
            .push(mean(bin, |point| match (point.figure, point.correct) {
                (Some(fraction), Some(_)) => Some(100.0 * fraction),
                (Some(figure), None) => Some(figure),
                (None, _) => point.loss,
            }));
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
