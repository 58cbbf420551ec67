//! Lines to a child and back, each within a time.

use std::fs::File;
use std::io::{ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How often a waiting parent looks whether the child still lives: somebody else may hold its end
/// of the pipe.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The longest line that is read.
const LONGEST: usize = 1 << 28;

/// Our ends of the two pipes, or of the socket that a child behind a launcher has connected to in
/// their place.
#[derive(Debug)]
pub(super) struct Channel {
    requests: File,
    answers: File,
    /// Where the child may still connect. Given up with the first answer.
    listener: Option<UnixListener>,
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

/// How an exchange is watched while it waits.
pub(super) struct Waiting<'a> {
    /// When it is given up.
    pub(super) deadline: Instant,
    /// Whether the child is still there.
    pub(super) lives: &'a mut dyn FnMut() -> bool,
    /// Is called now and then; it is told whether the child has read anything, or connected.
    pub(super) heard: &'a mut dyn FnMut(bool),
}

impl Channel {
    pub(super) fn new(
        requests: PipeWriter,
        answers: PipeReader,
        listener: Option<UnixListener>,
    ) -> std::io::Result<Self> {
        if let Some(listener) = &listener {
            listener.set_nonblocking(true)?;
        }
        let mut channel = Self {
            requests: File::from(OwnedFd::from(requests)),
            answers: File::from(OwnedFd::from(answers)),
            listener,
            rest: Vec::new(),
        };
        channel.make_nonblocking()?;
        Ok(channel)
    }

    fn make_nonblocking(&mut self) -> std::io::Result<()> {
        rustix::io::ioctl_fionbio(&self.requests, true)?;
        rustix::io::ioctl_fionbio(&self.answers, true)?;
        Ok(())
    }

    /// Writes a line, which has its end with it, and reads the line in answer, without its end.
    pub(super) fn exchange(
        &mut self,
        line: &[u8],
        waiting: &mut Waiting,
    ) -> Result<Vec<u8>, Broken> {
        loop {
            let answer = match self.write(line, waiting) {
                Ok(()) => self.read(waiting),
                Err(broken) => Err(broken),
            };
            match answer {
                Ok(Some(answer)) => {
                    self.listener = None;
                    return Ok(answer);
                }
                // The child has connected to the socket, where the request is not yet.
                Ok(None) => {}
                Err(Broken::Closed(begun)) => self.wait_for_connection(begun, waiting)?,
                Err(broken) => return Err(broken),
            }
        }
    }

    /// Whether the child has read all that was written.
    fn is_read(&self) -> bool {
        // Where the system cannot say, nothing is claimed.
        rustix::io::ioctl_fionread(&self.requests).map_or(true, |unread| unread == 0)
    }

    fn write(&mut self, mut line: &[u8], waiting: &mut Waiting) -> Result<(), Broken> {
        while !line.is_empty() {
            match self.requests.write(line) {
                Ok(n) => line = &line[n..],
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => {
                        wait(&self.requests, PollFlags::OUT, waiting.deadline)?;
                        if !(waiting.lives)() {
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

    /// Reads a line, without its end; `None` if the child has connected to the socket in the
    /// meantime.
    fn read(&mut self, waiting: &mut Waiting) -> Result<Option<Vec<u8>>, Broken> {
        let mut searched = 0;
        loop {
            if let Some(end) = self.rest[searched..].iter().position(|&b| b == b'\n') {
                let rest = self.rest.split_off(searched + end + 1);
                let mut line = std::mem::replace(&mut self.rest, rest);
                line.pop();
                return Ok(Some(line));
            }
            searched = self.rest.len();
            if searched > LONGEST {
                return Err(Broken::TooLong);
            }
            let ready = wait(&self.answers, PollFlags::IN, waiting.deadline)?;
            // Asked before the last look into the pipe, so that nothing is missed that it wrote
            // before its end.
            let lives = ready || (waiting.lives)();
            if !self.read_some()? && !lives {
                return Err(Broken::Closed(std::mem::take(&mut self.rest)));
            }
            if !ready {
                if self.accept().map_err(Broken::Io)? {
                    return Ok(None);
                }
                (waiting.heard)(self.is_read());
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
                ErrorKind::ConnectionReset => Err(Broken::Closed(std::mem::take(&mut self.rest))),
                _ => Err(Broken::Io(error)),
            },
        }
    }

    /// A launcher has closed the pipes and lives: the script may still connect to the socket.
    fn wait_for_connection(&mut self, begun: Vec<u8>, waiting: &mut Waiting) -> Result<(), Broken> {
        let mut lives = true;
        while begun.is_empty() && lives {
            let Some(listener) = &self.listener else {
                break;
            };
            wait(listener, PollFlags::IN, waiting.deadline)?;
            // Asked before the last look, as above.
            lives = (waiting.lives)();
            if self.accept().map_err(Broken::Io)? {
                return Ok(());
            }
            (waiting.heard)(false);
        }
        Err(Broken::Closed(begun))
    }

    /// Goes over to the socket if a child has connected to it; whether it has.
    fn accept(&mut self) -> std::io::Result<bool> {
        let Some(listener) = &self.listener else {
            return Ok(false);
        };
        let stream: UnixStream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        };
        self.listener = None;
        self.requests = File::from(OwnedFd::from(stream.try_clone()?));
        self.answers = File::from(OwnedFd::from(stream));
        self.make_nonblocking()?;
        Ok(true)
    }
}

/// Waits a moment for a descriptor; whether it is ready.
fn wait(descriptor: &impl AsFd, what: PollFlags, deadline: Instant) -> Result<bool, Broken> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(Broken::TimeOut);
    }
    let moment = left.min(LOOK_EVERY);
    let timeout = Timespec {
        tv_sec: 0,
        tv_nsec: i64::from(moment.subsec_nanos()),
    };
    match poll(&mut [PollFd::new(descriptor, what)], Some(&timeout)) {
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(Broken::Io(error.into())),
    }
}
