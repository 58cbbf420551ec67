//! Training under a schedule, from the first update to the test.

use std::path::Path;
use std::time::{Duration, Instant};

use cyclr::Hyper;
use cyclr::trainer::{Known, Trainer, TrainerFactory};

use crate::store::{Failure, RunFolder, check_absent};
use crate::{Error, Event, Watch};

mod branch;
mod evaluate;
mod outcome;
mod plan;
mod plateau;
mod progress;
mod recorder;
mod refuse;
mod resume;
mod task;

use branch::Branches;
use recorder::Recorder;

pub use branch::Branch;
pub use cyclr::trainer::Average;
pub(crate) use outcome::is_zero;
pub use outcome::{Outcome, StopReason, ValidationPoint};
pub(crate) use plan::troughs_of;
pub use plan::{Planned, RunPlan};
pub(crate) use progress::Progress;
pub(crate) use refuse::{check_average, check_obeyed, refuse_for_whole_runs};
pub(crate) use resume::check_same;
pub use resume::{Change, resume};
pub use task::{Budget, Task};

/// Trains, and keeps nothing but the outcome.
///
/// # Errors
/// Those of [`RunPlan::new`]; [`Error::Trainer`] if the trainer fails; [`Error::Interrupted`].
pub fn train(factory: &dyn TrainerFactory, task: &Task, watch: Watch) -> Result<Outcome, Error> {
    let net = factory.start(task.seed)?;
    let plan = RunPlan::of(factory, net.info(), task)?;
    Run::new(&plan, net, None, watch).go()
}

/// Trains, and keeps everything in a new folder, from which the run can be [resumed](resume) bit
/// for bit. `trainer_record` is stored with it: whatever the caller needs to make the trainer
/// factory again.
///
/// # Errors
/// As [`train`]; besides, [`Error::Occupied`] if the folder holds something, [`Error::Locked`],
/// and [`Error::Io`].
pub fn train_in(
    folder: &Path,
    factory: &dyn TrainerFactory,
    trainer_record: serde_json::Value,
    task: &Task,
    watch: Watch,
) -> Result<Outcome, Error> {
    check_absent(folder)?;
    let interrupt = watch.interrupt;
    let begun = begin_in(folder, factory, task).map_err(|error| interrupt.explain(error));
    if let Err(Error::Trainer(failure)) = &begun {
        Failure::of(failure.to_string()).write(folder)?;
    }
    let (net, plan) = begun?;
    let mut files = RunFolder::create(folder, &plan, trainer_record)?;
    let done = Run::new(&plan, net, Some(&mut files), watch).go();
    Failure::note(folder, done.map_err(|error| interrupt.explain(error)))
}

fn begin_in<'f>(
    folder: &Path,
    factory: &'f dyn TrainerFactory,
    task: &Task,
) -> Result<(Box<dyn Trainer + 'f>, RunPlan), Error> {
    let updates = match task.budget {
        Budget::Updates(updates) => Some(updates),
        Budget::Epochs(_) | Budget::Time(_) => None,
    };
    let net = start_in(folder, factory, task.seed, updates)?;
    let plan = RunPlan::of(factory, net.info(), task)?;
    Ok((net, plan))
}

/// Starts a run of a folder, which it is told.
fn start_in<'f>(
    folder: &Path,
    factory: &'f dyn TrainerFactory,
    seed: u64,
    updates: Option<u64>,
) -> Result<Box<dyn Trainer + 'f>, Error> {
    let folder = std::path::absolute(folder).map_err(Error::io("find", folder))?;
    let known = Known {
        updates,
        // A path that is no text cannot be told.
        folder: folder.to_str(),
    };
    Ok(factory.start_known(seed, known)?)
}

/// What a run leaves in its folder besides records: models as files for others.
#[derive(Default)]
pub(crate) struct Models {
    /// The model that was trained.
    pub(crate) trained: Option<Vec<u8>>,
    /// The one with the averaged weights, or those of the ensemble, with their files' names.
    pub(crate) averaged: Vec<(String, Vec<u8>)>,
}

/// The file of a model that belongs to an average.
fn file_of(average: Average, n: usize) -> String {
    match average {
        Average::Troughs => String::from("average.safetensors"),
        Average::Ensemble(_) => format!("ensemble-{}.safetensors", n + 1),
    }
}

/// A trough is saved unless the last save is less than this ago, as flushing to the disk takes
/// longer than many a cycle.
const TROUGH_SAVES: Duration = Duration::from_secs(1);

/// From one save to the next passes at least this multiple of what the last one took, so that saving takes at
/// most a twentieth of the time, and many runs do not flood a disk that they share.
const SAVING_PAUSE: u32 = 20;

/// A run on its way.
struct Run<'a, 'w> {
    plan: &'a RunPlan,
    net: Box<dyn Trainer + 'a>,
    progress: Progress,
    folder: Option<&'a mut RunFolder>,
    /// Other runs that are the same so far.
    branches: Branches,
    watch: Watch<'w>,
    /// When this process began, and the seconds of those before it.
    began: Instant,
    before: f64,
    saved: Instant,
    /// What the last save took.
    saving: Duration,
}

impl<'a, 'w> Run<'a, 'w> {
    fn new(
        plan: &'a RunPlan,
        net: Box<dyn Trainer + 'a>,
        folder: Option<&'a mut RunFolder>,
        watch: Watch<'w>,
    ) -> Self {
        let (progress, now) = (Progress::default(), Instant::now());
        Self {
            plan,
            net,
            progress,
            folder,
            branches: Branches::default(),
            watch,
            began: now,
            before: 0.0,
            saved: now,
            saving: Duration::ZERO,
        }
    }

    fn go(mut self) -> Result<Outcome, Error> {
        let done = self.go_to_end();
        // What the trainer printed is kept whatever happened, and then most of all.
        let kept = self.keep_output();
        let (outcome, models) = done?;
        kept?;
        if let Some(folder) = self.folder {
            folder.finish(&outcome, &models)?;
        }
        Ok(outcome)
    }

    /// Trains, tests and lets the trainer end. The outcome, and the models if there is a folder for
    /// them.
    fn go_to_end(&mut self) -> Result<(Outcome, Models), Error> {
        self.announce()?;
        while self.progress.stop_reason.is_none() {
            let stop = self.plan.next_stop(self.progress.updates_done);
            self.progress.stop_reason = self.train_to(stop)?;
            let often = self.plan.task().save_every.min(TROUGH_SAVES);
            let at_trough = self.plan.trough(stop).is_some() && self.is_time_to_save(often);
            if self.progress.stop_reason.is_some() || at_trough {
                self.save()?;
            }
        }
        std::mem::take(&mut self.branches).leave(&mut *self.net)?;
        let outcome = self.test()?;
        let mut models = Models::default();
        if self.folder.is_some() && !outcome.diverged() {
            models.trained = self.net.model()?;
            if let Some(average) = self.plan.task().average {
                let files = self.net.average_models()?.into_iter().enumerate();
                models.averaged = files.map(|(n, file)| (file_of(average, n), file)).collect();
            }
        }
        self.net.end()?;
        Ok((outcome, models))
    }

    /// Says what will be done.
    fn announce(&mut self) -> Result<(), Error> {
        let (mut recorder, _) = self.recorder();
        recorder.announce()?;
        recorder.emit(&Event::Started {
            updates_done: recorder.progress.updates_done,
            end: recorder.plan.end(),
            updates_per_epoch: recorder.plan.info().updates_per_epoch(),
            resumable: recorder.plan.info().snapshots,
        })
    }

    /// Trains up to the count of updates `stop` and evaluates there. Gives an ending where the run
    /// ends by that.
    fn train_to(&mut self, stop: u64) -> Result<Option<StopReason>, Error> {
        if let Some(diverged) = self.update_until(stop)? {
            return Ok(Some(diverged));
        }
        let (mut recorder, net) = self.recorder();
        if let Some(decided) = recorder.evaluate(net)? {
            return Ok(Some(decided));
        }
        if stop == self.plan.end() {
            return Ok(Some(StopReason::Completed));
        }
        Ok(self
            .is_last_trough_in_time()
            .then_some(StopReason::OutOfTime))
    }

    /// Makes the updates up to the count `stop`. An ending where training diverges.
    fn update_until(&mut self, stop: u64) -> Result<Option<StopReason>, Error> {
        while self.progress.updates_done < stop {
            self.check_interrupt()?;
            let hypers = self.next_hypers(self.branches.next_stop(stop));
            let began = Instant::now();
            let metrics = self.net.updates(&hypers);
            if metrics.is_err() && self.plan.info().whole_runs.is_some() {
                // Such a run cannot be halted; it was ended, and is made again.
                self.check_interrupt()?;
            }
            let metrics = metrics?;
            let seconds = began.elapsed().as_secs_f64() / metrics.len().max(1) as f64;
            self.keep_output()?;
            self.branches
                .count(&mut *self.net, &hypers, &metrics, seconds)?;
            let (mut recorder, _) = self.recorder();
            if let Some(stop_reason) = recorder.count(&hypers, &metrics, seconds)? {
                return Ok(Some(stop_reason));
            }
            let often = self.plan.task().save_every;
            if self.progress.updates_done < stop && self.is_time_to_save(often) {
                self.save()?;
            }
        }
        Ok(None)
    }

    /// The rates of the next updates: as many as take about a twentieth of a second, so that an
    /// interrupt is answered soon and a trainer in another process is not asked for each one. All, if
    /// the trainer makes whole runs only.
    fn next_hypers(&self, stop: u64) -> Vec<Hyper> {
        const SECONDS: f64 = 0.05;
        let Progress {
            updates_done,
            compute_seconds,
            ..
        } = self.progress;
        let fit = (SECONDS * updates_done as f64 / compute_seconds) as u64;
        let last = match self.plan.info().whole_runs {
            Some(_) => stop,
            None => stop.min(updates_done + fit.clamp(1, 100)),
        };
        (updates_done..last)
            .map(|update| self.plan.schedule.at(update))
            .collect()
    }

    /// Whether this is a trough and the budget of time, if there is one, will be over before the
    /// next.
    fn is_last_trough_in_time(&self) -> bool {
        let updates_done = self.progress.updates_done;
        let (Some(seconds), Some(_)) = (self.plan.seconds(), self.plan.trough(updates_done)) else {
            return false;
        };
        let next = self
            .plan
            .next_trough(updates_done)
            .unwrap_or(self.plan.end());
        self.spent() * next as f64 / updates_done as f64 > seconds
    }

    /// Stops, saved, if somebody asked for it.
    fn check_interrupt(&mut self) -> Result<(), Error> {
        if !self.watch.interrupt.is_requested() {
            return Ok(());
        }
        self.save()?;
        Err(Error::Interrupted {
            updates_done: Some(self.progress.updates_done),
        })
    }

    /// Whether the last save is so long ago, and was quick enough to make one more. If `often` is 0,
    /// always.
    fn is_time_to_save(&self, often: Duration) -> bool {
        often.is_zero() || self.saved.elapsed() >= often.max(SAVING_PAUSE * self.saving)
    }

    /// Writes a checkpoint, if the run has a folder and the trainer can be saved.
    fn save(&mut self) -> Result<(), Error> {
        self.progress.wall_seconds = self.spent();
        let Some(folder) = self
            .folder
            .as_deref_mut()
            .filter(|_| self.plan.info().snapshots)
        else {
            return Ok(());
        };
        let began = Instant::now();
        let state = self.net.state()?;
        self.branches.save(&state)?;
        folder.save(&self.progress, &state)?;
        self.saved = Instant::now();
        self.saving = self.saved - began;
        self.emit(&Event::Saved {
            updates_done: self.progress.updates_done,
        })
    }

    /// Puts what the trainer printed into the run's log.
    fn keep_output(&mut self) -> Result<(), Error> {
        let Some(folder) = self.folder.as_deref_mut() else {
            return Ok(());
        };
        folder.print(&self.net.output())
    }

    /// Seconds, all processes together.
    fn spent(&self) -> f64 {
        self.before + self.began.elapsed().as_secs_f64()
    }

    /// What is written down, and the trainer.
    fn recorder(&mut self) -> (Recorder<'_>, &mut dyn Trainer) {
        let recorder = Recorder {
            plan: self.plan,
            progress: &mut self.progress,
            folder: self.folder.as_deref_mut(),
            observer: &mut *self.watch.observer,
        };
        (recorder, &mut *self.net)
    }

    fn emit(&mut self, event: &Event) -> Result<(), Error> {
        self.recorder().0.emit(event)
    }
}
