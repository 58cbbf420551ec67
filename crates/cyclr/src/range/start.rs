use alloc::vec::Vec;

use super::search::mean;
use super::{NoAnswer, Sweep};

/// Where the probes start, read from a sweep.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Start {
    /// The rate at which the smoothed loss is least.
    pub lr: f64,
    /// The mean loss of the sweep's opening, before anything is learnt.
    pub opening: f64,
    /// The standard deviation of the loss of one example there, as far as batches show it.
    pub deviation: f64,
    /// The mean of the objective beside the loss there, if there is one.
    pub figure: Option<f64>,
    /// The examples of the opening.
    pub count: u64,
    /// Whether training starts from given weights.
    pub given_weights: bool,
}

impl Start {
    /// Reads the start from an exponential sweep that begins at a rate too low to learn.
    ///
    /// # Errors
    /// [`NoAnswer::BreaksAtOnce`] if the loss is not finite from the start.
    pub fn of(sweep: &Sweep, given_weights: bool) -> Result<Self, NoAnswer> {
        let points = sweep.points();
        let losses: Vec<f64> = sweep.losses().collect();
        if losses.len() < FEWEST_OPENING {
            return Err(NoAnswer::BreaksAtOnce {
                updates: losses.len(),
            });
        }
        let half = (losses.len() / 26).max(1);
        let smoothed = |i: usize| {
            let near = &losses[i.saturating_sub(half)..(i + half + 1).min(losses.len())];
            mean(near.iter().copied())
        };
        let least = (0..losses.len()).map(|i| (i, smoothed(i)));
        let least = least.fold((0, f64::INFINITY), |a, b| if b.1 < a.1 { b } else { a });
        let lr = points[least.0].lr;
        let idle = points.partition_point(|point| point.lr < lr / IDLE);
        let quarter = losses.len() / OPENING_SHARE;
        let opening = &points[..quarter.max(idle).max(FEWEST_OPENING)];
        let losses = &losses[..opening.len()];
        let counts = opening.iter().map(|point| point.count);
        let count = counts.fold(0, u64::saturating_add);
        let batch = count as f64 / opening.len() as f64;
        Ok(Self {
            lr,
            opening: mean(losses.iter().copied()),
            deviation: deviation(losses) * libm::sqrt(batch),
            figure: mean_of(opening.iter().map(|point| point.figure)),
            count,
            given_weights,
        })
    }
}

/// Nothing is learnt at rates that lie below the one of the least loss by this factor.
const IDLE: f64 = 100.0;

/// The share of a sweep's points, and the least number of them, that are its opening.
const OPENING_SHARE: usize = 4;
const FEWEST_OPENING: usize = 3;

/// The standard deviation of numbers, of which there are at least two.
fn deviation(values: &[f64]) -> f64 {
    let centre = mean(values.iter().copied());
    let squares: f64 = values.iter().map(|v| (v - centre) * (v - centre)).sum();
    libm::sqrt(squares / (values.len() - 1) as f64)
}

/// The mean of values that are all there.
fn mean_of(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let values: Option<Vec<f64>> = values.collect();
    values.map(|values| mean(values.into_iter()))
}
