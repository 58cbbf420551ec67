use alloc::{format, string::String, vec, vec::Vec};

use crate::Hyper;
use crate::error::{Error, rate};
use crate::policy::{Completing, Curve, Definition, Resolver, Rise, usual_warmup};
use crate::spec::{Args, Fault, Field, number};
use crate::units::Length;

/// The rate moves in a straight line to its end value: with the default, linear-to-zero.
///
/// `lr(i) = lr + (end - lr)·(i - S)/(N - S)`, with `N` the horizon; during a warm-up `W`, `lr(i) =
/// lr·i/W`, and `S = ceil(W)` is the first update after it
///
/// Ranges: `lr` and `end` finite and at least 0, either the larger; `warmup` shorter than the
/// horizon. At 0: `lr` (0 with a warm-up); at `N`, one past the last update, and beyond: `end`.
/// Equals torch's `LinearLR` with `total_iters = N` and Hugging Face's
/// `get_linear_schedule_with_warmup`. Linear-to-zero is the baseline to compare any new schedule
/// with ([2310.07831](https://arxiv.org/abs/2310.07831),
/// [2502.15938](https://arxiv.org/abs/2502.15938)).
#[doc = include_str!("../../doc/linear.svg")]
/// ```
/// use cyclr::{Spec, policy::Linear, units::{Horizon, Updates}};
///
/// let policy = Linear::new(1.0, 0.0)?.with_warmup(Updates(20))?;
/// let schedule = Spec::from(policy).schedule(&Horizon::of_updates(100)?)?;
/// assert_eq!([0, 10, 20, 60, 100].map(|i| schedule.at(i).lr), [0.0, 0.5, 1.0, 0.5, 0.0]);
/// # Ok::<(), cyclr::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Linear<L = Length> {
    lr: f64,
    end: f64,
    rise: Rise<L>,
}

impl Linear {
    /// # Errors
    /// [`Error::OutOfRange`] if a value lies outside the ranges above.
    pub fn new(lr: f64, end: f64) -> Result<Self, Error> {
        Ok(Self {
            lr: rate("lr", lr)?,
            end: rate("end", end)?,
            rise: Rise::NONE,
        })
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

impl Definition for Linear {
    type Resolved = Linear<f64>;

    const COMPLETE: Option<Completing<Self>> =
        Some(|with| Self::new(with.max_lr, 0.0)?.with_warmup(usual_warmup()?));
    const KEYS: &'static [&'static str] = &["lr", "end", "warmup"];

    fn read(args: &Args) -> Result<Self, Fault> {
        let policy = Self::new(args.number("lr")?, args.number_or("end", 0.0)?)?;
        Ok(Self {
            rise: Rise::read(args)?,
            ..policy
        })
    }

    fn fields(&self) -> Vec<Field> {
        let mut fields = vec![Field::rate("lr", self.lr)];
        if self.end != 0.0 {
            fields.push(Field::rate("end", self.end));
        }
        fields.extend(self.rise.fields());
        fields
    }

    fn describe(&self, whole: &str) -> String {
        let (lr, end) = (number(self.lr), number(self.end));
        format!(
            "{}the rate goes in a straight line from {lr} to {end} at the end",
            self.rise.describe(whole)
        )
    }

    fn resolve(&self, to: &Resolver) -> Result<Linear<f64>, Error> {
        Ok(Linear {
            lr: self.lr,
            end: self.end,
            rise: self.rise.resolve(to)?,
        })
    }
}

impl Curve for Linear<f64> {
    #[inline]
    fn at(&self, i: f64, horizon: f64) -> Hyper {
        Hyper::lr(self.rise.over((i, horizon), self.lr, |i, horizon| {
            self.lr + (self.end - self.lr) * (i / horizon)
        }))
    }
}
