//! The values of the grammar: what each is, how it prints, and how it changes with a spec's peak
//! and length.

use alloc::{format, string::String, vec::Vec};
use core::fmt;

use crate::error::{Error, above_zero, in_range};
use crate::units::{Epochs, Length, MAX_UPDATES, Updates};

/// The shortest digits that read back to the same number.
pub(crate) fn number(value: f64) -> String {
    let digits = format!("{value:?}");
    match digits.strip_suffix(".0") {
        Some(whole) => String::from(whole),
        None => digits,
    }
}

/// A key and its value.
pub(crate) struct Field {
    pub(crate) key: &'static str,
    pub(crate) quantity: Quantity,
}

/// The value of a key. Its kind says how it changes with the spec's peak and length.
pub(crate) enum Quantity {
    /// Changes with the peak.
    Rate(f64),
    /// Changes with the length of the run.
    Length(Length),
    /// A list of lengths.
    Lengths(Vec<Length>),
    /// A factor that is applied at every update: over a run twice as long, its square root.
    FactorPerUpdate(f64),
    /// An amount for each update: over a run twice as long, half of it.
    AmountPerUpdate(f64),
    /// A ratio, a power or a count: never changes.
    Number(f64),
    /// Two bounds: never change.
    Range(f64, f64),
    /// One of a set of words.
    Word(&'static str),
}

impl Field {
    pub(crate) fn rate(key: &'static str, value: f64) -> Self {
        Self::new(key, Quantity::Rate(value))
    }

    pub(crate) fn length(key: &'static str, value: Length) -> Self {
        Self::new(key, Quantity::Length(value))
    }

    pub(crate) fn lengths(key: &'static str, values: &[Length]) -> Self {
        Self::new(key, Quantity::Lengths(values.to_vec()))
    }

    pub(crate) fn factor_per_update(key: &'static str, value: f64) -> Self {
        Self::new(key, Quantity::FactorPerUpdate(value))
    }

    pub(crate) fn amount_per_update(key: &'static str, value: f64) -> Self {
        Self::new(key, Quantity::AmountPerUpdate(value))
    }

    pub(crate) fn number(key: &'static str, value: f64) -> Self {
        Self::new(key, Quantity::Number(value))
    }

    pub(crate) fn range(key: &'static str, lo: f64, hi: f64) -> Self {
        Self::new(key, Quantity::Range(lo, hi))
    }

    /// One of `words`, which have the value.
    pub(crate) fn choice<T: Copy + PartialEq>(
        key: &'static str,
        words: &[(&'static str, T)],
        value: T,
    ) -> Self {
        let word = words
            .iter()
            .find(|(_, v)| *v == value)
            .map_or("", |(word, _)| *word);
        Self::new(key, Quantity::Word(word))
    }

    fn new(key: &'static str, quantity: Quantity) -> Self {
        Self { key, quantity }
    }
}

/// How a spec is made from another.
#[derive(Clone, Copy)]
pub(super) enum Scaling {
    /// Rates go from one peak to another.
    Peak { from: f64, to: f64 },
    /// The run becomes this many times as long, and so do warm-ups, unless they keep their
    /// updates and epochs.
    Length { factor: f64, warmups: bool },
}

impl Scaling {
    pub(super) fn length(self, length: Length) -> Result<Length, Error> {
        let Self::Length { factor, .. } = self else {
            return Ok(length);
        };
        Ok(match length {
            // A length of none stays none: a warm-up of 0 updates is no warm-up.
            Length::Updates(Updates(0)) | Length::Percent(_) => length,
            Length::Updates(Updates(updates)) => {
                let longer = libm::round(updates as f64 * factor).max(1.0);
                let allowed = |u| u <= MAX_UPDATES as f64;
                let longer = in_range("updates", longer, "at most 2^53", allowed)?;
                Length::from(Updates(longer as u64))
            }
            Length::Epochs(epochs) => Length::from(Epochs::new(epochs.get() * factor)?),
        })
    }

    /// The fields scaled, but for the warm-ups among them, if these keep their length.
    pub(super) fn fields(
        self,
        fields: Vec<Field>,
        is_warmup: impl Fn(&str) -> bool,
    ) -> Result<Vec<Field>, Error> {
        let keeps = matches!(self, Self::Length { warmups: false, .. });
        let scaled = |Field { key, quantity }| {
            let quantity = if keeps && is_warmup(key) {
                quantity
            } else {
                self.quantity(quantity)?
            };
            Ok(Field::new(key, quantity))
        };
        fields.into_iter().map(scaled).collect()
    }

    fn quantity(self, quantity: Quantity) -> Result<Quantity, Error> {
        Ok(match (quantity, self) {
            (Quantity::Rate(rate), Self::Peak { from, to }) => Quantity::Rate(rate / from * to),
            (Quantity::Length(length), _) => Quantity::Length(self.length(length)?),
            (Quantity::Lengths(lengths), _) => {
                let lengths = lengths.into_iter().map(|length| self.length(length));
                Quantity::Lengths(lengths.collect::<Result<_, _>>()?)
            }
            (Quantity::FactorPerUpdate(gamma), Self::Length { factor, .. }) => {
                Quantity::FactorPerUpdate(libm::pow(gamma, 1.0 / factor))
            }
            (Quantity::AmountPerUpdate(amount), Self::Length { factor, .. }) => {
                Quantity::AmountPerUpdate(amount / factor)
            }
            (same, _) => same,
        })
    }

    /// Refuses what is no height or no length.
    pub(super) fn check(self) -> Result<Self, Error> {
        match self {
            Self::Peak { from, to } => {
                above_zero("peak", to)?;
                above_zero("the peak of the spec", from)?;
            }
            Self::Length { factor, .. } => {
                above_zero("factor", factor)?;
            }
        }
        Ok(self)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key, self.quantity)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate(value)
            | Self::FactorPerUpdate(value)
            | Self::AmountPerUpdate(value)
            | Self::Number(value) => f.write_str(&number(*value)),
            Self::Length(length) => write!(f, "{length}"),
            Self::Lengths(lengths) => {
                let lengths: Vec<String> = lengths.iter().map(|l| format!("{l}")).collect();
                write!(f, "[{}]", lengths.join(", "))
            }
            Self::Range(lo, hi) => write!(f, "{}..{}", number(*lo), number(*hi)),
            Self::Word(word) => f.write_str(word),
        }
    }
}
