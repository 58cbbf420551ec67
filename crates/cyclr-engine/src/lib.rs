//! The embedded engine: nets for image classification that train on a CPU, fast and bit-for-bit
//! reproducibly.
//!
//! Choose a net and data, then drive updates at rates of your own:
//!
//! ```
//! use cyclr::{Hyper, trainer::{Split, Trainer}};
//! use cyclr_engine::{EngineConfig, EngineFactory, data::{Dataset, Normalization}, net::Net};
//!
//! let splits = Dataset::embedded().split(1000, 0)?; // validation examples, data seed
//! let normalization = Normalization::per_channel(&splits.train);
//! let mut config = EngineConfig::new(Net::named("mlp", 10)?, normalization);
//! config.batch = 50;
//! let factory = EngineFactory::new(config, splits)?; // checks everything
//! let mut run = factory.run(7)?; // the seed decides the weights and the order of the data
//! for update in 0..100 {
//!     run.update(Hyper::lr(0.05 - 0.0005 * f64::from(update)))?;
//! }
//! let accuracy = run.evaluate(Split::Validation)?.metrics.get("accuracy").map(|m| m.value);
//! assert!(accuracy > Some(0.6));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`EngineFactory`] makes runs that differ by their seed and share one copy of the pixels;
//! [`EngineConfig`] has the settings that they share. Nets are lists of layers ([`net`]), and a
//! new one takes ten lines. A run's state is a safetensors file
//! ([`Trainer::state`](cyclr::trainer::Trainer::state)), and its model is plain safetensors with
//! torch's names and shapes. [`data`] reads image data sets and makes their batches, [`rng`] makes
//! all random numbers, and [`kernels`] hold the arithmetic: convolutions, pooling, normalisation,
//! loss, each forward and backward. They run on a [`cpu::Cpu`], which says how many threads to use
//! and which instructions. At one [`cpu::Level`] a run gives the same bits for any number of
//! threads, and however often it was stopped and resumed.
#![deny(unsafe_code)]

mod average;
mod config;
pub mod cpu;
pub mod data;
mod ensemble;
mod factory;
mod fingerprint;
pub mod kernels;
pub mod net;
mod optim;
mod predict;
pub mod rng;
mod state;
mod tensors;
mod trainer;

pub use config::{EngineConfig, EngineError};
pub use factory::EngineFactory;
pub use optim::Optimizer;
pub use predict::{ModelError, Predictor};
pub use trainer::EngineTrainer;
