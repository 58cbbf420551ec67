use alloc::{vec, vec::Vec};

/// A centred local linear regression with tricube weights, as a fixed linear map of the values it
/// smooths.
///
/// The window around a point is symmetric in the *index* (the update), as the noise of each update
/// is its own, and so wide that it spans `reach` in ln rate to both sides, or `least` points where
/// those are more.
pub(super) struct Smoother {
    windows: Vec<Window>,
}

struct Window {
    start: usize,
    weights: Vec<f64>,
}

impl Smoother {
    /// `ln_rates` rise strictly; `counts` weigh the points.
    pub(super) fn new(ln_rates: &[f64], counts: &[f64], reach: f64, least: usize) -> Self {
        let windows = (0..ln_rates.len()).map(|at| {
            let from = ln_rates.partition_point(|&x| x < ln_rates[at] - reach);
            let to = ln_rates.partition_point(|&x| x <= ln_rates[at] + reach);
            let half = least.max((to - from) / 2).max(1);
            Window::new(counts, at, half)
        });
        Self {
            windows: windows.collect(),
        }
    }

    /// The smoothed values.
    pub(super) fn smooth(&self, values: &[f64]) -> Vec<f64> {
        let at = |w: &Window| {
            let near = &values[w.start..w.start + w.weights.len()];
            near.iter().zip(&w.weights).map(|(v, w)| v * w).sum()
        };
        self.windows.iter().map(at).collect()
    }

    /// The variance of each smoothed value as a fraction of that of one value.
    pub(super) fn spread(&self) -> Vec<f64> {
        let at = |w: &Window| w.weights.iter().map(|w| w * w).sum();
        self.windows.iter().map(at).collect()
    }
}

impl Window {
    /// The weights whose sum with the values is the fitted line's value at `at`.
    fn new(counts: &[f64], at: usize, half: usize) -> Self {
        let start = at.saturating_sub(half);
        let end = (at + half + 1).min(counts.len());
        let offset = |i: usize| (i as f64 - at as f64) / (half as f64 + 0.5);
        let kernel: Vec<f64> = (start..end)
            .map(|i| counts[i] * tricube(offset(i)))
            .collect();
        let moment = |power: i32| -> f64 {
            let of = |(i, k): (usize, &f64)| k * libm::pow(offset(i), f64::from(power));
            (start..end).zip(&kernel).map(of).sum()
        };
        let (s0, s1, s2) = (moment(0), moment(1), moment(2));
        let determinant = s0 * s2 - s1 * s1;
        if determinant <= 1e-12 * s0 * s0 {
            let weights = kernel.iter().map(|k| k / s0).collect();
            return Self { start, weights };
        }
        let mut weights = vec![0.0; kernel.len()];
        for (slot, (i, k)) in weights.iter_mut().zip((start..end).zip(&kernel)) {
            *slot = k * (s2 - s1 * offset(i)) / determinant;
        }
        Self { start, weights }
    }
}

fn tricube(x: f64) -> f64 {
    let rest = 1.0 - libm::fabs(x * x * x);
    rest * rest * rest
}
