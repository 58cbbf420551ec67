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

/// Text with words of somebody else, such as a child process, as a terminal may show it: without
/// escape sequences, each line as it stood last if it was written over (as progress bars are), and
/// other control characters in their escaped form.
pub(crate) fn printable(text: &str) -> String {
    let last = |line: &str| -> String {
        let mut versions = line
            .split('\r')
            .filter(|version| !version.trim().is_empty());
        let plain = anstream::adapter::strip_str(versions.next_back().unwrap_or("")).to_string();
        plain.chars().map(visible).collect()
    };
    let lines: Vec<String> = text.split('\n').map(last).collect();
    lines.join("\n")
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
    fn what_a_child_prints_does_not_move_the_cursor() {
        for (said, shown) in [
            ("two\nlines", "two\nlines"),
            ("\nstopping", "\nstopping"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\r 10%|#  |\r 99%|###|", " 99%|###|"),
            ("100%|###|\r", "100%|###|"),
            ("windows\r\nlines\r\n", "windows\nlines\n"),
            ("\u{1b}]0;title\u{7}after", "after"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("a\tb", "a\tb"),
        ] {
            assert_eq!(printable(said), shown, "{said:?}");
        }
    }
}
