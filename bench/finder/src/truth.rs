//! The grid of whole trainings that is a problem's truth.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cyclr::Hyper;
use cyclr::trainer::{Split, TrainerFactory};

use crate::problems::Problem;

/// The policies that a rate is judged under.
pub const POLICIES: [&str; 4] = ["linear", "triangular2", "triangular", "fixed"];

/// The places in [`POLICIES`] of those whose rate does not fall to the end.
pub const TRIANGULAR: usize = 2;
pub const FIXED: usize = 3;

/// The lengths of shorter trainings, in hundredths of the budget.
pub const SHARES: [u64; 3] = [10, 25, 50];

/// Accuracies in points by the peak's log2, one for each seed.
pub struct Truth {
    cells: BTreeMap<i64, Vec<f64>>,
}

impl Truth {
    /// The cells of a policy whose base is a tenth of the peak (linear-to-zero has none); `None` where there are none.
    pub fn read(problem: &str, folder: &Path, policy: &str) -> Result<Option<Self>> {
        Self::of(&whole(problem, folder), policy)
    }

    /// The cells of linear-to-zero trainings of `share` hundredths of the budget; `None` where there are none.
    pub fn read_shorter(problem: &str, folder: &Path, share: u64) -> Result<Option<Self>> {
        Self::of(&shorter(problem, folder), &share.to_string())
    }

    fn of(path: &Path, label: &str) -> Result<Option<Self>> {
        let mut cells = BTreeMap::<i64, Vec<f64>>::new();
        for (_, peak, accuracy) in rows(path)?.into_iter().filter(|row| row.0 == label) {
            cells.entry(peak).or_default().push(accuracy);
        }
        Ok((cells.len() > 3).then_some(Self { cells }))
    }

    /// The peak with the best mean.
    pub fn best_peak(&self) -> f64 {
        let mean = |seeds: &Vec<f64>| seeds.iter().sum::<f64>() / seeds.len() as f64;
        let better = |a: &(&i64, &Vec<f64>), b: &(&i64, &Vec<f64>)| mean(a.1).total_cmp(&mean(b.1));
        let best = self.cells.iter().max_by(better);
        best.map_or(f64::NAN, |(peak, _)| (*peak as f64).exp2())
    }

    /// What the best peak is worth: of each seed's cells the one that the other seeds call the best.
    pub fn best(&self) -> f64 {
        let seeds = self.cells.values().map(Vec::len).max().unwrap_or(0);
        /// Seeds of a cell that lie further apart, in points, are at its edge of stability.
        const APART: f64 = 5.0;
        let is_steady = |cell: &&Vec<f64>| {
            let low = cell.iter().copied().fold(f64::MAX, f64::min);
            cell.iter().all(|accuracy| accuracy - low < APART)
        };
        let whole: Vec<&Vec<f64>> = self
            .cells
            .values()
            .filter(|cell| cell.len() == seeds)
            .filter(is_steady)
            .collect();
        let left_out = |k: usize| {
            let others = |cell: &&&Vec<f64>| cell.iter().sum::<f64>() - cell[k];
            let best = whole.iter().max_by(|a, b| others(a).total_cmp(&others(b)));
            best.map_or(f64::NAN, |cell| cell[k])
        };
        (0..seeds).map(left_out).sum::<f64>() / seeds as f64
    }

    /// The accuracy at a peak: between cells on a line in ln rate, beyond them that of the last.
    pub fn accuracy(&self, lr: f64) -> f64 {
        let x = lr.log2();
        let cell = |(&peak, seeds): (&i64, &Vec<f64>)| {
            (peak as f64, seeds.iter().sum::<f64>() / seeds.len() as f64)
        };
        let below = self.cells.range(..=x.floor() as i64).next_back().map(cell);
        let above = self.cells.range(x.floor() as i64 + 1..).next().map(cell);
        match (below, above) {
            (Some(a), Some(b)) => a.1 + (b.1 - a.1) * (x - a.0) / (b.0 - a.0),
            (Some(end), None) | (None, Some(end)) => end.1,
            (None, None) => f64::NAN,
        }
    }

    /// Points lost at a peak.
    pub fn regret(&self, lr: f64) -> f64 {
        self.best() - self.accuracy(lr)
    }
}

/// The label of a grid, log2 of the peak, and the mean accuracy on validation and test in points.
fn rows(path: &Path) -> Result<Vec<(String, i64, f64)>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(path)?;
    let row = |line: &str| -> Result<(String, i64, f64)> {
        let cells: Vec<&str> = line.split(',').collect();
        let [label, peak, _seed, validation, test] = cells[..] else {
            anyhow::bail!("not five cells: {line}");
        };
        let accuracy = 50.0 * (validation.parse::<f64>()? + test.parse::<f64>()?);
        Ok((label.to_owned(), peak.parse()?, accuracy))
    };
    text.lines().skip(1).map(row).collect()
}

fn whole(problem: &str, folder: &Path) -> PathBuf {
    folder.join(format!("{problem}-truth.csv"))
}

fn shorter(problem: &str, folder: &Path) -> PathBuf {
    folder.join(format!("{problem}-shorter.csv"))
}

/// Trains the cells that are missing, under every policy.
pub fn make(problem: &Problem, folder: &Path, cifar: &str) -> Result<()> {
    let (factory, path) = (problem.factory(cifar)?, whole(problem.name, folder));
    for policy in POLICIES {
        let known = rows(&path)?;
        let train = |peak, seed| train(&factory, problem.budget, policy, peak, seed);
        fill(&path, policy, peaks(problem, policy, &known), train)?;
    }
    Ok(())
}

/// Trains the cells that are missing of the grids of shorter trainings, under linear-to-zero.
pub fn make_shorter(problem: &Problem, folder: &Path, cifar: &str) -> Result<()> {
    let (factory, path) = (problem.factory(cifar)?, shorter(problem.name, folder));
    for share in SHARES {
        let updates = problem.budget * share / 100;
        let peaks = i64::from(problem.peaks.0)..=i64::from(problem.peaks.1);
        let train = |peak, seed| train(&factory, updates, "linear", peak, seed);
        fill(&path, &share.to_string(), peaks, train)?;
    }
    Ok(())
}

/// Trains the cells of a grid that are missing: every peak with one seed, and three where that loses less than five points.
fn fill(
    path: &Path,
    label: &str,
    peaks: RangeInclusive<i64>,
    train: impl Fn(i64, u64) -> Result<(f64, f64)>,
) -> Result<()> {
    const SEEDS: u64 = 3;
    const NEAR: f64 = 5.0;
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    if file.metadata()?.len() == 0 {
        writeln!(file, "policy,log2_peak,seed,validation,test")?;
    }
    for seed in 0..SEEDS {
        let known: Vec<_> = rows(path)?.into_iter().filter(|r| r.0 == label).collect();
        let of = |peak: i64| known.iter().filter(move |row| row.1 == peak);
        let best = known.iter().map(|row| row.2).fold(f64::MIN, f64::max);
        for peak in peaks.clone() {
            let made = of(peak).count() as u64;
            let is_near = of(peak).all(|row| row.2 > best - NEAR);
            if made > seed || !is_near {
                continue;
            }
            let (validation, test) = train(peak, seed)?;
            writeln!(file, "{label},{peak},{seed},{validation},{test}")?;
        }
    }
    Ok(())
}

/// The peaks that are tried: of `fixed`, which was added later, those from six octaves below the best one under
/// linear-to-zero to one above it.
fn peaks(problem: &Problem, policy: &str, known: &[(String, i64, f64)]) -> RangeInclusive<i64> {
    let linear = known.iter().filter(|row| row.0 == "linear");
    let best = linear.max_by(|a, b| a.2.total_cmp(&b.2));
    match best {
        Some((_, best, _)) if policy == "fixed" => best - 6..=best + 1,
        _ => i64::from(problem.peaks.0)..=i64::from(problem.peaks.1),
    }
}

fn train(
    factory: &impl TrainerFactory,
    updates: u64,
    policy: &str,
    peak: i64,
    seed: u64,
) -> Result<(f64, f64)> {
    let lr = 2f64.powi(peak as i32);
    let hyper = |update| Hyper::lr(rate(policy, lr, update, updates));
    whole_training(factory, updates, seed, hyper)
}

/// The accuracies on validation and test after `updates` updates; those of chance if it diverges.
pub fn whole_training(
    factory: &impl TrainerFactory,
    updates: u64,
    seed: u64,
    hyper: impl Fn(u64) -> Hyper,
) -> Result<(f64, f64)> {
    let mut net = factory.start(seed)?;
    for update in 0..updates {
        if !net.update(hyper(update))?.is_finite() {
            return Ok((0.1, 0.1));
        }
    }
    let mut accuracy = |split| -> Result<f64> {
        let evaluation = net.evaluate(split)?;
        let metric = evaluation.metrics.get("accuracy").context("no accuracy")?;
        Ok(metric.value)
    };
    Ok((accuracy(Split::Validation)?, accuracy(Split::Test)?))
}

/// Linear-to-zero with a warm-up of 5 %, four cycles from a tenth of the peak, or the peak itself throughout.
fn rate(policy: &str, peak: f64, update: u64, updates: u64) -> f64 {
    if policy == "fixed" {
        return peak;
    }
    if policy == "linear" {
        let probe = cyclr::range::Probe {
            lr: peak,
            updates,
            repeat: 0,
        };
        return probe.at(update);
    }
    let cycles = 8.0 * update as f64 / updates as f64;
    let height = 1.0 - (cycles % 2.0 - 1.0).abs();
    let shrink = if policy == "triangular2" {
        0.5f64.powf((cycles / 2.0).floor())
    } else {
        1.0
    };
    peak / 10.0 + 0.9 * peak * height * shrink
}
