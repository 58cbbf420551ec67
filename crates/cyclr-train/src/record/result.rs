use std::path::Path;

use cyclr::seam::{Direction, Metric, Metrics};
use serde::{Deserialize, Serialize};

use crate::record::VERSION;
use crate::record::files::read_json;
use crate::{Ending, Error, Outcome, Reading};

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ResultRecord {
    /// The version of the record: 1.
    pub version: u32,
    /// Why the run ended.
    pub ending: EndingRecord,
    /// The updates made.
    pub made: u64,
    /// What the validation split showed at each stop.
    pub readings: Vec<ReadingRecord>,
    /// What the test split showed after the end; null where it was not read.
    pub test: Option<Vec<MetricRecord>>,
    /// What the updates took, in seconds, without readings and saving.
    pub compute_seconds: f64,
    /// What everything took, in seconds, all sittings together.
    pub wall_seconds: f64,
}

/// Why a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "why", rename_all = "snake_case", deny_unknown_fields)]
pub enum EndingRecord {
    /// All planned updates were made.
    Whole,
    /// A whole cycle brought no gain.
    Flat,
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
pub struct ReadingRecord {
    /// The updates made before it.
    pub made: u64,
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
            ending: EndingRecord::from(&outcome.ending),
            made: outcome.made,
            readings: outcome.readings.iter().map(ReadingRecord::from).collect(),
            test: outcome.test.as_ref().map(metric_records),
            compute_seconds: outcome.compute_seconds,
            wall_seconds: outcome.wall_seconds,
        }
    }
}

impl From<ResultRecord> for Outcome {
    fn from(record: ResultRecord) -> Self {
        Self {
            ending: record.ending.into(),
            made: record.made,
            readings: record.readings.into_iter().map(Reading::from).collect(),
            test: record.test.map(metrics),
            compute_seconds: record.compute_seconds,
            wall_seconds: record.wall_seconds,
        }
    }
}

impl From<&Ending> for EndingRecord {
    fn from(ending: &Ending) -> Self {
        match *ending {
            Ending::Whole => Self::Whole,
            Ending::Flat => Self::Flat,
            Ending::Target => Self::Target,
            Ending::OutOfTime => Self::OutOfTime,
            Ending::Diverged { update } => Self::Diverged { update },
        }
    }
}

impl From<EndingRecord> for Ending {
    fn from(record: EndingRecord) -> Self {
        match record {
            EndingRecord::Whole => Self::Whole,
            EndingRecord::Flat => Self::Flat,
            EndingRecord::Target => Self::Target,
            EndingRecord::OutOfTime => Self::OutOfTime,
            EndingRecord::Diverged { update } => Self::Diverged { update },
        }
    }
}

impl From<&Reading> for ReadingRecord {
    fn from(reading: &Reading) -> Self {
        Self {
            made: reading.made,
            trough: reading.trough,
            metrics: metric_records(&reading.metrics),
            compute_seconds: reading.compute_seconds,
        }
    }
}

impl From<ReadingRecord> for Reading {
    fn from(record: ReadingRecord) -> Self {
        Self {
            made: record.made,
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
