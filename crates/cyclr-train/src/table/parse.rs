//! Text of other tools as columns of text, and those as numbers.

use super::csv::from_csv;
use super::json::from_json;

/// A table as it was read. Cells are text: columns that nobody asks for may hold anything.
pub(super) struct Table {
    pub(super) names: Vec<String>,
    pub(super) rows: Vec<Row>,
    pub(super) comma: Comma,
}

/// What a comma in a number is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Comma {
    /// No part of a number.
    None,
    /// The decimal point.
    Decimal,
    /// The decimal point, or between thousands: the numbers do not tell.
    Unclear,
}

pub(crate) struct Row {
    /// Where it stands: "line 3", or "value 2" of a list in JSON.
    pub(crate) place: String,
    pub(crate) cells: Vec<String>,
}

impl Table {
    /// Reads a table, JSON where it begins like it.
    ///
    /// # Errors
    /// What is wrong and what to do, in words.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
            return Err("it is UTF-16 text: save it as UTF-8".into());
        }
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        let text = std::str::from_utf8(bytes).map_err(|_| not_text(bytes))?;
        if text.trim_start().starts_with(['{', '[']) {
            from_json(text)
        } else {
            from_csv(text)
        }
    }

    /// The number in a cell, `None` if it is empty.
    ///
    /// # Errors
    /// What is wrong, where it is no number.
    pub(super) fn number(&self, row: &Row, column: usize) -> Result<Option<f64>, String> {
        let text = row.cells.get(column).map_or("", |cell| cell.trim());
        if text.is_empty() {
            return Ok(None);
        }
        let shown = || text.chars().take(40).collect::<String>();
        if self.comma == Comma::Unclear && text.contains(',') {
            let shown = shown();
            return Err(format!(
                "`{shown}` may be {} or {}: write numbers with a decimal point, and without commas",
                shown.replace(',', "."),
                shown.replace(',', "")
            ));
        }
        let point = text.replacen(',', ".", usize::from(self.comma == Comma::Decimal));
        let number: f64 = point.parse().map_err(|_| {
            let shown = shown();
            let what = if has_other_separators(text) {
                "a number with a decimal point, and without other separators"
            } else {
                "a number, nan or inf"
            };
            format!("`{}` should be {what}", shown.escape_debug())
        })?;
        if number.is_infinite() && text.contains(|c: char| c.is_ascii_digit()) {
            return Err(format!(
                "`{}` is beyond the largest number: write inf for a run that diverged",
                shown()
            ));
        }
        Ok(Some(number))
    }
}

/// What is wrong with a file that is not UTF-8.
fn not_text(bytes: &[u8]) -> String {
    let what = if bytes.contains(&0) {
        "it is no text: give a CSV or JSON file. Unpack archives, and export spreadsheets, arrays and TensorBoard's event \
         files as CSV"
    } else {
        "it is text in another encoding than UTF-8: save it as UTF-8"
    };
    what.into()
}

/// Whether a text is digits with commas, points, spaces or apostrophes between them.
fn has_other_separators(text: &str) -> bool {
    let separators = [',', '.', ' ', '\'', '\u{a0}', '\u{202f}'];
    let number = text.trim_start_matches(['-', '+']);
    let digit = |c: char| c.is_ascii_digit();
    number.starts_with(digit)
        && number.contains(separators)
        && number.replace(separators, "").chars().all(digit)
}
