use alloc::{string::String, vec::Vec};

use crate::Hyper;
use crate::error::Error;
use crate::policy::{Resolver, Wave};
use crate::spec::{Args, Fault, Field};
use crate::units::Length;

/// The rate cycles in straight lines between its bounds.
///
/// `lr(i) = base + (max - base)·tri(i)`, with `tri` the triangle of [`Wave`]
///
/// Ranges: those of [`Wave`]. At 0 and at every trough: `base`; at each peak: `max`; past the end it holds its value at
/// the end. Equals torch's `CyclicLR(mode="triangular")` and TF-addons' `TriangularCyclicalLearningRate`. Source: Smith,
/// [Cyclical learning rates](https://arxiv.org/abs/1506.01186), section 3.1.
#[doc = include_str!("../../doc/triangular.svg")]
/// ```
/// use cyclr::{Spec, policy::{Triangular, Wave}, units::{Horizon, Updates}};
///
/// let policy = Triangular::new(Wave::new(0.001, 0.006, Updates(2000))?);
/// let schedule = Spec::from(policy).schedule(&Horizon::of_updates(8000)?)?;
/// assert_eq!([0, 1, 2000, 4000].map(|i| schedule.at(i).lr), [0.001, 0.0010025, 0.006, 0.001]);
/// # Ok::<(), cyclr::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Triangular<L = Length> {
    wave: Wave<L>,
}

impl Triangular {
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
        self.wave.describe()
    }

    pub(super) fn resolve(&self, to: &Resolver) -> Result<Triangular<f64>, Error> {
        Ok(Triangular {
            wave: self.wave.resolve(to)?,
        })
    }
}

impl<L> Triangular<L> {
    pub(super) fn wave(&self) -> &Wave<L> {
        &self.wave
    }
}

impl Triangular<f64> {
    #[inline]
    pub(super) fn at(&self, i: f64) -> Hyper {
        let (_, height) = self.wave.cycle_and_height(i);
        self.wave.above_base(height)
    }
}
