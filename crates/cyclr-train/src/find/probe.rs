//! Short trainings that show what a rate is worth.

use cyclr::Hyper;
use cyclr::range::{Probe, ProbeResult};
use cyclr::trainer::{Metric, Metrics, Trainer, TrainerInfo};

use super::curve::{falling_in, figure_in};
use super::sweep::made;
use crate::obeyed::says_something;
use crate::{Error, Watch};

/// A loss that is this multiple of the first one's will not come back.
const HOPELESS: f64 = 1000.0;

/// Trains a probe with a run that was just started, up to its end or to where it diverges. `watch`
/// sees the updates done so far.
///
/// # Errors
/// [`Error::Trainer`] and [`Error::Interrupted`].
pub fn train_probe(
    net: &mut dyn Trainer,
    probe: Probe,
    weight_decay: Option<f64>,
    watch: &mut Watch<u64>,
) -> Result<ProbeResult, Error> {
    train_probe_and_first(net, probe, weight_decay, watch).map(|(result, _)| result)
}

/// As [`train_probe`], with the metrics of the first batch, which no rate has touched.
pub(super) fn train_probe_and_first(
    net: &mut dyn Trainer,
    probe: Probe,
    weight_decay: Option<f64>,
    watch: &mut Watch<u64>,
) -> Result<(ProbeResult, Option<Metrics>), Error> {
    /// Few, so that an interrupt is noticed soon.
    const AT_ONCE: u64 = 5;
    let info = net.info().clone();
    let mut batches: Vec<Metrics> = Vec::new();
    let mut diverged = false;
    while !diverged && (batches.len() as u64) < probe.updates {
        let done = batches.len() as u64;
        watch.interrupt.check()?;
        let stop = (done + AT_ONCE).min(probe.updates);
        let hyper = |update| Hyper {
            weight_decay,
            ..Hyper::lr(probe.at(update))
        };
        let more = net.updates(&(done..stop).map(hyper).collect::<Vec<_>>())?;
        made(stop - done, &more)?;
        batches.extend(more);
        diverged = is_hopeless(&batches, &info);
        (watch.observer)(&(batches.len() as u64));
    }
    let first = batches.first().cloned();
    Ok((result(probe, &batches, diverged, &info), first))
}

/// Refuses probes that show that the rate or the seed had no effect: their losses are equal to the
/// bit, and none that every run may have.
pub(super) fn check_probes(first_seed: u64, probes: &[ProbeResult]) -> Result<(), Error> {
    for (n, one) in probes.iter().enumerate() {
        for other in &probes[..n] {
            let (Some(loss), Some(same)) = (own_loss(one), own_loss(other)) else {
                continue;
            };
            if loss.to_bits() != same.to_bits() || one.probe.updates != other.probe.updates {
                continue;
            }
            let seeds = [other, one].map(|result| first_seed + result.probe.repeat);
            let rates = [other, one].map(|result| result.probe.lr);
            if seeds[0] == seeds[1] && rates[0] != rates[1] {
                return Err(Error::RateNotObeyed {
                    seed: seeds[0],
                    rates,
                    updates: one.probe.updates as usize,
                });
            }
            if seeds[0] != seeds[1] && rates[0] == rates[1] {
                return Err(Error::SeedNotObeyed { seeds, loss });
            }
        }
    }
    Ok(())
}

/// The loss of a probe, if it tells the probe from others: a figure in its place may have few
/// values, and a net that has learnt all there is has a loss of 0.
fn own_loss(result: &ProbeResult) -> Option<f64> {
    let is_figure = |loss: f64| result.figure.is_some_and(|f| f.abs() == loss.abs());
    let loss = result.loss.filter(|&loss| says_something(loss));
    loss.filter(|&loss| !is_figure(loss))
}

fn result(probe: Probe, batches: &[Metrics], diverged: bool, info: &TrainerInfo) -> ProbeResult {
    let tail = &batches[batches.len().saturating_sub(probe.tail() as usize)..];
    let figure = |batch| figure_in(batch, info);
    let figures: Option<Vec<&Metric>> = tail.iter().map(figure).collect();
    let figures = figures.filter(|_| !diverged);
    let correct = figures
        .as_ref()
        .and_then(|all| all.iter().map(|m| m.correct).sum());
    // What has neither a figure nor a loss counts no examples.
    let counts = tail
        .iter()
        .filter_map(|batch| figure(batch).or(batch.loss()));
    ProbeResult {
        probe,
        loss: (!diverged).then(|| mean(tail.iter().map(|batch| loss(batch, info)))),
        figure: figures.map(|all| mean(all.iter().map(|m| m.value))),
        correct,
        count: counts.map(|m| m.count).sum(),
        made: batches.len() as u64,
    }
}

/// Whether training diverged: a figure is not finite, or a loss rose far above the first. A first
/// loss of 0 has nothing to compare with, and no more has a figure of which more is better, since
/// its 0 may be anywhere.
fn is_hopeless(batches: &[Metrics], info: &TrainerInfo) -> bool {
    if batches.iter().any(|batch| !loss(batch, info).is_finite()) {
        return true;
    }
    let mut losses = batches.iter().filter_map(|batch| falling_in(batch, info));
    match losses.next() {
        Some(first) if first != 0.0 => losses.any(|loss| loss > first + HOPELESS * first.abs()),
        _ => false,
    }
}

/// The loss of a batch, or what decides if there is none, turned so that less is better.
fn loss(batch: &Metrics, info: &TrainerInfo) -> f64 {
    let Some(metric) = batch.loss().or(figure_in(batch, info)) else {
        return f64::NAN;
    };
    -metric.direction.sign() * metric.value
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len() as f64;
    values.sum::<f64>() / n
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_losses_show_that_a_rate_has_no_effect_unless_every_run_may_have_them() {
        let at = |lr, repeat, loss, figure| ProbeResult {
            probe: Probe {
                lr,
                updates: 40,
                repeat,
            },
            loss: Some(loss),
            figure,
            correct: None,
            count: 800,
            made: 40,
        };
        let two = |seed, loss, figure| [at(0.5, 0, loss, figure), at(0.5, seed, loss, figure)];
        let rates = |loss, figure| [at(0.5, 0, loss, figure), at(2.0, 0, loss, figure)];
        let refused = |probes: [ProbeResult; 2]| check_probes(0, &probes).err();
        assert!(matches!(
            refused(rates(0.37, Some(0.9))),
            Some(Error::RateNotObeyed { .. })
        ));
        assert!(matches!(
            refused(two(1, 0.37, None)),
            Some(Error::SeedNotObeyed { .. })
        ));
        // All is learnt; a net whose units are all dead guesses between two classes; all is right, by a
        // figure that stands in for a loss.
        for (loss, figure) in [(0.0, None), (2_f64.ln(), Some(0.5)), (-1.0, Some(1.0))] {
            assert!(refused(rates(loss, figure)).is_none(), "{loss}");
            assert!(refused(two(1, loss, figure)).is_none(), "{loss}");
        }
    }
}
