mod answer;

use alloc::vec::Vec;
use core::ops::RangeInclusive;

use super::allowance::{FEWEST_AGAIN, PROBES};
use super::level::Level;
use super::{Allowance, Bounds, NoAnswer, Probe, ProbeResult, Start};

/// The ratio of `max_lr` to `base_lr` in a cyclical policy. Bases at a hundredth to a tenth of the
/// maximum end alike, and better than those at a quarter or a half.
pub const MAX_OVER_BASE: f64 = 25.0;

/// The ratio of `max_lr` to the rate of a training that never lowers it. Over 21 problems
/// (`bench/finder`) the best ratio grows with the length of training, from some 2 at five epochs to
/// 20 at a hundred; a formula for that is no better than this one number.
pub const MAX_OVER_FIXED: f64 = 4.0;

/// The ratio of `max_lr` to the peak of `triangular`: as its cycles return to the peak until the end,
/// they want a lower one than cycles that shrink.
pub const MAX_OVER_TRIANGULAR: f64 = 1.4;

/// What the probes say together.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeReading {
    /// The bounds, or why there is no reliable answer.
    pub answer: Result<Bounds, NoAnswer>,
    /// The probes, in the order in which they were made.
    pub probes: Vec<ProbeResult>,
}

/// Trains the probes that it is given and returns their results in the same order.
pub type Trains<'a, E> = &'a mut dyn FnMut(&[Probe]) -> Result<Vec<ProbeResult>, E>;

/// Finds `max_lr` by probes. Their highest rates are powers of 2, so that other seeds and costs
/// meet the same ones.
///
/// Three are made at the powers of 4 around the start, further ones at the next powers of 4 until
/// the best is between two worse ones, and then those half way to its neighbours. If they learn
/// little, they are made again at twice the length, as long as the updates allow. The rest pays for
/// other seeds at the rates near the best. `max_lr` is the centre of the rates whose loss, between
/// the probes on straight lines in ln rate, lies less than a fifth above the best, each weighed by
/// how far it stays below that. `train` makes the probes that it is given, which do not depend on
/// one another; `updates` is what they may cost together. If they learn almost nothing,
/// [`Allowance::longer`] is added, once.
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
    let mut probes = Vec::new();
    search.climb(&mut *train)?;
    while let Some(longer) = search.longer(allowance) {
        probes.append(&mut search.made);
        search = longer;
        search.climb(&mut *train)?;
    }
    search.repeat(train)?;
    let answer = search.answer();
    probes.append(&mut search.made);
    Ok(ProbeReading { answer, probes })
}

/// Octaves from one of the first probes to the next.
const COARSE: i32 = 2;

/// No probe is made at rates outside these octaves: below 1e-12 and above 1e6 nothing is trained,
/// and a loss that is the same at every rate would have the probes go on for ever.
const OCTAVES: RangeInclusive<i32> = -40..=20;

/// The probes of one length.
struct Search {
    start: Start,
    length: u64,
    left: u64,
    made: Vec<ProbeResult>,
}

impl Search {
    /// Makes probes with the first seed until nothing is left to try or to pay with.
    fn climb<E>(&mut self, train: Trains<'_, E>) -> Result<(), E> {
        let mut next = self.around_the_start();
        while !next.is_empty() && self.affords(&next) {
            self.make(&next, &mut *train)?;
            next = self.next();
        }
        Ok(())
    }

    /// Makes the probes near the best again with other seeds.
    fn repeat<E>(&mut self, train: Trains<'_, E>) -> Result<(), E> {
        for repeat in 1..Allowance::MOST_SEEDS {
            let near = self.near_the_best(repeat);
            if near.is_empty() {
                break;
            }
            self.make(&near, &mut *train)?;
        }
        Ok(())
    }

    fn make<E>(&mut self, probes: &[Probe], train: Trains<'_, E>) -> Result<(), E> {
        let results = train(probes)?;
        let spent: u64 = results.iter().map(|result| result.made).sum();
        self.left = self.left.saturating_sub(spent);
        self.made.extend(results);
        Ok(())
    }

    /// The search with longer probes around the best, where these learn too little.
    fn longer(&self, allowance: &Allowance) -> Option<Self> {
        let length = allowance.after(self.length)?;
        let fall = self.fall()?;
        let refused = matches!(
            self.answer(),
            Err(NoAnswer::HardlyLearns { .. } | NoAnswer::NoBetterThanUntrained { .. })
        );
        let cost = PROBES * length;
        let left = if cost <= self.left && (refused || fall < ENOUGH_FALL) {
            self.left
        } else if refused && self.length == allowance.probe {
            cost
        } else {
            return None;
        };
        let lr = libm::exp2(f64::from(best(&self.tried())));
        let start = Start { lr, ..self.start };
        Some(Self {
            start,
            length,
            left,
            made: Vec::new(),
        })
    }

    /// How far the loss of the best probe lies below that before training, in ln; `None` where
    /// that says nothing, because all diverged or training starts from given weights.
    fn fall(&self) -> Option<f64> {
        let trained = self.made.iter().any(|result| result.loss.is_some());
        let tells = trained && !self.start.given_weights;
        tells.then(|| Level::new(&self.made, self.start.opening).fall())
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
        let middle = libm::round(libm::log2(self.start.lr) / f64::from(COARSE)) as i32;
        let middle = COARSE.saturating_mul(middle);
        let middle = middle.clamp(OCTAVES.start() + COARSE, OCTAVES.end() - COARSE);
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
        let beyond = |octave: i32| {
            let within = Some(octave).filter(|octave| OCTAVES.contains(octave));
            within.map(|octave| self.probe(octave, 0))
        };
        if best == first {
            return beyond(first - COARSE).into_iter().collect();
        }
        if best == last {
            return beyond(last + COARSE).into_iter().collect();
        }
        let beside = Self::beside(&tried, best);
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

    /// All rates near the best with another seed, or the three in the middle; none if these cannot
    /// be paid, or the best does not stand between two worse.
    fn near_the_best(&self, repeat: u64) -> Vec<Probe> {
        let tried = self.tried();
        let best = best(&tried);
        let within = |octaves: i32| {
            let near = tried.iter().filter(|t| (t.0 - best).abs() <= octaves);
            near.map(|t| self.probe(t.0, repeat)).collect::<Vec<_>>()
        };
        let both = [within(COARSE), within(1)];
        let mut affordable = both
            .into_iter()
            .filter(|near| near.len() as u64 >= FEWEST_AGAIN && self.affords(near));
        affordable.next().unwrap_or_default()
    }
}

/// A fall of the loss, in ln, at which the rates near the best stand out from those that do nothing.
const ENOUGH_FALL: f64 = 0.3;

/// The octave of the least loss, the lowest of equals.
fn best(tried: &[(i32, f64)]) -> i32 {
    let lower = |a: (i32, f64), &b: &(i32, f64)| if b.1 < a.1 { b } else { a };
    tried.iter().fold((tried[0].0, f64::INFINITY), lower).0
}

/// The power of 2 that a rate is.
fn octave(lr: f64) -> i32 {
    libm::round(libm::log2(lr)) as i32
}

pub(super) fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0.0), |(sum, n), v| (sum + v, n + 1.0));
    sum / n
}
