//! Learning-rate schedules as pure functions, and the trainer interface behind which nets are
//! trained.
//!
//! This crate never sees a tensor and does no IO. It builds without `std` (it needs `alloc`).
//!
//! The only clock is the **optimizer update**, counted from 0: the rate at update `i` is the rate
//! that update `i` uses. An **epoch** is `ceil(examples / batch)` updates, with the examples
//! counted after the validation cut.
//!
//! - [`Spec`]: a policy as text, or made of typed [`policy`] values; [`units`] has its lengths.
//! - [`Schedule`]: the spec for a run whose length is known: `at(update)` is the rate.
//! - [`advice`]: step size, cycles, budget, and the cyclical equivalent of a stepped schedule.
//! - [`trainer`]: what is trained, as the experiments see it.
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod advice;
mod error;
mod hyper;
pub mod names;
pub mod policy;
pub mod range;
mod round;
mod schedule;
pub mod spec;
pub mod stats;
pub mod trainer;
pub mod units;

pub use error::Error;
pub use hyper::Hyper;
pub use round::{readable, rounded};
pub use schedule::{Position, Schedule};
pub use spec::{Spec, SpecError, SpecErrorKind};
