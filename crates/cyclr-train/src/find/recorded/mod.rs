//! Curves that other tools recorded.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use cyclr::range::{Smoothing, SmoothingError, Sweep, SweepError, Unlike, looks_undone_wrongly};
use cyclr::range::{repeats_of, unlike};
use cyclr::trainer::Direction;

use super::{Curve, CurvePoint, curve::index_of};
use crate::table::{Row, TableError, TableFile};
use columns::Columns;
use half::pair;
use rows::Rows;

mod columns;
mod half;
mod rows;

/// A curve that was read from one file, or from one of rates and one of losses.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The files.
    pub paths: Vec<PathBuf>,
    /// What they hold, with averages undone.
    pub curve: Curve,
    /// The curve as [`read_bounds`](cyclr::range::read_bounds) takes it.
    pub sweep: Sweep,
    /// The average that was undone.
    pub undone: Option<Smoothing>,
}

impl Recorded {
    /// The names of the files.
    pub fn name(&self) -> String {
        let names = self.paths.iter().map(|path| path.display().to_string());
        names.collect::<Vec<_>>().join(" with ")
    }
}

/// What is known about the losses that another tool recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Smoothed {
    /// They are each update's own. Written as `0`.
    Raw,
    /// They are this average. Written as [`Smoothing`].
    By(Smoothing),
    /// They are an average with this factor, begun as any of the tools does. Written as a number.
    ByFactor(f64),
}

impl FromStr for Smoothed {
    type Err = SmoothingError;

    fn from_str(text: &str) -> Result<Self, SmoothingError> {
        match text.trim().parse::<f64>() {
            Ok(0.0) => Ok(Self::Raw),
            Ok(factor) => Smoothing::with_factor(factor, &[]).map(|_| Self::ByFactor(factor)),
            Err(_) => text.parse().map(Self::By),
        }
    }
}

/// Reads the repeats of one sweep from files that cyclr or other tools wrote: CSV with commas,
/// semicolons, tabs or spaces, or JSON, with columns found by their names. Files of rates and
/// files of losses are joined by their steps. The path `-` is stdin.
///
/// An empty last loss is one that was not finite. The losses of other tools may be averages:
/// `smoothed` says what is known about them, and averages are undone.
///
/// # Errors
/// [`RecordedError`], with the file and what to do.
pub fn read_recorded(
    paths: &[PathBuf],
    smoothed: Option<Smoothed>,
) -> Result<Vec<Recorded>, RecordedError> {
    let tables = paths.iter().map(|path| Source::read(path));
    let tables: Vec<Source> = tables.collect::<Result<_, _>>()?;
    let curves = pair(tables)?;
    let recorded: Vec<Recorded> = curves
        .into_iter()
        .map(|(paths, points)| finish(paths, points, smoothed))
        .collect::<Result<_, _>>()?;
    let sweeps: Vec<Sweep> = recorded.iter().map(|r| r.sweep.clone()).collect();
    match unlike(&sweeps) {
        Some((first, second, how)) => Err(RecordedError::NotRepeats {
            first: recorded[first].name(),
            second: recorded[second].name(),
            how,
        }),
        None => Ok(recorded),
    }
}

/// The curves that are exact copies of earlier ones, each with that one's name before its own.
/// They are no repeats.
pub fn copies(recorded: &[Recorded]) -> Vec<(String, String)> {
    let sweeps: Vec<Sweep> = recorded.iter().map(|r| r.sweep.clone()).collect();
    let firsts = repeats_of(&sweeps).into_iter().enumerate();
    let copies = firsts.filter(|(n, first)| n != first);
    copies
        .map(|(n, first)| (recorded[first].name(), recorded[n].name()))
        .collect()
}

/// A file whose columns are known.
struct Source {
    file: TableFile,
    columns: Columns,
}

impl Source {
    fn read(path: &Path) -> Result<Self, TableError> {
        let file = TableFile::read(path)?.unfolded()?;
        let columns = Columns::of(file.names()).map_err(|reason| file.refuse(reason))?;
        Ok(Self { file, columns })
    }

    /// What is wrong with the columns, with those that were seen.
    fn bad_columns(&self, problem: &str) -> TableError {
        self.file.bad_columns(&format!(
            "{problem}; keep lr and loss (and, of an accuracy, correct and count)"
        ))
    }

    /// One column, row by row.
    fn column(&self, index: Option<usize>) -> Result<Vec<Option<f64>>, TableError> {
        let rows = self.file.rows();
        let Some(index) = index else {
            return Ok(vec![None; rows.len()]);
        };
        let number = |row: &Row| self.file.number(row, index);
        rows.iter().map(number).collect()
    }

    /// The points of a file that has rates and figures.
    fn points(&self) -> Result<Unchecked, TableError> {
        let columns = &self.columns;
        let mut rows = Rows {
            lr: self.column(columns.lr)?,
            loss: self.column(columns.loss)?,
            accuracy: self.column(columns.accuracy)?,
            figure: self.column(columns.higher.or(columns.lower))?,
            correct: self.column(columns.correct)?,
            count: self.column(columns.count)?,
            places: self
                .file
                .rows()
                .iter()
                .map(|row| row.place.clone())
                .collect(),
        };
        let split = columns.lr.is_some() && rows.lr.iter().any(Option::is_none);
        if let (true, Some(step)) = (split, columns.step) {
            let steps = self.column(Some(step))?;
            rows = rows
                .merged(&steps)
                .map_err(|reason| self.file.refuse(reason))?;
        }
        let direction = match columns.lower {
            Some(_) => Direction::Lower,
            None => Direction::Higher,
        };
        let points = rows.points().map_err(|reason| self.file.refuse(reason))?;
        Ok(Unchecked {
            points,
            places: rows.places,
            direction,
        })
    }
}

/// What will be a curve, with the place that each point has in its file.
struct Unchecked {
    points: Vec<CurvePoint>,
    places: Vec<String>,
    direction: Direction,
}

/// Undoes averages, and checks that the points are a sweep.
fn finish(
    paths: Vec<PathBuf>,
    points: Unchecked,
    smoothed: Option<Smoothed>,
) -> Result<Recorded, RecordedError> {
    let path = paths[paths.len() - 1].clone();
    let Unchecked {
        mut points,
        places,
        direction,
    } = points;
    let undone = undo(&mut points, smoothed, &path)?;
    let curve = Curve {
        points,
        direction,
        diverged: None,
        printed: Vec::new(),
    };
    let sweep = curve
        .sweep_of_unknown_losses()
        .map_err(|error| RecordedError::NotASweep {
            place: index_of(&error).map_or_else(String::new, |n| format!("{}: ", places[n])),
            path: path.clone(),
            error,
        })?;
    if let Some(smoothing) = undone.filter(|_| looks_undone_wrongly(&sweep)) {
        let refused = TableError::refuse(
            &path,
            format!(
                "with an average by {smoothing} undone, its losses jump more than those of any sweep: they were not \
                 averaged so. Give another --smoothed, or --smoothed 0"
            ),
        );
        return Err(refused.into());
    }
    let sweep = match smoothed {
        Some(Smoothed::Raw) => sweep.of_raw_losses(),
        _ => sweep,
    };
    Ok(Recorded {
        paths,
        curve,
        sweep,
        undone,
    })
}

/// Undoes the average of the losses, if one is named.
fn undo(
    points: &mut [CurvePoint],
    smoothed: Option<Smoothed>,
    path: &Path,
) -> Result<Option<Smoothing>, TableError> {
    let undone = match smoothed {
        Some(Smoothed::By(smoothing)) => Some(smoothing),
        Some(Smoothed::ByFactor(factor)) => Some(
            Smoothing::with_factor(factor, &losses(points))
                .map_err(|error| TableError::refuse(path, error.to_string()))?,
        ),
        Some(Smoothed::Raw) | None => None,
    };
    if let Some(smoothing) = undone {
        if points.iter().any(|point| point.figure.is_some()) {
            return Err(TableError::refuse(
                path,
                "the bounds are read from its accuracy or figure, and --smoothed is about losses: leave --smoothed out, \
                 or the column"
                    .into(),
            ));
        }
        let raw = smoothing.undo(&losses(points));
        points
            .iter_mut()
            .zip(raw)
            .for_each(|(point, raw)| point.loss = Some(raw));
    }
    Ok(undone)
}

/// The losses; each point has one if there is no other figure.
fn losses(points: &[CurvePoint]) -> Vec<f64> {
    points
        .iter()
        .map(|point| point.loss.unwrap_or(f64::NAN))
        .collect()
}

/// Why files are no repeats of a range test.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordedError {
    /// A file has no table, or no curve in it.
    #[error(transparent)]
    Table(#[from] TableError),
    /// Its values together are not those of a sweep.
    #[error("{}: {place}{error}", path.display())]
    NotASweep {
        /// The file.
        path: PathBuf,
        /// Where in the file, as in `line 3: `, where one place is at fault.
        place: String,
        /// What is wrong; it counts the points from 0.
        error: SweepError,
    },
    /// Two curves are not of the same test.
    #[error(
        "{first} and {second} are not repeats of one test: {how}. Give the repeats of one sweep only"
    )]
    NotRepeats {
        /// The files of one.
        first: String,
        /// The files of the other.
        second: String,
        /// How they differ.
        how: Unlike,
    },
}
