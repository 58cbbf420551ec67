//! One command each.

mod advise;
mod check;
mod cluster;
mod compare;
mod completions;
mod data;
mod find;
mod find_from;
mod judge;
mod predict;
mod report;
mod resume;
mod schedule;
mod train;
mod watch;
mod work;

use crate::args::Command;

pub(crate) fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Schedule(args) => schedule::run(&args),
        Command::Advise(args) => advise::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Find(args) => find::run(&args),
        Command::Train(args) => train::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Judge(args) => judge::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Resume(args) => resume::run(&args),
        Command::Work(args) => work::run(&args),
        Command::Watch(args) => watch::run(&args),
        Command::Predict(args) => predict::run(&args),
        Command::Data(args) => data::run(&args),
        Command::Completions { shell } => completions::run(shell),
    }
}
