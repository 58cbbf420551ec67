use std::time::Instant;

use cyclr::Hyper;
use cyclr::trainer::{Metrics, Objective, Split, Trainer, TrainerFactory, TrainerInfo};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::parallel::all_side_by_side;

/// Updates before the clock starts, because the first ones wait for memory.
const UNTIMED: usize = 5;
/// Updates are timed in groups of this many, as a run makes them.
const GROUP: usize = 10;
const GROUPS: usize = 5;

/// What work takes, measured on models that are then thrown away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Pace {
    /// Setting up a run: imports, data, weights.
    pub seconds_per_start: f64,
    /// The median over groups of updates.
    pub seconds_per_update: f64,
    /// One evaluation of the validation split; 0 if there is none, or it was not measured.
    pub seconds_per_evaluation: f64,
    /// The updates that were timed; 0 if none could be, as of a program that makes whole runs.
    pub updates_timed: u64,
}

impl Pace {
    /// Times a start, some updates at rate 0, so that nothing can diverge, and one evaluation, while
    /// nothing else runs. The info that comes with it has an objective, also if the trainer declares
    /// none: that of the evaluation.
    ///
    /// # Errors
    /// [`Error::Trainer`] if the trainer fails; [`Error::ObjectiveMissing`].
    pub fn measure(factory: &dyn TrainerFactory, seed: u64) -> Result<(Self, TrainerInfo), Error> {
        let (mut pace, mut trainer) = Self::start(factory, seed)?;
        let mut info = trainer.info().clone();
        if info.validation > 0 && pace.updates_timed > 0 {
            let began = Instant::now();
            let metrics = trainer.evaluate(Split::Validation)?.metrics;
            pace.seconds_per_evaluation = began.elapsed().as_secs_f64();
            info.objective = objective(&info, &metrics)?;
        }
        trainer.end()?;
        Ok((pace, info))
    }

    /// The pace of each of `jobs` runs that are made at the same time and share the machine.
    ///
    /// # Errors
    /// As [`Pace::measure`].
    pub fn of_runs(factory: &dyn TrainerFactory, seed: u64, jobs: usize) -> Result<Self, Error> {
        Self::side_by_side(jobs, || Self::measure(factory, seed).map(|(pace, _)| pace))
    }

    /// As [`Pace::of_runs`], without an evaluation: for work that evaluates nothing.
    ///
    /// # Errors
    /// [`Error::Trainer`] if the trainer fails.
    pub fn of_updates(factory: &dyn TrainerFactory, seed: u64, jobs: usize) -> Result<Self, Error> {
        Self::side_by_side(jobs, || {
            let (pace, mut trainer) = Self::start(factory, seed)?;
            trainer.end()?;
            Ok(pace)
        })
    }

    fn side_by_side(
        jobs: usize,
        measure: impl Fn() -> Result<Self, Error> + Sync,
    ) -> Result<Self, Error> {
        let jobs = jobs.max(1);
        let paces = all_side_by_side(jobs, jobs, &mut |_, (): &()| {}, |_, _| measure())?;
        let mean = |of: fn(&Self) -> f64| paces.iter().map(of).sum::<f64>() / jobs as f64;
        Ok(Self {
            seconds_per_start: mean(|pace| pace.seconds_per_start),
            seconds_per_update: mean(|pace| pace.seconds_per_update),
            seconds_per_evaluation: mean(|pace| pace.seconds_per_evaluation),
            updates_timed: paces.iter().map(|pace| pace.updates_timed).sum(),
        })
    }

    fn start(
        factory: &dyn TrainerFactory,
        seed: u64,
    ) -> Result<(Self, Box<dyn Trainer + '_>), Error> {
        let began = Instant::now();
        let mut trainer = factory.start(seed)?;
        let seconds_per_start = began.elapsed().as_secs_f64();
        if trainer.info().whole_runs.is_some() {
            return Ok((Self::default(), trainer));
        }
        let groups = time_updates(&mut *trainer)?;
        let pace = Self {
            seconds_per_start,
            seconds_per_update: groups[groups.len() / 2] / GROUP as f64,
            seconds_per_evaluation: 0.0,
            updates_timed: (groups.len() * GROUP) as u64,
        };
        Ok((pace, trainer))
    }

    /// A run with its updates and evaluations, without its test.
    pub fn seconds_of_run(&self, updates: u64, evaluations: u64) -> f64 {
        self.seconds_per_start
            + updates as f64 * self.seconds_per_update
            + evaluations as f64 * self.seconds_per_evaluation
    }

    /// The test split, predicted: an example of it takes as long as one of the validation split,
    /// or, if there is none, a third of a training example.
    pub fn seconds_of_test(&self, info: &TrainerInfo) -> f64 {
        let example = if info.validation > 0 {
            self.seconds_per_evaluation / info.validation as f64
        } else {
            self.seconds_per_update / 3.0 / info.batch as f64
        };
        example * info.test as f64
    }
}

/// What decides: the declared objective, which the evaluation must have, or what the evaluation
/// has.
fn objective(info: &TrainerInfo, metrics: &Metrics) -> Result<Option<Objective>, Error> {
    let found = info.objective_in(metrics);
    let Some(declared) = &info.objective else {
        return Ok(found.map(Objective::of));
    };
    if found.is_none() {
        let names: Vec<&str> = metrics.iter().map(|metric| &*metric.name).collect();
        return Err(Error::ObjectiveMissing {
            name: declared.name.to_string(),
            found: names.join(", "),
        });
    }
    Ok(Some(declared.clone()))
}

/// The seconds of each group of updates, sorted.
fn time_updates(trainer: &mut dyn Trainer) -> Result<Vec<f64>, Error> {
    trainer.updates(&[Hyper::lr(0.0); UNTIMED])?;
    let mut groups = Vec::with_capacity(GROUPS);
    for _ in 0..GROUPS {
        let began = Instant::now();
        trainer.updates(&[Hyper::lr(0.0); GROUP])?;
        groups.push(began.elapsed().as_secs_f64());
    }
    groups.sort_unstable_by(f64::total_cmp);
    Ok(groups)
}
