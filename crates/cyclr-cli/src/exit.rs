//! Exit codes: 0 done, 1 failed, 2 usage, 3 no reliable answer, 130 interrupted and resumable.

use std::fmt;
use std::io::ErrorKind;
use std::process::ExitCode;

/// The command cannot mean what it says: another spelling would help, another try would not.
#[derive(Debug)]
pub(crate) struct Usage(String);

impl Usage {
    /// The error, as one that ends the process with code 2.
    pub(crate) fn error(message: impl fmt::Display) -> anyhow::Error {
        anyhow::Error::new(Self(message.to_string()))
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Says what went wrong, and with what code the process ends.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    let reader_left = |cause: &(dyn std::error::Error + 'static)| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|e| e.kind() == ErrorKind::BrokenPipe)
    };
    if error.chain().any(reader_left) {
        return ExitCode::SUCCESS;
    }
    eprintln!("error: {error:#}");
    if error.is::<Usage>() {
        ExitCode::from(2)
    } else {
        ExitCode::FAILURE
    }
}
