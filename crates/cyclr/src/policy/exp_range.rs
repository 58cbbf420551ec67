use alloc::{format, string::String, vec::Vec};

use crate::Hyper;
use crate::error::{Error, in_range};
use crate::policy::decay::Decay;
use crate::policy::{Curve, Definition, Resolver, Wave};
use crate::spec::{Args, Fault, Field, number};
use crate::units::Length;

/// As [`Triangular`](crate::policy::Triangular), declining by a factor at every update.
///
/// `lr(i) = base + (max - base)·tri(i)·gamma^i` where the amplitude decays (`decays=amplitude`, as
/// torch, Keras and TF-addons do), `lr(i) = gamma^i·(base + (max - base)·tri(i))` if both bounds
/// do (`decays=bounds`, as the paper describes it), with `tri` of [`Wave`]
///
/// Ranges: those of [`Wave`]; `gamma` above 0 and at most 1. At 0: `base`; past the end it holds
/// its value at the end. Equals torch's `CyclicLR(mode="exp_range")` under `amplitude`. Momentum
/// decays with the amplitude, and not at all under `bounds`. Source: Smith, [Cyclical learning
/// rates](https://arxiv.org/abs/1506.01186), section 3.1.
#[doc = include_str!("../../doc/exp_range.svg")]
/// ```
/// use cyclr::{Spec, policy::{Decays, ExpRange, Wave}, units::{Horizon, Updates}};
///
/// let wave = Wave::new(0.001, 0.006, Updates(2000))?;
/// let policy = ExpRange::new(wave, 0.99994, Decays::Bounds)?;
/// let schedule = Spec::from(policy).schedule(&Horizon::of_updates(8000)?)?;
/// assert!((schedule.at(4000).lr - 0.000786622197).abs() < 1e-12);
/// # Ok::<(), cyclr::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ExpRange<L = Length> {
    wave: Wave<L>,
    gamma: Decay,
    decays: Decays,
}

/// What declines in [`ExpRange`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decays {
    /// The height above the base; the base stays.
    Amplitude,
    /// Both bounds.
    Bounds,
}

impl Decays {
    const WORDS: &[(&'static str, Self)] =
        &[("amplitude", Self::Amplitude), ("bounds", Self::Bounds)];
}

impl ExpRange {
    /// The policy over a wave.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if `gamma` is not above 0 and at most 1.
    pub fn new(wave: Wave, gamma: f64, decays: Decays) -> Result<Self, Error> {
        let gamma = in_range("gamma", gamma, "above 0 and at most 1", |g| {
            g > 0.0 && g <= 1.0
        })?;
        Ok(Self {
            wave,
            gamma: Decay::new(gamma),
            decays,
        })
    }
}

impl Definition for ExpRange {
    type Resolved = ExpRange<f64>;

    const KEYS: &'static [&'static str] = &[
        "base", "max", "step", "up", "down", "gamma", "decays", "momentum",
    ];

    fn read(args: &Args) -> Result<Self, Fault> {
        let decays = args
            .choice("decays", Decays::WORDS)?
            .unwrap_or(Decays::Amplitude);
        Ok(Self::new(Wave::read(args)?, args.number("gamma")?, decays)?)
    }

    fn fields(&self) -> Vec<Field> {
        let mut fields = self.wave.fields();
        fields.push(Field::factor_per_update("gamma", self.gamma.gamma()));
        if self.decays == Decays::Bounds {
            fields.push(Field::choice("decays", Decays::WORDS, self.decays));
        }
        fields
    }

    fn describe(&self, whole: &str) -> String {
        let what = match self.decays {
            Decays::Amplitude => "the amplitude",
            Decays::Bounds => "both bounds",
        };
        format!(
            "{}, with {what} multiplied by {} at every update",
            self.wave.describe(whole),
            number(self.gamma.gamma())
        )
    }

    fn resolve(&self, to: &Resolver) -> Result<ExpRange<f64>, Error> {
        Ok(ExpRange {
            wave: self.wave.resolve(to)?,
            gamma: self.gamma,
            decays: self.decays,
        })
    }

    fn shown_in(&self, updates: &dyn Fn(Length) -> Option<f64>) -> Option<f64> {
        self.wave.shown_in(updates)
    }
}

impl Curve for ExpRange<f64> {
    #[inline]
    fn at(&self, i: f64, _: f64) -> Hyper {
        let (_, height) = self.wave.cycle_and_height(i);
        let decay = self.gamma.smooth(i);
        match self.decays {
            Decays::Amplitude => self.wave.above_base(height * decay),
            Decays::Bounds => {
                let undecayed = self.wave.above_base(height);
                Hyper {
                    lr: decay * undecayed.lr,
                    ..undecayed
                }
            }
        }
    }

    fn cycle(&self, i: f64, _: f64) -> Option<(u64, f64)> {
        Some(self.wave.cycle(i))
    }

    fn trough(&self, k: u64, _: f64) -> Option<f64> {
        Some(k as f64 * self.wave.period())
    }
}
