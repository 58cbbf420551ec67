use alloc::{format, string::String, vec, vec::Vec};

use crate::Hyper;
use crate::error::{Error, in_range, rate};
use crate::policy::{Curve, Definition, Resolver};
use crate::spec::{Args, Fault, Field, number};
use crate::units::Length;

/// The rate follows a sigmoid around one update.
///
/// `lr(i) = lr / (1 + e^(-gamma·(i - at)))`
///
/// Ranges: `lr` finite and at least 0; `gamma` finite and not 0 (below 0 the rate falls from `lr`,
/// above 0 it rises to it). At `at` (in per cent, it counts as a drop of
/// [`MultiStep`](crate::policy::MultiStep) does): `lr / 2`; past the end it holds its value at the
/// end. Equals Caffe's `sigmoid`.
#[doc = include_str!("../../doc/sigmoid.svg")]
/// ```
/// use cyclr::{Spec, policy::Sigmoid, units::{Horizon, Updates}};
///
/// let schedule = Spec::from(Sigmoid::new(1.0, -0.1, Updates(50))?).schedule(&Horizon::of_updates(100)?)?;
/// assert_eq!(schedule.at(50).lr, 0.5);
/// # Ok::<(), cyclr::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Sigmoid<L = Length> {
    lr: f64,
    gamma: f64,
    at: L,
}

impl Sigmoid {
    /// # Errors
    /// [`Error::OutOfRange`] if a value lies outside the ranges above.
    pub fn new(lr: f64, gamma: f64, at: impl Into<Length>) -> Result<Self, Error> {
        let gamma = in_range("gamma", gamma, "a finite number other than 0", |g| g != 0.0)?;
        Ok(Self {
            lr: rate("lr", lr)?,
            gamma,
            at: at.into(),
        })
    }
}

impl Definition for Sigmoid {
    type Resolved = Sigmoid<f64>;

    const KEYS: &'static [&'static str] = &["lr", "gamma", "at"];

    fn read(args: &Args) -> Result<Self, Fault> {
        Ok(Self::new(
            args.number("lr")?,
            args.number("gamma")?,
            args.length("at")?,
        )?)
    }

    fn fields(&self) -> Vec<Field> {
        vec![
            Field::rate("lr", self.lr),
            Field::amount_per_update("gamma", self.gamma),
            Field::length("at", self.at),
        ]
    }

    fn describe(&self, whole: &str) -> String {
        let way = if self.gamma < 0.0 {
            "falls from"
        } else {
            "rises to"
        };
        format!(
            "the rate {way} {} along a sigmoid centred at {}",
            number(self.lr),
            self.at.describe(whole)
        )
    }

    fn resolve(&self, to: &Resolver) -> Result<Sigmoid<f64>, Error> {
        Ok(Sigmoid {
            lr: self.lr,
            gamma: self.gamma,
            at: to.place(self.at)?,
        })
    }

    fn shown_in(&self, updates: &dyn Fn(Length) -> Option<f64>) -> Option<f64> {
        Some(2.0 * updates(self.at)?)
    }
}

impl Curve for Sigmoid<f64> {
    #[inline]
    fn at(&self, i: f64, _: f64) -> Hyper {
        Hyper::lr(self.lr / (1.0 + libm::exp(-self.gamma * (i - self.at))))
    }
}
