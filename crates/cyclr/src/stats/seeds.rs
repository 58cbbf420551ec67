//! How many seeds would settle a comparison.

use libm::{ceil, fabs, sqrt};

use super::{
    ALPHA, StatsError, Summary, check_range,
    distributions::{chi_square_quantile, student_at},
    t_test::check_margin,
    welch::Welch,
};

/// The chance to reach a verdict that the number of seeds is planned for.
pub const POWER: f64 = 0.8;

/// The search for a number of seeds stops here; a count that reaches it means "at least this many".
pub const SEED_CAP: u64 = 1_000;

/// A range for the number of seeds, in all, that would decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SeedRange {
    /// Where the true standard deviation is at the lower end of its interval. More than the seeds
    /// already run.
    pub low: u64,
    /// Where it is at the upper end; [`SEED_CAP`] stands for that many or more.
    pub high: u64,
}

/// The seeds that would decide if the true difference is the one that was seen.
///
/// The true standard deviation lies in the 80 % interval sd·√((n-1)/χ²(0.9)) to
/// sd·√((n-1)/χ²(0.1)), both quantiles with n - 1 degrees of freedom; its upper end is the 90 %
/// limit that Browne (1995) plans by. For each end, the smaller of [`seeds_to_detect`] at
/// |mean|/sd and [`seeds_to_equate`] at (margin - |mean|)/sd is the number that decides one way or
/// the other. The range is wide for few seeds, and it leaves out that the mean is uncertain as
/// well: a guide, not a promise.
///
/// # Errors
/// [`StatsError::TooFew`] for one seed, [`StatsError::NoSpread`] if the standard deviation is 0,
/// [`StatsError::Range`] if the margin is not in 1e-100..=1e100 or there is no comparison.
pub fn seeds_to_decide(
    difference: &Summary,
    margin: f64,
    comparisons: usize,
) -> Result<SeedRange, StatsError> {
    paired_seeds_to_decide(difference, margin, share_of_alpha(comparisons)?)
}

/// [`seeds_to_decide`] where each claim may make an error of `error`: 0.05 by the number of
/// comparisons, and less at a look of a race.
pub(super) fn paired_seeds_to_decide(
    difference: &Summary,
    margin: f64,
    error: f64,
) -> Result<SeedRange, StatsError> {
    check_margin(margin)?;
    let (n, mean) = (difference.n, fabs(difference.mean));
    let sd = difference.sd.filter(|_| n > 1);
    let sd = sd.ok_or(StatsError::TooFew { n, needed: 2 })?;
    if sd == 0.0 {
        let value = difference.mean;
        return Err(StatsError::NoSpread { n, value });
    }
    let seen = Seen {
        n,
        mean,
        sd,
        df: (n - 1) as f64,
    };
    seen.decide(margin, error, 1)
}

/// [`paired_seeds_to_decide`] of arms that are not paired, as the seeds of each of the two: the mean and
/// √(s₁² + s₂²) of [`Welch`] in place of those of the pairs, and 2·(n - 1) degrees of freedom.
///
/// # Errors
/// As [`seeds_to_decide`].
pub(super) fn unpaired_seeds_to_decide(
    difference: &Welch,
    margin: f64,
    error: f64,
) -> Result<SeedRange, StatsError> {
    check_margin(margin)?;
    let n = difference.samples()[0].n.min(difference.samples()[1].n);
    let sd = difference.sd().ok_or(StatsError::TooFew { n, needed: 2 })?;
    let seen = Seen {
        n,
        mean: fabs(difference.mean()),
        sd,
        df: difference.scale()?.df,
    };
    seen.decide(margin, error, 2)
}

/// What is known of a difference.
struct Seen {
    n: usize,
    /// Its size.
    mean: f64,
    /// Above 0.
    sd: f64,
    df: f64,
}

impl Seen {
    /// The seeds at both ends of the interval of the standard deviation, in a test with
    /// `sides`·(n - 1) degrees of freedom.
    fn decide(self, margin: f64, error: f64, sides: u64) -> Result<SeedRange, StatsError> {
        let seeds_at = |p: f64| -> Result<u64, StatsError> {
            // With more, the standard deviation is known.
            let df = self.df.min(1e6);
            let sd = self.sd * sqrt(df / chi_square_quantile(p, df)?);
            let detect = detect(self.mean / sd, error, sides)?;
            let equate = equate((margin - self.mean).max(0.0) / sd, error, sides)?;
            Ok(detect.min(equate))
        };
        let low = seeds_at(0.9)?.max(self.n as u64 + 1);
        let high = seeds_at(0.1)?.max(low);
        Ok(SeedRange { low, high })
    }
}

/// The seeds at which a true difference of `effect` standard deviations (of the paired
/// differences) is called better or worse with a chance of about 80 %: the smallest n of at least 2
/// with `n >= ((t(1 - α/2m) + t(0.8))/effect)²`, both quantiles with n - 1 degrees of freedom,
/// α = 0.05, m comparisons (Bonferroni's share, the strictest that Holm asks for).
///
/// No more than [`SEED_CAP`], which an effect of 0 gives. The exact number, by the noncentral t,
/// is at most one off.
///
/// # Errors
/// [`StatsError::Range`] if the effect is negative or NaN, or there is no comparison.
pub fn seeds_to_detect(effect: f64, comparisons: usize) -> Result<u64, StatsError> {
    detect(effect, share_of_alpha(comparisons)?, 1)
}

/// The seeds at which equivalence is shown with a chance of at least about 80 % if the nearer
/// margin is `room` standard deviations (of the paired differences) away from the true difference:
/// the smallest n >= 2 with n >= ((t(1 - α/m) + t(0.9))/room)², as [`seeds_to_detect`]. Half of
/// the remaining chance goes to each side, which is what a true difference of 0 needs and more
/// than enough for any other.
///
/// # Errors
/// [`StatsError::Range`] if the room is negative or NaN, or there is no comparison.
pub fn seeds_to_equate(room: f64, comparisons: usize) -> Result<u64, StatsError> {
    equate(room, share_of_alpha(comparisons)?, 1)
}

fn detect(effect: f64, error: f64, sides: u64) -> Result<u64, StatsError> {
    check_effect(effect)?;
    Ok(smallest(effect, 1.0 - error / 2.0, POWER, sides))
}

fn equate(room: f64, error: f64, sides: u64) -> Result<u64, StatsError> {
    check_effect(room)?;
    let power = f64::midpoint(1.0, POWER);
    Ok(smallest(room, 1.0 - error, power, sides))
}

fn check_effect(effect: f64) -> Result<f64, StatsError> {
    check_range("the effect", effect, 0.0..=f64::INFINITY, "0..=inf")
}

fn share_of_alpha(comparisons: usize) -> Result<f64, StatsError> {
    let family = comparisons as f64;
    check_range("the number of comparisons", family, 1.0..=1e6, "1..=1e6")?;
    Ok(ALPHA / family)
}

/// The smallest n whose quantiles ask for no more than n. What they ask for falls with n, so what
/// they ask for at the cap is a lower bound, a few steps below the answer.
fn smallest(effect: f64, p_claim: f64, p_power: f64, sides: u64) -> u64 {
    let asked = |n: u64| {
        let df = (sides * (n - 1)) as f64;
        let root = (student_at(p_claim, df) + student_at(p_power, df)) / effect;
        root * root
    };
    let cap = SEED_CAP as f64;
    let mut n = ceil(asked(SEED_CAP).clamp(2.0, cap)) as u64;
    while n < SEED_CAP && asked(n) > n as f64 {
        n += 1;
    }
    n
}
