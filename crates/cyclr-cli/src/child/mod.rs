//! A program of the user's behind the trainer interface: each run is a process, which is asked for
//! updates over two pipes.
//!
//! `docs/protocol.md` specifies the messages. What the child prints is handed on as the run's
//! output. A child that crashes, hangs or answers what it should not fails its run and no other.
//!
//! A program that knows nothing of the protocol is wrapped: started once for a whole run.

mod answers;
mod channel;
mod figure;
mod output;
mod pace;
mod process;
mod run;
mod state_file;
#[cfg(test)]
mod tests;
mod wrap;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cyclr::trainer::{Known, Trainer, TrainerError, TrainerFactory, TrainerInfo};
use cyclr_child::protocol::LARGEST_SEED;

pub(crate) use answers::read_answer;
pub(crate) use figure::Pattern;
pub(crate) use wrap::{Wrap, WrapFactory};

use run::{Child, ShownNotes};

/// Runs of a command, one process each.
#[derive(Debug)]
pub(crate) struct ChildFactory {
    /// The program and its arguments.
    command: Vec<String>,
    /// The working directory of its processes; that of this process if none is given.
    directory: Option<PathBuf>,
    /// The examples of an update, if the script is told.
    batch: Option<u64>,
    data_seed: u64,
    /// What every request may take, if the usual limits do not fit.
    timeout: Option<Duration>,
    /// Those of the first process that was started; the others must have the same.
    info: OnceLock<TrainerInfo>,
    told: Arc<ShownNotes>,
}

impl ChildFactory {
    pub(crate) fn new(
        command: Vec<String>,
        directory: Option<PathBuf>,
        batch: Option<u64>,
        data_seed: u64,
        timeout: Option<Duration>,
    ) -> Self {
        Self {
            command,
            directory,
            batch,
            data_seed,
            timeout,
            info: OnceLock::new(),
            told: Arc::default(),
        }
    }
}

impl TrainerFactory for ChildFactory {
    fn start(&self, seed: u64) -> Result<Box<dyn Trainer + '_>, TrainerError> {
        self.start_known(seed, Known::default())
    }

    fn start_known(&self, seed: u64, known: Known) -> Result<Box<dyn Trainer + '_>, TrainerError> {
        if seed.max(self.data_seed) > LARGEST_SEED {
            return Err(TrainerError::Unsupported {
                what: "be given such a seed",
                reason: format!("a child takes seeds up to {LARGEST_SEED}"),
            });
        }
        let mut child = Child::start(
            &self.command,
            self.directory.as_deref(),
            self.timeout,
            self.info.get().is_some(),
            Arc::clone(&self.told),
        )?;
        child.initialize(seed, self.data_seed, self.batch, known)?;
        let known = self.info.get_or_init(|| child.info().clone());
        if known != child.info() {
            let reason = other_info(known, child.info());
            return Err(TrainerError::Failed { reason });
        }
        Ok(Box::new(child))
    }

    fn info(&self) -> Result<TrainerInfo, TrainerError> {
        match self.info.get() {
            Some(info) => Ok(info.clone()),
            None => Ok(self.start(0)?.info().clone()),
        }
    }
}

/// What is said of a run whose info is not that of the runs before.
fn other_info(was: &TrainerInfo, is: &TrainerInfo) -> String {
    let only_data = TrainerInfo {
        data_checksum: was.data_checksum.clone(),
        ..is.clone()
    };
    if *was != only_data {
        return format!(
            "the script says of itself {is:?}, and {was:?} before: it must be the same for every seed"
        );
    }
    let told = |info: &TrainerInfo| info.data_checksum.clone().unwrap_or("none".into());
    format!(
        "its data are not those of the run before ({}, and {} before): draw the held-out split by the data_seed \
         or a seed of its own, so that it is the same for every seed",
        told(is),
        told(was)
    )
}
