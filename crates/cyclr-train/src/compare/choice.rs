//! Which arm to go on with.

use super::record::{Because, BudgetRecord, Record, Role, Verdict, Winner};

/// Of the arms shown better than the reference the one that validates best; where there is none, the cheapest of those
/// that are level with it. METHOD.md says it in full.
pub(super) fn winner(record: &Record, whole: &BudgetRecord) -> Option<Winner> {
    Choice { record, whole }.winner()
}

struct Choice<'a> {
    record: &'a Record,
    whole: &'a BudgetRecord,
}

impl Choice<'_> {
    fn winner(&self) -> Option<Winner> {
        let declared = self.whole.against(Role::Declared)?;
        let reference = &declared.reference;
        let stood = |label: &str| {
            let arm = self.whole.arm(label);
            arm.is_some_and(|arm| arm.diverged == 0 && arm.validation.is_some())
        };
        let winner = |label: &String, because| {
            Some(Winner {
                label: label.clone(),
                because,
            })
        };
        let with = |verdicts: &[Verdict]| -> Vec<&String> {
            let found = declared.differences.iter();
            let found = found.filter(|d| verdicts.contains(&d.verdict) && stood(&d.label));
            found.map(|d| &d.label).collect()
        };
        if !stood(reference) {
            let rest: Vec<&String> = declared.differences.iter().map(|d| &d.label).collect();
            return winner(
                self.best(rest.into_iter().filter(|l| stood(l)))?,
                Because::Validation,
            );
        }
        let better = with(&[Verdict::Better]);
        if let Some(best) = self.best(better.into_iter()) {
            return winner(best, Because::Better);
        }
        let level = with(&[Verdict::Equivalent, Verdict::Undecided]);
        if level.is_empty() {
            return winner(reference, Because::NoneBetter);
        }
        let candidates = std::iter::once(reference).chain(level);
        let cheapest = candidates.min_by(|a, b| self.cost(a).total_cmp(&self.cost(b)));
        winner(cheapest?, Because::Cheapest)
    }

    /// Of these arms, the one that validates best.
    fn best<'l>(&self, labels: impl Iterator<Item = &'l String>) -> Option<&'l String> {
        let sign = if self.record.measure.higher_is_better {
            1.0
        } else {
            -1.0
        };
        let value = |label: &String| {
            let arm = self.whole.arm(label)?;
            Some(sign * arm.validation?.mean)
        };
        labels
            .filter_map(|label| Some((value(label)?, label)))
            .reduce(|a, b| if b.0 > a.0 { b } else { a })
            .map(|(_, label)| label)
    }

    /// The updates that an arm costs: its tuning, and the way to the declared target, or, where that is unknown, a whole
    /// run.
    fn cost(&self, label: &str) -> f64 {
        let arm = self.record.arms.iter().find(|arm| arm.label == label);
        let tuning = arm.map_or(0, |arm| arm.tuning_updates) as f64;
        let soon = self
            .whole
            .against(Role::Declared)
            .and_then(|a| a.soon.as_ref());
        let soon = soon.and_then(|soon| soon.arms.iter().find(|arm| arm.label == label));
        let whole = self.whole.arm(label);
        let whole = whole.map_or(self.whole.updates, |arm| arm.updates) as f64;
        let run = match soon.map(|soon| soon.median_updates) {
            Some([_, Some(high)]) => high,
            _ => whole,
        };
        tuning + run
    }
}
