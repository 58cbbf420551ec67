use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use cyclr::trainer::{Split, TrainerFactory, TrainerInfo};
use cyclr::units::{Epochs, Horizon};
use cyclr::{Hyper, Schedule, Spec};

use crate::Error;
use crate::record::RunRecord;

/// How long to train.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Budget {
    /// That many optimizer updates.
    Updates(u64),
    /// That many passes over the training set.
    Epochs(Epochs),
    /// That long by the clock, readings and the test included. It is turned into updates before training, by timing
    /// 50 updates of a model that is thrown away.
    Time(Duration),
}

/// The updates that are timed to turn a budget of time into updates.
const TIMED: u64 = 50;

/// What to train.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// What the rate does.
    pub spec: Spec,
    /// Decides the initial weights, the order of the data, and dropout.
    pub seed: u64,
    /// How long. A cyclical run ends at the last trough within it.
    pub budget: Budget,
    /// Reads the validation split whenever that many updates more have been made, besides at every trough and at the
    /// end. Arms of a comparison are read on the same grid.
    pub evaluate_every: Option<NonZeroU64>,
    /// Ends a cyclical run at a trough, from the second on, when the cycle brought no gain: a one-sided McNemar test at
    /// 5 % on the same validation examples at this trough and the one before. Where the trainer does not say which
    /// examples were correct: when the deciding figure is no better.
    pub stop_on_plateau: bool,
    /// Ends the run when the deciding validation figure (accuracy, or else the loss) is at least as good as this: at a
    /// trough, or, of a run without troughs, at any reading.
    pub target: Option<f64>,
    /// Whether the test split is read, once, after the end.
    pub test: bool,
    /// How often a run with a folder saves itself; besides, it does at troughs, at most once a second, on interrupt
    /// and at the end.
    pub save_every: Duration,
}

impl Task {
    /// Trains for the whole budget, reads at the troughs and at the end, tests, and saves every 30
    /// seconds.
    pub fn new(spec: Spec, seed: u64, budget: Budget) -> Self {
        Self {
            spec,
            seed,
            budget,
            evaluate_every: None,
            stop_on_plateau: false,
            target: None,
            test: true,
            save_every: Duration::from_secs(30),
        }
    }
}

/// What will be done for a [`Task`]: its budget in updates, its schedule and its end.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) task: Task,
    pub(crate) info: TrainerInfo,
    pub(crate) horizon: u64,
    pub(crate) end: u64,
    /// Where the budget is time: what an update took when that was turned into updates.
    pub(crate) seconds_per_update: Option<f64>,
    pub(crate) schedule: Schedule,
    pub(crate) troughs: Vec<u64>,
}

/// What things take, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Pace {
    update: f64,
    validation: f64,
    test: f64,
}

impl Plan {
    /// Plans a task for a run of the trainer factory; times some updates where the budget is time.
    ///
    /// # Errors
    /// [`Error::Undecidable`], [`Error::NotObeyed`], [`Error::Schedule`] where the task does not fit the trainer factory;
    /// [`Error::BudgetTooShort`] where not even one update, or one cycle of a cyclical run, fits the budget.
    pub fn new(factory: &dyn TrainerFactory, task: &Task) -> Result<Self, Error> {
        let info = factory.info()?;
        Self::of(factory, &info, task)
    }

    pub(crate) fn of(
        factory: &dyn TrainerFactory,
        info: &TrainerInfo,
        task: &Task,
    ) -> Result<Self, Error> {
        let Budget::Time(time) = task.budget else {
            return Self::of_updates(task, info, updates_of(task.budget, info)?);
        };
        let pace = Pace::measure(factory, task.seed, info)?;
        let without_evaluations = pace.updates_in(time, 0, task)?;
        let evaluations = Self::of_updates(task, info, without_evaluations)?.evaluations();
        let updates = pace.updates_in(time, evaluations, task)?;
        let plan = Self::of_updates(task, info, updates)?;
        Ok(Self {
            seconds_per_update: Some(pace.update),
            ..plan
        })
    }

    /// The plan for a budget of `horizon` updates.
    pub(crate) fn of_updates(task: &Task, info: &TrainerInfo, horizon: u64) -> Result<Self, Error> {
        let run = Horizon::of_updates(horizon)?.with_epoch(info.examples, info.batch)?;
        let schedule = task.spec.schedule(&run)?;
        check_obeyed(&schedule, info)?;
        let troughs: Vec<u64> = schedule.troughs().collect();
        check_decidable(task, info, !troughs.is_empty())?;
        Ok(Self {
            end: last_stop(&schedule, &troughs)?,
            task: task.clone(),
            info: info.clone(),
            horizon,
            seconds_per_update: None,
            schedule,
            troughs,
        })
    }

    /// The plan as the record of a run has it.
    pub(crate) fn recorded(
        task: &Task,
        info: &TrainerInfo,
        record: &RunRecord,
    ) -> Result<Self, Error> {
        Ok(Self {
            end: record.end,
            seconds_per_update: record.seconds_per_update,
            ..Self::of_updates(task, info, record.horizon)?
        })
    }

    /// What was asked.
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// What is trained.
    pub fn info(&self) -> &TrainerInfo {
        &self.info
    }

    /// The budget in updates. The schedule is made for it.
    pub fn horizon(&self) -> u64 {
        self.horizon
    }

    /// The updates that will be made, unless something ends the run earlier. Of a cyclical run: the last trough within
    /// the horizon.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// The rate of every update.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// The times that the validation split will be read.
    pub fn evaluations(&self) -> u64 {
        let mut updates_done = 0;
        let mut evaluations = 0;
        while updates_done < self.end && self.info.validation > 0 {
            updates_done = self.next_stop(updates_done);
            evaluations += 1;
        }
        evaluations
    }

    /// The budget of time, in seconds, where it is one.
    pub(crate) fn seconds(&self) -> Option<f64> {
        match self.task.budget {
            Budget::Time(time) => Some(time.as_secs_f64()),
            Budget::Updates(_) | Budget::Epochs(_) => None,
        }
    }

    /// The first count of updates after `updates_done` at which the run stops to read: a trough, a multiple of the grid, the end.
    pub(crate) fn next_stop(&self, updates_done: u64) -> u64 {
        let grid = self
            .task
            .evaluate_every
            .map(|every| (updates_done / every + 1) * every.get());
        let trough = self.next_trough(updates_done);
        [grid, trough]
            .into_iter()
            .flatten()
            .fold(self.end, u64::min)
    }

    /// The first trough after `updates_done`.
    pub(crate) fn next_trough(&self, updates_done: u64) -> Option<u64> {
        let next = self
            .troughs
            .partition_point(|&trough| trough <= updates_done);
        self.troughs.get(next).copied()
    }

    /// Which trough `updates_done` is, counted from 1, if it is one.
    pub(crate) fn trough(&self, updates_done: u64) -> Option<u64> {
        let index = self.troughs.binary_search(&updates_done).ok()?;
        Some(index as u64 + 1)
    }

    /// Whether the run may be ended at `updates_done` by what was read there.
    pub(crate) fn decides_at(&self, updates_done: u64) -> bool {
        self.troughs.is_empty() || self.trough(updates_done).is_some()
    }
}

impl Pace {
    /// Times updates of a model that is then thrown away, at rate 0 so that nothing can diverge. The test split is not
    /// read for this: an example of it takes as long as one of the validation split, or a third of a training one.
    fn measure(factory: &dyn TrainerFactory, seed: u64, info: &TrainerInfo) -> Result<Self, Error> {
        let mut net = factory.start(seed)?;
        net.updates(&[Hyper::lr(0.0); 5])?;
        let began = Instant::now();
        net.updates(&[Hyper::lr(0.0); TIMED as usize])?;
        let update = began.elapsed().as_secs_f64() / TIMED as f64;
        let mut example = update / 3.0 / info.batch as f64;
        if info.validation > 0 {
            let began = Instant::now();
            net.evaluate(Split::Validation)?;
            example = began.elapsed().as_secs_f64() / info.validation as f64;
        }
        Ok(Self {
            update,
            validation: example * info.validation as f64,
            test: example * info.test as f64,
        })
    }

    /// The updates that fit into `time` beside so many readings and the test.
    fn updates_in(self, time: Duration, evaluations: u64, task: &Task) -> Result<u64, Error> {
        let test = if task.test { self.test } else { 0.0 };
        let left = time.as_secs_f64() - evaluations as f64 * self.validation - test;
        let updates = (left / self.update).max(0.0) as u64;
        if updates > 0 {
            return Ok(updates);
        }
        Err(Error::BudgetTooShort {
            budget: format!("{time:?}"),
            reason: format!(
                "an update takes {:.2e} s, a reading {:.2e} s and the test {test:.2e} s",
                self.update, self.validation
            ),
        })
    }
}

fn updates_of(budget: Budget, info: &TrainerInfo) -> Result<u64, Error> {
    match budget {
        Budget::Updates(updates) => Ok(updates),
        Budget::Epochs(epochs) => {
            Ok(Horizon::of_epochs(epochs, info.examples, info.batch)?.updates())
        }
        Budget::Time(_) => unreachable!("a budget of time is measured"),
    }
}

/// A run that cycles to its end stops at the last trough; any other at the end of its horizon.
fn last_stop(schedule: &Schedule, troughs: &[u64]) -> Result<u64, Error> {
    let horizon = schedule.updates();
    if schedule.position(horizon - 1).is_none() {
        return Ok(horizon);
    }
    troughs
        .last()
        .copied()
        .ok_or_else(|| Error::BudgetTooShort {
            budget: format!("{horizon} updates"),
            reason: "the first cycle of the schedule is longer: give more, or a shorter step"
                .into(),
        })
}

pub(crate) fn check_obeyed(schedule: &Schedule, info: &TrainerInfo) -> Result<(), Error> {
    if schedule.moves_momentum() && !info.momentum {
        return Err(Error::NotObeyed { what: "momentum" });
    }
    if schedule.at(0).weight_decay.is_some() && !info.weight_decay {
        return Err(Error::NotObeyed {
            what: "weight decay",
        });
    }
    Ok(())
}

fn check_decidable(task: &Task, info: &TrainerInfo, cyclical: bool) -> Result<(), Error> {
    let refuse = |option, needed| Err(Error::Undecidable { option, needed });
    let validation = "a validation split to decide by: set some of the training data aside for it";
    if info.validation == 0 && task.stop_on_plateau {
        return refuse("to stop when flat", validation);
    }
    if info.validation == 0 && task.target.is_some() {
        return refuse("a target", validation);
    }
    if task.stop_on_plateau && !cyclical {
        return refuse(
            "to stop when flat",
            "a schedule with cycles to compare, such as triangular2",
        );
    }
    if task.target.is_some() && !cyclical && task.evaluate_every.is_none() {
        return refuse(
            "a target",
            "evaluations on the way: take a schedule with cycles, or say how often to evaluate (--evaluate-every)",
        );
    }
    Ok(())
}
