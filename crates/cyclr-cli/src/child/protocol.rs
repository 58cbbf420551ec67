//! The messages between cyclr and a child process: JSON-RPC 2.0, one message a line.
//! `docs/protocol.md` is the specification for those who write the other side.

use std::num::NonZeroU32;

use cyclr::Hyper;
use cyclr::trainer::{Metrics, Split, TrainerInfo};
use serde::{Deserialize, Serialize};

/// The version of the protocol.
pub(super) const VERSION: u32 = 1;

/// The error code for a method that the child lacks.
pub(super) const NO_METHOD: i64 = -32601;

/// The largest seed: not every language has larger whole numbers.
pub(super) const LARGEST_SEED: u64 = (1 << 53) - 1;

/// What cyclr asks.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Request {
    pub(super) jsonrpc: Version,
    /// Counts the requests of a process from 1.
    pub(super) id: u64,
    #[serde(flatten)]
    pub(super) call: Call,
}

/// What the child answers: a result, or an error.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(Serialize, schemars::JsonSchema))]
pub(super) struct Answer<T> {
    pub(super) jsonrpc: Version,
    /// That of the request.
    pub(super) id: Option<u64>,
    pub(super) result: Option<T>,
    pub(super) error: Option<ErrorObject>,
}

/// The version of JSON-RPC.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) enum Version {
    #[serde(rename = "2.0")]
    Two,
}

/// Why the child could not do what was asked.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(Serialize, schemars::JsonSchema))]
pub(super) struct ErrorObject {
    /// -32601 for a method that the child lacks; any other for anything else.
    pub(super) code: i64,
    /// What people should read.
    pub(super) message: String,
}

/// A method and its parameters.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "method", content = "params", rename_all = "lowercase")]
pub(super) enum Call {
    /// The first request: set everything up.
    Initialize {
        /// The version of the protocol: 1.
        protocol: u32,
        /// Decides the initial weights, the order of the data, and dropout; below 2^53.
        seed: u64,
        /// Decides which examples are held out; the same for all runs.
        data_seed: u64,
        /// Examples that an update sees; null for the script's own number.
        batch: Option<u64>,
        /// The updates that the run is planned for, if that is known before it starts.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        updates: Option<u64>,
        /// The absolute path of the run's folder, if it has one.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        folder: Option<String>,
    },
    /// Make one optimizer update for each element, in order.
    Updates {
        /// What each of them uses. What is absent is left alone.
        updates: Vec<Hyper>,
    },
    /// Measure the whole of a held-out split.
    Evaluate {
        /// Which.
        split: Split,
    },
    /// Take the model as it stands into the running average of its weights, or into the ensemble.
    Average {
        /// Of how many models, these last ones, the predictions are averaged; absent if weights are.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ensemble: Option<NonZeroU32>,
    },
    /// Measure the whole of a held-out split with the averaged weights, or the ensemble.
    #[serde(rename = "evaluate_average")]
    EvaluateAverage {
        /// Which.
        split: Split,
    },
    /// Write all that later updates depend on into a file.
    State {
        /// The file, which does not exist yet.
        path: String,
    },
    /// Go on from a file that `state` wrote, in this process or another.
    Restore {
        /// The file.
        path: String,
    },
    /// Answer, and end.
    Shutdown {},
}

impl Call {
    /// The method's name.
    pub(super) const fn method(&self) -> &'static str {
        match self {
            Self::Initialize { .. } => "initialize",
            Self::Updates { .. } => "updates",
            Self::Evaluate { .. } => "evaluate",
            Self::Average { .. } => "average",
            Self::EvaluateAverage { .. } => "evaluate_average",
            Self::State { .. } => "state",
            Self::Restore { .. } => "restore",
            Self::Shutdown {} => "shutdown",
        }
    }
}

/// The result of `initialize`: what is trained, and what the script can do.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(Serialize, schemars::JsonSchema))]
pub(super) struct Initialized {
    /// The version of the protocol that the script speaks: 1.
    pub(super) protocol: u32,
    #[serde(flatten)]
    pub(super) info: TrainerInfo,
}

impl Initialized {
    /// The info, if it can be true.
    pub(super) fn info(self, batch: Option<u64>) -> Result<TrainerInfo, String> {
        let Self { protocol, info } = self;
        if protocol != VERSION {
            return Err(format!(
                "it speaks version {protocol} of the protocol, and this program speaks version {VERSION}"
            ));
        }
        if let Some(asked) = batch.filter(|&asked| asked != info.batch) {
            return Err(format!(
                "it trains on batches of {} where {asked} was asked for: leave --batch out",
                info.batch
            ));
        }
        if info.whole_runs.is_some() {
            return Err(String::from(
                "it says `whole_runs`, which is of programs that are wrapped (--wrap): leave it out",
            ));
        }
        info.checked().map_err(|error| error.to_string())
    }
}

/// The result of `updates`.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(Serialize, schemars::JsonSchema))]
pub(super) struct Updated {
    /// The metrics of each update that was made, of its own training batch before the update. It
    /// is made of fewer elements than were asked for only if the last of them is not finite.
    pub(super) metrics: Vec<Metrics>,
}

/// The result of `evaluate` and of `evaluate_average`.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(Serialize, schemars::JsonSchema))]
pub(super) struct Evaluated {
    /// The figures over the whole split.
    pub(super) metrics: Metrics,
    /// One character for each example of the split in its fixed order, `1` where it was classified
    /// correctly.
    pub(super) correct: Option<String>,
}

/// The result of `average`, `state`, `restore` and `shutdown`: an object, of which nothing is read.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(Serialize, schemars::JsonSchema))]
pub(super) struct Done {}

/// Which examples were classified correctly.
pub(super) fn correct(digits: &str, examples: u64) -> Result<Vec<bool>, String> {
    if digits.len() as u64 != examples {
        return Err(format!(
            "`correct` has {} characters for {examples} examples",
            digits.len()
        ));
    }
    digits
        .bytes()
        .map(|digit| match digit {
            b'0' => Ok(false),
            b'1' => Ok(true),
            _ => Err(String::from("`correct` must be made of 0 and 1")),
        })
        .collect()
}

/// Reads a line as the answer to each request, for the fuzz targets.
pub(crate) fn read_answer(line: &[u8]) {
    // Lines that are no answer are what is tried; readers must refuse them without a panic.
    if let Ok(Answer {
        result: Some(initialized),
        ..
    }) = serde_json::from_slice::<Answer<Initialized>>(line)
    {
        let _ = initialized.info(None);
    }
    if let Ok(Answer {
        result: Some(Updated { metrics }),
        ..
    }) = serde_json::from_slice(line)
    {
        for metrics in metrics {
            drop(metrics.checked());
        }
    }
    if let Ok(Answer {
        result: Some(Evaluated {
            metrics,
            correct: digits,
        }),
        ..
    }) = serde_json::from_slice(line)
    {
        let _ = (metrics.checked(), digits.map(|digits| correct(&digits, 7)));
    }
    drop(serde_json::from_slice::<Answer<Done>>(line));
}
