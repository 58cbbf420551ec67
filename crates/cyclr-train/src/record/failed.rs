use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::record::VERSION;
use crate::record::files::{read_json, write_json};

/// Why the last try to make a run failed. The next try removes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FailedRecord {
    /// The version of the record: 1.
    pub version: u32,
    /// What the trainer said, with the last lines that it printed where it prints.
    pub reason: String,
}

/// Reads the `failed.json` of a run's folder; `None` where the run has not failed.
///
/// # Errors
/// [`Error::Io`], [`Error::BadRecord`] or [`Error::Version`].
pub fn read_failed(folder: &Path) -> Result<Option<FailedRecord>, Error> {
    let path = folder.join(FailedRecord::FILE);
    path.exists().then(|| read_json(&path)).transpose()
}

impl FailedRecord {
    /// The name of the file in the folder.
    pub const FILE: &str = "failed.json";

    /// Takes note of a failure of the trainer, in a folder that is a run's or free; what else may go wrong is not the run's
    /// fault.
    pub(crate) fn note<T>(folder: &Path, updates_done: Result<T, Error>) -> Result<T, Error> {
        if let Err(Error::Trainer(failure)) = &updates_done {
            fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
            let record = Self {
                version: VERSION,
                reason: failure.to_string(),
            };
            write_json(&folder.join(Self::FILE), &record)?;
        }
        updates_done
    }

    /// Forgets an earlier failure.
    pub(crate) fn forget(folder: &Path) -> Result<(), Error> {
        let path = folder.join(Self::FILE);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io("remove", &path)(error))
            }
            _ => Ok(()),
        }
    }
}
