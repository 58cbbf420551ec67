//! Learning-rate schedules as pure functions, and the seam behind which nets are trained.
//!
//! This crate never sees a tensor and does no IO. It builds without `std` (it needs `alloc`).
//!
//! The only clock is the **optimizer update**, counted from 0: the rate at update `i` is the rate that update `i` uses.
//! An **epoch** is `ceil(examples / batch)` updates, with the examples counted after the validation cut.
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod hyper;
pub mod range;
pub mod seam;

pub use hyper::Hyper;
