//! What cyclr asks, and how it is answered: `docs/protocol.md`.

use std::path::PathBuf;

use cyclr::Hyper;
use cyclr::trainer::{Evaluation, Metrics, Split, TrainerInfo};
use serde::Deserialize;
use serde_json::{Value, json};

/// A request: its id, a method and its parameters.
#[derive(Debug, Deserialize)]
pub(crate) struct Request {
    pub(crate) id: u64,
    #[serde(flatten)]
    pub(crate) call: Call,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "method", content = "params", rename_all = "lowercase")]
pub(crate) enum Call {
    Initialize {
        protocol: u32,
        seed: u64,
        data_seed: u64,
        batch: Option<u64>,
        #[serde(default)]
        updates: Option<u64>,
        #[serde(default)]
        folder: Option<PathBuf>,
    },
    Updates {
        updates: Vec<Hyper>,
    },
    Evaluate {
        split: Split,
    },
    State {
        path: PathBuf,
    },
    Restore {
        path: PathBuf,
    },
    Shutdown {},
    /// A method that this crate does not have, such as the average of weights.
    #[serde(untagged)]
    Other {
        method: String,
    },
}

pub(crate) fn initialized(info: &TrainerInfo) -> Value {
    let mut result = json!(info);
    result["protocol"] = json!(1);
    result
}

pub(crate) fn updated(made: &[Metrics]) -> Value {
    json!({ "metrics": made })
}

pub(crate) fn evaluated(measured: &Evaluation) -> Value {
    let mut result = json!({ "metrics": measured.metrics });
    if let Some(correct) = &measured.correct {
        let digit = |&right: &bool| if right { '1' } else { '0' };
        result["correct"] = correct.iter().map(digit).collect::<String>().into();
    }
    result
}
