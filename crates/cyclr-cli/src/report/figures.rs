//! The charts of a comparison.

use cyclr::{Spec, units::Horizon};
use cyclr_train::compare::record::{
    Against, ArmResult, Bin, BudgetRecord, Record, RunResult, Sample, ValidationPointRecord,
};

use crate::chart::{Axis, Chart, Form, Level, Point, Series, Shade, Unit};

/// Points of a rate curve; more than a screen shows.
const RATE_POINTS: u64 = 600;

/// All charts of a comparison, the most telling first. `prefix` keeps several comparisons' charts apart.
pub(super) fn charts(record: &Record, prefix: &str) -> Vec<Chart> {
    let whole = record.budgets.last();
    let against = whole.into_iter().flat_map(|whole| &whole.against);
    let mut charts: Vec<Chart> = Vec::new();
    charts.extend(against_budget(record));
    charts.extend(against.map(|against| differences(record, against)));
    if let Some(whole) = whole {
        charts.push(accuracy(record, whole));
        charts.extend(troughs(record, whole));
        charts.push(training(record, whole, "loss", |bin| bin.loss));
        if record.measure.name != "loss" {
            charts.push(training(record, whole, &record.measure.name, |bin| {
                bin.value
            }));
        }
        charts.push(rate(record, whole));
    }
    charts.extend(range(record));
    charts.extend(tuning(record));
    charts.retain(|chart| chart.x_extent().is_some() && chart.y_extent().is_some());
    for chart in &mut charts {
        chart.id = format!("{prefix}{}", chart.id);
    }
    charts
}

/// The place of an arm's colour: the reference has the first, the others follow in the plan's order.
pub(super) fn colour(record: &Record, label: &str) -> usize {
    if label == record.plan.reference {
        return 0;
    }
    let others = record
        .plan
        .arms
        .iter()
        .filter(|arm| arm.label != record.plan.reference);
    1 + others.take_while(|arm| arm.label != label).count()
}

/// The deciding metric with its unit and split: `validation accuracy (%)`.
fn measured(record: &Record, split: &str) -> String {
    let unit = if record.measure.unit == "points" {
        " (%)"
    } else {
        ""
    };
    format!("{split} {}{unit}", record.measure.name)
}

/// Updates, with epochs and time to switch to.
fn updates(record: &Record) -> Axis {
    let per_epoch = record.data.updates_per_epoch as f64;
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

fn series(record: &Record, label: &str, form: Form, points: Vec<Point>) -> Series {
    Series {
        label: String::from(label),
        colour: colour(record, label),
        form,
        points,
    }
}

fn chart(id: &str, title: String, caption: String, axes: (Axis, Axis)) -> Chart {
    Chart {
        id: String::from(id),
        title,
        caption,
        x: axes.0,
        y: axes.1,
        series: Vec::new(),
        shades: Vec::new(),
        levels: Vec::new(),
    }
}

/// Final test value against the budget, where there are several.
fn against_budget(record: &Record) -> Option<Chart> {
    if record.budgets.len() < 2 {
        return None;
    }
    let caption = "Final test value by the length of the run; bars are 95 % intervals over seeds. \
        Peak rates were tuned at the longest budget only.";
    let mut chart = chart(
        "budget",
        format!("What each budget buys: {}", measured(record, "test")),
        String::from(caption),
        (updates(record), Axis::of(measured(record, "test"))),
    );
    for arm in &record.plan.arms {
        let results = record.budgets.iter().filter_map(|budget| {
            let arm = budget
                .arms
                .iter()
                .find(|result| result.label == arm.label)?;
            let sample = arm.test?;
            Some(with_interval(arm.updates as f64, &sample))
        });
        chart
            .series
            .push(series(record, &arm.label, Form::Dots, results.collect()));
    }
    Some(chart)
}

fn with_interval(x: f64, sample: &Sample) -> Point {
    let ends = sample.interval.map(|[low, high]| (low, high)).unzip();
    Point::at(x, sample.mean).between(ends.0, ends.1)
}

/// The arms' differences from a reference, with the margin.
fn differences(record: &Record, against: &Against) -> Chart {
    let margin = record.plan.margin;
    let reference = &against.reference;
    let unit = if record.measure.unit.is_empty() {
        String::new()
    } else {
        format!(" ({})", record.measure.unit)
    };
    let mut chart = chart(
        &format!("differences-{}", slug(reference)),
        format!("Difference from {reference}, paired by seed"),
        format!(
            "Mean difference in final test {}, arm less {reference}; bars are 95 % intervals over seeds, each arm's own. \
             The dashed lines at ±{margin} mark the margin within which a difference does not matter.",
            record.measure.name
        ),
        (Axis::default(), Axis::of(format!("difference{unit}"))),
    );
    chart.x.names = against
        .differences
        .iter()
        .map(|d| d.label.clone())
        .collect();
    for (place, difference) in against.differences.iter().enumerate() {
        if let Some(sample) = &difference.sample {
            let points = vec![with_interval(place as f64, sample)];
            chart
                .series
                .push(series(record, &difference.label, Form::Whiskers, points));
        }
    }
    chart.levels = [("±margin", margin), ("", 0.0), ("", -margin)]
        .map(|(label, at)| Level {
            label: String::from(label),
            at,
        })
        .to_vec();
    chart
}

/// Validation on the way.
fn accuracy(record: &Record, whole: &BudgetRecord) -> Chart {
    let mut chart = chart(
        "accuracy",
        format!("On the way: {}", measured(record, "validation")),
        String::from(
            "Mean over seeds, read after the same updates in every arm; the band spans the lowest to the highest seed.",
        ),
        (updates(record), Axis::of(measured(record, "validation"))),
    );
    for arm in &whole.arms {
        let on_grid = |evaluation: &ValidationPointRecord| {
            whole.grid.contains(&evaluation.updates_done) || evaluation.updates_done == arm.updates
        };
        let points = mean_readings(arm, on_grid);
        chart
            .series
            .push(series(record, &arm.label, Form::Line, points));
    }
    chart.levels.extend(target(whole));
    chart
}

/// The level that *how soon* asks for.
fn target(whole: &BudgetRecord) -> Option<Level> {
    let against = whole.against.first()?;
    Some(Level {
        label: format!("target: {} less the margin", against.reference),
        at: against.time_to_target.as_ref()?.target,
    })
}

/// Validation at the troughs of the arms that cycle.
fn troughs(record: &Record, whole: &BudgetRecord) -> Option<Chart> {
    let cyclical: Vec<&ArmResult> = whole
        .arms
        .iter()
        .filter(|arm| {
            arm.runs
                .iter()
                .any(|run| run.evaluations.iter().any(|r| r.trough))
        })
        .collect();
    if cyclical.is_empty() {
        return None;
    }
    let mut chart = chart(
        "troughs",
        format!(
            "You could stop here: {} at each trough",
            measured(record, "validation")
        ),
        String::from(
            "Cyclical arms at the end of each cycle, where the rate is lowest. Mean over seeds; the band spans the lowest \
             to the highest seed.",
        ),
        (updates(record), Axis::of(measured(record, "validation"))),
    );
    for arm in cyclical {
        let points = mean_readings(arm, |evaluation| evaluation.trough);
        chart
            .series
            .push(series(record, &arm.label, Form::Dots, points));
    }
    chart.levels.extend(target(whole));
    Some(chart)
}

/// The mean over seeds of the readings that are wanted, with the lowest and highest.
fn mean_readings(arm: &ArmResult, wanted: impl Fn(&ValidationPointRecord) -> bool) -> Vec<Point> {
    mean_over_runs(arm, |run| {
        let wanted = run
            .evaluations
            .iter()
            .filter(|evaluation| wanted(evaluation));
        wanted
            .map(|evaluation| (evaluation.updates_done, evaluation.value))
            .collect()
    })
}

/// The mean over runs at every update that any of them has; a run that diverged is missing from there on.
fn mean_over_runs(
    arm: &ArmResult,
    values: impl Fn(&RunResult) -> Vec<(u64, Option<f64>)>,
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
fn training(
    record: &Record,
    whole: &BudgetRecord,
    name: &str,
    value: impl Fn(&Bin) -> Option<f64>,
) -> Chart {
    let label = if name == record.measure.name {
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
    for arm in &whole.arms {
        let points = mean_over_runs(arm, |run| {
            run.training
                .iter()
                .map(|bin| (bin.updates_done, value(bin)))
                .collect()
        });
        chart
            .series
            .push(series(record, &arm.label, Form::Line, points));
    }
    chart
}

/// The schedules.
fn rate(record: &Record, whole: &BudgetRecord) -> Chart {
    let mut chart = chart(
        "rate",
        String::from("The rate of each arm"),
        String::from("The learning rate that each update uses, at the arm's chosen peak."),
        (updates(record), Axis::of("learning rate")),
    );
    for arm in &whole.arms {
        let spec = arm.spec.as_ref().and_then(|spec| spec.parse::<Spec>().ok());
        let run = Horizon::of_updates(arm.updates)
            .and_then(|run| run.with_epoch(record.data.examples, record.data.batch));
        let (Some(spec), Ok(run)) = (spec, run) else {
            continue;
        };
        let Ok(schedule) = spec.schedule(&run) else {
            continue;
        };
        let points = RATE_POINTS.min(arm.updates);
        let rates = (0..=points).map(|k| {
            let update = (arm.updates * k / points).min(arm.updates - 1);
            Point::at(update as f64, schedule.at(update).lr)
        });
        chart
            .series
            .push(series(record, &arm.label, Form::Line, rates.collect()));
    }
    chart
}

/// The range test, its bounds shaded.
fn range(record: &Record) -> Option<Chart> {
    let range = record.range.as_ref()?;
    let mut chart = chart(
        "range",
        String::from("The range test"),
        String::from(
            "Training batches while the rate rises, one line a repeat. The shaded stretch lies between the bounds.",
        ),
        (
            Axis::log("learning rate"),
            Axis::of(measured(record, "training")),
        ),
    );
    for (repeat, sweep) in range.sweeps.iter().enumerate() {
        let points = sweep.lr.iter().zip(&sweep.value);
        chart.series.push(Series {
            label: format!("repeat {}", repeat + 1),
            colour: repeat,
            form: Form::Line,
            points: points
                .filter(|(lr, _)| **lr > 0.0)
                .map(|(&lr, &value)| Point::at(lr, value))
                .collect(),
        });
    }
    chart.shades.push(Shade {
        label: format!(
            "{} to {}",
            super::cells::figure(range.base_lr),
            super::cells::figure(range.max_lr)
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
            "Final validation value at each rate that was tried, on the tuning seed. A rate that diverged has no dot.",
        ),
        (
            Axis::log("peak learning rate"),
            Axis::of(measured(record, "validation")),
        ),
    );
    for arm in &record.arms {
        if let Some(tuning) = &arm.tuning {
            let points = tuning
                .trials
                .iter()
                .map(|trial| Point::at(trial.peak, trial.validation))
                .collect();
            chart
                .series
                .push(series(record, &arm.label, Form::Dots, points));
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
