//! Two arms whose runs are not paired: other seeds, or other numbers of them.

use libm::sqrt;

use super::{
    ALPHA, Interval, StatsError, Summary, TTest, Tost,
    distributions::student_at,
    summary::unit,
    t_test::{Scale, check_margin},
};

/// Two samples that are not paired, and may vary by different amounts (Welch 1947).
///
/// ```
/// let welch = cyclr::stats::Welch::new(&[73.1, 74.0, 73.6], &[71.0, 72.0, 71.5, 71.2])?;
/// assert!(welch.t_test()?.p < 0.01);
/// # Ok::<(), cyclr::stats::StatsError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Welch {
    arm: Summary,
    reference: Summary,
}

impl Welch {
    /// # Errors
    /// [`StatsError::TooFew`] if there is no value, and [`StatsError::NotFinite`] if one is NaN,
    /// infinite or above 1e100 in size.
    pub fn new(arm: &[f64], reference: &[f64]) -> Result<Self, StatsError> {
        Ok(Self {
            arm: Summary::of(arm)?,
            reference: Summary::of(reference)?,
        })
    }

    /// The arm's sample, and the reference's.
    pub fn samples(&self) -> [&Summary; 2] {
        [&self.arm, &self.reference]
    }

    /// The difference of the means, arm less reference.
    pub fn mean(&self) -> f64 {
        self.arm.mean - self.reference.mean
    }

    /// The standard deviation of the difference of one value of each, √(s₁² + s₂²); `None` if either
    /// has one value only.
    pub fn sd(&self) -> Option<f64> {
        let (arm, reference) = self.arm.sd.zip(self.reference.sd)?;
        Some(SumOfSquares::of(arm, reference).root)
    }

    /// The 95 % interval of the difference of the true means; `None` if either has one value only.
    /// Where neither varies it is a point, and must not be read as certainty.
    pub fn interval(&self) -> Option<Interval> {
        self.interval_at(ALPHA)
    }

    /// The interval that holds 1 - level.
    pub(super) fn interval_at(&self, level: f64) -> Option<Interval> {
        let half = match self.scale() {
            Ok(scale) => student_at(1.0 - level / 2.0, scale.df) * scale.error,
            Err(StatsError::NoSpread { .. }) => 0.0,
            // Of one value.
            Err(_) => return None,
        };
        let mean = self.mean();
        Some(Interval {
            low: mean - half,
            high: mean + half,
        })
    }

    /// Tests whether the means differ.
    ///
    /// It assumes independent values that are near normal on each side.
    ///
    /// # Errors
    /// [`StatsError::TooFew`] if either has one value only, [`StatsError::NoSpread`] if neither
    /// varies.
    pub fn t_test(&self) -> Result<TTest, StatsError> {
        Ok(self.scale()?.t_test())
    }

    /// Tests whether the difference of the means lies strictly between -margin and +margin.
    ///
    /// # Errors
    /// As [`Welch::t_test`]; [`StatsError::Range`] if the margin is not in 1e-100..=1e100.
    pub fn tost(&self, margin: f64) -> Result<Tost, StatsError> {
        check_margin(margin)?;
        Ok(self.scale()?.tost(margin))
    }

    /// The difference, its standard error, and the degrees of freedom by Welch and Satterthwaite.
    pub(super) fn scale(&self) -> Result<Scale, StatsError> {
        let (Some(arm), Some(reference)) =
            (self.arm.standard_error(), self.reference.standard_error())
        else {
            let n = self.arm.n.min(self.reference.n);
            return Err(StatsError::TooFew { n, needed: 2 });
        };
        let (mean, sum) = (self.mean(), SumOfSquares::of(arm, reference));
        let varies = self.arm.varies() || self.reference.varies();
        if !varies || sum.root == 0.0 {
            let n = self.arm.n + self.reference.n;
            return Err(StatsError::NoSpread { n, value: mean });
        }
        // Shares of the variance instead of variances, whose squares might overflow.
        let share = sum.share;
        let df = |summary: &Summary| (summary.n - 1) as f64;
        let of_arm = share * share / df(&self.arm);
        let of_reference = (1.0 - share) * (1.0 - share) / df(&self.reference);
        Ok(Scale {
            mean,
            error: sum.root,
            // Rounding must not carry it below 1.
            df: (1.0 / (of_arm + of_reference)).max(1.0),
        })
    }
}

/// The sum of two squares, also of numbers whose squares would be 0.
struct SumOfSquares {
    root: f64,
    /// The part that the first makes of it.
    share: f64,
}

impl SumOfSquares {
    fn of(first: f64, second: f64) -> Self {
        let unit = unit([first, second].into_iter());
        let squares = [first, second].map(|x| (x / unit) * (x / unit));
        let sum = squares[0] + squares[1];
        Self {
            root: unit * sqrt(sum),
            share: squares[0] / sum,
        }
    }
}
