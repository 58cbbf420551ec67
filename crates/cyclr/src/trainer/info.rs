use alloc::{borrow::Cow, format, string::String};

use super::{Direction, Metric, Metrics, TrainerError};

/// What a run trains on and what it can vary.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(
    clippy::struct_excessive_bools,
    reason = "abilities that a trainer has or lacks, in any combination"
)]
pub struct TrainerInfo {
    /// Training examples, counted after the validation cut; at least 1.
    pub examples: u64,
    /// Examples an optimizer update sees, gradient accumulation included; at least 1.
    pub batch: u64,
    /// Validation examples; 0 if there are none, and then everything that decides is refused.
    pub validation: u64,
    /// Test examples; 0 if there are none.
    pub test: u64,
    /// Whether [`Hyper::momentum`](crate::Hyper) is obeyed; if not, a schedule that moves it is
    /// refused.
    pub momentum: bool,
    /// Whether [`Hyper::weight_decay`](crate::Hyper) is obeyed; if not, a schedule that moves it
    /// is refused.
    pub weight_decay: bool,
    /// Whether [`Trainer::state`](super::Trainer) and [`Trainer::restore`](super::Trainer) work.
    pub snapshots: bool,
    /// Whether training starts from given weights, so that the seed decides the order of the data
    /// only.
    pub given_weights: bool,
    /// Whether [`Trainer::average`](super::Trainer) works for weights; if not, to average is refused.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "core::ops::Not::not")
    )]
    pub averages: bool,
    /// Whether it also makes [ensembles](super::Average::Ensemble).
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "core::ops::Not::not")
    )]
    pub ensembles: bool,
    /// What decides between two runs. `None` if the trainer does not say: then the first metric of
    /// an evaluation that is not the loss decides, or the loss if there is no other.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub objective: Option<Objective>,
    /// How runs are made of a trainer that makes whole runs only: all updates of a run in one
    /// request, and evaluations after it. `None` for one that is asked for any updates.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub whole_runs: Option<WholeRuns>,
    /// Checksums of the examples of each split, as a text. A run or comparison continues only if it
    /// is the same text. `None` if the trainer does not say.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub data_checksum: Option<String>,
}

/// What a trainer that makes whole runs only can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WholeRuns {
    /// Whether the rate may change within a run.
    pub schedule: bool,
    /// Whether what is reported is another figure than the one that decides.
    pub test_apart: bool,
}

impl TrainerInfo {
    /// The info of a trainer with training examples alone, which obeys the rate and has no other
    /// ability. Start from it and change fields.
    ///
    /// ```
    /// use cyclr::trainer::TrainerInfo;
    ///
    /// // 1,000 examples in batches of 20, and 200 that are held out to decide by.
    /// let info = TrainerInfo { validation: 200, snapshots: true, ..TrainerInfo::new(1000, 20) };
    /// assert_eq!((info.updates_per_epoch(), info.test, info.momentum), (50, 0, false));
    /// ```
    pub const fn new(examples: u64, batch: u64) -> Self {
        Self {
            examples,
            batch,
            validation: 0,
            test: 0,
            momentum: false,
            weight_decay: false,
            snapshots: false,
            given_weights: false,
            averages: false,
            ensembles: false,
            objective: None,
            whole_runs: None,
            data_checksum: None,
        }
    }

    /// Updates in an epoch: `ceil(examples / batch)`.
    ///
    /// # Panics
    /// If the batch is 0, which [`TrainerInfo::checked`] refuses.
    pub fn updates_per_epoch(&self) -> u64 {
        self.examples.div_ceil(self.batch)
    }

    /// The info, if it can be true.
    ///
    /// # Errors
    /// [`TrainerError::Impossible`] for no training examples, or empty batches.
    pub fn checked(self) -> Result<Self, TrainerError> {
        if self.examples == 0 || self.batch == 0 {
            let (examples, batch) = (self.examples, self.batch);
            return Err(TrainerError::Impossible {
                reason: format!(
                    "{examples} training examples in batches of {batch}: both must be at least 1"
                ),
            });
        }
        Ok(self)
    }

    /// The metric that decides: the declared objective, or, if none is declared, what
    /// [`Metrics::first_objective`] finds.
    pub fn objective_in<'m>(&self, metrics: &'m Metrics) -> Option<&'m Metric> {
        match &self.objective {
            Some(objective) => objective.find(metrics),
            None => metrics.first_objective(),
        }
    }
}

/// The figure that decides: which run is better, when a target is reached, which rate is the best.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Objective {
    /// The name of its metric: `accuracy`, `loss`, or the trainer's own.
    #[cfg_attr(feature = "schema", schemars(with = "alloc::string::String"))]
    pub name: Cow<'static, str>,
    /// Whether more or less of it is better.
    pub direction: Direction,
    /// The unit that people read it in.
    #[cfg_attr(feature = "serde", serde(default))]
    pub unit: Unit,
}

impl Objective {
    /// The fraction of examples that are classified correctly, in points.
    pub const ACCURACY: Self = Self {
        name: Cow::Borrowed("accuracy"),
        direction: Direction::Higher,
        unit: Unit::Points,
    };

    /// The objective that a metric makes: in points if it is an accuracy, else as it is.
    pub fn of(metric: &Metric) -> Self {
        Self {
            name: metric.name.clone(),
            direction: metric.direction,
            unit: if metric.correct.is_some() {
                Unit::Points
            } else {
                Unit::Own
            },
        }
    }

    /// Its metric among these.
    pub fn find<'m>(&self, metrics: &'m Metrics) -> Option<&'m Metric> {
        metrics.get(&self.name)
    }

    /// Its value among these metrics, in its unit; `None` if it is missing or not finite.
    pub fn value(&self, metrics: &Metrics) -> Option<f64> {
        let value = self.unit.of(self.find(metrics)?.value);
        value.is_finite().then_some(value)
    }
}

/// The unit that a value is shown and recorded in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Unit {
    /// A fraction, shown as per cent; differences of it are points.
    Points,
    /// The metric's own unit.
    #[default]
    Own,
}

impl Unit {
    /// A metric's value in this unit: 0.7 is 70 points.
    pub fn of(self, value: f64) -> f64 {
        match self {
            // Rounded to a millionth of a point, so that 0.7 is 70 and not 70.00000000000001.
            Self::Points => libm::round(value * 1e8) / 1e6,
            Self::Own => value,
        }
    }
}

/// A held-out part of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Split {
    /// Decides everything that is decided: tuning, stopping, targets.
    Validation,
    /// Read once for each finished run; decides nothing.
    Test,
}
