//! The policies: how the rate moves with the update. One file each, with its formula, ranges, and
//! source.
//!
//! In all of them `i` is the 0-based update of the policy's stage and `N` the stage's horizon. A
//! policy holds its lengths in updates, epochs or per cent;
//! [`Spec::schedule`](crate::Spec::schedule) turns them into updates once the run is known.

// A policy's file says all that the rest must know of it, by implementing `Definition` and
// `Curve`; its line in `policies!` registers it.

use alloc::{format, string::String, vec::Vec};

use crate::Hyper;
use crate::error::{Error, in_range, ordered};
use crate::spec::{Args, Fault, Field, number};
use crate::units::Length;

mod cosine;
mod cosine_restarts;
mod decay;
mod exp_range;
mod exponential;
mod fixed;
mod inv;
mod inverse_sqrt;
mod linear;
mod multistep;
mod one_cycle;
mod one_cycle_smith;
mod poly;
mod resolver;
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
pub use inverse_sqrt::InverseSqrt;
pub use linear::Linear;
pub use multistep::MultiStep;
pub use one_cycle::{Anneal, OneCycle};
pub use one_cycle_smith::OneCycleSmith;
pub use poly::Poly;
pub(crate) use resolver::Resolver;
pub use rex::Rex;
pub use sigmoid::Sigmoid;
pub use step::Step;
pub use triangular::Triangular;
pub use triangular2::Triangular2;
pub use warmup::Warmup;
use warmup::{Rise, usual_warmup};
pub use wave::Wave;
pub use wsd::{Cooldown, Wsd};

/// The bounds between which a cyclical policy moves momentum, against the rate: `0 <= lo <= hi <
/// 1`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Momentum {
    lo: f64,
    hi: f64,
}

impl Momentum {
    /// # Errors
    /// [`Error::OutOfRange`] or [`Error::Crossed`] if the bounds are not as above.
    pub fn new(lo: f64, hi: f64) -> Result<Self, Error> {
        for bound in [lo, hi] {
            in_range("momentum", bound, "at least 0 and below 1", |m| {
                (0.0..1.0).contains(&m)
            })?;
        }
        ordered(("momentum's lower bound", lo), ("its upper bound", hi))?;
        Ok(Self { lo, hi })
    }

    /// The momentum when the rate has gone `height`, in `0..=1`, of the way to its maximum.
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

/// What a policy says of itself in its own file: how it stands in the grammar.
trait Definition: Sized {
    /// The policy with its lengths in updates.
    type Resolved: Curve;

    /// The keys that it takes.
    const KEYS: &'static [&'static str];

    /// How it is made where it is named without its keys. `None` if bounds and a step size do not
    /// say enough.
    const COMPLETE: Option<Completing<Self>> = None;

    /// What a range test's `max_lr` is divided by to give the peak that suits the policy: 1 if its
    /// rate falls to the end.
    const MAX_OVER_PEAK: f64 = 1.0;

    /// Reads it from its arguments.
    fn read(args: &Args) -> Result<Self, Fault>;

    /// Its keys and values. [`Definition::read`] makes the same policy of them.
    fn fields(&self) -> Vec<Field>;

    /// Describes it. `whole` is what per cent are of: the run or the stage.
    fn describe(&self, whole: &str) -> String;

    /// The policy with its lengths in updates.
    fn resolve(&self, to: &Resolver) -> Result<Self::Resolved, Error>;

    /// A number of updates that shows it whole (four cycles of a cyclical one), from its lengths
    /// in updates. `None` if it depends on the horizon, or `updates` does not know one of its
    /// lengths.
    fn shown_in(&self, _updates: &dyn Fn(Length) -> Option<f64>) -> Option<f64> {
        None
    }
}

/// What a policy says of itself in its own file: its rates, once its lengths are in updates. `i`
/// is the update of the stage, and `horizon` the number of the stage's updates.
trait Curve {
    fn at(&self, i: f64, horizon: f64) -> Hyper;

    /// The 0-based cycle that update `i` lies in and how much of it is past, in `0..=1`, if the
    /// policy cycles.
    fn cycle(&self, _i: f64, _horizon: f64) -> Option<(u64, f64)> {
        None
    }

    /// The end of the `k`th cycle, counted from 1, if the policy has that many.
    fn trough(&self, _k: u64, _horizon: f64) -> Option<f64> {
        None
    }

    /// If the rate is a sequence of constant steps: the update at which each begins, and its rate.
    /// At most `most`.
    fn steps(&self, _horizon: f64, _most: usize) -> Option<Vec<(f64, f64)>> {
        None
    }
}

/// What completes a policy that is named without its keys: the bounds of the rate and a step size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Completion {
    /// The lower bound; only cyclical policies use it.
    pub base_lr: f64,
    /// The upper bound, at which the policy peaks.
    pub max_lr: f64,
    /// Half a cycle; only cyclical policies use it.
    pub step: Length,
}

type Completing<P> = fn(&Completion) -> Result<P, Error>;

/// Declares [`Policy`] with what its variants have in common: a name in the grammar, and what
/// [`Definition`] and [`Curve`] say.
macro_rules! policies {
    ($($name:literal: $variant:ident($policy:ident $(<$length:ident>)?),)*) => {
        /// Any policy of the spec grammar. `L` is the unit of its lengths: [`Length`] in a spec,
        /// updates in a schedule.
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

            /// The names that [`Policy::complete`] knows.
            pub fn completable() -> impl Iterator<Item = &'static str> {
                [$(<$policy>::COMPLETE.map(|_| $name)),*].into_iter().flatten()
            }

            /// What a range test's `max_lr` is divided by to give the peak that suits the policy of
            /// that name: 1, or more for policies whose rate does not fall to the end. `None` if
            /// [`Policy::complete`] does not know the name.
            ///
            /// ```
            /// use cyclr::policy::Policy;
            ///
            /// let over = ["linear", "triangular", "fixed", "step"].map(Policy::max_over_peak);
            /// assert_eq!(over, [Some(1.0), Some(1.4), Some(4.0), None]);
            /// ```
            pub fn max_over_peak(name: &str) -> Option<f64> {
                match name {
                    $($name => <$policy>::COMPLETE.map(|_| <$policy>::MAX_OVER_PEAK),)*
                    _ => None,
                }
            }

            /// The policy of that name with a peak at `max_lr`, the other keys as usual: `linear`,
            /// `cosine` and `wsd` have a warm-up of 5 %, cyclical policies go between the bounds.
            /// `None` if no policy has the name, or if the bounds do not say enough for it
            /// ([`Policy::completable`] has the names).
            ///
            /// ```
            /// use cyclr::{Spec, policy::{Completion, Policy}, units::{Length, Updates}};
            ///
            /// let step = Length::from(Updates(200));
            /// let with = Completion { base_lr: 0.01, max_lr: 0.04, step };
            /// let text = |name| Policy::complete(name, &with).map(|policy| policy.map(|p| Spec::from(p).to_string()));
            /// assert_eq!(text("linear"), Some(Ok(String::from("linear(lr=0.04, warmup=5%)"))));
            /// assert_eq!(text("triangular"), Some(Ok(String::from("triangular(base=0.01, max=0.04, step=200)"))));
            /// assert_eq!(text("step"), None);
            /// ```
            ///
            /// # Errors
            /// That of the policy's constructor if a bound or the step lies outside its range.
            pub fn complete(name: &str, with: &Completion) -> Option<Result<Self, Error>> {
                match name {
                    $($name => <$policy>::COMPLETE.map(|complete| complete(with).map(Self::$variant)),)*
                    _ => None,
                }
            }

            /// Describes the policy. `whole` is what per cent are of.
            pub(crate) fn describe(&self, whole: &str) -> String {
                match self {
                    $(Self::$variant(policy) => policy.describe(whole),)*
                }
            }

            /// The keys that the policy of that name takes.
            pub(crate) fn keys(name: &str) -> Option<&'static [&'static str]> {
                match name {
                    $($name => Some(<$policy>::KEYS),)*
                    _ => None,
                }
            }

            pub(crate) fn read(args: &Args) -> Result<Self, Fault> {
                match args.name() {
                    $($name => <$policy>::read(args).map(Self::$variant),)*
                    _ => Err(args.unknown_name(Self::NAMES)),
                }
            }

            pub(crate) fn fields(&self) -> Vec<Field> {
                match self {
                    $(Self::$variant(policy) => policy.fields(),)*
                }
            }

            pub(crate) fn shown_in(&self, updates: &dyn Fn(Length) -> Option<f64>) -> Option<f64> {
                match self {
                    $(Self::$variant(policy) => policy.shown_in(updates),)*
                }
            }

            pub(crate) fn resolve(&self, to: &Resolver) -> Result<Policy<f64>, Error> {
                Ok(match self {
                    $(Self::$variant(policy) => Policy::$variant(policy.resolve(to)?),)*
                })
            }
        }

        impl Policy<f64> {
            #[inline]
            pub(crate) fn at(&self, i: f64, horizon: f64) -> Hyper {
                match self {
                    $(Self::$variant(policy) => policy.at(i, horizon),)*
                }
            }

            pub(crate) fn cycle(&self, i: f64, horizon: f64) -> Option<(u64, f64)> {
                match self {
                    $(Self::$variant(policy) => policy.cycle(i, horizon),)*
                }
            }

            pub(crate) fn trough(&self, k: u64, horizon: f64) -> Option<f64> {
                match self {
                    $(Self::$variant(policy) => policy.trough(k, horizon),)*
                }
            }

            pub(crate) fn steps(&self, horizon: f64, most: usize) -> Option<Vec<(f64, f64)>> {
                match self {
                    $(Self::$variant(policy) => policy.steps(horizon, most),)*
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
    "inverse_sqrt": InverseSqrt(InverseSqrt<L>),
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

/// The length, if it is longer than 0.
fn positive(key: &'static str, length: impl Into<Length>) -> Result<Length, Error> {
    let length = length.into();
    if length.is_zero() {
        Err(Error::ZeroLength { key, length })
    } else {
        Ok(length)
    }
}
