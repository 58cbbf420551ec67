//! Policy specs: the text form of a policy, for the command line, study files and records.
//!
//! `NAME(key=value, …)`, optionally `for LENGTH`, joined by `then`. A length is `2000` (updates),
//! `8ep` or `30%`. A `warmup(LENGTH, from=0)` may stand in front of any policy.
//!
//! `%` inside a policy is of its stage, a warm-up that leads into it included; `%` after `for`,
//! and of a warm-up in front, is of the run. A place (`at`) in `%` counts from where the stage
//! begins, before its warm-up; a place in updates or epochs counts from the policy's first update,
//! after the warm-up.
//!
//! A stage begins at the first whole update at or after the exact end of the one before it. What
//! is whole but for a relative error of `1e-12` counts as whole.

use alloc::{string::String, vec::Vec};
use core::{fmt, str::FromStr};

use crate::Schedule;
use crate::error::Error;
use crate::policy::{Policy, Warmup};
use crate::units::{Horizon, Length, rounding};

mod args;
mod error;
mod parse;
mod scale;
mod value;

pub(crate) use args::{Args, Fault};
pub use error::{SpecError, SpecErrorKind};
pub(crate) use value::{Field, number};

/// What a run's rate does: a policy, or several in turn. It is read from text and prints back as
/// text that reads to the same spec; it becomes a [`Schedule`] once the run is known.
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

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Warmup(Warmup),
    Policy(Policy),
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

    /// Describes the stage. `whole` is what per cent inside a policy are of.
    fn describe(&self, whole: &str) -> String {
        match (&self.kind, self.length) {
            (Kind::Warmup(warmup), _) => warmup.describe(),
            (Kind::Policy(policy), Some(length)) => {
                let length = length.describe("run");
                alloc::format!("for {length}, {}", policy.describe(whole))
            }
            (Kind::Policy(policy), None) => policy.describe(whole),
        }
    }
}

impl Spec {
    /// Stages in turn. Each counts its own updates from 0.
    ///
    /// # Errors
    /// [`Error::Sequence`] if there is no stage, an open stage is not the last, a warm-up leads
    /// into nothing, or the stages' per cent alone do not fill a run.
    pub fn new(stages: impl IntoIterator<Item = Stage>) -> Result<Self, Error> {
        let stages: Vec<Stage> = stages.into_iter().collect();
        let refuse = |reason| Err(Error::Sequence { reason });
        let Some((last, before)) = stages.split_last() else {
            return refuse("a spec needs at least one policy");
        };
        if last.is_warmup() {
            return refuse("a warm-up needs a policy to lead into: write `warmup(…) then …`");
        }
        if stages
            .windows(2)
            .any(|pair| pair.iter().all(Stage::is_warmup))
        {
            return refuse("a warm-up cannot lead into another: leave one out");
        }
        if before.iter().any(|stage| stage.length.is_none()) {
            return refuse(
                "only the last stage may be without `for`: say how long each one before it lasts",
            );
        }
        check_percent(&stages)?;
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
        let whole = if policies.count() == 1 {
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
        let mut total = 0.0;
        for stage in &self.stages {
            total += match (&stage.kind, stage.length) {
                (_, Some(length)) => updates(length)?,
                (Kind::Policy(policy), None) => policy.shown_in(&updates)?,
                (Kind::Warmup(warmup), None) => updates(warmup.length())?,
            };
        }
        Some(crate::units::round_up(total).max(1))
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
        }
    }
}

/// Refuses stages whose per cent alone overfill a run, or leave some of it empty.
fn check_percent(stages: &[Stage]) -> Result<(), Error> {
    let fraction = |stage: &Stage| match stage.length {
        Some(Length::Percent(percent)) => Some(percent.get()),
        _ => None,
    };
    let sum: f64 = stages.iter().filter_map(fraction).sum();
    let only_percent = stages.iter().all(|stage| fraction(stage).is_some());
    let open = stages.last().is_some_and(|stage| stage.length.is_none());
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
