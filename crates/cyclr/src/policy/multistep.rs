use alloc::{format, string::String, vec, vec::Vec};

use crate::Hyper;
use crate::error::{Error, above_zero, rate};
use crate::policy::decay::Decay;
use crate::policy::{Curve, Definition, Resolver};
use crate::spec::{Args, Fault, Field, number};
use crate::units::Length;

/// The rate drops by a factor at each of the listed updates.
///
/// `lr(i) = lr · gamma^k`, with `k` the number of entries of `at` that are at most `i`
///
/// Ranges: `lr` finite and at least 0; `gamma` finite and above 0; `at` not empty, each entry
/// later than the one before it, and within the policy's updates. Entries in per cent count from
/// where the stage begins, a warm-up in front of the policy included; entries in updates and
/// epochs count from the policy's first update. At 0: `lr`; past the end it holds its value at the
/// end. Equals torch's `MultiStepLR` and Caffe's `multistep`.
#[doc = include_str!("../../doc/multistep.svg")]
/// ```
/// use cyclr::{Spec, policy::MultiStep, units::{Horizon, Length, Updates}};
///
/// let policy = MultiStep::new(1.0, 0.1, [Length::from(Updates(60)), Length::from(Updates(65))])?;
/// let schedule = Spec::from(policy).schedule(&Horizon::of_updates(70)?)?;
/// assert_eq!([59, 60].map(|i| schedule.at(i).lr), [1.0, 0.1]);
/// # Ok::<(), cyclr::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct MultiStep<L = Length> {
    lr: f64,
    gamma: Decay,
    at: Vec<L>,
}

impl MultiStep {
    /// # Errors
    /// [`Error::OutOfRange`] if a value lies outside the ranges above; [`Error::NotRising`] if
    /// `at` is empty or entries of one unit do not rise. Entries of different units are compared
    /// once the run is known.
    pub fn new(lr: f64, gamma: f64, at: impl IntoIterator<Item = Length>) -> Result<Self, Error> {
        let at: Vec<Length> = at.into_iter().collect();
        if let Some((a, b)) = at
            .iter()
            .zip(at.iter().skip(1))
            .find(|&(&a, &b)| !rises(a, b))
        {
            return Err(not_rising(format!("{a} comes before {b}")));
        }
        if at.is_empty() {
            return Err(not_rising(String::from("it is empty")));
        }
        Ok(Self {
            lr: rate("lr", lr)?,
            gamma: Decay::new(above_zero("gamma", gamma)?),
            at,
        })
    }
}

impl Definition for MultiStep {
    type Resolved = MultiStep<f64>;

    const KEYS: &'static [&'static str] = &["lr", "gamma", "at"];

    fn read(args: &Args) -> Result<Self, Fault> {
        Ok(Self::new(
            args.number("lr")?,
            args.number("gamma")?,
            args.lengths("at")?,
        )?)
    }

    fn fields(&self) -> Vec<Field> {
        vec![
            Field::rate("lr", self.lr),
            Field::number("gamma", self.gamma.gamma()),
            Field::lengths("at", &self.at),
        ]
    }

    fn describe(&self, whole: &str) -> String {
        let drops = self.at.iter().map(|drop| match drop {
            Length::Percent(_) => format!("at {}", drop.describe(whole)),
            Length::Updates(_) | Length::Epochs(_) => format!("after {}", drop.describe(whole)),
        });
        let drops: Vec<String> = drops.collect();
        let (lr, gamma) = (number(self.lr), number(self.gamma.gamma()));
        format!(
            "the rate starts at {lr} and is multiplied by {gamma} {}",
            drops.join(", ")
        )
    }

    fn resolve(&self, to: &Resolver) -> Result<MultiStep<f64>, Error> {
        let at = self
            .at
            .iter()
            .map(|&length| to.place_within("at", length))
            .collect::<Result<Vec<f64>, Error>>()?;
        if let Some((a, b)) = at.iter().zip(at.iter().skip(1)).find(|(a, b)| a >= b) {
            return Err(not_rising(format!("{a} updates comes before {b}")));
        }
        Ok(MultiStep {
            lr: self.lr,
            gamma: self.gamma,
            at,
        })
    }

    fn shown_in(&self, updates: &dyn Fn(Length) -> Option<f64>) -> Option<f64> {
        Some(4.0 / 3.0 * updates(*self.at.last()?)?)
    }
}

impl Curve for MultiStep<f64> {
    #[inline]
    fn at(&self, i: f64, _: f64) -> Hyper {
        let drops = self.at.partition_point(|&at| at <= i);
        Hyper::lr(self.lr * self.gamma.stepped(drops as u64))
    }

    fn steps(&self, horizon: f64, most: usize) -> Option<Vec<(f64, f64)>> {
        let inside = |&at: &f64| at > 0.0 && at < horizon;
        let starts = core::iter::once(0.0).chain(self.at.iter().copied().filter(inside));
        let step = |start| (start, self.at(start, horizon).lr);
        Some(starts.take(most).map(step).collect())
    }
}

fn rises(a: Length, b: Length) -> bool {
    match (a, b) {
        (Length::Updates(a), Length::Updates(b)) => a < b,
        (Length::Epochs(a), Length::Epochs(b)) => a < b,
        (Length::Percent(a), Length::Percent(b)) => a < b,
        _ => true,
    }
}

fn not_rising(reason: String) -> Error {
    Error::NotRising { key: "at", reason }
}
