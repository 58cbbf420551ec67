//! The policies: how the rate moves with the update. One file each, with its formula, ranges, and source.
//!
//! In all of them `i` is the 0-based update of the policy's stage and `N` the stage's horizon. A policy holds its lengths
//! in updates, epochs or per cent; [`Spec::schedule`](crate::Spec::schedule) turns them into updates once the run is
//! known.

use alloc::{format, string::String, vec::Vec};

use crate::Hyper;
use crate::error::{Error, in_range, ordered};
use crate::spec::{Args, Fault, Field, number};
use crate::units::{Horizon, Length};

mod cosine;
mod cosine_restarts;
mod decay;
mod exp_range;
mod exponential;
mod fixed;
mod inv;
mod linear;
mod multistep;
mod one_cycle;
mod one_cycle_smith;
mod poly;
mod rex;
mod sigmoid;
mod step;
mod triangular;
mod triangular2;
mod warmup;
mod wave;
mod wsd;

pub use cosine::Cosine;
pub use cosine_restarts::CosineRestarts;
pub use exp_range::{Decays, ExpRange};
pub use exponential::Exponential;
pub use fixed::Fixed;
pub use inv::Inv;
pub use linear::Linear;
pub use multistep::MultiStep;
pub use one_cycle::{Anneal, OneCycle, Phases};
pub use one_cycle_smith::OneCycleSmith;
pub use poly::Poly;
pub use rex::Rex;
pub use sigmoid::Sigmoid;
pub use step::Step;
pub use triangular::Triangular;
pub use triangular2::Triangular2;
pub use warmup::Warmup;
use warmup::{Rise, describe_rise};
pub use wave::Wave;
pub use wsd::{Cooldown, Wsd};

/// The bounds between which a cyclical policy moves momentum, against the rate: `0 <= lo <= hi < 1`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Momentum {
    lo: f64,
    hi: f64,
}

impl Momentum {
    /// # Errors
    /// [`Error::OutOfRange`] or [`Error::Crossed`] where the bounds are not as above.
    pub fn new(lo: f64, hi: f64) -> Result<Self, Error> {
        for bound in [lo, hi] {
            in_range("momentum", bound, "at least 0 and below 1", |m| {
                (0.0..1.0).contains(&m)
            })?;
        }
        ordered(("momentum's lower bound", lo), ("its upper bound", hi))?;
        Ok(Self { lo, hi })
    }

    /// The momentum where the rate has gone `height`, in `0..=1`, of the way to its maximum.
    fn against(self, height: f64) -> f64 {
        self.hi - (self.hi - self.lo) * height
    }

    fn field(self) -> Field {
        Field::range("momentum", self.lo, self.hi)
    }

    fn describe(self) -> String {
        format!(
            ", while momentum goes from {} to {} and back",
            number(self.hi),
            number(self.lo)
        )
    }
}

/// Declares [`Policy`] with what its variants have in common: a name in the grammar, keys, and how they are read.
macro_rules! policies {
    ($($name:literal: $variant:ident($policy:ident $(<$length:ident>)?),)*) => {
        /// Any policy of the spec grammar. `L` is the unit of its lengths: [`Length`] in a spec, updates in a schedule.
        #[derive(Clone, Debug, PartialEq)]
        #[expect(missing_docs, reason = "each variant is the policy of its name")]
        pub enum Policy<L = Length> {
            $($variant($policy $(<$length>)?),)*
        }

        $(impl From<$policy> for Policy {
            fn from(policy: $policy) -> Self {
                Self::$variant(policy)
            }
        })*

        impl Policy {
            /// The names of all policies in the spec grammar.
            pub const NAMES: &[&str] = &[$($name),*];

            /// The policy's name in the spec grammar.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $name,)*
                }
            }

            /// The policy in words.
            pub fn describe(&self) -> String {
                match self {
                    $(Self::$variant(policy) => policy.describe(),)*
                }
            }

            /// The keys that the policy of that name takes.
            pub(crate) fn keys(name: &str) -> Option<&'static [&'static str]> {
                match name {
                    $($name => Some($policy::KEYS),)*
                    _ => None,
                }
            }

            pub(crate) fn read(args: &Args) -> Result<Self, Fault> {
                match args.name() {
                    $($name => $policy::read(args).map(Self::$variant),)*
                    _ => Err(args.unknown_name(Self::NAMES)),
                }
            }

            pub(crate) fn fields(&self) -> Vec<Field> {
                match self {
                    $(Self::$variant(policy) => policy.fields(),)*
                }
            }
        }
    };
}

policies! {
    "fixed": Fixed(Fixed),
    "step": Step(Step<L>),
    "multistep": MultiStep(MultiStep<L>),
    "exponential": Exponential(Exponential),
    "inv": Inv(Inv),
    "sigmoid": Sigmoid(Sigmoid<L>),
    "poly": Poly(Poly),
    "linear": Linear(Linear<L>),
    "cosine": Cosine(Cosine<L>),
    "cosine_restarts": CosineRestarts(CosineRestarts<L>),
    "wsd": Wsd(Wsd<L>),
    "rex": Rex(Rex),
    "triangular": Triangular(Triangular<L>),
    "triangular2": Triangular2(Triangular2<L>),
    "exp_range": ExpRange(ExpRange<L>),
    "one_cycle": OneCycle(OneCycle<L>),
    "one_cycle_smith": OneCycleSmith(OneCycleSmith<L>),
}

impl Policy {
    /// The policy with its lengths in updates.
    pub(crate) fn resolve(&self, to: &Resolver) -> Result<Policy<f64>, Error> {
        Ok(match self {
            Self::Fixed(policy) => Policy::Fixed(policy.clone()),
            Self::Step(policy) => Policy::Step(policy.resolve(to)?),
            Self::MultiStep(policy) => Policy::MultiStep(policy.resolve(to)?),
            Self::Exponential(policy) => Policy::Exponential(policy.clone()),
            Self::Inv(policy) => Policy::Inv(policy.clone()),
            Self::Sigmoid(policy) => Policy::Sigmoid(policy.resolve(to)?),
            Self::Poly(policy) => Policy::Poly(policy.clone()),
            Self::Linear(policy) => Policy::Linear(policy.resolve(to)?),
            Self::Cosine(policy) => Policy::Cosine(policy.resolve(to)?),
            Self::CosineRestarts(policy) => Policy::CosineRestarts(policy.resolve(to)?),
            Self::Wsd(policy) => Policy::Wsd(policy.resolve(to)?),
            Self::Rex(policy) => Policy::Rex(policy.clone()),
            Self::Triangular(policy) => Policy::Triangular(policy.resolve(to)?),
            Self::Triangular2(policy) => Policy::Triangular2(policy.resolve(to)?),
            Self::ExpRange(policy) => Policy::ExpRange(policy.resolve(to)?),
            Self::OneCycle(policy) => Policy::OneCycle(policy.resolve(to)?),
            Self::OneCycleSmith(policy) => Policy::OneCycleSmith(policy.resolve(to)?),
        })
    }

    /// A number of updates that shows the policy whole (four cycles of a cyclical one), from its lengths in updates.
    /// `None` where the policy is bound to a horizon, or one of its lengths is unknown to `updates`.
    pub(crate) fn shown_in(&self, updates: impl Fn(Length) -> Option<f64>) -> Option<f64> {
        let cycles =
            |wave: &Wave| Some(4.0 * (updates(wave.halves().0)? + updates(wave.halves().1)?));
        match self {
            Self::Fixed(_) => Some(100.0),
            Self::Step(policy) => Some(4.0 * updates(policy.every())?),
            Self::MultiStep(policy) => Some(4.0 / 3.0 * updates(policy.last())?),
            Self::Exponential(_) | Self::Inv(_) => Some(1000.0),
            Self::Sigmoid(policy) => Some(2.0 * updates(policy.centre())?),
            Self::CosineRestarts(policy) => policy.four_periods(updates),
            Self::Triangular(policy) => cycles(policy.wave()),
            Self::Triangular2(policy) => cycles(policy.wave()),
            Self::ExpRange(policy) => cycles(policy.wave()),
            Self::OneCycleSmith(policy) => Some(2.5 * updates(policy.step())?),
            Self::Poly(_)
            | Self::Linear(_)
            | Self::Cosine(_)
            | Self::Wsd(_)
            | Self::Rex(_)
            | Self::OneCycle(_) => None,
        }
    }
}

impl Policy<f64> {
    /// The rate at update `i` of a stage of `horizon` updates.
    #[inline]
    pub(crate) fn at(&self, i: f64, horizon: f64) -> Hyper {
        match self {
            Self::Fixed(policy) => policy.at(),
            Self::Step(policy) => policy.at(i),
            Self::MultiStep(policy) => policy.at(i),
            Self::Exponential(policy) => policy.at(i),
            Self::Inv(policy) => policy.at(i),
            Self::Sigmoid(policy) => policy.at(i),
            Self::Poly(policy) => policy.at(i, horizon),
            Self::Linear(policy) => policy.at(i, horizon),
            Self::Cosine(policy) => policy.at(i, horizon),
            Self::CosineRestarts(policy) => policy.at(i),
            Self::Wsd(policy) => policy.at(i, horizon),
            Self::Rex(policy) => policy.at(i, horizon),
            Self::Triangular(policy) => policy.at(i),
            Self::Triangular2(policy) => policy.at(i),
            Self::ExpRange(policy) => policy.at(i),
            Self::OneCycle(policy) => policy.at(i, horizon),
            Self::OneCycleSmith(policy) => policy.at(i),
        }
    }

    /// The 0-based cycle that update `i` lies in and how much of it is past, in `0..=1`, where the policy cycles.
    pub(crate) fn cycle(&self, i: f64, horizon: f64) -> Option<(u64, f64)> {
        match self {
            Self::Triangular(policy) => Some(policy.wave().cycle(i)),
            Self::Triangular2(policy) => Some(policy.wave().cycle(i)),
            Self::ExpRange(policy) => Some(policy.wave().cycle(i)),
            Self::CosineRestarts(policy) => Some(policy.cycle(i)),
            Self::OneCycle(_) => Some((0, (i / horizon).min(1.0))),
            Self::OneCycleSmith(policy) => Some((0, (i / policy.end()).min(1.0))),
            _ => None,
        }
    }

    /// The end of the `k`th cycle, counted from 1, in updates of the stage, where the policy has that many.
    pub(crate) fn trough(&self, k: u64, horizon: f64) -> Option<f64> {
        match self {
            Self::Triangular(policy) => Some(k as f64 * policy.wave().period()),
            Self::Triangular2(policy) => Some(k as f64 * policy.wave().period()),
            Self::ExpRange(policy) => Some(k as f64 * policy.wave().period()),
            Self::CosineRestarts(policy) => Some(policy.restart(k)),
            Self::OneCycle(_) => (k == 1).then_some(horizon),
            Self::OneCycleSmith(policy) => match k {
                1 => Some(policy.end()),
                2 => (policy.end() < horizon).then_some(horizon),
                _ => None,
            },
            _ => None,
        }
    }

    /// Where the rate is a sequence of constant steps: the update of the stage at which each begins, and its rate.
    /// No more than `most` of them.
    pub(crate) fn steps(&self, horizon: f64, most: usize) -> Option<Vec<(f64, f64)>> {
        match self {
            Self::Fixed(policy) => Some(alloc::vec![(0.0, policy.at().lr)]),
            Self::Step(policy) => Some(policy.steps(horizon, most)),
            Self::MultiStep(policy) => Some(policy.steps(horizon, most)),
            _ => None,
        }
    }
}

/// Turns the lengths of one stage's policy into updates.
pub(crate) struct Resolver<'a> {
    /// The run.
    pub(crate) run: &'a Horizon,
    /// The updates that per cent are of: the stage's, with those of a warm-up that leads into it.
    pub(crate) whole: f64,
    /// The updates of the stage itself.
    pub(crate) room: f64,
}

impl Resolver<'_> {
    /// A length that must come out longer than 0.
    fn updates(&self, key: &'static str, length: Length) -> Result<f64, Error> {
        let updates = self.fraction(length)?;
        if updates > 0.0 {
            Ok(updates)
        } else {
            Err(Error::ZeroLength { key, length })
        }
    }

    /// A length that may be none.
    fn fraction(&self, length: Length) -> Result<f64, Error> {
        self.run.updates_within(length, self.whole)
    }

    /// Refuses what is longer than the stage.
    fn fits(&self, key: &'static str, taken: f64) -> Result<(), Error> {
        let rounding = 1e-12 * self.room;
        if taken <= self.room + rounding {
            Ok(())
        } else {
            Err(Error::TooLong {
                key,
                taken,
                updates: self.room,
            })
        }
    }

    /// Refuses what leaves nothing of the stage.
    fn leaves_room(&self, key: &'static str, taken: f64) -> Result<(), Error> {
        if taken < self.room {
            Ok(())
        } else {
            Err(Error::TooLong {
                key,
                taken,
                updates: self.room,
            })
        }
    }
}

/// The length, if it is longer than 0.
fn positive(key: &'static str, length: impl Into<Length>) -> Result<Length, Error> {
    let length = length.into();
    if length.is_zero() {
        Err(Error::ZeroLength { key, length })
    } else {
        Ok(length)
    }
}
