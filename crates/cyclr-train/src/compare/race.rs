//! A race: seeds are added while a verdict is open.

use cyclr::stats::{ALPHA, Race};
use serde::{Deserialize, Serialize};

use super::Plan;
use super::record::{ArmOutcome, Role};

/// How a race ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RaceEnd {
    /// The seeds that it took: the first of the plan's.
    pub seeds: usize,
    /// Why it ended there.
    pub because: RaceEndReason,
}

/// Why a race ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RaceEndReason {
    /// No verdict beside the declared reference is open at the whole budget.
    Decided,
    /// A verdict is open, and there are no more seeds.
    MostSeeds,
    /// No arm can be compared with the declared reference, since runs diverged.
    NothingToCompare,
}

impl RaceEnd {
    /// How the race ends with the verdicts after `seeds` seeds; `None` if it goes on.
    pub(super) fn of(race: &Race, arms: &[ArmOutcome], seeds: usize) -> Option<Self> {
        let against = arms.iter().map(|arm| arm.whole().against(Role::Declared));
        // The reference and arms that diverged have no difference.
        let found = against.filter_map(|against| against?.difference);
        let found: Vec<_> = found.collect();
        let because = if found.is_empty() {
            RaceEndReason::NothingToCompare
        } else if !Race::is_open(&found) {
            RaceEndReason::Decided
        } else if race.looks().last() == Some(&(seeds as u64)) {
            RaceEndReason::MostSeeds
        } else {
            return None;
        };
        Some(Self { seeds, because })
    }
}

impl Plan {
    /// The numbers of seeds after which verdicts are made: once, with all seeds, if it is no race.
    pub(super) fn looks(&self) -> Vec<usize> {
        match &self.race {
            Some(race) => race.looks().iter().map(|&seeds| seeds as usize).collect(),
            None => vec![self.seeds.len()],
        }
    }

    /// The error that each of these verdicts may make.
    pub(super) fn level(&self) -> f64 {
        self.race.as_ref().map_or(ALPHA, Race::level)
    }

    /// The most updates that a race may add to those of its first look.
    pub fn updates_of_race(&self) -> u64 {
        self.updates_with(0, self.seeds.len()) - self.updates_with(0, self.first_seeds())
    }

    /// The seeds that run in any case.
    pub(super) fn first_seeds(&self) -> usize {
        self.looks()[0]
    }

    /// Why the race does not fit the seeds, if it does not.
    pub(super) fn race_fault(&self) -> Option<String> {
        let (most, seeds) = (self.looks().last().copied(), self.seeds.len());
        most.filter(|&most| most != seeds).map(|most| {
            format!(
                "a race of at most {most} needs as many seeds, and there are {seeds}: give that many, or none"
            )
        })
    }
}
