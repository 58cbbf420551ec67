//! `cyclr work DIR UNIT`: one unit of a comparison, on whatever machine a launcher has found.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, anyhow};
use cyclr_engine::cpu::Level;
use cyclr_train::compare::{Begin, Work, read_work, work_begin};
use cyclr_train::store::{Failure, check_lock, read_outcome};
use cyclr_train::{Error, Interrupt, Machine, Watch, resume};

use super::cluster::environment;
use super::compare::FIRST_SEED;
use crate::args::WorkArgs;
use crate::exit::{Usage, describe};
use crate::factory::TrainerArgs;
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
    match Failure::write(unit, describe(&error)) {
        Ok(()) => error,
        Err(unwritten) => error.context(unwritten.to_string()),
    }
}

/// The folder of the unit.
fn unit(args: &WorkArgs) -> anyhow::Result<PathBuf> {
    let unit = Path::new(&args.unit);
    let inside = |part: Component| matches!(part, Component::Normal(_));
    if args.unit.is_empty() || !unit.components().all(inside) {
        return Err(Usage::error(format!(
            "`{}` is no unit: give the folder of a run as seen from {}, or `begin`",
            args.unit,
            args.folder.display()
        )));
    }
    Ok(args.folder.join(unit))
}

fn make(args: &WorkArgs, unit: &Path, work: Work, interrupt: &Interrupt) -> anyhow::Result<()> {
    let record = args.folder.join("work.json");
    let trainer = TrainerArgs::recorded(work.trainer, &record)?;
    check_same(
        &work.about,
        !trainer.command.is_empty() || work.allow_inexact,
    )?;
    tell_environment(&work.environment);
    if !check_lock(&args.folder, unit)? {
        note!(
            "the lock of the comparison's coordinator is not seen here, though the coordinator lives: the file system of {} \
             keeps locks to each machine. Nothing but the launcher keeps two processes from one run",
            args.folder.display()
        );
    }
    trainer.announce_again(&record, work.allow_changed)?;
    let mut progress = Progress::new(0);
    let done = if args.unit == Begin::UNIT {
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
        work_begin(&args.folder, &*factory, measure, watch)
    } else {
        let factory = trainer.factory(args.threads, work.allow_inexact)?;
        let mut observer = |event: &_| progress.run_event(event);
        let watch = Watch {
            observer: &mut observer,
            interrupt,
        };
        resume(unit, &*factory, None, watch).map(drop)
    };
    progress.finish();
    done.map_err(|error| trainer.of_record(anyhow!(error), &record))
}

/// Refuses a node whose results would differ.
fn check_same(about: &BTreeMap<String, String>, any_level: bool) -> anyhow::Result<()> {
    let (began, here) = (about.get("cyclr"), env!("CARGO_PKG_VERSION"));
    if began.is_some_and(|began| began != here) {
        return Err(anyhow!(
            "this is cyclr {here}, and the comparison is made by cyclr {}: install the same on every machine",
            began.map_or("", String::as_str)
        ));
    }
    let here = Level::from_environment().context("CYCLR_CPU")?.name();
    match about.get("level") {
        Some(began) if !any_level && began != here => Err(anyhow!(
            "the CPU level here is {here}, and the comparison is made at {began}, which differs in the last bits: set \
             CYCLR_CPU={began} in the launcher, or begin the comparison with CYCLR_CPU=portable, which every machine has"
        )),
        _ => Ok(()),
    }
}

/// Says what is set otherwise than where the comparison was begun.
fn tell_environment(began: &BTreeMap<String, String>) {
    let here = environment();
    for name in began
        .keys()
        .chain(here.keys().filter(|name| !began.contains_key(*name)))
    {
        let value = |of: &BTreeMap<String, String>| of.get(name).cloned();
        let (then, now) = (value(began), value(&here));
        if then != now {
            let said = |value: Option<String>| value.unwrap_or_else(|| String::from("not set"));
            note!(
                "{name} is {} here, and was {} where the comparison was begun",
                said(now),
                said(then)
            );
        }
    }
}
