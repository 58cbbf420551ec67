//! Charts as SVG and PNG files.

use std::ops::Range;
use std::sync::Once;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::Scaled;
use super::{COLOURS, Chart, DASHES, Form, Point, Series, legend, legend::Legend};

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
    let legends = legends(charts, size, 1)?;
    let whole = whole(&legends, size, 1);
    let area = SVGBackend::with_string(&mut text, whole).into_drawing_area();
    draw(&area, charts, &legends, 1)?;
    drop(area);
    // XML has no place for control characters, escaped or not.
    text.retain(|c| c == '\n' || !c.is_control());
    Ok(text)
}

/// The charts, one below the other, as a PNG file, of two pixels to a point.
pub(crate) fn png(charts: &[Chart], size: Size) -> Result<Vec<u8>, DrawError> {
    let legends = legends(charts, size, 2)?;
    let (width, height) = whole(&legends, size, 2);
    let mut pixels = vec![255; (width * height * 3) as usize];
    let area = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
    draw(&area, charts, &legends, 2)?;
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

fn legends(charts: &[Chart], (width, _): Size, scale: u32) -> Result<Vec<Legend<'_>>, DrawError> {
    register_font();
    let legends = charts
        .iter()
        .map(|chart| chart.legend(width * scale, scale));
    legends.collect()
}

/// The size of a file, in pixels. Each row of a legend after the first makes the charts higher.
fn whole(legends: &[Legend<'_>], (width, height): Size, scale: u32) -> Size {
    let rows = legends.iter().map(Legend::rows).max().unwrap_or(0);
    let height = height + legend::ROW * rows.saturating_sub(1);
    (width * scale, height * scale * legends.len() as u32)
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
    legends: &[Legend<'_>],
    scale: u32,
) -> Result<(), DrawError> {
    area.fill(&WHITE).map_err(|e| failed("page", &e))?;
    let parts = area.split_evenly((charts.len(), 1));
    for ((chart, legend), part) in charts.iter().zip(legends).zip(parts) {
        chart
            .draw(&part, legend, scale)
            .map_err(|e| failed(&chart.id, &e))?;
    }
    area.present().map_err(|e| failed("page", &e))
}

impl Chart {
    /// The legend; none of a chart that is drawn as rows.
    fn legend(&self, width: u32, scale: u32) -> Result<Legend<'_>, DrawError> {
        let named: &[Series] = if self.x.names.is_empty() {
            &self.series
        } else {
            &[]
        };
        Legend::new(named, width, scale).map_err(|error| failed(&self.id, &error))
    }

    /// Draws at `scale` pixels to a point.
    fn draw<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        legend: &Legend<'_>,
        scale: u32,
    ) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        if !self.x.names.is_empty() {
            return self.draw_rows(area, scale);
        }
        let px = |points: u32| points * scale;
        let text = |points: u32| text(points, scale);
        let x = Scaled::new(self.x_extent(), self.x.log, &[]);
        let y = Scaled::new(self.y_extent(), self.y.log, &[]);
        let mut builder = ChartBuilder::on(area);
        if !self.title.is_empty() {
            builder.caption(&self.title, text(20));
        }
        let mut chart = builder
            .margin(px(14))
            .margin_bottom(px(8) + px(legend::ROW) * legend.rows())
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
        legend.draw(area, scale)
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
            // The pixels are those of the whole file, and `area` counts from its own corner.
            let (left, top) = area.get_base_pixel();
            let line: Vec<(f64, f64)> = points
                .iter()
                .filter_map(|p| Some(chart.backend_coord(&(p.x, p.y?))))
                .map(|(x, y)| (f64::from(x - left), f64::from(y - top)))
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
pub(super) fn draw_dashes<B: DrawingBackend>(
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

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = (720, 300);

    fn chart(labels: &[&str]) -> Chart {
        let line = |label: &&str| {
            (
                String::from(*label),
                vec![(0.0, 0.1), (50.0, 0.4), (100.0, 0.2)],
            )
        };
        Chart::lines("update", "rate", labels.iter().map(line))
    }

    /// What stands between `before` and `after`, everywhere in a text.
    fn between<'a>(text: &'a str, before: &str, after: &str) -> Vec<&'a str> {
        let parts = text.split(before).skip(1);
        parts
            .filter_map(|part| Some(part.split_once(after)?.0))
            .collect()
    }

    #[test]
    fn a_chart_below_another_is_drawn_as_the_one_above() {
        let svg = svg(&[chart(&["a"]), chart(&["a"])], SIZE).expect("a drawing");
        let lines = between(&svg, "stroke-width=\"2\" points=\"", "\"");
        let pixels = |line: &str| -> Vec<(i32, i32)> {
            let pair = |pair: &str| {
                let (x, y) = pair.split_once(',').expect("a pair");
                (x.parse().expect("a number"), y.parse().expect("a number"))
            };
            line.split_whitespace().map(pair).collect()
        };
        let [above, below] = lines.as_slice() else {
            panic!("{} lines of two charts", lines.len());
        };
        let moved: Vec<(i32, i32)> = pixels(above).iter().map(|(x, y)| (*x, y + 300)).collect();
        assert_eq!(pixels(below), moved);
        assert!(
            moved.iter().all(|(_, y)| (300..600).contains(y)),
            "{moved:?}"
        );
    }

    #[test]
    fn names_that_do_not_fit_beside_each_other_stand_below_each_other() {
        let names = ["a", "b", "c"].map(|letter| letter.repeat(60));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let text = svg(&[chart(&names)], SIZE).expect("a drawing");
        let mut heights: Vec<&str> = Vec::new();
        for name in &names {
            let (before, _) = text.split_once(name).expect("the whole name");
            let start = before.rfind("<text x=\"").expect("a text");
            let place = between(&before[start..], "=\"", "\"");
            assert!(
                place[0].parse::<i32>().is_ok_and(|x| x >= 30),
                "{name} at {place:?}"
            );
            heights.push(place[1]);
        }
        heights.dedup();
        assert_eq!(heights.len(), 3);
        let one_row = svg(&[chart(&["a", "b", "c"])], SIZE).expect("a drawing");
        let height = |svg: &str| between(svg, "height=\"", "\"")[0].parse::<u32>().ok();
        assert_eq!((height(&one_row), height(&text)), (Some(300), Some(344)));
    }
}
