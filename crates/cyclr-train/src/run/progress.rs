use crate::run::{StopReason, ValidationPoint};

/// How far a run has come: beside the trainer's own state, all that what follows depends on.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Progress {
    /// Updates made.
    pub(crate) updates_done: u64,
    /// Seconds that the updates took.
    pub(crate) compute_seconds: f64,
    /// Seconds that everything took, all processes together.
    pub(crate) wall_seconds: f64,
    /// What the validation split has shown so far.
    pub(crate) evaluations: Vec<ValidationPoint>,
    /// Which validation examples were classified correctly at the last trough, where the trainer says so.
    pub(crate) trough_correct: Option<Vec<bool>>,
    /// Why training is over, once it is.
    pub(crate) stop_reason: Option<StopReason>,
}
