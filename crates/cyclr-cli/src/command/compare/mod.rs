//! `cyclr compare`: which policy wins, on paired seeds.

mod declare;
mod show;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use cyclr::trainer::TrainerFactory;
use cyclr_engine::cpu::Level;
use cyclr_train::compare::record::Record;
use cyclr_train::compare::{
    Begin, Manifest, Plan, Settings, check_free, compare, is_comparison, launch_begin, read_plan,
};
use cyclr_train::{Error, Interrupt, Machine, Pace, Watch};
use serde::Serialize;

use declare::{check_margin, of_flags, of_study};

use crate::args::{CompareArgs, ResumeArgs};
use crate::command::cluster::{self, Elsewhere};
use crate::command::report;
use crate::command::train::{next_folder, quoted, resumable, threads};
use crate::exit::Usage;
use crate::factory::{TrainerArgs, of_record};
use crate::progress::{Progress, in_all, interrupt, predicted, words};
use crate::report::Report;
use crate::say::{note, out, tell, unless_unread};

/// The seed of the model that is timed before anything else.
pub(super) const FIRST_SEED: u64 = 1;

/// One comparison: what is declared, and where it goes.
struct Comparison {
    plan: Plan,
    /// Whether its margin was given.
    has_margin: bool,
    folder: PathBuf,
    /// What is trained, for the record.
    factory: TrainerArgs,
}

/// How all comparisons of a command are carried out.
struct Options<'a> {
    jobs: Option<usize>,
    plan_only: bool,
    json: bool,
    /// Whether runs of two CPU levels may be compared.
    allow_inexact: bool,
    /// Whether files may have been edited.
    allow_changed: bool,
    /// Who makes the runs, if not this process.
    launcher: Option<&'a Path>,
    interrupt: &'a Interrupt,
}

impl Options<'_> {
    /// The option that says who makes the runs, to be given again.
    fn option(&self) -> (&'static str, Option<String>) {
        match self.launcher {
            Some(launcher) => ("--on", Some(quoted(launcher))),
            None => ("--jobs", self.jobs.map(|jobs| jobs.to_string())),
        }
    }

    /// The trainer factory of what is recorded so, and what must be known before the plan is made:
    /// measured here, or where a launcher finds a machine for it.
    fn begin(
        &self,
        trainer: &TrainerArgs,
        folder: &Path,
    ) -> anyhow::Result<(Box<dyn TrainerFactory>, Begin)> {
        if !self.plan_only {
            check_free(folder)?;
        }
        if let Some(launcher) = self.launcher {
            let work = cluster::work(trainer, about()?, self.allow_inexact, self.allow_changed)?;
            let begin = launch_begin(folder, launcher, &work, self.interrupt);
            if matches!(begin, Err(Error::Interrupted { .. })) {
                note!("to resume: the same command with --out {}", quoted(folder));
            }
            let begin = begin?;
            return Ok((Box::new(Elsewhere), begin));
        }
        let (factory, title) = trainer.titled()?;
        let measured = Begin::measure(&*factory, FIRST_SEED)?;
        Ok((factory, Begin { title, ..measured }))
    }
}

pub(crate) fn run(args: &CompareArgs) -> anyhow::Result<()> {
    let out = args
        .out
        .clone()
        .map_or_else(|| next_folder("compare"), Ok)?;
    let options = Options {
        jobs: args.jobs,
        plan_only: args.plan,
        json: args.json,
        allow_inexact: false,
        allow_changed: false,
        launcher: args.cluster.launcher.as_deref(),
        interrupt: &interrupt()?,
    };
    let Some(file) = &args.study else {
        let trainer = args.factory.placed()?;
        let (factory, begin) = options.begin(&trainer, &out)?;
        let comparison = of_flags(args, &begin, trainer, out)?;
        check_margin(&comparison, &begin.info)?;
        let done = execute(&comparison, &*factory, Some(begin), &options)?;
        return finish(&[done], options.json);
    };
    let mut all = Vec::new();
    let of_file = || file.display().to_string();
    let declared = of_study(args, file, &out).with_context(of_file)?;
    let count = declared.len();
    for comparison in declared {
        let begun = options.begin(&comparison.factory, &comparison.folder);
        let (factory, begin) = begun.with_context(of_file)?;
        check_margin(&comparison, &begin.info).with_context(of_file)?;
        comparison.plan.check(&begin.info).with_context(of_file)?;
        let done = execute(&comparison, &*factory, Some(begin), &options);
        if done.is_err() && all.len() + 1 < count {
            note!(
                "the study's other comparisons go on with the same command and --out {}",
                quoted(&out)
            );
        }
        all.push(done?);
    }
    unless_unread(finish(&all, options.json))?;
    let records = all.into_iter().filter_map(|done| match done {
        Done::Finished(record) => Some(*record),
        Done::Planned(_) => None,
    });
    let records: Vec<Record> = records.collect();
    if records.len() > 1 {
        report::write(&Report::new(&records)?, &out)?;
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
    /// That a race may add, at most.
    race_updates: u64,
    /// Of the range test, at most.
    range_test_updates: u64,
    /// `None` for a program that makes whole runs: none is made to time it.
    predicted_seconds: Option<f64>,
    /// If tuning takes all its rounds and a race all its seeds.
    longest_seconds: Option<f64>,
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
            "the budget of a comparison cannot be changed: start another comparison",
        ));
    }
    if args.threads.is_some() {
        return Err(Usage::error(
            "each run of a comparison has one thread: give the number of runs side by side with --jobs",
        ));
    }
    let file = args.folder.join("comparison.json");
    let comparison = Comparison {
        factory: TrainerArgs::recorded(manifest.trainer, &file)?,
        plan: manifest.plan,
        has_margin: true,
        folder: args.folder.clone(),
    };
    comparison
        .factory
        .announce_again(&file, args.allow_changed)?;
    let options = Options {
        jobs: args.jobs,
        plan_only: false,
        json: args.json,
        allow_inexact: args.allow_inexact,
        allow_changed: args.allow_changed,
        launcher: args.cluster.launcher.as_deref(),
        interrupt: &interrupt()?,
    };
    let of_file = |error| of_record(error, "comparison", &file);
    let (factory, begin) = if options.launcher.is_some() {
        let begun = options.begin(&comparison.factory, &comparison.folder);
        let (factory, begin) = begun.map_err(of_file)?;
        (factory, Some(begin))
    } else {
        let factory = comparison.factory.factory(1, args.allow_inexact);
        (factory.map_err(of_file)?, None)
    };
    let done = execute(&comparison, &*factory, begin, &options);
    finish(&[done.map_err(of_file)?], options.json)
}

/// Makes the comparison and its report; nothing but a prediction where only the plan is wanted.
fn execute(
    comparison: &Comparison,
    factory: &dyn TrainerFactory,
    begin: Option<Begin>,
    options: &Options,
) -> anyhow::Result<Done> {
    let Comparison { plan, folder, .. } = comparison;
    let jobs = comparison.factory.jobs(options.jobs);
    if let Some(begin) = &begin {
        let forecast = announce(comparison, begin, factory, options)?;
        if let Some(forecast) = forecast.filter(|_| options.plan_only) {
            return Ok(Done::Planned(Box::new(forecast)));
        }
    }
    if is_comparison(folder) && comparison.factory.command.is_empty() && !options.allow_inexact {
        check_level(&read_plan(folder)?, folder)?;
    }
    note!("in {}", folder.display());
    let settings = Settings {
        jobs,
        launcher: options.launcher.map(Path::to_owned),
        trainer: serde_json::to_value(&comparison.factory)?,
        about: about()?,
        begin,
    };
    let mut progress = Progress::new(plan.bounds.updates());
    let mut observer = |event: &_| show::event(&mut progress, plan, event);
    let record = compare(
        factory,
        plan,
        folder,
        &settings,
        Watch {
            observer: &mut observer,
            interrupt: options.interrupt,
        },
    );
    progress.finish();
    let record = record.map_err(|error| resumable(error, folder, options.option()))?;
    let reported = Report::new(std::slice::from_ref(&record))
        .map_err(anyhow::Error::from)
        .and_then(|made| report::write(&made, folder));
    if !options.json {
        unless_unread(show::print(&record))?;
    }
    reported?;
    Ok(Done::Finished(Box::new(record)))
}

/// Says what was declared and, where that can be known, how long it will take.
fn announce(
    comparison: &Comparison,
    begin: &Begin,
    factory: &dyn TrainerFactory,
    options: &Options,
) -> anyhow::Result<Option<Forecast>> {
    let Comparison { plan, folder, .. } = comparison;
    plan.check(&begin.info)?;
    let is_result = options.plan_only && !options.json;
    show::announce(plan, &begin.info, is_result)?;
    if !begin.info.snapshots {
        note!("{}", lost_if_stopped(plan, begin));
    }
    // What the machines of a launcher do is not known here, nor what a folder that was begun lacks.
    if !options.plan_only && (options.launcher.is_some() || is_comparison(folder)) {
        return Ok(None);
    }
    let jobs = comparison.factory.jobs(options.jobs);
    let predicted = Predicted::of(plan, begin, factory, jobs)?;
    if let Some(predicted) = &predicted {
        predicted.announce(jobs, is_result)?;
    }
    Ok(Some(forecast(plan, predicted)))
}

/// What an interruption may cost where a trainer takes no snapshots.
fn lost_if_stopped(plan: &Plan, begin: &Begin) -> String {
    let what = "this trainer cannot be saved: a run that is stopped starts over, and loses up to";
    let updates = plan.longest();
    if begin.info.whole_runs.is_some() {
        return format!("{what} {updates} updates");
    }
    let pace = &begin.pace;
    let seconds = pace.seconds_per_start + updates as f64 * pace.seconds_per_update;
    format!("{what} {updates} updates ({})", words(seconds))
}

/// Refuses to continue with a comparison at another CPU level: its runs would differ by more than
/// their policies.
fn check_level(manifest: &Manifest, folder: &Path) -> anyhow::Result<()> {
    let level = Level::from_environment().map_err(Usage::error)?.name();
    let folder = folder.display();
    match manifest.began_at("level")[..] {
        [began] if began != level => Err(Usage::error(format!(
            "{folder} was started at the CPU level {began}, and this is {level}, whose results differ in the last bits: set CYCLR_CPU={began}, or resume it with --allow-inexact",
        ))),
        [_, _, ..] => Err(Usage::error(format!(
            "{folder} has runs of several CPU levels, whose results differ in the last bits: resume it with --allow-inexact",
        ))),
        _ => Ok(()),
    }
}

fn forecast(plan: &Plan, predicted: Option<Predicted>) -> Forecast {
    Forecast {
        plan: plan.clone(),
        runs: plan.runs(),
        updates: plan.updates_of_runs(),
        race_updates: plan.updates_of_race(),
        range_test_updates: plan.bounds.updates(),
        predicted_seconds: predicted.map(|predicted| predicted.seconds),
        longest_seconds: predicted.map(|predicted| predicted.longest),
    }
}

/// What a comparison takes from the start of the command to its end.
#[derive(Clone, Copy)]
struct Predicted {
    pace: Pace,
    seconds: f64,
    longest: f64,
}

impl Predicted {
    /// `None` for a program that makes whole runs.
    fn of(
        plan: &Plan,
        begin: &Begin,
        factory: &dyn TrainerFactory,
        jobs: usize,
    ) -> anyhow::Result<Option<Self>> {
        let info = &begin.info;
        if info.whole_runs.is_some() {
            return Ok(None);
        }
        let pace = match jobs {
            1 => begin.pace,
            _ => Pace::of_runs(factory, plan.seeds[0], jobs)?,
        };
        Ok(Some(Self {
            pace,
            seconds: in_all(plan.predicted_seconds(&pace, info, jobs)?),
            longest: in_all(plan.longest_seconds(&pace, info, jobs)?),
        }))
    }

    fn announce(&self, jobs: usize, is_result: bool) -> std::io::Result<()> {
        let text = format!(
            "predicted time {}, at most {} ({jobs} at a time; start {:.2} s, update {:.2} ms, evaluation {:.2} s)",
            predicted(self.seconds),
            predicted(self.longest),
            self.pace.seconds_per_start,
            1e3 * self.pace.seconds_per_update,
            self.pace.seconds_per_evaluation
        );
        tell(&text, is_result)
    }
}

/// What made the results, for the record.
fn about() -> anyhow::Result<BTreeMap<String, String>> {
    let level = Level::from_environment().map_err(Usage::error)?;
    let about = [
        ("cyclr", env!("CARGO_PKG_VERSION").to_owned()),
        ("processor", Machine::processor()),
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
