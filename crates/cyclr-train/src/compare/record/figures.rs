//! Whether the figures of a record that was read follow from the values of its runs.

use std::collections::BTreeSet;

use cyclr::trainer::{Metric, Metrics, Objective};
use serde_json::Value;

use super::{ArmOutcome, Bin, Record, RunOutcome, Tuning};
use crate::ValidationPoint;
use crate::compare::analyse::{self, compare_arms};
use crate::compare::tune;

impl Record {
    /// Refuses a record whose figures do not follow from the values of its runs, or whose runs lack a
    /// figure that they must have. The reason has the place of the first.
    pub(in crate::compare) fn check_figures(&self) -> Result<(), String> {
        let found = self.fault();
        found.map_err(|fault| format!("{fault}: the file was damaged or edited"))
    }

    fn fault(&self) -> Result<(), String> {
        for (n, arm) in self.arms.iter().enumerate() {
            let place = format!("arms[{n}]");
            if let Some(tuning) = &arm.tuning {
                check_tuning(tuning, &format!("{place}.tuning"))?;
            }
            for (budget, outcome) in arm.budgets.iter().enumerate() {
                for (run, outcome) in outcome.runs.iter().enumerate() {
                    let place = format!("{place}.budgets[{budget}].runs[{run}]");
                    check_run(outcome, &self.objective, &place)?;
                }
            }
        }
        let mut arms = self.arms.clone();
        compare_arms(&mut arms, &self.plan, &self.info, &self.objective)
            .map_err(|e| e.to_string())?;
        let value = |arms: &[ArmOutcome]| serde_json::to_value(arms).map_err(|e| e.to_string());
        if let Some(difference) = differs(&value(&self.arms)?, &value(&arms)?, "arms") {
            return Err(difference);
        }
        let [recorded, computed] = [self.conclusion.winner, analyse::winner(self)]
            .map(|winner| serde_json::to_value(winner).map_err(|e| e.to_string()));
        differs(&recorded?, &computed?, "conclusion.winner").map_or(Ok(()), Err)
    }
}

/// Relatively, so far apart are figures that another version computed, at most.
const ROUNDING: f64 = 1e-9;

/// What records of earlier versions lack.
const ADDED: [&str; 2] = ["correlation", "examples"];

/// The first place at which what was recorded is not what is computed now, and both.
fn differs(recorded: &Value, computed: &Value, place: &str) -> Option<String> {
    match (recorded, computed) {
        (Value::Object(recorded), Value::Object(computed)) => {
            let keys: BTreeSet<&String> = recorded.keys().chain(computed.keys()).collect();
            keys.into_iter().find_map(|key| {
                let [r, c] = [recorded, computed].map(|of| of.get(key).unwrap_or(&Value::Null));
                let is_added = r.is_null() && ADDED.contains(&key.as_str());
                let place = format!("{place}.{key}");
                (!is_added).then(|| differs(r, c, &place)).flatten()
            })
        }
        (Value::Array(recorded), Value::Array(computed)) if recorded.len() == computed.len() => {
            let pairs = recorded.iter().zip(computed).enumerate();
            let mut pairs = pairs.map(|(n, (r, c))| differs(r, c, &format!("{place}[{n}]")));
            pairs.find_map(|difference| difference)
        }
        _ => {
            let same = match (recorded.as_f64(), computed.as_f64()) {
                (Some(r), Some(c)) => (r - c).abs() <= ROUNDING * r.abs().max(c.abs()),
                _ => recorded == computed,
            };
            let [recorded, computed] = [recorded, computed].map(shown);
            (!same).then(|| {
                format!("{place} is {recorded}, and {computed} follows from the values of the runs")
            })
        }
    }
}

/// A value that people read at a glance.
fn shown(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(_) => String::from("something"),
        other => other.to_string(),
    }
}

/// Refuses a run without final values that did not diverge, and one with them that lacks a figure or
/// did not end with them.
fn check_run(run: &RunOutcome, objective: &Objective, place: &str) -> Result<(), String> {
    if run.seconds.is_nan() || run.seconds < 0.0 {
        return Err(format!("{place}.seconds is {}", run.seconds));
    }
    for (n, point) in run.evaluations.iter().enumerate() {
        // Of a run that diverged the figures may not be finite.
        let mut finite = metrics(point).filter(|metric| metric.value.is_finite());
        if let Some(error) = finite.find_map(|metric| metric.clone().checked().err()) {
            return Err(format!("{place}.evaluations[{n}]: {error}"));
        }
    }
    let is_finite = |point: &ValidationPoint| metrics(point).all(|metric| metric.value.is_finite());
    let end = run.evaluations.last();
    let end = end.filter(|point| point.updates_done == run.updates_done);
    let Some(values) = &run.values else {
        // Divergence shows as a figure that is not finite, or as updates after the last evaluation.
        if end.is_some_and(is_finite) {
            return Err(format!(
                "{place}.values is null, as if it had diverged, and its last evaluation is finite"
            ));
        }
        return Ok(());
    };
    if let Some(n) = run.evaluations.iter().position(|point| !is_finite(point)) {
        return Err(format!(
            "{place}.evaluations[{n}] has a figure that is null, and the run did not diverge"
        ));
    }
    let last = end.and_then(|point| objective.value(point.declared()));
    if last != Some(values.validation) {
        return Err(format!(
            "{place}.values.validation is {}, which is not the {} of its last evaluation",
            values.validation, objective.name
        ));
    }
    check_training(&run.training, place)
}

/// All figures of an evaluation.
fn metrics(point: &ValidationPoint) -> impl Iterator<Item = &Metric> {
    let all = std::iter::once(&point.metrics).chain(&point.average);
    all.flat_map(Metrics::iter)
}

/// Refuses the training of a run that did not diverge if a bin lacks what others have: a trainer that
/// does not measure a figure in training measures it in no bin.
fn check_training(training: &[Bin], place: &str) -> Result<(), String> {
    let losses = training.iter().map(|bin| bin.loss);
    let values = training.iter().map(|bin| bin.value);
    for (name, figures) in [
        ("loss", losses.collect::<Vec<_>>()),
        ("value", values.collect()),
    ] {
        let missing = figures.iter().position(Option::is_none);
        if let Some(n) = missing.filter(|_| figures.iter().any(Option::is_some)) {
            return Err(format!(
                "{place}.training[{n}].{name} is null, and the run did not diverge"
            ));
        }
    }
    Ok(())
}

/// Refuses trials whose value is not the mean of their runs, a best one that has none, and a peak that
/// lies beyond what was tried.
fn check_tuning(tuning: &Tuning, place: &str) -> Result<(), String> {
    for (n, trial) in tuning.trials.iter().enumerate() {
        let found = trial.validation.map_or(Value::Null, Value::from);
        let mean = tune::validation(&trial.runs).map_or(Value::Null, Value::from);
        let place = format!("{place}.trials[{n}].validation");
        if let Some(difference) = differs(&found, &mean, &place) {
            return Err(difference);
        }
    }
    let longest = tune::longest(&tuning.trials);
    let trained = match tuning.best {
        Some(best) => tuning.trials[best].validation.is_some(),
        None => longest.iter().all(|trial| trial.validation.is_none()),
    };
    if !trained {
        let best = tuning
            .best
            .map_or_else(|| String::from("null"), |best| best.to_string());
        return Err(format!(
            "{place}.best is {best}, and its trials say something else"
        ));
    }
    let is_tried = |peak: f64| {
        let (first, last) = (longest.first(), longest.last());
        first.is_some_and(|trial| trial.peak <= peak)
            && last.is_some_and(|trial| peak <= trial.peak)
    };
    match tuning.peak.filter(|&peak| !is_tried(peak)) {
        Some(peak) => Err(format!(
            "{place}.peak is {peak}, which is beyond the rates that were tried"
        )),
        None => Ok(()),
    }
}
