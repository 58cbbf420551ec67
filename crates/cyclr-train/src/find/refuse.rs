//! What no range test can be made with is refused before it begins.

use cyclr::trainer::TrainerInfo;

use crate::Error;

/// Refuses a weight decay that the trainer does not obey.
pub(super) fn check_obeyed(weight_decay: Option<f64>, info: &TrainerInfo) -> Result<(), Error> {
    if weight_decay.is_some() && !info.weight_decay {
        return Err(Error::NotObeyed {
            what: "weight decay",
        });
    }
    Ok(())
}

/// Refuses a seed that has too few others after it.
pub(super) fn check_seed(seed: u64, runs: u64) -> Result<(), Error> {
    match seed.checked_add(runs) {
        Some(_) => Ok(()),
        None => Err(Error::BadSweep {
            reason: format!(
                "its seeds count up from {seed}, and there are none above {}: give a smaller one",
                u64::MAX
            ),
        }),
    }
}
