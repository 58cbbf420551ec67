//! `winner.toml`: the arm to go on with, for `cyclr train` and for torch.

use std::fmt::Write as _;

use cyclr::policy::Policy;
use cyclr::units::Horizon;
use cyclr::{Schedule, Spec};
use serde::{Deserialize, Serialize};

use super::record::{ArmRecord, ArmResult, Because, Record, VERSION};

/// The arm to go on with, as `winner.toml` has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WinnerFile {
    /// [`VERSION`].
    pub version: u32,
    /// The spec to train with.
    pub policy: Spec,
    /// The updates that it was compared at.
    pub updates: u64,
    /// Updates in an epoch, where it was compared.
    pub updates_per_epoch: u64,
    /// The arm's name in the comparison.
    pub arm: String,
    /// Why it is the one.
    pub because: Because,
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
    pub test_interval: Option<[f64; 2]>,
    /// Runs that the mean is of.
    pub n: usize,
}

impl WinnerFile {
    /// Reads the file's text.
    ///
    /// # Errors
    /// [`crate::Error::BadWinner`] with the line, where it is no such file.
    pub fn read(text: &str) -> Result<Self, crate::Error> {
        toml::from_str(text).map_err(|e| crate::Error::BadWinner {
            reason: format!("{e}"),
        })
    }
}

/// The text of `winner.toml`; `None` where there is no winner.
pub fn toml(record: &Record) -> Option<String> {
    let winner = record.conclusion.winner.as_ref()?;
    let arm = record.arms.iter().find(|arm| arm.label == winner.label)?;
    let result = record.budgets.last()?.arms.iter();
    let result = result
        .into_iter()
        .find(|result| result.label == arm.label)?;
    let policy: Spec = arm.spec.as_ref()?.parse().ok()?;
    let file = WinnerFile {
        version: VERSION,
        updates: result.updates,
        updates_per_epoch: record.data.updates_per_epoch,
        arm: arm.label.clone(),
        because: winner.because,
        bounds: record.range.as_ref().map(|range| FoundBounds {
            base_lr: range.base_lr,
            max_lr: range.max_lr,
        }),
        evidence: Evidence {
            verdict: record.conclusion.headline.clone(),
            metric: record.measure.name.clone(),
            test_mean: result.test.map(|test| test.mean),
            test_interval: result.test.and_then(|test| test.interval),
            n: result.test.map_or(0, |test| test.n),
        },
        policy,
    };
    let mut text = head(arm, winner.because);
    text.push_str(&toml::to_string(&file).ok()?);
    text.push_str("\n# In torch, with scheduler.step() after every optimizer update:\n#\n");
    for line in torch(&file, result).lines() {
        let _ = writeln!(text, "# {line}");
    }
    Some(text)
}

fn head(arm: &ArmRecord, because: Because) -> String {
    let why = match because {
        Because::Better => "it was shown to be better than the reference",
        Because::NoneBetter => "it is the reference, and every other arm was shown to be worse",
        Because::Cheapest => "the comparison did not decide, and this arm costs the least",
        Because::Validation => "the reference diverged, and this arm validates best",
    };
    format!(
        "# {}: {why}.\n# Train with it: cyclr train --policy winner.toml\n\n",
        arm.label
    )
}

/// The schedule in torch: its own class where it has one that is the same, else a table of rates.
fn torch(file: &WinnerFile, result: &ArmResult) -> String {
    let run = Horizon::of_updates(result.updates)
        .and_then(|run| run.with_epoch(file.updates_per_epoch, 1));
    let schedule = run.and_then(|run| file.policy.schedule(&run));
    let own = schedule
        .ok()
        .and_then(|schedule| own_class(&file.policy, &schedule));
    own.unwrap_or_else(|| {
        format!(
            "# First: cyclr schedule '{}' {} --format csv > rates.csv\n\
             import csv\n\
             rates = [float(row[\"lr\"]) for row in csv.DictReader(open(\"rates.csv\"))]\n\
             # optimizer = torch.optim.SGD(model.parameters(), lr=1.0, ...)\n\
             scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda i: rates[min(i, len(rates) - 1)])",
            file.policy,
            run_length(file, result.updates)
        )
    })
}

/// The length of the run as `cyclr schedule` takes it; in epochs where the spec has lengths in epochs.
fn run_length(file: &WinnerFile, updates: u64) -> String {
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
    let mode = match spec.policy()? {
        Policy::Fixed(_) => {
            return Some(format!(
                "optimizer = torch.optim.SGD(model.parameters(), lr={}, ...)",
                schedule.at(0).lr
            ));
        }
        Policy::Triangular(_) => "triangular",
        Policy::Triangular2(_) => "triangular2",
        _ => return None,
    };
    let period = schedule.troughs().next()?;
    let half = period / 2;
    let even = period.is_multiple_of(2)
        && schedule.troughs().nth(1).is_none_or(|t| t == 2 * period)
        && schedule.at(half).lr >= schedule.at(half.saturating_sub(1)).lr
        && schedule.at(half).lr >= schedule.at(half + 1).lr;
    if !even || schedule.moves_momentum() {
        return None;
    }
    Some(format!(
        "scheduler = torch.optim.lr_scheduler.CyclicLR(\n    optimizer, base_lr={}, max_lr={}, step_size_up={half}, mode=\"{mode}\",\n    cycle_momentum=False)",
        schedule.at(0).lr,
        schedule.at(half).lr
    ))
}
