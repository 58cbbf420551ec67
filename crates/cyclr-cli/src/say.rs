//! How this crate prints. Unlike the standard macros these do not panic where the reader has gone: work of hours must not
//! end with the terminal that it was begun in.

/// A line on stdout, for a result. An error where it cannot be written.
macro_rules! out {
    ($($said:tt)*) => {{
        use std::io::Write as _;
        writeln!(std::io::stdout(), $($said)*)
    }};
}

/// A line on stderr, for everything that is no result. Where nobody reads it there is nobody to tell.
macro_rules! note {
    ($($said:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($said)*);
    }};
}

pub(crate) use {note, out};
