//! What the probes of a search say together.

use alloc::vec::Vec;

use super::{MAX_OVER_BASE, MAX_OVER_FIXED, Search, best, mean, octave};
use crate::range::level::Level;
use crate::range::{Basis, Bounds, Estimate, NoAnswer, ProbeResult, Trough};
use crate::stats::Interval;

/// The depth below which the centre is taken, in ln loss.
const DEPTH: f64 = 0.2;

/// The least fall of the loss, in ln, that counts as learning.
const LEAST_FALL: f64 = 0.05;

/// A fall of the loss, in ln, that is no chance: to a sixteenth.
const PLAIN_FALL: f64 = 4.0 * core::f64::consts::LN_2;

/// How much further it reaches where the best probe had no worse one beyond it.
const OPEN_END: f64 = 2.0 * core::f64::consts::LN_2;

impl Search {
    pub(super) fn answer(&self) -> Result<Bounds, NoAnswer> {
        let tried = self.tried();
        let diverged = self.made.iter().filter(|result| result.loss.is_none());
        let diverged = diverged.map(|r| r.probe.lr).fold(f64::INFINITY, f64::min);
        let best = tried.iter().map(|t| t.1).fold(f64::INFINITY, f64::min);
        if best.is_infinite() {
            return Err(NoAnswer::ProbesDiverged { lowest: diverged });
        }
        let level = Level::new(&self.made, self.start.opening);
        self.check_learning(&level)?;
        let mut levels = over_seeds(&self.made, &level);
        if levels.iter().all(|(_, level)| !level.is_finite()) {
            // Another seed alone did as well as the opening, which leaves no unit for the others: the
            // first seed, whose best rate is finite, decides alone.
            let first = self.made.iter().filter(|result| result.probe.repeat == 0);
            let first: Vec<_> = first.copied().collect();
            levels = over_seeds(&first, &Level::new(&first, self.start.opening));
        }
        let trough = Trough::of(&levels, DEPTH);
        Ok(bounds(&trough, diverged, Self::is_open(&tried)))
    }

    /// Refuses probes that learnt nothing; none that start from given weights, which may know
    /// already what there is to learn.
    fn check_learning(&self, level: &Level) -> Result<(), NoAnswer> {
        /// The least gain that counts, in standard errors.
        const CLEAR: f64 = 3.0;
        let updates = self.length;
        if self.start.given_weights {
            return Ok(());
        }
        let clearness = self.clearness(level);
        if clearness < CLEAR {
            return Err(NoAnswer::NoBetterThanUntrained {
                clearness,
                needed: CLEAR,
                updates,
            });
        }
        if level.fall() < LEAST_FALL {
            return Err(NoAnswer::HardlyLearns {
                best: level.best,
                untrained: level.opening,
                updates,
            });
        }
        Ok(())
    }

    /// How far the probes that end nearly as well as the best stand out from the sweep's opening, in
    /// standard errors: by their accuracy, or by their loss if none is measured.
    fn clearness(&self, level: &Level) -> f64 {
        let is_near = |probe: &&ProbeResult| level.above_best(probe) < DEPTH;
        let near = || self.made.iter().filter(is_near);
        let (n, m) = (
            self.start.count as f64,
            near().map(|p| p.count as f64).sum::<f64>(),
        );
        let correct: Option<f64> = near().map(|probe| probe.correct.map(|n| n as f64)).sum();
        let (gain, deviation) = match (correct, self.start.figure) {
            (Some(correct), Some(before)) => {
                let pooled = (before * n + correct) / (n + m);
                let gain = correct / m - before;
                (gain, libm::sqrt(pooled * (1.0 - pooled)))
            }
            // Of a sweep that diverges at once the opening may differ more than losses by chance.
            _ if level.is_ln && level.fall() > PLAIN_FALL => return f64::INFINITY,
            _ => {
                let loss = mean(near().filter_map(|probe| probe.loss));
                (self.start.opening - loss, self.start.deviation)
            }
        };
        // Where all is wrong, all is right or every loss is the same, nothing was gained.
        let error = deviation * libm::sqrt(1.0 / n + 1.0 / m);
        if gain > 0.0 { gain / error } else { 0.0 }
    }

    /// Whether the best rate lies at the lower and at the upper end of those tried.
    fn is_open(tried: &[(i32, f64)]) -> (bool, bool) {
        let best = best(tried);
        (best == tried[0].0, best == tried[tried.len() - 1].0)
    }
}

fn bounds(trough: &Trough, diverged: f64, open: (bool, bool)) -> Bounds {
    /// A probe that diverges once in a while at its highest rate needs this factor of safety.
    const BELOW_DIVERGENCE: f64 = 2.0;
    let ln = trough.centre * core::f64::consts::LN_2;
    let limit = diverged / BELOW_DIVERGENCE;
    let half = half_width(trough);
    let reach = |open: bool| half + if open { OPEN_END } else { 0.0 };
    let value = libm::exp(ln).min(limit);
    let max_lr = Estimate {
        value,
        interval: Interval {
            low: value * libm::exp(-reach(open.0)),
            high: value * libm::exp(reach(open.1)),
        },
        basis: Basis::Prediction,
    };
    Bounds {
        base_lr: max_lr.over(MAX_OVER_BASE),
        max_lr,
        held_by: (libm::exp(ln) > limit).then_some(diverged),
        fixed_lr: Some(value / MAX_OVER_FIXED),
    }
}

/// Half the prediction interval, in ln rate: other seeds' answers lie further off where the trough
/// is wide.
fn half_width(trough: &Trough) -> f64 {
    const LEAST: f64 = 0.3;
    const OF_THE_SPREAD: f64 = 0.45;
    let wide = OF_THE_SPREAD * trough.spread;
    libm::sqrt(LEAST * LEAST + wide * wide)
}

/// The mean level of each rate over the seeds, rising. Seeds differ by an offset of their own, so
/// that a rate that some of them did not try takes the others' mean difference.
fn over_seeds(made: &[ProbeResult], level: &Level) -> Vec<(f64, f64)> {
    let first: Vec<_> = made.iter().filter(|r| r.probe.repeat == 0).collect();
    let seeds = made.iter().map(|r| r.probe.repeat + 1).max().unwrap_or(0);
    let mut points: Vec<(f64, f64)> = Vec::new();
    let of = |repeat: u64, lr: f64| {
        let mut found = made
            .iter()
            .filter(|r| r.probe.repeat == repeat && r.probe.lr == lr);
        found.next().map(|r| level.of(r))
    };
    let offset = |repeat: u64| {
        let both = first
            .iter()
            .filter_map(|r| Some((level.of(r), of(repeat, r.probe.lr)?)));
        let differences: Vec<f64> = both.map(|(a, b)| b - a).filter(|d| d.is_finite()).collect();
        if differences.is_empty() {
            0.0
        } else {
            mean(differences.into_iter())
        }
    };
    let offsets: Vec<f64> = (0..seeds).map(offset).collect();
    for result in &first {
        let lr = result.probe.lr;
        let shifted = (0..seeds).filter_map(|k| Some(of(k, lr)? - offsets[k as usize]));
        points.push((f64::from(octave(lr)), mean(shifted)));
    }
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    points
}
