//! What else must be known of arms beside a reference.

use cyclr::readable;
use cyclr::stats::{Comparison, Obstacle, SEED_CAP, SeedRange, Verdict};

use super::Standings;
use super::words::{first_of, listed, two_decimals};

impl Standings<'_> {
    /// What `small` means, if an arm is.
    pub(crate) fn small(&self) -> Option<String> {
        let any = (0..self.arms.len()).any(|arm| self.is_small(arm));
        any.then(|| {
            format!(
                "small: the difference is shown to be less than the margin of {}.",
                self.margin_in_words()
            )
        })
    }

    /// Arms whose interval leaves out 0 although nothing is shown: it is that of one comparison, and the
    /// verdict is adjusted for all.
    pub(crate) fn adjusted(&self) -> Option<String> {
        let is_open = |found: &Comparison| {
            let leaves_out = found
                .difference
                .interval
                .is_some_and(|ends| !ends.contains(0.0));
            leaves_out && !found.is_decided()
        };
        let found = || self.arms.iter().filter_map(|arm| arm.difference);
        let p_values = found().filter(is_open);
        let p_values: Vec<String> = p_values
            .map(|found| readable(found.adjusted_p, 3))
            .collect();
        let labels = self.labels(|arm| self.arms[arm].difference.as_ref().is_some_and(is_open));
        let what = match p_values.len() {
            0 => return None,
            1 => "the interval leaves",
            _ => "the intervals leave",
        };
        Some(format!(
            "{labels}: {what} out 0, but verdicts are adjusted for {} arms (p = {}).",
            found().count(),
            listed(&p_values)
        ))
    }

    /// Seeds that would decide what is undecided.
    pub(crate) fn seeds_to_decide(&self) -> Option<String> {
        let arms = self.arms.iter().filter_map(|arm| {
            let Verdict::Undecided(Obstacle::TooFewSeeds(seeds)) = arm.difference?.verdict else {
                return None;
            };
            let SeedRange { low, high } = seeds;
            let seeds = match (low, high) {
                (SEED_CAP.., _) => format!("{SEED_CAP} or more"),
                (_, SEED_CAP..) => format!("{low} or many more"),
                _ if low == high => format!("{low}"),
                _ => format!("{low} to {high}"),
            };
            Some(format!("{} {seeds}", arm.label))
        });
        let arms: Vec<String> = arms.collect();
        (!arms.is_empty())
            .then(|| format!("Seeds in all that might decide: {}.", first_of(&arms, ", ")))
    }

    /// The arms whose verdict is open because their difference is the same at every seed.
    pub(crate) fn without_spread(&self) -> Option<String> {
        let which = |is_zero: bool| {
            self.labels(|arm| {
                let found = self.arms[arm].difference;
                found.is_some_and(|found| {
                    found.verdict == Verdict::Undecided(Obstacle::NoSpread)
                        && (found.difference.mean == 0.0) == is_zero
                })
            })
        };
        let reference = self.label(self.reference);
        let (same, shifted) = (which(true), which(false));
        let said = [
            (!same.is_empty())
                .then(|| format!("At every seed the value of {same} is that of {reference}")),
            (!shifted.is_empty()).then(|| {
                format!("The difference of {shifted} from {reference} does not vary over seeds")
            }),
        ];
        let said: Vec<String> = said.into_iter().flatten().collect();
        (!said.is_empty()).then(|| format!("{}, so that nothing can be tested.", said.join(". ")))
    }

    /// What the spread over seeds is made of.
    pub(crate) fn spread(&self) -> Vec<String> {
        let lines = [self.pairing(), self.examples()];
        lines.into_iter().flatten().collect()
    }

    /// What pairing by seed is worth: the correlations of the arms with the reference.
    fn pairing(&self) -> Option<String> {
        let arms = self.arms.iter().filter_map(|arm| {
            let found = arm.difference?;
            let correlation = found.correlation?;
            let ends = correlation.interval.map_or_else(String::new, |ends| {
                format!(
                    "{} to {}, ",
                    two_decimals(ends.low),
                    two_decimals(ends.high)
                )
            });
            let (label, r) = (arm.label, two_decimals(correlation.r));
            Some(format!("{label} {r} ({ends}n = {})", found.difference.n))
        });
        let arms: Vec<String> = arms.collect();
        (!arms.is_empty()).then(|| {
            format!(
                "Correlation with {} by seed: {}.",
                self.label(self.reference),
                first_of(&arms, ", ")
            )
        })
    }

    /// What the number of test examples explains.
    fn examples(&self) -> Option<String> {
        let examples = self.arms[self.reference].examples?;
        let arms = self.arms.iter();
        let shares = arms.filter_map(|arm| {
            let share = arm.examples?.share?;
            Some(format!("{:.0} % ({})", 100.0 * share, arm.label))
        });
        let shares: Vec<String> = shares.collect();
        let of = if shares.is_empty() {
            String::new()
        } else {
            format!(", at least {} of the variance", listed(&shares))
        };
        Some(format!(
            "{} test examples by themselves: a standard deviation of {} points{of}.",
            examples.examples,
            two_decimals(examples.sd)
        ))
    }
}
