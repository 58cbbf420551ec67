//! The charts of a comparison.

use cyclr::trainer::Metrics;
use cyclr::units::Horizon;
use cyclr_train::ValidationPoint;
use cyclr_train::compare::record::{Bin, BudgetOutcome, Record, Role, RunOutcome};
use cyclr_train::verdict::Standings;

use super::differences::{chart, colour, differences, percent, with_interval};
use super::verdicts::less;
use crate::chart::{Axis, Chart, Form, Level, Point, Series, Shade, Unit};

/// Points of a rate curve; more than a screen shows.
const RATE_POINTS: u64 = 600;

/// All charts of a comparison, the most telling first. `prefix` keeps several comparisons' charts
/// apart.
///
/// # Errors
/// The error of a spec that does not fit its run, which no comparison has made.
pub(super) fn charts(record: &Record, prefix: &str) -> Result<Vec<Chart>, cyclr::Error> {
    let mut charts: Vec<Chart> = Vec::new();
    let references = record.references(record.plan.budgets.len() - 1);
    let beside: Vec<Standings<'_>> = references
        .into_iter()
        .map(|(reference, role)| record.beside(reference, role))
        .collect();
    charts.push(differences(&beside));
    charts.extend(against_budget(record));
    charts.push(accuracy(record));
    charts.extend(troughs(record));
    charts.push(training(record, "loss", |bin| bin.loss));
    if record.objective.name != "loss" {
        charts.push(training(record, &record.objective.name, |bin| bin.value));
    }
    charts.push(rate(record)?);
    charts.extend(range(record));
    charts.extend(tuning(record));
    // A chart without a point shows nothing: no arm has runs, or no arm was tuned.
    charts.retain(|chart| chart.x_extent().is_some() && chart.y_extent().is_some());
    for chart in &mut charts {
        chart.id = format!("{prefix}{}", chart.id);
    }
    Ok(charts)
}

/// The objective with its unit and split: `validation accuracy (%)`.
fn measured(record: &Record, split: &str) -> String {
    format!(
        "{split} {}{}",
        record.objective.name,
        percent(record.objective.unit)
    )
}

/// Updates, with epochs and time to switch to.
fn updates(record: &Record) -> Axis {
    let per_epoch = record.info.updates_per_epoch() as f64;
    let unit = |label: &str, word: &str, factor| Unit {
        label: String::from(label),
        word: String::from(word),
        factor,
    };
    let mut axis = Axis::of("updates");
    axis.units = vec![
        unit("epochs", "epochs", 1.0 / per_epoch),
        unit(
            "uncontended compute time (s)",
            "time",
            record.pace.seconds_per_update,
        ),
    ];
    axis
}

fn series(record: &Record, arm: usize, form: Form, points: Vec<Point>) -> Series {
    Series {
        label: String::from(record.label(arm)),
        colour: colour(record.plan.reference, arm),
        form,
        points,
    }
}

/// Final test value against the budget, if there are several.
fn against_budget(record: &Record) -> Option<Chart> {
    if record.plan.budgets.len() < 2 {
        return None;
    }
    let tuned = match record.plan.tuning {
        Some(_) => " An arm has one peak rate at every budget.",
        None => "",
    };
    let caption = format!(
        "Final test value by the length of the run; bars are 95 % intervals over seeds.{tuned}"
    );
    let mut chart = chart(
        "budget",
        format!("What each budget buys: {}", measured(record, "test")),
        caption,
        (updates(record), Axis::of(measured(record, "test"))),
    );
    for (arm, outcome) in record.arms.iter().enumerate() {
        let results = outcome.budgets.iter().filter_map(|budget| {
            let samples = budget.samples?;
            Some(with_interval(
                budget.updates as f64,
                samples.test.mean,
                samples.test.interval,
            ))
        });
        chart
            .series
            .push(series(record, arm, Form::Dots, results.collect()));
    }
    Some(chart)
}

/// Validation during training.
fn accuracy(record: &Record) -> Chart {
    let mut chart = chart(
        "accuracy",
        format!("During training: {}", measured(record, "validation")),
        String::from(
            "Mean over seeds, evaluated after the same updates in every arm; the band spans the lowest to the highest seed.",
        ),
        (updates(record), Axis::of(measured(record, "validation"))),
    );
    let grid = record.plan.grid(1.0);
    for (arm, outcome) in record.whole().enumerate() {
        let on_grid = |point: &ValidationPoint| {
            grid.contains(point.updates_done) || point.updates_done == outcome.updates
        };
        let points = mean_evaluations(record, outcome, on_grid, ValidationPoint::declared);
        chart.series.push(series(record, arm, Form::Line, points));
    }
    chart.levels.extend(target(record));
    chart
}

/// The level that the time to target asks for.
fn target(record: &Record) -> Option<Level> {
    let reference = record.plan.reference;
    let against = record
        .arms
        .get(reference)?
        .whole()
        .against(Role::Declared)?;
    Some(Level {
        label: format!(
            "target: {} {} the margin",
            record.label(reference),
            less(record.objective.direction)
        ),
        at: against.time_to_target.as_ref()?.target,
    })
}

/// Validation at the troughs of the arms that cycle.
fn troughs(record: &Record) -> Option<Chart> {
    let cyclical: Vec<usize> = (0..record.arms.len())
        .filter(|&arm| record.arms[arm].cyclical)
        .collect();
    if cyclical.is_empty() {
        return None;
    }
    let mut chart = chart(
        "troughs",
        format!("At the troughs: {}", measured(record, "validation")),
        String::from(
            "Cyclical arms at the end of each cycle, where the rate is lowest and a run may be stopped. \
             Mean over seeds; the band spans the lowest to the highest seed.",
        ),
        (updates(record), Axis::of(measured(record, "validation"))),
    );
    for arm in cyclical {
        let whole = record.arms[arm].whole();
        let at_trough = |point: &ValidationPoint| point.trough.is_some();
        let points = mean_evaluations(record, whole, at_trough, ValidationPoint::declared);
        chart.series.push(series(record, arm, Form::Dots, points));
        if record.plan.arms[arm].average.is_some() {
            let points = mean_evaluations(record, whole, at_trough, |point| &point.metrics);
            let trained = series(record, arm, Form::Points, points);
            let label = format!("{}: before averaging", trained.label);
            chart.series.push(Series { label, ..trained });
        }
    }
    chart.levels.extend(target(record));
    Some(chart)
}

/// The mean over seeds of the evaluations that are wanted, with the lowest and highest.
fn mean_evaluations(
    record: &Record,
    arm: &BudgetOutcome,
    wanted: impl Fn(&ValidationPoint) -> bool,
    figures: impl Fn(&ValidationPoint) -> &Metrics,
) -> Vec<Point> {
    mean_over_runs(arm, |run| {
        let wanted = run.evaluations.iter().filter(|point| wanted(point));
        wanted
            .map(|point| (point.updates_done, record.objective.value(figures(point))))
            .collect()
    })
}

/// The mean over runs at every update that any of them has; a run that diverged is missing from
/// there on.
fn mean_over_runs(
    arm: &BudgetOutcome,
    values: impl Fn(&RunOutcome) -> Vec<(u64, Option<f64>)>,
) -> Vec<Point> {
    let mut by_update = std::collections::BTreeMap::<u64, Vec<f64>>::new();
    for run in &arm.runs {
        for (updates_done, value) in values(run) {
            by_update.entry(updates_done).or_default().extend(value);
        }
    }
    let point = |(updates_done, values): (u64, Vec<f64>)| {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let low = values.iter().copied().reduce(f64::min);
        let high = values.iter().copied().reduce(f64::max);
        Point::at(updates_done as f64, low.map(|_| mean)).between(low, high)
    };
    by_update.into_iter().map(point).collect()
}

/// What training batches showed.
fn training(record: &Record, name: &str, value: impl Fn(&Bin) -> Option<f64>) -> Chart {
    let label = if name == record.objective.name {
        measured(record, "training")
    } else {
        format!("training {name}")
    };
    let mut chart = chart(
        &format!("training-{}", slug(name)),
        format!("Training batches: {name}"),
        String::from(
            "Means over neighbouring updates and over seeds, as measured before each update; the band spans the lowest \
             to the highest seed.",
        ),
        (updates(record), Axis::of(label)),
    );
    for (arm, outcome) in record.whole().enumerate() {
        let points = mean_over_runs(outcome, |run| {
            let bins = run.training.iter();
            bins.map(|bin| (bin.updates_done, value(bin))).collect()
        });
        chart.series.push(series(record, arm, Form::Line, points));
    }
    chart
}

/// The schedules.
fn rate(record: &Record) -> Result<Chart, cyclr::Error> {
    let mut chart = chart(
        "rate",
        String::from("The rate of each arm"),
        String::from("The learning rate that each update uses, at the arm's chosen peak."),
        (updates(record), Axis::of("learning rate")),
    );
    for (arm, outcome) in record.whole().enumerate() {
        let Some(spec) = &outcome.spec else { continue };
        let run = Horizon::of_updates(outcome.updates)?;
        let schedule = spec.schedule(&run.with_epoch(record.info.examples, record.info.batch)?)?;
        let points = RATE_POINTS.min(outcome.updates);
        let rates = (0..=points).map(|k| {
            let update = (outcome.updates * k / points).min(outcome.updates - 1);
            Point::at(update as f64, schedule.at(update).lr)
        });
        chart
            .series
            .push(series(record, arm, Form::Line, rates.collect()));
    }
    Ok(chart)
}

/// The range test, its bounds shaded.
fn range(record: &Record) -> Option<Chart> {
    let range = record.range.as_ref()?;
    let rate = Axis::of_sweeps(range.sweeps.iter().map(|sweep| sweep.lr.as_slice()));
    let is_log = rate.log;
    // An objective that is not measured in training leaves the loss to show.
    let is_measured = range
        .sweeps
        .iter()
        .flat_map(|sweep| &sweep.value)
        .any(Option::is_some);
    let value = if is_measured {
        measured(record, "training")
    } else {
        String::from("training loss")
    };
    let mut chart = chart(
        "range",
        String::from("The range test"),
        String::from(
            "Training batches while the rate rises, one line per repeat. The shaded range is base_lr to max_lr.",
        ),
        (rate, Axis::of(value)),
    );
    for (repeat, sweep) in range.sweeps.iter().enumerate() {
        let values = if is_measured {
            &sweep.value
        } else {
            &sweep.loss
        };
        let points = sweep.lr.iter().zip(values);
        // A log axis has no place for a rate of 0.
        let points = points.filter(|(lr, _)| !is_log || **lr > 0.0);
        chart.series.push(Series {
            label: format!("repeat {}", repeat + 1),
            colour: repeat + 1,
            form: Form::Line,
            points: points.map(|(&lr, &value)| Point::at(lr, value)).collect(),
        });
    }
    chart.shades.push(Shade {
        label: format!(
            "{} to {}",
            crate::chart::rate(range.base_lr),
            crate::chart::rate(range.max_lr)
        ),
        from: range.base_lr,
        to: range.max_lr,
    });
    Some(chart)
}

/// What tuning tried.
fn tuning(record: &Record) -> Option<Chart> {
    let mut chart = chart(
        "tuning",
        String::from("Tuning: every arm's peak rate"),
        String::from(
            "Mean final validation value of the tuning seeds at each rate that was tried, a line for each length of \
             training. A rate that diverged has no dot. The chosen rate is the centre of those near the best.",
        ),
        (
            Axis::log("peak learning rate"),
            Axis::of(measured(record, "validation")),
        ),
    );
    for (arm, outcome) in record.arms.iter().enumerate() {
        if let Some(tuning) = &outcome.tuning {
            for trials in tuning.trials.chunk_by(|a, b| a.fraction == b.fraction) {
                let points = trials.iter();
                let points = points.map(|trial| Point::at(trial.peak, trial.validation));
                let mut dots = series(record, arm, Form::Dots, points.collect());
                let updates = record
                    .plan
                    .updates_of(&record.plan.arms[arm], trials[0].fraction);
                dots.label = format!("{}, {updates} updates", dots.label);
                chart.series.push(dots);
            }
        }
    }
    (!chart.series.is_empty()).then_some(chart)
}

/// A label as part of an address.
pub(super) fn slug(label: &str) -> String {
    let plain = label.chars().map(|c| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    });
    plain.collect()
}
