//! Lengths in updates, epochs and per cent, and the one place where they become updates.
//!
//! ```
//! use cyclr::units::{Epochs, Horizon, Length, Percent, Updates};
//!
//! // 50,000 examples in batches of 100: an epoch is 500 updates ([CLR] section 3.2).
//! let run = Horizon::of_epochs(Epochs::new(20.0)?, 50_000, 100)?;
//! assert_eq!(run.updates(), 10_000);
//! assert_eq!(run.updates_in(Length::from(Epochs::new(8.0)?))?, 4_000.0);
//! assert_eq!(run.updates_in(Length::from(Percent::new(30.0)?))?, 3_000.0);
//! assert_eq!(run.updates_in(Length::from(Updates(2_000)))?, 2_000.0);
//! # Ok::<(), cyclr::Error>(())
//! ```
//!
//! [CLR]: https://arxiv.org/abs/1506.01186

use alloc::{format, string::String};
use core::fmt;

use crate::error::{Error, above_zero, in_range};
use crate::spec::number;

/// The largest count of updates that every number of this crate holds exactly: 2^53.
pub const MAX_UPDATES: u64 = 1 << 53;

/// A number of optimizer updates. The update is the only clock; it is counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Updates(pub u64);

/// A number of passes over the training set: finite and at least 0. It becomes a whole number of
/// updates, the nearest.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Epochs(f64);

/// A fraction of the horizon, `0..=100`. It becomes updates without rounding.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Percent(f64);

impl Epochs {
    /// # Errors
    /// [`Error::OutOfRange`] if `epochs` is negative or not finite.
    pub fn new(epochs: f64) -> Result<Self, Error> {
        crate::error::rate("epochs", epochs).map(Self)
    }

    /// The number.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl Percent {
    /// # Errors
    /// [`Error::OutOfRange`] if `percent` is not in `0..=100`.
    pub fn new(percent: f64) -> Result<Self, Error> {
        in_range("percent", percent, "between 0% and 100%", |p| {
            (0.0..=100.0).contains(&p)
        })
        .map(Self)
    }

    /// The number, `0..=100`.
    pub const fn get(self) -> f64 {
        self.0
    }
}

/// A length of training in one of three units. It prints as the spec grammar writes it: `2000`,
/// `8ep`, `30%`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Length {
    /// A number of optimizer updates.
    Updates(Updates),
    /// A number of passes over the training set.
    Epochs(Epochs),
    /// A fraction of the horizon: of the stage, inside a stage; of the run, after `for`.
    Percent(Percent),
}

impl Length {
    /// Whether it is no length at all.
    pub fn is_zero(self) -> bool {
        match self {
            Self::Updates(updates) => updates.0 == 0,
            Self::Epochs(epochs) => epochs.0 == 0.0,
            Self::Percent(percent) => percent.0 == 0.0,
        }
    }

    /// Describes the length: `2000 updates`, `8 epochs`, `30 % of the run` (`whole` is what per
    /// cent are of).
    pub(crate) fn describe(self, whole: &str) -> String {
        match self {
            Self::Updates(Updates(1)) => String::from("1 update"),
            Self::Updates(updates) => format!("{} updates", updates.0),
            Self::Epochs(epochs) if epochs.0 == 1.0 => String::from("1 epoch"),
            Self::Epochs(epochs) => format!("{} epochs", number(epochs.0)),
            Self::Percent(percent) => format!("{} % of the {whole}", number(percent.0)),
        }
    }
}

impl From<Updates> for Length {
    fn from(updates: Updates) -> Self {
        Self::Updates(updates)
    }
}

impl From<Epochs> for Length {
    fn from(epochs: Epochs) -> Self {
        Self::Epochs(epochs)
    }
}

impl From<Percent> for Length {
    fn from(percent: Percent) -> Self {
        Self::Percent(percent)
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Updates(updates) => write!(f, "{}", updates.0),
            Self::Epochs(epochs) => write!(f, "{}ep", number(epochs.0)),
            Self::Percent(percent) => write!(f, "{}%", number(percent.0)),
        }
    }
}

/// What a schedule must know of its run: how many updates it has and, for lengths in epochs, how
/// many make an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Horizon {
    updates: u64,
    updates_per_epoch: Option<u64>,
}

impl Horizon {
    /// A run of that many updates, whose epoch is unknown.
    ///
    /// # Errors
    /// [`Error::BadHorizon`] if it is 0 or above [`MAX_UPDATES`].
    pub fn of_updates(updates: u64) -> Result<Self, Error> {
        if !(1..=MAX_UPDATES).contains(&updates) {
            return Err(Error::BadHorizon { updates });
        }
        Ok(Self {
            updates,
            updates_per_epoch: None,
        })
    }

    /// A run of that many epochs over `examples` (counted after the validation cut) in batches of
    /// `batch`.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if a count is 0; [`Error::BadHorizon`] if the run has no update or more than
    /// [`MAX_UPDATES`].
    pub fn of_epochs(epochs: Epochs, examples: u64, batch: u64) -> Result<Self, Error> {
        let per_epoch = updates_per_epoch(examples, batch)?;
        Self::of_updates(whole(epochs, per_epoch))?.with_epoch(examples, batch)
    }

    /// The same run, its epoch known: `ceil(examples / batch)` updates.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if a count is 0.
    pub fn with_epoch(self, examples: u64, batch: u64) -> Result<Self, Error> {
        Ok(Self {
            updates_per_epoch: Some(updates_per_epoch(examples, batch)?),
            ..self
        })
    }

    /// The updates of the run.
    pub const fn updates(&self) -> u64 {
        self.updates
    }

    /// The updates of an epoch, if known.
    pub const fn updates_per_epoch(&self) -> Option<u64> {
        self.updates_per_epoch
    }

    /// A length in updates; per cent are of the whole run, and may come out fractional.
    ///
    /// # Errors
    /// [`Error::UnknownEpoch`] for epochs if the epoch is unknown.
    pub fn updates_in(&self, length: Length) -> Result<f64, Error> {
        self.updates_within(length, self.updates as f64)
    }

    /// As [`Horizon::updates_in`], with per cent of `total` updates.
    pub(crate) fn updates_within(&self, length: Length, total: f64) -> Result<f64, Error> {
        match length {
            Length::Updates(updates) => Ok(updates.0 as f64),
            Length::Percent(percent) => Ok(snapped(percent.0 * total / 100.0)),
            Length::Epochs(epochs) => {
                let per_epoch = self
                    .updates_per_epoch
                    .ok_or(Error::UnknownEpoch { length })?;
                Ok(whole(epochs, per_epoch) as f64)
            }
        }
    }
}

/// The first whole number not below `x`; what is whole but for rounding errors counts as whole.
/// `x` is at least 0.
pub(crate) fn round_up(x: f64) -> u64 {
    let nearest = nearest(x);
    nearest as u64 + u64::from(x - nearest > rounding(x))
}

/// The last whole number not above `x`, with the same leniency; `x` is at least 0.
#[inline]
pub(crate) fn round_down(x: f64) -> f64 {
    let nearest = nearest(x);
    if nearest - x > rounding(x) {
        nearest - 1.0
    } else {
        nearest
    }
}

/// `x`, or the whole number that it is but for rounding errors.
#[inline]
pub(crate) fn snapped(x: f64) -> f64 {
    let nearest = nearest(x);
    if (nearest - x).abs() > rounding(x) {
        x
    } else {
        nearest
    }
}

/// The error that a few operations on doubles may leave in a number of this size: `1e-12` of it,
/// and no more than a thousandth of an update. The borders of stages, cycles and periods all have
/// this leniency.
#[inline]
pub(crate) fn rounding(x: f64) -> f64 {
    (1e-12 * x.abs().max(1.0)).min(1e-3)
}

#[inline]
fn nearest(x: f64) -> f64 {
    /// Doubles of this size have no fraction, so that adding it rounds, without a detour over
    /// integers.
    const WHOLE: f64 = (1_u64 << 52) as f64;
    if x < WHOLE { (x + WHOLE) - WHOLE } else { x }
}

fn updates_per_epoch(examples: u64, batch: u64) -> Result<u64, Error> {
    above_zero("examples", examples as f64)?;
    above_zero("batch", batch as f64)?;
    Ok(examples.div_ceil(batch))
}

fn whole(epochs: Epochs, per_epoch: u64) -> u64 {
    libm::round(epochs.0 * per_epoch as f64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_is_the_ceiling_of_examples_over_batch() {
        let run = Horizon::of_epochs(Epochs(3.0), 1_001, 100).unwrap();
        assert_eq!((run.updates(), run.updates_per_epoch()), (33, Some(11)));
    }

    #[test]
    fn epochs_become_the_nearest_whole_number_of_updates() {
        let most = MAX_UPDATES - 1;
        let run = Horizon::of_epochs(Epochs(1.0), most, 1).unwrap();
        assert_eq!((run.updates(), run.updates_per_epoch()), (most, Some(most)));
        // Of this and one half the nearest double is 1.
        assert!(Horizon::of_epochs(Epochs(0.5_f64.next_down()), 1, 1).is_err());
    }

    #[test]
    fn per_cent_stay_fractional_and_epochs_come_out_whole() {
        let run = Horizon::of_updates(101)
            .unwrap()
            .with_epoch(391, 1)
            .unwrap();
        assert_eq!(run.updates_in(Percent(50.0).into()).unwrap(), 50.5);
        assert_eq!(run.updates_in(Epochs(0.5).into()).unwrap(), 196.0);
    }

    #[test]
    fn rounding_up_ignores_rounding_errors() {
        for (x, up) in [
            (0.0, 0),
            (3.0, 3),
            (3.000_000_000_000_000_4, 3),
            (3.1, 4),
            (0.1, 1),
            (189.000_000_000_03, 189),
            (189.000_000_1, 190),
            (1e15 + 0.5, 1_000_000_000_000_001),
            (9_007_199_254_740_991.0, 9_007_199_254_740_991),
        ] {
            assert_eq!(round_up(x), up, "{x}");
        }
    }

    #[test]
    fn rounding_down_ignores_rounding_errors() {
        let below_three = 3.0_f64.next_down();
        for (x, down) in [
            (0.0, 0.0),
            (0.5, 0.0),
            (1.5, 1.0),
            (2.5, 2.0),
            (below_three, 3.0),
            (2.999_999, 2.0),
            (9_007_199_254_740_991.0, 9_007_199_254_740_991.0),
        ] {
            assert_eq!(round_down(x), down, "{x}");
        }
    }

    #[test]
    fn values_out_of_range_are_refused() {
        assert!(Epochs::new(-1.0).is_err() && Epochs::new(f64::NAN).is_err());
        assert!(Percent::new(100.1).is_err());
        for updates in [0, MAX_UPDATES + 1, u64::MAX] {
            let error = Horizon::of_updates(updates).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("updates = {updates} is ")),
                "{error}"
            );
        }
        assert!(Horizon::of_updates(1).unwrap().with_epoch(0, 1).is_err());
        let unknown = Horizon::of_updates(1)
            .unwrap()
            .updates_in(Epochs(1.0).into());
        assert!(matches!(unknown, Err(Error::UnknownEpoch { .. })));
    }
}
