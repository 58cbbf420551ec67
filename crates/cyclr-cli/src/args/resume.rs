use std::path::PathBuf;

use clap::Args;

use super::OnArgs;
use super::values::count;

#[derive(Args)]
pub(crate) struct ResumeArgs {
    /// The folder of the run or comparison
    pub(crate) folder: PathBuf,
    /// Another budget, in updates: say with --keep-shape or --stretch what becomes of the curve
    #[arg(long, value_name = "N", requires = "change")]
    pub(crate) updates: Option<u64>,
    /// The rate of every update stays what it was
    #[arg(long, group = "change", requires = "updates")]
    pub(crate) keep_shape: bool,
    /// The schedule is made anew for the new budget
    #[arg(long, group = "change", requires = "updates")]
    pub(crate) stretch: bool,
    /// Threads of the run [default: one for each core]
    #[arg(long, value_name = "N", value_parser = count())]
    pub(crate) threads: Option<usize>,
    /// Of a comparison, runs side by side [default: one for each core; 1 of a COMMAND]
    #[arg(long, value_name = "N", value_parser = count(), conflicts_with = "threads")]
    pub(crate) jobs: Option<usize>,
    #[command(flatten)]
    pub(crate) cluster: OnArgs,
    /// Go on with a state from another CPU level (CYCLR_CPU); the last bits then differ
    #[arg(long)]
    pub(crate) allow_inexact: bool,
    /// Go on although a file of the recorded command was edited; runs of two programs are then
    /// compared
    #[arg(long)]
    pub(crate) allow_changed: bool,
    /// Print the outcome as one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}
