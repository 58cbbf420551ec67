use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use cyclr::trainer::TrainerFactory;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::begin::Begin;
use super::bounds;
use super::difference::difference;
use super::manifest::{Manifest, went_on};
use super::plan::Plan;
use super::record::{Range, Record};
use super::v1;
use crate::find::{FindEvent, Kept};
use crate::store::{
    Failure, Heartbeat, Lock, VERSION, bad, holds_only, if_there, parse_record, read_record,
    read_versioned, write_atomically, write_record,
};
use crate::verdict::FILE_COLUMNS;
use crate::{Error, Watch};

/// What the units of a comparison need where they are made: the content of `work.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Work {
    /// What the caller needs to make the trainer factory again.
    pub trainer: Value,
    /// Names and versions of the program and the engine, which must be the same everywhere.
    pub about: BTreeMap<String, String>,
    /// The variables of the coordinator's environment that decide what a command is.
    pub environment: BTreeMap<String, String>,
    /// Whether states and runs of two CPU levels may be mixed.
    pub allow_inexact: bool,
    /// Whether files that were edited since it began are used.
    pub allow_changed: bool,
}

/// Whether a folder is, or was, a comparison's.
pub fn is_comparison(folder: &Path) -> bool {
    folder.join(Folder::PLAN).exists()
}

/// Reads what a comparison's folder is for.
///
/// # Errors
/// [`Error::NotARun`] if it is no comparison's; [`Error::Io`], [`Error::BadRecord`] or
/// [`Error::Version`].
pub fn read_plan(folder: &Path) -> Result<Manifest, Error> {
    let path = folder.join(Folder::PLAN);
    let manifest: Option<Manifest> = if_there(read_record(&path))?;
    let manifest = manifest.ok_or_else(|| Error::NotARun {
        path: folder.to_owned(),
        missing: Folder::PLAN,
    })?;
    manifest.plan.check_declared().map_err(bad(&path))?;
    Ok(manifest)
}

/// Reads what the units of a comparison need.
///
/// # Errors
/// [`Error::NoUnits`] if no launcher makes its units; [`Error::NotARun`] if it is no comparison's;
/// [`Error::Io`], [`Error::BadRecord`] or [`Error::Version`].
pub fn read_work(folder: &Path) -> Result<Work, Error> {
    let work = if_there(read_record(&folder.join(Folder::WORK)))?;
    work.ok_or_else(|| {
        let (path, missing) = (folder.to_owned(), Folder::WORK);
        if is_comparison(folder) {
            Error::NoUnits { path }
        } else {
            Error::NotARun { path, missing }
        }
    })
}

/// Makes the unit `begin` of a comparison, as far as that can be done and has not been: what
/// `measure` gives and, once the plan is there, its range test. The caller calls this where the
/// device is.
///
/// # Errors
/// [`Error::Locked`] if another process makes it; those of `measure` and of the range test.
pub fn work_begin(
    folder: &Path,
    factory: &dyn TrainerFactory,
    measure: impl FnOnce() -> Result<Begin, Error>,
    watch: Watch<FindEvent>,
) -> Result<(), Error> {
    let unit = folder.join(Begin::UNIT);
    fs::create_dir_all(&unit).map_err(Error::io("create", &unit))?;
    let lock = Lock::take(&unit)?;
    Failure::forget(&unit)?;
    let folder = Folder {
        path: folder.to_owned(),
        _lock: lock,
    };
    let interrupt = watch.interrupt;
    let done = folder.begin(measure).and_then(|begin| {
        if !is_comparison(&folder.path) {
            return Ok(());
        }
        match read_plan(&folder.path)?.plan.bounds.range_test() {
            None => Ok(()),
            Some(test) => {
                // Another machine may have measured the beginning.
                begin.check_same(&factory.info()?, &folder.begin_file())?;
                let objective = begin.info.objective.ok_or(Error::NoObjective)?;
                let sweeps = folder.sweeps();
                let find = || bounds::find(factory, &objective, &test, &sweeps, watch);
                folder.range(find).map(drop)
            }
        }
    });
    done.map_err(|error| interrupt.explain(error))
}

/// Reads a comparison's record; `None` if it is not finished. A record of version 1 is read too.
///
/// # Errors
/// As [`read_plan`].
pub fn read_comparison(folder: &Path) -> Result<Option<Record>, Error> {
    if !is_comparison(folder) {
        return read_plan(folder).map(|_| None);
    }
    let path = folder.join(Folder::RESULT);
    if !path.exists() {
        return Ok(None);
    }
    let (version, mut record) = read_versioned(&path)?;
    v1::tuned_on_one_seed(&mut record);
    v1::tuned_by_a_trial(&mut record);
    match version {
        1 => v1::record(&path, record).map(Some),
        VERSION => {
            let record: Record = parse_record(&path, record)?;
            record.check_places().map_err(bad(&path))?;
            record.check_figures().map_err(bad(&path))?;
            Ok(Some(record))
        }
        found => Err(Error::Version {
            path,
            found,
            known: VERSION,
        }),
    }
}

/// Refuses a folder that holds something else than a comparison, or what comes before its plan.
///
/// # Errors
/// [`Error::Occupied`]; [`Error::Io`].
pub fn check_free(folder: &Path) -> Result<(), Error> {
    let before = [
        Lock::FILE,
        Heartbeat::FILE,
        Folder::WORK,
        Folder::BEGIN,
        Begin::UNIT,
    ];
    if is_comparison(folder) || holds_only(folder, &before)? {
        return Ok(());
    }
    Err(Error::Occupied {
        path: folder.to_owned(),
        found: "holds something that is not a comparison",
        hint: "",
    })
}

/// A comparison's folder, held by this process.
pub(super) struct Folder {
    path: PathBuf,
    _lock: Lock,
}

impl Folder {
    const PLAN: &str = "comparison.json";
    pub(super) const BEGIN: &str = "begin.json";
    pub(super) const RANGE: &str = "range.json";
    const RESULT: &str = "result.json";
    const WINNER: &str = "winner.toml";
    const VERDICT: &str = "verdict.txt";
    pub(super) const WORK: &str = "work.json";
    const SWEEPS: &str = "sweeps";

    /// Takes the folder of a comparison whose plan may not be known yet.
    pub(super) fn take(path: &Path) -> Result<Self, Error> {
        check_free(path)?;
        fs::create_dir_all(path).map_err(Error::io("create", path))?;
        let lock = Lock::take(path)?;
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    pub(super) fn write_work(&self, work: &Work) -> Result<(), Error> {
        write_record(&self.path.join(Self::WORK), work)
    }

    pub(super) fn has_begin(&self) -> bool {
        self.begin_file().exists()
    }

    pub(super) fn has_range(&self) -> bool {
        self.path.join(Self::RANGE).exists()
    }

    pub(super) fn read_begin(&self) -> Result<Begin, Error> {
        read_record(&self.begin_file())
    }

    /// The folder of the range test's curves.
    pub(super) fn sweeps(&self) -> PathBuf {
        self.path.join(Self::SWEEPS)
    }

    /// The steps that the unit `begin` has made and will not make again.
    pub(super) fn steps_of_begin(&self) -> Result<u64, Error> {
        Ok(u64::from(self.has_begin()) + Kept::parts(&self.sweeps())?)
    }

    /// Makes the folder, or continues with the one that is there; returns the plan to carry out,
    /// in which seeds that were added are marked where results were known.
    pub(super) fn open(path: &Path, mut kept: Manifest) -> Result<(Self, Manifest), Error> {
        let folder = Self::take(path)?;
        let file = path.join(Self::PLAN);
        if file.exists() {
            let before: Manifest = read_record(&file)?;
            check_not_edited(path, &before.plan)?;
            kept.plan = folder.continued(&before.plan, &kept.plan)?;
            kept.about = went_on(&before.about, &kept.about);
            if kept.trainer != before.trainer {
                return Err(folder.other("another net, other data, or a script that was edited"));
            }
            if kept == before {
                return Ok((folder, kept));
            }
        }
        write_record(&file, &kept)?;
        Ok((folder, kept))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn begin_file(&self) -> PathBuf {
        self.path.join(Self::BEGIN)
    }

    /// The stored beginning, or else the measured one, stored.
    pub(super) fn begin(
        &self,
        measure: impl FnOnce() -> Result<Begin, Error>,
    ) -> Result<Begin, Error> {
        let path = self.begin_file();
        let begin: Begin = self.stored(Self::BEGIN, || {
            let begin = measure()?;
            match begin.info.objective {
                Some(_) => Ok(begin),
                None => Err(Error::NoObjective),
            }
        })?;
        if begin.info.objective.is_none() {
            return Err(bad(&path)("it has no objective"));
        }
        Ok(begin)
    }

    /// The stored range test, or else the one that is made, stored.
    pub(super) fn range(
        &self,
        find: impl FnOnce() -> Result<Range, Error>,
    ) -> Result<Range, Error> {
        let range: Range = self.stored(Self::RANGE, find)?;
        let fits = range.check();
        fits.map_err(bad(&self.path.join(Self::RANGE)))?;
        Kept::forget(&self.sweeps())?;
        Ok(range)
    }

    /// Writes what came of it: with `result.json` the comparison is finished.
    pub(super) fn finish(&self, record: &Record, winner: Option<&str>) -> Result<(), Error> {
        let path = self.path.join(Self::WINNER);
        match winner {
            Some(winner) => write_atomically(&path, winner.as_bytes())?,
            // That of fewer seeds is no winner any more.
            None if path.exists() => fs::remove_file(&path).map_err(Error::io("remove", &path))?,
            None => {}
        }
        let verdict = record.conclusion.brief(FILE_COLUMNS);
        write_atomically(&self.path.join(Self::VERDICT), verdict.as_bytes())?;
        write_record(&self.path.join(Self::RESULT), record)
    }

    fn stored<T: Serialize + DeserializeOwned>(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let path = self.path.join(name);
        if path.exists() {
            return read_record(&path);
        }
        let what = make()?;
        write_record(&path, &what)?;
        Ok(what)
    }

    /// The plan to continue with: the one before, with seeds added at most.
    fn continued(&self, before: &Plan, now: &Plan) -> Result<Plan, Error> {
        let mut same_seeds = now.clone();
        same_seeds.seeds.clone_from(&before.seeds);
        same_seeds.added_seeds.clone_from(&before.added_seeds);
        if same_seeds != *before {
            let other = difference(before, &same_seeds).map_err(bad(&self.path))?;
            return Err(self.other(other.as_deref().unwrap_or("another plan")));
        }
        if !now.seeds.starts_with(&before.seeds) {
            return Err(self.other(&format!("the seeds {:?}", before.seeds)));
        }
        let added = &now.seeds[before.seeds.len()..];
        let mut plan = before.clone();
        plan.seeds.extend(added);
        // A result that was removed to be made again was known all the same.
        let is_known = |file: &&str| self.path.join(file).exists();
        if [Self::RESULT, Self::VERDICT].iter().any(is_known) {
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

/// Refuses a plan that is not the one of the result beside it, seeds that were added apart: it was
/// changed when results were known.
fn check_not_edited(folder: &Path, plan: &Plan) -> Result<(), Error> {
    // A result that cannot be read is made again.
    let Ok(Some(record)) = read_comparison(folder) else {
        return Ok(());
    };
    let mut then = record.plan;
    let path = folder.join(Folder::PLAN);
    let edited = |what: &str| {
        Err(bad(&path)(format!(
            "its plan has {what}, as {} says: it was edited when results were known",
            Folder::RESULT
        )))
    };
    if !plan.seeds.starts_with(&then.seeds) || !plan.added_seeds.starts_with(&then.added_seeds) {
        return edited(&format!(
            "the seeds {:?} instead of {:?}",
            plan.seeds, then.seeds
        ));
    }
    then.seeds.clone_from(&plan.seeds);
    then.added_seeds.clone_from(&plan.added_seeds);
    match difference(plan, &then).map_err(bad(&path))? {
        Some(what) => edited(&what),
        None => Ok(()),
    }
}
