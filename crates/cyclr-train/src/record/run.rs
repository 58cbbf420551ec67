use std::num::NonZeroU64;
use std::path::Path;
use std::time::Duration;

use cyclr::trainer::TrainerInfo;
use cyclr::units::Epochs;
use serde::{Deserialize, Serialize};

use crate::record::VERSION;
use crate::record::files::{bad, read_json};
use crate::{Budget, Change, Error, Plan, Task};

/// What was asked of a run and what was planned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    /// The version of the record: 1.
    pub version: u32,
    /// The version of cyclr that made the run.
    pub cyclr: String,
    /// The policy, in the spec grammar.
    pub spec: String,
    /// The seed of the initial weights, the order of the data, and dropout.
    pub seed: u64,
    /// How long the run should be.
    pub budget: BudgetRecord,
    /// The validation split is read whenever so many updates more have been made, besides at troughs and at the end.
    pub evaluate_every: Option<NonZeroU64>,
    /// Whether the run ends when a cycle brings no gain.
    pub stop_on_plateau: bool,
    /// The validation figure at which the run ends.
    pub target: Option<f64>,
    /// Whether the test split is read after the end.
    pub test: bool,
    /// How often the run saves itself.
    pub save_every_seconds: f64,
    /// What is trained.
    pub info: TrainerInfoRecord,
    /// The updates that the schedule is made for.
    pub horizon: u64,
    /// The updates that will be made, unless something ends the run earlier.
    pub end: u64,
    /// Where the budget is time: what an update took when it was turned into updates.
    pub seconds_per_update: Option<f64>,
    /// The changes of the horizon that were asked for on the way.
    pub changes: Vec<ChangeRecord>,
    /// What the caller needs to make the trainer factory again.
    pub factory: serde_json::Value,
}

/// How long a run should be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum BudgetRecord {
    /// Optimizer updates.
    Updates(u64),
    /// Passes over the training set.
    Epochs(f64),
    /// Time by the clock.
    Seconds(f64),
}

/// A change of the horizon.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ChangeRecord {
    /// The updates made before it.
    pub updates_done: u64,
    /// `keep_shape` or `stretch`.
    pub how: String,
    /// The horizon before it.
    pub horizon: u64,
    /// The end before it.
    pub end: u64,
}

/// What is trained, and what the trainer can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "they are the facts' own")]
pub struct TrainerInfoRecord {
    /// Training examples, counted after the validation cut.
    pub examples: u64,
    /// Examples an update sees.
    pub batch: u64,
    /// Validation examples.
    pub validation: u64,
    /// Test examples.
    pub test: u64,
    /// Whether momentum can be set at each update.
    pub momentum: bool,
    /// Whether weight decay can be set at each update.
    pub weight_decay: bool,
    /// Whether the run can be saved and resumed.
    pub snapshots: bool,
    /// Whether training starts from given weights.
    pub given_weights: bool,
}

/// Reads the `run.json` of a run's folder.
///
/// # Errors
/// [`Error::NotARun`] where there is none; [`Error::Io`], [`Error::BadRecord`] or [`Error::Version`].
pub fn read_run(folder: &Path) -> Result<RunRecord, Error> {
    let path = folder.join(RunRecord::FILE);
    if !path.exists() {
        return Err(Error::NotARun {
            path: folder.to_owned(),
            missing: RunRecord::FILE,
        });
    }
    read_json(&path)
}

impl RunRecord {
    /// The name of the file in the folder.
    pub const FILE: &str = "run.json";

    pub(crate) fn new(plan: &Plan, factory: serde_json::Value) -> Self {
        let task = &plan.task;
        Self {
            version: VERSION,
            cyclr: env!("CARGO_PKG_VERSION").into(),
            spec: task.spec.to_string(),
            seed: task.seed,
            budget: task.budget.into(),
            evaluate_every: task.evaluate_every,
            stop_on_plateau: task.stop_on_plateau,
            target: task.target,
            test: task.test,
            save_every_seconds: task.save_every.as_secs_f64(),
            info: (&plan.info).into(),
            horizon: plan.horizon,
            end: plan.end,
            seconds_per_update: plan.seconds_per_update,
            changes: Vec::new(),
            factory,
        }
    }

    /// Takes note of a change that leads to `plan`.
    pub(crate) fn change(&mut self, change: Change, updates_done: u64, plan: &Plan) {
        let how = match change {
            Change::KeepShape { .. } => "keep_shape",
            Change::Stretch { .. } => "stretch",
        };
        let (horizon, end) = (self.horizon, self.end);
        self.changes.push(ChangeRecord {
            updates_done,
            how: how.into(),
            horizon,
            end,
        });
        self.budget = plan.task.budget.into();
        (self.horizon, self.end, self.seconds_per_update) = (plan.horizon, plan.end, None);
    }

    /// The task that the run was given.
    ///
    /// # Errors
    /// [`Error::BadRecord`], naming `path`, where a value is not one that a task can have.
    pub fn task(&self, path: &Path) -> Result<Task, Error> {
        let seconds = |s: f64| Duration::try_from_secs_f64(s).map_err(bad(path));
        Ok(Task {
            spec: self.spec.parse().map_err(bad::<cyclr::SpecError>(path))?,
            seed: self.seed,
            budget: match self.budget {
                BudgetRecord::Updates(updates) => Budget::Updates(updates),
                BudgetRecord::Epochs(epochs) => {
                    Budget::Epochs(Epochs::new(epochs).map_err(bad(path))?)
                }
                BudgetRecord::Seconds(s) => Budget::Time(seconds(s)?),
            },
            evaluate_every: self.evaluate_every,
            stop_on_plateau: self.stop_on_plateau,
            target: self.target,
            test: self.test,
            save_every: seconds(self.save_every_seconds)?,
        })
    }
}

impl From<Budget> for BudgetRecord {
    fn from(budget: Budget) -> Self {
        match budget {
            Budget::Updates(updates) => Self::Updates(updates),
            Budget::Epochs(epochs) => Self::Epochs(epochs.get()),
            Budget::Time(time) => Self::Seconds(time.as_secs_f64()),
        }
    }
}

impl From<&TrainerInfo> for TrainerInfoRecord {
    fn from(info: &TrainerInfo) -> Self {
        Self {
            examples: info.examples,
            batch: info.batch,
            validation: info.validation,
            test: info.test,
            momentum: info.momentum,
            weight_decay: info.weight_decay,
            snapshots: info.snapshots,
            given_weights: info.given_weights,
        }
    }
}
