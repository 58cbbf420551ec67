use alloc::{sync::Arc, vec, vec::Vec};
use core::fmt;

use crate::Hyper;
use crate::error::Error;
use crate::policy::{Policy, Resolver};
use crate::spec::{Kind, Stage};
use crate::units::{Horizon, round_up, rounding, snapped};

/// The rate at every update of a run: a pure total function of the update, without state.
///
/// Past the end it holds the value at `i = N`, one past the last of the `N` updates: a run that is
/// resumed is a number, and a schedule cannot run out. [`Schedule::at`] takes constant time for
/// each stage.
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

/// A stage with its place in the run.
#[derive(Clone, Debug)]
struct Placed {
    /// The first update of the stage.
    start: u64,
    /// The first update after it.
    end: u64,
    /// How long it lasts; not whole if its exact end is not.
    horizon: f64,
    part: Part,
}

#[derive(Clone, Debug)]
enum Part {
    Warmup { length: f64, from: f64, to: Hyper },
    Policy(Policy<f64>),
}

/// Where in its policy's cycles an update lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Position {
    /// The 0-based stage.
    pub stage: usize,
    /// The 0-based cycle of the stage.
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
        let placed = &stages[stage];
        let Part::Policy(policy) = &placed.part else {
            return None;
        };
        let (cycle, phase) = policy.cycle((update - placed.start) as f64, placed.horizon)?;
        Some(Position {
            stage,
            cycle,
            phase,
        })
    }

    /// The troughs, where a cyclical run may stop, be measured or be saved: each is a number of
    /// updates done, so trough `t` is the state after update `t - 1` and before update `t`.
    /// Rising; none beyond the end of the run, none if nothing cycles.
    pub fn troughs(&self) -> impl Iterator<Item = u64> + '_ {
        let stages = match &self.source {
            Source::Stages(stages) => stages.as_slice(),
            Source::Custom(_) => &[],
        };
        stages.iter().flat_map(Placed::troughs)
    }

    /// Whether the schedule sets momentum anywhere.
    pub fn moves_momentum(&self) -> bool {
        match &self.source {
            Source::Stages(stages) => stages.iter().any(|stage| stage.at(0.0).momentum.is_some()),
            Source::Custom(_) => self.at(0).momentum.is_some(),
        }
    }

    pub(crate) fn of_stages(stages: &[Stage], run: &Horizon) -> Result<Self, Error> {
        let ends = ends(stages, run)?;
        let mut placed: Vec<Placed> = Vec::with_capacity(stages.len());
        for n in 0..stages.len() {
            let placing = Placing {
                stages,
                ends: &ends,
                run,
            };
            placed.push(placing.stage(n)?);
        }
        for n in 0..placed.len() {
            if let Part::Warmup { .. } = placed[n].part {
                let target = placed[n + 1].at(0.0);
                placed[n].lead_to(target);
            }
            placed[n].check_finite()?;
        }
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
                Part::Policy(policy) => policy.steps(stage.horizon, most + 1)?,
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
    stages
        .iter()
        .rposition(|stage| stage.start <= update)
        .unwrap_or(0)
}

impl Placed {
    #[inline]
    fn at(&self, i: f64) -> Hyper {
        match &self.part {
            Part::Policy(policy) => policy.at(i, self.horizon),
            Part::Warmup { length, from, to } => Hyper {
                lr: from + (to.lr - from) * (i / length),
                ..*to
            },
        }
    }

    fn lead_to(&mut self, target: Hyper) {
        if let Part::Warmup { to, .. } = &mut self.part {
            *to = target;
        }
    }

    fn troughs(&self) -> impl Iterator<Item = u64> + '_ {
        let end = self.end - self.start;
        let kth = move |k: u64| match &self.part {
            Part::Policy(policy) => policy.trough(k, self.horizon).map(round_up),
            Part::Warmup { .. } => None,
        };
        (1..)
            .map_while(kth)
            .take_while(move |&trough| trough <= end)
            .map(|trough| self.start + trough)
    }

    /// Rates are monotone where they can overflow, so that the ends tell.
    fn check_finite(&self) -> Result<(), Error> {
        for i in [0.0, self.horizon] {
            let lr = self.at(i).lr;
            if !lr.is_finite() {
                return Err(Error::Overflow {
                    update: self.end,
                    lr,
                });
            }
        }
        Ok(())
    }
}

/// The exact update at which each stage ends; the last ends with the run.
fn ends(stages: &[Stage], run: &Horizon) -> Result<Vec<f64>, Error> {
    let updates = run.updates() as f64;
    let mut end = 0.0;
    let mut ends = Vec::with_capacity(stages.len());
    for stage in stages {
        end = match stage.length {
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
    stages: &'a [Stage],
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
        let part = match &self.stages[n].kind {
            Kind::Warmup(warmup) => Part::Warmup {
                length: self.ends[n] - exact_start,
                from: warmup.from(),
                to: Hyper::lr(warmup.from()),
            },
            Kind::Policy(policy) => {
                let warmed = n > 0 && self.stages[n - 1].is_warmup();
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
