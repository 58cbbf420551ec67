use cyclr::stats::{self, Obstacle, Rules, SeedRange, Verdict};
use pyo3::prelude::*;

use crate::range::direction;
use crate::refused;

/// One sample in short.
#[derive(IntoPyObject)]
pub(crate) struct Summary {
    n: usize,
    mean: f64,
    sd: Option<f64>,
    interval: Option<(f64, f64)>,
}

impl From<stats::Summary> for Summary {
    fn from(summary: stats::Summary) -> Self {
        Self {
            n: summary.n,
            mean: summary.mean,
            sd: summary.sd,
            interval: summary.interval.map(|i| (i.low, i.high)),
        }
    }
}

impl From<stats::Difference> for Summary {
    fn from(difference: stats::Difference) -> Self {
        Self {
            n: difference.n,
            mean: difference.mean,
            sd: difference.sd,
            interval: difference.interval.map(|i| (i.low, i.high)),
        }
    }
}

#[pyfunction]
pub(crate) fn summary(values: Vec<f64>) -> PyResult<Summary> {
    stats::Summary::of(&values).map(Into::into).map_err(refused)
}

/// One arm beside the reference.
#[derive(IntoPyObject)]
pub(crate) struct Judged {
    verdict: &'static str,
    obstacle: Option<String>,
    difference: Summary,
    p: f64,
    tost_p: f64,
    within_margin: bool,
}

#[pyfunction]
pub(crate) fn judge(
    reference: Vec<f64>,
    arms: Vec<Vec<f64>>,
    margin: f64,
    better: &str,
) -> PyResult<Vec<Judged>> {
    let rules = Rules::new(margin, direction(better)?);
    let arms: Vec<&[f64]> = arms.iter().map(Vec::as_slice).collect();
    let found = stats::compare(&reference, &arms, rules).map_err(refused)?;
    Ok(found.into_iter().map(Into::into).collect())
}

impl From<stats::Comparison> for Judged {
    fn from(comparison: stats::Comparison) -> Self {
        let (verdict, obstacle) = match comparison.verdict {
            Verdict::Better => ("better", None),
            Verdict::Worse => ("worse", None),
            Verdict::Equivalent => ("equivalent", None),
            Verdict::Undecided(obstacle) => ("undecided", Some(describe(obstacle))),
        };
        Self {
            verdict,
            obstacle,
            difference: comparison.difference.into(),
            p: comparison.adjusted_p,
            tost_p: comparison.adjusted_tost_p,
            within_margin: comparison.within_margin,
        }
    }
}

fn describe(obstacle: Obstacle) -> String {
    match obstacle {
        Obstacle::OneSeed => "one seed has no spread to judge by".into(),
        Obstacle::NoSpread => "the difference was the same at every seed".into(),
        Obstacle::TooFewSeeds(SeedRange { low, high }) => {
            format!("about {low} to {high} seeds would decide")
        }
    }
}
