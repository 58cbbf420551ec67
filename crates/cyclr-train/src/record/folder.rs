use std::fs;
use std::path::{Path, PathBuf};

use crate::record::checkpoint::{self, Offsets};
use crate::record::event::EventRecord;
use crate::record::failed::FailedRecord;
use crate::record::files::{Log, bad, write_atomically, write_json};
use crate::record::lock::Lock;
use crate::record::result::{ResultRecord, read_result};
use crate::record::run::{RunRecord, read_run};
use crate::record::tensorboard::TensorBoard;
use crate::run::Progress;
use crate::{Error, Event, Outcome, Plan};

/// Checkpoints that are kept: the last, and one before it lest that is damaged.
const KEPT: usize = 2;

/// What the trainer printed.
const OUTPUT: &str = "output.log";

/// How far the run in a folder has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// There is no run: the folder does not exist, or is empty but for what a run leaves that was killed at once.
    Absent,
    /// The run has begun and can be resumed.
    Unfinished,
    /// The run has its result.
    Finished,
}

/// How far the run in `folder` has come.
///
/// # Errors
/// [`Error::Occupied`] where the folder holds something else.
pub fn stage(folder: &Path) -> Result<Stage, Error> {
    if folder.join(ResultRecord::FILE).exists() && folder.join(RunRecord::FILE).exists() {
        Ok(Stage::Finished)
    } else if folder.join(RunRecord::FILE).exists() {
        Ok(Stage::Unfinished)
    } else if is_free(folder)? {
        Ok(Stage::Absent)
    } else {
        let (found, hint) = ("holds something that is not a run", "");
        Err(Error::Occupied {
            path: folder.to_owned(),
            found,
            hint,
        })
    }
}

/// Whether nothing is in the folder but a lock, files that were never finished, and the failure of a run that never began.
fn is_free(folder: &Path) -> Result<bool, Error> {
    if !folder.exists() {
        return Ok(true);
    }
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let name = entry.map_err(Error::io("read", folder))?.file_name();
        let remains = name == Lock::FILE || name == FailedRecord::FILE;
        if !remains && !name.to_string_lossy().ends_with(".tmp") {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The folder of a run that this process works on.
#[derive(Debug)]
pub(crate) struct RunFolder {
    path: PathBuf,
    events: Log,
    tensorboard: TensorBoard,
    /// Opened when there is something to put in.
    output: Option<Log>,
    _lock: Lock,
}

impl RunFolder {
    /// Refuses a folder that holds something.
    pub(crate) fn check_absent(folder: &Path) -> Result<(), Error> {
        if stage(folder)? == Stage::Absent {
            return Ok(());
        }
        let (found, hint) = ("already holds a run", ", or resume this one");
        Err(Error::Occupied {
            path: folder.to_owned(),
            found,
            hint,
        })
    }

    pub(crate) fn create(
        path: &Path,
        plan: &Plan,
        factory: serde_json::Value,
    ) -> Result<Self, Error> {
        Self::check_absent(path)?;
        fs::create_dir_all(path).map_err(Error::io("create", path))?;
        let lock = Lock::take(path)?;
        // Another process may have made a run here before this one had the lock.
        Self::check_absent(path)?;
        write_json(&path.join(RunRecord::FILE), &RunRecord::new(plan, factory))?;
        Self::locked(path, plan.end, lock)
    }

    /// Opens the folder of a run that was begun.
    pub(crate) fn open(path: &Path) -> Result<(Self, RunRecord), Error> {
        let lock = Lock::take(path)?;
        let record = read_run(path)?;
        Ok((Self::locked(path, record.end, lock)?, record))
    }

    fn locked(path: &Path, end: u64, lock: Lock) -> Result<Self, Error> {
        FailedRecord::forget(path)?;
        let checkpoints = path.join("checkpoints");
        fs::create_dir_all(&checkpoints).map_err(Error::io("create", &checkpoints))?;
        Ok(Self {
            path: path.to_owned(),
            events: Log::open(path.join(EventRecord::FILE))?,
            tensorboard: TensorBoard::open(path.join(TensorBoard::FILE), end)?,
            output: None,
            _lock: lock,
        })
    }

    pub(crate) fn record(&mut self, event: &Event) -> Result<(), Error> {
        if let Some(line) = EventRecord::of(event) {
            let mut line = serde_json::to_vec(&line).map_err(bad(&self.path))?;
            line.push(b'\n');
            self.events.append(&line)?;
        }
        self.tensorboard.record(event)
    }

    /// Keeps what the trainer printed. It is no part of the record, and is not cut when the run goes on: what was printed
    /// was printed.
    pub(crate) fn print(&mut self, printed: &[u8]) -> Result<(), Error> {
        if printed.is_empty() {
            return Ok(());
        }
        let mut log = match self.output.take() {
            Some(log) => log,
            None => Log::open(self.path.join(OUTPUT))?,
        };
        log.append(printed)?;
        log.flush()?;
        self.output = Some(log);
        Ok(())
    }

    /// Writes a checkpoint that names how long the logs are, and drops those that are no longer needed.
    pub(crate) fn save(&mut self, progress: &Progress, state: &[u8]) -> Result<(), Error> {
        let logs = self.sync()?;
        let file = self
            .path
            .join(format!("checkpoints/{:012}.ckpt", progress.updates_done));
        checkpoint::write(&file, progress, logs, state)?;
        for old in self.checkpoints()?.iter().skip(KEPT) {
            fs::remove_file(old).map_err(Error::io("remove", old))?;
        }
        Ok(())
    }

    /// The newest checkpoint that can be used, with the logs cut to where it was made; the very start where there is
    /// none. What is passed over is shown to the observer.
    pub(crate) fn last_checkpoint(
        &mut self,
        observer: &mut dyn FnMut(&Event),
    ) -> Result<(Progress, Option<Vec<u8>>), Error> {
        for file in self.checkpoints()? {
            let problem = match checkpoint::read(&file) {
                Ok(found) if self.has(found.logs) => {
                    self.cut(found.logs)?;
                    return Ok((found.progress, Some(found.state)));
                }
                Ok(_) => "the event log ends before it".into(),
                Err(error @ (Error::Version { .. } | Error::Io { .. })) => return Err(error),
                Err(error) => error.to_string(),
            };
            observer(&Event::Damaged {
                file,
                reason: problem,
            });
        }
        self.cut(Offsets::default())?;
        Ok((Progress::default(), None))
    }

    /// Puts another plan in place of the one that was recorded. A result that it had is kept under another name.
    pub(crate) fn replace(&mut self, record: &RunRecord) -> Result<(), Error> {
        if let Some(result) = read_result(&self.path)? {
            let (from, to) = (
                ResultRecord::FILE,
                format!("result-{}.json", result.updates_done),
            );
            let from = self.path.join(from);
            fs::rename(&from, self.path.join(to)).map_err(Error::io("rename", &from))?;
        }
        self.tensorboard.stride = TensorBoard::stride(record.end);
        write_json(&self.path.join(RunRecord::FILE), record)
    }

    /// Writes the model, and then the result, with which the run is finished.
    pub(crate) fn finish(&mut self, outcome: &Outcome, model: Option<&[u8]>) -> Result<(), Error> {
        self.sync()?;
        if let Some(model) = model {
            write_atomically(&self.path.join("model.safetensors"), model)?;
        }
        write_json(
            &self.path.join(ResultRecord::FILE),
            &ResultRecord::from(outcome),
        )
    }

    /// Newest first.
    fn checkpoints(&self) -> Result<Vec<PathBuf>, Error> {
        let folder = self.path.join("checkpoints");
        let entries = fs::read_dir(&folder).map_err(Error::io("read", &folder))?;
        let paths = entries.flatten().map(|entry| entry.path());
        let mut files: Vec<_> = paths
            .filter(|p| p.extension().is_some_and(|e| e == "ckpt"))
            .collect();
        files.sort_unstable_by(|a, b| b.cmp(a));
        Ok(files)
    }

    fn sync(&mut self) -> Result<Offsets, Error> {
        Ok(Offsets {
            events: self.events.sync()?,
            tensorboard: self.tensorboard.log.sync()?,
        })
    }

    fn has(&self, logs: Offsets) -> bool {
        logs.events <= self.events.length() && logs.tensorboard <= self.tensorboard.log.length()
    }

    fn cut(&mut self, logs: Offsets) -> Result<(), Error> {
        self.events.cut(logs.events)?;
        self.tensorboard.log.cut(logs.tensorboard)
    }
}
