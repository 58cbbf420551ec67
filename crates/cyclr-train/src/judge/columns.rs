//! What the columns of a table of results are, by their names.

use std::collections::BTreeSet;

use crate::table::{TableError, TableFile, plain_name};
use crate::verdict::unseen;

/// Where a table has its values.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Columns {
    pub(super) task: Option<usize>,
    pub(super) seed: Option<usize>,
    /// The names of figures, of which one is asked for, in a table of several.
    pub(super) figure: Option<usize>,
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

/// Names of a column, those that can mean nothing else first. Of two names in one list either could
/// be meant.
type Names = [&'static [&'static str]];

const ARM: &Names = &[
    &["arm", "arms"],
    &[
        "method",
        "model",
        "algorithm",
        "algo",
        "optimizer",
        "policy",
        "variant",
        "treatment",
        "approach",
        "system",
        "schedule",
        "scheduler",
        "condition",
    ],
    &[
        "config",
        "configuration",
        "experiment",
        "setting",
        "group",
        "name",
        "label",
    ],
];

const SEED: &Names = &[
    &["seed", "seeds"],
    &["random_seed", "rng_seed", "train_seed", "seed_id"],
    &[
        "run",
        "run_id",
        "rep",
        "repeat",
        "repetition",
        "replicate",
        "trial",
        "fold",
    ],
];

const TASK: &Names = &[
    &["task", "tasks"],
    &[
        "dataset",
        "data_set",
        "env",
        "environment",
        "env_id",
        "env_name",
        "benchmark",
        "problem",
        "game",
        "domain",
    ],
];

const FIGURE: &Names = &[&["metric", "metric_name", "measure", "figure"]];

const VALUE: &Names = &[
    &["value", "values", "score", "scores", "result", "results"],
    &[
        "accuracy",
        "acc",
        "test_accuracy",
        "test_acc",
        "accuracy_test",
        "acc_test",
        "final_accuracy",
        "final_acc",
        "top1",
        "top_1",
        "f1",
        "auc",
        "reward",
        "return",
        "episode_return",
        "episodic_return",
        "loss",
        "test_loss",
        "final_loss",
        "error",
        "test_error",
        "rmse",
        "mae",
        "perplexity",
        "ppl",
        "bleu",
        "wer",
        "seconds",
        "time",
    ],
];

impl Columns {
    /// The columns of a table, whose values are asked for by name or not.
    ///
    /// # Errors
    /// What two columns could both be, or what none of them is.
    pub(super) fn of(file: &TableFile, asked: Option<&str>) -> Result<Self, TableError> {
        let names: Vec<String> = file.names().iter().map(|name| plain_name(name)).collect();
        if let Some(problem) = file.names().iter().find_map(|name| unseen(name)) {
            return Err(file.bad_columns(&problem));
        }
        let one = |what: &str, known: &Names| match find(&names, known)[..] {
            [] => Ok(None),
            [only] => Ok(Some(only)),
            [first, second, ..] => Err(file.bad_columns(&format!(
                "`{}` and `{}` could both be the {what}; rename the one that is to `{}`",
                file.names()[first],
                file.names()[second],
                known[0][0]
            ))),
        };
        let task = one("task", TASK)?;
        let seed = one("seed", SEED)?;
        let arm = one("arm", ARM)?;
        let figure = one("name of the figure", FIGURE)?;
        let asked_for = asked.map(|asked| named(file, &names, asked));
        let asked_for = asked_for.transpose()?.flatten();
        let known = [task, seed, arm, figure];
        // What is left: no index of pandas, which has no name.
        let others: Vec<usize> = (0..names.len())
            .filter(|n| !known.contains(&Some(*n)) && !is_index(&names[*n]))
            .collect();
        let mut seen = BTreeSet::new();
        if let Some(&twice) = others
            .iter()
            .find(|&&n| !seen.insert(file.names()[n].trim()))
        {
            let name = &file.names()[twice];
            let problem = format!("two have the name `{name}`; rename or remove one");
            return Err(file.bad_columns(&problem));
        }
        let shape = match (arm, asked_for) {
            (Some(arm), Some(value)) => Shape::Long { arm, value },
            (Some(arm), None) => in_rows(file, &names, (arm, seed), &others, asked)?,
            (None, None) if others.len() > 1 => Shape::ArmColumns(others),
            (None, _) => return Err(file.bad_columns("none is the arm; name it `arm`")),
        };
        Ok(Self {
            task,
            seed,
            // A column of the name that is asked for has that figure alone.
            figure: figure.filter(|_| asked_for.is_none()),
            shape,
        })
    }
}

/// The column that is called so as it stands, or else in another case or spelling.
fn named(file: &TableFile, names: &[String], asked: &str) -> Result<Option<usize>, TableError> {
    let exact = file.names().iter();
    let exact = exact
        .map(|name| name.trim())
        .position(|name| name == asked.trim());
    let plain = plain_name(asked);
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
        .filter(|&n| seed_in(&names[n]).is_some())
        .collect();
    if seed.is_none() && !seeds.is_empty() {
        return Ok(Shape::SeedColumns { arm, seeds });
    }
    if let Some(asked) = asked {
        // Only a column without a name of its own can have what is asked for.
        let [value] = find(names, &VALUE[..1])[..] else {
            let problem = format!("none is `{asked}`; name one with --metric");
            return Err(file.bad_columns(&problem));
        };
        return Ok(Shape::Long { arm, value });
    }
    let value = match (&find(names, VALUE)[..], others) {
        ([only], _) | ([], [only]) => *only,
        ([], []) => return Err(file.bad_columns("none has the values; name it `value`")),
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

/// The columns with the most telling of the known names.
fn find(names: &[String], known: &Names) -> Vec<usize> {
    let with = |list: &&[&str]| -> Vec<usize> {
        let is = |n: &usize| list.contains(&names[*n].as_str());
        (0..names.len()).filter(is).collect()
    };
    let found = known.iter().map(with).find(|found| !found.is_empty());
    // None of the lists is among the names.
    found.unwrap_or_default()
}

fn is_index(name: &str) -> bool {
    name.is_empty() || name.starts_with("unnamed") || name == "index"
}

/// The seed in the name of a column: `3`, `seed_3`, `seed3`, `run 3`.
pub(super) fn seed_in(name: &str) -> Option<String> {
    let digits = ["seed", "run", "rep", "trial", "fold"]
        .iter()
        .find_map(|word| name.strip_prefix(word));
    let digits = digits.unwrap_or(name).trim_start_matches('_');
    let seed = digits.chars().all(|c| c.is_ascii_digit()) && !digits.is_empty();
    seed.then(|| String::from(digits))
}
