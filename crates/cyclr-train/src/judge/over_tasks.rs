//! What several tasks say together: at how many of them an arm is ahead of the reference.

use cyclr::readable;
use cyclr::stats::{ALPHA, ROUNDING, SignTest, StatsError, holm, sign_test};
use cyclr::trainer::Direction;
use serde::{Deserialize, Serialize};

use super::{Judged, JudgedArm, Judgement};
use crate::verdict::listed;

/// An arm beside the reference over all tasks, each of which counts once, by which of the two has
/// the better mean (Demšar 2006, section 3.1.4).
///
/// The population is tasks: it tells whether the arm would be ahead at most tasks like these, not
/// by how much.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct OverTasks {
    /// Tasks at which its mean is better than the reference's.
    pub ahead: u64,
    /// Tasks at which it is worse; the two are level at the rest.
    pub behind: u64,
    /// The p-value of the two-sided [`sign_test`], adjusted by [`holm`] over the arms that have one.
    pub adjusted_p: f64,
}

/// An entry an arm; none if there are fewer than two tasks.
pub(super) fn of(judgement: &Judgement) -> Result<Vec<Option<OverTasks>>, StatsError> {
    let [first, _, ..] = &judgement.tasks[..] else {
        return Ok(Vec::new());
    };
    let arms = 0..first.arms.len();
    // An arm that was not compared at every task has no test.
    let means = arms.filter_map(|arm| Some((arm, judgement.means(arm)?)));
    let tests = means.map(|(arm, means)| Ok((arm, sign_test(&means)?)));
    let tests: Vec<(usize, SignTest)> = tests.collect::<Result<_, StatsError>>()?;
    let p_values: Vec<f64> = tests.iter().map(|(_, test)| test.p).collect();
    let mut over = vec![None; first.arms.len()];
    for ((arm, test), adjusted_p) in tests.into_iter().zip(holm(&p_values)?) {
        let (ahead, behind) = match judgement.objective.direction {
            Direction::Higher => (test.above, test.below),
            Direction::Lower => (test.below, test.above),
        };
        over[arm] = Some(OverTasks {
            ahead,
            behind,
            adjusted_p,
        });
    }
    Ok(over)
}

impl OverTasks {
    /// Whether the arm is shown to be ahead or behind at most tasks like these.
    pub fn is_decided(&self) -> bool {
        self.adjusted_p < ALPHA
    }
}

impl Judgement {
    /// The mean differences of an arm, a task each; `None` if it was not compared at one of them.
    /// What the rounding of the values alone makes is no difference.
    fn means(&self, arm: usize) -> Option<Vec<f64>> {
        let mean = |task: &Judged| {
            let mean = task.arms[arm].difference?.difference.mean;
            let both = [&task.arms[arm], &task.arms[self.reference]];
            let largest = both.map(largest).into_iter().fold(0.0, f64::max);
            Some(if mean.abs() <= ROUNDING * largest {
                0.0
            } else {
                mean
            })
        };
        self.tasks.iter().map(mean).collect()
    }

    /// What all tasks say together: a sentence an arm, then notes; nothing if there are fewer than
    /// two tasks.
    pub fn said_over_tasks(&self) -> Vec<String> {
        let arms = || self.over_tasks.iter().enumerate();
        let sentences = arms().filter_map(|(arm, found)| Some(self.sentence(arm, found.as_ref()?)));
        let missing = arms().filter(|(arm, found)| *arm != self.reference && found.is_none());
        let missing: Vec<&str> = missing.map(|(arm, _)| self.label_of(arm)).collect();
        let missing = (!missing.is_empty()).then(|| {
            let arms = listed(&missing);
            format!("note: not compared at every task, and so not over all of them: {arms}")
        });
        sentences.chain(missing).chain(self.too_few()).collect()
    }

    /// That even an arm that is ahead at every task would not be shown to be.
    fn too_few(&self) -> Option<String> {
        let (arms, tasks) = (self.over_tasks.iter().flatten().count(), self.tasks.len());
        // Holm's least p is arms · 2^(1 - tasks).
        let needed = (1.0 + (arms as f64 / ALPHA).log2()).ceil();
        let plural = if arms == 1 { "" } else { "s" };
        (arms > 0 && (tasks as f64) < needed).then(|| {
            format!("note: {tasks} tasks are too few to show anything of {arms} arm{plural}: a sign test needs at least {needed}")
        })
    }

    /// `b is better than a over tasks like these: ahead at 7 of 7 (sign test, p = 0.016)`
    fn sentence(&self, arm: usize, found: &OverTasks) -> String {
        let OverTasks { ahead, behind, .. } = *found;
        let said = match (found.is_decided(), ahead > behind) {
            (true, true) => "is better than",
            (true, false) => "is worse than",
            (false, _) => "is not shown to differ from",
        };
        let tasks = self.tasks.len();
        let level = match tasks as u64 - ahead - behind {
            0 => String::new(),
            level => format!(", level at {level}"),
        };
        format!(
            "{} {said} {} over tasks like these: ahead at {ahead} of {tasks}{level} (sign test, p = {})",
            self.label_of(arm),
            self.label_of(self.reference),
            readable(found.adjusted_p, 2)
        )
    }

    fn label_of(&self, arm: usize) -> &str {
        &self.tasks[0].arms[arm].label
    }
}

/// The size of its largest value.
fn largest(arm: &JudgedArm) -> f64 {
    let values = arm.values.iter().filter_map(|run| run.value);
    values.fold(0.0, |largest, value| value.abs().max(largest))
}
