//! A sample in three figures: mean, standard deviation and the interval of the mean.

use alloc::vec::Vec;

use libm::{exp, fabs, log, sqrt};

use super::{
    ALPHA, LARGEST, StatsError, distributions::student_at, t_test::ROUNDING, verdict::check_level,
};

/// A closed range of values, in the unit of the sample; `[low, high]` in records.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(from = "[f64; 2]", into = "[f64; 2]")
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(with = "[f64; 2]"))]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end, at least `low`.
    pub high: f64,
}

impl From<[f64; 2]> for Interval {
    fn from([low, high]: [f64; 2]) -> Self {
        Self { low, high }
    }
}

impl From<Interval> for [f64; 2] {
    fn from(interval: Interval) -> Self {
        [interval.low, interval.high]
    }
}

impl Interval {
    /// Whether it holds the value; both ends belong to it.
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// Size, mean, standard deviation and 95 % interval of a sample.
///
/// ```
/// let summary = cyclr::stats::Summary::of(&[71.0, 72.0, 73.0])?;
/// assert_eq!((summary.n, summary.mean, summary.sd), (3, 72.0, Some(1.0)));
/// # Ok::<(), cyclr::stats::StatsError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Summary {
    /// The number of values, at least 1.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation, with the divisor n - 1; `None` for one value.
    pub sd: Option<f64>,
    /// The 95 % interval of the true mean, mean ± t(0.975, n - 1)·sd/√n (Student 1908); `None` for
    /// one value.
    ///
    /// It assumes independent values that are near normal. Where all values are the same it is
    /// that one point, and then it must not be read as certainty.
    pub interval: Option<Interval>,
}

impl Summary {
    /// Summarizes a sample.
    ///
    /// # Errors
    /// [`StatsError::TooFew`] if there is no value, [`StatsError::NotFinite`] if one is NaN,
    /// infinite or above 1e100 in size.
    pub fn of(values: &[f64]) -> Result<Self, StatsError> {
        check_finite(values)?;
        let n = values.len();
        let mean = mean(values);
        if n == 1 {
            return Ok(Self {
                n,
                mean,
                sd: None,
                interval: None,
            });
        }
        let deviations = values.iter().map(|x| x - mean);
        let unit = unit(deviations.clone());
        let squares: f64 = deviations.map(|d| (d / unit) * (d / unit)).sum();
        let mut summary = Self {
            n,
            mean,
            sd: Some(unit * sqrt(squares / (n - 1) as f64)),
            interval: None,
        };
        summary.interval = summary.interval_at(ALPHA);
        Ok(summary)
    }

    /// The same with the interval of an analysis that may make an error of `level`, as
    /// [`Rules::level`](super::Rules::level) has it.
    ///
    /// # Errors
    /// [`StatsError::Range`] if the level is not in 1e-6..=0.05.
    pub fn at_level(self, level: f64) -> Result<Self, StatsError> {
        Ok(Self {
            interval: self.interval_at(check_level(level)?),
            ..self
        })
    }

    /// The t-interval that holds 1 - level; `None` for one value.
    pub(super) fn interval_at(&self, level: f64) -> Option<Interval> {
        let sd = self.sd.filter(|_| self.n > 1)?;
        let quantile = student_at(1.0 - level / 2.0, (self.n - 1) as f64);
        let half = quantile * sd / sqrt(self.n as f64);
        Some(Interval {
            low: self.mean - half,
            high: self.mean + half,
        })
    }

    /// The standard error of the mean, sd/√n; `None` for one value.
    pub fn standard_error(&self) -> Option<f64> {
        self.sd.map(|sd| sd / sqrt(self.n as f64))
    }

    /// Whether the values vary by more than the rounding of their mean.
    pub(super) fn varies(&self) -> bool {
        self.sd.is_some_and(|sd| sd > ROUNDING * fabs(self.mean))
    }
}

/// The same on a logarithmic scale, for positive quantities that vary by factors, such as learning
/// rates.
///
/// ```
/// let rates = cyclr::stats::LogSummary::of(&[0.001, 0.002, 0.004])?;
/// assert!((rates.mean - 0.002).abs() < 1e-15);
/// # Ok::<(), cyclr::stats::StatsError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogSummary {
    /// The number of values, at least 1.
    pub n: usize,
    /// Their geometric mean, in the unit of the values.
    pub mean: f64,
    /// The standard deviation of their natural logarithms, with the divisor n - 1; `None` for one
    /// value.
    pub ln_sd: Option<f64>,
    /// The 95 % t-interval of the mean logarithm, turned back into the unit of the values; `None`
    /// for one value. Two values that differ by many powers of ten can have an interval that ends
    /// at 0 or infinity.
    pub interval: Option<Interval>,
}

impl LogSummary {
    /// Summarizes a sample of positive values.
    ///
    /// # Errors
    /// [`StatsError::TooFew`] if there is no value, [`StatsError::NotPositive`] if one is outside
    /// 1e-100..=1e100.
    pub fn of(values: &[f64]) -> Result<Self, StatsError> {
        for (index, &value) in values.iter().enumerate() {
            check_positive(index, value)?;
        }
        let logarithms: Vec<f64> = values.iter().map(|&x| log(x)).collect();
        let summary = Summary::of(&logarithms)?;
        Ok(Self {
            n: summary.n,
            mean: exp(summary.mean),
            ln_sd: summary.sd,
            interval: summary.interval.map(|interval| Interval {
                low: exp(interval.low),
                high: exp(interval.high),
            }),
        })
    }
}

/// Refuses a value that is not in 1e-100..=1e100.
pub(super) fn check_positive(index: usize, value: f64) -> Result<f64, StatsError> {
    if (1.0 / LARGEST..=LARGEST).contains(&value) {
        Ok(value)
    } else {
        Err(StatsError::NotPositive { index, value })
    }
}

/// Refuses an empty sample, NaN, and sizes whose squares would overflow.
pub(super) fn check_finite(values: &[f64]) -> Result<(), StatsError> {
    if values.is_empty() {
        return Err(StatsError::TooFew { n: 0, needed: 1 });
    }
    match values
        .iter()
        .position(|x| !x.is_finite() || fabs(*x) > LARGEST)
    {
        Some(index) => Err(StatsError::NotFinite {
            index,
            value: values[index],
        }),
        None => Ok(()),
    }
}

/// What values are divided by before they are squared: 1, or the largest of values so small that
/// their squares, and with them their spread, would be 0.
pub(super) fn unit(values: impl Iterator<Item = f64>) -> f64 {
    let largest = values.map(fabs).fold(0.0, f64::max);
    if largest > 0.0 && largest < 1.0 / LARGEST {
        largest
    } else {
        1.0
    }
}

/// The mean of values, of which there is at least one; NaN of none.
///
/// It has the same bits in whatever order the values are, and the rounding of a first pass is taken
/// out by a second: means of different values that should be equal differ by less than
/// [`ROUNDING`](super::ROUNDING) times the largest value.
pub fn mean(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let n = values.len() as f64;
    let first = values.iter().sum::<f64>() / n;
    first + values.iter().map(|x| x - first).sum::<f64>() / n
}
