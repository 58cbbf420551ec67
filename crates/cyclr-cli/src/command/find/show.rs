//! The answers of range tests in words.

use std::io::Write;

use cyclr::advice;
use cyclr::range::{
    Bounds, Estimate, MAX_OVER_BASE, MAX_OVER_FIXED, MAX_OVER_TRIANGULAR, NoAnswer, Suggestions,
    SweepReading,
};
use cyclr::units::Horizon;
use cyclr_train::find::{Found, Swept, describe_basis, what_to_try};

use super::plot;
use crate::chart::{rate, terminal};

/// What a range test found for a training.
pub(super) fn found(found: &Found, run: &Horizon) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", terminal::draw(&plot::of_found(found)))?;
    let reading = &found.sweep.reading;
    match found.answer {
        Ok(bounds) => {
            write!(out, "{}{}", line("max_lr", bounds.max_lr), held(&bounds))?;
            writeln!(
                out,
                "{:9} {:9} max_lr / {MAX_OVER_BASE}; {}",
                "base_lr",
                rate(bounds.base_lr.value),
                paper(reading)
            )?;
            if let Some(fixed_lr) = bounds.fixed_lr {
                writeln!(
                    out,
                    "{:9} {:9} max_lr / {MAX_OVER_FIXED}; for a rate that is never lowered",
                    "fixed_lr",
                    rate(fixed_lr),
                )?;
            }
            writeln!(
                out,
                "over {} updates; max_lr is the peak of triangular2 and linear-to-zero, max_lr / {MAX_OVER_TRIANGULAR} that of triangular",
                run.updates()
            )?;
            write!(out, "{}", advised(&bounds, run)?)?;
        }
        Err(reason) => write!(out, "{}", refusal(reason, Some(run)))?,
    }
    write!(out, "{}", asides(reading))?;
    Ok(())
}

/// What sweeps say by themselves. `examples` says in words what was measured, if that is known.
pub(in crate::command) fn sweeps(
    swept: &Swept,
    examples: &str,
    run: Option<&Horizon>,
) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let reading = &swept.reading;
    let chart = plot::of_sweeps(&swept.curves, examples, reading.answer.ok());
    writeln!(out, "{}", terminal::draw(&chart))?;
    match reading.answer {
        Ok(bounds) => {
            writeln!(
                out,
                "read from sweeps alone, as in the paper; no probe confirmed it"
            )?;
            let lines = line("base_lr", bounds.base_lr) + &line("max_lr", bounds.max_lr);
            write!(out, "{lines}{}", held(&bounds))?;
            if let Some(run) = run {
                write!(out, "{}", advised(&bounds, run)?)?;
            }
        }
        Err(reason) => write!(out, "{}", refusal(reason, run))?,
    }
    write!(out, "{}", asides(reading))?;
    Ok(())
}

fn line(name: &str, e: Estimate) -> String {
    format!(
        "{name:9} {:9} [{}, {}]  ({})\n",
        rate(e.value),
        rate(e.interval.low),
        rate(e.interval.high),
        describe_basis(e.basis)
    )
}

fn held(bounds: &Bounds) -> String {
    bounds.held_by.map_or_else(String::new, |lr| {
        format!(
            "          max_lr is held safely below {}, where a run diverged\n",
            rate(lr)
        )
    })
}

/// The paper's reading of the sweep, where it gives one.
fn paper(reading: &SweepReading) -> String {
    match (reading.answer, reading.base_lr) {
        (Ok(bounds), _) => format!(
            "in the sweep the figure begins to rise at {} and stops at {}",
            rate(bounds.base_lr.value),
            rate(bounds.max_lr.value)
        ),
        (Err(_), Some(base_lr)) => format!(
            "in the sweep the figure begins to rise at {}",
            rate(base_lr.value)
        ),
        (Err(_), None) => {
            String::from("the sweep alone does not show where the figure begins to rise")
        }
    }
}

/// Step size, cycles and policy for a training.
fn advised(bounds: &Bounds, run: &Horizon) -> anyhow::Result<String> {
    let cycles = advice::cycles(run)?;
    Ok(format!(
        "step size {} updates ({:.2} epochs), {} cycles in {} updates\npolicy    {}\n",
        cycles.step,
        cycles.step_epochs,
        cycles.cycles,
        cycles.updates,
        advice::suggest(bounds.base_lr.value, bounds.max_lr.value, run)?
    ))
}

fn refusal(reason: NoAnswer, run: Option<&Horizon>) -> String {
    format!(
        "no reliable answer: {reason}\ntry this: {}\n",
        what_to_try(reason, run)
    )
}

/// What other rules say of the sweeps, for those who know them.
fn asides(reading: &SweepReading) -> String {
    let mean = |of: fn(&Suggestions) -> f64| {
        let logs: Option<Vec<f64>> = reading
            .suggestions
            .iter()
            .map(|p| p.as_ref().map(|p| of(p).ln()))
            .collect();
        match logs {
            Some(logs) if !logs.is_empty() => {
                rate((logs.iter().sum::<f64>() / logs.len() as f64).exp())
            }
            _ => String::from("none"),
        }
    };
    let stable = reading.largest_stable();
    format!(
        "in the sweep: largest stable rate {}; by other rules: minimum/10 {}, steepest {}, valley {}, slide {}\n",
        stable.map_or_else(|| String::from("none"), rate),
        mean(|p| p.minimum_tenth),
        mean(|p| p.steepest),
        mean(|p| p.valley),
        mean(|p| p.slide),
    )
}
