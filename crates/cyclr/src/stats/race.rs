//! A comparison to which seeds are added while a verdict is open.

#[cfg(feature = "serde")]
use alloc::string::String;
use alloc::vec::Vec;

use super::{Comparison, StatsError, Verdict, check_range};

/// When a comparison of arms on the same seeds is looked at, and what each look may claim: a
/// group-sequential rule, declared before the first run.
///
/// There are four looks, at quarters of the most seeds, rounded up. At each look all verdicts are
/// made again from all seeds so far, with an error of 1.6 % in place of 5 %. It is the last look if
/// no verdict is open, or if it is at the most seeds.
///
/// Pocock (1977) gives 1.82 % for four looks at a normal mean whose deviation is known. With t-tests
/// of few seeds an arm like the reference would then be called different at some look in up to
/// 5.8 % of races. At 1.6 % it is in 4.6 to 5.1 %, and for any number of arms and any distribution
/// for which a single t-test holds its level, at most in 4 × 1.6 = 6.4 %.
///
/// ```
/// use cyclr::stats::Race;
///
/// let race = Race::up_to(20)?;
/// assert_eq!((race.looks(), race.level()), (&[5, 10, 15, 20][..], 0.016));
/// # Ok::<(), cyclr::stats::StatsError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "Looks", into = "Looks")
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(with = "Looks"))]
pub struct Race {
    looks: Vec<u64>,
}

impl Race {
    /// The fewest that the most seeds may be: four looks, the first at two seeds.
    pub const FEWEST: u64 = 8;

    /// The most that the most seeds may be.
    pub const MOST: u64 = 1_000_000;

    /// The error that each look may make.
    pub const LEVEL: f64 = 0.016;

    const LOOKS: u64 = 4;

    /// The rule for at most `seeds` seeds.
    ///
    /// # Errors
    /// [`StatsError::Range`] if they are not in [`Race::FEWEST`]`..=`[`Race::MOST`].
    pub fn up_to(seeds: u64) -> Result<Self, StatsError> {
        let allowed = Self::FEWEST as f64..=Self::MOST as f64;
        check_range("the most seeds of a race", seeds as f64, allowed, "8..=1e6")?;
        let looks = (1..=Self::LOOKS).map(|look| (seeds * look).div_ceil(Self::LOOKS));
        Ok(Self {
            looks: looks.collect(),
        })
    }

    /// The numbers of seeds at which it is looked at, rising.
    pub fn looks(&self) -> &[u64] {
        &self.looks
    }

    /// The error that each look may make, for [`Rules::level`](super::Rules::level).
    pub fn level(&self) -> f64 {
        Self::LEVEL
    }

    /// Whether a verdict is open, so that seeds are added if there are any left.
    pub fn is_open<'a>(found: impl IntoIterator<Item = &'a Comparison>) -> bool {
        let mut found = found.into_iter();
        found.any(|arm| matches!(arm.verdict, Verdict::Undecided(_)))
    }
}

/// A race as records have it.
#[cfg(feature = "serde")]
#[derive(serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Race"))]
#[serde(deny_unknown_fields)]
struct Looks {
    /// The numbers of seeds at which verdicts are made: quarters of the most seeds, rounded up.
    looks: Vec<u64>,
    /// The error that each look may make in place of 0.05.
    level: f64,
}

#[cfg(feature = "serde")]
impl From<Race> for Looks {
    fn from(race: Race) -> Self {
        let level = race.level();
        let looks = race.looks;
        Self { looks, level }
    }
}

#[cfg(feature = "serde")]
impl TryFrom<Looks> for Race {
    type Error = String;

    fn try_from(given: Looks) -> Result<Self, Self::Error> {
        let most = given.looks.last().copied().unwrap_or(0);
        let race = Self::up_to(most).map_err(|error| alloc::format!("{error}"))?;
        if race.looks == given.looks && race.level().to_bits() == given.level.to_bits() {
            return Ok(race);
        }
        Err(alloc::format!(
            "a race of at most {most} seeds looks at {:?} seeds, each time at the level {}: found {:?} at {}",
            race.looks,
            race.level(),
            given.looks,
            given.level
        ))
    }
}
