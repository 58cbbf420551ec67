//! How this crate prints. Unlike the standard macros these do not panic if the reader has gone:
//! work of hours must not end with the terminal that it was begun in.

use std::io::{self, Write as _};

/// The width if there is no terminal to ask, as in `verdict.txt`.
const DEFAULT_COLUMNS: u16 = 100;

/// A line on stdout, for a result. An error if it cannot be written.
macro_rules! out {
    ($($said:tt)*) => {{
        use std::io::Write as _;
        writeln!(std::io::stdout(), $($said)*).map_err($crate::say::stdout_failed)
    }};
}

/// A line on stderr, for everything that is no result.
macro_rules! note {
    ($($said:tt)*) => {
        $crate::say::to_stderr(&format!($($said)*))
    };
}

pub(crate) use {note, out};

/// An error of stdout, which has no name to say by itself.
#[expect(clippy::needless_pass_by_value, reason = "map_err passes it by value")]
pub(crate) fn stdout_failed(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot write to stdout: {error}"))
}

/// Printing that nobody reads is no reason to leave out what follows.
pub(crate) fn unless_unread<E: Into<anyhow::Error>>(printed: Result<(), E>) -> anyhow::Result<()> {
    let error = match printed.map_err(Into::into) {
        Ok(()) => return Ok(()),
        Err(error) => error,
    };
    match error.downcast_ref::<io::Error>() {
        Some(failed) if failed.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        _ => Err(error),
    }
}

/// A line that is a result of some commands, and of others what they say on the way.
pub(crate) fn tell(line: &str, is_result: bool) -> io::Result<()> {
    if is_result {
        return out!("{line}");
    }
    to_stderr(line);
    Ok(())
}

/// Writes a line to stderr. Where nobody reads it there is nobody to tell.
pub(crate) fn to_stderr(line: &str) {
    let _ = writeln!(io::stderr(), "{}", printable(line));
}

/// The columns of the terminal that stdout is.
pub(crate) fn columns() -> usize {
    let size = terminal_size::terminal_size();
    usize::from(size.map_or(DEFAULT_COLUMNS, |(columns, _)| columns.0))
}

/// Text with names and words of somebody else, as a terminal may show it: without escape
/// sequences, and control characters in their escaped form.
pub(crate) fn printable(text: &str) -> String {
    let plain = |line: &str| -> String {
        let plain = anstream::adapter::strip_str(line).to_string();
        plain.chars().map(visible).collect()
    };
    let lines: Vec<String> = text.split('\n').map(plain).collect();
    lines.join("\n")
}

/// A line of a program as it stood last, if it was written over (as progress bars are).
pub(crate) fn last_version(line: &str) -> &str {
    let mut versions = line.rsplit('\r');
    let shown = versions.find(|version| !version.trim().is_empty());
    shown.unwrap_or("")
}

fn visible(c: char) -> String {
    if c.is_control() && c != '\t' {
        c.escape_default().to_string()
    } else {
        c.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_words_do_not_move_the_cursor() {
        for (said, shown) in [
            ("two\nlines", "two\nlines"),
            ("\nstopping", "\nstopping"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("no\rwhere is no folder", "no\\rwhere is no folder"),
            ("\u{1b}]0;title\u{7}after", "after"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("a\tb", "a\tb"),
        ] {
            assert_eq!(printable(said), shown, "{said:?}");
        }
    }

    #[test]
    fn of_a_progress_bar_the_last_version_is_shown() {
        for (said, shown) in [
            ("\r 10%|#  |\r 99%|###|", " 99%|###|"),
            ("100%|###|\r", "100%|###|"),
            ("windows\r", "windows"),
            ("plain", "plain"),
            ("\r\r", ""),
        ] {
            assert_eq!(last_version(said), shown, "{said:?}");
        }
    }
}
