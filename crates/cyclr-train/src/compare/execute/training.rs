//! The training curve of a run, from its events.

use std::path::Path;

use cyclr::trainer::{Metrics, Objective};

use crate::compare::record::Bin;
use crate::store::{bad, read_events};
use crate::{Error, Event, Outcome, StopReason, ValidationPoint};

/// The bins of a training curve; more than a chart shows.
const BINS: u64 = 100;

/// The training batches of a run of `planned` updates, from its events, averaged in bins. Its result
/// is refused if the log has other updates, evaluations or another test, and a log that lacks a figure of
/// an update.
pub(super) fn training(
    folder: &Path,
    planned: u64,
    outcome: &Outcome,
    objective: &Objective,
) -> Result<Vec<Bin>, Error> {
    let width = planned.div_ceil(BINS).max(1);
    let mut bins: Vec<Bin> = Vec::new();
    let (mut loss, mut value) = (Mean::default(), Mean::default());
    let mut updates_done = 0;
    let (mut evaluations, mut test) = (Vec::new(), None);
    for event in read_events(folder)? {
        match event? {
            Event::Updated {
                update, metrics, ..
            } => {
                let fault = fault_of(update, &metrics, updates_done, outcome.stop_reason);
                fault.map_err(bad(&folder.join(Event::FILE)))?;
                loss.add(metrics.loss().map(|metric| metric.value));
                value.add(objective.find(&metrics).map(|metric| metric.value));
                updates_done += 1;
                if updates_done % width == 0 {
                    let value = std::mem::take(&mut value).get();
                    bins.push(Bin {
                        updates_done,
                        loss: std::mem::take(&mut loss).get(),
                        value: value.map(|value| objective.unit.of(value)),
                    });
                }
            }
            Event::Evaluated(point) => evaluations.push(point),
            Event::Tested { metrics, .. } => test = Some(metrics),
            _ => {}
        }
    }
    let log = folder.join(Event::FILE);
    if updates_done != outcome.updates_done {
        let all = outcome.updates_done;
        let reason = format!("it has {updates_done} updates of the {all} that the run made");
        return Err(bad(&log)(reason));
    }
    // As text, which has one word for all figures that are not finite.
    let text = |points: &[ValidationPoint], test: &Option<Metrics>| {
        serde_json::to_string(&(points, test)).map_err(bad(&log))
    };
    if text(&evaluations, &test)? != text(&outcome.evaluations, &outcome.test)? {
        let result = Outcome::FILE;
        let reason = format!("its evaluations or its test are not those of {result} beside it");
        return Err(bad(&log)(reason));
    }
    Ok(bins)
}

/// Why an update cannot be the next of a run that ended so.
fn fault_of(
    update: u64,
    metrics: &Metrics,
    next: u64,
    stop_reason: StopReason,
) -> Result<(), String> {
    if update != next {
        return Err(format!(
            "it has update {update} where update {next} belongs"
        ));
    }
    if metrics.is_finite() || stop_reason == (StopReason::Diverged { update }) {
        return Ok(());
    }
    Err(format!(
        "a figure of update {update} is not finite, and training did not diverge there"
    ))
}

/// The mean of finite values.
#[derive(Default)]
struct Mean {
    sum: f64,
    count: u64,
}

impl Mean {
    fn add(&mut self, value: Option<f64>) {
        if let Some(value) = value.filter(|value| value.is_finite()) {
            self.sum += value;
            self.count += 1;
        }
    }

    fn get(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}
