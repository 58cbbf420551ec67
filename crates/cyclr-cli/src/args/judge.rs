use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};
use cyclr::trainer::Direction;
use cyclr_train::judge::{Figure, Question};

#[derive(ClapArgs)]
pub(crate) struct JudgeArgs {
    /// The table, as CSV, JSON or JSON lines: one row per value with the columns arm, seed and
    /// value, or one column per arm, or one column per seed; - is stdin
    pub(crate) table: PathBuf,
    /// The arm that the others are compared with
    #[arg(long, value_name = "ARM")]
    pub(crate) reference: String,
    /// The name of the figure to judge [default: the only one]
    #[arg(long, value_name = "NAME")]
    pub(crate) metric: Option<String>,
    /// Higher figures are better [default: by the figure's name]
    #[arg(long, conflicts_with = "lower")]
    pub(crate) higher: bool,
    /// Lower figures are better [default: by the figure's name]
    #[arg(long)]
    pub(crate) lower: bool,
    /// How accuracies or error rates are written
    #[arg(long, value_enum)]
    pub(crate) unit: Option<ShareUnit>,
    /// Differences below this do not matter, in points with --unit, else in the unit of the values
    /// [default with --unit: 0.5 points]
    #[arg(long, value_name = "MARGIN")]
    pub(crate) margin: Option<f64>,
    /// Test examples behind each value, to say how much of the spread they explain
    #[arg(long, value_name = "N", requires = "unit", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000_000))]
    pub(crate) examples: Option<u64>,
    /// The column that says which arm a row is of [default: by its name]
    #[arg(long, value_name = "COLUMN")]
    pub(crate) arm_column: Option<String>,
    /// The column with the seeds [default: by its name]
    #[arg(long, value_name = "COLUMN")]
    pub(crate) seed_column: Option<String>,
    /// The runs have no seeds, or equal seeds of two arms have nothing in common
    #[arg(long)]
    pub(crate) unpaired: bool,
    /// Exit with code 4 unless this arm is better than the reference, in every task
    #[arg(long, value_name = "ARM")]
    pub(crate) require: Option<String>,
    /// Write the report, the verdict and the values (as JSON) into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

/// How a share of examples is written.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum ShareUnit {
    /// As in 0.84
    Fraction,
    /// As in 84
    Percent,
}

impl JudgeArgs {
    pub(crate) fn question(&self) -> Question {
        let direction = match (self.higher, self.lower) {
            (true, _) => Some(Direction::Higher),
            (_, true) => Some(Direction::Lower),
            (false, false) => None,
        };
        Question {
            reference: self.reference.clone(),
            figure: Figure {
                name: self.metric.clone(),
                direction,
                fraction: self.unit.map(|unit| matches!(unit, ShareUnit::Fraction)),
            },
            margin: self.margin,
            examples: self.examples,
            unpaired: self.unpaired,
            arm_column: self.arm_column.clone(),
            seed_column: self.seed_column.clone(),
        }
    }
}
