use std::path::Path;

use cyclr::trainer::{Direction, Metric, Metrics};
use serde::{Deserialize, Serialize};

use crate::record::VERSION;
use crate::record::files::read_json;
use crate::{Error, Outcome, StopReason, ValidationPoint};

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ResultRecord {
    /// The version of the record: 1.
    pub version: u32,
    /// Why the run ended.
    pub stop_reason: StopReasonRecord,
    /// The updates made.
    pub updates_done: u64,
    /// What the validation split showed at each stop.
    pub evaluations: Vec<ValidationPointRecord>,
    /// What the test split showed after the end; null where it was not read.
    pub test: Option<Vec<MetricRecord>>,
    /// What the updates took, in seconds, without readings and saving.
    pub compute_seconds: f64,
    /// What everything took, in seconds, all processes together.
    pub wall_seconds: f64,
}

/// Why a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "why", rename_all = "snake_case", deny_unknown_fields)]
pub enum StopReasonRecord {
    /// All planned updates were made.
    Completed,
    /// A whole cycle brought no gain.
    Plateau,
    /// The target was reached.
    Target,
    /// The next trough did not fit into the budget of time any more.
    OutOfTime,
    /// The loss was not finite.
    Diverged {
        /// At this update, counted from 0, or in a reading after so many updates.
        update: u64,
    },
}

/// What the validation split showed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ValidationPointRecord {
    /// The updates made before it.
    pub updates_done: u64,
    /// Which trough this is, counted from 1, if it is one.
    pub trough: Option<u64>,
    /// The figures over the whole validation split.
    pub metrics: Vec<MetricRecord>,
    /// What the updates so far took, in seconds.
    pub compute_seconds: f64,
}

/// One measured figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MetricRecord {
    /// `loss`, `accuracy`, or the trainer's own name.
    pub name: String,
    /// Which values are better.
    pub better: Better,
    /// The mean over `count` examples; null where it is not finite.
    pub value: Option<f64>,
    /// The examples it was measured on.
    pub count: u64,
    /// Of an accuracy: how many examples were classified correctly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correct: Option<u64>,
}

/// Which values are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
}

/// Reads the `result.json` of a run's folder; `None` where the run is not finished.
///
/// # Errors
/// [`Error::Io`], [`Error::BadRecord`] or [`Error::Version`].
pub fn read_result(folder: &Path) -> Result<Option<ResultRecord>, Error> {
    let path = folder.join(ResultRecord::FILE);
    if path.exists() {
        read_json(&path).map(Some)
    } else {
        Ok(None)
    }
}

impl ResultRecord {
    /// The name of the file in the folder.
    pub const FILE: &str = "result.json";
}

impl From<&Outcome> for ResultRecord {
    fn from(outcome: &Outcome) -> Self {
        Self {
            version: VERSION,
            stop_reason: StopReasonRecord::from(&outcome.stop_reason),
            updates_done: outcome.updates_done,
            evaluations: outcome
                .evaluations
                .iter()
                .map(ValidationPointRecord::from)
                .collect(),
            test: outcome.test.as_ref().map(metric_records),
            compute_seconds: outcome.compute_seconds,
            wall_seconds: outcome.wall_seconds,
        }
    }
}

impl From<ResultRecord> for Outcome {
    fn from(record: ResultRecord) -> Self {
        Self {
            stop_reason: record.stop_reason.into(),
            updates_done: record.updates_done,
            evaluations: record
                .evaluations
                .into_iter()
                .map(ValidationPoint::from)
                .collect(),
            test: record.test.map(metrics),
            compute_seconds: record.compute_seconds,
            wall_seconds: record.wall_seconds,
        }
    }
}

impl From<&StopReason> for StopReasonRecord {
    fn from(stop_reason: &StopReason) -> Self {
        match *stop_reason {
            StopReason::Completed => Self::Completed,
            StopReason::Plateau => Self::Plateau,
            StopReason::Target => Self::Target,
            StopReason::OutOfTime => Self::OutOfTime,
            StopReason::Diverged { update } => Self::Diverged { update },
        }
    }
}

impl From<StopReasonRecord> for StopReason {
    fn from(record: StopReasonRecord) -> Self {
        match record {
            StopReasonRecord::Completed => Self::Completed,
            StopReasonRecord::Plateau => Self::Plateau,
            StopReasonRecord::Target => Self::Target,
            StopReasonRecord::OutOfTime => Self::OutOfTime,
            StopReasonRecord::Diverged { update } => Self::Diverged { update },
        }
    }
}

impl From<&ValidationPoint> for ValidationPointRecord {
    fn from(evaluation: &ValidationPoint) -> Self {
        Self {
            updates_done: evaluation.updates_done,
            trough: evaluation.trough,
            metrics: metric_records(&evaluation.metrics),
            compute_seconds: evaluation.compute_seconds,
        }
    }
}

impl From<ValidationPointRecord> for ValidationPoint {
    fn from(record: ValidationPointRecord) -> Self {
        Self {
            updates_done: record.updates_done,
            trough: record.trough,
            metrics: metrics(record.metrics),
            compute_seconds: record.compute_seconds,
        }
    }
}

pub(super) fn metric_records(metrics: &Metrics) -> Vec<MetricRecord> {
    metrics.iter().map(MetricRecord::from).collect()
}

fn metrics(records: Vec<MetricRecord>) -> Metrics {
    Metrics::new(records.into_iter().map(Metric::from))
}

impl From<&Metric> for MetricRecord {
    fn from(metric: &Metric) -> Self {
        Self {
            name: metric.name.to_string(),
            better: match metric.direction {
                Direction::Higher => Better::Higher,
                Direction::Lower => Better::Lower,
            },
            value: Some(metric.value).filter(|value| value.is_finite()),
            count: metric.count,
            correct: metric.correct,
        }
    }
}

impl From<MetricRecord> for Metric {
    fn from(record: MetricRecord) -> Self {
        Self {
            name: record.name.into(),
            direction: match record.better {
                Better::Higher => Direction::Higher,
                Better::Lower => Direction::Lower,
            },
            value: record.value.unwrap_or(f64::NAN),
            count: record.count,
            correct: record.correct,
        }
    }
}
