//! Curves whose rates and losses are in two files, as TensorBoard and W&B export them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use cyclr::trainer::Direction;

use super::{CurvePoint, Source, Unchecked};
use crate::table::TableError;

/// One curve for each file that has both, and for each file of losses with one of rates: the first
/// with the first, and so on, or all with the only one.
pub(super) fn pair(sources: Vec<Source>) -> Result<Vec<(Vec<PathBuf>, Unchecked)>, TableError> {
    let (mut whole, mut rates, mut losses) = (Vec::new(), Vec::new(), Vec::new());
    for source in sources {
        match part(&source)? {
            Part::Whole => whole.push(source),
            Part::Rates(column) => rates.push(Half::of(source, column)?),
            Part::Losses(column) => losses.push(Half::of(source, column)?),
        }
    }
    let fit = rates.len() == losses.len() || rates.len() == 1 && !losses.is_empty();
    if let Some(half) = losses.first().or(rates.first()).filter(|_| !fit) {
        return Err(half.source.bad_columns(&format!(
            "of the files, {} have only rates and {} only losses; give one file of rates for each file of losses, or \
             one for all",
            rates.len(),
            losses.len()
        )));
    }
    let mut curves = Vec::new();
    for source in whole {
        let points = source.points()?;
        curves.push((vec![source.file.path().to_owned()], points));
    }
    for (n, losses) in losses.iter().enumerate() {
        let rates = &rates[n.min(rates.len() - 1)];
        let paths = vec![
            rates.source.file.path().to_owned(),
            losses.source.file.path().to_owned(),
        ];
        curves.push((paths, joined(rates, losses)?));
    }
    Ok(curves)
}

/// What a file has of a curve.
enum Part {
    Whole,
    Rates(usize),
    Losses(usize),
}

fn part(source: &Source) -> Result<Part, TableError> {
    let columns = &source.columns;
    let figure = columns
        .accuracy
        .or(columns.correct)
        .or(columns.higher)
        .or(columns.lower);
    match (columns.lr, columns.loss, columns.value) {
        (Some(_), Some(_), _) => Ok(Part::Whole),
        (Some(_), None, _) if figure.is_some() => Ok(Part::Whole),
        (Some(lr), None, _) if columns.step.is_some() => Ok(Part::Rates(lr)),
        (None, Some(loss), _) if columns.step.is_some() => Ok(Part::Losses(loss)),
        (None, None, Some(value)) if columns.step.is_some() => value_part(source, value),
        (None, Some(_), _) => Err(source.bad_columns("none is the learning rate")),
        (Some(_), None, _) => Err(source.bad_columns("none is the loss or an accuracy")),
        (None, None, _) => Err(source.bad_columns("neither learning rate nor loss is among them")),
    }
}

/// Whether the values of a TensorBoard export are rates or losses: as the file is named, or, if
/// its name does not say, by whether they rise throughout, which losses do not.
fn value_part(source: &Source, value: usize) -> Result<Part, TableError> {
    let name = source
        .file
        .path()
        .file_stem()
        .map(|name| name.to_string_lossy().to_lowercase());
    let name = name.as_deref().map_or("", |name| name);
    let words: Vec<&str> = name.split(|c: char| !c.is_alphanumeric()).collect();
    let named = |known: &[&str]| words.iter().any(|word| known.contains(word));
    let rates = named(&["lr", "rate", "learningrate"]);
    let losses = named(&["loss", "losses"]);
    if rates != losses {
        return Ok(if rates {
            Part::Rates(value)
        } else {
            Part::Losses(value)
        });
    }
    // Empty cells do not fall.
    let values: Vec<f64> = source.column(Some(value))?.into_iter().flatten().collect();
    let rise = values.windows(2).all(|w| w[0] < w[1]);
    Ok(if rise {
        Part::Rates(value)
    } else {
        Part::Losses(value)
    })
}

/// A file of rates or of losses, by step.
struct Half {
    source: Source,
    /// The step, its value (none if the cell is empty) and its place, in the order of the file.
    values: Vec<(f64, Option<f64>, String)>,
}

impl Half {
    fn of(source: Source, column: usize) -> Result<Self, TableError> {
        let steps = source.column(source.columns.step)?;
        let values = source.column(Some(column))?;
        let mut seen = BTreeMap::new();
        let mut all = Vec::new();
        for ((step, value), row) in steps.into_iter().zip(values).zip(source.file.rows()) {
            let refuse = |reason: String| source.file.refuse(format!("{}: {reason}", row.place));
            let step = step.ok_or_else(|| refuse("it has no step; give one in each row".into()))?;
            if let Some(earlier) = seen.insert(step.to_bits(), &row.place) {
                return Err(refuse(format!(
                    "step {step} is there already ({earlier}): export one run"
                )));
            }
            all.push((step, value, row.place.clone()));
        }
        Ok(Self {
            source,
            values: all,
        })
    }
}

/// The losses, each with the rate of its step. Rates of steps whose loss was not recorded are not
/// needed.
fn joined(rates: &Half, losses: &Half) -> Result<Unchecked, TableError> {
    let by_step: BTreeMap<u64, f64> = rates
        .values
        .iter()
        .filter_map(|(step, rate, _)| Some((step.to_bits(), (*rate)?)))
        .collect();
    let (mut points, mut places, mut column) = (Vec::new(), Vec::new(), Vec::new());
    for (step, loss, place) in &losses.values {
        let rate = by_step.get(&step.to_bits()).copied().ok_or_else(|| {
            TableError::refuse(
                losses.source.file.path(),
                format!(
                    "{place}: step {step} has no rate in {}: export all points of both, and of the same run",
                    rates.source.file.path().display()
                ),
            )
        })?;
        points.push(CurvePoint {
            update: points.len() as u64,
            lr: rate,
            loss: None,
            figure: None,
            correct: None,
            count: 1,
        });
        places.push(place.clone());
        column.push(*loss);
    }
    super::rows::end_as_nan(&mut column, &places)
        .map_err(|reason| TableError::refuse(losses.source.file.path(), reason))?;
    points
        .iter_mut()
        .zip(column)
        .for_each(|(point, loss)| point.loss = loss);
    Ok(Unchecked {
        points,
        places,
        direction: Direction::Higher,
    })
}
