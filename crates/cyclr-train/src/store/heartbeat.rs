//! Whether a lock that is held on one machine is seen on another.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::files::{if_there, write_atomically};
use super::lock::patiently;
use super::regular::{check_place, open_regular, read_regular_text};
use crate::{Error, Machine};

/// The file of a unit on whose machine the lock was not seen.
const UNLOCKED: &str = "unlocked.txt";

/// How often the holder writes that it lives.
const BEATS: Duration = Duration::from_secs(5);

/// A lock that a coordinator holds while others work for it, and a count in it that rises.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    path: PathBuf,
    file: File,
    beats: u64,
    last: Instant,
}

impl Heartbeat {
    /// The file of its own kind that is locked.
    pub(crate) const FILE: &str = ".coordinator";

    /// Takes the lock and begins to count, in a folder that this process holds already.
    pub(crate) fn start(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(Self::FILE);
        check_place(&path).map_err(Error::io("write", &path))?;
        let open = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path);
        let file = open.map_err(Error::io("write", &path))?;
        // A unit may look at this moment.
        match patiently(|| file.try_lock()) {
            Ok(()) | Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(source)) => return Err(Error::io("lock", &path)(source)),
        }
        let mut heartbeat = Self {
            path,
            file,
            beats: 0,
            last: Instant::now(),
        };
        heartbeat.write()?;
        Ok(heartbeat)
    }

    /// Is called about once a second.
    pub(crate) fn beat(&mut self) -> Result<(), Error> {
        if self.last.elapsed() < BEATS {
            return Ok(());
        }
        self.beats += 1;
        self.last = Instant::now();
        self.write()
    }

    fn write(&mut self) -> Result<(), Error> {
        let said = format!("{} {}\n", Machine::here().host, self.beats);
        let mut write = || {
            self.file.set_len(0)?;
            self.file.rewind()?;
            self.file.write_all(said.as_bytes())
        };
        write().map_err(Error::io("write", &self.path))
    }
}

/// Looks whether a lock of a comparison's coordinator is seen on this machine, and writes into the
/// folder of a unit if it is not: if the coordinator is seen to live, and its lock is not. If it
/// does not live, nothing can be said, and nothing is wrong.
///
/// # Errors
/// [`Error::Io`].
pub fn check_lock(folder: &Path, unit: &Path) -> Result<bool, Error> {
    let host = &Machine::here().host;
    let reaches = reaches(folder, host, 2 * BEATS + BEATS / 2)?;
    if !reaches {
        write_atomically(&unit.join(UNLOCKED), host.as_bytes())?;
    }
    Ok(reaches)
}

/// The host on which a unit was made without a lock, if one was.
pub(crate) fn unlocked(unit: &Path) -> Result<Option<String>, Error> {
    let path = unit.join(UNLOCKED);
    if_there(read_regular_text(&path).map_err(Error::io("read", &path)))
}

fn reaches(folder: &Path, here: &str, patience: Duration) -> Result<bool, Error> {
    let path = folder.join(Heartbeat::FILE);
    if !path.exists() {
        return Ok(true);
    }
    let file = open_regular(&path).map_err(Error::io("read", &path))?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => return Ok(true),
        Err(TryLockError::Error(source)) => return Err(Error::io("lock", &path)(source)),
        Ok(()) => drop(file),
    }
    let said = || read_regular_text(&path).map_err(Error::io("read", &path));
    let before = said()?;
    if before.split_whitespace().next() == Some(here) {
        return Ok(true);
    }
    sleep(patience);
    Ok(said()? == before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_is_held_reaches() {
        let folder = tempfile::tempdir().unwrap();
        assert!(
            reaches(folder.path(), "elsewhere", Duration::ZERO).unwrap(),
            "no coordinator"
        );
        let _beacon = Heartbeat::start(folder.path()).unwrap();
        assert!(reaches(folder.path(), "elsewhere", Duration::ZERO).unwrap());
    }

    #[test]
    fn a_coordinator_that_lives_and_holds_nothing_here_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let mut heartbeat = Heartbeat::start(folder.path()).unwrap();
        // As on a file system that keeps locks to itself.
        heartbeat.file.unlock().unwrap();
        let patience = Duration::from_millis(200);
        assert!(
            reaches(folder.path(), "elsewhere", patience).unwrap(),
            "it may be gone"
        );
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..100 {
                    heartbeat.beats += 1;
                    heartbeat.write().unwrap();
                    sleep(Duration::from_millis(5));
                }
            });
            assert!(!reaches(folder.path(), "elsewhere", patience).unwrap());
            assert!(reaches(folder.path(), &Machine::here().host, patience).unwrap());
        });
    }
}
