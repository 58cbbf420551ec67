use std::num::NonZeroU64;
use std::time::Duration;

use cyclr::Spec;
use cyclr::units::Epochs;
use serde::{Deserialize, Serialize};

use super::Average;

/// How long to train.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Budget {
    /// That many optimizer updates.
    Updates(u64),
    /// That many passes over the training set.
    Epochs(
        #[serde(with = "epochs")]
        #[cfg_attr(feature = "schema", schemars(with = "f64"))]
        Epochs,
    ),
    /// That long by the clock, in seconds, evaluations and the test included. It is turned into
    /// updates before training, by timing a model that is thrown away.
    #[serde(rename = "seconds")]
    Time(
        #[serde(with = "seconds")]
        #[cfg_attr(feature = "schema", schemars(with = "f64"))]
        Duration,
    ),
}

/// What to train.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// What the rate does.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub spec: Spec,
    /// Decides the initial weights, the order of the data, and dropout.
    pub seed: u64,
    /// How long. A cyclical run ends at the last trough within it.
    pub budget: Budget,
    /// Evaluates on the validation split whenever that many updates more have been done, besides
    /// at every trough and at the end. Arms of a comparison are evaluated on the same grid.
    pub evaluate_every: Option<NonZeroU64>,
    /// Ends a cyclical run at a trough, from the second on, if the cycle brought no gain: a
    /// one-sided McNemar test at 5 % on the same validation examples at this trough and the one
    /// before. If the trainer does not say which examples were correct: if the objective is no
    /// better.
    pub stop_on_plateau: bool,
    /// Ends the run when the objective on the validation split is at least as good as this: at a
    /// trough, or, in a run without troughs, at any evaluation.
    pub target: Option<f64>,
    /// Whether the test split is evaluated, once, after the end.
    pub test: bool,
    /// Which weights are averaged. The averaged model is then the declared one: it is evaluated
    /// beside the model that is trained, it decides, and it alone reads the test split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average: Option<Average>,
    /// How often a run with a folder saves itself, in seconds; besides, it does at troughs, at
    /// most once a second, on interrupt and at the end. If saving takes long it does so less often,
    /// so that a twentieth of the time goes into it at most, unless this is 0.
    #[serde(with = "seconds")]
    #[cfg_attr(feature = "schema", schemars(with = "f64"))]
    pub save_every: Duration,
}

impl Task {
    /// Trains for the whole budget, evaluates at the troughs and the end, tests, and saves every 30
    /// seconds.
    pub fn new(spec: Spec, seed: u64, budget: Budget) -> Self {
        Self {
            spec,
            seed,
            budget,
            evaluate_every: None,
            stop_on_plateau: false,
            target: None,
            test: true,
            average: None,
            save_every: Duration::from_secs(30),
        }
    }
}

/// A length of time as seconds.
mod seconds {
    use std::time::Duration;

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(
        time: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        time.as_secs_f64().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Epochs as a number.
mod epochs {
    use cyclr::units::Epochs;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's own signature")]
    pub(super) fn serialize<S: Serializer>(
        epochs: &Epochs,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        epochs.get().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Epochs, D::Error> {
        Epochs::new(f64::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
