//! The sign test.

use super::{StatsError, distributions::upper_binomial, summary::check_finite};

/// On which side of 0 differences lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SignTest {
    /// Differences above 0.
    pub above: u64,
    /// Differences below 0.
    pub below: u64,
    /// The probability of a split at least so uneven if both sides were equally likely (two-sided).
    pub p: f64,
}

/// Tests whether differences lie on one side of 0 more often than on the other, whatever their
/// size and unit (Arbuthnot 1710; for one arm and a reference over several tasks, Demšar 2006,
/// section 3.1.4).
///
/// p = min(1, 2·P(X >= max(above, below))) for X binomial over above + below trials of probability
/// 1/2. Differences of 0 are left out. Equals `statsmodels.stats.descriptivestats.sign_test`.
///
/// ```
/// let test = cyclr::stats::sign_test(&[0.3, 1.0, 0.1, 0.0, 2.0, 0.4, 0.2])?;
/// assert_eq!((test.above, test.below, test.p), (6, 0, 0.03125));
/// # Ok::<(), cyclr::stats::StatsError>(())
/// ```
///
/// # Errors
/// [`StatsError::TooFew`] if there is no difference, [`StatsError::NotFinite`] if one is NaN or
/// beyond 1e100 in size.
pub fn sign_test(differences: &[f64]) -> Result<SignTest, StatsError> {
    check_finite(differences)?;
    let count = |sign: f64| differences.iter().filter(|d| **d * sign > 0.0).count() as u64;
    let (above, below) = (count(1.0), count(-1.0));
    let tail = upper_binomial(above.max(below), above + below, 0.5);
    Ok(SignTest {
        above,
        below,
        p: (2.0 * tail).min(1.0),
    })
}
