use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::record::files::bad;
use crate::record::result::{
    MetricRecord, StopReasonRecord, ValidationPointRecord, metric_records,
};
use crate::{Error, Event};

/// What happened, as one line of the log.
///
/// What concerns one process only (starting, saving, a damaged checkpoint) is not written, so that the log of a run that
/// was stopped and resumed equals that of one that was not, but for the times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "event", rename_all = "snake_case", deny_unknown_fields)]
pub enum EventRecord {
    /// A budget of time was turned into updates.
    Timed {
        /// The budget.
        seconds: f64,
        /// What an update took, measured.
        seconds_per_update: f64,
        /// The updates that fit.
        updates: u64,
    },
    /// A cyclical run ends at the last trough within its budget.
    Adjusted {
        /// The updates of the budget.
        budget: u64,
        /// The updates that will be made.
        end: u64,
    },
    /// An update was made.
    Updated {
        /// The update, counted from 0.
        update: u64,
        /// The rate it used.
        lr: f64,
        /// The momentum it used, where the schedule moves it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        momentum: Option<f64>,
        /// The weight decay it used, where the schedule moves it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        weight_decay: Option<f64>,
        /// The figures of its training batch, as it was before the update.
        metrics: Vec<MetricRecord>,
        /// What it took.
        seconds: f64,
    },
    /// The validation split was read.
    Evaluated(ValidationPointRecord),
    /// Training ended.
    Ended {
        /// Why.
        stop_reason: StopReasonRecord,
        /// The updates made.
        updates_done: u64,
    },
    /// The test split was read.
    Tested {
        /// The updates made.
        updates_done: u64,
        /// The figures over the whole split.
        metrics: Vec<MetricRecord>,
    },
}

impl EventRecord {
    /// The name of the file in the folder.
    pub const FILE: &str = "events.jsonl";

    /// The line for an event; `None` where it concerns one process only.
    pub fn of(event: &Event) -> Option<Self> {
        Some(match event {
            &Event::Timed {
                seconds,
                seconds_per_update,
                updates,
            } => Self::Timed {
                seconds,
                seconds_per_update,
                updates,
            },
            &Event::Adjusted { budget, end } => Self::Adjusted { budget, end },
            Event::Updated {
                update,
                hyper,
                metrics,
                seconds,
            } => Self::Updated {
                update: *update,
                lr: hyper.lr,
                momentum: hyper.momentum,
                weight_decay: hyper.weight_decay,
                metrics: metric_records(metrics),
                seconds: *seconds,
            },
            Event::Evaluated(evaluation) => Self::Evaluated(evaluation.into()),
            Event::Ended {
                stop_reason,
                updates_done,
            } => Self::Ended {
                stop_reason: stop_reason.into(),
                updates_done: *updates_done,
            },
            Event::Tested {
                updates_done,
                metrics,
            } => Self::Tested {
                updates_done: *updates_done,
                metrics: metric_records(metrics),
            },
            Event::Started { .. } | Event::Damaged { .. } | Event::Saved { .. } => return None,
        })
    }
}

/// Reads the `events.jsonl` of a run's folder, line by line. The last line of a run that was killed may be incomplete;
/// it is then an error like any other, and the last item.
///
/// # Errors
/// [`Error::Io`] where the file cannot be opened; each item [`Error::BadRecord`] where its line is no event.
pub fn read_events(
    folder: &Path,
) -> Result<impl Iterator<Item = Result<EventRecord, Error>>, Error> {
    let path = folder.join(EventRecord::FILE);
    let file = File::open(&path).map_err(Error::io("read", &path))?;
    let lines = BufReader::new(file).lines().enumerate();
    Ok(lines.map(move |(n, line)| {
        let line = line.map_err(Error::io("read", &path))?;
        serde_json::from_str(&line).map_err(|error| bad(&path)(format!("line {}: {error}", n + 1)))
    }))
}
