use std::fmt::Write as _;

use cyclr::range::{Point, Sweep, SweepError};
use cyclr::trainer::{Direction, Metric, Metrics, TrainerInfo};

/// What one sweep measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// In the order of the updates.
    pub points: Vec<CurvePoint>,
    /// Whether more or less of [`CurvePoint::figure`] is better.
    pub direction: Direction,
    /// Why the sweep stopped before its end, if it did.
    pub diverged: Option<Diverged>,
    /// What the trainer printed meanwhile, where it prints; it is no part of the curve as text.
    pub printed: Vec<u8>,
}

/// What was measured at one update of a sweep.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurvePoint {
    /// The update, counted from 0.
    pub update: u64,
    /// Its rate.
    pub lr: f64,
    /// The mean loss, if there is one.
    pub loss: Option<f64>,
    /// The objective beside the loss (usually accuracy), if there is one.
    pub figure: Option<f64>,
    /// Of an accuracy: the number correct.
    pub correct: Option<u64>,
    /// The examples measured.
    pub count: u64,
}

/// Where a sweep stopped because training diverged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Diverged {
    /// The rate of the last update that was made.
    pub lr: f64,
    /// Whether its loss was not finite, and not only far above the first.
    pub not_finite: bool,
}

impl Curve {
    /// The curve as [`read_bounds`](cyclr::range::read_bounds) takes it, with losses that are each
    /// update's own, as cyclr records them.
    ///
    /// # Errors
    /// [`SweepError`] if the points are not those of one sweep.
    pub fn sweep(&self) -> Result<Sweep, SweepError> {
        self.sweep_of_unknown_losses().map(Sweep::of_raw_losses)
    }

    /// The same with losses that may be averages.
    pub(super) fn sweep_of_unknown_losses(&self) -> Result<Sweep, SweepError> {
        let point = |p: &CurvePoint| Point {
            lr: p.lr,
            loss: p.loss,
            figure: p.figure,
            count: p.count,
        };
        Sweep::new(self.points.iter().map(point).collect(), self.direction)
    }

    /// Adds what a trainer measured at an update.
    pub(super) fn push(&mut self, update: u64, lr: f64, metrics: &Metrics, info: &TrainerInfo) {
        let figure = figure_in(metrics, info);
        let measured = figure.or(metrics.loss());
        if let Some(metric) = measured {
            self.direction = metric.direction;
        }
        self.points.push(CurvePoint {
            update,
            lr,
            loss: metrics.loss().map(|loss| loss.value),
            figure: figure.map(|metric| metric.value),
            correct: figure.and_then(|metric| metric.correct),
            count: measured.map_or(0, |metric| metric.count),
        });
    }

    /// The curve as text: `update,lr,loss,correct,count`; if the objective is no accuracy,
    /// `higher` or `lower` in place of `correct`, by what is better; if there is only a loss,
    /// `update,lr,loss`. A loss that was not measured is empty. Numbers have the digits that read
    /// back to the same value.
    pub fn to_csv(&self) -> String {
        self.csv(self.header())
    }

    /// The same with the counts if there is only a loss, so that the points read back as they are.
    pub(super) fn to_whole_csv(&self) -> String {
        self.csv(match self.header() {
            SHORT => COUNTED,
            header => header,
        })
    }

    fn csv(&self, header: &str) -> String {
        let mut csv = String::from(header);
        for point in &self.points {
            let CurvePoint { update, lr, .. } = point;
            let loss = point.loss.map_or_else(String::new, |loss| loss.to_string());
            let _ = write!(csv, "\n{update},{lr},{loss}");
            let figure = point.figure.unwrap_or(f64::NAN);
            let _ = match (header, point.correct, point.count) {
                (SHORT, ..) => Ok(()),
                (COUNTED, _, count) => write!(csv, ",{count}"),
                (FULL, Some(correct), count) => write!(csv, ",{correct},{count}"),
                (.., count) => write!(csv, ",{figure},{count}"),
            };
        }
        csv + "\n"
    }

    fn header(&self) -> &'static str {
        let all = |has: fn(&CurvePoint) -> bool| self.points.iter().all(has);
        match self.direction {
            _ if all(|point| point.correct.is_some()) => FULL,
            _ if !all(|point| point.figure.is_some()) => SHORT,
            Direction::Higher => HIGHER,
            Direction::Lower => LOWER,
        }
    }

    /// Reads a curve from text in the form of [`Curve::to_csv`], recorded by whatever tool.
    ///
    /// # Errors
    /// [`CurveError`], with the line and the column.
    pub fn from_csv(text: &str) -> Result<Self, CurveError> {
        let mut lines = text.lines().enumerate();
        let header = lines.next().map_or("", |(_, line)| line).trim_end();
        if ![FULL, HIGHER, LOWER, SHORT, COUNTED].contains(&header) {
            return Err(CurveError::Header {
                found: header.chars().take(80).collect(),
            });
        }
        let filled = lines.filter(|(_, line)| !line.trim().is_empty());
        let (numbers, points): (Vec<_>, Vec<_>) = filled
            .map(|(n, line)| {
                Ok((
                    n + 1,
                    Row {
                        line,
                        number: n + 1,
                    }
                    .point(header)?,
                ))
            })
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            .unzip();
        let direction = match header {
            FULL | HIGHER => Direction::Higher,
            _ => Direction::Lower,
        };
        let curve = Self {
            points,
            direction,
            diverged: None,
            printed: Vec::new(),
        };
        match curve.sweep() {
            Ok(_) => Ok(curve),
            Err(error) => Err(CurveError::NotASweep {
                line: index_of(&error).and_then(|i| numbers.get(i)).copied(),
                error,
            }),
        }
    }
}

/// What was measured beside the loss: the objective. If there is neither this nor a loss, the first
/// metric.
pub(super) fn figure_in<'m>(metrics: &'m Metrics, info: &TrainerInfo) -> Option<&'m Metric> {
    let figure = match (info.objective_in(metrics), metrics.loss()) {
        (None, None) => metrics.first_objective(),
        (found, _) => found,
    };
    figure.filter(|metric| metric.name != "loss")
}

/// What rises where training diverges: the loss, or a figure in its place of which less is better.
pub(super) fn falling_in(metrics: &Metrics, info: &TrainerInfo) -> Option<f64> {
    let falls = |metric: &&Metric| metric.direction == Direction::Lower;
    let figure = || figure_in(metrics, info).filter(falls);
    metrics.loss().or_else(figure).map(|metric| metric.value)
}

const FULL: &str = "update,lr,loss,correct,count";
const HIGHER: &str = "update,lr,loss,higher,count";
const LOWER: &str = "update,lr,loss,lower,count";
const SHORT: &str = "update,lr,loss";
const COUNTED: &str = "update,lr,loss,count";

/// A line of a file, counted from 1.
struct Row<'a> {
    line: &'a str,
    number: usize,
}

impl Row<'_> {
    fn point(&self, header: &str) -> Result<CurvePoint, CurveError> {
        let (found, expected) = (self.line.split(',').count(), header.split(',').count());
        if found != expected {
            return Err(CurveError::Columns {
                line: self.number,
                found,
                expected,
            });
        }
        let (mut correct, mut figure, mut count) = (None, None, 1);
        if header != SHORT {
            let last = expected - 1;
            count = self.cell(last, "count", "a whole number of at least 1")?;
            if count == 0 {
                return Err(self.bad(last, "count", "a whole number of at least 1"));
            }
        }
        if header == HIGHER || header == LOWER {
            let column = if header == LOWER { "lower" } else { "higher" };
            figure = Some(self.cell(3, column, "a number, nan or inf")?);
        }
        if header == FULL {
            let right: u64 = self.cell(3, "correct", "a whole number of at most count")?;
            correct = Some(right);
            figure = Some(right as f64 / count as f64);
            if right > count {
                return Err(self.bad(3, "correct", "a whole number of at most count"));
            }
        }
        let loss_may_lack = figure.is_some() && self.text(2).is_empty();
        let loss = (!loss_may_lack).then(|| self.cell(2, "loss", "a number, nan or inf"));
        Ok(CurvePoint {
            update: self.cell(0, "update", "a whole number")?,
            lr: self.cell(1, "lr", "a number")?,
            loss: loss.transpose()?,
            figure,
            correct,
            count,
        })
    }

    fn cell<T: std::str::FromStr>(
        &self,
        index: usize,
        column: &'static str,
        expected: &'static str,
    ) -> Result<T, CurveError> {
        self.text(index)
            .parse()
            .map_err(|_| self.bad(index, column, expected))
    }

    fn text(&self, index: usize) -> &str {
        self.line.split(',').nth(index).unwrap_or("").trim()
    }

    fn bad(&self, index: usize, column: &'static str, expected: &'static str) -> CurveError {
        let found = self.text(index).chars().take(40).collect();
        CurveError::Cell {
            line: self.number,
            column,
            found,
            expected,
        }
    }
}

/// The point that an error is about, where it is about one.
pub(super) fn index_of(error: &SweepError) -> Option<usize> {
    match *error {
        SweepError::BadRate { index, .. }
        | SweepError::NotRising { index, .. }
        | SweepError::NothingMeasured { index }
        | SweepError::FiguresDiffer { index }
        | SweepError::FiniteAgain { index, .. } => Some(index),
        _ => None,
    }
}

/// Why a text is not a curve of a range test. Lines are counted from 1.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CurveError {
    /// The first line is another one.
    #[error(
        "line 1 is `{found}`: make it `{FULL}` or `{SHORT}`, or put `higher` or `lower` in place of `correct`"
    )]
    Header {
        /// The first line.
        found: String,
    },
    /// A line has too few columns or too many.
    #[error("line {line} has {found} columns of {expected}")]
    Columns {
        /// The line.
        line: usize,
        /// Its columns.
        found: usize,
        /// Those of the header.
        expected: usize,
    },
    /// A value is not of its column's kind.
    #[error("line {line}, column {column}: `{found}` should be {expected}")]
    Cell {
        /// The line.
        line: usize,
        /// The column.
        column: &'static str,
        /// The value.
        found: String,
        /// What it should be.
        expected: &'static str,
    },
    /// The values together are not those of a sweep.
    #[error("{}{error}", line.map_or(String::new(), |line| format!("line {line}: ")))]
    NotASweep {
        /// The line, where one line is at fault.
        line: Option<usize>,
        /// What is wrong; it counts the points from 0.
        error: SweepError,
    },
}
