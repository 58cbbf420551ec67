//! The tables of what came of it: the arms, their differences, and how soon each got there.

use cyclr_train::compare::record::{
    Against, ArmResult, ArmTimeToTarget, BudgetRecord, Difference, Record, Role, Sample,
    TimeToTarget, Verdict,
};

use super::cells::{
    Cell, arm_name, dash, decimals, escaped, figure, number, percent, signed, table, text,
    thousands,
};

/// The main table: an arm a row.
pub(super) fn summary(record: &Record, whole: &BudgetRecord) -> String {
    let reference = &record.plan.reference;
    let published = record.plan.arms.iter().any(|arm| arm.published.is_some());
    let mut head = vec![
        text("Arm"),
        text("Policy at its peak rate"),
        number(&format!("Test {}{}", record.measure.name, percent(record))),
        number(&format!("Difference from {reference}")),
        text("Verdict"),
        number(&format!("Time to target / {reference}'s")),
    ];
    if published {
        head.push(number("Published"));
    }
    let declared = whole.against(Role::Declared);
    let rows = whole.arms.iter().map(|arm| {
        let difference = declared.and_then(|a| a.differences.iter().find(|d| d.label == arm.label));
        let time_to_target = declared.and_then(|a| a.time_to_target.as_ref());
        let time_to_target =
            time_to_target.and_then(|s| s.arms.iter().find(|s| s.label == arm.label));
        let mut row = vec![
            Cell::name(arm_name(record, &arm.label)),
            Cell::text(format!(
                "<code>{}</code>",
                escaped(arm.spec.as_deref().unwrap_or(""))
            )),
            Cell::number(sample_of(arm)),
            Cell::number(difference.map_or_else(dash, |d| with_range(d.sample.as_ref()))),
            Cell::text(difference.map_or_else(|| String::from("reference"), verdict)),
            Cell::number(time_to_target.map_or_else(dash, |time_to_target| {
                ratio(time_to_target, &arm.label == reference)
            })),
        ];
        if published {
            let figure = record.plan.arms.iter().find(|a| a.label == arm.label);
            let figure = figure.and_then(|a| a.published);
            row.push(Cell::number(figure.map_or_else(dash, |x| format!("{x}"))));
        }
        row
    });
    table(&head, rows)
}

/// Mean ± standard deviation of the test value, its interval below.
fn sample_of(arm: &ArmResult) -> String {
    let n = arm.runs.len();
    let diverged = match arm.diverged {
        0 => String::new(),
        k => format!("<span class=\"range diverged\">{k} of {n} diverged</span>"),
    };
    let Some(sample) = &arm.test else {
        return diverged;
    };
    let sd = sample
        .sd
        .map_or_else(String::new, |sd| format!(" &plusmn; {}", decimals(sd)));
    let interval = sample.interval.map_or_else(String::new, |[low, high]| {
        format!("{} to {}, ", decimals(low), decimals(high))
    });
    format!(
        "{}{sd}<span class=\"range\">{interval}n = {}</span>{diverged}",
        decimals(sample.mean),
        sample.n
    )
}

fn with_range(sample: Option<&Sample>) -> String {
    let Some(sample) = sample else { return dash() };
    let interval = sample.interval.map_or_else(String::new, |[low, high]| {
        format!(
            "<span class=\"range\">{} to {}</span>",
            signed(low),
            signed(high)
        )
    });
    format!("{}{interval}", signed(sample.mean))
}

fn verdict(difference: &Difference) -> String {
    let (class, word) = match difference.verdict {
        Verdict::Better => ("better", "better"),
        Verdict::Worse => ("worse", "worse"),
        Verdict::Equivalent => ("equivalent", "equivalent"),
        Verdict::Undecided => ("undecided", "undecided"),
        Verdict::Diverged => ("diverged", "diverged"),
    };
    let small = match difference.verdict {
        Verdict::Better | Verdict::Worse if difference.within_margin => {
            "<span class=\"range\">by less than the margin</span>"
        }
        _ => "",
    };
    let seeds = difference
        .seeds_to_decide
        .map_or_else(String::new, |range| {
            format!("<span class=\"range\">{} might decide</span>", seeds(range))
        });
    format!("<span class=\"{class}\">{word}</span>{small}{seeds}")
}

fn seeds([low, high]: [u64; 2]) -> String {
    if low == high {
        format!("{low} seeds")
    } else {
        format!("{low} to {high} seeds")
    }
}

/// The ratio of times to the target, and how many runs reached it.
fn ratio(time_to_target: &ArmTimeToTarget, reference: bool) -> String {
    let reached = format!(
        "<span class=\"range\">{} of {} reached it</span>",
        time_to_target.reached,
        time_to_target.updates.len()
    );
    if reference {
        return format!("1{reached}");
    }
    format!("{}{reached}", span(time_to_target.ratio))
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

pub(super) fn difference_table(against: &Against) -> String {
    let role = match against.role {
        Role::Declared => "the declared reference",
        Role::BestNonCyclical => "the arm without cycles that validates best",
    };
    let head = [
        text("Arm"),
        number("Mean difference"),
        number("p (Holm)"),
        number("p of equivalence (TOST, Holm)"),
        number("n"),
        text("Verdict"),
    ];
    let p = |p: Option<f64>| p.map_or_else(dash, figure);
    let rows = against.differences.iter().map(|d| {
        vec![
            Cell::text(escaped(&d.label)),
            Cell::number(with_range(d.sample.as_ref())),
            Cell::number(p(d.p)),
            Cell::number(p(d.equivalence_p)),
            Cell::number(d.sample.map_or_else(dash, |s| format!("{}", s.n))),
            Cell::text(verdict(d)),
        ]
    });
    format!(
        "<h3>Beside {}, {role}</h3>\n{}",
        escaped(&against.reference),
        table(&head, rows)
    )
}

pub(super) fn time_to_target(record: &Record) -> String {
    let Some(whole) = record.budgets.last() else {
        return String::new();
    };
    let tables = whole.against.iter().filter_map(|against| {
        let time_to_target = against.time_to_target.as_ref()?;
        Some(soon_table(record, against, time_to_target))
    });
    format!(
        "<p>A run has reached the target when its validation value is there at one point of the common grid and at the \
         next. Runs that never do count as longer than they lasted. Each arm is divided by the reference's own time, \
         seed by seed. Tuning is not in these times; it stands beside them.</p>\n{}",
        tables.collect::<String>()
    )
}

fn soon_table(record: &Record, against: &Against, time_to_target: &TimeToTarget) -> String {
    let head = [
        text("Arm"),
        number("Reached"),
        number("Median updates"),
        number("Median seconds, alone"),
        number(&format!("Median ratio to {}", against.reference)),
        number("Its interval"),
        number("Tuning updates"),
    ];
    let rows = time_to_target.arms.iter().map(|arm| {
        let interval = format!(
            "{}<span class=\"range\">{} % sure</span>",
            span(arm.ratio_interval),
            decimals(100.0 * arm.ratio_confidence)
        );
        let reference = arm.label == against.reference;
        vec![
            Cell::name(arm_name(record, &arm.label)),
            Cell::number(format!("{} of {}", arm.reached, arm.updates.len())),
            Cell::number(span(arm.median_updates)),
            Cell::number(span(arm.median_seconds)),
            Cell::number(if reference {
                String::from("1")
            } else {
                span(arm.ratio)
            }),
            Cell::number(if reference { dash() } else { interval }),
            Cell::number(thousands(arm.tuning_updates)),
        ]
    });
    format!(
        "<h3>To {}{}: {}'s mean final validation {} the margin</h3>\n{}",
        decimals(time_to_target.target),
        if record.measure.unit == "points" {
            " %"
        } else {
            ""
        },
        escaped(&against.reference),
        if record.measure.higher_is_better {
            "less"
        } else {
            "plus"
        },
        table(&head, rows)
    )
}
