use std::io;
use std::path::{Path, PathBuf};

use cyclr::trainer::TrainerError;

/// Why something could not be done, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The trainer failed or refused.
    #[error(transparent)]
    Trainer(#[from] TrainerError),
    /// The spec does not fit the run.
    #[error(transparent)]
    Schedule(#[from] cyclr::Error),
    /// The budget is too short.
    #[error("a budget of {budget} is too short: {reason}")]
    BudgetTooShort {
        /// The budget, with its unit.
        budget: String,
        /// What does not fit into it.
        reason: String,
    },
    /// A schedule that cycles more often than a run can be evaluated.
    #[error(
        "in {updates} updates the schedule has more than {most} troughs, and each is an evaluation: give a longer step, or \
         fewer updates"
    )]
    TooManyTroughs {
        /// The updates of the run.
        updates: u64,
        /// The troughs that a run can have.
        most: usize,
    },
    /// An option needs something to decide by, such as a validation split.
    #[error("{option} needs {needed}")]
    Undecidable {
        /// The option.
        option: &'static str,
        /// What is missing and how to get it.
        needed: &'static str,
    },
    /// The schedule sets what the trainer cannot change.
    #[error("the schedule sets {what}, which this trainer cannot change: leave it out of the spec")]
    NotObeyed {
        /// Momentum or weight decay.
        what: &'static str,
    },
    /// A trainer that only makes whole runs cannot do this.
    #[error("not possible with a program that only makes whole runs: {what}; {instead}")]
    WholeRunsOnly {
        /// What was asked.
        what: &'static str,
        /// What would do.
        instead: &'static str,
    },
    /// All runs that differ in their seed, or in their rate, end with the same figure.
    #[error(
        "the {what} is not obeyed, or the figure has too few digits to show it: in every arm, all runs that differ in the \
         {what} end with the same figure, such as {figure}. Let the program use the {what} that it is given, and print \
         all digits"
    )]
    RunsAlike {
        /// The seed or the rate.
        what: &'static str,
        /// What all runs of an arm show.
        figure: f64,
    },
    /// Runs of different seeds are the same.
    #[error(
        "the seed is not obeyed: the runs of seed {} and seed {} begin with the same training loss ({loss}) to the bit, \
         so they are the same run. Let the seed that the run is given decide its initial weights and the order of its \
         data", seeds[0], seeds[1]
    )]
    SeedNotObeyed {
        /// The seeds.
        seeds: [u64; 2],
        /// The first loss of both.
        loss: f64,
    },
    /// Runs at different rates are the same.
    #[error(
        "the rate is not obeyed: with seed {seed}, {updates} updates at the rates {:?} and {:?} have the same training losses \
         to the bit. Let the optimizer use the rate that the run is given, and remove the script's own schedule",
        rates[0], rates[1]
    )]
    RateNotObeyed {
        /// The seed of both.
        seed: u64,
        /// The rates where they first differ.
        rates: [f64; 2],
        /// The updates after that, all with the same losses.
        updates: usize,
    },
    /// The run in the folder was made by a trainer factory with other data or abilities.
    #[error("{} was trained on {was}, and this is {is}: give the same data and net", path.display())]
    OtherTrainer {
        /// The record of the run.
        path: PathBuf,
        /// The facts of the run.
        was: String,
        /// The facts of the trainer factory.
        is: String,
    },
    /// The data of a run or comparison have changed since it began.
    #[error(
        "the data are not those that {} was begun with ({was} then, {is} now): restore the data, or start again in another folder",
        path.display()
    )]
    OtherData {
        /// The record of what was begun.
        path: PathBuf,
        /// The checksum then.
        was: String,
        /// The checksum now.
        is: String,
    },
    /// The run in a folder of a comparison is not the one that its plan has there.
    #[error(
        "{} is of a run with {what}: remove the run's folder, and it is made again",
        path.display()
    )]
    OtherRun {
        /// The record of the run.
        path: PathBuf,
        /// What differs, with the values there and in the comparison.
        what: String,
    },
    /// The horizon of a run cannot be changed like this.
    #[error("the run cannot go on to {updates} updates: {reason}")]
    BadHorizon {
        /// The updates asked for.
        updates: u64,
        /// Why not, and what would work.
        reason: String,
    },
    /// A sweep that cannot be made or read.
    #[error("the range test cannot be made: {reason}")]
    BadSweep {
        /// Why not, and what would work.
        reason: String,
    },
    /// A stop was requested. If the run has a folder, everything up to `updates_done` is kept.
    #[error("interrupted{}", updates_done.map_or_else(String::new, |n| format!(" after {n} updates")))]
    Interrupted {
        /// The updates that the run has done; `None` if it is not one run that was interrupted.
        updates_done: Option<u64>,
    },
    /// A file could not be read or written.
    #[error("cannot {action} {}: {source}; what was saved before is kept{}", path.display(), what_to_do(action, source))]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process is at work in the folder.
    #[error("{} is in use by process {pid} on {host}: wait for it, or choose another folder", path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
        /// The process, as it wrote itself down; `?` where it has not yet.
        pid: String,
        /// Its host, likewise.
        host: String,
    },
    /// The folder for a new run has something in it.
    #[error("{} {found}: choose another folder{}", path.display(), hint)]
    Occupied {
        /// The folder.
        path: PathBuf,
        /// What is in it.
        found: &'static str,
        /// What else could be done.
        hint: &'static str,
    },
    /// The folder is not a run's.
    #[error(
        "{} is not the folder of a run or comparison: it has no {missing}; give the folder that --out named when it began",
        path.display()
    )]
    NotARun {
        /// The folder.
        path: PathBuf,
        /// The file that a run's folder has.
        missing: &'static str,
    },
    /// No launcher makes the units of this comparison.
    #[error(
        "{} holds a comparison that no launcher makes: it has no work.json; resume it with --on, or without a launcher",
        path.display()
    )]
    NoUnits {
        /// The folder.
        path: PathBuf,
    },
    /// A record that is damaged or of another kind.
    #[error("{} is not a valid record: {reason}{}", path.display(), way_out(path))]
    BadRecord {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        reason: String,
    },
    /// A record of another version.
    #[error("{} has version {found}, and this cyclr reads version {known}: use the cyclr that wrote it", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The version that can be read.
        known: u32,
    },
    /// The plan of a comparison is not valid.
    #[error("the plan cannot be carried out: {reason}")]
    BadPlan {
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// An arm of a comparison that cannot run.
    #[error("the arm `{label}` cannot run: {reason}")]
    BadArm {
        /// The arm.
        label: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Nothing says what decides.
    #[error(
        "the trainer declares no objective and its evaluation has no metric: let it return at least the loss"
    )]
    NoObjective,
    /// The declared objective is no metric of the evaluation.
    #[error(
        "the trainer declares the objective `{name}`, and its evaluation has {found}: return `{name}` from every \
         evaluation, or declare what it returns"
    )]
    ObjectiveMissing {
        /// The declared objective.
        name: String,
        /// The metrics that there are.
        found: String,
    },
    /// A statistic of the final values could not be computed.
    #[error("the final values cannot be compared: {0}")]
    Statistics(#[from] cyclr::stats::StatsError),
    /// The reference is none of the arms.
    #[error("the reference `{reference}` is not an arm: choose one of {arms}")]
    NoReference {
        /// The label that was given.
        reference: String,
        /// The labels that there are.
        arms: String,
    },
    /// A text that should be a study.
    #[error("the study cannot be read: {reason}")]
    BadStudy {
        /// What is wrong, and where.
        reason: String,
    },
    /// A text that should be the winner of a comparison.
    #[error("it is not a comparison's `winner.toml`: {reason}")]
    BadWinner {
        /// What is wrong, and where.
        reason: String,
    },
    /// A comparison's folder was made for another plan.
    #[error("{} holds a comparison with {what}: resume it as it was, or choose another folder", path.display())]
    OtherPlan {
        /// The folder.
        path: PathBuf,
        /// What differs, with the values there and here.
        what: String,
    },
    /// Some runs of a comparison failed. The others are finished and kept, and no verdict is made
    /// without these.
    #[error("{} of {runs} runs failed, and there is no verdict without them:{}", failed.len(), lines_of(failed))]
    RunsFailed {
        /// Those that failed: the folder of each within the comparison's, and why.
        failed: Vec<(String, String)>,
        /// The runs of their kind: trials of the tuning, or final ones.
        runs: usize,
    },
    /// A unit that a launcher has made shows that no other try would help, on whatever machine.
    #[error("{unit}: {reason}")]
    Refused {
        /// Its folder within the comparison's.
        unit: String,
        /// What it shows, and what would help.
        reason: String,
    },
    /// What should be a launcher cannot be called.
    #[error("the launcher {} cannot be called: {reason}", path.display())]
    Launcher {
        /// The program.
        path: PathBuf,
        /// Why not, and what would help.
        reason: String,
    },
    /// A launcher returned, and no run made progress.
    #[error(
        "the launcher has returned ({status}) and none of these {} made progress:{}\nthe reason is in the launcher's output \
         and in the logs of its jobs. A run that was stopped goes on from its last checkpoint; if the trainer cannot be \
         saved, it starts over, and must end within one job",
        units.len(), some_of(units)
    )]
    NoProgress {
        /// Their folders within the comparison's.
        units: Vec<String>,
        /// How the launcher ended.
        status: String,
    },
    /// The range test of a comparison gives no reliable answer.
    #[error("the range test gives no reliable answer: {reason}, or give the bounds with --bounds (the curves are in {})", sweeps.display())]
    NoBounds {
        /// Why not, and what to try.
        reason: String,
        /// The folder of the curves.
        sweeps: PathBuf,
    },
}

/// The way out of the usual troubles with files.
fn what_to_do(action: &str, source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::PermissionDenied if action == "read" => ": make it readable",
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            ": a file is in the place of a folder; remove it, or choose another folder"
        }
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            ": make it writable, or choose a folder that can be written to"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            ": make room, then resume or try again"
        }
        _ => "",
    }
}

/// What to do about a damaged record.
fn way_out(path: &Path) -> &'static str {
    match path.file_name().and_then(|name| name.to_str()) {
        Some("result.json" | "range.json" | "begin.json" | ".sweep.csv" | ".probes.jsonl") => {
            "; remove this file and resume, and it is made again"
        }
        Some("failed.json") => "; remove this file and resume",
        Some("work.json") => "; resume the comparison, and it is made again",
        Some("run.json" | "events.jsonl") => {
            "; put back a copy of it, or remove this run's folder to make the run again"
        }
        Some("comparison.json") => {
            "; put back a copy of it, or begin the comparison again in another folder"
        }
        _ => "",
    }
}

/// The first of many.
fn some_of(units: &[String]) -> String {
    const MOST: usize = 8;
    let shown: Vec<String> = units
        .iter()
        .take(MOST)
        .map(|unit| format!("\n  {unit}"))
        .collect();
    let more = units.len().saturating_sub(MOST);
    let more = if more > 0 {
        format!("\n  and {more} more")
    } else {
        String::new()
    };
    shown.concat() + &more
}

/// A line a run, and the first reason in full, as they are often the same.
fn lines_of(failed: &[(String, String)]) -> String {
    let line = |(n, (folder, reason)): (usize, &(String, String))| {
        // A reason without lines is empty.
        let first = reason.lines().next().unwrap_or_default();
        let shown = if n == 0 { reason } else { first };
        format!("\n{folder}: {shown}")
    };
    failed.iter().enumerate().map(line).collect()
}

impl Error {
    /// For `map_err` on file operations.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advice_on_a_file_fits_what_was_tried() {
        let said = |action, kind: io::ErrorKind| {
            Error::io(action, Path::new("runs/x"))(kind.into()).to_string()
        };
        let unreadable = said("read", io::ErrorKind::PermissionDenied);
        assert!(unreadable.ends_with(": make it readable"), "{unreadable}");
        let unwritable = said("write", io::ErrorKind::PermissionDenied);
        assert!(unwritable.contains(": make it writable"), "{unwritable}");
        for kind in [io::ErrorKind::NotADirectory, io::ErrorKind::AlreadyExists] {
            let in_the_way = said("create", kind);
            assert!(
                in_the_way.contains("a file is in the place of a folder"),
                "{in_the_way}"
            );
        }
    }
}
