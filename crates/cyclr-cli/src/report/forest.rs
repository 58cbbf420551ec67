//! The differences as rows of one chart, made of HTML alone: it fits any width and needs no
//! script.

use std::fmt::Write as _;

use cyclr::trainer::Unit;

use super::cells::{escaped, signed, swatch, value};
use crate::chart::{Chart, Scaled, Series};

/// Ticks at most; more would run into each other on a phone.
const TICKS: usize = 5;

/// The chart of the differences: a row each with its whisker, the zero line, and the margin
/// shaded.
pub(super) fn html(unit: Unit, chart: &Chart) -> String {
    let axis = Scaled::new(chart.y_extent(), false, &[]);
    let percent = |value: f64| 100.0 * axis.fraction(value);
    let mut rows = String::new();
    for series in &chart.series {
        let _ = writeln!(
            rows,
            "<div class=\"who\">{}{}</div>\n<div class=\"by\">{}</div>\n<div class=\"strip\">{}{}</div>",
            swatch(series.colour),
            escaped(&series.label),
            amount(unit, series),
            lines(chart, &percent),
            whisker(series, &percent)
        );
    }
    let ticks = axis.ticks(TICKS).into_iter().map(|tick| {
        let text = if tick == 0.0 {
            String::from("0")
        } else {
            // Plus and minus are what the reader looks for.
            let sign = if tick < 0.0 { "&minus;" } else { "+" };
            format!("{sign}{}", cyclr::readable(tick.abs(), 5))
        };
        format!("<span style=\"left:{:.2}%\">{text}</span>", percent(tick))
    });
    format!(
        "<figure>\n<header><h3>{}</h3></header>\n<figcaption>{}</figcaption>\n<div class=\"forest\" id=\"{}\">\n{rows}\
         <div class=\"axis\">{}<em>{}</em></div>\n</div>\n</figure>\n",
        escaped(&chart.title),
        escaped(&chart.caption),
        chart.id,
        ticks.collect::<String>(),
        escaped(&chart.y.label)
    )
}

/// The zero line, and the margin around it.
fn lines(chart: &Chart, percent: &impl Fn(f64) -> f64) -> String {
    let levels = || chart.levels.iter().map(|level| level.at);
    let low = percent(levels().fold(0.0, f64::min));
    let high = percent(levels().fold(0.0, f64::max));
    format!(
        "<i class=\"margin\" style=\"left:{low:.2}%;width:{:.2}%\"></i><i class=\"zero\" style=\"left:{:.2}%\"></i>",
        high - low,
        percent(0.0)
    )
}

fn whisker(series: &Series, percent: &impl Fn(f64) -> f64) -> String {
    let mut html = String::new();
    for point in &series.points {
        if let (Some(low), Some(high)) = (point.low, point.high) {
            let (low, high) = (percent(low), percent(high));
            let _ = write!(
                html,
                "<i class=\"bar\" style=\"left:{low:.2}%;width:{:.2}%;color:var(--c{})\"></i>",
                high - low,
                series.colour % crate::chart::COLOURS.len()
            );
        }
        if let Some(mean) = point.y {
            let _ = write!(
                html,
                "<i class=\"dot\" style=\"left:{:.2}%;color:var(--c{})\"></i>",
                percent(mean),
                series.colour % crate::chart::COLOURS.len()
            );
        }
    }
    html
}

/// The mean, with its interval.
fn amount(unit: Unit, series: &Series) -> String {
    let cells = series.points.iter().map(|point| {
        let mean = point.y.map_or_else(String::new, |mean| signed(unit, mean));
        let ends = match (point.low, point.high) {
            (Some(low), Some(high)) => format!(
                " <span class=\"soft\">({} to {})</span>",
                value(unit, low),
                value(unit, high)
            ),
            _ => String::new(),
        };
        mean + &ends
    });
    cells.collect()
}
