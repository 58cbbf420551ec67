//! `cyclr work DIR UNIT`: one unit of a comparison, on whatever machine a launcher has found.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, anyhow};
use cyclr_engine::cpu::Level;
use cyclr_train::compare::{Begin, Work, read_work, work_begin};
use cyclr_train::store::{Failure, RunRecord, check_lock, read_outcome};
use cyclr_train::{Error, Interrupt, Machine, Watch, resume};

use super::cluster::environment;
use super::compare::FIRST_SEED;
use crate::args::WorkArgs;
use crate::exit::{Usage, describe, is_refusal};
use crate::factory::{TrainerArgs, of_record};
use crate::progress::{Progress, interrupt};
use crate::say::note;

pub(crate) fn run(args: &WorkArgs) -> anyhow::Result<()> {
    let work = read_work(&args.folder)?;
    let unit = unit(args)?;
    if unit.exists() && read_outcome(&unit)?.is_some() {
        note!("{} is done", unit.display());
        return Ok(());
    }
    let host = &Machine::here().host;
    let done = make(args, &unit, work, &interrupt()?);
    done.map_err(|error| {
        let error = error.context(format!("on {host}"));
        match error.downcast_ref() {
            // The unit goes on, here or elsewhere; or there is none.
            Some(Error::Interrupted { .. } | Error::Locked { .. } | Error::NotARun { .. }) => error,
            _ => tell(&unit, error),
        }
    })
}

/// Writes down why a unit could not be made, for the coordinator, who sees the folder alone.
fn tell(unit: &Path, error: anyhow::Error) -> anyhow::Error {
    let found: Option<&Error> = error.downcast_ref();
    let failure = Failure {
        reason: describe(&error),
        no_answer: match found {
            Some(Error::NoBounds { reason, .. }) => Some(reason.clone()),
            _ => None,
        },
        refused: found.is_some_and(is_refusal),
    };
    match failure.write(unit) {
        Ok(()) => error,
        Err(unwritten) => error.context(unwritten.to_string()),
    }
}

/// The folder of the unit.
fn unit(args: &WorkArgs) -> anyhow::Result<PathBuf> {
    let unit = Path::new(&args.unit);
    let inside = |part: Component| matches!(part, Component::Normal(_));
    let is_inside = !args.unit.is_empty() && unit.components().all(inside);
    let folder = args.folder.join(unit);
    let is_unit = || args.unit == Begin::UNIT || folder.join(RunRecord::FILE).exists();
    if !is_inside || !is_unit() {
        return Err(Usage::error(format!(
            "`{}` is not a unit: give the folder of a run relative to {}, or `begin`",
            args.unit,
            args.folder.display()
        )));
    }
    Ok(folder)
}

fn make(args: &WorkArgs, unit: &Path, work: Work, interrupt: &Interrupt) -> anyhow::Result<()> {
    set_environment(&work.environment)?;
    note!("{} on {}", unit.display(), Machine::here().host);
    let record = args.folder.join("work.json");
    let trainer = TrainerArgs::recorded(work.trainer, &record)?;
    let of_record = |error| of_record(error, "unit", &record);
    let any_level = !trainer.command.is_empty() || work.allow_inexact;
    check_same(&work.about, any_level).map_err(of_record)?;
    tell_environment(&work.environment);
    if !check_lock(&args.folder, unit)? {
        note!(
            "the lock of the comparison's coordinator is not seen here, although the coordinator is running: the file \
             system of {} keeps locks to each machine. Only the launcher keeps two processes from making one run",
            args.folder.display()
        );
    }
    trainer.announce_again(&record, work.allow_changed)?;
    let mut progress = Progress::new(0);
    let done = train(
        args,
        unit,
        &trainer,
        work.allow_inexact,
        &mut progress,
        interrupt,
    );
    progress.finish();
    done.map_err(of_record)
}

/// Makes the unit, or goes on with it.
fn train(
    args: &WorkArgs,
    unit: &Path,
    trainer: &TrainerArgs,
    allow_inexact: bool,
    progress: &mut Progress,
    interrupt: &Interrupt,
) -> anyhow::Result<()> {
    if args.unit == Begin::UNIT {
        let (factory, title) = trainer.titled()?;
        let measure = || {
            let measured = Begin::measure(&*factory, FIRST_SEED)?;
            Ok(Begin { title, ..measured })
        };
        let mut observer = |event: &_| progress.find_event(event);
        let watch = Watch {
            observer: &mut observer,
            interrupt,
        };
        work_begin(&args.folder, &*factory, measure, watch)?;
    } else {
        let factory = trainer.factory(args.threads, allow_inexact)?;
        let mut observer = |event: &_| progress.run_event(event);
        let watch = Watch {
            observer: &mut observer,
            interrupt,
        };
        resume(unit, &*factory, None, watch)?;
    }
    Ok(())
}

/// Refuses a node whose results would differ.
fn check_same(about: &BTreeMap<String, String>, any_level: bool) -> anyhow::Result<()> {
    let (began, here) = (about.get("cyclr"), env!("CARGO_PKG_VERSION"));
    if began.is_some_and(|began| began != here) {
        return Err(anyhow!(
            "this is cyclr {here}, and the comparison was started by cyclr {}: install the same version on every machine",
            began.map_or("", String::as_str)
        ));
    }
    let here = Level::from_environment().context("CYCLR_CPU")?.name();
    match about.get("level") {
        Some(began) if !any_level && began != here => Err(anyhow!(
            "the CPU level here is {here}, and the comparison was started at {began}, whose results differ in the last \
             bits: set CYCLR_CPU={began} in the launcher, or start the comparison with CYCLR_CPU=portable, which every \
             machine has"
        )),
        _ => Ok(()),
    }
}

/// Starts the same program in the place of this process, with what is set where the coordinator is and not here: what a
/// process inherits is safely changed at its start alone.
#[cfg(unix)]
fn set_environment(coordinator: &BTreeMap<String, String>) -> anyhow::Result<()> {
    use std::os::unix::process::CommandExt;
    let missing = coordinator
        .iter()
        .filter(|(name, _)| std::env::var_os(name).is_none());
    let missing: Vec<_> = missing.collect();
    if missing.is_empty() {
        return Ok(());
    }
    for (name, value) in &missing {
        note!("{name} is not set here: using the coordinator's, {value}");
    }
    let program = std::env::current_exe().context("the program itself is not found")?;
    let mut anew = std::process::Command::new(&program);
    anew.args(std::env::args_os().skip(1)).envs(missing);
    Err(anyhow!(anew.exec()).context(format!("{} cannot be started", program.display())))
}

#[cfg(not(unix))]
fn set_environment(_: &BTreeMap<String, String>) -> anyhow::Result<()> {
    Ok(())
}

/// Says what is set otherwise than where the coordinator is. That may be meant: the launcher sets
/// what its machines need.
fn tell_environment(coordinator: &BTreeMap<String, String>) {
    let here = environment();
    let of_here = here.keys().filter(|name| !coordinator.contains_key(*name));
    for name in coordinator.keys().chain(of_here) {
        let (there, here) = (coordinator.get(name), here.get(name));
        if there != here {
            let said = |value: Option<&String>| value.map_or("not set", String::as_str).to_owned();
            note!(
                "{name} is {} here, and {} for the coordinator: if that is not intended, set it in the launcher",
                said(here),
                said(there)
            );
        }
    }
}
