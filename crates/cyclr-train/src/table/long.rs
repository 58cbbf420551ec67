//! Tables with a row for each figure (`key,value,step`), as trackers of experiments export them,
//! turned into tables with a row for each step.

use std::collections::BTreeMap;

use super::{Row, TableError, TableFile, parse::Table, plain_name};

/// The columns of such a table.
struct Long {
    key: usize,
    value: usize,
    step: usize,
    run: Option<usize>,
}

impl Long {
    fn of(names: &[String]) -> Option<Self> {
        let names: Vec<String> = names.iter().map(|name| plain_name(name)).collect();
        let place = |known: &[&str]| names.iter().position(|name| known.contains(&name.as_str()));
        Some(Self {
            key: place(&["key", "metric", "tag"])?,
            value: place(&["value"])?,
            step: place(&["step"])?,
            run: place(&["run_id", "run"]),
        })
    }
}

impl TableFile {
    /// The same figures, with a row for each step and a column for each key. Any other table stays
    /// as it is.
    ///
    /// # Errors
    /// [`TableError::Refused`] if it has several runs, or a figure of a step twice.
    pub(crate) fn unfolded(self) -> Result<Self, TableError> {
        let Some(long) = Long::of(self.names()) else {
            return Ok(self);
        };
        let mut names = vec![String::from("step")];
        let mut rows: Vec<Row> = Vec::new();
        let mut place_of = BTreeMap::new();
        let mut run = None;
        for row in self.rows() {
            let cell = |column: usize| row.cells.get(column).map_or("", String::as_str);
            let first = *run.get_or_insert(long.run.map(cell));
            if long.run.map(cell) != first {
                let problem = "it is of another run than the rows before: export one run to a file";
                return Err(self.at(row, long.run.unwrap_or(long.key), problem));
            }
            let column = names.iter().position(|name| name == cell(long.key));
            let column = column.unwrap_or_else(|| {
                names.push(cell(long.key).to_owned());
                names.len() - 1
            });
            let at = *place_of.entry(cell(long.step)).or_insert(rows.len());
            if at == rows.len() {
                let (place, cells) = (row.place.clone(), vec![cell(long.step).to_owned()]);
                rows.push(Row { place, cells });
            }
            let cells = &mut rows[at].cells;
            cells.resize(cells.len().max(column + 1), String::new());
            if !cells[column].is_empty() {
                let problem = format!("step {} has it twice: export one run", cell(long.step));
                return Err(self.at(row, long.key, &problem));
            }
            cell(long.value).clone_into(&mut cells[column]);
        }
        let table = Table {
            names,
            rows,
            ..self.table
        };
        Ok(Self { table, ..self })
    }
}
