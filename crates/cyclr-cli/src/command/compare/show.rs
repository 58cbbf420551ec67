//! What a comparison says in the terminal.

use std::io;

use cyclr::stats::Interval;
use cyclr::trainer::TrainerInfo;
use cyclr_train::Error;
use cyclr_train::compare::record::{Range, Record};
use cyclr_train::compare::{Arm, BoundsSource, CompareEvent, Plan, RunName};

use crate::chart::rate;
use crate::progress::Progress;
use crate::say::{columns, out, tell};

/// What was declared.
pub(super) fn announce(plan: &Plan, info: &TrainerInfo, is_result: bool) -> anyhow::Result<()> {
    let labels: Vec<&str> = plan.arms.iter().map(|arm| arm.label.as_str()).collect();
    let longest = plan.longest();
    let epochs = longest as f64 / info.updates_per_epoch() as f64;
    let reference = &plan.arms[plan.reference].label;
    let (title, arms) = (&plan.title, labels.join(", "));
    tell(
        &format!("{title}: {arms}; the reference is {reference}"),
        is_result,
    )?;
    let range_test = match plan.bounds {
        BoundsSource::Found { updates, .. } => format!(", and a range test of at most {updates}"),
        BoundsSource::Given { .. } | BoundsSource::Unneeded => String::new(),
    };
    let rounds = match plan.updates_of_rounds() {
        0 => String::new(),
        updates => format!("; tuning may add {updates} if a best rate is at an edge"),
    };
    let race = plan.race.as_ref().map_or_else(String::new, |race| {
        let looks: Vec<String> = race.looks().iter().map(ToString::to_string).collect();
        format!(
            "; a race, with looks at {} seeds, may add {} if a verdict is open",
            looks.join(", "),
            plan.updates_of_race()
        )
    });
    let runs = format!(
        "{} runs of up to {} updates ({epochs:.1} epochs), {} updates in all{range_test}{rounds}{race}",
        plan.runs(),
        longest,
        plan.updates_of_runs()
    );
    tell(&runs, is_result)?;
    if plan.branches {
        tell(&branches(plan, info)?, is_result)?;
    }
    Ok(())
}

/// What is made once for several budgets, arm by arm.
fn branches(plan: &Plan, info: &TrainerInfo) -> Result<String, Error> {
    let shared = plan.updates_shared(info)?;
    let of_arm = |(arm, updates): (&Arm, &u64)| match updates {
        0 => format!("{} none", arm.label),
        updates => format!("{} {updates}", arm.label),
    };
    let arms: Vec<String> = plan.arms.iter().zip(&shared).map(of_arm).collect();
    Ok(format!(
        "updates per seed that are made once for several budgets: {}",
        arms.join(", ")
    ))
}

/// What is under way.
pub(super) fn event(progress: &mut Progress, plan: &Plan, what: &CompareEvent) {
    match what {
        CompareEvent::Finding(event) => progress.find_event(event),
        CompareEvent::Bounded(range) => progress.say(&describe_bounds(range)),
        CompareEvent::RunsBegin {
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
        CompareEvent::Run { name, event } => progress.event_of(&describe_run(plan, name), event),
        CompareEvent::Failed { name, reason } => {
            progress.over(&describe_run(plan, name), name.updates);
            progress.say(&format!("{} failed: {reason}", describe_run(plan, name)));
        }
        CompareEvent::Open { seeds } => {
            progress.say(&format!("a verdict is open after {seeds} seeds"));
        }
        CompareEvent::Over { name, .. } => progress.over(&describe_run(plan, name), name.updates),
        CompareEvent::Chosen { arm, spec } => {
            let spec = spec.as_ref().map(ToString::to_string);
            let spec = spec.unwrap_or_else(|| "no peak rate, every trial diverged".into());
            progress.say(&format!("{}: {spec}", plan.arms[*arm].label));
        }
        _ => {}
    }
}

/// `bounds after 1304 updates: base_lr 0.0004 (0.00016 to 0.0012), max_lr 0.0251 (0.0186 to
/// 0.0337); intervals: …`
fn describe_bounds(range: &Range) -> String {
    let bound = |name: &str, value: f64, interval: Option<Interval>| {
        let interval = interval.map_or_else(String::new, |ends| {
            format!(" ({} to {})", rate(ends.low), rate(ends.high))
        });
        format!("{name} {}{interval}", rate(value))
    };
    format!(
        "bounds after {} updates: {}, {}; intervals: {}",
        range.updates,
        bound("base_lr", range.base_lr, range.base_interval),
        bound("max_lr", range.max_lr, range.max_interval),
        range.interval
    )
}

/// `linear, seed 3` or `linear, seed 1001, × 0.5, 320 updates`
fn describe_run(plan: &Plan, run: &RunName) -> String {
    let multiple = run.multiple.map_or_else(String::new, |multiple| {
        format!(", × {multiple}, {} updates", run.updates)
    });
    let label = &plan.arms[run.arm].label;
    format!("{label}, seed {}{multiple}", run.seed)
}

/// The winner, the table and the notes.
pub(super) fn print(record: &Record) -> io::Result<()> {
    out!("\n{}", record.conclusion.brief(columns()).trim_end())
}
