//! Units that a launcher has made elsewhere: the unit `begin`, and runs.
//!
//! A launcher is a program that is called as `LAUNCHER DIR UNIT…` and returns when all of them have
//! ended. What came of them is read from the folder alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::thread::sleep;
use std::time::Duration;

use super::call::{call, check_program};
use super::runs::Job;
use super::{CompareEvent, Comparing, Observer};
use crate::compare::folder::Folder;
use crate::compare::{Begin, Work};
use crate::store::{Failure, Heartbeat, Lock, RunFolder, Seen, Stage, State, stage};
use crate::{Error, Event, Interrupt};

/// Has what a comparison must know before its plan is made measured by a launcher, if that has not
/// been done, and writes down what its units need. The process that calls this starts no trainer.
///
/// # Errors
/// [`Error::Launcher`], [`Error::NoProgress`], [`Error::RunsFailed`], [`Error::Refused`], [`Error::Interrupted`];
/// [`Error::Occupied`] and [`Error::Locked`] for the folder.
pub fn launch_begin(
    folder: &Path,
    launcher: &Path,
    work: &Work,
    interrupt: &Interrupt,
) -> Result<Begin, Error> {
    check_program(launcher)?;
    let folder = Folder::take(folder)?;
    folder.write_work(work)?;
    launch_begin_until(&folder, launcher, interrupt, &|| Ok(folder.has_begin()))?;
    folder.read_begin()
}

/// Has the unit `begin` made until it has come so far.
pub(super) fn launch_begin_until(
    folder: &Folder,
    launcher: &Path,
    interrupt: &Interrupt,
    is_done: &dyn Fn() -> Result<bool, Error>,
) -> Result<(), Error> {
    let mut launcher = Launcher::new(launcher, folder.path(), interrupt)?;
    let made = launcher.make(&mut Units {
        names: vec![String::from(Begin::UNIT)],
        declare: &|| Ok(()),
        reached: &|_| {
            Ok(Reached {
                done: is_done()?,
                updates: folder.steps_of_begin()?,
            })
        },
        look: &mut || Ok(()),
    });
    match (&made, Failure::read(&folder.path().join(Begin::UNIT))?) {
        (
            Err(Error::RunsFailed { .. }),
            Some(Failure {
                no_answer: Some(reason),
                ..
            }),
        ) => Err(Error::NoBounds {
            reason,
            sweeps: folder.sweeps(),
        }),
        _ => made,
    }
}

/// How far a unit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reached {
    done: bool,
    /// The updates from which it would go on.
    updates: u64,
}

/// Units to make, and what can be told of them.
struct Units<'u> {
    /// Their folders within the comparison's.
    names: Vec<String>,
    /// Makes those folders that are not there.
    declare: &'u dyn Fn() -> Result<(), Error>,
    reached: &'u dyn Fn(&str) -> Result<Reached, Error>,
    /// Is called about once a second.
    look: &'u mut dyn FnMut() -> Result<(), Error>,
}

/// A launcher of a comparison's units.
struct Launcher<'a> {
    program: PathBuf,
    folder: PathBuf,
    interrupt: &'a Interrupt,
    heartbeat: Heartbeat,
}

impl<'a> Launcher<'a> {
    fn new(program: &Path, folder: &Path, interrupt: &'a Interrupt) -> Result<Self, Error> {
        let absolute = |path: &Path| std::path::absolute(path).map_err(Error::io("find", path));
        Ok(Self {
            program: absolute(program)?,
            folder: absolute(folder)?,
            interrupt,
            heartbeat: Heartbeat::start(folder)?,
        })
    }

    /// Has units made, in rounds, for as long as some unit gets further.
    fn make(&mut self, units: &mut Units) -> Result<(), Error> {
        (units.declare)()?;
        let mut before = units.reached()?;
        for name in unfinished(&before) {
            if !self.is_busy(name)? {
                Failure::forget(&self.folder.join(name))?;
            }
        }
        loop {
            let (left, failed) = self.left(&before)?;
            if left.is_empty() && failed.is_empty() {
                return Ok(());
            }
            if left.is_empty() {
                let runs = units.names.len();
                return Err(Error::RunsFailed { failed, runs });
            }
            let status = self.round(&left, units.look)?;
            (units.declare)()?;
            let now = units.reached()?;
            let further = now != before || self.left(&now)?.1.len() > failed.len();
            match status {
                Some(status) if !further => {
                    return Err(Error::NoProgress {
                        units: left,
                        status: status.to_string(),
                    });
                }
                _ => before = now,
            }
        }
    }

    /// What is to be made still, and what has failed, with the reason. A unit that was refused is
    /// an error at once, as it is where one process makes all.
    #[expect(clippy::type_complexity, reason = "two lists")]
    fn left(
        &self,
        reached: &[(String, Reached)],
    ) -> Result<(Vec<String>, Vec<(String, String)>), Error> {
        let (mut left, mut failed) = (Vec::new(), Vec::new());
        for name in unfinished(reached) {
            match Failure::read(&self.folder.join(name))? {
                Some(failure) if failure.refused => {
                    return Err(Error::Refused {
                        unit: name.to_owned(),
                        reason: failure.reason,
                    });
                }
                Some(failure) => failed.push((name.to_owned(), failure.reason)),
                None => left.push(name.to_owned()),
            }
        }
        Ok((left, failed))
    }

    /// Calls the launcher for those of the units that nobody works on; `None` if there are none.
    /// There may be somebody where an earlier coordinator was killed.
    fn round(
        &mut self,
        left: &[String],
        look: &mut dyn FnMut() -> Result<(), Error>,
    ) -> Result<Option<ExitStatus>, Error> {
        let mut free = Vec::new();
        for name in left {
            if !self.is_busy(name)? {
                free.push(name.as_str());
            }
        }
        if !free.is_empty() {
            let (program, folder) = (&self.program, &self.folder);
            let mut look = || self.heartbeat.beat().and_then(|()| look());
            return call(program, folder, &free, self.interrupt, &mut look).map(Some);
        }
        self.interrupt.check()?;
        sleep(Duration::from_secs(1));
        look()?;
        Ok(None)
    }

    fn is_busy(&self, unit: &str) -> Result<bool, Error> {
        Lock::is_held(&self.folder.join(unit))
    }
}

impl Units<'_> {
    fn reached(&self) -> Result<Vec<(String, Reached)>, Error> {
        let names = self.names.iter();
        let reached = names.map(|name| Ok((name.clone(), (self.reached)(name)?)));
        reached.collect()
    }
}

fn unfinished(units: &[(String, Reached)]) -> impl Iterator<Item = &str> {
    let left = units.iter().filter(|(_, reached)| !reached.done);
    left.map(|(name, _)| name.as_str())
}

impl Comparing<'_> {
    /// Has runs made by a launcher. Afterwards all of them have their results.
    pub(super) fn launch(
        &self,
        launcher: &Path,
        jobs: &[Job],
        observer: Observer,
    ) -> Result<(), Error> {
        let place = self.folder.path();
        let mut followed = vec![Followed::default(); jobs.len()];
        let mut look = |made_before| {
            let mut runs = followed.iter_mut().zip(jobs);
            runs.try_for_each(|(followed, job)| self.follow(followed, job, made_before, observer))
        };
        look(true)?;
        Launcher::new(launcher, place, self.interrupt)?.make(&mut Units {
            names: jobs.iter().map(|job| job.name.folder.clone()).collect(),
            declare: &|| jobs.iter().try_for_each(|job| self.declare(job)),
            reached: &|name| reached(&place.join(name)),
            look: &mut || look(false),
        })
    }

    /// Shows the last update of a run, if its log has grown. The updates before it were made before
    /// this process began, or since.
    fn follow(
        &self,
        followed: &mut Followed,
        job: &Job,
        made_before: bool,
        observer: Observer,
    ) -> Result<(), Error> {
        let folder = self.folder.path().join(&job.name.folder);
        // A run without a log has not begun. Any other error comes up where its result is read.
        let length = fs::metadata(folder.join(Event::FILE)).map_or(0, |log| log.len());
        if followed.done || length == followed.length {
            return Ok(());
        }
        followed.length = length;
        let seen = Seen::of(&folder)?;
        followed.done = matches!(seen.state, State::Done(_));
        let mut emit = |event| {
            let name = job.name.clone();
            observer(&CompareEvent::Run { name, event });
        };
        if !followed.begun {
            followed.begun = true;
            emit(Event::Started {
                updates_done: if made_before { seen.updates_done } else { 0 },
                end: seen.end,
                updates_per_epoch: self.info.updates_per_epoch(),
                resumable: self.info.snapshots,
            });
        }
        if let Some((hyper, metrics)) = seen.last {
            emit(Event::Updated {
                update: seen.updates_done.saturating_sub(1),
                hyper,
                metrics,
                seconds: seen.seconds_per_update.unwrap_or(f64::NAN),
            });
        }
        Ok(())
    }
}

/// What has been shown of a run that is made elsewhere.
#[derive(Clone, Default)]
struct Followed {
    begun: bool,
    done: bool,
    /// The bytes of its log at the last look.
    length: u64,
}

/// How far a run is.
fn reached(folder: &Path) -> Result<Reached, Error> {
    // A client of a network's file system may remember that a file is not there until it reads the
    // folder.
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
        entry.map_err(Error::io("read", folder))?;
    }
    Ok(Reached {
        done: stage(folder)? == Stage::Finished,
        updates: RunFolder::saved(folder)?,
    })
}
