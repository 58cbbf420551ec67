//! What the choice of test examples adds to the spread of an accuracy.

use libm::sqrt;

use super::{StatsError, Summary, check_range};

/// The part of an accuracy's spread that the number of test examples explains by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExampleSpread {
    /// The test examples, N.
    pub examples: u64,
    /// The standard deviation that drawing N new examples gives the accuracy of one net,
    /// √(p(1 - p)/N), in the unit of the values.
    pub sd: f64,
    /// Of the variance of a new training that is tested on N new examples, the part that the
    /// examples make: sd²/(sd² + s²), where s is the standard deviation over seeds. A lower limit,
    /// as some of s comes from the examples too. `None` for one seed.
    pub share: Option<f64>,
}

impl ExampleSpread {
    /// Of accuracies, or error rates, that were all measured on `examples` examples; `whole` is what
    /// stands for all of them right: 1 of fractions, 100 of per cent.
    ///
    /// ```
    /// let sample = cyclr::stats::Summary::of(&[89.0, 90.0, 91.0])?;
    /// let spread = cyclr::stats::ExampleSpread::of(&sample, 100.0, 2000)?;
    /// assert_eq!((spread.sd * 100.0).round() / 100.0, 0.67);
    /// # Ok::<(), cyclr::stats::StatsError>(())
    /// ```
    ///
    /// # Errors
    /// [`StatsError::Range`] if there is no example or the mean is not in 0..=`whole`.
    pub fn of(sample: &Summary, whole: f64, examples: u64) -> Result<Self, StatsError> {
        check_range("the test examples", examples as f64, 1.0..=1e18, "1..=1e18")?;
        let p = sample.mean / whole;
        check_range("the mean accuracy", p, 0.0..=1.0, "0..=1, as a fraction")?;
        let variance = whole * whole * p * (1.0 - p) / examples as f64;
        let share = |sd: f64| variance / (variance + sd * sd);
        // Without any spread there is no part of it.
        let share = sample.sd.filter(|sd| variance + sd * sd > 0.0).map(share);
        Ok(Self {
            examples,
            sd: sqrt(variance),
            share,
        })
    }
}
