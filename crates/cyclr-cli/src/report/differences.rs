//! The chart of the differences, and what all charts of arms share.

use cyclr::stats::Interval;
use cyclr::trainer::Unit;
use cyclr_train::verdict::Standings;

use crate::chart::{Axis, Chart, Form, Level, Point, Series};

/// The arms' differences from each of the references, with the margin: the declared reference first.
pub(super) fn differences(beside: &[Standings<'_>]) -> Chart {
    let mut chart = chart(
        "differences",
        String::new(),
        String::new(),
        (Axis::default(), Axis::of("difference")),
    );
    let Some(declared) = beside.first() else {
        return chart;
    };
    for standings in beside {
        for (arm, standing) in standings.arms.iter().enumerate() {
            let Some(found) = standing.difference else {
                continue;
            };
            if arm == declared.reference {
                // The declared reference less another arm: that arm's own row has it already.
                continue;
            }
            let place = chart.x.names.len() as f64;
            let name = format!(
                "{} less {}",
                standing.label,
                standings.label(standings.reference)
            );
            let (mean, interval) = (found.difference.mean, found.difference.interval);
            chart.x.names.push(name.clone());
            chart.series.push(Series {
                label: name,
                colour: colour(declared.reference, arm),
                form: Form::Whiskers,
                points: vec![with_interval(place, mean, interval)],
            });
        }
    }
    frame(&mut chart, declared, beside);
    chart
}

/// The words around the differences, and the lines at zero and at the margin.
fn frame(chart: &mut Chart, declared: &Standings<'_>, beside: &[Standings<'_>]) {
    let margin = declared.margin;
    let arms = beside.iter().flat_map(|standings| &standings.arms);
    let mut found = arms.filter_map(|arm| arm.difference);
    chart.title = if found.all(|found| found.difference.is_paired()) {
        String::from("Differences, paired by seed")
    } else {
        String::from("Differences")
    };
    let of = match declared.measured {
        "test" => format!("final test {}", declared.objective.name),
        _ => declared.objective.name.to_string(),
    };
    chart.caption = format!(
        "Mean difference in {of}, with its 95 % interval over seeds. Within the margin of ±{} (shaded) a difference does \
         not matter.",
        cyclr::readable(margin, 4)
    );
    if declared.objective.unit == Unit::Points {
        chart.y.label = String::from("difference (points)");
    }
    chart.levels = [("±margin", margin), ("", 0.0), ("", -margin)]
        .map(|(label, at)| Level {
            label: String::from(label),
            at,
        })
        .to_vec();
}

/// The place of an arm's colour: the reference has the first, the others follow in their order.
pub(super) fn colour(reference: usize, arm: usize) -> usize {
    match arm {
        _ if arm == reference => 0,
        _ if arm < reference => arm + 1,
        _ => arm,
    }
}

/// ` (%)` for an accuracy, whose values are per cent.
pub(super) fn percent(unit: Unit) -> &'static str {
    match unit {
        Unit::Points => " (%)",
        Unit::Own => "",
    }
}

/// A mean as a point with its interval.
pub(super) fn with_interval(x: f64, mean: f64, interval: Option<Interval>) -> Point {
    let ends = interval
        .map(|interval| (interval.low, interval.high))
        .unzip();
    Point::at(x, mean).between(ends.0, ends.1)
}

/// A chart without anything in it.
pub(super) fn chart(id: &str, title: String, caption: String, axes: (Axis, Axis)) -> Chart {
    Chart {
        id: String::from(id),
        title,
        caption,
        x: axes.0,
        y: axes.1,
        series: Vec::new(),
        shades: Vec::new(),
        levels: Vec::new(),
    }
}
