//! The tables of what came of it: the arms, their differences, and the times to the target.

use cyclr::stats::{Comparison, Difference, Verdict};
use cyclr::trainer::{Direction, Unit};
use cyclr_train::compare::record::{Record, Role, TimeToTarget};
use cyclr_train::verdict::{Conclusion, Row, Standings};

use super::cells::{
    Cell, arm_name, dash, escaped, figure, list_table, named, number, signed, table, text,
    thousands, value,
};
use super::differences::{colour, percent};

/// The main table: an arm a row, as the terminal has it. `published` has the arms' published
/// figures, if there are any.
pub(super) fn summary(
    standings: &Standings<'_>,
    conclusion: &Conclusion,
    published: &[Option<f64>],
) -> String {
    let first = conclusion.table.first();
    let timed = first.is_some_and(|row| row.time_to_target.is_some());
    let has_policy = first.is_some_and(|row| row.policy.is_some());
    let mut head = vec![
        text("Arm"),
        number(&measured(standings)),
        number(&format!(
            "Difference from {}, 95 %",
            standings.label(standings.reference)
        )),
        text("Verdict"),
    ];
    head.extend(timed.then(|| number("Time to target")));
    head.extend((!published.is_empty()).then(|| number("Published")));
    head.extend(has_policy.then(|| text("Policy at its peak rate")));
    let rows = conclusion.table.iter().enumerate().map(|(arm, row)| {
        let name = named(standings.label(arm), colour(standings.reference, arm));
        let mut cells = vec![
            Cell::name(name),
            Cell::number(stacked(&row.test.replace('-', "−"))),
            Cell::number(stacked(&row.difference.replace('-', "−"))),
            Cell::text(verdict_cell(standings, arm, row)),
        ];
        let time = row.time_to_target.as_ref();
        cells.extend(time.map(|time| Cell::number(escaped(time))));
        let figure = published.get(arm);
        cells.extend(figure.map(|f| Cell::number(f.map_or_else(dash, |x| format!("{x}")))));
        let policy = row.policy.as_ref();
        cells.extend(policy.map(|spec| Cell::text(format!("<code>{}</code>", escaped(spec)))));
        cells
    });
    list_table(&head, rows)
}

/// `Test accuracy (%) ± 95 %`
fn measured(standings: &Standings<'_>) -> String {
    let (name, percent) = (&standings.objective.name, percent(standings.objective.unit));
    match standings.measured {
        "test" => format!("Test {name}{percent} ± 95 %"),
        _ => format!("{name}{percent} ± 95 %"),
    }
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

fn verdict_cell(standings: &Standings<'_>, arm: usize, row: &Row) -> String {
    let standing = &standings.arms[arm];
    let class = match &standing.difference {
        Some(found) => class(found.verdict),
        None if standing.diverged == 0 && standing.runs > 0 => "",
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

fn with_range(unit: Unit, difference: &Difference) -> String {
    let interval = difference.interval.map_or_else(String::new, |interval| {
        format!(
            "<span class=\"range\">{} to {}</span>",
            signed(unit, interval.low),
            signed(unit, interval.high)
        )
    });
    format!("{}{interval}", signed(unit, difference.mean))
}

/// A median as far as it is known: a number, or the ends that it lies between.
fn span([low, high]: [Option<f64>; 2]) -> String {
    match (low, high) {
        (Some(low), Some(high)) if low == high => figure(low),
        (Some(0.0), Some(high)) => format!("&le; {}", figure(high)),
        (Some(low), Some(high)) => format!("{} to {}", figure(low), figure(high)),
        (Some(low), None) if low > 0.0 => format!("&ge; {}", figure(low)),
        // Anything is at least 0.
        (_, None) | (None, _) => dash(),
    }
}

/// The tests behind the verdicts, a table a reference.
pub(super) fn differences(record: &Record) -> String {
    let looks = record.plan.race.as_ref().map_or_else(String::new, |race| {
        format!(
            "<p>The p-values are adjusted for the {} looks of the race, too, and the intervals are wider \
             because of them.</p>\n",
            race.looks().len()
        )
    });
    let references = record.references(record.plan.budgets.len() - 1);
    let tables = references.into_iter().map(|(reference, role)| {
        let said = match role {
            Role::Declared => "the declared reference",
            Role::BestNonCyclical => "the arm without cycles that validates best",
        };
        format!(
            "<h3>Compared with {}, {said}</h3>\n{}",
            escaped(record.label(reference)),
            tests(&record.beside(reference, role), record.plan.reference)
        )
    });
    looks + &tables.collect::<String>()
}

/// The tests behind the verdicts beside one reference. The arms' colours are those of the charts,
/// where `first` has the first.
pub(super) fn tests(standings: &Standings<'_>, first: usize) -> String {
    let head = [
        text("Arm"),
        number("Mean difference"),
        number("p (Holm)"),
        number("p of equivalence (TOST, Holm)"),
        number("Correlation by seed"),
        number("n"),
        text("Verdict"),
    ];
    let arms = standings.arms.iter().enumerate();
    let rows = arms.filter_map(|(arm, standing)| {
        let name = named(standing.label, colour(first, arm));
        Some(test_row(
            standings.objective.unit,
            name,
            &standing.difference?,
        ))
    });
    table(&head, rows)
}

fn test_row(unit: Unit, name: String, comparison: &Comparison) -> Vec<Cell> {
    let p = |p: Option<f64>| p.map_or_else(dash, figure);
    let class = class(comparison.verdict);
    let tested = comparison.t_test.map(|_| comparison.adjusted_p);
    let equated = comparison.tost.map(|_| comparison.adjusted_tost_p);
    let correlation = comparison.correlation.map_or_else(dash, |found| {
        let ends = found.interval.map_or_else(String::new, |ends| {
            let [low, high] = [ends.low, ends.high].map(|end| value(Unit::Points, end));
            format!("<span class=\"range\">{low} to {high}</span>")
        });
        value(Unit::Points, found.r) + &ends
    });
    let difference = &comparison.difference;
    let n = match difference.reference_n {
        None => format!("{}", difference.n),
        Some(reference) => format!(
            "{} and {reference}<span class=\"range\">not paired</span>",
            difference.n
        ),
    };
    vec![
        Cell::name(name),
        Cell::number(with_range(unit, difference)),
        Cell::number(p(tested)),
        Cell::number(p(equated)),
        Cell::number(correlation),
        Cell::number(n),
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
        value(record.objective.unit, target),
        percent(record.objective.unit),
        escaped(record.label(reference)),
        less(record.objective.direction),
        table(&head, rows)
    ))
}

/// How a margin makes a figure less good.
pub(super) fn less(direction: Direction) -> &'static str {
    match direction {
        Direction::Higher => "minus",
        Direction::Lower => "plus",
    }
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
