//! Whether a plan means anything, and whether a trainer can carry it.

use std::collections::BTreeSet;

use cyclr::range::Allowance;
use cyclr::stats::MARGINS;
use cyclr::trainer::TrainerInfo;

use super::{BoundsSource, Plan, Runs};
use crate::Error;
use crate::compare::Tune;
use crate::run::{check_average, check_obeyed, troughs_of};
use crate::verdict::unseen;

impl Plan {
    /// Refuses a plan that means nothing, or that this data cannot carry.
    ///
    /// # Errors
    /// [`Error::BadPlan`], [`Error::BadArm`], [`Error::NoReference`], [`Error::Undecidable`],
    /// [`Error::NotObeyed`], [`Error::TooManyTroughs`], and [`Error::BadSweep`] if the updates of
    /// the range test are too few.
    pub fn check(&self, info: &TrainerInfo) -> Result<(), Error> {
        self.check_declared()?;
        if info.validation == 0 || info.test == 0 {
            return Err(Error::Undecidable {
                option: "a comparison",
                needed: "a validation split to choose by and a test split to report: set some of the data aside for them",
            });
        }
        if self.branches && !info.snapshots {
            return Err(Error::Undecidable {
                option: "a run that branches off another one",
                needed: "a trainer whose state can be saved: leave out --branches",
            });
        }
        if let Some(test) = self.bounds.range_test() {
            test.check(info)?;
        }
        for Runs { arm, fraction, .. } in self.planned(0, self.first_seeds()) {
            let spec = arm.spec(self.any_bounds(), None, self, info)?;
            let (_, schedule) = arm.schedule(&spec, fraction, self, info)?;
            check_obeyed(&schedule, info)?;
            troughs_of(&schedule)?;
            check_average(arm.average, info, schedule.troughs().next().is_some())?;
        }
        Ok(())
    }

    /// Refuses a plan that means nothing, whatever is trained.
    ///
    /// # Errors
    /// [`Error::BadPlan`].
    pub fn check_declared(&self) -> Result<(), Error> {
        self.check_arms()?;
        self.check_seeds()?;
        self.check_numbers()
    }

    fn check_arms(&self) -> Result<(), Error> {
        let labels: Vec<&str> = self.arms.iter().map(|arm| arm.label.as_str()).collect();
        if labels.iter().any(|label| label.trim().is_empty()) {
            return refuse(
                "an arm has no label: give it a name, or leave out the label and its `=`",
            );
        }
        if let Some(label) = twice(&labels) {
            return refuse(format!(
                "two arms have the same label, {label}: give each arm one of its own"
            ));
        }
        if labels.len() < 2 {
            return refuse(format!(
                "a comparison needs at least two arms, and has {}",
                labels.len()
            ));
        }
        if self.reference >= self.arms.len() {
            return refuse(format!(
                "the reference is arm {} of {}, counted from 0: give the place of one",
                self.reference,
                labels.len()
            ));
        }
        if let Some(problem) = labels.iter().find_map(|label| unseen(label)) {
            return refuse(format!("the label of an arm: {problem}"));
        }
        let published = self.arms.iter().filter_map(|arm| arm.published);
        if let Some(figure) = published.into_iter().find(|figure| !figure.is_finite()) {
            return refuse(format!(
                "the published figure of an arm is {figure}: it must be a number"
            ));
        }
        let tuned = self.arms.iter().any(|arm| arm.tuned);
        if tuned && self.tuning.is_none() {
            return refuse(
                "an arm is to be tuned and the plan does not say how: give `tuning`, or `tuned = false`",
            );
        }
        if tuned && self.bounds == BoundsSource::Unneeded {
            return refuse(
                "tuning starts from the bounds of the rate: let them be found, or give them",
            );
        }
        Ok(())
    }

    fn check_seeds(&self) -> Result<(), Error> {
        if self.seeds.is_empty() {
            return refuse("there are no seeds: give at least one");
        }
        if let Some(seed) = twice(&self.seeds) {
            return refuse(format!("the seed {seed} is there twice: give each once"));
        }
        if let Some(fault) = self.race_fault() {
            return refuse(fault);
        }
        let is_final = |seed: &&u64| self.seeds.contains(seed);
        if let Some(seed) = self.added_seeds.iter().find(|seed| !is_final(seed)) {
            return refuse(format!(
                "the added seed {seed} is not one of the seeds: put it among them"
            ));
        }
        let mut tuning = self.tuning.iter().flat_map(|tune| &tune.seeds);
        if let Some(seed) = tuning.find(is_final) {
            return refuse(format!(
                "the seed {seed} is a tuning seed and a final one: what is tuned on a seed looks better there"
            ));
        }
        let found = match self.bounds {
            BoundsSource::Found { seed, .. } => seed..seed.saturating_add(Allowance::MOST_SEEDS),
            BoundsSource::Given { .. } | BoundsSource::Unneeded => 0..0,
        };
        if let Some(seed) = self.seeds.iter().find(|seed| found.contains(seed)) {
            return refuse(format!(
                "the seed {seed} is a final one and may be one of the range test's, which count up from {}: bounds that \
                 are found on a seed suit it; give another",
                found.start
            ));
        }
        Ok(())
    }

    fn check_numbers(&self) -> Result<(), Error> {
        let positive = |x: f64| x.is_finite() && x > 0.0;
        if !MARGINS.contains(&self.margin) {
            return refuse(format!(
                "the margin is {}: it must be a number above 0, from 1e-100 to 1e100",
                self.margin
            ));
        }
        if self.updates == 0 || self.evaluations < 2 {
            return refuse(format!(
                "a run of {} updates with {} evaluations: it needs at least one update and two evaluations",
                self.updates, self.evaluations
            ));
        }
        if self.budgets.last() != Some(&1.0)
            || !self.budgets.iter().copied().all(positive)
            || !self.budgets.is_sorted_by(|a, b| a < b)
        {
            return refuse(format!(
                "the budgets are {}: they must be fractions above 0, in rising order, and the last must be 1",
                joined(&self.budgets)
            ));
        }
        if self.branches && self.budgets.len() < 2 {
            return refuse(
                "branches are the runs of shorter budgets: give these, as in --budgets 1/4,1/2,1",
            );
        }
        if let Some(fault) = self.tuning.as_ref().and_then(Tune::fault) {
            return refuse(fault);
        }
        if let BoundsSource::Given { base_lr, max_lr } = self.bounds
            && !(base_lr >= 0.0 && base_lr <= max_lr && positive(max_lr))
        {
            return refuse(format!(
                "the bounds are base_lr = {base_lr} and max_lr = {max_lr}: they must be 0 <= base_lr <= max_lr, and max_lr \
                 above 0"
            ));
        }
        Ok(())
    }
}

fn refuse<T>(reason: impl Into<String>) -> Result<T, Error> {
    let reason = reason.into();
    Err(Error::BadPlan { reason })
}

/// What is there more than once.
fn twice<T: Ord>(items: &[T]) -> Option<&T> {
    let mut seen = BTreeSet::new();
    items.iter().find(|item| !seen.insert(*item))
}

/// `0.25, 0.5`
pub(in crate::compare) fn joined(numbers: &[f64]) -> String {
    let numbers: Vec<String> = numbers.iter().map(f64::to_string).collect();
    numbers.join(", ")
}
