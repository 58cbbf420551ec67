//! Whether a record that was read fits its plan.

use super::{ArmOutcome, Range, Record, RunOutcome};
use crate::compare::plan::Plan;

impl Record {
    /// Refuses a record whose lists do not fit its plan, or that refers to an arm that it does not have.
    pub(in crate::compare) fn check_places(&self) -> Result<(), &'static str> {
        check_outcomes(&self.plan, self.seeds_run()?, &self.arms)?;
        let arms = self.arms.len();
        if self.conclusion.table.len() != arms {
            return Err("the table does not have the arms of the plan");
        }
        let winner = self.conclusion.winner.map(|winner| winner.arm);
        let budgets = self.arms.iter().flat_map(|arm| &arm.budgets);
        let references = budgets.flat_map(|budget| &budget.against);
        let mut named = references.map(|against| against.reference);
        if !named.all(|arm| arm < arms) || winner.unwrap_or(0) >= arms {
            return Err("it refers to an arm that it does not have");
        }
        Ok(())
    }

    /// How many of the plan's seeds ran.
    fn seeds_run(&self) -> Result<usize, &'static str> {
        let looks = self.plan.looks();
        match self.race {
            _ if self.plan.race_fault().is_some() => Err("its race needs another number of seeds"),
            None if self.plan.race.is_none() => Ok(self.plan.seeds.len()),
            Some(end) if self.plan.race.is_some() && looks.contains(&end.seeds) => Ok(end.seeds),
            _ => Err("it is not a race with the plan's looks, or does not say how the race ended"),
        }
    }
}

impl Range {
    /// Refuses bounds that no range test finds.
    pub(in crate::compare) fn check(&self) -> Result<(), String> {
        let named = [
            ("base_lr", self.base_lr, self.base_interval),
            ("max_lr", self.max_lr, self.max_interval),
        ];
        for (name, rate, interval) in named {
            if !rate.is_finite() || rate <= 0.0 {
                return Err(format!(
                    "{name} = {rate:e} is not a rate: it must be above 0"
                ));
            }
            if let Some(ends) = interval
                && !ends.contains(rate)
            {
                return Err(format!(
                    "{name} = {rate:e} is not in its interval, {:e} to {:e}",
                    ends.low, ends.high
                ));
            }
        }
        if self.base_lr > self.max_lr {
            let (base, max) = (self.base_lr, self.max_lr);
            return Err(format!("base_lr = {base:e} is above max_lr = {max:e}"));
        }
        Ok(())
    }
}

/// Refuses outcomes that are not those of the plan's arms and budgets, on the first `seeds` of its seeds.
pub(in crate::compare) fn check_outcomes(
    plan: &Plan,
    seeds: usize,
    arms: &[ArmOutcome],
) -> Result<(), &'static str> {
    if plan.arms.len() != arms.len() || plan.reference >= arms.len() {
        return Err("the plan and the outcomes do not have the same arms");
    }
    for (declared, arm) in plan.arms.iter().zip(arms) {
        if plan.budgets.is_empty() || arm.budgets.len() != plan.budgets.len() {
            return Err("an arm does not have the budgets of the plan");
        }
        if let Some(tuning) = &arm.tuning {
            let best = tuning.best.map(|best| tuning.trials.get(best).is_some());
            if best == Some(false) || best.is_some() != tuning.peak.is_some() {
                return Err("an arm's best trial is not one of its trials, or it has no peak rate");
            }
        }
        if arm.spec != arm.whole().spec {
            return Err("an arm's spec is not that of its runs of the whole budget");
        }
        for (budget, &fraction) in arm.budgets.iter().zip(&plan.budgets) {
            // An arm that diverged at every rate that was tried has no spec and no runs.
            let runs = budget.spec.as_ref().map_or(0, |_| seeds);
            if budget.runs.len() != runs {
                return Err("an arm does not have a run for each seed");
            }
            let mut seeded = budget.runs.iter().zip(&plan.seeds);
            if !seeded.all(|(run, &seed)| run.seed == seed) {
                return Err("an arm's runs are not on the seeds of the plan, in their order");
            }
            let too_many = |run: &RunOutcome| run.updates_shared > run.updates_done;
            if budget.runs.iter().any(too_many) {
                return Err("a run shares more updates than it has done");
            }
            if budget.updates != plan.updates_of(declared, fraction) {
                return Err("an arm does not have the updates that the plan gives it");
            }
        }
    }
    Ok(())
}
