//! What has to do with other machines.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::values::count;

/// Who makes runs.
#[derive(ClapArgs)]
pub(crate) struct LauncherArgs {
    /// Make the runs on other machines: this program is called as LAUNCHER DIR UNIT..., calls
    /// `cyclr work DIR UNIT` for each UNIT, and returns when all have ended (docs/cluster.md)
    #[arg(long = "on", value_name = "LAUNCHER", conflicts_with = "jobs")]
    pub(crate) launcher: Option<PathBuf>,
}

#[derive(ClapArgs)]
pub(crate) struct WorkArgs {
    /// The folder of the comparison
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// The folder of a run within it, or `begin`
    pub(crate) unit: String,
    /// Threads of an embedded net; the results do not depend on them
    #[arg(long, value_name = "N", value_parser = count(), default_value_t = 1)]
    pub(crate) threads: usize,
}

#[derive(ClapArgs)]
pub(crate) struct WatchArgs {
    /// The folder of a run or comparison
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Serve a page with live curves to browsers on this machine, at the printed address; without
    /// PORT, at a free port
    #[arg(long, value_name = "PORT", num_args = 0..=1, default_missing_value = "0", conflicts_with = "once")]
    pub(crate) serve: Option<u16>,
    /// Print it once and exit
    #[arg(long)]
    pub(crate) once: bool,
}
