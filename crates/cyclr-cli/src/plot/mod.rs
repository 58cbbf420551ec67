//! Plots of curves, in the terminal and in files.

pub(crate) mod chart;
pub(crate) mod terminal;
