//! The columns of a file, row by row, as the points of a curve.

use std::collections::BTreeMap;

use super::CurvePoint;

/// The columns of a curve. A row is about one update.
pub(super) struct Rows {
    pub(super) lr: Vec<Option<f64>>,
    pub(super) loss: Vec<Option<f64>>,
    pub(super) accuracy: Vec<Option<f64>>,
    pub(super) figure: Vec<Option<f64>>,
    pub(super) correct: Vec<Option<f64>>,
    pub(super) count: Vec<Option<f64>>,
    pub(super) places: Vec<String>,
}

impl Rows {
    /// Rows of the same step made one, as loggers write the rate and the loss of an update into
    /// rows of their own.
    pub(super) fn merged(mut self, steps: &[Option<f64>]) -> Result<Self, String> {
        let mut first_of: BTreeMap<u64, usize> = BTreeMap::new();
        let mut kept = Vec::new();
        for (n, step) in steps.iter().enumerate() {
            let step = step.ok_or_else(|| {
                format!("{}: it has no step; give one in each row", self.places[n])
            })?;
            let first = *first_of.entry(step.to_bits()).or_insert(n);
            if first == n {
                kept.push(n);
                continue;
            }
            for column in self.columns() {
                match (column[first], column[n]) {
                    (_, None) => {}
                    (None, value) => column[first] = value,
                    (Some(_), Some(_)) => {
                        return Err(format!(
                            "step {step} has two values in the same column: keep one row for each update"
                        ));
                    }
                }
            }
        }
        for column in self.columns() {
            *column = kept.iter().map(|&n| column[n]).collect();
        }
        self.places = kept.iter().map(|&n| self.places[n].clone()).collect();
        Ok(self)
    }

    fn columns(&mut self) -> [&mut Vec<Option<f64>>; 6] {
        [
            &mut self.lr,
            &mut self.loss,
            &mut self.accuracy,
            &mut self.figure,
            &mut self.correct,
            &mut self.count,
        ]
    }

    /// The points, with empty cells at the end as figures that were not finite.
    pub(super) fn points(&mut self) -> Result<Vec<CurvePoint>, String> {
        let has_correct = self.correct.iter().any(Option::is_some);
        if has_correct {
            // The counts say the same, and how much each point weighs.
            self.accuracy.fill(None);
        }
        let places = &self.places;
        for column in [&mut self.loss, &mut self.accuracy, &mut self.figure] {
            end_as_nan(column, places)?;
        }
        (0..self.lr.len())
            .map(|n| self.point(n, has_correct))
            .collect()
    }

    fn point(&self, n: usize, has_correct: bool) -> Result<CurvePoint, String> {
        let place = &self.places[n];
        let whole = |name: &str, value: Option<f64>| match value {
            Some(v) if v >= 0.0 && v.fract() == 0.0 && v < 1e15 => Ok(v as u64),
            Some(v) => Err(format!(
                "{place}: {name} is {v}, and should be a whole number"
            )),
            None => Err(format!("{place}: {name} is missing")),
        };
        let counted = self.count.iter().any(Option::is_some);
        let count = if counted || has_correct {
            whole("count", self.count[n])?
        } else {
            1
        };
        let correct = has_correct
            .then(|| whole("correct", self.correct[n]))
            .transpose()?;
        if count == 0 {
            return Err(format!("{place}: count is 0, and should be at least 1"));
        }
        if let Some(correct) = correct.filter(|&correct| correct > count) {
            return Err(format!(
                "{place}: correct is {correct}, and should be at most count, which is {count}"
            ));
        }
        let share = correct.map(|correct| correct as f64 / count as f64);
        Ok(CurvePoint {
            update: n as u64,
            lr: self.lr[n]
                .ok_or_else(|| format!("{place}: it has no rate; put one in, or remove the row"))?,
            loss: self.loss[n],
            figure: share.or(self.figure[n]).or(self.accuracy[n]),
            correct,
            count,
        })
    }
}

/// Empty cells at the end of a column are figures that were not finite, which pandas writes as
/// nothing.
pub(super) fn end_as_nan(column: &mut [Option<f64>], places: &[String]) -> Result<(), String> {
    let Some(last) = column.iter().rposition(Option::is_some) else {
        return Ok(());
    };
    if let Some(gap) = column[..last].iter().position(Option::is_none) {
        return Err(format!(
            "{}: a loss or figure is missing; only those at the end may be, where training diverged. Leave out the rows \
             without one",
            places[gap]
        ));
    }
    column[last + 1..].fill(Some(f64::NAN));
    Ok(())
}
