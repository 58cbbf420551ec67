use cyclr::stats::{ALPHA, mcnemar};
use cyclr::trainer::{TrainerError, TrainerInfo};

use crate::Error;
use crate::run::{Progress, ValidationPoint};

impl Progress {
    /// Whether the cycle that ends at this trough brought no gain over the trough before it.
    pub(super) fn is_plateau(
        &self,
        now: &ValidationPoint,
        correct: Option<&[bool]>,
        info: &TrainerInfo,
    ) -> Result<bool, Error> {
        let Some(before) = self
            .evaluations
            .iter()
            .rfind(|evaluation| evaluation.trough.is_some())
        else {
            return Ok(false);
        };
        if let (Some(before), Some(now)) = (&self.trough_correct, correct) {
            let change = mcnemar(before, now).map_err(|error| TrainerError::Failed {
                reason: format!("two evaluations of the validation split do not match: {error}"),
            })?;
            return Ok(change.p > ALPHA);
        }
        Ok(
            match (
                info.objective_in(now.declared()),
                info.objective_in(before.declared()),
            ) {
                (Some(now), Some(before)) => !now.is_better_than(before),
                _ => false,
            },
        )
    }
}
