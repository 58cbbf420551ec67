mod branches;
mod call;
mod launch;
mod places;
mod runs;
mod training;
mod tuning;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use cyclr::Spec;
use cyclr::trainer::{Objective, TrainerFactory, TrainerInfo};

use super::begin::Begin;
use super::folder::Folder;
use super::manifest::Manifest;
use super::record::{ArmOutcome, Conclusion, RaceEnd, Range, Record};
use super::{BoundsSource, Plan, bounds, export, text};
use crate::find::FindEvent;
use crate::obeyed::Beginning;
use crate::{Error, Event, Interrupt, Pace, Watch};
pub use launch::launch_begin;
use places::Places;

/// How a comparison is carried out; none of it changes the results.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Runs that are made side by side; 0 counts as 1.
    pub jobs: usize,
    /// A program that has runs made elsewhere, if not this process makes them: it is called as
    /// `LAUNCHER DIR UNIT…`, has each unit made (`cyclr work DIR UNIT`), on any machine that sees the folder, and
    /// returns when all have ended. [`launch_begin`] comes first. The trainer factory is then
    /// asked for nothing here.
    pub launcher: Option<PathBuf>,
    /// What the caller needs to make the trainer factory again; kept in the folder.
    pub trainer: serde_json::Value,
    /// Names and versions of the program, the engine and the machine, for the record.
    pub about: BTreeMap<String, String>,
    /// What was measured already, so that it is not measured again.
    pub begin: Option<Begin>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            jobs: 1,
            launcher: None,
            trainer: serde_json::Value::Null,
            about: BTreeMap::new(),
            begin: None,
        }
    }
}

/// What happens during a comparison.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum CompareEvent {
    /// It is known what work takes if nothing else runs.
    Paced(Pace),
    /// Something happens in the range test.
    Finding(FindEvent),
    /// The bounds are known.
    Bounded(Range),
    /// Runs begin: all of a kind, side by side. Finished ones among them are read, not made again.
    RunsBegin {
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
    /// A run failed; the others continue.
    Failed {
        /// Which.
        name: RunName,
        /// What the trainer said.
        reason: String,
    },
    /// A verdict of a race is open, so further seeds follow.
    Open {
        /// The seeds so far.
        seeds: usize,
    },
    /// A run is over, or was already.
    Over {
        /// Which.
        name: RunName,
        /// Updates that it did.
        updates_done: u64,
    },
    /// An arm's peak rate is chosen.
    Chosen {
        /// Which.
        arm: usize,
        /// Its spec; `None` if every rate that was tried diverged.
        spec: Option<Spec>,
    },
}

/// Which run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunName {
    /// Its arm's place in the plan.
    pub arm: usize,
    /// Its seed.
    pub seed: u64,
    /// Of a trial, the multiple of the found `max_lr` that it tries.
    pub multiple: Option<f64>,
    /// The updates that it is planned for.
    pub updates: u64,
    /// Its folder within the comparison's.
    pub folder: String,
}

/// Carries out a plan in a folder, or continues with it there: finished runs are read, unfinished
/// ones continue from their last checkpoint, and what results is the same, whatever the number of
/// jobs and however often it was stopped.
///
/// The plan of a folder that was begun must be the same; seeds may be added at its end, and are
/// marked if results were known. A race takes none beyond those that it declares.
///
/// # Errors
/// [`Error::BadPlan`], [`Error::BadArm`], [`Error::Undecidable`] for a plan that cannot be carried
/// out; [`Error::OtherPlan`], [`Error::Occupied`], [`Error::Locked`] for a folder that is not this
/// comparison's or in use; [`Error::OtherTrainer`] and [`Error::OtherRun`] if what it was begun with, or a
/// run in it, is another; [`Error::SeedNotObeyed`], [`Error::RateNotObeyed`] if the runs show it,
/// [`Error::ObjectiveMissing`]; [`Error::RunsFailed`] if the trainer failed in some runs, which
/// another call tries again; [`Error::Interrupted`]; those of [`train_in`](crate::train_in) for
/// the runs.
pub fn compare(
    factory: &dyn TrainerFactory,
    plan: &Plan,
    folder: &Path,
    settings: &Settings,
    watch: Watch<CompareEvent>,
) -> Result<Record, Error> {
    let Watch {
        observer,
        interrupt,
    } = watch;
    let (info, own_info) = if let Some(begin) = &settings.begin {
        (begin.info.clone(), begin.own_info())
    } else {
        let info = factory.info()?;
        (info.clone(), info)
    };
    plan.check(&info)?;
    let manifest = Manifest {
        plan: plan.clone(),
        trainer: settings.trainer.clone(),
        about: settings.about.clone(),
    };
    if let Some(launcher) = &settings.launcher {
        call::check_program(launcher)?;
    }
    let (folder, manifest) = Folder::open(folder, manifest)?;
    let begin = folder.begin(|| match &settings.begin {
        Some(begin) => Ok(begin.clone()),
        None => Begin::measure(factory, manifest.plan.seeds[0]),
    })?;
    begin.check_same(&own_info, &folder.begin_file())?;
    let objective = begin.info.objective.clone();
    let objective = objective.ok_or(Error::NoObjective)?;
    let comparing = Comparing {
        factory,
        own_info: begin.own_info(),
        info: begin.info,
        objective,
        plan: manifest.plan,
        folder,
        trainer: manifest.trainer,
        jobs: settings.jobs,
        launcher: settings.launcher.as_deref(),
        interrupt,
        beginnings: Mutex::default(),
        places: Mutex::default(),
    };
    let done = comparing.go(begin.pace, manifest.about, observer);
    done.map_err(|error| interrupt.explain(error))
}

/// A comparison under way.
struct Comparing<'a> {
    factory: &'a dyn TrainerFactory,
    info: TrainerInfo,
    /// What the trainer itself declares: without an objective if it declares none.
    own_info: TrainerInfo,
    objective: Objective,
    plan: Plan,
    folder: Folder,
    trainer: serde_json::Value,
    jobs: usize,
    launcher: Option<&'a Path>,
    interrupt: &'a Interrupt,
    /// The beginnings of the finished runs.
    beginnings: Mutex<Vec<Beginning>>,
    /// The machines that made them, and those on which this one's lock was not seen.
    places: Mutex<Places>,
}

type Observer<'o> = &'o mut dyn FnMut(&CompareEvent);

impl Comparing<'_> {
    fn go(
        self,
        mut pace: Pace,
        about: BTreeMap<String, String>,
        observer: Observer,
    ) -> Result<Record, Error> {
        observer(&CompareEvent::Paced(pace));
        let range = self.range(observer)?;
        let mut arms = self.tune(self.bounds(range.as_ref()), observer)?;
        for (arm, outcome) in arms.iter().enumerate() {
            observer(&CompareEvent::Chosen {
                arm,
                spec: outcome.spec.clone(),
            });
        }
        let race = self.final_runs(&mut arms, observer)?;
        if self.info.whole_runs.is_some() {
            pace = paced(&arms);
        }
        let record = self.record(pace, about, range, arms, race);
        let winner = export::winner_toml(&record)?;
        self.folder.finish(&record, winner.as_deref())?;
        Ok(record)
    }

    fn record(
        &self,
        pace: Pace,
        mut about: BTreeMap<String, String>,
        range: Option<Range>,
        arms: Vec<ArmOutcome>,
        race: Option<RaceEnd>,
    ) -> Record {
        let places = self.places.lock().expect("no panic while it is held");
        about.extend(places.describe());
        let mut record = Record {
            plan: self.plan.clone(),
            info: self.info.clone(),
            objective: self.objective.clone(),
            about,
            pace,
            range,
            arms,
            race,
            conclusion: Conclusion::default(),
        };
        record.conclusion = text::conclusion(&record);
        record
    }

    /// The range test, if the plan asks for one.
    fn range(&self, observer: Observer) -> Result<Option<Range>, Error> {
        let Some(mut test) = self.plan.bounds.range_test() else {
            return Ok(None);
        };
        test.threads = self.jobs;
        if let Some(launcher) = self.launcher {
            let has_range = || Ok(self.folder.has_range());
            launch::launch_begin_until(&self.folder, launcher, self.interrupt, &has_range)?;
        }
        let range = self.folder.range(|| {
            let watch = Watch {
                observer: &mut |event: &FindEvent| observer(&CompareEvent::Finding(event.clone())),
                interrupt: self.interrupt,
            };
            let sweeps = self.folder.sweeps();
            bounds::find(self.factory, &self.objective, &test, &sweeps, watch)
        })?;
        observer(&CompareEvent::Bounded(range.clone()));
        Ok(Some(range))
    }

    /// (`base_lr`, `max_lr`), if known.
    fn bounds(&self, range: Option<&Range>) -> Option<(f64, f64)> {
        match self.plan.bounds {
            BoundsSource::Given { base_lr, max_lr } => Some((base_lr, max_lr)),
            _ => range.map(|range| (range.base_lr, range.max_lr)),
        }
    }
}

/// Refuses whole runs that show that the seed or the rate is not used. Of single updates, whose
/// losses would show it, nothing is known.
fn check_alike(arms: &[ArmOutcome]) -> Result<(), Error> {
    let seeds = |arm: &ArmOutcome| {
        let values = arm.whole().runs.iter().map(|run| Some(run.values?.test));
        values.collect::<Vec<_>>()
    };
    let rates = |arm: &ArmOutcome| {
        let trials = arm.tuning.iter().flat_map(|tuning| &tuning.trials);
        trials.map(|trial| trial.validation).collect::<Vec<_>>()
    };
    let of = |what, values: Vec<Vec<Option<f64>>>| match one_figure(&values) {
        Some(figure) => Err(Error::RunsAlike { what, figure }),
        None => Ok(()),
    };
    of("seed", arms.iter().map(seeds).collect())?;
    of("rate", arms.iter().map(rates).collect())
}

/// A figure of a group, if there are groups of several and all members of each have the same.
fn one_figure(groups: &[Vec<Option<f64>>]) -> Option<f64> {
    let mut figure = None;
    for group in groups.iter().filter(|group| group.len() > 1) {
        let first = group[0]?;
        if group.iter().any(|value| *value != Some(first)) {
            return None;
        }
        figure = Some(first);
    }
    figure
}

/// What an update took in the final runs, its part of the start and of the evaluation included.
fn paced(arms: &[ArmOutcome]) -> Pace {
    let runs = arms
        .iter()
        .flat_map(|arm| &arm.budgets)
        .flat_map(|budget| &budget.runs);
    let (updates, seconds) = runs.fold((0, 0.0), |(updates, seconds), run| {
        (updates + run.updates_done, seconds + run.seconds)
    });
    Pace {
        seconds_per_update: if updates > 0 {
            seconds / updates as f64
        } else {
            0.0
        },
        updates_timed: updates,
        ..Pace::default()
    }
}
