//! The tables of what came of it: the arms, their differences, and the times to the target.

use cyclr::stats::{Comparison, Summary, Verdict};
use cyclr::trainer::Direction;
use cyclr_train::compare::record::{Record, Role, Row, TimeToTarget};

use super::cells::{
    Cell, arm_name, dash, escaped, figure, list_table, number, signed, table, text, thousands,
    value,
};
use super::figures::percent;

/// The main table: an arm a row, as the terminal has it.
pub(super) fn summary(record: &Record) -> String {
    let published = record.plan.arms.iter().any(|arm| arm.published.is_some());
    let mut head = vec![
        text("Arm"),
        number(&format!(
            "Test {}{} ± 95 %",
            record.objective.name,
            percent(record)
        )),
        number(&format!(
            "Difference from {}, 95 %",
            record.label(record.plan.reference)
        )),
        text("Verdict"),
        number("Time to target"),
    ];
    if published {
        head.push(number("Published"));
    }
    head.push(text("Policy at its peak rate"));
    let rows = record
        .conclusion
        .table
        .iter()
        .enumerate()
        .map(|(arm, row)| {
            let mut cells = vec![
                Cell::name(arm_name(record, arm)),
                Cell::number(stacked(&row.test.replace('-', "−"))),
                Cell::number(stacked(&row.difference.replace('-', "−"))),
                Cell::text(verdict_cell(record, arm, row)),
                Cell::number(escaped(&row.time_to_target)),
            ];
            if published {
                let figure = record.plan.arms[arm].published;
                cells.push(Cell::number(figure.map_or_else(dash, |x| format!("{x}"))));
            }
            cells.push(Cell::text(format!("<code>{}</code>", escaped(&row.policy))));
            cells
        });
    list_table(&head, rows)
}

/// A value with its interval below it.
fn stacked(cell: &str) -> String {
    match cell.split_once(' ') {
        Some((value, range)) => format!(
            "{}<span class=\"range\">{}</span>",
            escaped(value),
            escaped(range)
        ),
        None => escaped(cell),
    }
}

fn verdict_cell(record: &Record, arm: usize, row: &Row) -> String {
    let against = record.arms[arm].whole().against(Role::Declared);
    let difference = against.and_then(|against| against.difference.as_ref());
    let class = match difference {
        Some(difference) => class(difference.verdict),
        None if record.arms[arm].whole().is_whole() => "",
        None => "diverged",
    };
    format!("<span class=\"{class}\">{}</span>", stacked(&row.verdict))
}

fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Better => "better",
        Verdict::Worse => "worse",
        Verdict::Equivalent => "equivalent",
        Verdict::Undecided(_) => "undecided",
    }
}

fn with_range(record: &Record, sample: &Summary) -> String {
    let interval = sample.interval.map_or_else(String::new, |interval| {
        format!(
            "<span class=\"range\">{} to {}</span>",
            signed(record, interval.low),
            signed(record, interval.high)
        )
    });
    format!("{}{interval}", signed(record, sample.mean))
}

/// A median as far as it is known: a number, or the ends that it lies between.
fn span([low, high]: [Option<f64>; 2]) -> String {
    match (low, high) {
        (Some(low), Some(high)) if low == high => figure(low),
        (Some(0.0), Some(high)) => format!("&le; {}", figure(high)),
        (Some(low), Some(high)) => format!("{} to {}", figure(low), figure(high)),
        (Some(low), None) => format!("&ge; {}", figure(low)),
        (None, _) => dash(),
    }
}

/// The tests behind the verdicts, a table a reference.
pub(super) fn differences(record: &Record) -> String {
    let references = record.references(record.plan.budgets.len() - 1);
    let tables = references.into_iter().map(|(reference, role)| {
        let said = match role {
            Role::Declared => "the declared reference",
            Role::BestNonCyclical => "the arm without cycles that validates best",
        };
        let rows = record.whole().enumerate().filter_map(|(arm, outcome)| {
            let difference = outcome.against(role)?.difference?;
            Some(difference_row(record, arm, &difference))
        });
        let head = [
            text("Arm"),
            number("Mean difference"),
            number("p (Holm)"),
            number("p of equivalence (TOST, Holm)"),
            number("n"),
            text("Verdict"),
        ];
        format!(
            "<h3>Beside {}, {said}</h3>\n{}",
            escaped(record.label(reference)),
            table(&head, rows)
        )
    });
    tables.collect()
}

fn difference_row(record: &Record, arm: usize, comparison: &Comparison) -> Vec<Cell> {
    let p = |p: Option<f64>| p.map_or_else(dash, figure);
    let class = class(comparison.verdict);
    let tested = comparison.t_test.map(|_| comparison.adjusted_p);
    let equated = comparison.tost.map(|_| comparison.adjusted_tost_p);
    vec![
        Cell::name(arm_name(record, arm)),
        Cell::number(with_range(record, &comparison.difference)),
        Cell::number(p(tested)),
        Cell::number(p(equated)),
        Cell::number(format!("{}", comparison.difference.n)),
        Cell::text(format!("<span class=\"{class}\">{class}</span>")),
    ]
}

/// The times to the targets, a table a reference.
pub(super) fn times_to_target(record: &Record) -> String {
    let references = record.references(record.plan.budgets.len() - 1);
    let tables = references
        .into_iter()
        .filter_map(|(reference, role)| times_beside(record, reference, role));
    format!(
        "<p>A run has reached the target if two evaluations in a row are there. A run that never is counts as longer \
         than it lasted. Ratios are to the reference's own time, seed by seed. Tuning is not in these times; it has a \
         column of its own.</p>\n{}",
        tables.collect::<String>()
    )
}

fn times_beside(record: &Record, reference: usize, role: Role) -> Option<String> {
    let times: Vec<(usize, &TimeToTarget)> = record
        .whole()
        .enumerate()
        .filter_map(|(arm, outcome)| Some((arm, outcome.against(role)?.time_to_target.as_ref()?)))
        .collect();
    let (_, first) = times.first()?;
    let target = first.target;
    let head = [
        text("Arm"),
        number("Reached"),
        number("Median updates"),
        number("Median seconds, alone"),
        number(&format!("Median ratio to {}", record.label(reference))),
        number("Its interval"),
        number("Tuning updates"),
    ];
    let rows = times
        .iter()
        .map(|&(arm, time)| time_row(record, arm, time, arm == reference));
    Some(format!(
        "<h3>To {}{}: {}'s mean final validation {} the margin</h3>\n{}",
        value(record, target),
        percent(record),
        escaped(record.label(reference)),
        match record.objective.direction {
            Direction::Higher => "less",
            Direction::Lower => "plus",
        },
        table(&head, rows)
    ))
}

fn time_row(record: &Record, arm: usize, time: &TimeToTarget, is_reference: bool) -> Vec<Cell> {
    let seconds = time
        .median_updates
        .map(|end| end.map(|updates| updates * record.pace.seconds_per_update));
    let interval = format!(
        "{}<span class=\"range\">confidence {} %</span>",
        span(time.ratio_interval),
        figure(100.0 * time.ratio_confidence)
    );
    let (ratio, interval) = if is_reference {
        (String::from("1"), dash())
    } else {
        (span(time.ratio), interval)
    };
    vec![
        Cell::name(arm_name(record, arm)),
        Cell::number(format!("{} of {}", time.reached(), time.updates.len())),
        Cell::number(span(time.median_updates)),
        Cell::number(span(seconds)),
        Cell::number(ratio),
        Cell::number(interval),
        Cell::number(thousands(record.arms[arm].tuning_updates())),
    ]
}
