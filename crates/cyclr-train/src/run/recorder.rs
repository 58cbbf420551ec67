//! What is written down of a run, by the trainer that makes it or by one that makes another run
//! which is the same so far.

use cyclr::Hyper;
use cyclr::trainer::{Metrics, TrainerError};

use super::{Planned, Progress, RunPlan, StopReason};
use crate::store::RunFolder;
use crate::{Error, Event, Machine};

/// A run on its way, without its trainer.
pub(super) struct Recorder<'r> {
    pub(super) plan: &'r RunPlan,
    pub(super) progress: &'r mut Progress,
    pub(super) folder: Option<&'r mut RunFolder>,
    pub(super) observer: &'r mut dyn FnMut(&Event),
}

impl Recorder<'_> {
    /// Says, before the first update, what will be done other than was asked.
    pub(super) fn announce(&mut self) -> Result<(), Error> {
        let Planned {
            horizon,
            seconds_per_update,
            ..
        } = self.plan.planned;
        if self.progress.updates_done > 0 {
            return Ok(());
        }
        if let (Some(seconds), Some(seconds_per_update)) = (self.plan.seconds(), seconds_per_update)
        {
            self.emit(&Event::Timed {
                seconds,
                seconds_per_update,
                updates: horizon,
            })?;
        }
        match self.plan.adjusted() {
            Some(adjusted) => self.emit(&adjusted),
            None => Ok(()),
        }
    }

    /// Takes note of updates that were made with the first of `hypers`.
    pub(super) fn count(
        &mut self,
        hypers: &[Hyper],
        all: &[Metrics],
        seconds: f64,
    ) -> Result<Option<StopReason>, Error> {
        let (asked, answered) = (hypers.len(), all.len());
        for (&hyper, metrics) in hypers.iter().zip(all) {
            let update = self.progress.updates_done;
            let finite = metrics.is_finite();
            self.progress.updates_done += 1;
            self.progress.compute_seconds += seconds;
            Machine::count(&mut self.progress.machines, seconds);
            self.emit(&Event::Updated {
                update,
                hyper,
                metrics: metrics.clone(),
                seconds,
            })?;
            if !finite {
                return Ok(Some(StopReason::Diverged { update }));
            }
        }
        if answered < asked {
            let reason = format!("it made {answered} of {asked} updates, all of them finite");
            return Err(TrainerError::Failed { reason }.into());
        }
        Ok(None)
    }

    pub(super) fn emit(&mut self, event: &Event) -> Result<(), Error> {
        if let Some(folder) = self.folder.as_deref_mut() {
            folder.record(event)?;
        }
        (self.observer)(event);
        Ok(())
    }
}
