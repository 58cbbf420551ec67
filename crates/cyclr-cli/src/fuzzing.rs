//! What the fuzz targets (`fuzz/`) reach nowhere else. No part of the interface.

use cyclr_train::compare::record::Record;

use crate::report::Report;

/// Reads a line as the answer to each request of a child.
#[cfg(unix)]
pub fn read_answer(line: &[u8]) {
    crate::child::read_answer(line);
}

/// The page and the tables of a report; how many characters they have.
///
/// # Errors
/// A spec of the record that does not fit its run.
pub fn report(record: Record) -> Result<usize, cyclr::Error> {
    let report = Report::new(vec![record])?;
    let texts = [
        report.html(),
        report.figures_csv(),
        report.figures_json(),
        report.runs_csv(),
    ];
    Ok(texts.iter().map(String::len).sum())
}
