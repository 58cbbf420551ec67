//! `cyclr find`: the learning-rate range test, made or read.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, anyhow};
use cyclr::advice;
use cyclr::range::{Bounds, Estimate, NoAnswer, Suggestions, SweepReading};
use cyclr::trainer::TrainerInfo;
use cyclr::units::{Epochs, Horizon};
use cyclr_train::Watch;
use cyclr_train::find::{
    AnswerRecord, Curve, Found, Measure, Ramp, RangeTest, Shape, describe_interval, range_test,
    range_test_over_weight_decay,
};
use serde_json::json;

use crate::args::{FindArgs, On, updates};
use crate::chart::{Chart, terminal};
use crate::exit::{NoReliableAnswer, Usage};
use crate::progress::{Progress, interrupt};
use crate::say::{note, out};

pub(crate) fn run(args: &FindArgs) -> anyhow::Result<()> {
    if !args.from.is_empty() {
        return super::find_from::run(args);
    }
    let factory = args.factory.factory(1, false)?;
    let info = factory.info()?;
    let budget = updates(&args.budget, info.updates_per_epoch())?;
    let run = Horizon::of_updates(budget)?.with_epoch(info.examples, info.batch)?;
    let test = test(args, &info, budget)?;
    test.check(&info)?;
    let weight_decays = args.over.as_deref().map(weight_decays).transpose()?;
    let sweeps = weight_decays.as_ref().map_or(1, Vec::len) as u64;
    let cost = test.cost() * sweeps;
    announce(cost, budget, args.plan && args.json)?;
    if args.plan {
        return Ok(());
    }
    // Before the work, so that an answer is not lost to a folder that cannot be made.
    if let Some(folder) = &args.out {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("{} cannot be made: give another --out", folder.display()))?;
    }
    let interrupt = interrupt()?;
    let mut progress = Progress::new(cost);
    let mut observer = |event: &_| progress.find_event(event);
    let watch = Watch {
        observer: &mut observer,
        interrupt: &interrupt,
    };
    let all = match &weight_decays {
        None => vec![range_test(&*factory, &test, watch)?],
        Some(values) => range_test_over_weight_decay(&*factory, &test, values, watch)?,
    };
    progress.finish();
    if info.given_weights {
        note!(
            "the repeats start from the given weights: they differ in the order of the data only"
        );
    }
    let kept = args
        .out
        .as_ref()
        .map_or(Ok(()), |folder| keep(&all, folder));
    show_all(args, &all, &run)?;
    kept
}

/// What the sweeps cost.
fn announce(cost: u64, budget: u64, json: bool) -> anyhow::Result<()> {
    let fraction = 100.0 * cost as f64 / budget as f64;
    note!(
        "the sweeps take at most {cost} updates, {fraction:.1} % of the budget of {budget} updates that the bounds are for"
    );
    if json {
        let plan = json!({ "updates": cost, "budget": budget, "percent": fraction });
        out!("{plan}")?;
    }
    Ok(())
}

/// Writes the curves down.
fn keep(all: &[Found], folder: &Path) -> anyhow::Result<()> {
    for found in all {
        found.keep(folder)?;
    }
    note!("the curves are in {}", folder.display());
    Ok(())
}

/// How often the held-out images are read in a sweep `--on val`.
const VAL_POINTS: u64 = 32;

/// The test that was asked for.
fn test(args: &FindArgs, info: &TrainerInfo, budget: u64) -> anyhow::Result<RangeTest> {
    let measure = match args.on {
        On::Train => Measure::Training,
        On::Val => Measure::Validation { points: VAL_POINTS },
    };
    let ramp = match (args.epochs, args.max_lr) {
        (Some(epochs), Some(max_lr)) => {
            let shape = if args.exponential {
                Shape::Exponential
            } else {
                Shape::Linear
            };
            let epochs = Epochs::new(epochs).map_err(Usage::error)?;
            let updates = (epochs.get() * info.updates_per_epoch() as f64).round() as u64;
            Some(Ramp::new(shape, args.min_lr, max_lr, updates).map_err(Usage::error)?)
        }
        _ => None,
    };
    Ok(RangeTest {
        seed: args.seed,
        repeats: args.repeats,
        threads: args.factory.jobs(args.jobs),
        updates: (args.fraction / 100.0 * budget as f64) as u64,
        ramp,
        measure,
        ..RangeTest::default()
    })
}

/// The values of `weight_decay=0,1e-5`.
fn weight_decays(text: &str) -> anyhow::Result<Vec<f64>> {
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
            "--over {text}: {} is there twice",
            values[n]
        ))),
        None => Ok(values),
    }
}

/// The answer of each test and its plot, or why there is none.
fn show_all(args: &FindArgs, all: &[Found], run: &Horizon) -> anyhow::Result<()> {
    if args.json {
        let answers = all.iter().map(|found| AnswerRecord::of(found, run));
        let answers = answers.collect::<Result<Vec<AnswerRecord>, _>>()?;
        match answers.as_slice() {
            [answer] => out!("{}", serde_json::to_string(answer)?)?,
            answers => out!("{}", serde_json::to_string(answers)?)?,
        }
    } else {
        let examples = match args.on {
            On::Train => " of training batches",
            On::Val => " of held-out examples",
        };
        for found in all {
            if let Some(decay) = found.weight_decay {
                out!("weight decay {decay}")?;
            }
            let (curves, reading) = found.read();
            show(curves, examples, found.answer(), reading, Some(run))?;
            if found.linear_base().is_some() {
                out!(
                    "base_lr is read from the linear sweep, max_lr from the exponential one before it, drawn above"
                )?;
            }
        }
    }
    // Of tests at several weight decays, one that gives an answer is enough.
    if all.iter().any(|found| found.answer().is_ok()) {
        Ok(())
    } else {
        Err(anyhow!(NoReliableAnswer))
    }
}

/// The answer and the plot, or why there is none. `examples` says in words what was measured, where that is known.
pub(super) fn show(
    curves: &[Curve],
    examples: &str,
    answer: Result<Bounds, NoAnswer>,
    reading: &SweepReading,
    run: Option<&Horizon>,
) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", terminal::draw(&chart(curves, examples)))?;
    match answer {
        Ok(bounds) => write!(out, "{}", describe(&bounds, run)?)?,
        Err(reason) => write!(
            out,
            "no reliable answer: {reason}\ntry this: {}\n",
            reason.advice()
        )?,
    }
    write!(out, "{}", asides(reading))?;
    Ok(())
}

fn describe(bounds: &Bounds, run: Option<&Horizon>) -> anyhow::Result<String> {
    let line = |name: &str, e: Estimate| {
        format!(
            "{name:9} {:.4e}  [{:.3e}, {:.3e}]  ({})\n",
            e.value,
            e.low,
            e.high,
            describe_interval(e.interval)
        )
    };
    let mut text = line("base_lr", bounds.base_lr) + &line("max_lr", bounds.max_lr);
    if let Some(diverged) = bounds.held_by {
        text += &format!(
            "          max_lr is held safely below {diverged:.3e}, where a repeat diverged\n"
        );
    }
    if let Some(run) = run {
        let cycles = advice::cycles(run)?;
        text += &format!(
            "step size {} updates ({:.2} epochs), {} cycles in {} updates\n",
            cycles.step, cycles.step_epochs, cycles.cycles, cycles.updates
        );
        let policy = advice::suggest(bounds.base_lr.value, bounds.max_lr.value, run)?;
        text += &format!("policy    {policy}\n");
    }
    Ok(text)
}

/// What other rules say, for those who know them.
fn asides(reading: &SweepReading) -> String {
    let mean = |of: fn(&Suggestions) -> f64| {
        let logs: Option<Vec<f64>> = reading
            .suggestions
            .iter()
            .map(|p| p.as_ref().map(|p| of(p).ln()))
            .collect();
        match logs {
            Some(logs) if !logs.is_empty() => format!(
                "{:.2e}",
                (logs.iter().sum::<f64>() / logs.len() as f64).exp()
            ),
            _ => String::from("none"),
        }
    };
    let stable = reading
        .largest_stable()
        .map_or_else(|| String::from("none"), |lr| format!("{lr:.2e}"));
    format!(
        "largest stable rate {stable}; other rules: minimum/10 {}, steepest {}, valley {}, slide {}\n",
        mean(|p| p.minimum_tenth),
        mean(|p| p.steepest),
        mean(|p| p.valley),
        mean(|p| p.slide),
    )
}

/// Accuracy against rate, or the loss where there is none.
fn chart(curves: &[Curve], examples: &str) -> Chart {
    let accuracy = curves
        .iter()
        .all(|curve| curve.points.iter().all(|point| point.figure.is_some()));
    let line = |(n, curve): (usize, &Curve)| {
        let value = |p: &cyclr_train::find::CurvePoint| if accuracy { p.figure } else { p.loss };
        let points = curve
            .points
            .iter()
            .filter_map(|p| Some((p.lr, value(p)?)))
            .filter(|(_, y)| y.is_finite());
        (format!("repeat {}", n + 1), points.collect())
    };
    let what = match curves.first().and_then(|curve| curve.points.first()) {
        Some(point) if accuracy && point.correct.is_none() => "deciding figure",
        _ if accuracy => "accuracy",
        _ => "loss",
    };
    let y = format!("{what}{examples}");
    Chart::lines("learning rate", &y, curves.iter().enumerate().map(line))
}
