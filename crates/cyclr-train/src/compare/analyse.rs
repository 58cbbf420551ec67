//! From final values by seed to differences, verdicts, times to the target, and the arm to train
//! with.

use cyclr::stats::{
    self, Comparison, ExampleSpread, Interval, Rules, StatsError, Summary, Time, Verdict,
    median_time, time_ratio,
};
use cyclr::trainer::{Direction, Objective, TrainerInfo, Unit};

use super::Plan;
use super::plan::Grid;
use super::record::{
    Against, ArmOutcome, BudgetOutcome, Record, Role, RunOutcome, Samples, TimeToTarget, Winner,
    WinnerReason,
};
use crate::{Error, ValidationPoint, verdict};

/// Puts beside every arm, at every budget, how it stands against the references, in place of what
/// stood there after fewer seeds.
pub(super) fn compare_arms(
    arms: &mut [ArmOutcome],
    plan: &Plan,
    info: &TrainerInfo,
    objective: &Objective,
) -> Result<(), Error> {
    let rules = Rules {
        level: plan.level(),
        ..Rules::new(plan.margin, objective.direction)
    };
    for arm in arms.iter_mut() {
        for budget in &mut arm.budgets {
            budget.samples = samples(&budget.runs, rules.level, objective, info.test)?;
            budget.against.clear();
        }
    }
    for (place, &fraction) in plan.budgets.iter().enumerate() {
        let grid = plan.grid(fraction);
        for (reference, role) in references(arms, plan, place, objective) {
            let at_budget: Vec<&BudgetOutcome> =
                arms.iter().map(|arm| &arm.budgets[place]).collect();
            let differences = differences(&at_budget, reference, rules)?;
            // Whole runs are measured at their end alone.
            let target = match info.whole_runs {
                Some(_) => None,
                None => target(at_budget[reference], plan.margin, objective),
            };
            let times = at_budget.iter().map(|arm| {
                let target = target.filter(|_| !arm.runs.is_empty());
                let times = target.map(|target| {
                    time_to_target(arm, at_budget[reference], target, grid, objective)
                });
                times.transpose()
            });
            let times = times.collect::<Result<Vec<_>, _>>()?;
            for ((arm, difference), time_to_target) in arms.iter_mut().zip(differences).zip(times) {
                arm.budgets[place].against.push(Against {
                    reference,
                    role,
                    difference,
                    time_to_target,
                });
            }
        }
    }
    Ok(())
}

/// The declared reference, and the best arm that does not cycle if that is another.
fn references(
    arms: &[ArmOutcome],
    plan: &Plan,
    budget: usize,
    objective: &Objective,
) -> Vec<(usize, Role)> {
    let plain = arms.iter().enumerate().filter(|(_, arm)| !arm.cyclical);
    let plain = plain.map(|(n, arm)| (n, &arm.budgets[budget]));
    let other = best(plain, objective.direction).filter(|&n| n != plan.reference);
    let declared = (plan.reference, Role::Declared);
    [Some(declared), other.map(|n| (n, Role::BestNonCyclical))]
        .into_iter()
        .flatten()
        .collect()
}

/// The final values of the runs that did not diverge.
fn samples(
    runs: &[RunOutcome],
    level: f64,
    objective: &Objective,
    examples: u64,
) -> Result<Option<Samples>, Error> {
    // A run without values diverged, and is counted as such.
    let values: Vec<_> = runs.iter().filter_map(|run| run.values).collect();
    if values.is_empty() {
        return Ok(None);
    }
    let of = |values: Vec<f64>| Summary::of(&values)?.at_level(level);
    let test = of(values.iter().map(|v| v.test).collect())?;
    Ok(Some(Samples {
        validation: of(values.iter().map(|v| v.validation).collect())?,
        examples: example_spread(&test, objective, examples)?,
        test,
    }))
}

/// What the number of examples explains of the spread of an accuracy; nothing of any other objective.
pub(crate) fn example_spread(
    sample: &Summary,
    objective: &Objective,
    examples: u64,
) -> Result<Option<ExampleSpread>, StatsError> {
    let whole = Unit::Points.of(1.0);
    // What is in points is a share of examples, unless its trainer means something else by it.
    let is_share = objective.unit == Unit::Points && (0.0..=whole).contains(&sample.mean);
    let spread = (is_share && examples > 0).then(|| ExampleSpread::of(sample, whole, examples));
    spread.transpose()
}

/// Every arm beside the reference, by final test values; nothing for the reference itself.
fn differences(
    arms: &[&BudgetOutcome],
    reference: usize,
    rules: Rules,
) -> Result<Vec<Option<Comparison>>, Error> {
    let compared: Vec<usize> = (0..arms.len())
        .filter(|&n| n != reference && arms[n].is_whole() && arms[reference].is_whole())
        .collect();
    let values: Vec<Vec<f64>> = compared.iter().map(|&n| tests(arms[n])).collect();
    let values: Vec<&[f64]> = values.iter().map(Vec::as_slice).collect();
    let found = stats::compare(&tests(arms[reference]), &values, rules)?;
    let mut differences = vec![None; arms.len()];
    for (n, comparison) in compared.into_iter().zip(found) {
        differences[n] = Some(comparison);
    }
    Ok(differences)
}

/// The final test values, one a seed if no run diverged.
fn tests(arm: &BudgetOutcome) -> Vec<f64> {
    let values = arm.runs.iter().filter_map(|run| run.values);
    values.map(|values| values.test).collect()
}

/// The reference's mean final validation value less the margin; `None` if a run of it diverged.
fn target(reference: &BudgetOutcome, margin: f64, objective: &Objective) -> Option<f64> {
    Some(reference.validation()? - objective.direction.sign() * margin)
}

fn time_to_target(
    arm: &BudgetOutcome,
    reference: &BudgetOutcome,
    target: f64,
    grid: Grid,
    objective: &Objective,
) -> Result<TimeToTarget, Error> {
    let times = |arm: &BudgetOutcome| -> Vec<Time> {
        let first = |run| reached_at(run, grid, target, objective);
        let time = |run| {
            let censored = Time::Censored(arm.updates as f64);
            first(run).map_or(censored, |at| Time::Reached(at as f64))
        };
        arm.runs.iter().map(time).collect()
    };
    let own = times(arm);
    let ratio = time_ratio(&own, &times(reference))?.ratio;
    let updates = own.iter().map(|time| match time {
        Time::Reached(at) => Some(*at as u64),
        Time::Censored(_) => None,
    });
    Ok(TimeToTarget {
        target,
        updates: updates.collect(),
        median_updates: ends(median_time(&own)?.median),
        ratio: ends(ratio.median),
        ratio_interval: ends(ratio.interval),
        ratio_confidence: ratio.confidence,
    })
}

/// The first point of the grid at which the run is at the target, but for rounding, and is so at the
/// next point too.
fn reached_at(run: &RunOutcome, grid: Grid, target: f64, objective: &Objective) -> Option<u64> {
    let there = |point: &ValidationPoint| {
        let value = objective.value(point.declared());
        value.is_some_and(|value| !verdict::is_better(target, value, objective.direction))
    };
    let points = run.evaluations.iter();
    let points = points.filter(|point| grid.contains(point.updates_done));
    // A run is evaluated at all points of the grid up to its end: neighbours here are neighbours there.
    let pairs = points.clone().zip(points.skip(1));
    let mut held = pairs.filter(|(point, next)| there(point) && there(next));
    held.next().map(|(point, _)| point.updates_done)
}

/// The ends of an interval, `None` for one that is not bounded.
fn ends(interval: Interval) -> [Option<f64>; 2] {
    [interval.low, interval.high].map(|end| Some(end).filter(|end| end.is_finite()))
}

/// The arm to train with. Of the arms shown better than the reference the one that validates best;
/// if there is none, the cheapest of those that are level with it. METHOD.md says it in full.
pub(super) fn winner(record: &Record) -> Option<Winner> {
    let standings = record.standings();
    let (arm, because) = if standings.arms[standings.reference].rank.is_none() {
        (standings.best_of(|_| true)?, WinnerReason::Validation)
    } else if let Some(arm) = standings.best_with(|verdict| verdict == Verdict::Better) {
        (arm, WinnerReason::Better)
    } else if (0..standings.arms.len()).any(|arm| standings.is_level(arm)) {
        (cheapest(record)[0], WinnerReason::Cheapest)
    } else {
        (standings.reference, WinnerReason::NoneBetter)
    };
    Some(Winner { arm, because })
}

/// Of the reference and the arms that are level with it those that cost the least, the reference
/// before all others.
pub(super) fn cheapest(record: &Record) -> Vec<usize> {
    let standings = record.standings();
    let level = (0..standings.arms.len()).filter(|&arm| standings.is_level(arm));
    let mut arms: Vec<usize> = std::iter::once(standings.reference).chain(level).collect();
    let cost = |arm: &usize| cost(&record.arms[*arm]);
    let least = arms.iter().map(cost).fold(f64::INFINITY, f64::min);
    arms.retain(|arm| cost(arm) == least);
    arms
}

/// Of these arms at one budget, the one that validates best; of equals the first.
fn best<'a>(
    arms: impl Iterator<Item = (usize, &'a BudgetOutcome)>,
    direction: Direction,
) -> Option<usize> {
    // An arm that is not whole has no value to be the best by.
    let validated = arms.filter_map(|(place, arm)| Some((place, arm.validation()?)));
    verdict::best(validated, direction)
}

/// The updates that an arm costs: its tuning, and the way to the declared target, or, if that is
/// unknown, a whole run.
fn cost(arm: &ArmOutcome) -> f64 {
    let whole = arm.whole();
    let against = whole.against(Role::Declared);
    let time = against.and_then(|against| against.time_to_target.as_ref());
    let run = match time.map(|time| time.median_updates) {
        Some([_, Some(high)]) => high,
        _ => whole.updates as f64,
    };
    arm.tuning_updates() as f64 + run
}

#[cfg(test)]
mod tests {
    use cyclr::trainer::{Metric, Metrics};

    use super::super::record::FinalValues;
    use super::*;

    fn outcome(runs: &[[f64; 4]]) -> BudgetOutcome {
        let run = |values: &[f64; 4]| RunOutcome {
            seed: 1,
            added: false,
            folder: String::new(),
            updates_done: 40,
            updates_shared: 0,
            values: Some(FinalValues {
                validation: values[3],
                test: values[3],
            }),
            evaluations: (1..=4)
                .zip(values)
                .map(|(k, &value)| ValidationPoint {
                    updates_done: 10 * k,
                    trough: None,
                    metrics: Metrics::new([Metric::accuracy((10.0 * value) as u64, 1000)]),
                    average: None,
                    compute_seconds: 0.0,
                })
                .collect(),
            training: Vec::new(),
            seconds: 1.0,
        };
        let runs: Vec<_> = runs.iter().map(run).collect();
        BudgetOutcome {
            spec: None,
            updates: 40,
            samples: samples(&runs, stats::ALPHA, &Objective::ACCURACY, 1000).unwrap(),
            runs,
            against: Vec::new(),
        }
    }

    /// The target is 80 - 2 = 78. A single evaluation above it does not count, nor does the last
    /// one.
    #[test]
    fn reached_is_there_and_at_the_next_point() {
        let reference = outcome(&[[50.0, 78.0, 79.0, 80.0], [60.0, 70.0, 78.0, 80.0]]);
        let other = outcome(&[[79.0, 79.0, 60.0, 90.0], [79.0, 70.0, 60.0, 99.0]]);
        let objective = Objective::ACCURACY;
        // After 10, 20, 30 and 40 updates.
        let grid = Plan {
            evaluations: 4,
            ..Plan::new(40)
        };
        let grid = grid.grid(1.0);
        let target = target(&reference, 2.0, &objective).unwrap();
        assert_eq!(target, 78.0);
        let time = |arm| time_to_target(arm, &reference, target, grid, &objective).unwrap();
        let own = time(&reference);
        assert_eq!(
            (&own.updates[..], own.reached()),
            (&[Some(20), Some(30)][..], 2)
        );
        assert_eq!(own.ratio, [Some(1.0), Some(1.0)]);
        let others = time(&other);
        assert_eq!(
            (&others.updates[..], others.reached()),
            (&[Some(10), None][..], 1)
        );
        // Ratios 10/20, and more than 40/30: the median has no upper end.
        assert_eq!(others.ratio[1], None);
    }

    /// A run that diverged takes its arm out of the comparison, and no other arm with it.
    #[test]
    fn one_diverged_arm_leaves_the_others_their_verdicts() {
        let reference = outcome(&[[0.0, 0.0, 0.0, 70.0], [0.0, 0.0, 0.0, 70.2]]);
        let good = outcome(&[[0.0, 0.0, 0.0, 80.0], [0.0, 0.0, 0.0, 80.3]]);
        let mut gone = outcome(&[[0.0, 0.0, 0.0, 75.0], [0.0, 0.0, 0.0, 75.0]]);
        gone.runs[1].values = None;
        let arms = [&reference, &good, &gone];
        let found = differences(&arms, 0, Rules::new(0.5, Objective::ACCURACY.direction)).unwrap();
        let verdicts: Vec<_> = found.iter().map(|d| d.map(|d| d.verdict)).collect();
        assert_eq!(verdicts, [None, Some(Verdict::Better), None]);
    }
}
