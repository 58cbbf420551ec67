use alloc::{sync::Arc, vec, vec::Vec};
use core::fmt;

use crate::Hyper;
use crate::error::Error;
use crate::policy::Resolver;
use crate::spec::{Kind, Stage, Turn, turns};
use crate::units::{Horizon, round_up, rounding, snapped};

mod placed;

use placed::{Part, Placed, RepeatCycle};

/// The rate at every update of a run: a pure total function of the update, without state.
///
/// Past the end it holds the value at `i = N`, one past the last of the `N` updates, so a schedule
/// cannot run out.
///
/// ```
/// use cyclr::{Spec, units::Horizon};
///
/// let spec: Spec = "triangular(base=1, max=5, up=2, down=6)".parse().unwrap();
/// let schedule = spec.schedule(&Horizon::of_updates(16)?)?;
/// assert_eq!(schedule.at(2).lr, 5.0);
/// assert_eq!(schedule.at(u64::MAX), schedule.at(16));
/// assert_eq!(schedule.curve().count(), 16);
/// assert_eq!(schedule.troughs().collect::<Vec<_>>(), [8, 16]);
/// # Ok::<(), cyclr::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Schedule {
    source: Source,
    updates: u64,
}

#[derive(Clone)]
enum Source {
    Stages(Vec<Placed>),
    Custom(Arc<dyn Fn(u64, u64) -> Hyper + Send + Sync>),
}

/// Where in its policy's cycles an update lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Position {
    /// The 0-based stage, those of a repeat counted every time.
    pub stage: usize,
    /// The 0-based cycle of the stage or, where a repeat makes the cycles, the time that it is
    /// gone through.
    pub cycle: u64,
    /// How much of the cycle is past, in `0..=1`.
    pub phase: f64,
}

impl Schedule {
    /// A schedule of your own: `rate` is given the update and the horizon, and must be pure. It is
    /// asked for updates up to the horizon, and not beyond.
    ///
    /// ```
    /// use cyclr::{Hyper, Schedule, units::Horizon};
    ///
    /// let run = Horizon::of_updates(100)?;
    /// let schedule = Schedule::custom(&run, |i, n| Hyper::lr(0.1 * (1.0 - i as f64 / n as f64)));
    /// assert_eq!(schedule.at(50).lr, 0.05);
    /// assert_eq!(schedule.at(1000).lr, 0.0);
    /// # Ok::<(), cyclr::Error>(())
    /// ```
    pub fn custom(run: &Horizon, rate: impl Fn(u64, u64) -> Hyper + Send + Sync + 'static) -> Self {
        Self {
            source: Source::Custom(Arc::new(rate)),
            updates: run.updates(),
        }
    }

    /// The rate that update `update` uses, counted from 0; past the end, the value at the end.
    #[inline]
    pub fn at(&self, update: u64) -> Hyper {
        let update = update.min(self.updates);
        match &self.source {
            Source::Stages(stages) => {
                let stage = &stages[stage_at(stages, update)];
                // Updates are at most 2^53; the conversion from i64 is an instruction.
                stage.at((update - stage.start).cast_signed() as f64)
            }
            Source::Custom(rate) => rate(update, self.updates),
        }
    }

    /// The updates of the run.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// The rate of every update of the run, in order.
    pub fn curve(&self) -> impl Iterator<Item = Hyper> + '_ {
        (0..self.updates).map(|update| self.at(update))
    }

    /// The cycle and phase that an update lies in; `None` if nothing cycles there. Past the end,
    /// as at the end.
    pub fn position(&self, update: u64) -> Option<Position> {
        let Source::Stages(stages) = &self.source else {
            return None;
        };
        let update = update.min(self.updates);
        let stage = stage_at(stages, update);
        let (cycle, phase) = stages[stage].cycle_of(update)?;
        Some(Position {
            stage,
            cycle,
            phase,
        })
    }

    /// The troughs, where a cyclical run may stop, be measured or be saved: each is a number of
    /// updates done, so trough `t` is the state after update `t - 1` and before update `t`.
    /// Rising, so that cycles which end within the same update share one; none beyond the end of
    /// the run, none if nothing cycles.
    pub fn troughs(&self) -> impl Iterator<Item = u64> + '_ {
        let stages = match &self.source {
            Source::Stages(stages) => stages.as_slice(),
            Source::Custom(_) => &[],
        };
        stages.iter().flat_map(Placed::troughs)
    }

    /// Whether the schedule sets momentum anywhere; one of your own, at update 0.
    pub fn moves_momentum(&self) -> bool {
        match &self.source {
            Source::Stages(stages) => stages.iter().any(|stage| stage.at(0.0).momentum.is_some()),
            Source::Custom(_) => self.at(0).momentum.is_some(),
        }
    }

    pub(crate) fn of_stages(stages: &[Stage], run: &Horizon) -> Result<Self, Error> {
        let turns = turns(stages);
        let ends = ends(&turns, run)?;
        let placing = Placing {
            turns: &turns,
            ends: &ends,
            run,
        };
        let mut placed = (0..turns.len())
            .map(|n| placing.stage(n))
            .collect::<Result<Vec<_>, _>>()?;
        for n in 0..placed.len() {
            if let Part::Warmup { .. } = placed[n].part {
                let target = placed[n + 1].at(0.0);
                placed[n].lead_to(target);
            }
            placed[n].check_finite()?;
        }
        mark_cycles(&mut placed, &turns);
        Ok(Self {
            source: Source::Stages(placed),
            updates: run.updates(),
        })
    }

    /// The run as constant steps and warm-ups, if it is nothing else and they are at most `most`.
    pub(crate) fn constant_steps(&self, most: usize) -> Option<Vec<ConstantStep>> {
        let Source::Stages(stages) = &self.source else {
            return None;
        };
        let mut steps: Vec<ConstantStep> = Vec::new();
        for stage in stages {
            let warmup_from = match stage.part {
                Part::Warmup { from, .. } => Some(from),
                Part::Policy(_) => None,
            };
            let starts = match &stage.part {
                Part::Warmup { to, .. } => vec![(0.0, to.lr)],
                Part::Policy(policy) => {
                    let steps = policy.steps(stage.horizon, most + 1)?.into_iter();
                    steps.map(|(from, lr)| (from, lr * stage.factor)).collect()
                }
            };
            for (from, lr) in starts {
                let start = stage.start + round_up(from);
                if let Some(before) = steps.last_mut() {
                    before.end = start;
                }
                steps.push(ConstantStep {
                    lr,
                    warmup_from,
                    start,
                    end: stage.end,
                });
            }
        }
        (steps.len() <= most).then_some(steps)
    }
}

/// A part of a run with one rate, or a warm-up to it.
pub(crate) struct ConstantStep {
    /// The rate, or what the warm-up leads to.
    pub(crate) lr: f64,
    /// Where the rate of a warm-up begins; `None` in a constant step.
    pub(crate) warmup_from: Option<f64>,
    /// The first update.
    pub(crate) start: u64,
    /// The update after the last.
    pub(crate) end: u64,
}

/// The stage that an update lies in.
#[inline]
fn stage_at(stages: &[Placed], update: u64) -> usize {
    // The first stage starts at 0.
    stages[1..].partition_point(|stage| stage.start <= update)
}

/// Makes cycles of the times of repeats in which nothing cycles.
fn mark_cycles(placed: &mut [Placed], turns: &[Turn]) {
    let mut first = 0;
    for time in turns.chunk_by(|a, b| a.repeat == b.repeat) {
        let stages = &mut placed[first..first + time.len()];
        first += time.len();
        let Some((_, number)) = time[0].repeat else {
            continue;
        };
        if stages
            .iter()
            .any(|stage| stage.cycle_of(stage.start).is_some())
        {
            continue;
        }
        let (start, end) = (stages[0].start, stages[stages.len() - 1].end);
        for stage in stages {
            stage.cycle = Some(RepeatCycle {
                time: number,
                start,
                end,
            });
        }
    }
}

/// The exact update at which each stage ends; the last ends with the run.
fn ends(turns: &[Turn], run: &Horizon) -> Result<Vec<f64>, Error> {
    let updates = run.updates() as f64;
    let mut end = 0.0;
    let mut ends = Vec::with_capacity(turns.len());
    for turn in turns {
        end = match turn.stage.length {
            Some(length) => snapped(end + run.updates_in(length)?),
            None => updates,
        };
        ends.push(end);
    }
    let rounding = rounding(updates);
    if (end - updates).abs() > rounding || ends.iter().any(|&e| e > updates + rounding) {
        let filled = ends.iter().copied().fold(0.0, f64::max);
        return Err(Error::Unfilled {
            filled,
            updates: run.updates(),
        });
    }
    if let Some(last) = ends.last_mut() {
        *last = updates;
    }
    Ok(ends)
}

/// Places the stages of a run one by one.
struct Placing<'a> {
    turns: &'a [Turn<'a>],
    ends: &'a [f64],
    run: &'a Horizon,
}

impl Placing<'_> {
    fn stage(&self, n: usize) -> Result<Placed, Error> {
        let exact_start = self.exact_start(n);
        let (start, end) = (round_up(exact_start), round_up(self.ends[n]));
        if start >= end {
            return Err(Error::EmptyStage {
                stage: n + 1,
                updates: self.run.updates(),
            });
        }
        let horizon = self.ends[n] - start as f64;
        let turn = &self.turns[n];
        let part = match &turn.stage.kind {
            Kind::Warmup(warmup) => Part::Warmup {
                length: self.ends[n] - exact_start,
                from: warmup.from() * turn.factor,
                to: Hyper::lr(warmup.from()),
            },
            Kind::Repeat(_) => unreachable!("a repeat is written out"),
            Kind::Policy(policy) => {
                let warmed = n > 0 && self.turns[n - 1].stage.is_warmup();
                let begin = if warmed {
                    self.exact_start(n - 1)
                } else {
                    exact_start
                };
                Part::Policy(policy.resolve(&Resolver {
                    run: self.run,
                    begin,
                    exact_start,
                    start: start as f64,
                    end: self.ends[n],
                })?)
            }
        };
        Ok(Placed {
            start,
            end,
            horizon,
            part,
            factor: turn.factor,
            cycle: None,
        })
    }

    fn exact_start(&self, n: usize) -> f64 {
        if n == 0 { 0.0 } else { self.ends[n - 1] }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stages(stages) => f.debug_list().entries(stages).finish(),
            Self::Custom(_) => f.write_str("custom"),
        }
    }
}
