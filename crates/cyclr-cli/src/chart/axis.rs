//! The axes of charts in files: how far they go, and what is written beside them.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use super::short;

/// An axis with numbers, straight or logarithmic, or with names.
#[derive(Clone)]
pub(super) struct Scaled {
    low: f64,
    high: f64,
    log: bool,
    names: Vec<String>,
}

impl Scaled {
    pub(super) fn new(extent: Option<(f64, f64)>, log: bool, names: &[String]) -> Self {
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
        let (low, high) = extent.unwrap_or((if log { 0.1 } else { 0.0 }, 1.0));
        let (low, high) = if low < high {
            (low, high)
        } else if log {
            (low / 2.0, high * 2.0)
        } else {
            (low - 0.5, high + 0.5)
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
        match extent {
            Some((low, high)) if low < high => Self { low, high, ..roomy },
            _ => roomy,
        }
    }

    /// Where a value stands between the ends, 0 to 1.
    pub(super) fn fraction(&self, value: f64) -> f64 {
        if self.log {
            (value.max(self.low) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        }
    }

    /// Round numbers, about `wanted` of them.
    pub(super) fn ticks(&self, wanted: usize) -> Vec<f64> {
        if !self.names.is_empty() {
            return (0..self.names.len()).map(|n| n as f64).collect();
        }
        if self.log {
            return self.log_ticks(wanted);
        }
        let rough = (self.high - self.low) / wanted.max(1) as f64;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power);
        let step = step.into_iter().find(|s| *s >= rough).unwrap_or(rough);
        let (first, last) = ((self.low / step).ceil(), (self.high / step).floor());
        (0..=(last - first).max(0.0) as u32)
            .map(|k| (first + f64::from(k)) * step)
            .collect()
    }

    /// Powers of ten, with 2 and 5 times them where there is room.
    fn log_ticks(&self, wanted: usize) -> Vec<f64> {
        let (first, last) = (
            self.low.log10().floor() as i32,
            self.high.log10().ceil() as i32,
        );
        let inside = |x: &f64| (self.low..=self.high).contains(x);
        let ticks = |factors: &[f64]| -> Vec<f64> {
            let powers =
                (first..=last).flat_map(|e| factors.iter().map(move |f| f * 10f64.powi(e)));
            powers.filter(inside).collect()
        };
        let fine = ticks(&[1.0, 2.0, 5.0]);
        if fine.len() <= wanted.max(4) {
            fine
        } else {
            ticks(&[1.0])
        }
    }
}

impl Ranged for Scaled {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let width = f64::from(limit.1 - limit.0);
        limit.0 + (self.fraction(*value) * width).round() as i32
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
