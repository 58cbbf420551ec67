use crate::run::{Progress, Reading};

impl Progress {
    /// Whether the cycle that ended at this trough brought no gain over the trough before it.
    pub(crate) fn is_flat(&self, now: &Reading, correct: Option<&[bool]>) -> bool {
        let Some(before) = self.readings.iter().rfind(|reading| reading.trough.is_some()) else {
            return false;
        };
        match (&self.trough_correct, correct) {
            (Some(before), Some(now)) if before.len() == now.len() => gain_p(before, now) > 0.05,
            _ => match (now.metrics.deciding(), before.metrics.deciding()) {
                (Some(now), Some(before)) => !now.is_better_than(before),
                _ => false,
            },
        }
    }
}
