use serde::{Deserialize, Serialize};

use crate::Machine;
use crate::run::{StopReason, ValidationPoint};

/// How far a run has come: beside the trainer's own state, all that what follows depends on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// Updates done.
    pub(crate) updates_done: u64,
    /// Of these, the first that another run's trainer made for both.
    #[serde(default)]
    pub(crate) updates_shared: u64,
    /// Seconds that the updates took.
    pub(crate) compute_seconds: f64,
    /// Seconds that everything took, all processes together.
    pub(crate) wall_seconds: f64,
    /// Where the updates were made, in order.
    #[serde(default)]
    pub(crate) machines: Vec<Machine>,
    /// What the validation split has shown so far.
    pub(crate) evaluations: Vec<ValidationPoint>,
    /// Which validation examples were classified correctly at the last trough, if the trainer says
    /// so.
    #[serde(with = "digits")]
    pub(crate) trough_correct: Option<Vec<bool>>,
    /// Why training is over, once it is.
    pub(crate) stop_reason: Option<StopReason>,
}

/// Truth values as text, one character each, `1` for true.
mod digits {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "serde's own signature")]
    pub(super) fn serialize<S: Serializer>(
        bits: &Option<Vec<bool>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let digit = |&bit: &bool| if bit { '1' } else { '0' };
        let text: Option<String> = bits.as_ref().map(|bits| bits.iter().map(digit).collect());
        text.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Vec<bool>>, D::Error> {
        let text: Option<String> = Option::deserialize(deserializer)?;
        let bit = |digit| match digit {
            '0' => Ok(false),
            '1' => Ok(true),
            other => Err(D::Error::custom(format!("{other:?} is neither 0 nor 1"))),
        };
        text.map(|text| text.chars().map(bit).collect()).transpose()
    }
}
