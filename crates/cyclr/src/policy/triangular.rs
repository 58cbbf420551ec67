use alloc::{string::String, vec::Vec};

use crate::Hyper;
use crate::error::Error;
use crate::policy::{Completing, Curve, Definition, Resolver, Wave};
use crate::range::MAX_OVER_TRIANGULAR;
use crate::spec::{Args, Fault, Field};
use crate::units::Length;

/// The rate cycles in straight lines between its bounds.
///
/// `lr(i) = base + (max - base)·tri(i)`, with `tri` the triangle of [`Wave`]
///
/// Ranges: those of [`Wave`]. At 0 and at every trough: `base`; at each peak: `max`; past the end
/// it holds its value at the end. Equals torch's `CyclicLR(mode="triangular")` and TF-addons'
/// `TriangularCyclicalLearningRate`. Source: Smith, [Cyclical learning
/// rates](https://arxiv.org/abs/1506.01186), section 3.1.
///
/// Articles retell it with a 1-based `cycle = floor(1 + epochCounter/(2·stepsize))`. That is the
/// same function, if both counters are in updates; a step size in epochs beside a counter in
/// updates makes cycles that are far too short.
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
}

impl Definition for Triangular {
    type Resolved = Triangular<f64>;

    const COMPLETE: Option<Completing<Self>> = Some(|with| Wave::complete(with).map(Self::new));
    const MAX_OVER_PEAK: f64 = MAX_OVER_TRIANGULAR;
    const KEYS: &'static [&'static str] = Wave::KEYS;

    fn read(args: &Args) -> Result<Self, Fault> {
        Ok(Self::new(Wave::read(args)?))
    }

    fn fields(&self) -> Vec<Field> {
        self.wave.fields()
    }

    fn describe(&self, whole: &str) -> String {
        self.wave.describe(whole)
    }

    fn resolve(&self, to: &Resolver) -> Result<Triangular<f64>, Error> {
        Ok(Triangular {
            wave: self.wave.resolve(to)?,
        })
    }

    fn shown_in(&self, updates: &dyn Fn(Length) -> Option<f64>) -> Option<f64> {
        self.wave.shown_in(updates)
    }
}

impl Curve for Triangular<f64> {
    #[inline]
    fn at(&self, i: f64, _: f64) -> Hyper {
        let (_, height) = self.wave.cycle_and_height(i);
        self.wave.above_base(height)
    }

    fn cycle(&self, i: f64, _: f64) -> Option<(u64, f64)> {
        Some(self.wave.cycle(i))
    }

    fn trough(&self, k: u64, _: f64) -> Option<f64> {
        Some(k as f64 * self.wave.period())
    }
}
