use std::time::Duration;

use cyclr::trainer::{TrainerFactory, TrainerInfo};
use cyclr::units::Horizon;
use cyclr::{Schedule, readable};
use serde::{Deserialize, Serialize};

use super::refuse::{check_average, check_decidable, check_obeyed, refuse_for_whole_runs};
use super::{Average, Budget, Task};
use crate::{Error, Event, Pace};

/// The troughs of a run, at most: each is an evaluation, and its place is kept in memory.
const MOST_TROUGHS: usize = 1_000_000;

/// What is planned for a [`Task`], as the record of a run keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Planned {
    /// What was asked.
    pub task: Task,
    /// What is trained.
    pub info: TrainerInfo,
    /// The budget in updates. The schedule is made for it.
    pub horizon: u64,
    /// The updates that will be done, unless something ends the run earlier. Of a cyclical run:
    /// the last trough within the horizon.
    pub end: u64,
    /// If the budget is time: what an update took when that was turned into updates.
    pub seconds_per_update: Option<f64>,
}

/// What will be done for a [`Task`], with the rate of every update.
#[derive(Clone, Debug)]
pub struct RunPlan {
    pub(crate) planned: Planned,
    pub(crate) schedule: Schedule,
    pub(crate) troughs: Vec<u64>,
}

impl RunPlan {
    /// Plans a task for a run of the trainer factory; times some updates if the budget is time.
    ///
    /// # Errors
    /// [`Error::Undecidable`], [`Error::NotObeyed`], [`Error::Schedule`] if the task does not fit
    /// the trainer factory; [`Error::BudgetTooShort`] if not even one update, or one cycle of a
    /// cyclical run, fits the budget.
    pub fn new(factory: &dyn TrainerFactory, task: &Task) -> Result<Self, Error> {
        let info = factory.info()?;
        Self::of(factory, &info, task)
    }

    pub(crate) fn of(
        factory: &dyn TrainerFactory,
        info: &TrainerInfo,
        task: &Task,
    ) -> Result<Self, Error> {
        let pace = match task.budget {
            Budget::Time(_) => Pace::measure(factory, task.seed)?.0,
            // No time is needed.
            Budget::Updates(_) | Budget::Epochs(_) => Pace::default(),
        };
        Self::at_pace(info, task, &pace)
    }

    /// Plans a task for a trainer of this info, whose pace is known.
    ///
    /// # Errors
    /// As [`RunPlan::new`], without those of its trainer factory.
    pub fn at_pace(info: &TrainerInfo, task: &Task, pace: &Pace) -> Result<Self, Error> {
        let Budget::Time(time) = task.budget else {
            return Self::of_updates(task, info, updates_of(task.budget, info)?);
        };
        refuse_for_whole_runs(
            info,
            "a budget of time",
            "give a budget in updates or epochs (--updates, --epochs)",
        )?;
        let updates = updates_in(pace, info, time, task)?;
        let mut plan = Self::of_updates(task, info, updates)?;
        plan.planned.seconds_per_update = Some(pace.seconds_per_update);
        Ok(plan)
    }

    /// The plan for a budget of `horizon` updates.
    pub(crate) fn of_updates(task: &Task, info: &TrainerInfo, horizon: u64) -> Result<Self, Error> {
        let run = Horizon::of_updates(horizon)?.with_epoch(info.examples, info.batch)?;
        let schedule = task.spec.schedule(&run)?;
        check_obeyed(&schedule, info)?;
        let troughs = troughs_of(&schedule)?;
        check_decidable(task, info, !troughs.is_empty())?;
        check_average(task.average, info, !troughs.is_empty())?;
        Ok(Self {
            planned: Planned {
                task: task.clone(),
                info: info.clone(),
                horizon,
                end: last_stop(&schedule, &troughs)?,
                seconds_per_update: None,
            },
            schedule,
            troughs,
        })
    }

    /// The plan that the record of a run holds, for a trainer that has this info now.
    pub(crate) fn recorded(planned: &Planned, info: &TrainerInfo) -> Result<Self, Error> {
        let mut plan = Self::of_updates(&planned.task, info, planned.horizon)?;
        plan.planned.end = planned.end;
        plan.planned.seconds_per_update = planned.seconds_per_update;
        Ok(plan)
    }

    /// What was asked.
    pub fn task(&self) -> &Task {
        &self.planned.task
    }

    /// What is trained.
    pub fn info(&self) -> &TrainerInfo {
        &self.planned.info
    }

    /// The budget in updates. The schedule is made for it.
    pub fn horizon(&self) -> u64 {
        self.planned.horizon
    }

    /// The updates that will be done, unless something ends the run earlier. Of a cyclical run:
    /// the last trough within the horizon.
    pub fn end(&self) -> u64 {
        self.planned.end
    }

    /// The rate of every update.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// The times that the validation split will be evaluated; those of averaged models count too.
    pub fn evaluations(&self) -> u64 {
        if self.info().validation == 0 || self.end() == 0 {
            return 0;
        }
        let every = self.task().evaluate_every;
        let on_grid = |at: u64| every.is_some_and(|every| at.is_multiple_of(every.get()));
        let grid = every.map_or(0, |every| (self.end() - 1) / every);
        let troughs = self.troughs.iter();
        let apart = troughs.filter(|&&trough| trough < self.end() && !on_grid(trough));
        let models = |trough: u64| match self.task().average {
            None => 0,
            Some(Average::Troughs) => 1,
            Some(Average::Ensemble(last)) => trough.min(last.get().into()),
        };
        let averages: u64 = (1..=self.troughs.len() as u64).map(models).sum();
        grid + apart.count() as u64 + 1 + averages
    }

    /// The budget of time, in seconds, if it is one.
    pub(crate) fn seconds(&self) -> Option<f64> {
        match self.task().budget {
            Budget::Time(time) => Some(time.as_secs_f64()),
            Budget::Updates(_) | Budget::Epochs(_) => None,
        }
    }

    /// That the run ends at a trough, if that is before the end of its budget.
    pub(crate) fn adjusted(&self) -> Option<Event> {
        let budget = match self.task().budget {
            // Of a run whose shape was kept, the horizon is that of its first budget.
            Budget::Updates(updates) => updates,
            Budget::Epochs(_) | Budget::Time(_) => self.horizon(),
        };
        let end = self.end();
        (end != budget).then_some(Event::Adjusted { budget, end })
    }

    /// The first count of updates after `updates_done` at which the run stops to be evaluated: a
    /// trough, a multiple of the grid, the end. Whole runs stop at the end alone.
    pub(crate) fn next_stop(&self, updates_done: u64) -> u64 {
        if self.info().whole_runs.is_some() {
            return self.end();
        }
        let grid = self
            .task()
            .evaluate_every
            .map(|every| (updates_done / every + 1) * every.get());
        let trough = self.next_trough(updates_done);
        [grid, trough]
            .into_iter()
            .flatten()
            .fold(self.end(), u64::min)
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

    /// The average into which the model goes that the run has at `updates_done`, if it does.
    pub(crate) fn average_at(&self, updates_done: u64) -> Option<Average> {
        let average = self.task().average;
        average.filter(|_| self.trough(updates_done).is_some())
    }

    /// Whether the run may be ended at `updates_done` by what was found there.
    pub(crate) fn decides_at(&self, updates_done: u64) -> bool {
        self.troughs.is_empty() || self.trough(updates_done).is_some()
    }
}

/// The most updates that fit into `time` beside their evaluations and the test.
fn updates_in(pace: &Pace, info: &TrainerInfo, time: Duration, task: &Task) -> Result<u64, Error> {
    let test = if task.test {
        pace.seconds_of_test(info)
    } else {
        0.0
    };
    let left = time.as_secs_f64() - test;
    let fit = |updates| {
        let evaluations = match RunPlan::of_updates(task, info, updates) {
            Ok(plan) => plan.evaluations(),
            // The run that is chosen in the end is refused if it is too short for a cycle.
            Err(Error::BudgetTooShort { .. }) => 0,
            Err(Error::TooManyTroughs { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        let training = updates as f64 * pace.seconds_per_update;
        Ok(training + evaluations as f64 * pace.seconds_per_evaluation <= left)
    };
    // More updates never have fewer evaluations.
    let (mut fits, mut most) = (0, (left / pace.seconds_per_update).max(0.0) as u64);
    while fits < most {
        let middle = most - (most - fits) / 2;
        if fit(middle)? {
            fits = middle;
        } else {
            most = middle - 1;
        }
    }
    if fits > 0 {
        return Ok(fits);
    }
    let seconds = |value: f64| format!("{} s", readable(value, 2));
    Err(Error::BudgetTooShort {
        budget: seconds(time.as_secs_f64()),
        reason: format!(
            "an update takes {}, an evaluation {} and the test {}",
            seconds(pace.seconds_per_update),
            seconds(pace.seconds_per_evaluation),
            seconds(test)
        ),
    })
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

/// The troughs of a run.
///
/// # Errors
/// [`Error::TooManyTroughs`] if there are more than a run can be evaluated at.
pub(crate) fn troughs_of(schedule: &Schedule) -> Result<Vec<u64>, Error> {
    let troughs: Vec<u64> = schedule.troughs().take(MOST_TROUGHS + 1).collect();
    if troughs.len() > MOST_TROUGHS {
        return Err(Error::TooManyTroughs {
            updates: schedule.updates(),
            most: MOST_TROUGHS,
        });
    }
    Ok(troughs)
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
