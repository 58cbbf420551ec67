//! The trainer interface between the experiments and whatever is trained.
//!
//! A [`TrainerFactory`] makes runs; a [`Trainer`] is one model under training, driven one update at a time. The range test, the
//! run and the comparison know nothing else, so a net of the embedded engine, a child process, a Burn module and a
//! Python callback are all trained, tested and compared by the same code.
//!
//! **What an implementor owes.** Two runs that are started with the same seed and given the same updates return the
//! same bits. [`Trainer::evaluate`] leaves no trace in the training that follows. [`Trainer::state`] holds
//! everything that later updates depend on (weights, optimizer, norm statistics, random numbers, the place in the
//! data), so that [`Trainer::restore`] into a fresh object continues as if nothing had happened.

use alloc::{borrow::Cow, boxed::Box, string::String, vec::Vec};

use crate::Hyper;

/// Makes runs: models under training that differ by their seed alone.
pub trait TrainerFactory: Sync {
    /// A fresh run. The seed decides the initial weights (unless they are given), the order of the data, and dropout.
    ///
    /// # Errors
    /// [`TrainerError`] where the run cannot be set up.
    fn start(&self, seed: u64) -> Result<Box<dyn Trainer + '_>, TrainerError>;

    /// The facts of every run: they do not depend on the seed. Where a run is costly to start, a trainer factory remembers them.
    ///
    /// # Errors
    /// As [`TrainerFactory::start`].
    fn info(&self) -> Result<TrainerInfo, TrainerError> {
        Ok(self.start(0)?.info().clone())
    }
}

/// One model under training.
pub trait Trainer: Send {
    /// What is being trained on, and what this run can vary. Constant for the life of a run.
    fn info(&self) -> &TrainerInfo;

    /// Makes one optimizer update with the given rate and returns the metrics of its training batch, as they were
    /// *before* the update. A non-finite loss is a result, not an error: the caller decides what it means.
    ///
    /// # Errors
    /// [`TrainerError`] where the update could not be made; the run is then lost.
    fn update(&mut self, hyper: Hyper) -> Result<Metrics, TrainerError>;

    /// Makes one update for each element, and stops early *after* an update whose metrics are not finite. Returns the
    /// metrics of the updates that were made. Where an update is a message to another process, this saves the trips.
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

    /// Measures the model, as it stands, on the whole of a held-out split.
    ///
    /// # Errors
    /// [`TrainerError::Unsupported`] where the split is empty.
    fn evaluate(&mut self, split: Split) -> Result<Evaluation, TrainerError>;

    /// Everything that later updates depend on.
    ///
    /// # Errors
    /// [`TrainerError::Unsupported`] where [`TrainerInfo::snapshots`] is false.
    fn state(&mut self) -> Result<Vec<u8>, TrainerError>;

    /// Continues from a state that a run of the same trainer factory gave, whatever this run has done so far.
    ///
    /// # Errors
    /// [`TrainerError::BadState`] where the bytes are damaged, truncated or of another net; the run is then as it was.
    fn restore(&mut self, state: &[u8]) -> Result<(), TrainerError>;

    /// The model as a file for others (plain safetensors, for the embedded engine), where there is such a form.
    ///
    /// # Errors
    /// [`TrainerError`] where it could not be made.
    fn model(&mut self) -> Result<Option<Vec<u8>>, TrainerError> {
        Ok(None)
    }

    /// What the trainer printed since this was last asked, for the run's log; nothing, for one that does not print.
    fn output(&mut self) -> Vec<u8> {
        Vec::new()
    }

    /// Ends the run in good order: nothing but [`Trainer::output`] is asked afterwards. A run that is dropped ends too,
    /// but nobody hears whether that went well.
    ///
    /// # Errors
    /// [`TrainerError::Failed`] where the trainer does not end.
    fn end(&mut self) -> Result<(), TrainerError> {
        Ok(())
    }
}

/// What a run trains on and what it can vary.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four abilities that a trainer has or lacks, in any combination"
)]
pub struct TrainerInfo {
    /// Training examples, counted after the validation cut; at least 1.
    pub examples: u64,
    /// Examples an optimizer update sees, gradient accumulation included; at least 1.
    pub batch: u64,
    /// Validation examples; 0 where there are none, and then everything that decides is refused.
    pub validation: u64,
    /// Test examples; 0 where there are none.
    pub test: u64,
    /// Whether [`Hyper::momentum`] is obeyed; where not, a schedule that moves it is refused.
    pub momentum: bool,
    /// Whether [`Hyper::weight_decay`] is obeyed; where not, a schedule that moves it is refused.
    pub weight_decay: bool,
    /// Whether [`Trainer::state`] and [`Trainer::restore`] work.
    pub snapshots: bool,
    /// Whether training starts from given weights, so that the seed decides the order of the data only.
    pub given_weights: bool,
}

impl TrainerInfo {
    /// Updates in an epoch: `ceil(examples / batch)`.
    pub fn updates_per_epoch(&self) -> u64 {
        self.examples.div_ceil(self.batch)
    }
}

/// A held-out part of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Split {
    /// Decides everything that is decided: tuning, stopping, targets.
    Validation,
    /// Read once for each finished run; decides nothing.
    Test,
}

/// Whether more or less of a metric is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// More is better, as for accuracy.
    Higher,
    /// Less is better, as for a loss.
    Lower,
}

/// One measured figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Its name in records and charts: `loss`, `accuracy`, or the trainer's own.
    pub name: Cow<'static, str>,
    /// Whether more or less of it is better.
    pub direction: Direction,
    /// The mean over `count` examples. May be NaN or infinite: that is how divergence shows.
    pub value: f64,
    /// The examples it was measured on.
    pub count: u64,
    /// Where it is an accuracy: the number of examples that were classified correctly.
    pub correct: Option<u64>,
}

impl Metric {
    /// The mean loss over `count` examples.
    pub const fn loss(value: f64, count: u64) -> Self {
        Self {
            name: Cow::Borrowed("loss"),
            direction: Direction::Lower,
            value,
            count,
            correct: None,
        }
    }

    /// The fraction of `count` examples that were classified correctly.
    pub fn accuracy(correct: u64, count: u64) -> Self {
        let value = correct as f64 / count as f64;
        Self {
            name: Cow::Borrowed("accuracy"),
            direction: Direction::Higher,
            value,
            count,
            correct: Some(correct),
        }
    }

    /// Whether this value is better than `other`'s. Nothing is better than itself, and NaN is better than nothing.
    pub fn is_better_than(&self, other: &Self) -> bool {
        match self.direction {
            Direction::Higher => self.value > other.value,
            Direction::Lower => self.value < other.value,
        }
    }
}

/// The figures of one update or one evaluation, each name at most once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics(Vec<Metric>);

impl Metrics {
    /// Gathers metrics; where a name comes twice, the first stands.
    pub fn new(metrics: impl IntoIterator<Item = Metric>) -> Self {
        let mut kept: Vec<Metric> = Vec::new();
        for metric in metrics {
            if kept.iter().all(|m| m.name != metric.name) {
                kept.push(metric);
            }
        }
        Self(kept)
    }

    /// The metric of that name.
    pub fn get(&self, name: &str) -> Option<&Metric> {
        self.0.iter().find(|m| m.name == name)
    }

    /// The loss, where there is one.
    pub fn loss(&self) -> Option<&Metric> {
        self.get("loss")
    }

    /// The figure that decisions read: the first that is not the loss, or the loss where there is nothing else.
    pub fn objective(&self) -> Option<&Metric> {
        self.0
            .iter()
            .find(|m| m.name != "loss")
            .or_else(|| self.0.first())
    }

    /// Whether every value is a finite number.
    pub fn is_finite(&self) -> bool {
        self.0.iter().all(|m| m.value.is_finite())
    }

    /// All of them, in the trainer's order.
    pub fn iter(&self) -> core::slice::Iter<'_, Metric> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a Metrics {
    type Item = &'a Metric;
    type IntoIter = core::slice::Iter<'a, Metric>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// What [`Trainer::evaluate`] measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// The figures over the whole split.
    pub metrics: Metrics,
    /// Which examples were classified correctly, in the split's own fixed order, where the trainer can say. Paired
    /// tests between two states of a run (`McNemar`) need it.
    pub correct: Option<Vec<bool>>,
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
    /// The trainer failed.
    #[error("the run failed: {reason}")]
    Failed {
        /// What it said.
        reason: String,
    },
}
