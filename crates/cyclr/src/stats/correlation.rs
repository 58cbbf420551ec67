//! How much two arms go up and down together over seeds.

use libm::{atanh, sqrt, tanh};

use super::{Interval, Summary, summary::unit};

/// The 97.5 % quantile of the normal distribution.
const NORMAL: f64 = 1.959_963_984_540_054;

/// Pearson's correlation of an arm with the reference, over the seeds that both ran on.
///
/// Above 0, pairing by seed narrows the interval of the difference: its variance is s₁² + s₂² -
/// 2·r·s₁·s₂. At or below 0, pairing is worth nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Correlation {
    /// r, from -1 to 1.
    pub r: f64,
    /// Its 95 % interval by Fisher's z (1921), tanh(atanh r ± 1.96/√(n - 3)), for normal values;
    /// `None` for three pairs, and if r is -1 or 1.
    pub interval: Option<Interval>,
}

impl Correlation {
    /// Of pairs of finite values; `None` for fewer than three, which always lie on a line, and if
    /// either side does not vary.
    pub(super) fn of(arm: &[f64], reference: &[f64], means: [&Summary; 2]) -> Option<Self> {
        let n = arm.len();
        let [arm_mean, reference_mean] = means.map(|summary| summary.mean);
        if n < 3 || means.iter().any(|summary| !summary.varies()) {
            return None;
        }
        let x_unit = unit(arm.iter().map(|x| x - arm_mean));
        let y_unit = unit(reference.iter().map(|y| y - reference_mean));
        let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
        for (x, y) in arm.iter().zip(reference) {
            let (x, y) = ((x - arm_mean) / x_unit, (y - reference_mean) / y_unit);
            xx += x * x;
            yy += y * y;
            xy += x * y;
        }
        let r = (xy / (sqrt(xx) * sqrt(yy))).clamp(-1.0, 1.0);
        let interval = (n > 3 && r > -1.0 && r < 1.0).then(|| {
            let half = NORMAL / sqrt((n - 3) as f64);
            let [low, high] = [-half, half].map(|step| tanh(atanh(r) + step));
            Interval { low, high }
        });
        Some(Self { r, interval })
    }
}
