use alloc::string::String;

use crate::spec::number;
use crate::units::Length;

/// Why a policy, a spec or a schedule is invalid. Every variant carries the values it is about.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A number lies outside its range, or is not finite.
    #[error("{key} = {} is out of range: it must be {allowed}", number(*value))]
    OutOfRange {
        /// The key in the spec grammar.
        key: &'static str,
        /// The number that was given.
        value: f64,
        /// The allowed range.
        allowed: &'static str,
    },
    /// A run has no updates, or more than [`MAX_UPDATES`](crate::units::MAX_UPDATES).
    #[error("updates = {updates} is out of range: it must be between 1 and 2^53")]
    BadHorizon {
        /// The updates that were given.
        updates: u64,
    },
    /// A lower bound lies above its upper bound.
    #[error(
        "{low_key} = {} is above {high_key} = {}: give {low_key} <= {high_key}",
        number(*low),
        number(*high)
    )]
    Crossed {
        /// The key of the lower bound.
        low_key: &'static str,
        /// The lower bound that was given.
        low: f64,
        /// The key of the upper bound.
        high_key: &'static str,
        /// The upper bound that was given.
        high: f64,
    },
    /// A length is shorter than it may be.
    #[error("{key} = {length} is too short: it must be longer than 0")]
    ZeroLength {
        /// The key in the spec grammar.
        key: &'static str,
        /// The length that was given.
        length: Length,
    },
    /// A list of lengths is empty or does not rise.
    #[error("{key} must list at least one update, each after the one before it: {reason}")]
    NotRising {
        /// The key in the spec grammar.
        key: &'static str,
        /// The values that are out of order.
        reason: String,
    },
    /// A length does not fit into the updates that there are.
    #[error(
        "{key} takes {} of {} updates: make it shorter or the run longer",
        number(*taken),
        number(*updates)
    )]
    TooLong {
        /// The key in the spec grammar.
        key: &'static str,
        /// The updates that it would take.
        taken: f64,
        /// The updates of its stage.
        updates: f64,
    },
    /// A place lies outside the updates that its policy has.
    #[error(
        "{key} = {length} is at update {}, and the policy has the updates from {} to {}: \
         give a place among them",
        number(*at),
        number(*start),
        number(*end)
    )]
    Outside {
        /// The key in the spec grammar.
        key: &'static str,
        /// The place that was given.
        length: Length,
        /// The update of the run at which it lies.
        at: f64,
        /// The policy's first update.
        start: f64,
        /// The update at which the policy ends.
        end: f64,
    },
    /// A length in epochs was given for a run whose epoch is unknown.
    #[error(
        "{length} needs the length of an epoch: give the number of examples and the batch size"
    )]
    UnknownEpoch {
        /// The length that was given.
        length: Length,
    },
    /// The stages end before the run does, or after it.
    #[error(
        "the stages last {} updates and the run {updates}: make the lengths fill the run, \
         or leave out the last stage's `for`",
        number(*filled)
    )]
    Unfilled {
        /// The updates that the stages last.
        filled: f64,
        /// The updates of the run.
        updates: u64,
    },
    /// A stage starts only after the run is over, or a warm-up has nothing to lead into.
    #[error(
        "stage {stage} has no updates left of the run's {updates}: shorten the stages before it"
    )]
    EmptyStage {
        /// The stage, counted from 1.
        stage: usize,
        /// The updates of the run.
        updates: u64,
    },
    /// The stages cannot follow each other like this.
    #[error("{reason}")]
    Sequence {
        /// What is wrong and what to write.
        reason: &'static str,
    },
    /// A schedule that should be a sequence of constant steps is something else.
    #[error(
        "the schedule is not made of constant steps alone, at most {most}: give a step, multistep or fixed policy, \
         or stages of them, with or without warm-ups"
    )]
    NotStepped {
        /// The most steps that are converted.
        most: usize,
    },
    /// There are too few updates for what was asked.
    #[error("a training of {updates} updates is too short for cycles: give at least {fewest}")]
    TooShort {
        /// The updates that there are.
        updates: u64,
        /// The fewest that would do.
        fewest: u64,
    },
    /// A rate becomes infinite before the run ends.
    #[error(
        "the rate is {lr} at update {update}: the policy grows too fast for a run of this length"
    )]
    Overflow {
        /// The last update of the stage.
        update: u64,
        /// The rate there.
        lr: f64,
    },
}

/// `value`, if it is a finite rate of at least 0.
pub(crate) fn rate(key: &'static str, value: f64) -> Result<f64, Error> {
    in_range(key, value, "a finite number of at least 0", |v| v >= 0.0)
}

/// `value`, if it is finite and above 0.
pub(crate) fn above_zero(key: &'static str, value: f64) -> Result<f64, Error> {
    in_range(key, value, "a finite number above 0", |v| v > 0.0)
}

/// `value`, if it is finite and `allowed` (`expected` says so in a message).
pub(crate) fn in_range(
    key: &'static str,
    value: f64,
    expected: &'static str,
    allowed: impl Fn(f64) -> bool,
) -> Result<f64, Error> {
    if value.is_finite() && allowed(value) {
        Ok(value)
    } else {
        Err(Error::OutOfRange {
            key,
            value,
            allowed: expected,
        })
    }
}

/// Refuses a lower bound above its upper bound.
pub(crate) fn ordered(low: (&'static str, f64), high: (&'static str, f64)) -> Result<(), Error> {
    if low.1 <= high.1 {
        Ok(())
    } else {
        Err(Error::Crossed {
            low_key: low.0,
            low: low.1,
            high_key: high.0,
            high: high.1,
        })
    }
}
