use crate::Hyper;
use crate::error::Error;
use crate::policy::Policy;
use crate::units::round_up;

/// A stage with its place in the run.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    /// The first update of the stage.
    pub(super) start: u64,
    /// The first update after it.
    pub(super) end: u64,
    /// How long it lasts; not whole if its exact end is not.
    pub(super) horizon: f64,
    pub(super) part: Part,
    /// What its rates are multiplied by.
    pub(super) factor: f64,
    /// The cycle that a repeat makes of it.
    pub(super) cycle: Option<RepeatCycle>,
}

/// One time of a repeat, of stages that do not cycle themselves.
#[derive(Clone, Copy, Debug)]
pub(super) struct RepeatCycle {
    /// The 0-based time.
    pub(super) time: u64,
    /// Its first update.
    pub(super) start: u64,
    /// The update after its last.
    pub(super) end: u64,
}

#[derive(Clone, Debug)]
pub(super) enum Part {
    Warmup { length: f64, from: f64, to: Hyper },
    Policy(Policy<f64>),
}

impl Placed {
    #[inline]
    pub(super) fn at(&self, i: f64) -> Hyper {
        match &self.part {
            Part::Policy(policy) => {
                let hyper = policy.at(i, self.horizon);
                Hyper {
                    lr: hyper.lr * self.factor,
                    ..hyper
                }
            }
            Part::Warmup { length, from, to } => Hyper {
                lr: from + (to.lr - from) * (i / length),
                ..*to
            },
        }
    }

    pub(super) fn lead_to(&mut self, target: Hyper) {
        if let Part::Warmup { to, .. } = &mut self.part {
            *to = target;
        }
    }

    /// The 0-based cycle that an update of the stage lies in, and how much of it is past.
    pub(super) fn cycle_of(&self, update: u64) -> Option<(u64, f64)> {
        if let Some(RepeatCycle { time, start, end }) = self.cycle {
            return Some((time, (update - start) as f64 / (end - start) as f64));
        }
        match &self.part {
            Part::Policy(policy) => policy.cycle((update - self.start) as f64, self.horizon),
            Part::Warmup { .. } => None,
        }
    }

    pub(super) fn troughs(&self) -> impl Iterator<Item = u64> + '_ {
        let of_repeat = self.cycle.map(|cycle| cycle.end);
        let of_repeat = of_repeat.filter(|&end| end == self.end);
        let end = self.end - self.start;
        // One beyond the end has none after it.
        let after = move |&(k, last): &(u64, u64)| {
            (last < end).then(|| self.trough_after(k, last)).flatten()
        };
        let of_policy = core::iter::successors(self.trough_after(0, 0), after)
            .take_while(move |&(_, trough)| trough <= end)
            .map(|(_, trough)| self.start + trough);
        of_policy.chain(of_repeat)
    }

    /// The first trough of the policy after the `k`th and after its update `last`: which it is,
    /// and the update.
    fn trough_after(&self, k: u64, last: u64) -> Option<(u64, u64)> {
        let Part::Policy(policy) = &self.part else {
            return None;
        };
        // Many cycles may end within one update.
        let (cycle, _) = policy.cycle(last as f64, self.horizon)?;
        let mut k = cycle.max(k) + 1;
        loop {
            let trough = round_up(policy.trough(k, self.horizon)?);
            if trough > last {
                return Some((k, trough));
            }
            k += 1;
        }
    }

    /// Rates are monotone where they can overflow, so that the ends tell.
    pub(super) fn check_finite(&self) -> Result<(), Error> {
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
