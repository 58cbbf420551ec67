//! Student's t-test and the equivalence test of a difference whose standard error and degrees of
//! freedom are known, paired or not.

use core::ops::RangeInclusive;

use libm::fabs;

use super::{StatsError, check_range, distributions::lower_student};

/// A t-test (Student 1908; Welch 1947 if the samples are not paired).
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TTest {
    /// t = mean difference / standard error.
    pub statistic: f64,
    /// Degrees of freedom: n - 1 of n pairs, Welch's if not paired.
    pub df: f64,
    /// The probability of a |t| at least as large if the true mean difference is 0 (two-sided).
    pub p: f64,
}

/// Two one-sided tests of equivalence within a margin (Schuirmann 1987).
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Tost {
    /// p-value against "the true difference is -margin or less": P(T >= (mean + margin)/se).
    pub p_below: f64,
    /// p-value against "the true difference is +margin or more": P(T <= (mean - margin)/se).
    pub p_above: f64,
    /// The larger of the two: equivalence is claimed only if both are excluded.
    pub p: f64,
}

/// What both tests need of a difference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    pub(super) mean: f64,
    /// The standard error of the mean difference, above 0.
    pub(super) error: f64,
    pub(super) df: f64,
}

impl Scale {
    pub(super) fn t_test(self) -> TTest {
        let statistic = self.mean / self.error;
        TTest {
            statistic,
            df: self.df,
            p: 2.0 * lower_student(-fabs(statistic), self.df),
        }
    }

    pub(super) fn tost(self, margin: f64) -> Tost {
        let p_below = lower_student(-(self.mean + margin) / self.error, self.df);
        let p_above = lower_student((self.mean - margin) / self.error, self.df);
        Tost {
            p_below,
            p_above,
            p: p_below.max(p_above),
        }
    }
}

/// Values closer than this share of the largest are the same: 71.3 - 71.2 and 72.3 - 72.2 differ in
/// their last bits, and a test of such bits would be certain of anything.
pub const ROUNDING: f64 = 8.0 * f64::EPSILON;

/// What a margin may be.
pub const MARGINS: RangeInclusive<f64> = 1e-100..=1e100;

/// Refuses a margin that is not a positive number.
pub(super) fn check_margin(margin: f64) -> Result<f64, StatsError> {
    check_range("the margin", margin, MARGINS, "1e-100..=1e100")
}
