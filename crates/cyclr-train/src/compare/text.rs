//! What a comparison says to people: a headline, a table, and notes.

#[cfg(test)]
mod tests;

use cyclr::stats::{Verdict, mean};
use cyclr::{Spec, readable};

use super::analyse;
use super::record::{
    Against, BudgetOutcome, Conclusion, RaceEndReason, Record, Role, Row, TimeToTarget, Winner,
    WinnerReason,
};
use crate::verdict::{NOTHING, Standings, is_better, listed, word};

/// What the record says.
pub(super) fn conclusion(record: &Record) -> Conclusion {
    let winner = analyse::winner(record);
    let text = Text {
        record,
        standings: record.standings(),
    };
    Conclusion {
        headline: text.headline(winner),
        measured: text.standings.measured.into(),
        table: (0..record.arms.len()).map(|arm| text.row(arm)).collect(),
        notes: text.notes(),
        spread: text.standings.spread(),
        limits: text.limits(),
        winner,
    }
}

/// What the sentences are about.
struct Text<'a> {
    record: &'a Record,
    /// The arms at the whole budget, beside the declared reference.
    standings: Standings<'a>,
}

impl Text<'_> {
    /// The winner first: `linear wins: +1.01 points over fixed (0.57 to 1.45, n = 5)`.
    fn headline(&self, winner: Option<Winner>) -> String {
        let Some(Winner { arm, because }) = winner else {
            return String::from("no winner: runs of every arm diverged");
        };
        let label = self.label(arm);
        match because {
            WinnerReason::Better => self.standings.wins(arm),
            WinnerReason::NoneBetter => self.standings.none_better(),
            WinnerReason::Cheapest => {
                let nearest = self.standings.nearest();
                let cheapest = analyse::cheapest(self.record);
                let labels: Vec<&str> = cheapest.iter().map(|&arm| self.label(arm)).collect();
                let cost = if labels.len() == 1 { "costs" } else { "cost" };
                format!("no winner: {nearest}; {} {cost} least", listed(&labels))
            }
            WinnerReason::Validation => format!(
                "no winner: the reference {} {}; {label} validates best",
                self.label(self.record.plan.reference),
                diverged(self.record.arms[self.record.plan.reference].whole())
            ),
        }
    }

    fn label(&self, arm: usize) -> &str {
        self.record.label(arm)
    }

    fn row(&self, arm: usize) -> Row {
        let outcome = &self.record.arms[arm];
        let whole = outcome.whole();
        let spec = outcome.spec.as_ref();
        let averaged = match self.record.plan.arms[arm].average {
            Some(average) => format!(", {}", average.describe()),
            None => String::new(),
        };
        let policy = |spec: &Spec| format!("{spec}{averaged}");
        let policy = spec.map_or_else(|| "every rate diverged".into(), policy);
        Row {
            time_to_target: Some(time_cell(whole.against(Role::Declared), arm)),
            policy: Some(policy),
            ..self.standings.row(arm)
        }
    }

    /// What else must be known, the most important first.
    fn notes(&self) -> Vec<String> {
        let notes = [
            self.race(),
            self.one_figure(),
            self.added_seeds(),
            self.learned_nothing(),
            self.one_seed(),
            self.standings.small(),
            self.beside_best(),
            self.edges(),
            self.standings.adjusted(),
            self.standings.seeds_to_decide(),
            self.standings.without_spread(),
            self.shorter_budgets(),
            self.published(),
        ];
        notes.into_iter().flatten().collect()
    }

    /// Of a program that makes whole runs and prints one figure.
    fn one_figure(&self) -> Option<String> {
        let whole = self.record.info.whole_runs?;
        (!whole.test_apart && self.record.plan.tuning.is_some()).then(|| {
            String::from(
                "The program gives one figure: it chose the peak rates and is also what is reported, so that arms which \
                 were tuned look better than on data of their own (--test-metric).",
            )
        })
    }

    /// How many seeds a race took, and why it ended.
    fn race(&self) -> Option<String> {
        let (race, end) = (self.record.plan.race.as_ref()?, self.record.race?);
        let most = self.record.plan.seeds.len();
        let taken = match end.seeds {
            seeds if seeds == most => format!("all {most} seeds"),
            seeds => format!("{seeds} of at most {most} seeds"),
        };
        let why = match end.because {
            RaceEndReason::Decided => "every verdict is decided".into(),
            RaceEndReason::NothingToCompare => "no arm can be compared".into(),
            RaceEndReason::MostSeeds => {
                let open = |verdict| matches!(verdict, Verdict::Undecided(_));
                let is = |arm: usize| self.standings.arms[arm].difference;
                let labels = self
                    .standings
                    .labels(|arm| is(arm).is_some_and(|found| open(found.verdict)));
                format!("{labels} still undecided")
            }
        };
        Some(format!(
            "Race: {taken}, {why}. Intervals and verdicts allow for its looks at {} seeds.",
            texts(race.looks())
        ))
    }

    fn added_seeds(&self) -> Option<String> {
        let plan = &self.record.plan;
        let (added, all) = (plan.added_seeds.len(), plan.seeds.len());
        (added > 0).then(|| {
            let were = if added == 1 { "was" } else { "were" };
            format!(
                "{added} of the {all} seeds {were} added after results were known. The intervals and verdicts do not \
                 account for that, so they claim more than they should."
            )
        })
    }

    /// Arms whose objective, averaged over runs, is no better at the end than when it was first
    /// evaluated.
    fn learned_nothing(&self) -> Option<String> {
        if self.record.info.whole_runs.is_some() {
            // They are measured at their end alone.
            return None;
        }
        let idle = |arm: &BudgetOutcome| {
            let first = self.first_evaluation(arm)?;
            let last = arm.validation()?;
            Some(!is_better(last, first, self.record.objective.direction))
        };
        let labels = self
            .standings
            .labels(|arm| idle(self.record.arms[arm].whole()) == Some(true));
        (!labels.is_empty()).then(|| {
            format!(
                "{labels} validated no better at the end than at the first evaluation. A net that learns nothing \
                 shows nothing about policies."
            )
        })
    }

    /// The mean of the runs' first evaluations; `None` if a run has none.
    fn first_evaluation(&self, arm: &BudgetOutcome) -> Option<f64> {
        let first = arm.runs.iter().map(|run| {
            let first = run.evaluations.first()?;
            self.record.objective.value(first.declared())
        });
        let first: Vec<f64> = first.collect::<Option<_>>()?;
        Some(mean(&first))
    }

    fn one_seed(&self) -> Option<String> {
        (self.record.plan.seeds.len() == 1).then(|| {
            String::from(
                "With one seed there is no interval and nothing can be shown: give more, as in --seeds 5.",
            )
        })
    }

    /// The best cyclical arm beside the best arm without cycles, if that is not the reference.
    fn beside_best(&self) -> Option<String> {
        let arms = &self.record.arms;
        let arm = self.standings.best_of(|arm| arms[arm].cyclical)?;
        let against = self.record.arms[arm]
            .whole()
            .against(Role::BestNonCyclical)?;
        let found = against.difference.as_ref()?;
        let beside = self.record.beside(against.reference, against.role);
        let said = beside.said_of(arm, found, ", the best arm without cycles");
        let time = against.time_to_target.as_ref();
        let time = time.map_or_else(String::new, came_within);
        Some(format!("{said}{time}."))
    }

    /// Arms whose tuned rate lies at the edge of what was tried.
    fn edges(&self) -> Option<String> {
        let labels = self.standings.labels(|arm| {
            let tuning = self.record.arms[arm].tuning.as_ref();
            tuning.is_some_and(|tuning| tuning.at_edge && tuning.best.is_some())
        });
        (!labels.is_empty()).then(|| {
            format!(
                "The best peak rate of {labels} is the lowest or the highest that was tried, so there may be a \
                 better one."
            )
        })
    }

    /// The best other arm beside the reference at the shorter budgets.
    fn shorter_budgets(&self) -> Option<String> {
        let plan = &self.record.plan;
        let arm = self.standings.best_of(|arm| arm != plan.reference)?;
        let (_, shorter) = self.record.arms[arm].budgets.split_last()?;
        let said = shorter.iter().map(|budget| {
            let difference = budget.against(Role::Declared).and_then(|a| a.difference);
            let said = match difference.map(|difference| difference.verdict) {
                None => "not compared",
                Some(verdict) => word(verdict),
            };
            format!("{said} at {} updates", budget.updates)
        });
        let said: Vec<String> = said.collect();
        (!said.is_empty()).then(|| {
            format!(
                "At shorter budgets {} against {} is {}.",
                self.label(arm),
                self.label(plan.reference),
                said.join(", ")
            )
        })
    }

    fn published(&self) -> Option<String> {
        let arms = self.record.plan.arms.iter();
        // Most arms have no published figure.
        let arms =
            arms.filter_map(|arm| Some(format!("{} {}", arm.label, readable(arm.published?, 6))));
        let arms: Vec<String> = arms.collect();
        (!arms.is_empty()).then(|| format!("Published: {}.", arms.join(", ")))
    }

    /// What the figures cannot say.
    fn limits(&self) -> Vec<String> {
        let plan = &self.record.plan;
        let examples = match self.record.info.whole_runs {
            Some(_) => String::from("test data"),
            None => format!("{} test examples", self.record.info.test),
        };
        let mut limits = vec![format!(
            "The intervals are over seeds, not over examples: they say how much a new training would vary on the \
             same {examples}."
        )];
        if let Some(tune) = &plan.tuning {
            limits.push(format!(
                "Peak rates were tuned among few values on {} {}{}; other seeds might choose others.",
                if tune.seeds.len() == 1 { "seed" } else { "seeds" },
                texts(&tune.seeds),
                match &tune.rungs[..] {
                    [1.0] => String::new(),
                    rungs => format!(", in trainings of {} times the budget", texts(rungs)),
                }
            ));
            if plan.budgets.len() > 1 {
                limits.push(String::from(
                    "An arm has one peak rate at every budget, which may not be its best at budgets other than those of \
                     the tuning.",
                ));
            }
        }
        let (up_to, updates) = (plan.up_to(), plan.longest());
        limits.push(format!(
            "It is one net, one data set and {up_to}{updates} updates. Elsewhere the order may differ."
        ));
        limits
    }
}

/// `0.25 and 0.5`
fn texts<T: ToString>(items: &[T]) -> String {
    listed(&items.iter().map(ToString::to_string).collect::<Vec<_>>())
}

/// `0.38–0.42× (5/5)`: the ratio as far as censored runs let it be known, and the runs that
/// reached the target.
fn time_cell(against: Option<&Against>, arm: usize) -> String {
    let time = against.and_then(|against| Some((against, against.time_to_target.as_ref()?)));
    let Some((against, time)) = time else {
        return String::from(NOTHING);
    };
    let ratio = if against.reference == arm {
        Some(String::from("1×"))
    } else {
        ratio(time)
    };
    let ratio = ratio.unwrap_or_else(|| String::from(NOTHING));
    format!("{ratio} ({}/{})", time.reached(), time.updates.len())
}

/// How long an arm took to come within the margin, if at least half of its runs did.
fn came_within(time: &TimeToTarget) -> String {
    match (ratio(time), time.ratio) {
        (Some(ratio), [_, Some(_)]) => {
            format!("; it took {ratio} the updates to come within the margin")
        }
        _ => format!(
            "; {} of {} runs came within the margin",
            time.reached(),
            time.updates.len()
        ),
    }
}

/// The median ratio of times: `0.38–0.42×`, `≤0.42×`, `≥1.30×`; `None` if too few runs reached the
/// target.
fn ratio(time: &TimeToTarget) -> Option<String> {
    let two = |ratio: f64| format!("{ratio:.2}");
    match time.ratio {
        [Some(low), Some(high)] if two(low) == two(high) => Some(format!("{}×", two(low))),
        [Some(0.0), Some(high)] => Some(format!("≤{}×", two(high))),
        [Some(low), Some(high)] => Some(format!("{}–{}×", two(low), two(high))),
        [Some(low), None] if low > 0.0 => Some(format!("≥{}×", two(low))),
        _ => None,
    }
}

/// `diverged in 2 of 5 runs`
fn diverged(arm: &BudgetOutcome) -> String {
    match arm.runs.len() {
        0 => String::from("diverged at every rate"),
        runs => format!("diverged in {} of {runs} runs", arm.diverged()),
    }
}
