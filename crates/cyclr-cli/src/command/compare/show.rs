//! What a comparison says in the terminal.

use std::io;

use cyclr::trainer::TrainerInfo;
use cyclr_train::compare::record::{Measure, Range, Record, Sample};
use cyclr_train::compare::{Bounds, CompareEvent, Plan, RunName};

use crate::progress::Progress;
use crate::say::{note, out};

/// What was declared.
pub(super) fn announce(plan: &Plan, info: &TrainerInfo) {
    let labels: Vec<&str> = plan.arms.iter().map(|arm| arm.label.as_str()).collect();
    let epochs = plan.updates as f64 / info.updates_per_epoch() as f64;
    note!(
        "{}: {}; the reference is {}",
        plan.title,
        labels.join(", "),
        plan.reference
    );
    note!(
        "{} runs of up to {} updates ({epochs:.1} epochs), {} updates in all{}",
        plan.runs(),
        plan.updates,
        plan.updates_of_runs(),
        match plan.bounds {
            Bounds::Found { updates, .. } => format!(", and a range test of at most {updates}"),
            Bounds::Given { .. } | Bounds::Unneeded => String::new(),
        }
    );
}

/// What is under way.
pub(super) fn event(progress: &mut Progress, what: &CompareEvent) {
    match what {
        CompareEvent::Finding(event) => progress.find_event(event),
        CompareEvent::Bounded(range) => progress.say(&describe_bounds(range)),
        CompareEvent::Begin {
            runs,
            updates,
            tuning,
        } => {
            progress.begin(*updates);
            progress.say(&format!(
                "{runs} {} runs, {updates} updates",
                if *tuning { "tuning" } else { "final" }
            ));
        }
        CompareEvent::Run { name, event } => progress.event_of(&describe_run(name), event),
        CompareEvent::Failed { name, reason } => {
            progress.over(&describe_run(name));
            progress.say(&format!("{} failed: {reason}", describe_run(name)));
        }
        CompareEvent::Over { name, .. } => progress.over(&describe_run(name)),
        CompareEvent::Chosen(arm) => {
            let spec = arm
                .spec
                .as_deref()
                .unwrap_or("no peak rate: every trial diverged");
            progress.say(&format!("{}: {spec}", arm.label));
        }
        _ => {}
    }
}

/// `bounds after 1304 updates: base_lr 4.444e-4 [1.581e-4, 1.249e-3], max_lr 2.506e-3 [1.863e-3, 3.371e-3] (95 %, …)`
fn describe_bounds(range: &Range) -> String {
    let bound = |name: &str, value: f64, interval: Option<[f64; 2]>| {
        let interval = interval.map_or_else(String::new, |[low, high]| {
            format!(" [{low:.3e}, {high:.3e}]")
        });
        format!("{name} {value:.3e}{interval}")
    };
    format!(
        "bounds after {} updates: {}, {} ({})",
        range.updates,
        bound("base_lr", range.base_lr, range.base_interval),
        bound("max_lr", range.max_lr, range.max_interval),
        range.interval
    )
}

/// `linear, seed 3` or `linear, seed 1001, × 0.5`
fn describe_run(run: &RunName) -> String {
    let multiple = run
        .multiple
        .map_or_else(String::new, |multiple| format!(", × {multiple}"));
    format!("{}, seed {}{multiple}", run.label, run.seed)
}

/// The verdict and the table.
pub(super) fn print(record: &Record) -> io::Result<()> {
    out!("\n{}", record.conclusion.headline)?;
    for sentence in &record.conclusion.sentences {
        out!("{sentence}")?;
    }
    let Some(whole) = record.budgets.last() else {
        return Ok(());
    };
    out!(
        "\n{:14} {:>3} {:>22} {:>9} {:>9}",
        "arm",
        "n",
        "test, 95 %",
        "updates",
        "seconds"
    )?;
    for arm in &whole.arms {
        let sample = arm
            .test
            .as_ref()
            .map_or_else(|| String::from("none"), |s| sample(s, &record.measure));
        let n = arm.runs.len();
        let seconds: f64 = arm.runs.iter().map(|run| run.seconds).sum::<f64>() / n.max(1) as f64;
        out!(
            "{:14} {n:>3} {sample:>22} {:>9} {seconds:>9.1}",
            arm.label,
            arm.updates
        )?;
    }
    out!()?;
    for limit in &record.conclusion.limits {
        out!("note: {limit}")?;
    }
    Ok(())
}

/// `91.20 [90.80, 91.60]`: two decimals of a point, four digits of anything else.
fn sample(sample: &Sample, measure: &Measure) -> String {
    let number = |value: f64| {
        if measure.unit == "points" {
            return format!("{value:.2}");
        }
        cyclr::rounded(value, 4).to_string()
    };
    let [mean, low, high] = match sample.interval {
        Some([low, high]) => [sample.mean, low, high].map(number),
        None => return number(sample.mean),
    };
    format!("{mean} [{low}, {high}]")
}
