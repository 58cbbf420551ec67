//! How the result was made: bounds, tuning, costs, and every run.

use cyclr::stats::Interval;
use cyclr_train::compare::BoundsSource;
use cyclr_train::compare::record::{ArmOutcome, Record, RunOutcome, Trial, Tuning};

use super::cells::{
    Cell, arm_name, counted, dash, escaped, figure, number, table, text, thousands, value,
};
use super::differences::percent;

pub(super) fn range(record: &Record) -> String {
    let Some(range) = &record.range else {
        return match record.plan.bounds {
            BoundsSource::Given { base_lr, max_lr } => format!(
                "<p>The bounds were given, not found: base_lr = {} and max_lr = {}.</p>\n",
                figure(base_lr),
                figure(max_lr)
            ),
            BoundsSource::Found { .. } | BoundsSource::Unneeded => {
                String::from("<p>No range test was made.</p>\n")
            }
        };
    };
    let interval = |interval: Option<Interval>| {
        interval.map_or_else(String::new, |ends| {
            format!(" ({} to {})", figure(ends.low), figure(ends.high))
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
    let head = [
        text("Arm"),
        number("Updates"),
        number("Peak rate"),
        number("Times max_lr"),
        number(&format!(
            "Validation {}{}",
            record.objective.name,
            percent(record.objective.unit)
        )),
        text(""),
    ];
    let arms = record.arms.iter().enumerate();
    let rows = arms.flat_map(|(arm, outcome)| {
        outcome.tuning.iter().flat_map(move |tuning| {
            let trials = tuning.trials.iter().enumerate();
            let trials = trials.map(move |(n, trial)| trial_row(record, arm, tuning, (n, trial)));
            trials.chain(chosen_row(record, arm, tuning))
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

fn trial_row(
    record: &Record,
    arm: usize,
    tuning: &Tuning,
    (n, trial): (usize, &Trial),
) -> Vec<Cell> {
    let best = tuning.best == Some(n);
    let mut notes: Vec<&str> = Vec::new();
    notes.extend(best.then_some("best"));
    notes.extend((best && tuning.at_edge).then_some("at the edge of what was tried"));
    notes.extend(trial.extra.then_some("added"));
    let validation = trial.validation.map_or_else(
        || String::from("<span class=\"diverged\">diverged</span>"),
        |x| value(record.objective.unit, x),
    );
    vec![
        Cell::name(arm_name(record, arm)),
        Cell::number(thousands(
            record
                .plan
                .updates_of(&record.plan.arms[arm], trial.fraction),
        )),
        Cell::number(figure(trial.peak)),
        Cell::number(figure(trial.multiple)),
        Cell::number(validation),
        Cell::text(notes.join(", ")),
    ]
}

/// The peak rate of the final runs.
fn chosen_row(record: &Record, arm: usize, tuning: &Tuning) -> Option<Vec<Cell>> {
    let (peak, trial) = (tuning.peak?, tuning.trials.first()?);
    let multiple = peak / trial.peak * trial.multiple;
    Some(vec![
        Cell::name(arm_name(record, arm)),
        Cell::number(dash()),
        Cell::number(figure(peak)),
        Cell::number(figure(multiple)),
        Cell::number(dash()),
        Cell::text("<strong>chosen</strong>".into()),
    ])
}

pub(super) fn costs(record: &Record) -> String {
    let head = [
        text("Arm"),
        number("Tuning updates"),
        number("Updates of final runs"),
        number("Seconds of training, alone"),
    ];
    let row = |(arm, outcome): (usize, &ArmOutcome)| {
        let runs = outcome.budgets.iter().flat_map(|budget| &budget.runs);
        let updates: u64 = runs.map(RunOutcome::updates_made).sum();
        let seconds = (outcome.tuning_updates() + updates) as f64 * record.pace.seconds_per_update;
        vec![
            Cell::name(arm_name(record, arm)),
            Cell::number(thousands(outcome.tuning_updates())),
            Cell::number(thousands(updates)),
            Cell::number(figure(seconds)),
        ]
    };
    let shared = if record.plan.branches {
        "Final runs of shorter budgets branch off those of the longest: the updates that both share are counted once, \
         with the longest. "
    } else {
        ""
    };
    let range_test = record.range.as_ref().map_or_else(String::new, |range| {
        format!(
            "The range test took {} updates once, for all arms. ",
            thousands(range.updates)
        )
    });
    format!(
        "{}<p class=\"small soft\">{shared}{range_test}If nothing else runs, an update \
         takes {} s (median over {} updates), an evaluation of the validation split {} s, and a start {} s.</p>\n",
        table(&head, record.arms.iter().enumerate().map(row)),
        figure(record.pace.seconds_per_update),
        record.pace.updates_timed,
        figure(record.pace.seconds_per_evaluation),
        figure(record.pace.seconds_per_start)
    )
}

pub(super) fn runs(record: &Record) -> String {
    let averages = record.plan.arms.iter().any(|arm| arm.average.is_some());
    let before = format!("before averaging{}", percent(record.objective.unit));
    let mut head = vec![
        number("Updates"),
        text("Arm"),
        number("Seed"),
        number(&format!("Validation{}", percent(record.objective.unit))),
        number(&format!("Test{}", percent(record.objective.unit))),
        number("Seconds, side by side"),
        text("Folder"),
    ];
    if averages {
        head.insert(4, number(&before));
    }
    let mut rows = Vec::new();
    for budget in 0..record.plan.budgets.len() {
        for (arm, outcome) in record.arms.iter().enumerate() {
            for run in &outcome.budgets[budget].runs {
                let added = if run.added { " (added)" } else { "" };
                let cell =
                    |x: Option<f64>| x.map_or_else(dash, |x| value(record.objective.unit, x));
                let diverged = match run.values {
                    Some(_) => "",
                    None => " <span class=\"diverged\">diverged</span>",
                };
                let shared = match run.updates_shared {
                    0 => String::new(),
                    shared => format!(" ({} shared)", thousands(shared)),
                };
                let mut row = vec![
                    Cell::number(thousands(run.updates_done) + &shared),
                    Cell::name(arm_name(record, arm) + diverged),
                    Cell::number(format!("{}{added}", run.seed)),
                    Cell::number(cell(run.values.map(|values| values.validation))),
                    Cell::number(cell(run.values.map(|values| values.test))),
                    Cell::number(figure(run.seconds)),
                    Cell::text(format!("<code>{}</code>", escaped(&run.folder))),
                ];
                if averages {
                    let trained = run.evaluations.last().filter(|last| last.average.is_some());
                    let trained = trained.and_then(|last| record.objective.value(&last.metrics));
                    row.insert(4, Cell::number(cell(trained)));
                }
                rows.push(row);
            }
        }
    }
    format!(
        "<details><summary>{}, value by value</summary>\n{}</details>\n",
        counted(&rows.len().to_string(), "final run"),
        table(&head, rows.into_iter())
    )
}
