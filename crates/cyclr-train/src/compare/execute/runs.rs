//! Runs of a comparison: made side by side, resumed, or read.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cyclr::Spec;
use cyclr::trainer::{Metrics, Objective};

use super::training::training;
use super::{CompareEvent, Comparing, Observer, RunName, check_alike};
use crate::compare::analyse;
use crate::compare::difference::difference;
use crate::compare::record::{ArmOutcome, BudgetOutcome, FinalValues, RaceEnd, RunOutcome};
use crate::obeyed::Beginning;
use crate::run::{Branch, RunPlan};
use crate::store::{RunFolder, RunRecord, Stage, bad, read_events, read_run, stage};
use crate::{Budget, Error, Event, Outcome, Task, ValidationPoint, Watch, resume, side_by_side};

/// A run to make.
pub(super) struct Job {
    pub(super) name: RunName,
    pub(super) task: Task,
    /// The updates that it shares with the run that it branches off; 0 if it is none of these.
    pub(super) shared: u64,
    /// Those that branch off it.
    pub(super) branches: Vec<Branch>,
}

impl Comparing<'_> {
    /// Makes every arm's final runs, at every budget, and its verdicts. In a race they are made look
    /// by look, from the values of all seeds so far, until it ends.
    pub(super) fn final_runs(
        &self,
        arms: &mut [ArmOutcome],
        observer: Observer,
    ) -> Result<Option<RaceEnd>, Error> {
        for (n, arm) in arms.iter_mut().enumerate() {
            let budgets = self.plan.budgets.iter().map(|&fraction| BudgetOutcome {
                spec: None,
                updates: self.plan.updates_of(&self.plan.arms[n], fraction),
                runs: Vec::new(),
                samples: None,
                against: Vec::new(),
            });
            arm.budgets = budgets.collect();
        }
        let mut made = 0;
        for seeds in self.plan.looks() {
            self.runs_of(&self.plan.seeds[made..seeds], arms, observer)?;
            analyse::compare_arms(arms, &self.plan, &self.info, &self.objective)?;
            let race = self.plan.race.as_ref();
            let end = race.and_then(|race| RaceEnd::of(race, arms, seeds));
            if end.is_some() || race.is_none() {
                if self.info.whole_runs.is_some() {
                    // Of few runs, some are alike by chance; a race may still have more.
                    check_alike(arms)?;
                }
                return Ok(end);
            }
            observer(&CompareEvent::Open { seeds });
            made = seeds;
        }
        unreachable!("a race ends with its last look")
    }

    /// Makes every arm's final runs on these seeds, and puts them behind those it has.
    fn runs_of(
        &self,
        seeds: &[u64],
        arms: &mut [ArmOutcome],
        observer: Observer,
    ) -> Result<(), Error> {
        let mut jobs = Vec::new();
        for (place, &fraction) in self.plan.budgets.iter().enumerate() {
            for (n, arm) in arms.iter_mut().enumerate() {
                if let Some(spec) = &arm.spec {
                    let planned = seeds.iter();
                    let planned = planned.map(|&seed| self.job(n, spec, fraction, seed, None));
                    let planned = planned.collect::<Result<Vec<_>, _>>()?;
                    arm.budgets[place].spec = planned.first().map(|job| job.task.spec.clone());
                    jobs.extend(planned);
                }
            }
        }
        let (jobs, outcomes) = self.run_with_branches(jobs, observer)?;
        let mut runs = self.outcomes(&jobs, outcomes)?.into_iter();
        for place in 0..self.plan.budgets.len() {
            for arm in &mut *arms {
                let count = arm.spec.as_ref().map_or(0, |_| seeds.len());
                let made = runs.by_ref().take(count);
                arm.budgets[place].runs.extend(made);
            }
        }
        Ok(())
    }

    pub(super) fn job(
        &self,
        arm: usize,
        spec: &Spec,
        fraction: f64,
        seed: u64,
        multiple: Option<f64>,
    ) -> Result<Job, Error> {
        let declared = &self.plan.arms[arm];
        let shared = match multiple {
            Some(_) => 0,
            None => self.plan.shared(declared, spec, fraction, &self.info)?,
        };
        let (spec, schedule) = declared.schedule(spec, fraction, &self.plan, &self.info)?;
        let updates = schedule.updates();
        let arm_folder = format!("{}-{}", arm + 1, plain(&declared.label));
        let folder = match multiple {
            Some(multiple) if multiple < 1e-3 => {
                format!("tuning/{fraction}/{arm_folder}-x{multiple:e}-seed{seed}")
            }
            Some(multiple) => format!("tuning/{fraction}/{arm_folder}-x{multiple:.6}-seed{seed}"),
            None => format!("final/{fraction}/{arm_folder}-seed{seed}"),
        };
        let task = Task {
            evaluate_every: match self.info.whole_runs {
                Some(_) => None,
                None => Some(self.plan.evaluate_every(fraction)),
            },
            save_every: Duration::from_secs(10),
            average: declared.average,
            ..Task::new(spec, seed, Budget::Updates(updates))
        };
        Ok(Job {
            name: RunName {
                arm,
                seed,
                multiple,
                updates,
                folder,
            },
            task,
            shared,
            branches: Vec::new(),
        })
    }

    /// Makes the runs side by side, the longest first, and gives their outcomes in the order of
    /// the jobs.
    pub(super) fn run(
        &self,
        jobs: &[Job],
        tuning: bool,
        observer: Observer,
    ) -> Result<Vec<Outcome>, Error> {
        observer(&CompareEvent::RunsBegin {
            runs: jobs.len(),
            updates: jobs.iter().map(|job| job.name.updates).sum(),
            tuning,
        });
        if let Some(launcher) = self.launcher {
            self.launch(launcher, jobs, observer)?;
        }
        let mut order: Vec<usize> = (0..jobs.len()).collect();
        order.sort_by_key(|&n| std::cmp::Reverse(jobs[n].name.updates));
        let failed = AtomicBool::new(false);
        let outcomes = side_by_side(
            self.jobs,
            jobs.len(),
            &mut |_, event: &CompareEvent| observer(event),
            |n, emit| {
                if failed.load(Ordering::Relaxed) || self.interrupt.is_requested() {
                    return Err(Error::Interrupted { updates_done: None });
                }
                let outcome = self.run_and_tell(&jobs[order[n]], emit);
                if !matches!(outcome, Ok(_) | Err(Error::Trainer(_))) {
                    failed.store(true, Ordering::Relaxed);
                }
                outcome
            },
        );
        in_order(jobs, order, outcomes)
    }

    fn run_and_tell(
        &self,
        job: &Job,
        emit: &mut dyn FnMut(CompareEvent),
    ) -> Result<Outcome, Error> {
        let outcome = self
            .run_one(job, emit)
            .and_then(|outcome| self.check_obeyed(job).map(|()| outcome));
        let name = job.name.clone();
        match &outcome {
            Ok(outcome) => {
                let folder = self.folder.path().join(&name.folder);
                let mut places = self.places.lock().expect("no panic while it is held");
                places.add(&folder, outcome)?;
                drop(places);
                let updates_done = outcome.updates_done;
                emit(CompareEvent::Over { name, updates_done });
            }
            Err(Error::Trainer(failure)) => emit(CompareEvent::Failed {
                name,
                reason: failure.to_string(),
            }),
            Err(_) => {}
        }
        outcome
    }

    /// Refuses a run that shows, beside one that has ended before, that the seed or the rate is
    /// not used.
    fn check_obeyed(&self, job: &Job) -> Result<(), Error> {
        let folder = self.folder.path().join(&job.name.folder);
        let mut beginning = Beginning {
            seed: job.name.seed,
            rates: Vec::new(),
            losses: Vec::new(),
        };
        for event in read_events(&folder)? {
            if let Event::Updated { hyper, metrics, .. } = event? {
                let Some(loss) = metrics.loss() else { break };
                beginning.rates.push(hyper.lr);
                beginning.losses.push(loss.value);
            }
            if beginning.losses.len() == Beginning::LENGTH {
                break;
            }
        }
        let mut ended = self.beginnings.lock().expect("no panic while it is held");
        ended
            .iter()
            .try_for_each(|other| beginning.check_against(other))?;
        ended.push(beginning);
        Ok(())
    }

    /// Writes down what a run is to be, if nobody has.
    pub(super) fn declare(&self, job: &Job) -> Result<(), Error> {
        let folder = self.folder.path().join(&job.name.folder);
        if stage(&folder)? != Stage::Absent {
            return Ok(());
        }
        let plan = RunPlan::of_updates(&job.task, &self.own_info, job.name.updates)?;
        let branches = job.branches.clone();
        RunFolder::declare(&folder, &plan, branches, self.trainer.clone())
    }

    /// Makes a run, continues with it, or reads it, as far as its folder has it.
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
        self.declare(job)?;
        check_task(&folder, &job.task)?;
        resume(&folder, self.factory, None, watch)
    }

    /// The outcomes of final runs, as the record has them. A run that did not diverge has a finite
    /// value on both splits; one that has not is no run to judge by, and failed.
    fn outcomes(&self, jobs: &[Job], outcomes: Vec<Outcome>) -> Result<Vec<RunOutcome>, Error> {
        let mut runs = Vec::with_capacity(jobs.len());
        let mut failed = Vec::new();
        for (job, outcome) in jobs.iter().zip(outcomes) {
            let folder = self.folder.path().join(&job.name.folder);
            let values = match final_values(&outcome, &self.objective) {
                Ok(values) => values,
                Err(reason) => {
                    failed.push((job.name.folder.clone(), reason));
                    continue;
                }
            };
            let training = training(&folder, job.name.updates, &outcome, &self.objective)?;
            runs.push(RunOutcome {
                seed: job.name.seed,
                added: self.plan.added_seeds.contains(&job.name.seed),
                folder: job.name.folder.clone(),
                updates_done: outcome.updates_done,
                updates_shared: outcome.updates_shared,
                values,
                evaluations: outcome.evaluations,
                training,
                seconds: outcome.compute_seconds,
            });
        }
        if failed.is_empty() {
            return Ok(runs);
        }
        Err(Error::RunsFailed {
            failed,
            runs: jobs.len(),
        })
    }
}

/// Refuses a run that was asked to do something else, such as to go on for more updates.
fn check_task(folder: &Path, wanted: &Task) -> Result<(), Error> {
    let found = read_run(folder)?.plan.task;
    // How often it is saved does not show in a run.
    let wanted = Task {
        save_every: found.save_every,
        ..wanted.clone()
    };
    let path = folder.join(RunRecord::FILE);
    match difference(&found, &wanted).map_err(bad(&path))? {
        Some(what) => Err(Error::OtherRun { path, what }),
        None => Ok(()),
    }
}

/// The outcomes in the order of the jobs, if all of them are there.
fn in_order(
    jobs: &[Job],
    order: Vec<usize>,
    outcomes: Vec<Result<Outcome, Error>>,
) -> Result<Vec<Outcome>, Error> {
    let mut sorted: Vec<(usize, Outcome)> = Vec::with_capacity(jobs.len());
    let mut interrupted = false;
    let mut failed = Vec::new();
    for (n, outcome) in order.into_iter().zip(outcomes) {
        match outcome {
            Ok(outcome) => sorted.push((n, outcome)),
            // Runs that were not begun because another failed must not hide why.
            Err(Error::Interrupted { .. }) => interrupted = true,
            Err(Error::Trainer(failure)) => {
                failed.push((jobs[n].name.folder.clone(), failure.to_string()));
            }
            Err(error) => return Err(error),
        }
    }
    if interrupted {
        return Err(Error::Interrupted { updates_done: None });
    }
    if !failed.is_empty() {
        failed.sort();
        return Err(Error::RunsFailed {
            failed,
            runs: jobs.len(),
        });
    }
    sorted.sort_by_key(|&(n, _)| n);
    Ok(sorted.into_iter().map(|(_, outcome)| outcome).collect())
}

/// A run's final values; `None` if it diverged.
fn final_values(outcome: &Outcome, objective: &Objective) -> Result<Option<FinalValues>, String> {
    let Some(validation) = final_validation(outcome, objective)? else {
        return Ok(None);
    };
    let test = value("test", outcome.test.as_ref(), objective)?;
    Ok(Some(FinalValues { validation, test }))
}

/// The final validation value; `None` if training diverged.
pub(super) fn final_validation(
    outcome: &Outcome,
    objective: &Objective,
) -> Result<Option<f64>, String> {
    if outcome.diverged() {
        return Ok(None);
    }
    let last = outcome.last().map(ValidationPoint::declared);
    value("validation", last, objective).map(Some)
}

/// The objective on a split, or why there is none.
fn value(split: &str, metrics: Option<&Metrics>, objective: &Objective) -> Result<f64, String> {
    let found = metrics.and_then(|metrics| objective.find(metrics));
    let finite = metrics.and_then(|metrics| objective.value(metrics));
    finite.ok_or_else(|| {
        let is = found.map_or_else(|| "missing".into(), |metric| metric.value.to_string());
        format!(
            "{} on the {split} split is {is}: correct the evaluation, and remove the run's folder to make the run again",
            objective.name
        )
    })
}

/// A label as part of a folder's name.
fn plain(label: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    // Names of files have an end; the arm's number stands before it.
    label.chars().take(60).map(plain).collect()
}
