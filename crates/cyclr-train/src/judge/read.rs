//! From a table in a file to values by task, arm and seed.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use cyclr::trainer::Direction;
use unicode_normalization::UnicodeNormalization as _;

use super::columns::{Columns, Shape, lacking, same_seed, seed_in};
use super::{JudgeError, Question, SeedValue};
use crate::table::{Row, TableError, TableFile, plain_name};
use crate::verdict::unseen;

/// What W&B and MLflow call runs that have not come to their end.
const UNFINISHED: [&str; 11] = [
    "running",
    "crashed",
    "fail",
    "failed",
    "error",
    "pruned",
    "killed",
    "pending",
    "scheduled",
    "preempting",
    "preempted",
];

/// The values of a table, by task, arm and seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    pub(super) source: PathBuf,
    /// The name of the column of values, if it says what they are.
    pub(super) figure: Option<String>,
    pub(super) tasks: Vec<Option<String>>,
    pub(super) arms: Vec<String>,
    /// Of each task the runs of each arm.
    pub(super) runs: Vec<Vec<Vec<SeedValue>>>,
}

/// Reads a table of one final value for each arm and seed, and for each task, if there are several.
///
/// It is CSV (with commas, semicolons, tabs or spaces) or JSON (a list of objects, an object a line,
/// or an object of lists), with columns found by their names, in one of three shapes: a row a
/// value; a row a seed and a column an arm; a row an arm and a column a seed. An empty cell of the
/// last two is a run that was not made. NaN and infinity are runs that diverged. The path `-` is stdin.
///
/// # Errors
/// [`JudgeError::Table`], with the file and the place in it: columns that are missing or could mean
/// two things, cells that are no numbers, two values of one arm and seed, no accuracies.
pub fn read_values(path: &Path, question: &Question) -> Result<Values, JudgeError> {
    let file = TableFile::read(path)?;
    let columns = Columns::of(&file, question)?;
    if columns.seed.is_none() && !question.unpaired && !columns.has_seeds() {
        let problem = "none is the seed; name it `seed`, or say which is with --seed-column, or --unpaired if the runs \
                       have none";
        return Err(lacking(&file, problem).into());
    }
    let mut gathered = Gathered::new(&file, &columns, question);
    for row in file.rows() {
        gathered.row(row)?;
    }
    Ok(gathered.finish()?)
}

impl Values {
    /// The labels of the arms, in the table's order; at least two.
    pub fn arms(&self) -> &[String] {
        &self.arms
    }
}

impl Columns {
    /// Whether seeds are in the names of columns.
    fn has_seeds(&self) -> bool {
        matches!(self.shape, Shape::SeedColumns { .. })
    }
}

/// What was read so far.
struct Gathered<'a> {
    file: &'a TableFile,
    columns: &'a Columns,
    question: &'a Question,
    values: Values,
    tasks: HashMap<Option<String>, usize>,
    arms: HashMap<String, usize>,
    /// The place of each task's arm and seed.
    places: HashMap<(usize, usize, String), String>,
    /// The largest value of all, as it is written.
    largest: f64,
}

impl<'a> Gathered<'a> {
    fn new(file: &'a TableFile, columns: &'a Columns, question: &'a Question) -> Self {
        let mut gathered = Self {
            file,
            columns,
            question,
            values: Values {
                source: file.path().to_owned(),
                figure: None,
                tasks: Vec::new(),
                arms: Vec::new(),
                runs: Vec::new(),
            },
            tasks: HashMap::new(),
            arms: HashMap::new(),
            places: HashMap::new(),
            largest: f64::NEG_INFINITY,
        };
        match &columns.shape {
            Shape::Long { value, .. } if columns.figure.is_none() => {
                let name = &file.names()[*value];
                let says = !["value", "values", "result", "results"].contains(&&*plain_name(name));
                gathered.values.figure = says.then(|| name.clone());
            }
            // Also those without any value have a place.
            Shape::ArmColumns(arms) => {
                for &arm in arms {
                    gathered.arm(&composed(&file.names()[arm]));
                }
            }
            Shape::Long { .. } | Shape::SeedColumns { .. } => {}
        }
        gathered
    }

    fn row(&mut self, row: &Row) -> Result<(), TableError> {
        let task = self.columns.task.map(|column| self.text(row, column));
        let task = self.task(task.transpose()?);
        let seed = self.columns.seed.map(|column| self.text(row, column));
        let seed = seed.transpose()?.map(|seed| same_seed(&seed));
        if let Some(figure) = self.columns.figure {
            let name = self.text(row, figure)?;
            if !self.is_asked(&name)? {
                return Ok(());
            }
        }
        match &self.columns.shape {
            Shape::Long { arm, value } => {
                let arm = self.text(row, *arm)?;
                let arm = self.arm(&arm);
                self.check_finished(row, *value)?;
                self.value((task, arm), seed, row, *value, false)
            }
            Shape::ArmColumns(arms) => {
                for &column in arms {
                    let arm = self.arm(&composed(&self.file.names()[column]));
                    self.value((task, arm), seed.clone(), row, column, true)?;
                }
                Ok(())
            }
            Shape::SeedColumns { arm, seeds } => {
                let arm = self.text(row, *arm)?;
                let arm = self.arm(&arm);
                for &column in seeds {
                    let seed = seed_in(&self.file.names()[column]);
                    self.value((task, arm), seed, row, column, true)?;
                }
                Ok(())
            }
        }
    }

    /// Takes in one value; where a cell may be empty, that is a run that was not made.
    fn value(
        &mut self,
        (task, arm): (usize, usize),
        seed: Option<String>,
        row: &Row,
        column: usize,
        may_be_empty: bool,
    ) -> Result<(), TableError> {
        let value = match self.file.number(row, column)? {
            Some(value) => value,
            None if may_be_empty => return Ok(()),
            None => {
                let problem = "it is empty: write nan for a run that diverged, and leave out the row of one that was not made";
                return Err(self.file.at(row, column, problem));
            }
        };
        if let Some(seed) = &seed {
            self.check_once((task, arm), seed, row)?;
        }
        let in_unit = |value: f64| {
            let checked = self.question.figure.in_unit(value);
            checked.map_err(|problem| self.file.at(row, column, &problem))
        };
        if value.is_finite() && value != 0.0 && !(1e-100..=1e100).contains(&value.abs()) {
            let problem = format!(
                "{value:e} is not from 1e-100 to 1e100 in size, and sums of its squares are no numbers: give it in \
                 another unit"
            );
            return Err(self.file.at(row, column, &problem));
        }
        let checked = value.is_finite().then(|| in_unit(value)).transpose()?;
        self.largest = self.largest.max(value);
        let value = checked;
        self.values.runs[task].resize(self.values.arms.len(), Vec::new());
        self.values.runs[task][arm].push(SeedValue { seed, value });
        Ok(())
    }

    /// Refuses a value of a run that a tracker says was not finished; one that diverged may be so.
    fn check_finished(&self, row: &Row, column: usize) -> Result<(), TableError> {
        let finite = |value: f64| value.is_finite();
        if !self.file.number(row, column)?.is_some_and(finite) {
            return Ok(());
        }
        let unfinished = |column: &&usize| {
            let state = row.cells[**column].trim().to_lowercase();
            UNFINISHED.contains(&&*state)
        };
        match self.columns.states.iter().find(unfinished) {
            Some(&state) => Err(self.file.at(
                row,
                state,
                &format!(
                    "a run that is `{}` has no final value: finish it or leave out its row, or write nan as its value if it diverged",
                    row.cells[state].trim()
                ),
            )),
            None => Ok(()),
        }
    }

    /// Refuses a second value of the same task, arm and seed.
    fn check_once(
        &mut self,
        (task, arm): (usize, usize),
        seed: &str,
        row: &Row,
    ) -> Result<(), TableError> {
        let key = (task, arm, String::from(seed));
        let Some(earlier) = self.places.insert(key, row.place.clone()) else {
            return Ok(());
        };
        let at = match &self.values.tasks[task] {
            Some(task) => format!(" at {task}"),
            None => String::new(),
        };
        Err(self.file.refuse(format!(
            "{}: {} has a value of seed {seed}{at} already ({earlier}): give one final value for each arm and seed, of a \
             log the last row of each run",
            row.place, self.values.arms[arm]
        )))
    }

    /// Whether a figure is the one that is asked for; without a question, there may be only one.
    fn is_asked(&mut self, name: &str) -> Result<bool, TableError> {
        if let Some(asked) = &self.question.figure.name {
            return Ok(plain_name(asked) == plain_name(name));
        }
        let first = self.values.figure.get_or_insert_with(|| String::from(name));
        if first == name {
            return Ok(true);
        }
        let reason = format!("it has the figures {first} and {name}: say which with --metric");
        Err(self.file.refuse(reason))
    }

    fn finish(mut self) -> Result<Values, TableError> {
        let file = self.file;
        if self.values.runs.iter().flatten().all(Vec::is_empty) {
            let asked = self.question.figure.name.as_ref();
            let of = asked.map_or_else(String::new, |name| format!(" of `{name}`"));
            return Err(file.refuse(format!(
                "it has no values{of}: give the final value of each run"
            )));
        }
        if self.values.arms.len() < 2 {
            let arms = self.values.arms.join("");
            return Err(file.refuse(format!(
                "it has only the arm {arms}: there is nothing beside it; give the values of at least two"
            )));
        }
        if self.is_fraction_taken_for_per_cent() {
            return Err(file.refuse(String::from(
                "all values are at most 1, which is little for per cent: say --unit fraction",
            )));
        }
        for runs in &mut self.values.runs {
            runs.resize(self.values.arms.len(), Vec::new());
        }
        Ok(self.values)
    }

    /// Whether all values of what should be accuracies in per cent are at most 1.
    fn is_fraction_taken_for_per_cent(&self) -> bool {
        let figure = &self.question.figure;
        let objective = figure.objective(self.values.figure.as_deref());
        let higher = objective.is_ok_and(|objective| objective.direction == Direction::Higher);
        figure.fraction == Some(false) && higher && self.largest > 0.0 && self.largest <= 1.0
    }

    /// The text of a cell that may not be empty.
    fn text(&self, row: &Row, column: usize) -> Result<String, TableError> {
        let text = row.cells[column].trim();
        if text.is_empty() {
            let problem = "it is empty; put in what belongs there, or leave out the row";
            return Err(self.file.at(row, column, problem));
        }
        if let Some(problem) = unseen(text) {
            return Err(self.file.at(row, column, &problem));
        }
        Ok(composed(text))
    }

    /// The place of a task, which may be new.
    fn task(&mut self, name: Option<String>) -> usize {
        let next = self.values.tasks.len();
        let place = *self.tasks.entry(name.clone()).or_insert(next);
        if place == next {
            self.values.tasks.push(name);
            self.values.runs.push(Vec::new());
        }
        place
    }

    /// The place of an arm, which may be new.
    fn arm(&mut self, label: &str) -> usize {
        let next = self.values.arms.len();
        let place = *self.arms.entry(String::from(label)).or_insert(next);
        if place == next {
            self.values.arms.push(String::from(label));
        }
        place
    }
}

/// A label in the one form of Unicode in which letters and their accents are one (NFC): two that
/// look the same are the same.
pub(super) fn composed(label: &str) -> String {
    label.nfc().collect()
}
