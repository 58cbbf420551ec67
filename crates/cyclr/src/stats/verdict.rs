//! Several arms against one reference, and what may be said of each.

use alloc::vec::Vec;

use super::{
    ALPHA, Correlation, Interval, Paired, SeedRange, StatsError, TTest, Tost, Welch, check_range,
    holm,
    seeds::{paired_seeds_to_decide, unpaired_seeds_to_decide},
    t_test::check_margin,
};
use crate::trainer::Direction;

/// What a comparison was told before it began.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    /// Differences smaller than this do not matter, in the unit of the values; above 0.
    pub margin: f64,
    /// Whether more or less of the value is better.
    pub direction: Direction,
    /// The error that this analysis may make: [`ALPHA`] if it is the only one, less if it is one
    /// look of a [`Race`](super::Race); above 0 and at most [`ALPHA`]. Intervals hold 1 - level, and
    /// p-values are multiplied by [`ALPHA`]/level.
    pub level: f64,
}

impl Rules {
    /// The rules of an analysis that is the only one of its data.
    pub const fn new(margin: f64, direction: Direction) -> Self {
        Self {
            margin,
            direction,
            level: ALPHA,
        }
    }

    fn check(self) -> Result<(), StatsError> {
        check_margin(self.margin)?;
        check_level(self.level).map(drop)
    }

    /// p-values adjusted for the number of arms and for other looks.
    fn adjusted(self, p_values: impl Iterator<Item = Option<f64>>) -> Result<Vec<f64>, StatsError> {
        let looks = ALPHA / self.level;
        let p_values: Vec<f64> = p_values.map(|p| p.unwrap_or(1.0)).collect();
        let adjusted = holm(&p_values)?.into_iter();
        Ok(adjusted.map(|p| (p * looks).min(1.0)).collect())
    }
}

/// What may be said of an arm beside the reference.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Verdict {
    /// Better than the reference. [`Comparison::within_margin`] tells whether the difference is
    /// shown to be too small to matter.
    Better,
    /// Worse than the reference, likewise.
    Worse,
    /// Not shown to differ, and shown to differ by less than the margin.
    Equivalent,
    /// None of these could be shown, which does not say that the arms are the same.
    Undecided(Obstacle),
}

/// What stood in the way of a verdict.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Obstacle {
    /// One seed has no spread to judge a difference by: of either arm, if they are not paired.
    OneSeed,
    /// The difference was the same at every seed, or unpaired arms do not vary at all, so nothing
    /// shows how it would vary at other seeds.
    /// Two arms that are the same by construction end here, with a difference of 0.
    NoSpread,
    /// The differences vary too much for this number of seeds; about this many in all would decide, at
    /// the same level: in a race, if a race with that many is declared.
    TooFewSeeds(SeedRange),
}

/// One arm beside the reference.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Comparison {
    /// Arm less reference, and whether it is paired. The interval is this comparison's own: widened
    /// for the looks of a race, if it is one, but not for the number of arms, so it can exclude 0
    /// if the verdict, which is adjusted, is undecided.
    pub difference: Difference,
    /// How much the two go up and down together; `None` if they are not paired, for fewer than
    /// three pairs, and if either does not vary.
    #[cfg_attr(feature = "serde", serde(default))]
    pub correlation: Option<Correlation>,
    /// The test for a difference; `None` if one seed or no spread leaves nothing to test.
    pub t_test: Option<TTest>,
    /// Its p-value after [`holm`] over all arms, and adjusted for the looks of a race; 1 if there
    /// was no test.
    pub adjusted_p: f64,
    /// The test for equivalence; `None` as above.
    pub tost: Option<Tost>,
    /// Its p-value, adjusted likewise; 1 if there was no test.
    pub adjusted_tost_p: f64,
    /// Whether the difference is shown to be smaller than the margin: `adjusted_tost_p` < 0.05.
    pub within_margin: bool,
    /// The verdict.
    pub verdict: Verdict,
}

/// The difference of an arm from the reference.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Difference {
    /// The number of pairs; of arms that are not paired, the values of the arm.
    pub n: usize,
    /// The values of the reference, if the two are not paired; `None` if they are.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub reference_n: Option<usize>,
    /// The mean, arm less reference.
    pub mean: f64,
    /// The standard deviation of the paired differences; if not paired, of the difference of two
    /// values, √(s₁² + s₂²). `None` if one value leaves no spread to see.
    pub sd: Option<f64>,
    /// The 95 % interval of the true difference: Student's, or Welch's if not paired; `None` if one
    /// value or no spread leaves nothing to tell it by. In a race the intervals of all looks together
    /// hold 95 %.
    pub interval: Option<Interval>,
}

/// An arm and the reference, before they are tested.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pairing {
    /// Both ran on the same seeds: Student's paired t-test.
    BySeed(Paired),
    /// They did not: Welch's t-test.
    Unpaired(Welch),
}

/// Compares each arm with the reference on the same seeds, by [`compare_family`].
///
/// ```
/// use cyclr::{trainer::Direction, stats};
/// let rules = stats::Rules::new(0.5, Direction::Higher);
/// let found = stats::compare(&[71.0, 72.0, 71.5], &[&[73.1, 74.0, 73.6]], rules)?;
/// assert_eq!(found[0].verdict, stats::Verdict::Better);
/// # Ok::<(), stats::StatsError>(())
/// ```
///
/// # Errors
/// As [`Paired::new`] for any arm; [`StatsError::Range`] if the margin is not in 1e-100..=1e100, or
/// the level not in 1e-6..=0.05.
pub fn compare(
    reference: &[f64],
    arms: &[&[f64]],
    rules: Rules,
) -> Result<Vec<Comparison>, StatsError> {
    rules.check()?;
    let pair = |arm: &&[f64]| Paired::new(arm, reference).map(Pairing::BySeed);
    let family: Vec<Pairing> = arms.iter().map(pair).collect::<Result<_, _>>()?;
    compare_family(&family, rules)
}

/// Compares arms with one reference, each paired with it or not. The arms given here are one
/// family.
///
/// 1. Of each arm a t-test (two-sided) and a TOST with the margin, paired or Welch's. An arm that cannot be
///    tested counts with p = 1.
/// 2. [`holm`] over the t-tests, and, apart from that, over the TOSTs. At a look of a race the
///    adjusted p-values are multiplied by 0.05/level.
/// 3. Adjusted t-test p < 0.05: better or worse, by the sign of the mean difference. Else adjusted
///    TOST p < 0.05:
///    equivalent. Else undecided.
///
/// So the chance that any arm is wrongly called better or worse is at most 5 %, and so is the
/// chance that any arm whose true difference is the margin or more is called equivalent, whatever
/// the number of arms. Both are adjusted since both are claims, and each further arm is a further
/// chance to be wrong. Both tests can succeed at once if the spread is small: then the difference
/// is real and small, better or worse stands, and [`Comparison::within_margin`] is set.
///
/// The seeds are the population: the values of one seed are means over the same test examples, and
/// nothing here speaks of new examples.
///
/// # Errors
/// [`StatsError::Range`] if the margin is not in 1e-100..=1e100, or the level not in 1e-6..=0.05.
pub fn compare_family(family: &[Pairing], rules: Rules) -> Result<Vec<Comparison>, StatsError> {
    rules.check()?;
    // An arm that cannot be tested has its obstacle in place of a p-value.
    let t_tests: Vec<_> = family.iter().map(|pair| pair.t_test().ok()).collect();
    let tosts: Vec<_> = family
        .iter()
        .map(|pair| pair.tost(rules.margin).ok())
        .collect();
    let adjusted = rules.adjusted(t_tests.iter().map(|test| test.map(|t| t.p)))?;
    let adjusted_tost = rules.adjusted(tosts.iter().map(|test| test.map(|t| t.p)))?;
    let judged = family.iter().enumerate().map(|(i, pair)| {
        let mut comparison = Comparison {
            difference: pair.difference(rules.level),
            correlation: pair.correlation(),
            t_test: t_tests[i],
            adjusted_p: adjusted[i],
            tost: tosts[i],
            adjusted_tost_p: adjusted_tost[i],
            within_margin: adjusted_tost[i] < ALPHA,
            verdict: Verdict::Equivalent,
        };
        comparison.verdict = comparison.judge(pair, rules, family.len())?;
        Ok(comparison)
    });
    judged.collect()
}

impl Pairing {
    fn t_test(&self) -> Result<TTest, StatsError> {
        match self {
            Self::BySeed(pair) => pair.t_test(),
            Self::Unpaired(welch) => welch.t_test(),
        }
    }

    fn tost(&self, margin: f64) -> Result<Tost, StatsError> {
        match self {
            Self::BySeed(pair) => pair.tost(margin),
            Self::Unpaired(welch) => welch.tost(margin),
        }
    }

    fn difference(&self, level: f64) -> Difference {
        let difference = match self {
            Self::BySeed(pair) => {
                let pairs = pair.differences();
                Difference {
                    n: pairs.n,
                    reference_n: None,
                    mean: pairs.mean,
                    sd: pairs.sd,
                    interval: pairs.interval_at(level),
                }
            }
            Self::Unpaired(welch) => Difference {
                n: welch.samples()[0].n,
                reference_n: Some(welch.samples()[1].n),
                mean: welch.mean(),
                sd: welch.sd(),
                interval: welch.interval_at(level),
            },
        };
        Difference {
            // Without spread it would be a point, as if the true difference were known.
            interval: difference.interval.filter(|_| self.t_test().is_ok()),
            ..difference
        }
    }

    fn correlation(&self) -> Option<Correlation> {
        match self {
            Self::BySeed(pair) => pair.correlation(),
            Self::Unpaired(_) => None,
        }
    }

    fn seeds_to_decide(&self, margin: f64, error: f64) -> Result<SeedRange, StatsError> {
        match self {
            Self::BySeed(pair) => paired_seeds_to_decide(pair.differences(), margin, error),
            Self::Unpaired(welch) => unpaired_seeds_to_decide(welch, margin, error),
        }
    }
}

impl Difference {
    /// Whether the arms ran on the same seeds and were compared seed by seed.
    pub fn is_paired(&self) -> bool {
        self.reference_n.is_none()
    }

    /// Whether one value, of either arm if they are not paired, leaves no spread to see.
    pub fn is_of_one(&self) -> bool {
        self.n == 1 || self.reference_n == Some(1)
    }
}

impl Comparison {
    /// Whether it is a claim that the arms differ.
    pub fn is_decided(&self) -> bool {
        matches!(self.verdict, Verdict::Better | Verdict::Worse)
    }

    /// The third step of [`compare_family`], of whose family this is one.
    fn judge(&self, pair: &Pairing, rules: Rules, family: usize) -> Result<Verdict, StatsError> {
        if self.adjusted_p < ALPHA {
            return Ok(side(self.difference.mean, rules.direction));
        }
        if self.within_margin {
            return Ok(Verdict::Equivalent);
        }
        Ok(Verdict::Undecided(if self.difference.is_of_one() {
            Obstacle::OneSeed
        } else if self.t_test.is_none() {
            Obstacle::NoSpread
        } else {
            let error = rules.level / family as f64;
            Obstacle::TooFewSeeds(pair.seeds_to_decide(rules.margin, error)?)
        }))
    }
}

/// Refuses the level of an analysis that is stricter than anybody needs, or laxer than [`ALPHA`].
pub(super) fn check_level(level: f64) -> Result<f64, StatsError> {
    check_range("the level", level, 1e-6..=ALPHA, "1e-6..=0.05")
}

fn side(difference: f64, direction: Direction) -> Verdict {
    if (difference > 0.0) == (direction == Direction::Higher) {
        Verdict::Better
    } else {
        Verdict::Worse
    }
}
