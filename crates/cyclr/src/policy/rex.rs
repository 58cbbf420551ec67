use alloc::{format, string::String, vec, vec::Vec};

use crate::Hyper;
use crate::error::{Error, rate};
use crate::policy::{Completing, Curve, Definition, Resolver};
use crate::spec::{Args, Fault, Field, number};

/// The rate falls to 0 at the end along a reflected exponential: slowly at first, fast at last.
///
/// `lr(i) = lr · (1 - z) / (1/2 + (1 - z)/2)`, with `z = i/N` and `N` the horizon
///
/// Ranges: `lr` finite and at least 0. At 0: `lr`; at `N`, one past the last update, and beyond:
/// 0. Source: Chen et al., [REX](https://arxiv.org/abs/2107.04197), section 4.
#[doc = include_str!("../../doc/rex.svg")]
/// ```
/// use cyclr::{Spec, policy::Rex, units::Horizon};
///
/// let schedule = Spec::from(Rex::new(0.3)?).schedule(&Horizon::of_updates(100)?)?;
/// assert!((schedule.at(50).lr - 0.2).abs() < 1e-15);
/// # Ok::<(), cyclr::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Rex {
    lr: f64,
}

impl Rex {
    /// # Errors
    /// [`Error::OutOfRange`] if `lr` is negative or not finite.
    pub fn new(lr: f64) -> Result<Self, Error> {
        Ok(Self {
            lr: rate("lr", lr)?,
        })
    }
}

impl Definition for Rex {
    type Resolved = Self;

    const COMPLETE: Option<Completing<Self>> = Some(|with| Self::new(with.max_lr));
    const KEYS: &'static [&'static str] = &["lr"];

    fn read(args: &Args) -> Result<Self, Fault> {
        Ok(Self::new(args.number("lr")?)?)
    }

    fn fields(&self) -> Vec<Field> {
        vec![Field::rate("lr", self.lr)]
    }

    fn describe(&self, _: &str) -> String {
        format!(
            "the rate falls from {} to 0 at the end along a reflected exponential",
            number(self.lr)
        )
    }

    fn resolve(&self, _: &Resolver) -> Result<Self, Error> {
        Ok(self.clone())
    }
}

impl Curve for Rex {
    #[inline]
    fn at(&self, i: f64, horizon: f64) -> Hyper {
        let left = (1.0 - i / horizon).max(0.0);
        Hyper::lr(self.lr * left / (0.5 + left / 2.0))
    }
}
