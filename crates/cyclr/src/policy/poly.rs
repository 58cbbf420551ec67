use alloc::{format, string::String, vec, vec::Vec};

use crate::Hyper;
use crate::error::{Error, above_zero, rate};
use crate::policy::{Curve, Definition, Resolver};
use crate::spec::{Args, Fault, Field, number};

/// The rate falls to 0 at the end, as a power of what is left.
///
/// `lr(i) = lr · (1 - i/N)^power`, with `N` the horizon
///
/// Ranges: `lr` finite and at least 0; `power` finite and above 0. At 0: `lr`; at `N`, one past
/// the last update, and beyond: 0. Equals torch's `PolynomialLR` with `total_iters = N` and
/// Caffe's `poly`.
#[doc = include_str!("../../doc/poly.svg")]
/// ```
/// use cyclr::{Spec, policy::Poly, units::Horizon};
///
/// let schedule = Spec::from(Poly::new(1.0, 2.0)?).schedule(&Horizon::of_updates(100)?)?;
/// assert_eq!([0, 50, 100].map(|i| schedule.at(i).lr), [1.0, 0.25, 0.0]);
/// # Ok::<(), cyclr::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Poly {
    lr: f64,
    power: f64,
}

impl Poly {
    /// # Errors
    /// [`Error::OutOfRange`] if a value lies outside the ranges above.
    pub fn new(lr: f64, power: f64) -> Result<Self, Error> {
        Ok(Self {
            lr: rate("lr", lr)?,
            power: above_zero("power", power)?,
        })
    }
}

impl Definition for Poly {
    type Resolved = Self;

    const KEYS: &'static [&'static str] = &["lr", "power"];

    fn read(args: &Args) -> Result<Self, Fault> {
        Ok(Self::new(args.number("lr")?, args.number("power")?)?)
    }

    fn fields(&self) -> Vec<Field> {
        vec![
            Field::rate("lr", self.lr),
            Field::number("power", self.power),
        ]
    }

    fn describe(&self, _: &str) -> String {
        let (lr, power) = (number(self.lr), number(self.power));
        format!(
            "the rate falls from {lr} to 0 at the end, as the power {power} of what is left of the run"
        )
    }

    fn resolve(&self, _: &Resolver) -> Result<Self, Error> {
        Ok(self.clone())
    }
}

impl Curve for Poly {
    #[inline]
    fn at(&self, i: f64, horizon: f64) -> Hyper {
        Hyper::lr(self.lr * libm::pow((1.0 - i / horizon).max(0.0), self.power))
    }
}
