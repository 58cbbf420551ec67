//! What is trained: the options that make a trainer factory of the embedded engine or of a user's
//! program, which a run's record keeps.

mod engine;
mod options;
mod study;

use std::path::{Path, PathBuf};
#[cfg(unix)]
use std::time::Duration;

use anyhow::Context;
use cyclr::trainer::TrainerFactory;

#[cfg(unix)]
use crate::child::{ChildFactory, WrapFactory};
use crate::exit::Usage;
use crate::files::Files;
#[cfg(unix)]
use crate::progress::interrupt;
use crate::say::note;

use options::{NormalizationName, OptimizerName};

pub(crate) use options::TrainerArgs;

/// What stops a recorded run or comparison, with the record: what is wrong may be in there.
pub(crate) fn of_record(error: anyhow::Error, what: &str, record: &Path) -> anyhow::Error {
    use cyclr_train::Error;
    match error.downcast_ref() {
        // These are about this call or about what came of the runs.
        Some(
            Error::Interrupted { .. }
            | Error::BadHorizon { .. }
            | Error::Locked { .. }
            | Error::Launcher { .. }
            | Error::NoProgress { .. }
            | Error::RunsFailed { .. }
            | Error::Refused { .. }
            | Error::NoBounds { .. },
        ) => error,
        _ => error.context(format!("the {what} of {} cannot go on", record.display())),
    }
}

impl TrainerArgs {
    /// As the record of a run or comparison has it: with absolute paths, the working directory,
    /// and what is in the files.
    pub(crate) fn placed(&self) -> anyhow::Result<Self> {
        let absolute = |path: &Option<PathBuf>| path.as_ref().map(std::path::absolute).transpose();
        let mut placed = Self {
            data: absolute(&self.data)?,
            weights: absolute(&self.weights)?,
            ..self.clone()
        };
        let directory = std::env::current_dir().context("the working directory is gone")?;
        placed.files = Files::of(&self.command, placed.weights.as_deref(), &directory)?;
        placed.directory = (!self.command.is_empty()).then_some(directory);
        Ok(placed)
    }

    /// Shows the command of a record that is about to run again, and refuses files that are not
    /// what they were.
    pub(crate) fn announce_again(&self, record: &Path, allow_changed: bool) -> anyhow::Result<()> {
        if !self.command.is_empty() {
            let place = self
                .directory
                .as_deref()
                .map_or_else(String::new, |directory| {
                    format!("in {}, ", directory.display())
                });
            note!("{place}running: {}", self.command.join(" "));
        }
        match self.files.changed() {
            Some(change) if !allow_changed => Err(Usage::error(format!(
                "{} names a file that was edited: {change}; restore it, or continue with --allow-changed",
                record.display()
            ))),
            _ => Ok(()),
        }
    }

    /// What the record of a run or comparison says.
    pub(crate) fn recorded(record: serde_json::Value, file: &Path) -> anyhow::Result<Self> {
        serde_json::from_value(record).with_context(|| {
            format!(
                "{}: its record of what is trained cannot be read; restore the file from a copy, or start again \
                 in another folder",
                file.display()
            )
        })
    }

    /// The trainer factory, each of whose runs works with `threads` threads.
    pub(crate) fn factory(
        &self,
        threads: usize,
        allow_inexact: bool,
    ) -> anyhow::Result<Box<dyn TrainerFactory>> {
        if self.command.is_empty() {
            Ok(Box::new(self.engine(threads, allow_inexact)?))
        } else {
            self.child()
        }
    }

    /// The trainer factory, each of whose runs works with one thread, and what is trained, in a
    /// few words.
    pub(crate) fn titled(&self) -> anyhow::Result<(Box<dyn TrainerFactory>, String)> {
        if !self.command.is_empty() {
            return Ok((self.child()?, self.command.join(" ")));
        }
        let factory = self.engine(1, false)?;
        let title = engine::title(&factory);
        Ok((Box::new(factory), title))
    }

    /// Runs side by side, if nobody says how many: one for each core; one alone of a command,
    /// which may use all cores by itself.
    pub(crate) fn jobs(&self, asked: Option<usize>) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let usual = || if self.command.is_empty() { cores() } else { 1 };
        asked.unwrap_or_else(usual)
    }

    #[cfg(unix)]
    fn child(&self) -> anyhow::Result<Box<dyn TrainerFactory>> {
        let timeout = self.child_timeout.map(Duration::try_from_secs_f64);
        let timeout = timeout.transpose()?;
        let (command, directory) = (self.command.clone(), self.directory.clone());
        if let Some(wrap) = self.wrap.asked(self.batch, self.data_seed, timeout)? {
            let interrupt = interrupt()?;
            let stop = Box::new(move || interrupt.is_requested());
            let factory = WrapFactory::new(command, directory, wrap, stop);
            return Ok(Box::new(factory.map_err(Usage::error)?));
        }
        let (batch, data_seed) = (self.batch, self.data_seed);
        Ok(Box::new(ChildFactory::new(
            command, directory, batch, data_seed, timeout,
        )))
    }

    #[cfg(not(unix))]
    fn child(&self) -> anyhow::Result<Box<dyn TrainerFactory>> {
        Err(Usage::error(
            "a COMMAND needs a Unix system (Linux, macOS, WSL): its pipes are inherited descriptors",
        ))
    }
}
