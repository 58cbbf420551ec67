//! The command line of cyclr, as a library, so that other programs (the Python package) can carry
//! it.
#![expect(
    clippy::doc_markdown,
    reason = "the help is made of doc comments, and is no Markdown"
)]
#![expect(
    clippy::format_push_string,
    reason = "what is shown is put together from lines"
)]
#![expect(clippy::struct_excessive_bools, reason = "a flag is a bool")]

mod args;
mod chart;
#[cfg(unix)]
mod child;
mod command;
mod exit;
mod factory;
mod files;
#[doc(hidden)]
pub mod fuzzing;
mod progress;
mod report;
mod say;

use std::ffi::OsString;

use clap::{Arg, CommandFactory};

/// Does what a command line says, the program's name first, and gives the code that the process
/// should end with. Bad usage and `--help` are answered as well, without ending the process.
///
/// ```
/// assert_eq!(cyclr_cli::run(["cyclr", "schedule", "fixed(lr=0.1)", "--updates", "2", "--json"]), 0);
/// assert_eq!(cyclr_cli::run(["cyclr", "no such command"]), 2);
/// ```
pub fn run(arguments: impl IntoIterator<Item = impl Into<OsString>>) -> u8 {
    progress::start_clock();
    // A number below 0 is refused for what it is, not taken for an option.
    let below_0 = |arg: Arg| {
        let takes_values = arg.get_action().takes_values();
        arg.allow_negative_numbers(takes_values)
    };
    let command = args::Args::command().mut_subcommands(|command| command.mut_args(below_0));
    let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
    if arguments.last().is_some_and(|last| last == "--") {
        // Of a command in a variable that is not set, another one would be trained.
        let nothing = "nothing follows `--`: write a COMMAND there, or leave `--` out";
        return exit::report(&exit::Usage::error(nothing));
    }
    let parsed = command.try_get_matches_from(arguments);
    let args = match parsed.and_then(|matches| args::Args::of(&matches)) {
        Ok(args) => args,
        Err(error) => {
            if let Some(said) = args::not_a_number(&error) {
                return exit::report(&exit::Usage::error(said));
            }
            return match error.print() {
                // The help, or the version.
                Err(failed) if !error.use_stderr() => {
                    exit::report(&say::stdout_failed(failed).into())
                }
                // Where nobody reads an error there is nobody to tell.
                _ => error.exit_code() as u8,
            };
        }
    };
    match command::run(args.command) {
        Ok(()) => 0,
        Err(error) => exit::report(&error),
    }
}
