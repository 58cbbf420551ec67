//! How soon the arms come near the reference's end.

use cyclr::stats::{Interval, Time, median_time, time_ratio};

use super::record::{ArmResult, ArmTimeToTarget, Measure, RunResult, TimeToTarget};

/// Every arm's times to the reference's mean final validation value less the margin. `None` where a run of the reference
/// diverged, or there is no time to compare.
pub(super) fn time_to_target(
    arms: &[ArmResult],
    reference: &ArmResult,
    grid: &[u64],
    margin: f64,
    measure: &Measure,
    seconds_per_update: f64,
    tuning_updates: impl Fn(&str) -> u64,
) -> Option<TimeToTarget> {
    if reference.diverged > 0 {
        return None;
    }
    let end = reference.validation?.mean;
    let target = if measure.higher_is_better {
        end - margin
    } else {
        end + margin
    };
    let times = |arm: &ArmResult| -> Vec<Time> {
        let time = |run: &RunResult| {
            let first = reached_at(run, grid, target, measure.higher_is_better);
            first.map_or(Time::Censored(arm.updates as f64), |at| {
                Time::Reached(at as f64)
            })
        };
        arm.runs.iter().map(time).collect()
    };
    let own = times(reference);
    let arms = arms.iter().map(|arm| {
        let times = times(arm);
        let median = median_time(&times).ok()?;
        let ratio = time_ratio(&times, &own).ok()?;
        let updates = times.iter().map(|time| match time {
            Time::Reached(at) => Some(*at as u64),
            Time::Censored(_) => None,
        });
        let median_updates = ends(median.median);
        Some(ArmTimeToTarget {
            label: arm.label.clone(),
            updates: updates.collect(),
            reached: ratio.arm_reached,
            median_updates,
            median_seconds: median_updates.map(|end| end.map(|end| end * seconds_per_update)),
            ratio: ends(ratio.ratio.median),
            ratio_interval: ends(ratio.ratio.interval),
            ratio_confidence: ratio.ratio.confidence,
            tuning_updates: tuning_updates(&arm.label),
        })
    });
    Some(TimeToTarget {
        target,
        arms: arms.collect::<Option<_>>()?,
    })
}

/// The first point of the grid at which the run is at the target, and is so at the next point too.
fn reached_at(run: &RunResult, grid: &[u64], target: f64, higher_is_better: bool) -> Option<u64> {
    let at_target = |updates_done: u64| {
        let evaluation = run
            .evaluations
            .iter()
            .find(|evaluation| evaluation.updates_done == updates_done)?;
        let value = evaluation.value?;
        Some(if higher_is_better {
            value >= target
        } else {
            value <= target
        })
    };
    let there = |updates_done: u64| at_target(updates_done) == Some(true);
    let pairs = grid.windows(2);
    pairs
        .filter(|pair| there(pair[0]) && there(pair[1]))
        .map(|pair| pair[0])
        .next()
}

/// The ends of an interval, `None` where it has none.
fn ends(interval: Interval) -> [Option<f64>; 2] {
    [interval.low, interval.high].map(|end| Some(end).filter(|end| end.is_finite()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::record::{Sample, ValidationPointRecord};

    fn arm(label: &str, runs: &[[f64; 4]]) -> ArmResult {
        let run = |values: &[f64; 4]| RunResult {
            seed: 1,
            added: false,
            folder: String::new(),
            diverged: false,
            updates_done: 40,
            validation: Some(values[3]),
            test: Some(values[3]),
            evaluations: (1..=4)
                .zip(values)
                .map(|(k, &value)| ValidationPointRecord {
                    updates_done: 10 * k,
                    value: Some(value),
                    loss: None,
                    trough: false,
                })
                .collect(),
            training: Vec::new(),
            seconds: 1.0,
        };
        let last = runs.iter().map(|values| values[3]).sum::<f64>() / runs.len() as f64;
        let sample = Sample {
            n: runs.len(),
            mean: last,
            sd: None,
            interval: None,
        };
        ArmResult {
            label: label.into(),
            spec: None,
            updates: 40,
            runs: runs.iter().map(run).collect(),
            diverged: 0,
            test: Some(sample),
            validation: Some(sample),
        }
    }

    /// The target is 80 - 2 = 78. A single reading above it does not count, nor does the last one.
    #[test]
    fn reached_is_there_and_at_the_next_point() {
        let reference = arm(
            "reference",
            &[[50.0, 78.0, 79.0, 80.0], [60.0, 70.0, 78.0, 80.0]],
        );
        let other = arm(
            "other",
            &[[79.0, 79.0, 60.0, 90.0], [79.0, 70.0, 60.0, 99.0]],
        );
        let measure = Measure {
            name: "accuracy".into(),
            higher_is_better: true,
            unit: "points".into(),
        };
        let arms = [reference.clone(), other];
        let grid = [10, 20, 30, 40];
        let found = time_to_target(&arms, &reference, &grid, 2.0, &measure, 0.5, |_| 7).unwrap();
        assert_eq!(found.target, 78.0);
        assert_eq!(found.arms[0].updates, [Some(20), Some(30)]);
        assert_eq!(found.arms[1].updates, [Some(10), None]);
        assert_eq!(
            (found.arms[1].reached, found.arms[1].tuning_updates),
            (1, 7)
        );
        assert_eq!(found.arms[0].ratio, [Some(1.0), Some(1.0)]);
        // Ratios 10/20, and more than 40/30: the median has no upper end.
        assert_eq!(found.arms[1].ratio[1], None);
    }
}
