use std::path::PathBuf;

use clap::Args;
use cyclr::stats::Race;

use super::LauncherArgs;
use super::values::{bounds, count, fraction};
use crate::factory::TrainerArgs;

#[derive(Args)]
pub(crate) struct CompareArgs {
    /// An arm: the name of a policy, or a spec, whose rates are all scaled when its peak is tuned.
    /// LABEL=SPEC names it. With +average at its end the weights at its troughs are averaged, with
    /// +ensemble the predictions of the models at its last 3 troughs, with +ensemble(K) at its last
    /// K. Can be repeated [default: fixed, triangular2, linear]. With --study: the label of an arm
    /// to run, beside the reference [default: all]
    #[arg(long = "arm", value_name = "ARM")]
    pub(crate) arms: Vec<String>,
    /// Add triangular2 with the bounds of the range test, untuned
    #[arg(long, conflicts_with = "study")]
    pub(crate) untuned: bool,
    /// The arm that the others are compared with [default: the first]
    #[arg(long, value_name = "LABEL", conflicts_with = "study")]
    pub(crate) reference: Option<String>,
    /// The budget of a run, as in 2000 (updates) or 12ep
    #[arg(
        long,
        value_name = "LENGTH",
        default_value = "16ep",
        conflicts_with = "study"
    )]
    pub(crate) budget: String,
    /// Also run every arm at these fractions of the budget, as in 1/4,1/2,1
    #[arg(long, value_name = "FRACTIONS", value_delimiter = ',', value_parser = fraction, conflicts_with = "study")]
    pub(crate) budgets: Vec<f64>,
    /// With --budgets: start a shorter run from the longest one's state at the last update up to
    /// which both have the same rates, as wsd(lr=0.1, warmup=100) has until it cools down. The
    /// results are the same, with fewer updates. Warm-ups in updates or epochs keep their length at
    /// every budget
    #[arg(long, requires = "budgets", conflicts_with = "study")]
    pub(crate) branches: bool,
    /// Final runs of each arm [default: 5, or those of the study]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub(crate) seeds: Option<u64>,
    /// Instead of --seeds: begin with a quarter of MOST seeds, and add a quarter while a verdict is
    /// open. Intervals and verdicts allow for the four looks (METHOD.md, Statistics)
    #[arg(long, value_name = "MOST", value_parser = clap::value_parser!(u64).range(Race::FEWEST..=1000), conflicts_with_all = ["study", "seeds"])]
    pub(crate) race: Option<u64>,
    /// Seeds on which each rate is tuned [default: 1, or those of the study]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100), conflicts_with = "study")]
    pub(crate) tuning_seeds: Option<u64>,
    /// Differences below this do not matter, in points of accuracy or in the objective's own unit
    /// [default: 0.5 points]
    #[arg(long, value_name = "POINTS", conflicts_with = "study")]
    pub(crate) margin: Option<f64>,
    /// Use these bounds, as in 0.001..0.02, instead of a range test
    #[arg(
        long,
        value_name = "LO..HI",
        value_parser = bounds,
        conflicts_with_all = ["study", "bounds_file"])]
    pub(crate) bounds: Option<(f64, f64)>,
    /// Use the bounds in this file, written by `cyclr find --json`, instead of a range test
    #[arg(long = "from", value_name = "FILE", conflicts_with = "study")]
    pub(crate) bounds_file: Option<PathBuf>,
    /// A study file that declares the comparison
    #[arg(long, value_name = "FILE")]
    pub(crate) study: Option<PathBuf>,
    /// With --study: the name of a comparison to make. Can be repeated [default: all]
    #[arg(long = "comparison", value_name = "NAME", requires = "study")]
    pub(crate) comparisons: Vec<String>,
    /// With --study: scale all updates, in budgets and specs, by this factor
    #[arg(long, value_name = "FACTOR", requires = "study")]
    pub(crate) scale: Option<f64>,
    /// The folder of the comparison [default: the next runs/compare-N]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) cluster: LauncherArgs,
    /// Runs side by side, one thread each [default: one per core; 1 for a COMMAND]
    #[arg(long, value_name = "N", value_parser = count())]
    pub(crate) jobs: Option<usize>,
    /// Print what would run, its updates and its predicted time, and exit
    #[arg(long)]
    pub(crate) plan: bool,
    /// Print the result as one JSON document
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) factory: TrainerArgs,
}
