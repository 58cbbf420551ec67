//! What a judged table says to people, in the words of a comparison.

use std::fmt;

use cyclr::stats::Verdict;
use cyclr::trainer::{Direction, Unit};

use super::{Judged, Judgement, Question};
use crate::verdict::{
    Conclusion, FILE_COLUMNS, Standings, Winner, WinnerReason, first_of, listed, wrapped,
};

/// More seeds than this are counted, not listed.
const SEEDS: usize = 6;

/// What is said of one task.
pub(super) fn conclusion(
    judgement: &Judgement,
    judged: &Judged,
    question: &Question,
) -> Conclusion {
    let text = Text {
        judged,
        standings: judgement.standings(judged),
        unpaired: question.unpaired,
    };
    let winner = text.winner();
    let notes = [
        text.other_unit(),
        text.incomplete(),
        text.one_value(),
        text.unpaired(),
        text.standings.small(),
        text.standings.adjusted(),
        text.standings.seeds_to_decide(),
        text.standings.without_spread(),
    ];
    Conclusion {
        headline: text.headline(winner),
        measured: text.standings.measured.into(),
        table: (0..judged.arms.len())
            .map(|arm| text.standings.row(arm))
            .collect(),
        notes: notes.into_iter().flatten().collect(),
        spread: text.standings.spread(),
        limits: limits(judged),
        winner,
    }
}

struct Text<'a> {
    judged: &'a Judged,
    standings: Standings<'a>,
    /// Whether equal seeds were said to have nothing to do with each other.
    unpaired: bool,
}

impl Text<'_> {
    fn headline(&self, winner: Option<Winner>) -> String {
        let standings = &self.standings;
        let (reference, label) = (
            &self.judged.arms[standings.reference],
            standings.label(standings.reference),
        );
        match winner {
            Some(Winner {
                arm,
                because: WinnerReason::Better,
            }) => standings.wins(arm),
            Some(_) => standings.none_better(),
            None if reference.values.is_empty() => {
                format!("no verdict: the reference {label} has no values")
            }
            None if !reference.is_whole() => format!(
                "no verdict: the reference {label} diverged in {} of {} runs",
                reference.diverged(),
                reference.values.len()
            ),
            None => format!("no winner: {}", standings.nearest()),
        }
    }

    /// Of the arms shown better than the reference the one with the best mean; the reference, if
    /// every other arm is worse or diverged.
    fn winner(&self) -> Option<Winner> {
        if let Some(arm) = self.standings.best_with(|v| v == Verdict::Better) {
            let because = WinnerReason::Better;
            return Some(Winner { arm, because });
        }
        let found = self.standings.arms.iter().filter_map(|arm| arm.difference);
        let verdicts: Vec<Verdict> = found.map(|found| found.verdict).collect();
        let all_worse = !verdicts.is_empty() && verdicts.iter().all(|v| *v == Verdict::Worse);
        let all_ran = self.judged.arms.iter().all(|arm| !arm.values.is_empty());
        (all_worse && all_ran).then_some(Winner {
            arm: self.standings.reference,
            because: WinnerReason::NoneBetter,
        })
    }

    /// Arms whose values look like fractions beside per cent: the unit is that of the whole table.
    fn other_unit(&self) -> Option<String> {
        let objective = self.standings.objective;
        if objective.unit != Unit::Points || objective.direction != Direction::Higher {
            return None;
        }
        let largest = |arm: usize| {
            let values = self.judged.arms[arm].values.iter();
            // A value that is not finite has no size.
            values.filter_map(|run| run.value).reduce(f64::max)
        };
        // In points, as all values are here.
        let fractions = self
            .standings
            .labels(|arm| largest(arm).is_some_and(|largest| largest > 0.0 && largest <= 1.0));
        (!fractions.is_empty()).then(|| {
            format!("Below 1 %, or written as a fraction beside values in per cent? {fractions}.")
        })
    }

    /// Arms that are not compared, since they have no values or a run diverged.
    fn incomplete(&self) -> Option<String> {
        let others = |arm: usize| arm != self.standings.reference;
        let missing = |arm: usize| self.judged.arms[arm].values.is_empty();
        let gone = self.standings.labels(|arm| others(arm) && missing(arm));
        let diverged = self
            .standings
            .labels(|arm| others(arm) && !missing(arm) && !self.judged.arms[arm].is_whole());
        let said: Vec<String> = [
            (!gone.is_empty()).then(|| format!("{gone} (no values)")),
            (!diverged.is_empty()).then(|| format!("{diverged} (a value is not finite)")),
        ]
        .into_iter()
        .flatten()
        .collect();
        (!said.is_empty()).then(|| format!("Not compared: {}.", said.join(", ")))
    }

    fn one_value(&self) -> Option<String> {
        let one = self
            .standings
            .labels(|arm| self.judged.arms[arm].values.len() == 1);
        (!one.is_empty()).then(|| {
            format!("One value has no spread, so nothing can be shown: {one}. Run more seeds.")
        })
    }

    /// Arms that are compared by Welch's test, and why.
    fn unpaired(&self) -> Option<String> {
        let is = |arm: usize| {
            let found = self.standings.arms[arm].difference;
            found.is_some_and(|found| !found.difference.is_paired())
        };
        let labels = self.standings.labels(is);
        if labels.is_empty() {
            return None;
        }
        let reference = self.standings.label(self.standings.reference);
        let seeds = self.judged.arms[self.standings.reference].seeds();
        let why = if self.unpaired {
            String::from("as was asked for")
        } else if seeds.is_none() {
            String::from("the runs have no seeds")
        } else {
            let arms = (0..self.standings.arms.len()).filter(|&arm| is(arm));
            let why: Vec<String> = arms.map(|arm| self.other_seeds(arm)).collect();
            format!(
                "their seeds are not those of {reference} ({})",
                first_of(&why, "; ")
            )
        };
        Some(format!(
            "Not paired, and so compared by Welch's t-test: {labels}; {why}."
        ))
    }

    /// `adam lacks 3 and 4 and has 7`
    fn other_seeds(&self, arm: usize) -> String {
        // The reference has seeds, and so has every row.
        let seeds = |arm: usize| self.judged.arms[arm].seeds().unwrap_or_default();
        let (own, reference) = (seeds(arm), seeds(self.standings.reference));
        let said = |word: &str, seeds: Vec<&str>| match seeds.len() {
            0 => None,
            1..=SEEDS => Some(format!("{word} {}", listed(&seeds))),
            many => Some(format!("{word} {many} of them")),
        };
        let lacks = said("lacks", reference.difference(&own).copied().collect());
        let has = said("has", own.difference(&reference).copied().collect());
        let said: Vec<String> = [lacks, has].into_iter().flatten().collect();
        format!("{} {}", self.standings.label(arm), said.join(" and "))
    }
}

/// What the values cannot say.
fn limits(judged: &Judged) -> Vec<String> {
    let mut limits = vec![
        String::from(
            "The intervals are over runs: they say how much a new training would vary, not how much new test data would.",
        ),
        String::from(
            "The runs were not seen: whether the arms were tuned alike, and whether these are all the runs that were \
             made, a table does not tell.",
        ),
    ];
    if judged.task.is_some() {
        limits.push(String::from(
            "Each task is a family of its own: the chance of a wrong verdict at any of several tasks can be above 5 %.",
        ));
    }
    limits
}

impl Judgement {
    /// What is said of each task, under its name if there are several, and then of all of them, for a
    /// reader who sees `columns` columns.
    pub fn text(&self, columns: usize) -> String {
        let tasks = self.tasks.iter().map(|judged| {
            let said = judged.conclusion.text(columns);
            match &judged.task {
                Some(task) => format!("== {task}\n{said}"),
                None => said,
            }
        });
        let over = self.said_over_tasks();
        let over = (!over.is_empty()).then(|| {
            let lines = over.iter().map(|line| wrapped(line, "      ", columns));
            format!(
                "== all {} tasks\n{}",
                self.tasks.len(),
                lines.collect::<String>()
            )
        });
        tasks.chain(over).collect::<Vec<_>>().join("\n")
    }
}

/// The text of `verdict.txt`.
impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(FILE_COLUMNS))
    }
}
