//! McNemar's exact test.

use super::{StatsError, distributions::upper_binomial};

/// What changed between two states of a classifier on the same examples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct McNemar {
    /// Examples that were wrong before and are right after.
    pub gained: u64,
    /// Examples that were right before and are wrong after.
    pub lost: u64,
    /// The probability of at least this many gains among the changes if gains and losses were
    /// equally likely (one-sided).
    pub p: f64,
}

/// Tests whether `after` is right more often than `before`, each telling for every example whether
/// it was classified correctly (McNemar 1947, in the exact binomial form).
///
/// p = P(X >= gained) for X binomial over gained + lost trials of probability 1/2; 1 if nothing
/// changed. It speaks of these two states and of examples like these, not of other seeds.
///
/// ```
/// let change = cyclr::stats::mcnemar(&[false, false, true], &[true, true, true])?;
/// assert_eq!((change.gained, change.lost, change.p), (2, 0, 0.25));
/// # Ok::<(), cyclr::stats::StatsError>(())
/// ```
///
/// # Errors
/// [`StatsError::Unpaired`] if the lengths differ, [`StatsError::TooFew`] if there is no example.
pub fn mcnemar(before: &[bool], after: &[bool]) -> Result<McNemar, StatsError> {
    if before.len() != after.len() {
        return Err(StatsError::Unpaired {
            arm: after.len(),
            reference: before.len(),
        });
    }
    if before.is_empty() {
        return Err(StatsError::TooFew { n: 0, needed: 1 });
    }
    let count = |was: bool, is: bool| {
        let pairs = before.iter().zip(after);
        pairs.filter(|&(&b, &a)| b == was && a == is).count() as u64
    };
    let (gained, lost) = (count(false, true), count(true, false));
    Ok(McNemar {
        gained,
        lost,
        p: upper_binomial(gained, gained + lost, 0.5),
    })
}
