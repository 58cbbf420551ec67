mod check;

use std::num::NonZeroU64;

use cyclr::range::Allowance;
use cyclr::stats::Race;
use serde::{Deserialize, Serialize};

use super::tune::Tune;
use super::{Arm, ArmPolicy};
use crate::Error;
use crate::find::RangeTest;
use crate::verdict::MARGIN_POINTS;

pub(super) use check::joined;

/// A comparison as it is declared before its first run. It stands in the comparison's folder and
/// in its record.
///
/// ```
/// use cyclr_train::compare::Plan;
///
/// let plan = Plan::new(960);
/// let labels: Vec<&str> = plan.arms.iter().map(|arm| arm.label.as_str()).collect();
/// assert_eq!(labels, ["fixed", "triangular2", "linear"]);
/// // Three arms, each at four rates on one seed, and at the chosen rate on five.
/// assert_eq!((plan.runs(), plan.updates_of_runs()), (27, 27 * 960));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// What it is about, for the head of the report.
    pub title: String,
    /// What is compared; at least two.
    pub arms: Vec<Arm>,
    /// The arm that the others are compared with: its place in `arms`.
    pub reference: usize,
    /// The seeds of the final runs, the same for every arm; at least one.
    pub seeds: Vec<u64>,
    /// Those of `seeds` that were added when results were known already.
    #[serde(default)]
    pub added_seeds: Vec<u64>,
    /// When verdicts are made on the way, so that no more of `seeds` run than it takes until none
    /// beside the reference is open; `null` if all run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub race: Option<Race>,
    /// The budget of a run, in updates.
    pub updates: u64,
    /// The fractions of it at which every arm runs, rising to 1.
    pub budgets: Vec<f64>,
    /// Whether a final run at a shorter budget begins as its arm's run of the whole budget, of the
    /// same seed, up to the update where their rates part, so that these updates are made once.
    /// Warm-ups in updates or epochs then keep their length at every budget. Of everything else
    /// the cost alone depends on it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub branches: bool,
    /// How peak rates are found; `null` if every arm's spec is taken as it is.
    pub tuning: Option<Tune>,
    /// Where the bounds come from that tuning and unfinished specs start from.
    pub bounds: BoundsSource,
    /// Differences below this do not matter: in points for an accuracy, else in the metric's own
    /// unit.
    pub margin: f64,
    /// How often the validation split is evaluated in a run of the whole budget, evenly spaced.
    pub evaluations: u64,
}

/// Where the bounds of the rate come from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum BoundsSource {
    /// From a range test, whose seeds count up from `seed`.
    Found {
        /// The updates of its sweep and probes together, at most.
        updates: u64,
        /// The first of their seeds; none of the final ones.
        seed: u64,
    },
    /// Known beforehand.
    Given {
        /// The lower bound.
        base_lr: f64,
        /// The upper bound.
        max_lr: f64,
    },
    /// Not needed: no arm is tuned, and every arm is a whole spec.
    Unneeded,
}

impl BoundsSource {
    /// The updates of the range test, at most; 0 without one.
    pub fn updates(self) -> u64 {
        match self {
            Self::Found { updates, .. } => updates,
            Self::Given { .. } | Self::Unneeded => 0,
        }
    }

    /// The range test that finds them, where one does.
    pub(super) fn range_test(self) -> Option<RangeTest> {
        match self {
            Self::Found { updates, seed, .. } => Some(RangeTest {
                seed,
                updates,
                ..RangeTest::default()
            }),
            Self::Given { .. } | Self::Unneeded => None,
        }
    }
}

/// What the range test of a comparison whose runs have `updates` may cost: a tenth of the usual
/// comparison's runs, or less.
pub(super) fn updates_of_range_test(updates: u64) -> u64 {
    const USUAL_RUNS: u64 = 27;
    const MOST: u64 = 3000;
    (USUAL_RUNS.saturating_mul(updates) / 10).clamp(Allowance::FEWEST_UPDATES, MOST)
}

impl Plan {
    /// The usual comparison: `fixed` (the reference), `triangular2` and `linear`, tuned as
    /// [`Tune::default`] says, five seeds, a margin of 0.5, the whole budget only.
    pub fn new(updates: u64) -> Self {
        Self {
            title: String::from("Comparison of learning-rate policies"),
            arms: ["fixed", "triangular2", "linear"]
                .map(|name| Arm::of(ArmPolicy::Named(name)))
                .to_vec(),
            reference: 0,
            seeds: (1..=5).collect(),
            added_seeds: Vec::new(),
            race: None,
            updates,
            budgets: vec![1.0],
            branches: false,
            tuning: Some(Tune::default()),
            bounds: BoundsSource::Found {
                updates: updates_of_range_test(updates),
                seed: 2001,
            },
            margin: MARGIN_POINTS,
            evaluations: 12,
        }
    }

    /// Leaves out the tuning if no arm is tuned, and then also a range test that no arm needs.
    pub(super) fn leave_out_what_no_arm_needs(&mut self) {
        if self.arms.iter().any(|arm| arm.tuned) {
            return;
        }
        self.tuning = None;
        let named = |arm: &Arm| matches!(arm.policy, ArmPolicy::Named(_));
        if self.bounds.range_test().is_some() && !self.arms.iter().any(named) {
            self.bounds = BoundsSource::Unneeded;
        }
    }

    /// Final runs and trials; the range test and what an edge or a race may add are not counted.
    pub fn runs(&self) -> u64 {
        let planned = self.planned(0, self.first_seeds());
        planned.iter().map(|runs| runs.count).sum()
    }

    /// Updates of the runs counted by [`Plan::runs`].
    pub fn updates_of_runs(&self) -> u64 {
        self.updates_with(0, self.first_seeds())
    }

    /// The most updates that rounds of further trials may add.
    pub fn updates_of_rounds(&self) -> u64 {
        let seeds = self.first_seeds();
        self.updates_with(self.rounds(), seeds) - self.updates_with(0, seeds)
    }

    pub(super) fn rounds(&self) -> u32 {
        self.tuning.as_ref().map_or(0, |tune| tune.rounds)
    }

    pub(super) fn updates_with(&self, rounds: u32, seeds: usize) -> u64 {
        let updates = |runs: &Runs| {
            let each = self.updates_of(runs.arm, runs.fraction);
            each.saturating_mul(runs.count)
        };
        let planned = self.planned(rounds, seeds);
        planned.iter().map(updates).fold(0, u64::saturating_add)
    }

    /// All runs, with `rounds` rounds of further trials and `seeds` of the seeds.
    pub(super) fn planned(&self, rounds: u32, seeds: usize) -> Vec<Runs<'_>> {
        let mut planned = Vec::new();
        for arm in &self.arms {
            let tune = self.tuning.as_ref().filter(|_| arm.tuned);
            let trials = tune.into_iter().flat_map(|tune| {
                let trials = tune.seeds.len() as u64;
                let rates = tune.rates(rounds).into_iter();
                rates.map(move |(fraction, rates)| (fraction, rates * trials))
            });
            planned.extend(trials.map(|(fraction, count)| Runs {
                arm,
                fraction,
                count,
                is_final: false,
            }));
            planned.extend(self.budgets.iter().map(|&fraction| Runs {
                arm,
                fraction,
                count: seeds as u64,
                is_final: true,
            }));
        }
        planned
    }

    /// The updates of an arm's run at a fraction of the budget.
    pub fn updates_of(&self, arm: &Arm, fraction: f64) -> u64 {
        share(arm.updates.unwrap_or(self.updates), fraction)
    }

    /// The updates of the longest run.
    pub fn longest(&self) -> u64 {
        let updates = self.arms.iter().map(|arm| self.updates_of(arm, 1.0));
        updates.max().unwrap_or(self.updates)
    }

    /// What stands before the updates of the longest run where a sentence speaks of all: `up to `,
    /// if some arm's runs of the whole budget are shorter; else nothing.
    pub fn up_to(&self) -> &'static str {
        let longest = self.longest();
        let mut arms = self.arms.iter();
        if arms.any(|arm| self.updates_of(arm, 1.0) < longest) {
            "up to "
        } else {
            ""
        }
    }

    /// The place of the arm of that label.
    ///
    /// # Errors
    /// [`Error::NoReference`] with the labels that there are.
    pub fn arm_of(&self, label: &str) -> Result<usize, Error> {
        super::study::place_of(label, &self.arms)
    }

    /// Any bounds will do to see whether the specs fit the run.
    pub(super) fn any_bounds(&self) -> Option<(f64, f64)> {
        match self.bounds {
            BoundsSource::Unneeded => None,
            _ => Some((0.25, 1.0)),
        }
    }

    /// The updates after which every arm is evaluated, at a fraction of the budget: what times to
    /// a target are read from.
    pub fn grid(&self, fraction: f64) -> Grid {
        let updates = self.arms.iter().map(|arm| self.updates_of(arm, fraction));
        Grid {
            every: self.evaluate_every(fraction),
            end: updates
                .max()
                .unwrap_or_else(|| share(self.updates, fraction)),
        }
    }

    /// The updates from one evaluation of the validation split to the next, in every
    /// arm alike.
    pub(super) fn evaluate_every(&self, fraction: f64) -> NonZeroU64 {
        let updates = share(self.updates, fraction);
        NonZeroU64::new(updates.div_ceil(self.evaluations.max(1))).unwrap_or(NonZeroU64::MIN)
    }
}

/// A fraction of `updates`; at least one.
pub(super) fn share(updates: u64, fraction: f64) -> u64 {
    ((updates as f64 * fraction).round() as u64).max(1)
}

/// Runs of an arm of the same length.
pub(super) struct Runs<'a> {
    pub(super) arm: &'a Arm,
    pub(super) fraction: f64,
    pub(super) count: u64,
    pub(super) is_final: bool,
}

/// The updates after which every arm is evaluated: each multiple of a number of updates, and the
/// end of the longest run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    every: NonZeroU64,
    end: u64,
}

impl Grid {
    /// Whether arms are evaluated after `updates_done` updates.
    pub fn contains(&self, updates_done: u64) -> bool {
        let place = 1..=self.end;
        place.contains(&updates_done)
            && (updates_done.is_multiple_of(self.every.get()) || updates_done == self.end)
    }

    /// How many evaluations it has.
    pub(super) fn len(&self) -> u64 {
        self.end.div_ceil(self.every.get())
    }
}
