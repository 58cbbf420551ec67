use alloc::{format, string::String, vec::Vec};
use core::{fmt, str::FromStr};

use super::Sweep;

/// An exponential average that a tool recorded instead of the losses; [`Smoothing::undo`] undoes it.
///
/// Its text is a tool, `torch-lr-finder`, `fastai` or `lightning`, with another factor if needed, as
/// in `lightning=0.9`.
///
/// ```
/// use cyclr::range::Smoothing;
///
/// let fastai: Smoothing = "fastai".parse()?;
/// // The averages of 2, 4 and 3, as fastai corrects them for their start.
/// let recorded = [2.0, (0.98 * 2.0 + 4.0) / 1.98, (0.98 * (0.98 * 2.0 + 4.0) + 3.0) / 2.9404];
/// let losses = fastai.undo(&recorded);
/// assert!(losses.iter().zip([2.0, 4.0, 3.0]).all(|(got, want)| (got - want).abs() < 1e-9));
/// # Ok::<(), cyclr::range::SmoothingError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Smoothing {
    factor: f64,
    bias: BiasCorrection,
}

/// How an average treats the losses that it does not have yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BiasCorrection {
    /// The first average is the first loss: torch-lr-finder 0.2.2, `lr_finder.py`.
    None,
    /// It starts from 0 and is divided by `1 - factor^n` after `n` losses: fastai 2.8.12,
    /// `AvgSmoothLoss`.
    Usual,
    /// The same, but divided by `1 - factor^(n + 1)`, so that the first averages are about half as
    /// large as the losses: Lightning 2.6.6, `_LRCallback`, whose `global_step` has already
    /// counted the update.
    Late,
}

/// The tools, how they correct their averages, and the factors that they take unless told otherwise.
const TOOLS: [(&str, BiasCorrection, f64); 3] = [
    ("torch-lr-finder", BiasCorrection::None, 0.95),
    ("fastai", BiasCorrection::Usual, 0.98),
    ("lightning", BiasCorrection::Late, 0.98),
];

impl Smoothing {
    /// An average with this factor, the weight that it keeps at each update, above 0 and below 1.
    /// Which of the tools' averages it is, is judged by `recorded`: the one whose first losses
    /// vary as much as the rest.
    ///
    /// # Errors
    /// [`SmoothingError::Factor`].
    pub fn with_factor(factor: f64, recorded: &[f64]) -> Result<Self, SmoothingError> {
        let factor = checked(factor)?;
        let all = TOOLS.map(|(_, bias, _)| Self { factor, bias });
        let unlike = |smoothing: &Self| libm::fabs(opening_unlike_rest(&smoothing.undo(recorded)));
        let [first, second, third] = all;
        let nearer = |a: Self, b: Self| if unlike(&b) < unlike(&a) { b } else { a };
        Ok(nearer(nearer(first, second), third))
    }

    /// The losses that were averaged. From the first that is not finite on, none is.
    pub fn undo(&self, recorded: &[f64]) -> Vec<f64> {
        let Self { factor, .. } = *self;
        let (mut before, mut left) = (0.0, 1.0);
        let next = |(n, &value): (usize, &f64)| {
            left *= factor;
            let average = match self.bias {
                BiasCorrection::None => value,
                BiasCorrection::Usual => value * (1.0 - left),
                BiasCorrection::Late => value * (1.0 - left * factor),
            };
            let own = match (self.bias, n) {
                (BiasCorrection::None, 0) => value,
                _ => (average - factor * before) / (1.0 - factor),
            };
            before = average;
            own
        };
        recorded.iter().enumerate().map(next).collect()
    }
}

impl fmt::Display for Smoothing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tool = TOOLS.iter().find(|(_, bias, _)| *bias == self.bias);
        // Every correction is that of a tool.
        let name = tool.map_or("", |(name, ..)| name);
        write!(f, "{name}={}", self.factor)
    }
}

impl FromStr for Smoothing {
    type Err = SmoothingError;

    fn from_str(text: &str) -> Result<Self, SmoothingError> {
        let (name, factor) = match text.split_once('=') {
            Some((name, factor)) => (name, Some(factor)),
            None => (text, None),
        };
        let unknown = || SmoothingError::Tool {
            found: text.chars().take(40).collect(),
        };
        let tool = TOOLS
            .iter()
            .find(|(tool, ..)| tool.eq_ignore_ascii_case(name.trim()));
        let &(_, bias, usual) = tool.ok_or_else(unknown)?;
        let factor = match factor {
            Some(factor) => factor.trim().parse().map_err(|_| unknown())?,
            None => usual,
        };
        Ok(Self {
            factor: checked(factor)?,
            bias,
        })
    }
}

fn checked(factor: f64) -> Result<f64, SmoothingError> {
    if 0.0 < factor && factor < 1.0 {
        return Ok(factor);
    }
    Err(SmoothingError::Factor {
        found: format!("{factor}"),
    })
}

/// Why a text is not a [`Smoothing`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SmoothingError {
    /// A factor out of range.
    #[error("the factor of an average is above 0 and below 1, not {found}")]
    Factor {
        /// What was given.
        found: String,
    },
    /// No tool that is known.
    #[error(
        "`{found}` is no average that is known: give torch-lr-finder, fastai or lightning, with another factor as in \
         lightning=0.9"
    )]
    Tool {
        /// What was given.
        found: String,
    },
}

/// The ln of how much more neighbours differ among the first losses than among all.
fn opening_unlike_rest(losses: &[f64]) -> f64 {
    const FIRST: usize = 8;
    let steps: Vec<f64> = losses.windows(2).map(|w| libm::fabs(w[1] - w[0])).collect();
    let opening = &steps[..FIRST.min(steps.len())];
    let opening = opening.iter().sum::<f64>() / opening.len().max(1) as f64;
    let ratio = libm::log(opening / median(steps).unwrap_or(f64::NAN));
    if ratio.is_nan() { f64::INFINITY } else { ratio }
}

// ---- is it smoothed?

/// The lowest roughness of losses that are not taken for averages. Of made raw sweeps of 50, 100
/// and 200 updates that learn 4, 4 and 0 % are below, of those that do not, none of 300; of
/// averages with factors of 0.95 and 0.98 over 100 to 400 updates more than 94 %.
pub(super) const LEAST_ROUGH: f64 = 1.42;

/// The highest roughness of losses whose average was undone as it was made. Of 900 made raw sweeps
/// of 100 updates 0.5 % were above, of longer ones none; of raw losses with an average of 0.98
/// "undone", half or more.
const MOST_ROUGH: f64 = 2.65;

/// The fewest losses of which that is said: with fewer, raw ones may be as rough.
const ENOUGH_LOSSES: usize = 100;

/// The sweeps whose losses look like lagging averages, in the order given; all of them where they
/// do so together.
pub(super) fn smoothed(sweeps: &[Sweep]) -> Vec<Option<f64>> {
    let least_smooth = |rough: Roughness| rough.all.max(rough.early);
    let together = roughness(sweeps).map(least_smooth);
    let below = |roughness: &f64| *roughness < LEAST_ROUGH;
    let judge = |sweep: &Sweep| {
        let judged = sweep.is_of_losses() && !sweep.is_known_raw();
        let alone = roughness(core::slice::from_ref(sweep)).filter(|_| judged)?;
        let alone = least_smooth(alone);
        Some(together.unwrap_or(alone).min(alone)).filter(below)
    };
    sweeps.iter().map(judge).collect()
}

/// Whether neighbouring losses differ more than those of a sweep do, as they may after an average
/// is undone that was not there, or had another factor.
pub fn looks_undone_wrongly(sweep: &Sweep) -> bool {
    let rough = roughness(core::slice::from_ref(sweep));
    sweep.points().len() >= ENOUGH_LOSSES && rough.is_some_and(|r| r.all > MOST_ROUGH)
}

/// How much neighbouring losses differ: medians over blocks.
struct Roughness {
    /// Of all blocks.
    all: f64,
    /// Of those in the first third of each sweep.
    early: f64,
}

/// How much neighbouring losses differ: the mean square of their differences over their variance,
/// within short blocks, whose own straight line is taken out first. About 2.2 for independent
/// values, about 1 for a lagging average.
///
/// The median over the blocks passes over the few in which the loss falls or explodes. Where these
/// are many, the first third of the sweeps says whether the losses were raw before. `None` if the
/// sweeps are short, or hardly ever change their direction: full batches without noise look
/// smooth, and are no averages.
fn roughness(sweeps: &[Sweep]) -> Option<Roughness> {
    let (mut all, mut early) = (Vec::new(), Vec::new());
    let (mut turns, mut steps) = (0, 0);
    for sweep in sweeps {
        let losses: Vec<f64> = sweep.losses().collect();
        let size = (losses.len() / 3).clamp(10, 16);
        let blocks = losses.windows(size).step_by(size / 2);
        let rough: Vec<f64> = blocks.filter_map(block_roughness).collect();
        let in_third = ((losses.len() / 3).saturating_sub(size) / (size / 2) + 1).min(rough.len());
        early.extend_from_slice(&rough[..in_third]);
        all.extend(rough);
        turns += turning_points(&losses);
        steps += losses.len();
    }
    if 10 * turns < steps {
        return None;
    }
    Some(Roughness {
        all: median(all)?,
        early: median(early)?,
    })
}

/// `None` for a block without any noise.
fn block_roughness(block: &[f64]) -> Option<f64> {
    let n = block.len() as f64;
    let middle = (n - 1.0) / 2.0;
    let offsets = || (0..block.len()).map(|i| i as f64 - middle);
    let mean = block.iter().sum::<f64>() / n;
    let slope = offsets().zip(block).map(|(x, y)| x * y).sum::<f64>()
        / offsets().map(|x| x * x).sum::<f64>();
    let rest: Vec<f64> = offsets()
        .zip(block)
        .map(|(x, y)| y - mean - slope * x)
        .collect();
    let square = |x: f64| x * x;
    let variance: f64 = rest.iter().map(|&r| square(r)).sum();
    let differences: f64 = rest.windows(2).map(|w| square(w[1] - w[0])).sum();
    Some(differences / variance).filter(|ratio| ratio.is_finite())
}

fn turning_points(values: &[f64]) -> usize {
    let turns = |w: &&[f64]| (w[1] - w[0]) * (w[2] - w[1]) < 0.0;
    values.windows(3).filter(turns).count()
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
