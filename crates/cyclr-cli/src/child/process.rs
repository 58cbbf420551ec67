//! A child process in a group that ends with cyclr.

use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{BufRead, BufReader, Error, ErrorKind, PipeReader, pipe};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use command_fds::{CommandFdExt, FdMapping};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::channel::Channel;

/// How long a child may take to end after SIGTERM, before it gets SIGKILL.
const GRACE: Duration = Duration::from_secs(3);

/// Makes the folder, says so, and waits for the end of cyclr, however it ends; then removes the
/// folder and kills the group, which it leads. A file that is made while the folder is removed
/// costs a second try.
const WATCHDOG: &str = "trap '' HUP INT PIPE QUIT TERM
mkdir -m 700 -- \"$1\" 2>&1 || exit
echo
exec >/dev/null 2>&1
read -r _
rm -rf -- \"$1\" || rm -rf -- \"$1\"
kill -s KILL -- \"-$$\"";

/// The descriptors that a child finds its pipes at: below ten, because a shell can use no others.
const READ: i32 = 3;
const WRITE: i32 = 4;

/// A child, and the watchdog that leads its group.
#[derive(Debug)]
pub(super) struct Process {
    watchdog: Watchdog,
    child: Child,
    pid: Pid,
    reaped: bool,
}

impl Process {
    /// A folder for files that go between it and cyclr; it ends with the process.
    pub(super) fn folder(&self) -> &Path {
        &self.watchdog.folder
    }

    /// Starts a command in a working directory; hands back our ends of its pipes, and of what it
    /// prints.
    pub(super) fn start(
        command: &[String],
        directory: Option<&Path>,
    ) -> std::io::Result<(Self, Channel, PipeReader)> {
        let (program, args) = command.split_first().ok_or(ErrorKind::InvalidInput)?;
        Self::spawn(program, directory, |started, folder| {
            started.args(args);
            let (their_requests, our_requests) = pipe()?;
            let (our_answers, their_answers) = pipe()?;
            hand_over(started, (their_requests.into(), their_answers.into()))?;
            let path = folder.join("socket");
            let listener = listen(&path)?;
            if listener.is_some() {
                started.env("CYCLR_SOCKET", &path);
            }
            Channel::new(our_requests, our_answers, listener)
        })
    }

    /// Starts a program in a working directory, after `prepare` has done the rest for it, given
    /// its folder; hands back what that made, and our end of what the program prints.
    pub(super) fn spawn<T>(
        program: &str,
        directory: Option<&Path>,
        prepare: impl FnOnce(&mut Command, &Path) -> std::io::Result<T>,
    ) -> std::io::Result<(Self, T, PipeReader)> {
        // First of all, so that there is no moment at which a kill would leave the child behind.
        let watchdog = Watchdog::start()?;
        let (our_output, their_output) = pipe()?;
        let mut started = Command::new(program);
        started
            .stdin(Stdio::null())
            .stdout(their_output.try_clone()?)
            .stderr(their_output)
            .process_group(watchdog.group.as_raw_nonzero().get());
        // Those of a cyclr that started this one.
        for name in cyclr_child::VARIABLES {
            started.env_remove(name);
        }
        let prepared = prepare(&mut started, &watchdog.folder)?;
        if let Some(directory) = directory {
            started.current_dir(directory);
        }
        if std::env::var_os("PYTHONUNBUFFERED").is_none() {
            // What a script prints should be in the log before it fails.
            started.env("PYTHONUNBUFFERED", "1");
        }
        let child = started.spawn()?;
        // Our copies of its ends: while one is open, the end of the child would not show.
        drop(started);
        let process = Self {
            pid: Pid::from_child(&child),
            child,
            watchdog,
            reaped: false,
        };
        Ok((process, prepared, our_output))
    }

    /// Whether it has not ended.
    pub(super) fn lives(&self) -> bool {
        // It is looked at and left as it is, so that how it ended can still be asked.
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        !self.reaped && !matches!(waitid(WaitId::Pid(self.pid), look), Ok(Some(_)) | Err(_))
    }

    /// Waits until it ends by itself; whether it did.
    pub(super) fn wait(&self, most: Duration) -> bool {
        let deadline = Instant::now() + most;
        let mut nap = Duration::from_millis(1);
        while self.lives() {
            if Instant::now() >= deadline {
                return false;
            }
            sleep(nap);
            nap = (2 * nap).min(Duration::from_millis(20));
        }
        true
    }

    /// Ends it, and whatever is left of its group; how it ended, if that is known.
    pub(super) fn end(&mut self) -> Option<ExitStatus> {
        if self.reaped {
            return None;
        }
        if self.lives() {
            // The watchdog does not heed it.
            let _ = kill_process_group(self.watchdog.group, Signal::TERM);
            self.wait(GRACE);
        }
        self.watchdog.end();
        self.reaped = true;
        self.child.wait().ok()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// Leads the child's group and owns its folder. Both end with it, and it ends with cyclr.
#[derive(Debug)]
struct Watchdog {
    process: Child,
    group: Pid,
    folder: PathBuf,
    ended: bool,
}

impl Watchdog {
    /// Starts it, and waits until its folder is made.
    fn start() -> std::io::Result<Self> {
        let folder = std::path::absolute(std::env::temp_dir())?;
        let folder = folder.join(format!("cyclr-{:016x}", random()));
        let mut process = Command::new("/bin/sh")
            .args(["-c", WATCHDOG, "cyclr-watchdog"])
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let mut line = String::new();
        if let Some(said) = process.stdout.take() {
            BufReader::new(said).read_line(&mut line)?;
        }
        if line != "\n" {
            let _ = process.wait();
            return Err(Error::other(format!(
                "no folder for it can be made, {}: {}; set TMPDIR to a folder that can be written to",
                folder.display(),
                line.trim()
            )));
        }
        Ok(Self {
            group: Pid::from_child(&process),
            process,
            folder,
            ended: false,
        })
    }

    /// Removes the folder and kills the whole group, itself last of all that there is to lose.
    fn end(&mut self) {
        if self.ended {
            return;
        }
        let left = fs::remove_dir_all(&self.folder);
        // It is not reaped yet, so that its number, which is the group's, is nobody else's.
        let _ = kill_process_group(self.group, Signal::KILL);
        let _ = self.process.wait();
        if left.is_err() {
            // A file that the child made meanwhile. Now there is nobody left who could.
            let _ = fs::remove_dir_all(&self.folder);
        }
        self.ended = true;
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.end();
    }
}

/// A socket at a path; `None` where there can be none, because the path is too long for one or the
/// file system has none. The pipes are then the only way.
fn listen(path: &Path) -> std::io::Result<Option<UnixListener>> {
    match UnixListener::bind(path) {
        Ok(listener) => Ok(Some(listener)),
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::InvalidInput | ErrorKind::Unsupported
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(Error::new(
            error.kind(),
            format!(
                "no socket can be made at {}: {error}; set TMPDIR to a folder that can be written to",
                path.display()
            ),
        )),
    }
}

/// Gives a command its ends of the pipes, to read requests from and to write answers to, and says
/// which they are.
fn hand_over(command: &mut Command, (read, write): (OwnedFd, OwnedFd)) -> std::io::Result<()> {
    let pipes = format!("{},{}", identity(&read)?, identity(&write)?);
    let mappings = [(read, READ), (write, WRITE)].map(|(parent_fd, child_fd)| FdMapping {
        parent_fd,
        child_fd,
    });
    command
        .env("CYCLR_FD", format!("{READ},{WRITE}"))
        .env("CYCLR_PIPES", pipes)
        .fd_mappings(mappings.into())
        .map_err(Error::other)?;
    Ok(())
}

/// A number that nobody else has: the standard library keys its hashers at random.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// `DEVICE:INODE` of a descriptor, by which a process can tell whether it has the same file.
fn identity(descriptor: &OwnedFd) -> std::io::Result<String> {
    let file = File::from(descriptor.try_clone()?).metadata()?;
    Ok(format!("{}:{}", file.dev(), file.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_too_long_is_told_from_other_troubles() {
        let folder = tempfile::tempdir().unwrap();
        assert!(listen(&folder.path().join("socket")).unwrap().is_some());
        let long = folder.path().join("x".repeat(120));
        assert!(listen(&long).unwrap().is_none());
        let error = listen(&folder.path().join("gone/socket")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("TMPDIR"), "{error}");
        let taken = listen(&folder.path().join("socket")).unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AddrInUse);
    }
}
