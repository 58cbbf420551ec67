use std::path::Path;

use cyclr::trainer::{TrainerFactory, TrainerInfo};
use serde::{Deserialize, Serialize};

use super::folder::{Folder, is_comparison, read_plan};
use crate::run::check_same;
use crate::store::State;
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

    /// What happens to this unit, of which the range test is a part, as the folder of its
    /// comparison shows it; `None` once it is done.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::BadRecord`] or [`Error::Version`].
    pub fn seen(folder: &Path) -> Result<Option<State>, Error> {
        let plan = is_comparison(folder).then(|| read_plan(folder));
        let bounds = plan.transpose()?.map(|manifest| manifest.plan.bounds);
        let has_test = bounds.is_some_and(|bounds| bounds.range_test().is_some());
        let last = if has_test {
            Folder::RANGE
        } else {
            Folder::BEGIN
        };
        if folder.join(last).exists() {
            return Ok(None);
        }
        // Without a launcher, the comparison's own process makes it.
        let is_unit = folder.join(Folder::WORK).exists();
        let place = if is_unit {
            &folder.join(Self::UNIT)
        } else {
            folder
        };
        State::of_unfinished(place).map(Some)
    }

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
