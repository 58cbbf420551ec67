//! What of a run's troughs makes its averaged model.

use alloc::{format, string::String};
use core::{fmt, num::NonZeroU32, str::FromStr};

/// What is averaged over the troughs of a run: weights, or predictions.
///
/// ```
/// use cyclr::trainer::Average;
///
/// let average: Average = "ensemble(3)".parse()?;
/// assert_eq!(average.describe(), "ensemble of the last 3 troughs");
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Average {
    /// The weights at every trough so far, all alike (SWA; Izmailov et al. 2018).
    Troughs,
    /// The predictions of the models at this many last troughs, or at all while there are fewer: a
    /// snapshot ensemble (Huang et al. 2017).
    Ensemble(NonZeroU32),
}

impl Average {
    /// In words: `averaged over troughs`, `ensemble of the last 3 troughs`.
    pub fn describe(self) -> String {
        match self {
            Self::Troughs => "averaged over troughs".into(),
            Self::Ensemble(last) => format!("ensemble of the last {last} troughs"),
        }
    }
}

impl FromStr for Average {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let last = text.strip_prefix("ensemble(");
        // What is no number is refused with the whole text below.
        let last = last.and_then(|rest| rest.strip_suffix(')')?.parse().ok());
        match (text, last) {
            ("troughs", _) => Ok(Self::Troughs),
            (_, Some(last)) => Ok(Self::Ensemble(last)),
            _ => Err(format!(
                "`{text}` cannot be averaged: give `troughs`, or `ensemble(3)`"
            )),
        }
    }
}

impl fmt::Display for Average {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Troughs => f.write_str("troughs"),
            Self::Ensemble(last) => write!(f, "ensemble({last})"),
        }
    }
}
