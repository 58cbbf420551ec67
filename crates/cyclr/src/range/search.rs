use alloc::{vec, vec::Vec};

use super::centre::{Level, centre};
use super::{Bounds, Estimate, Interval, NoAnswer, Probe, ProbeResult, Sweep};
use crate::trainer::TrainerInfo;

/// The ratio of `max_lr` to `base_lr` in a cyclical policy. Bases at a hundredth to a tenth of the
/// maximum end alike, and better than those at a quarter or a half.
pub const MAX_OVER_BASE: f64 = 25.0;

/// How a range test spends its updates: one exponential sweep, then probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The updates of the sweep.
    pub sweep: u64,
    /// The updates of a probe.
    pub probe: u64,
    /// The seeds that each of the rates is tried with.
    pub repeats: u64,
    /// The updates of sweep and probes together.
    pub updates: u64,
    /// The updates of the longer probes that are added where the probes learn too little to tell
    /// one rate from another: twice as many, but no more than an epoch, after which a net that
    /// learns examples by heart would seem to learn. 0 if that is no longer.
    pub longer_probe: u64,
}

/// The rates that are tried with each seed.
const PROBES: u64 = 5;

/// The shortest probe that shows something of a net in general.
const SHORTEST_PROBE: u64 = 30;

/// The examples that a probe should see at least.
const FEWEST_EXAMPLES: u64 = 1500;

/// How many times as long the probes are that follow those that learnt too little.
const LONGER: u64 = 2;

/// Longer probes are no steadier; a second seed is.
const LONG_PROBE: u64 = 150;

impl Allowance {
    /// What a test may cost that answers for a training of `budget` updates: `fraction` of them,
    /// and no fewer than a readable test needs.
    pub fn new(budget: u64, fraction: f64, info: &TrainerInfo) -> Self {
        let asked = (fraction * budget as f64) as u64;
        Self::of(asked.max(least_updates(budget, info)), info)
    }

    /// The fewest updates of a range test.
    pub const FEWEST_UPDATES: u64 = 100;

    /// Deals `updates` out, at least 100 of them.
    pub fn of(updates: u64, info: &TrainerInfo) -> Self {
        let updates = updates.max(Self::FEWEST_UPDATES);
        let sweep = (updates / 6).clamp(25, 200);
        let repeats = ((updates - sweep) / (PROBES * LONG_PROBE)).clamp(1, 3);
        let probe = (updates - sweep) / (PROBES * repeats);
        let longer = (LONGER * probe).min(info.updates_per_epoch());
        Self {
            sweep,
            probe,
            repeats,
            updates,
            longer_probe: if longer > probe { longer } else { 0 },
        }
    }

    /// The updates of all longer probes together.
    pub const fn longer(&self) -> u64 {
        PROBES * self.longer_probe
    }
}

/// The fewest updates of a test for a budget: five probes of 30 updates (more where batches are
/// small) and their sweep, or a quarter of the budget if that is less.
fn least_updates(budget: u64, info: &TrainerInfo) -> u64 {
    let probe = FEWEST_EXAMPLES
        .div_ceil(info.batch)
        .clamp(SHORTEST_PROBE, LONG_PROBE);
    let readable = PROBES * probe * 6 / 5;
    (budget / 4).clamp(Allowance::FEWEST_UPDATES, readable)
}

/// Where the probes start, read from a sweep.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Start {
    /// The rate at which the smoothed loss is least.
    pub lr: f64,
    /// The mean loss of the sweep's opening, before anything is learnt.
    pub opening: f64,
    /// The mean of the objective beside the loss there, if there is one.
    pub figure: Option<f64>,
    /// The examples of the opening.
    pub count: u64,
    /// Whether training starts from given weights.
    pub given_weights: bool,
}

impl Start {
    /// Reads the start from an exponential sweep that begins at a rate too low to learn.
    ///
    /// # Errors
    /// [`NoAnswer::TooFewPoints`] if the loss is not finite from the start.
    pub fn of(sweep: &Sweep, given_weights: bool) -> Result<Self, NoAnswer> {
        let points = sweep.points();
        let losses: Vec<f64> = sweep.losses().collect();
        let quarter = losses.len() / OPENING_SHARE;
        if quarter < FEWEST_OPENING {
            return Err(NoAnswer::TooFewPoints {
                points: losses.len(),
                needed: OPENING_SHARE * FEWEST_OPENING,
            });
        }
        let half = (losses.len() / 26).max(1);
        let smoothed = |i: usize| {
            let near = &losses[i.saturating_sub(half)..(i + half + 1).min(losses.len())];
            mean(near.iter().copied())
        };
        let least = (0..losses.len()).map(|i| (i, smoothed(i)));
        let least = least.fold((0, f64::INFINITY), |a, b| if b.1 < a.1 { b } else { a });
        let lr = points[least.0].lr;
        let idle = points.partition_point(|point| point.lr < lr / IDLE);
        let opening = &points[..quarter.max(idle)];
        Ok(Self {
            lr,
            opening: mean(losses[..opening.len()].iter().copied()),
            figure: mean_of(opening.iter().map(|point| point.figure)),
            count: opening.iter().map(|point| point.count).sum(),
            given_weights,
        })
    }
}

/// Nothing is learnt at rates so many times below the one of the least loss.
const IDLE: f64 = 100.0;

/// The share of a sweep's points, and the least number of them, that are its opening.
const OPENING_SHARE: usize = 4;
const FEWEST_OPENING: usize = 3;

/// The mean of values that are all there.
fn mean_of(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let values: Option<Vec<f64>> = values.collect();
    values.map(|values| mean(values.into_iter()))
}

/// What the probes say together.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeReading {
    /// The bounds, or why there is no reliable answer.
    pub answer: Result<Bounds, NoAnswer>,
    /// The probes, in the order in which they were made.
    pub probes: Vec<ProbeResult>,
}

/// Trains the probes that it is handed and gives their results in the same order.
pub type Trains<'a, E> = &'a mut dyn FnMut(&[Probe]) -> Result<Vec<ProbeResult>, E>;

/// Finds `max_lr` by probes. Their highest rates are powers of 2, so that other seeds and costs
/// meet the same ones.
///
/// Three are made at the powers of 4 around the start, further ones at the next powers of 4 until
/// the best stands between two worse, and then those half way to its neighbours; if there is room,
/// all near the best again with other seeds. `max_lr` is the centre of the rates whose loss,
/// between the probes on straight lines in ln rate, lies less than a fifth above the best, each
/// weighed by how far it stays below that. `train` makes the probes that it is handed, which do
/// not depend on one another; `updates` is what they may cost together. Where they learn too
/// little, as many longer ones follow, and those decide.
///
/// # Errors
/// Those of `train`.
pub fn find_max_lr<E>(
    start: Start,
    allowance: &Allowance,
    updates: u64,
    train: Trains<'_, E>,
) -> Result<ProbeReading, E> {
    let mut search = Search {
        start,
        length: allowance.probe,
        left: updates,
        made: Vec::new(),
    };
    let mut probes = search.climb(&mut *train)?;
    let mut answer = search.answer();
    let learns_too_little = matches!(
        answer,
        Err(NoAnswer::HardlyLearns { .. } | NoAnswer::NoBetterThanUntrained { .. })
    );
    if learns_too_little && allowance.longer_probe > 0 {
        let best = best(&search.tried());
        search = Search {
            start: Start {
                lr: libm::exp2(f64::from(best)),
                ..start
            },
            length: allowance.longer_probe,
            left: allowance.longer(),
            made: Vec::new(),
        };
        probes.extend(search.climb(train)?);
        answer = search.answer();
    }
    Ok(ProbeReading { answer, probes })
}

/// The first probes lie so many octaves apart.
const COARSE: i32 = 2;

struct Search {
    start: Start,
    length: u64,
    left: u64,
    made: Vec<ProbeResult>,
}

impl Search {
    /// Makes probes until nothing is left to try or to pay with.
    fn climb<E>(&mut self, train: Trains<'_, E>) -> Result<Vec<ProbeResult>, E> {
        let mut next = self.around_the_start();
        while !next.is_empty() && self.affords(&next) {
            let results = train(&next)?;
            let spent: u64 = results.iter().map(|result| result.made).sum();
            self.left = self.left.saturating_sub(spent);
            self.made.extend(results);
            next = self.next();
        }
        Ok(self.made.clone())
    }

    fn affords(&self, probes: &[Probe]) -> bool {
        probes.len() as u64 * self.length <= self.left
    }

    fn probe(&self, octave: i32, repeat: u64) -> Probe {
        Probe {
            lr: libm::exp2(f64::from(octave)),
            updates: self.length,
            repeat,
        }
    }

    fn around_the_start(&self) -> Vec<Probe> {
        let middle = COARSE * libm::round(libm::log2(self.start.lr) / f64::from(COARSE)) as i32;
        let octaves = [middle - COARSE, middle, middle + COARSE];
        octaves.map(|octave| self.probe(octave, 0)).to_vec()
    }

    /// The octaves of the first seed with their losses, rising.
    fn tried(&self) -> Vec<(i32, f64)> {
        let first = self.made.iter().filter(|result| result.probe.repeat == 0);
        let mut tried: Vec<_> = first
            .map(|result| (octave(result.probe.lr), result.loss_or_infinity()))
            .collect();
        tried.sort_by_key(|&(octave, _)| octave);
        tried
    }

    /// The probes after those that were made; none at the end.
    fn next(&self) -> Vec<Probe> {
        let tried = self.tried();
        let best = best(&tried);
        let (first, last) = (tried[0].0, tried[tried.len() - 1].0);
        if best == first {
            return vec![self.probe(first - COARSE, 0)];
        }
        if best == last {
            return vec![self.probe(last + COARSE, 0)];
        }
        let beside = Self::beside(&tried, best);
        if beside.is_empty() {
            return self.another_seed(&tried, best);
        }
        let affordable = (self.left / self.length.max(1)) as usize;
        let beside = beside.iter().take(affordable);
        beside.map(|&octave| self.probe(octave, 0)).collect()
    }

    /// The octaves next to the best that were not tried, first the one on whose side the loss is
    /// lower.
    fn beside(tried: &[(i32, f64)], best: i32) -> Vec<i32> {
        let loss = |octave: i32| tried.iter().find(|t| t.0 == octave).map(|t| t.1);
        let beyond = |octave: i32| loss(2 * octave - best).unwrap_or(f64::INFINITY);
        let untried = |octave: &i32| loss(*octave).is_none();
        let mut beside: Vec<i32> = [best - 1, best + 1].into_iter().filter(untried).collect();
        beside.sort_by(|&a, &b| beyond(a).total_cmp(&beyond(b)));
        beside
    }

    /// The rates near the best again, with the next seed.
    fn another_seed(&self, tried: &[(i32, f64)], best: i32) -> Vec<Probe> {
        let made = self.made.iter().map(|result| result.probe.repeat);
        let repeat = made.max().map_or(0, |last| last + 1);
        let near = tried.iter().filter(|t| (t.0 - best).abs() <= COARSE);
        near.map(|t| self.probe(t.0, repeat)).collect()
    }

    fn answer(&self) -> Result<Bounds, NoAnswer> {
        let tried = self.tried();
        let diverged = self.made.iter().filter(|result| result.loss.is_none());
        let diverged = diverged.map(|r| r.probe.lr).fold(f64::INFINITY, f64::min);
        let best = tried.iter().map(|t| t.1).fold(f64::INFINITY, f64::min);
        if best.is_infinite() {
            return Err(NoAnswer::ProbesDiverged { lowest: diverged });
        }
        let level = Level::new(&self.made, self.start.opening);
        self.check_learning(&level)?;
        let points = over_seeds(&self.made, &level);
        let ln = centre(&points, DEPTH) * core::f64::consts::LN_2;
        Ok(bounds(
            ln,
            diverged,
            self.half_width(),
            Self::is_open(&tried),
        ))
    }

    /// Half the prediction interval, in ln rate: what other costs and the course of a training
    /// add, and the noise of the batches that a probe's loss is the mean of.
    fn half_width(&self) -> f64 {
        const ELSEWHERE: f64 = 0.5;
        const NOISE: f64 = 8.0;
        let counts = self.made.iter().map(|result| result.probe.repeat);
        let seeds = counts.max().map_or(1, |last| last + 1);
        let tails = self.made.iter().map(|result| result.count);
        let examples = (tails.max().unwrap_or(0) * seeds).max(1) as f64;
        libm::sqrt(ELSEWHERE * ELSEWHERE + NOISE * NOISE / examples)
    }

    /// Refuses probes that learnt nothing; none that start from given weights, which may know
    /// already what there is to learn.
    fn check_learning(&self, level: &Level) -> Result<(), NoAnswer> {
        /// The least gain of accuracy that counts, in standard errors.
        const CLEAR: f64 = 3.0;
        let updates = self.length;
        if self.start.given_weights {
            return Ok(());
        }
        if let Some(clearness) = self.clearness(level).filter(|&clearness| clearness < CLEAR) {
            return Err(NoAnswer::NoBetterThanUntrained {
                clearness,
                needed: CLEAR,
                updates,
            });
        }
        let fall = level.fall();
        if fall < LEAST_FALL {
            return Err(NoAnswer::HardlyLearns {
                fall: 100.0 * (1.0 - libm::exp(-fall)),
                updates,
            });
        }
        Ok(())
    }

    /// How far the accuracy of the probes that end nearly as well as the best lies above that of
    /// the sweep's opening, in standard errors; `None` if no accuracy is measured.
    fn clearness(&self, level: &Level) -> Option<f64> {
        let near = self
            .made
            .iter()
            .filter(|probe| level.above_best(probe) < DEPTH);
        let counts: Option<Vec<(u64, u64)>> = near
            .map(|probe| Some((probe.correct?, probe.count)))
            .collect();
        let (correct, count) = counts?.iter().fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
        let before = self.start.figure?;
        let after = correct as f64 / count as f64;
        let (n, m) = (self.start.count as f64, count as f64);
        let pooled = (before * n + correct as f64) / (n + m);
        let error = libm::sqrt(pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m));
        // Where all is wrong or all is right, nothing was gained.
        Some(if error > 0.0 {
            (after - before) / error
        } else {
            0.0
        })
    }

    /// Whether the best rate lies at the lower and at the upper end of those tried.
    fn is_open(tried: &[(i32, f64)]) -> (bool, bool) {
        let best = best(tried);
        (best == tried[0].0, best == tried[tried.len() - 1].0)
    }
}

/// The depth below which the centre is taken, in ln loss.
const DEPTH: f64 = 0.2;

/// The least fall of the loss, in ln, that counts as learning.
const LEAST_FALL: f64 = 0.05;

/// How much further it reaches where the best probe had no worse one beyond it.
const OPEN_END: f64 = 2.0 * core::f64::consts::LN_2;

fn bounds(ln: f64, diverged: f64, half_width: f64, open: (bool, bool)) -> Bounds {
    /// A probe that diverges once in a while at its highest rate needs this factor of safety.
    const BELOW_DIVERGENCE: f64 = 2.0;
    let limit = diverged / BELOW_DIVERGENCE;
    let reach = |open: bool| half_width + if open { OPEN_END } else { 0.0 };
    let value = libm::exp(ln).min(limit);
    let max_lr = Estimate {
        value,
        low: value * libm::exp(-reach(open.0)),
        high: value * libm::exp(reach(open.1)),
        interval: Interval::Prediction,
    };
    Bounds {
        base_lr: max_lr.over(MAX_OVER_BASE),
        max_lr,
        held_by: (libm::exp(ln) > limit).then_some(diverged),
    }
}

/// The mean level of each rate over the seeds, rising. Seeds differ by an offset of their own, so
/// that a rate that some of them did not try takes the others' mean difference.
fn over_seeds(made: &[ProbeResult], level: &Level) -> Vec<(f64, f64)> {
    let first: Vec<_> = made.iter().filter(|r| r.probe.repeat == 0).collect();
    let seeds = made.iter().map(|r| r.probe.repeat).max().unwrap_or(0) + 1;
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

/// The octave of the least loss, the lowest of equals.
fn best(tried: &[(i32, f64)]) -> i32 {
    let lower = |a: (i32, f64), &b: &(i32, f64)| if b.1 < a.1 { b } else { a };
    tried.iter().fold((tried[0].0, f64::INFINITY), lower).0
}

/// The power of 2 that a rate is.
fn octave(lr: f64) -> i32 {
    libm::round(libm::log2(lr)) as i32
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0.0), |(sum, n), v| (sum + v, n + 1.0));
    sum / n
}
