use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Which weights of a run are averaged (SWA; Izmailov et al. 2018).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Average {
    /// Those at every trough so far, all alike.
    Troughs,
}

impl FromStr for Average {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "troughs" => Ok(Self::Troughs),
            _ => Err(format!("`{text}` cannot be averaged: give `troughs`")),
        }
    }
}

impl fmt::Display for Average {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Troughs => f.write_str("troughs"),
        }
    }
}
