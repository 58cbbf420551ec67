use alloc::{format, string::String, vec, vec::Vec};
use core::f64::consts::PI;

use crate::Hyper;
use crate::error::{Error, ordered, rate};
use crate::policy::{Completing, Curve, Definition, Resolver, Rise, usual_warmup};
use crate::spec::{Args, Fault, Field, number};
use crate::units::Length;

/// The rate falls along half a cosine, once, without restarts.
///
/// `lr(i) = min + (lr - min)/2 · (1 + cos(π·(i - S)/(N - S)))`, with `N` the horizon; during a
/// warm-up `W`, `lr(i) = lr·i/W`, and `S = ceil(W)` is the first update after it
///
/// Ranges: `0 <= min <= lr`, finite; `warmup` shorter than the horizon. At 0: `lr` (0 with a
/// warm-up); at `N`, one past the last update, and beyond: `min`. Equals torch's
/// `CosineAnnealingLR` with `T_max = N`, Hugging Face's `get_cosine_schedule_with_warmup` and
/// timm's `CosineLRScheduler`. Source: Loshchilov & Hutter,
/// [SGDR](https://arxiv.org/abs/1608.03983), section 3.
#[doc = include_str!("../../doc/cosine.svg")]
/// ```
/// use cyclr::{Spec, policy::Cosine, units::Horizon};
///
/// let schedule = Spec::from(Cosine::new(1.0, 0.0)?).schedule(&Horizon::of_updates(100)?)?;
/// assert!((schedule.at(50).lr - 0.5).abs() < 1e-15);
/// # Ok::<(), cyclr::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Cosine<L = Length> {
    lr: f64,
    min: f64,
    rise: Rise<L>,
}

impl Cosine {
    /// # Errors
    /// [`Error::OutOfRange`] or [`Error::Crossed`] if a value lies outside the ranges above.
    pub fn new(lr: f64, min: f64) -> Result<Self, Error> {
        let policy = Self {
            lr: rate("lr", lr)?,
            min: rate("min", min)?,
            rise: Rise::NONE,
        };
        ordered(("min", min), ("lr", lr))?;
        Ok(policy)
    }

    /// Rises from 0 over `warmup` first.
    ///
    /// # Errors
    /// [`Error::ZeroLength`] if it has no length.
    pub fn with_warmup(self, warmup: impl Into<Length>) -> Result<Self, Error> {
        Ok(Self {
            rise: Rise::new(warmup)?,
            ..self
        })
    }
}

impl Definition for Cosine {
    type Resolved = Cosine<f64>;

    const COMPLETE: Option<Completing<Self>> =
        Some(|with| Self::new(with.max_lr, 0.0)?.with_warmup(usual_warmup()?));
    const KEYS: &'static [&'static str] = &["lr", "min", "warmup"];

    fn read(args: &Args) -> Result<Self, Fault> {
        let policy = Self::new(args.number("lr")?, args.number_or("min", 0.0)?)?;
        Ok(Self {
            rise: Rise::read(args)?,
            ..policy
        })
    }

    fn fields(&self) -> Vec<Field> {
        let mut fields = vec![Field::rate("lr", self.lr)];
        if self.min != 0.0 {
            fields.push(Field::rate("min", self.min));
        }
        fields.extend(self.rise.fields());
        fields
    }

    fn describe(&self, whole: &str) -> String {
        let (lr, min) = (number(self.lr), number(self.min));
        format!(
            "{}the rate falls along half a cosine from {lr} to {min} at the end",
            self.rise.describe(whole)
        )
    }

    fn resolve(&self, to: &Resolver) -> Result<Cosine<f64>, Error> {
        Ok(Cosine {
            lr: self.lr,
            min: self.min,
            rise: self.rise.resolve(to)?,
        })
    }
}

impl Curve for Cosine<f64> {
    #[inline]
    fn at(&self, i: f64, horizon: f64) -> Hyper {
        Hyper::lr(self.rise.over((i, horizon), self.lr, |i, horizon| {
            half_cosine(self.lr, self.min, i / horizon)
        }))
    }
}

/// The point `z`, in `0..=1`, of half a cosine from `high` to `low`.
pub(super) fn half_cosine(high: f64, low: f64, z: f64) -> f64 {
    // Halved in this order so that the smallest numbers are not rounded below 0.
    low + (high - low) * f64::midpoint(1.0, libm::cos(PI * z))
}
