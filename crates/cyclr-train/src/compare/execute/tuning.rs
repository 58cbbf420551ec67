//! Every arm's peak rate, by trials on seeds of their own.

use super::runs::final_validation;
use super::training::training;
use super::{Comparing, Observer, RunName};
use crate::compare::Tune;
use crate::compare::record::{ArmOutcome, Trial, TrialRun};
use crate::compare::tune;
use crate::{Error, Outcome};

/// Trials of all arms that are made at once.
struct Tried<'a> {
    /// The share of the budget that they last.
    fraction: f64,
    /// Whether they are further ones, since some arm's best was at an edge.
    extra: bool,
    /// Each arm's multiples of `max_lr`.
    multiples: &'a [Vec<f64>],
}

impl Comparing<'_> {
    /// Every arm at its peak rate, without final runs.
    pub(super) fn tune(
        &self,
        bounds: Option<(f64, f64)>,
        observer: Observer,
    ) -> Result<Vec<ArmOutcome>, Error> {
        let trials = match (&self.plan.tuning, bounds) {
            (Some(tune), Some(bounds)) => self.search(tune, bounds, observer)?,
            _ => vec![Vec::new(); self.plan.arms.len()],
        };
        let arms = trials.into_iter().enumerate();
        arms.map(|(arm, trials)| self.chosen(arm, trials, bounds))
            .collect()
    }

    /// Every arm's trials, by length and rate.
    fn search(
        &self,
        tune: &Tune,
        bounds: (f64, f64),
        observer: Observer,
    ) -> Result<Vec<Vec<Trial>>, Error> {
        let direction = self.objective.direction;
        let mut trials = vec![Vec::new(); self.plan.arms.len()];
        let mut attempt = |trials: &mut _, fraction, extra, multiples: &[Vec<f64>]| {
            let tried = Tried {
                fraction,
                extra,
                multiples,
            };
            self.try_rates(tune, bounds, &tried, trials, observer)
        };
        let same = self.plan.arms.iter().map(|arm| tune.multiples_of(arm));
        let same: Vec<_> = same.collect();
        attempt(&mut trials, tune.first_rung(), false, &same)?;
        if !tune.searches() {
            return Ok(trials);
        }
        for _ in 0..tune.rounds {
            if !tune::needs_more(&trials, direction) {
                break;
            }
            let more = trials.iter().map(|t| tune::one_more(t, direction));
            let more: Vec<_> = more.collect();
            attempt(&mut trials, tune.first_rung(), true, &more)?;
        }
        for &fraction in tune.finer() {
            let around = trials.iter().map(|t| tune::around_best(t, direction));
            let around: Vec<_> = around.collect();
            attempt(&mut trials, fraction, false, &around)?;
        }
        Ok(trials)
    }

    /// Makes trials on the tuning seeds, and puts them in their places.
    fn try_rates(
        &self,
        tune: &Tune,
        bounds: (f64, f64),
        tried: &Tried,
        trials: &mut [Vec<Trial>],
        observer: Observer,
    ) -> Result<(), Error> {
        let peak = |multiple: f64| cyclr::rounded(multiple * bounds.1, 4);
        let mut jobs = Vec::new();
        for (arm, multiples) in tried.multiples.iter().enumerate() {
            let declared = &self.plan.arms[arm];
            for &multiple in multiples {
                let peak = Some(peak(multiple));
                let spec = declared.spec(Some(bounds), peak, &self.plan, &self.info)?;
                for &seed in &tune.seeds {
                    let mut job = self.job(arm, &spec, tried.fraction, seed, Some(multiple))?;
                    job.task.test = false;
                    jobs.push(job);
                }
            }
        }
        let outcomes = self.run(&jobs, true, observer)?;
        let all = jobs.len();
        let names = jobs.into_iter().map(|job| job.name);
        let runs = names.zip(outcomes);
        let runs = runs.map(|(name, outcome)| self.trial_run(name, &outcome, all));
        let mut runs = runs.collect::<Result<Vec<_>, _>>()?.into_iter();
        for (arm, multiples) in tried.multiples.iter().enumerate() {
            for &multiple in multiples {
                let runs: Vec<_> = runs.by_ref().take(tune.seeds.len()).collect();
                trials[arm].push(Trial {
                    multiple,
                    peak: peak(multiple),
                    fraction: tried.fraction,
                    extra: tried.extra,
                    validation: tune::validation(&runs),
                    runs,
                });
            }
            trials[arm].sort_by(|a, b| {
                let lengths = a.fraction.total_cmp(&b.fraction);
                lengths.then(a.multiple.total_cmp(&b.multiple))
            });
        }
        Ok(())
    }

    /// One of a trial's runs, as the record has it. Only one that diverged has no value.
    fn trial_run(&self, name: RunName, outcome: &Outcome, runs: usize) -> Result<TrialRun, Error> {
        let validation = final_validation(outcome, &self.objective);
        let validation = validation.map_err(|reason| Error::RunsFailed {
            failed: vec![(name.folder.clone(), reason)],
            runs,
        })?;
        let folder = self.folder.path().join(&name.folder);
        // Its curve is not shown, but its result is held against its log, as those of final runs are.
        training(&folder, name.updates, outcome, &self.objective)?;
        Ok(TrialRun {
            seed: name.seed,
            validation,
            folder: name.folder,
            updates: outcome.updates_done,
            seconds: outcome.compute_seconds,
        })
    }

    /// The arm at the peak that its trials choose.
    fn chosen(
        &self,
        arm: usize,
        trials: Vec<Trial>,
        bounds: Option<(f64, f64)>,
    ) -> Result<ArmOutcome, Error> {
        let declared = &self.plan.arms[arm];
        let search = |trials| tune::tuning(trials, self.objective.direction, self.plan.margin);
        let tuning = (!trials.is_empty()).then(|| search(trials));
        let spec = match tuning.as_ref().map(|tuning| tuning.peak) {
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
