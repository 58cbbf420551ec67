//! Every run as CSV.

use cyclr_train::compare::record::Record;

use super::titles;
use crate::chart::quoted;

/// Every final run of every comparison, a row each.
pub(super) fn csv(records: &[Record]) -> String {
    let mut text = String::from(
        "comparison,budget,arm,spec,seed,added,updates,diverged,validation,test,seconds,updates_shared\n",
    );
    let number = |x: Option<f64>| x.map_or_else(String::new, |x| format!("{x}"));
    for (record, title) in records.iter().zip(titles(records)) {
        for (arm, outcome) in record.arms.iter().enumerate() {
            for (fraction, budget) in record.plan.budgets.iter().zip(&outcome.budgets) {
                let spec = budget.spec.as_ref();
                let spec = spec.map_or_else(String::new, ToString::to_string);
                for run in &budget.runs {
                    let fields = [
                        quoted(&title),
                        format!("{fraction}"),
                        quoted(record.label(arm)),
                        quoted(&spec),
                        format!("{}", run.seed),
                        format!("{}", run.added),
                        format!("{}", run.updates_done),
                        format!("{}", run.values.is_none()),
                        number(run.values.map(|values| values.validation)),
                        number(run.values.map(|values| values.test)),
                        format!("{}", run.seconds),
                        format!("{}", run.updates_shared),
                    ];
                    text.push_str(&fields.join(","));
                    text.push('\n');
                }
            }
        }
    }
    text
}
