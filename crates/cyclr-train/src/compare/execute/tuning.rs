//! Every arm's peak rate, by trials on a seed of their own.

use super::runs::validation_of;
use super::{Comparing, Observer};
use crate::Error;
use crate::compare::record::{ArmOutcome, Trial};
use crate::compare::tune;

impl Comparing<'_> {
    /// Every arm at its peak rate, without final runs.
    pub(super) fn tune(
        &self,
        bounds: Option<(f64, f64)>,
        observer: Observer,
    ) -> Result<Vec<ArmOutcome>, Error> {
        let direction = self.objective.direction;
        let mut trials: Vec<Vec<Trial>> = vec![Vec::new(); self.plan.arms.len()];
        if let (Some(tune), Some(bounds)) = (&self.plan.tuning, bounds) {
            let tuned = |arm: usize| self.plan.arms[arm].tuned;
            let common = |arm| {
                if tuned(arm) {
                    tune.multiples.clone()
                } else {
                    Vec::new()
                }
            };
            let common: Vec<_> = (0..trials.len()).map(common).collect();
            self.try_rates(&mut trials, &common, bounds, false, observer)?;
            if tune::needs_more(&trials, direction) {
                let more = trials
                    .iter()
                    .map(|trials| tune::one_more(trials, direction));
                let more: Vec<_> = more.collect();
                self.try_rates(&mut trials, &more, bounds, true, observer)?;
            }
        }
        let arms = trials.into_iter().enumerate();
        arms.map(|(arm, trials)| self.chosen(arm, trials, bounds))
            .collect()
    }

    /// Tries each arm at its multiples of `max_lr`, on the tuning seed, and adds the trials in the
    /// order of their rates.
    fn try_rates(
        &self,
        trials: &mut [Vec<Trial>],
        multiples: &[Vec<f64>],
        bounds: (f64, f64),
        extra: bool,
        observer: Observer,
    ) -> Result<(), Error> {
        let seed = self.plan.tuning.as_ref().map_or(0, |tune| tune.seed);
        let peak = |multiple: f64| cyclr::rounded(multiple * bounds.1, 4);
        let mut jobs = Vec::new();
        for (arm, multiples) in multiples.iter().enumerate() {
            for &multiple in multiples {
                let declared = &self.plan.arms[arm];
                let spec =
                    declared.spec(Some(bounds), Some(peak(multiple)), &self.plan, &self.info)?;
                let mut job = self.job(arm, &spec, 1.0, seed, Some(multiple))?;
                job.task.test = false;
                jobs.push((multiple, job));
            }
        }
        let (multiples, jobs): (Vec<f64>, Vec<_>) = jobs.into_iter().unzip();
        let outcomes = self.run(&jobs, true, observer)?;
        for ((multiple, job), outcome) in multiples.into_iter().zip(jobs).zip(outcomes) {
            trials[job.name.arm].push(Trial {
                multiple,
                peak: peak(multiple),
                extra,
                validation: validation_of(&outcome, &self.objective),
                folder: job.name.folder,
                updates: outcome.updates_done,
                seconds: outcome.compute_seconds,
            });
        }
        for trials in trials {
            trials.sort_by(|a, b| a.multiple.total_cmp(&b.multiple));
        }
        Ok(())
    }

    /// The arm at the peak that its trials choose.
    fn chosen(
        &self,
        arm: usize,
        trials: Vec<Trial>,
        bounds: Option<(f64, f64)>,
    ) -> Result<ArmOutcome, Error> {
        let declared = &self.plan.arms[arm];
        let tuning = (!trials.is_empty()).then(|| tune::tuning(trials, self.objective.direction));
        let peak = tuning.as_ref().map(|tuning| {
            let chosen = tuning.chosen?;
            Some(tuning.trials[chosen].peak)
        });
        let spec = match peak {
            Some(None) => None,
            Some(peak) => Some(declared.spec(bounds, peak, &self.plan, &self.info)?),
            None => Some(declared.spec(bounds, None, &self.plan, &self.info)?),
        };
        let cyclical = match &spec {
            Some(spec) => {
                let (_, schedule) = declared.schedule(spec, 1.0, &self.plan, &self.info)?;
                schedule.troughs().next().is_some()
            }
            None => false,
        };
        Ok(ArmOutcome {
            spec,
            cyclical,
            tuning,
            budgets: Vec::new(),
        })
    }
}
