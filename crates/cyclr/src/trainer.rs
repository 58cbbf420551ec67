//! The interface between the experiments and what is trained.
//!
//! A [`TrainerFactory`] makes runs; a [`Trainer`] is one model under training, driven one update
//! at a time. The range test, the run and the comparison use nothing else, so the same code trains,
//! tests and compares a net of the embedded engine, a child process and a Python object.
//!
//! **What an implementation must do.** Two runs with the same seed and the same updates return the
//! same bits. [`Trainer::evaluate`] leaves no trace in the training that follows.
//! [`Trainer::state`] holds everything that later updates depend on (weights, optimizer, norm
//! statistics, random numbers, the place in the data), so that [`Trainer::restore`] into a fresh
//! object continues as if nothing had happened.

use alloc::{boxed::Box, string::String, vec::Vec};

use crate::Hyper;

mod average;
mod info;
mod metric;

pub use average::Average;
pub use info::{Objective, Split, TrainerInfo, Unit, WholeRuns};
pub use metric::{Direction, Evaluation, Metric, Metrics};

/// Makes runs: models under training that differ only by their seed.
pub trait TrainerFactory: Sync {
    /// A fresh run. The seed decides the initial weights (unless they are given), the order of the
    /// data, and dropout.
    ///
    /// # Errors
    /// [`TrainerError`] if the run cannot be set up.
    fn start(&self, seed: u64) -> Result<Box<dyn Trainer + '_>, TrainerError>;

    /// Like [`TrainerFactory::start`], for a run of which more is known. A user's program may want to
    /// know it; it does not change what the run does.
    ///
    /// # Errors
    /// As [`TrainerFactory::start`].
    fn start_known(&self, seed: u64, known: Known) -> Result<Box<dyn Trainer + '_>, TrainerError> {
        let _ = known;
        self.start(seed)
    }

    /// The info of every run, which does not depend on the seed. If a run is costly to start, a
    /// trainer factory should remember it.
    ///
    /// # Errors
    /// As [`TrainerFactory::start`].
    fn info(&self) -> Result<TrainerInfo, TrainerError> {
        Ok(self.start(0)?.info().clone())
    }
}

/// What may be known of a run before it starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known<'a> {
    /// The updates that it is planned for, if the budget is in updates.
    pub updates: Option<u64>,
    /// The absolute path of its folder, if it has one.
    pub folder: Option<&'a str>,
}

/// One model under training.
pub trait Trainer: Send {
    /// What is being trained on, and what this run can vary. Constant for the life of a run.
    fn info(&self) -> &TrainerInfo;

    /// Makes one optimizer update with the given rate and returns the metrics of its training batch,
    /// as they were *before* the update. A loss that is not finite is a result, not an error: the
    /// caller decides what it means.
    ///
    /// # Errors
    /// [`TrainerError`] if the update could not be made; the run is then lost.
    fn update(&mut self, hyper: Hyper) -> Result<Metrics, TrainerError>;

    /// Makes one update for each element, and stops early *after* an update whose metrics are not
    /// finite. Returns the metrics of the updates that were made. If an update is a message to
    /// another process, this saves round trips. A trainer with [`TrainerInfo::whole_runs`] gets all
    /// updates of a run in one call, and may return no metrics for them.
    ///
    /// # Errors
    /// As [`Trainer::update`].
    fn updates(&mut self, hypers: &[Hyper]) -> Result<Vec<Metrics>, TrainerError> {
        let mut made = Vec::with_capacity(hypers.len());
        for &hyper in hypers {
            let metrics = self.update(hyper)?;
            let finite = metrics.is_finite();
            made.push(metrics);
            if !finite {
                break;
            }
        }
        Ok(made)
    }

    /// Evaluates the present model on the whole of a held-out split.
    ///
    /// # Errors
    /// [`TrainerError::Unsupported`] if the split is empty.
    fn evaluate(&mut self, split: Split) -> Result<Evaluation, TrainerError>;

    /// Everything that later updates depend on.
    ///
    /// # Errors
    /// [`TrainerError::Unsupported`] if [`TrainerInfo::snapshots`] is false.
    fn state(&mut self) -> Result<Vec<u8>, TrainerError>;

    /// Continues from a state of a run of the same trainer factory, whatever this run has done so
    /// far.
    ///
    /// # Errors
    /// [`TrainerError::BadState`] if the bytes are damaged, truncated or of another net; the run
    /// is then as it was.
    fn restore(&mut self, state: &[u8]) -> Result<(), TrainerError>;

    /// The model as a file for other programs (plain safetensors, for the embedded engine), if there
    /// is such a form.
    ///
    /// # Errors
    /// [`TrainerError`] if it could not be made.
    fn model(&mut self) -> Result<Option<Vec<u8>>, TrainerError> {
        Ok(None)
    }

    /// Adds the present model to the average: its weights to the mean of all weights that were added
    /// (Izmailov et al., [SWA](https://arxiv.org/abs/1803.05407)), or the model to the ensemble of the
    /// last K, whose predictions are averaged (Huang et al., [snapshot
    /// ensembles](https://arxiv.org/abs/1704.00109)). It leaves no trace in the training that
    /// follows, and is part of [`Trainer::state`]. A run averages in one way.
    ///
    /// # Errors
    /// [`TrainerError::Unsupported`] if [`TrainerInfo::averages`], or of an ensemble
    /// [`TrainerInfo::ensembles`], is false.
    fn average(&mut self, how: Average) -> Result<(), TrainerError> {
        let _ = how;
        Err(no_average())
    }

    /// Like [`Trainer::evaluate`], for the model with the averaged weights, whose norm statistics are
    /// those that the training data have under them; or for the mean of the probabilities that the
    /// models of the ensemble give to each class.
    ///
    /// # Errors
    /// As [`Trainer::evaluate`]; besides, [`TrainerError::Unsupported`] if nothing was averaged.
    fn evaluate_average(&mut self, split: Split) -> Result<Evaluation, TrainerError> {
        let _ = split;
        Err(no_average())
    }

    /// Like [`Trainer::model`], for the averaged model, or for the models of the ensemble, the oldest
    /// first; none if there is no such form.
    ///
    /// # Errors
    /// As [`Trainer::evaluate_average`].
    fn average_models(&mut self) -> Result<Vec<Vec<u8>>, TrainerError> {
        Ok(Vec::new())
    }

    /// What the trainer printed since the last call, for the run's log; nothing if it does not print.
    fn output(&mut self) -> Vec<u8> {
        Vec::new()
    }

    /// Ends the run: only [`Trainer::output`] is called afterwards. A run that is dropped ends, too,
    /// but without an error if that fails.
    ///
    /// # Errors
    /// [`TrainerError::Failed`] if the trainer does not end.
    fn end(&mut self) -> Result<(), TrainerError> {
        Ok(())
    }
}

fn no_average() -> TrainerError {
    TrainerError::Unsupported {
        what: "average",
        reason: String::from("this trainer has no such average"),
    }
}

/// Why a run could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainerError {
    /// The run lacks the ability or the data.
    #[error("this run cannot {what}: {reason}")]
    Unsupported {
        /// What was asked, as a verb.
        what: &'static str,
        /// Why not, and what would help.
        reason: String,
    },
    /// The state is damaged or of another run.
    #[error("the state does not fit this run: {reason}")]
    BadState {
        /// What is wrong with it, with the values found and expected.
        reason: String,
    },
    /// The trainer returned something that cannot be true.
    #[error("the trainer says something impossible: {reason}")]
    Impossible {
        /// What it says, and what would be possible.
        reason: String,
    },
    /// The trainer failed.
    #[error("the run failed: {reason}")]
    Failed {
        /// What it said.
        reason: String,
    },
    /// The trainer's process ended without an answer. A cluster that stops a job sends SIGTERM to
    /// every process of it: if this process was asked to stop as well, the run is interrupted, not
    /// failed.
    #[error("the run failed: {reason}")]
    Ended {
        /// How it ended, with its last words.
        reason: String,
    },
}
