use alloc::vec::Vec;
use core::fmt;

use super::{Sweep, curve};

/// Why two sweeps cannot be repeats of one test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unlike {
    /// The rate of one rises exponentially, that of the other linearly.
    Ramp,
    /// One has an objective (usually accuracy), the other only losses.
    Figure,
    /// Higher figures of one are better, lower ones of the other.
    Direction,
}

impl fmt::Display for Unlike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ramp => "the rate of one rises exponentially, that of the other linearly",
            Self::Figure => "one has an accuracy or another figure, the other losses alone",
            Self::Direction => "higher figures are better in one, lower ones in the other",
        })
    }
}

/// The first sweep that cannot be a repeat of an earlier one, as `(earlier, this, how they
/// differ)`.
pub fn unlike(sweeps: &[Sweep]) -> Option<(usize, usize, Unlike)> {
    let pair = |b: usize| (0..b).find_map(|a| Some((a, b, differ(&sweeps[a], &sweeps[b])?)));
    (0..sweeps.len()).find_map(pair)
}

fn differ(a: &Sweep, b: &Sweep) -> Option<Unlike> {
    let ramps = (curve::rises_exponentially(a), curve::rises_exponentially(b));
    if a.points().is_empty() || b.points().is_empty() {
        None
    } else if a.is_of_losses() != b.is_of_losses() {
        Some(Unlike::Figure)
    } else if a.direction() != b.direction() {
        Some(Unlike::Direction)
    } else if matches!(ramps, (Some(a), Some(b)) if a != b) {
        Some(Unlike::Ramp)
    } else {
        None
    }
}

/// For each sweep the index of the first one with the same points: its own if there is no earlier
/// one. A copy is no repeat; it comes from a file given twice, or from a net and an order of the
/// data that were the same.
pub fn repeats_of(sweeps: &[Sweep]) -> Vec<usize> {
    let first = |(n, sweep): (usize, &Sweep)| {
        let earlier = |other: &Sweep| !sweep.points().is_empty() && other.is_copy_of(sweep);
        sweeps[..n].iter().position(earlier).unwrap_or(n)
    };
    sweeps.iter().enumerate().map(first).collect()
}
