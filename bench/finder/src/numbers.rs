//! Means and medians.

use std::collections::BTreeMap;

/// The mean of each problem's scores; scores that are not finite are left out.
pub fn per_problem<'a>(scores: impl Iterator<Item = (&'a str, f64)>) -> BTreeMap<&'a str, f64> {
    let mut by = BTreeMap::<&str, Vec<f64>>::new();
    for (name, score) in scores.filter(|s| s.1.is_finite()) {
        by.entry(name).or_default().push(score);
    }
    by.into_iter().map(|(name, v)| (name, mean(v))).collect()
}

/// Not a number where there are no values.
pub fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (mut sum, mut n) = (0.0, 0.0);
    for value in values {
        sum += value;
        n += 1.0;
    }
    sum / n
}

/// Not a number where there are no values.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    if n == 0 {
        f64::NAN
    } else {
        0.5 * (sorted[(n - 1) / 2] + sorted[n / 2])
    }
}

/// The standard deviation of a sample.
pub fn deviation(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let middle = mean(values.clone());
    let squares = values.clone().map(|v| (v - middle).powi(2)).sum::<f64>();
    (squares / (values.count() - 1) as f64).sqrt()
}
