//! `cyclr completions SHELL`

use std::io::Write;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Args;
use crate::say::stdout_failed;

pub(crate) fn run(shell: Shell) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "cyclr", &mut script);
    Ok(std::io::stdout()
        .write_all(&script)
        .map_err(stdout_failed)?)
}
