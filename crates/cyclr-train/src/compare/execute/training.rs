//! The training curve of a run, from its events.

use std::path::Path;

use cyclr::trainer::Objective;

use crate::compare::record::Bin;
use crate::store::{bad, read_events};
use crate::{Error, Event, Outcome};

/// The bins of a training curve; more than a chart shows.
const BINS: u64 = 100;

/// The training batches of a run of `planned` updates, from its events, averaged in bins. A log that
/// does not have all updates that were done is damaged.
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
    for event in read_events(folder)? {
        let Event::Updated { metrics, .. } = event? else {
            continue;
        };
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
    if updates_done != outcome.updates_done {
        let all = outcome.updates_done;
        let reason = format!("it has {updates_done} updates of the {all} that the run made");
        return Err(bad(&folder.join(Event::FILE))(reason));
    }
    Ok(bins)
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
