//! The command `cyclr`: arguments become a plan, a plan runs a command.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the command line is the one place that prints"
)]
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
#[cfg(unix)]
mod child;
mod command;
mod exit;
mod lab;
mod plot;
mod progress;
mod report;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let args = args::Args::parse();
    match command::run(args.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::report(&error),
    }
}
