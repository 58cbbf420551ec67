//! The values of the grammar: how they print, and how a policy reads them.

use alloc::{format, string::String, vec::Vec};
use core::fmt;

use crate::units::Length;

/// The shortest digits that read back to the same number.
pub(crate) fn number(value: f64) -> String {
    let digits = format!("{value:?}");
    match digits.strip_suffix(".0") {
        Some(whole) => String::from(whole),
        None => digits,
    }
}

/// A key and its value, as they print.
pub(crate) struct Field {
    pub(crate) key: &'static str,
    pub(crate) value: String,
}

impl Field {
    pub(crate) fn number(key: &'static str, value: f64) -> Self {
        Self {
            key,
            value: number(value),
        }
    }

    pub(crate) fn length(key: &'static str, value: Length) -> Self {
        Self {
            key,
            value: format!("{value}"),
        }
    }

    pub(crate) fn lengths(key: &'static str, values: &[Length]) -> Self {
        let values: Vec<String> = values.iter().map(|value| format!("{value}")).collect();
        Self {
            key,
            value: format!("[{}]", values.join(", ")),
        }
    }

    pub(crate) fn range(key: &'static str, lo: f64, hi: f64) -> Self {
        Self {
            key,
            value: format!("{}..{}", number(lo), number(hi)),
        }
    }

    /// One of a set of words, which holds the value.
    pub(crate) fn choice<T: Copy + PartialEq>(
        key: &'static str,
        words: &[(&str, T)],
        value: T,
    ) -> Self {
        let word = words
            .iter()
            .find(|(_, v)| *v == value)
            .map_or("", |(word, _)| word);
        Self {
            key,
            value: String::from(word),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key, self.value)
    }
}
