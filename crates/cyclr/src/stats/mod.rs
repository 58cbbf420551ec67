//! Statistics of small samples: intervals, paired comparisons with a verdict, and the time until a
//! target is reached.
//!
//! Everything here is a pure function of numbers and knows nothing of training. The level is fixed
//! throughout: intervals hold 95 % and a claim is made at an error of 5 % ([`ALPHA`]). Only the
//! looks of a [`Race`] have a stricter one, so that all of them together make that error.
//!
//! - [`Summary`]: mean, standard deviation and t-interval; [`LogSummary`] does the same on a
//!   logarithmic scale.
//! - [`Paired`]: the t-test and the equivalence test (TOST) of one arm against a reference on the
//!   same seeds; [`Welch`]: the same on different seeds. [`Correlation`]: whether pairing helps.
//! - [`compare`] and [`compare_family`]: several arms against one reference, adjusted by [`holm`],
//!   each with a [`Verdict`].
//! - [`Race`]: when seeds are added while a verdict is open, and what each look may claim.
//! - [`ExampleSpread`]: the part of the spread that the number of test examples explains.
//! - [`seeds_to_decide`]: how many seeds would settle what these could not.
//! - [`mcnemar`]: whether one classifier is right more often than another on the same examples.
//! - [`sign_test`]: whether one arm is ahead of another at more tasks than by chance.
//! - [`time_ratio`]: how much sooner a target is reached, where some runs never reach it.
//! - [`student_cdf`] and so on: the distributions behind all of these.
//!
//! Values must be finite; NaN is refused, never skipped.

mod correlation;
mod distributions;
mod examples;
mod holm;
mod mcnemar;
mod paired;
mod race;
mod seeds;
mod sign_test;
mod special;
mod summary;
mod t_test;
mod time_to_target;
mod verdict;
mod welch;

pub use correlation::Correlation;
pub use distributions::{
    binomial_tail, chi_square_cdf, chi_square_quantile, student_cdf, student_quantile,
};
pub use examples::ExampleSpread;
pub use holm::holm;
pub use mcnemar::{McNemar, mcnemar};
pub use paired::Paired;
pub use race::Race;
pub use seeds::{POWER, SEED_CAP, SeedRange, seeds_to_decide, seeds_to_detect, seeds_to_equate};
pub use sign_test::{SignTest, sign_test};
pub use summary::{Interval, LogSummary, Summary, mean};
pub use t_test::{MARGINS, ROUNDING, TTest, Tost};
pub use time_to_target::{Median, Time, TimeRatio, median_time, time_ratio};
pub use verdict::{
    Comparison, Difference, Obstacle, Pairing, Rules, Verdict, compare, compare_family,
};
pub use welch::Welch;

use crate::spec::number;

/// The chance of a wrong claim that is accepted, family-wise.
pub const ALPHA: f64 = 0.05;

/// The largest size of a value. The square of anything larger would not fit an `f64`.
const LARGEST: f64 = 1e100;

/// Why a statistic could not be computed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StatsError {
    /// A sample is too small.
    #[error("{n} values are too few: at least {needed} are needed")]
    TooFew {
        /// The size of the sample.
        n: usize,
        /// The smallest size that would do.
        needed: usize,
    },
    /// A value is NaN, infinite or too large.
    #[error(
        "value {} at index {index} is not a finite number of at most 1e100 in size",
        number(*value)
    )]
    NotFinite {
        /// Its place in the sample, from 0.
        index: usize,
        /// The value.
        value: f64,
    },
    /// A rate or a time is not a positive number.
    #[error("value {} at index {index} is not a number in 1e-100..=1e100", number(*value))]
    NotPositive {
        /// Its place in the sample, from 0.
        index: usize,
        /// The value.
        value: f64,
    },
    /// Two samples that should be paired have different sizes.
    #[error("{arm} values cannot be paired with {reference}: give one of each for every pair")]
    Unpaired {
        /// The size of the first sample.
        arm: usize,
        /// The size of the second.
        reference: usize,
    },
    /// A t-test of differences that are all the same, or of samples neither of which varies: their
    /// spread is 0, and so it says nothing of other seeds.
    #[error(
        "a test needs values that vary, and the difference of these {n} is always {}",
        number(*value)
    )]
    NoSpread {
        /// The number of pairs; if the samples are not paired, that of the values of both.
        n: usize,
        /// What every difference is.
        value: f64,
    },
    /// An argument that is one number is outside its range.
    #[error("{name} is {}, and should be in {range}", number(*value))]
    Range {
        /// What the argument is.
        name: &'static str,
        /// The value that was given.
        value: f64,
        /// The values that are allowed.
        range: &'static str,
    },
}

/// Refuses a value outside `allowed`, NaN included.
fn check_range(
    name: &'static str,
    value: f64,
    allowed: core::ops::RangeInclusive<f64>,
    range: &'static str,
) -> Result<f64, StatsError> {
    if allowed.contains(&value) {
        Ok(value)
    } else {
        Err(StatsError::Range { name, value, range })
    }
}
