//! From values by seed to verdicts.

use cyclr::stats::{self, Obstacle, Rules, Summary};
use cyclr::trainer::Direction;

use super::record::{ArmResult, Difference, Measure, Sample, Verdict};

/// Every other arm beside the reference, by final test values.
pub(super) fn differences(
    arms: &[ArmResult],
    reference: &ArmResult,
    margin: f64,
    measure: &Measure,
) -> Vec<Difference> {
    let others = || arms.iter().filter(|arm| arm.label != reference.label);
    let whole = |arm: &&ArmResult| arm.diverged == 0 && reference.diverged == 0;
    let compared: Vec<&ArmResult> = others().filter(whole).collect();
    let found = verdicts(&compared, reference, margin, measure);
    others()
        .map(|arm| {
            let place = compared.iter().position(|other| other.label == arm.label);
            match place.and_then(|place| found.get(place)) {
                Some(comparison) => difference(&arm.label, comparison),
                None => nothing_to_compare(&arm.label),
            }
        })
        .collect()
}

fn verdicts(
    arms: &[&ArmResult],
    reference: &ArmResult,
    margin: f64,
    measure: &Measure,
) -> Vec<stats::Comparison> {
    let rules = Rules {
        margin,
        direction: if measure.higher_is_better {
            Direction::Higher
        } else {
            Direction::Lower
        },
    };
    let values: Vec<Vec<f64>> = arms.iter().map(|arm| tests(arm)).collect();
    let values: Vec<&[f64]> = values.iter().map(Vec::as_slice).collect();
    // Runs that did not diverge have finite values, one for each seed, and the plan's margin was checked.
    stats::compare(&tests(reference), &values, rules).unwrap_or_default()
}

fn tests(arm: &ArmResult) -> Vec<f64> {
    arm.runs.iter().filter_map(|run| run.test).collect()
}

fn difference(label: &str, comparison: &stats::Comparison) -> Difference {
    let (verdict, seeds_to_decide) = match comparison.verdict {
        stats::Verdict::Better => (Verdict::Better, None),
        stats::Verdict::Worse => (Verdict::Worse, None),
        stats::Verdict::Equivalent => (Verdict::Equivalent, None),
        stats::Verdict::Undecided(Obstacle::TooFewSeeds(range)) => {
            (Verdict::Undecided, Some([range.low, range.high]))
        }
        stats::Verdict::Undecided(_) => (Verdict::Undecided, None),
    };
    Difference {
        label: String::from(label),
        sample: Some(sample(&comparison.difference)),
        p: comparison.t_test.map(|_| comparison.adjusted_p),
        equivalence_p: comparison.tost.map(|_| comparison.adjusted_tost_p),
        within_margin: comparison.within_margin,
        verdict,
        seeds_to_decide,
    }
}

fn nothing_to_compare(label: &str) -> Difference {
    Difference {
        label: String::from(label),
        sample: None,
        p: None,
        equivalence_p: None,
        within_margin: false,
        verdict: Verdict::Diverged,
        seeds_to_decide: None,
    }
}

/// The values as a sample; `None` where there is none.
pub(super) fn sample_of(values: impl Iterator<Item = f64>) -> Option<Sample> {
    let values: Vec<f64> = values.collect();
    Summary::of(&values).ok().as_ref().map(sample)
}

fn sample(summary: &Summary) -> Sample {
    Sample {
        n: summary.n,
        mean: summary.mean,
        sd: summary.sd,
        interval: summary.interval.map(|i| [i.low, i.high]),
    }
}
