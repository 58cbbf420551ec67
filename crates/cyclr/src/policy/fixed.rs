use alloc::{format, string::String, vec, vec::Vec};

use crate::Hyper;
use crate::error::{Error, rate};
use crate::spec::{Args, Fault, Field, number};

/// The same rate at every update.
///
/// `lr(i) = lr`
///
/// Ranges: `lr` finite and at least 0. At 0, everywhere and past the end: `lr`. Equals Caffe's `fixed` policy.
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
    /// [`Error::OutOfRange`] where `lr` is negative or not finite.
    pub fn new(lr: f64) -> Result<Self, Error> {
        Ok(Self {
            lr: rate("lr", lr)?,
        })
    }

    pub(super) const KEYS: &[&str] = &["lr"];

    pub(super) fn read(args: &Args) -> Result<Self, Fault> {
        Ok(Self::new(args.number("lr")?)?)
    }

    pub(super) fn fields(&self) -> Vec<Field> {
        vec![Field::number("lr", self.lr)]
    }

    pub(super) fn describe(&self) -> String {
        format!("the rate stays at {}", number(self.lr))
    }

    #[inline]
    pub(super) fn at(&self) -> Hyper {
        Hyper::lr(self.lr)
    }
}
