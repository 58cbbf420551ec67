use std::path::Path;

use cyclr::units::MAX_UPDATES;
use serde::{Deserialize, Serialize};

use crate::run::{Branch, Budget, Change, Outcome, Planned, RunPlan};
use crate::store::files::{bad, if_there, read_record, write_record};
use crate::{Error, Event};

/// What was asked of a run and what was planned: the content of its `run.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    /// The version of cyclr that made the run.
    pub cyclr: String,
    /// What was asked and planned.
    pub plan: Planned,
    /// The changes of the horizon that were asked for on the way.
    pub changes: Vec<ChangeRecord>,
    /// The runs that branch off this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub branches: Vec<Branch>,
    /// What the caller needs to make the trainer factory again.
    pub trainer: serde_json::Value,
}

/// A change of the horizon.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ChangeRecord {
    /// The updates done before it.
    pub updates_done: u64,
    /// What was asked.
    pub change: Change,
    /// The horizon before it.
    pub horizon: u64,
    /// The end before it.
    pub end: u64,
}

/// Reads the `run.json` of a run's folder.
///
/// # Errors
/// [`Error::NotARun`] if there is none; [`Error::Io`], [`Error::BadRecord`] or [`Error::Version`].
pub fn read_run(folder: &Path) -> Result<RunRecord, Error> {
    let path = folder.join(RunRecord::FILE);
    let record: Option<RunRecord> = if_there(read_record(&path))?;
    let record = record.ok_or_else(|| Error::NotARun {
        path: folder.to_owned(),
        missing: RunRecord::FILE,
    })?;
    check_lengths(&record.plan).map_err(bad(&path))?;
    Ok(record)
}

/// Reads the `result.json` of a run's folder; `None` if the run is not finished.
///
/// # Errors
/// [`Error::Io`], [`Error::BadRecord`] or [`Error::Version`].
pub fn read_outcome(folder: &Path) -> Result<Option<Outcome>, Error> {
    if_there(read_record(&folder.join(Outcome::FILE)))
}

impl Outcome {
    /// The name of the file in a run's folder.
    pub const FILE: &str = "result.json";

    pub(super) fn write(&self, folder: &Path) -> Result<(), Error> {
        write_record(&folder.join(Self::FILE), self)
    }
}

impl Event {
    /// The name of the file in a run's folder.
    pub const FILE: &str = "events.jsonl";
}

impl RunRecord {
    /// The name of the file in the folder.
    pub const FILE: &str = "run.json";

    pub(crate) fn new(plan: &RunPlan, trainer: serde_json::Value) -> Self {
        Self {
            cyclr: env!("CARGO_PKG_VERSION").into(),
            plan: plan.planned.clone(),
            changes: Vec::new(),
            branches: Vec::new(),
            trainer,
        }
    }

    /// Takes note of a change that leads to `plan`.
    pub(crate) fn change(&mut self, change: Change, updates_done: u64, plan: &RunPlan) {
        let (horizon, end) = (self.plan.horizon, self.plan.end);
        self.changes.push(ChangeRecord {
            updates_done,
            change,
            horizon,
            end,
        });
        self.plan = plan.planned.clone();
    }

    /// Whether the last change was made when `updates_done` updates were done.
    pub(crate) fn was_changed_at(&self, updates_done: u64) -> bool {
        let last = self.changes.last();
        last.is_some_and(|change| change.updates_done == updates_done)
    }
}

/// Refuses a horizon that no run has, and an end after all that was asked for: such a run
/// would hardly end.
fn check_lengths(plan: &Planned) -> Result<(), String> {
    let (horizon, end) = (plan.horizon, plan.end);
    if !(1..=MAX_UPDATES).contains(&horizon) {
        return Err(format!(
            "at `plan.horizon`: {horizon} updates are out of range: it must be from 1 to {MAX_UPDATES}"
        ));
    }
    // A run that goes on beyond its horizon was asked to in updates.
    let asked = match plan.task.budget {
        Budget::Updates(updates) => updates.max(horizon),
        Budget::Epochs(_) | Budget::Time(_) => horizon,
    };
    if end > asked {
        return Err(format!(
            "at `plan.end`: it ends after {end} updates, and {asked} were asked for"
        ));
    }
    Ok(())
}
