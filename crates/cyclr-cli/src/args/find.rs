use std::path::PathBuf;

use clap::{Args, ValueEnum};
use cyclr_train::find::Smoothed;

use super::values::{count, percent};
use crate::factory::TrainerArgs;

#[derive(Args)]
pub(crate) struct FindArgs {
    /// Read curves that cyclr or other tools recorded, as CSV or JSON with columns lr and loss, or
    /// correct and count; several are repeats of one test, and - is stdin
    #[arg(long = "from", value_name = "CURVE", num_args = 1.., conflicts_with_all = [
        "budget", "fraction", "sweep_only", "sweep_epochs", "repeats", "seed", "measured_on", "over", "out", "jobs",
        "plan",
    ])]
    pub(crate) curves: Vec<PathBuf>,
    /// Undo the moving average that a tool recorded instead of the losses: fastai, lightning,
    /// torch-lr-finder, or its factor, as in 0.98; 0 if the losses are raw
    #[arg(long, value_name = "AVERAGE", requires = "curves")]
    pub(crate) smoothed: Option<Smoothed>,
    /// The training that the bounds are for, as in 2000 (updates) or 30ep
    #[arg(long, value_name = "LENGTH", default_value = "30ep")]
    pub(crate) budget: String,
    /// Cost of the test in per cent of the budget; a test that needs more to be readable costs
    /// more. With --over, for each value
    #[arg(
        long,
        value_name = "PERCENT",
        default_value_t = 10.0,
        value_parser = percent)]
    pub(crate) fraction: f64,
    /// Read the bounds from sweeps alone, as in the paper: no probe confirms them
    #[arg(long, group = "sweeps")]
    pub(crate) sweep_only: bool,
    /// Like --sweep-only, with a linear sweep over E epochs, from --min-lr to --max-lr
    #[arg(
        long = "epochs",
        value_name = "E",
        requires = "max_lr",
        group = "sweeps",
        conflicts_with_all = ["sweep_only", "fraction"])]
    pub(crate) sweep_epochs: Option<f64>,
    /// The rate at which that sweep starts
    #[arg(
        long,
        value_name = "LR",
        default_value_t = 0.0,
        requires = "sweep_epochs"
    )]
    pub(crate) min_lr: f64,
    /// The rate at which that sweep ends
    #[arg(long, value_name = "LR", requires = "sweep_epochs")]
    pub(crate) max_lr: Option<f64>,
    /// Make that sweep exponential
    #[arg(long, requires = "sweep_epochs")]
    pub(crate) exponential: bool,
    /// With --sweep-only or --epochs: the number of sweeps, each with its own weights and data order
    #[arg(
        long,
        default_value_t = 3,
        value_parser = clap::value_parser!(u32).range(1..=100),
        requires = "sweeps")]
    pub(crate) repeats: u32,
    /// The seed of the first run
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// What those sweeps measure: training batches, or the held-out images at chosen points
    #[arg(
        long = "on",
        value_name = "ON",
        value_enum,
        default_value_t,
        requires = "sweeps"
    )]
    pub(crate) measured_on: MeasuredOn,
    /// Make the test at each of these values, as in weight_decay=0,1e-5,1e-4,1e-3
    #[arg(long, value_name = "NAME=VALUES", conflicts_with = "weight_decay")]
    pub(crate) over: Option<String>,
    /// Write the curves and the probes as CSV, and the plot as SVG and PNG, into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Runs side by side [default: one per core; 1 for a COMMAND]
    #[arg(long, value_name = "N", value_parser = count())]
    pub(crate) jobs: Option<usize>,
    /// Print the updates and the predicted time, and exit
    #[arg(long)]
    pub(crate) plan: bool,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) factory: TrainerArgs,
}

/// What a range test measures.
#[derive(Clone, Copy, Default, ValueEnum)]
pub(crate) enum MeasuredOn {
    #[default]
    Train,
    Val,
}
