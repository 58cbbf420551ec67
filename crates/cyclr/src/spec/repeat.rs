//! Stages that are gone through several times.

use alloc::{format, string::String, vec::Vec};
use core::fmt;

use super::{Kind, Stage, check_warmups, number};
use crate::error::{Error, in_range};

/// The most times that stages are repeated.
const MOST_TIMES: u64 = 1_000;

/// Stages that are gone through `times` times, each time at `gamma` times the rates of the time
/// before.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Repeat {
    pub(crate) stages: Vec<Stage>,
    pub(crate) times: u64,
    pub(crate) gamma: f64,
}

/// A stage of a run: one that stands alone, or one of those that a repeat stands for.
#[derive(Clone, Copy)]
pub(crate) struct Turn<'s> {
    pub(crate) stage: &'s Stage,
    /// What its rates are multiplied by.
    pub(crate) factor: f64,
    /// The 0-based stage of the spec that repeats it, and the 0-based time.
    pub(crate) repeat: Option<(usize, u64)>,
}

impl Stage {
    /// Stages that are gone through `times` times. Where nothing in them cycles, each time is a
    /// cycle, and ends at a trough. The rates of each time are `gamma` times those of the time
    /// before; 1 repeats them as they are.
    ///
    /// ```
    /// use cyclr::{Spec, spec::Stage, policy::Linear, units::{Horizon, Updates}};
    ///
    /// let fall = Stage::lasting(Linear::new(1.0, 0.0)?, Updates(10))?;
    /// let spec = Spec::new([Stage::repeated([fall], 3, 0.5)?])?;
    /// assert_eq!(spec.to_string(), "(linear(lr=1) for 10) x 3 gamma=0.5");
    /// let schedule = spec.schedule(&Horizon::of_updates(30)?)?;
    /// assert_eq!([0, 10, 20].map(|i| schedule.at(i).lr), [1.0, 0.5, 0.25]);
    /// assert_eq!(schedule.troughs().collect::<Vec<_>>(), [10, 20, 30]);
    /// # Ok::<(), cyclr::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfRange`] unless `times` is between 2 and 1,000 and `gamma` above 0 and at most
    /// 1; [`Error::Sequence`] if there is no stage, one is open or itself repeated, or a warm-up
    /// leads into nothing.
    pub fn repeated(
        stages: impl IntoIterator<Item = Self>,
        times: u64,
        gamma: f64,
    ) -> Result<Self, Error> {
        let stages: Vec<Self> = stages.into_iter().collect();
        let refuse = |reason| Err(Error::Sequence { reason });
        in_range(
            "x",
            times as f64,
            "a whole number between 2 and 1000",
            |_| (2..=MOST_TIMES).contains(&times),
        )?;
        in_range("gamma", gamma, "above 0 and at most 1", |g| {
            g > 0.0 && g <= 1.0
        })?;
        check_warmups(&stages)?;
        if stages.iter().any(Self::is_open) {
            return refuse("what is repeated needs a length: write `(… for 2000) x 5`");
        }
        if stages
            .iter()
            .any(|stage| matches!(stage.kind, Kind::Repeat(_)))
        {
            return refuse("a repeat cannot be repeated: write out the outer one");
        }
        Ok(Self {
            kind: Kind::Repeat(Repeat {
                stages,
                times,
                gamma,
            }),
            length: None,
        })
    }
}

impl Repeat {
    /// Describes the repeat. `whole` is what per cent inside a policy are of.
    pub(super) fn describe(&self, whole: &str) -> String {
        let stages = self.stages.iter().map(|stage| stage.describe(whole));
        let stages = stages.collect::<Vec<_>>().join("; then ");
        let falling = if self.gamma == 1.0 {
            String::new()
        } else {
            let gamma = number(self.gamma);
            format!(", each time at {gamma} times the rates before")
        };
        format!("{} times{falling} ({stages})", self.times)
    }
}

impl fmt::Display for Repeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stages = self.stages.iter().map(|stage| format!("{stage}"));
        let stages = stages.collect::<Vec<_>>().join(" then ");
        write!(f, "({stages}) x {}", self.times)?;
        if self.gamma == 1.0 {
            Ok(())
        } else {
            write!(f, " gamma={}", number(self.gamma))
        }
    }
}

/// The stages of a run, repeats written out.
pub(crate) fn turns(stages: &[Stage]) -> Vec<Turn<'_>> {
    let mut turns = Vec::with_capacity(stages.len());
    for (n, stage) in stages.iter().enumerate() {
        let Kind::Repeat(repeat) = &stage.kind else {
            turns.push(Turn {
                stage,
                factor: 1.0,
                repeat: None,
            });
            continue;
        };
        let mut factor = 1.0;
        for time in 0..repeat.times {
            turns.extend(repeat.stages.iter().map(|stage| Turn {
                stage,
                factor,
                repeat: Some((n, time)),
            }));
            factor *= repeat.gamma;
        }
    }
    turns
}
