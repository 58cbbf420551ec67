//! `cyclr compare`: which policy wins, on paired seeds.

mod show;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use cyclr::trainer::{Split, TrainerFactory, TrainerInfo};
use cyclr_engine::cpu::Level;
use cyclr_train::Interrupt;
use cyclr_train::compare::record::Record;
use cyclr_train::compare::{Arm, Bounds, Manifest, Plan, Settings, Study, compare};
use serde::Serialize;

use crate::args::{CompareArgs, ResumeArgs, spec, updates};
use crate::command::report;
use crate::command::train::{next_folder, resumable, seconds_per_update, threads};
use crate::exit::Usage;
use crate::factory::TrainerArgs;
use crate::progress::{Progress, interrupt};
use crate::say::{note, out};

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
        interrupt: &interrupt()?,
    };
    let Some(file) = &args.study else {
        let (factory, title) = args.factory.titled()?;
        let comparison = of_flags(args, &*factory, title, out)?;
        let done = execute(&comparison, &*factory, &manner)?;
        return finish(&[done], manner.json);
    };
    let mut all = Vec::new();
    for comparison in of_study(args, file, &out)? {
        let factory = comparison.factory.factory(1, false)?;
        all.push(execute(&comparison, &*factory, &manner)?);
    }
    finish(&all, manner.json)?;
    let records = all.into_iter().filter_map(|done| match done {
        Done::Completed(record) => Some(*record),
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
    Completed(Box<Record>),
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
    /// Readings not counted.
    predicted_seconds: f64,
}

/// The one JSON document, where one is wanted: of several comparisons an array.
fn finish(all: &[Done], json: bool) -> anyhow::Result<()> {
    match all {
        _ if !json => {}
        [done] => out!("{}", serde_json::to_string(done)?)?,
        all => out!("{}", serde_json::to_string(all)?)?,
    }
    Ok(())
}

/// Goes on with the comparison of a folder.
pub(crate) fn resume(kept: Manifest, args: &ResumeArgs) -> anyhow::Result<()> {
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
    let comparison = Comparison {
        factory: TrainerArgs::recorded(kept.factory, &args.folder)?,
        plan: kept.plan,
        folder: args.folder.clone(),
    };
    let manner = Manner {
        jobs: args.jobs,
        plan_only: false,
        json: args.json,
        interrupt: &interrupt()?,
    };
    let factory = comparison.factory.factory(1, false)?;
    finish(&[execute(&comparison, &*factory, &manner)?], manner.json)
}

/// The comparison that the flags declare.
fn of_flags(
    args: &CompareArgs,
    factory: &dyn TrainerFactory,
    title: String,
    folder: PathBuf,
) -> anyhow::Result<Comparison> {
    let info = factory.info()?;
    let mut plan = Plan::new(updates(&args.budget, info.updates_per_epoch())?);
    plan.title = title;
    if !args.arms.is_empty() {
        plan.arms = args
            .arms
            .iter()
            .map(|text| arm(text))
            .collect::<anyhow::Result<Vec<Arm>>>()?;
        plan.reference.clone_from(&plan.arms[0].label);
    }
    if args.untuned {
        plan.arms.push(Arm::untuned());
    }
    if let Some(reference) = &args.reference {
        plan.reference.clone_from(reference);
    }
    if !args.budgets.is_empty() {
        plan.budgets.clone_from(&args.budgets);
    }
    if let Some(seeds) = args.seeds {
        plan.seeds = (1..=seeds).collect();
    }
    plan.margin = args
        .margin
        .map_or_else(|| margin(args, factory, &info), Ok)?;
    Ok(Comparison {
        factory: args.factory.clone(),
        plan,
        folder,
    })
}

/// The usual margin is in points of accuracy. A command that measures something else must be told of another.
fn margin(
    args: &CompareArgs,
    factory: &dyn TrainerFactory,
    info: &TrainerInfo,
) -> anyhow::Result<f64> {
    const POINTS: f64 = 0.5;
    if args.factory.command.is_empty() || info.validation == 0 {
        return Ok(POINTS);
    }
    let mut run = factory.start(0)?;
    let measured = run.evaluate(Split::Validation)?.metrics;
    match measured.objective() {
        Some(metric) if metric.correct.is_none() => Err(Usage::error(format!(
            "{} decides here ({:.4} before training), which is no accuracy: say with --margin which difference in it would not matter",
            metric.name, metric.value
        ))),
        _ => Ok(POINTS),
    }
}

/// `fixed`, `linear(lr=1)` or `mine=linear(lr=1)`
fn arm(text: &str) -> anyhow::Result<Arm> {
    let labelled = text
        .split_once('=')
        .filter(|(label, _)| !label.contains('('));
    let (label, policy) = labelled.unwrap_or((text, text));
    if policy.contains('(') {
        spec(policy)?;
    }
    Ok(Arm {
        label: label.to_owned(),
        ..Arm::named(policy)
    })
}

/// The comparisons of a study file.
fn of_study(args: &CompareArgs, file: &Path, out: &Path) -> anyhow::Result<Vec<Comparison>> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("{} cannot be read", file.display()))?;
    let mut study = Study::read(&text).map_err(Usage::error)?;
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
            factory: TrainerArgs::of_study(&part.train, args.factory.data.as_ref())?,
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
    manner: &Manner,
) -> anyhow::Result<Done> {
    let Comparison { plan, folder, .. } = comparison;
    let jobs = comparison.factory.jobs(manner.jobs);
    let info = factory.info()?;
    plan.check(&info)?;
    show::announce(plan, &info);
    if manner.plan_only {
        return forecast(plan, factory, jobs, manner.json).map(Done::Planned);
    }
    note!("in {}", folder.display());
    let settings = Settings {
        jobs,
        factory: serde_json::to_value(&comparison.factory)?,
        about: about(),
    };
    let mut progress = Progress::new(sweeps(plan));
    let mut observer = |event: &_| show::event(&mut progress, event);
    let record = compare(
        factory,
        plan,
        folder,
        &settings,
        &mut observer,
        manner.interrupt,
    );
    progress.finish();
    let record = record.map_err(|error| resumable(error, folder, ("--jobs", manner.jobs)))?;
    let reported = report::write(vec![record.clone()], folder);
    if !manner.json {
        unless_unread(show::print(&record))?;
    }
    reported?;
    Ok(Done::Completed(Box::new(record)))
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

/// What the plan would take, from a few timed updates.
fn forecast(
    plan: &Plan,
    factory: &dyn TrainerFactory,
    jobs: usize,
    json: bool,
) -> anyhow::Result<Box<Forecast>> {
    let update = seconds_per_update(factory)?;
    let updates = plan.updates_of_runs();
    let seconds = (updates + sweeps(plan)) as f64 * update / jobs as f64;
    if !json {
        out!(
            "predicted: {seconds:.0} s on {jobs} jobs, readings not counted ({:.2} ms an update)",
            1e3 * update
        )?;
    }
    Ok(Box::new(Forecast {
        plan: plan.clone(),
        runs: plan.runs(),
        updates,
        range_test_updates: sweeps(plan),
        predicted_seconds: seconds,
    }))
}

/// What made the results, for the record.
fn about() -> BTreeMap<String, String> {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map(|rest| rest.trim_start_matches([' ', '\t', ':']));
    let level = Level::from_environment()
        .map_or_else(|error| error.to_string(), |level| level.name().to_owned());
    [
        ("cyclr", env!("CARGO_PKG_VERSION").to_owned()),
        ("processor", model.unwrap_or("unknown").to_owned()),
        ("cores", threads(None).to_string()),
        ("level", level),
        (
            "system",
            format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        ),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}
