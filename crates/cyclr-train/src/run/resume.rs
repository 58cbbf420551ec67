use std::path::Path;

use cyclr::trainer::{TrainerError, TrainerFactory, TrainerInfo};
use serde::{Deserialize, Serialize};

use crate::run::branch::Branches;
use crate::run::{Budget, Outcome, Run, RunPlan, StopReason, Task, start_in};
use crate::store::{Failure, RunFolder, RunRecord, read_outcome, read_run};
use crate::{Error, Watch};

/// Another horizon for a run that is resumed. What becomes of the curve must be said, because both
/// may be meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "how", rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// The rate of every update stays what it was. Cycles in updates or epochs continue beyond the
    /// old end; any other curve, such as cycles in per cent, holds its last value there, which is
    /// refused if that is 0.
    KeepShape {
        /// The new budget.
        updates: u64,
    },
    /// The schedule is made for the new horizon, and the updates to come follow it.
    Stretch {
        /// The new budget.
        updates: u64,
    },
}

/// Goes on with a run from its last checkpoint, or from the start if there is none, as if it had
/// never stopped: the outcome is the same bit for bit, but for the times. The outcome of a
/// finished run is read, not made again, unless a change gives it more to do.
///
/// # Errors
/// [`Error::NotARun`], [`Error::Locked`], [`Error::OtherTrainer`]; [`Error::BadHorizon`] for a
/// change that cannot be made; and those of [`train_in`](crate::train_in).
pub fn resume(
    folder: &Path,
    factory: &dyn TrainerFactory,
    change: Option<Change>,
    watch: Watch,
) -> Result<Outcome, Error> {
    read_run(folder)?;
    if let (None, Some(outcome)) = (change, read_outcome(folder)?) {
        return Ok(outcome);
    }
    let interrupt = watch.interrupt;
    let mut opened = RunFolder::open(folder)?;
    let done = go_on(folder, &mut opened, factory, change, watch);
    Failure::note(folder, done.map_err(|error| interrupt.explain(error)))
}

fn go_on(
    folder: &Path,
    (files, record): &mut (RunFolder, RunRecord),
    factory: &dyn TrainerFactory,
    change: Option<Change>,
    watch: Watch,
) -> Result<Outcome, Error> {
    let updates = match change {
        Some(Change::KeepShape { updates } | Change::Stretch { updates }) => updates,
        None => record.plan.end,
    };
    let mut net = start_in(folder, factory, record.plan.task.seed, Some(updates))?;
    let info = net.info().clone();
    check_same(&record.plan.info, &info, &folder.join(RunRecord::FILE))?;
    let mut plan = RunPlan::recorded(&record.plan, &info)?;
    let (mut progress, state) = files.last_checkpoint(watch.observer)?;
    if let Some(state) = state {
        net.restore(&state)
            .map_err(|error| of_checkpoint(error, folder, progress.updates_done))?;
    }
    if record.was_changed_at(progress.updates_done) {
        // The checkpoint is that of the end before the change.
        progress.stop_reason = None;
    }
    if let Some(change) = change {
        plan = plan.changed(change, progress.updates_done, progress.stop_reason.take())?;
        record.change(change, progress.updates_done, &plan);
        files.replace(record)?;
    }
    // A run that was changed may have other rates than its branches.
    let branches = match record.changes[..] {
        [] => {
            let (branches, done) = (&record.branches, progress.updates_done);
            Branches::open(branches, folder, done, plan.info(), watch.observer)?
        }
        _ => Branches::default(),
    };
    let mut run = Run::new(&plan, net, Some(files), watch);
    run.branches = branches;
    run.before = progress.wall_seconds;
    run.progress = progress;
    if let Some(adjusted) = plan.adjusted()
        && change.is_some()
        && run.progress.updates_done > 0
    {
        run.emit(&adjusted)?;
    }
    run.go()
}

/// The error with the file that the state is from.
fn of_checkpoint(error: TrainerError, folder: &Path, updates_done: u64) -> TrainerError {
    match error {
        TrainerError::BadState { reason } => {
            let file = RunFolder::checkpoint(folder, updates_done);
            let reason = format!(
                "{}: {reason}. If the file is damaged, remove it to go on from the checkpoint before it",
                file.display()
            );
            TrainerError::BadState { reason }
        }
        other => other,
    }
}

/// Refuses a trainer that is not what a record says of it, and other data.
pub(crate) fn check_same(
    was: &TrainerInfo,
    info: &TrainerInfo,
    record: &Path,
) -> Result<(), Error> {
    let path = record.to_owned();
    let same = TrainerInfo {
        // A plan that averages is checked against what the trainer can do now.
        averages: info.averages,
        ensembles: info.ensembles,
        data_checksum: info.data_checksum.clone(),
        ..was.clone()
    };
    if *info != same {
        return Err(Error::OtherTrainer {
            path,
            was: described(was),
            is: described(info),
        });
    }
    match (&was.data_checksum, &info.data_checksum) {
        (Some(was), is) if is.as_ref() != Some(was) => Err(Error::OtherData {
            path,
            was: was.clone(),
            is: is.clone().unwrap_or_else(|| String::from("no checksum")),
        }),
        // Records of earlier versions have no checksum.
        _ => Ok(()),
    }
}

/// Trainer info in a line, for a message.
fn described(info: &TrainerInfo) -> String {
    let objective = info.objective.as_ref().map_or("none", |o| &o.name);
    format!(
        "{} examples in batches of {}, {} for validation and {} for the test (momentum {}, weight decay {}, \
         snapshots {}, given weights {}, objective {objective})",
        info.examples,
        info.batch,
        info.validation,
        info.test,
        info.momentum,
        info.weight_decay,
        info.snapshots,
        info.given_weights
    )
}

impl RunPlan {
    fn changed(
        self,
        change: Change,
        updates_done: u64,
        stop_reason: Option<StopReason>,
    ) -> Result<Self, Error> {
        let (Change::KeepShape { updates } | Change::Stretch { updates }) = change;
        let refuse = |reason| Err(Error::BadHorizon { updates, reason });
        if let Some(StopReason::Diverged { update }) = stop_reason {
            return refuse(format!(
                "it diverged at update {update}; start a new run at a lower rate"
            ));
        }
        let mut task = self.task().clone();
        task.budget = Budget::Updates(updates);
        let anew = Self::of_updates(&task, self.info(), updates)?;
        let plan = match change {
            Change::Stretch { .. } => anew,
            Change::KeepShape { .. } if self.agrees_with(&anew) => anew,
            Change::KeepShape { .. } if updates <= self.horizon() => {
                let cycles = self.schedule.position(self.horizon() - 1).is_some();
                let trough = self.troughs.iter().rfind(|&&trough| trough <= updates);
                let end = if cycles {
                    trough.copied().unwrap_or(0)
                } else {
                    updates
                };
                self.with_end(task, end)
            }
            Change::KeepShape { .. } if self.schedule.at(self.horizon()).lr == 0.0 => {
                return refuse(format!(
                    "its rate is 0 from update {} on; stretch the schedule instead",
                    self.horizon()
                ));
            }
            Change::KeepShape { .. } => self.with_end(task, updates),
        };
        if plan.end() <= updates_done {
            return refuse(format!(
                "{updates_done} are made and its last stop would be {}",
                plan.end()
            ));
        }
        Ok(plan)
    }

    /// The same schedule, ending elsewhere.
    fn with_end(mut self, task: Task, end: u64) -> Self {
        self.planned.task = task;
        self.planned.end = end;
        self
    }

    /// Whether both give every update that both have the same rate.
    fn agrees_with(&self, other: &Self) -> bool {
        let common = self.horizon().min(other.horizon());
        (0..common).all(|update| self.schedule.at(update) == other.schedule.at(update))
    }
}
