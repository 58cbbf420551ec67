//! What a comparison says to people: a headline, a table, and at most three notes.

use std::fmt;

use cyclr::trainer::Unit;

use super::analyse;
use super::record::{
    Against, Because, BudgetOutcome, Conclusion, Difference, Record, Role, Row, Sample,
    TimeToTarget, Verdict, Winner, best,
};

/// More notes than this are not read.
const NOTES: usize = 3;

/// What the record says.
pub(super) fn conclusion(record: &Record) -> Conclusion {
    let winner = analyse::winner(&record.arms, &record.plan, &record.objective);
    let text = Text { record };
    let mut notes = text.notes();
    notes.truncate(NOTES);
    Conclusion {
        headline: text.headline(winner),
        table: (0..record.arms.len()).map(|arm| text.row(arm)).collect(),
        notes,
        limits: text.limits(),
        winner,
    }
}

/// What the sentences are about.
struct Text<'a> {
    record: &'a Record,
}

impl Text<'_> {
    /// The winner first: `linear wins: +1.01 points over fixed (0.57 to 1.45, n = 5)`.
    fn headline(&self, winner: Option<Winner>) -> String {
        let plan = &self.record.plan;
        let reference = self.record.label(plan.reference);
        let Some(Winner { arm, because }) = winner else {
            return String::from("no verdict: every arm diverged");
        };
        let label = self.record.label(arm);
        match because {
            Because::Better => match self.difference(arm) {
                Some(difference) => format!("{label} wins: {}", self.over(difference, reference)),
                None => format!("{label} wins"),
            },
            Because::NoneBetter => format!("{reference} wins: every other arm is worse"),
            Because::Cheapest => {
                format!(
                    "undecided: {}; {label} costs the least",
                    self.closest(reference)
                )
            }
            Because::Validation => {
                let arm = self.record.arms[plan.reference].whole();
                format!(
                    "no verdict: the reference {reference} diverged{}",
                    diverged_in(arm)
                )
            }
        }
    }

    /// The arm that validates best beside the reference, and how near it comes.
    fn closest(&self, reference: &str) -> String {
        let plan = &self.record.plan;
        let others = self.record.whole().enumerate();
        let others = others.filter(|&(n, _)| n != plan.reference);
        let Some(arm) = best(others, self.record.objective.direction) else {
            return format!("every arm but {reference} diverged");
        };
        let label = self.record.label(arm);
        match self.difference(arm) {
            Some(d) if d.verdict == Verdict::Equivalent => format!(
                "{label} and {reference} are equivalent, {}",
                self.over(d, reference)
            ),
            Some(d) => format!(
                "no arm is shown to beat {reference}; {label} is closest, {}",
                self.over(d, reference)
            ),
            None => format!("{label} could not be compared with {reference}"),
        }
    }

    /// `+1.01 points over fixed (0.57 to 1.45, n = 5)`
    fn over(&self, difference: &Difference, reference: &str) -> String {
        let Some(sample) = &difference.sample else {
            return format!("not compared with {reference}");
        };
        let ends = sample.interval.map_or_else(String::new, |[low, high]| {
            format!("{} to {}, ", self.number(low), self.number(high))
        });
        let claimed = matches!(difference.verdict, Verdict::Better | Verdict::Worse);
        let small = if claimed && difference.within_margin {
            ", which is less than the margin"
        } else {
            ""
        };
        format!(
            "{}{} over {reference} ({ends}n = {}){small}",
            self.signed(sample.mean),
            self.unit(),
            sample.n
        )
    }

    /// An arm beside the declared reference, at the whole budget.
    fn difference(&self, arm: usize) -> Option<&Difference> {
        let against = self.record.arms[arm].whole().against(Role::Declared)?;
        against.difference.as_ref()
    }

    fn row(&self, arm: usize) -> Row {
        let outcome = &self.record.arms[arm];
        let whole = outcome.whole();
        let against = whole.against(Role::Declared);
        let difference = against.and_then(|against| against.difference.as_ref());
        let spec = outcome.spec.as_ref();
        Row {
            arm: String::from(self.record.label(arm)),
            test: self.test(whole),
            difference: difference
                .and_then(|difference| difference.sample.as_ref())
                .map_or_else(String::new, |sample| self.signed_sample(sample)),
            verdict: match difference {
                None if arm == self.record.plan.reference => String::from("reference"),
                None => String::from("not compared"),
                Some(difference) => verdict(difference),
            },
            time_to_target: time_cell(against),
            policy: spec.map_or_else(|| "every rate diverged".into(), ToString::to_string),
        }
    }

    /// `85.95 [85.57, 86.33]`, and the runs that diverged.
    fn test(&self, arm: &BudgetOutcome) -> String {
        let Some(samples) = &arm.samples else {
            return String::from("diverged");
        };
        let sample = &samples.test;
        let mean = self.number(sample.mean);
        let interval = sample.interval.map_or_else(String::new, |[low, high]| {
            format!(" [{}, {}]", self.number(low), self.number(high))
        });
        match arm.diverged() {
            0 => format!("{mean}{interval}"),
            n => format!("{mean}{interval}, {n} of {} diverged", arm.runs.len()),
        }
    }

    fn signed_sample(&self, sample: &Sample) -> String {
        let interval = sample.interval.map_or_else(String::new, |[low, high]| {
            format!(" [{}, {}]", self.signed(low), self.signed(high))
        });
        format!("{}{interval}", self.signed(sample.mean))
    }

    /// What else must be known, the most important first.
    fn notes(&self) -> Vec<String> {
        let notes = [
            self.added_seeds(),
            self.learnt_nothing(),
            self.beside_best(),
            self.edges(),
            self.shorter_budgets(),
        ];
        notes.into_iter().flatten().collect()
    }

    fn added_seeds(&self) -> Option<String> {
        let plan = &self.record.plan;
        let (added, all) = (plan.added_seeds.len(), plan.seeds.len());
        (added > 0).then(|| {
            format!(
                "{added} of the {all} seeds were added after results were known. The intervals and verdicts do not \
                 allow for that, so they claim more than they should."
            )
        })
    }

    /// Arms whose objective, averaged over runs, is no better at the end than when it was first evaluated.
    fn learnt_nothing(&self) -> Option<String> {
        let objective = &self.record.objective;
        let idle = self.record.whole().enumerate().filter(|(_, arm)| {
            let first = arm.runs.iter().filter_map(|run| {
                let first = run.evaluations.first()?;
                objective.value(&first.metrics)
            });
            let first: Vec<f64> = first.collect();
            let mean = first.iter().sum::<f64>() / first.len() as f64;
            let last = arm.validation();
            last.is_some_and(|last| !objective.direction.is_better(last, mean))
        });
        let idle: Vec<&str> = idle.map(|(n, _)| self.record.label(n)).collect();
        (!idle.is_empty()).then(|| {
            format!(
                "{} validated no better at the end than at the first evaluation: a net that learns nothing says \
                 nothing about policies.",
                idle.join(", ")
            )
        })
    }

    /// The best cyclical arm beside the best arm without cycles, if that is not the reference.
    fn beside_best(&self) -> Option<String> {
        let direction = self.record.objective.direction;
        let cyclical = self.record.whole().enumerate();
        let cyclical = cyclical.filter(|&(n, _)| self.record.arms[n].cyclical);
        let arm = best(cyclical, direction)?;
        let against = self.record.arms[arm]
            .whole()
            .against(Role::BestNonCyclical)?;
        let difference = against.difference.as_ref()?;
        let (label, other) = (self.record.label(arm), self.record.label(against.reference));
        let said = match difference.verdict {
            Verdict::Better => "is better than",
            Verdict::Worse => "is worse than",
            Verdict::Equivalent => "is equivalent to",
            Verdict::Undecided => "is not shown to differ from",
            Verdict::Diverged => "cannot be compared with",
        };
        let by = difference
            .sample
            .as_ref()
            .map_or_else(String::new, |sample| {
                format!(": {}{}", self.signed_sample(sample), self.unit())
            });
        let time = against.time_to_target.as_ref().map(ratio);
        let time = time.flatten().map_or_else(String::new, |ratio| {
            format!("; it took {ratio} the updates to come within the margin")
        });
        Some(format!(
            "{label} {said} {other}, the best arm without cycles{by}{time}."
        ))
    }

    /// Arms whose tuned rate lies at the edge of what was tried.
    fn edges(&self) -> Option<String> {
        let at_edge = self.record.arms.iter().enumerate().filter(|(_, arm)| {
            let tuning = arm.tuning.as_ref();
            tuning.is_some_and(|tuning| tuning.at_edge && tuning.chosen.is_some())
        });
        let labels: Vec<&str> = at_edge.map(|(n, _)| self.record.label(n)).collect();
        (!labels.is_empty()).then(|| {
            format!(
                "The best peak rate of {} is at the edge of those tried: a better one may lie beyond.",
                labels.join(" and ")
            )
        })
    }

    /// The best other arm beside the reference at the shorter budgets.
    fn shorter_budgets(&self) -> Option<String> {
        let plan = &self.record.plan;
        let others = self.record.whole().enumerate();
        let others = others.filter(|&(n, _)| n != plan.reference);
        let arm = best(others, self.record.objective.direction)?;
        let shorter = self.record.arms[arm].budgets.split_last()?.1;
        let said = shorter.iter().map(|budget| {
            let difference = budget.against(Role::Declared).and_then(|a| a.difference);
            let said = difference.map_or("not compared", |d| word(d.verdict));
            format!("{said} at {} updates", budget.updates)
        });
        let said: Vec<String> = said.collect();
        (!said.is_empty()).then(|| {
            format!(
                "{} beside {}: {}.",
                self.record.label(arm),
                self.record.label(plan.reference),
                said.join(", ")
            )
        })
    }

    /// What the figures cannot say.
    fn limits(&self) -> Vec<String> {
        let plan = &self.record.plan;
        let mut limits = vec![format!(
            "The intervals cover other seeds, not other examples: they say how much a new training would vary on the \
             same {} test examples.",
            self.record.info.test
        )];
        if let Some(tune) = &plan.tuning {
            limits.push(format!(
                "Peak rates were tuned on one seed ({}) among few values; another seed might choose others.",
                tune.seed
            ));
        }
        if plan.budgets.len() > 1 {
            limits.push(String::from(
                "Peak rates were tuned at the longest budget only, so at the shorter ones they may not be each arm's \
                 best.",
            ));
        }
        limits.push(format!(
            "It is one net, one data set and {} updates. Elsewhere the order may differ.",
            plan.updates
        ));
        limits
    }

    fn unit(&self) -> &'static str {
        match self.record.objective.unit {
            Unit::Points => " points",
            Unit::Own => "",
        }
    }

    /// A value in as many digits as it deserves: two decimals of a point, four digits of anything else.
    fn number(&self, value: f64) -> String {
        match self.record.objective.unit {
            Unit::Points => {
                let text = format!("{value:.2}");
                // A rounded zero has no sign.
                text.strip_prefix('-')
                    .filter(|rest| *rest == "0.00")
                    .map_or(text.clone(), String::from)
            }
            Unit::Own => cyclr::rounded(value, 4).to_string(),
        }
    }

    fn signed(&self, value: f64) -> String {
        let text = self.number(value);
        if text.starts_with('-') {
            text
        } else {
            format!("+{text}")
        }
    }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Better => "better",
        Verdict::Worse => "worse",
        Verdict::Equivalent => "equivalent",
        Verdict::Undecided => "undecided",
        Verdict::Diverged => "diverged",
    }
}

/// `better`, `worse (within the margin)`, `undecided (9 to 48 seeds might decide)`
fn verdict(difference: &Difference) -> String {
    let word = word(difference.verdict);
    match (difference.verdict, difference.seeds_to_decide) {
        (Verdict::Better | Verdict::Worse, _) if difference.within_margin => {
            format!("{word} (within the margin)")
        }
        (Verdict::Undecided, Some([low, high])) if high >= cyclr::stats::SEED_CAP => {
            format!("{word} ({low} or many more seeds might decide)")
        }
        (Verdict::Undecided, Some([low, high])) if low == high => {
            format!("{word} ({low} seeds might decide)")
        }
        (Verdict::Undecided, Some([low, high])) => {
            format!("{word} ({low} to {high} seeds might decide)")
        }
        _ => String::from(word),
    }
}

/// `0.38–0.42× (5/5)`: the ratio as far as censored runs let it be known, and the runs that reached the target.
fn time_cell(against: Option<&Against>) -> String {
    let Some(time) = against.and_then(|against| against.time_to_target.as_ref()) else {
        return String::new();
    };
    let is_reference = against.is_some_and(|against| against.difference.is_none());
    let reached = format!("({}/{})", time.reached(), time.updates.len());
    if is_reference {
        return format!("1× {reached}");
    }
    match ratio(time) {
        Some(ratio) => format!("{ratio} {reached}"),
        None => format!("? {reached}"),
    }
}

/// The median ratio of times: `0.38–0.42×`, `≤0.42×`, `≥1.30×`; `None` if too few runs reached the target.
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

fn diverged_in(arm: &BudgetOutcome) -> String {
    match arm.runs.len() {
        0 => String::from(" at every rate"),
        runs => format!(" in {} of {runs} runs", arm.diverged()),
    }
}

/// The headline, the table in columns, and the notes, as the terminal and `verdict.txt` show them.
impl fmt::Display for Conclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.headline)?;
        let head = [
            "arm",
            "test, 95 %",
            "difference, 95 %",
            "verdict",
            "time to target",
            "policy",
        ];
        let rows = self.table.iter().map(|row| {
            [
                row.arm.as_str(),
                &row.test,
                &row.difference,
                &row.verdict,
                &row.time_to_target,
                &row.policy,
            ]
        });
        let rows: Vec<[&str; 6]> = std::iter::once(head).chain(rows).collect();
        let width = |column: usize| {
            let widths = rows.iter().map(|row| row[column].chars().count());
            widths.max().unwrap_or(0)
        };
        let widths = [0, 1, 2, 3, 4].map(width);
        for row in &rows {
            for (cell, width) in row.iter().zip(widths) {
                write!(f, "{cell:width$}  ")?;
            }
            writeln!(f, "{}", row[5])?;
        }
        if !self.notes.is_empty() {
            writeln!(f)?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        Ok(())
    }
}
