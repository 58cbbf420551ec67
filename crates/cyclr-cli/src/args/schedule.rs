use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::run::RunArgs;

#[derive(Args)]
pub(crate) struct ScheduleArgs {
    /// Policies, as in 'triangular(base=0.001, max=0.006, step=2000)'; several are drawn in one
    /// plot
    #[arg(required = true, value_name = "SPEC")]
    pub(crate) specs: Vec<String>,
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// Print rows instead of a plot (one SPEC only)
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    /// Only these updates, counted from 0; past the end the last value holds
    #[arg(long, value_delimiter = ',', value_name = "UPDATES")]
    pub(crate) at: Vec<u64>,
    /// Print one JSON document instead of a plot
    #[arg(long, conflicts_with = "format")]
    pub(crate) json: bool,
    /// Draw into this file (.svg or .png) instead of the terminal
    #[arg(long, value_name = "FILE", conflicts_with_all = ["format", "json", "at"])]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Format {
    /// A header, update,lr,momentum, and one row per update; momentum is empty if the policy does
    /// not set it
    Csv,
}
