//! Reads a cyclical policy's bounds from recorded learning-rate range tests.
//!
//! A range test trains while the rate rises, linearly or exponentially, and records loss and
//! accuracy of every update (Smith, arXiv 1506.01186, section 3.3). [`read_bounds`] takes repeats
//! of one test and gives `base_lr` and `max_lr` with intervals, or the reason why there is no
//! reliable answer. It has no clock, no random source of its own and does no IO: the same sweeps
//! give the same answer.
//!
//! ```
//! use cyclr::range::{Point, Rule, Sweep, read_bounds};
//! use cyclr::trainer::Direction;
//!
//! // A loss that falls from 2.3 to 0.3 around the rate 0.01, and explodes at 1.
//! let loss = |lr: f64| 0.3 + 2.0 / (1.0 + (lr / 0.01).powi(2)) + (lr / 0.7).powi(8);
//! let points = (0..200).map(|i| 1e-5 * 1.06_f64.powi(i)).map(|lr| Point::loss(lr, loss(lr)));
//! let sweep = Sweep::new(points.collect(), Direction::Lower)?;
//! let bounds = read_bounds(&[sweep], &Rule::default()).answer?;
//! assert!((0.001..0.01).contains(&bounds.base_lr.value));
//! assert!((0.03..0.3).contains(&bounds.max_lr.value));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod alike;
mod allowance;
mod curve;
mod estimate;
mod level;
mod no_answer;
mod probe;
mod reading;
mod rule;
mod search;
mod smooth;
mod smoothing;
mod start;
mod suggestions;
mod sweep;
mod trough;

use alloc::vec::Vec;

use curve::Curve;
use reading::LnPair;

pub use alike::{Unlike, repeats_of, unlike};
pub use allowance::Allowance;
pub use curve::Stability;
pub use estimate::{Basis, Estimate};
pub use no_answer::NoAnswer;
pub use probe::{Probe, ProbeResult};
pub use reading::Pair;
pub use rule::Rule;
pub use search::{
    MAX_OVER_BASE, MAX_OVER_FIXED, MAX_OVER_TRIANGULAR, ProbeReading, Trains, find_max_lr,
};
pub use smoothing::{Smoothing, SmoothingError, looks_undone_wrongly};
pub use start::Start;
pub use suggestions::Suggestions;
pub use sweep::{Point, Sweep, SweepError};
pub use trough::Trough;

/// What a range test says.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepReading {
    /// The bounds, or why there is no reliable answer.
    pub answer: Result<Bounds, NoAnswer>,
    /// `base_lr` by itself, from every repeat that shows it, though it may not show its `max_lr`;
    /// `None` if half of the repeats or more do not.
    pub base_lr: Option<Estimate>,
    /// What each repeat says by itself, in the order given.
    pub repeats: Vec<Result<Pair, NoAnswer>>,
    /// Up to which rate each repeat was stable; `None` if not even its first loss was finite.
    pub stability: Vec<Option<Stability>>,
    /// What other tools' rules pick from each repeat; `None` if it is too short for them.
    pub suggestions: Vec<Option<Suggestions>>,
}

impl SweepReading {
    /// The largest rate at which every repeat was stable; `None` if a repeat never was.
    pub fn largest_stable(&self) -> Option<f64> {
        let all: Option<Vec<_>> = self.stability.iter().copied().collect();
        let rates = all?.into_iter().map(|s| s.largest_stable);
        rates.reduce(f64::min)
    }
}

/// The two bounds of a cyclical policy; `base_lr` is below `max_lr`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// Where the figure starts to leave the sweep's own first plateau. Its interval ends at
    /// `max_lr`, where it would continue.
    pub base_lr: Estimate,
    /// Where it slows, turns ragged or falls, safely below if a repeat diverged.
    pub max_lr: Estimate,
    /// The lowest rate at which a repeat or a probe diverged, where `max_lr` is held below it (by
    /// [`Rule::below_divergence`], or half of it if probes diverged) rather than read from the
    /// curves. From sweeps, the interval of `max_lr` then ends at its value, or is nothing but its
    /// value.
    pub held_by: Option<f64>,
    /// The rate of a training that never lowers it: from probes `max_lr /` [`MAX_OVER_FIXED`];
    /// `None` from sweeps, which were not held against such trainings.
    pub fixed_lr: Option<f64>,
}

/// Reads the bounds from the repeats of one range test. METHOD.md says how good
/// its answers are.
///
/// More than half of the repeats must be readable. Each bound is the geometric mean over those
/// that are. A sweep that is an exact copy of another counts once, and sweeps of different kinds
/// get no answer. Losses that look smoothed are not read, unless [`Sweep::of_raw_losses`] says
/// that they are not.
pub fn read_bounds(sweeps: &[Sweep], rule: &Rule) -> SweepReading {
    let smoothed = smoothing::smoothed(sweeps);
    let curve = |(sweep, smoothed): (&Sweep, &Option<f64>)| {
        let curve = Curve::new(sweep, rule)?;
        match *smoothed {
            Some(roughness) => Err(NoAnswer::Smoothed {
                roughness,
                least: smoothing::LEAST_ROUGH,
            }),
            None => Ok(curve),
        }
    };
    let curves: Vec<_> = sweeps.iter().zip(&smoothed).map(curve).collect();
    let read = |curve: &Result<Curve, NoAnswer>| {
        let curve = curve.as_ref().map_err(|&reason| reason)?;
        reading::read(curve, &curve.values, &curve.smoothed, rule)
    };
    let readings: Vec<Readable> = curves.iter().map(read).collect();
    let firsts = repeats_of(sweeps);
    let own: Vec<usize> = (0..sweeps.len()).filter(|&n| firsts[n] == n).collect();
    let repeats: Vec<Readable> = own.iter().map(|&n| readings[n]).collect();
    let again = match own[..] {
        [only] => match (&curves[only], readings[only]) {
            (Ok(curve), Ok(_)) => estimate::resampled_readings(curve, rule),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    };
    let stability: Vec<_> = sweeps.iter().map(curve::stability).collect();
    let differ =
        unlike(sweeps).map(|(first, second, how)| NoAnswer::NotRepeats { first, second, how });
    SweepReading {
        answer: differ.map_or_else(|| answer(&repeats, &again, &stability, rule), Err),
        base_lr: match differ {
            Some(_) => None,
            None => base_lr(&repeats, &again),
        },
        repeats: readings
            .into_iter()
            .map(|r| r.and_then(LnPair::rates))
            .collect(),
        stability,
        suggestions: sweeps.iter().map(Suggestions::of).collect(),
    }
}

/// The objective of a sweep over its rates, smoothed as [`read_bounds`] smooths it: values worse
/// than before learning began are held there. Empty for a sweep that is too short to read.
pub fn smoothed(sweep: &Sweep) -> Vec<(f64, f64)> {
    let sign = sweep.direction().sign();
    // A curve that cannot be read has no smoothed line either, and its reading says why.
    let Ok(curve) = Curve::new(sweep, &Rule::default()) else {
        return Vec::new();
    };
    let rates = curve.ln_rates.iter().map(|&ln| libm::exp(ln));
    rates.zip(curve.smoothed.iter().map(|y| sign * y)).collect()
}

/// What one repeat says, or why it says nothing.
type Readable = Result<LnPair, NoAnswer>;

/// `again` is what the resampled curves of an only repeat say: they stand in for repeats, and must
/// pass what repeats must.
fn answer(
    repeats: &[Readable],
    again: &[Readable],
    stability: &[Option<Stability>],
    rule: &Rule,
) -> Result<Bounds, NoAnswer> {
    let (bases, maxes) = agreeing(repeats, rule)?;
    let (more_bases, more_maxes) = match repeats {
        [_] => agreeing(again, rule)?,
        _ => (Vec::new(), Vec::new()),
    };
    let base_lr = estimate(&bases, repeats.len(), more_bases);
    let max_lr = estimate(&maxes, repeats.len(), more_maxes);
    let diverged = stability.iter().flatten().filter_map(|s| s.diverged);
    let diverged = diverged.fold(f64::INFINITY, f64::min);
    let limit = diverged / rule.below_divergence;
    if base_lr.value >= limit {
        return Err(NoAnswer::DivergesAtOnce {
            diverged,
            base_lr: base_lr.value,
        });
    }
    let held = max_lr.capped(limit);
    Ok(Bounds {
        base_lr: base_lr.capped(held.value),
        max_lr: held,
        held_by: (max_lr.value > limit).then_some(diverged),
        fixed_lr: None,
    })
}

/// `base_lr` from every repeat that shows it, where these are more than half.
fn base_lr(repeats: &[Readable], again: &[Readable]) -> Option<Estimate> {
    let most = |repeats: &[Readable]| {
        let bases: Vec<f64> = repeats.iter().flatten().map(|pair| pair.base).collect();
        (2 * bases.len() > repeats.len()).then_some(bases)
    };
    let bases = most(repeats)?;
    let more = match repeats {
        [_] => most(again)?,
        _ => Vec::new(),
    };
    Some(estimate(&bases, repeats.len(), more))
}

/// A bound from its ln rates in the repeats that show it, or, of an only repeat, in its resampled
/// curves.
fn estimate(ln_rates: &[f64], repeats: usize, again: Vec<f64>) -> Estimate {
    match ln_rates {
        [only] if repeats == 1 => estimate::over_resamples(*only, again),
        _ => estimate::over_repeats(ln_rates, repeats),
    }
}

/// The ln rates of the readable repeats, which must be more than half of them and agree about
/// `max_lr`.
fn agreeing(repeats: &[Readable], rule: &Rule) -> Result<(Vec<f64>, Vec<f64>), NoAnswer> {
    // The reasons of the others are those that `commonest_reason` chooses from.
    let pair = |pair: &LnPair| pair.max.ok().map(|max| (pair.base, max));
    let (bases, maxes): (Vec<f64>, Vec<f64>) = repeats.iter().flatten().filter_map(pair).unzip();
    if 2 * maxes.len() <= repeats.len() {
        return Err(commonest_reason(repeats));
    }
    agree(&maxes, rule)?;
    Ok((bases, maxes))
}

fn agree(ln_rates: &[f64], rule: &Rule) -> Result<(), NoAnswer> {
    if ln_rates.len() < 2 || estimate::deviation(ln_rates) <= rule.agreement {
        return Ok(());
    }
    let fold = |f: fn(f64, f64) -> f64| {
        ln_rates
            .iter()
            .copied()
            .reduce(f)
            .map_or(f64::NAN, libm::exp)
    };
    Err(NoAnswer::RepeatsDisagree {
        lowest: fold(f64::min),
        highest: fold(f64::max),
    })
}

/// The reason of most unreadable repeats; of equally common ones the first.
fn commonest_reason(repeats: &[Readable]) -> NoAnswer {
    let reason = |r: &Readable| r.and_then(|pair| pair.max).err();
    let reasons: Vec<NoAnswer> = repeats.iter().filter_map(reason).collect();
    let alike = |a: &NoAnswer| {
        let same = |b: &&NoAnswer| core::mem::discriminant(a) == core::mem::discriminant(*b);
        reasons.iter().filter(same).count()
    };
    let first = NoAnswer::TooFewPoints {
        points: 0,
        needed: curve::FEWEST_POINTS,
    };
    let best = reasons.iter().rev().max_by_key(|r| alike(r));
    best.copied().unwrap_or(first)
}
