//! The axes of charts in files: how far they go, and what is written beside them.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use super::short;

/// An axis with numbers, straight or logarithmic, or with names.
#[derive(Clone)]
pub(crate) struct Scaled {
    low: f64,
    high: f64,
    log: bool,
    names: Vec<String>,
}

impl Scaled {
    pub(crate) fn new(extent: Option<(f64, f64)>, log: bool, names: &[String]) -> Self {
        let names = names.to_vec();
        if !names.is_empty() {
            let (low, high) = (-0.5, names.len() as f64 - 0.5);
            return Self {
                low,
                high,
                log,
                names,
            };
        }
        let (low, high) = clamped(extent.unwrap_or((if log { 0.1 } else { 0.0 }, 1.0)), log);
        let (low, high) = if differ(low, high) {
            (low, high)
        } else if log {
            (low / 2.0, high * 2.0)
        } else {
            let size = low.abs().max(high.abs());
            let room = if size > 1e-150 { 0.5 * size } else { 0.5 };
            (low - room, high + room)
        };
        let room = if log {
            (high / low).powf(0.03)
        } else {
            0.03 * (high - low)
        };
        let (low, high) = match (log, low == 0.0) {
            (true, _) => (low / room, high * room),
            // An axis that starts at 0 stays there.
            (false, true) => (0.0, high + room),
            (false, false) => (low - room, high + room),
        };
        Self {
            low,
            high,
            log,
            names,
        }
    }

    /// An axis of numbers that ends at the first and the last of them.
    pub(super) fn tight(extent: Option<(f64, f64)>, log: bool) -> Self {
        let roomy = Self::new(extent, log, &[]);
        match extent.map(|extent| clamped(extent, log)) {
            Some((low, high)) if differ(low, high) => Self { low, high, ..roomy },
            _ => roomy,
        }
    }

    /// Where a value stands between the ends, 0 to 1.
    pub(crate) fn fraction(&self, value: f64) -> f64 {
        if self.log {
            (value.max(self.low) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        }
    }

    /// Round numbers, about `wanted` of them.
    pub(crate) fn ticks(&self, wanted: usize) -> Vec<f64> {
        if !self.names.is_empty() {
            return (0..self.names.len()).map(|n| n as f64).collect();
        }
        if self.log {
            return self.log_ticks(wanted);
        }
        self.linear_ticks(wanted)
    }

    /// Multiples of 1, 2 or 5 times a power of ten; at least two of them, if need be of a finer
    /// step.
    fn linear_ticks(&self, wanted: usize) -> Vec<f64> {
        let wanted = wanted.max(1);
        let ticks = |wanted: usize| {
            let rough = (self.high - self.low) / wanted as f64;
            let power = 10f64.powf(rough.log10().floor());
            let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power);
            let step = step.into_iter().find(|s| *s >= rough).unwrap_or(rough);
            let (first, last) = ((self.low / step).ceil(), (self.high / step).floor());
            let count = (last - first + 1.0).max(0.0) as usize;
            // Products such as 3 × 0.1 are rounded to what they stand for.
            (0..count.min(2 * wanted + 1))
                .map(|k| cyclr::rounded((first + k as f64) * step, 12))
                .collect::<Vec<f64>>()
        };
        let few = ticks(wanted);
        if few.len() < 2 {
            ticks(4 * wanted)
        } else {
            few
        }
    }

    /// Powers of ten, with 2 and 5 times them if there is room; only some powers if there is none.
    /// Over less than an octave they are those of a linear axis.
    fn log_ticks(&self, wanted: usize) -> Vec<f64> {
        let (first, last) = (
            self.low.log10().floor() as i32,
            self.high.log10().ceil() as i32,
        );
        let inside = |x: &f64| (self.low..=self.high).contains(x);
        let ticks = |every: usize, factors: &[f64]| -> Vec<f64> {
            let powers = (first..=last).step_by(every);
            let ticks = powers.flat_map(|e| {
                let power = 10f64.powi(e);
                factors.iter().map(move |f| cyclr::rounded(f * power, 12))
            });
            ticks.filter(inside).collect()
        };
        let fine = ticks(1, &[1.0, 2.0, 5.0]);
        if fine.len() < 2 {
            return self.linear_ticks(wanted.min(4));
        }
        if fine.len() <= wanted.max(4) {
            return fine;
        }
        let decades = (last - first).unsigned_abs() as usize;
        ticks(decades.div_ceil(wanted.max(4)).max(1), &[1.0])
    }
}

/// Whether two numbers differ by more than the rounding of a computation.
fn differ(low: f64, high: f64) -> bool {
    high - low > 1e-12 * low.abs().max(high.abs())
}

/// The ends of an axis within what can be drawn: numbers beyond have no round numbers between
/// them.
fn clamped((low, high): (f64, f64), log: bool) -> (f64, f64) {
    let (least, most) = if log {
        (1e-150, 1e150)
    } else {
        (-1e300, 1e300)
    };
    (low.clamp(least, most), high.clamp(least, most))
}

impl Ranged for Scaled {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let width = f64::from(limit.1 - limit.0);
        limit.0 + (self.fraction(*value).clamp(0.0, 1.0) * width).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        self.ticks(hint.bold_points().min(8))
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

impl ValueFormatter<f64> for Scaled {
    fn format_ext(&self, value: &f64) -> String {
        match self.names.get(value.round().max(0.0) as usize) {
            Some(name) => name.clone(),
            None => short(*value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a number is 1, 2 or 5 times a power of ten, by its digits.
    fn is_round(value: f64) -> bool {
        let digits = format!("{value:e}");
        let (mantissa, _) = digits.split_once('e').unwrap();
        ["1", "2", "5"].contains(&mantissa.trim_start_matches('-'))
    }

    #[test]
    fn ticks_of_a_log_axis_are_round_and_few() {
        for (low, high) in [
            (1e-4, 1.0),
            (0.003, 0.04),
            (2.5e-9, 7e11),
            (1e-320, 1e308),
            (5e-324, 5e-324),
        ] {
            let axis = Scaled::new(Some((low, high)), true, &[]);
            let ticks = axis.ticks(8);
            assert!(
                ticks.iter().all(|&tick| is_round(tick)),
                "{low} {high}: {ticks:?}"
            );
            assert!(ticks.len() <= 10, "{low} {high}: {ticks:?}");
        }
    }

    #[test]
    fn an_axis_of_one_value_stays_on_its_side_of_0() {
        for (low, high) in [(0.1, 0.1), (2.3, 2.3 + 4e-15)] {
            for axis in [
                Scaled::new(Some((low, high)), false, &[]),
                Scaled::tight(Some((low, high)), false),
            ] {
                assert!(0.0 < axis.low && axis.low < 0.6 * low, "{}", axis.low);
                assert!(
                    1.4 * low < axis.high && axis.high < 2.0 * low,
                    "{}",
                    axis.high
                );
                let (a, b) = (axis.fraction(low), axis.fraction(high));
                assert!((a - b).abs() < 1e-9, "rounding is drawn: {a} {b}");
            }
        }
    }

    #[test]
    fn a_narrow_log_axis_has_ticks_too() {
        let ticks = Scaled::new(Some((0.013, 0.019)), true, &[]).ticks(8);
        assert_eq!(ticks, [0.014, 0.016, 0.018]);
    }

    /// Steps of 1, 2 or 5 times a power of ten: the ticks are whole multiples of their distance.
    #[test]
    fn ticks_of_a_linear_axis_have_round_steps() {
        for (low, high) in [
            (0.0, 0.004_181_8),
            (84.0, 86.3),
            (-0.31, 1.45),
            (0.0, 938.0),
            (1e-7, 3e-7),
            (-1e308, 1e308),
        ] {
            let ticks = Scaled::new(Some((low, high)), false, &[]).ticks(6);
            assert!((2..=12).contains(&ticks.len()), "{low} {high}: {ticks:?}");
            let step = cyclr::rounded(ticks[1] - ticks[0], 9);
            assert!(is_round(step), "{low} {high}: {ticks:?}");
            for tick in ticks {
                let steps = tick / step;
                assert!((steps - steps.round()).abs() < 1e-6, "{low} {high}: {tick}");
            }
        }
    }
}
