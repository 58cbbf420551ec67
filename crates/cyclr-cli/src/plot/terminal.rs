//! A chart in the terminal: braille dots, coloured where several lines share it and the output is a terminal.

use std::io::IsTerminal;

use anstyle::{RgbColor, Style};
use rgb::RGB8;
use textplots::{Chart as TextChart, ColorPlot, LabelBuilder, LabelFormat, Plot, Shape};

use crate::plot::chart::{COLOURS, Chart};

/// Columns that the labels beside the plot take.
const LABEL_COLUMNS: u16 = 12;
/// Columns and rows where there is no terminal to ask.
const DEFAULT_SIZE: (u16, u16) = (80, 24);

/// The chart as text, as wide as the terminal.
pub(crate) fn draw(chart: &Chart) -> String {
    let coloured = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let (columns, rows) = size();
    let (width, height) = (
        u32::from(columns.saturating_sub(LABEL_COLUMNS)) * 2,
        u32::from(rows) * 4,
    );
    format!(
        "{}{}",
        legend(chart, coloured),
        plot(chart, width.max(40), height.max(20), coloured)
    )
}

/// The plot's columns and rows: half as high as the terminal, and no larger than can be read.
fn size() -> (u16, u16) {
    let (columns, rows) =
        terminal_size::terminal_size().map_or(DEFAULT_SIZE, |(columns, rows)| (columns.0, rows.0));
    (columns.min(140), (rows / 2).clamp(6, 24))
}

fn plot(chart: &Chart, width: u32, height: u32, coloured: bool) -> String {
    let Some(((left, right), (low, high))) = chart.ranges() else {
        return String::new();
    };
    let points: Vec<Vec<(f32, f32)>> = chart
        .lines
        .iter()
        .map(|line| {
            line.points
                .iter()
                .map(|&(x, y)| (x as f32, y as f32))
                .collect()
        })
        .collect();
    let shapes: Vec<Shape> = points.iter().map(|points| Shape::Lines(points)).collect();
    let mut canvas = TextChart::new_with_y_range(
        width,
        height,
        left as f32,
        right as f32,
        low as f32,
        high as f32,
    );
    let mut drawn =
        canvas.x_label_format(LabelFormat::Custom(Box::new(|x| format!("{}", x.round()))));
    drawn = drawn.y_label_format(LabelFormat::Custom(Box::new(|y| {
        crate::plot::chart::label(f64::from(y))
    })));
    for (n, shape) in shapes.iter().enumerate() {
        drawn = if coloured {
            drawn.linecolorplot(shape, colour(n))
        } else {
            drawn.lineplot(shape)
        };
    }
    drawn.axis();
    drawn.figures();
    drawn.to_string().replace('\u{2800}', " ")
}

/// What the axes show, and which line is which.
fn legend(chart: &Chart, coloured: bool) -> String {
    let mut legend = format!("{} against {}\n", chart.y, chart.x);
    if chart.lines.len() > 1 {
        for (n, line) in chart.lines.iter().enumerate() {
            let RGB8 { r, g, b } = colour(n);
            let style = if coloured {
                Style::new().fg_color(Some(RgbColor(r, g, b).into()))
            } else {
                Style::new()
            };
            legend += &format!("  {style}{}{style:#}\n", line.name);
        }
    }
    legend
}

fn colour(n: usize) -> RGB8 {
    let (r, g, b) = COLOURS[n % COLOURS.len()];
    RGB8 { r, g, b }
}
