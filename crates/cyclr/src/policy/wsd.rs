use alloc::{format, string::String, vec, vec::Vec};

use crate::Hyper;
use crate::error::{Error, rate};
use crate::policy::cosine::half_cosine;
use crate::policy::{Completing, Curve, Definition, Resolver, Rise, positive, usual_warmup};
use crate::spec::{Args, Fault, Field, number};
use crate::units::{Length, Percent, snapped};

/// Warm-up, stable, decay: the rate is constant but for a cooldown to 0 at the end.
///
/// `lr(i) = lr` before the last `D` updates, then `lr·(1 - √z)` (`sqrt`), `lr·(1 - z)` (`linear`)
/// or `lr·(1 + cos(πz))/2` (`cos`), with `z = (i - (N - D))/D`, `D` the cooldown, at
/// most what is left after the warm-up, and `N` the horizon; with a warm-up `W`, `lr(i) = lr·i/W` first
///
/// Ranges: `lr` finite and at least 0; `cooldown` longer than 0 (20 % by default); warm-up and
/// cooldown no longer than the horizon. At 0: `lr` (0 with a warm-up); at `N`, one past the last
/// update, and beyond: 0. Equals Hugging Face's `get_wsd_schedule`. Source: Hägele et al.,
/// [2405.18392](https://arxiv.org/abs/2405.18392), section 3, whose cooldown is `sqrt`, the
/// default.
#[doc = include_str!("../../doc/wsd.svg")]
/// ```
/// use cyclr::{Spec, policy::{Cooldown, Wsd}, units::{Horizon, Updates}};
///
/// let policy = Wsd::new(1.0)?.with_cooldown(Updates(20), Cooldown::Linear)?;
/// let schedule = Spec::from(policy).schedule(&Horizon::of_updates(100)?)?;
/// assert_eq!([0, 80, 90, 100].map(|i| schedule.at(i).lr), [1.0, 1.0, 0.5, 0.0]);
/// # Ok::<(), cyclr::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Wsd<L = Length> {
    lr: f64,
    cooldown: L,
    shape: Cooldown,
    rise: Rise<L>,
}

/// The shape of the cooldown of [`Wsd`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cooldown {
    /// `1 - √z`
    Sqrt,
    /// `1 - z`
    Linear,
    /// `(1 + cos(πz))/2`
    Cos,
}

impl Cooldown {
    const WORDS: &[(&'static str, Self)] = &[
        ("sqrt", Self::Sqrt),
        ("linear", Self::Linear),
        ("cos", Self::Cos),
    ];
}

const DEFAULT_PERCENT: f64 = 20.0;

impl Wsd {
    /// A cooldown over the last 20 %, as `1 - √z`.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if `lr` is negative or not finite.
    pub fn new(lr: f64) -> Result<Self, Error> {
        let cooldown = Length::from(Percent::new(DEFAULT_PERCENT)?);
        Ok(Self {
            lr: rate("lr", lr)?,
            cooldown,
            shape: Cooldown::Sqrt,
            rise: Rise::NONE,
        })
    }

    /// Cools down over the last `cooldown`, in the given shape.
    ///
    /// # Errors
    /// [`Error::ZeroLength`] if it has no length.
    pub fn with_cooldown(
        self,
        cooldown: impl Into<Length>,
        shape: Cooldown,
    ) -> Result<Self, Error> {
        Ok(Self {
            cooldown: positive("cooldown", cooldown)?,
            shape,
            ..self
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

impl Definition for Wsd {
    type Resolved = Wsd<f64>;

    const COMPLETE: Option<Completing<Self>> =
        Some(|with| Self::new(with.max_lr)?.with_warmup(usual_warmup()?));
    const KEYS: &'static [&'static str] = &["lr", "cooldown", "shape", "warmup"];

    fn read(args: &Args) -> Result<Self, Fault> {
        let policy = Self::new(args.number("lr")?)?;
        let cooldown = args.optional_length("cooldown")?.unwrap_or(policy.cooldown);
        let shape = args
            .choice("shape", Cooldown::WORDS)?
            .unwrap_or(policy.shape);
        Ok(Self {
            rise: Rise::read(args)?,
            ..policy.with_cooldown(cooldown, shape)?
        })
    }

    fn fields(&self) -> Vec<Field> {
        let mut fields = vec![
            Field::rate("lr", self.lr),
            Field::length("cooldown", self.cooldown),
        ];
        if self.shape != Cooldown::Sqrt {
            fields.push(Field::choice("shape", Cooldown::WORDS, self.shape));
        }
        fields.extend(self.rise.fields());
        fields
    }

    fn describe(&self, whole: &str) -> String {
        let (lr, cooldown) = (number(self.lr), self.cooldown.describe(whole));
        format!(
            "{}the rate stays at {lr} and cools down to 0 over the last {cooldown}",
            self.rise.describe(whole)
        )
    }

    fn resolve(&self, to: &Resolver) -> Result<Wsd<f64>, Error> {
        let (cooldown, rise) = (
            to.updates("cooldown", self.cooldown)?,
            self.rise.resolve(to)?,
        );
        // What the stage lost by starting at a whole update does not count against it.
        let late = to.start - to.exact_start;
        to.fits("cooldown", cooldown + rise.length() - late)?;
        Ok(Wsd {
            lr: self.lr,
            cooldown,
            shape: self.shape,
            rise,
        })
    }
}

impl Curve for Wsd<f64> {
    #[inline]
    fn at(&self, i: f64, horizon: f64) -> Hyper {
        Hyper::lr(self.rise.over((i, horizon), self.lr, |i, horizon| {
            let cooldown = self.cooldown.min(horizon);
            let z = ((i - snapped(horizon - cooldown)) / cooldown).clamp(0.0, 1.0);
            match self.shape {
                Cooldown::Sqrt => self.lr * (1.0 - libm::sqrt(z)),
                Cooldown::Linear => self.lr * (1.0 - z),
                Cooldown::Cos => half_cosine(self.lr, 0.0, z),
            }
        }))
    }
}
