//! `cyclr find --from`: bounds from curves that were recorded elsewhere.

use anyhow::anyhow;
use cyclr::range::{Rule, Sweep, read_bounds};
use cyclr_train::find::{AnswerRecord, Recorded, Swept, copies, read_recorded};

use super::find::show;
use crate::args::FindArgs;
use crate::exit::NoReliableAnswer;
use crate::say::{note, out, unless_unread};

pub(super) fn run(args: &FindArgs) -> anyhow::Result<()> {
    let recorded = read_recorded(&args.curves, args.smoothed)?;
    say_what_was_done(&recorded);
    let sweeps: Vec<Sweep> = recorded.iter().map(|r| r.sweep.clone()).collect();
    let reading = read_bounds(&sweeps, &Rule::default());
    let curves = recorded.into_iter().map(|r| r.curve).collect();
    let swept = Swept { curves, reading };
    if args.json {
        let answer = AnswerRecord::of_sweeps(&swept, None, None)?;
        unless_unread(out!("{}", serde_json::to_string(&answer)?))?;
    } else {
        unless_unread(show::sweeps(&swept, "", None))?;
    }
    match swept.reading.answer {
        Ok(_) => Ok(()),
        Err(_) => Err(anyhow!(NoReliableAnswer)),
    }
}

/// What the answer rests on beside the files' own numbers.
fn say_what_was_done(recorded: &[Recorded]) {
    for (first, copy) in copies(recorded) {
        note!(
            "{copy} is the same curve as {first}: the two count as one repeat. Repeats need other seeds, for the weights or \
             the order of the data"
        );
    }
    for curve in recorded {
        if let Some(smoothing) = curve.undone {
            note!(
                "{}: the losses are read as an average by {smoothing}, which is undone",
                curve.name()
            );
        }
    }
}
