//! A chart in the terminal, in braille: two by four dots a character, coloured where the output is a terminal.

use std::io::IsTerminal;

use anstyle::{RgbColor, Style};

use super::{COLOURS_ON_DARK, Chart, Series, short};

/// Columns and rows where there is no terminal to ask.
const DEFAULT_SIZE: (u16, u16) = (80, 24);
/// The vertical axis is labelled at every so many rows.
const LABEL_ROWS: usize = 4;

/// The chart as text, as wide as the terminal and half as high; empty where there is nothing to show.
pub(crate) fn draw(chart: &Chart) -> String {
    let coloured = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let (columns, rows) =
        terminal_size::terminal_size().map_or(DEFAULT_SIZE, |(columns, rows)| (columns.0, rows.0));
    let (columns, rows) = (
        usize::from(columns.clamp(40, 160)),
        usize::from((rows / 2).clamp(6, 24)),
    );
    let (Some(x), Some(y)) = (chart.x_extent(), chart.y_extent()) else {
        return String::new();
    };
    let ((left, right), (low, high)) = (opened(x), opened(y));

    let row_value = |row: usize| high - (high - low) * row as f64 / (rows - 1) as f64;
    let labels: Vec<String> = (0..rows)
        .map(|row| {
            if labelled(row, rows) {
                short(row_value(row))
            } else {
                String::new()
            }
        })
        .collect();
    let margin = labels.iter().map(String::len).max().unwrap_or(0);
    let width = columns - margin - 3;

    let mut canvas = Canvas::new(width, rows);
    for series in &chart.series {
        let places: Vec<(i64, i64)> = series
            .points
            .iter()
            .filter_map(|point| Some((point.x, point.y?)))
            .map(|(x, y)| {
                (
                    canvas_place(x, left, right, 2 * width),
                    canvas_place(y, high, low, 4 * rows),
                )
            })
            .collect();
        for (from, to) in places
            .iter()
            .zip(places.iter().skip(1).chain(places.last()))
        {
            canvas.line(*from, *to, series.colour);
        }
    }
    let mut text = legend(chart, coloured);
    for (row, label) in labels.iter().enumerate() {
        let tick = if label.is_empty() { '│' } else { '┤' };
        text += &format!("{label:>margin$} {tick}{}\n", canvas.row(row, coloured));
    }
    let (from, to) = (short(left), short(right));
    let gap = width.saturating_sub(from.len() + to.len());
    text + &format!(
        "{:margin$} └{}\n{:margin$}  {from}{:gap$}{to}\n",
        "",
        "─".repeat(width),
        "",
        ""
    )
}

/// A range that is not empty.
fn opened((low, high): (f64, f64)) -> (f64, f64) {
    let half = 0.5 * high.abs().max(1e-30);
    if high > low {
        (low, high)
    } else {
        (low - half, high + half)
    }
}

fn labelled(row: usize, rows: usize) -> bool {
    row + 1 == rows || (row.is_multiple_of(LABEL_ROWS) && row + 2 < rows)
}

/// Where, in dots, a value stands on an axis of `dots` dots that goes from `start` to `stop`.
fn canvas_place(value: f64, start: f64, stop: f64, dots: usize) -> i64 {
    ((value - start) / (stop - start) * (dots - 1) as f64).round() as i64
}

/// What the axes show, and which line is which.
fn legend(chart: &Chart, coloured: bool) -> String {
    let mut legend = vec![format!("{} against {}", chart.y.label, chart.x.label)];
    if chart.series.len() > 1 {
        legend.extend(chart.series.iter().map(|series: &Series| {
            let style = style(series.colour, coloured);
            format!("  {style}{}{style:#}", series.label)
        }));
    }
    legend.join("\n") + "\n"
}

/// The style of the palette's colour `n`; the light ones stand out on dark grounds and can be read on white.
fn style(n: usize, coloured: bool) -> Style {
    let (r, g, b) = COLOURS_ON_DARK[n % COLOURS_ON_DARK.len()];
    if coloured {
        Style::new().fg_color(Some(RgbColor(r, g, b).into()))
    } else {
        Style::new()
    }
}

/// A grid of characters, each of two by four dots.
struct Canvas {
    width: usize,
    /// For each character, its dots as braille counts them, and the colour that set one of them last.
    cells: Vec<(u8, usize)>,
}

impl Canvas {
    fn new(width: usize, rows: usize) -> Self {
        Self {
            width,
            cells: vec![(0, 0); width * rows],
        }
    }

    /// Sets the dots between two places, both included.
    fn line(&mut self, from: (i64, i64), to: (i64, i64), line: usize) {
        let steps = (to.0 - from.0).abs().max((to.1 - from.1).abs()).max(1);
        for step in 0..=steps {
            let between = |a: i64, b: i64| {
                (a + ((b - a) as f64 * step as f64 / steps as f64).round() as i64) as usize
            };
            self.set(between(from.0, to.0), between(from.1, to.1), line);
        }
    }

    fn set(&mut self, x: usize, y: usize, line: usize) {
        /// The bit of each dot of a braille character, by row and column.
        const BITS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
        let cell = &mut self.cells[y / 4 * self.width + x / 2];
        *cell = (cell.0 | BITS[y % 4][x % 2], line);
    }

    /// One row as text.
    fn row(&self, row: usize, coloured: bool) -> String {
        let character = |&(dots, line): &(u8, usize)| {
            let style = style(line, coloured && dots != 0);
            let dots = if dots == 0 {
                ' '
            } else {
                char::from_u32(0x2800 + u32::from(dots)).unwrap_or(' ')
            };
            format!("{style}{dots}{style:#}")
        };
        let cells = &self.cells[row * self.width..][..self.width];
        cells
            .iter()
            .map(character)
            .collect::<String>()
            .trim_end()
            .to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_stand_where_braille_has_them() {
        let mut canvas = Canvas::new(2, 1);
        canvas.line((0, 0), (3, 3), 0);
        assert_eq!(canvas.row(0, false), "⠑⢄");
    }
}
