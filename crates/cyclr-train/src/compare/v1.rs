//! Records of version 1, for reports of comparisons that were made before version 2, and of those
//! whose rates were tuned on one seed.

use std::collections::BTreeMap;
use std::path::Path;

use cyclr::Spec;
use cyclr::trainer::{Direction, Metric, Metrics, Objective, TrainerInfo, Unit};
use serde::Deserialize;
use serde_json::{Value, json};

use super::record::{
    ArmOutcome, Bin, BudgetOutcome, Conclusion, FinalValues, Range, Record, RunOutcome, Tuning,
    check_outcomes,
};
use super::{Arm, ArmPolicy, BoundsSource, Plan, Tune, analyse, text};
use crate::store::{bad, parse_record};
use crate::{Error, Pace, ValidationPoint};

/// Rewrites a record whose rates were tuned on one seed, at the whole budget: each trial then was
/// the one run that it has now. Any other is left as it is, and so is what has not the form of a
/// record, which is refused when it is parsed.
pub(super) fn tuned_on_one_seed(record: &mut Value) {
    let tune = record
        .pointer_mut("/plan/tuning")
        .and_then(Value::as_object_mut);
    let Some((tune, seed)) = tune.and_then(|tune| tune.remove("seed").map(|seed| (tune, seed)))
    else {
        return;
    };
    tune.insert("seeds".into(), json!([seed]));
    tune.insert("rungs".into(), json!([1.0]));
    tune.insert("rounds".into(), json!(1));
    let arms = record.get_mut("arms").and_then(Value::as_array_mut);
    let arms = arms.into_iter().flatten();
    let trials = arms.filter_map(|arm| arm.pointer_mut("/tuning/trials")?.as_array_mut());
    for trial in trials.flatten().filter_map(Value::as_object_mut) {
        let mut run = serde_json::Map::new();
        run.insert("seed".into(), seed.clone());
        run.extend(
            trial
                .get("validation")
                .map(|value| ("validation".into(), value.clone())),
        );
        for moved in ["folder", "updates", "seconds"] {
            run.extend(trial.remove_entry(moved));
        }
        trial.insert("runs".into(), json!([run]));
        trial.insert("fraction".into(), json!(1.0));
    }
}

/// Rewrites a record whose final runs had the peak rate of a trial, the `chosen` one. Any other is
/// left as it is.
pub(super) fn tuned_by_a_trial(record: &mut Value) {
    let arms = record.get_mut("arms").and_then(Value::as_array_mut);
    let tunings = arms.into_iter().flatten();
    for tuning in tunings.filter_map(|arm| arm.get_mut("tuning")?.as_object_mut()) {
        let Some(best) = tuning.remove("chosen") else {
            continue;
        };
        let trials = tuning.get("trials").and_then(Value::as_array);
        let chosen = best.as_u64().and_then(|best| usize::try_from(best).ok());
        // A place that is none stays without a peak, and is refused when the record is checked.
        let chosen = chosen.and_then(|chosen| trials?.get(chosen)?.get("peak"));
        let peak = chosen.cloned().unwrap_or(Value::Null);
        tuning.insert("best".into(), best);
        tuning.insert("peak".into(), peak);
    }
}

/// The record of version 1 at `path`. Verdicts are made again from its values.
pub(super) fn record(path: &Path, record: Value) -> Result<Record, Error> {
    let old: OldRecord = parse_record(path, record)?;
    let bad = |reason: String| bad(path)(reason);
    let objective = Objective {
        name: old.measure.name.clone().into(),
        direction: old.measure.direction(),
        unit: if old.measure.unit == "points" {
            Unit::Points
        } else {
            Unit::Own
        },
    };
    let info = old.data.info(&objective);
    let plan = old.plan.now(&old.arms).map_err(&bad)?;
    let mut arms = Vec::with_capacity(old.arms.len());
    for (place, arm) in old.arms.into_iter().enumerate() {
        let budgets = old.budgets.iter().map(|budget| {
            let result = budget.arms.get(place);
            let result = result.filter(|result| result.label == arm.label);
            let missing = || bad(format!("a budget has no runs of {}", arm.label));
            result
                .ok_or_else(missing)
                .map(|result| result.now(&objective))
        });
        arms.push(ArmOutcome {
            spec: arm.spec,
            cyclical: arm.cyclical,
            tuning: arm.tuning,
            budgets: budgets.collect::<Result<_, _>>()?,
        });
    }
    check_outcomes(&plan, plan.seeds.len(), &arms).map_err(|reason| bad(reason.into()))?;
    analyse::compare_arms(&mut arms, &plan, &info, &objective)
        .map_err(|error| bad(error.to_string()))?;
    let mut record = Record {
        plan,
        info,
        objective,
        about: old.about,
        pace: Pace {
            seconds_per_start: 0.0,
            seconds_per_update: old.pace.seconds_per_update,
            seconds_per_evaluation: old.pace.seconds_per_reading,
            updates_timed: old.pace.updates_timed,
        },
        range: old.range,
        arms,
        race: None,
        conclusion: Conclusion::default(),
    };
    record.conclusion = text::conclusion(&record);
    Ok(record)
}

#[derive(Deserialize)]
struct OldRecord {
    plan: OldPlan,
    data: OldData,
    measure: OldMeasure,
    about: BTreeMap<String, String>,
    pace: OldPace,
    range: Option<Range>,
    arms: Vec<OldArmRecord>,
    budgets: Vec<OldBudget>,
}

#[derive(Deserialize)]
struct OldPlan {
    title: String,
    arms: Vec<OldArm>,
    reference: String,
    seeds: Vec<u64>,
    #[serde(default)]
    added_seeds: Vec<u64>,
    updates: u64,
    budgets: Vec<f64>,
    tuning: Option<Tune>,
    margin: f64,
    readings: u64,
}

#[derive(Deserialize)]
struct OldArm {
    label: String,
    policy: ArmPolicy,
    #[serde(default)]
    tuned: Option<bool>,
    updates: Option<u64>,
    published: Option<f64>,
    note: Option<String>,
}

impl OldPlan {
    fn now(self, arms: &[OldArmRecord]) -> Result<Plan, String> {
        let reference = self.arms.iter().position(|arm| arm.label == self.reference);
        let reference = reference
            .ok_or_else(|| format!("the reference {} is not one of its arms", self.reference))?;
        if self.arms.len() != arms.len() || self.budgets.is_empty() {
            return Err(String::from("its arms are not those of its plan"));
        }
        let arm = |arm: OldArm| Arm {
            label: arm.label,
            policy: arm.policy,
            tuned: arm.tuned.unwrap_or(true),
            average: None,
            updates: arm.updates,
            published: arm.published,
            note: arm.note,
        };
        Ok(Plan {
            title: self.title,
            arms: self.arms.into_iter().map(arm).collect(),
            reference,
            seeds: self.seeds,
            added_seeds: self.added_seeds,
            race: None,
            updates: self.updates,
            budgets: self.budgets,
            branches: false,
            tuning: self.tuning,
            // A record that is only read needs no bounds to start from.
            bounds: BoundsSource::Unneeded,
            margin: self.margin,
            evaluations: self.readings,
        })
    }
}

#[derive(Deserialize)]
struct OldData {
    examples: u64,
    batch: u64,
    validation: u64,
    test: u64,
}

impl OldData {
    /// What version 1 kept of the trainer; its abilities were not in the record.
    fn info(&self, objective: &Objective) -> TrainerInfo {
        TrainerInfo {
            validation: self.validation,
            test: self.test,
            objective: Some(objective.clone()),
            ..TrainerInfo::new(self.examples, self.batch)
        }
    }
}

#[derive(Deserialize)]
struct OldMeasure {
    name: String,
    higher_is_better: bool,
    unit: String,
}

impl OldMeasure {
    fn direction(&self) -> Direction {
        if self.higher_is_better {
            Direction::Higher
        } else {
            Direction::Lower
        }
    }
}

#[derive(Deserialize)]
struct OldPace {
    seconds_per_update: f64,
    seconds_per_reading: f64,
    updates_timed: u64,
}

#[derive(Deserialize)]
struct OldArmRecord {
    label: String,
    cyclical: bool,
    spec: Option<Spec>,
    tuning: Option<Tuning>,
}

#[derive(Deserialize)]
struct OldBudget {
    arms: Vec<OldArmResult>,
}

#[derive(Deserialize)]
struct OldArmResult {
    label: String,
    spec: Option<Spec>,
    updates: u64,
    runs: Vec<OldRun>,
}

impl OldArmResult {
    fn now(&self, objective: &Objective) -> BudgetOutcome {
        BudgetOutcome {
            spec: self.spec.clone(),
            updates: self.updates,
            runs: self.runs.iter().map(|run| run.now(objective)).collect(),
            samples: None,
            against: Vec::new(),
        }
    }
}

#[derive(Deserialize)]
struct OldRun {
    seed: u64,
    added: bool,
    folder: String,
    made: u64,
    validation: Option<f64>,
    test: Option<f64>,
    readings: Vec<OldReading>,
    training: Vec<OldBin>,
    seconds: f64,
}

impl OldRun {
    fn now(&self, objective: &Objective) -> RunOutcome {
        let bin = |bin: &OldBin| Bin {
            updates_done: bin.made,
            loss: bin.loss,
            value: bin.value,
        };
        let values = self.validation.zip(self.test);
        RunOutcome {
            seed: self.seed,
            added: self.added,
            folder: self.folder.clone(),
            updates_done: self.made,
            updates_shared: 0,
            values: values.map(|(validation, test)| FinalValues { validation, test }),
            evaluations: points(&self.readings, objective),
            training: self.training.iter().map(bin).collect(),
            seconds: self.seconds,
        }
    }
}

#[derive(Deserialize)]
struct OldReading {
    made: u64,
    value: Option<f64>,
    loss: Option<f64>,
    trough: bool,
}

/// The evaluations of a run; version 1 kept the objective and the loss, and which are at troughs.
fn points(readings: &[OldReading], objective: &Objective) -> Vec<ValidationPoint> {
    let mut troughs = 0;
    let point = |reading: &OldReading| {
        troughs += u64::from(reading.trough);
        let value = match objective.unit {
            Unit::Points => reading.value.map(|points| points / 100.0),
            Unit::Own => reading.value,
        };
        let metric = Metric {
            name: objective.name.clone(),
            direction: objective.direction,
            value: value.unwrap_or(f64::NAN),
            count: 1,
            correct: None,
        };
        let loss = Metric::loss(reading.loss.unwrap_or(f64::NAN), 1);
        ValidationPoint {
            updates_done: reading.made,
            trough: reading.trough.then_some(troughs),
            metrics: Metrics::new([metric, loss]),
            average: None,
            compute_seconds: 0.0,
        }
    };
    readings.iter().map(point).collect()
}

#[derive(Deserialize)]
struct OldBin {
    made: u64,
    loss: Option<f64>,
    value: Option<f64>,
}
