//! Which arm to go on with.

use super::record::{Because, BudgetRecord, Record, Role, Verdict, Winner};

/// Of the arms shown better than the reference the one that validates best; where there is none, the cheapest of those
/// that are level with it. METHOD.md says it in full.
pub(super) fn winner(record: &Record, whole: &BudgetRecord) -> Option<Winner> {
    Selection { record, whole }.winner()
}

struct Selection<'a> {
    record: &'a Record,
    whole: &'a BudgetRecord,
}

impl Selection<'_> {
    fn winner(&self) -> Option<Winner> {
        let declared = self.whole.against(Role::Declared)?;
        let reference = &declared.reference;
        let did_not_diverge = |label: &str| {
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
            let found =
                found.filter(|d| verdicts.contains(&d.verdict) && did_not_diverge(&d.label));
            found.map(|d| &d.label).collect()
        };
        if !did_not_diverge(reference) {
            let rest: Vec<&String> = declared.differences.iter().map(|d| &d.label).collect();
            return winner(
                self.best(rest.into_iter().filter(|l| did_not_diverge(l)))?,
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
        let time_to_target = self
            .whole
            .against(Role::Declared)
            .and_then(|a| a.time_to_target.as_ref());
        let time_to_target = time_to_target
            .and_then(|time_to_target| time_to_target.arms.iter().find(|arm| arm.label == label));
        let whole = self.whole.arm(label);
        let whole = whole.map_or(self.whole.updates, |arm| arm.updates) as f64;
        let run = match time_to_target.map(|time_to_target| time_to_target.median_updates) {
            Some([_, Some(high)]) => high,
            _ => whole,
        };
        tuning + run
    }
}
