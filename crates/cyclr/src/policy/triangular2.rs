use alloc::{format, string::String, vec::Vec};

use crate::Hyper;
use crate::error::Error;
use crate::policy::{Resolver, Wave};
use crate::spec::{Args, Fault, Field};
use crate::units::Length;

/// As [`Triangular`](crate::policy::Triangular), with half the amplitude in each cycle after the first.
///
/// `lr(i) = base + (max - base)·tri(i)/2^c`, with `tri` and `c` of [`Wave`]
///
/// Ranges: those of [`Wave`]. At 0 and at every trough: `base`; at the peak of cycle `c`: `base + (max - base)/2^c`; past
/// the end it holds its value at the end. Equals torch's `CyclicLR(mode="triangular2")` and TF-addons'
/// `Triangular2CyclicalLearningRate`. Source: Smith, [Cyclical learning rates](https://arxiv.org/abs/1506.01186),
/// section 3.1.
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

    pub(super) const KEYS: &[&str] = Wave::KEYS;

    pub(super) fn read(args: &Args) -> Result<Self, Fault> {
        Ok(Self::new(Wave::read(args)?))
    }

    pub(super) fn fields(&self) -> Vec<Field> {
        self.wave.fields()
    }

    pub(super) fn describe(&self) -> String {
        format!(
            "{}, with half the amplitude in each cycle after the first",
            self.wave.describe()
        )
    }

    pub(super) fn resolve(&self, to: &Resolver) -> Result<Triangular2<f64>, Error> {
        Ok(Triangular2 {
            wave: self.wave.resolve(to)?,
        })
    }
}

impl<L> Triangular2<L> {
    pub(super) fn wave(&self) -> &Wave<L> {
        &self.wave
    }
}

impl Triangular2<f64> {
    #[inline]
    pub(super) fn at(&self, i: f64) -> Hyper {
        let (cycle, height) = self.wave.cycle_and_height(i);
        self.wave.above_base(height * halved(cycle))
    }
}

/// `2^-times`, and 0 where that is below every normal number.
fn halved(times: f64) -> f64 {
    // The exponent field of a double counts from 1023; a power of two has no other bits.
    f64::from_bits(1023_u64.saturating_sub(times as u64) << 52)
}
