use std::path::PathBuf;

use clap::Args;
use cyclr::stats::Race;

use super::OnArgs;
use super::values::{bounds, count, fraction};
use crate::factory::TrainerArgs;

#[derive(Args)]
pub(crate) struct CompareArgs {
    #[command(flatten)]
    pub(crate) factory: TrainerArgs,
    /// An arm: the name of a policy, or a spec whose rates move with its peak; LABEL=SPEC names
    /// it, and +average behind it averages the weights at its troughs, +ensemble the predictions of the
    /// models at its last 3 troughs, +ensemble(K) at its last K. Can be repeated [default: fixed, triangular2, linear]. With --study: the label of an
    /// arm that is to run, with the reference [default: all]
    #[arg(long = "arm", value_name = "ARM", help_heading = "The comparison")]
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
    /// With --budgets: where a run of a shorter budget has the rates of the whole budget's up to
    /// some update, as wsd(lr=0.1, warmup=100) has until it cools down, go on from that run's state
    /// there in place of training anew. The results are those of training anew, and cost less.
    /// Warm-ups in updates or epochs keep their length at every budget
    #[arg(
        long,
        requires = "budgets",
        conflicts_with_all = ["study", "on"],
        help_heading = "The comparison"
    )]
    pub(crate) branches: bool,
    /// Final runs of each arm [default: 5, or those of the study]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1000), help_heading = "The comparison")]
    pub(crate) seeds: Option<u64>,
    /// In place of --seeds: a quarter of so many seeds at first, and a quarter more while a verdict
    /// is open. Intervals and verdicts allow for the four looks (METHOD.md, Statistics)
    #[arg(long, value_name = "MOST", value_parser = clap::value_parser!(u64).range(Race::FEWEST..=1000), conflicts_with_all = ["study", "seeds"], help_heading = "The comparison")]
    pub(crate) race: Option<u64>,
    /// The seeds that each rate is tuned on [default: 1, or those of the study]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100), conflicts_with = "study", help_heading = "The comparison")]
    pub(crate) tuning_seeds: Option<u64>,
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
    #[command(flatten)]
    pub(crate) cluster: OnArgs,
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
