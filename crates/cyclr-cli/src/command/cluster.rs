//! What a comparison needs whose runs are made on other machines.

use std::collections::BTreeMap;
use std::env::VarError;

use anyhow::Context;
use cyclr::trainer::{Trainer, TrainerError, TrainerFactory, TrainerInfo};
use cyclr_train::compare::Work;

use crate::factory::TrainerArgs;
use crate::say::note;

/// The variables that decide which program a command is, and what it loads. A unit takes over those
/// that are not set where it is made. What a launcher or an engine sets for each job, such as the
/// GPUs, is not among them.
const VARIABLES: [&str; 6] = [
    "CONDA_PREFIX",
    "CYCLR_CPU",
    "LD_LIBRARY_PATH",
    "PATH",
    "PYTHONPATH",
    "VIRTUAL_ENV",
];

/// Those of them that are set here. A value that is no text cannot stand in a record.
pub(super) fn environment() -> BTreeMap<String, String> {
    let mut set = BTreeMap::new();
    for name in VARIABLES {
        match std::env::var(name) {
            Ok(value) => drop(set.insert(String::from(name), value)),
            Err(VarError::NotPresent) => {}
            Err(VarError::NotUnicode(_)) => note!(
                "{name} is not UTF-8 here, so it is not passed on to other machines: set it in the launcher"
            ),
        }
    }
    set
}

/// What the units are told.
pub(super) fn work(
    trainer: &TrainerArgs,
    about: BTreeMap<String, String>,
    allow_inexact: bool,
    allow_changed: bool,
) -> anyhow::Result<Work> {
    Ok(Work {
        trainer: serde_json::to_value(trainer).context("what is trained cannot be written down")?,
        about,
        environment: environment(),
        allow_inexact,
        allow_changed,
    })
}

/// In place of a trainer factory, where other machines have it.
pub(super) struct Elsewhere;

impl TrainerFactory for Elsewhere {
    fn start(&self, _: u64) -> Result<Box<dyn Trainer + '_>, TrainerError> {
        Err(refused())
    }

    fn info(&self) -> Result<TrainerInfo, TrainerError> {
        Err(refused())
    }
}

fn refused() -> TrainerError {
    TrainerError::Unsupported {
        what: "be made here",
        reason: String::from("a launcher makes it on another machine"),
    }
}
