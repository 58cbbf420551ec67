//! What may be written on the command line.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use cyclr::{
    Spec,
    units::{Epochs, Horizon},
};

use crate::exit::Usage;

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
    /// Advise a step size, a number of cycles and a budget, or cycles in place of a stepped schedule
    Advise(AdviseArgs),
    /// Print the completions of a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[derive(ClapArgs)]
pub(crate) struct ScheduleArgs {
    /// Policies, as in 'triangular(base=0.001, max=0.006, step=2000)'; several are drawn in one plot
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
    /// A header and a row an update; momentum is empty where the policy leaves it alone
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

/// The facts of a run that lengths in epochs and per cent need.
#[derive(ClapArgs)]
pub(crate) struct RunArgs {
    /// The updates of the run
    #[arg(long, value_name = "N", conflicts_with = "epochs")]
    pub(crate) updates: Option<u64>,
    /// The epochs of the run
    #[arg(long, value_name = "E", requires = "examples")]
    pub(crate) epochs: Option<f64>,
    /// Training examples, without those held out for validation
    #[arg(long, value_name = "N", requires = "batch")]
    pub(crate) examples: Option<u64>,
    /// Examples in a batch
    #[arg(long, value_name = "B", requires = "examples")]
    pub(crate) batch: Option<u64>,
}

impl RunArgs {
    /// The run for a spec: the one given, or else one that shows the spec whole.
    pub(crate) fn horizon(&self, spec: &Spec) -> anyhow::Result<Horizon> {
        let epoch = self.examples.zip(self.batch);
        let with_epoch = |run: Horizon| match epoch {
            Some((examples, batch)) => run.with_epoch(examples, batch),
            None => Ok(run),
        };
        let run = match (self.updates, self.epochs, epoch) {
            (Some(updates), _, _) => Horizon::of_updates(updates).and_then(with_epoch),
            (None, Some(epochs), Some((examples, batch))) => {
                Epochs::new(epochs).and_then(|epochs| Horizon::of_epochs(epochs, examples, batch))
            }
            _ => {
                let updates_per_epoch =
                    epoch.map(|(examples, batch)| examples.div_ceil(batch.max(1)));
                let updates = spec
                    .shown_in(updates_per_epoch)
                    .ok_or_else(|| unbounded(spec))?;
                Horizon::of_updates(updates).and_then(with_epoch)
            }
        };
        run.map_err(Usage::error)
    }
}

fn unbounded(spec: &Spec) -> anyhow::Error {
    Usage::error(format!(
        "{spec} depends on the length of the run: give --updates N, or --epochs E --examples N --batch B"
    ))
}

/// Reads a spec from an argument.
pub(crate) fn spec(text: &str) -> anyhow::Result<Spec> {
    text.parse()
        .map_err(|error| Usage::error(format!("no policy can be read from the text\n{error}")))
}

/// The schedule of a spec for a run.
pub(crate) fn schedule(spec: &Spec, run: &Horizon) -> anyhow::Result<cyclr::Schedule> {
    spec.schedule(run)
        .map_err(Usage::error)
        .with_context(|| spec.to_string())
}
