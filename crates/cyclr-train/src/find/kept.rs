//! The finished parts of a range test, in its folder until all of it is finished.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use cyclr::range::{Probe, ProbeResult};

use super::{Curve, Swept};
use crate::Error;
use crate::store::{bad, if_there, read_checked, write_checked};

const SWEEP: &str = ".sweep.csv";
const PROBES: &str = ".probes.jsonl";

/// What is finished of a range test and need not be made again.
///
/// What does not read back the same from text, such as figures that are not finite, is not kept.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// `None` if nothing is kept.
    folder: Option<PathBuf>,
    probes: Mutex<Vec<ProbeResult>>,
}

impl Kept {
    /// What was finished in a folder before.
    pub(crate) fn read(folder: &Path) -> Result<Self, Error> {
        Ok(Self {
            folder: Some(folder.to_owned()),
            probes: Mutex::new(read_probes(folder)?),
        })
    }

    /// How many parts of a test are finished in a folder.
    pub(crate) fn parts(folder: &Path) -> Result<u64, Error> {
        let sweep = folder.join(SWEEP).exists();
        Ok(u64::from(sweep) + read_probes(folder)?.len() as u64)
    }

    pub(super) fn sweep(&self) -> Result<Option<Swept>, Error> {
        let Some(folder) = &self.folder else {
            return Ok(None);
        };
        let path = folder.join(SWEEP);
        let Some(text) = if_there(read_checked(&path))? else {
            return Ok(None);
        };
        let curve = Curve::from_csv(&text).map_err(bad(&path))?;
        Swept::of(vec![curve]).map(Some)
    }

    pub(super) fn keep_sweep(&self, swept: &Swept) -> Result<(), Error> {
        let (Some(folder), [curve]) = (&self.folder, &swept.curves[..]) else {
            return Ok(());
        };
        let text = curve.to_whole_csv();
        let same = Curve::from_csv(&text).is_ok_and(|read| {
            // Figures that are not finite are no reason to make it again, and never equal.
            format!("{:?}", read.points) == format!("{:?}", curve.points)
                && read.direction == curve.direction
        });
        if same {
            // What the trainer printed is no part of the text.
            swept.keep(folder, "")?;
            write_checked(&folder.join(SWEEP), &text)?;
        }
        Ok(())
    }

    pub(super) fn probe(&self, probe: Probe) -> Option<ProbeResult> {
        let probes = self.probes();
        probes.iter().find(|result| result.probe == probe).copied()
    }

    pub(super) fn keep_probe(&self, result: ProbeResult) -> Result<(), Error> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        let path = folder.join(PROBES);
        let line = |result| serde_json::to_string(result).map_err(bad(&path));
        if serde_json::from_str(&line(&result)?).ok() != Some(result) {
            return Ok(());
        }
        let mut probes = self.probes();
        probes.push(result);
        let lines: Result<Vec<String>, Error> = probes.iter().map(line).collect();
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        write_checked(&path, &(lines?.join("\n") + "\n"))
    }

    /// Removes what is kept in a folder, once its test is finished.
    pub(crate) fn forget(folder: &Path) -> Result<(), Error> {
        for path in [SWEEP, PROBES].map(|name| folder.join(name)) {
            if_there(fs::remove_file(&path).map_err(Error::io("remove", &path)))?;
        }
        Ok(())
    }

    fn probes(&self) -> MutexGuard<'_, Vec<ProbeResult>> {
        self.probes.lock().expect("no panic while it is held")
    }
}

fn read_probes(folder: &Path) -> Result<Vec<ProbeResult>, Error> {
    let path = folder.join(PROBES);
    let Some(text) = if_there(read_checked(&path))? else {
        return Ok(Vec::new());
    };
    let lines = text.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().map_err(bad(&path))
}
