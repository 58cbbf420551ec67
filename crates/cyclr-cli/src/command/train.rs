//! `cyclr train`: a run in a folder of its own.

mod range_test;

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use cyclr::Spec;
use cyclr::trainer::TrainerFactory;
use cyclr::units::Epochs;
use cyclr_train::compare::{ArmPolicy, WinnerFile};
use cyclr_train::store::{VERSION, Versioned, check_absent, read_run};
use cyclr_train::{Average, Budget, Outcome, Pace, RunPlan, StopReason, Task, Watch, train_in};
use range_test::{Before, found};
use serde_json::json;

use crate::args::{StopWhen, TrainArgs, read_policy};
use crate::exit::{Diverged, Usage};
use crate::files::read_text;
use crate::progress::{Progress, figures, in_all, interrupt, predicted, words};
use crate::say::{note, out, unless_unread};

/// The budget in epochs if none is given: four cycles whose halves take three epochs.
const DEFAULT_EPOCHS: f64 = 24.0;

pub(crate) fn run(args: &TrainArgs) -> anyhow::Result<()> {
    check_target(args)?;
    let declared = average(args)?;
    args.out.as_deref().map_or(Ok(()), check_absent)?;
    let began = Instant::now();
    let factory = args.factory.factory(threads(args.threads), false)?;
    let interrupt = interrupt()?;
    let (spec, winner) = match policy(args)? {
        (ArmPolicy::Spec(spec), winner) => (spec, winner),
        (ArmPolicy::Named(name), _) if args.plan => {
            return Before::new(args, &*factory)?.announce(args, name, &*factory);
        }
        (ArmPolicy::Named(name), _) => (found(args, name, &*factory, &interrupt)?, None),
    };
    let compared_at = winner.as_ref().map(|winner| winner.updates);
    let budget = match budget(args, compared_at)? {
        Budget::Time(time) => Budget::Time(left_of(time, began)?),
        other => other,
    };
    let task = Task {
        average: declared.or(winner.and_then(|winner| winner.average)),
        ..task(args, spec, budget)
    };
    if args.plan {
        return announce(&RunPlan::new(&*factory, &task)?, &*factory, args.json);
    }
    let folder = args.out.clone().map_or_else(|| next_folder("train"), Ok)?;
    note!(
        "{}\n  {}\n  in {}",
        task.spec,
        task.spec.describe(),
        folder.display()
    );
    if let (Some(_), Budget::Updates(updates)) = (compared_at, task.budget) {
        note!("  for {updates} updates");
    }
    let mut progress = Progress::new(0);
    let mut observer = |event: &_| progress.run_event(event);
    let watch = Watch {
        observer: &mut observer,
        interrupt: &interrupt,
    };
    let outcome = train_in(
        &folder,
        &*factory,
        serde_json::to_value(args.factory.placed()?)?,
        &task,
        watch,
    );
    progress.finish();
    show(
        &outcome.map_err(|error| resumable(error, &folder, ("--threads", args.threads)))?,
        &folder,
        args.json,
    )
}

/// What is left of a budget of time, of which reading the data and the range test are a part.
fn left_of(time: Duration, began: Instant) -> anyhow::Result<Duration> {
    let spent = began.elapsed();
    time.checked_sub(spent).filter(|left| !left.is_zero()).ok_or_else(|| {
        Usage::error(format!(
            "--time {}s was over before the training began: what came first took {}. Give a longer --time, or the \
             rates in --policy, so that no range test comes first",
            time.as_secs_f64(),
            words(spent.as_secs_f64())
        ))
    })
}

/// What is averaged, and so is the declared model.
fn average(args: &TrainArgs) -> anyhow::Result<Option<Average>> {
    match (args.average, args.ensemble) {
        (Some(Average::Troughs), Some(last)) => Err(Usage::error(format!(
            "--average troughs and --ensemble {last}: one model of a run is declared, decides and is tested. Give one of \
             them; cyclr compare --arm triangular2+average --arm 'triangular2+ensemble({last})' shows both on the same \
             trainings"
        ))),
        (Some(average), Some(last)) => Err(Usage::error(format!(
            "--average {average} and --ensemble {last}: give one of them"
        ))),
        (average, last) => Ok(average.or(last.map(Average::Ensemble))),
    }
}

/// Refuses a target that no accuracy reaches.
fn check_target(args: &TrainArgs) -> anyhow::Result<()> {
    // What decides in a script may be no accuracy.
    let engine = args.factory.command.is_empty();
    let wrong = |target: &f64| engine && !(0.0..=1.0).contains(target);
    match args.target.filter(wrong) {
        Some(target) => Err(Usage::error(format!(
            "--target {target}: an accuracy is from 0 to 1, as in 0.9 for 90 %"
        ))),
        None => Ok(()),
    }
}

fn task(args: &TrainArgs, spec: Spec, budget: Budget) -> Task {
    Task {
        evaluate_every: args.evaluate_every,
        stop_on_plateau: matches!(args.stop_when, Some(StopWhen::Plateau)),
        target: args.target,
        test: !args.no_test,
        ..Task::new(spec, args.seed, budget)
    }
}

/// What would be done, and how long it would take.
fn announce(plan: &RunPlan, factory: &dyn TrainerFactory, json: bool) -> anyhow::Result<()> {
    let (spec, updates, evaluations) = (&plan.task().spec, plan.end(), plan.evaluations());
    let epochs = updates as f64 / plan.info().updates_per_epoch() as f64;
    let seconds = predicted_seconds(plan, factory)?.map(in_all);
    if json {
        out!(
            "{}",
            json!({ "spec": spec, "updates": updates, "epochs": epochs, "evaluations": evaluations, "predicted_seconds": seconds })
        )?;
        return Ok(());
    }
    out!("{spec}\n  {}", spec.describe())?;
    let plural = if evaluations == 1 { "" } else { "s" };
    out!(
        "{updates} updates ({epochs:.1} epochs) and {evaluations} evaluation{plural} on the validation split"
    )?;
    if let Some(seconds) = seconds {
        out!("predicted time {}", predicted(seconds))?;
    }
    if !plan.info().snapshots {
        out!("the run cannot be saved: if it is stopped, it starts over")?;
    }
    Ok(())
}

/// What a run would take; `None` for a program that makes whole runs, of which none is made to
/// time it.
fn predicted_seconds(plan: &RunPlan, factory: &dyn TrainerFactory) -> anyhow::Result<Option<f64>> {
    if plan.info().whole_runs.is_some() {
        return Ok(None);
    }
    let (pace, _) = Pace::measure(factory, plan.task().seed)?;
    Ok(Some(seconds_of(plan, &pace)))
}

/// What a run takes at a pace.
fn seconds_of(plan: &RunPlan, pace: &Pace) -> f64 {
    let test = if plan.task().test {
        pace.seconds_of_test(plan.info())
    } else {
        0.0
    };
    pace.seconds_of_run(plan.end(), plan.evaluations()) + test
}

/// The outcome, in words or as JSON; an error if it is that training diverged.
pub(crate) fn show(outcome: &Outcome, folder: &Path, json: bool) -> anyhow::Result<()> {
    if json {
        let record = Versioned {
            version: VERSION,
            record: outcome,
        };
        unless_unread(out!("{}", serde_json::to_string(&record)?))?;
    } else {
        unless_unread(print(outcome, folder))?;
    }
    match outcome.stop_reason {
        StopReason::Diverged { update } => Err(anyhow::Error::new(Diverged(update))),
        _ => Ok(()),
    }
}

/// The outcome, in words.
fn print(outcome: &Outcome, folder: &Path) -> anyhow::Result<()> {
    let why = match outcome.stop_reason {
        StopReason::Completed => String::from("all planned updates were made"),
        StopReason::Plateau => String::from("a whole cycle brought no gain"),
        StopReason::Target => String::from("the target was reached"),
        StopReason::OutOfTime => {
            String::from("the time that was left did not reach to the next trough")
        }
        StopReason::Diverged { .. } => String::from("training diverged"),
    };
    out!("ended after {} updates: {why}", outcome.updates_done)?;
    let task = read_run(folder)?.plan.task;
    if let Some(target) = task.target
        && outcome.stop_reason != StopReason::Target
    {
        out!("the target was not reached: {target}")?;
    }
    if let Some(last) = outcome.last() {
        out!("validation {}", figures(&last.metrics))?;
        if let Some(average) = &last.average {
            out!("  averaged {}", figures(average))?;
        }
    }
    if let Some(test) = &outcome.test {
        out!(
            "test       {}{}",
            figures(test),
            of_average(task.average, outcome)
        )?;
    }
    out!(
        "compute    {:.1} s; the run is in {}",
        outcome.compute_seconds,
        folder.display()
    )?;
    Ok(())
}

/// Which model was tested, where it is not the one that was trained.
fn of_average(average: Option<Average>, outcome: &Outcome) -> &'static str {
    let averages = outcome.last().is_some_and(|last| last.average.is_some());
    match average.filter(|_| averages) {
        Some(Average::Troughs) => ", of the averaged weights",
        Some(Average::Ensemble(_)) => ", of the ensemble",
        None => "",
    }
}

/// An error of a run in a folder; an interrupted one says how to continue, with the same options.
pub(crate) fn resumable(
    error: cyclr_train::Error,
    folder: &Path,
    (option, given): (&str, Option<impl Display>),
) -> anyhow::Error {
    let option = given.map_or_else(String::new, |given| format!(" {option} {given}"));
    let folder = format!("{}{option}", quoted(folder));
    match error {
        cyclr_train::Error::Interrupted { .. } => note!("to resume: cyclr resume {folder}"),
        cyclr_train::Error::RunsFailed { .. } => {
            note!(
                "the finished runs are kept; to try the failed ones again: cyclr resume {folder}"
            );
        }
        _ => {}
    }
    anyhow!(error)
}

/// A path as a shell reads it.
pub(crate) fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+".contains(c);
    if path.chars().all(plain) {
        path
    } else {
        format!("'{}'", path.replace('\'', "'\\''"))
    }
}

pub(crate) fn threads(asked: Option<usize>) -> usize {
    asked.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// The policy that is asked for: a name, which a range test completes, or a spec, or the one in a
/// file such as `winner.toml`, with what else the file says.
fn policy(args: &TrainArgs) -> anyhow::Result<(ArmPolicy, Option<WinnerFile>)> {
    let Some(text) = &args.policy else {
        return Ok((ArmPolicy::Named("triangular2"), None));
    };
    let path = Path::new(text);
    if path.extension().is_none_or(|extension| extension != "toml") {
        return Ok((read_policy(text)?, None));
    }
    let file = read_text(path, "a spec, or the winner.toml of a comparison")?;
    let winner = WinnerFile::read(&file).with_context(|| text.to_owned())?;
    Ok((ArmPolicy::Spec(winner.policy.clone()), Some(winner)))
}

/// The budget that was given, or else the one that the policy was compared at, or else the usual
/// one.
fn budget(args: &TrainArgs, compared_at: Option<u64>) -> anyhow::Result<Budget> {
    Ok(match (args.time, args.updates, args.epochs, compared_at) {
        (Some(time), ..) => Budget::Time(time),
        (None, Some(updates), ..) | (None, None, None, Some(updates)) => Budget::Updates(updates),
        (None, None, epochs, _) => {
            Budget::Epochs(Epochs::new(epochs.unwrap_or(DEFAULT_EPOCHS)).map_err(Usage::error)?)
        }
    })
}

/// Makes the folder of `--out`.
pub(crate) fn make_out(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("{} cannot be made: give another --out", folder.display()))
}

/// The first free `runs/NAME-N`.
pub(crate) fn next_folder(name: &str) -> anyhow::Result<PathBuf> {
    let free = (1..100_000)
        .map(|n| Path::new("runs").join(format!("{name}-{n}")))
        .find(|path| !path.exists());
    free.ok_or_else(|| anyhow!("runs/ is full: give --out DIR"))
}
