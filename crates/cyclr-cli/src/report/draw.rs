//! Charts as SVG and PNG files.

use std::ops::Range;
use std::sync::Once;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::chart::{COLOURS, Chart, DASHES, Form, Point, Series};

const WIDTH: u32 = 960;
const HEIGHT: u32 = 540;
const INK: RGBColor = RGBColor(40, 44, 52);
const SOFT: RGBColor = RGBColor(130, 138, 148);
const PALE: RGBColor = RGBColor(226, 229, 233);

/// A chart could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("the chart `{id}` could not be drawn: {reason}")]
pub(crate) struct DrawError {
    id: String,
    reason: String,
}

impl Chart {
    /// The chart as an SVG file, dark on white.
    pub(crate) fn svg(&self) -> Result<String, DrawError> {
        let mut text = String::new();
        let area = SVGBackend::with_string(&mut text, (WIDTH, HEIGHT)).into_drawing_area();
        self.draw(&area, 1).map_err(|e| self.failed(&e))?;
        drop(area);
        Ok(text)
    }

    /// The chart as a PNG file, twice as fine as the SVG's pixels.
    pub(crate) fn png(&self) -> Result<Vec<u8>, DrawError> {
        let (width, height) = (2 * WIDTH, 2 * HEIGHT);
        let mut pixels = vec![255; (width * height * 3) as usize];
        let area = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
        self.draw(&area, 2).map_err(|e| self.failed(&e))?;
        drop(area);
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, width, height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header().map_err(|e| self.failed(&e))?;
        writer
            .write_image_data(&pixels)
            .map_err(|e| self.failed(&e))?;
        writer.finish().map_err(|e| self.failed(&e))?;
        Ok(file)
    }

    fn failed(&self, error: &dyn std::error::Error) -> DrawError {
        DrawError {
            id: self.id.clone(),
            reason: error.to_string(),
        }
    }

    /// Draws at `scale` pixels to a point.
    fn draw<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        scale: u32,
    ) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        register_font();
        area.fill(&WHITE)?;
        let px = |points: u32| points * scale;
        let step = |points: u32| px(points).cast_signed();
        let text = |points: u32| ("sans-serif", px(points)).into_font().color(&INK);
        let x = Scaled::new(self.x_extent(), self.x.log, &self.x.names);
        let y = Scaled::new(self.y_extent(), self.y.log, &[]);
        let legend = px(22) * u32::from(self.series.len() > 1 && self.x.names.is_empty());
        let mut chart = ChartBuilder::on(area)
            .caption(&self.title, text(20))
            .margin(px(14))
            .margin_bottom(px(8) + legend)
            .x_label_area_size(px(48))
            .y_label_area_size(px(70))
            .build_cartesian_2d(x, y)?;
        chart
            .configure_mesh()
            .x_desc(&self.x.label)
            .y_desc(&self.y.label)
            .axis_desc_style(text(15))
            .label_style(text(13))
            .axis_style(INK)
            .bold_line_style(PALE)
            .light_line_style(TRANSPARENT)
            .draw()?;
        let Range {
            start: bottom,
            end: top,
        } = chart.y_range();
        for shade in &self.shades {
            let corners = [(shade.from, bottom), (shade.to, top)];
            let fill = RGBColor(0, 130, 100).mix(0.13).filled();
            chart.draw_series([Rectangle::new(corners, fill)])?;
            let style = text(13).pos(Pos::new(HPos::Left, VPos::Top));
            let label = EmptyElement::at((shade.from, top))
                + Text::new(shade.label.clone(), (step(5), step(4)), style);
            chart.draw_series([label])?;
        }
        let Range {
            start: left,
            end: right,
        } = chart.x_range();
        for level in &self.levels {
            let ends = [(left, level.at), (right, level.at)];
            chart.draw_series(DashedLineSeries::new(
                ends,
                step(3),
                step(3),
                SOFT.stroke_width(scale),
            ))?;
            let style = text(13).pos(Pos::new(HPos::Right, VPos::Bottom));
            let label = EmptyElement::at((right, level.at))
                + Text::new(level.label.clone(), (-step(4), -step(3)), style);
            chart.draw_series([label])?;
        }
        for series in &self.series {
            draw_series(area, &mut chart, series, scale)?;
        }
        drop(chart);
        if legend > 0 {
            self.draw_legend(area, scale)?;
        }
        area.present()
    }

    /// The names of the series in a row at the foot.
    fn draw_legend<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        scale: u32,
    ) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        let px = |points: u32| (points * scale).cast_signed();
        let (width, height) = area.dim_in_pixel();
        let style = ("sans-serif", 14 * scale).into_font().color(&INK);
        let sizes: Vec<i32> = self
            .series
            .iter()
            .map(|s| Ok(area.estimate_text_size(&s.label, &style)?.0.cast_signed() + px(46)))
            .collect::<Result<_, DrawingAreaErrorKind<B::ErrorType>>>()?;
        let mut at = (width.cast_signed() - sizes.iter().sum::<i32>()) / 2;
        let y = height.cast_signed() - px(18);
        for (series, size) in self.series.iter().zip(sizes) {
            let line = [
                (f64::from(at), f64::from(y)),
                (f64::from(at + px(24)), f64::from(y)),
            ];
            draw_dashes(area, &line, series, scale)?;
            let style = style.pos(Pos::new(HPos::Left, VPos::Center));
            area.draw(&Text::new(series.label.as_str(), (at + px(30), y), style))?;
            at += size;
        }
        Ok(())
    }
}

fn draw_series<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    chart: &mut ChartContext<B, Cartesian2d<Scaled, Scaled>>,
    series: &Series,
    scale: u32,
) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
    let colour = colour(series);
    for points in unbroken(&series.points) {
        let upper = points.iter().filter_map(|p| Some((p.x, p.high?)));
        let lower = points.iter().rev().filter_map(|p| Some((p.x, p.low?)));
        if series.form == Form::Whiskers {
            for (low, high) in lower.rev().zip(upper) {
                chart.draw_series([PathElement::new(
                    vec![low, high],
                    colour.stroke_width(2 * scale),
                )])?;
            }
        } else {
            let band: Vec<(f64, f64)> = upper.chain(lower).collect();
            chart.draw_series([Polygon::new(band, colour.mix(0.12))])?;
            let line: Vec<(f64, f64)> = points
                .iter()
                .filter_map(|p| Some(chart.backend_coord(&(p.x, p.y?))))
                .map(|(x, y)| (f64::from(x), f64::from(y)))
                .collect();
            draw_dashes(area, &line, series, scale)?;
        }
        if series.form != Form::Line {
            let dots = points.iter().filter_map(|p| Some((p.x, p.y?)));
            chart.draw_series(dots.map(|at| Circle::new(at, 4 * scale, colour.filled())))?;
        }
    }
    Ok(())
}

/// Draws a line of pixels in the dashes and colour of its series.
fn draw_dashes<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    line: &[(f64, f64)],
    series: &Series,
    scale: u32,
) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
    for dash in dashes(line, series, scale) {
        let dash: Vec<(i32, i32)> = dash
            .iter()
            .map(|&(x, y)| (x.round() as i32, y.round() as i32))
            .collect();
        area.draw(&PathElement::new(
            dash,
            colour(series).stroke_width(2 * scale),
        ))?;
    }
    Ok(())
}

fn colour(series: &Series) -> RGBColor {
    let (r, g, b) = COLOURS[series.colour % COLOURS.len()];
    RGBColor(r, g, b)
}

/// The stretches between gaps.
fn unbroken(points: &[Point]) -> impl Iterator<Item = &[Point]> {
    points
        .split(|point| point.y.is_none())
        .filter(|points| !points.is_empty())
}

/// A line cut into the dashes of its series.
fn dashes(line: &[(f64, f64)], series: &Series, scale: u32) -> Vec<Vec<(f64, f64)>> {
    let pattern = DASHES[series.colour % DASHES.len()];
    if pattern.is_empty() || line.len() < 2 {
        return vec![line.to_vec()];
    }
    let mut lengths = pattern.iter().cycle().map(|&d| f64::from(d * scale));
    let mut left = lengths.next().unwrap_or(f64::INFINITY);
    let mut on = true;
    let mut dashes = Vec::new();
    let mut dash = vec![line[0]];
    for ends in line.windows(2) {
        let (mut from, to) = (ends[0], ends[1]);
        let mut rest = (to.0 - from.0).hypot(to.1 - from.1);
        while rest > left {
            let z = left / rest;
            from = (from.0 + z * (to.0 - from.0), from.1 + z * (to.1 - from.1));
            dash.push(from);
            if on {
                dashes.push(std::mem::take(&mut dash));
            }
            (on, rest, dash) = (!on, rest - left, vec![from]);
            left = lengths.next().unwrap_or(f64::INFINITY);
        }
        left -= rest;
        dash.push(to);
    }
    if on {
        dashes.push(dash);
    }
    dashes
}

/// An axis with numbers, straight or logarithmic, or with names.
#[derive(Clone)]
struct Scaled {
    low: f64,
    high: f64,
    log: bool,
    names: Vec<String>,
}

impl Scaled {
    fn new(extent: Option<(f64, f64)>, log: bool, names: &[String]) -> Self {
        let names = names.to_vec();
        if !names.is_empty() {
            let (low, high) = (-0.5, names.len() as f64 - 0.5);
            return Self {
                low,
                high,
                log,
                names,
            };
        }
        let (low, high) = extent.unwrap_or((if log { 0.1 } else { 0.0 }, 1.0));
        let (low, high) = if low < high {
            (low, high)
        } else if log {
            (low / 2.0, high * 2.0)
        } else {
            (low - 0.5, high + 0.5)
        };
        let room = if log {
            (high / low).powf(0.03)
        } else {
            0.03 * (high - low)
        };
        let (low, high) = match (log, low == 0.0) {
            (true, _) => (low / room, high * room),
            // An axis that starts at 0 stays there.
            (false, true) => (0.0, high + room),
            (false, false) => (low - room, high + room),
        };
        Self {
            low,
            high,
            log,
            names,
        }
    }

    fn share(&self, value: f64) -> f64 {
        if self.log {
            (value.max(self.low) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        }
    }

    /// Round numbers, about `wanted` of them.
    fn ticks(&self, wanted: usize) -> Vec<f64> {
        if !self.names.is_empty() {
            return (0..self.names.len()).map(|n| n as f64).collect();
        }
        if self.log {
            return self.log_ticks(wanted);
        }
        let rough = (self.high - self.low) / wanted.max(1) as f64;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power);
        let step = step.into_iter().find(|s| *s >= rough).unwrap_or(rough);
        let (first, last) = ((self.low / step).ceil(), (self.high / step).floor());
        (0..=(last - first).max(0.0) as u32)
            .map(|k| (first + f64::from(k)) * step)
            .collect()
    }

    /// Powers of ten, with 2 and 5 times them where there is room.
    fn log_ticks(&self, wanted: usize) -> Vec<f64> {
        let (first, last) = (
            self.low.log10().floor() as i32,
            self.high.log10().ceil() as i32,
        );
        let inside = |x: &f64| (self.low..=self.high).contains(x);
        let ticks = |factors: &[f64]| -> Vec<f64> {
            let powers =
                (first..=last).flat_map(|e| factors.iter().map(move |f| f * 10f64.powi(e)));
            powers.filter(inside).collect()
        };
        let fine = ticks(&[1.0, 2.0, 5.0]);
        if fine.len() <= wanted.max(4) {
            fine
        } else {
            ticks(&[1.0])
        }
    }
}

impl Ranged for Scaled {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let width = f64::from(limit.1 - limit.0);
        limit.0 + (self.share(*value) * width).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        self.ticks(hint.bold_points().min(8))
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

impl ValueFormatter<f64> for Scaled {
    fn format_ext(&self, value: &f64) -> String {
        match self.names.get(value.round().max(0.0) as usize) {
            Some(name) => name.clone(),
            None => short(*value),
        }
    }
}

/// A number in few digits.
fn short(value: f64) -> String {
    let digits = format!("{value:.4e}");
    let rounded: f64 = digits.parse().unwrap_or(value);
    if rounded == 0.0 || (1e-4..1e7).contains(&rounded.abs()) {
        format!("{rounded}")
    } else {
        format!("{rounded:e}")
    }
}

/// The letters of PNG files; an SVG leaves them to whoever shows it.
fn register_font() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let font = include_bytes!("../../assets/Roboto-Subset.ttf");
        // It fails only on a damaged font, and the tests draw with this one.
        let _ = plotters::style::register_font("sans-serif", FontStyle::Normal, font);
    });
}
