//! What a comparison says, in words that hold also where the cyclical arm loses.

use super::record::{
    Against, ArmResult, ArmTimeToTarget, BudgetRecord, Conclusion, Difference, Record, Role,
    RunResult, Sample, Verdict,
};
use super::selection;

/// The conclusion before there is one.
pub(super) fn nothing() -> Conclusion {
    Conclusion {
        headline: String::new(),
        sentences: Vec::new(),
        limits: Vec::new(),
        winner: None,
    }
}

/// What the record says.
pub(super) fn conclusion(record: &Record) -> Conclusion {
    let Some(whole) = record.budgets.last() else {
        return nothing();
    };
    let talk = Talk { record, whole };
    Conclusion {
        headline: talk.headline(),
        sentences: talk.sentences(),
        limits: talk.limits(),
        winner: selection::winner(record, whole),
    }
}

/// What the sentences are about.
struct Talk<'a> {
    record: &'a Record,
    whole: &'a BudgetRecord,
}

impl Talk<'_> {
    /// The cyclical arm that validates best (or, without one, the best arm that is not the reference) beside the
    /// reference, and beside the best arm that does not cycle.
    fn headline(&self) -> String {
        let Some(declared) = self.whole.against(Role::Declared) else {
            return String::from("There is nothing to compare.");
        };
        let reference = &declared.reference;
        if self.diverged(reference) > 0 {
            return format!(
                "No verdict: the reference {reference} diverged in {} of {} runs.",
                self.diverged(reference),
                self.record.plan.seeds.len()
            );
        }
        let Some(focus) = self.focus(reference) else {
            return format!("No verdict: every arm but {reference} diverged.");
        };
        let Some(difference) = declared.differences.iter().find(|d| d.label == focus) else {
            return format!("No verdict: {focus} could not be compared.");
        };
        let mut sentence = self.in_short(difference, reference);
        if let Some((best, beside)) = self.beside_best(&focus) {
            let reference = format!("{}, the best arm without cycles", best.reference);
            sentence.push_str(match (difference.verdict, beside.verdict) {
                (a, b) if a == b => ", and ",
                _ => "; it ",
            });
            let said = word(beside.verdict);
            let said = if difference.verdict == beside.verdict {
                said.trim_start_matches("is ")
            } else {
                said
            };
            sentence.push_str(said);
            sentence.push(' ');
            sentence.push_str(&reference);
        }
        sentence.push('.');
        sentence
    }

    /// The best arm that does not cycle, and how the arm stands beside it.
    fn beside_best(&self, focus: &str) -> Option<(&Against, &Difference)> {
        let best = self.whole.against(Role::BestNonCyclical)?;
        let difference = best.differences.iter().find(|d| d.label == focus)?;
        Some((best, difference))
    }

    /// `triangular2 is better than fixed by 0.92 points (0.51 to 1.33)`
    fn in_short(&self, difference: &Difference, reference: &str) -> String {
        let (label, said) = (&difference.label, word(difference.verdict));
        let Some(sample) = &difference.sample else {
            return format!("{label} diverged and is not compared with {reference}");
        };
        let decided = matches!(difference.verdict, Verdict::Better | Verdict::Worse);
        let amount = if decided {
            format!(" by {}{}", self.number(sample.mean.abs()), self.unit())
        } else {
            String::new()
        };
        let sign = if decided && sample.mean < 0.0 {
            -1.0
        } else {
            1.0
        };
        let interval = self.interval(sample, sign);
        let interval = interval.map_or_else(String::new, |i| format!(" ({i})"));
        let small = if decided && difference.within_margin {
            ", which is less than the margin"
        } else {
            ""
        };
        format!("{label} {said} {reference}{amount}{interval}{small}")
    }

    /// The ends of a difference's interval, `sign` times.
    fn interval(&self, sample: &Sample, sign: f64) -> Option<String> {
        let [low, high] = sample.interval?;
        let mut ends = [sign * low, sign * high];
        ends.sort_by(f64::total_cmp);
        Some(format!(
            "{} to {}",
            self.number(ends[0]),
            self.number(ends[1])
        ))
    }

    /// The arm that the headline is about.
    fn focus(&self, reference: &str) -> Option<String> {
        let sign = if self.record.measure.higher_is_better {
            1.0
        } else {
            -1.0
        };
        let best = |cyclical: bool| {
            let arms = self.whole.arms.iter().zip(&self.record.arms);
            arms.filter(|(arm, chosen)| chosen.cyclical == cyclical && arm.label != reference)
                .filter(|(arm, _)| arm.diverged == 0)
                .filter_map(|(arm, _)| Some((sign * arm.validation?.mean, &arm.label)))
                .reduce(|a, b| if b.0 > a.0 { b } else { a })
                .map(|(_, label)| label.clone())
        };
        best(true).or_else(|| best(false))
    }

    /// `triangular2 is better than fixed by 0.92 points (0.51 to 1.33; 5 seeds)`
    fn stands(&self, difference: &Difference, reference: &str) -> String {
        let label = &difference.label;
        let Some(sample) = &difference.sample else {
            return format!(
                "{label} diverged in {} of {} runs, and is not compared",
                self.diverged(label),
                self.record.plan.seeds.len()
            );
        };
        let seeds = plural(sample.n, "seed");
        let interval = |sign: f64| match self.interval(sample, sign) {
            Some(ends) => format!("{ends}; {seeds}"),
            None => seeds.clone(),
        };
        let unit = self.unit();
        let by = self.number(sample.mean.abs());
        let margin = self.record.plan.margin;
        let small = if difference.within_margin {
            format!(", which is shown to be less than the margin of {margin}")
        } else {
            String::new()
        };
        let away = if sample.mean < 0.0 { -1.0 } else { 1.0 };
        match difference.verdict {
            Verdict::Better => {
                format!(
                    "{label} is better than {reference} by {by}{unit} ({}){small}",
                    interval(away)
                )
            }
            Verdict::Worse => {
                format!(
                    "{label} is worse than {reference} by {by}{unit} ({}){small}",
                    interval(away)
                )
            }
            Verdict::Equivalent => format!(
                "{label} and {reference} are equivalent: they differ by {}{unit} ({}), shown to be less than the margin of {margin}",
                self.number(sample.mean),
                interval(1.0)
            ),
            Verdict::Undecided | Verdict::Diverged => format!(
                "{label} is not shown to differ from {reference}: {}{unit} ({}){}",
                signed(&self.number(sample.mean)),
                interval(1.0),
                might_decide(difference)
            ),
        }
    }

    fn sentences(&self) -> Vec<String> {
        let mut said = Vec::new();
        if let Some(declared) = self.whole.against(Role::Declared) {
            let differences = declared.differences.iter();
            said.extend(differences.map(|d| format!("{}.", self.stands(d, &declared.reference))));
            let focus = self.focus(&declared.reference);
            let beside = focus.as_ref().and_then(|focus| self.beside_best(focus));
            said.extend(beside.map(|(best, d)| format!("{}.", self.stands(d, &best.reference))));
        }
        for against in &self.whole.against {
            said.extend(self.how_soon(against));
        }
        said.extend(self.shorter_budgets());
        said.extend(self.edges());
        said.extend(self.added_seeds());
        said
    }

    /// How soon the cyclical arms come near the reference's end.
    fn how_soon(&self, against: &Against) -> Vec<String> {
        let Some(time_to_target) = &against.time_to_target else {
            return Vec::new();
        };
        let cyclical = |label: &str| {
            let arm = self.record.arms.iter().find(|arm| arm.label == label);
            arm.is_some_and(|arm| arm.cyclical)
        };
        let arms = time_to_target
            .arms
            .iter()
            .filter(|arm| cyclical(&arm.label) && arm.label != against.reference);
        arms.map(|arm| self.soon_of(arm, against)).collect()
    }

    fn soon_of(&self, arm: &ArmTimeToTarget, against: &Against) -> String {
        let (label, reference) = (&arm.label, &against.reference);
        let target = format!(
            "{}'s mean final validation {} {} {}{}",
            reference,
            self.record.measure.name,
            if self.record.measure.higher_is_better {
                "less"
            } else {
                "plus"
            },
            self.record.plan.margin,
            self.unit()
        );
        let reached = format!("{} of {} runs got there", arm.reached, arm.updates.len());
        let interval = match arm.ratio_interval {
            [Some(low), Some(high)] => format!("{} to {}, ", ratio(low), ratio(high)),
            [Some(low), None] => format!("{} or more, ", ratio(low)),
            _ => String::new(),
        };
        match arm.ratio {
            [Some(low), Some(high)] if low == high => format!(
                "To {target}, {label} took {} times the updates that {reference} itself took (median; {interval}{:.1} % sure; {reached}).",
                ratio(low),
                100.0 * arm.ratio_confidence
            ),
            // The reference itself did not get there in some of the runs.
            [Some(0.0), Some(high)] => format!(
                "To {target}, {label} took at most {} times the updates that {reference} itself took (the median cannot be told more closely; {reached}).",
                ratio(high)
            ),
            [Some(low), Some(high)] => format!(
                "To {target}, {label} took {} to {} times the updates that {reference} itself took (the median cannot be told more closely; {reached}).",
                ratio(low),
                ratio(high)
            ),
            _ => format!("Too few runs came to {target} for a ratio: of {label}, {reached}."),
        }
    }

    /// The focus arm beside the reference at the shorter budgets.
    fn shorter_budgets(&self) -> Vec<String> {
        let shorter = &self.record.budgets[..self.record.budgets.len() - 1];
        let reference = &self.record.plan.reference;
        let Some(focus) = self.focus(reference) else {
            return Vec::new();
        };
        let said = shorter.iter().filter_map(|budget| {
            let declared = budget.against(Role::Declared)?;
            let difference = declared.differences.iter().find(|d| d.label == focus)?;
            Some(format!(
                "At {} updates, {}.",
                budget.updates,
                self.stands(difference, reference)
            ))
        });
        said.collect()
    }

    /// Arms whose tuned rate lies at the edge of what was tried, or that found none.
    fn edges(&self) -> Vec<String> {
        let tuned = self
            .record
            .arms
            .iter()
            .filter_map(|arm| Some((arm, arm.tuning.as_ref()?)));
        tuned
            .filter(|(_, tuning)| tuning.at_edge)
            .map(|(arm, tuning)| match tuning.chosen {
                None => format!("{} diverged at every rate that was tried.", arm.label),
                Some(_) => format!(
                    "{}'s best peak rate lies at the edge of those that were tried, so a better one may lie beyond it.",
                    arm.label
                ),
            })
            .collect()
    }

    fn added_seeds(&self) -> Option<String> {
        let (added, all) = (
            self.record.plan.added_seeds.len(),
            self.record.plan.seeds.len(),
        );
        (added > 0).then(|| {
            format!(
                "{added} of the {all} seeds were added when results were known already. The intervals and verdicts take no account of that, and so claim more than they should."
            )
        })
    }

    fn limits(&self) -> Vec<String> {
        let plan = &self.record.plan;
        let mut limits = vec![format!(
            "The intervals cover other seeds, not other examples: they say how much a new training would vary on the same {} test examples.",
            self.record.data.test
        )];
        let idle = self
            .whole
            .arms
            .iter()
            .filter(|arm| self.learnt_nothing(arm));
        let idle: Vec<&str> = idle.map(|arm| arm.label.as_str()).collect();
        if !idle.is_empty() {
            limits.push(format!(
                "{} validated no better at the end than at the first reading: what learns nothing says nothing of policies.",
                idle.join(", ")
            ));
        }
        if let Some(tune) = &plan.tuning {
            limits.push(format!(
                "Peak rates were tuned on one seed ({}) among few values; another seed might choose others.",
                tune.seed
            ));
        }
        if plan.budgets.len() > 1 {
            limits.push(String::from(
                "Peak rates were tuned at the longest budget only, and so the shorter ones are not each arm's best.",
            ));
        }
        limits.push(format!(
            "It is one net, one data set and {} updates. Elsewhere the order may be another.",
            plan.updates
        ));
        limits
    }

    /// Whether an arm's figure, averaged over its runs, is no better at the end than when it was first read.
    fn learnt_nothing(&self, arm: &ArmResult) -> bool {
        let mean = |of: fn(&RunResult) -> Option<f64>| {
            let values: Vec<f64> = arm.runs.iter().filter_map(of).collect();
            values.iter().sum::<f64>() / values.len() as f64
        };
        let first = mean(|run| run.evaluations.first()?.value);
        let last = mean(|run| run.validation);
        if self.record.measure.higher_is_better {
            last <= first
        } else {
            last >= first
        }
    }

    fn diverged(&self, label: &str) -> usize {
        let arm = self.whole.arm(label);
        arm.map_or(0, |arm| arm.diverged)
    }

    fn unit(&self) -> &'static str {
        if self.record.measure.unit == "points" {
            " points"
        } else {
            ""
        }
    }

    /// A value in as many digits as it deserves: two decimals of a point, four digits of anything else.
    fn number(&self, value: f64) -> String {
        if self.record.measure.unit == "points" {
            // A rounded zero has no sign.
            let text = format!("{value:.2}");
            if text == "-0.00" {
                String::from("0.00")
            } else {
                text
            }
        } else {
            format!("{}", cyclr::rounded(value, 4))
        }
    }
}

/// A verdict as the middle of a sentence.
fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Better => "is better than",
        Verdict::Worse => "is worse than",
        Verdict::Equivalent => "is equivalent to",
        Verdict::Undecided => "is not shown to differ from",
        Verdict::Diverged => "cannot be compared with",
    }
}

fn might_decide(difference: &Difference) -> String {
    match difference.seeds_to_decide {
        Some([low, high]) if high >= cyclr::stats::SEED_CAP => {
            format!("; {low} seeds or many more might decide")
        }
        Some([low, high]) => format!("; {low} to {high} seeds might decide"),
        None => String::new(),
    }
}

fn signed(number: &str) -> String {
    if number.starts_with('-') {
        String::from(number)
    } else {
        format!("+{number}")
    }
}

fn ratio(value: f64) -> String {
    format!("{value:.2}")
}

fn plural(n: usize, what: &str) -> String {
    if n == 1 {
        format!("{n} {what}")
    } else {
        format!("{n} {what}s")
    }
}
