use alloc::{format, string::String, vec, vec::Vec};

use crate::Hyper;
use crate::error::{Error, above_zero, rate};
use crate::policy::decay::Decay;
use crate::policy::{Curve, Definition, Resolver};
use crate::spec::{Args, Fault, Field, number};
use crate::units::Length;

/// The rate is multiplied by a factor at every update.
///
/// `lr(i) = lr · gamma^i`
///
/// Ranges: `lr` finite and at least 0; `gamma` finite and above 0 (above 1 the rate rises, as in
/// an exponential range test). At 0: `lr`; past the end it holds its value at the end. Equals
/// torch's `ExponentialLR` and Caffe's `exp`.
#[doc = include_str!("../../doc/exponential.svg")]
/// ```
/// use cyclr::{Spec, policy::Exponential, units::Horizon};
///
/// let schedule = Spec::from(Exponential::new(1.0, 0.5)?).schedule(&Horizon::of_updates(100)?)?;
/// assert!((schedule.at(3).lr - 0.125).abs() < 1e-15);
/// # Ok::<(), cyclr::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Exponential {
    lr: f64,
    gamma: Decay,
}

impl Exponential {
    /// # Errors
    /// [`Error::OutOfRange`] if a value lies outside the ranges above.
    pub fn new(lr: f64, gamma: f64) -> Result<Self, Error> {
        Ok(Self {
            lr: rate("lr", lr)?,
            gamma: Decay::new(above_zero("gamma", gamma)?),
        })
    }
}

impl Definition for Exponential {
    type Resolved = Self;

    const KEYS: &'static [&'static str] = &["lr", "gamma"];

    fn read(args: &Args) -> Result<Self, Fault> {
        Ok(Self::new(args.number("lr")?, args.number("gamma")?)?)
    }

    fn fields(&self) -> Vec<Field> {
        vec![
            Field::rate("lr", self.lr),
            Field::factor_per_update("gamma", self.gamma.gamma()),
        ]
    }

    fn describe(&self, _: &str) -> String {
        format!(
            "the rate starts at {} and is multiplied by {} at every update",
            number(self.lr),
            number(self.gamma.gamma())
        )
    }

    fn resolve(&self, _: &Resolver) -> Result<Self, Error> {
        Ok(self.clone())
    }

    fn shown_in(&self, _: &dyn Fn(Length) -> Option<f64>) -> Option<f64> {
        Some(1000.0)
    }
}

impl Curve for Exponential {
    #[inline]
    fn at(&self, i: f64, _: f64) -> Hyper {
        Hyper::lr(self.lr * self.gamma.smooth(i))
    }
}
