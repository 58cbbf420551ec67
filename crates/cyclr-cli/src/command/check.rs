//! `cyclr check`: whether what is trained does what `find` and `compare` rely on, and what they
//! will cost.

use anyhow::anyhow;
use cyclr_train::check::{Check, Finding, check};
use cyclr_train::compare::{Begin, Plan};
use cyclr_train::find::{FRACTION, RangeTest};
use serde::Serialize;

use crate::args::{CheckArgs, updates};
use crate::progress::{interrupt, predicted};
use crate::say::{out, unless_unread};

/// The seed of the run that is timed.
const SEED: u64 = 1;

/// What is printed as JSON.
#[derive(Serialize)]
struct Checked {
    checks: Vec<Check>,
    begin: Begin,
    find: Cost,
    compare: Cost,
}

/// What a command will cost, or why it cannot be carried out.
#[derive(Serialize)]
#[serde(untagged)]
enum Cost {
    Predicted { updates: u64, seconds: f64 },
    Refused { reason: String },
}

pub(crate) fn run(args: &CheckArgs) -> anyhow::Result<()> {
    let factory = args.factory.factory(1, false)?;
    let budget = updates(&args.budget, factory.info()?.updates_per_epoch())?;
    let interrupt = interrupt()?;
    let checks = check(&*factory, &interrupt)?;
    // The exit code does not depend on whether anybody reads what is printed.
    if !args.json {
        unless_unread(checks.iter().try_for_each(print))?;
    }
    let begin = Begin::measure(&*factory, SEED)?;
    let checked = Checked {
        find: find_cost(&begin, budget),
        compare: compare_cost(&begin, budget),
        checks,
        begin,
    };
    unless_unread(if args.json {
        out!("{}", serde_json::to_string(&checked)?)
    } else {
        print_costs(&checked, budget)
    })?;
    let not_ok = checked
        .checks
        .iter()
        .filter(|check| check.finding == Finding::NotOk);
    match not_ok.count() {
        0 => Ok(()),
        n => Err(anyhow!("{n} of {} checks failed", checked.checks.len())),
    }
}

fn print(check: &Check) -> std::io::Result<()> {
    let finding = match check.finding {
        Finding::Ok => "ok",
        Finding::NotOk => "not ok",
        Finding::Unclear => "unclear",
    };
    out!("{finding:<8} {}: {}", check.name, check.detail)
}

/// The range test of `cyclr find`.
fn find_cost(begin: &Begin, budget: u64) -> Cost {
    let test = RangeTest::for_budget(budget, FRACTION, &begin.info);
    if let Err(error) = test.check(&begin.info) {
        return Cost::Refused {
            reason: error.to_string(),
        };
    }
    let test = RangeTest { threads: 1, ..test };
    Cost::Predicted {
        updates: test.updates,
        seconds: test.seconds(&begin.info, &begin.pace),
    }
}

/// The usual comparison, its range test included.
fn compare_cost(begin: &Begin, budget: u64) -> Cost {
    let plan = Plan::new(budget);
    let seconds = plan
        .check(&begin.info)
        .and_then(|()| plan.predicted_seconds(&begin.pace, &begin.info, 1));
    match seconds {
        Ok(seconds) => Cost::Predicted {
            updates: plan.updates_of_runs() + plan.bounds.updates(),
            seconds,
        },
        Err(error) => Cost::Refused {
            reason: error.to_string(),
        },
    }
}

fn print_costs(checked: &Checked, budget: u64) -> std::io::Result<()> {
    let pace = &checked.begin.pace;
    out!(
        "a start takes {:.2} s, an update {:.2} ms, an evaluation {:.2} s",
        pace.seconds_per_start,
        1e3 * pace.seconds_per_update,
        pace.seconds_per_evaluation
    )?;
    for (command, cost) in [("find", &checked.find), ("compare", &checked.compare)] {
        match cost {
            Cost::Predicted { updates, seconds } => out!(
                "cyclr {command} for {budget} updates: {updates} updates, predicted time {}, one run at a time",
                predicted(*seconds)
            ),
            Cost::Refused { reason } => {
                out!("cyclr {command} for {budget} updates is not possible: {reason}")
            }
        }?;
    }
    Ok(())
}
