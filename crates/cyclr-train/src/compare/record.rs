//! What a comparison leaves in `result.json`: the whole plan, every value by seed, and what was made of them.
//!
//! Values of the deciding metric stand in the unit that [`Measure::unit`] names: an accuracy in points (per cent), any
//! other metric as it is. A value that is missing (a diverged run has no test accuracy) is `null`, never a number.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::plan::Plan;

pub use crate::record::VERSION;

/// A comparison: what was planned, measured and concluded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// [`VERSION`] of the program that wrote it.
    pub version: u32,
    /// What was declared before the first run.
    pub plan: Plan,
    /// What was trained on.
    pub data: Data,
    /// The metric that everything below is about.
    pub measure: Measure,
    /// Names and versions of the program, the engine and the machine.
    pub about: BTreeMap<String, String>,
    /// What an update takes when nothing else runs.
    pub pace: Pace,
    /// The range test, where one was made.
    pub range: Option<Range>,
    /// The arms, each at the peak rate that it was given.
    pub arms: Vec<ArmRecord>,
    /// The final runs and what follows from them; one element a budget, the whole budget last.
    pub budgets: Vec<BudgetRecord>,
    /// What it all says, in words.
    pub conclusion: Conclusion,
}

/// What was trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// Training examples, after the validation cut.
    pub examples: u64,
    /// Examples an update sees.
    pub batch: u64,
    /// Updates in an epoch.
    pub updates_per_epoch: u64,
    /// Validation examples; they decide.
    pub validation: u64,
    /// Test examples; read once for each final run.
    pub test: u64,
}

/// The metric that decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Measure {
    /// Its name, `accuracy` for example.
    pub name: String,
    /// Whether more of it is better.
    pub higher_is_better: bool,
    /// `points` for an accuracy, whose values are then per cent; empty for anything else.
    pub unit: String,
}

/// What work takes when nothing else runs, measured before the first run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Pace {
    /// Median over `updates_timed` updates.
    pub seconds_per_update: f64,
    /// One reading of the validation split.
    pub seconds_per_evaluation: f64,
    /// The updates that were timed.
    pub updates_timed: u64,
}

/// The range test's answer and what it was read from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// The lower bound of the rate.
    pub base_lr: f64,
    /// Its 95 % interval, where there is one.
    pub base_interval: Option<[f64; 2]>,
    /// The upper bound of the rate.
    pub max_lr: f64,
    /// Its 95 % interval, where there is one.
    pub max_interval: Option<[f64; 2]>,
    /// What the intervals are: their level, and what they were made from.
    pub interval: String,
    /// Updates that all sweeps took together.
    pub updates: u64,
    /// The sweeps that the bounds were read from, one a repeat.
    pub sweeps: Vec<Sweep>,
}

/// One repeat of a range test, thinned for charts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// The rate in the middle of each bin.
    pub lr: Vec<f64>,
    /// The mean of the deciding metric over each bin.
    pub value: Vec<Option<f64>>,
    /// The mean loss over each bin.
    pub loss: Vec<Option<f64>>,
}

/// An arm at its peak rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ArmRecord {
    /// Its name in the plan.
    pub label: String,
    /// Whether its rate goes up and down in cycles.
    pub cyclical: bool,
    /// Its spec at the chosen peak, for the whole budget; `null` where every rate that was tried diverged.
    pub spec: Option<String>,
    /// The peak rate.
    pub peak: Option<f64>,
    /// The search for the peak, for arms that were tuned.
    pub tuning: Option<Tuning>,
    /// Updates spent on the search, the range test not counted.
    pub tuning_updates: u64,
}

/// The search for an arm's peak rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Tuning {
    /// What was tried, from the lowest rate to the highest.
    pub trials: Vec<Trial>,
    /// The place in `trials` of the chosen one; `null` where all diverged.
    pub chosen: Option<usize>,
    /// Whether the chosen rate is the lowest or highest that was tried, so that a better one may lie beyond it.
    pub at_edge: bool,
}

/// One rate that was tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Trial {
    /// The peak rate as a multiple of the found `max_lr`.
    pub multiple: f64,
    /// The peak rate.
    pub peak: f64,
    /// Whether it was added because some arm's best was at an edge.
    pub extra: bool,
    /// The final validation value; `null` where training diverged.
    pub validation: Option<f64>,
    /// The run's folder within the comparison's.
    pub folder: String,
    /// Updates that were made.
    pub updates: u64,
    /// What they took, side by side with other runs.
    pub seconds: f64,
}

/// The final runs of one budget.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct BudgetRecord {
    /// The share of the whole budget.
    pub fraction: f64,
    /// The updates of a run.
    pub updates: u64,
    /// The updates after which every arm's validation split is read, for *how soon*.
    pub grid: Vec<u64>,
    /// The arms' runs, in the plan's order.
    pub arms: Vec<ArmResult>,
    /// The comparisons with a reference: the declared one first.
    pub against: Vec<Against>,
}

impl BudgetRecord {
    /// An arm's runs.
    pub fn arm(&self, label: &str) -> Option<&ArmResult> {
        self.arms.iter().find(|arm| arm.label == label)
    }

    /// The comparisons with a reference, where there is one in this role.
    pub fn against(&self, role: Role) -> Option<&Against> {
        self.against.iter().find(|against| against.role == role)
    }
}

/// The final runs of an arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ArmResult {
    /// The arm.
    pub label: String,
    /// Its spec at this budget.
    pub spec: Option<String>,
    /// The updates of a run.
    pub updates: u64,
    /// One run a seed, in the plan's order of seeds.
    pub runs: Vec<RunResult>,
    /// Runs that diverged.
    pub diverged: usize,
    /// Final test values of the runs that did not diverge.
    pub test: Option<Sample>,
    /// Final validation values of the runs that did not diverge.
    pub validation: Option<Sample>,
}

/// A final run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RunResult {
    /// Decides initial weights, order of the data and dropout; the same in every arm.
    pub seed: u64,
    /// Whether the seed was added when results were known already.
    pub added: bool,
    /// The run's folder within the comparison's.
    pub folder: String,
    /// Whether it diverged, which ends a run.
    pub diverged: bool,
    /// Updates that were made.
    pub updates_done: u64,
    /// Final validation value.
    pub validation: Option<f64>,
    /// Test value, read once at the end.
    pub test: Option<f64>,
    /// The validation split on the way.
    pub evaluations: Vec<ValidationPointRecord>,
    /// Training batches on the way, averaged in bins.
    pub training: Vec<Bin>,
    /// What training took, side by side with other runs; readings not counted.
    pub seconds: f64,
}

/// The validation split after some updates.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ValidationPointRecord {
    /// Updates made before it.
    pub updates_done: u64,
    /// The deciding metric.
    pub value: Option<f64>,
    /// The loss.
    pub loss: Option<f64>,
    /// Whether it is at the end of a cycle.
    pub trough: bool,
}

/// Training batches of neighbouring updates.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Bin {
    /// The update after the last of them.
    pub updates_done: u64,
    /// The mean loss.
    pub loss: Option<f64>,
    /// The mean of the deciding metric.
    pub value: Option<f64>,
}

/// A sample in figures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// Its size.
    pub n: usize,
    /// Its mean.
    pub mean: f64,
    /// Its standard deviation, from two values on.
    pub sd: Option<f64>,
    /// The 95 % t-interval of the mean over seeds, from two values on.
    pub interval: Option<[f64; 2]>,
}

/// All other arms beside one reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Against {
    /// The reference's label.
    pub reference: String,
    /// Why it is one.
    pub role: Role,
    /// Final test values, arm less reference, paired by seed.
    pub differences: Vec<Difference>,
    /// How soon the arms come near the reference's end; `null` where the reference diverged.
    pub time_to_target: Option<TimeToTarget>,
}

/// Why an arm is a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The plan declared it.
    Declared,
    /// It has the best mean validation value of the arms that do not cycle.
    BestNonCyclical,
}

/// An arm's final test values less the reference's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// The arm.
    pub label: String,
    /// The paired differences; `null` where a run of either diverged.
    pub sample: Option<Sample>,
    /// The paired t-test's p, adjusted by Holm over the arms.
    pub p: Option<f64>,
    /// The equivalence test's p (TOST), adjusted likewise.
    pub equivalence_p: Option<f64>,
    /// Whether the difference is shown to be smaller than the margin.
    pub within_margin: bool,
    /// What may be said.
    pub verdict: Verdict,
    /// Seeds in all, from and to, that would decide an undecided difference.
    pub seeds_to_decide: Option<[u64; 2]>,
}

/// What may be said of an arm beside the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Better.
    Better,
    /// Worse.
    Worse,
    /// Shown to differ by less than the margin.
    Equivalent,
    /// Nothing could be shown.
    Undecided,
    /// Some run of the arm or of the reference diverged, so there is nothing to compare.
    Diverged,
}

/// How soon the arms reach a target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TimeToTarget {
    /// The reference's mean final validation value less the margin.
    pub target: f64,
    /// Every arm, the reference included.
    pub arms: Vec<ArmTimeToTarget>,
}

/// How soon an arm reaches the target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ArmTimeToTarget {
    /// The arm.
    pub label: String,
    /// Updates to the target, by seed; `null` for a run that did not reach it.
    pub updates: Vec<Option<u64>>,
    /// Runs that reached it.
    pub reached: usize,
    /// The median number of updates: one number twice where censored runs do not matter, else the two ends that it lies
    /// between; the upper end `null` where it is unbounded.
    pub median_updates: [Option<f64>; 2],
    /// The same as uncontended compute time.
    pub median_seconds: [Option<f64>; 2],
    /// The median over seeds of (this arm's updates) / (the reference's own), likewise; below 1 the arm is sooner.
    pub ratio: [Option<f64>; 2],
    /// The distribution-free interval of that median.
    pub ratio_interval: [Option<f64>; 2],
    /// Its confidence; below 0.95 where the seeds are too few for that.
    pub ratio_confidence: f64,
    /// Updates that the search for the arm's peak rate took; not counted in the ratio.
    pub tuning_updates: u64,
}

/// What a comparison says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Conclusion {
    /// One sentence.
    pub headline: String,
    /// What else must be known, a sentence each.
    pub sentences: Vec<String>,
    /// What these figures cannot say.
    pub limits: Vec<String>,
    /// The arm to go on with; `null` where every arm diverged.
    pub winner: Option<Winner>,
}

/// The arm to go on with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Winner {
    /// The arm.
    pub label: String,
    /// Why it.
    pub because: Because,
}

/// Why an arm is the one to go on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// It is shown to be better than the reference; of several such arms, it validates best.
    Better,
    /// It is the reference, and every other arm is shown to be worse.
    NoneBetter,
    /// Nothing separates it from others, and it costs the least.
    Cheapest,
    /// The reference diverged, so that nothing can be compared, and it validates best.
    Validation,
}
