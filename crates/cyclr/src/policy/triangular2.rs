use alloc::{format, string::String, vec::Vec};

use crate::Hyper;
use crate::error::Error;
use crate::policy::{Completing, Curve, Definition, Resolver, Wave};
use crate::spec::{Args, Fault, Field};
use crate::units::Length;

/// As [`Triangular`](crate::policy::Triangular), with half the amplitude in each cycle after the
/// first.
///
/// `lr(i) = base + (max - base)·tri(i)/2^c`, with `tri` and `c` of [`Wave`]
///
/// Ranges: those of [`Wave`]. At 0 and at every trough: `base`; at the peak of cycle `c`: `base +
/// (max - base)/2^c`; past the end it holds its value at the end. Equals torch's
/// `CyclicLR(mode="triangular2")` and TF-addons' `Triangular2CyclicalLearningRate`. Source: Smith,
/// [Cyclical learning rates](https://arxiv.org/abs/1506.01186), section 3.1.
#[doc = include_str!("../../doc/triangular2.svg")]
/// ```
/// use cyclr::{Spec, policy::{Triangular2, Wave}, units::{Horizon, Updates}};
///
/// let policy = Triangular2::new(Wave::new(0.001, 0.006, Updates(2000))?);
/// let schedule = Spec::from(policy).schedule(&Horizon::of_updates(12_000)?)?;
/// assert_eq!([2000, 6000].map(|i| schedule.at(i).lr), [0.006, 0.0035]);
/// # Ok::<(), cyclr::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Triangular2<L = Length> {
    wave: Wave<L>,
}

impl Triangular2 {
    /// The policy over a wave.
    pub fn new(wave: Wave) -> Self {
        Self { wave }
    }
}

impl Definition for Triangular2 {
    type Resolved = Triangular2<f64>;

    const COMPLETE: Option<Completing<Self>> = Some(|with| Wave::complete(with).map(Self::new));
    const KEYS: &'static [&'static str] = Wave::KEYS;

    fn read(args: &Args) -> Result<Self, Fault> {
        Ok(Self::new(Wave::read(args)?))
    }

    fn fields(&self) -> Vec<Field> {
        self.wave.fields()
    }

    fn describe(&self, whole: &str) -> String {
        format!(
            "{}, with half the amplitude in each cycle after the first",
            self.wave.describe(whole)
        )
    }

    fn resolve(&self, to: &Resolver) -> Result<Triangular2<f64>, Error> {
        Ok(Triangular2 {
            wave: self.wave.resolve(to)?,
        })
    }

    fn shown_in(&self, updates: &dyn Fn(Length) -> Option<f64>) -> Option<f64> {
        self.wave.shown_in(updates)
    }
}

impl Curve for Triangular2<f64> {
    #[inline]
    fn at(&self, i: f64, _: f64) -> Hyper {
        let (cycle, height) = self.wave.cycle_and_height(i);
        self.wave.above_base(height * halved(cycle))
    }

    fn cycle(&self, i: f64, _: f64) -> Option<(u64, f64)> {
        Some(self.wave.cycle(i))
    }

    fn trough(&self, k: u64, _: f64) -> Option<f64> {
        Some(k as f64 * self.wave.period())
    }
}

/// `2^-times`, and 0 if that is below every normal number.
fn halved(times: f64) -> f64 {
    // The exponent field of a double counts from 1023; a power of two has no other bits.
    f64::from_bits(1023_u64.saturating_sub(times as u64) << 52)
}
