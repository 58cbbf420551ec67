//! `cyclr report DIR…`: the report of finished comparisons, made from their folders.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use cyclr_train::compare::record::Record;
use cyclr_train::compare::{is_comparison, read_comparison};
use cyclr_train::store::{RunRecord, read_regular_text, write_atomically};

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

/// Refuses what is no folder, and a folder whose own report would be replaced: that of a run, or of a
/// comparison which is not all that is reported.
pub(super) fn refuse_other_results(out: &Path, reported: &[PathBuf]) -> anyhow::Result<()> {
    if out.symlink_metadata().is_ok() && !out.is_dir() {
        let kind = if out.exists() {
            "a file"
        } else {
            "a link to nothing"
        };
        return Err(Usage::error(format!(
            "{} is {kind}: give a folder as --out",
            out.display()
        )));
    }
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
    if !is_comparison(folder) && folder.join(RunRecord::FILE).exists() {
        let folder = folder.display();
        return Err(Usage::error(format!(
            "{folder} is a single run, and a report is of comparisons: `cyclr resume {folder}` shows its result",
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
    remove_outdated(report, folder)?;
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

/// Removes the charts that an earlier report of the folder has drawn and this one has not. What else
/// is there is not cyclr's.
fn remove_outdated(report: &Report, folder: &Path) -> anyhow::Result<()> {
    let path = folder.join("figures.json");
    if !path.exists() {
        return Ok(());
    }
    let earlier = read_regular_text(&path).map_err(anyhow::Error::from);
    let outdated = match earlier.and_then(|text| Ok(report.outdated(&text)?)) {
        Ok(outdated) => outdated,
        Err(error) => {
            let charts = folder.join("charts");
            let (path, charts) = (path.display(), charts.display());
            note!(
                "{path} does not say what was drawn before ({error}): remove {charts} if it has charts of an earlier report"
            );
            return Ok(());
        }
    };
    for name in outdated {
        let path = folder.join(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                let of_earlier = "the chart of an earlier report cannot be removed (remove it)";
                return Err(anyhow!(error).context(format!("{of_earlier}: {}", path.display())));
            }
            _ => {}
        }
    }
    Ok(())
}
