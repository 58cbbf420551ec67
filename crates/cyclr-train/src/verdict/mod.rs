//! Arms beside a reference, and the words for how they stand: what a comparison and a judged table
//! have in common.

mod conclusion;
mod layout;
mod notes;
mod words;

use cyclr::names;
use cyclr::stats::{Comparison, ExampleSpread, ROUNDING, Summary, Verdict};
use cyclr::trainer::{Direction, Objective};

pub use conclusion::{Conclusion, Row, Winner, WinnerReason};
pub(crate) use layout::{FILE_COLUMNS, wrapped};
pub(crate) use words::{NOTHING, first_of, listed, word};

/// Differences of accuracies below this do not matter, in points, unless another margin is given.
pub(crate) const MARGIN_POINTS: f64 = 0.5;

/// Arms by their place, and how each stands beside one of them.
#[derive(Clone, Debug)]
pub struct Standings<'a> {
    /// What the values are of.
    pub objective: &'a Objective,
    /// Differences smaller than this do not matter, in the objective's unit.
    pub margin: f64,
    /// The arm that the others are held against.
    pub reference: usize,
    /// What the values are: `test`, or the name of a judged figure.
    pub measured: &'a str,
    /// All arms.
    pub arms: Vec<Standing<'a>>,
    /// What is said of an arm that has no runs.
    pub no_runs: &'static str,
}

/// An arm beside the reference.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// The arm's label.
    pub label: &'a str,
    /// The number of its runs.
    pub runs: usize,
    /// Of these, those that diverged: only an arm without any is compared.
    pub diverged: usize,
    /// The values of the runs that did not diverge.
    pub sample: Option<Summary>,
    /// What the number of test examples explains of their spread, if that is known.
    pub examples: Option<ExampleSpread>,
    /// The figure that the best arm is the best by; `None` if a run diverged or there is none.
    pub rank: Option<f64>,
    /// The difference from the reference; `None` for the reference itself, and if a run of either
    /// diverged or is missing.
    pub difference: Option<Comparison>,
}

/// What is wrong with a label that has a character which nobody sees: two that look the same would
/// be two arms, and terminals would obey it.
pub(crate) fn unseen(label: &str) -> Option<String> {
    let found = names::unseen(label)?;
    Some(format!(
        "`{}` has the character U+{:04X}, which is invisible or changes the direction of the text; remove it",
        label.replace(
            |c: char| names::unseen(c.encode_utf8(&mut [0; 4])).is_some(),
            ""
        ),
        u32::from(found)
    ))
}

impl Standings<'_> {
    /// The label of an arm.
    pub fn label(&self, arm: usize) -> &str {
        self.arms[arm].label
    }

    /// Whether an arm's difference is shown to exist and to be less than the margin.
    pub fn is_small(&self, arm: usize) -> bool {
        let difference = &self.arms[arm].difference;
        difference.is_some_and(|d| d.is_decided() && d.within_margin)
    }

    /// Whether an arm was compared and is not shown to differ from the reference.
    pub(crate) fn is_level(&self, arm: usize) -> bool {
        let difference = &self.arms[arm].difference;
        difference.is_some_and(|found| !found.is_decided())
    }

    /// The best arm that has one of these verdicts.
    pub fn best_with(&self, wanted: impl Fn(Verdict) -> bool) -> Option<usize> {
        let difference = |arm: usize| self.arms[arm].difference;
        self.best_of(|arm| difference(arm).is_some_and(|found| wanted(found.verdict)))
    }

    /// The best of these arms.
    pub(crate) fn best_of(&self, wanted: impl Fn(usize) -> bool) -> Option<usize> {
        let arms = self.arms.iter().enumerate().filter(|(n, _)| wanted(*n));
        // What diverged, or has no runs, is not the best.
        let ranked = arms.filter_map(|(n, arm)| Some((n, arm.rank?)));
        best(ranked, self.objective.direction)
    }
}

/// Whether a figure is better than another by more than rounding: 90.1 + 90.3 and 90.2 + 90.2 differ in
/// their last bits.
pub(crate) fn is_better(figure: f64, other: f64, direction: Direction) -> bool {
    let larger = figure.abs().max(other.abs());
    direction.is_better(figure, other) && (figure - other).abs() > ROUNDING * larger
}

/// Of these, the one with the best figure; of those that are as good but for rounding the first.
pub(crate) fn best(
    ranked: impl Iterator<Item = (usize, f64)>,
    direction: Direction,
) -> Option<usize> {
    let ranked: Vec<(usize, f64)> = ranked.collect();
    let figures = ranked.iter().map(|&(_, figure)| figure);
    let best = figures.reduce(|best, next| {
        if direction.is_better(next, best) {
            next
        } else {
            best
        }
    })?;
    let first = ranked
        .iter()
        .find(|(_, figure)| !is_better(best, *figure, direction));
    first.map(|&(place, _)| place)
}

#[cfg(test)]
mod tests {
    use cyclr::stats::mean;

    use super::*;

    /// Accuracies as counts of 1,000, three seeds an arm. The arms have the same sum, so the first is
    /// chosen, whichever way round they and their seeds are; one more correct example decides.
    #[test]
    fn of_means_that_differ_by_rounding_the_first_is_the_best() {
        let points = |correct: u32| 100.0 * (f64::from(correct) / 1000.0);
        let figure = |counts: &[u32]| {
            let values: Vec<f64> = counts.iter().map(|&correct| points(correct)).collect();
            mean(&values)
        };
        for a in 890..910 {
            for b in 0..40 {
                let (one, other) = ([a, a + b, a + 7], [a + 7 + b, a + 1, a - 1]);
                for arms in [[one, other], [other, one]] {
                    let figures = arms.map(|arm| figure(&arm));
                    let of = |figures: [f64; 2], direction| {
                        best(figures.into_iter().enumerate(), direction)
                    };
                    assert_eq!(of(figures, Direction::Higher), Some(0), "{arms:?}");
                    assert_eq!(of(figures, Direction::Lower), Some(0), "{arms:?}");
                    let [x, y, z] = arms[1];
                    let more = [figures[0], figure(&[x, y, z + 1])];
                    assert_eq!(of(more, Direction::Higher), Some(1), "{arms:?}");
                    assert_eq!(of(more, Direction::Lower), Some(0), "{arms:?}");
                }
            }
        }
    }
}
