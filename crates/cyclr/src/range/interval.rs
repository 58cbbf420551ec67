use alloc::vec::Vec;

use super::{
    NoAnswer, Rule,
    curve::Curve,
    reading::{self, LnPair},
};

/// The resampled curves of a bootstrap.
const RESAMPLES: usize = 200;

/// The neighbouring updates that are resampled together.
const BLOCK: usize = 8;

/// A rate with its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The rate.
    pub value: f64,
    /// The interval's lower end; at most `value`.
    pub low: f64,
    /// The interval's upper end; at least `value`.
    pub high: f64,
}

impl Estimate {
    /// From the ln of a rate and of its interval's ends.
    fn from_ln(value: f64, low: f64, high: f64) -> Self {
        Self {
            value: libm::exp(value),
            low: libm::exp(low.min(value)),
            high: libm::exp(high.max(value)),
        }
    }

    /// The same estimate, nothing of it above `limit`.
    pub(super) fn capped(self, limit: f64) -> Self {
        Self {
            value: self.value.min(limit),
            low: self.low.min(limit),
            high: self.high.min(limit),
        }
    }
}

/// The mean of ln rates (at least two) with its 95 % t interval.
pub(super) fn over_repeats(ln_rates: &[f64]) -> Estimate {
    let n = ln_rates.len() as f64;
    let mean = ln_rates.iter().sum::<f64>() / n;
    let half = t_975(ln_rates.len() - 1) * deviation(ln_rates) / libm::sqrt(n);
    Estimate::from_ln(mean, mean - half, mean + half)
}

/// The standard deviation (n - 1) of at least two values.
pub(super) fn deviation(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
    libm::sqrt(squares / (n - 1.0))
}

/// What resampled curves say: the smoothed curve plus its own residuals, moved in blocks of neighbouring updates from
/// nearby, as the noise changes along a sweep.
pub(super) fn resampled_readings(curve: &Curve, rule: &Rule) -> Vec<Result<LnPair, NoAnswer>> {
    let mut random = SplitMix(0x5EED);
    let again = |_| {
        let values = resampled(curve, &mut random);
        let smoothed = curve.smoother.smooth(&values);
        reading::read(curve, &values, &smoothed, rule)
    };
    (0..RESAMPLES).map(again).collect()
}

/// The ln rate that a curve gave, with the middle 95 % of those that its resampled curves (at least one) gave.
pub(super) fn over_resamples(value: f64, mut resampled: Vec<f64>) -> Estimate {
    resampled.sort_by(f64::total_cmp);
    let last = resampled.len() - 1;
    let at = |share: f64| resampled[libm::round(share * last as f64) as usize];
    Estimate::from_ln(value, at(0.025), at(0.975))
}

fn resampled(curve: &Curve, random: &mut SplitMix) -> Vec<f64> {
    let n = curve.values.len();
    let nearby = (n / 16).max(BLOCK);
    let mut values = curve.smoothed.clone();
    for block in (0..n).step_by(BLOCK) {
        let from = (block + random.below(2 * nearby + 1)).saturating_sub(nearby);
        let from = from.min(n - BLOCK.min(n));
        for i in 0..BLOCK.min(n - block) {
            values[block + i] += curve.values[from + i] - curve.smoothed[from + i];
        }
    }
    values
}

/// The generator of Steele, Lea and Flood (2014), "Fast splittable pseudorandom number generators".
struct SplitMix(u64);

impl SplitMix {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }
}

/// The 97.5 % point of Student's t: a table up to 10 degrees of freedom, and beyond it the first terms of the expansion
/// in 1/df (Abramowitz and Stegun 26.7.5), which is then within 0.001.
fn t_975(df: usize) -> f64 {
    const TABLE: [f64; 10] = [
        12.706_204_736,
        4.302_652_730,
        3.182_446_305,
        2.776_445_105,
        2.570_581_836,
        2.446_911_851,
        2.364_624_252,
        2.306_004_135,
        2.262_157_163,
        2.228_138_852,
    ];
    if let Some(&t) = df.checked_sub(1).and_then(|i| TABLE.get(i)) {
        return t;
    }
    let z: f64 = 1.959_963_985;
    let (z2, d) = (z * z, df as f64);
    let first = z * (z2 + 1.0) / 4.0;
    let second = z * ((5.0 * z2 + 16.0) * z2 + 3.0) / 96.0;
    let third = z * (((3.0 * z2 + 19.0) * z2 + 17.0) * z2 - 15.0) / 384.0;
    z + first / d + second / (d * d) + third / (d * d * d)
}

#[cfg(test)]
mod tests {
    use super::t_975;

    /// The expected values are `scipy.stats.t.ppf(0.975, df)` of SciPy 1.17.
    #[test]
    fn student_t_equals_scipy() {
        let expected = [
            (1, 12.706_204_736),
            (2, 4.302_652_730),
            (4, 2.776_445_105),
            (10, 2.228_138_852),
            (11, 2.200_985_160),
            (30, 2.042_272_456),
            (1000, 1.962_339_081),
        ];
        for (df, t) in expected {
            assert!((t_975(df) - t).abs() < 1e-3, "{df}: {}", t_975(df));
        }
    }
}
