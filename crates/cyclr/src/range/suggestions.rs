use alloc::{vec, vec::Vec};

use super::Sweep;

/// The rates that single-number rules of other tools pick from one sweep, for those who know them.
/// None of them is this crate's answer.
///
/// They read the training loss as fastai does: averaged with the lagging weights 0.98 and 0.02,
/// corrected for the start, the first tenth and the last five points left out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Suggestions {
    /// A tenth of the rate at the smallest averaged loss (`minimum` in fastai).
    pub minimum_tenth: f64,
    /// Where the averaged loss falls steepest per unit of ln rate (fastai's `steep`,
    /// torch-lr-finder's suggestion).
    pub steepest: f64,
    /// Half way along the longest valley (fastai's `valley`, its default).
    pub valley: f64,
    /// Where a window of 15 points, moved down from the largest rate, first has nearly the same
    /// slope at both ends (fastai's `slide`).
    pub slide: f64,
}

impl Suggestions {
    /// `None` for a sweep of which fewer than 18 points are left.
    pub fn of(sweep: &Sweep) -> Option<Self> {
        let losses: Vec<f64> = sweep.losses().collect();
        let rates: Vec<f64> = sweep.points().iter().map(|p| p.lr).collect();
        let (from, to) = (losses.len() / 10, losses.len().saturating_sub(5));
        let losses = lagging_average(&losses);
        let (rates, losses) = (rates.get(from..to)?, losses.get(from..to)?);
        (rates.len() >= 18).then(|| Self {
            minimum_tenth: rates[smallest(losses)] / 10.0,
            steepest: steepest(rates, losses),
            valley: valley(rates, losses),
            slide: slide(rates, losses),
        })
    }
}

fn lagging_average(losses: &[f64]) -> Vec<f64> {
    let mut average = 0.0;
    let mut left = 1.0;
    let next = |&loss: &f64| {
        average = 0.98 * average + 0.02 * loss;
        left *= 0.98;
        average / (1.0 - left)
    };
    losses.iter().map(next).collect()
}

/// The index of the first smallest value.
fn smallest(values: &[f64]) -> usize {
    (0..values.len()).fold(0, |best, i| if values[i] < values[best] { i } else { best })
}

/// The rate before the step in which the loss changes most downwards per ln rate.
fn steepest(rates: &[f64], losses: &[f64]) -> f64 {
    let slope = |i: usize| (losses[i + 1] - losses[i]) / libm::log(rates[i + 1] / rates[i]);
    let slopes: Vec<f64> = (0..rates.len() - 1).map(slope).collect();
    rates[smallest(&slopes)]
}

/// The longest strictly falling subsequence, taken to fill the points before its end, and of these
/// the middle: a third in, and half of a third more.
fn valley(rates: &[f64], losses: &[f64]) -> f64 {
    // The least end (negated, so sorted upwards) of the falling subsequences of each length so
    // far.
    let mut ends: Vec<f64> = vec![];
    let (mut length, mut end) = (1, 0);
    for (i, &loss) in losses.iter().enumerate() {
        let shorter = ends.partition_point(|&e| e < -loss);
        match ends.get_mut(shorter) {
            Some(e) => *e = -loss,
            None => ends.push(-loss),
        }
        if shorter + 1 > length {
            (length, end) = (shorter + 1, i);
        }
    }
    let start = end as f64
        - if length > 1 {
            length as f64
        } else {
            end as f64
        };
    let third = (end as f64 - start) / 3.0;
    let index = start + libm::trunc(third) + libm::trunc(third / 2.0);
    // The length counts points and not steps, so that a valley over everything starts one before
    // the first point.
    rates[if index < 0.0 {
        rates.len() - 1
    } else {
        index as usize
    }]
}

fn slide(rates: &[f64], losses: &[f64]) -> f64 {
    let slopes = central_differences(losses);
    let mut right = rates.len() - 1;
    let mut left = right - 15;
    let mut pick = rates[left];
    while libm::fabs(slopes[right] - slopes[left]) > 0.005 {
        pick = rates[left];
        if left == 0 {
            break;
        }
        (right, left) = (right - 1, left - 1);
    }
    pick
}

fn central_differences(values: &[f64]) -> Vec<f64> {
    let last = values.len() - 1;
    let at = |i: usize| {
        let (a, b) = (i.saturating_sub(1), (i + 1).min(last));
        (values[b] - values[a]) / (b - a) as f64
    };
    (0..=last).map(at).collect()
}
