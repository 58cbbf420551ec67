//! What else must be known of arms beside a reference.

use cyclr::readable;
use cyclr::stats::{Obstacle, SEED_CAP, SeedRange, Verdict};

use super::words::{DIGITS, listed, two_decimals};
use super::{Standing, Standings};

impl Standings<'_> {
    /// What `small` means, if an arm is.
    pub(crate) fn small(&self) -> Option<String> {
        let any = (0..self.arms.len()).any(|arm| self.is_small(arm));
        any.then(|| {
            format!(
                "small: the difference is shown to be less than the margin of {}{}.",
                readable(self.margin, DIGITS),
                self.unit()
            )
        })
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
        (!arms.is_empty()).then(|| format!("Seeds in all that might decide: {}.", arms.join(", ")))
    }

    /// The arms whose verdict is open because their difference is the same at every seed.
    pub(crate) fn without_spread(&self) -> Option<String> {
        let verdict = |arm: &Standing| Some(arm.difference?.verdict);
        let is_one = |arm: &&Standing| verdict(arm) == Some(Verdict::Undecided(Obstacle::NoSpread));
        let arms = self.arms.iter().filter(is_one);
        let arms: Vec<String> = arms.map(|arm| arm.label.to_owned()).collect();
        (!arms.is_empty()).then(|| {
            format!(
                "The difference of {} from {} does not vary over seeds, so that nothing can be tested.",
                listed(&arms),
                self.label(self.reference)
            )
        })
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
                arms.join(", ")
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
