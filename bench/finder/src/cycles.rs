//! What the number of cycles is worth at a fixed budget.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use cyclr::range::MAX_OVER_BASE;
use cyclr::stats::Summary;
use cyclr::units::Horizon;
use cyclr::{Hyper, Spec};

use crate::judge::{Judged, Test};
use crate::problems::Problem;
use crate::truth::whole_training;

/// The numbers of cycles that are tried.
const CYCLES: [u64; 5] = [1, 2, 4, 8, 16];

const SEEDS: u64 = 3;

/// Trains what is missing, at the geometric mean of the answers at 10 % of the budget.
pub fn make(problem: &Problem, judged: &Judged, folder: &Path, cifar: &str) -> Result<()> {
    let logs: Vec<f64> = judged.tests[1]
        .iter()
        .filter_map(Test::max_lr)
        .map(f64::log2)
        .collect();
    let max = (logs.iter().sum::<f64>() / logs.len() as f64).exp2();
    let path = path(problem, folder);
    let known = rows(&path)?;
    let factory = problem.factory(cifar)?;
    let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
    if file.metadata()?.len() == 0 {
        writeln!(file, "policy,cycles,seed,max_lr,accuracy")?;
    }
    for (seed, policy, cycles) in (0..SEEDS).flat_map(|seed| {
        let of = move |policy| CYCLES.map(|cycles| (seed, policy, cycles));
        ["triangular2", "triangular"].into_iter().flat_map(of)
    }) {
        if known.contains_key(&(policy.to_owned(), cycles, seed)) {
            continue;
        }
        let (budget, base) = (problem.budget, max / MAX_OVER_BASE);
        let step = budget / (2 * cycles);
        let spec: Spec = format!("{policy}(base={base}, max={max}, step={step})").parse()?;
        let schedule = spec.schedule(&Horizon::of_updates(budget)?)?;
        let rate = |update| Hyper::lr(schedule.at(update).lr);
        // The last trough, which is the end but for what does not divide.
        let (validation, test) = whole_training(&factory, 2 * step * cycles, seed, rate)?;
        let accuracy = 50.0 * (validation + test);
        writeln!(file, "{policy},{cycles},{seed},{max:.6},{accuracy:.3}")?;
    }
    Ok(())
}

/// For each policy, the accuracy less that of four cycles, paired by problem and seed.
pub fn show(problems: &[&Problem], folder: &Path) -> Result<()> {
    for policy in ["triangular2", "triangular"] {
        println!(
            "{policy}: accuracy by cycles {CYCLES:?}; less that of 4, mean ± 95 % t over problems' means"
        );
        let mut less = vec![Vec::new(); CYCLES.len()];
        for problem in problems {
            let rows = rows(&path(problem, folder))?;
            let mean = |cycles: u64| {
                let of = (0..SEEDS).filter_map(|seed| rows.get(&(policy.to_owned(), cycles, seed)));
                let of: Vec<f64> = of.copied().collect();
                of.iter().sum::<f64>() / of.len() as f64
            };
            let means = CYCLES.map(mean);
            let cells: Vec<String> = means.iter().map(|m| format!("{m:6.2}")).collect();
            println!("  {:14} {}", problem.name, cells.join(" "));
            for (less, mean) in less.iter_mut().zip(means) {
                less.push(mean - means[2]);
            }
        }
        let cell = |differences: &Vec<f64>| -> Result<String> {
            let summary = Summary::of(differences)?;
            let half = summary.interval.map_or(f64::NAN, |i| i.high - summary.mean);
            Ok(format!("{:.2} ± {half:.2}", summary.mean))
        };
        let cells = less.iter().map(cell).collect::<Result<Vec<_>>>()?;
        println!("  less 4: {}", cells.join(", "));
    }
    Ok(())
}

fn path(problem: &Problem, folder: &Path) -> PathBuf {
    folder.join(format!("{}-cycles.csv", problem.name))
}

/// Accuracies in points by policy, cycles and seed.
fn rows(path: &Path) -> Result<BTreeMap<(String, u64, u64), f64>> {
    if !path.exists() {
        return Ok(BTreeMap::new());
    }
    let row = |line: &str| -> Result<_> {
        let cells: Vec<&str> = line.split(',').collect();
        let [policy, cycles, seed, _max, accuracy] = cells[..] else {
            anyhow::bail!("not five cells: {line}");
        };
        Ok((
            (policy.to_owned(), cycles.parse()?, seed.parse()?),
            accuracy.parse()?,
        ))
    };
    std::fs::read_to_string(path)?
        .lines()
        .skip(1)
        .map(row)
        .collect()
}
