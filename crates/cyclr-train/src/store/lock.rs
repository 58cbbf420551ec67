use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Seek, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::store::regular::{check_place, open_regular, read_regular_text};
use crate::{Error, Machine};

/// The right to write into a folder, held by one process at a time.
///
/// It is a lock of the operating system on the file `.lock`, so that it ends with the process,
/// even when that is killed. The file holds the number of the process and its host, for the
/// message.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Tries again for a moment: a process that is just being started holds what its parent held,
/// until it becomes another program.
pub(super) fn patiently(
    try_lock: impl Fn() -> Result<(), TryLockError>,
) -> Result<(), TryLockError> {
    for _ in 0..20 {
        match try_lock() {
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(20)),
            done => return done,
        }
    }
    try_lock()
}

impl Lock {
    /// The name of the file in the folder.
    pub const FILE: &str = ".lock";

    /// Whether somebody holds the lock of a folder, as far as this machine can see.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn is_held(folder: &Path) -> Result<bool, Error> {
        let path = folder.join(Self::FILE);
        if !path.exists() {
            return Ok(false);
        }
        let file = open_regular(&path).map_err(Error::io("read", &path))?;
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(source)) => Err(Error::io("lock", &path)(source)),
        }
    }

    /// The process that took a lock last, and its host; `?` for what it has not written yet.
    pub(super) fn holder(folder: &Path) -> Result<(String, String), Error> {
        let path = folder.join(Self::FILE);
        let said = read_regular_text(&path).map_err(Error::io("read", &path))?;
        let mut words = said.split_whitespace().map(String::from);
        let mut word = || words.next().unwrap_or_else(|| String::from("?"));
        Ok((word(), word()))
    }

    /// Takes the lock of a folder that exists.
    ///
    /// # Errors
    /// [`Error::Locked`] if another holder has it; [`Error::Io`] if the folder cannot be written
    /// to.
    pub fn take(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(Self::FILE);
        check_place(&path).map_err(Error::io("write", &path))?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(Error::io("write", &path))?;
        match patiently(|| file.try_lock()) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let (pid, host) = Self::holder(folder)?;
                let path = folder.to_owned();
                return Err(Error::Locked { path, pid, host });
            }
            Err(TryLockError::Error(source)) => return Err(Error::io("lock", &path)(source)),
        }
        let mut write_down = || {
            file.set_len(0)?;
            file.rewind()?;
            let holder = format!("{} {}", std::process::id(), Machine::here().host);
            file.write_all(holder.as_bytes())
        };
        write_down().map_err(Error::io("write", &path))?;
        Ok(Self { _file: file })
    }
}
