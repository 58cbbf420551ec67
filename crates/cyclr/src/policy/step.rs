use alloc::{format, string::String, vec, vec::Vec};

use crate::Hyper;
use crate::error::{Error, above_zero, rate};
use crate::policy::decay::Decay;
use crate::policy::{Curve, Definition, Resolver, positive};
use crate::spec::{Args, Fault, Field, number};
use crate::units::{Length, round_down, round_up};

/// The rate drops by a factor at even distances in updates.
///
/// `lr(i) = lr · gamma^floor(i / every)`
///
/// Ranges: `lr` finite and at least 0; `gamma` finite and above 0; `every` longer than 0. At 0:
/// `lr`; past the end it holds its value at the end. Equals torch's `StepLR` and Caffe's `step`.
#[doc = include_str!("../../doc/step.svg")]
/// ```
/// use cyclr::{Spec, policy::Step, units::{Horizon, Updates}};
///
/// let schedule = Spec::from(Step::new(1.0, 0.5, Updates(10))?).schedule(&Horizon::of_updates(30)?)?;
/// assert_eq!([0, 9, 10, 20].map(|i| schedule.at(i).lr), [1.0, 1.0, 0.5, 0.25]);
/// # Ok::<(), cyclr::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Step<L = Length> {
    lr: f64,
    gamma: Decay,
    every: L,
}

impl Step {
    /// # Errors
    /// [`Error::OutOfRange`] or [`Error::ZeroLength`] if a value lies outside the ranges above.
    pub fn new(lr: f64, gamma: f64, every: impl Into<Length>) -> Result<Self, Error> {
        Ok(Self {
            lr: rate("lr", lr)?,
            gamma: Decay::new(above_zero("gamma", gamma)?),
            every: positive("every", every)?,
        })
    }
}

impl Definition for Step {
    type Resolved = Step<f64>;

    const KEYS: &'static [&'static str] = &["lr", "gamma", "every"];

    fn read(args: &Args) -> Result<Self, Fault> {
        Ok(Self::new(
            args.number("lr")?,
            args.number("gamma")?,
            args.length("every")?,
        )?)
    }

    fn fields(&self) -> Vec<Field> {
        vec![
            Field::rate("lr", self.lr),
            Field::number("gamma", self.gamma.gamma()),
            Field::length("every", self.every),
        ]
    }

    fn describe(&self, whole: &str) -> String {
        let (lr, gamma, every) = (number(self.lr), number(self.gamma.gamma()), self.every);
        format!(
            "the rate starts at {lr} and is multiplied by {gamma} after every {}",
            every.describe(whole)
        )
    }

    fn resolve(&self, to: &Resolver) -> Result<Step<f64>, Error> {
        Ok(Step {
            lr: self.lr,
            gamma: self.gamma,
            every: to.updates("every", self.every)?,
        })
    }

    fn shown_in(&self, updates: &dyn Fn(Length) -> Option<f64>) -> Option<f64> {
        Some(4.0 * updates(self.every)?)
    }
}

impl Curve for Step<f64> {
    #[inline]
    fn at(&self, i: f64, _: f64) -> Hyper {
        let drops = round_down(i / self.every) as u64;
        Hyper::lr(self.lr * self.gamma.stepped(drops))
    }

    fn steps(&self, horizon: f64, most: usize) -> Option<Vec<(f64, f64)>> {
        let count = round_up(horizon / self.every).min(most as u64);
        let step = |k: u64| (k as f64 * self.every, self.lr * self.gamma.stepped(k));
        Some((0..count).map(step).collect())
    }
}
