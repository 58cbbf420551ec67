use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use cyclr_train::Average;

use super::values::{count, duration, positive};
use crate::factory::TrainerArgs;

#[derive(Args)]
pub(crate) struct TrainArgs {
    /// The policy: a spec; a name such as linear, with rates from a range test; or the winner.toml
    /// of a comparison (its budget is then the default) [default: triangular2]
    #[arg(long, value_name = "SPEC|NAME|FILE")]
    pub(crate) policy: Option<String>,
    /// The budget in updates
    #[arg(long, value_name = "N", group = "budget")]
    pub(crate) updates: Option<u64>,
    /// The budget in epochs [default: 24]
    #[arg(long, value_name = "E", group = "budget")]
    pub(crate) epochs: Option<f64>,
    /// The budget in time, as in 90s, 10m or 1h30m
    #[arg(long, value_name = "TIME", group = "budget", value_parser = duration)]
    pub(crate) time: Option<Duration>,
    /// The seed of the initial weights, the data order and dropout
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Also evaluate on the validation split every N updates
    #[arg(long, value_name = "N", value_parser = positive::<NonZeroU64>)]
    pub(crate) evaluate_every: Option<NonZeroU64>,
    /// End a cyclical run after a cycle without gain
    #[arg(long, value_name = "WHEN")]
    pub(crate) stop_when: Option<StopWhen>,
    /// End at a trough if the objective (the accuracy, unless a COMMAND declares another) is at
    /// least this good on the validation split
    #[arg(long, value_name = "FIGURE", allow_negative_numbers = true)]
    pub(crate) target: Option<f64>,
    /// Average the weights at all troughs so far. The averaged model is evaluated beside the
    /// trained one; it decides, it is tested, and it is written as average.safetensors
    #[arg(long, value_name = "POINTS")]
    pub(crate) average: Option<Average>,
    /// Instead, average the predictions of the models at the last K troughs, which are written as
    /// ensemble-1.safetensors and so on
    #[arg(long, value_name = "K", value_parser = positive::<NonZeroU32>)]
    pub(crate) ensemble: Option<NonZeroU32>,
    /// Do not evaluate on the test split
    #[arg(long)]
    pub(crate) no_test: bool,
    /// The folder of the run [default: the next runs/train-N]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Threads of the run; the results do not depend on them [default: one per core]
    #[arg(long, value_name = "N", value_parser = count(), conflicts_with = "command")]
    pub(crate) threads: Option<usize>,
    /// Print what would be done, its updates and its predicted time, and exit
    #[arg(long)]
    pub(crate) plan: bool,
    /// Print the outcome as one JSON document
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) factory: TrainerArgs,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum StopWhen {
    /// The validation split shows no gain from one trough to the next
    Plateau,
}
