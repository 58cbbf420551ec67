//! Runs that have the rates of a longer one up to some update. One trainer makes them all so far;
//! then each goes on by itself from its checkpoint.

use std::path::Path;

use cyclr::Hyper;
use cyclr::trainer::{Metrics, Trainer, TrainerInfo};
use serde::{Deserialize, Serialize};

use super::recorder::Recorder;
use super::{Progress, RunPlan, StopReason};
use crate::store::{RunFolder, Stage, stage};
use crate::{Error, Event};

/// A run that branches off another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Branch {
    /// Its folder, relative to the other run's.
    pub folder: String,
    /// The first updates, which both have alike.
    pub shared: u64,
}

impl Branch {
    /// Opens the branch where the run in `folder` has done `updates_done` updates; `None` if the branch is
    /// elsewhere, and so is made by itself.
    fn open(
        &self,
        folder: &Path,
        updates_done: u64,
        info: &TrainerInfo,
        observer: &mut dyn FnMut(&Event),
    ) -> Result<Option<OpenBranch>, Error> {
        let folder = folder.join(&self.folder);
        if stage(&folder)? != Stage::Unfinished {
            return Ok(None);
        }
        let (mut folder, record) = match RunFolder::open(&folder) {
            Err(Error::Locked { .. }) => return Ok(None),
            opened => opened?,
        };
        let plan = RunPlan::recorded(&record.plan, info)?;
        let (progress, _) = folder.last_checkpoint(observer)?;
        let is_here = progress.updates_done == updates_done
            && progress.updates_shared == updates_done
            && progress.stop_reason.is_none()
            && updates_done < self.shared;
        let mut branch = OpenBranch {
            plan,
            progress,
            folder,
            shared: self.shared,
        };
        if !is_here {
            return Ok(None);
        }
        branch.recorder(&mut |_| {}).announce()?;
        Ok(Some(branch))
    }
}

/// Branches that are the run of another trainer so far.
#[derive(Default)]
pub(super) struct Branches(Vec<OpenBranch>);

struct OpenBranch {
    plan: RunPlan,
    progress: Progress,
    folder: RunFolder,
    shared: u64,
}

impl Branches {
    /// Those that are where the other run is.
    pub(super) fn open(
        branches: &[Branch],
        folder: &Path,
        updates_done: u64,
        info: &TrainerInfo,
        observer: &mut dyn FnMut(&Event),
    ) -> Result<Self, Error> {
        let mut open = Vec::new();
        for branch in branches {
            open.extend(branch.open(folder, updates_done, info, observer)?);
        }
        Ok(Self(open))
    }

    /// The first count of updates at which a branch is evaluated or ends, and at most `stop`.
    pub(super) fn next_stop(&self, stop: u64) -> u64 {
        let stops = self.0.iter().map(OpenBranch::next_stop);
        stops.fold(stop, u64::min)
    }

    /// Takes note of updates that the trainer made for all, and lets go of the branches that end
    /// here.
    pub(super) fn count(
        &mut self,
        net: &mut dyn Trainer,
        hypers: &[Hyper],
        metrics: &[Metrics],
        seconds: f64,
    ) -> Result<(), Error> {
        for branch in &mut self.0 {
            branch.count(net, hypers, metrics, seconds)?;
        }
        let all = std::mem::take(&mut self.0).into_iter();
        let (ended, open): (Vec<_>, Vec<_>) = all.partition(OpenBranch::is_over);
        self.0 = open;
        Self(ended).leave(net)
    }

    /// Writes the checkpoint of every branch.
    pub(super) fn save(&mut self, state: &[u8]) -> Result<(), Error> {
        for branch in &mut self.0 {
            branch.folder.save(&branch.progress, state)?;
        }
        Ok(())
    }

    /// Lets go of the branches, each at its checkpoint.
    pub(super) fn leave(mut self, net: &mut dyn Trainer) -> Result<(), Error> {
        if self.0.is_empty() {
            return Ok(());
        }
        self.save(&net.state()?)
    }
}

impl OpenBranch {
    fn recorder<'r>(&'r mut self, observer: &'r mut dyn FnMut(&Event)) -> Recorder<'r> {
        Recorder {
            plan: &self.plan,
            progress: &mut self.progress,
            folder: Some(&mut self.folder),
            observer,
        }
    }

    fn next_stop(&self) -> u64 {
        let stop = self.plan.next_stop(self.progress.updates_done);
        stop.min(self.shared)
    }

    fn is_over(&self) -> bool {
        self.progress.stop_reason.is_some() || self.progress.updates_done >= self.shared
    }

    fn count(
        &mut self,
        net: &mut dyn Trainer,
        hypers: &[Hyper],
        metrics: &[Metrics],
        seconds: f64,
    ) -> Result<(), Error> {
        let stop = self.plan.next_stop(self.progress.updates_done);
        let end = self.plan.end();
        let mut unseen = |_: &Event| {};
        let mut recorder = self.recorder(&mut unseen);
        let mut stop_reason = recorder.count(hypers, metrics, seconds)?;
        if stop_reason.is_none() && recorder.progress.updates_done == stop {
            stop_reason = recorder.evaluate(net)?;
            stop_reason = stop_reason.or((stop == end).then_some(StopReason::Completed));
        }
        self.progress.stop_reason = stop_reason;
        self.progress.updates_shared = self.progress.updates_done;
        Ok(())
    }
}
