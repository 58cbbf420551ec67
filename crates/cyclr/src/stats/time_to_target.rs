//! The time until a target is reached, if some runs never reach it.
//!
//! A run that ends before the target is *censored*: its time is known to be longer than the run.
//! It enters with that bound and is never dropped, since dropping it would make slow arms look
//! fast.

use alloc::vec::Vec;

use libm::sqrt;

use super::{ALPHA, Interval, StatsError, distributions::upper_binomial, summary::check_positive};

/// When a run reached the target, in any unit that grows with work (updates, seconds).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Time {
    /// It reached the target at this time.
    Reached(f64),
    /// It had not reached the target when it ended at this time.
    Censored(f64),
}

/// The median of times, or of ratios of times, as far as censoring lets it be known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Median {
    /// The number of values, at least 1.
    pub n: usize,
    /// The median lies in this range whatever the censored times are; a single point where they do
    /// not matter. The upper end is infinite if too many runs were censored, and the lower end of
    /// a ratio can be 0.
    pub median: Interval,
    /// The distribution-free interval of the true median: from the k-th smallest to the k-th
    /// largest value, each censored one taken at the end that widens it.
    pub interval: Interval,
    /// The share of samples whose interval holds the true median, 1 - 2·P(X < k) for X binomial(n,
    /// 1/2): the smallest that is at least 0.95, or, below six values, where no such interval is
    /// that sure, what all of them together give (0.9375 for five, 0 for one).
    pub confidence: f64,
}

/// How an arm's times compare with the reference's own, seed by seed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimeRatio {
    /// Runs of the arm that reached the target, of [`Median::n`].
    pub arm_reached: usize,
    /// Runs of the reference that did.
    pub reference_reached: usize,
    /// The ratio arm/reference: below 1 the arm is sooner.
    pub ratio: Median,
}

/// The median time to the target. A censored time stands for anything longer.
///
/// The middle two of an even number are joined by their geometric mean, since times compare by
/// factors.
///
/// # Errors
/// [`StatsError::TooFew`] if there is no time, [`StatsError::NotPositive`] if one is outside
/// 1e-100..=1e100.
pub fn median_time(times: &[Time]) -> Result<Median, StatsError> {
    let bounds = times
        .iter()
        .enumerate()
        .map(|(index, &time)| bounds(index, time))
        .collect::<Result<Vec<_>, _>>()?;
    median(&bounds)
}

/// The median ratio of an arm's time to the reference's, paired by seed.
///
/// A pair in which both reached gives a ratio. Where only the reference did, the ratio is known to
/// be above (arm's end)/(reference's time); where only the arm did, below (arm's
/// time)/(reference's end); if neither did, it can be anything. All pairs enter the median and its
/// order-statistics interval (the inverted sign test) with these bounds, so that nothing is
/// dropped and nothing is made up. It assumes independent seeds and no shape of the distribution.
/// Swapping the arms inverts the result. Times that were read on a grid are as coarse as it.
///
/// ```
/// use cyclr::stats::{Time::{Censored, Reached}, time_ratio};
/// let arm = [Reached(300.0), Reached(400.0), Reached(500.0)];
/// let reference = [Reached(600.0), Reached(1000.0), Censored(1000.0)];
/// let sooner = time_ratio(&arm, &reference)?;
/// assert_eq!((sooner.arm_reached, sooner.reference_reached), (3, 2));
/// // Ratios 0.5, 0.4, and one of at most 0.5: the median is 0.4 to 0.5.
/// assert_eq!((sooner.ratio.median.low, sooner.ratio.median.high), (0.4, 0.5));
/// # Ok::<(), cyclr::stats::StatsError>(())
/// ```
///
/// # Errors
/// [`StatsError::Unpaired`] if the lengths differ, and as [`median_time`].
pub fn time_ratio(arm: &[Time], reference: &[Time]) -> Result<TimeRatio, StatsError> {
    if arm.len() != reference.len() {
        return Err(StatsError::Unpaired {
            arm: arm.len(),
            reference: reference.len(),
        });
    }
    let ratios = arm
        .iter()
        .zip(reference)
        .enumerate()
        .map(|(index, (&arm, &reference))| {
            let (arm, reference) = (bounds(index, arm)?, bounds(index, reference)?);
            Ok(Interval {
                low: arm.low / reference.high,
                high: arm.high / reference.low,
            })
        })
        .collect::<Result<Vec<_>, StatsError>>()?;
    Ok(TimeRatio {
        arm_reached: reached(arm),
        reference_reached: reached(reference),
        ratio: median(&ratios)?,
    })
}

fn reached(times: &[Time]) -> usize {
    let reached = times.iter().filter(|time| matches!(time, Time::Reached(_)));
    reached.count()
}

/// What is known of a time.
fn bounds(index: usize, time: Time) -> Result<Interval, StatsError> {
    let (low, high) = match time {
        Time::Reached(at) => (at, at),
        Time::Censored(at) => (at, f64::INFINITY),
    };
    check_positive(index, low)?;
    Ok(Interval { low, high })
}

/// The order statistics of values that are known within bounds: the i-th smallest value lies
/// between the i-th smallest lower bound and the i-th smallest upper bound.
fn median(bounds: &[Interval]) -> Result<Median, StatsError> {
    let n = bounds.len();
    if n == 0 {
        return Err(StatsError::TooFew { n, needed: 1 });
    }
    let lows = sorted(bounds.iter().map(|b| b.low));
    let highs = sorted(bounds.iter().map(|b| b.high));
    let middle = |values: &[f64]| {
        let (below, above) = (values[(n - 1) / 2], values[n / 2]);
        if below == above {
            below
        } else {
            sqrt(below) * sqrt(above)
        }
    };
    let (k, confidence) = order_statistic(n);
    Ok(Median {
        n,
        median: Interval {
            low: middle(&lows),
            high: middle(&highs),
        },
        interval: Interval {
            low: lows[k - 1],
            high: highs[n - k],
        },
        confidence,
    })
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The largest k, at least 1, whose interval from the k-th smallest to the k-th largest of `n`
/// values holds the median with at least 95 %, and the probability with which it does.
fn order_statistic(n: usize) -> (usize, f64) {
    // P(X < k) = P(X > n - k), by symmetry.
    let missed = |k: usize| upper_binomial((n - k + 1) as u64, n as u64, 0.5);
    let mut k = 1;
    while k < n.div_ceil(2) && missed(k + 1) <= ALPHA / 2.0 {
        k += 1;
    }
    (k, 1.0 - 2.0 * missed(k))
}
