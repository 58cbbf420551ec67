//! `cyclr resume DIR`: an interrupted run or comparison continues as if it had never stopped.

use cyclr_train::compare::{is_comparison, read_plan, read_work};
use cyclr_train::store::{RunRecord, read_outcome, read_run};
use cyclr_train::{Change, Watch, resume};

use crate::args::ResumeArgs;
use crate::command::compare;
use crate::command::train::{quoted, resumable, show, threads};
use crate::exit::Usage;
use crate::factory::{TrainerArgs, of_record};
use crate::progress::{Progress, interrupt};

pub(crate) fn run(args: &ResumeArgs) -> anyhow::Result<()> {
    let folder = &args.folder;
    if is_comparison(folder) {
        return compare::resume(read_plan(folder)?, args);
    }
    if read_run(folder).is_err() && read_work(folder).is_ok() {
        return Err(Usage::error(format!(
            "{} has no plan yet: repeat the command that started it, with --out {}",
            folder.display(),
            quoted(folder)
        )));
    }
    let record = read_run(folder)?;
    if args.cluster.launcher.is_some() {
        return Err(Usage::error(
            "--on is for comparisons, and this folder holds a single run",
        ));
    }
    if args.jobs.is_some() {
        return Err(Usage::error(
            "--jobs is for comparisons, and this folder holds a single run: give --threads",
        ));
    }
    let file = folder.join(RunRecord::FILE);
    let trained = TrainerArgs::recorded(record.trainer, &file)?;
    if args.threads.is_some() && !trained.command.is_empty() {
        return Err(Usage::error(
            "--threads is for the embedded engine, and this run is of a command, which chooses its own threads",
        ));
    }
    if args.updates.is_some() || read_outcome(folder)?.is_none() {
        trained.announce_again(&file, args.allow_changed)?;
    }
    let factory = trained
        .factory(threads(args.threads), args.allow_inexact)
        .map_err(|error| of_record(error, "run", &file))?;
    let change = args.updates.map(|updates| {
        if args.stretch {
            Change::Stretch { updates }
        } else {
            Change::KeepShape { updates }
        }
    });
    let interrupt = interrupt()?;
    let mut progress = Progress::new(0);
    let mut observer = |event: &_| progress.run_event(event);
    let watch = Watch {
        observer: &mut observer,
        interrupt: &interrupt,
    };
    let outcome = resume(folder, &*factory, change, watch);
    progress.finish();
    let outcome = outcome.map_err(|error| {
        let error = resumable(error, folder, ("--threads", args.threads));
        of_record(error, "run", &file)
    });
    show(&outcome?, folder, args.json)
}
