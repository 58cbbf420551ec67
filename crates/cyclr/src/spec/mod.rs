//! Policy specs: the text form of a policy, for the command line, study files and records.
//!
//! `NAME(key=value, …)`, optionally `for LENGTH`, joined by `then`. A length is `2000` (updates),
//! `8ep` or `30%`. A `warmup(LENGTH, from=0)` may come before any policy.
//!
//! `(A for LENGTH then …) x 5` repeats the stages in the parentheses five times, with `gamma=0.5`
//! after it each time at half the previous rates. If nothing in the parentheses cycles, each
//! repetition is a cycle and ends at a trough.
//!
//! `%` inside a policy is of its stage, including a warm-up that leads into it; `%` after `for`,
//! and of a warm-up in front, is of the run. A place (`at`) in `%` counts from where the stage
//! begins, before its warm-up; a place in updates or epochs counts from the policy's first update,
//! after the warm-up.
//!
//! A stage begins at the first whole update at or after the exact end of the one before it. What
//! is whole except for a relative error of `1e-12` counts as whole.

use alloc::{string::String, vec::Vec};
use core::{fmt, str::FromStr};

use crate::Schedule;
use crate::error::Error;
use crate::policy::{Policy, Warmup};
use crate::units::{Horizon, Length, rounding};

mod args;
mod error;
mod parse;
mod repeat;
mod scale;
mod value;

pub(crate) use args::{Args, Fault};
pub use error::{SpecError, SpecErrorKind};
use repeat::Repeat;
pub(crate) use repeat::{Turn, turns};
pub(crate) use value::{Field, number};

/// What the rate does in a run: a policy, or several one after the other. It is read from text, and
/// prints as text that gives the same spec; it becomes a [`Schedule`] once the run is known.
///
/// ```
/// use cyclr::{Spec, units::Horizon};
///
/// let spec: Spec = "warmup(5%) then triangular(base=0.001, max=0.006, step=2ep)".parse().unwrap();
/// assert_eq!(spec.to_string(), "warmup(5%) then triangular(base=0.001, max=0.006, step=2ep)");
///
/// let run = Horizon::of_updates(20_000)?.with_epoch(50_000, 100)?;
/// assert_eq!(spec.schedule(&run)?.at(2_000).lr, 0.006);
/// # Ok::<(), cyclr::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "String", into = "String")
)]
pub struct Spec {
    stages: Vec<Stage>,
}

/// One part of a [`Spec`].
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    pub(crate) kind: Kind,
    pub(crate) length: Option<Length>,
}

/// The most stages of a spec, every time of a repeat counted.
const MOST_STAGES: u64 = 10_000;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Warmup(Warmup),
    Policy(Policy),
    Repeat(Repeat),
}

impl Stage {
    /// A policy for what is left of the run. Only the last stage may be open.
    pub fn open(policy: impl Into<Policy>) -> Self {
        Self {
            kind: Kind::Policy(policy.into()),
            length: None,
        }
    }

    /// A policy that lasts for `length`; per cent are of the run.
    ///
    /// # Errors
    /// [`Error::ZeroLength`] if `length` is zero.
    pub fn lasting(policy: impl Into<Policy>, length: impl Into<Length>) -> Result<Self, Error> {
        let length = length.into();
        if length.is_zero() {
            return Err(Error::ZeroLength { key: "for", length });
        }
        Ok(Self {
            kind: Kind::Policy(policy.into()),
            length: Some(length),
        })
    }

    /// A rise to the first rate of the stage after it.
    pub fn warmup(warmup: Warmup) -> Self {
        Self {
            length: Some(warmup.length()),
            kind: Kind::Warmup(warmup),
        }
    }

    pub(crate) fn is_warmup(&self) -> bool {
        matches!(self.kind, Kind::Warmup(_))
    }

    /// Whether it lasts for what is left of the run.
    fn is_open(&self) -> bool {
        matches!(self.kind, Kind::Policy(_)) && self.length.is_none()
    }

    /// Its updates as far as they do not depend on a run; see [`Spec::shown_in`].
    fn shown_in(&self, updates: &dyn Fn(Length) -> Option<f64>) -> Option<f64> {
        match (&self.kind, self.length) {
            (_, Some(length)) => updates(length),
            (Kind::Policy(policy), None) => policy.shown_in(updates),
            (Kind::Warmup(warmup), None) => updates(warmup.length()),
            (Kind::Repeat(repeat), None) => {
                let stages = repeat.stages.iter();
                let once: Option<f64> = stages.map(|stage| stage.shown_in(updates)).sum();
                Some(once? * repeat.times as f64)
            }
        }
    }

    /// Describes the stage. `whole` is what per cent inside a policy are of.
    fn describe(&self, whole: &str) -> String {
        match (&self.kind, self.length) {
            (Kind::Warmup(warmup), _) => warmup.describe(),
            (Kind::Policy(policy), Some(length)) => {
                let length = length.describe("run");
                alloc::format!("for {length}, {}", policy.describe(whole))
            }
            (Kind::Policy(policy), None) => policy.describe(whole),
            (Kind::Repeat(repeat), _) => repeat.describe(whole),
        }
    }
}

impl Spec {
    /// Stages in turn. Each counts its own updates from 0.
    ///
    /// # Errors
    /// [`Error::Sequence`] if there is no stage or more than 10,000, an open stage is not the last,
    /// a warm-up leads into nothing, or the stages' per cent alone do not fill a run.
    pub fn new(stages: impl IntoIterator<Item = Stage>) -> Result<Self, Error> {
        let stages: Vec<Stage> = stages.into_iter().collect();
        let refuse = |reason| Err(Error::Sequence { reason });
        check_warmups(&stages)?;
        let before = &stages[..stages.len() - 1];
        if before.iter().any(Stage::is_open) {
            return refuse(
                "only the last stage may be without `for`: say how long each one before it lasts",
            );
        }
        let times = |stage: &Stage| match &stage.kind {
            Kind::Repeat(repeat) => repeat.times * repeat.stages.len() as u64,
            Kind::Warmup(_) | Kind::Policy(_) => 1,
        };
        if stages.iter().map(times).sum::<u64>() > MOST_STAGES {
            return refuse("a spec has at most 10,000 stages, repeats counted: repeat less");
        }
        check_percent(&turns(&stages))?;
        Ok(Self { stages })
    }

    /// What the rate is at every update of a run: this spec with its lengths in updates.
    ///
    /// # Errors
    /// [`Error::UnknownEpoch`] for a length in epochs if the epoch is unknown;
    /// [`Error::Unfilled`], [`Error::EmptyStage`] or [`Error::TooLong`] if the lengths do not fit
    /// the run; [`Error::Overflow`] if a rate grows past every number.
    pub fn schedule(&self, run: &Horizon) -> Result<Schedule, Error> {
        Schedule::of_stages(&self.stages, run)
    }

    /// The policy, if there is just one for the whole run.
    pub fn policy(&self) -> Option<&Policy> {
        match self.stages.as_slice() {
            [
                Stage {
                    kind: Kind::Policy(policy),
                    ..
                },
            ] => Some(policy),
            _ => None,
        }
    }

    /// Describes the spec for people.
    pub fn describe(&self) -> String {
        let policies = self.stages.iter().filter(|stage| !stage.is_warmup());
        let repeats = |stage: &Stage| matches!(stage.kind, Kind::Repeat(_));
        let whole = if policies.count() == 1 && !self.stages.iter().any(repeats) {
            "run"
        } else {
            "stage"
        };
        let stages: Vec<String> = self
            .stages
            .iter()
            .map(|stage| stage.describe(whole))
            .collect();
        stages.join("; then ")
    }

    /// A number of updates that shows the spec whole, four cycles of a cyclical policy, where it
    /// does not depend on the length of a run. `updates_per_epoch`, if known, turns lengths in
    /// epochs into updates.
    pub fn shown_in(&self, updates_per_epoch: Option<u64>) -> Option<u64> {
        let updates = |length: Length| match length {
            Length::Updates(updates) => Some(updates.0 as f64),
            Length::Epochs(epochs) => Some(epochs.get() * updates_per_epoch? as f64),
            Length::Percent(_) => None,
        };
        let stages = self.stages.iter();
        let total: Option<f64> = stages.map(|stage| stage.shown_in(&updates)).sum();
        Some(crate::units::round_up(total?).max(1))
    }
}

impl<P: Into<Policy>> From<P> for Spec {
    fn from(policy: P) -> Self {
        Self {
            stages: alloc::vec![Stage::open(policy)],
        }
    }
}

impl FromStr for Spec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        parse::spec(text)
    }
}

impl TryFrom<String> for Spec {
    type Error = SpecError;

    fn try_from(text: String) -> Result<Self, SpecError> {
        text.parse()
    }
}

impl From<Spec> for String {
    fn from(spec: Spec) -> Self {
        alloc::format!("{spec}")
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, stage) in self.stages.iter().enumerate() {
            write!(f, "{}{stage}", if n == 0 { "" } else { " then " })?;
        }
        Ok(())
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Warmup(warmup) => {
                let fields: Vec<String> = warmup
                    .fields()
                    .iter()
                    .skip(1)
                    .map(|field| alloc::format!(", {field}"))
                    .collect();
                write!(f, "warmup({}{})", warmup.length(), fields.concat())
            }
            Kind::Policy(policy) => {
                let fields: Vec<String> = policy
                    .fields()
                    .iter()
                    .map(|field| alloc::format!("{field}"))
                    .collect();
                write!(f, "{}({})", policy.name(), fields.join(", "))?;
                self.length
                    .map_or(Ok(()), |length| write!(f, " for {length}"))
            }
            Kind::Repeat(repeat) => repeat.fmt(f),
        }
    }
}

/// Refuses stages of which none is a policy, or a warm-up that does not lead into one.
fn check_warmups(stages: &[Stage]) -> Result<(), Error> {
    let refuse = |reason| Err(Error::Sequence { reason });
    let Some(last) = stages.last() else {
        return refuse("a spec needs at least one policy");
    };
    if last.is_warmup() {
        return refuse("a warm-up needs a policy to lead into: write `warmup(…) then …`");
    }
    let begins_with_warmup = |stage: &Stage| match &stage.kind {
        Kind::Repeat(repeat) => repeat.stages.first().is_some_and(Stage::is_warmup),
        Kind::Warmup(_) | Kind::Policy(_) => stage.is_warmup(),
    };
    if stages
        .windows(2)
        .any(|pair| pair[0].is_warmup() && begins_with_warmup(&pair[1]))
    {
        return refuse("a warm-up cannot lead into another: leave one out");
    }
    Ok(())
}

/// Refuses stages whose per cent alone overfill a run, or leave some of it empty.
fn check_percent(turns: &[Turn]) -> Result<(), Error> {
    let fraction = |turn: &Turn| match turn.stage.length {
        Some(Length::Percent(percent)) => Some(percent.get()),
        _ => None,
    };
    let sum: f64 = turns.iter().filter_map(fraction).sum();
    let only_percent = turns.iter().all(|turn| fraction(turn).is_some());
    let open = turns.last().is_some_and(|turn| turn.stage.is_open());
    let rounding = rounding(100.0);
    if sum > 100.0 + rounding || (open && sum > 100.0 - rounding) {
        return Err(Error::Sequence {
            reason: "the stages' per cent leave nothing of the run for the others",
        });
    }
    if only_percent && sum < 100.0 - rounding {
        return Err(Error::Sequence {
            reason: "the stages' per cent do not add up to 100%",
        });
    }
    Ok(())
}
