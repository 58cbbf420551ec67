//! Lines to a child and back, each within a time.

use std::io::{ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How often a waiting parent looks whether the child still lives: somebody else may hold its end of the pipe.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The longest line that is read.
const LONGEST: usize = 1 << 28;

/// Our ends of the two pipes.
#[derive(Debug)]
pub(super) struct Channel {
    requests: PipeWriter,
    answers: PipeReader,
    /// What was read beyond the last line.
    rest: Vec<u8>,
}

/// Why no line came or went.
#[derive(Debug)]
pub(super) enum Broken {
    /// The time is over.
    TimeOut,
    /// The child is dead, or has closed its end. What it had written of a line.
    Closed(Vec<u8>),
    /// A line that does not end.
    TooLong,
    /// The system failed.
    Io(std::io::Error),
}

impl Channel {
    pub(super) fn new(requests: PipeWriter, answers: PipeReader) -> std::io::Result<Self> {
        rustix::io::ioctl_fionbio(&requests, true)?;
        rustix::io::ioctl_fionbio(&answers, true)?;
        Ok(Self {
            requests,
            answers,
            rest: Vec::new(),
        })
    }

    /// Writes a line, which has its end with it.
    pub(super) fn write(
        &mut self,
        mut line: &[u8],
        deadline: Instant,
        lives: &mut dyn FnMut() -> bool,
    ) -> Result<(), Broken> {
        while !line.is_empty() {
            match self.requests.write(line) {
                Ok(n) => line = &line[n..],
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => {
                        wait(&self.requests, PollFlags::OUT, deadline)?;
                        if !lives() {
                            return Err(Broken::Closed(Vec::new()));
                        }
                    }
                    ErrorKind::Interrupted => {}
                    ErrorKind::BrokenPipe => return Err(Broken::Closed(Vec::new())),
                    _ => return Err(Broken::Io(error)),
                },
            }
        }
        Ok(())
    }

    /// Reads a line, without its end.
    pub(super) fn read(
        &mut self,
        deadline: Instant,
        lives: &mut dyn FnMut() -> bool,
    ) -> Result<Vec<u8>, Broken> {
        let mut searched = 0;
        loop {
            if let Some(end) = self.rest[searched..].iter().position(|&b| b == b'\n') {
                let rest = self.rest.split_off(searched + end + 1);
                let mut line = std::mem::replace(&mut self.rest, rest);
                line.pop();
                return Ok(line);
            }
            searched = self.rest.len();
            if searched > LONGEST {
                return Err(Broken::TooLong);
            }
            let ready = wait(&self.answers, PollFlags::IN, deadline)?;
            // Asked before the last look into the pipe, so that nothing is missed that it wrote before its end.
            let lives = ready || lives();
            if !self.read_some()? && !lives {
                return Err(Broken::Closed(std::mem::take(&mut self.rest)));
            }
        }
    }

    /// Reads what is there; whether that was anything.
    fn read_some(&mut self) -> Result<bool, Broken> {
        let mut bytes = [0; 8192];
        match self.answers.read(&mut bytes) {
            Ok(0) => Err(Broken::Closed(std::mem::take(&mut self.rest))),
            Ok(n) => {
                self.rest.extend(&bytes[..n]);
                Ok(true)
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::Interrupted => Ok(false),
                _ => Err(Broken::Io(error)),
            },
        }
    }
}

/// Waits a moment for a pipe; whether it is ready.
fn wait(pipe: &impl AsFd, what: PollFlags, deadline: Instant) -> Result<bool, Broken> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(Broken::TimeOut);
    }
    let moment = left.min(LOOK_EVERY);
    let timeout = Timespec {
        tv_sec: 0,
        tv_nsec: i64::from(moment.subsec_nanos()),
    };
    match poll(&mut [PollFd::new(pipe, what)], Some(&timeout)) {
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(Broken::Io(error.into())),
    }
}
