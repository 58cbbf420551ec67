//! Whether a record that was read fits its plan.

use std::collections::BTreeSet;

use cyclr::trainer::{Metrics, Objective};
use serde_json::Value;

use super::{ArmOutcome, Bin, Range, Record, RunOutcome};
use crate::ValidationPoint;
use crate::compare::analyse::compare_arms;
use crate::compare::plan::Plan;
use crate::compare::tune;

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

    /// Refuses a record whose figures do not follow from the values of its runs, or whose runs lack a
    /// figure that they must have.
    pub(in crate::compare) fn check_figures(&self) -> Result<(), String> {
        let found = self.fault();
        found.map_err(|fault| format!("{fault}: the file was damaged or edited"))
    }

    fn fault(&self) -> Result<(), String> {
        for (n, arm) in self.arms.iter().enumerate() {
            let place = format!("arms[{n}]");
            check_tuning(arm, &place)?;
            for (budget, outcome) in arm.budgets.iter().enumerate() {
                for (run, outcome) in outcome.runs.iter().enumerate() {
                    let place = format!("{place}.budgets[{budget}].runs[{run}]");
                    check_run(outcome, &self.objective, &place)?;
                }
            }
        }
        let mut arms = self.arms.clone();
        compare_arms(&mut arms, &self.plan, &self.info, &self.objective)
            .map_err(|e| e.to_string())?;
        let value = |arms: &[ArmOutcome]| serde_json::to_value(arms).map_err(|e| e.to_string());
        differs(&value(&self.arms)?, &value(&arms)?, "arms").map_or(Ok(()), Err)
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

/// Relatively, so far apart are figures that another version computed, at most.
const ROUNDING: f64 = 1e-9;

/// What records of earlier versions lack.
const ADDED: [&str; 2] = ["correlation", "examples"];

/// The first place at which what was recorded is not what is computed now, and both.
fn differs(recorded: &Value, computed: &Value, place: &str) -> Option<String> {
    match (recorded, computed) {
        (Value::Object(recorded), Value::Object(computed)) => {
            let keys: BTreeSet<&String> = recorded.keys().chain(computed.keys()).collect();
            keys.into_iter().find_map(|key| {
                let [r, c] = [recorded, computed].map(|of| of.get(key).unwrap_or(&Value::Null));
                let is_added = r.is_null() && ADDED.contains(&key.as_str());
                let place = format!("{place}.{key}");
                (!is_added).then(|| differs(r, c, &place)).flatten()
            })
        }
        (Value::Array(recorded), Value::Array(computed)) if recorded.len() == computed.len() => {
            let pairs = recorded.iter().zip(computed).enumerate();
            let mut pairs = pairs.map(|(n, (r, c))| differs(r, c, &format!("{place}[{n}]")));
            pairs.find_map(|difference| difference)
        }
        _ => {
            let same = match (recorded.as_f64(), computed.as_f64()) {
                (Some(r), Some(c)) => (r - c).abs() <= ROUNDING * r.abs().max(c.abs()),
                _ => recorded == computed,
            };
            (!same).then(|| {
                format!("{place} is {recorded}, and {computed} follows from the values of its runs")
            })
        }
    }
}

/// Refuses a run without final values that did not diverge, and one with them that lacks a figure or
/// did not end with them.
fn check_run(run: &RunOutcome, objective: &Objective, place: &str) -> Result<(), String> {
    let is_finite = |point: &ValidationPoint| {
        let mut metrics = std::iter::once(&point.metrics).chain(&point.average);
        metrics.all(Metrics::is_finite)
    };
    let end = run.evaluations.last();
    let end = end.filter(|point| point.updates_done == run.updates_done);
    let Some(values) = &run.values else {
        // Divergence shows as a figure that is not finite, or as updates after the last evaluation.
        return match end.is_some_and(is_finite) {
            false => Ok(()),
            true => Err(format!(
                "{place}.values is null, as if it had diverged, and its last evaluation is finite"
            )),
        };
    };
    if let Some(n) = run.evaluations.iter().position(|point| !is_finite(point)) {
        return Err(format!(
            "{place}.evaluations[{n}] has a figure that is null, and the run did not diverge"
        ));
    }
    let last = end.and_then(|point| objective.value(point.declared()));
    if last != Some(values.validation) {
        return Err(format!(
            "{place}.values.validation is {}, which is not the {} of its last evaluation",
            values.validation, objective.name
        ));
    }
    // A trainer that does not measure a figure in training measures it in no bin.
    let figures: [(&str, fn(&Bin) -> Option<f64>); 2] =
        [("loss", |bin| bin.loss), ("value", |bin| bin.value)];
    for (name, of) in figures {
        let missing = run.training.iter().position(|bin| of(bin).is_none());
        if let Some(n) = missing.filter(|_| run.training.iter().any(|bin| of(bin).is_some())) {
            return Err(format!(
                "{place}.training[{n}].{name} is null, and the run did not diverge"
            ));
        }
    }
    Ok(())
}

/// Refuses trials whose value is not the mean of their runs, and a best one that has none.
fn check_tuning(arm: &ArmOutcome, place: &str) -> Result<(), String> {
    let Some(tuning) = &arm.tuning else {
        return Ok(());
    };
    for (n, trial) in tuning.trials.iter().enumerate() {
        let found = trial.validation.map_or(Value::Null, Value::from);
        let mean = tune::validation(&trial.runs).map_or(Value::Null, Value::from);
        let place = format!("{place}.tuning.trials[{n}].validation");
        if let Some(difference) = differs(&found, &mean, &place) {
            return Err(difference);
        }
    }
    let longest = tune::longest(&tuning.trials);
    let trained = match tuning.best {
        Some(best) => tuning.trials[best].validation.is_some(),
        None => longest.iter().all(|trial| trial.validation.is_none()),
    };
    match trained {
        true => Ok(()),
        false => Err(format!(
            "{place}.tuning.best is {}, and its trials say something else",
            tuning
                .best
                .map_or_else(|| String::from("null"), |best| best.to_string())
        )),
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
        for (budget, &fraction) in arm.budgets.iter().zip(&plan.budgets) {
            // An arm that diverged at every rate that was tried has no spec and no runs.
            let runs = budget.spec.as_ref().map_or(0, |_| seeds);
            if budget.runs.len() != runs {
                return Err("an arm does not have a run for each seed");
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
