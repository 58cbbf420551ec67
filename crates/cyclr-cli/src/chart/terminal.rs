//! A chart in the terminal, in braille: two by four dots a character, coloured if the output is a
//! terminal.

use std::io::IsTerminal;

use anstyle::{RgbColor, Style};

use super::axis::Scaled;
use super::{COLOURS_ON_DARK, Chart, Form, Series, short};

/// Columns and rows if there is no terminal to ask.
const DEFAULT_SIZE: (u16, u16) = (80, 24);
/// Rows from one label of the vertical axis to the next.
const LABEL_ROWS: usize = 4;

/// The chart as text, as wide as the terminal and half as high; empty if there is nothing to show.
pub(crate) fn draw(chart: &Chart) -> String {
    let coloured = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let (columns, rows) =
        terminal_size::terminal_size().map_or(DEFAULT_SIZE, |(columns, rows)| (columns.0, rows.0));
    let (columns, rows) = (
        usize::from(columns.clamp(40, 160)),
        usize::from((rows / 2).clamp(6, 24)),
    );
    let (Some(_), Some(_)) = (chart.x_extent(), chart.y_extent()) else {
        return String::new();
    };
    let x = Scaled::tight(chart.x_extent(), chart.x.log);
    let y = Scaled::tight(chart.y_extent(), chart.y.log);
    let labels = row_labels(&y, rows);
    let margin = labels.iter().map(String::len).max().unwrap_or(0);
    let width = columns - margin - 3;

    let mut canvas = Canvas::new(width, rows);
    for series in &chart.series {
        draw_series(&mut canvas, series, &x, &y);
    }
    let mut text = legend(chart, coloured);
    for (row, label) in labels.iter().enumerate() {
        let tick = if label.is_empty() { '│' } else { '┤' };
        text += &format!("{label:>margin$} {tick}{}\n", canvas.row(row, coloured));
    }
    text + &foot(chart, &x, margin, width)
}

/// The round values of the vertical axis, each at its row.
fn row_labels(y: &Scaled, rows: usize) -> Vec<String> {
    let mut labels = vec![String::new(); rows];
    for tick in y.ticks(rows.div_ceil(LABEL_ROWS)) {
        labels[rows - 1 - place(y, tick, rows) as usize] = short(tick);
    }
    labels
}

fn draw_series(canvas: &mut Canvas, series: &Series, x: &Scaled, y: &Scaled) {
    let (across, down) = (2 * canvas.width, 4 * canvas.rows());
    let places: Vec<(i64, i64)> = series
        .points
        .iter()
        .filter_map(|point| Some((point.x, point.y?)))
        .map(|(px, py)| {
            (
                place(x, px, across),
                down.cast_signed() as i64 - 1 - place(y, py, down),
            )
        })
        .collect();
    if series.form == Form::Points {
        for &at in &places {
            if series.colour == 0 {
                canvas.line(at, at, 0);
            } else {
                canvas.mark(at, series.colour);
            }
        }
        return;
    }
    let after = places.iter().skip(1).chain(places.last());
    for (from, to) in places.iter().zip(after) {
        canvas.line(*from, *to, series.colour);
    }
}

/// The horizontal axis with its round values below; what is shaded in a chart stands on it as a
/// thick line.
fn foot(chart: &Chart, x: &Scaled, margin: usize, width: usize) -> String {
    let mut axis = vec!['─'; width];
    for shade in &chart.shades {
        let (from, to) = (place(x, shade.from, width), place(x, shade.to, width));
        axis[from as usize..=to as usize].fill('━');
    }
    let mut words = vec![' '; width + 8];
    let mut free = 0;
    for tick in x.ticks(width / 12) {
        let (at, label) = (place(x, tick, width) as usize, short(tick));
        let from = at
            .saturating_sub(label.len() / 2)
            .min(width + 8 - label.len().min(width));
        if from >= free {
            axis[at] = if axis[at] == '━' { '┿' } else { '┬' };
            free = from + label.len() + 2;
            words.splice(from..from + label.len(), label.chars());
        }
    }
    let (axis, words) = (String::from_iter(axis), String::from_iter(words));
    let mut shades = String::new();
    for shade in &chart.shades {
        shades += &format!("{:margin$}  ━ {}\n", "", shade.label);
    }
    format!(
        "{:margin$} └{axis}\n{:margin$}  {}\n{shades}",
        "",
        "",
        words.trim_end()
    )
}

/// Which of `places` on an axis a value has, counted from its lower end.
fn place(axis: &Scaled, value: f64, places: usize) -> i64 {
    (axis.fraction(value).clamp(0.0, 1.0) * (places - 1) as f64).round() as i64
}

/// What the axes show, and which line is which.
fn legend(chart: &Chart, coloured: bool) -> String {
    let mut legend = vec![format!("{} against {}", chart.y.label, chart.x.label)];
    if chart.series.len() > 1 {
        legend.extend(chart.series.iter().map(|series: &Series| {
            let style = style(series.colour, coloured);
            format!("  {style}{} {}{style:#}", sign(series), series.label)
        }));
    }
    legend.join("\n") + "\n"
}

/// What a series looks like in the chart.
fn sign(series: &Series) -> &'static str {
    match (series.form, series.colour) {
        (Form::Points, 0) => "⠐ ",
        (Form::Points, _) => "⠺⠂",
        _ => "⠒⠒",
    }
}

/// The style of the palette's colour `n`; the light ones stand out on dark grounds and can be read
/// on white.
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
    /// For each character, its dots as braille counts them, and the colour that set one of them
    /// last.
    cells: Vec<(u8, usize)>,
}

impl Canvas {
    fn new(width: usize, rows: usize) -> Self {
        Self {
            width,
            cells: vec![(0, 0); width * rows],
        }
    }

    fn rows(&self) -> usize {
        self.cells.len() / self.width
    }

    /// A cross at a place.
    fn mark(&mut self, (x, y): (i64, i64), line: usize) {
        let (right, down) = (
            2 * self.width.cast_signed() as i64 - 1,
            4 * self.rows().cast_signed() as i64 - 1,
        );
        self.line(((x - 1).max(0), y), ((x + 1).min(right), y), line);
        self.line((x, (y - 1).max(0)), (x, (y + 1).min(down)), line);
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
    fn the_legend_tells_lines_from_points_without_colour() {
        let series = |label: &str, colour, form| Series {
            label: label.into(),
            colour,
            form,
            points: Vec::new(),
        };
        let mut chart = Chart::lines("rate", "loss", []);
        chart.series = vec![
            series("updates", 0, Form::Points),
            series("smoothed", 1, Form::Line),
            series("probes", 2, Form::Points),
        ];
        let expected = "loss against rate\n  ⠐  updates\n  ⠒⠒ smoothed\n  ⠺⠂ probes\n";
        assert_eq!(legend(&chart, false), expected);
    }

    #[test]
    fn dots_stand_where_braille_has_them() {
        let mut canvas = Canvas::new(2, 1);
        canvas.line((0, 0), (3, 3), 0);
        assert_eq!(canvas.row(0, false), "⠑⢄");
    }
}
