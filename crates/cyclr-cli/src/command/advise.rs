//! `cyclr advise`: how long a cycle should be, and what replaces a stepped schedule.

use std::io;

use cyclr::{
    advice::{self, Cycles, STEP_EPOCHS},
    range::MAX_OVER_BASE,
    units::{Epochs, Horizon},
};
use serde_json::json;

use crate::args::{AdviseArgs, read_policy};
use crate::chart::rate;
use crate::exit::Usage;
use crate::say::out;

pub(crate) fn run(args: &AdviseArgs) -> anyhow::Result<()> {
    let run = Epochs::new(args.epochs)
        .and_then(|epochs| Horizon::of_epochs(epochs, args.examples, args.batch))
        .map_err(Usage::error)?;
    if args.batch > args.examples {
        return Err(Usage::error(format!(
            "a batch of {} out of {} training examples: give a --batch from 1 to {}",
            args.batch, args.examples, args.examples
        )));
    }
    let cycles = advice::cycles(&run).map_err(Usage::error)?;
    let base = args
        .max
        .map(|max| advice::base_from_max(max, cycles.cycles))
        .transpose()
        .map_err(Usage::error)?;
    let equivalent = match &args.stepped {
        Some(text) => Some(
            advice::cyclical(&read_policy(text)?, &run, args.ratio)
                .map_err(Usage::error)?
                .to_string(),
        ),
        None => None,
    };
    if args.json {
        let document = json!({
            "updates_per_epoch": run.updates_per_epoch(), "given_updates": run.updates(),
            "step": cycles.step, "step_epochs": cycles.step_epochs, "cycles": cycles.cycles, "updates": cycles.updates,
            "short": cycles.short, "base_lr": base.map(|(low, high)| [low, high]), "equivalent": equivalent,
        });
        out!("{document}")?;
        return Ok(());
    }
    print_cycles(&cycles, &run)?;
    if let (Some((low, high)), Some(max)) = (base, args.max) {
        out!(
            "base_lr   {} to {} by the paper's rule of thumb for max_lr {max}; cyclr find takes max_lr / {MAX_OVER_BASE}, {}",
            rate(low),
            rate(high),
            rate(max / MAX_OVER_BASE)
        )?;
    }
    if let Some(equivalent) = equivalent {
        out!("as cycles {equivalent}")?;
    }
    Ok(())
}

fn print_cycles(cycles: &Cycles, run: &Horizon) -> io::Result<()> {
    let (shortest, longest) = STEP_EPOCHS;
    out!(
        "step size {} updates ({:.3} epochs; {shortest} to {longest} are advised)",
        cycles.step,
        cycles.step_epochs
    )?;
    out!(
        "cycles    {} (the paper: at least 3, better 4)",
        cycles.cycles
    )?;
    out!(
        "          in runs of 2.5 to 19 epochs, 1 cycle ended 0.5 points above 4 cycles, and 16 ended 1.4 below (METHOD.md)"
    )?;
    out!(
        "budget    {} of {} updates: the last trough is there",
        cycles.updates,
        run.updates()
    )?;
    if cycles.short {
        let fewest = 2 * advice::FEWEST_CYCLES * shortest;
        out!(
            "note      three cycles with a step size of {shortest} epochs need {fewest} epochs: this budget is shorter"
        )?;
    }
    Ok(())
}
