//! Two arms on the same seeds: is there a difference, and is it smaller than a margin?

use alloc::vec::Vec;

use libm::fabs;

use super::{
    Correlation, StatsError, Summary, TTest, Tost,
    t_test::{ROUNDING, Scale, check_margin},
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
    correlation: Option<Correlation>,
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
        let means = [&Summary::of(arm)?, &Summary::of(reference)?];
        let differences: Vec<f64> = arm.iter().zip(reference).map(|(a, r)| a - r).collect();
        let largest = arm
            .iter()
            .chain(reference)
            .fold(0.0, |m, &x| fabs(x).max(m));
        Ok(Self {
            summary: Summary::of(&differences)?,
            varies: spread(&differences) > ROUNDING * largest,
            correlation: Correlation::of(arm, reference, means),
        })
    }

    /// Size, mean, standard deviation and 95 % interval of the differences.
    pub fn differences(&self) -> &Summary {
        &self.summary
    }

    /// How much the two go up and down together; `None` for fewer than three pairs, and if either
    /// does not vary.
    pub fn correlation(&self) -> Option<Correlation> {
        self.correlation
    }

    /// Tests whether the mean difference is other than 0.
    ///
    /// It assumes independent seeds and differences that are near normal.
    ///
    /// # Errors
    /// [`StatsError::TooFew`] for one pair. [`StatsError::NoSpread`] if all differences are the
    /// same, up to the rounding of the subtraction: t would be infinite, or 0/0.
    pub fn t_test(&self) -> Result<TTest, StatsError> {
        Ok(self.scale()?.t_test())
    }

    /// Tests whether the mean difference lies strictly between -margin and +margin, the margin in
    /// the unit of the values.
    ///
    /// # Errors
    /// As [`Paired::t_test`]; [`StatsError::Range`] if the margin is not in 1e-100..=1e100.
    pub fn tost(&self, margin: f64) -> Result<Tost, StatsError> {
        check_margin(margin)?;
        Ok(self.scale()?.tost(margin))
    }

    fn scale(&self) -> Result<Scale, StatsError> {
        let Summary { n, mean, .. } = self.summary;
        match self.summary.standard_error() {
            None => Err(StatsError::TooFew { n, needed: 2 }),
            Some(error) if !self.varies || error == 0.0 => {
                Err(StatsError::NoSpread { n, value: mean })
            }
            Some(error) => Ok(Scale {
                mean,
                error,
                df: (n - 1) as f64,
            }),
        }
    }
}

fn spread(values: &[f64]) -> f64 {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    high - low
}
