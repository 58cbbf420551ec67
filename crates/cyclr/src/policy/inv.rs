use alloc::{format, string::String, vec, vec::Vec};

use crate::Hyper;
use crate::error::{Error, above_zero, rate};
use crate::policy::{Curve, Definition, Resolver};
use crate::spec::{Args, Fault, Field, number};
use crate::units::Length;

/// The rate falls as a power of the update.
///
/// `lr(i) = lr · (1 + gamma·i)^(-power)`
///
/// Ranges: `lr` finite and at least 0; `gamma` and `power` finite and above 0. At 0: `lr`; past
/// the end it holds its value at the end. Equals Caffe's `inv`.
#[doc = include_str!("../../doc/inv.svg")]
/// ```
/// use cyclr::{Spec, policy::Inv, units::Horizon};
///
/// let schedule = Spec::from(Inv::new(1.0, 1.0, 2.0)?).schedule(&Horizon::of_updates(100)?)?;
/// assert_eq!(schedule.at(1).lr, 0.25);
/// # Ok::<(), cyclr::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Inv {
    lr: f64,
    gamma: f64,
    power: f64,
}

impl Inv {
    /// # Errors
    /// [`Error::OutOfRange`] if a value lies outside the ranges above.
    pub fn new(lr: f64, gamma: f64, power: f64) -> Result<Self, Error> {
        Ok(Self {
            lr: rate("lr", lr)?,
            gamma: above_zero("gamma", gamma)?,
            power: above_zero("power", power)?,
        })
    }
}

impl Definition for Inv {
    type Resolved = Self;

    const KEYS: &'static [&'static str] = &["lr", "gamma", "power"];

    fn read(args: &Args) -> Result<Self, Fault> {
        Ok(Self::new(
            args.number("lr")?,
            args.number("gamma")?,
            args.number("power")?,
        )?)
    }

    fn fields(&self) -> Vec<Field> {
        vec![
            Field::rate("lr", self.lr),
            Field::amount_per_update("gamma", self.gamma),
            Field::number("power", self.power),
        ]
    }

    fn describe(&self, _: &str) -> String {
        let (lr, gamma, power) = (number(self.lr), number(self.gamma), number(self.power));
        format!("the rate starts at {lr} and falls as (1 + {gamma}·i)^-{power}")
    }

    fn resolve(&self, _: &Resolver) -> Result<Self, Error> {
        Ok(self.clone())
    }

    fn shown_in(&self, _: &dyn Fn(Length) -> Option<f64>) -> Option<f64> {
        Some(1000.0)
    }
}

impl Curve for Inv {
    #[inline]
    fn at(&self, i: f64, _: f64) -> Hyper {
        Hyper::lr(self.lr * libm::exp(-self.power * libm::log(1.0 + self.gamma * i)))
    }
}
