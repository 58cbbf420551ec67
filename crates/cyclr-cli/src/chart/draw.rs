//! Charts as SVG and PNG files.

use std::ops::Range;
use std::sync::Once;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::Scaled;
use super::{COLOURS, Chart, DASHES, Form, Point, Series};

pub(super) const INK: RGBColor = RGBColor(40, 44, 52);
pub(super) const SOFT: RGBColor = RGBColor(130, 138, 148);
pub(super) const PALE: RGBColor = RGBColor(226, 229, 233);

/// A chart could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("the chart `{id}` could not be drawn: {reason}")]
pub(crate) struct DrawError {
    id: String,
    reason: String,
}

/// The width and height of each chart of a file, in points.
pub(crate) type Size = (u32, u32);

/// The charts, one below the other, as an SVG file, dark on white.
pub(crate) fn svg(charts: &[Chart], size: Size) -> Result<String, DrawError> {
    let mut text = String::new();
    let area = SVGBackend::with_string(&mut text, whole(charts, size, 1)).into_drawing_area();
    draw(&area, charts, 1)?;
    drop(area);
    // XML has no place for control characters, escaped or not.
    text.retain(|c| c == '\n' || !c.is_control());
    Ok(text)
}

/// The charts, one below the other, as a PNG file, of two pixels to a point.
pub(crate) fn png(charts: &[Chart], size: Size) -> Result<Vec<u8>, DrawError> {
    let (width, height) = whole(charts, size, 2);
    let mut pixels = vec![255; (width * height * 3) as usize];
    let area = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
    draw(&area, charts, 2)?;
    drop(area);
    encoded(&pixels, width, height).map_err(|error| failed("png", &error))
}

fn encoded(pixels: &[u8], width: u32, height: u32) -> Result<Vec<u8>, png::EncodingError> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(file)
}

/// The size of a file, in pixels.
fn whole(charts: &[Chart], (width, height): Size, scale: u32) -> Size {
    (width * scale, height * scale * charts.len() as u32)
}

fn failed(id: &str, error: &dyn std::error::Error) -> DrawError {
    DrawError {
        id: id.to_owned(),
        reason: error.to_string(),
    }
}

fn draw<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    charts: &[Chart],
    scale: u32,
) -> Result<(), DrawError> {
    register_font();
    area.fill(&WHITE).map_err(|e| failed("page", &e))?;
    for (chart, part) in charts.iter().zip(area.split_evenly((charts.len(), 1))) {
        chart
            .draw(&part, scale)
            .map_err(|e| failed(&chart.id, &e))?;
    }
    area.present().map_err(|e| failed("page", &e))
}

impl Chart {
    /// Draws at `scale` pixels to a point.
    fn draw<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        scale: u32,
    ) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        if !self.x.names.is_empty() {
            return self.draw_rows(area, scale);
        }
        let px = |points: u32| points * scale;
        let text = |points: u32| text(points, scale);
        let x = Scaled::new(self.x_extent(), self.x.log, &[]);
        let y = Scaled::new(self.y_extent(), self.y.log, &[]);
        let legend = px(22) * u32::from(self.series.len() > 1);
        let mut builder = ChartBuilder::on(area);
        if !self.title.is_empty() {
            builder.caption(&self.title, text(20));
        }
        let mut chart = builder
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
        self.draw_shades(&mut chart, scale)?;
        self.draw_levels(&mut chart, scale)?;
        for series in &self.series {
            draw_series(area, &mut chart, series, scale)?;
        }
        drop(chart);
        if legend > 0 {
            self.draw_legend(area, scale)?;
        }
        Ok(())
    }

    /// The shaded stretches of x, each with its name at the top.
    fn draw_shades<B: DrawingBackend>(
        &self,
        chart: &mut Context<'_, B>,
        scale: u32,
    ) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        let step = |points: u32| (points * scale).cast_signed();
        let Range {
            start: bottom,
            end: top,
        } = chart.y_range();
        for shade in &self.shades {
            let corners = [(shade.from, bottom), (shade.to, top)];
            let fill = RGBColor(0, 130, 100).mix(0.13).filled();
            chart.draw_series([Rectangle::new(corners, fill)])?;
            let style = text(13, scale).pos(Pos::new(HPos::Left, VPos::Top));
            let label = EmptyElement::at((shade.from, top))
                + Text::new(shade.label.clone(), (step(5), step(4)), style);
            chart.draw_series([label])?;
        }
        Ok(())
    }

    /// The dashed levels of y, each with its name at the right end.
    fn draw_levels<B: DrawingBackend>(
        &self,
        chart: &mut Context<'_, B>,
        scale: u32,
    ) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        let step = |points: u32| (points * scale).cast_signed();
        let Range {
            start: left,
            end: right,
        } = chart.x_range();
        for level in &self.levels {
            let ends = [(left, level.at), (right, level.at)];
            let line = SOFT.stroke_width(scale);
            chart.draw_series(DashedLineSeries::new(ends, step(3), step(3), line))?;
            let style = text(13, scale).pos(Pos::new(HPos::Right, VPos::Bottom));
            let label = EmptyElement::at((right, level.at))
                + Text::new(level.label.clone(), (-step(4), -step(3)), style);
            chart.draw_series([label])?;
        }
        Ok(())
    }

    /// The names of the series in a row at the foot.
    fn draw_legend<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        scale: u32,
    ) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        let px = |points: u32| (points * scale).cast_signed();
        let (width, height) = area.dim_in_pixel();
        let style = text(14, scale);
        let sizes: Vec<i32> = self
            .series
            .iter()
            .map(|s| Ok(area.estimate_text_size(&s.label, &style)?.0.cast_signed() + px(46)))
            .collect::<Result<_, DrawingAreaErrorKind<B::ErrorType>>>()?;
        let mut at = (width.cast_signed() - sizes.iter().sum::<i32>()) / 2;
        let y = height.cast_signed() - px(18);
        for (series, size) in self.series.iter().zip(sizes) {
            if series.form == Form::Points {
                let dot = Circle::new((at + px(12), y), 4 * scale, colour(series).filled());
                area.draw(&dot)?;
            } else {
                let line = [
                    (f64::from(at), f64::from(y)),
                    (f64::from(at + px(24)), f64::from(y)),
                ];
                draw_dashes(area, &line, series, scale)?;
            }
            let style = style.pos(Pos::new(HPos::Left, VPos::Center));
            area.draw(&Text::new(series.label.as_str(), (at + px(30), y), style))?;
            at += size;
        }
        Ok(())
    }
}

/// A chart's axes on an area.
pub(super) type Context<'a, B> = ChartContext<'a, B, Cartesian2d<Scaled, Scaled>>;

pub(super) fn text(points: u32, scale: u32) -> TextStyle<'static> {
    ("sans-serif", points * scale).into_font().color(&INK)
}

fn draw_series<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    chart: &mut Context<'_, B>,
    series: &Series,
    scale: u32,
) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
    let colour = colour(series);
    for points in unbroken(&series.points) {
        let upper = points.iter().filter_map(|p| Some((p.x, p.high?)));
        let lower = points.iter().rev().filter_map(|p| Some((p.x, p.low?)));
        if series.form != Form::Points {
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
            let (size, style) = if series.form == Form::Points && series.colour == 0 {
                (2 * scale, colour.mix(0.35).filled())
            } else {
                (4 * scale, colour.filled())
            };
            chart.draw_series(dots.map(|at| Circle::new(at, size, style)))?;
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

pub(super) fn colour(series: &Series) -> RGBColor {
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

/// The letters of PNG files; an SVG leaves them to the program that shows it.
fn register_font() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let font = include_bytes!("../../assets/Roboto-Subset.ttf");
        // It fails only on a damaged font, and the tests draw with this one.
        let _ = plotters::style::register_font("sans-serif", FontStyle::Normal, font);
    });
}
