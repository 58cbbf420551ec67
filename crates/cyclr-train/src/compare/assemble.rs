//! From runs to the record.

use std::collections::BTreeMap;
use std::path::Path;

use cyclr::trainer::{Direction, Metric, Metrics, TrainerInfo};

use super::execute::RunName;
use super::record::{
    Against, ArmRecord, ArmResult, Bin, BudgetRecord, Data, Measure, Pace, Range, Record, Role,
    RunResult, VERSION, ValidationPointRecord,
};
use super::{Plan, judge, text, time_to_target};
use crate::record::{EventRecord, MetricRecord, read_events};
use crate::{Error, Outcome};

/// The bins of a training curve; more than a chart shows.
const BINS: u64 = 100;

/// What a record is made of.
pub(super) struct Parts {
    pub(super) plan: Plan,
    pub(super) info: TrainerInfo,
    pub(super) measure: Measure,
    pub(super) about: BTreeMap<String, String>,
    pub(super) pace: Pace,
    pub(super) range: Option<Range>,
    pub(super) arms: Vec<ArmRecord>,
    pub(super) finals: Vec<Final>,
}

/// A final run that is over.
pub(super) struct Final {
    pub(super) fraction: f64,
    /// The arm's place in the plan.
    pub(super) arm: usize,
    pub(super) spec: String,
    pub(super) name: RunName,
    pub(super) outcome: Outcome,
    /// As recorded, in the metric's own unit.
    pub(super) training: Vec<TrainingBin>,
}

/// The record of a comparison whose runs are all over.
pub(super) fn record(parts: Parts) -> Record {
    let budgets = parts.plan.budgets.iter();
    let budgets = budgets.map(|&fraction| parts.budget(fraction)).collect();
    let mut record = Record {
        version: VERSION,
        data: Data {
            examples: parts.info.examples,
            batch: parts.info.batch,
            updates_per_epoch: parts.info.updates_per_epoch(),
            validation: parts.info.validation,
            test: parts.info.test,
        },
        plan: parts.plan,
        measure: parts.measure,
        about: parts.about,
        pace: parts.pace,
        range: parts.range,
        arms: parts.arms,
        budgets,
        conclusion: text::nothing(),
    };
    record.conclusion = text::conclusion(&record);
    record
}

impl Parts {
    fn budget(&self, fraction: f64) -> BudgetRecord {
        let whole = |arm: &super::Arm| self.plan.updates_of(arm, fraction);
        let updates = ((self.plan.updates as f64 * fraction).round() as u64).max(1);
        let every = self.plan.evaluate_every(fraction).get();
        let longest = self.plan.arms.iter().map(whole).max().unwrap_or(updates);
        let mut grid: Vec<u64> = (1..=longest / every).map(|k| k * every).collect();
        if grid.last() != Some(&longest) {
            grid.push(longest);
        }
        let arms: Vec<ArmResult> = (0..self.arms.len())
            .map(|arm| self.arm(arm, fraction))
            .collect();
        BudgetRecord {
            fraction,
            updates,
            against: self.against(&arms, &grid),
            grid,
            arms,
        }
    }

    fn arm(&self, place: usize, fraction: f64) -> ArmResult {
        let finals: Vec<&Final> = self
            .finals
            .iter()
            .filter(|run| run.arm == place && run.fraction == fraction)
            .collect();
        let runs: Vec<RunResult> = finals.iter().map(|run| self.run(run)).collect();
        let did_not_diverge = || runs.iter().filter(|run| !run.diverged);
        let arm = &self.plan.arms[place];
        ArmResult {
            label: arm.label.clone(),
            spec: finals.first().map(|run| run.spec.clone()),
            updates: self.plan.updates_of(arm, fraction),
            diverged: if runs.is_empty() {
                self.plan.seeds.len()
            } else {
                runs.iter().filter(|run| run.diverged).count()
            },
            test: judge::sample_of(did_not_diverge().filter_map(|run| run.test)),
            validation: judge::sample_of(did_not_diverge().filter_map(|run| run.validation)),
            runs,
        }
    }

    fn run(&self, run: &Final) -> RunResult {
        let Final { name, outcome, .. } = run;
        let test = outcome.test.as_ref().and_then(Metrics::objective);
        RunResult {
            seed: name.seed,
            added: self.plan.added_seeds.contains(&name.seed),
            folder: name.folder.clone(),
            diverged: outcome.diverged(),
            updates_done: outcome.updates_done,
            validation: objective(outcome, &self.measure),
            test: test.and_then(|metric| in_unit(metric, &self.measure)),
            evaluations: outcome
                .evaluations
                .iter()
                .map(|evaluation| ValidationPointRecord {
                    updates_done: evaluation.updates_done,
                    value: evaluation
                        .metrics
                        .objective()
                        .and_then(|metric| in_unit(metric, &self.measure)),
                    loss: evaluation
                        .metrics
                        .loss()
                        .map(|m| m.value)
                        .filter(|v| v.is_finite()),
                    trough: evaluation.trough.is_some(),
                })
                .collect(),
            training: run
                .training
                .iter()
                .map(|bin| bin.of(&self.measure))
                .collect(),
            seconds: outcome.compute_seconds,
        }
    }

    /// The comparisons with the declared reference, and with the best arm that does not cycle where that is another.
    fn against(&self, arms: &[ArmResult], grid: &[u64]) -> Vec<Against> {
        let declared = arms.iter().find(|arm| arm.label == self.plan.reference);
        let plain = arms.iter().zip(&self.arms).filter(|(_, arm)| !arm.cyclical);
        let sign = if self.measure.higher_is_better {
            1.0
        } else {
            -1.0
        };
        let best = plain
            .map(|(arm, _)| arm)
            .filter(|arm| arm.diverged == 0)
            .filter_map(|arm| Some((sign * arm.validation?.mean, arm)))
            .reduce(|a, b| if b.0 > a.0 { b } else { a })
            .map(|(_, arm)| arm)
            .filter(|best| best.label != self.plan.reference);
        let references = [
            declared.map(|arm| (arm, Role::Declared)),
            best.map(|arm| (arm, Role::BestNonCyclical)),
        ];
        let references = references.into_iter().flatten();
        references
            .map(|(reference, role)| Against {
                reference: reference.label.clone(),
                role,
                differences: judge::differences(arms, reference, self.plan.margin, &self.measure),
                time_to_target: time_to_target::time_to_target(
                    arms,
                    reference,
                    grid,
                    self.plan.margin,
                    &self.measure,
                    self.pace.seconds_per_update,
                    |label| {
                        let arm = self.arms.iter().find(|arm| arm.label == label);
                        arm.map_or(0, |arm| arm.tuning_updates)
                    },
                ),
            })
            .collect()
    }
}

/// The metric that decides, as an outcome's readings have it.
pub(super) fn measure_of(outcome: &Outcome) -> Option<Measure> {
    let metric = outcome.evaluations.first()?.metrics.objective()?;
    Some(Measure {
        name: metric.name.to_string(),
        higher_is_better: metric.direction == Direction::Higher,
        unit: String::from(if metric.correct.is_some() {
            "points"
        } else {
            ""
        }),
    })
}

/// The final validation value; `None` where training diverged.
pub(super) fn objective(outcome: &Outcome, measure: &Measure) -> Option<f64> {
    if outcome.diverged() {
        return None;
    }
    in_unit(outcome.last()?.metrics.objective()?, measure)
}

/// The metric's value in the record's unit; `None` where it is not finite.
fn in_unit(metric: &Metric, measure: &Measure) -> Option<f64> {
    Some(metric.value)
        .filter(|value| value.is_finite())
        .map(|value| scaled(value, measure))
}

fn scaled(value: f64, measure: &Measure) -> f64 {
    // Through a rounding to a millionth of a point, so that 0.7 is 70 and not 70.00000000000001.
    if measure.unit == "points" {
        (value * 1e8).round() / 1e6
    } else {
        value
    }
}

/// A bin before its unit is known.
pub(super) struct TrainingBin {
    updates_done: u64,
    loss: Option<f64>,
    others: Option<f64>,
}

impl TrainingBin {
    fn of(&self, measure: &Measure) -> Bin {
        let value = if measure.name == "loss" {
            self.loss
        } else {
            self.others
        };
        Bin {
            updates_done: self.updates_done,
            loss: self.loss,
            value: value.map(|value| scaled(value, measure)),
        }
    }
}

/// A run's training batches, from its events, averaged in bins.
pub(super) fn training(folder: &Path, updates: u64) -> Result<Vec<TrainingBin>, Error> {
    let width = updates.div_ceil(BINS).max(1);
    let mut bins: Vec<TrainingBin> = Vec::new();
    let mut open = (Mean::default(), Mean::default());
    let mut updates_done = 0;
    for event in read_events(folder)? {
        let EventRecord::Updated { metrics, .. } = event? else {
            continue;
        };
        let value = |loss: bool| -> Option<f64> {
            let found = metrics
                .iter()
                .find(|m: &&MetricRecord| (m.name == "loss") == loss);
            found.and_then(|metric| metric.value)
        };
        open.0.add(value(true));
        open.1.add(value(false));
        updates_done += 1;
        if updates_done % width == 0 {
            let (loss, others) = std::mem::take(&mut open);
            bins.push(TrainingBin {
                updates_done,
                loss: loss.get(),
                others: others.get(),
            });
        }
    }
    Ok(bins)
}

#[derive(Default)]
struct Mean {
    sum: f64,
    count: u64,
}

impl Mean {
    fn add(&mut self, value: Option<f64>) {
        if let Some(value) = value {
            self.sum += value;
            self.count += 1;
        }
    }

    fn get(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}
