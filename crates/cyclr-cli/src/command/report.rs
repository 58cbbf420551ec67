//! `cyclr report DIR…`: the report of finished comparisons, made from their folders.

use std::path::Path;

use anyhow::{Context, anyhow};
use cyclr_train::compare::read_comparison;
use cyclr_train::compare::record::Record;

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
    write(&Report::new(&records)?, out)
}

fn finished(folder: &Path) -> anyhow::Result<Record> {
    read_comparison(folder)?.ok_or_else(|| {
        anyhow!(
            "{} is not finished: go on with `cyclr resume {}`",
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
            .and_then(|()| std::fs::write(&path, bytes));
        written.with_context(|| {
            format!("{} cannot be written; the results are kept", path.display())
        })?;
    }
    note!("report: {}", folder.join("report.html").display());
    Ok(())
}
