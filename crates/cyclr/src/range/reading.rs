use super::{NoAnswer, Rule, curve::Curve};

/// What one repeat says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// Where the figure leaves its first plateau.
    pub base_lr: f64,
    /// Where it stops gaining.
    pub max_lr: f64,
}

/// What one curve says, as logarithms: a sweep that is too short for its `max_lr` may well show
/// its `base_lr`.
#[derive(Clone, Copy)]
pub(super) struct LnPair {
    pub(super) base: f64,
    pub(super) max: Result<f64, NoAnswer>,
}

impl LnPair {
    pub(super) fn rates(self) -> Result<Pair, NoAnswer> {
        Ok(Pair {
            base_lr: libm::exp(self.base),
            max_lr: libm::exp(self.max?),
        })
    }
}

/// The fewest points that a plateau is the mean of.
const SHORTEST_PLATEAU: usize = 4;

/// The rise of a smoothed curve from its plateau to its best.
struct Rise {
    plateau: f64,
    height: f64,
    /// The last point before the rise that has made no more than [`Rule::leaving`] of it.
    left: usize,
}

impl Rise {
    fn level(&self, fraction: f64) -> f64 {
        self.plateau + fraction * self.height
    }
}

/// Reads the bounds from the curve with its values replaced by `values` and their smoothing.
pub(super) fn read(
    curve: &Curve,
    values: &[f64],
    smoothed: &[f64],
    rule: &Rule,
) -> Result<LnPair, NoAnswer> {
    if let Some(value) = curve.constant {
        return Err(NoAnswer::Constant { value });
    }
    let rise = rise(curve, values, smoothed, rule)?;
    let base = curve.crossing(smoothed, rise.left, rise.level(rule.leaving));
    let max = max_lr(curve, smoothed, &rise, rule);
    let first = curve.first_rate();
    // Where the rise is over before a point has left the plateau, there is none to leave.
    if base - first < libm::log(rule.beyond) || max.is_ok_and(|max| max <= base) {
        return Err(NoAnswer::StartsTooHigh {
            first_lr: libm::exp(first),
            learning_at: libm::exp(base),
        });
    }
    Ok(LnPair { base, max })
}

/// The plateau is the mean of all points before the rise, which depends on the plateau: three
/// rounds settle it.
fn rise(curve: &Curve, values: &[f64], smoothed: &[f64], rule: &Rule) -> Result<Rise, NoAnswer> {
    let best = (0..smoothed.len()).fold(0, |best, i| {
        if smoothed[i] > smoothed[best] {
            i
        } else {
            best
        }
    });
    let mut flat = SHORTEST_PLATEAU;
    let mut plateau = mean(&values[..flat]);
    let mut left = 0;
    for _ in 0..3 {
        let height = smoothed[best] - plateau;
        let half = plateau + 0.5 * height;
        let middle = smoothed[..best].iter().position(|&y| y >= half);
        let low = plateau + rule.leaving * height;
        let before = &smoothed[..middle.unwrap_or(best)];
        left = before.iter().rposition(|&y| y <= low).unwrap_or(0);
        flat = left.max(SHORTEST_PLATEAU);
        plateau = mean(&values[..flat]);
    }
    let height = smoothed[best] - plateau;
    let clearness = clearness(curve, height, best, flat);
    if let Some(reason) = learnt_at_once(curve, values, smoothed[best], best, rule) {
        return Err(reason);
    }
    // A clearness that is not a number is not clear either.
    if best == 0 || clearness.is_nan() || clearness < rule.clear_rise {
        return Err(no_rise(curve, best, clearness, rule));
    }
    Ok(Rise {
        plateau,
        height,
        left,
    })
}

/// A rise from the mean of `flat` values to the smoothed value at `best`, in its own standard
/// errors.
fn clearness(curve: &Curve, height: f64, best: usize, flat: usize) -> f64 {
    height / (curve.noise * libm::sqrt(curve.spread[best] + 1.0 / flat as f64))
}

/// Whether most of the rise was made within the first points, so that there is no plateau to
/// leave. The first two figures are those of the net before it has learnt: each is measured before
/// its own update.
fn learnt_at_once(
    curve: &Curve,
    values: &[f64],
    top: f64,
    best: usize,
    rule: &Rule,
) -> Option<NoAnswer> {
    const UNTOUCHED: usize = 2;
    let untouched = mean(&values[..UNTOUCHED]);
    let height = top - untouched;
    let next = mean(&values[UNTOUCHED..2 * UNTOUCHED]) - untouched;
    let at_once = best >= UNTOUCHED
        && clearness(curve, height, best, UNTOUCHED) >= rule.clear_rise
        && next >= 0.5 * height;
    at_once.then(|| NoAnswer::StartsTooHigh {
        first_lr: libm::exp(curve.first_rate()),
        learning_at: libm::exp(curve.ln_rates[UNTOUCHED]),
    })
}

/// Why a curve has no rise that is clear.
fn no_rise(curve: &Curve, best: usize, clearness: f64, rule: &Rule) -> NoAnswer {
    if best == 0 && clearness >= rule.clear_rise || clearness.is_nan() {
        NoAnswer::BestAtFirst {
            first_lr: libm::exp(curve.first_rate()),
        }
    } else {
        NoAnswer::NothingLearnt {
            clearness,
            needed: rule.clear_rise,
        }
    }
}

/// The ln of the rate at which the figure stops gaining.
fn max_lr(curve: &Curve, smoothed: &[f64], rise: &Rise, rule: &Rule) -> Result<f64, NoAnswer> {
    let last = smoothed.len() - 1;
    let first_at = |fraction: f64| {
        let level = rise.level(fraction);
        let above = smoothed
            .iter()
            .skip(rise.left + 1)
            .position(|&y| y >= level);
        let before = rise.left + above.unwrap_or(last - rise.left - 1);
        curve.crossing(smoothed, before, level)
    };
    let top = rise.level(curve.top);
    let until = smoothed.iter().rposition(|&y| y >= top).unwrap_or(last);
    // A dip of the last few points is no fall, unless training diverged there.
    let falls = last - until >= curve.least || curve.stability.diverged.is_some();
    let slowing = first_at(if curve.exponential {
        curve.top
    } else {
        rule.slowing
    });
    let goes_on = !curve.exponential && curve.ln_rates[last] - slowing >= libm::log(rule.beyond);
    if !(falls || goes_on) {
        return Err(NoAnswer::EndsBeforeSlowing {
            last_lr: libm::exp(curve.ln_rates[last]),
            still_rising_at: libm::exp(slowing),
        });
    }
    if !curve.exponential {
        return Ok(slowing);
    }
    let end = if until < last {
        curve.crossing(smoothed, until, top)
    } else {
        curve.ln_rates[last]
    };
    Ok(0.5 * (slowing + end))
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
