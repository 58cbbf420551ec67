use super::Unlike;
use crate::readable;

/// Why a range test gives no reliable answer.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NoAnswer {
    /// Too few updates with finite figures.
    #[error("the usable points of the sweep are too few: {points} of at least {needed}")]
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
    /// The figure is the same at every rate.
    #[error("nothing was learnt: the figure is {value} at every rate")]
    Constant {
        /// Its value.
        value: f64,
    },
    /// The figure was never clearly better than at the first rates.
    #[error(
        "the figure is best at the first rates, near {}, and only gets worse from there",
        readable(*first_lr, 4)
    )]
    BestAtFirst {
        /// The first rate above 0.
        first_lr: f64,
    },
    /// Neighbouring losses differ so little that they are probably lagging averages.
    #[error(
        "the losses look smoothed: neighbours differ too little (roughness {roughness:.2}; that of raw losses is seldom \
         below {least} where there are 25 or more), and averages shift both bounds upwards"
    )]
    Smoothed {
        /// The mean square of the differences between neighbours, over the variance around short
        /// straight lines.
        roughness: f64,
        /// The least that is taken for raw. Of 25 to 70 raw losses about one sweep in twenty is below;
        /// of 16 to 20, a tenth to three quarters of them, the more the less noise they have.
        least: f64,
    },
    /// Two sweeps are not repeats of one test.
    #[error("sweeps {} and {} are not repeats of one test: {how}", first + 1, second + 1)]
    NotRepeats {
        /// The index of one, from 0.
        first: usize,
        /// The index of the other, from 0.
        second: usize,
        /// How they differ.
        how: Unlike,
    },
    /// The figure was rising from the first points on, so that there is no plateau to leave.
    #[error(
        "the sweep starts too high or too coarsely: its first rate is {}, and at {} the net already learns",
        readable(*first_lr, 4), readable(*learning_at, 4)
    )]
    StartsTooHigh {
        /// The first rate above 0.
        first_lr: f64,
        /// Where the figure leaves what it started from.
        learning_at: f64,
    },
    /// The figure was still rising at the end.
    #[error(
        "the sweep ends at {}, before any slowing: the figure was still rising near {}",
        readable(*last_lr, 4), readable(*still_rising_at, 4)
    )]
    EndsBeforeSlowing {
        /// The largest rate.
        last_lr: f64,
        /// A rate close to the end up to which the figure rose.
        still_rising_at: f64,
    },
    /// The repeats' readings of `max_lr` lie too far apart.
    #[error(
        "the repeats disagree about max_lr: {} to {}",
        readable(*lowest, 4), readable(*highest, 4)
    )]
    RepeatsDisagree {
        /// The lowest reading.
        lowest: f64,
        /// The highest reading.
        highest: f64,
    },
    /// A repeat diverged hardly above the rate at which learning begins.
    #[error(
        "a repeat diverged at {}, too close to base_lr = {} for any max_lr between",
        readable(*diverged, 4), readable(*base_lr, 4)
    )]
    DivergesAtOnce {
        /// The lowest rate at which a repeat diverged.
        diverged: f64,
        /// The rate at which learning begins.
        base_lr: f64,
    },
    /// The loss of the best probe lies less than 5 % below that before training.
    #[error(
        "hardly anything was learnt: the best probe, of {updates} updates, ends at a loss of {}, and an untrained net has {}",
        readable(*best, 4), readable(*untrained, 4)
    )]
    HardlyLearns {
        /// The loss of the best probe.
        best: f64,
        /// The loss before training.
        untrained: f64,
        /// The updates of a probe.
        updates: u64,
    },
    /// The best probes are no better than an untrained net, by accuracy or, if none is measured, by
    /// loss.
    #[error(
        "nothing was learnt: probes of {updates} updates end {clearness:.1} standard errors better than an untrained net, of at least {needed}"
    )]
    NoBetterThanUntrained {
        /// The gain in its standard errors.
        clearness: f64,
        /// The least that counts.
        needed: f64,
        /// The updates of a probe.
        updates: u64,
    },
    /// The sweep before the probes broke at rates that are too low to do that.
    #[error("the loss is not finite after {updates} updates of the sweep, at its lowest rates")]
    BreaksAtOnce {
        /// The updates with finite figures.
        updates: usize,
    },
    /// Every probe diverged.
    #[error(
        "every probe diverged, down to the rate {}",
        readable(*lowest, 4)
    )]
    ProbesDiverged {
        /// The lowest rate that was tried.
        lowest: f64,
    },
}

impl NoAnswer {
    /// What to try where the curves were recorded by another program, which has not cyclr's options.
    pub const fn advice_on_recorded(&self) -> &'static str {
        match self {
            Self::TooFewPoints { .. } => {
                "record a sweep of more updates, or end it at a lower rate"
            }
            Self::NothingLearnt { .. } => {
                "record a sweep to higher rates, over more updates or with larger batches, and check that the data and labels \
                 fit"
            }
            Self::BestAtFirst { .. } => {
                "start from fresh weights and from a much lower rate, and check the order of the points"
            }
            Self::StartsTooHigh { .. } => {
                "record a sweep from a tenth of that rate or lower, or an exponential one over more updates"
            }
            Self::EndsBeforeSlowing { .. } => "record a sweep to a rate ten times as high",
            Self::RepeatsDisagree { .. } => {
                "record sweeps over more updates or with larger batches, or more repeats"
            }
            Self::DivergesAtOnce { .. } => {
                "warm the net up first, clip gradients, or normalise the data"
            }
            _ => self.advice(),
        }
    }

    /// What to try.
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::TooFewPoints { .. } => {
                "sweep over more updates (a larger --budget, or --epochs), or end at a lower rate (--max-lr)"
            }
            Self::NothingLearnt { .. } => {
                "sweep to higher rates (--max-lr) or over more updates (--epochs), use larger batches (--batch), and check that \
                 the data and labels fit"
            }
            Self::Constant { .. } => {
                "check that the recorded figure is that of each update, and that the optimizer obeys the rate"
            }
            Self::BestAtFirst { .. } => {
                "start from fresh weights and from a much lower rate (--min-lr), and check the order of the points"
            }
            Self::Smoothed { .. } => {
                "record each batch's own loss, or say how these were averaged: cyclr find --from … --smoothed with \
                 fastai, lightning, torch-lr-finder or a factor as 0.98 (0 if the losses are raw)"
            }
            Self::NotRepeats { .. } => "give the repeats of one sweep only",
            Self::StartsTooHigh { .. } => {
                "sweep lower: start at a tenth of that rate or lower (--min-lr), or sweep exponentially over more updates \
                 (--exponential, --epochs)"
            }
            Self::EndsBeforeSlowing { .. } => "sweep to a rate ten times as high (--max-lr)",
            Self::RepeatsDisagree { .. } => {
                "sweep over more updates (a larger --budget, or --epochs), use larger batches (--batch), or add repeats (--repeats)"
            }
            Self::DivergesAtOnce { .. } => {
                "warm the net up first, clip gradients (--clip-norm), or normalise the data (--normalize)"
            }
            Self::HardlyLearns { .. } | Self::NoBetterThanUntrained { .. } => {
                "give longer probes by a larger --budget or --fraction, or by smaller batches (--batch) if they are an epoch \
                 long already, and check that the data and labels fit"
            }
            Self::BreaksAtOnce { .. } => {
                "check the data and labels for values that are not finite, normalise the data (--normalize), or clip \
                 gradients (--clip-norm)"
            }
            Self::ProbesDiverged { .. } => {
                "clip gradients (--clip-norm), normalise the data (--normalize), or give more probes by a larger --fraction"
            }
        }
    }
}
