//! How values, differences and verdicts are written.

use cyclr::readable;
use cyclr::stats::{Comparison, Difference, Interval, Summary, Verdict};
use cyclr::trainer::{Direction, Unit};

use super::{Row, Standings};

/// The digits of a value whose uncertainty is unknown.
pub(crate) const DIGITS: usize = 4;

/// The digits of an uncertainty.
const UNCERTAIN_DIGITS: i32 = 2;

/// In a cell that has nothing to show.
pub(crate) const NOTHING: &str = "–";

impl Standings<'_> {
    /// `linear wins: +1.01 points over fixed (0.57 to 1.45, n = 5)`
    pub(crate) fn wins(&self, arm: usize) -> String {
        let label = self.label(arm);
        match &self.arms[arm].difference {
            Some(found) => format!("{label} wins: {}", self.over(arm, &found.difference)),
            // An arm is better by its difference only.
            None => format!("{label} wins"),
        }
    }

    /// `fixed wins: linear comes closest, -4.00 points (…)`, of the reference.
    pub(crate) fn none_better(&self) -> String {
        let label = self.label(self.reference);
        let other = self.best_with(|verdict| verdict == Verdict::Worse);
        let other = other.and_then(|arm| Some((arm, self.arms[arm].difference?.difference)));
        match other {
            Some((arm, difference)) => format!(
                "{label} wins: {} comes closest, {}",
                self.label(arm),
                self.amount(&difference, "")
            ),
            None => format!("{label} wins: runs of every other arm diverged"),
        }
    }

    /// The best of the arms that are not shown to differ from the reference: `linear is not shown to
    /// differ from fixed, +0.12 points (…)`.
    pub(crate) fn nearest(&self) -> String {
        let other = self.best_of(|arm| self.is_level(arm));
        let other = other.and_then(|arm| Some((arm, self.arms[arm].difference?)));
        let Some((arm, found)) = other else {
            return format!(
                "no arm could be compared with {}",
                self.label(self.reference)
            );
        };
        self.said_of(arm, &found, "")
    }

    /// `linear is better than fixed, +1.01 points (…)`, with words after the reference.
    pub(crate) fn said_of(&self, arm: usize, found: &Comparison, words: &str) -> String {
        let said = match found.verdict {
            Verdict::Better => "is better than",
            Verdict::Worse => "is worse than",
            Verdict::Equivalent => "is equivalent to",
            Verdict::Undecided(_) => "is not shown to differ from",
        };
        let reference = self.label(self.reference);
        let by = self.amount(&found.difference, "");
        format!("{} {said} {reference}{words}, {by}", self.label(arm))
    }

    /// An arm in the table, without what only a comparison has.
    pub(crate) fn row(&self, arm: usize) -> Row {
        Row {
            arm: String::from(self.label(arm)),
            test: self.value_cell(self.arms[arm].sample.as_ref()),
            difference: self.difference_cell(arm),
            verdict: self.verdict_cell(arm),
            time_to_target: None,
            policy: None,
        }
    }

    /// `+1.01 points over fixed (0.57 to 1.45, n = 5)`; `against` if less is better, or if it is no
    /// share of examples.
    fn over(&self, arm: usize, difference: &Difference) -> String {
        let reference = self.label(self.reference);
        let small = if self.is_small(arm) {
            ", less than the margin"
        } else {
            ""
        };
        let over = match (self.objective.unit, self.objective.direction) {
            (Unit::Points, Direction::Higher) => format!(" over {reference}"),
            _ => format!(" against {reference}"),
        };
        format!("{}{small}", self.amount(difference, &over))
    }

    /// `+1.01 points (0.57 to 1.45, n = 5)`, or `-0.0123 in loss (…)`, with words before the
    /// interval.
    fn amount(&self, difference: &Difference, words: &str) -> String {
        let mean = self.signed(difference.mean, half_width(difference.interval));
        let unit = match self.objective.unit {
            Unit::Points => String::from(" points"),
            Unit::Own => format!(" in {}", self.objective.name),
        };
        let ends = self
            .ends(difference.interval)
            .map_or_else(String::new, |ends| ends + ", ");
        format!("{mean}{unit}{words} ({ends}n = {})", sizes(difference))
    }

    /// `85.95 ± 0.38`, over the runs that did not diverge.
    fn value_cell(&self, sample: Option<&Summary>) -> String {
        let Some(sample) = sample else {
            return String::from(NOTHING);
        };
        // Of values that are all the same it would be 0, as if the true mean were known.
        let half = half_width(sample.interval).filter(|half| *half > 0.0);
        let mean = self.number(sample.mean, half);
        match half {
            Some(half) => format!("{mean} ± {}", self.number(half, Some(half))),
            None => mean,
        }
    }

    /// `+1.01 (0.57 to 1.45)`
    fn difference_cell(&self, arm: usize) -> String {
        let Some(found) = &self.arms[arm].difference else {
            return String::from(NOTHING);
        };
        let Difference { mean, interval, .. } = found.difference;
        let mean = self.signed(mean, half_width(interval));
        let ends = self.ends(interval);
        let ends = ends.map_or_else(String::new, |ends| format!(" ({ends})"));
        format!("{mean}{ends}")
    }

    /// `better`, `worse (small)`, `diverged (2/5)`
    fn verdict_cell(&self, arm: usize) -> String {
        let standing = &self.arms[arm];
        match &standing.difference {
            _ if standing.diverged > 0 => {
                format!("diverged ({}/{})", standing.diverged, standing.runs)
            }
            _ if standing.runs == 0 => String::from(self.no_runs),
            None if arm == self.reference => String::from("reference"),
            // The reference diverged.
            None => String::from("not compared"),
            Some(found) if self.is_small(arm) => format!("{} (small)", word(found.verdict)),
            Some(found) => String::from(word(found.verdict)),
        }
    }

    /// The labels of the arms that are chosen, in their order: `a, b and c`.
    pub(crate) fn labels(&self, chosen: impl Fn(usize) -> bool) -> String {
        let arms = (0..self.arms.len()).filter(|&arm| chosen(arm));
        listed(&arms.map(|arm| self.label(arm)).collect::<Vec<_>>())
    }

    /// The margin with its unit: `0.5 points`.
    pub fn margin_in_words(&self) -> String {
        let number = readable(self.margin, DIGITS);
        match self.objective.unit {
            Unit::Points if number == "1" => String::from("1 point"),
            Unit::Points => format!("{number} points"),
            Unit::Own => number,
        }
    }

    /// `0.57 to 1.45`, if there is an interval.
    fn ends(&self, interval: Option<Interval>) -> Option<String> {
        let half = half_width(interval);
        let interval = interval?;
        let [low, high] = [interval.low, interval.high].map(|end| self.number(end, half));
        Some(format!("{low} to {high}"))
    }

    /// Points to two decimals; anything else down to the second digit of its uncertainty, if that
    /// is known.
    fn number(&self, value: f64, uncertainty: Option<f64>) -> String {
        match self.objective.unit {
            Unit::Points => two_decimals(value),
            Unit::Own => readable(value, digits(value, uncertainty)),
        }
    }

    fn signed(&self, value: f64, uncertainty: Option<f64>) -> String {
        let text = self.number(value, uncertainty);
        if text.starts_with('-') {
            text
        } else {
            format!("+{text}")
        }
    }
}

/// A number with two decimals; a rounded zero has no sign.
pub(super) fn two_decimals(value: f64) -> String {
    let text = format!("{value:.2}");
    if text == "-0.00" {
        String::from("0.00")
    } else {
        text
    }
}

/// Of a longer list the rest is counted: nobody reads it.
const MOST_LISTED: usize = 8;

/// `a, b and c`
pub(crate) fn listed<S: AsRef<str>>(words: &[S]) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    match words.split_last() {
        Some((last, rest)) if (1..MOST_LISTED).contains(&rest.len()) => {
            format!("{} and {last}", rest.join(", "))
        }
        _ => first_of(&words, ", "),
    }
}

/// `a 7 to 37, b 3`, of a long list the first, and how many more there are.
pub(crate) fn first_of<S: AsRef<str>>(items: &[S], between: &str) -> String {
    let items: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
    match items.len().checked_sub(MOST_LISTED) {
        Some(more @ 1..) => format!("{} and {more} more", items[..MOST_LISTED].join(between)),
        _ => items.join(between),
    }
}

pub(crate) fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Better => "better",
        Verdict::Worse => "worse",
        Verdict::Equivalent => "equivalent",
        Verdict::Undecided(_) => "undecided",
    }
}

/// `5`, or `5 and 4` of arms that are not paired.
fn sizes(difference: &Difference) -> String {
    match difference.reference_n {
        None => difference.n.to_string(),
        Some(reference) => format!("{} and {reference}", difference.n),
    }
}

/// The digits of a value down to the second digit of its uncertainty.
fn digits(value: f64, uncertainty: Option<f64>) -> usize {
    let Some(uncertainty) = uncertainty.filter(|u| *u > 0.0 && value != 0.0) else {
        return DIGITS;
    };
    let place = |x: f64| x.abs().log10().floor() as i32;
    let digits = place(value) - place(uncertainty) + UNCERTAIN_DIGITS;
    // An `f64` has 17 digits.
    digits.clamp(1, 17) as usize
}

/// Half the width of the interval of the mean.
fn half_width(interval: Option<Interval>) -> Option<f64> {
    interval.map(|interval| 0.5 * (interval.high - interval.low))
}
