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
pub(crate) use values::{arm_policy, schedule, spec, updates};
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
    /// Advise a step size, a number of cycles and a budget, or cycles to replace a stepped schedule
    Advise(AdviseArgs),
    /// Check that a COMMAND uses the seed and the rate that it is given and can be evaluated and
    /// saved, and predict the cost of find and compare
    Check(CheckArgs),
    /// Find the bounds of a cyclical policy with a learning-rate range test
    Find(FindArgs),
    /// Train under a policy; if it has no rates, a range test finds them first
    Train(TrainArgs),
    /// Show which policy wins: fixed, triangular2 and linear, tuned alike, on paired seeds
    Compare(CompareArgs),
    /// Say which arm wins in a table of results from any program
    Judge(JudgeArgs),
    /// Make the report of one or more comparisons again
    Report(ReportArgs),
    /// Resume an interrupted run or comparison
    Resume(ResumeArgs),
    /// Make or resume one run of a comparison: a LAUNCHER calls this on other machines
    Work(WorkArgs),
    /// Show the progress of a run or comparison, also if other machines make it
    Watch(WatchArgs),
    /// Classify images with a trained model
    Predict(PredictArgs),
    /// Describe a data set
    Data(DataArgs),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}
