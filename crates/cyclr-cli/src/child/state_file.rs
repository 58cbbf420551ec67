//! How a state goes between cyclr and a child.

use std::fs;
use std::path::PathBuf;

use cyclr::trainer::TrainerError;

use super::process::Process;
use super::run::failed;

/// A file through which a state comes and goes; it is removed after the request.
pub(super) struct StateFile {
    pub(super) path: PathBuf,
}

impl StateFile {
    pub(super) fn of(process: &Process) -> Self {
        let path = process.folder().join("state");
        Self { path }
    }

    /// What the child wrote. To read from anything but a file (a named pipe, a device) might take
    /// for ever.
    pub(super) fn read(&self) -> std::io::Result<Vec<u8>> {
        if !fs::symlink_metadata(&self.path)?.is_file() {
            let path = self.path.display();
            return Err(std::io::Error::other(format!(
                "{path} is not a regular file"
            )));
        }
        fs::read(&self.path)
    }

    /// Its path, as a message can carry it.
    pub(super) fn name(&self) -> Result<String, TrainerError> {
        let text = self.path.to_str().map(String::from);
        text.ok_or_else(|| failed(format!("{} is not UTF-8: set TMPDIR", self.path.display())))
    }
}

impl Drop for StateFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed to `map_err`")]
pub(super) fn no_file(error: std::io::Error) -> TrainerError {
    failed(format!(
        "the state cannot be handed over in a temporary file: {error}"
    ))
}
