//! The messages between cyclr and a child process: JSON-RPC 2.0, one message a line.
//! `docs/protocol.md` is the specification for those who write the other side in another language.
//!
//! cyclr sends a [`Request`] and reads an [`Answer`]; the child does the reverse. Types of messages
//! have no checks beyond their form: [`TrainerInfo::checked`] and [`Metrics::checked`] have these.

use std::num::NonZeroU32;

use cyclr::Hyper;
use cyclr::trainer::{Evaluation, Metrics, Split, TrainerInfo};
use serde::{Deserialize, Serialize};

/// The version of the protocol.
pub const VERSION: u32 = 1;

/// The error code for a method that the child lacks.
pub const NO_METHOD: i64 = -32601;

/// The largest seed: not every language has larger whole numbers.
pub const LARGEST_SEED: u64 = (1 << 53) - 1;

/// What cyclr asks.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Request<C = Call> {
    /// The version of JSON-RPC.
    pub jsonrpc: Version,
    /// Counts the requests of a process from 1.
    pub id: u64,
    /// The method and its parameters.
    #[serde(flatten)]
    pub call: C,
}

/// What the child answers: a result, or an error.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Answer<T> {
    /// The version of JSON-RPC.
    pub jsonrpc: Version,
    /// That of the request.
    pub id: Option<u64>,
    /// The result of the method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<T>,
    /// Why there is no result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorObject>,
}

/// The version of JSON-RPC.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Version {
    /// 2.0.
    #[serde(rename = "2.0")]
    Two,
}

/// Why the child could not do what was asked.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ErrorObject {
    /// -32601 for a method that the child lacks; any other for anything else.
    pub code: i64,
    /// What people should read.
    pub message: String,
}

/// A method and its parameters.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "method", content = "params", rename_all = "lowercase")]
pub enum Call {
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
    pub const fn method(&self) -> &'static str {
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
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Initialized {
    /// The version of the protocol that the script speaks: 1.
    pub protocol: u32,
    /// What is trained.
    #[serde(flatten)]
    pub info: TrainerInfo,
}

/// The result of `updates`.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Updated {
    /// The metrics of each update that was made, of its own training batch before the update. It
    /// is made of fewer elements than were asked for only if the last of them is not finite.
    pub metrics: Vec<Metrics>,
}

/// The result of `evaluate` and of `evaluate_average`.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Evaluated {
    /// The figures over the whole split.
    pub metrics: Metrics,
    /// One character for each example of the split in its fixed order, `1` where it was classified
    /// correctly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correct: Option<String>,
}

impl From<Evaluation> for Evaluated {
    fn from(Evaluation { metrics, correct }: Evaluation) -> Self {
        let digits = |correct: Vec<bool>| {
            let digit = |right| if right { '1' } else { '0' };
            correct.into_iter().map(digit).collect()
        };
        Self {
            metrics,
            correct: correct.map(digits),
        }
    }
}

/// The result of `average`, `state`, `restore` and `shutdown`: an object, of which nothing is read.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Done {}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use schemars::{JsonSchema, schema_for};

    use super::*;

    /// The messages of protocol version 1: `request` is what cyclr sends; the others are the answers
    /// to the method of that name. Unknown fields are ignored on both sides.
    #[derive(JsonSchema, Serialize)]
    struct Protocol {
        request: Request,
        initialize: Answer<Initialized>,
        updates: Answer<Updated>,
        evaluate: Answer<Evaluated>,
        average: Answer<Done>,
        evaluate_average: Answer<Evaluated>,
        state: Answer<Done>,
        restore: Answer<Done>,
        shutdown: Answer<Done>,
    }

    /// `UPDATE_SCHEMAS=1` writes it again.
    #[test]
    fn the_schema_is_that_of_the_messages() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema/protocol.json");
        let schema = serde_json::to_string_pretty(&schema_for!(Protocol)).unwrap() + "\n";
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            std::fs::write(&path, &schema).unwrap();
        }
        let recorded = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(recorded, schema, "run this test with UPDATE_SCHEMAS=1");
    }
}
