//! Which final runs of shorter budgets branch off those of the whole budget.

use cyclr::Spec;
use cyclr::trainer::TrainerInfo;

use super::{Arm, Plan};
use crate::Error;

/// A branch shares at least one part in so many of its run; less is not worth its checkpoint. Where
/// only the first rate is the same, nothing is.
const LEAST_PART: u64 = 10;

impl Plan {
    /// The updates that an arm's run at a fraction of the budget shares with its run at the whole:
    /// those whose rates are all the same, one by one. 0 if it does not branch off.
    pub(super) fn shared(
        &self,
        arm: &Arm,
        spec: &Spec,
        fraction: f64,
        info: &TrainerInfo,
    ) -> Result<u64, Error> {
        // What an average holds depends on the troughs of each run.
        if !self.branches || fraction == 1.0 || arm.average.is_some() {
            return Ok(0);
        }
        let (_, short) = arm.schedule(spec, fraction, self, info)?;
        let (_, whole) = arm.schedule(spec, 1.0, self, info)?;
        let both = 0..short.updates().min(whole.updates());
        let same = both.take_while(|&update| short.at(update) == whole.at(update));
        let shared = same.count() as u64;
        let is_worth_it = shared.saturating_mul(LEAST_PART) >= short.updates();
        Ok(if is_worth_it { shared } else { 0 })
    }

    /// The updates that each arm's final runs share, of one seed: they are made once, by the run of
    /// the whole budget. 0 for an arm that is trained again at every budget.
    ///
    /// # Errors
    /// As [`Plan::check`], for an arm that does not fit its run.
    pub fn updates_shared(&self, info: &TrainerInfo) -> Result<Vec<u64>, Error> {
        let of_arm = |arm: &Arm| {
            let spec = arm.spec(self.any_bounds(), None, self, info)?;
            let budgets = self.budgets.iter();
            let shared = budgets.map(|&fraction| self.shared(arm, &spec, fraction, info));
            shared.sum()
        };
        self.arms.iter().map(of_arm).collect()
    }
}
