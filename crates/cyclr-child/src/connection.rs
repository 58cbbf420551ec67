//! The way to the cyclr that started this process: its pipes, or, where a launcher closed them,
//! its socket.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::protocol::{Answer, Call, ErrorObject, Request, Version};

/// What is asked of this process.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "it has no method")]
pub(crate) enum Asked {
    Call(Call),
    /// A method that is none of the protocol's, such as one of a later version.
    Unknown {
        method: String,
    },
}

/// One message a line, in both directions.
pub(crate) struct Connection {
    requests: Box<dyn BufRead + Send>,
    answers: Box<dyn Write + Send>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

impl Connection {
    /// `None` if no cyclr started this process.
    pub(crate) fn open() -> Result<Option<Self>, Error> {
        // cyclr sets ASCII: a variable that is not UTF-8 is none of its own.
        let Ok(pipes) = env::var("CYCLR_FD") else {
            return Ok(None);
        };
        if let Some((requests, answers)) = opened(&pipes) {
            return Ok(Some(Self {
                requests: Box::new(BufReader::new(requests)),
                answers: Box::new(answers),
            }));
        }
        let unreached = |socket: String| Error::Unreached {
            pipes: pipes.clone(),
            socket,
        };
        let path = env::var_os("CYCLR_SOCKET").ok_or_else(|| unreached("there is none".into()))?;
        let socket = UnixStream::connect(path).map_err(|error| unreached(error.to_string()))?;
        Ok(Some(Self {
            requests: Box::new(BufReader::new(socket.try_clone()?)),
            answers: Box::new(socket),
        }))
    }

    pub(crate) fn hear(&mut self) -> Result<Request<Asked>, Error> {
        let mut line = String::new();
        if self.requests.read_line(&mut line)? == 0 {
            return Err(Error::Gone(io::ErrorKind::UnexpectedEof.into()));
        }
        serde_json::from_str(&line).map_err(|error| Error::NoRequest {
            reason: error.to_string(),
            line: line.trim_end().to_owned(),
        })
    }

    pub(crate) fn answer<T: Serialize>(
        &mut self,
        id: u64,
        outcome: Result<T, ErrorObject>,
    ) -> Result<(), Error> {
        let (result, error) = match outcome {
            Ok(result) => (Some(result), None),
            Err(error) => (None, Some(error)),
        };
        let answer = Answer {
            jsonrpc: Version::Two,
            id: Some(id),
            result,
            error,
        };
        let mut line = serde_json::to_vec(&answer).map_err(io::Error::from)?;
        line.push(b'\n');
        self.answers.write_all(&line)?;
        Ok(self.answers.flush()?)
    }
}

/// The pipes, if they are what cyclr says: a launcher may have closed them, and the program may
/// have opened files of its own at their numbers.
fn opened(pipes: &str) -> Option<(File, File)> {
    let (requests, answers) = pipes.split_once(',')?;
    let [requests, answers] = [requests, answers].map(|fd| format!("/dev/fd/{}", fd.trim()));
    // Without the variable the pipes are used as they are: `docs/protocol.md`.
    if let Ok(said) = env::var("CYCLR_PIPES") {
        let found = format!("{},{}", identity(&requests)?, identity(&answers)?);
        if found != said {
            return None;
        }
    }
    // A process that cannot open them has none; the socket is tried next.
    let requests = File::open(requests).ok()?;
    let answers = OpenOptions::new().write(true).open(answers).ok()?;
    Some((requests, answers))
}

/// The device and inode of what is open there.
fn identity(path: &str) -> Option<String> {
    // What cannot be looked at is no pipe of cyclr's.
    let found = fs::metadata(path).ok()?;
    Some(format!("{}:{}", found.dev(), found.ino()))
}
