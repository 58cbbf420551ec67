//! Tables in files that other tools wrote: CSV in its dialects, and JSON.

mod csv;
mod json;
mod long;
mod parse;

use std::io;
use std::path::{Path, PathBuf};

pub(crate) use parse::Row;
use parse::Table;

use crate::store::{read_regular, read_stdin};

/// Columns that a message names; exports of trackers have hundreds.
const MOST_SEEN: usize = 20;

/// A file with a table in it.
pub(crate) struct TableFile {
    path: PathBuf,
    table: Table,
}

impl TableFile {
    /// What is in a file, or comes on stdin if the path is `-`.
    ///
    /// # Errors
    /// [`TableError`]
    pub(crate) fn read(path: &Path) -> Result<Self, TableError> {
        let (path, bytes) = match path.to_str() {
            Some("-") => (Path::new("stdin"), read_stdin()),
            _ => (path, read_regular(path)),
        };
        let bytes = bytes.map_err(|error| TableError::Unreadable {
            path: path.to_owned(),
            error,
        })?;
        let table = Table::read(&bytes).map_err(|reason| TableError::refuse(path, reason))?;
        Ok(Self {
            path: path.to_owned(),
            table,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The names of the columns.
    pub(crate) fn names(&self) -> &[String] {
        &self.table.names
    }

    pub(crate) fn rows(&self) -> &[Row] {
        &self.table.rows
    }

    /// The number in a cell, `None` if it is empty.
    ///
    /// # Errors
    /// [`TableError::Refused`] with the cell's place, if it is no number.
    pub(crate) fn number(&self, row: &Row, column: usize) -> Result<Option<f64>, TableError> {
        let number = self.table.number(row, column);
        number.map_err(|problem| self.at(row, column, &problem))
    }

    /// What is wrong in a cell.
    pub(crate) fn at(&self, row: &Row, column: usize, problem: &str) -> TableError {
        let (place, name) = (&row.place, &self.table.names[column]);
        self.refuse(format!("{place}, column `{name}`: {problem}"))
    }

    /// What is wrong in the file.
    pub(crate) fn refuse(&self, reason: String) -> TableError {
        TableError::refuse(&self.path, reason)
    }

    /// What is wrong with the columns, with those that were seen.
    pub(crate) fn bad_columns(&self, problem: &str) -> TableError {
        let names = self.names();
        let seen = names.iter().take(MOST_SEEN).map(|n| format!("`{n}`"));
        let seen = seen.collect::<Vec<_>>().join(", ");
        let more = match names.len().saturating_sub(MOST_SEEN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        self.refuse(format!("its columns are {seen}{more}: {problem}"))
    }
}

/// A name in lower case, with `_` for whatever is no letter or digit, and none at its ends.
pub(crate) fn plain_name(name: &str) -> String {
    let name = name.to_lowercase();
    let plain = |c: char| if c.is_alphanumeric() { c } else { '_' };
    let name: String = name.chars().map(plain).collect();
    String::from(name.trim_matches('_'))
}

/// Why a file has no table that can be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// It cannot be read at all.
    #[error("{} cannot be read: {error}; give a CSV or JSON file", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It does not hold what it should.
    #[error("{}: {reason}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// What is wrong, where, and what to do.
        reason: String,
    },
}

impl TableError {
    pub(crate) fn refuse(path: &Path, reason: String) -> Self {
        Self::Refused {
            path: path.to_owned(),
            reason,
        }
    }
}
