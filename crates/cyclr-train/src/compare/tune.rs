//! How every arm's peak rate is tuned: what is declared, and which rates follow from what trials
//! showed.

use std::collections::BTreeSet;
use std::f64::consts::SQRT_2;

use cyclr::range::Trough;
use cyclr::stats::mean;
use cyclr::trainer::Direction;
use serde::{Deserialize, Serialize};

use super::Arm;
use super::plan::joined;
use super::record::{Trial, TrialRun, Tuning};
use crate::verdict;

/// The one tuned number, the peak rate: the same search for every arm, on the same seeds.
///
/// At the first rung every tuned arm tries the same `multiples` of the found `max_lr`. While any
/// arm's best is the lowest or the highest, all arms try one more rate, for at most `rounds`
/// rounds. At each further rung an arm tries the best rate of the rung before and its neighbours a
/// factor √2 away. The final runs' peak rate is the centre of the rates that validate within two
/// margins of the best of the last rung ([`Trough`], in ln rate), at most a factor √2 from the best
/// and not beyond what was tried: the single best of a flat curve is a matter of chance.
///
/// A rung is a share of the budget, and a trial there a whole training of that length: a run that
/// is cut short would punish high peaks of policies that decay. One rung, the whole budget, is the
/// default. Shorter ones are cheaper (successive halving: Jamieson and Talwalkar, 2016), and unfair
/// to policies whose best rate falls with the length of training: METHOD.md has the figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Tune {
    /// The multiples of `max_lr` that all tuned arms try, rising. A single one is no search: it is
    /// tried at the last rung.
    pub multiples: Vec<f64>,
    /// The seeds that every trial runs on; none of the final ones.
    pub seeds: Vec<u64>,
    /// The shares of the budget, rising, at most 1.
    pub rungs: Vec<f64>,
    /// The most rounds of one more rate for each arm.
    pub rounds: u32,
}

impl Default for Tune {
    /// Four rates a factor 2 apart on one seed at the whole budget, and at most four rounds.
    fn default() -> Self {
        Self {
            multiples: vec![0.125, 0.25, 0.5, 1.0],
            seeds: vec![Self::FIRST_SEED],
            rungs: vec![1.0],
            rounds: 4,
        }
    }
}

impl Tune {
    /// The first of the usual seeds.
    pub const FIRST_SEED: u64 = 1001;

    /// Whether there is a search: a single rate is a choice.
    pub(super) fn searches(&self) -> bool {
        self.multiples.len() > 1
    }

    /// What every tuned arm tries at first.
    pub(super) fn multiples_of(&self, arm: &Arm) -> Vec<f64> {
        if arm.tuned {
            self.multiples.clone()
        } else {
            Vec::new()
        }
    }

    /// The share of the budget of the first trials.
    pub(super) fn first_rung(&self) -> f64 {
        if self.searches() {
            self.rungs[0]
        } else {
            self.rungs[self.rungs.len() - 1]
        }
    }

    /// The rungs at which the best rate's neighbours are tried.
    pub(super) fn finer(&self) -> &[f64] {
        self.rungs.split_first().map_or(&[], |(_, further)| further)
    }

    /// How many rates an arm tries at which share of the budget, with `rounds` further rounds.
    pub(super) fn rates(&self, rounds: u32) -> Vec<(f64, u64)> {
        if !self.searches() {
            return vec![(self.first_rung(), 1)];
        }
        let first = (
            self.first_rung(),
            self.multiples.len() as u64 + u64::from(rounds),
        );
        let finer = self.finer().iter().map(|&rung| (rung, NEIGHBOURS));
        std::iter::once(first).chain(finer).collect()
    }

    /// Why it means nothing, if it does not.
    pub(super) fn fault(&self) -> Option<String> {
        let rise = |numbers: &[f64]| {
            let positive = |x: f64| x.is_finite() && x > 0.0;
            !numbers.is_empty()
                && numbers.iter().copied().all(positive)
                && numbers.is_sorted_by(|a, b| a < b)
        };
        if !rise(&self.multiples) {
            return Some(format!(
                "the multiples are {}: they must be numbers above 0, in rising order",
                joined(&self.multiples)
            ));
        }
        if !rise(&self.rungs) || self.rungs.iter().any(|&rung| rung > 1.0) {
            return Some(format!(
                "the rungs are {}: they must be fractions of the budget above 0, in rising order, at most 1",
                joined(&self.rungs)
            ));
        }
        let seeds: BTreeSet<u64> = self.seeds.iter().copied().collect();
        (seeds.is_empty() || seeds.len() < self.seeds.len()).then(|| {
            format!(
                "the tuning seeds are {:?}: give at least one, and none twice",
                self.seeds
            )
        })
    }
}

/// How far beyond an edge the next rate is.
const BEYOND: f64 = 2.0;

/// The rates of a further rung.
const NEIGHBOURS: u64 = 3;

/// The trials of the last rung that the arm has come to.
pub(super) fn longest(trials: &[Trial]) -> &[Trial] {
    let length = trials.last().map_or(0.0, |trial| trial.fraction);
    &trials[trials.partition_point(|trial| trial.fraction < length)..]
}

/// The mean of a trial's runs over seeds; `None` if one of them diverged.
pub(super) fn validation(runs: &[TrialRun]) -> Option<f64> {
    let values: Option<Vec<f64>> = runs.iter().map(|run| run.validation).collect();
    values.map(|values| mean(&values))
}

/// The place of the best trial: by validation, and of equals the smallest rate. `None` if all
/// diverged.
pub(super) fn best(trials: &[Trial], direction: Direction) -> Option<usize> {
    let trials = trials.iter().enumerate();
    let trained = trials.filter_map(|(place, trial)| Some((place, trial.validation?)));
    verdict::best(trained, direction)
}

/// What one more trial of an arm should try: beyond the edge if the best is at an edge, else
/// between the best and the better of its neighbours, so that every arm has as many trials. If all
/// diverged, below them all. Nothing for an arm without trials.
pub(super) fn one_more(trials: &[Trial], direction: Direction) -> Vec<f64> {
    let Some(last) = trials.len().checked_sub(1) else {
        return Vec::new();
    };
    let at = |place: usize| trials[place].multiple;
    vec![match best(trials, direction) {
        None | Some(0) => at(0) / BEYOND,
        Some(place) if place == last => at(last) * BEYOND,
        Some(place) => {
            // If neither neighbour trained, the one below.
            let sides = [trials[place - 1].clone(), trials[place + 1].clone()];
            let side = [place - 1, place + 1][best(&sides, direction).unwrap_or(0)];
            (at(place) * at(side)).sqrt()
        }
    }]
}

/// Whether any arm's best is at an edge, and so every arm has one more trial.
pub(super) fn needs_more(arms: &[Vec<Trial>], direction: Direction) -> bool {
    let at_edge = |trials: &Vec<Trial>| {
        let edges = [Some(0), trials.len().checked_sub(1), None];
        !trials.is_empty() && edges.contains(&best(trials, direction))
    };
    arms.iter().any(at_edge)
}

/// The best rate of the last rung and its neighbours, rising; nothing if no rate trained.
pub(super) fn around_best(trials: &[Trial], direction: Direction) -> Vec<f64> {
    let last = longest(trials);
    let Some(place) = best(last, direction) else {
        return Vec::new();
    };
    let best = last[place].multiple;
    vec![best / SQRT_2, best, best * SQRT_2]
}

/// The search in the order of its lengths and rates, with the peak rate that its longest trials show.
pub(super) fn tuning(trials: Vec<Trial>, direction: Direction, margin: f64) -> Tuning {
    let last = longest(&trials);
    let shorter = trials.len() - last.len();
    let best = best(last, direction);
    let peak = best.map(|best| peak(last, best, direction, margin));
    let best = best.map(|place| shorter + place);
    let edge = |best: usize| {
        let best = trials[best].multiple;
        let below = trials.iter().any(|trial| trial.multiple < best);
        let above = trials.iter().any(|trial| trial.multiple > best);
        // A single rate is a choice, not a search with edges.
        below != above
    };
    Tuning {
        best,
        peak,
        at_edge: best.is_none_or(edge),
        trials,
    }
}

/// The centre of the rates that validate within two margins of the best, near the best and not
/// beyond what was tried. Trials are of one length, from the lowest rate to the highest.
fn peak(trials: &[Trial], best: usize, direction: Direction, margin: f64) -> f64 {
    const MARGINS: f64 = 2.0;
    let turned = |value| -direction.sign() * value;
    let level = |trial: &Trial| trial.validation.map_or(f64::INFINITY, turned);
    let curve = trials.iter().map(|trial| (trial.peak.log2(), level(trial)));
    let trough = Trough::of(&curve.collect::<Vec<_>>(), MARGINS * margin);
    let best = trials[best].peak;
    let near = trough.centre.exp2().clamp(best / SQRT_2, best * SQRT_2);
    cyclr::rounded(near, 4).clamp(trials[0].peak, trials[trials.len() - 1].peak)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trials(values: &[(f64, Option<f64>)]) -> Vec<Trial> {
        let trial = |&(multiple, validation): &(f64, Option<f64>)| Trial {
            multiple,
            peak: multiple,
            fraction: 1.0,
            extra: false,
            validation,
            runs: Vec::new(),
        };
        values.iter().map(trial).collect()
    }

    #[test]
    fn the_best_rate_is_chosen_and_the_smallest_of_equals() {
        let t = trials(&[
            (1.0, Some(3.0)),
            (2.0, Some(5.0)),
            (4.0, Some(5.0)),
            (8.0, None),
        ]);
        assert_eq!(
            (best(&t, Direction::Higher), best(&t, Direction::Lower)),
            (Some(1), Some(0))
        );
        assert_eq!(best(&trials(&[(1.0, None)]), Direction::Higher), None);
    }

    #[test]
    fn one_more_goes_beyond_an_edge_or_between_the_best_two() {
        for (values, next) in [
            ([Some(9.0), Some(5.0), Some(4.0)], 0.5),
            ([Some(1.0), Some(5.0), Some(6.0)], 8.0),
            ([Some(1.0), Some(9.0), Some(6.0)], 8_f64.sqrt()),
            ([Some(7.0), Some(9.0), None], 2_f64.sqrt()),
            ([None, None, None], 0.5),
        ] {
            let t: Vec<_> = [1.0, 2.0, 4.0].into_iter().zip(values).collect();
            assert_eq!(
                one_more(&trials(&t), Direction::Higher),
                [next],
                "{values:?}"
            );
        }
    }

    #[test]
    fn an_edge_is_an_edge() {
        let t = |values: [Option<f64>; 3]| {
            trials(&[1.0, 2.0, 4.0].into_iter().zip(values).collect::<Vec<_>>())
        };
        let inside = t([Some(1.0), Some(3.0), Some(2.0)]);
        let edge = t([Some(1.0), Some(2.0), Some(3.0)]);
        let none = t([None; 3]);
        let needs = |arms: &[Vec<Trial>]| needs_more(arms, Direction::Higher);
        assert!(!needs(&[inside.clone(), Vec::new()]));
        assert!(needs(&[inside.clone(), edge]) && needs(&[inside, none]));
    }

    /// A longer training counts, although a shorter one reached more, and what was tried at any
    /// length says where the edges are.
    #[test]
    fn the_last_rung_decides() {
        let mut t = trials(&[
            (1.0, Some(9.0)),
            (2.0, Some(9.5)),
            (4.0, Some(3.0)),
            (1.5, Some(5.0)),
            (2.0, Some(5.0)),
            (3.0, Some(6.0)),
        ]);
        for trial in &mut t[..3] {
            trial.fraction = 0.25;
        }
        assert_eq!(around_best(&t[..3], Direction::Higher)[1], 2.0);
        let inside = tuning(t.clone(), Direction::Higher, 0.5);
        assert_eq!((inside.best, inside.at_edge), (Some(5), false));
        let edge = tuning(t.split_off(3), Direction::Higher, 0.5);
        assert_eq!((edge.best, edge.at_edge), (Some(2), true));
        let single = tuning(trials(&[(1.0, Some(1.0))]), Direction::Higher, 0.5);
        assert_eq!((single.best, single.at_edge), (Some(0), false));
        assert_eq!(single.peak, Some(1.0));
    }

    /// The middle of rates that are as good, whichever of them is the best by a little; near the
    /// best where the curve is steep; never beyond what was tried.
    #[test]
    fn the_peak_is_the_centre_of_the_rates_near_the_best() {
        let peak = |values: &[Option<f64>]| {
            let rates = [1.0, 2.0, 4.0, 8.0, 16.0];
            let t: Vec<_> = rates.into_iter().zip(values.iter().copied()).collect();
            tuning(trials(&t), Direction::Higher, 0.5).peak
        };
        let flat = [Some(80.0), Some(90.1), Some(90.0), Some(90.0), Some(80.0)];
        let other = [Some(80.0), Some(90.0), Some(90.0), Some(90.1), Some(80.0)];
        assert_eq!(peak(&flat), Some(2.828), "√2 above the best");
        assert_eq!(peak(&other), Some(5.657), "√2 below the best");
        let sharp = [Some(80.0), Some(85.0), Some(90.0), Some(85.0), None];
        assert_eq!(peak(&sharp), Some(4.0));
        let edge = [Some(80.0), Some(81.0), Some(82.0), Some(89.0), Some(90.0)];
        assert!(peak(&edge).unwrap() <= 16.0);
        assert_eq!(peak(&[None; 5]), None);
        let loss = trials(&[(1.0, Some(0.9)), (2.0, Some(0.2)), (4.0, Some(0.9))]);
        assert_eq!(tuning(loss, Direction::Lower, 0.1).peak, Some(2.0));
    }

    #[test]
    fn the_cost_of_tuning_is_known_beforehand() {
        let tune = Tune::default();
        assert_eq!(tune.rates(0), [(1.0, 4)]);
        assert_eq!(tune.rates(4), [(1.0, 8)]);
        let halved = Tune {
            rungs: vec![0.25, 0.5],
            ..tune
        };
        assert_eq!(halved.rates(1), [(0.25, 5), (0.5, 3)]);
        let given = Tune {
            multiples: vec![1.0],
            ..halved
        };
        assert_eq!(given.rates(4), [(0.5, 1)]);
    }
}
