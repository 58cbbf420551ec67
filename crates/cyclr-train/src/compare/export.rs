//! What others read: `winner.toml`, for `cyclr train` and for torch.

use std::fmt::Write as _;

use cyclr::policy::Policy;
use cyclr::stats::Interval;
use cyclr::units::Horizon;
use cyclr::{Schedule, Spec};
use serde::{Deserialize, Serialize};

use super::record::{ArmOutcome, Record, WinnerReason};
use crate::store::VERSION;
use crate::{Average, Error};

/// The arm to train with, as `winner.toml` has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WinnerFile {
    /// The version of its form: 2; version 1 reads the same.
    pub version: u32,
    /// The spec to train with.
    pub policy: Spec,
    /// What was averaged over the troughs of its runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average: Option<Average>,
    /// The updates that it was compared at.
    pub updates: u64,
    /// Updates in an epoch, where it was compared.
    pub updates_per_epoch: u64,
    /// The arm's name in the comparison.
    pub arm: String,
    /// Why it is the one.
    pub because: WinnerReason,
    /// The bounds that the range test found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounds: Option<FoundBounds>,
    /// What speaks for it.
    pub evidence: Evidence,
}

/// The bounds that a range test found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FoundBounds {
    /// The lower bound.
    pub base_lr: f64,
    /// The upper bound.
    pub max_lr: f64,
}

/// What speaks for an arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The comparison in a sentence.
    pub verdict: String,
    /// The metric.
    pub metric: String,
    /// Mean final test value.
    pub test_mean: Option<f64>,
    /// Its 95 % interval over seeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_interval: Option<Interval>,
    /// Runs that the mean is of.
    pub n: usize,
}

impl WinnerFile {
    /// Reads the file's text.
    ///
    /// # Errors
    /// [`Error::BadWinner`] with the line, if it is no such file or of a later version, or if its
    /// policy does not fit its updates.
    pub fn read(text: &str) -> Result<Self, Error> {
        let bad = |reason| Error::BadWinner { reason };
        let file: Self = toml::from_str(text).map_err(|e| bad(e.to_string()))?;
        if !(1..=VERSION).contains(&file.version) {
            return Err(bad(format!(
                "it has version {}, and this cyclr reads versions up to {VERSION}: use the cyclr that wrote it",
                file.version
            )));
        }
        match file.schedule() {
            Ok(_) => Ok(file),
            Err(error) => Err(bad(format!(
                "its policy does not fit its {} updates: {error}; put back a copy of the file",
                file.updates
            ))),
        }
    }

    /// The schedule as it was compared.
    fn schedule(&self) -> Result<Schedule, cyclr::Error> {
        let run = Horizon::of_updates(self.updates)?.with_epoch(self.updates_per_epoch, 1)?;
        self.policy.schedule(&run)
    }
}

/// The text of `winner.toml`; `None` if there is no winner.
pub(super) fn winner_toml(record: &Record) -> Result<Option<String>, Error> {
    let Some(winner) = record.conclusion.winner else {
        return Ok(None);
    };
    let arm = &record.arms[winner.arm];
    let Some(policy) = arm.spec.clone() else {
        return Ok(None);
    };
    let file = WinnerFile {
        version: VERSION,
        average: record.plan.arms[winner.arm].average,
        updates: arm.whole().updates,
        updates_per_epoch: record.info.updates_per_epoch(),
        arm: String::from(record.label(winner.arm)),
        because: winner.because,
        bounds: record.range.as_ref().map(|range| FoundBounds {
            base_lr: range.base_lr,
            max_lr: range.max_lr,
        }),
        evidence: evidence(record, arm),
        policy,
    };
    let mut text = head(&file);
    let body = toml::to_string(&file);
    text.push_str(&body.map_err(|e| Error::BadWinner {
        reason: e.to_string(),
    })?);
    text.push_str("\n# In torch, with scheduler.step() after every optimizer update:\n#\n");
    for line in torch(&file)?.lines() {
        let _ = writeln!(text, "# {line}");
    }
    Ok(Some(text))
}

fn evidence(record: &Record, arm: &ArmOutcome) -> Evidence {
    let test = arm.whole().samples.map(|samples| samples.test);
    Evidence {
        verdict: record.conclusion.headline.clone(),
        metric: record.objective.name.to_string(),
        test_mean: test.map(|test| test.mean),
        test_interval: test.and_then(|test| test.interval),
        n: test.map_or(0, |test| test.n),
    }
}

fn head(file: &WinnerFile) -> String {
    let why = match file.because {
        WinnerReason::Better => "it was shown to be better than the reference",
        WinnerReason::NoneBetter => {
            "it is the reference, and every other arm was shown to be worse or diverged"
        }
        WinnerReason::Cheapest => "nothing separates the best arms, and none of these costs less",
        WinnerReason::Validation => "the reference diverged, and this arm validates best",
    };
    let averaged = match file.average {
        Some(Average::Troughs) => String::from(
            "# Its weights are averaged over troughs; in torch, by torch.optim.swa_utils.AveragedModel.\n",
        ),
        Some(Average::Ensemble(last)) => format!(
            "# Its model is the ensemble of those at the last {last} troughs: the mean of their probabilities.\n"
        ),
        None => String::new(),
    };
    format!(
        "# {}: {why}.\n{averaged}# Train with it: cyclr train --policy winner.toml\n\n",
        file.arm
    )
}

/// The schedule in torch: its own class if it has one that is the same, else a table of rates.
fn torch(file: &WinnerFile) -> Result<String, Error> {
    let schedule = file.schedule()?;
    Ok(own_class(&file.policy, &schedule).unwrap_or_else(|| {
        format!(
            "# First: cyclr schedule '{}' {} --format csv > rates.csv\n\
             import csv\n\
             rates = [float(row[\"lr\"]) for row in csv.DictReader(open(\"rates.csv\"))]\n\
             # optimizer = torch.optim.SGD(model.parameters(), lr=1.0, ...)\n\
             scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda i: rates[min(i, len(rates) - 1)])",
            file.policy,
            run_length(file)
        )
    }))
}

/// The length of the run as `cyclr schedule` takes it; in epochs if the spec has lengths in
/// epochs.
fn run_length(file: &WinnerFile) -> String {
    let updates = file.updates;
    let without_epochs = Horizon::of_updates(updates).and_then(|run| file.policy.schedule(&run));
    if without_epochs.is_err() {
        let per_epoch = file.updates_per_epoch;
        let epochs = updates as f64 / per_epoch as f64;
        format!("--epochs {epochs} --examples {per_epoch} --batch 1")
    } else {
        format!("--updates {updates}")
    }
}

fn own_class(spec: &Spec, schedule: &Schedule) -> Option<String> {
    let (mode, shrink) = match spec.policy()? {
        Policy::Fixed(_) => {
            return Some(format!(
                "optimizer = torch.optim.SGD(model.parameters(), lr={}, ...)",
                schedule.at(0).lr
            ));
        }
        Policy::Triangular(_) => ("triangular", 1.0),
        Policy::Triangular2(_) => ("triangular2", 0.5),
        _ => return None,
    };
    let period = schedule.troughs().next()?;
    let half = period / 2;
    let (base, max) = (schedule.at(0).lr, schedule.at(half).lr);
    let cyclic_lr = |update: u64| {
        let (cycle, place) = (update / period, update % period);
        let height = place.min(period - place) as f64 / half as f64;
        base + (max - base) * height * f64::powf(shrink, cycle as f64)
    };
    let same = |update| (cyclic_lr(update) - schedule.at(update).lr).abs() <= 1e-9 * max;
    let is_cyclic_lr = period.is_multiple_of(2) && (0..schedule.updates()).all(same);
    if !is_cyclic_lr || schedule.moves_momentum() {
        return None;
    }
    Some(format!(
        "scheduler = torch.optim.lr_scheduler.CyclicLR(\n    optimizer, base_lr={base}, max_lr={max}, step_size_up={half}, mode=\"{mode}\",\n    cycle_momentum=False)",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What torch's class gives for half cycles of 17 updates is not the schedule of 16.766.
    #[test]
    fn a_schedule_of_torch_is_named_where_it_is_the_same() {
        let class = |text: &str, updates: u64| {
            let spec: Spec = text.parse().unwrap();
            let schedule = spec.schedule(&Horizon::of_updates(updates).unwrap());
            own_class(&spec, &schedule.unwrap())
        };
        for (text, updates) in [
            ("triangular(base=0.01, max=0.1, step=16.6%)", 101),
            ("triangular2(base=0.01, max=0.1, step=16.6%)", 101),
            ("triangular2(base=0.01, max=0.1, step=9.9%)", 100),
            ("triangular2(base=0.01, max=0.1, up=5, down=15)", 100),
        ] {
            assert_eq!(class(text, updates), None, "{text}");
        }
        let found = class("triangular2(base=0.01, max=0.1, step=12.5%)", 160).unwrap();
        for part in [
            "base_lr=0.01",
            "max_lr=0.1",
            "step_size_up=20",
            "triangular2",
        ] {
            assert!(found.contains(part), "{found}");
        }
    }
}
