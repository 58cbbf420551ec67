//! `cyclr report DIR…`: the report of finished comparisons, made from their folders.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use cyclr_train::compare::record::Record;
use cyclr_train::compare::{is_comparison, read_comparison};
use cyclr_train::store::{RunRecord, write_atomically};

use crate::args::ReportArgs;
use crate::exit::Usage;
use crate::report::Report;
use crate::say::note;

pub(crate) fn run(args: &ReportArgs) -> anyhow::Result<()> {
    let records = args
        .folders
        .iter()
        .map(|folder| finished(folder))
        .collect::<anyhow::Result<Vec<Record>>>()?;
    let ((Some(out), _) | (None, [out])) = (&args.out, args.folders.as_slice()) else {
        return Err(Usage::error(
            "a report of several comparisons needs a folder of its own: give --out DIR",
        ));
    };
    refuse_other_results(out, &args.folders)?;
    write(&Report::new(&records)?, out)
}

/// Refuses a folder whose own report would be replaced: that of a run, or of a comparison which is
/// not all that is reported.
pub(super) fn refuse_other_results(out: &Path, reported: &[PathBuf]) -> anyhow::Result<()> {
    let same = |folder: &PathBuf| {
        let paths = out
            .canonicalize()
            .and_then(|o| Ok((o, folder.canonicalize()?)));
        // A folder that is not there yet is no other.
        paths.is_ok_and(|(a, b)| a == b)
    };
    let holds = if is_comparison(out) && !(reported.len() == 1 && same(&reported[0])) {
        "a comparison"
    } else if out.join(RunRecord::FILE).exists() {
        "a run"
    } else {
        return Ok(());
    };
    Err(Usage::error(format!(
        "{} is the folder of {holds}, whose files would be replaced: give another --out",
        out.display()
    )))
}

fn finished(folder: &Path) -> anyhow::Result<Record> {
    if !is_comparison(folder) && folder.join("judgement.json").exists() {
        let folder = folder.display();
        return Err(Usage::error(format!(
            "{folder} holds a judged table: to make its report again, judge the table again, with `cyclr judge \
             TABLE --reference ARM --out {folder}`; {folder}/judgement.json names the table",
        )));
    }
    read_comparison(folder)?.ok_or_else(|| {
        anyhow!(
            "{} is not finished: run `cyclr resume {}`",
            folder.display(),
            folder.display()
        )
    })
}

/// Writes a report into a folder, and says where it is.
pub(crate) fn write(report: &Report, folder: &Path) -> anyhow::Result<()> {
    for (name, bytes) in report.files()? {
        let path = folder.join(name);
        let written = std::fs::create_dir_all(path.parent().unwrap_or(folder))
            .map_err(anyhow::Error::from)
            .and_then(|()| Ok(write_atomically(&path, &bytes)?));
        written.with_context(|| {
            format!(
                "the report cannot be written (the results are kept; make room, or give another --out): {}",
                path.display()
            )
        })?;
    }
    note!("report: {}", folder.join("report.html").display());
    Ok(())
}
