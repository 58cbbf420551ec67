//! How far a run is, seen from its folder alone, while any machine works on it.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, SystemTime};

use cyclr::Hyper;
use cyclr::trainer::{Metric, Metrics};

use super::failed::Failure;
use super::lock::Lock;
use super::regular::open_regular;
use super::run::{read_outcome, read_run};
use crate::{Error, Event, Machine, Outcome, ValidationPoint};

/// A log that has grown within this time has somebody who writes it.
const FRESH: Duration = Duration::from_secs(30);

/// The end of a log that is read: some hundred updates.
const TAIL: u64 = 64 * 1024;

/// How far a run is.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// What happens to it.
    pub state: State,
    /// The updates done so far.
    pub updates_done: u64,
    /// The count of updates at which it ends, unless something ends it earlier.
    pub end: u64,
    /// What its last update used and showed; `None` before the first.
    pub last: Option<(Hyper, Metrics)>,
    /// The objective of the model that is trained, in the last evaluation of the validation split,
    /// if the end of the log has one.
    pub figure: Option<Metric>,
    /// The same of the averaged model, which is then the declared one.
    pub average: Option<Metric>,
    /// What an update takes, in seconds: the mean over the last ones.
    pub seconds_per_update: Option<f64>,
}

/// What happens to a run.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// It has its result.
    Done(Box<Outcome>),
    /// Somebody works on it: on this host, if the lock is seen from here.
    AtWork(Option<String>),
    /// Nobody works on it, and it is not done.
    Waiting,
    /// Its last try failed, for this reason.
    Failed(String),
}

impl Seen {
    /// Looks at the folder of a run; changes nothing in it.
    ///
    /// # Errors
    /// [`Error::NotARun`] if it is no run's folder; [`Error::Io`], [`Error::BadRecord`] or
    /// [`Error::Version`].
    pub fn of(folder: &Path) -> Result<Self, Error> {
        let planned = read_run(folder)?.plan;
        let tail = Tail::read(&folder.join(Event::FILE))?;
        let mut seen = Self {
            state: State::Waiting,
            updates_done: 0,
            end: planned.end,
            last: None,
            figure: None,
            average: None,
            seconds_per_update: None,
        };
        let mut evaluation = seen.follow(&tail.text);
        seen.state = state(folder, tail.fresh)?;
        if let State::Done(outcome) = &seen.state {
            seen.updates_done = outcome.updates_done;
            evaluation = outcome.last().cloned();
        }
        if let Some(point) = evaluation {
            let (info, average) = (&planned.info, point.average.as_ref());
            seen.figure = info.objective_in(&point.metrics).cloned();
            seen.average = average.and_then(|metrics| info.objective_in(metrics).cloned());
        }
        Ok(seen)
    }

    /// Takes note of lines of a log, and gives the last evaluation among them. What is no event
    /// yet is half written; what never becomes one is an error to those who go on with the run.
    fn follow(&mut self, lines: &str) -> Option<ValidationPoint> {
        let mut evaluation = None;
        let (mut seconds_in_all, mut updates) = (0.0, 0_u32);
        for line in lines.lines() {
            match serde_json::from_str(line) {
                Ok(Event::Updated {
                    update,
                    hyper,
                    metrics,
                    seconds,
                }) => {
                    self.updates_done = update.saturating_add(1);
                    self.last = Some((hyper, metrics));
                    seconds_in_all += seconds;
                    updates += 1;
                }
                Ok(Event::Evaluated(point)) => evaluation = Some(point),
                _ => {}
            }
        }
        self.seconds_per_update = (updates > 0).then(|| seconds_in_all / f64::from(updates));
        evaluation
    }

    /// Seconds of training that are left at the pace of the last updates, evaluations not counted.
    pub fn seconds_left(&self) -> Option<f64> {
        let left = self.end.saturating_sub(self.updates_done);
        Some(left as f64 * self.seconds_per_update?)
    }
}

impl State {
    /// What happens in the folder of something that is not done.
    pub(crate) fn of_unfinished(folder: &Path) -> Result<Self, Error> {
        if Lock::is_held(folder)? {
            Ok(Self::AtWork(Some(Lock::holder(folder)?.1)))
        } else if let Some(failure) = Failure::read(folder)? {
            Ok(Self::Failed(failure.reason))
        } else {
            Ok(Self::Waiting)
        }
    }
}

fn state(folder: &Path, fresh: bool) -> Result<State, Error> {
    if let Some(outcome) = read_outcome(folder)? {
        return Ok(State::Done(Box::new(outcome)));
    }
    match State::of_unfinished(folder)? {
        // Where locks do not reach this machine, only this shows it.
        State::Waiting if fresh && !was_here(folder)? => Ok(State::AtWork(None)),
        state => Ok(state),
    }
}

/// Whether a process of this machine, whose lock would be seen, was the last to work on a run.
fn was_here(folder: &Path) -> Result<bool, Error> {
    let locked = folder.join(Lock::FILE).exists();
    Ok(locked && Lock::holder(folder)?.1 == Machine::here().host)
}

/// The end of a log.
struct Tail {
    /// Whole lines, but for the last one, which may be half written.
    text: String,
    fresh: bool,
}

impl Tail {
    fn read(path: &Path) -> Result<Self, Error> {
        if !path.exists() {
            let (text, fresh) = (String::new(), false);
            return Ok(Self { text, fresh });
        }
        let read = || {
            let mut file = open_regular(path)?;
            let metadata = file.metadata()?;
            let skipped = metadata.len().saturating_sub(TAIL);
            file.seek(SeekFrom::Start(skipped))?;
            let mut bytes = Vec::new();
            file.take(TAIL).read_to_end(&mut bytes)?;
            let start = match skipped {
                0 => 0,
                _ => bytes
                    .iter()
                    .position(|&b| b == b'\n')
                    .map_or(bytes.len(), |n| n + 1),
            };
            // A clock that stands behind that of the file server shows a time to come: just now.
            let age = SystemTime::now().duration_since(metadata.modified()?);
            Ok(Self {
                text: String::from_utf8_lossy(&bytes[start..]).into_owned(),
                fresh: age.unwrap_or_default() < FRESH,
            })
        };
        read().map_err(Error::io("read", path))
    }
}
