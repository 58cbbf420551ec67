//! Two arms on the same seeds: is there a difference, and is it smaller than a margin?

use alloc::vec::Vec;

use libm::fabs;

use super::{
    StatsError, Summary, check_range, distributions::lower_student, summary::check_finite,
};

/// The differences of two arms that ran on the same seeds, arm less reference.
///
/// Pairing takes out what a seed does to both (initial weights, order of the data), so fewer seeds
/// show more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paired {
    summary: Summary,
    /// Whether the differences vary by more than the rounding of their subtraction.
    varies: bool,
}

/// A paired t-test (Student 1908).
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TTest {
    /// t = mean difference / standard error.
    pub statistic: f64,
    /// Degrees of freedom, n - 1.
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

impl Paired {
    /// Pairs the values by their index, which stands for the seed.
    ///
    /// # Errors
    /// [`StatsError::Unpaired`] if the sizes differ, [`StatsError::TooFew`] if there is no pair,
    /// and [`StatsError::NotFinite`] if a value is NaN, infinite or above 1e100 in size.
    pub fn new(arm: &[f64], reference: &[f64]) -> Result<Self, StatsError> {
        if arm.len() != reference.len() {
            return Err(StatsError::Unpaired {
                arm: arm.len(),
                reference: reference.len(),
            });
        }
        check_finite(arm)?;
        check_finite(reference)?;
        let differences: Vec<f64> = arm.iter().zip(reference).map(|(a, r)| a - r).collect();
        let largest = arm
            .iter()
            .chain(reference)
            .fold(0.0, |m, &x| fabs(x).max(m));
        Ok(Self {
            summary: Summary::of(&differences)?,
            varies: spread(&differences) > ROUNDING * largest,
        })
    }

    /// Size, mean, standard deviation and 95 % interval of the differences.
    pub fn differences(&self) -> &Summary {
        &self.summary
    }

    /// Tests whether the mean difference is other than 0.
    ///
    /// It assumes independent seeds and differences that are near normal.
    ///
    /// # Errors
    /// [`StatsError::TooFew`] for one pair. [`StatsError::NoSpread`] if all differences are the
    /// same, up to the rounding of the subtraction: t would be infinite, or 0/0.
    pub fn t_test(&self) -> Result<TTest, StatsError> {
        let (error, df) = self.error_and_df()?;
        let statistic = self.summary.mean / error;
        Ok(TTest {
            statistic,
            df,
            p: 2.0 * lower_student(-fabs(statistic), df),
        })
    }

    /// Tests whether the mean difference lies strictly between -margin and +margin, the margin in
    /// the unit of the values.
    ///
    /// # Errors
    /// As [`Paired::t_test`]; [`StatsError::Range`] if the margin is not in 1e-100..=1e100.
    pub fn tost(&self, margin: f64) -> Result<Tost, StatsError> {
        check_margin(margin)?;
        let (error, df) = self.error_and_df()?;
        let p_below = lower_student(-(self.summary.mean + margin) / error, df);
        let p_above = lower_student((self.summary.mean - margin) / error, df);
        Ok(Tost {
            p_below,
            p_above,
            p: p_below.max(p_above),
        })
    }

    fn error_and_df(&self) -> Result<(f64, f64), StatsError> {
        let Summary { n, mean, .. } = self.summary;
        match self.summary.standard_error() {
            None => Err(StatsError::TooFew { n, needed: 2 }),
            Some(_) if !self.varies => Err(StatsError::NoSpread { n, value: mean }),
            Some(error) => Ok((error, (n - 1) as f64)),
        }
    }
}

/// Differences closer than this share of the largest value are the same: 71.3 - 71.2 and 72.3 -
/// 72.2 differ in their last bits, and a test of such bits would be certain of anything.
const ROUNDING: f64 = 8.0 * f64::EPSILON;

/// Refuses a margin that is not a positive number.
pub(super) fn check_margin(margin: f64) -> Result<f64, StatsError> {
    check_range("the margin", margin, 1e-100..=1e100, "1e-100..=1e100")
}

fn spread(values: &[f64]) -> f64 {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    high - low
}
