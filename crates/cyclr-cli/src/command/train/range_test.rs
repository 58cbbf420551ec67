//! The range test before a run without rates.

use anyhow::anyhow;
use cyclr::trainer::{TrainerFactory, TrainerInfo};
use cyclr::units::Horizon;
use cyclr::{Spec, advice};
use cyclr_train::find::{FRACTION, RangeTest, range_test};
use cyclr_train::{Budget, Interrupt, Pace, RunPlan, Task, Watch};
use serde_json::json;

use super::{average, budget, make_out, seconds_of, task};
use crate::args::TrainArgs;
use crate::exit::{NoReliableAnswer, Usage};
use crate::progress::{Progress, in_all, predicted};
use crate::say::{note, out, tell};

/// The range test before a run without rates, and what it is for.
pub(super) struct Before {
    test: RangeTest,
    /// The run after it.
    run: Horizon,
    pace: Pace,
    info: TrainerInfo,
}

impl Before {
    pub(super) fn new(args: &TrainArgs, factory: &dyn TrainerFactory) -> anyhow::Result<Self> {
        // Of this task only the number of updates is wanted.
        let task = Task {
            test: !args.no_test,
            ..Task::new("fixed(lr=1)".parse()?, args.seed, budget(args, None)?)
        };
        let declared = factory.info()?;
        let planned =
            |pace: &Pace| RunPlan::at_pace(&declared, &task, pace).map(|plan| plan.horizon());
        if !matches!(task.budget, Budget::Time(_)) {
            // What needs no pace is refused before it is measured.
            planned(&Pace::default())?;
        }
        let (pace, info) = Pace::measure(factory, args.seed)?;
        let whole = planned(&pace)?;
        let test = RangeTest {
            seed: args.seed,
            threads: 1,
            ..RangeTest::for_budget(whole, FRACTION, &info)
        };
        let updates = match task.budget {
            // Of a budget of time the test takes a part.
            Budget::Time(_) if whole > test.updates => whole - test.updates,
            Budget::Time(_) => {
                return Err(Usage::error(format!(
                    "without rates in --policy a range test of {} updates comes first, and --time has room for {whole}: give a longer --time, or the rates",
                    test.updates
                )));
            }
            Budget::Updates(_) | Budget::Epochs(_) => whole,
        };
        let run = Horizon::of_updates(updates)?.with_epoch(info.examples, info.batch)?;
        Ok(Self {
            test,
            run,
            pace,
            info,
        })
    }

    /// What the range test costs, and how long it and the run will take.
    pub(super) fn announce(
        &self,
        args: &TrainArgs,
        name: &str,
        factory: &dyn TrainerFactory,
    ) -> anyhow::Result<()> {
        let Self {
            test,
            run,
            pace,
            info,
        } = self;
        // The rates of the bounds do not matter to what the run takes.
        let spec = self.completed(args, name, (0.01, 0.1))?;
        let after = Task {
            average: average(args)?,
            ..task(args, spec, Budget::Updates(run.updates()))
        };
        let after = seconds_of(&RunPlan::new(factory, &after)?, pace);
        let (updates, seconds) = (test.updates, in_all(test.seconds(info, pace) + after));
        if args.plan && args.json {
            out!(
                "{}",
                json!({ "range_test_updates": updates, "predicted_seconds": seconds })
            )?;
            return Ok(());
        }
        let text = format!(
            "range test of at most {} updates, then {} updates of training; predicted time {}",
            updates + test.longer(info),
            run.updates(),
            predicted(seconds)
        );
        Ok(tell(&text, args.plan)?)
    }

    /// The policy of that name between bounds. How many updates a budget of time has is only known
    /// when the run begins, so its cycles are shares of the run.
    fn completed(
        &self,
        args: &TrainArgs,
        name: &str,
        (base_lr, max_lr): (f64, f64),
    ) -> anyhow::Result<Spec> {
        let cycles = advice::cycles(&self.run)?;
        let step = if args.time.is_some() {
            cycles.share()
        } else {
            cycles.step()
        };
        let spec = advice::complete(name, base_lr, max_lr, step);
        Ok(spec.expect("only the names of policies that can be completed are read")?)
    }
}

/// The policy of that name between the bounds that a range test finds, with as many cycles as the
/// budget holds.
pub(super) fn found(
    args: &TrainArgs,
    name: &str,
    factory: &dyn TrainerFactory,
    interrupt: &Interrupt,
) -> anyhow::Result<Spec> {
    // So that the answer is not lost to a folder that cannot be made.
    args.out.as_deref().map_or(Ok(()), make_out)?;
    let before = Before::new(args, factory)?;
    before.announce(args, name, factory)?;
    let mut progress = Progress::new(before.test.updates);
    let mut observer = |event: &_| progress.find_event(event);
    let found = range_test(
        factory,
        &before.test,
        Watch {
            observer: &mut observer,
            interrupt,
        },
    )?;
    progress.finish();
    match found.answer {
        Ok(bounds) => before.completed(args, name, (bounds.base_lr.value, bounds.max_lr.value)),
        Err(reason) => {
            note!(
                "no reliable answer: {reason}\ntry this: {}",
                reason.advice()
            );
            Err(anyhow!(NoReliableAnswer))
        }
    }
}
