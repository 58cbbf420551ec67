//! A chart as data. The report's page draws it with uPlot; files and the terminal are drawn here,
//! from the same data.

mod axis;
mod draw;
mod legend;
mod rows;
pub(crate) mod terminal;

pub(crate) use axis::Scaled;
pub(crate) use draw::{DrawError, png, svg};

use std::fmt::Write as _;

use serde::Serialize;

/// A chart: named series over one axis.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Chart {
    /// Its name in addresses and file names: letters, digits and `-`.
    pub(crate) id: String,
    pub(crate) title: String,
    /// What a reader must know to read it.
    pub(crate) caption: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) series: Vec<Series>,
    /// Stretches of the x axis that mean something, such as the found bounds.
    pub(crate) shades: Vec<Shade>,
    /// Levels that mean something, such as a target.
    pub(crate) levels: Vec<Level>,
}

/// An axis.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Axis {
    /// What it measures, with the unit.
    pub(crate) label: String,
    /// Whether it is logarithmic.
    pub(crate) log: bool,
    /// Where it has names instead of numbers: the name at 0, 1, …. A chart with a named x axis is
    /// drawn as rows.
    pub(crate) names: Vec<String>,
    /// Other units that a reader may switch to.
    pub(crate) units: Vec<Unit>,
}

/// Another unit of the same axis.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Unit {
    /// The label of the axis in this unit.
    pub(crate) label: String,
    /// The word on the switch.
    pub(crate) word: String,
    /// How much of it one of the axis's own unit is.
    pub(crate) factor: f64,
}

/// One arm, or whatever else is one thing of several.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Series {
    pub(crate) label: String,
    /// The place of its colour and dashes in the palette: the same for an arm in every chart.
    pub(crate) colour: usize,
    pub(crate) form: Form,
    /// Points with rising x; a gap where `y` is missing.
    pub(crate) points: Vec<Point>,
}

/// How a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Form {
    /// A line, with a band from `low` to `high` where those are given.
    Line,
    /// A line with a dot at every point.
    Dots,
    /// Dots without a line; small and faint in the first colour.
    Points,
    /// A dot with a whisker from `low` to `high`.
    Whiskers,
}

/// A point of a series.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) y: Option<f64>,
    pub(crate) low: Option<f64>,
    pub(crate) high: Option<f64>,
}

/// A stretch of the x axis.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Shade {
    pub(crate) label: String,
    pub(crate) from: f64,
    pub(crate) to: f64,
}

/// A level of the y axis.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Level {
    pub(crate) label: String,
    pub(crate) at: f64,
}

/// Colours for light grounds, told apart also by those who see red and green alike; the reference
/// is the first.
pub(crate) const COLOURS: [(u8, u8, u8); 8] = [
    (92, 102, 112),
    (0, 98, 178),
    (196, 84, 0),
    (0, 130, 100),
    (158, 58, 150),
    (150, 112, 0),
    (190, 40, 60),
    (0, 128, 158),
];

/// The same, for dark grounds.
pub(crate) const COLOURS_ON_DARK: [(u8, u8, u8); 8] = [
    (170, 178, 188),
    (88, 166, 255),
    (247, 144, 61),
    (63, 199, 160),
    (214, 130, 206),
    (222, 184, 70),
    (255, 120, 130),
    (90, 200, 225),
];

/// Dashes, in pixels on and off, so that lines can also be told apart without colour; none for a
/// whole line.
pub(crate) const DASHES: [&[u32]; 4] = [&[7, 4], &[], &[11, 4, 2, 4], &[2, 3]];

impl Point {
    pub(crate) fn at(x: f64, y: impl Into<Option<f64>>) -> Self {
        Self {
            x,
            y: y.into(),
            low: None,
            high: None,
        }
    }

    pub(crate) fn between(self, low: Option<f64>, high: Option<f64>) -> Self {
        Self { low, high, ..self }
    }
}

impl Axis {
    pub(crate) fn of(label: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            ..Self::default()
        }
    }

    pub(crate) fn log(label: impl Into<String>) -> Self {
        Self {
            log: true,
            ..Self::of(label)
        }
    }

    /// The rates of some sweeps, on a log axis if all of them rise by equal factors rather than by
    /// equal steps.
    pub(crate) fn of_sweeps<'a>(sweeps: impl IntoIterator<Item = &'a [f64]>) -> Self {
        if sweeps.into_iter().all(is_exponential) {
            Self::log("learning rate")
        } else {
            Self::of("learning rate")
        }
    }
}

fn is_exponential(rates: &[f64]) -> bool {
    match (rates.first(), rates.get(rates.len() / 2), rates.last()) {
        (Some(first), Some(middle), Some(last)) => *first > 0.0 && *middle < 0.25 * (first + last),
        _ => false,
    }
}

impl Chart {
    /// Lines over one pair of axes, the first of them in the palette's first colour that has no
    /// dashes.
    pub(crate) fn lines(
        x: &str,
        y: &str,
        lines: impl IntoIterator<Item = (String, Vec<(f64, f64)>)>,
    ) -> Self {
        let series = |(n, (label, points)): (usize, (String, Vec<(f64, f64)>))| Series {
            label,
            colour: n + 1,
            form: Form::Line,
            points: points.into_iter().map(|(x, y)| Point::at(x, y)).collect(),
        };
        Self {
            id: y.replace(' ', "-"),
            title: String::new(),
            caption: String::new(),
            x: Axis::of(x),
            y: Axis::of(y),
            series: lines.into_iter().enumerate().map(series).collect(),
            shades: Vec::new(),
            levels: Vec::new(),
        }
    }

    /// The smallest and largest x of all points and shades.
    pub(crate) fn x_extent(&self) -> Option<(f64, f64)> {
        let points = self.series.iter().flat_map(|s| &s.points).map(|p| p.x);
        let shades = self.shades.iter().flat_map(|s| [s.from, s.to]);
        extent(points.chain(shades), self.x.log)
    }

    /// The smallest and largest y of all points, their ends, and levels.
    pub(crate) fn y_extent(&self) -> Option<(f64, f64)> {
        let points = self.series.iter().flat_map(|s| &s.points);
        let values = points.flat_map(|p| [p.y, p.low, p.high]).flatten();
        let levels = self.levels.iter().map(|l| l.at);
        extent(values.chain(levels), self.y.log)
    }

    /// The same points as text: `series,x,y,low,high`, empty if there is none.
    pub(crate) fn csv(&self) -> String {
        let number = |x: Option<f64>| x.map_or_else(String::new, |x| format!("{x}"));
        let mut text = String::from("series,x,y,low,high\n");
        for series in &self.series {
            for point in &series.points {
                let x = self
                    .x
                    .names
                    .get(point.x as usize)
                    .filter(|_| point.x >= 0.0);
                let x = x.map_or_else(|| format!("{}", point.x), |name| quoted(name));
                let _ = writeln!(
                    text,
                    "{},{x},{},{},{}",
                    quoted(&series.label),
                    number(point.y),
                    number(point.low),
                    number(point.high)
                );
            }
        }
        text
    }
}

fn extent(values: impl Iterator<Item = f64>, log: bool) -> Option<(f64, f64)> {
    values
        .filter(|x| x.is_finite() && (!log || *x > 0.0))
        .fold(None, |extent, x| {
            let (low, high) = extent.unwrap_or((x, x));
            Some((x.min(low), x.max(high)))
        })
}

/// A field of a CSV file, in quotes where it needs them. A field that begins like a formula stays
/// as it is: a mark before it would change the data for every reader that is not a spreadsheet,
/// and the labels are the user's own.
pub(crate) fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        String::from(text)
    }
}

/// A learning rate in the digits that can be known of it: `0.0296`, and `2.96e-6` where there
/// would be too many zeros.
pub(crate) fn rate(lr: f64) -> String {
    cyclr::readable(lr, 3)
}

/// A name of at most `most` characters: the middle of a longer one is left out, since either end may
/// tell it from others.
fn shortened(name: &str, most: usize) -> String {
    let chars: Vec<char> = name.chars().collect();
    let Some(over) = chars.len().checked_sub(most).filter(|over| *over > 0) else {
        return String::from(name);
    };
    let (first, rest) = chars.split_at(most / 2);
    let last = rest[over..].iter();
    first.iter().chain(&['.', '.', '.']).chain(last).collect()
}

/// A number beside an axis.
fn short(value: f64) -> String {
    cyclr::readable(value, 5)
}
