use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cyclr::Spec;
use cyclr::seam::{Facts, Lab};

use super::assemble::{Final, Parts, deciding, measure_of};
use super::folder::{Folder, Kept};
use super::plan::readable;
use super::record::{ArmRecord, Measure, Pace, Range, Record, Trial, VERSION};
use super::{Arm, Bounds, Plan, assemble, bounds, pace, tune, winner};
use crate::find::FindEvent;
use crate::record::{Stage, stage};
use crate::{
    Budget, Error, Event, Interrupt, Outcome, Task, Watch, resume, side_by_side, train_in,
};

/// How a comparison is carried out; none of it changes the results.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Runs that are made side by side; 0 counts as 1.
    pub jobs: usize,
    /// What the caller needs to make the lab again; kept in the folder.
    pub lab: serde_json::Value,
    /// Names and versions of the program, the engine and the machine, for the record.
    pub about: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            jobs: 1,
            lab: serde_json::Value::Null,
            about: BTreeMap::new(),
        }
    }
}

/// What happens during a comparison.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Happening {
    /// It is known what an update takes when nothing else runs.
    Paced(Pace),
    /// Something happens in the range test.
    Finding(FindEvent),
    /// The bounds are known.
    Bounded(Range),
    /// Runs begin: all of a kind, side by side. Finished ones among them are read, not made again.
    Begin {
        /// How many.
        runs: usize,
        /// Their updates, all together.
        updates: u64,
        /// Whether they are trials of the tuning.
        tuning: bool,
    },
    /// Something happens in a run.
    Run {
        /// Which.
        name: RunName,
        /// What.
        event: Event,
    },
    /// A run failed; the others go on.
    Failed {
        /// Which.
        name: RunName,
        /// What the trainer said.
        reason: String,
    },
    /// A run is over, or was already.
    Over {
        /// Which.
        name: RunName,
        /// Updates that it made.
        made: u64,
    },
    /// An arm's peak rate is chosen.
    Chosen(ArmRecord),
}

/// Which run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunName {
    /// Its arm.
    pub label: String,
    /// Its seed.
    pub seed: u64,
    /// Of a trial, the multiple of the found `max_lr` that it tries.
    pub multiple: Option<f64>,
    /// The updates that it is planned for.
    pub updates: u64,
    /// Its folder within the comparison's.
    pub folder: String,
}

/// Carries out a plan in a folder, or goes on with it there: finished runs are read, unfinished ones go on from their last
/// checkpoint, and what results is the same, whatever the number of jobs and however often it was stopped.
///
/// The plan of a folder that was begun must be the same; seeds may be added at its end, and are marked where results were
/// known.
///
/// # Errors
/// [`Error::BadPlan`], [`Error::BadArm`], [`Error::NoReference`], [`Error::Undecidable`] for a plan that cannot be carried
/// out; [`Error::OtherPlan`], [`Error::Occupied`], [`Error::Locked`] for a folder that is not this comparison's or in use;
/// [`Error::RunsFailed`] where the trainer failed in some runs, which another call tries again; [`Error::Interrupted`]; those
/// of [`train_in`] for the runs.
pub fn compare(
    lab: &dyn Lab,
    plan: &Plan,
    folder: &Path,
    settings: &Settings,
    observer: &mut dyn FnMut(&Happening),
    interrupt: &Interrupt,
) -> Result<Record, Error> {
    let facts = lab.facts()?;
    plan.check(&facts)?;
    let kept = Kept {
        version: VERSION,
        plan: plan.clone(),
        lab: settings.lab.clone(),
        about: settings.about.clone(),
    };
    let (folder, kept) = Folder::open(folder, kept)?;
    let comparing = Comparing {
        lab,
        facts,
        plan: kept.plan,
        folder,
        lab_record: kept.lab,
        jobs: settings.jobs,
        interrupt,
    };
    comparing.go(kept.about, observer)
}

/// A comparison under way.
struct Comparing<'a> {
    lab: &'a dyn Lab,
    facts: Facts,
    plan: Plan,
    folder: Folder,
    lab_record: serde_json::Value,
    jobs: usize,
    interrupt: &'a Interrupt,
}

/// A run to make.
struct Job {
    name: RunName,
    task: Task,
}

type Observer<'o> = &'o mut dyn FnMut(&Happening);

impl Comparing<'_> {
    fn go(self, about: BTreeMap<String, String>, observer: Observer) -> Result<Record, Error> {
        let first_seed = self.plan.seeds[0];
        let pace = self.folder.pace(|| pace::measure(self.lab, first_seed))?;
        observer(&Happening::Paced(pace));
        let range = self.range(observer)?;
        let bounds = self.bounds(range.as_ref());
        let (arms, tuned_by) = self.tune(bounds, observer)?;
        for arm in &arms {
            observer(&Happening::Chosen(arm.clone()));
        }
        let (finals, tested_by) = self.finals(&arms, observer)?;
        // Every arm may have diverged everywhere, and then nothing was measured.
        let measure = tuned_by.or(tested_by).unwrap_or_else(|| Measure {
            name: String::from("accuracy"),
            higher_is_better: true,
            unit: String::from("points"),
        });
        let record = assemble::record(Parts {
            plan: self.plan.clone(),
            facts: self.facts.clone(),
            measure,
            about,
            pace,
            range,
            arms,
            finals,
        });
        let winner = winner::toml(&record);
        self.folder.finish(&record, winner.as_deref())?;
        Ok(record)
    }

    /// The range test, where the plan asks for one.
    fn range(&self, observer: Observer) -> Result<Option<Range>, Error> {
        let Some(mut test) = self.plan.bounds.range_test() else {
            return Ok(None);
        };
        test.threads = self.jobs;
        let range = self.folder.range(|| {
            let watch = Watch {
                observer: &mut |event: &FindEvent| observer(&Happening::Finding(event.clone())),
                interrupt: self.interrupt,
            };
            bounds::find(self.lab, &test, &self.folder.path().join("sweeps"), watch)
        })?;
        observer(&Happening::Bounded(range.clone()));
        Ok(Some(range))
    }

    /// (`base_lr`, `max_lr`), where known.
    fn bounds(&self, range: Option<&Range>) -> Option<(f64, f64)> {
        match self.plan.bounds {
            Bounds::Given { base_lr, max_lr } => Some((base_lr, max_lr)),
            _ => range.map(|range| (range.base_lr, range.max_lr)),
        }
    }

    /// Every arm at its peak rate; and the metric that chose it.
    fn tune(
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
                    &self.facts,
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
                    validation: measure.as_ref().and_then(|m| deciding(outcome, m)),
                    folder: job.name.folder.clone(),
                    updates: outcome.made,
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
            Some(arm.spec(bounds, peak, &self.plan, &self.facts)?)
        };
        let cyclical = match &spec {
            Some(spec) => {
                let (_, schedule) = arm.schedule(spec, 1.0, &self.plan, &self.facts)?;
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

    /// Every arm at every budget on every seed; and the metric that the test split gave.
    fn finals(
        &self,
        arms: &[ArmRecord],
        observer: Observer,
    ) -> Result<(Vec<Final>, Option<Measure>), Error> {
        let mut jobs = Vec::new();
        let mut places = Vec::new();
        for &share in &self.plan.budgets {
            for (n, (arm, chosen)) in self.plan.arms.iter().zip(arms).enumerate() {
                let Some(spec) = &chosen.spec else { continue };
                let spec: Spec = spec.parse().map_err(|e| Error::BadArm {
                    label: arm.label.clone(),
                    reason: format!("{e}"),
                })?;
                for &seed in &self.plan.seeds {
                    jobs.push(self.job(arm, &spec, share, seed, None)?);
                    places.push((share, n));
                }
            }
        }
        let outcomes = self.run(&jobs, false, observer)?;
        let measure = outcomes.iter().find_map(measure_of);
        let finals = jobs.into_iter().zip(places).zip(outcomes);
        let finals = finals
            .map(|((job, (share, arm)), outcome)| {
                let folder = self.folder.path().join(&job.name.folder);
                Ok(Final {
                    share,
                    arm,
                    training: assemble::training(&folder, job.name.updates)?,
                    spec: job.task.spec.to_string(),
                    name: job.name,
                    outcome,
                })
            })
            .collect::<Result<_, Error>>()?;
        Ok((finals, measure))
    }

    fn job(
        &self,
        arm: &Arm,
        spec: &Spec,
        share: f64,
        seed: u64,
        multiple: Option<f64>,
    ) -> Result<Job, Error> {
        let (spec, schedule) = arm.schedule(spec, share, &self.plan, &self.facts)?;
        let updates = schedule.updates();
        let place = self
            .plan
            .arms
            .iter()
            .position(|other| other.label == arm.label);
        let arm_folder = format!("{}-{}", place.unwrap_or(0) + 1, plain(&arm.label));
        let folder = match multiple {
            Some(multiple) => format!("tuning/{arm_folder}-x{multiple:.6}"),
            None => format!("final/{share}/{arm_folder}-seed{seed}"),
        };
        let task = Task {
            read_every: Some(self.plan.read_every(share)),
            save_every: Duration::from_secs(10),
            ..Task::new(spec, seed, Budget::Updates(updates))
        };
        Ok(Job {
            name: RunName {
                label: arm.label.clone(),
                seed,
                multiple,
                updates,
                folder,
            },
            task,
        })
    }

    /// Makes the runs side by side, the longest first, and gives their outcomes in the order of the jobs.
    fn run(&self, jobs: &[Job], tuning: bool, observer: Observer) -> Result<Vec<Outcome>, Error> {
        observer(&Happening::Begin {
            runs: jobs.len(),
            updates: jobs.iter().map(|job| job.name.updates).sum(),
            tuning,
        });
        let mut order: Vec<usize> = (0..jobs.len()).collect();
        order.sort_by_key(|&n| std::cmp::Reverse(jobs[n].name.updates));
        let failed = AtomicBool::new(false);
        let outcomes = side_by_side(
            self.jobs,
            jobs.len(),
            &mut |_, happening: &Happening| observer(happening),
            |n, emit| {
                let job = &jobs[order[n]];
                if failed.load(Ordering::Relaxed) || self.interrupt.is_requested() {
                    return Err(Error::Interrupted { made: 0 });
                }
                let outcome = self.run_one(job, emit);
                let name = job.name.clone();
                match &outcome {
                    Ok(outcome) => emit(Happening::Over {
                        name,
                        made: outcome.made,
                    }),
                    Err(Error::Trainable(failure)) => emit(Happening::Failed {
                        name,
                        reason: failure.to_string(),
                    }),
                    Err(_) => failed.store(true, Ordering::Relaxed),
                }
                outcome
            },
        );
        let mut sorted: Vec<(usize, Outcome)> = Vec::with_capacity(jobs.len());
        let mut interrupted: Option<u64> = None;
        let mut lost = Vec::new();
        for (n, outcome) in order.into_iter().zip(outcomes) {
            match outcome {
                Ok(outcome) => sorted.push((n, outcome)),
                // Runs that were not begun because another failed must not hide why.
                Err(Error::Interrupted { made }) => {
                    interrupted = Some(interrupted.unwrap_or(0) + made);
                }
                Err(Error::Trainable(failure)) => {
                    lost.push((jobs[n].name.folder.clone(), failure.to_string()));
                }
                Err(error) => return Err(error),
            }
        }
        if let Some(made) = interrupted {
            let finished: u64 = sorted.iter().map(|(_, outcome)| outcome.made).sum();
            return Err(Error::Interrupted {
                made: made + finished,
            });
        }
        if !lost.is_empty() {
            lost.sort();
            return Err(Error::RunsFailed {
                failed: lost,
                runs: jobs.len(),
            });
        }
        sorted.sort_by_key(|&(n, _)| n);
        Ok(sorted.into_iter().map(|(_, outcome)| outcome).collect())
    }

    /// Makes a run, goes on with it, or reads it, as far as its folder has it.
    fn run_one(&self, job: &Job, emit: &mut dyn FnMut(Happening)) -> Result<Outcome, Error> {
        let folder = self.folder.path().join(&job.name.folder);
        let mut observer = |event: &Event| {
            emit(Happening::Run {
                name: job.name.clone(),
                event: event.clone(),
            });
        };
        let watch = Watch {
            observer: &mut observer,
            interrupt: self.interrupt,
        };
        match stage(&folder)? {
            Stage::Absent => train_in(&folder, self.lab, self.lab_record.clone(), &job.task, watch),
            Stage::Unfinished | Stage::Finished => resume(&folder, self.lab, None, watch),
        }
    }
}

/// A label as part of a folder's name.
fn plain(label: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    label.chars().map(plain).collect()
}
