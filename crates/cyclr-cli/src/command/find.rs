//! `cyclr find`: the learning-rate range test, made or read.

mod done;
mod plot;
pub(super) mod show;

use std::path::Path;

use anyhow::Context;
use cyclr::trainer::{TrainerFactory, TrainerInfo};
use cyclr::units::{Epochs, Horizon};
use cyclr::{advice, range::Allowance};
use cyclr_train::find::{
    Measure, Ramp, RangeTest, Shape, SweepTest, range_test, scale_ramp, sweep_test,
};
use cyclr_train::{Interrupt, Pace, Watch};
use serde_json::json;

use done::Done;

use super::find_from;
use super::train::make_out;
use crate::args::{FindArgs, MeasuredOn, updates};
use crate::exit::Usage;
use crate::progress::{Progress, in_all, interrupt, predicted};
use crate::say::{note, out, tell, unless_unread};

pub(crate) fn run(args: &FindArgs) -> anyhow::Result<()> {
    if !args.curves.is_empty() {
        args.factory.check_with_curves()?;
        return find_from::run(args);
    }
    let factory = args.factory.factory(1, false)?;
    let info = factory.info()?;
    let budget = updates(&args.budget, info.updates_per_epoch())?;
    let run = Horizon::of_updates(budget)?.with_epoch(info.examples, info.batch)?;
    // Before the work, too: what is too short for any cycles has no policy.
    advice::cycles(&run)
        .map_err(|error| Usage::error(format!("--budget {}: {error}", args.budget)))?;
    let tests = tests(args, &info, budget)?;
    tests.check(&info)?;
    // Before the work, so that an answer is not lost to a folder that cannot be made.
    if let Some(folder) = args.out.as_ref().filter(|_| !args.plan) {
        make_out(folder)?;
        refuse_other_contents(folder)?;
    }
    announce(args, &tests, budget, &*factory)?;
    if args.plan {
        return Ok(());
    }
    let done = tests.make(&*factory, &interrupt()?)?;
    if info.given_weights {
        note!("all runs start from the given weights: they differ in the order of the data only");
    }
    let kept = args.out.as_ref().map_or(Ok(()), |folder| done.keep(folder));
    unless_unread(done.show(args, &run))?;
    kept?;
    done.check_answers()
}

/// Refuses the folder of a run or comparison, and one with the curves of an earlier test, of which some would be left
/// beside the new ones.
fn refuse_other_contents(folder: &Path) -> anyhow::Result<()> {
    let read = || format!("{} cannot be read: give another --out", folder.display());
    for entry in std::fs::read_dir(folder).with_context(read)? {
        let name = entry.with_context(read)?.file_name();
        let name = name.to_string_lossy();
        let other = if name == "run.json" || name == "comparison.json" {
            "a run or comparison"
        } else if name.ends_with("probes.csv") || name.contains("sweep-") && name.ends_with(".csv")
        {
            "an earlier range test"
        } else {
            continue;
        };
        return Err(Usage::error(format!(
            "{} holds {name} of {other}: give another --out",
            folder.display()
        )));
    }
    Ok(())
}

/// What is asked for: one test, or one at each of several weight decays.
enum Tests {
    Probes(Vec<RangeTest>),
    Sweeps(Vec<SweepTest>),
}

fn tests(args: &FindArgs, info: &TrainerInfo, budget: u64) -> anyhow::Result<Tests> {
    let decays = match &args.over {
        Some(text) => weight_decays(text)?,
        None => vec![None],
    };
    let threads = args.factory.jobs(args.jobs);
    let test = RangeTest {
        seed: args.seed,
        threads,
        ..RangeTest::for_budget(budget, args.fraction / 100.0, info)
    };
    if !args.sweep_only && args.sweep_epochs.is_none() {
        let at = |weight_decay| RangeTest {
            weight_decay,
            ..test.clone()
        };
        return Ok(Tests::Probes(decays.into_iter().map(at).collect()));
    }
    let repeats = u64::from(args.repeats);
    let ramp = match (args.sweep_epochs, args.max_lr) {
        (Some(epochs), Some(max_lr)) => own_ramp(args, info, epochs, max_lr)?,
        _ => scale_ramp(test.updates / repeats).map_err(Usage::error)?,
    };
    let measure = match args.measured_on {
        MeasuredOn::Train => Measure::Training,
        MeasuredOn::Val => Measure::Validation { points: VAL_POINTS },
    };
    let at = |weight_decay| SweepTest {
        seed: args.seed,
        repeats: args.repeats,
        threads,
        measure,
        weight_decay,
        ..SweepTest::new(ramp)
    };
    Ok(Tests::Sweeps(decays.into_iter().map(at).collect()))
}

/// How often the held-out images are read in a sweep `--on val`.
const VAL_POINTS: u64 = 32;

/// The sweep that was asked for.
fn own_ramp(args: &FindArgs, info: &TrainerInfo, epochs: f64, max_lr: f64) -> anyhow::Result<Ramp> {
    let shape = if args.exponential {
        Shape::Exponential
    } else {
        Shape::Linear
    };
    let epochs = Epochs::new(epochs).map_err(Usage::error)?;
    let updates = (epochs.get() * info.updates_per_epoch() as f64).round() as u64;
    Ramp::new(shape, args.min_lr, max_lr, updates).map_err(Usage::error)
}

impl Tests {
    fn check(&self, info: &TrainerInfo) -> Result<(), cyclr_train::Error> {
        match self {
            Self::Probes(tests) => tests.iter().try_for_each(|test| test.check(info)),
            Self::Sweeps(tests) => tests.iter().try_for_each(|test| test.check(info)),
        }
    }

    /// The updates that they cost at most.
    fn cost(&self) -> u64 {
        match self {
            Self::Probes(tests) => tests.iter().map(|test| test.updates).sum(),
            Self::Sweeps(tests) => tests.iter().map(SweepTest::cost).sum(),
        }
    }

    /// The updates that are added if probes learn too little.
    fn longer(&self, info: &TrainerInfo) -> u64 {
        match self {
            Self::Probes(tests) => tests.iter().map(|test| test.longer(info)).sum(),
            Self::Sweeps(_) => 0,
        }
    }

    /// The updates that they usually make.
    fn usual(&self, info: &TrainerInfo) -> u64 {
        match self {
            Self::Probes(tests) => tests
                .iter()
                .map(|test| Allowance::of(test.updates, info).usual())
                .sum(),
            Self::Sweeps(_) => self.cost(),
        }
    }

    /// How many of its runs are at work at the same time, at most.
    fn at_once(&self) -> usize {
        let most = match self {
            Self::Probes(tests) => tests.iter().map(|test| test.threads).max(),
            Self::Sweeps(tests) => tests
                .iter()
                .map(|test| test.threads.min(test.repeats as usize))
                .max(),
        };
        most.unwrap_or(1)
    }

    /// The pace of their runs.
    fn pace(&self, factory: &dyn TrainerFactory) -> Result<Pace, cyclr_train::Error> {
        let evaluates = |test: &SweepTest| test.measure != Measure::Training;
        match self {
            Self::Sweeps(tests) if tests.iter().any(evaluates) => {
                Pace::of_runs(factory, 0, self.at_once())
            }
            Self::Sweeps(_) | Self::Probes(_) => Pace::of_updates(factory, 0, self.at_once()),
        }
    }

    /// The seconds that they usually take.
    fn seconds(&self, info: &TrainerInfo, pace: &Pace) -> f64 {
        match self {
            Self::Probes(tests) => tests.iter().map(|test| test.seconds(info, pace)).sum(),
            Self::Sweeps(tests) => {
                let rounds = |test: &SweepTest| (test.repeats as usize).div_ceil(test.threads);
                let evaluations = |test: &SweepTest| match test.measure {
                    Measure::Training => 0,
                    Measure::Validation { points } => points,
                };
                let of_sweep = |test: &SweepTest| {
                    let updates = test.ramp.updates();
                    rounds(test) as f64 * pace.seconds_of_run(updates, evaluations(test))
                };
                tests.iter().map(of_sweep).sum()
            }
        }
    }

    fn make(&self, factory: &dyn TrainerFactory, interrupt: &Interrupt) -> anyhow::Result<Done> {
        let mut progress = Progress::new(self.usual(&factory.info()?));
        let mut observer = |event: &_| progress.find_event(event);
        let done = match self {
            Self::Probes(tests) => {
                let mut all = Vec::new();
                for test in tests {
                    let watch = Watch {
                        observer: &mut observer,
                        interrupt,
                    };
                    all.push(range_test(factory, test, watch)?);
                }
                Done::Probes(all)
            }
            Self::Sweeps(tests) => {
                let mut all = Vec::new();
                for test in tests {
                    let watch = Watch {
                        observer: &mut observer,
                        interrupt,
                    };
                    all.push((test.weight_decay, sweep_test(factory, test, watch)?));
                }
                Done::Sweeps(all)
            }
        };
        progress.finish();
        Ok(done)
    }
}

/// What the test costs, and how long it will take.
fn announce(
    args: &FindArgs,
    tests: &Tests,
    budget: u64,
    factory: &dyn TrainerFactory,
) -> anyhow::Result<()> {
    let cost = tests.cost();
    let info = factory.info()?;
    let pace = tests.pace(factory)?;
    let seconds = in_all(tests.seconds(&info, &pace));
    let (usual, longer) = (tests.usual(&info), tests.longer(&info));
    let most = cost + longer;
    let limit = if most > usual {
        format!("; at most {most} if the net learns slowly")
    } else {
        String::new()
    };
    let text = format!(
        "range test for {budget} updates: {usual} updates ({:.1} %), predicted time {}{limit}",
        100.0 * usual as f64 / budget as f64,
        predicted(seconds)
    );
    tell(&text, args.plan && !args.json)?;
    if args.plan && args.json {
        let plan = json!({
            "updates": cost,
            "longer": longer,
            "budget": budget,
            "percent": 100.0 * cost as f64 / budget as f64,
            "predicted_seconds": seconds,
        });
        out!("{plan}")?;
    }
    Ok(())
}

/// The values of `weight_decay=0,1e-5`.
fn weight_decays(text: &str) -> anyhow::Result<Vec<Option<f64>>> {
    let refuse = || {
        Usage::error(format!(
            "--over {text}: write it as in weight_decay=0,1e-5,1e-4,1e-3"
        ))
    };
    let list = text.strip_prefix("weight_decay=").ok_or_else(refuse)?;
    let value = |v: &str| {
        v.trim()
            .parse::<f64>()
            .ok()
            .filter(|v| v.is_finite() && *v >= 0.0)
            .ok_or_else(refuse)
    };
    let values = list
        .split(',')
        .map(value)
        .collect::<Result<Vec<f64>, _>>()?;
    let twice = (1..values.len()).find(|&n| values[..n].contains(&values[n]));
    match twice {
        Some(n) => Err(Usage::error(format!(
            "--over {text}: {} is given twice",
            values[n]
        ))),
        None => Ok(values.into_iter().map(Some).collect()),
    }
}
