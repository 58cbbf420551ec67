//! What the fuzz targets (`fuzz/`) reach nowhere else. No part of the interface.

use cyclr_train::compare::record::Record;
use cyclr_train::judge::Judgement;

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
pub fn report(record: &Record) -> Result<usize, cyclr::Error> {
    Ok(characters(&Report::new(std::slice::from_ref(record))?))
}

/// The same of a judged table.
pub fn judgement(judgement: &Judgement) -> usize {
    characters(&Report::of_judgement(judgement))
}

fn characters(report: &Report) -> usize {
    let figures = report.figures_csv().len() + report.figures_json().len();
    figures + report.html().len() + report.runs_csv().len()
}
