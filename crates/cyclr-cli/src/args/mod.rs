//! What may be written on the command line: a file for each command.

mod advise;
mod check;
mod cluster;
mod compare;
mod data;
mod find;
mod judge;
mod predict;
mod report;
mod resume;
mod run;
mod schedule;
mod train;
mod values;
mod wrap;

use clap::{Parser, Subcommand};
use clap_complete::Shell;

pub(crate) use advise::AdviseArgs;
pub(crate) use check::CheckArgs;
pub(crate) use cluster::{OnArgs, WatchArgs, WorkArgs};
pub(crate) use compare::CompareArgs;
pub(crate) use data::DataArgs;
pub(crate) use find::{FindArgs, On};
pub(crate) use judge::JudgeArgs;
pub(crate) use predict::PredictArgs;
pub(crate) use report::ReportArgs;
pub(crate) use resume::ResumeArgs;
pub(crate) use schedule::ScheduleArgs;
pub(crate) use train::{StopWhen, TrainArgs};
pub(crate) use values::{schedule, spec, updates};
pub(crate) use wrap::WrapArgs;

/// Find a net's learning-rate bounds, train it in cycles, and show whether that wins.
#[derive(Parser)]
#[command(name = "cyclr", version, max_term_width = 100)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Print or draw the rates of a policy
    Schedule(ScheduleArgs),
    /// Advise a step size, a number of cycles and a budget, or cycles in place of a stepped
    /// schedule
    Advise(AdviseArgs),
    /// Check that a COMMAND obeys the seed and the rate and can be evaluated and saved, and say
    /// what find and compare will cost
    Check(CheckArgs),
    /// Find the bounds of a cyclical policy by a learning-rate range test
    Find(FindArgs),
    /// Train under a policy; without one, under triangular2 from a range test
    Train(TrainArgs),
    /// Show which policy wins: fixed, triangular2 and linear, tuned alike, on paired seeds
    Compare(CompareArgs),
    /// Say which arm wins in a table of results that were made anywhere
    Judge(JudgeArgs),
    /// Make the report of comparisons again, of several as one
    Report(ReportArgs),
    /// Go on with an interrupted run or comparison
    Resume(ResumeArgs),
    /// Make one run of a comparison, or go on with it: what a LAUNCHER calls on other machines
    Work(WorkArgs),
    /// Show how far a run or comparison is, whoever works on it
    Watch(WatchArgs),
    /// Name the class of images, by a trained model
    Predict(PredictArgs),
    /// Say what a data set holds
    Data(DataArgs),
    /// Print the completions of a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}
