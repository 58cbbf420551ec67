//! Line charts in files: SVG and PNG, drawn by plotters, with a font of our own so that they look the same everywhere.

use std::sync::Once;

use anyhow::anyhow;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::FontStyle;

/// Lines over one pair of axes.
pub(crate) struct Chart {
    /// What the horizontal axis shows, with its unit.
    pub(crate) x: &'static str,
    /// What the vertical axis shows, with its unit.
    pub(crate) y: &'static str,
    pub(crate) lines: Vec<Line>,
}

/// One line of a chart.
pub(crate) struct Line {
    pub(crate) name: String,
    /// From left to right; finite.
    pub(crate) points: Vec<(f64, f64)>,
}

/// The colours of the lines, in turn: told apart also by those who do not see red and green (after Okabe and Ito).
pub(crate) const COLOURS: [(u8, u8, u8); 6] = [
    (0, 114, 178),
    (213, 94, 0),
    (0, 158, 115),
    (204, 121, 167),
    (230, 159, 0),
    (86, 180, 233),
];

/// The width of a file's chart, and the height of each.
const WIDTH: u32 = 720;
const HEIGHT: u32 = 300;

type Range = (f64, f64);

impl Chart {
    /// The ranges of the points; `None` where there is nothing to show. Neither is empty.
    pub(crate) fn ranges(&self) -> Option<(Range, Range)> {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let span = |values: &mut dyn Iterator<Item = f64>| {
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
                (low.min(v), high.max(v))
            })
        };
        points().next()?;
        let (left, right) = span(&mut points().map(|p| p.0));
        let (low, high) = span(&mut points().map(|p| p.1));
        let right = if right > left { right } else { left + 1.0 };
        let half = if high > low {
            0.0
        } else {
            0.5 * high.abs().max(1e-30)
        };
        Some(((left, right), (low - half, high + half)))
    }
}

/// A number as short as an axis wants it.
pub(crate) fn label(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 {
        String::from("0")
    } else if (1e-3..1e5).contains(&size) {
        let digits = (3 - size.log10().floor() as i32).clamp(0, 6) as usize;
        let text = format!("{value:.digits$}");
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text
        }
    } else {
        format!("{value:.2e}").replace(".00e", "e")
    }
}

/// The charts, one below the other, as SVG.
pub(crate) fn svg(charts: &[Chart]) -> anyhow::Result<String> {
    let mut text = String::new();
    draw(
        &SVGBackend::with_string(&mut text, size(charts)).into_drawing_area(),
        charts,
    )?;
    Ok(text)
}

/// The charts, one below the other, as PNG.
pub(crate) fn png(charts: &[Chart]) -> anyhow::Result<Vec<u8>> {
    let (width, height) = size(charts);
    let mut pixels = vec![0; 3 * (width * height) as usize];
    draw(
        &BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area(),
        charts,
    )?;
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header()?.write_image_data(&pixels)?;
    Ok(bytes)
}

fn size(charts: &[Chart]) -> (u32, u32) {
    (WIDTH, HEIGHT * charts.len() as u32)
}

fn draw<B: DrawingBackend>(area: &DrawingArea<B, Shift>, charts: &[Chart]) -> anyhow::Result<()> {
    load_font()?;
    // A backend's error borrows from the backend, so that its words are all that can be kept.
    let kept =
        |error: DrawingAreaErrorKind<B::ErrorType>| anyhow!("the chart cannot be drawn: {error}");
    area.fill(&WHITE).map_err(kept)?;
    for (chart, part) in charts.iter().zip(area.split_evenly((charts.len(), 1))) {
        draw_one(&part, chart).map_err(kept)?;
    }
    area.present().map_err(kept)
}

fn draw_one<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    chart: &Chart,
) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
    let Some(((left, right), (low, high))) = chart.ranges() else {
        return Ok(());
    };
    let air = 0.05 * (high - low);
    let (low, high) = (
        if low >= 0.0 {
            (low - air).max(0.0)
        } else {
            low - air
        },
        high + air,
    );
    let mut axes = ChartBuilder::on(area)
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(70)
        .build_cartesian_2d(left..right, low..high)?;
    axes.configure_mesh()
        .x_desc(chart.x)
        .y_desc(chart.y)
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .axis_style(BLACK.mix(0.5))
        .label_style((FONT, 13))
        .axis_desc_style((FONT, 14))
        .x_label_formatter(&|x| label(*x))
        .y_label_formatter(&|y| label(*y))
        .draw()?;
    for (n, line) in chart.lines.iter().enumerate() {
        let (r, g, b) = COLOURS[n % COLOURS.len()];
        let colour = RGBColor(r, g, b);
        let series = axes.draw_series(LineSeries::new(
            line.points.iter().copied(),
            colour.stroke_width(2),
        ))?;
        let name = if line.name.chars().count() > 70 {
            format!("{}…", line.name.chars().take(69).collect::<String>())
        } else {
            line.name.clone()
        };
        series
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    if chart.lines.len() > 1 {
        axes.configure_series_labels()
            .background_style(WHITE.mix(0.85))
            .border_style(BLACK.mix(0.2))
            .label_font((FONT, 13))
            .draw()?;
    }
    Ok(())
}

const FONT: &str = "sans-serif";

/// Gives plotters its font, once.
fn load_font() -> anyhow::Result<()> {
    static LOADED: Once = Once::new();
    let mut refused = false;
    LOADED.call_once(|| {
        let bytes = include_bytes!("../../assets/Roboto-Subset.ttf");
        refused = plotters::style::register_font(FONT, FontStyle::Normal, bytes).is_err();
    });
    if refused {
        Err(anyhow!("the built-in font cannot be read"))
    } else {
        Ok(())
    }
}
