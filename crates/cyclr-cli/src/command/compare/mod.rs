//! `cyclr compare`: which policy wins, on paired seeds.

mod show;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use cyclr::trainer::{TrainerFactory, TrainerInfo, Unit};
use cyclr_engine::cpu::Level;
use cyclr_train::compare::record::Record;
use cyclr_train::compare::{
    Arm, ArmPolicy, Begin, Bounds, Manifest, Plan, Settings, Study, compare, is_comparison,
    read_plan,
};
use cyclr_train::find::AnswerRecord;
use cyclr_train::{Error, Interrupt, Watch};
use serde::Serialize;

use crate::args::{CompareArgs, ResumeArgs, spec, updates};
use crate::command::report;
use crate::command::train::{next_folder, resumable, threads};
use crate::exit::Usage;
use crate::factory::TrainerArgs;
use crate::files::read_text;
use crate::progress::{Progress, interrupt};
use crate::say::{note, out};

/// The seed of the model that is timed before anything else.
const FIRST_SEED: u64 = 1;

/// One comparison: what is declared, and where it goes.
struct Comparison {
    plan: Plan,
    folder: PathBuf,
    /// What is trained, for the record.
    factory: TrainerArgs,
}

/// How all comparisons of a command are carried out.
struct Manner<'a> {
    jobs: Option<usize>,
    plan_only: bool,
    json: bool,
    /// Whether runs of two CPU levels may be compared.
    allow_inexact: bool,
    interrupt: &'a Interrupt,
}

pub(crate) fn run(args: &CompareArgs) -> anyhow::Result<()> {
    let out = args
        .out
        .clone()
        .map_or_else(|| next_folder("compare"), Ok)?;
    let manner = Manner {
        jobs: args.jobs,
        plan_only: args.plan,
        json: args.json,
        allow_inexact: false,
        interrupt: &interrupt()?,
    };
    let Some(file) = &args.study else {
        let (factory, title) = args.factory.titled()?;
        let begin = Begin::measure(&*factory, FIRST_SEED)?;
        let comparison = of_flags(args, &begin.info, title, out)?;
        let done = execute(&comparison, &*factory, Some(begin), &manner)?;
        return finish(&[done], manner.json);
    };
    let mut all = Vec::new();
    let of_file = || file.display().to_string();
    for comparison in of_study(args, file, &out).with_context(of_file)? {
        let factory = comparison.factory.factory(1, false).with_context(of_file)?;
        let begin = Begin::measure(&*factory, FIRST_SEED)?;
        comparison.plan.check(&begin.info).with_context(of_file)?;
        all.push(execute(&comparison, &*factory, Some(begin), &manner)?);
    }
    finish(&all, manner.json)?;
    let records = all.into_iter().filter_map(|done| match done {
        Done::Finished(record) => Some(*record),
        Done::Planned(_) => None,
    });
    let records: Vec<Record> = records.collect();
    if records.len() > 1 {
        report::write(records, &out)?;
    }
    Ok(())
}

/// What came of a comparison.
#[derive(Serialize)]
#[serde(untagged)]
enum Done {
    /// Its record.
    Finished(Box<Record>),
    /// What would run, where only the plan is wanted.
    Planned(Box<Forecast>),
}

/// What a plan would take.
#[derive(Serialize)]
struct Forecast {
    plan: Plan,
    runs: u64,
    updates: u64,
    /// Of the range test, at most.
    range_test_updates: u64,
    predicted_seconds: f64,
}

/// The one JSON document, if one is wanted: of several comparisons an array.
fn finish(all: &[Done], json: bool) -> anyhow::Result<()> {
    match all {
        _ if !json => {}
        [done] => out!("{}", serde_json::to_string(done)?)?,
        all => out!("{}", serde_json::to_string(all)?)?,
    }
    Ok(())
}

/// Goes on with the comparison of a folder.
pub(crate) fn resume(manifest: Manifest, args: &ResumeArgs) -> anyhow::Result<()> {
    if args.updates.is_some() {
        return Err(Usage::error(
            "the budget of a comparison cannot be changed: begin another",
        ));
    }
    if args.threads.is_some() {
        return Err(Usage::error(
            "each run of a comparison works with one thread: say with --jobs how many run side by side",
        ));
    }
    let file = args.folder.join("comparison.json");
    let comparison = Comparison {
        factory: TrainerArgs::recorded(manifest.trainer, &file)?,
        plan: manifest.plan,
        folder: args.folder.clone(),
    };
    comparison.factory.announce_again(args.allow_changed)?;
    let manner = Manner {
        jobs: args.jobs,
        plan_only: false,
        json: args.json,
        allow_inexact: args.allow_inexact,
        interrupt: &interrupt()?,
    };
    let factory = comparison.factory.factory(1, args.allow_inexact)?;
    let done = execute(&comparison, &*factory, None, &manner);
    let done = done.map_err(|error| match error.downcast_ref() {
        Some(Error::BadPlan { .. } | Error::BadArm { .. } | Error::OtherPlan { .. }) => {
            error.context(format!("{} cannot be carried out", file.display()))
        }
        _ => error,
    })?;
    finish(&[done], manner.json)
}

/// The comparison that the flags declare, of a trainer whose info has its objective.
fn of_flags(
    args: &CompareArgs,
    info: &TrainerInfo,
    title: String,
    folder: PathBuf,
) -> anyhow::Result<Comparison> {
    let mut plan = Plan::new(updates(&args.budget, info.updates_per_epoch())?);
    plan.title = title;
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
    if let Some(seeds) = args.seeds {
        plan.seeds = (1..=seeds).collect();
    }
    if let Some((base_lr, max_lr)) = bounds(args)? {
        plan.bounds = Bounds::Given { base_lr, max_lr };
    }
    plan.margin = args.margin.map_or_else(|| margin(info), Ok)?;
    Ok(Comparison {
        factory: args.factory.placed()?,
        plan,
        folder,
    })
}

/// The bounds that were handed on: given themselves, or what `cyclr find --json` wrote.
fn bounds(args: &CompareArgs) -> anyhow::Result<Option<(f64, f64)>> {
    let Some(file) = &args.from else {
        return Ok(args.bounds);
    };
    let text = read_text(file, "the file that `cyclr find --json` wrote")?;
    let answer: AnswerRecord = serde_json::from_str(&text).map_err(|error| {
        let file = file.display();
        Usage::error(format!(
            "{file} is not what `cyclr find --json` writes: {error}"
        ))
    })?;
    match answer {
        AnswerRecord::Bounds {
            base_lr, max_lr, ..
        } => Ok(Some((base_lr, max_lr))),
        AnswerRecord::None { reason, .. } => Err(Usage::error(format!(
            "{} has no bounds: {reason}",
            file.display()
        ))),
    }
}

/// The usual margin is in points of accuracy. Any other objective needs one of its own.
fn margin(info: &TrainerInfo) -> anyhow::Result<f64> {
    const POINTS: f64 = 0.5;
    match &info.objective {
        Some(objective) if objective.unit != Unit::Points => Err(Usage::error(format!(
            "{} decides here, which is no accuracy: say with --margin which difference in it would not matter",
            objective.name
        ))),
        // Without an objective there is nothing to evaluate on, which the plan's check refuses.
        _ => Ok(POINTS),
    }
}

/// `fixed`, `linear(lr=1)` or `mine=linear(lr=1)`
fn arm(text: &str) -> anyhow::Result<Arm> {
    let labelled = text
        .split_once('=')
        .filter(|(label, _)| !label.contains('('));
    let (label, policy) = labelled.unwrap_or((text, text));
    let policy = match policy.parse() {
        Ok(policy) => policy,
        Err(_) => ArmPolicy::Spec(spec(policy)?),
    };
    Ok(Arm {
        label: label.to_owned(),
        ..Arm::of(policy)
    })
}

/// The comparisons of a study file.
fn of_study(args: &CompareArgs, file: &Path, out: &Path) -> anyhow::Result<Vec<Comparison>> {
    let text = read_text(file, "a study in TOML")?;
    let mut study = Study::read(&text).map_err(Usage::error)?;
    args.factory.check_with_study()?;
    if let Some(factor) = args.scale {
        study = study.scaled(factor).map_err(Usage::error)?;
    }
    let several = study.parts.len() > 1;
    let comparison = |part: cyclr_train::compare::Part| {
        let folder = if several {
            out.join(&part.name)
        } else {
            out.to_owned()
        };
        let mut plan = part.plan;
        if let Some(seeds) = args.seeds {
            let declared = plan.seeds.len();
            if seeds as usize > declared {
                return Err(Usage::error(format!(
                    "--seeds {seeds}: the study declares {declared} for {}; add seeds to the file",
                    part.name
                )));
            }
            plan.seeds.truncate(seeds as usize);
        }
        Ok(Comparison {
            factory: args.factory.of_study(&part.train)?.placed()?,
            plan,
            folder,
        })
    };
    study.parts.into_iter().map(comparison).collect()
}

/// Makes the comparison and its report; nothing but a prediction where only the plan is wanted.
fn execute(
    comparison: &Comparison,
    factory: &dyn TrainerFactory,
    begin: Option<Begin>,
    manner: &Manner,
) -> anyhow::Result<Done> {
    let Comparison { plan, folder, .. } = comparison;
    let jobs = comparison.factory.jobs(manner.jobs);
    if let Some(begin) = &begin {
        plan.check(&begin.info)?;
        show::announce(plan, &begin.info);
        if manner.plan_only {
            return forecast(plan, begin, jobs, manner.json).map(Done::Planned);
        }
    }
    if is_comparison(folder) && comparison.factory.command.is_empty() && !manner.allow_inexact {
        check_level(&read_plan(folder)?, folder)?;
    }
    note!("in {}", folder.display());
    let settings = Settings {
        jobs,
        trainer: serde_json::to_value(&comparison.factory)?,
        about: about()?,
        begin,
    };
    let mut progress = Progress::new(sweeps(plan));
    let mut observer = |event: &_| show::event(&mut progress, plan, event);
    let record = compare(
        factory,
        plan,
        folder,
        &settings,
        Watch {
            observer: &mut observer,
            interrupt: manner.interrupt,
        },
    );
    progress.finish();
    let record = record.map_err(|error| resumable(error, folder, ("--jobs", manner.jobs)))?;
    let reported = report::write(vec![record.clone()], folder);
    if !manner.json {
        unless_unread(show::print(&record))?;
    }
    reported?;
    Ok(Done::Finished(Box::new(record)))
}

/// Refuses to continue with a comparison at another CPU level: its runs would differ by more than
/// their policies.
fn check_level(manifest: &Manifest, folder: &Path) -> anyhow::Result<()> {
    let level = Level::from_environment().map_err(Usage::error)?.name();
    match manifest.about.get("level") {
        Some(began) if began != level => Err(Usage::error(format!(
            "{} was begun at the CPU level {began}, and this is {level}, which differs in the last bits: set CYCLR_CPU={began}, or resume it with --allow-inexact",
            folder.display()
        ))),
        _ => Ok(()),
    }
}

/// Printing that nobody reads is no reason to leave out the comparisons that follow.
fn unless_unread(printed: io::Result<()>) -> io::Result<()> {
    match printed {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
}

/// The updates of the range test, at most.
fn sweeps(plan: &Plan) -> u64 {
    match plan.bounds {
        Bounds::Found { updates, .. } => updates,
        Bounds::Given { .. } | Bounds::Unneeded => 0,
    }
}

/// What the plan would take, at the pace that was measured.
fn forecast(plan: &Plan, begin: &Begin, jobs: usize, json: bool) -> anyhow::Result<Box<Forecast>> {
    let seconds = plan.predicted_seconds(begin, sweeps(plan), jobs)?;
    let pace = &begin.pace;
    if !json {
        out!(
            "predicted: {seconds:.0} s on {jobs} jobs (a start {:.2} s, an update {:.2} ms, an evaluation {:.2} s)",
            pace.seconds_per_start,
            1e3 * pace.seconds_per_update,
            pace.seconds_per_evaluation
        )?;
    }
    Ok(Box::new(Forecast {
        plan: plan.clone(),
        runs: plan.runs(),
        updates: plan.updates_of_runs(),
        range_test_updates: sweeps(plan),
        predicted_seconds: seconds,
    }))
}

/// What made the results, for the record.
fn about() -> anyhow::Result<BTreeMap<String, String>> {
    let level = Level::from_environment().map_err(Usage::error)?;
    let about = [
        ("cyclr", env!("CARGO_PKG_VERSION").to_owned()),
        ("processor", processor()),
        ("cores", threads(None).to_string()),
        ("level", level.name().to_owned()),
        (
            "system",
            format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        ),
    ];
    let about = about.map(|(name, value)| (name.to_owned(), value));
    Ok(about.into())
}

/// The processor's name, where Linux says it.
fn processor() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo");
    let model = cpu.iter().flat_map(|cpu| cpu.lines());
    let model = model.filter_map(|line| line.strip_prefix("model name"));
    let mut model = model.map(|rest| rest.trim_start_matches([' ', '\t', ':']));
    model.next().unwrap_or("unknown").to_owned()
}
