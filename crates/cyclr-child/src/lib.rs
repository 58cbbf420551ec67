//! Your own training loop in Rust under `cyclr`: the loop stays as it is, and asks for the rate of
//! each update.
//!
//! ```
//! use cyclr::trainer::{Evaluation, Metric, Metrics, Split, TrainerInfo};
//! use cyclr::units::Horizon;
//! use cyclr::Spec;
//! use cyclr_child::{Trained, begin};
//!
//! struct Net {
//!     weight: f64,
//! }
//!
//! impl Trained for Net {
//!     fn evaluate(&mut self, _split: Split) -> Result<Evaluation, String> {
//!         let loss = Metric::loss(self.weight.powi(2), 200);
//!         Ok(Evaluation { metrics: Metrics::new([loss]), correct: None })
//!     }
//! }
//!
//! let run = begin(3)?; // The run's seed under cyclr; 3 if the program runs alone.
//! let mut net = Net { weight: run.seed as f64 };
//! let info = TrainerInfo { validation: 200, test: 200, ..TrainerInfo::new(1000, 20) };
//! let alone = "triangular2(base=0.01, max=0.1, step=100)".parse::<Spec>()?;
//! let alone = alone.schedule(&Horizon::of_updates(1000)?)?;
//! let mut lr = run.attach(info, alone)?;
//! while let Some(hyper) = lr.next(&mut net)? {
//!     let loss = net.weight.powi(2);
//!     net.weight -= hyper.lr * 2.0 * net.weight;
//!     lr.made(Metrics::new([Metric::loss(loss, 20)]));
//! }
//! assert!(net.weight < 1e-6);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `cyclr compare --budget 1000 -- target/release/mine` compares policies on it. The rules of the
//! protocol apply: `docs/protocol.md`. Only for Unix.
#![cfg(unix)]

mod connection;
pub mod protocol;

use std::fs;
use std::path::PathBuf;

use cyclr::trainer::{Evaluation, Metrics, Split, TrainerInfo};
use cyclr::{Hyper, Schedule};

use serde_json::{Value, json};

use connection::{Asked, Connection};
use protocol::{
    Call, Done, ErrorObject, Evaluated, Initialized, NO_METHOD, Request, Updated, VERSION,
};

/// The environment variables by which the program finds cyclr. Processes that it starts should not
/// inherit them: [`std::process::Command::env_remove`].
pub const VARIABLES: [&str; 3] = ["CYCLR_FD", "CYCLR_PIPES", "CYCLR_SOCKET"];

/// The code of an error that is none of the protocol's own.
const FAILED: i64 = -32000;

/// What a model can do besides being trained.
pub trait Trained {
    /// Evaluates on a whole split, and leaves no trace in the training.
    ///
    /// # Errors
    /// Why the evaluation failed.
    fn evaluate(&mut self, split: Split) -> Result<Evaluation, String>;

    /// Everything that later updates depend on: weights, optimizer, random numbers, the place in the
    /// data. It is only called if the info has `snapshots`.
    ///
    /// # Errors
    /// Why there is no state.
    fn state(&mut self) -> Result<Vec<u8>, String> {
        Err("this program has no states".into())
    }

    /// Goes on from what `state` returned, in this process or another.
    ///
    /// # Errors
    /// Why it cannot; nothing may have changed then.
    fn restore(&mut self, state: &[u8]) -> Result<(), String> {
        let _ = state;
        Err("this program has no states".into())
    }
}

/// Which run this process makes.
#[derive(Debug)]
pub struct Run {
    /// Decides the initial weights, the order of the data, and dropout.
    pub seed: u64,
    /// Decides which examples are held out; the same for all runs.
    pub data_seed: u64,
    /// Examples that an update is to see; `None` for the program's own number.
    pub batch: Option<u64>,
    /// The updates that the run will make, if that is known.
    pub updates: Option<u64>,
    /// The run's folder, if it has one.
    pub folder: Option<PathBuf>,
    driven: Option<(Connection, u64)>,
}

/// Returns which run this is: call it before the model is made. If cyclr does not drive the program,
/// the seed is `seed`.
///
/// # Errors
/// [`Error`] if cyclr has started the program and cannot be reached.
pub fn begin(seed: u64) -> Result<Run, Error> {
    let Some(mut connection) = Connection::open()? else {
        return Ok(Run {
            seed,
            data_seed: 0,
            batch: None,
            updates: None,
            folder: None,
            driven: None,
        });
    };
    let Request { id, call, .. } = connection.hear()?;
    let Asked::Call(Call::Initialize {
        protocol: VERSION,
        seed,
        data_seed,
        batch,
        updates,
        folder,
    }) = call
    else {
        return Err(Error::Unexpected {
            asked: format!("{call:?}"),
        });
    };
    Ok(Run {
        seed,
        data_seed,
        batch,
        updates,
        folder: folder.map(PathBuf::from),
        driven: Some((connection, id)),
    })
}

impl Run {
    /// Tells cyclr what is trained. Without cyclr the loop follows `otherwise`, for its number of
    /// updates.
    ///
    /// # Errors
    /// [`Error`] if the info is impossible, or cyclr has ended.
    pub fn attach(self, info: TrainerInfo, otherwise: Schedule) -> Result<Attached, Error> {
        let info = info.checked().map_err(|error| Error::Impossible {
            reason: error.to_string(),
        })?;
        let connection = match self.driven {
            Some((mut connection, id)) => {
                let protocol = VERSION;
                connection.answer(id, Ok(Initialized { protocol, info }))?;
                Some(connection)
            }
            None => None,
        };
        Ok(Attached {
            connection,
            otherwise,
            given: 0,
            updates_done: 0,
            asked: None,
            made: Vec::new(),
        })
    }
}

/// A loop that is attached.
#[derive(Debug)]
pub struct Attached {
    connection: Option<Connection>,
    otherwise: Schedule,
    /// The updates that [`Attached::next`] gave out.
    given: u64,
    /// The calls of [`Attached::made`].
    updates_done: u64,
    /// The request for updates that are being made: its id, and what each of them uses.
    asked: Option<(u64, Vec<Hyper>)>,
    made: Vec<Metrics>,
}

impl Attached {
    /// Whether cyclr drives the program.
    pub const fn is_driven(&self) -> bool {
        self.connection.is_some()
    }

    /// What the next update uses; `None` at the end. Requests are answered here, with `model`.
    ///
    /// # Errors
    /// [`Error`] if cyclr has ended, or [`Attached::made`] was not called once for each update.
    pub fn next(&mut self, model: &mut impl Trained) -> Result<Option<Hyper>, Error> {
        if self.given != self.updates_done {
            return Err(Error::NotOnce {
                calls: self.updates_done,
                updates: self.given,
            });
        }
        let hyper = self.following(model)?;
        self.given += u64::from(hyper.is_some());
        Ok(hyper)
    }

    fn following(&mut self, model: &mut impl Trained) -> Result<Option<Hyper>, Error> {
        let Some(connection) = &mut self.connection else {
            let update = self.updates_done;
            return Ok((update < self.otherwise.updates()).then(|| self.otherwise.at(update)));
        };
        if let Some((id, hypers)) = self.asked.take() {
            let is_through = self.made.last().is_some_and(|last| !last.is_finite());
            if self.made.len() < hypers.len() && !is_through {
                let hyper = hypers[self.made.len()];
                self.asked = Some((id, hypers));
                return Ok(Some(hyper));
            }
            let metrics = std::mem::take(&mut self.made);
            connection.answer(id, Ok(Updated { metrics }))?;
        }
        loop {
            let Request { id, call, .. } = connection.hear()?;
            match call {
                Asked::Call(Call::Updates { updates }) if !updates.is_empty() => {
                    let first = updates[0];
                    self.asked = Some((id, updates));
                    return Ok(Some(first));
                }
                Asked::Call(Call::Shutdown {}) => {
                    connection.answer(id, Ok(Done {}))?;
                    return Ok(None);
                }
                Asked::Call(call) => connection.answer(id, answer(call, model))?,
                Asked::Unknown { method } => {
                    connection.answer::<Done>(id, Err(no_method(&method)))?;
                }
            }
        }
    }

    /// Tells the figures of the update that was made: those of its own training batch, before it.
    /// After one that is not finite, cyclr decides whether there is another.
    pub fn made(&mut self, metrics: Metrics) {
        self.updates_done += 1;
        if self.connection.is_some() {
            self.made.push(metrics);
        }
    }
}

/// What a request for no update is answered with.
fn answer(call: Call, model: &mut impl Trained) -> Result<Value, ErrorObject> {
    match call {
        Call::Evaluate { split } => {
            let evaluation = model.evaluate(split).map_err(failed)?;
            Ok(json!(Evaluated::from(evaluation)))
        }
        Call::State { path } => {
            let state = model.state().map_err(failed)?;
            fs::write(&path, state).map_err(|error| failed(format!("{path}: {error}")))?;
            Ok(json!(Done {}))
        }
        Call::Restore { path } => {
            let state = fs::read(&path).map_err(|error| failed(format!("{path}: {error}")))?;
            model.restore(&state).map_err(failed)?;
            Ok(json!(Done {}))
        }
        Call::Updates { .. } => Ok(json!(Updated { metrics: vec![] })),
        Call::Initialize { .. } | Call::Shutdown {} => {
            Err(failed("this process has its run already".into()))
        }
        Call::Average { .. } | Call::EvaluateAverage { .. } => Err(no_method(call.method())),
    }
}

const fn failed(message: String) -> ErrorObject {
    ErrorObject {
        code: FAILED,
        message,
    }
}

fn no_method(method: &str) -> ErrorObject {
    ErrorObject {
        code: NO_METHOD,
        message: format!("there is no method `{method}`"),
    }
}

/// Why a program cannot be driven.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A launcher closed the pipes, and there is no socket to reach cyclr by.
    #[error(
        "cyclr started this program, and its pipes are closed ({pipes}): a launcher did that, and cyclr's socket is not \
         reached ({socket})"
    )]
    Unreached {
        /// `CYCLR_FD`.
        pipes: String,
        /// What is wrong with `CYCLR_SOCKET`.
        socket: String,
    },
    /// cyclr is gone, or the connection broke.
    #[error("cyclr is gone: {0}")]
    Gone(#[from] std::io::Error),
    /// [`Attached::made`] was not called once for each update.
    #[error("`made` was called {calls} times for {updates} updates: call it once after each")]
    NotOnce {
        /// The calls.
        calls: u64,
        /// The updates that [`Attached::next`] gave out.
        updates: u64,
    },
    /// A message is not a request.
    #[error("`{line}` is no request: {reason}")]
    NoRequest {
        /// The message.
        line: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The first request is not `initialize` of protocol 1.
    #[error("the first request must be `initialize` of protocol 1, and it is {asked}")]
    Unexpected {
        /// The request.
        asked: String,
    },
    /// The info cannot be true.
    #[error("{reason}")]
    Impossible {
        /// What is wrong with it.
        reason: String,
    },
}
