use alloc::{vec, vec::Vec};

use crate::trainer::TrainerInfo;

/// How a range test spends its updates: one exponential sweep, then probes.
///
/// The length of a probe follows from the batch alone, so every cost answers the same question.
/// The rest pays for other seeds, or for longer probes if a net learns slowly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The updates of the sweep.
    pub sweep: u64,
    /// The updates of a probe.
    pub probe: u64,
    /// The updates of sweep and probes together, at most.
    pub updates: u64,
    /// No probe is longer. It is an epoch, since a net that memorizes examples would seem to learn
    /// after that; or the length of a probe, if that is more.
    pub longest_probe: u64,
}

/// The rates that are tried with each seed.
pub(super) const PROBES: u64 = 5;

/// The fewest of them that another seed is of use with.
pub(super) const FEWEST_AGAIN: u64 = 3;

/// The updates and the examples that a probe should have at least, and the updates that are enough
/// for any batch.
const SHORTEST_PROBE: u64 = 40;
const FEWEST_EXAMPLES: u64 = 1500;
const ENOUGH_FOR_ANY: u64 = 150;

impl Allowance {
    /// What a test for a training of `budget` updates may cost: `fraction` of them, and no fewer than
    /// a readable test needs.
    pub fn new(budget: u64, fraction: f64, info: &TrainerInfo) -> Self {
        let asked = (fraction * budget as f64) as u64;
        Self::of(asked.max(least_updates(budget, info)), info)
    }

    /// The most seeds of a range test: further ones hardly move the answer.
    pub const MOST_SEEDS: u64 = 5;

    /// The fewest updates of a range test.
    pub const FEWEST_UPDATES: u64 = 100;

    /// Divides `updates`, at least 100, between sweep and probes.
    pub fn of(updates: u64, info: &TrainerInfo) -> Self {
        let updates = updates.max(Self::FEWEST_UPDATES);
        let sweep = (updates / 6).clamp(25, 200);
        let probe = readable_probe(info).min((updates - sweep) / PROBES);
        Self {
            sweep,
            probe,
            updates,
            longest_probe: info.updates_per_epoch().max(probe),
        }
    }

    /// The probes that are usually made, by groups whose probes do not depend on one another:
    /// three around the start, two between them, and those of the other seeds.
    pub fn groups(&self) -> Vec<u64> {
        let mut groups = vec![3, 2];
        let mut left = (self.updates - self.sweep) / self.probe - PROBES;
        while groups.len() <= Self::MOST_SEEDS as usize && left >= FEWEST_AGAIN {
            let again = if left < PROBES { FEWEST_AGAIN } else { PROBES };
            groups.push(again);
            left -= again;
        }
        groups
    }

    /// The updates that are usually made: all of [`Self::updates`] only if these are few, or if the
    /// net learns slowly.
    pub fn usual(&self) -> u64 {
        self.sweep + self.probe * self.groups().iter().sum::<u64>()
    }

    /// The length of the probes that follow those of `length` updates, if these learn too little to
    /// distinguish rates; `None` if they are the longest.
    pub fn after(&self, length: u64) -> Option<u64> {
        let longer = length.saturating_mul(2).min(self.longest_probe);
        (longer > length).then_some(longer)
    }

    /// The updates that are added if the first probes learn almost nothing, and longer ones do not
    /// fit into [`Self::updates`].
    pub fn longer(&self) -> u64 {
        self.after(self.probe).map_or(0, |longer| PROBES * longer)
    }
}

/// The updates of a probe that shows something of a net in general.
fn readable_probe(info: &TrainerInfo) -> u64 {
    FEWEST_EXAMPLES
        .div_ceil(info.batch)
        .clamp(SHORTEST_PROBE, ENOUGH_FOR_ANY)
}

/// The fewest updates of a test for a budget: five probes and their sweep, or a quarter of the
/// budget if that is less.
fn least_updates(budget: u64, info: &TrainerInfo) -> u64 {
    let readable = PROBES * readable_probe(info) * 6 / 5;
    (budget / 4).clamp(Allowance::FEWEST_UPDATES, readable)
}
