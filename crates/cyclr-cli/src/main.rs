//! The command `cyclr`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(cyclr_cli::run(std::env::args_os()))
}
