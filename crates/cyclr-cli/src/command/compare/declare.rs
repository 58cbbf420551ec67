//! What is compared: as the flags declare it, or a study file.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use anyhow::Context;
use cyclr::stats::Race;
use cyclr::trainer::{TrainerInfo, Unit};
use cyclr_train::Average;
use cyclr_train::compare::{Arm, Begin, BoundsSource, Plan, Study, StudyComparison, Tune};
use cyclr_train::find::AnswerRecord;
use cyclr_train::store::VERSION;

use super::Comparison;
use crate::args::{CompareArgs, read_policy, updates};
use crate::exit::Usage;
use crate::factory::TrainerArgs;
use crate::files::read_text;

/// The comparison that the flags declare, of a trainer whose info has its objective.
pub(super) fn of_flags(
    args: &CompareArgs,
    begin: &Begin,
    factory: TrainerArgs,
    folder: PathBuf,
) -> anyhow::Result<Comparison> {
    let info = &begin.info;
    let mut plan = Plan::new(updates(&args.budget, info.updates_per_epoch())?);
    plan.title.clone_from(&begin.title);
    if !args.arms.is_empty() {
        plan.arms = args
            .arms
            .iter()
            .map(|text| arm(text))
            .collect::<anyhow::Result<Vec<Arm>>>()?;
    }
    if args.untuned {
        plan.arms.push(Arm::untuned());
    }
    if let Some(reference) = &args.reference {
        plan.reference = plan.arm_of(reference).map_err(Usage::error)?;
    }
    if !args.budgets.is_empty() {
        plan.budgets.clone_from(&args.budgets);
    }
    plan.branches = args.branches;
    if let Some(seeds) = args.seeds {
        plan.seeds = (1..=seeds).collect();
    }
    if let Some(most) = args.race {
        plan.seeds = (1..=most).collect();
        plan.race = Some(Race::up_to(most).map_err(Usage::error)?);
    }
    if let (Some(seeds), Some(tune)) = (args.tuning_seeds, &mut plan.tuning) {
        tune.seeds = (0..seeds).map(|n| Tune::FIRST_SEED + n).collect();
    }
    if let Some((base_lr, max_lr)) = bounds(args)? {
        plan.bounds = BoundsSource::Given { base_lr, max_lr };
    }
    if let Some(margin) = args.margin {
        plan.margin = margin;
    }
    Ok(Comparison {
        plan,
        has_margin: args.margin.is_some(),
        folder,
        factory,
    })
}

/// The bounds that are given: themselves, or in a file that `cyclr find --json` wrote.
fn bounds(args: &CompareArgs) -> anyhow::Result<Option<(f64, f64)>> {
    let Some(file) = &args.bounds_file else {
        return Ok(args.bounds);
    };
    let text = read_text(file, "the file that `cyclr find --json` wrote")?;
    if text.trim_start().starts_with('[') {
        return Err(Usage::error(format!(
            "{} has the answers of several tests, as `cyclr find --over` writes them: leave one of them in it",
            file.display()
        )));
    }
    let answer: AnswerRecord = serde_json::from_str(&text).map_err(|error| {
        let file = file.display();
        Usage::error(format!(
            "{file} is not what `cyclr find --json` writes: {error}"
        ))
    })?;
    let (AnswerRecord::Bounds { version, .. } | AnswerRecord::None { version, .. }) = answer;
    if version != VERSION {
        return Err(Usage::error(format!(
            "{} has version {version}, and this program reads {VERSION}: let `cyclr find --json` write it again",
            file.display()
        )));
    }
    match answer {
        AnswerRecord::Bounds {
            base_lr,
            max_lr,
            weight_decay,
            ..
        } => {
            check_decay(weight_decay, &args.factory, file)?;
            Ok(Some((base_lr, max_lr)))
        }
        AnswerRecord::None { reason, .. } => Err(Usage::error(format!(
            "{} has no bounds: {reason}",
            file.display()
        ))),
    }
}

/// Refuses bounds that were found with another weight decay than the arms will train with.
fn check_decay(found: Option<f64>, trainer: &TrainerArgs, file: &Path) -> anyhow::Result<()> {
    let Some(found) = found else {
        return Ok(());
    };
    let file = file.display();
    if !trainer.command.is_empty() {
        return Err(Usage::error(format!(
            "the bounds in {file} were found with the weight decay {found}, which `cyclr find --over` set; a COMMAND \
             trains with its own. Set {found} in the command and find the bounds again without --over, or give them \
             with --bounds"
        )));
    }
    if trainer.weight_decay != found {
        return Err(Usage::error(format!(
            "the bounds in {file} were found with the weight decay {found}, and the arms would train with {}: give \
             --weight-decay {found}",
            trainer.weight_decay
        )));
    }
    Ok(())
}

/// The usual margin is in points of accuracy. Any other objective needs one of its own.
pub(super) fn check_margin(comparison: &Comparison, info: &TrainerInfo) -> anyhow::Result<()> {
    match &info.objective {
        Some(objective) if objective.unit != Unit::Points && !comparison.has_margin => {
            Err(Usage::error(format!(
                "the objective is {}, not an accuracy: give with --margin, or `margin = …` in a study, a difference in \
                 it that does not matter",
                objective.name
            )))
        }
        // Without an objective there is nothing to evaluate on, which the plan's check refuses.
        _ => Ok(()),
    }
}

/// The models of an ensemble whose number is not given.
const ENSEMBLE: NonZeroU32 = NonZeroU32::new(3).expect("3 is not 0");

/// `fixed`, `linear(lr=1)` or `mine=linear(lr=1)`; `triangular2+average` averages weights at troughs,
/// `triangular2+ensemble` or `triangular2+ensemble(5)` predictions.
fn arm(text: &str) -> anyhow::Result<Arm> {
    let labelled = text
        .split_once('=')
        .filter(|(label, _)| !label.contains('('));
    let (label, policy) = labelled.unwrap_or((text, text));
    let (policy, average) = averaged(policy)?;
    Ok(Arm {
        label: label.to_owned(),
        average,
        ..Arm::of(read_policy(policy)?)
    })
}

/// What stands before `+average` or `+ensemble`, and what these ask for.
fn averaged(policy: &str) -> anyhow::Result<(&str, Option<Average>)> {
    Ok(match policy.rsplit_once('+') {
        Some((policy, "average")) => (policy, Some(Average::Troughs)),
        Some((policy, "ensemble")) => (policy, Some(Average::Ensemble(ENSEMBLE))),
        Some((policy, average)) if average.starts_with("ensemble(") => {
            let average = average.parse().map_err(Usage::error)?;
            (policy, Some(average))
        }
        // In a spec, as in 1e+3, digits follow.
        Some((_, unknown)) if unknown.starts_with(char::is_alphabetic) => {
            return Err(Usage::error(format!(
                "the arm {policy}: there is no `+{unknown}`; write +average, +ensemble or +ensemble(K)"
            )));
        }
        _ => (policy, None),
    })
}

/// The comparisons of a study file.
pub(super) fn of_study(
    args: &CompareArgs,
    file: &Path,
    out: &Path,
) -> anyhow::Result<Vec<Comparison>> {
    let text = read_text(file, "a study in TOML")?;
    let mut study = Study::read(&text).map_err(Usage::error)?;
    args.factory.check_with_study()?;
    let several = study.comparisons.len() > 1;
    if !args.comparisons.is_empty() {
        let some = study.with_comparisons(&args.comparisons);
        study = some.map_err(Usage::error)?;
    }
    if !args.arms.is_empty() {
        study = study.with_arms(&args.arms).map_err(Usage::error)?;
    }
    if let Some(factor) = args.scale {
        study = study.scaled(factor).map_err(Usage::error)?;
    }
    let placed = |comparison: StudyComparison| {
        let folder = if several {
            out.join(&comparison.name)
        } else {
            out.to_owned()
        };
        let mut plan = comparison.plan;
        if let Some(seeds) = args.seeds {
            let declared = plan.seeds.len();
            if plan.race.is_some() {
                return Err(Usage::error(format!(
                    "--seeds {seeds}: {} is a race, which itself decides how many of its {declared} seeds it uses",
                    comparison.name
                )));
            }
            if seeds as usize > declared {
                return Err(Usage::error(format!(
                    "--seeds {seeds}: the study declares {declared} for {}; add seeds to the file",
                    comparison.name
                )));
            }
            plan.seeds.truncate(seeds as usize);
        }
        // Of all comparisons, before the first of them takes its hours.
        plan.check_declared()
            .with_context(|| comparison.name.clone())?;
        Ok(Comparison {
            factory: args.factory.of_study(&comparison.train)?.placed()?,
            plan,
            has_margin: comparison.has_margin,
            folder,
        })
    };
    study.comparisons.into_iter().map(placed).collect()
}
