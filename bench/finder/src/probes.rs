//! Probes for another program, such as `tpe.py`, over standard input and output.

use std::io::{BufRead as _, Write as _};

use anyhow::{Context, Result};
use cyclr::range::{Allowance, Probe};

use crate::bank::Bank;
use crate::judge::{COSTS, TESTS, seed_of};

/// Says first, for each test, its cost, its seed, the updates that it may make and those of a probe; then reads lines of
/// updates, half octave and seed, and answers each with the loss of that probe, `inf` where it diverged.
pub fn answer(bank: &mut Bank) -> Result<()> {
    let mut out = std::io::stdout().lock();
    for (cost, k) in COSTS
        .iter()
        .flat_map(|cost| (0..TESTS).map(move |k| (cost, k)))
    {
        let allowance = Allowance::new(bank.problem.budget, *cost, &bank.problem.info());
        let (updates, probe) = (allowance.updates, allowance.probe);
        writeln!(out, "{cost},{},{updates},{probe}", seed_of(k))?;
    }
    writeln!(out)?;
    out.flush()?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let cells: Vec<&str> = line.split(',').collect();
        let [updates, step, seed] = cells[..] else {
            anyhow::bail!("not three cells: {line}");
        };
        let lr = 2f64.powf(step.parse::<f64>().context("a half octave")? / 2.0);
        let probe = Probe {
            lr,
            updates: updates.parse()?,
            repeat: 0,
        };
        let loss = bank.probe(probe, seed.parse()?)?.loss;
        writeln!(out, "{}", loss.unwrap_or(f64::INFINITY))?;
        out.flush()?;
    }
    Ok(())
}
