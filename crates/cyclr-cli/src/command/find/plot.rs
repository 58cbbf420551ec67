//! The charts of range tests.

use std::path::Path;

use cyclr::range::{Bounds, smoothed};
use cyclr_train::find::{Curve, CurvePoint, Found};
use cyclr_train::store::write_atomically;

use crate::chart::{self, Axis, Chart, Form, Point, Series, Shade};

/// The width and height of a chart in a file, in points.
const SIZE: (u32, u32) = (900, 480);

/// The sweep, the probes, and the bounds.
pub(super) fn of_found(found: &Found) -> Chart {
    let answer = found.answer.ok();
    let mut chart = of_sweeps(&found.sweep.curves, " of training batches", answer);
    let figures = has_figures(&found.sweep.curves);
    let value = |probe: &cyclr::range::ProbeResult| if figures { probe.figure } else { probe.loss };
    let points = found.probes.iter();
    let mut points: Vec<Point> = points
        .filter_map(|probe| Some(Point::at(probe.probe.lr, value(probe)?)))
        .collect();
    points.sort_by(|a, b| a.x.total_cmp(&b.x));
    chart.series.push(Series {
        label: String::from("probes, at their ends"),
        colour: 2,
        form: Form::Points,
        points,
    });
    chart
}

/// Accuracy against rate, or the loss if there is none: every update faint, and a smoothed line.
pub(super) fn of_sweeps(curves: &[Curve], examples: &str, bounds: Option<Bounds>) -> Chart {
    let figures = has_figures(curves);
    let what = match curves.first().and_then(|curve| curve.points.first()) {
        Some(point) if figures && point.correct.is_none() => "deciding figure",
        _ if figures => "accuracy",
        _ => "loss",
    };
    let mut chart = Chart::lines("learning rate", &format!("{what}{examples}"), []);
    let rates = curves
        .iter()
        .map(|curve| curve.points.iter().map(|point| point.lr).collect());
    let rates: Vec<Vec<f64>> = rates.collect();
    chart.x = Axis::of_sweeps(rates.iter().map(Vec::as_slice));
    for curve in curves {
        chart.series.push(faint(curve, figures));
    }
    for (n, curve) in curves.iter().enumerate() {
        chart.series.extend(line(n, curves.len(), curve, figures));
    }
    let shade = |bounds: Bounds| Shade {
        label: String::from("base_lr to max_lr"),
        from: bounds.base_lr.value,
        to: bounds.max_lr.value,
    };
    chart.shades = bounds.map(shade).into_iter().collect();
    chart
}

/// Writes a chart beside the curves, as SVG and as PNG.
pub(super) fn save(chart: &Chart, folder: &Path, weight_decay: Option<f64>) -> anyhow::Result<()> {
    let prefix = weight_decay.map_or_else(String::new, |wd| format!("wd{wd}-"));
    let charts = std::slice::from_ref(chart);
    for (ending, bytes) in [
        ("svg", chart::svg(charts, SIZE)?.into_bytes()),
        ("png", chart::png(charts, SIZE)?),
    ] {
        write_atomically(&folder.join(format!("{prefix}range-test.{ending}")), &bytes)?;
    }
    Ok(())
}

fn has_figures(curves: &[Curve]) -> bool {
    let mut points = curves.iter().flat_map(|curve| &curve.points);
    points.all(|point| point.figure.is_some())
}

fn faint(curve: &Curve, figures: bool) -> Series {
    Series {
        label: String::from("updates"),
        colour: 0,
        form: Form::Points,
        points: measured(curve, figures),
    }
}

/// What was measured, but for what is not finite.
fn measured(curve: &Curve, figures: bool) -> Vec<Point> {
    let value = |p: &CurvePoint| if figures { p.figure } else { p.loss };
    let points = curve.points.iter();
    let points = points.filter_map(|p| Some((p.lr, value(p).filter(|y| y.is_finite())?)));
    points.map(|(x, y)| Point::at(x, y)).collect()
}

/// The smoothed line of a curve; through what was measured if it is too short to smooth.
fn line(n: usize, of: usize, curve: &Curve, figures: bool) -> Option<Series> {
    // A curve that was recorded has been read as a sweep before it is drawn.
    let smooth = smoothed(&curve.sweep().ok()?);
    let (points, alone) = if smooth.is_empty() {
        (measured(curve, figures), "measured")
    } else {
        let points = smooth.into_iter().map(|(x, y)| Point::at(x, y));
        (points.collect(), "smoothed")
    };
    (points.len() > 1).then(|| Series {
        label: if of > 1 {
            format!("repeat {}", n + 1)
        } else {
            String::from(alone)
        },
        colour: n + 1,
        form: Form::Line,
        points,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(losses: &[f64]) -> Curve {
        let rows = losses.iter().enumerate();
        let rows = rows.map(|(n, loss)| format!("{n},{},{loss}\n", 0.01 * (n + 1) as f64));
        let text = format!("update,lr,loss\n{}", rows.collect::<String>());
        Curve::from_csv(&text).unwrap()
    }

    fn lines(curves: &[Curve]) -> Vec<Series> {
        let series = of_sweeps(curves, "", None).series;
        let is_line = |series: &Series| series.form == Form::Line;
        series.into_iter().filter(is_line).collect()
    }

    /// Three points are too few to smooth: the line goes through them.
    #[test]
    fn a_curve_that_is_too_short_to_smooth_has_a_line_through_its_points() {
        let drawn = lines(&[curve(&[2.0, 1.5, 1.75])]);
        let points: Vec<(f64, Option<f64>)> = drawn[0].points.iter().map(|p| (p.x, p.y)).collect();
        assert_eq!(
            points,
            [(0.01, Some(2.0)), (0.02, Some(1.5)), (0.03, Some(1.75))]
        );
        assert_eq!((drawn.len(), drawn[0].label.as_str()), (1, "measured"));
        assert!(lines(&[curve(&[2.0])]).is_empty(), "a point is no line");
    }
}
