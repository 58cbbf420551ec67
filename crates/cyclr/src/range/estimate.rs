use alloc::vec::Vec;

use super::{
    NoAnswer, Rule,
    curve::Curve,
    reading::{self, LnPair},
};
use crate::stats::{Interval, Summary};

/// The resampled curves of a bootstrap.
const RESAMPLES: usize = 200;

/// The neighbouring updates that are resampled together.
const BLOCK: usize = 8;

/// A rate with its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The rate.
    pub value: f64,
    /// Its interval, which holds `value`.
    pub interval: Interval,
    /// Where the interval comes from.
    pub basis: Basis,
}

/// Where an interval comes from, and so what it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// 95 %, Student's t on ln rate over the repeats that could be read: other seeds.
    Repeats {
        /// The repeats that could be read, at least two.
        read: usize,
        /// All repeats.
        made: usize,
    },
    /// 95 %, of what another seed would answer at another cost.
    Prediction,
    /// The middle 95 % of a block bootstrap of the only repeat: the noise of its batches, *not*
    /// other seeds.
    Bootstrap,
}

impl Basis {
    /// The repeats that could be read.
    pub const fn read(self) -> usize {
        match self {
            Self::Repeats { read, .. } => read,
            Self::Bootstrap | Self::Prediction => 1,
        }
    }
}

impl Estimate {
    /// From the ln of a rate and of its interval's ends.
    fn from_ln(value: f64, ends: Interval, basis: Basis) -> Self {
        Self {
            value: libm::exp(value),
            interval: Interval {
                low: libm::exp(ends.low.min(value)),
                high: libm::exp(ends.high.max(value)),
            },
            basis,
        }
    }

    /// The rate and its interval, divided by a number above 0.
    pub(super) fn over(self, divisor: f64) -> Self {
        self.each(|lr| lr / divisor)
    }

    /// The same estimate, nothing of it above `limit`.
    pub fn capped(self, limit: f64) -> Self {
        self.each(|lr| lr.min(limit))
    }

    /// The rate and both ends of its interval, each changed by a function that never falls.
    fn each(self, change: impl Fn(f64) -> f64) -> Self {
        Self {
            value: change(self.value),
            interval: Interval {
                low: change(self.interval.low),
                high: change(self.interval.high),
            },
            ..self
        }
    }
}

/// The mean of the repeats' ln rates (at least two), with its 95 % t interval.
pub(super) fn over_repeats(ln_rates: &[f64], made: usize) -> Estimate {
    let summary = summary(ln_rates);
    let ends = summary.interval.expect("there are at least two");
    let read = ln_rates.len();
    Estimate::from_ln(summary.mean, ends, Basis::Repeats { read, made })
}

/// The standard deviation of ln rates (at least two).
pub(super) fn deviation(ln_rates: &[f64]) -> f64 {
    summary(ln_rates).sd.expect("there are at least two")
}

fn summary(ln_rates: &[f64]) -> Summary {
    Summary::of(ln_rates).expect("the ln of a rate is a finite number of moderate size")
}

/// What resampled curves say: the smoothed curve plus its own residuals, moved in blocks of
/// neighbouring updates from nearby, as the noise changes along a sweep.
pub(super) fn resampled_readings(curve: &Curve, rule: &Rule) -> Vec<Result<LnPair, NoAnswer>> {
    let mut random = SplitMix(0x5EED);
    let again = |_| {
        let values = resampled(curve, &mut random);
        let smoothed = curve.smoother.smooth(&values);
        reading::read(curve, &values, &smoothed, rule)
    };
    (0..RESAMPLES).map(again).collect()
}

/// The ln rate that a curve gave, with the middle 95 % of those that its resampled curves (at
/// least one) gave.
pub(super) fn over_resamples(value: f64, mut resampled: Vec<f64>) -> Estimate {
    resampled.sort_by(f64::total_cmp);
    let last = resampled.len() - 1;
    let at = |fraction: f64| resampled[libm::round(fraction * last as f64) as usize];
    let ends = Interval {
        low: at(0.025),
        high: at(0.975),
    };
    Estimate::from_ln(value, ends, Basis::Bootstrap)
}

fn resampled(curve: &Curve, random: &mut SplitMix) -> Vec<f64> {
    let n = curve.values.len();
    let nearby = (n / 16).max(BLOCK);
    let mut values = curve.smoothed.clone();
    for block in (0..n).step_by(BLOCK) {
        let from = (block + random.below(2 * nearby + 1)).saturating_sub(nearby);
        let from = from.min(n - BLOCK.min(n));
        for i in 0..BLOCK.min(n - block) {
            values[block + i] += curve.values[from + i] - curve.smoothed[from + i];
        }
    }
    values
}

/// The generator of Steele, Lea and Flood (2014), "Fast splittable pseudorandom number
/// generators".
struct SplitMix(u64);

impl SplitMix {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }
}
