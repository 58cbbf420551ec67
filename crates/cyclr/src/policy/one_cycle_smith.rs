use alloc::{format, string::String, vec, vec::Vec};

use crate::Hyper;
use crate::error::{Error, above_zero, ordered, rate};
use crate::policy::{Curve, Definition, Momentum, Resolver, positive};
use crate::spec::{Args, Fault, Field, number};
use crate::units::{Length, snapped};

/// One cycle as its author ran it: up to the maximum, down to 0, then a tail far below the base.
///
/// With `s` the step size: `lr(i) = base + (max - base)·i/s` where `i <= s`; `max·(2s - i)/s`
/// where `s < i < 2s`; `base/1000` from `2s` on. Momentum, where given, goes `hi`, `lo`, `hi` in
/// straight lines and stays at `hi`.
///
/// Ranges: `0 <= base <= max`, `max` above 0; `step` longer than 0. At 0: `base`; at `s`: `max`;
/// past the end it holds its value at the end. Source: the author's logs (lnsmith54/hyperParam1);
/// Smith, [A disciplined approach](https://arxiv.org/abs/1803.09820), section 4.1.
#[doc = include_str!("../../doc/one_cycle_smith.svg")]
/// ```
/// use cyclr::{Spec, policy::OneCycleSmith, units::{Horizon, Updates}};
///
/// let policy = OneCycleSmith::new(0.1, 3.0, Updates(40))?;
/// let schedule = Spec::from(policy).schedule(&Horizon::of_updates(100)?)?;
/// assert_eq!([0, 40, 60, 80].map(|i| schedule.at(i).lr), [0.1, 3.0, 1.5, 0.0001]);
/// # Ok::<(), cyclr::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct OneCycleSmith<L = Length> {
    base: f64,
    max: f64,
    step: L,
    momentum: Option<Momentum>,
}

/// The tail's share of the base.
const TAIL: f64 = 1000.0;

impl OneCycleSmith {
    /// # Errors
    /// [`Error::OutOfRange`], [`Error::Crossed`] or [`Error::ZeroLength`] if a value lies outside
    /// the ranges above.
    pub fn new(base: f64, max: f64, step: impl Into<Length>) -> Result<Self, Error> {
        let (base, max) = (rate("base", base)?, above_zero("max", max)?);
        ordered(("base", base), ("max", max))?;
        Ok(Self {
            base,
            max,
            step: positive("step", step)?,
            momentum: None,
        })
    }

    /// Moves momentum against the rate.
    pub fn with_momentum(self, momentum: Momentum) -> Self {
        Self {
            momentum: Some(momentum),
            ..self
        }
    }
}

impl Definition for OneCycleSmith {
    type Resolved = OneCycleSmith<f64>;

    const KEYS: &'static [&'static str] = &["base", "max", "step", "momentum"];

    fn read(args: &Args) -> Result<Self, Fault> {
        let policy = Self::new(
            args.number("base")?,
            args.number("max")?,
            args.length("step")?,
        )?;
        Ok(Self {
            momentum: args.momentum()?,
            ..policy
        })
    }

    fn fields(&self) -> Vec<Field> {
        let mut fields = vec![
            Field::rate("base", self.base),
            Field::rate("max", self.max),
            Field::length("step", self.step),
        ];
        fields.extend(self.momentum.map(Momentum::field));
        fields
    }

    fn describe(&self, whole: &str) -> String {
        let (base, max, tail) = (
            number(self.base),
            number(self.max),
            number(self.base / TAIL),
        );
        let (step, momentum) = (
            self.step.describe(whole),
            self.momentum.map_or_else(String::new, Momentum::describe),
        );
        format!(
            "the rate rises from {base} to {max} over {step}, falls to 0 over as many and stays at {tail}{momentum}"
        )
    }

    fn resolve(&self, to: &Resolver) -> Result<OneCycleSmith<f64>, Error> {
        let step = to.updates("step", self.step)?;
        Ok(OneCycleSmith {
            base: self.base,
            max: self.max,
            step,
            momentum: self.momentum,
        })
    }

    fn shown_in(&self, updates: &dyn Fn(Length) -> Option<f64>) -> Option<f64> {
        Some(2.5 * updates(self.step)?)
    }
}

impl Curve for OneCycleSmith<f64> {
    #[inline]
    fn at(&self, i: f64, _: f64) -> Hyper {
        let s = self.step;
        let (lr, height) = if i <= s {
            (self.base + (self.max - self.base) * (i / s), i / s)
        } else if i < self.end() {
            (self.max * ((2.0 * s - i) / s), (2.0 * s - i) / s)
        } else {
            (self.base / TAIL, 0.0)
        };
        Hyper {
            lr,
            momentum: self.momentum.map(|momentum| momentum.against(height)),
            weight_decay: None,
        }
    }

    fn cycle(&self, i: f64, _: f64) -> Option<(u64, f64)> {
        Some((0, (i / self.end()).min(1.0)))
    }

    fn trough(&self, k: u64, horizon: f64) -> Option<f64> {
        match k {
            1 => Some(self.end()),
            2 => (self.end() < horizon).then_some(horizon),
            _ => None,
        }
    }
}

impl OneCycleSmith<f64> {
    /// The end of the cycle, where the tail begins.
    fn end(&self) -> f64 {
        snapped(2.0 * self.step)
    }
}
