use alloc::{format, string::String, vec, vec::Vec};

use crate::Hyper;
use crate::error::{Error, rate};
use crate::policy::{Completing, Curve, Definition, Resolver};
use crate::range::MAX_OVER_FIXED;
use crate::spec::{Args, Fault, Field, number};
use crate::units::Length;

/// The same rate at every update.
///
/// `lr(i) = lr`
///
/// Ranges: `lr` finite and at least 0. At 0, everywhere and past the end: `lr`. Equals Caffe's
/// `fixed` policy.
#[doc = include_str!("../../doc/fixed.svg")]
/// ```
/// use cyclr::{Spec, policy::Fixed, units::Horizon};
///
/// let schedule = Spec::from(Fixed::new(0.1)?).schedule(&Horizon::of_updates(100)?)?;
/// assert_eq!(schedule.at(17).lr, 0.1);
/// # Ok::<(), cyclr::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Fixed {
    lr: f64,
}

impl Fixed {
    /// # Errors
    /// [`Error::OutOfRange`] if `lr` is negative or not finite.
    pub fn new(lr: f64) -> Result<Self, Error> {
        Ok(Self {
            lr: rate("lr", lr)?,
        })
    }
}

impl Definition for Fixed {
    type Resolved = Self;

    const COMPLETE: Option<Completing<Self>> = Some(|with| Self::new(with.max_lr));
    const MAX_OVER_PEAK: f64 = MAX_OVER_FIXED;
    const KEYS: &'static [&'static str] = &["lr"];

    fn read(args: &Args) -> Result<Self, Fault> {
        Ok(Self::new(args.number("lr")?)?)
    }

    fn fields(&self) -> Vec<Field> {
        vec![Field::rate("lr", self.lr)]
    }

    fn describe(&self, _: &str) -> String {
        format!("the rate stays at {}", number(self.lr))
    }

    fn resolve(&self, _: &Resolver) -> Result<Self, Error> {
        Ok(self.clone())
    }

    fn shown_in(&self, _: &dyn Fn(Length) -> Option<f64>) -> Option<f64> {
        Some(100.0)
    }
}

impl Curve for Fixed {
    #[inline]
    fn at(&self, _: f64, _: f64) -> Hyper {
        Hyper::lr(self.lr)
    }

    fn steps(&self, _: f64, _: usize) -> Option<Vec<(f64, f64)>> {
        Some(vec![(0.0, self.lr)])
    }
}
