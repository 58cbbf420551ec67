use cyclr::trainer::Metrics;
use serde::{Deserialize, Serialize};

use crate::Machine;

/// What the validation split showed at one point of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ValidationPoint {
    /// The updates done before it.
    pub updates_done: u64,
    /// Which trough of the schedule this is, counted from 1, if it is one: the run could be
    /// stopped here.
    pub trough: Option<u64>,
    /// The figures over the whole split, of the model that is trained.
    pub metrics: Metrics,
    /// Those of the averaged weights, as the last trough left them; only in a run that averages,
    /// and from its first trough on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average: Option<Metrics>,
    /// What the updates so far took, in seconds, without evaluations and saving.
    pub compute_seconds: f64,
}

impl ValidationPoint {
    /// The figures of the declared model, which is the averaged one in a run that averages; before
    /// the first trough there is only the model that is trained.
    pub fn declared(&self) -> &Metrics {
        self.average.as_ref().unwrap_or(&self.metrics)
    }
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "why", rename_all = "snake_case", deny_unknown_fields)]
pub enum StopReason {
    /// All planned updates were done.
    Completed,
    /// A whole cycle brought no gain.
    Plateau,
    /// The target was reached.
    Target,
    /// The next trough did not fit into the budget of time any more.
    OutOfTime,
    /// The loss was not finite.
    Diverged {
        /// At this update, counted from 0, or in an evaluation after this many updates.
        update: u64,
    },
}

/// What came of a run: the content of its `result.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// Why it ended. Divergence is an outcome like any other.
    pub stop_reason: StopReason,
    /// The updates done.
    pub updates_done: u64,
    /// This many of them, the first, were made by the run of a longer budget, which is the same so far;
    /// they belong to its cost. What this run says of them is as if it had made them by itself.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub updates_shared: u64,
    /// What the validation split showed at each stop.
    pub evaluations: Vec<ValidationPoint>,
    /// What the test split showed of the declared model after the end: of the averaged one in a
    /// run that averages; `None` if there is none, it was not asked for, or
    /// training diverged.
    pub test: Option<Metrics>,
    /// What the updates took, in seconds, without evaluations and saving: the time to compare
    /// policies by.
    pub compute_seconds: f64,
    /// What everything took, in seconds, all processes of a resumed run together.
    pub wall_seconds: f64,
    /// The machines that made it, in order. Records of earlier programs do not say.
    #[serde(default)]
    pub machines: Vec<Machine>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's own signature")]
pub(crate) fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Outcome {
    /// The last evaluation of the validation split.
    pub fn last(&self) -> Option<&ValidationPoint> {
        self.evaluations.last()
    }

    /// Whether training diverged.
    pub fn diverged(&self) -> bool {
        matches!(self.stop_reason, StopReason::Diverged { .. })
    }
}
