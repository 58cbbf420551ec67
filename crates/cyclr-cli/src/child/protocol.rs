//! The messages between cyclr and a child process: JSON-RPC 2.0, one message a line. `docs/protocol.md` is the
//! specification for those who write the other side.

use cyclr::Hyper;
use cyclr::trainer::{Direction, Metric, Metrics, Split, TrainerInfo};
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
    },
    /// Make one optimizer update for each element, in order.
    Updates {
        /// What each of them uses.
        updates: Vec<Update>,
    },
    /// Measure the whole of a held-out split.
    Evaluate {
        /// Which.
        split: SplitName,
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
            Self::State { .. } => "state",
            Self::Restore { .. } => "restore",
            Self::Shutdown {} => "shutdown",
        }
    }
}

/// What an update uses. What is absent is left alone.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Update {
    /// The learning rate. It multiplies the factors that the script keeps for groups of parameters.
    pub(super) lr: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) momentum: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) weight_decay: Option<f64>,
}

impl From<Hyper> for Update {
    fn from(hyper: Hyper) -> Self {
        Self {
            lr: hyper.lr,
            momentum: hyper.momentum,
            weight_decay: hyper.weight_decay,
        }
    }
}

/// A held-out part of the data.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(super) enum SplitName {
    Validation,
    Test,
}

impl From<Split> for SplitName {
    fn from(split: Split) -> Self {
        match split {
            Split::Validation => Self::Validation,
            Split::Test => Self::Test,
        }
    }
}

/// The result of `initialize`: what is trained, and what the script can do.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(Serialize, schemars::JsonSchema))]
#[expect(clippy::struct_excessive_bools, reason = "they are the facts' own")]
pub(super) struct Initialized {
    /// The version of the protocol that the script speaks: 1.
    pub(super) protocol: u32,
    /// Training examples, those held out not counted; at least 1.
    pub(super) examples: u64,
    /// Examples that an update sees, gradient accumulation included; at least 1.
    pub(super) batch: u64,
    /// Validation examples; 0 where there are none, and then nothing can be decided.
    pub(super) validation: u64,
    /// Test examples; 0 where there are none.
    pub(super) test: u64,
    /// Whether `momentum` is obeyed.
    pub(super) momentum: bool,
    /// Whether `weight_decay` is obeyed.
    pub(super) weight_decay: bool,
    /// Whether `state` and `restore` work.
    pub(super) snapshots: bool,
    /// Whether training starts from given weights, so that the seed decides the order of the data only.
    pub(super) given_weights: bool,
}

impl Initialized {
    /// The facts, where they can be true.
    pub(super) fn info(&self, batch: Option<u64>) -> Result<TrainerInfo, String> {
        let Self {
            protocol, examples, ..
        } = *self;
        if protocol != VERSION {
            return Err(format!(
                "it speaks version {protocol} of the protocol, and this program speaks version {VERSION}"
            ));
        }
        if examples == 0 || self.batch == 0 {
            return Err(format!(
                "it says {examples} examples in batches of {}: both must be at least 1",
                self.batch
            ));
        }
        if let Some(asked) = batch.filter(|&asked| asked != self.batch) {
            return Err(format!(
                "it trains on batches of {} where {asked} was asked for: leave --batch out",
                self.batch
            ));
        }
        Ok(TrainerInfo {
            examples,
            batch: self.batch,
            validation: self.validation,
            test: self.test,
            momentum: self.momentum,
            weight_decay: self.weight_decay,
            snapshots: self.snapshots,
            given_weights: self.given_weights,
        })
    }
}

/// The result of `updates`.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(Serialize, schemars::JsonSchema))]
pub(super) struct Updated {
    /// The metrics of each update that was made, of its own training batch before the update. It is made of fewer
    /// elements than were asked for only where the last of them is not finite.
    pub(super) metrics: Vec<Vec<Figure>>,
}

/// The result of `evaluate`.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(Serialize, schemars::JsonSchema))]
pub(super) struct Evaluated {
    /// The figures over the whole split.
    pub(super) metrics: Vec<Figure>,
    /// One character for each example of the split in its fixed order, `1` where it was classified correctly.
    pub(super) correct: Option<String>,
}

/// The result of `state`, `restore` and `shutdown`: an object, of which nothing is read.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(Serialize, schemars::JsonSchema))]
pub(super) struct Done {}

/// One measured figure.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(Serialize, schemars::JsonSchema))]
pub(super) struct Figure {
    /// `loss`, `accuracy`, or any other. The first that is not `loss` decides; where there is none, the loss does.
    name: String,
    /// The mean over `count` examples.
    value: Number,
    /// The examples that it was measured on; at least 1.
    count: u64,
    /// Which values are better.
    direction: Better,
    /// Of an accuracy: how many examples were classified correctly; `value` is then this share of `count`.
    correct: Option<u64>,
}

/// A number, finite or not. JSON has no word for those that are not.
#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(test, derive(Serialize, schemars::JsonSchema))]
#[serde(
    untagged,
    expecting = "a value should be a number, null, \"NaN\", \"Infinity\" or \"-Infinity\""
)]
enum Number {
    Finite(f64),
    NotFinite(NotFinite),
    Null(()),
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(test, derive(Serialize, schemars::JsonSchema))]
enum NotFinite {
    #[serde(rename = "NaN")]
    NaN,
    Infinity,
    #[serde(rename = "-Infinity")]
    MinusInfinity,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(test, derive(Serialize, schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
enum Better {
    Higher,
    Lower,
}

impl From<Number> for f64 {
    fn from(number: Number) -> Self {
        match number {
            Number::Finite(value) => value,
            Number::NotFinite(NotFinite::NaN) | Number::Null(()) => Self::NAN,
            Number::NotFinite(NotFinite::Infinity) => Self::INFINITY,
            Number::NotFinite(NotFinite::MinusInfinity) => Self::NEG_INFINITY,
        }
    }
}

/// The figures of one update or evaluation, where they can be true.
pub(super) fn metrics(figures: Vec<Figure>) -> Result<Metrics, String> {
    if figures.is_empty() {
        return Err(String::from("there are no metrics: give at least the loss"));
    }
    let metrics: Vec<Metric> = figures
        .into_iter()
        .map(Figure::metric)
        .collect::<Result<_, _>>()?;
    Ok(Metrics::new(metrics))
}

impl Figure {
    fn metric(self) -> Result<Metric, String> {
        /// Shares are often computed in single precision.
        const ROUNDING: f64 = 1e-5;
        let (name, value, count) = (self.name, f64::from(self.value), self.count);
        if count == 0 {
            return Err(format!("`{name}` has the count 0: it must be at least 1"));
        }
        if let Some(correct) = self.correct {
            let fraction = correct as f64 / count as f64;
            if correct > count || (value - fraction).abs() > ROUNDING {
                return Err(format!(
                    "`{name}` is {value}, and {correct} correct of {count} are {fraction}: an accuracy is a fraction, as in 0.75"
                ));
            }
        }
        Ok(Metric {
            name: name.into(),
            direction: match self.direction {
                Better::Higher => Direction::Higher,
                Better::Lower => Direction::Lower,
            },
            value,
            count,
            correct: self.correct,
        })
    }
}

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
