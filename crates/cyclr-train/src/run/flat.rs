use cyclr::seam::TrainableError;
use cyclr::stats::{ALPHA, mcnemar};

use crate::Error;
use crate::run::{Progress, Reading};

impl Progress {
    /// Whether the cycle that ends at this trough brought no gain over the trough before it.
    pub(super) fn is_flat(&self, now: &Reading, correct: Option<&[bool]>) -> Result<bool, Error> {
        let Some(before) = self
            .readings
            .iter()
            .rfind(|reading| reading.trough.is_some())
        else {
            return Ok(false);
        };
        if let (Some(before), Some(now)) = (&self.trough_correct, correct) {
            let change = mcnemar(before, now).map_err(|error| TrainableError::Failed {
                reason: format!("two readings of the validation split do not match: {error}"),
            })?;
            return Ok(change.p > ALPHA);
        }
        Ok(match (now.metrics.deciding(), before.metrics.deciding()) {
            (Some(now), Some(before)) => !now.is_better_than(before),
            _ => false,
        })
    }
}
