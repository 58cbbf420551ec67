//! Short trainings that show what a rate is worth.

use cyclr::Hyper;
use cyclr::range::{Probe, ProbeResult};
use cyclr::trainer::{Direction, Metrics, Trainer};

use super::sweep::made;
use crate::{Error, Watch};

/// A loss so many times the first one's will not come back.
const HOPELESS: f64 = 1000.0;

/// Trains a probe, up to its end or to where it diverges. `watch` sees the updates made so far.
pub(super) fn train(
    net: &mut dyn Trainer,
    probe: Probe,
    weight_decay: Option<f64>,
    watch: &mut Watch<u64>,
) -> Result<ProbeResult, Error> {
    /// Few, so that an interrupt is heeded soon.
    const AT_ONCE: u64 = 5;
    let (mut losses, mut figures) = (Vec::new(), Vec::new());
    let mut diverged = false;
    while !diverged && (losses.len() as u64) < probe.updates {
        let done = losses.len() as u64;
        if watch.interrupt.is_requested() {
            return Err(Error::Interrupted { updates_done: done });
        }
        let stop = (done + AT_ONCE).min(probe.updates);
        let hyper = |update| Hyper {
            weight_decay,
            ..Hyper::lr(probe.at(update))
        };
        let batches = net.updates(&(done..stop).map(hyper).collect::<Vec<_>>())?;
        made(stop - done, &batches)?;
        losses.extend(batches.iter().map(loss));
        figures.extend(batches.iter().map(figure));
        diverged = losses.iter().any(|&loss| is_hopeless(loss, losses[0]));
        (watch.observer)(&(losses.len() as u64));
    }
    let tail = losses.len().saturating_sub(probe.tail() as usize)..;
    let figures: Option<Vec<f64>> = figures[tail.clone()].iter().copied().collect();
    Ok(ProbeResult {
        probe,
        loss: (!diverged).then(|| mean(&losses[tail])),
        figure: figures.filter(|_| !diverged).map(|figures| mean(&figures)),
        made: losses.len() as u64,
    })
}

fn is_hopeless(loss: f64, first: f64) -> bool {
    !loss.is_finite() || loss > first + HOPELESS * first.abs()
}

/// The loss of a batch, or what decides where there is none, turned so that less is better.
fn loss(batch: &Metrics) -> f64 {
    let Some(metric) = batch.loss().or(batch.objective()) else {
        return f64::NAN;
    };
    match metric.direction {
        Direction::Lower => metric.value,
        Direction::Higher => -metric.value,
    }
}

/// What decides, where it is not the loss.
fn figure(batch: &Metrics) -> Option<f64> {
    let deciding = batch.objective().filter(|metric| metric.name != "loss");
    deciding.map(|metric| metric.value)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
