//! What the columns of a table of results are, by their names.

use std::collections::BTreeSet;

use super::Question;
use super::names::{ARM, FIGURE, Role, SEED, STATE, TASK, VALUE, find};
use crate::table::{TableError, TableFile, plain_name};
use crate::verdict::unseen;

/// Where a table has its values.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Columns {
    pub(super) task: Option<usize>,
    pub(super) seed: Option<usize>,
    /// The names of figures, of which one is asked for, in a table of several.
    pub(super) figure: Option<usize>,
    /// Those in which a tracker of experiments says whether a run was finished.
    pub(super) states: Vec<usize>,
    pub(super) shape: Shape,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A row a value.
    Long { arm: usize, value: usize },
    /// A row a seed, and a column an arm.
    ArmColumns(Vec<usize>),
    /// A row an arm, and a column a seed.
    SeedColumns { arm: usize, seeds: Vec<usize> },
}

impl Columns {
    /// The columns of a table, by their names and by what the question says of them.
    ///
    /// # Errors
    /// What two columns could both be, or what none of them is.
    pub(super) fn of(file: &TableFile, question: &Question) -> Result<Self, TableError> {
        let mut names: Vec<String> = file.names().iter().map(|name| own_name(name)).collect();
        if let Some(problem) = file.names().iter().find_map(|name| unseen(name)) {
            return Err(file.bad_columns(&problem));
        }
        let asked = question.figure.name.as_deref();
        let value = asked.map(|asked| named(file, &names, asked));
        let value = value.transpose()?.flatten();
        let arm = chosen(file, &names, &ARM, question.arm_column.as_deref())?;
        let seed = chosen(file, &names, &SEED, question.seed_column.as_deref())?;
        for known in [value, arm, seed].into_iter().flatten() {
            // A column is one thing only.
            names[known].clear();
        }
        let arm = arm.map_or_else(|| ARM.one(file, &names), |arm| Ok(Some(arm)))?;
        let seed = seed.map_or_else(|| SEED.one(file, &names), |seed| Ok(Some(seed)))?;
        let task = TASK.one(file, &names)?;
        let figure = FIGURE.one(file, &names)?;
        let states = find(&names, STATE);
        let known = [task, seed, arm, figure];
        // What is left: no index of pandas, which has no name.
        let is_other = |n: &usize| {
            let known = known.contains(&Some(*n)) || states.contains(n);
            !known && !is_index(&plain_name(&file.names()[*n]))
        };
        let others: Vec<usize> = (0..names.len()).filter(is_other).collect();
        check_twins(file, &others)?;
        let shape = match (arm, value) {
            (Some(arm), Some(value)) => Shape::Long { arm, value },
            (Some(arm), None) => in_rows(file, &names, (arm, seed), &others, asked)?,
            (None, None) if others.len() > 1 => Shape::ArmColumns(all_numbers(file, others)?),
            (None, _) => {
                return Err(lacking(
                    file,
                    "none is the arm; name it `arm`, or say which is with --arm-column",
                ));
            }
        };
        Ok(Self {
            task,
            seed,
            // A column of the name that is asked for has that figure alone.
            figure: figure.filter(|_| value.is_none()),
            states,
            shape,
        })
    }
}

impl Role {
    /// The column whose name says that it is this.
    fn one(&self, file: &TableFile, names: &[String]) -> Result<Option<usize>, TableError> {
        let found = find(names, self.names);
        let [first, second, ..] = found[..] else {
            return Ok(found.first().copied());
        };
        let what_to_do = match self.option {
            Some(option) => format!("say which with {option}"),
            None => format!("rename the one that is to `{}`", self.names[0][0]),
        };
        Err(lacking(
            file,
            &format!(
                "`{}` and `{}` could both be the {}; {what_to_do}",
                file.names()[first],
                file.names()[second],
                self.what
            ),
        ))
    }
}

/// The column that the question says is the arm, or the seed.
fn chosen(
    file: &TableFile,
    names: &[String],
    role: &Role,
    asked: Option<&str>,
) -> Result<Option<usize>, TableError> {
    let Some(asked) = asked else { return Ok(None) };
    let found = named(file, names, asked)?;
    let missing = || {
        file.bad_columns(&format!(
            "none is `{asked}`, which should be the {}",
            role.what
        ))
    };
    found.ok_or_else(missing).map(Some)
}

/// Refuses two columns of one name.
fn check_twins(file: &TableFile, columns: &[usize]) -> Result<(), TableError> {
    let mut seen = BTreeSet::new();
    let mut columns = columns.iter().map(|&n| &file.names()[n]);
    match columns.find(|name| !seen.insert(name.trim())) {
        Some(name) => {
            let problem = format!("two have the name `{name}`; rename or remove one");
            Err(file.bad_columns(&problem))
        }
        None => Ok(()),
    }
}

/// The columns of arms; none of them is text.
fn all_numbers(file: &TableFile, columns: Vec<usize>) -> Result<Vec<usize>, TableError> {
    let Some(&text) = columns.iter().find(|&&n| is_text(file, n)) else {
        return Ok(columns);
    };
    let problem = format!(
        "none is the arm; name it `arm`, or say which is with --arm-column (`{}` has no numbers, and so cannot be the \
         values of an arm)",
        file.names()[text]
    );
    Err(lacking(file, &problem))
}

/// Whether a column has something in it, and no number at all.
fn is_text(file: &TableFile, column: usize) -> bool {
    let numbers = || file.rows().iter().map(|row| file.number(row, column));
    numbers().any(|number| number.is_err())
        && !numbers().any(|number| matches!(number, Ok(Some(_))))
}

/// What is missing, and why it may be: trackers keep settings and results as objects in one cell, and
/// export logs too.
pub(super) fn lacking(file: &TableFile, problem: &str) -> TableError {
    let objects = (0..file.names().len()).find(|&n| is_objects(file, n));
    file.bad_columns(&match objects {
        Some(n) => format!(
            "{problem}; `{}` has objects in its cells, which pandas.json_normalize spreads into columns",
            file.names()[n]
        ),
        None if is_log(file) => format!(
            "{problem}; it seems to be a log: give one final value of each run, with its arm and seed"
        ),
        None => String::from(problem),
    })
}

/// Whether every cell of a column is an object.
fn is_objects(file: &TableFile, column: usize) -> bool {
    let is_object = |cell: &str| cell.starts_with('{');
    let mut rows = file.rows().iter();
    !file.rows().is_empty() && rows.all(|row| is_object(&row.cells[column]))
}

/// Whether the columns are those of TensorBoard's scalars, or of a chart of W&B.
fn is_log(file: &TableFile) -> bool {
    let names = file.names();
    let named = |plain: &str| names.iter().any(|name| plain_name(name) == plain);
    (named("wall_time") && named("step")) || names.iter().any(|name| name.ends_with("__MIN"))
}

/// The column that is called so as it stands, or else in another case or spelling.
fn named(file: &TableFile, names: &[String], asked: &str) -> Result<Option<usize>, TableError> {
    let exact = file.names().iter();
    let exact = exact
        .map(|name| name.trim())
        .position(|name| name == asked.trim());
    let plain = own_name(asked);
    let alike = |&n: &usize| names[n] == plain && !plain.is_empty();
    let alike: Vec<usize> = (0..names.len()).filter(alike).collect();
    match (exact, &alike[..]) {
        (None, [first, second, ..]) => Err(file.bad_columns(&format!(
            "`{}` and `{}` could both be `{asked}`; write the name as it stands",
            file.names()[*first],
            file.names()[*second]
        ))),
        (exact, alike) => Ok(exact.or(alike.first().copied())),
    }
}

/// The shape of a table with a column of arms, none of whose columns has the name asked for.
fn in_rows(
    file: &TableFile,
    names: &[String],
    (arm, seed): (usize, Option<usize>),
    others: &[usize],
    asked: Option<&str>,
) -> Result<Shape, TableError> {
    let seeds: Vec<usize> = others
        .iter()
        .copied()
        .filter(|&n| seed_in(&file.names()[n]).is_some())
        .collect();
    if seed.is_none() && !seeds.is_empty() {
        return Ok(Shape::SeedColumns { arm, seeds });
    }
    if let Some(asked) = asked {
        // Only a column without a name of its own can have what is asked for.
        let [value] = find(names, &VALUE[..1])[..] else {
            let problem = format!("none is `{asked}`; name one with --metric");
            return Err(lacking(file, &problem));
        };
        return Ok(Shape::Long { arm, value });
    }
    let numbers: Vec<usize> = others
        .iter()
        .copied()
        .filter(|&n| !is_text(file, n))
        .collect();
    let value = match (&find(names, VALUE)[..], &numbers[..]) {
        ([only], _) | ([], [only]) => *only,
        ([], []) => {
            return Err(lacking(
                file,
                "none has the values; name it `value`, or say which has with --metric",
            ));
        }
        ([], [first, second, ..]) | ([first, second, ..], _) => {
            return Err(file.bad_columns(&format!(
                "`{}` and `{}` could both be the values; say which with --metric",
                file.names()[*first],
                file.names()[*second]
            )));
        }
    };
    Ok(Shape::Long { arm, value })
}

/// The plain name of a column, without the part that trackers of experiments put in front:
/// `params.seed` of MLflow, `config.seed` of W&B.
fn own_name(name: &str) -> String {
    let parts = ["params.", "metrics.", "config.", "summary."];
    let part = parts.iter().find_map(|part| name.trim().strip_prefix(part));
    plain_name(part.unwrap_or(name))
}

fn is_index(name: &str) -> bool {
    name.is_empty() || name.starts_with("unnamed") || name == "index"
}

/// The seed in the name of a column: `3`, `3.0`, `seed_3`, `Seed3`, `run 3`.
pub(super) fn seed_in(name: &str) -> Option<String> {
    let name = name.trim().to_lowercase();
    let seed = ["seed", "run", "rep", "trial", "fold"]
        .iter()
        .find_map(|word| name.strip_prefix(word));
    let seed = seed.unwrap_or(&name);
    let seed = same_seed(seed.trim_matches(|c: char| !c.is_alphanumeric()));
    let is_seed = seed.chars().all(|c| c.is_ascii_digit()) && !seed.is_empty();
    is_seed.then_some(seed)
}

/// A seed as all rows write it: pandas makes 1.0 of 1 if another is missing.
pub(super) fn same_seed(text: &str) -> String {
    let whole = text.parse::<f64>().ok().filter(|seed| seed.fract() == 0.0);
    match whole.filter(|seed| seed.abs() < 1e15) {
        // 0 has no sign.
        Some(seed) => format!("{:.0}", seed + 0.0),
        None => String::from(text),
    }
}
