use alloc::{vec, vec::Vec};

use super::{NoAnswer, Rule, Sweep, smooth::Smoother};

/// The fewest points with finite figures that bounds are read from.
pub(super) const FEWEST_POINTS: usize = 16;

/// Longer sweeps are read from means over equally many neighbouring updates, at most this many.
const MOST_BINS: usize = 400;

/// A sweep made ready for reading: ln rates, and the objective turned so that more is better.
pub(super) struct Curve {
    pub(super) ln_rates: Vec<f64>,
    pub(super) values: Vec<f64>,
    pub(super) smoothed: Vec<f64>,
    /// The noise of one value, as a standard deviation.
    pub(super) noise: f64,
    /// The variance of each smoothed value as a fraction of that of one value.
    pub(super) spread: Vec<f64>,
    pub(super) smoother: Smoother,
    /// The points that the regression takes to each side at least.
    pub(super) least: usize,
    /// The figure, where it is the same throughout.
    pub(super) constant: Option<f64>,
    /// Whether the first rate is 0; it has no logarithm, and a stand-in lies at half the second
    /// rate.
    from_zero: bool,
    /// Whether ln rate, rather than the rate, rises steadily.
    pub(super) exponential: bool,
    /// The share of its rise that the figure keeps at the rates that are as good as any.
    pub(super) top: f64,
    pub(super) stability: Stability,
}

/// Up to which rate training was stable.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stability {
    /// The largest rate whose loss was no worse than the losses before learning began.
    pub largest_stable: f64,
    /// The next rate, at which the loss was worse or not finite and did not recover. `None` if the
    /// sweep ended before that, so that the largest stable rate is at least the one given.
    pub diverged: Option<f64>,
}

impl Curve {
    pub(super) fn new(sweep: &Sweep, rule: &Rule) -> Result<Self, NoAnswer> {
        let n = sweep.points().len();
        let stability = stability(sweep).filter(|_| n >= FEWEST_POINTS);
        let stability = stability.ok_or(NoAnswer::TooFewPoints {
            points: n,
            needed: FEWEST_POINTS,
        })?;
        let (rates, values, counts) = binned(sweep);
        let ln_rates = ln_rates(&rates);
        let least = rule.least.min(rates.len() * rule.least / 200).max(3);
        let smoother = Smoother::new(&ln_rates, &counts, rule.reach, least);
        let smoothed = smoother.smooth(&values);
        Ok(Self {
            noise: noise(&values),
            spread: smoother.spread(),
            least,
            constant: constant(sweep),
            from_zero: rates[0] == 0.0,
            exponential: is_exponential(&rates),
            top: if sweep.is_of_losses() {
                rule.loss_top
            } else {
                rule.top
            },
            ln_rates,
            values,
            smoothed,
            smoother,
            stability,
        })
    }

    /// The ln of the first rate above 0.
    pub(super) fn first_rate(&self) -> f64 {
        self.ln_rates[usize::from(self.from_zero)]
    }

    /// The ln rate at which `smoothed` passes `level` between points `i` and `i + 1`.
    pub(super) fn crossing(&self, smoothed: &[f64], i: usize, level: f64) -> f64 {
        let (x, y) = (&self.ln_rates[i..i + 2], &smoothed[i..i + 2]);
        let fraction = (level - y[0]) / (y[1] - y[0]);
        let fraction = if fraction.is_finite() { fraction } else { 0.5 };
        x[0] + fraction.clamp(0.0, 1.0) * (x[1] - x[0])
    }
}

/// Where the losses last were as good as before learning began: no further above the worst of the
/// opening than that is above the opening's best. `None` for a sweep without points.
pub(super) fn stability(sweep: &Sweep) -> Option<Stability> {
    let points = sweep.points();
    let losses: Vec<f64> = sweep.losses().collect();
    let (least, most) = range(&losses[..opening(losses.len())]);
    let limit = most + (most - least);
    let last = losses.iter().rposition(|&loss| loss <= limit)?;
    let next = points.get(last + 1).map(|p| p.lr);
    Some(Stability {
        largest_stable: points[last].lr,
        diverged: next.or(sweep.broke_at()),
    })
}

fn range(values: &[f64]) -> (f64, f64) {
    let wider = |(a, b): (f64, f64), &v: &f64| (a.min(v), b.max(v));
    values
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), wider)
}

/// The points at the start of a sweep that are taken as untouched by learning.
fn opening(points: usize) -> usize {
    (points / 20).max(5).min(points)
}

/// Rates, values (more is better, none worse than the opening's worst) and counts.
fn binned(sweep: &Sweep) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let sign = sweep.direction().sign();
    let values: Vec<f64> = sweep.deciding().map(|v| sign * v).collect();
    let (floor, _) = range(&values[..opening(values.len())]);
    let size = values.len().div_ceil(MOST_BINS).max(1);
    let (mut rates, mut means, mut counts) = (vec![], vec![], vec![]);
    for (points, values) in sweep.points().chunks(size).zip(values.chunks(size)) {
        let count: f64 = points.iter().map(|p| p.count as f64).sum();
        let weighted = |(p, v): (&super::Point, &f64)| v.max(floor) * (p.count as f64 / count);
        means.push(points.iter().zip(values).map(weighted).sum());
        rates.push(points.iter().map(|p| p.lr / points.len() as f64).sum());
        counts.push(count);
    }
    (rates, means, counts)
}

/// The logarithms of the rates. A sweep that starts from 0 has its first point where half the
/// second rate is.
fn ln_rates(rates: &[f64]) -> Vec<f64> {
    let mut logs: Vec<f64> = rates.iter().map(|&lr| libm::log(lr)).collect();
    if rates[0] == 0.0 {
        logs[0] = logs[1] - core::f64::consts::LN_2;
    }
    logs
}

/// Whether ln rate, rather than the rate, rises steadily; `None` if a sweep is too short to tell.
pub(super) fn rises_exponentially(sweep: &Sweep) -> Option<bool> {
    let rates: Vec<f64> = sweep.points().iter().map(|p| p.lr).collect();
    (rates.len() >= FEWEST_POINTS).then(|| is_exponential(&rates))
}

/// The middle rate of an exponential sweep is the geometric mean of the ends, that of a linear one
/// the arithmetic mean. A first rate of 0 is left out: it belongs to a linear sweep, but a row of
/// the untrained net may precede any.
fn is_exponential(rates: &[f64]) -> bool {
    let rates = &rates[usize::from(rates[0] == 0.0)..];
    let (first, last) = (rates[0], rates[rates.len() - 1]);
    let fraction = (rates.len() / 2) as f64 / (rates.len() - 1) as f64;
    let middle = rates[rates.len() / 2];
    let linear = first + fraction * (last - first);
    let exponential = first * libm::pow(last / first, fraction);
    libm::fabs(libm::log(middle / exponential)) < libm::fabs(libm::log(middle / linear))
}

fn constant(sweep: &Sweep) -> Option<f64> {
    let first = sweep.deciding().next()?;
    sweep.deciding().all(|v| v == first).then_some(first)
}

/// The noise of one point, from the differences of neighbours: their mean size, times that of a
/// normal deviate.
fn noise(values: &[f64]) -> f64 {
    let total: f64 = values.windows(2).map(|w| libm::fabs(w[1] - w[0])).sum();
    let half_sqrt_pi = 0.886_226_925_452_758;
    half_sqrt_pi * total / (values.len() - 1) as f64
}
