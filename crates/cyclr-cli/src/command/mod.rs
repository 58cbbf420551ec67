//! One command each.

mod advise;
mod completions;
mod schedule;

use crate::args::Command;

pub(crate) fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Schedule(args) => schedule::run(&args),
        Command::Advise(args) => advise::run(&args),
        Command::Completions { shell } => completions::run(shell),
    }
}
