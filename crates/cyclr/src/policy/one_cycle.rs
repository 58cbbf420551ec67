use alloc::{format, string::String, vec, vec::Vec};

use crate::Hyper;
use crate::error::{Error, above_zero, in_range};
use crate::policy::cosine::half_cosine;
use crate::policy::{Completing, Curve, Definition, Momentum, Resolver};
use crate::spec::{Args, Fault, Field, number};
use crate::units::{Length, Percent};

/// One cycle over the whole run: up to the maximum, then down to far below the start.
///
/// With `initial = max/div`, `final = initial/final_div`, `W` the warm-up and `N` the horizon, the
/// rate goes from `initial` at 0 to `max` at `W - 1`, and to `final` at `N - 1`; in three phases,
/// back to `initial` at `2W - 2` first. Between those updates it follows half a cosine
/// (`anneal=cos`) or a straight line (`linear`). Momentum, where given, goes `hi`, `lo`, `hi` in
/// the same way. A warm-up of at most one update has no way up: the run starts at `max` (and goes on
/// from `initial`, in three phases). One that takes the whole run has no way down: it ends at
/// `max` (at `initial`, in three phases).
///
/// Ranges: `max` finite and above 0; `div` finite and at least 1; `final_div` finite and at least
/// `1/div`; `warmup` no longer than the horizon (half of it, in three phases). At 0: `initial`; at
/// `N - 1`: `final`, and that value beyond. Equals torch's `OneCycleLR`, whose defaults these are (but for
/// momentum, untouched here unless given). Source: Smith & Topin,
/// [Super-convergence](https://arxiv.org/abs/1708.07120), section 3, as torch has it.
#[doc = include_str!("../../doc/one_cycle.svg")]
/// ```
/// use cyclr::{Spec, policy::{Anneal, OneCycle}, units::Horizon};
///
/// let policy = OneCycle::new(25.0)?.with_anneal(Anneal::Linear);
/// let schedule = Spec::from(policy).schedule(&Horizon::of_updates(10)?)?;
/// assert_eq!([0, 1, 2].map(|i| schedule.at(i).lr), [1.0, 13.0, 25.0]);
/// # Ok::<(), cyclr::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct OneCycle<L = Length> {
    max: f64,
    warmup: L,
    div: f64,
    final_div: f64,
    anneal: Anneal,
    phases: Phases,
    momentum: Option<Momentum>,
}

/// How the rate goes from one turning point of [`OneCycle`] to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anneal {
    /// Along half a cosine.
    Cos,
    /// In a straight line.
    Linear,
}

impl Anneal {
    const WORDS: &[(&'static str, Self)] = &[("cos", Self::Cos), ("linear", Self::Linear)];
}

/// How many phases [`OneCycle`] has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phases {
    /// Up, and down to the end.
    Two,
    /// Up, down as steeply, and a tail to the end.
    Three,
}

const DEFAULT_PERCENT: f64 = 30.0;
const DEFAULT_DIV: f64 = 25.0;
const DEFAULT_FINAL_DIV: f64 = 1e4;

impl OneCycle {
    /// torch's defaults: a warm-up of 30 %, `div` 25, `final_div` 1e4, cosine, two phases.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if `max` is not finite and above 0.
    pub fn new(max: f64) -> Result<Self, Error> {
        Ok(Self {
            max: above_zero("max", max)?,
            warmup: Percent::new(DEFAULT_PERCENT)?.into(),
            div: DEFAULT_DIV,
            final_div: DEFAULT_FINAL_DIV,
            anneal: Anneal::Cos,
            phases: Phases::Two,
            momentum: None,
        })
    }

    /// The way up takes `warmup` (torch's `pct_start`, as a length).
    pub fn with_warmup(self, warmup: impl Into<Length>) -> Self {
        Self {
            warmup: warmup.into(),
            ..self
        }
    }

    /// Starts at `max/div` and ends at `max/div/final_div`.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if a divisor lies outside the ranges above.
    pub fn with_div(self, div: f64, final_div: f64) -> Result<Self, Error> {
        let div = in_range("div", div, "a finite number of at least 1", |v| v >= 1.0)?;
        let allowed = "a finite number of at least 1/div, so that the end is no higher than max";
        let final_div = in_range("final_div", final_div, allowed, |v| v * div >= 1.0)?;
        Ok(Self {
            div,
            final_div,
            ..self
        })
    }

    /// Sets how the rate goes between the turning points.
    pub fn with_anneal(self, anneal: Anneal) -> Self {
        Self { anneal, ..self }
    }

    /// Moves momentum against the rate.
    pub fn with_momentum(self, momentum: Momentum) -> Self {
        Self {
            momentum: Some(momentum),
            ..self
        }
    }
}

impl Definition for OneCycle {
    type Resolved = OneCycle<f64>;

    const COMPLETE: Option<Completing<Self>> = Some(|with| Self::new(with.max_lr));
    const KEYS: &'static [&'static str] = &[
        "max",
        "warmup",
        "div",
        "final_div",
        "anneal",
        "phases",
        "momentum",
    ];

    fn read(args: &Args) -> Result<Self, Fault> {
        let policy = Self::new(args.number("max")?)?.with_div(
            args.number_or("div", DEFAULT_DIV)?,
            args.number_or("final_div", DEFAULT_FINAL_DIV)?,
        )?;
        let phases = in_range("phases", args.number_or("phases", 2.0)?, "2 or 3", |p| {
            p == 2.0 || p == 3.0
        })?;
        Ok(Self {
            warmup: args.optional_length("warmup")?.unwrap_or(policy.warmup),
            anneal: args
                .choice("anneal", Anneal::WORDS)?
                .unwrap_or(policy.anneal),
            phases: if phases == 3.0 {
                Phases::Three
            } else {
                Phases::Two
            },
            momentum: args.momentum()?,
            ..policy
        })
    }

    fn fields(&self) -> Vec<Field> {
        let mut fields = vec![
            Field::rate("max", self.max),
            Field::length("warmup", self.warmup),
            Field::number("div", self.div),
            Field::number("final_div", self.final_div),
        ];
        if self.anneal != Anneal::Cos {
            fields.push(Field::choice("anneal", Anneal::WORDS, self.anneal));
        }
        if self.phases == Phases::Three {
            fields.push(Field::number("phases", 3.0));
        }
        fields.extend(self.momentum.map(Momentum::field));
        fields
    }

    fn describe(&self, whole: &str) -> String {
        let (initial, max) = (number(self.max / self.div), number(self.max));
        let (warmup, last) = (
            self.warmup.describe(whole),
            number(self.max / self.div / self.final_div),
        );
        let momentum = self.momentum.map_or_else(String::new, Momentum::describe);
        format!(
            "the rate rises from {initial} to {max} over {warmup} and falls to {last} at the end{momentum}"
        )
    }

    fn resolve(&self, to: &Resolver) -> Result<OneCycle<f64>, Error> {
        let warmup = to.fraction(self.warmup)?;
        let taken = if self.phases == Phases::Three {
            2.0 * warmup
        } else {
            warmup
        };
        to.fits("warmup", taken)?;
        Ok(OneCycle {
            max: self.max,
            warmup,
            div: self.div,
            final_div: self.final_div,
            anneal: self.anneal,
            phases: self.phases,
            momentum: self.momentum,
        })
    }
}

impl Curve for OneCycle<f64> {
    #[inline]
    fn at(&self, i: f64, horizon: f64) -> Hyper {
        let initial = self.max / self.div;
        let last = initial / self.final_div;
        let (peak, end) = ((self.warmup - 1.0).max(0.0), (horizon - 1.0).max(0.0));
        let foot = 2.0 * peak;
        let i = i.min(end);
        let between = |high, low, start: f64, stop: f64| {
            self.between(high, low, ((i - start) / (stop - start)).min(1.0))
        };
        let lr = if i < peak {
            between(initial, self.max, 0.0, peak)
        } else if i == peak {
            self.max
        } else if self.phases == Phases::Two {
            between(self.max, last, peak, end)
        } else if i <= foot {
            between(self.max, initial, peak, foot)
        } else {
            between(initial, last, foot, end)
        };
        let momentum = self
            .momentum
            .map(|momentum| momentum.against(self.height(i, peak, end)));
        Hyper {
            lr,
            momentum,
            weight_decay: None,
        }
    }

    fn cycle(&self, i: f64, horizon: f64) -> Option<(u64, f64)> {
        Some((0, (i / horizon).min(1.0)))
    }

    fn trough(&self, k: u64, horizon: f64) -> Option<f64> {
        (k == 1).then_some(horizon)
    }
}

impl OneCycle<f64> {
    /// How far the momentum has gone from its upper to its lower bound, in `0..=1`.
    fn height(&self, i: f64, peak: f64, end: f64) -> f64 {
        let foot = if self.phases == Phases::Two {
            end
        } else {
            2.0 * peak
        };
        if i < peak {
            self.between(0.0, 1.0, i / peak)
        } else if i == peak {
            1.0
        } else if i < foot {
            self.between(1.0, 0.0, (i - peak) / (foot - peak))
        } else {
            0.0
        }
    }

    fn between(&self, start: f64, stop: f64, z: f64) -> f64 {
        match self.anneal {
            Anneal::Cos => half_cosine(start, stop, z),
            Anneal::Linear => start + (stop - start) * z,
        }
    }
}
