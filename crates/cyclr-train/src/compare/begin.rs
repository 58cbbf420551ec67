use std::path::Path;

use cyclr::trainer::{TrainerFactory, TrainerInfo};
use serde::{Deserialize, Serialize};

use crate::run::check_same;
use crate::{Error, Pace};

/// What was measured before the first run: the content of `begin.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Begin {
    /// What work takes if nothing else runs.
    pub pace: Pace,
    /// What is trained, with its objective.
    pub info: TrainerInfo,
    /// Whether the objective is that of the evaluation, as the trainer declares none.
    #[serde(default)]
    pub undeclared: bool,
    /// What is trained, in a few words.
    #[serde(default)]
    pub title: String,
}

impl Begin {
    /// Starts a trainer, and measures what must be known before the first run.
    ///
    /// # Errors
    /// [`Error::Trainer`] if the trainer fails.
    pub fn measure(factory: &dyn TrainerFactory, seed: u64) -> Result<Self, Error> {
        let (pace, info) = Pace::measure(factory, seed)?;
        Ok(Self {
            pace,
            info,
            undeclared: factory.info()?.objective.is_none(),
            title: String::new(),
        })
    }

    /// The unit that is made first where a launcher makes them.
    pub const UNIT: &str = "begin";

    /// Refuses a trainer that is not the one that was measured.
    pub(super) fn check_same(&self, now: &TrainerInfo, record: &Path) -> Result<(), Error> {
        let mut was = self.own_info();
        if was.objective.is_none() || now.objective.is_none() {
            // Earlier programs did not write down whether it was declared.
            was.objective.clone_from(&now.objective);
        }
        check_same(&was, now, record)
    }

    /// The info as the trainer itself declares it.
    pub(super) fn own_info(&self) -> TrainerInfo {
        let mut info = self.info.clone();
        if self.undeclared {
            info.objective = None;
        }
        info
    }
}
