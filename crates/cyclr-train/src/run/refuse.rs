//! What a trainer cannot do is refused before a run begins.

use cyclr::Schedule;
use cyclr::trainer::TrainerInfo;

use super::{Average, Task};
use crate::Error;

/// Refuses a schedule that moves what the trainer does not obey.
pub(crate) fn check_obeyed(schedule: &Schedule, info: &TrainerInfo) -> Result<(), Error> {
    let is_constant = || schedule.curve().all(|hyper| hyper.lr == schedule.at(0).lr);
    if info.whole_runs.is_some_and(|whole| !whole.schedule) && !is_constant() {
        return Err(Error::WholeRunsOnly {
            what: "a rate that changes",
            instead: "its command takes a constant rate ({lr}); hand it the rates in a file ({schedule}), or leave all but \
                      `fixed` out",
        });
    }
    if schedule.moves_momentum() && !info.momentum {
        return Err(Error::NotObeyed { what: "momentum" });
    }
    if schedule.at(0).weight_decay.is_some() && !info.weight_decay {
        return Err(Error::NotObeyed {
            what: "weight decay",
        });
    }
    Ok(())
}

/// Refuses what a trainer that makes whole runs only cannot do.
pub(crate) fn refuse_for_whole_runs(
    info: &TrainerInfo,
    what: &'static str,
    instead: &'static str,
) -> Result<(), Error> {
    match info.whole_runs {
        Some(_) => Err(Error::WholeRunsOnly { what, instead }),
        None => Ok(()),
    }
}

/// Refuses a task that decides without anything to decide by.
pub(super) fn check_decidable(
    task: &Task,
    info: &TrainerInfo,
    cyclical: bool,
) -> Result<(), Error> {
    let on_the_way = [
        (task.stop_on_plateau, "a stop on plateau"),
        (task.target.is_some(), "a target"),
        (task.evaluate_every.is_some(), "evaluations during the run"),
    ];
    for (is_asked, what) in on_the_way {
        if is_asked {
            refuse_for_whole_runs(info, what, "leave it out")?;
        }
    }
    let refuse = |option, needed| Err(Error::Undecidable { option, needed });
    let validation = "a validation split to decide by: set some of the training data aside for it";
    if info.validation == 0 && task.stop_on_plateau {
        return refuse("a stop on plateau", validation);
    }
    if info.validation == 0 && task.target.is_some() {
        return refuse("a target", validation);
    }
    if task.stop_on_plateau && !cyclical {
        return refuse(
            "a stop on plateau",
            "a schedule with cycles to compare, such as triangular2",
        );
    }
    if task.target.is_some() && !cyclical && task.evaluate_every.is_none() {
        return refuse(
            "a target",
            "evaluations during the run: use a schedule with cycles, or give --evaluate-every",
        );
    }
    Ok(())
}

/// Refuses to average where the trainer cannot, or where there is nothing to average.
pub(crate) fn check_average(
    average: Option<Average>,
    info: &TrainerInfo,
    cyclical: bool,
) -> Result<(), Error> {
    let needed = match average {
        Some(Average::Troughs) if !info.averages => {
            "a trainer that averages, as the embedded nets and cyclr.torch.Trainer do; another script \
             answers `average` and `evaluate_average` (docs/protocol.md)"
        }
        Some(Average::Ensemble(_)) if !info.ensembles => {
            "a trainer that makes ensembles, as the embedded nets do, and cyclr.torch.Trainer with a \
             cross-entropy; another script declares `ensembles` (docs/protocol.md)"
        }
        Some(_) if !cyclical => "a schedule with cycles, such as triangular2, or a repeat",
        Some(_) | None => return Ok(()),
    };
    let option = match average {
        Some(Average::Ensemble(_)) => "an ensemble of the models at troughs",
        _ => "an average of the weights at troughs",
    };
    Err(Error::Undecidable { option, needed })
}
