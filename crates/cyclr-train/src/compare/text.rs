//! What a comparison says to people: a headline, a table, and at most three notes.

#[cfg(test)]
mod tests;

use cyclr::readable;
use cyclr::stats::{Comparison, Obstacle, SEED_CAP, SeedRange, Summary, Verdict};
use cyclr::trainer::Unit;

use super::analyse;
use super::record::{
    Against, Because, BudgetOutcome, Conclusion, Record, Role, Row, TimeToTarget, Winner, best,
};

/// More notes than this are not read.
const NOTES: usize = 3;

/// The digits of a value whose uncertainty is unknown.
const DIGITS: usize = 4;

/// The digits of an uncertainty.
const UNCERTAIN_DIGITS: i32 = 2;

/// In a cell that has nothing to show.
const NOTHING: &str = "–";

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
        let reference = self.label(self.record.plan.reference);
        let Some(Winner { arm, because }) = winner else {
            return String::from("no winner: every arm diverged");
        };
        let label = self.label(arm);
        match because {
            Because::Better => match self.sample(arm) {
                Some(sample) => format!("{label} wins: {}", self.over(arm, sample)),
                // An arm is better by its sample only.
                None => format!("{label} wins"),
            },
            Because::NoneBetter => format!("{label} wins: {}", self.runner_up()),
            Because::Cheapest => format!("no winner: {}; {label} costs least", self.nearest()),
            Because::Validation => format!(
                "no winner: the reference {reference} {}; {label} validates best",
                diverged(self.record.arms[self.record.plan.reference].whole())
            ),
        }
    }

    /// The best of the arms that are worse than the reference.
    fn runner_up(&self) -> String {
        let other = self.best_with(|verdict| verdict == Verdict::Worse);
        let other = other.and_then(|arm| Some((arm, self.sample(arm)?)));
        match other {
            Some((arm, sample)) => format!(
                "{} comes closest, {}",
                self.label(arm),
                self.amount(sample, "")
            ),
            None => String::from("every other arm diverged"),
        }
    }

    /// The best of the arms that are not shown to differ from the reference.
    fn nearest(&self) -> String {
        let reference = self.label(self.record.plan.reference);
        let other = self
            .best_with(|verdict| matches!(verdict, Verdict::Equivalent | Verdict::Undecided(_)));
        let other = other.and_then(|arm| Some((arm, self.difference(arm)?)));
        let Some((arm, difference)) = other else {
            return format!("no arm could be compared with {reference}");
        };
        let said = match difference.verdict {
            Verdict::Equivalent => "is equivalent to",
            _ => "is not shown to differ from",
        };
        let by = self.amount(&difference.difference, "");
        format!("{} {said} {reference}, {by}", self.label(arm))
    }

    /// The arm with one of these verdicts that validates best.
    fn best_with(&self, wanted: fn(Verdict) -> bool) -> Option<usize> {
        let is = |arm: usize| self.difference(arm).is_some_and(|d| wanted(d.verdict));
        let arms = self.record.whole().enumerate().filter(|&(n, _)| is(n));
        best(arms, self.record.objective.direction)
    }

    /// `+1.01 points over fixed (0.57 to 1.45, n = 5)`
    fn over(&self, arm: usize, sample: &Summary) -> String {
        let reference = self.label(self.record.plan.reference);
        let small = if self.is_small(arm) {
            ", less than the margin"
        } else {
            ""
        };
        let over = match self.record.objective.unit {
            Unit::Points => format!(" over {reference}"),
            Unit::Own => format!(" against {reference}"),
        };
        format!("{}{small}", self.amount(sample, &over))
    }

    /// `+1.01 points (0.57 to 1.45, n = 5)`, or `-0.0123 in loss (…)`, with words before the
    /// interval.
    fn amount(&self, sample: &Summary, words: &str) -> String {
        let mean = self.signed(sample.mean, half_width(sample));
        let unit = match self.record.objective.unit {
            Unit::Points => String::from(" points"),
            Unit::Own => format!(" in {}", self.record.objective.name),
        };
        let ends = self
            .ends(sample)
            .map_or_else(String::new, |ends| ends + ", ");
        format!("{mean}{unit}{words} ({ends}n = {})", sample.n)
    }

    fn label(&self, arm: usize) -> &str {
        self.record.label(arm)
    }

    /// An arm beside the declared reference, at the whole budget.
    fn difference(&self, arm: usize) -> Option<&Comparison> {
        let against = self.record.arms[arm].whole().against(Role::Declared)?;
        against.difference.as_ref()
    }

    fn sample(&self, arm: usize) -> Option<&Summary> {
        Some(&self.difference(arm)?.difference)
    }

    /// Whether the arm's difference is shown to exist and to be less than the margin.
    fn is_small(&self, arm: usize) -> bool {
        let difference = self.difference(arm);
        difference.is_some_and(|d| d.is_decided() && d.within_margin)
    }

    fn row(&self, arm: usize) -> Row {
        let outcome = &self.record.arms[arm];
        let whole = outcome.whole();
        let spec = outcome.spec.as_ref();
        Row {
            arm: String::from(self.label(arm)),
            test: self.test(whole),
            difference: self
                .sample(arm)
                .map_or_else(|| NOTHING.into(), |sample| self.difference_cell(sample)),
            verdict: self.verdict(arm),
            time_to_target: time_cell(whole.against(Role::Declared), arm),
            policy: spec.map_or_else(|| "every rate diverged".into(), ToString::to_string),
        }
    }

    /// `85.95 ± 0.38`, over the runs that did not diverge.
    fn test(&self, arm: &BudgetOutcome) -> String {
        let Some(samples) = &arm.samples else {
            return String::from(NOTHING);
        };
        let sample = &samples.test;
        let half = half_width(sample);
        let mean = self.number(sample.mean, half);
        match half {
            Some(half) => format!("{mean} ± {}", self.number(half, Some(half))),
            None => mean,
        }
    }

    /// `+1.01 (0.57 to 1.45)`
    fn difference_cell(&self, sample: &Summary) -> String {
        let mean = self.signed(sample.mean, half_width(sample));
        let ends = self
            .ends(sample)
            .map_or_else(String::new, |ends| format!(" ({ends})"));
        format!("{mean}{ends}")
    }

    /// `better`, `worse (small)`, `diverged (2/5)`
    fn verdict(&self, arm: usize) -> String {
        let whole = self.record.arms[arm].whole();
        let runs = whole.runs.len();
        let gone = format!("({}/{runs})", whole.diverged());
        match self.difference(arm) {
            _ if !whole.is_whole() && runs > 0 => format!("diverged {gone}"),
            _ if runs == 0 => String::from("diverged"),
            None if arm == self.record.plan.reference => String::from("reference"),
            // The reference diverged.
            None => String::from("not compared"),
            Some(difference) if self.is_small(arm) => {
                format!("{} (small)", word(difference.verdict))
            }
            Some(difference) => String::from(word(difference.verdict)),
        }
    }

    /// What else must be known, the most important first.
    fn notes(&self) -> Vec<String> {
        let notes = [
            self.one_figure(),
            self.added_seeds(),
            self.learned_nothing(),
            self.one_seed(),
            self.small(),
            self.beside_best(),
            self.edges(),
            self.seeds_to_decide(),
            self.shorter_budgets(),
            self.published(),
        ];
        notes.into_iter().flatten().collect()
    }

    /// Of a program that makes whole runs and prints one figure.
    fn one_figure(&self) -> Option<String> {
        let whole = self.record.info.whole_runs?;
        (!whole.test_apart).then(|| {
            String::from(
                "The program gives one figure: it chose the peak rates and is also what is reported, so that arms which \
                 were tuned look better than on data of their own (--test-metric).",
            )
        })
    }

    fn added_seeds(&self) -> Option<String> {
        let plan = &self.record.plan;
        let (added, all) = (plan.added_seeds.len(), plan.seeds.len());
        (added > 0).then(|| {
            format!(
                "{added} of the {all} seeds were added after results were known. The intervals and verdicts do not \
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
            Some(!self.record.objective.direction.is_better(last, first))
        };
        let labels = self.labels(|arm| idle(self.record.arms[arm].whole()) == Some(true));
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
            self.record.objective.value(&first.metrics)
        });
        let first: Vec<f64> = first.collect::<Option<_>>()?;
        (!first.is_empty()).then(|| first.iter().sum::<f64>() / first.len() as f64)
    }

    fn one_seed(&self) -> Option<String> {
        (self.record.plan.seeds.len() == 1).then(|| {
            String::from(
                "With one seed there is no interval and nothing can be shown: give more, as in --seeds 5.",
            )
        })
    }

    fn small(&self) -> Option<String> {
        let labels = self.labels(|arm| self.is_small(arm));
        (!labels.is_empty()).then(|| {
            format!(
                "small: the difference is shown to be less than the margin of {}{}.",
                readable(self.record.plan.margin, DIGITS),
                self.unit()
            )
        })
    }

    /// The best cyclical arm beside the best arm without cycles, if that is not the reference.
    fn beside_best(&self) -> Option<String> {
        let cyclical = self.record.whole().enumerate();
        let cyclical = cyclical.filter(|&(n, _)| self.record.arms[n].cyclical);
        let arm = best(cyclical, self.record.objective.direction)?;
        let against = self.record.arms[arm]
            .whole()
            .against(Role::BestNonCyclical)?;
        let difference = against.difference.as_ref()?;
        let said = match difference.verdict {
            Verdict::Better => "is better than",
            Verdict::Worse => "is worse than",
            Verdict::Equivalent => "is equivalent to",
            Verdict::Undecided(_) => "is not shown to differ from",
        };
        let by = self.amount(&difference.difference, "");
        let time = against.time_to_target.as_ref().and_then(ratio);
        let time = time.map_or_else(String::new, |ratio| {
            format!("; it took {ratio} the updates to come within the margin")
        });
        Some(format!(
            "{} {said} {}, the best arm without cycles, {by}{time}.",
            self.label(arm),
            self.label(against.reference)
        ))
    }

    /// Arms whose tuned rate lies at the edge of what was tried.
    fn edges(&self) -> Option<String> {
        let labels = self.labels(|arm| {
            let tuning = self.record.arms[arm].tuning.as_ref();
            tuning.is_some_and(|tuning| tuning.at_edge && tuning.chosen.is_some())
        });
        (!labels.is_empty()).then(|| {
            format!(
                "The best peak rate of {labels} is the lowest or the highest that was tried, so there may be a \
                 better one."
            )
        })
    }

    /// Seeds that would decide what is undecided.
    fn seeds_to_decide(&self) -> Option<String> {
        let arms = (0..self.record.arms.len()).filter_map(|arm| {
            let Verdict::Undecided(Obstacle::TooFewSeeds(seeds)) = self.difference(arm)?.verdict
            else {
                return None;
            };
            let SeedRange { low, high } = seeds;
            let seeds = match (low, high) {
                (SEED_CAP.., _) => format!("{SEED_CAP} or more"),
                (_, SEED_CAP..) => format!("{low} or many more"),
                _ if low == high => format!("{low}"),
                _ => format!("{low} to {high}"),
            };
            Some(format!("{} {seeds}", self.label(arm)))
        });
        let arms: Vec<String> = arms.collect();
        (!arms.is_empty()).then(|| format!("Seeds in all that might decide: {}.", arms.join(", ")))
    }

    /// The best other arm beside the reference at the shorter budgets.
    fn shorter_budgets(&self) -> Option<String> {
        let plan = &self.record.plan;
        let others = self.record.whole().enumerate();
        let others = others.filter(|&(n, _)| n != plan.reference);
        let arm = best(others, self.record.objective.direction)?;
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

    /// The labels of the arms that are chosen, in the plan's order: `a, b and c`.
    fn labels(&self, chosen: impl Fn(usize) -> bool) -> String {
        let arms = (0..self.record.arms.len()).filter(|&arm| chosen(arm));
        let labels: Vec<&str> = arms.map(|arm| self.label(arm)).collect();
        match labels.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
            _ => labels.concat(),
        }
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

    /// `0.57 to 1.45`, if there is an interval.
    fn ends(&self, sample: &Summary) -> Option<String> {
        let half = half_width(sample);
        let interval = sample.interval?;
        let [low, high] = [interval.low, interval.high].map(|end| self.number(end, half));
        Some(format!("{low} to {high}"))
    }

    /// Points to two decimals; anything else down to the second digit of its uncertainty, if that
    /// is known.
    fn number(&self, value: f64, uncertainty: Option<f64>) -> String {
        match self.record.objective.unit {
            Unit::Points => {
                let text = format!("{value:.2}");
                // A rounded zero has no sign.
                if text == "-0.00" {
                    String::from("0.00")
                } else {
                    text
                }
            }
            Unit::Own => readable(value, digits(value, uncertainty)),
        }
    }

    fn signed(&self, value: f64, uncertainty: Option<f64>) -> String {
        let text = self.number(value, uncertainty);
        if text.starts_with('-') {
            text
        } else {
            format!("+{text}")
        }
    }
}

/// The digits of a value down to the second digit of its uncertainty.
fn digits(value: f64, uncertainty: Option<f64>) -> usize {
    let Some(uncertainty) = uncertainty.filter(|u| *u > 0.0 && value != 0.0) else {
        return DIGITS;
    };
    let place = |x: f64| x.abs().log10().floor() as i32;
    let digits = place(value) - place(uncertainty) + UNCERTAIN_DIGITS;
    // An `f64` has 17 digits.
    digits.clamp(1, 17) as usize
}

/// Half the width of the interval of the mean.
fn half_width(sample: &Summary) -> Option<f64> {
    let interval = sample.interval?;
    Some(0.5 * (interval.high - interval.low))
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Better => "better",
        Verdict::Worse => "worse",
        Verdict::Equivalent => "equivalent",
        Verdict::Undecided(_) => "undecided",
    }
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
