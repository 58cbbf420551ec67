//! Reads a cyclical policy's bounds from recorded learning-rate range tests.
//!
//! A range test trains while the rate rises, linearly or exponentially, and records loss and accuracy of every update
//! (Smith, arXiv 1506.01186, section 3.3). [`read_bounds`] takes repeats of one test and gives `base_lr` and `max_lr` with
//! intervals, or the reason why there is no reliable answer. It has no clock, no random source of its own and does no
//! IO: the same sweeps give the same answer.
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

mod centre;
mod curve;
mod interval;
mod probe;
mod reading;
mod rule;
mod search;
mod smooth;
mod suggestions;
mod sweep;

use alloc::vec::Vec;

use curve::Curve;
use reading::LnPair;

use crate::trainer::Direction;

pub use curve::Stability;
pub use interval::{Estimate, Interval};
pub use probe::{Probe, ProbeResult};
pub use reading::Pair;
pub use rule::Rule;
pub use search::{Allowance, MAX_OVER_BASE, ProbeReading, Start, Trains, find_max_lr};
pub use suggestions::Suggestions;
pub use sweep::{Point, Sweep, SweepError};

/// What a range test says.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepReading {
    /// The bounds, or why there is no reliable answer.
    pub answer: Result<Bounds, NoAnswer>,
    /// `base_lr` by itself, from every repeat that shows it, though it may not show its `max_lr`; `None` where half of the
    /// repeats or more do not.
    pub base_lr: Option<Estimate>,
    /// What each repeat says by itself, in the order given.
    pub repeats: Vec<Result<Pair, NoAnswer>>,
    /// Up to which rate each repeat was stable; `None` where not even its first loss was finite.
    pub stability: Vec<Option<Stability>>,
    /// What other tools' rules pick from each repeat; `None` where it is too short for them.
    pub suggestions: Vec<Option<Suggestions>>,
}

impl SweepReading {
    /// The largest rate at which every repeat was stable; `None` where a repeat never was.
    pub fn largest_stable(&self) -> Option<f64> {
        let all: Option<Vec<_>> = self.stability.iter().copied().collect();
        let rates = all?.into_iter().map(|s| s.largest_stable);
        rates.reduce(f64::min)
    }
}

/// The two bounds of a cyclical policy; `base_lr` is below `max_lr`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// Where the figure starts to leave the sweep's own first plateau. Its interval ends at `max_lr`, where it would go on.
    pub base_lr: Estimate,
    /// Where it slows, turns ragged or falls, safely below where a repeat diverged.
    pub max_lr: Estimate,
    /// The lowest rate at which a repeat diverged, where `max_lr` is held below it by [`Rule::below_divergence`] rather
    /// than read from the curves. Its interval then ends at its value, or is nothing but its value.
    pub held_by: Option<f64>,
}

/// Reads the bounds from the repeats of one range test. METHOD.md describes the rule and what it is worth.
///
/// More than half of the repeats must be readable. Each bound is the geometric mean over those that are.
pub fn read_bounds(sweeps: &[Sweep], rule: &Rule) -> SweepReading {
    let curves: Vec<_> = sweeps.iter().map(|s| Curve::new(s, rule)).collect();
    let read = |curve: &Result<Curve, NoAnswer>| {
        let curve = curve.as_ref().map_err(|&reason| reason)?;
        reading::read(curve, &curve.values, &curve.smoothed, rule)
    };
    let repeats: Vec<Readable> = curves.iter().map(read).collect();
    let again = match (curves.as_slice(), repeats.as_slice()) {
        ([Ok(curve)], [Ok(_)]) => interval::resampled_readings(curve, rule),
        _ => Vec::new(),
    };
    let stability: Vec<_> = sweeps.iter().map(curve::stability).collect();
    SweepReading {
        answer: answer(&repeats, &again, &stability, rule),
        base_lr: base_lr(&repeats, &again),
        repeats: repeats.iter().map(|&r| r.and_then(LnPair::rates)).collect(),
        stability,
        suggestions: sweeps.iter().map(Suggestions::of).collect(),
    }
}

/// The deciding figure of a sweep over its rates, smoothed as [`read_bounds`] smooths it: values worse than before learning
/// began are held there. Empty for a sweep that is too short to read.
pub fn smoothed(sweep: &Sweep) -> Vec<(f64, f64)> {
    let sign = match sweep.direction() {
        Direction::Higher => 1.0,
        Direction::Lower => -1.0,
    };
    // A curve that cannot be read has no smoothed line either, and its reading says why.
    let Ok(curve) = Curve::new(sweep, &Rule::default()) else {
        return Vec::new();
    };
    let rates = curve.ln_rates.iter().map(|&ln| libm::exp(ln));
    rates.zip(curve.smoothed.iter().map(|y| sign * y)).collect()
}

/// What one repeat says, or why it says nothing.
type Readable = Result<LnPair, NoAnswer>;

/// `again` is what the resampled curves of an only repeat say: they stand in for repeats, and must pass what repeats must.
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

/// A bound from its ln rates in the repeats that show it, or, of an only repeat, in its resampled curves.
fn estimate(ln_rates: &[f64], repeats: usize, again: Vec<f64>) -> Estimate {
    match ln_rates {
        [only] if repeats == 1 => interval::over_resamples(*only, again),
        _ => interval::over_repeats(ln_rates, repeats),
    }
}

/// The ln rates of the readable repeats, which must be more than half of them and agree about `max_lr`.
fn agreeing(repeats: &[Readable], rule: &Rule) -> Result<(Vec<f64>, Vec<f64>), NoAnswer> {
    let pair = |pair: &LnPair| pair.max.ok().map(|max| (pair.base, max));
    let (bases, maxes): (Vec<f64>, Vec<f64>) = repeats.iter().flatten().filter_map(pair).unzip();
    if 2 * maxes.len() <= repeats.len() {
        return Err(commonest_reason(repeats));
    }
    agree(&maxes, rule)?;
    Ok((bases, maxes))
}

fn agree(ln_rates: &[f64], rule: &Rule) -> Result<(), NoAnswer> {
    if ln_rates.len() < 2 || interval::deviation(ln_rates) <= rule.agreement {
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

/// Why a range test gives no reliable answer.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NoAnswer {
    /// Too few updates with finite figures.
    #[error("the sweep has {points} usable points of at least {needed}")]
    TooFewPoints {
        /// The points with finite figures.
        points: usize,
        /// The fewest that are read.
        needed: usize,
    },
    /// The figure never rose clearly above its own noise.
    #[error(
        "nothing was learnt: the best stretch stands out by {clearness:.1} standard errors of at least {needed}"
    )]
    NothingLearnt {
        /// The rise of the smoothed figure in its standard errors.
        clearness: f64,
        /// The least that counts.
        needed: f64,
    },
    /// The figure was rising from the first points on, so that there is no plateau to leave.
    #[error(
        "the sweep starts too high or too coarsely: its first rate is {first_lr:.3e}, and at {learning_at:.3e} the net already learns"
    )]
    StartsTooHigh {
        /// The first rate above 0.
        first_lr: f64,
        /// Where the figure leaves what it started from.
        learning_at: f64,
    },
    /// The figure was still rising at the end.
    #[error(
        "the sweep ends at {last_lr:.3e}, before any slowing: the figure was still rising near {still_rising_at:.3e}"
    )]
    EndsBeforeSlowing {
        /// The largest rate.
        last_lr: f64,
        /// A rate close to the end up to which the figure rose.
        still_rising_at: f64,
    },
    /// The repeats' readings of `max_lr` lie too far apart.
    #[error("the repeats disagree about max_lr: {lowest:.3e} to {highest:.3e}")]
    RepeatsDisagree {
        /// The lowest reading.
        lowest: f64,
        /// The highest reading.
        highest: f64,
    },
    /// A repeat diverged hardly above the rate at which learning begins.
    #[error(
        "a repeat diverged at {diverged:.3e}, too close to base_lr = {base_lr:.3e} for any max_lr between"
    )]
    DivergesAtOnce {
        /// The lowest rate at which a repeat diverged.
        diverged: f64,
        /// The rate at which learning begins.
        base_lr: f64,
    },
    /// The best of the probes learnt hardly anything.
    #[error(
        "hardly anything was learnt: the loss of the best probe, of {updates} updates, lies {fall:.1} % below that of an untrained net"
    )]
    HardlyLearns {
        /// The fall of the loss, in per cent.
        fall: f64,
        /// The updates of a probe.
        updates: u64,
    },
    /// The best probes classify no better than an untrained net.
    #[error(
        "nothing was learnt: probes of {updates} updates end {clearness:.1} standard errors above the accuracy of an untrained net, of at least {needed}"
    )]
    NoBetterThanUntrained {
        /// The gain in its standard errors.
        clearness: f64,
        /// The least that counts.
        needed: f64,
        /// The updates of a probe.
        updates: u64,
    },
    /// Every probe diverged.
    #[error("every probe diverged, down to the rate {lowest:.3e}")]
    ProbesDiverged {
        /// The lowest rate that was tried.
        lowest: f64,
    },
}

impl NoAnswer {
    /// What to try.
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::TooFewPoints { .. } => "sweep over more updates, or end at a lower rate",
            Self::NothingLearnt { .. } => {
                "sweep to higher rates or over more updates, use larger batches, and check that the data and labels fit"
            }
            Self::StartsTooHigh { .. } => {
                "start the sweep at a tenth of its first rate or lower, or sweep exponentially over more updates"
            }
            Self::EndsBeforeSlowing { .. } => "sweep to a rate ten times as high",
            Self::RepeatsDisagree { .. } => {
                "sweep over more updates, use larger batches, or add repeats"
            }
            Self::DivergesAtOnce { .. } => {
                "warm the net up first, clip gradients, or normalise the data"
            }
            Self::HardlyLearns { .. } | Self::NoBetterThanUntrained { .. } => {
                "give longer probes by a larger budget or --fraction, and check that the data and labels fit"
            }
            Self::ProbesDiverged { .. } => {
                "clip gradients, normalise the data, or give more probes by a larger --fraction"
            }
        }
    }
}
