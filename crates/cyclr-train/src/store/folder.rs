use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::run::{Branch, Models, Progress};
use crate::store::checkpoint::{self, Offsets};
use crate::store::failed::Failure;
use crate::store::files::{Log, bad, write_atomically, write_record};
use crate::store::lock::Lock;
use crate::store::run::{RunRecord, read_outcome, read_run};
use crate::store::tensorboard::TensorBoard;
use crate::{Error, Event, Outcome, RunPlan};

/// The folder of the checkpoints within a run's.
const CHECKPOINTS: &str = "checkpoints";

/// Checkpoints that are kept: the last, and one before it in case that is damaged.
const KEPT: usize = 2;

/// What the trainer printed, up to [`MOST_OUTPUT`] bytes for each run.
const OUTPUT: &str = "output.log";
const MOST_OUTPUT: u64 = 16 << 20;
const OUTPUT_ENDS: &str =
    "\n[cyclr: this log ends here, at 16 MiB; what the run prints later is not kept]\n";

/// The events are handed to the system at least as often, so that they can be followed.
const FLUSHES: Duration = Duration::from_secs(1);

/// How far the run in a folder has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// There is no run: the folder does not exist, or is empty but for what a run leaves that was
    /// killed at once.
    Absent,
    /// The run has begun and can be resumed.
    Unfinished,
    /// The run has its result.
    Finished,
}

/// How far the run in `folder` has come.
///
/// # Errors
/// [`Error::Occupied`] if the folder holds something else.
pub fn stage(folder: &Path) -> Result<Stage, Error> {
    if folder.join(Outcome::FILE).exists() && folder.join(RunRecord::FILE).exists() {
        Ok(Stage::Finished)
    } else if folder.join(RunRecord::FILE).exists() {
        Ok(Stage::Unfinished)
    } else if holds_only(folder, &[Lock::FILE, Failure::FILE])? {
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

/// Refuses the folder of a run to come if it holds something.
///
/// # Errors
/// [`Error::Occupied`]; [`Error::Io`].
pub fn check_absent(folder: &Path) -> Result<(), Error> {
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

/// Whether nothing is in a folder, or nothing but these and files that were never finished.
pub(crate) fn holds_only(folder: &Path, these: &[&str]) -> Result<bool, Error> {
    if !folder.exists() {
        return Ok(true);
    }
    if folder.is_file() {
        return Ok(false);
    }
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let name = entry.map_err(Error::io("read", folder))?.file_name();
        let is_of_these = these.iter().any(|&this| name == *this);
        if !is_of_these && !name.to_string_lossy().ends_with(".tmp") {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The files of a folder whose names end so, the last in the order of names first.
fn files_ending_in(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let path = entry.map_err(Error::io("read", folder))?.path();
        if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    files.sort_unstable_by(|a, b| b.cmp(a));
    Ok(files)
}

/// The checkpoints of a run and the updates done at each, newest first.
fn checkpoints(folder: &Path) -> Result<Vec<(u64, PathBuf)>, Error> {
    let files = files_ending_in(&folder.join(CHECKPOINTS), "ckpt")?;
    let numbered = |file: PathBuf| {
        let name = file.file_stem().and_then(|name| name.to_str());
        match name.and_then(|name| name.parse().ok()) {
            Some(updates_done) => Ok((updates_done, file)),
            None => Err(bad(&file)(
                "its name is not a count of updates, as in 000000000500.ckpt: move it out of this folder",
            )),
        }
    };
    files.into_iter().map(numbered).collect()
}

/// The folder of a run that this process works on.
#[derive(Debug)]
pub(crate) struct RunFolder {
    path: PathBuf,
    events: Log,
    /// When the events were last handed to the system.
    flushed: Instant,
    tensorboard: TensorBoard,
    /// Opened when there is something to put in.
    output: Option<Log>,
    _lock: Lock,
}

impl RunFolder {
    pub(crate) fn create(
        path: &Path,
        plan: &RunPlan,
        trainer: serde_json::Value,
    ) -> Result<Self, Error> {
        check_absent(path)?;
        fs::create_dir_all(path).map_err(Error::io("create", path))?;
        let lock = Lock::take(path)?;
        // Another process may have made a run here before this one had the lock.
        check_absent(path)?;
        write_record(&path.join(RunRecord::FILE), &RunRecord::new(plan, trainer))?;
        Self::locked(path, plan.end(), lock)
    }

    /// Writes down what a run is to be, for a process that will make it.
    pub(crate) fn declare(
        path: &Path,
        plan: &RunPlan,
        branches: Vec<Branch>,
        trainer: serde_json::Value,
    ) -> Result<(), Error> {
        fs::create_dir_all(path).map_err(Error::io("create", path))?;
        let record = RunRecord {
            branches,
            ..RunRecord::new(plan, trainer)
        };
        write_record(&path.join(RunRecord::FILE), &record)
    }

    /// Opens the folder of a run that was begun.
    pub(crate) fn open(path: &Path) -> Result<(Self, RunRecord), Error> {
        let lock = Lock::take(path)?;
        let record = read_run(path)?;
        Ok((Self::locked(path, record.plan.end, lock)?, record))
    }

    fn locked(path: &Path, end: u64, lock: Lock) -> Result<Self, Error> {
        Failure::forget(path)?;
        let checkpoints = path.join(CHECKPOINTS);
        fs::create_dir_all(&checkpoints).map_err(Error::io("create", &checkpoints))?;
        // A process that was killed while it wrote a checkpoint leaves half of one.
        for half in files_ending_in(&checkpoints, "tmp")? {
            fs::remove_file(&half).map_err(Error::io("remove", &half))?;
        }
        Ok(Self {
            path: path.to_owned(),
            events: Log::open(path.join(Event::FILE))?,
            flushed: Instant::now(),
            tensorboard: TensorBoard::open(path.join(TensorBoard::FILE), end)?,
            output: None,
            _lock: lock,
        })
    }

    pub(crate) fn record(&mut self, event: &Event) -> Result<(), Error> {
        if event.is_logged() {
            let mut line = serde_json::to_vec(event).map_err(bad(&self.path))?;
            line.push(b'\n');
            self.events.append(&line)?;
            if self.flushed.elapsed() >= FLUSHES || !matches!(event, Event::Updated { .. }) {
                self.events.flush()?;
                self.flushed = Instant::now();
            }
        }
        self.tensorboard.record(event)
    }

    /// Keeps what the trainer printed. It is no part of the record, and is not cut when the run
    /// continues: what was printed was printed. A log that is full says so.
    pub(crate) fn print(&mut self, printed: &[u8]) -> Result<(), Error> {
        if printed.is_empty() {
            return Ok(());
        }
        let mut log = match self.output.take() {
            Some(log) => log,
            None => Log::open(self.path.join(OUTPUT))?,
        };
        let room = MOST_OUTPUT.saturating_sub(log.length());
        if printed.len() as u64 <= room {
            log.append(printed)?;
        } else if room > 0 {
            log.append(&printed[..room as usize])?;
            log.append(OUTPUT_ENDS.as_bytes())?;
        }
        log.flush()?;
        self.output = Some(log);
        Ok(())
    }

    /// The checkpoint after `updates_done` updates.
    pub(crate) fn checkpoint(folder: &Path, updates_done: u64) -> PathBuf {
        folder.join(format!("{CHECKPOINTS}/{updates_done:012}.ckpt"))
    }

    /// Writes a checkpoint that names how long the logs are, and drops those that are no longer
    /// needed.
    pub(crate) fn save(&mut self, progress: &Progress, state: &[u8]) -> Result<(), Error> {
        let logs = self.sync()?;
        let file = Self::checkpoint(&self.path, progress.updates_done);
        checkpoint::write(&file, progress, logs, state)?;
        for (_, old) in checkpoints(&self.path)?.iter().skip(KEPT) {
            fs::remove_file(old).map_err(Error::io("remove", old))?;
        }
        Ok(())
    }

    /// The updates from which a run could go on.
    pub(crate) fn saved(folder: &Path) -> Result<u64, Error> {
        if !folder.join(CHECKPOINTS).exists() {
            return Ok(0);
        }
        let newest = checkpoints(folder)?.into_iter().next();
        Ok(newest.map_or(0, |(updates_done, _)| updates_done))
    }

    /// The newest checkpoint that can be used, with the logs cut to where it was made; the very
    /// start if there is none. What cannot be used is renamed, so that it is never taken for one
    /// of the checkpoints to keep, and shown to the observer.
    pub(crate) fn last_checkpoint(
        &mut self,
        observer: &mut dyn FnMut(&Event),
    ) -> Result<(Progress, Option<Vec<u8>>), Error> {
        let files = checkpoints(&self.path)?;
        for (_, file) in &files {
            let reason = match checkpoint::read(file) {
                Ok(found) if self.has(found.logs) => {
                    self.cut(found.logs)?;
                    return Ok((found.progress, Some(found.state)));
                }
                Ok(_) => "the event log ends before it".into(),
                Err(error @ (Error::Version { .. } | Error::Io { .. })) => return Err(error),
                Err(error) => error.to_string(),
            };
            let aside = file.with_extension("damaged");
            fs::rename(file, &aside).map_err(Error::io("rename", file))?;
            observer(&Event::Damaged {
                file: aside,
                reason,
            });
        }
        if !files.is_empty() {
            observer(&Event::StartedOver);
        }
        self.cut(Offsets::default())?;
        Ok((Progress::default(), None))
    }

    /// Puts another plan in place of the one that was recorded. A result that it had is kept under
    /// another name.
    pub(crate) fn replace(&mut self, record: &RunRecord) -> Result<(), Error> {
        if let Some(outcome) = read_outcome(&self.path)? {
            let (from, to) = (
                Outcome::FILE,
                format!("result-{}.json", outcome.updates_done),
            );
            let from = self.path.join(from);
            fs::rename(&from, self.path.join(to)).map_err(Error::io("rename", &from))?;
        }
        self.tensorboard.stride = TensorBoard::stride(record.plan.end);
        write_record(&self.path.join(RunRecord::FILE), record)
    }

    /// Writes the models, and then the result, with which the run is finished.
    pub(crate) fn finish(&mut self, outcome: &Outcome, models: &Models) -> Result<(), Error> {
        self.sync()?;
        let trained = models
            .trained
            .iter()
            .map(|file| ("model.safetensors", file));
        let averaged = models
            .averaged
            .iter()
            .map(|(name, file)| (name.as_str(), file));
        for (name, file) in trained.chain(averaged) {
            write_atomically(&self.path.join(name), file)?;
        }
        outcome.write(&self.path)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noisy_quadratic::NoisyQuadratic;
    use crate::{Budget, Task};

    /// Nobody is told that a run starts over because of a name.
    #[test]
    fn a_checkpoint_of_another_name_is_an_error() {
        let place = tempfile::tempdir().unwrap();
        let checkpoints = place.path().join(CHECKPOINTS);
        assert_eq!(RunFolder::saved(place.path()).unwrap(), 0);
        fs::create_dir(&checkpoints).unwrap();
        assert_eq!(RunFolder::saved(place.path()).unwrap(), 0);
        for updates_done in [5, 40] {
            fs::write(RunFolder::checkpoint(place.path(), updates_done), "").unwrap();
        }
        fs::write(checkpoints.join("notes.txt"), "").unwrap();
        assert_eq!(RunFolder::saved(place.path()).unwrap(), 40);
        for name in ["copy.ckpt", "000000000005 (2).ckpt"] {
            let file = checkpoints.join(name);
            fs::write(&file, "").unwrap();
            let error = RunFolder::saved(place.path()).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("move it"), "{error}");
            fs::remove_file(&file).unwrap();
        }
    }

    #[test]
    fn a_log_that_is_full_says_so_and_grows_no_more() {
        let place = tempfile::tempdir().unwrap();
        let task = Task::new("fixed(lr=0.1)".parse().unwrap(), 1, Budget::Updates(9));
        let plan = RunPlan::new(&NoisyQuadratic::default(), &task).unwrap();
        let path = place.path().join("run");
        let log = || fs::read(path.join(OUTPUT)).unwrap();
        let part = vec![b'x'; 5_000_000];
        let mut folder = RunFolder::create(&path, &plan, serde_json::Value::Null).unwrap();
        (0..6).for_each(|_| folder.print(&part).unwrap());
        assert_eq!(log().len(), MOST_OUTPUT as usize + OUTPUT_ENDS.len());
        assert!(log().ends_with(OUTPUT_ENDS.as_bytes()));
        drop(folder);
        let (mut folder, _) = RunFolder::open(&path).unwrap();
        folder.print(&part).unwrap();
        assert_eq!(log().len(), MOST_OUTPUT as usize + OUTPUT_ENDS.len());
    }
}
