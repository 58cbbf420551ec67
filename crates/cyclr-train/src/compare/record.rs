//! What a comparison leaves in `result.json`: the whole plan, every value by seed, and what
//! follows from them.
//!
//! Arms, budgets and seeds are in the plan's order everywhere, and are referred to by their place
//! in it; labels are for people. Values of the objective are in its [unit](cyclr::trainer::Unit):
//! an accuracy in points (per cent), anything else as it is. A value that is missing is `null`,
//! never a number.

mod check;
mod figures;

use std::collections::BTreeMap;

use cyclr::Spec;
use cyclr::stats::{Comparison, ExampleSpread, Interval, Summary};
use cyclr::trainer::{Objective, TrainerInfo};
use serde::{Deserialize, Serialize};

use super::plan::Plan;
pub use super::race::{RaceEnd, RaceEndReason};
use crate::run::is_zero;
use crate::verdict::{Standing, Standings};
use crate::{Pace, ValidationPoint};

pub(super) use check::check_outcomes;

pub use crate::verdict::{Conclusion, Row, Winner, WinnerReason};

/// A comparison: what was planned, measured and concluded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// What was declared before the first run.
    pub plan: Plan,
    /// What was trained.
    pub info: TrainerInfo,
    /// What everything below is about.
    pub objective: Objective,
    /// Names and versions of the program, the engine and the machine.
    pub about: BTreeMap<String, String>,
    /// What work takes if nothing else runs.
    pub pace: Pace,
    /// The range test, if one was made.
    pub range: Option<Range>,
    /// What came of each arm.
    pub arms: Vec<ArmOutcome>,
    /// How the race ended; `null` if the plan is no race.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub race: Option<RaceEnd>,
    /// What it all says, in words.
    pub conclusion: Conclusion,
}

/// The range test's answer and what it was read from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// The lower bound of the rate.
    pub base_lr: f64,
    /// Its 95 % interval, if there is one.
    pub base_interval: Option<Interval>,
    /// The upper bound of the rate.
    pub max_lr: f64,
    /// Its 95 % interval, if there is one.
    pub max_interval: Option<Interval>,
    /// What the intervals are: their level, and what they were made from.
    pub interval: String,
    /// Updates that the whole test took.
    pub updates: u64,
    /// The sweeps, one a repeat.
    pub sweeps: Vec<Sweep>,
}

/// One repeat of a range test, thinned for charts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// The rate in the middle of each bin.
    pub lr: Vec<f64>,
    /// The mean of the objective over each bin.
    pub value: Vec<Option<f64>>,
    /// The mean loss over each bin.
    pub loss: Vec<Option<f64>>,
}

/// What came of an arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ArmOutcome {
    /// Its spec at the chosen peak rate, for the whole budget; `null` if every rate that was tried
    /// diverged.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub spec: Option<Spec>,
    /// Whether its rate goes up and down in cycles.
    pub cyclical: bool,
    /// The search for the peak rate, if the arm was tuned.
    pub tuning: Option<Tuning>,
    /// Its final runs at each budget of the plan, the whole budget last.
    pub budgets: Vec<BudgetOutcome>,
}

/// The search for an arm's peak rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Tuning {
    /// What was tried: by the length of training, and within that from the lowest rate to the
    /// highest.
    pub trials: Vec<Trial>,
    /// The place in `trials` of the best of the longest; `null` if all diverged.
    pub best: Option<usize>,
    /// The peak rate of the final runs, which need not be one that was tried; `null` if all
    /// diverged.
    pub peak: Option<f64>,
    /// Whether the best rate is the lowest or highest that was tried, so that a better one may
    /// lie beyond it.
    pub at_edge: bool,
}

/// One rate that was tried, at one length of training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Trial {
    /// The peak rate as a multiple of the found `max_lr`.
    pub multiple: f64,
    /// The peak rate.
    pub peak: f64,
    /// The share of the budget that its runs were.
    pub fraction: f64,
    /// Whether it was added because some arm's best was at an edge.
    pub extra: bool,
    /// The mean final validation value; `null` if training diverged on a seed.
    pub validation: Option<f64>,
    /// One run a tuning seed.
    pub runs: Vec<TrialRun>,
}

/// A run of a trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TrialRun {
    /// Its seed.
    pub seed: u64,
    /// The final validation value; `null` if training diverged.
    pub validation: Option<f64>,
    /// The run's folder within the comparison's.
    pub folder: String,
    /// Updates that were done.
    pub updates: u64,
    /// What they took, side by side with other runs.
    pub seconds: f64,
}

/// The final runs of an arm at one budget, and how they compare.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct BudgetOutcome {
    /// The arm's spec at this budget; `null` if every rate that was tried diverged.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub spec: Option<Spec>,
    /// The updates of a run.
    pub updates: u64,
    /// One run a seed; none if every rate that was tried diverged.
    pub runs: Vec<RunOutcome>,
    /// The final values of the runs that did not diverge; `null` if there is none.
    pub samples: Option<Samples>,
    /// Beside each reference: the declared one first. Empty if the reference has no runs.
    pub against: Vec<Against>,
}

/// A final run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RunOutcome {
    /// Decides initial weights, order of the data and dropout; the same in every arm.
    pub seed: u64,
    /// Whether the seed was added when results were known already.
    pub added: bool,
    /// The run's folder within the comparison's.
    pub folder: String,
    /// Updates that were done.
    pub updates_done: u64,
    /// This many of them, the first, were made by the run of the whole budget, off which this one
    /// branches, and belong to its cost.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub updates_shared: u64,
    /// The final values; `null` if training diverged, which ends a run.
    pub values: Option<FinalValues>,
    /// The validation split on the way.
    pub evaluations: Vec<ValidationPoint>,
    /// Training batches on the way, averaged in bins.
    pub training: Vec<Bin>,
    /// What training took, side by side with other runs; evaluations not counted, updates that are
    /// shared counted.
    pub seconds: f64,
}

/// What a run that did not diverge comes to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FinalValues {
    /// The last evaluation of the validation split.
    pub validation: f64,
    /// The test split, evaluated once, at the end.
    pub test: f64,
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
    /// The mean of the objective.
    pub value: Option<f64>,
}

/// The final values of an arm's runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Samples {
    /// On the validation split, which decides.
    pub validation: Summary,
    /// On the test split, which is reported.
    pub test: Summary,
    /// What the number of test examples explains of its spread; `null` if the objective is no
    /// accuracy.
    #[serde(default)]
    pub examples: Option<ExampleSpread>,
}

/// An arm beside one reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Against {
    /// The reference.
    pub reference: usize,
    /// Why it is one.
    pub role: Role,
    /// Final test values, arm less reference, paired by seed; `null` for the reference itself, and
    /// if a run of either diverged.
    pub difference: Option<Comparison>,
    /// How long the arm takes to come near the reference's end; `null` if a run of the reference
    /// diverged, or the arm has no runs.
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

/// How long an arm takes to reach a target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TimeToTarget {
    /// The reference's mean final validation value less the margin.
    pub target: f64,
    /// Updates to the target, by seed; `null` for a run that did not reach it.
    pub updates: Vec<Option<u64>>,
    /// The median number of updates: one number twice if censored runs do not matter, else the two
    /// ends that it lies between; the upper end is `null` if it is unbounded.
    pub median_updates: [Option<f64>; 2],
    /// The median over seeds of (this arm's updates) / (the reference's own), likewise; below 1
    /// the arm is sooner.
    pub ratio: [Option<f64>; 2],
    /// The distribution-free interval of that median.
    pub ratio_interval: [Option<f64>; 2],
    /// Its confidence; below 0.95 if the seeds are too few for that.
    pub ratio_confidence: f64,
}

impl Record {
    /// The arms at the whole budget.
    pub fn whole(&self) -> impl Iterator<Item = &BudgetOutcome> {
        self.arms.iter().map(ArmOutcome::whole)
    }

    /// The label of an arm.
    pub fn label(&self, arm: usize) -> &str {
        &self.plan.arms[arm].label
    }

    /// The seeds that ran: all of the plan's, or as many as the race took.
    pub fn seeds(&self) -> &[u64] {
        let seeds = &self.plan.seeds;
        &seeds[..self.race.map_or(seeds.len(), |end| end.seeds)]
    }

    /// How the arms stand at the whole budget beside the declared reference.
    pub fn standings(&self) -> Standings<'_> {
        self.beside(self.plan.reference, Role::Declared)
    }

    /// How the arms stand at the whole budget beside a reference in its role.
    pub fn beside(&self, reference: usize, role: Role) -> Standings<'_> {
        let standing = |(arm, whole): (usize, &BudgetOutcome)| Standing {
            label: self.label(arm),
            runs: whole.runs.len(),
            diverged: whole.diverged(),
            sample: whole.samples.map(|samples| samples.test),
            examples: whole.samples.and_then(|samples| samples.examples),
            rank: whole.validation(),
            difference: whole.against(role).and_then(|against| against.difference),
        };
        Standings {
            objective: &self.objective,
            margin: self.plan.margin,
            reference,
            measured: "test",
            arms: self.whole().enumerate().map(standing).collect(),
            no_runs: "diverged",
        }
    }

    /// The references at a budget, with their roles: the declared one first.
    pub fn references(&self, budget: usize) -> Vec<(usize, Role)> {
        let against = self.arms.first().map(|arm| &arm.budgets[budget].against);
        against.map_or_else(Vec::new, |against| {
            against.iter().map(|a| (a.reference, a.role)).collect()
        })
    }
}

impl ArmOutcome {
    /// The final runs at the whole budget.
    pub fn whole(&self) -> &BudgetOutcome {
        self.budgets.last().expect("a plan has a budget")
    }

    /// Updates spent on the search for the peak rate, the range test not counted.
    pub fn tuning_updates(&self) -> u64 {
        let trials = self.tuning.iter().flat_map(|tuning| &tuning.trials);
        let runs = trials.flat_map(|trial| &trial.runs);
        runs.map(|run| run.updates).sum()
    }
}

impl RunOutcome {
    /// The updates that were made for it alone: what it costs.
    pub fn updates_made(&self) -> u64 {
        self.updates_done - self.updates_shared
    }
}

impl BudgetOutcome {
    /// Whether there are runs and none of them diverged: only then is the arm compared.
    pub fn is_whole(&self) -> bool {
        !self.runs.is_empty() && self.diverged() == 0
    }

    /// The runs that diverged.
    pub fn diverged(&self) -> usize {
        self.runs.iter().filter(|run| run.values.is_none()).count()
    }

    /// The mean final validation value, if the arm [is whole](Self::is_whole).
    pub fn validation(&self) -> Option<f64> {
        let samples = self.samples.filter(|_| self.is_whole())?;
        Some(samples.validation.mean)
    }

    /// How it stands beside the reference in a role, if there is one in that role.
    pub fn against(&self, role: Role) -> Option<&Against> {
        self.against.iter().find(|against| against.role == role)
    }
}

impl TimeToTarget {
    /// The runs that reached the target.
    pub fn reached(&self) -> usize {
        self.updates.iter().flatten().count()
    }
}
