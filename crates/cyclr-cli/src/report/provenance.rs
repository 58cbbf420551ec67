//! How the result was made: bounds, tuning, costs, and every run.

use cyclr_train::compare::record::{ArmRecord, BudgetRecord, Record};

use super::cells::{
    Cell, arm_name, dash, decimals, escaped, figure, number, percent, table, text, thousands,
};

pub(super) fn range(record: &Record) -> String {
    let Some(range) = &record.range else {
        return String::from("<p>The bounds were given, not found.</p>\n");
    };
    let interval = |interval: Option<[f64; 2]>| {
        interval.map_or_else(String::new, |[low, high]| {
            format!(" ({} to {})", figure(low), figure(high))
        })
    };
    format!(
        "<p>The range test found base_lr = {}{} and max_lr = {}{}; intervals: {}.</p>\n",
        figure(range.base_lr),
        interval(range.base_interval),
        figure(range.max_lr),
        interval(range.max_interval),
        escaped(&range.interval)
    )
}

pub(super) fn tuning(record: &Record) -> String {
    let tuned = record
        .arms
        .iter()
        .filter_map(|arm| Some((arm, arm.tuning.as_ref()?)));
    let head = [
        text("Arm"),
        number("Peak rate"),
        number("Times max_lr"),
        number(&format!(
            "Validation {}{}",
            record.measure.name,
            percent(record)
        )),
        text(""),
    ];
    let rows = tuned.flat_map(|(arm, tuning)| {
        tuning.trials.iter().enumerate().map(move |(n, trial)| {
            let chosen = tuning.chosen == Some(n);
            let mut notes: Vec<&str> = Vec::new();
            notes.extend(chosen.then_some("<strong>chosen</strong>"));
            notes.extend((chosen && tuning.at_edge).then_some("at the edge of what was tried"));
            notes.extend(trial.extra.then_some("added"));
            let value = trial.validation.map_or_else(
                || String::from("<span class=\"diverged\">diverged</span>"),
                decimals,
            );
            vec![
                Cell::name(arm_name(record, &arm.label)),
                Cell::number(figure(trial.peak)),
                Cell::number(figure(trial.multiple)),
                Cell::number(value),
                Cell::text(notes.join(", ")),
            ]
        })
    });
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return String::new();
    }
    format!(
        "<details><summary>Every rate that was tried</summary>\n{}</details>\n",
        table(&head, rows.into_iter())
    )
}

pub(super) fn costs(record: &Record) -> String {
    let head = [
        text("Arm"),
        number("Tuning updates"),
        number("Updates of final runs"),
        number("Seconds of training, alone"),
    ];
    let row = |arm: &ArmRecord| {
        let runs = record.budgets.iter().flat_map(|budget| &budget.arms);
        let runs = runs.filter(|result| result.label == arm.label);
        let updates: u64 = runs
            .flat_map(|result| &result.runs)
            .map(|run| run.updates_done)
            .sum();
        let seconds = (arm.tuning_updates + updates) as f64 * record.pace.seconds_per_update;
        vec![
            Cell::name(arm_name(record, &arm.label)),
            Cell::number(thousands(arm.tuning_updates)),
            Cell::number(thousands(updates)),
            Cell::number(figure(seconds)),
        ]
    };
    let sweeps = record.range.as_ref().map_or(0, |range| range.updates);
    format!(
        "{}<p class=\"small soft\">The range test took {} updates once, for all arms. An update takes {} s when nothing \
         else runs (median of {}), a reading of the validation split {} s.</p>\n",
        table(&head, record.arms.iter().map(row)),
        thousands(sweeps),
        figure(record.pace.seconds_per_update),
        record.pace.updates_timed,
        figure(record.pace.seconds_per_evaluation)
    )
}

pub(super) fn runs(record: &Record) -> String {
    let head = [
        number("Updates"),
        text("Arm"),
        number("Seed"),
        number(&format!("Validation{}", percent(record))),
        number(&format!("Test{}", percent(record))),
        number("Seconds, side by side"),
        text("Folder"),
    ];
    let of_budget = |budget: &BudgetRecord| -> Vec<Vec<Cell>> {
        let runs = budget
            .arms
            .iter()
            .flat_map(|arm| arm.runs.iter().map(move |run| (arm, run)));
        let value = |x: Option<f64>| x.map_or_else(dash, decimals);
        runs.map(|(arm, run)| {
            let added = if run.added { " (added)" } else { "" };
            let diverged = if run.diverged {
                " <span class=\"diverged\">diverged</span>"
            } else {
                ""
            };
            vec![
                Cell::number(thousands(run.updates_done)),
                Cell::name(arm_name(record, &arm.label) + diverged),
                Cell::number(format!("{}{added}", run.seed)),
                Cell::number(value(run.validation)),
                Cell::number(value(run.test)),
                Cell::number(figure(run.seconds)),
                Cell::text(format!("<code>{}</code>", escaped(&run.folder))),
            ]
        })
        .collect()
    };
    let rows: Vec<_> = record.budgets.iter().flat_map(of_budget).collect();
    format!(
        "<details><summary>{} final runs, value by value</summary>\n{}</details>\n",
        rows.len(),
        table(&head, rows.into_iter())
    )
}
