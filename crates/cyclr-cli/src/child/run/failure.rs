//! Why a child's run fails: it gave no answer or a wrong one, or cannot do what is asked.

use std::process::ExitStatus;
use std::time::Duration;

use cyclr::trainer::TrainerError;

use super::{Child, HINT, LAST_WORDS};
use crate::child::channel::Broken;

impl Child {
    /// Ends a child that gave no answer.
    pub(super) fn give_up(
        &mut self,
        method: &str,
        broken: &Broken,
        limit: Duration,
    ) -> TrainerError {
        if self.channel.take().is_none() {
            return failed(String::from("the child has ended already"));
        }
        let mut ended = false;
        let reason = match broken {
            Broken::TimeOut => {
                self.process.end();
                format!(
                    "the child has not answered `{method}` within {:.0} s, and was killed (--child-timeout sets the limit)",
                    limit.as_secs_f64().ceil()
                )
            }
            Broken::Closed(begun) => {
                let status = self.end_status();
                ended = status.is_some();
                let how = status.map_or_else(
                    || String::from("closed its descriptors"),
                    |status| format!("ended ({status})"),
                );
                if begun.is_empty() {
                    format!("the child {how} and has not answered `{method}`")
                } else {
                    format!(
                        "the child {how} in the middle of its answer to `{method}`, after {}",
                        shown(begun)
                    )
                }
            }
            Broken::TooLong => {
                format!("the child's answer to `{method}` is a line without an end")
            }
            Broken::Io(error) => format!("the child cannot be asked for `{method}`: {error}"),
        };
        let reason = self.last_lines_after(&reason);
        let silent = match broken {
            Broken::TimeOut => true,
            Broken::Closed(begun) => begun.is_empty(),
            Broken::TooLong | Broken::Io(_) => false,
        };
        // After what the program itself says, which is more often the cause.
        let reason = if silent && !self.heard {
            format!("{reason}\nit has not asked cyclr for anything: {HINT}")
        } else {
            reason
        };
        if ended {
            TrainerError::Ended { reason }
        } else {
            failed(reason)
        }
    }

    /// How a child that has closed its pipes ended, if it did so by itself.
    fn end_status(&mut self) -> Option<ExitStatus> {
        let by_itself = self.process.wait(LAST_WORDS);
        self.process.end().filter(|_| by_itself)
    }

    /// The error for an answer that is none.
    pub(super) fn wrong(&self, what: &str) -> TrainerError {
        self.with_last_lines(&format!(
            "the child answered what the protocol does not allow: {what}"
        ))
    }

    pub(super) fn with_last_lines(&self, reason: &str) -> TrainerError {
        failed(self.last_lines_after(reason))
    }

    fn last_lines_after(&self, reason: &str) -> String {
        if self.channel.is_none() {
            self.output.wait(LAST_WORDS);
        }
        match self.output.last_lines() {
            Some(lines) => format!("{reason}; the last lines that it printed:\n{lines}"),
            None => format!("{reason}; it printed nothing"),
        }
    }

    /// The error for what the facts say cannot be done.
    pub(super) fn cannot<T>(what: &'static str, reason: &str) -> Result<T, TrainerError> {
        let reason = String::from(reason);
        Err(TrainerError::Unsupported { what, reason })
    }
}

pub(in crate::child) fn failed(reason: String) -> TrainerError {
    TrainerError::Failed { reason }
}

/// The start of a line, for people.
pub(super) fn shown(line: &[u8]) -> String {
    const MOST: usize = 160;
    let text = String::from_utf8_lossy(line);
    let start: String = text.chars().take(MOST).collect();
    let more = if start.len() < text.len() { "…" } else { "" };
    format!("`{start}{more}`")
}
