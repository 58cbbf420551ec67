use std::path::PathBuf;

use cyclr::Hyper;
use cyclr::trainer::Metrics;
use serde::{Deserialize, Serialize};

use crate::Interrupt;
use crate::run::{StopReason, ValidationPoint};

/// An observer of the work, and the interrupt that may stop it.
#[expect(missing_debug_implementations, reason = "an observer is a closure")]
pub struct Watch<'a, E = Event> {
    /// Is shown everything that happens, in order, by the thread that does the work.
    pub observer: &'a mut dyn FnMut(&E),
    /// Checked between updates.
    pub interrupt: &'a Interrupt,
}

impl<E> Watch<'_, E> {
    /// The same watch for a part of the work.
    pub(crate) fn reborrow(&mut self) -> Watch<'_, E> {
        Watch {
            observer: &mut *self.observer,
            interrupt: self.interrupt,
        }
    }
}

/// What happens during a run, and a line of its `events.jsonl`.
///
/// What concerns one process only (starting, saving, a damaged checkpoint) is not written, so that
/// the log of a run that was stopped and resumed equals that of one that was not, but for the
/// times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "event", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Event {
    /// A budget of time has been turned into updates.
    Timed {
        /// The budget.
        seconds: f64,
        /// What an update took, measured.
        seconds_per_update: f64,
        /// The updates that fit, evaluations and the test included.
        updates: u64,
    },
    /// A cyclical run will end at a trough, and so not where its budget does.
    Adjusted {
        /// The updates of the budget.
        budget: u64,
        /// The updates that will be made: the last trough within the budget.
        end: u64,
    },
    /// Training begins, or continues after it was stopped.
    #[serde(skip)]
    Started {
        /// Updates made before.
        updates_done: u64,
        /// The update count at which the run ends, unless something ends it earlier.
        end: u64,
        /// Updates in an epoch.
        updates_per_epoch: u64,
        /// Whether the run can be stopped and resumed at any update; if not, it starts over.
        resumable: bool,
    },
    /// A checkpoint cannot be used. It was renamed, and the one before it is taken instead: some
    /// updates are done again.
    #[serde(skip)]
    Damaged {
        /// Where the checkpoint is now.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No checkpoint can be used: the run starts over.
    #[serde(skip)]
    StartedOver,
    /// An update was made.
    Updated {
        /// The update, counted from 0.
        update: u64,
        /// What it used.
        hyper: Hyper,
        /// Its training batch, as it was before the update. Not finite where training diverged.
        metrics: Metrics,
        /// What it took.
        seconds: f64,
    },
    /// The validation split was evaluated.
    Evaluated(ValidationPoint),
    /// A checkpoint was written.
    #[serde(skip)]
    Saved {
        /// The updates done.
        updates_done: u64,
    },
    /// Training is over.
    Ended {
        /// Why.
        stop_reason: StopReason,
        /// The updates done.
        updates_done: u64,
    },
    /// The test split was evaluated, once, after the end.
    Tested {
        /// The updates done.
        updates_done: u64,
        /// The figures over the whole split.
        metrics: Metrics,
    },
}

impl Event {
    /// Whether it is a line of `events.jsonl`.
    pub(crate) fn is_logged(&self) -> bool {
        !matches!(
            self,
            Self::Started { .. } | Self::Damaged { .. } | Self::StartedOver | Self::Saved { .. }
        )
    }
}
