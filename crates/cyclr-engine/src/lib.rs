//! The embedded engine: nets for image classification that train on a CPU, fast and bit-for-bit reproducibly.
//!
//! [`kernels`] hold the arithmetic: convolutions, pooling, normalisation, loss, each forward and backward. They run on
//! a [`cpu::Cpu`], which says how many threads to use and which instructions; results are the same bits for any number
//! of threads. [`data`] reads image data sets and hands out their batches. [`rng`] is where all chance comes from.
#![deny(unsafe_code)]

mod config;
pub mod cpu;
pub mod data;
pub mod kernels;
mod lab;
pub mod net;
mod optim;
pub mod rng;
mod state;
mod tensors;

pub use config::{EngineConfig, EngineError};
pub use lab::{EngineLab, EngineRun};
pub use optim::Optimizer;
