//! An arm of a comparison: a policy, and what it becomes for a run.

use std::fmt;
use std::str::FromStr;

use cyclr::policy::{Completion, Policy};
use cyclr::trainer::TrainerInfo;
use cyclr::units::{Horizon, Length, Percent, Updates};
use cyclr::{Schedule, Spec, SpecError, advice, rounded};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{BoundsSource, Plan};
use crate::{Average, Error};

/// Ratio of the bounds if none were found: a quarter, of the paper's "one third or one fourth".
const USUAL_RATIO: f64 = 0.25;

/// The bounds of a spec that is shown as an example.
const EXAMPLE: (f64, f64) = (0.025, 0.1);

/// What is compared: a policy, with one number left to tune.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Arm {
    /// Its name, unlike the others'.
    pub label: String,
    /// What its rate does.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub policy: ArmPolicy,
    /// Whether its peak rate is tuned. If not, a spec stands as it is, and a bare name takes the
    /// peak that suits it where the range test found `max_lr`; bounds that are given are taken as
    /// they are.
    #[serde(default = "yes")]
    pub tuned: bool,
    /// What is averaged over the troughs of its runs, weights or predictions; the averaged model is
    /// then the arm's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average: Option<Average>,
    /// A budget of its own, in updates, where it differs from the plan's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updates: Option<u64>,
    /// A figure that somebody else reported for it, to stand beside ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<f64>,
    /// What a reader must know of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What the rate of an arm does.
#[derive(Clone, Debug, PartialEq)]
pub enum ArmPolicy {
    /// The policy of that name, completed from the bounds and the budget
    /// ([`Policy::completable`]).
    Named(&'static str),
    /// A spec, whose rates all move with its peak.
    Spec(Spec),
}

impl FromStr for ArmPolicy {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        match Policy::completable().find(|name| *name == text) {
            Some(name) => Ok(Self::Named(name)),
            None => text.parse().map(Self::Spec),
        }
    }
}

impl Serialize for ArmPolicy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ArmPolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl fmt::Display for ArmPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::Spec(spec) => spec.fmt(f),
        }
    }
}

impl Arm {
    /// A tuned arm that is called as its policy is.
    pub fn of(policy: ArmPolicy) -> Self {
        Self {
            label: policy.to_string(),
            policy,
            tuned: true,
            average: None,
            updates: None,
            published: None,
            note: None,
        }
    }

    /// Cycles as they come from the range test: `triangular2` at the found bounds.
    pub fn untuned() -> Self {
        Self {
            label: String::from("triangular2, untuned"),
            tuned: false,
            note: Some(String::from("straight from the range test")),
            ..Self::of(ArmPolicy::Named("triangular2"))
        }
    }

    /// The arm's spec for the whole budget, with its peak at `peak`; without one, as an untuned
    /// arm has it. `bounds` are (`base_lr`, `max_lr`).
    pub(super) fn spec(
        &self,
        bounds: Option<(f64, f64)>,
        peak: Option<f64>,
        plan: &Plan,
        info: &TrainerInfo,
    ) -> Result<Spec, Error> {
        let bad = |reason: String| Error::BadArm {
            label: self.label.clone(),
            reason,
        };
        let name = match &self.policy {
            ArmPolicy::Named(name) => *name,
            ArmPolicy::Spec(spec) => {
                let spec = peak.map_or(Ok(spec.clone()), |peak| spec.with_peak(peak));
                return spec.map_err(|e| bad(e.to_string()));
            }
        };
        let step = self.step(plan, info).map_err(|e| bad(format!("{e}")))?;
        let complete = |base_lr, max_lr| {
            let with = Completion {
                base_lr,
                max_lr,
                step,
            };
            Policy::complete(name, &with)
                .expect("only the names of policies that can be completed are read")
                .map(Spec::from)
                .map_err(|e| bad(e.to_string()))
        };
        let over = match plan.bounds {
            BoundsSource::Found { .. } => Policy::max_over_peak(name),
            BoundsSource::Given { .. } | BoundsSource::Unneeded => None,
        };
        let untuned = bounds.map(|(_, max)| rounded(max / over.unwrap_or(1.0), 4));
        let Some(peak) = peak.or(untuned) else {
            let example = complete(EXAMPLE.0, EXAMPLE.1)?;
            return Err(bad(format!(
                "`{name}` has no rates, and no bounds are known: write a complete spec, such as {example}, or let a range test find the bounds"
            )));
        };
        let base = peak * bounds.map_or(USUAL_RATIO, |(base, max)| base / max);
        complete(rounded(base, 4), peak)
    }

    /// The step size that fills a run with the advised number of whole cycles, in updates where
    /// that comes out even at every budget, else in per cent, with as few digits as still end the
    /// last cycle at the end of the run.
    fn step(&self, plan: &Plan, info: &TrainerInfo) -> Result<Length, cyclr::Error> {
        let updates = plan.updates_of(self, 1.0);
        let run = Horizon::of_updates(updates)?.with_epoch(info.examples, info.batch)?;
        let halves = 2 * advice::cycles(&run)?.cycles;
        let even = |&fraction: &f64| plan.updates_of(self, fraction).is_multiple_of(halves);
        if plan.budgets.iter().all(even) {
            return Ok(Length::from(Updates(updates / halves)));
        }
        let percent = 100.0 / halves as f64;
        let mut shorter = (0..15).map(|digits| {
            let places = 10_f64.powi(digits);
            (percent * places).floor() / places
        });
        let ends = |step: &f64| (step / 100.0 * updates as f64 * halves as f64).ceil() as u64;
        let step = shorter.find(|step| ends(step) == updates);
        Percent::new(step.unwrap_or(percent)).map(Length::from)
    }

    /// What the spec does at a fraction of the budget: the whole shape, shortened with it. Where
    /// runs branch off, a warm-up in updates or epochs keeps its length.
    pub(super) fn schedule(
        &self,
        spec: &Spec,
        fraction: f64,
        plan: &Plan,
        info: &TrainerInfo,
    ) -> Result<(Spec, Schedule), Error> {
        let bad = |reason: String| Error::BadArm {
            label: self.label.clone(),
            reason,
        };
        let spec = if fraction == 1.0 {
            spec.clone()
        } else {
            let shorter = if plan.branches {
                spec.stretched_after_warmup(fraction)
            } else {
                spec.stretched(fraction)
            };
            shorter.map_err(|e| bad(format!("{e}")))?
        };
        let schedule = Horizon::of_updates(plan.updates_of(self, fraction))
            .and_then(|run| run.with_epoch(info.examples, info.batch))
            .and_then(|run| spec.schedule(&run))
            .map_err(|e| bad(format!("{e}")))?;
        Ok((spec, schedule))
    }
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_completed_cycle_is_short_to_read_and_ends_with_the_run() {
        let info = TrainerInfo::new(8000, 100);
        let arm = Arm::of(ArmPolicy::Named("triangular2"));
        for updates in [100, 320, 1280, 2800, 70_001, 1_000_003, 99_999_989] {
            let mut plan = Plan::new(updates);
            plan.budgets = vec![0.25, 0.5, 1.0];
            let spec = arm.spec(Some((0.25, 1.0)), None, &plan, &info).unwrap();
            for &fraction in &plan.budgets {
                let (_, schedule) = arm.schedule(&spec, fraction, &plan, &info).unwrap();
                let end = plan.updates_of(&arm, fraction);
                assert_eq!(schedule.troughs().last(), Some(end), "{spec}, {fraction}");
            }
            let again: Spec = spec.to_string().parse().unwrap();
            assert_eq!(again, spec, "text → spec → text");
        }
        let step = |updates| arm.step(&Plan::new(updates), &info).unwrap().to_string();
        assert_eq!((step(320).as_str(), step(1280).as_str()), ("16.66%", "160"));
    }
}
