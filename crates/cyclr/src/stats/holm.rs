//! Holm's adjustment of several p-values.

use alloc::{vec, vec::Vec};

use super::{StatsError, check_range};

/// Adjusts p-values for their number by Holm's step-down rule (1979), in the order given.
///
/// Of m values in ascending order p₁ <= … <= pₘ, the i-th becomes the maximum over j <= i of
/// `min(1, (m - j + 1)·pⱼ)`. Claiming whatever is then below α makes any false claim with a
/// probability of at most α, however the tests depend on each other.
///
/// ```
/// assert_eq!(cyclr::stats::holm(&[0.25, 0.0625])?, [0.25, 0.125]);
/// # Ok::<(), cyclr::stats::StatsError>(())
/// ```
///
/// # Errors
/// [`StatsError::Range`] if one is NaN or outside 0..=1. No p-values at all give none.
pub fn holm(p_values: &[f64]) -> Result<Vec<f64>, StatsError> {
    for &p in p_values {
        check_range("a p-value", p, 0.0..=1.0, "0..=1")?;
    }
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&i, &j| p_values[i].total_cmp(&p_values[j]));
    let mut adjusted = vec![0.0; p_values.len()];
    let mut so_far = 0.0_f64;
    for (rank, &i) in order.iter().enumerate() {
        let remaining = (p_values.len() - rank) as f64;
        so_far = so_far.max(p_values[i] * remaining).min(1.0);
        adjusted[i] = so_far;
    }
    Ok(adjusted)
}
