//! What a child prints.

use std::io::{PipeReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use crate::say::last_version;

/// The bytes that are kept until they are asked for; a child that prints more loses the oldest.
const MOST: usize = 256 * 1024;

/// The bytes at the end that are kept for the message of a failure, and the lines of them that it
/// shows.
const TAIL: usize = 4096;
const LINES: usize = 10;

/// What lines begin with in which cyclr's Python package tells the user something.
const NOTES: [&str; 2] = ["cyclr: ", "cyclr drive: "];
/// A longer line is no such note, and a child that prints more of them than this is not read by
/// people.
const LONGEST_NOTE: usize = 1000;
const MOST_NOTES: usize = 20;

/// The collected output of a child, stdout and stderr in the order in which they were written.
#[derive(Debug)]
pub(super) struct Output(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    printed: Mutex<Printed>,
    closed: Condvar,
}

#[derive(Debug, Default)]
struct Printed {
    kept: Vec<u8>,
    /// Bytes that were dropped since the last ask.
    dropped: u64,
    tail: Vec<u8>,
    /// The line that is not yet complete, as far as a note may be long.
    line: Vec<u8>,
    /// The notes since the last ask.
    notes: Vec<String>,
    closed: bool,
}

impl Output {
    /// Collects from a pipe, in a thread that ends when nobody can write to it any more.
    pub(super) fn collect(mut pipe: PipeReader) -> Self {
        let shared = Arc::new(Shared::default());
        let ours = Arc::clone(&shared);
        thread::spawn(move || {
            let mut bytes = [0; 8192];
            loop {
                match pipe.read(&mut bytes) {
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    Ok(0) | Err(_) => break,
                    Ok(n) => ours.lock().add(&bytes[..n]),
                }
            }
            ours.lock().closed = true;
            ours.closed.notify_all();
        });
        Self(shared)
    }

    /// What was printed since the last ask, which says so where bytes of it were dropped.
    pub(super) fn take(&self) -> Vec<u8> {
        let (dropped, kept) = self.take_counted();
        noted(dropped, kept)
    }

    /// The bytes that were dropped since the last ask, and what was printed after them.
    pub(super) fn take_counted(&self) -> (u64, Vec<u8>) {
        self.0.lock().take()
    }

    /// What cyclr's Python package told the user since the last ask, a line each.
    pub(super) fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().notes)
    }

    /// Waits until everything has been collected, but not for ever: a process that left the
    /// child's group may still hold the pipe.
    pub(super) fn wait(&self, most: Duration) {
        let open = |printed: &mut Printed| !printed.closed;
        drop(self.0.closed.wait_timeout_while(self.0.lock(), most, open));
    }

    /// The last lines, indented; `None` if nothing was printed.
    pub(super) fn last_lines(&self) -> Option<String> {
        let printed = self.0.lock();
        let text = String::from_utf8_lossy(&printed.tail);
        let lines = text.lines().map(last_version);
        let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
        let last = &lines[lines.len().saturating_sub(LINES)..];
        (!last.is_empty()).then(|| format!("  {}", last.join("\n  ")))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Printed> {
        self.printed.lock().expect("no panic while it is held")
    }
}

impl Printed {
    fn add(&mut self, bytes: &[u8]) {
        self.kept.extend(bytes);
        self.dropped += cut(&mut self.kept, MOST) as u64;
        self.tail.extend(bytes);
        cut(&mut self.tail, TAIL);
        self.find_notes(bytes);
    }

    fn find_notes(&mut self, bytes: &[u8]) {
        // A progress bar ends its lines with a carriage return.
        let ends = |byte: &u8| matches!(byte, b'\n' | b'\r');
        for part in bytes.split_inclusive(ends) {
            let room = (LONGEST_NOTE + 1).saturating_sub(self.line.len());
            self.line.extend(&part[..part.len().min(room)]);
            if part.last().is_some_and(ends) {
                let line = String::from_utf8_lossy(&self.line);
                let is_note = NOTES.iter().any(|begin| line.starts_with(begin));
                if is_note && line.len() <= LONGEST_NOTE && self.notes.len() < MOST_NOTES {
                    self.notes.push(line.trim_end().into());
                }
                self.line.clear();
            }
        }
    }

    fn take(&mut self) -> (u64, Vec<u8>) {
        let kept = std::mem::take(&mut self.kept);
        (std::mem::take(&mut self.dropped), kept)
    }
}

/// What is kept of an output, after a note of what is not.
pub(super) fn noted(dropped: u64, kept: Vec<u8>) -> Vec<u8> {
    if dropped == 0 {
        return kept;
    }
    let note = format!("\n[cyclr: {dropped} bytes of output were dropped here]\n");
    [note.into_bytes(), kept].concat()
}

/// Drops the oldest bytes if there are more than `most`, and says how many.
fn cut(bytes: &mut Vec<u8>, most: usize) -> usize {
    let surplus = bytes.len().saturating_sub(most);
    bytes.drain(..surplus);
    surplus
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_dropped_and_that_is_said() {
        let mut printed = Printed::default();
        let text: Vec<u8> = (0..MOST + 1000).map(|n| b'a' + (n % 26) as u8).collect();
        for part in text.chunks(7001) {
            printed.add(part);
        }
        let taken = |printed: &mut Printed| {
            let (dropped, kept) = printed.take();
            noted(dropped, kept)
        };
        let first = taken(&mut printed);
        assert!(first.starts_with(b"\n[cyclr: 1000 bytes of output were dropped here]\n"));
        assert!(first.ends_with(&text[1000..]) && first.len() < MOST + 100);
        printed.add(b"more");
        assert_eq!(taken(&mut printed), b"more");
        assert!(taken(&mut printed).is_empty());
    }

    #[test]
    fn the_last_lines_show_progress_bars_as_they_stood_last() {
        let mut printed = Printed::default();
        printed.add(b"begun\r\n 10%|#  |\r 99%|###|\nno data\n");
        let output = Output(Arc::new(Shared {
            printed: Mutex::new(printed),
            ..Shared::default()
        }));
        let lines = output.last_lines().unwrap();
        assert_eq!(lines, "  begun\n   99%|###|\n  no data");
    }

    #[test]
    fn notes_to_the_user_are_found_among_the_lines() {
        let mut printed = Printed::default();
        let text = "epoch 1\ncyclr: halved\nnot cyclr: this\n 40% ###\rcyclr drive: StepLR sets the rate too\r\n";
        // In pieces, as a pipe gives them.
        for part in text.as_bytes().chunks(7) {
            printed.add(part);
        }
        printed.add(format!("cyclr: {}\ncyclr: incomplete", "x".repeat(2000)).as_bytes());
        let told = ["cyclr: halved", "cyclr drive: StepLR sets the rate too"];
        assert_eq!(printed.notes, told);
    }
}
