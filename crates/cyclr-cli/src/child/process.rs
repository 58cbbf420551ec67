//! A child process in a group of its own, which ends with cyclr.

use std::fs::DirBuilder;
use std::io::{PipeReader, Write, pipe};
use std::os::unix::fs::DirBuilderExt;
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

/// Waits for a line from cyclr, and where cyclr ends without one, however it ends, kills the group and removes its folder.
const WATCHDOG: &str = "read -r _ || { kill -s KILL -- \"-$0\"; rm -rf -- \"$1\"; }";

/// The descriptors that a child finds its pipes at: below ten, because a shell can use no others.
const READ: i32 = 3;
const WRITE: i32 = 4;

/// A child and its watchdog.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    group: Pid,
    watchdog: Option<Child>,
    reaped: bool,
    folder: PathBuf,
}

impl Process {
    /// A folder for files that go between it and cyclr; it ends with the process.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts a command; hands back our ends of its pipes, and of what it prints.
    pub(super) fn start(command: &[String]) -> std::io::Result<(Self, Channel, PipeReader)> {
        let (their_requests, our_requests) = pipe()?;
        let (our_answers, their_answers) = pipe()?;
        let (our_output, their_output) = pipe()?;
        let mapped = |parent_fd, child_fd| FdMapping {
            parent_fd,
            child_fd,
        };
        let (program, args) = command.split_first().ok_or(std::io::ErrorKind::NotFound)?;
        let mut started = Command::new(program);
        started
            .args(args)
            .env("CYCLR_FD", format!("{READ},{WRITE}"))
            .stdin(Stdio::null())
            .stdout(their_output.try_clone()?)
            .stderr(their_output)
            .process_group(0)
            .fd_mappings(vec![
                mapped(their_requests.into(), READ),
                mapped(their_answers.into(), WRITE),
            ])
            .map_err(std::io::Error::other)?;
        if std::env::var_os("PYTHONUNBUFFERED").is_none() {
            // What a script prints should be in the log before it fails.
            started.env("PYTHONUNBUFFERED", "1");
        }
        let child = started.spawn()?;
        // Our copies of its ends: while one is open, the end of the child would not show.
        drop(started);
        let group = Pid::from_child(&child);
        let mut process = Self {
            child,
            group,
            watchdog: None,
            reaped: false,
            folder: std::env::temp_dir().join(format!(
                "cyclr-{}-{}",
                std::process::id(),
                group.as_raw_nonzero()
            )),
        };
        process.watchdog = Some(watchdog(group, process.folder())?);
        // After the watchdog has begun, so that there is no moment at which a kill would leave it behind.
        DirBuilder::new().mode(0o700).create(process.folder())?;
        Ok((
            process,
            Channel::new(our_requests, our_answers)?,
            our_output,
        ))
    }

    /// Whether it has not ended.
    pub(super) fn lives(&self) -> bool {
        // It is looked at and left as it is: as long as it is not reaped, nobody else can get its number.
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        !self.reaped && !matches!(waitid(WaitId::Pid(self.group), look), Ok(Some(_)) | Err(_))
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

    /// Ends it, and whatever is left of its group; how it ended, where that is known.
    pub(super) fn end(&mut self) -> Option<ExitStatus> {
        if self.reaped {
            return None;
        }
        if self.lives() {
            let _ = kill_process_group(self.group, Signal::TERM);
            self.wait(GRACE);
        }
        let _ = kill_process_group(self.group, Signal::KILL);
        if let Some(mut watchdog) = self.watchdog.take() {
            // It goes before the child is reaped, and its number perhaps another's.
            let told = watchdog.stdin.take().map(|mut pipe| pipe.write_all(b"\n"));
            if !matches!(told, Some(Ok(()))) {
                let _ = watchdog.kill();
            }
            let _ = watchdog.wait();
        }
        self.reaped = true;
        self.child.wait().ok()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn watchdog(group: Pid, folder: &Path) -> std::io::Result<Child> {
    Command::new("/bin/sh")
        .args(["-c", WATCHDOG])
        .arg(group.as_raw_nonzero().to_string())
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
}
