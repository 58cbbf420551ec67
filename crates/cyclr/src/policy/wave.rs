use alloc::{format, string::String, vec, vec::Vec};

use crate::Hyper;
use crate::error::{Error, above_zero, ordered, rate};
use crate::policy::{Completion, Momentum, Resolver, positive};
use crate::spec::{Args, Fault, Field, number};
use crate::units::{Length, round_down};

/// The triangle wave that the cyclical policies share: from `base` up to `max` and back, cycle
/// after cycle.
///
/// With `T = up + down`, `c = floor(i/T)` (the 0-based cycle) and `p = i - c·T`: `tri(i) = p/up`
/// where `p <= up`, else `(T - p)/down`. With equal halves that is `1 - |p/step - 1|`.
///
/// Ranges: `0 <= base <= max`, `max` above 0; `up` and `down` longer than 0. Momentum, where
/// given, moves against the rate: `hi - (hi - lo)·tri`, times the amplitude's decay.
#[derive(Clone, Debug, PartialEq)]
pub struct Wave<L = Length> {
    pub(super) base: f64,
    pub(super) max: f64,
    pub(super) up: L,
    pub(super) down: L,
    pub(super) momentum: Option<Momentum>,
}

impl Wave {
    /// A wave whose halves both last `step` (the paper's step size).
    ///
    /// # Errors
    /// [`Error::OutOfRange`], [`Error::Crossed`] or [`Error::ZeroLength`] if a value lies outside
    /// the ranges above.
    pub fn new(base: f64, max: f64, step: impl Into<Length>) -> Result<Self, Error> {
        let step = positive("step", step)?;
        Self::with_halves(base, max, step, step)
    }

    /// A wave that rises over `up` and falls over `down`.
    ///
    /// # Errors
    /// [`Error::OutOfRange`], [`Error::Crossed`] or [`Error::ZeroLength`] if a value lies outside
    /// the ranges above.
    pub fn with_halves(
        base: f64,
        max: f64,
        up: impl Into<Length>,
        down: impl Into<Length>,
    ) -> Result<Self, Error> {
        let (base, max) = (rate("base", base)?, above_zero("max", max)?);
        ordered(("base", base), ("max", max))?;
        Ok(Self {
            base,
            max,
            up: positive("up", up)?,
            down: positive("down", down)?,
            momentum: None,
        })
    }

    /// Moves momentum against the rate.
    pub fn with_momentum(self, momentum: Momentum) -> Self {
        Self {
            momentum: Some(momentum),
            ..self
        }
    }

    pub(super) const KEYS: &[&str] = &["base", "max", "step", "up", "down", "momentum"];

    pub(super) fn complete(with: &Completion) -> Result<Self, Error> {
        Self::new(with.base_lr, with.max_lr, with.step)
    }

    pub(super) fn read(args: &Args) -> Result<Self, Fault> {
        let (base, max) = (args.number("base")?, args.number("max")?);
        let wave = match (args.optional_length("up")?, args.optional_length("down")?) {
            (None, None) => Self::new(base, max, args.length("step")?)?,
            _ if args.has("step") => return Err(args.excludes("step", "up and down")),
            _ => Self::with_halves(base, max, args.length("up")?, args.length("down")?)?,
        };
        Ok(Self {
            momentum: args.momentum()?,
            ..wave
        })
    }

    pub(super) fn fields(&self) -> Vec<Field> {
        let mut fields = vec![Field::rate("base", self.base), Field::rate("max", self.max)];
        if self.up == self.down {
            fields.push(Field::length("step", self.up));
        } else {
            fields.extend([
                Field::length("up", self.up),
                Field::length("down", self.down),
            ]);
        }
        fields.extend(self.momentum.map(Momentum::field));
        fields
    }

    pub(super) fn describe(&self, whole: &str) -> String {
        let (base, max) = (number(self.base), number(self.max));
        let halves = if self.up == self.down {
            format!(
                "rises from {base} to {max} over {} and falls back over as many",
                self.up.describe(whole)
            )
        } else {
            format!(
                "rises from {base} to {max} over {} and falls back over {}",
                self.up.describe(whole),
                self.down.describe(whole)
            )
        };
        let momentum = self.momentum.map_or_else(String::new, Momentum::describe);
        format!("the rate {halves}, again and again{momentum}")
    }

    pub(super) fn resolve(&self, to: &Resolver) -> Result<Wave<f64>, Error> {
        let (up, down) = if self.up == self.down {
            let step = to.updates("step", self.up)?;
            (step, step)
        } else {
            (to.updates("up", self.up)?, to.updates("down", self.down)?)
        };
        Ok(Wave {
            base: self.base,
            max: self.max,
            up,
            down,
            momentum: self.momentum,
        })
    }

    /// The length of four cycles, where `updates` knows the halves.
    pub(super) fn shown_in(&self, updates: &dyn Fn(Length) -> Option<f64>) -> Option<f64> {
        Some(4.0 * (updates(self.up)? + updates(self.down)?))
    }
}

impl Wave<f64> {
    #[inline]
    pub(super) fn period(&self) -> f64 {
        self.up + self.down
    }

    /// The 0-based cycle that update `i` lies in, and the height of the triangle there, in
    /// `0..=1`.
    #[inline]
    pub(super) fn cycle_and_height(&self, i: f64) -> (f64, f64) {
        let period = self.period();
        let cycle = round_down(i / period);
        let past = (i - cycle * period).max(0.0).min(period);
        let rising = past <= self.up;
        let (way, half) = if rising {
            (past, self.up)
        } else {
            (period - past, self.down)
        };
        (cycle, way / half)
    }

    /// The 0-based cycle that update `i` lies in, and how much of it is past, in `0..=1`.
    pub(super) fn cycle(&self, i: f64) -> (u64, f64) {
        let cycle = round_down(i / self.period());
        (cycle as u64, (i / self.period() - cycle).clamp(0.0, 1.0))
    }

    /// The rate at an amplitude, in `0..=1`, above the base, and the momentum against it.
    #[inline]
    pub(super) fn above_base(&self, amplitude: f64) -> Hyper {
        let momentum = self.momentum.map(|momentum| momentum.against(amplitude));
        Hyper {
            lr: self.base + (self.max - self.base) * amplitude,
            momentum,
            weight_decay: None,
        }
    }
}
