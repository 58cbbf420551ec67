use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::store::files::{if_there, read_record, write_record};
use crate::store::lock::Lock;

/// Why the last try to make a run failed: the content of its `failed.json`. The next try removes
/// it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// What the trainer said, with the last lines that it printed where it prints.
    pub reason: String,
    /// Of a range test that gives no reliable answer: why not, and what to try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_answer: Option<String>,
    /// Whether it shows that the trainer or the plan cannot do what is asked, on whatever machine:
    /// another try would not help.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
}

impl Failure {
    /// The name of the file in the folder.
    pub const FILE: &str = "failed.json";

    /// Takes note of a failure of the trainer; what else may go wrong is not the run's fault. The
    /// caller holds the run's lock: the next process that takes it removes the file.
    pub(crate) fn note<T>(folder: &Path, done: Result<T, Error>) -> Result<T, Error> {
        if let Err(Error::Trainer(failure)) = &done {
            write_record(&folder.join(Self::FILE), &Self::of(failure.to_string()))?;
        }
        done
    }

    /// A failure for this reason.
    pub fn of(reason: String) -> Self {
        Self {
            reason,
            no_answer: None,
            refused: false,
        }
    }

    /// Writes the failure down, for those who see the folder alone. Nothing is written if a
    /// process holds the folder: it has taken the run over.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let lock = Lock::take(folder);
        if matches!(lock, Err(Error::Locked { .. })) {
            return Ok(());
        }
        // That there can be no locks may be what failed.
        write_record(&folder.join(Self::FILE), self)
    }

    /// The failure of the last try, if it failed.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::BadRecord`] or [`Error::Version`].
    pub fn read(folder: &Path) -> Result<Option<Self>, Error> {
        if_there(read_record(&folder.join(Self::FILE)))
    }

    /// Forgets an earlier failure.
    pub(crate) fn forget(folder: &Path) -> Result<(), Error> {
        let path = folder.join(Self::FILE);
        if_there(fs::remove_file(&path).map_err(Error::io("remove", &path))).map(drop)
    }
}
