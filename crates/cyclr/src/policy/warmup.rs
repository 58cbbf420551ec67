use alloc::{format, string::String, vec, vec::Vec};

use crate::error::{Error, rate};
use crate::policy::{Resolver, positive};
use crate::spec::{Args, Fault, Field, number};
use crate::units::{Length, Percent, round_up};

/// A rise to the first rate of the policy that comes after it.
///
/// `lr(i) = from + (lr - from)·i/W` for `i < W`, with `lr` the next policy's rate at its own
/// update 0
///
/// Ranges: `from` finite and at least 0; the length longer than 0. The policy after it starts at
/// the first whole update at or after the warm-up's end, counts its own updates from 0 and has
/// what is left of the run.
#[doc = include_str!("../../doc/warmup.svg")]
/// ```
/// use cyclr::{Spec, units::Horizon};
///
/// let spec: Spec = "warmup(10) then fixed(lr=0.5)".parse().unwrap();
/// let schedule = spec.schedule(&Horizon::of_updates(100)?)?;
/// assert_eq!([0, 5, 10].map(|i| schedule.at(i).lr), [0.0, 0.25, 0.5]);
/// # Ok::<(), cyclr::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Warmup {
    length: Length,
    from: f64,
}

impl Warmup {
    /// # Errors
    /// [`Error::OutOfRange`] or [`Error::ZeroLength`] if a value lies outside the ranges above.
    pub fn new(length: impl Into<Length>, from: f64) -> Result<Self, Error> {
        Ok(Self {
            length: positive("length", length)?,
            from: rate("from", from)?,
        })
    }

    /// How long it lasts.
    pub fn length(&self) -> Length {
        self.length
    }

    /// The rate at its update 0.
    pub fn from(&self) -> f64 {
        self.from
    }

    pub(crate) const KEYS: &[&str] = &["length", "from"];

    pub(crate) fn read(args: &Args) -> Result<Self, Fault> {
        Ok(Self::new(
            args.length("length")?,
            args.number_or("from", 0.0)?,
        )?)
    }

    pub(crate) fn fields(&self) -> Vec<Field> {
        let mut fields = vec![Field::length("length", self.length)];
        if self.from != 0.0 {
            fields.push(Field::rate("from", self.from));
        }
        fields
    }

    pub(crate) fn describe(&self) -> String {
        format!(
            "a warm-up from {} over {}",
            number(self.from),
            self.length.describe("run")
        )
    }
}

/// The warm-up of a policy that is named without its keys.
pub(super) fn usual_warmup() -> Result<Length, Error> {
    Percent::new(5.0).map(Length::from)
}

/// A warm-up from 0 inside a policy, `warmup=LEN`: the same as [`Warmup`] in front of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rise<L = Length>(Option<L>);

impl Rise {
    pub(super) const NONE: Self = Self(None);

    pub(super) fn new(warmup: impl Into<Length>) -> Result<Self, Error> {
        Ok(Self(Some(positive("warmup", warmup)?)))
    }

    pub(super) fn read(args: &Args) -> Result<Self, Fault> {
        Ok(args
            .optional_length("warmup")?
            .map(Self::new)
            .transpose()?
            .unwrap_or(Self::NONE))
    }

    pub(super) fn fields(self) -> Vec<Field> {
        self.0
            .map(|length| vec![Field::length("warmup", length)])
            .unwrap_or_default()
    }

    /// Describes the warm-up, for the beginning of the policy's description.
    pub(super) fn describe(self, whole: &str) -> String {
        self.0.map_or_else(String::new, |length| {
            format!("after a warm-up from 0 over {}, ", length.describe(whole))
        })
    }

    pub(super) fn resolve(self, to: &Resolver) -> Result<Rise<f64>, Error> {
        let Some(length) = self.0 else {
            return Ok(Rise(None));
        };
        let updates = to.updates("warmup", length)?;
        to.leaves_room("warmup", round_up(updates) as f64)?;
        Ok(Rise(Some(updates)))
    }
}

impl<L> Rise<L> {
    /// Its length, if there is one.
    pub(super) fn get(self) -> Option<L> {
        self.0
    }
}

impl Rise<f64> {
    pub(super) fn length(self) -> f64 {
        self.0.unwrap_or(0.0)
    }

    /// The rate at update `i` of `horizon`: on the way up to `lr`, or what `after` says. `after`
    /// has the updates since the warm-up and the updates that are left after it, both counted from
    /// the first update after the warm-up.
    #[inline]
    pub(super) fn over(
        self,
        (i, horizon): (f64, f64),
        lr: f64,
        after: impl FnOnce(f64, f64) -> f64,
    ) -> f64 {
        match self.0 {
            Some(length) if i < length => lr * (i / length),
            Some(length) => {
                let start = round_up(length) as f64;
                after(i - start, horizon - start)
            }
            None => after(i, horizon),
        }
    }
}
