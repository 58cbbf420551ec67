use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::plan::Plan;
use super::record::{Pace, Range, Record, VERSION};
use crate::Error;
use crate::record::{Lock, read_json, write_json};

/// `comparison.json`: what a comparison's folder is for. With it and the trainer factory, the comparison can go on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`VERSION`].
    pub version: u32,
    /// The plan.
    pub plan: Plan,
    /// What the caller needs to make the trainer factory again.
    pub factory: serde_json::Value,
    /// Names and versions of the program, the engine and the machine that began it.
    pub about: BTreeMap<String, String>,
}

/// Reads what a comparison's folder is for.
///
/// # Errors
/// [`Error::NotARun`] where it is no comparison's; [`Error::Io`], [`Error::BadRecord`] or [`Error::Version`].
pub fn read_plan(folder: &Path) -> Result<Manifest, Error> {
    let path = folder.join(Folder::PLAN);
    if !path.exists() {
        return Err(Error::NotARun {
            path: folder.to_owned(),
            missing: Folder::PLAN,
        });
    }
    read_json(&path)
}

/// Reads a comparison's record; `None` where it is not finished.
///
/// # Errors
/// As [`read_plan`].
pub fn read_comparison(folder: &Path) -> Result<Option<Record>, Error> {
    read_plan(folder)?;
    let path = folder.join(Folder::RESULT);
    path.exists().then(|| read_json(&path)).transpose()
}

/// A comparison's folder, held by this process.
pub(super) struct Folder {
    path: PathBuf,
    _lock: Lock,
}

impl Folder {
    const PLAN: &str = "comparison.json";
    const PACE: &str = "pace.json";
    const RANGE: &str = "range.json";
    const RESULT: &str = "result.json";
    const WINNER: &str = "winner.toml";

    /// Makes the folder, or goes on with the one that is there; returns the plan to carry out, in which seeds that were
    /// added are marked where results were known.
    pub(super) fn open(path: &Path, mut kept: Manifest) -> Result<(Self, Manifest), Error> {
        if !path.join(Self::PLAN).exists() && !is_free(path)? {
            return Err(Error::Occupied {
                path: path.to_owned(),
                found: "holds something that is not a comparison",
                hint: "",
            });
        }
        fs::create_dir_all(path).map_err(Error::io("create", path))?;
        let lock = Lock::take(path)?;
        let folder = Self {
            path: path.to_owned(),
            _lock: lock,
        };
        let file = path.join(Self::PLAN);
        if file.exists() {
            let before: Manifest = read_json(&file)?;
            kept.plan = folder.continued(&before.plan, &kept.plan)?;
            kept.about = before.about;
            if kept.factory != before.factory {
                return Err(folder.other("another net or other data"));
            }
            if kept.plan == before.plan {
                return Ok((folder, kept));
            }
        }
        write_json(&file, &kept)?;
        Ok((folder, kept))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The stored pace, or else the measured one, stored.
    pub(super) fn pace(
        &self,
        measure: impl FnOnce() -> Result<Pace, Error>,
    ) -> Result<Pace, Error> {
        self.stored(Self::PACE, measure)
    }

    /// The stored range test, or else the one that is made, stored.
    pub(super) fn range(
        &self,
        find: impl FnOnce() -> Result<Range, Error>,
    ) -> Result<Range, Error> {
        self.stored(Self::RANGE, find)
    }

    /// Writes what came of it: with `result.json` the comparison is finished.
    pub(super) fn finish(&self, record: &Record, winner: Option<&str>) -> Result<(), Error> {
        if let Some(winner) = winner {
            crate::record::write_atomically(&self.path.join(Self::WINNER), winner.as_bytes())?;
        }
        write_json(&self.path.join(Self::RESULT), record)
    }

    fn stored<T: Serialize + for<'de> Deserialize<'de>>(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        #[derive(Serialize, Deserialize)]
        struct Stored<T> {
            version: u32,
            what: T,
        }
        let path = self.path.join(name);
        if path.exists() {
            return Ok(read_json::<Stored<T>>(&path)?.what);
        }
        let stored = Stored {
            version: VERSION,
            what: make()?,
        };
        write_json(&path, &stored)?;
        Ok(stored.what)
    }

    /// The plan to go on with: the one before, with seeds added at most.
    fn continued(&self, before: &Plan, now: &Plan) -> Result<Plan, Error> {
        let mut same_seeds = now.clone();
        same_seeds.seeds.clone_from(&before.seeds);
        same_seeds.added_seeds.clone_from(&before.added_seeds);
        if same_seeds != *before {
            return Err(self.other("another plan"));
        }
        if !now.seeds.starts_with(&before.seeds) {
            return Err(self.other(&format!("the seeds {:?}", before.seeds)));
        }
        let added = &now.seeds[before.seeds.len()..];
        let mut plan = before.clone();
        plan.seeds.extend(added);
        if self.path.join(Self::RESULT).exists() {
            plan.added_seeds.extend(added);
        }
        Ok(plan)
    }

    fn other(&self, what: &str) -> Error {
        Error::OtherPlan {
            path: self.path.clone(),
            what: String::from(what),
        }
    }
}

/// Whether nothing is in the folder but a lock, and files that were never finished.
fn is_free(folder: &Path) -> Result<bool, Error> {
    if !folder.exists() {
        return Ok(true);
    }
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let name = entry.map_err(Error::io("read", folder))?.file_name();
        if name != Lock::FILE && !name.to_string_lossy().ends_with(".tmp") {
            return Ok(false);
        }
    }
    Ok(true)
}
