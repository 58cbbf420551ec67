//! Exit codes: 0 done, 1 failed, 2 usage, 3 no reliable answer, 130 interrupted and resumable.

use std::fmt;
use std::io::ErrorKind;

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

/// There is no reliable answer; the reason and what to try have been said.
#[derive(Debug)]
pub(crate) struct NoReliableAnswer;

impl fmt::Display for NoReliableAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no reliable answer")
    }
}

impl std::error::Error for NoReliableAnswer {}

/// The error and its causes, each said once: some say their cause themselves.
fn words(error: &anyhow::Error) -> String {
    let causes = error.chain().map(ToString::to_string);
    causes.fold(String::new(), |said, cause| {
        if said.is_empty() {
            cause
        } else if said.contains(&cause) {
            said
        } else {
            format!("{said}: {cause}")
        }
    })
}

/// Says what went wrong, and with what code the process ends.
pub(crate) fn report(error: &anyhow::Error) -> u8 {
    let reader_left = |cause: &(dyn std::error::Error + 'static)| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|e| e.kind() == ErrorKind::BrokenPipe)
    };
    if error.chain().any(reader_left) {
        return 0;
    }
    if error.is::<NoReliableAnswer>() {
        return 3;
    }
    eprintln!("error: {}", words(error));
    if matches!(
        error.downcast_ref(),
        Some(cyclr_train::Error::NoBounds { .. })
    ) {
        3
    } else if matches!(
        error.downcast_ref(),
        Some(cyclr_train::Error::Interrupted { .. })
    ) {
        130
    } else if error.is::<Usage>() {
        2
    } else {
        1
    }
}
