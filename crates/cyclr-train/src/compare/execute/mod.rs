mod tuning;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cyclr::Spec;
use cyclr::trainer::{TrainerFactory, TrainerInfo};

use super::assemble::{Final, Parts, measure_of};
use super::folder::{Folder, Manifest};
use super::record::{ArmRecord, Measure, Pace, Range, Record, VERSION};
use super::{Arm, Bounds, Plan, assemble, bounds, pace, winner};
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
    /// What the caller needs to make the trainer factory again; kept in the folder.
    pub factory: serde_json::Value,
    /// Names and versions of the program, the engine and the machine, for the record.
    pub about: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            jobs: 1,
            factory: serde_json::Value::Null,
            about: BTreeMap::new(),
        }
    }
}

/// What happens during a comparison.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum CompareEvent {
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
        updates_done: u64,
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
    factory: &dyn TrainerFactory,
    plan: &Plan,
    folder: &Path,
    settings: &Settings,
    observer: &mut dyn FnMut(&CompareEvent),
    interrupt: &Interrupt,
) -> Result<Record, Error> {
    let info = factory.info()?;
    plan.check(&info)?;
    let kept = Manifest {
        version: VERSION,
        plan: plan.clone(),
        factory: settings.factory.clone(),
        about: settings.about.clone(),
    };
    let (folder, kept) = Folder::open(folder, kept)?;
    let comparing = Comparing {
        factory,
        info,
        plan: kept.plan,
        folder,
        trainer_record: kept.factory,
        jobs: settings.jobs,
        interrupt,
    };
    comparing.go(kept.about, observer)
}

/// A comparison under way.
struct Comparing<'a> {
    factory: &'a dyn TrainerFactory,
    info: TrainerInfo,
    plan: Plan,
    folder: Folder,
    trainer_record: serde_json::Value,
    jobs: usize,
    interrupt: &'a Interrupt,
}

/// A run to make.
struct Job {
    name: RunName,
    task: Task,
}

type Observer<'o> = &'o mut dyn FnMut(&CompareEvent);

impl Comparing<'_> {
    fn go(self, about: BTreeMap<String, String>, observer: Observer) -> Result<Record, Error> {
        let first_seed = self.plan.seeds[0];
        let pace = self
            .folder
            .pace(|| pace::measure(self.factory, first_seed))?;
        observer(&CompareEvent::Paced(pace));
        let range = self.range(observer)?;
        let bounds = self.bounds(range.as_ref());
        let (arms, tuned_by) = self.tune(bounds, observer)?;
        for arm in &arms {
            observer(&CompareEvent::Chosen(arm.clone()));
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
            info: self.info.clone(),
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
                observer: &mut |event: &FindEvent| observer(&CompareEvent::Finding(event.clone())),
                interrupt: self.interrupt,
            };
            bounds::find(
                self.factory,
                &test,
                &self.folder.path().join("sweeps"),
                watch,
            )
        })?;
        observer(&CompareEvent::Bounded(range.clone()));
        Ok(Some(range))
    }

    /// (`base_lr`, `max_lr`), where known.
    fn bounds(&self, range: Option<&Range>) -> Option<(f64, f64)> {
        match self.plan.bounds {
            Bounds::Given { base_lr, max_lr } => Some((base_lr, max_lr)),
            _ => range.map(|range| (range.base_lr, range.max_lr)),
        }
    }

    /// Every arm at every budget on every seed; and the metric that the test split gave.
    fn finals(
        &self,
        arms: &[ArmRecord],
        observer: Observer,
    ) -> Result<(Vec<Final>, Option<Measure>), Error> {
        let mut jobs = Vec::new();
        let mut places = Vec::new();
        for &fraction in &self.plan.budgets {
            for (n, (arm, chosen)) in self.plan.arms.iter().zip(arms).enumerate() {
                let Some(spec) = &chosen.spec else { continue };
                let spec: Spec = spec.parse().map_err(|e| Error::BadArm {
                    label: arm.label.clone(),
                    reason: format!("{e}"),
                })?;
                for &seed in &self.plan.seeds {
                    jobs.push(self.job(arm, &spec, fraction, seed, None)?);
                    places.push((fraction, n));
                }
            }
        }
        let outcomes = self.run(&jobs, false, observer)?;
        let measure = outcomes.iter().find_map(measure_of);
        let finals = jobs.into_iter().zip(places).zip(outcomes);
        let finals = finals
            .map(|((job, (fraction, arm)), outcome)| {
                let folder = self.folder.path().join(&job.name.folder);
                Ok(Final {
                    fraction,
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
        fraction: f64,
        seed: u64,
        multiple: Option<f64>,
    ) -> Result<Job, Error> {
        let (spec, schedule) = arm.schedule(spec, fraction, &self.plan, &self.info)?;
        let updates = schedule.updates();
        let place = self
            .plan
            .arms
            .iter()
            .position(|other| other.label == arm.label);
        let arm_folder = format!("{}-{}", place.unwrap_or(0) + 1, plain(&arm.label));
        let folder = match multiple {
            Some(multiple) => format!("tuning/{arm_folder}-x{multiple:.6}"),
            None => format!("final/{fraction}/{arm_folder}-seed{seed}"),
        };
        let task = Task {
            evaluate_every: Some(self.plan.evaluate_every(fraction)),
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
        observer(&CompareEvent::Begin {
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
            &mut |_, event: &CompareEvent| observer(event),
            |n, emit| {
                let job = &jobs[order[n]];
                if failed.load(Ordering::Relaxed) || self.interrupt.is_requested() {
                    return Err(Error::Interrupted { updates_done: 0 });
                }
                let outcome = self.run_one(job, emit);
                let name = job.name.clone();
                match &outcome {
                    Ok(outcome) => emit(CompareEvent::Over {
                        name,
                        updates_done: outcome.updates_done,
                    }),
                    Err(Error::Trainer(failure)) => emit(CompareEvent::Failed {
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
                Err(Error::Interrupted { updates_done }) => {
                    interrupted = Some(interrupted.unwrap_or(0) + updates_done);
                }
                Err(Error::Trainer(failure)) => {
                    lost.push((jobs[n].name.folder.clone(), failure.to_string()));
                }
                Err(error) => return Err(error),
            }
        }
        if let Some(updates_done) = interrupted {
            let finished: u64 = sorted.iter().map(|(_, outcome)| outcome.updates_done).sum();
            return Err(Error::Interrupted {
                updates_done: updates_done + finished,
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
    fn run_one(&self, job: &Job, emit: &mut dyn FnMut(CompareEvent)) -> Result<Outcome, Error> {
        let folder = self.folder.path().join(&job.name.folder);
        let mut observer = |event: &Event| {
            emit(CompareEvent::Run {
                name: job.name.clone(),
                event: event.clone(),
            });
        };
        let watch = Watch {
            observer: &mut observer,
            interrupt: self.interrupt,
        };
        match stage(&folder)? {
            Stage::Absent => train_in(
                &folder,
                self.factory,
                self.trainer_record.clone(),
                &job.task,
                watch,
            ),
            Stage::Unfinished | Stage::Finished => resume(&folder, self.factory, None, watch),
        }
    }
}

/// A label as part of a folder's name.
fn plain(label: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    label.chars().map(plain).collect()
}
