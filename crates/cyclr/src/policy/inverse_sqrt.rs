use alloc::{format, string::String, vec, vec::Vec};

use crate::Hyper;
use crate::error::{Error, rate};
use crate::policy::{Completing, Curve, Definition, Resolver, Rise, positive, usual_warmup};
use crate::spec::{Args, Fault, Field, number};
use crate::units::{Length, Updates};

/// The rate falls as one over the square root of the update, without an end.
///
/// `lr(i) = lr·√(T/(T + i - S))`, with `T` the timescale; during a warm-up `W`, `lr(i) = lr·i/W`,
/// and `S = ceil(W)` is the first update after it
///
/// Ranges: `lr` finite and at least 0; `timescale` longer than 0 (the warm-up's length by default;
/// 10,000 updates without a warm-up); `warmup` shorter than the horizon. At 0: `lr` (0 with a
/// warm-up); `3·T` updates after the warm-up: `lr / 2`; past the end it holds its value at the
/// end. Equals Hugging Face's `get_inverse_sqrt_schedule`. Source: Vaswani et al., [Attention is
/// all you need](https://arxiv.org/abs/1706.03762), section 5.3: its rate `d^-0.5·min(i^-0.5,
/// i·W^-1.5)` has the warm-up as its timescale and `lr = (d·W)^-0.5`.
#[doc = include_str!("../../doc/inverse_sqrt.svg")]
/// ```
/// use cyclr::{Spec, policy::InverseSqrt, units::{Horizon, Updates}};
///
/// let policy = InverseSqrt::new(1.0)?.with_warmup(Updates(100))?;
/// let schedule = Spec::from(policy).schedule(&Horizon::of_updates(1000)?)?;
/// assert_eq!([0, 50, 100, 400].map(|i| schedule.at(i).lr), [0.0, 0.5, 1.0, 0.5]);
/// # Ok::<(), cyclr::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct InverseSqrt<L = Length> {
    lr: f64,
    /// The length of the warm-up if `None`.
    timescale: Option<L>,
    rise: Rise<L>,
}

/// The timescale without a warm-up, as Hugging Face has it.
const DEFAULT_TIMESCALE: Updates = Updates(10_000);

impl InverseSqrt {
    /// A timescale of 10,000 updates, without a warm-up.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if `lr` is negative or not finite.
    pub fn new(lr: f64) -> Result<Self, Error> {
        Ok(Self {
            lr: rate("lr", lr)?,
            timescale: Some(DEFAULT_TIMESCALE.into()),
            rise: Rise::NONE,
        })
    }

    /// Rises from 0 over `warmup` first, whose length becomes the timescale.
    ///
    /// # Errors
    /// [`Error::ZeroLength`] if it has no length.
    pub fn with_warmup(self, warmup: impl Into<Length>) -> Result<Self, Error> {
        Ok(Self {
            timescale: None,
            rise: Rise::new(warmup)?,
            ..self
        })
    }

    /// Falls as slowly as `timescale` is long.
    ///
    /// # Errors
    /// [`Error::ZeroLength`] if it has no length.
    pub fn with_timescale(self, timescale: impl Into<Length>) -> Result<Self, Error> {
        Ok(Self {
            timescale: Some(positive("timescale", timescale)?),
            ..self
        })
    }
}

impl Definition for InverseSqrt {
    type Resolved = InverseSqrt<f64>;

    const COMPLETE: Option<Completing<Self>> =
        Some(|with| Self::new(with.max_lr)?.with_warmup(usual_warmup()?));
    const KEYS: &'static [&'static str] = &["lr", "timescale", "warmup"];

    fn read(args: &Args) -> Result<Self, Fault> {
        let policy = Self::new(args.number("lr")?)?;
        let policy = match args.optional_length("warmup")? {
            Some(warmup) => policy.with_warmup(warmup)?,
            None => policy,
        };
        Ok(match args.optional_length("timescale")? {
            Some(timescale) => policy.with_timescale(timescale)?,
            None => policy,
        })
    }

    fn fields(&self) -> Vec<Field> {
        let mut fields = vec![Field::rate("lr", self.lr)];
        fields.extend(self.timescale.map(|t| Field::length("timescale", t)));
        fields.extend(self.rise.fields());
        fields
    }

    fn describe(&self, whole: &str) -> String {
        let (lr, rise) = (number(self.lr), self.rise.describe(whole));
        let timescale = self.timescale.or(self.rise.get());
        let halves = timescale.map_or_else(String::new, |timescale| {
            format!(" (half after three times {})", timescale.describe(whole))
        });
        format!("{rise}the rate falls from {lr} as one over the square root of the update{halves}")
    }

    fn resolve(&self, to: &Resolver) -> Result<InverseSqrt<f64>, Error> {
        let timescale = self.timescale.map(|t| to.updates("timescale", t));
        Ok(InverseSqrt {
            lr: self.lr,
            timescale: timescale.transpose()?,
            rise: self.rise.resolve(to)?,
        })
    }

    fn shown_in(&self, updates: &dyn Fn(Length) -> Option<f64>) -> Option<f64> {
        Some(10.0 * updates(self.timescale.or(self.rise.get())?)?)
    }
}

impl Curve for InverseSqrt<f64> {
    #[inline]
    fn at(&self, i: f64, horizon: f64) -> Hyper {
        let timescale = self.timescale.unwrap_or(self.rise.length());
        Hyper::lr(self.rise.over((i, horizon), self.lr, |i, _| {
            self.lr * libm::sqrt(timescale / (timescale + i))
        }))
    }
}
