//! The embedded engine: nets for image classification that train on a CPU, fast and bit-for-bit reproducibly.
#![deny(unsafe_code)]

pub mod data;
