use cyclr::Hyper;
use cyclr::trainer::{Direction, Metrics, Split, Trainer, TrainerError, TrainerInfo};

use super::curve::falling_in;
use crate::find::{Curve, CurvePoint, Diverged, Ramp};
use crate::run::refuse_for_whole_runs;
use crate::{Error, Watch};

/// What a range test measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Each update's own training batch, before the update.
    Training,
    /// The whole validation split, after updates spread evenly over the sweep.
    Validation {
        /// The times it is read, at least 16.
        points: u64,
    },
}

/// Makes a sweep with a run in mid-training, and puts the run back: weights, optimizer, norm
/// statistics, random numbers and place in the data are then as before, also after an error, an
/// interrupt, divergence or a panic.
///
/// # Errors
/// [`Error::Trainer`] if the run cannot be put back, or the sweep failed; [`Error::Undecidable`]
/// if the validation split is to be measured and there is none; [`Error::Interrupted`].
pub fn range_test_in_place(
    net: &mut dyn Trainer,
    ramp: &Ramp,
    measure: Measure,
    mut watch: Watch<CurvePoint>,
) -> Result<Curve, Error> {
    let mut borrowed = Borrowed::new(net)?;
    let curve = sweep(borrowed.net, ramp, None, measure, &mut watch);
    borrowed.put_back()?;
    curve
}

/// A run whose state is put back at the end.
struct Borrowed<'a> {
    net: &'a mut dyn Trainer,
    state: Option<Vec<u8>>,
}

impl<'a> Borrowed<'a> {
    fn new(net: &'a mut dyn Trainer) -> Result<Self, TrainerError> {
        let state = Some(net.state()?);
        Ok(Self { net, state })
    }

    fn put_back(&mut self) -> Result<(), TrainerError> {
        self.state
            .take()
            .map_or(Ok(()), |state| self.net.restore(&state))
    }
}

impl Drop for Borrowed<'_> {
    /// Only a panic leaves something to put back here; a failure could not be told to anyone.
    fn drop(&mut self) {
        let _ = self.put_back();
    }
}

/// Makes a sweep, up to its end or to where training diverges.
pub(super) fn sweep(
    net: &mut dyn Trainer,
    ramp: &Ramp,
    weight_decay: Option<f64>,
    measure: Measure,
    watch: &mut Watch<CurvePoint>,
) -> Result<Curve, Error> {
    check_measure(net.info(), measure)?;
    let info = net.info().clone();
    let mut losses = Losses::default();
    let mut curve = Curve {
        points: Vec::new(),
        direction: Direction::Lower,
        diverged: None,
        printed: Vec::new(),
    };
    let mut made = 0;
    while made < ramp.updates() && curve.diverged.is_none() {
        watch.interrupt.check()?;
        let stop = next_stop(ramp, measure, made);
        let hyper = |update| Hyper {
            weight_decay,
            ..Hyper::lr(ramp.at(update))
        };
        let batches = net.updates(&(made..stop).map(hyper).collect::<Vec<_>>())?;
        for (update, batch) in (made..).zip(&batches) {
            if measure == Measure::Training {
                curve.push(update, ramp.at(update), batch, &info);
            }
            curve.diverged = curve
                .diverged
                .or(losses.diverged(ramp.at(update), batch, &info));
        }
        made += self::made(stop - made, &batches)?;
        if measure != Measure::Training {
            let held_out = net.evaluate(Split::Validation)?.metrics;
            curve.push(made - 1, ramp.at(made - 1), &held_out, &info);
        }
        curve
            .points
            .last()
            .into_iter()
            .for_each(&mut *watch.observer);
    }
    Ok(curve)
}

/// The count of updates that were made of those asked for; fewer only where training diverged.
pub(super) fn made(asked: u64, batches: &[Metrics]) -> Result<u64, TrainerError> {
    let made = batches.len() as u64;
    if made == asked || batches.last().is_some_and(|batch| !batch.is_finite()) {
        return Ok(made);
    }
    let reason = format!("it made {made} of {asked} updates, all of them finite");
    Err(TrainerError::Failed { reason })
}

/// The count of updates up to which the next ones are made in one go.
fn next_stop(ramp: &Ramp, measure: Measure, made: u64) -> u64 {
    /// Few, so that an interrupt is noticed soon.
    const AT_ONCE: u64 = 5;
    let updates = ramp.updates();
    match measure {
        Measure::Training => (made + AT_ONCE).min(updates),
        Measure::Validation { points } => {
            let points = points.min(updates);
            let next = made * points / updates + 1;
            (next * updates).div_ceil(points)
        }
    }
}

pub(super) fn check_measure(info: &TrainerInfo, measure: Measure) -> Result<(), Error> {
    refuse_for_whole_runs(info, "a sweep", "take the bounds from elsewhere")?;
    if matches!(measure, Measure::Validation { .. }) && info.validation == 0 {
        return Err(Error::Undecidable {
            option: "a range test on validation data",
            needed: "a validation split: set some of the training data aside for it",
        });
    }
    Ok(())
}

/// The training losses of a sweep (or a figure that falls, in their place), watched for
/// divergence: one that is not finite, or five in a row whose mean is above four times that of the
/// first five, and far outside their spread, which matters if they are near 0. If they are 0 there
/// is nothing to compare with.
#[derive(Default)]
struct Losses(Vec<f64>);

impl Losses {
    fn diverged(&mut self, lr: f64, batch: &Metrics, info: &TrainerInfo) -> Option<Diverged> {
        if !batch.is_finite() {
            return Some(Diverged {
                lr,
                not_finite: true,
            });
        }
        self.0.push(falling_in(batch, info)?);
        self.is_far_above_the_first().then_some(Diverged {
            lr,
            not_finite: false,
        })
    }

    fn is_far_above_the_first(&self) -> bool {
        const FEW: usize = 5;
        let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
        let (Some(first), Some(last)) = (self.0.first_chunk::<FEW>(), self.0.last_chunk::<FEW>())
        else {
            return false;
        };
        let deviations = first.map(|loss| (loss - mean(first)).abs());
        let far = (3.0 * mean(first).abs()).max(5.0 * mean(&deviations));
        far > 0.0 && mean(last) > mean(first) + far
    }
}
