//! The charts of range tests.

use std::path::Path;

use anyhow::Context;
use cyclr::range::{Bounds, smoothed};
use cyclr_train::find::{Curve, CurvePoint, Found};

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
    if curves.iter().all(is_exponential) {
        chart.x = Axis::log("learning rate");
    }
    for curve in curves {
        chart.series.push(faint(curve, figures));
    }
    for (n, curve) in curves.iter().enumerate() {
        chart.series.extend(line(n, curves.len(), curve));
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
        let path = folder.join(format!("{prefix}range-test.{ending}"));
        std::fs::write(&path, bytes)
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(())
}

fn has_figures(curves: &[Curve]) -> bool {
    let mut points = curves.iter().flat_map(|curve| &curve.points);
    points.all(|point| point.figure.is_some())
}

/// Whether the rates of a curve rise by equal factors, rather than by equal steps.
fn is_exponential(curve: &Curve) -> bool {
    let points = &curve.points;
    match (points.first(), points.get(points.len() / 2), points.last()) {
        (Some(first), Some(middle), Some(last)) => {
            first.lr > 0.0 && middle.lr < 0.25 * (first.lr + last.lr)
        }
        _ => false,
    }
}

fn faint(curve: &Curve, figures: bool) -> Series {
    let value = |p: &CurvePoint| if figures { p.figure } else { p.loss };
    let points = curve.points.iter();
    let points = points.filter_map(|p| Some((p.lr, value(p).filter(|y| y.is_finite())?)));
    Series {
        label: String::from("updates"),
        colour: 0,
        form: Form::Points,
        points: points.map(|(x, y)| Point::at(x, y)).collect(),
    }
}

/// The smoothed line of a curve; none if it is too short for one.
fn line(n: usize, of: usize, curve: &Curve) -> Option<Series> {
    // A curve that was recorded has been read as a sweep before it is drawn.
    let points = smoothed(&curve.sweep().ok()?);
    (!points.is_empty()).then(|| Series {
        label: if of > 1 {
            format!("repeat {}", n + 1)
        } else {
            String::from("smoothed")
        },
        colour: n + 1,
        form: Form::Line,
        points: points.into_iter().map(|(x, y)| Point::at(x, y)).collect(),
    })
}
