//! Recorded problems: repeats of range tests, and the grid of trainings that is their truth.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result, ensure};
use cyclr::range::{Point, Sweep};
use cyclr::trainer::Direction;

use crate::numbers::{deviation, mean, median};

pub struct Problem {
    pub name: String,
    /// Repeats by test: `exp`, `lin`, …
    tests: BTreeMap<String, Vec<Sweep>>,
    pub truth: Truth,
}

/// Cells that lose less than so many points are near the best.
const NEAR: f64 = 5.0;

/// Accuracy in points against ln max_lr.
pub struct Truth {
    cells: Vec<(f64, f64)>,
    /// The standard error of a cell's accuracy, in points: the middle one of the cells near the best.
    pub error: f64,
    /// At the best max_lr, for each base_lr in rising order. Empty where it was not recorded.
    bases: Vec<Base>,
}

/// What a base_lr costs.
#[derive(Clone, Copy)]
pub struct Lost {
    /// The share of the fewest updates to the target that it needs more.
    pub updates: f64,
    /// Points of final accuracy.
    pub points: f64,
}

/// Training at one base_lr.
struct Base {
    ln_lr: f64,
    /// Updates needed to come within a point of the best base's final accuracy; 1.2 times the whole training where that
    /// was not reached.
    updates: f64,
    /// The final accuracy in points.
    accuracy: f64,
}

impl Problem {
    /// The tests by name, with their repeats.
    pub fn tests(&self) -> impl Iterator<Item = (&str, &[Sweep])> {
        self.tests
            .iter()
            .map(|(test, sweeps)| (test.as_str(), sweeps.as_slice()))
    }

    pub fn read(folder: &Path) -> Result<Self> {
        let name = folder.file_name().context("a folder without a name")?;
        let mut files: Vec<_> = fs::read_dir(folder)?.collect::<Result<_, _>>()?;
        files.sort_by_key(fs::DirEntry::file_name);
        let mut tests = BTreeMap::<String, Vec<Sweep>>::new();
        for file in files {
            let file_name = file.file_name().to_string_lossy().into_owned();
            if let Some((test, _)) = file_name
                .strip_suffix(".csv")
                .and_then(|n| n.split_once('-'))
            {
                let sweep = sweep(&fs::read_to_string(file.path())?).context(file_name.clone())?;
                tests.entry(test.to_owned()).or_default().push(sweep);
            }
        }
        ensure!(!tests.is_empty(), "{} holds no sweeps", folder.display());
        Ok(Self {
            name: name.to_string_lossy().into_owned(),
            tests,
            truth: Truth::read(&fs::read_to_string(folder.join("grid.json"))?)?,
        })
    }
}

/// A sweep from `update,lr,loss,correct,count` lines.
pub fn sweep(csv: &str) -> Result<Sweep> {
    let line = |line: &str| -> Result<Point> {
        let cells: Vec<&str> = line.split(',').collect();
        let [_, lr, loss, correct, count] = cells[..] else {
            anyhow::bail!("not five cells: {line}");
        };
        Ok(Point::accuracy(
            lr.parse()?,
            loss.parse()?,
            correct.parse()?,
            count.parse()?,
        ))
    };
    let points = csv.lines().skip(1).map(line).collect::<Result<_>>()?;
    Ok(Sweep::new(points, Direction::Higher)?)
}

impl Truth {
    fn read(json: &str) -> Result<Self> {
        let json: serde_json::Value = serde_json::from_str(json)?;
        let mut cells = Vec::new();
        let mut errors = Vec::new();
        for (lr, seeds) in json["accuracy"].as_object().context("no accuracy")? {
            let seeds = numbers(seeds)?;
            let accuracy = 100.0 * cell(&seeds);
            cells.push((lr.parse::<f64>()?.ln(), accuracy));
            let error = 100.0 * deviation(seeds.iter().copied()) / (seeds.len() as f64).sqrt();
            errors.push((accuracy, error));
        }
        cells.sort_by(|a, b| a.0.total_cmp(&b.0));
        let best = cells.iter().map(|c| c.1).fold(f64::MIN, f64::max);
        let near = errors.iter().filter(|(accuracy, _)| best - accuracy < NEAR);
        Ok(Self {
            error: median(near.map(|e| e.1)),
            cells,
            bases: bases(&json["base"]).unwrap_or_default(),
        })
    }

    pub fn best_lr(&self) -> f64 {
        let best = self.cells.iter().max_by(|a, b| a.1.total_cmp(&b.1));
        best.map_or(f64::NAN, |c| c.0.exp())
    }

    /// The accuracies of the cells near the best, each the mean of a cell and its neighbours: what the grid might be
    /// without its noise.
    pub fn smooth_top(&self) -> Vec<f64> {
        let accuracies: Vec<f64> = self.cells.iter().map(|c| c.1).collect();
        let best = accuracies.iter().copied().fold(f64::MIN, f64::max);
        let near = |at: &usize| best - accuracies[*at] < NEAR;
        let smooth = |at: usize| {
            let around = at.saturating_sub(1)..(at + 2).min(accuracies.len());
            mean(around.filter(near).map(|i| accuracies[i]))
        };
        (0..accuracies.len()).filter(near).map(smooth).collect()
    }

    /// The lowest and the highest rate, interpolated, that lose at most half a point.
    pub fn window(&self) -> (f64, f64) {
        let (first, last) = (self.cells[0].0, self.cells[self.cells.len() - 1].0);
        let rates = (0..=1000).map(|i| (first + (last - first) * f64::from(i) / 1000.0).exp());
        let good: Vec<f64> = rates.filter(|&lr| self.regret(lr) <= 0.5).collect();
        (good[0], good[good.len() - 1])
    }

    /// Points of accuracy lost against the grid's best, interpolated in ln rate, constant beyond its ends.
    pub fn regret(&self, max_lr: f64) -> f64 {
        let best = self.cells.iter().map(|c| c.1).fold(f64::MIN, f64::max);
        best - interpolate(&self.cells, max_lr.ln())
    }

    /// What a base costs against the best ones.
    pub fn lost(&self, base_lr: f64) -> Option<Lost> {
        let at = |of: fn(&Base) -> f64| {
            let cells: Vec<_> = self.bases.iter().map(|b| (b.ln_lr, of(b))).collect();
            interpolate(&cells, base_lr.ln())
        };
        let fewest = self.bases.iter().map(|b| b.updates).reduce(f64::min)?;
        let best = self.bases.iter().map(|b| b.accuracy).reduce(f64::max)?;
        Some(Lost {
            updates: at(|b| b.updates) / fewest - 1.0,
            points: best - at(|b| b.accuracy),
        })
    }
}

/// The mean over seeds; a cell where a seed diverged (fell more than 20 points behind) counts at its worst.
fn cell(seeds: &[f64]) -> f64 {
    let low = seeds.iter().copied().fold(f64::MAX, f64::min);
    let high = seeds.iter().copied().fold(f64::MIN, f64::max);
    if high - low > 0.2 {
        low
    } else {
        seeds.iter().sum::<f64>() / seeds.len() as f64
    }
}

fn bases(json: &serde_json::Value) -> Result<Vec<Base>> {
    let at = numbers(&json["at_updates"])?;
    let mut curves = Vec::new();
    for (lr, seeds) in json["accuracy"].as_object().context("no bases")? {
        let seeds: Vec<Vec<f64>> = seeds
            .as_array()
            .context("no seeds")?
            .iter()
            .map(numbers)
            .collect::<Result<_>>()?;
        let mean = |i: usize| seeds.iter().map(|s| s[i]).sum::<f64>() / seeds.len() as f64;
        curves.push((
            lr.parse::<f64>()?.ln(),
            (0..at.len()).map(mean).collect::<Vec<f64>>(),
        ));
    }
    let target = curves
        .iter()
        .filter_map(|c| c.1.last().copied())
        .fold(f64::MIN, f64::max)
        - 0.01;
    let reached = |curve: &[f64]| {
        let point = curve.iter().position(|&a| a >= target);
        point.map_or(1.2 * at[at.len() - 1], |i| at[i])
    };
    let base = |(ln_lr, curve): &(f64, Vec<f64>)| Base {
        ln_lr: *ln_lr,
        updates: reached(curve),
        accuracy: 100.0 * curve.last().copied().unwrap_or(f64::NAN),
    };
    let mut bases: Vec<Base> = curves.iter().map(base).collect();
    bases.sort_by(|a, b| a.ln_lr.total_cmp(&b.ln_lr));
    Ok(bases)
}

fn numbers(json: &serde_json::Value) -> Result<Vec<f64>> {
    let array = json.as_array().context("not an array")?;
    array
        .iter()
        .map(|v| v.as_f64().context("not a number"))
        .collect()
}

fn interpolate(cells: &[(f64, f64)], x: f64) -> f64 {
    let after = cells.partition_point(|c| c.0 < x);
    match (after.checked_sub(1).map(|i| cells[i]), cells.get(after)) {
        (Some(a), Some(b)) => a.1 + (b.1 - a.1) * (x - a.0) / (b.0 - a.0),
        (Some(end), None) => end.1,
        (None, Some(start)) => start.1,
        (None, None) => f64::NAN,
    }
}
