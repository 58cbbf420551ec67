use cyclr::Spec;

use super::{Comparing, Observer};
use crate::Error;
use crate::compare::assemble::{measure_of, objective};
use crate::compare::plan::readable;
use crate::compare::record::{ArmRecord, Measure, Trial};
use crate::compare::{Arm, tune};

impl Comparing<'_> {
    /// Every arm at its peak rate; and the metric that chose it.
    pub(super) fn tune(
        &self,
        bounds: Option<(f64, f64)>,
        observer: Observer,
    ) -> Result<(Vec<ArmRecord>, Option<Measure>), Error> {
        let tuned: Vec<&Arm> = self.plan.arms.iter().filter(|arm| arm.tuned).collect();
        let mut trials: Vec<Vec<Trial>> = vec![Vec::new(); tuned.len()];
        let mut measure = None;
        if let (Some(tune), Some((_, max_lr))) = (&self.plan.tuning, bounds) {
            let common = tuned
                .iter()
                .map(|_| tune.multiples.clone())
                .collect::<Vec<_>>();
            let mut try_all = |multiples: &[Vec<f64>],
                               extra: bool,
                               trials: &mut Vec<Vec<Trial>>| {
                let seen = self.try_rates(&tuned, multiples, (max_lr, bounds), extra, observer)?;
                measure = measure.take().or(seen.1);
                for (trials, new) in trials.iter_mut().zip(seen.0) {
                    trials.extend(new);
                    trials.sort_by(|a, b| a.multiple.total_cmp(&b.multiple));
                }
                Ok::<bool, Error>(measure.as_ref().is_none_or(|m| m.higher_is_better))
            };
            let higher = try_all(&common, false, &mut trials)?;
            if tune::needs_more(&trials, higher) {
                let more: Vec<Vec<f64>> = trials
                    .iter()
                    .map(|trials| vec![tune::one_more(trials, higher)])
                    .collect();
                try_all(&more, true, &mut trials)?;
            }
        }
        let higher = measure.as_ref().is_none_or(|m| m.higher_is_better);
        let mut trials = trials.into_iter();
        let arms = self.plan.arms.iter().map(|arm| {
            let trials = if arm.tuned { trials.next() } else { None };
            self.arm_record(arm, trials, bounds, higher)
        });
        Ok((arms.collect::<Result<_, _>>()?, measure))
    }

    /// Each arm at its multiples of `max_lr`, on the tuning seed.
    fn try_rates(
        &self,
        arms: &[&Arm],
        multiples: &[Vec<f64>],
        (max_lr, bounds): (f64, Option<(f64, f64)>),
        extra: bool,
        observer: Observer,
    ) -> Result<(Vec<Vec<Trial>>, Option<Measure>), Error> {
        let seed = self.plan.tuning.as_ref().map_or(0, |tune| tune.seed);
        let mut jobs = Vec::new();
        for (arm, multiples) in arms.iter().zip(multiples) {
            for &multiple in multiples {
                let spec = arm.spec(
                    bounds,
                    Some(readable(multiple * max_lr)),
                    &self.plan,
                    &self.info,
                )?;
                let mut job = self.job(arm, &spec, 1.0, seed, Some(multiple))?;
                job.task.test = false;
                jobs.push(job);
            }
        }
        let outcomes = self.run(&jobs, true, observer)?;
        let measure = outcomes.iter().find_map(measure_of);
        let mut done = jobs.iter().zip(&outcomes);
        let trials = multiples.iter().map(|multiples| {
            let trials = done.by_ref().take(multiples.len());
            trials
                .zip(multiples)
                .map(|((job, outcome), &multiple)| Trial {
                    multiple,
                    peak: readable(multiple * max_lr),
                    extra,
                    validation: measure.as_ref().and_then(|m| objective(outcome, m)),
                    folder: job.name.folder.clone(),
                    updates: outcome.updates_done,
                    seconds: outcome.compute_seconds,
                })
                .collect()
        });
        Ok((trials.collect(), measure))
    }

    fn arm_record(
        &self,
        arm: &Arm,
        trials: Option<Vec<Trial>>,
        bounds: Option<(f64, f64)>,
        higher_is_better: bool,
    ) -> Result<ArmRecord, Error> {
        let tuning = trials.map(|trials| tune::tuning(trials, higher_is_better));
        let peak = match &tuning {
            Some(tuning) => tuning.chosen.map(|place| tuning.trials[place].peak),
            None => None,
        };
        let spec = if tuning.is_some() && peak.is_none() {
            None
        } else {
            Some(arm.spec(bounds, peak, &self.plan, &self.info)?)
        };
        let cyclical = match &spec {
            Some(spec) => {
                let (_, schedule) = arm.schedule(spec, 1.0, &self.plan, &self.info)?;
                schedule.troughs().next().is_some()
            }
            None => false,
        };
        let trials = tuning.iter().flat_map(|tuning| &tuning.trials);
        Ok(ArmRecord {
            label: arm.label.clone(),
            cyclical,
            peak: peak.or(spec.as_ref().map(Spec::peak)),
            spec: spec.map(|spec| spec.to_string()),
            tuning_updates: trials.map(|trial| trial.updates).sum(),
            tuning,
        })
    }
}
