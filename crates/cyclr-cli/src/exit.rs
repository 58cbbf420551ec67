//! Exit codes: 0 done, 1 failed, 2 usage, 3 no reliable answer, 4 the required arm is not better,
//! 5 a training diverged, 130 interrupted and resumable.

use crate::say::note;
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
        f.write_str("no reliable answer")
    }
}

impl std::error::Error for NoReliableAnswer {}

/// The arm that is required to be better than the reference is not shown to be; with the reason.
#[derive(Debug)]
pub(crate) struct NotBetter(pub(crate) String);

impl fmt::Display for NotBetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotBetter {}

/// The run that was asked for ended without a model, as training diverged at this update.
#[derive(Debug)]
pub(crate) struct Diverged(pub(crate) u64);

impl fmt::Display for Diverged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let update = self.0;
        write!(
            f,
            "training diverged at update {update}, so there is no trained model: try a lower rate"
        )
    }
}

impl std::error::Error for Diverged {}

/// The error and its causes, each said once: some errors quote their cause.
pub(crate) fn describe(error: &anyhow::Error) -> String {
    let causes = error.chain().skip(1).map(ToString::to_string);
    causes.fold(error.to_string(), |said, cause| {
        if quotes(&said, &cause) {
            said
        } else if cause.starts_with(&format!("{said} ")) {
            // The name of a file, before a cause that begins with it.
            cause
        } else {
            format!("{said}: {cause}")
        }
    })
}

/// Whether a message has another as a part of its own: all of it, or after a colon up to the end
/// or a mark. Words that are in it by chance are no quotation.
fn quotes(message: &str, cause: &str) -> bool {
    let ends = |rest: &str| rest.is_empty() || rest.starts_with([';', ':', ',', '.', '\n']);
    message == cause
        || message
            .match_indices(cause)
            .filter(|_| !cause.is_empty())
            .any(|(at, _)| message[..at].ends_with(": ") && ends(&message[at + cause.len()..]))
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
    if error.is::<NotBetter>() {
        note!("{error}");
        return 4;
    }
    note!("error: {}", describe(error));
    if error.is::<Diverged>() {
        return 5;
    }
    if error.is::<Usage>() {
        return 2;
    }
    error.downcast_ref().map_or(1, code)
}

/// Whether the trainer or the plan cannot do what is asked, so that another try would not help.
pub(crate) fn is_refusal(error: &cyclr_train::Error) -> bool {
    code(error) == 2
}

/// The code of what went wrong in a run, a range test or a comparison.
fn code(error: &cyclr_train::Error) -> u8 {
    use cyclr_train::Error;
    match error {
        Error::NoBounds { .. } => 3,
        Error::Interrupted { .. } => 130,
        Error::Schedule(_)
        | Error::BudgetTooShort { .. }
        | Error::TooManyTroughs { .. }
        | Error::Undecidable { .. }
        | Error::NotObeyed { .. }
        | Error::SeedNotObeyed { .. }
        | Error::RateNotObeyed { .. }
        | Error::RunsAlike { .. }
        | Error::WholeRunsOnly { .. }
        | Error::ObjectiveMissing { .. }
        | Error::NoObjective
        | Error::BadHorizon { .. }
        | Error::BadSweep { .. }
        | Error::BadPlan { .. }
        | Error::BadArm { .. }
        | Error::BadStudy { .. }
        | Error::BadWinner { .. }
        | Error::Launcher { .. }
        | Error::Refused { .. }
        | Error::NoReference { .. } => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn every_cause_is_said_once() {
        let quoted = anyhow!("disk full").context("cannot write a.json: disk full; make room");
        assert_eq!(
            describe(&quoted),
            "cannot write a.json: disk full; make room"
        );
        let chance = anyhow!("file").context("cannot write the file");
        assert_eq!(describe(&chance), "cannot write the file: file");
        let named = anyhow!("a.toml cannot be read: no such file").context("a.toml");
        assert_eq!(describe(&named), "a.toml cannot be read: no such file");
        let same = anyhow!("it failed").context("it failed");
        assert_eq!(describe(&same), "it failed");
    }
}
