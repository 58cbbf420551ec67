//! Verdicts on runs that were made anywhere: a table of one final value for each arm and seed is
//! judged by the rules, and in the words, of a [comparison](mod@crate::compare).
//!
//! ```
//! use cyclr_train::judge::{Figure, Question, judge, read_values};
//!
//! let folder = tempfile::tempdir().unwrap();
//! let file = folder.path().join("results.csv");
//! std::fs::write(&file, "arm,seed,acc\nsgd,1,0.71\nsgd,2,0.72\nadam,1,0.741\nadam,2,0.731\n").unwrap();
//! let question = Question {
//!     reference: "sgd".into(),
//!     figure: Figure { fraction: Some(true), ..Figure::default() },
//!     ..Question::default()
//! };
//! let judgement = judge(&read_values(&file, &question)?, &question)?;
//! let headline = &judgement.tasks[0].conclusion.headline;
//! assert!(headline.starts_with("no winner: adam is not shown to differ from sgd, +2.10 points"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod columns;
mod figure;
mod names;
mod over_tasks;
mod read;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use cyclr::stats::{
    Comparison, ExampleSpread, Paired, Pairing, Rules, StatsError, Summary, Verdict, Welch,
    compare_family,
};
use cyclr::trainer::Objective;
use serde::{Deserialize, Serialize};

pub use figure::Figure;
use figure::checked_margin;
pub use over_tasks::OverTasks;
pub use read::{Values, read_values};

use crate::compare::example_spread;
use crate::table::TableError;
use crate::verdict::{Conclusion, Standing, Standings};

/// What a table is judged by.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// The label of the arm that the others are compared with.
    pub reference: String,
    /// What the values are.
    pub figure: Figure,
    /// Differences smaller than this do not matter: in points of an accuracy whose unit is known,
    /// and then 0.5 if `None`; else in the values' own unit, and needed.
    pub margin: Option<f64>,
    /// The test examples behind each value, if that is known of an accuracy.
    pub examples: Option<u64>,
    /// Whether equal seeds of two arms have nothing to do with each other.
    pub unpaired: bool,
    /// The name of the column that says which arm a row is of, if its name does not tell.
    pub arm_column: Option<String>,
    /// The name of the column with the seeds, if its name does not tell.
    pub seed_column: Option<String>,
}

/// What is said of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Judgement {
    /// The file with the values.
    pub source: String,
    /// What the values are of.
    pub objective: Objective,
    /// Differences smaller than this do not matter, in the objective's unit.
    pub margin: f64,
    /// The arm that the others are held against, by its place in every task's `arms`.
    pub reference: usize,
    /// One for each task, in the table's order; one without a name, if the table has no tasks.
    pub tasks: Vec<Judged>,
    /// What all tasks say together, an entry an arm, if there are at least two tasks; `null` for the
    /// reference, and for an arm that could not be compared at every task.
    #[serde(default)]
    pub over_tasks: Vec<Option<OverTasks>>,
}

/// The arms at one task, and what is said of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Judged {
    /// The task's name.
    pub task: Option<String>,
    /// All arms of the table, in its order.
    pub arms: Vec<JudgedArm>,
    /// What it all says, in words.
    pub conclusion: Conclusion,
}

/// The values of an arm, and how they compare.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct JudgedArm {
    /// Its label.
    pub label: String,
    /// Its values, in the table's order.
    pub values: Vec<SeedValue>,
    /// The values that are finite; `null` if there is none.
    pub sample: Option<Summary>,
    /// What the number of test examples explains of the spread, if that is known.
    pub examples: Option<ExampleSpread>,
    /// The difference from the reference; `null` for the reference itself, and if a run of either
    /// diverged or is missing.
    pub difference: Option<Comparison>,
}

/// The final value of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SeedValue {
    /// Its seed, as the table names it; `null` if it has no seeds.
    pub seed: Option<String>,
    /// The value, in the objective's unit; `null` if it is not finite: the run diverged.
    pub value: Option<f64>,
}

/// Why a table cannot be judged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JudgeError {
    /// The file does not hold one final value for each arm and seed.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The question lacks something that the table does not tell either.
    #[error("{0}")]
    Asked(String),
    /// The reference is none of the arms.
    #[error("the reference `{reference}` is not an arm: choose one of {arms}")]
    NoReference {
        /// The label that was given.
        reference: String,
        /// The labels that there are.
        arms: String,
    },
    /// A statistic could not be computed.
    #[error("the values cannot be judged: {0}")]
    Statistics(#[from] StatsError),
}

/// Judges the values of a table.
///
/// Each task is a family of its own: every arm is compared with the reference, paired if both have
/// the same seeds, else by Welch's test, and p-values are adjusted over the arms. An arm with a
/// value that is not finite is not compared. Several tasks together are one more family: the sign
/// test of each arm's mean differences ([`OverTasks`]).
///
/// # Errors
/// [`JudgeError::NoReference`]; [`JudgeError::Asked`] if there is no margin and the values are no
/// accuracy whose unit is known, if the margin is not positive, or if their name does not tell
/// whether more is better; [`JudgeError::Statistics`] for values or a margin beyond 1e100.
pub fn judge(values: &Values, question: &Question) -> Result<Judgement, JudgeError> {
    let objective = question.figure.objective(values.figure.as_deref())?;
    let margin = checked_margin(&objective, question.margin)?;
    let wanted = read::composed(&question.reference);
    let reference = values.arms.iter().position(|arm| *arm == wanted);
    let reference = reference.ok_or_else(|| JudgeError::NoReference {
        reference: question.reference.clone(),
        arms: values.arms.join(", "),
    })?;
    let mut judgement = Judgement {
        source: values.source.display().to_string(),
        objective,
        margin,
        reference,
        tasks: Vec::new(),
        over_tasks: Vec::new(),
    };
    for (task, runs) in values.tasks.iter().zip(&values.runs) {
        let arms = judgement.arms(&values.arms, runs, question)?;
        let mut judged = Judged {
            task: task.clone(),
            arms,
            conclusion: Conclusion::default(),
        };
        judged.conclusion = text::conclusion(&judgement, &judged, question);
        judgement.tasks.push(judged);
    }
    judgement.over_tasks = over_tasks::of(&judgement)?;
    Ok(judgement)
}

impl Judgement {
    /// How the arms of one of its tasks stand beside the reference.
    pub fn standings<'a>(&'a self, judged: &'a Judged) -> Standings<'a> {
        let standing = |arm: &'a JudgedArm| Standing {
            label: &arm.label,
            runs: arm.values.len(),
            diverged: arm.diverged(),
            sample: arm.sample,
            examples: arm.examples,
            rank: arm.sample.filter(|_| arm.is_whole()).map(|s| s.mean),
            difference: arm.difference,
        };
        Standings {
            objective: &self.objective,
            margin: self.margin,
            reference: self.reference,
            measured: &self.objective.name,
            arms: judged.arms.iter().map(standing).collect(),
            no_runs: "no values",
        }
    }

    /// Whether any arm could be compared, decided or not.
    pub fn has_verdict(&self) -> bool {
        let arms = self.tasks.iter().flat_map(|task| &task.arms);
        arms.map(|arm| arm.difference).any(|found| found.is_some())
    }

    /// The place of the arm with this label.
    pub fn arm(&self, label: &str) -> Option<usize> {
        let label = read::composed(label);
        let arms = &self.tasks.first()?.arms;
        arms.iter().position(|arm| arm.label == label)
    }

    /// The tasks at which an arm is not shown to be better than the reference.
    pub fn not_better(&self, arm: usize) -> impl Iterator<Item = &Judged> {
        self.tasks.iter().filter(move |task| {
            let found = task.arms[arm].difference;
            found.is_none_or(|found| found.verdict != Verdict::Better)
        })
    }

    fn arms(
        &self,
        labels: &[String],
        runs: &[Vec<SeedValue>],
        question: &Question,
    ) -> Result<Vec<JudgedArm>, JudgeError> {
        let mut arms = Vec::with_capacity(labels.len());
        for (label, values) in labels.iter().zip(runs) {
            // The others diverged, and are counted as such.
            let finite: Vec<f64> = values.iter().filter_map(|run| run.value).collect();
            let sample = (!finite.is_empty()).then(|| Summary::of(&finite));
            let sample = sample.transpose()?;
            let examples = sample.zip(question.examples);
            let examples = examples.map(|(s, n)| example_spread(&s, &self.objective, n));
            arms.push(JudgedArm {
                label: label.clone(),
                values: values.clone(),
                sample,
                examples: examples.transpose()?.flatten(),
                difference: None,
            });
        }
        self.compare(&mut arms, question.unpaired)?;
        Ok(arms)
    }

    /// Puts beside every arm that can be compared its difference from the reference.
    fn compare(&self, arms: &mut [JudgedArm], unpaired: bool) -> Result<(), StatsError> {
        let reference = &arms[self.reference];
        let other = |&n: &usize| n != self.reference && reference.is_whole() && arms[n].is_whole();
        let compared: Vec<usize> = (0..arms.len()).filter(other).collect();
        let pair = |&n: &usize| pairing(&arms[n], reference, unpaired);
        let family: Vec<Pairing> = compared.iter().map(pair).collect::<Result<_, _>>()?;
        let rules = Rules::new(self.margin, self.objective.direction);
        for (n, found) in compared.into_iter().zip(compare_family(&family, rules)?) {
            arms[n].difference = Some(found);
        }
        Ok(())
    }
}

impl JudgedArm {
    /// Whether there are values and all of them are finite.
    pub fn is_whole(&self) -> bool {
        !self.values.is_empty() && self.diverged() == 0
    }

    /// The runs whose value is not finite.
    pub fn diverged(&self) -> usize {
        self.values.iter().filter(|run| run.value.is_none()).count()
    }

    /// The seeds; `None` if the table has none.
    fn seeds(&self) -> Option<BTreeSet<&str>> {
        let seeds = self.values.iter().map(|run| run.seed.as_deref());
        seeds.collect()
    }
}

/// An arm with the reference, by seed if both have the same seeds.
fn pairing(arm: &JudgedArm, reference: &JudgedArm, unpaired: bool) -> Result<Pairing, StatsError> {
    // Whole arms have a value for every run.
    let finite =
        |arm: &JudgedArm| -> Vec<f64> { arm.values.iter().filter_map(|run| run.value).collect() };
    let same = arm.seeds().is_some() && arm.seeds() == reference.seeds();
    if unpaired || !same {
        return Welch::new(&finite(arm), &finite(reference)).map(Pairing::Unpaired);
    }
    let by_seed = |arm: &JudgedArm| -> Vec<f64> {
        let runs = arm.values.iter().map(|run| (&run.seed, run.value));
        // One value a seed, in the seeds' order.
        let runs: BTreeMap<_, _> = runs.collect();
        runs.into_values().flatten().collect()
    };
    Paired::new(&by_seed(arm), &by_seed(reference)).map(Pairing::BySeed)
}
