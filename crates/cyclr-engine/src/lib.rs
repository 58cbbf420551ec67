//! The embedded engine: nets, CPU kernels, optimizers and data sets behind the seam of [`cyclr`].

pub mod rng;
