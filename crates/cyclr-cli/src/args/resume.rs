use std::path::PathBuf;

use clap::Args;

use super::LauncherArgs;
use super::values::count;

#[derive(Args)]
pub(crate) struct ResumeArgs {
    /// The folder of the run or comparison
    pub(crate) folder: PathBuf,
    /// A new budget in updates; needs --keep-shape or --stretch
    #[arg(long, value_name = "N", requires = "change")]
    pub(crate) updates: Option<u64>,
    /// Keep the rate of every update as it was
    #[arg(long, group = "change", requires = "updates")]
    pub(crate) keep_shape: bool,
    /// Compute the schedule again for the new budget
    #[arg(long, group = "change", requires = "updates")]
    pub(crate) stretch: bool,
    /// Threads of the run [default: one per core]
    #[arg(long, value_name = "N", value_parser = count())]
    pub(crate) threads: Option<usize>,
    /// For a comparison: runs side by side [default: one per core; 1 for a COMMAND]
    #[arg(long, value_name = "N", value_parser = count(), conflicts_with = "threads")]
    pub(crate) jobs: Option<usize>,
    #[command(flatten)]
    pub(crate) cluster: LauncherArgs,
    /// Resume from a state of another CPU level (CYCLR_CPU); the last bits then differ
    #[arg(long)]
    pub(crate) allow_inexact: bool,
    /// Resume although a file of the recorded command was edited; the runs before and after are
    /// then of two programs
    #[arg(long)]
    pub(crate) allow_changed: bool,
    /// Print the outcome as one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}
