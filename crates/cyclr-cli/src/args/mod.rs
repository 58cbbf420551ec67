//! What may be written on the command line.

mod run;
mod values;
mod wrap;

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use cyclr_train::find::Smoothed;

use crate::factory::TrainerArgs;
use values::{bounds, count, duration, fraction, percent};

pub(crate) use run::RunArgs;
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
    /// Make the report of comparisons again, of several as one
    Report(ReportArgs),
    /// Go on with an interrupted run or comparison
    Resume(ResumeArgs),
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

#[derive(ClapArgs)]
pub(crate) struct ScheduleArgs {
    /// Policies, as in 'triangular(base=0.001, max=0.006, step=2000)'; several are drawn in one
    /// plot
    #[arg(required = true, value_name = "SPEC")]
    pub(crate) specs: Vec<String>,
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// Print rows instead of a plot: update,lr,momentum (one SPEC only)
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    /// Only these updates, counted from 0; past the end the last value holds
    #[arg(long, value_delimiter = ',', value_name = "UPDATES")]
    pub(crate) at: Vec<u64>,
    /// Print one JSON document instead of a plot
    #[arg(long, conflicts_with = "format")]
    pub(crate) json: bool,
    /// Draw into this file instead, .svg or .png
    #[arg(long, value_name = "FILE", conflicts_with_all = ["format", "json", "at"])]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Format {
    /// A header and a row an update; momentum is empty if the policy leaves it alone
    Csv,
}

#[derive(ClapArgs)]
pub(crate) struct AdviseArgs {
    /// Training examples, without those held out for validation
    #[arg(long, value_name = "N")]
    pub(crate) examples: u64,
    /// Examples in a batch
    #[arg(long, value_name = "B")]
    pub(crate) batch: u64,
    /// The budget in epochs
    #[arg(long, value_name = "E")]
    pub(crate) epochs: f64,
    /// A stepped schedule (step, multistep, fixed, or stages of them) to replace by cycles
    #[arg(long, value_name = "SPEC")]
    pub(crate) from: Option<String>,
    /// With --from: how many times its base the maximum of each cycle is (5 in the paper)
    #[arg(long, value_name = "R", default_value_t = 5.0, requires = "from")]
    pub(crate) ratio: f64,
    /// A known maximum rate, to advise a base for
    #[arg(long, value_name = "LR")]
    pub(crate) max: Option<f64>,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(ClapArgs)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) factory: TrainerArgs,
    /// The training whose find and compare are predicted, as in 2000 (updates) or 30ep
    #[arg(long, value_name = "LENGTH", default_value = "30ep")]
    pub(crate) budget: String,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(ClapArgs)]
pub(crate) struct FindArgs {
    #[command(flatten)]
    pub(crate) factory: TrainerArgs,
    /// Read curves that cyclr or other tools recorded, as CSV or JSON with columns lr and loss, or
    /// correct and count; several are repeats of one test
    #[arg(long, value_name = "CURVE", num_args = 1.., help_heading = "The test", conflicts_with_all = [
        "TrainerArgs", "budget", "fraction", "sweep_only", "epochs", "repeats", "seed", "on", "over", "out", "jobs", "plan",
    ])]
    pub(crate) from: Vec<PathBuf>,
    /// Undo the average that a tool recorded in place of the losses: fastai, lightning,
    /// torch-lr-finder, or its factor, as in 0.98; 0 if they are raw
    #[arg(
        long,
        value_name = "AVERAGE",
        requires = "from",
        help_heading = "The test"
    )]
    pub(crate) smoothed: Option<Smoothed>,
    /// The training that the bounds are for, as in 2000 (updates) or 30ep
    #[arg(
        long,
        value_name = "LENGTH",
        default_value = "30ep",
        help_heading = "The test"
    )]
    pub(crate) budget: String,
    /// What the test may cost, in per cent of the budget, but no less than a readable test needs;
    /// with --over, at each value
    #[arg(
        long,
        value_name = "PERCENT",
        default_value_t = 10.0,
        value_parser = percent,
        help_heading = "The test"
    )]
    pub(crate) fraction: f64,
    /// Make sweeps alone and read them as the paper does: no probe confirms the bounds
    #[arg(long, group = "sweeps", help_heading = "The test")]
    pub(crate) sweep_only: bool,
    /// As --sweep-only, with a linear sweep over so many epochs, from --min-lr to --max-lr
    #[arg(
        long,
        value_name = "E",
        requires = "max_lr",
        group = "sweeps",
        conflicts_with = "sweep_only",
        help_heading = "The test"
    )]
    pub(crate) epochs: Option<f64>,
    /// Where that sweep starts
    #[arg(
        long,
        value_name = "LR",
        default_value_t = 0.0,
        requires = "epochs",
        help_heading = "The test"
    )]
    pub(crate) min_lr: f64,
    /// Where that sweep ends
    #[arg(
        long,
        value_name = "LR",
        requires = "epochs",
        help_heading = "The test"
    )]
    pub(crate) max_lr: Option<f64>,
    /// Let that sweep rise exponentially
    #[arg(long, requires = "epochs", help_heading = "The test")]
    pub(crate) exponential: bool,
    /// Sweeps, each with its own weights and order of the data, of --sweep-only or --epochs
    #[arg(
        long,
        default_value_t = 3,
        value_parser = clap::value_parser!(u32).range(1..=100),
        requires = "sweeps",
        help_heading = "The test"
    )]
    pub(crate) repeats: u32,
    /// The seed of the first run
    #[arg(long, default_value_t = 0, help_heading = "The test")]
    pub(crate) seed: u64,
    /// What those sweeps measure: training batches, or the held-out images at chosen points
    #[arg(
        long,
        value_enum,
        default_value_t,
        requires = "sweeps",
        help_heading = "The test"
    )]
    pub(crate) on: On,
    /// Make the test at each of these values: weight_decay=0,1e-5,1e-4,1e-3
    #[arg(long, value_name = "NAME=VALUES", help_heading = "The test")]
    pub(crate) over: Option<String>,
    /// Keep the curves and the probes as CSV, and the plot as SVG and PNG, in this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Runs side by side [default: one for each core; 1 of a COMMAND]
    #[arg(long, value_name = "N", value_parser = count())]
    pub(crate) jobs: Option<usize>,
    /// Say what would be done, and stop
    #[arg(long)]
    pub(crate) plan: bool,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

/// What a range test measures.
#[derive(Clone, Copy, Default, ValueEnum)]
pub(crate) enum On {
    #[default]
    Train,
    Val,
}

#[derive(ClapArgs)]
pub(crate) struct TrainArgs {
    #[command(flatten)]
    pub(crate) factory: TrainerArgs,
    /// The policy: a spec, or the winner.toml of a comparison, whose budget is then the default
    /// [default: triangular2 from a range test]
    #[arg(long, value_name = "SPEC|FILE")]
    pub(crate) policy: Option<String>,
    /// The budget in updates
    #[arg(long, value_name = "N", group = "budget")]
    pub(crate) updates: Option<u64>,
    /// The budget in epochs [default: 24]
    #[arg(long, value_name = "E", group = "budget")]
    pub(crate) epochs: Option<f64>,
    /// The budget by the clock, as in 90s, 10m or 1h30m
    #[arg(long, value_name = "TIME", group = "budget", value_parser = duration)]
    pub(crate) time: Option<Duration>,
    /// Decides the initial weights, the order of the data, and dropout
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Read the held-out images also after every so many updates
    #[arg(long, value_name = "N")]
    pub(crate) evaluate_every: Option<NonZeroU64>,
    /// End a cyclical run when a whole cycle brought no gain
    #[arg(long, value_name = "WHEN")]
    pub(crate) stop_when: Option<StopWhen>,
    /// End when the validation accuracy, or whatever decides, is at least as good as this, at a
    /// trough
    #[arg(long, value_name = "FIGURE", allow_negative_numbers = true)]
    pub(crate) target: Option<f64>,
    /// Leave the test split alone
    #[arg(long)]
    pub(crate) no_test: bool,
    /// The folder of the run [default: the next runs/train-N]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Threads of the run; the results do not depend on them [default: one for each core]
    #[arg(long, value_name = "N", value_parser = count(), conflicts_with = "command")]
    pub(crate) threads: Option<usize>,
    /// Say what would be done, its updates and its predicted time, and stop
    #[arg(long)]
    pub(crate) plan: bool,
    /// Print the outcome as one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum StopWhen {
    /// The same held-out images show no gain from one trough to the next
    Plateau,
}

#[derive(ClapArgs)]
pub(crate) struct CompareArgs {
    #[command(flatten)]
    pub(crate) factory: TrainerArgs,
    /// An arm: the name of a policy, or a spec whose rates move with its peak; LABEL=SPEC names
    /// it. Can be repeated [default: fixed, triangular2, linear]
    #[arg(
        long = "arm",
        value_name = "ARM",
        conflicts_with = "study",
        help_heading = "The comparison"
    )]
    pub(crate) arms: Vec<String>,
    /// Also run triangular2 straight from the range test, untuned
    #[arg(long, conflicts_with = "study", help_heading = "The comparison")]
    pub(crate) untuned: bool,
    /// The arm that the others are held against [default: the first]
    #[arg(
        long,
        value_name = "LABEL",
        conflicts_with = "study",
        help_heading = "The comparison"
    )]
    pub(crate) reference: Option<String>,
    /// The budget of a run, as in 2000 (updates) or 12ep
    #[arg(
        long,
        value_name = "LENGTH",
        default_value = "16ep",
        conflicts_with = "study",
        help_heading = "The comparison"
    )]
    pub(crate) budget: String,
    /// Also run every arm at these fractions of the budget, as in 1/4,1/2,1
    #[arg(long, value_name = "SHARES", value_delimiter = ',', value_parser = fraction, conflicts_with = "study", help_heading = "The comparison")]
    pub(crate) budgets: Vec<f64>,
    /// Final runs of each arm [default: 5, or those of the study]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1000), help_heading = "The comparison")]
    pub(crate) seeds: Option<u64>,
    /// Differences below this do not matter, in points of accuracy or in the objective's own unit
    /// [default: 0.5 points]
    #[arg(
        long,
        value_name = "POINTS",
        conflicts_with = "study",
        help_heading = "The comparison"
    )]
    pub(crate) margin: Option<f64>,
    /// The bounds, as in 0.001..0.02, in place of a range test
    #[arg(
        long,
        value_name = "LO..HI",
        value_parser = bounds,
        conflicts_with_all = ["study", "from"],
        help_heading = "The comparison"
    )]
    pub(crate) bounds: Option<(f64, f64)>,
    /// The bounds that `cyclr find --json` wrote into this file, in place of a range test
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "study",
        help_heading = "The comparison"
    )]
    pub(crate) from: Option<PathBuf>,
    /// A study file that declares everything
    #[arg(long, value_name = "FILE")]
    pub(crate) study: Option<PathBuf>,
    /// With --study: so much of its updates, in budgets and specs alike
    #[arg(long, value_name = "FACTOR", requires = "study")]
    pub(crate) scale: Option<f64>,
    /// The folder of the comparison [default: the next runs/compare-N]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Runs side by side, one thread each [default: one for each core; 1 of a COMMAND]
    #[arg(long, value_name = "N", value_parser = count())]
    pub(crate) jobs: Option<usize>,
    /// Say what would run, its updates and its predicted time, and stop
    #[arg(long)]
    pub(crate) plan: bool,
    /// Print the result as one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(ClapArgs)]
pub(crate) struct ReportArgs {
    /// The folders of finished comparisons
    #[arg(required = true, value_name = "DIR")]
    pub(crate) folders: Vec<PathBuf>,
    /// Where the report goes [default: the folder, if there is one]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(ClapArgs)]
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

#[derive(ClapArgs)]
pub(crate) struct PredictArgs {
    /// The folder of a finished run, or its model.safetensors
    pub(crate) run: PathBuf,
    /// PNG or JPEG files, resized to what the net takes
    #[arg(required = true, value_name = "IMAGE")]
    pub(crate) images: Vec<PathBuf>,
    /// Name so many classes, the likeliest first
    #[arg(long, value_name = "K", default_value_t = 1)]
    pub(crate) top: usize,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(ClapArgs)]
pub(crate) struct DataArgs {
    /// The folder; without it, the embedded data
    pub(crate) folder: Option<PathBuf>,
    /// The side that a folder's images are resized to
    #[arg(long, value_name = "PIXELS")]
    pub(crate) size: Option<u32>,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}
