use alloc::{format, string::String, vec, vec::Vec};

use crate::Hyper;
use crate::error::{Error, above_zero, in_range, ordered, rate};
use crate::policy::cosine::half_cosine;
use crate::policy::decay::Decay;
use crate::policy::{Curve, Definition, Resolver, positive};
use crate::spec::{Args, Fault, Field, number};
use crate::units::{Length, round_down, snapped};

/// The rate falls along half a cosine, jumps back to its maximum and falls again, each time over a
/// longer period.
///
/// `lr(i) = min + (max - min)/2 · (1 + cos(π·(i - S)/(period·mult^c)))`, with `c` the 0-based
/// cycle that `i` lies in and `S = period·(mult^c - 1)/(mult - 1)` its first update (`period·c`
/// where `mult = 1`)
///
/// Ranges: `0 <= min <= max`, `max` above 0; `period` longer than 0; `mult` at least 1. At 0 and
/// at each restart: `max`; past the end it holds its value at the end. Equals torch's
/// `CosineAnnealingWarmRestarts`. Source: Loshchilov & Hutter,
/// [SGDR](https://arxiv.org/abs/1608.03983), section 3.
#[doc = include_str!("../../doc/cosine_restarts.svg")]
/// ```
/// use cyclr::{Spec, policy::CosineRestarts, units::{Horizon, Updates}};
///
/// let policy = CosineRestarts::new(1.0, 0.0, Updates(10))?.with_mult(2.0)?;
/// let schedule = Spec::from(policy).schedule(&Horizon::of_updates(70)?)?;
/// assert_eq!([0, 10, 30].map(|i| schedule.at(i).lr), [1.0; 3]);
/// assert_eq!(schedule.troughs().collect::<Vec<_>>(), [10, 30, 70]);
/// # Ok::<(), cyclr::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct CosineRestarts<L = Length> {
    max: f64,
    min: f64,
    period: L,
    mult: Decay,
}

impl CosineRestarts {
    /// Periods of equal length.
    ///
    /// # Errors
    /// [`Error::OutOfRange`], [`Error::Crossed`] or [`Error::ZeroLength`] if a value lies outside
    /// the ranges above.
    pub fn new(max: f64, min: f64, period: impl Into<Length>) -> Result<Self, Error> {
        let (max, min) = (above_zero("max", max)?, rate("min", min)?);
        ordered(("min", min), ("max", max))?;
        Ok(Self {
            max,
            min,
            period: positive("period", period)?,
            mult: Decay::new(1.0),
        })
    }

    /// Makes each period `mult` times as long as the one before it.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if `mult` is below 1 or not finite.
    pub fn with_mult(self, mult: f64) -> Result<Self, Error> {
        Ok(Self {
            mult: Decay::new(in_range(
                "mult",
                mult,
                "a finite number of at least 1",
                |m| m >= 1.0,
            )?),
            ..self
        })
    }
}

impl Definition for CosineRestarts {
    type Resolved = CosineRestarts<f64>;

    const KEYS: &'static [&'static str] = &["max", "min", "period", "mult"];

    fn read(args: &Args) -> Result<Self, Fault> {
        let policy = Self::new(
            args.number("max")?,
            args.number("min")?,
            args.length("period")?,
        )?;
        Ok(policy.with_mult(args.number_or("mult", 1.0)?)?)
    }

    fn fields(&self) -> Vec<Field> {
        let mut fields = vec![
            Field::rate("max", self.max),
            Field::rate("min", self.min),
            Field::length("period", self.period),
        ];
        if self.mult.gamma() != 1.0 {
            fields.push(Field::number("mult", self.mult.gamma()));
        }
        fields
    }

    fn describe(&self, whole: &str) -> String {
        let longer = if self.mult.gamma() == 1.0 {
            String::new()
        } else {
            format!(
                ", each period {} times as long as the one before",
                number(self.mult.gamma())
            )
        };
        let (max, min, period) = (
            number(self.max),
            number(self.min),
            self.period.describe(whole),
        );
        format!(
            "the rate falls along half a cosine from {max} to {min} over {period} and restarts{longer}"
        )
    }

    fn resolve(&self, to: &Resolver) -> Result<CosineRestarts<f64>, Error> {
        Ok(self.with_period(to.updates("period", self.period)?))
    }

    fn shown_in(&self, updates: &dyn Fn(Length) -> Option<f64>) -> Option<f64> {
        let period = updates(self.period)?;
        Some(self.with_period(period).restart(4))
    }
}

impl CosineRestarts {
    fn with_period(&self, period: f64) -> CosineRestarts<f64> {
        CosineRestarts {
            max: self.max,
            min: self.min,
            period,
            mult: self.mult,
        }
    }
}

impl Curve for CosineRestarts<f64> {
    #[inline]
    fn at(&self, i: f64, _: f64) -> Hyper {
        let (_, phase) = self.position(i);
        Hyper::lr(half_cosine(self.max, self.min, phase))
    }

    fn cycle(&self, i: f64, _: f64) -> Option<(u64, f64)> {
        Some(self.position(i))
    }

    fn trough(&self, k: u64, _: f64) -> Option<f64> {
        Some(self.restart(k))
    }
}

impl CosineRestarts<f64> {
    /// The 0-based cycle that update `i` lies in, and how much of it is past, in `0..=1`.
    fn position(&self, i: f64) -> (u64, f64) {
        let guess = self.mult.terms(i / self.period);
        let mut cycle = round_down(guess) as u64;
        // The logarithm may land on the wrong side of a restart, by rounding.
        if self.restart(cycle) > i {
            cycle = cycle.saturating_sub(1);
        } else if self.restart(cycle + 1) <= i {
            cycle += 1;
        }
        let (start, end) = (self.restart(cycle), self.restart(cycle + 1));
        // Beyond 2^53 cycles one may have no length.
        let phase = if i < end {
            ((i - start) / (end - start)).max(0.0)
        } else {
            1.0
        };
        (cycle, phase)
    }

    /// The first update of the 0-based cycle.
    fn restart(&self, cycle: u64) -> f64 {
        snapped(self.period * self.mult.sum(cycle))
    }
}
