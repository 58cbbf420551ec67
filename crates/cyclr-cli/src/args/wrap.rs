//! The options for a program that cannot be asked.

#[cfg(unix)]
use std::time::Duration;

use clap::Args;
use cyclr::trainer::Direction;
use serde::{Deserialize, Serialize};

#[cfg(unix)]
use crate::child::{Pattern, Wrap};
#[cfg(unix)]
use crate::exit::Usage;

/// A program that makes whole runs, and where its figures stand.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[command(next_help_heading = "A program that can't be touched")]
#[serde(deny_unknown_fields, default)]
pub(crate) struct WrapArgs {
    /// COMMAND does not know cyclr: start it once per run, and read its figures from what it
    /// prints. In COMMAND, {schedule} becomes a file with the rate of each update, one per line, or
    /// {lr} a constant rate; {seed}, {updates}, {data_seed} and {folder} are replaced too
    #[arg(long, requires_all = ["command", "metric", "direction", "examples", "batch"])]
    pub(crate) wrap: bool,
    /// With --wrap: the figure that decides, the last one printed: a regular expression with one
    /// group, as in 'val_acc=(\S+)', or a path into JSON lines, as in $.val.accuracy
    #[arg(long, value_name = "PATTERN", requires = "wrap")]
    pub(crate) metric: Option<String>,
    /// With --wrap: the figure on the test data, which is reported and decides nothing [default:
    /// that of --metric; the verdict then says so]
    #[arg(long, value_name = "PATTERN", requires = "wrap")]
    pub(crate) test_metric: Option<String>,
    /// With --wrap: whether a higher or a lower figure is better
    #[arg(long, value_name = "higher|lower", value_parser = direction, requires = "wrap")]
    pub(crate) direction: Option<Direction>,
    /// With --wrap: the number of training examples; with --batch it gives the length of an epoch
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), requires = "wrap")]
    pub(crate) examples: Option<u64>,
}

impl WrapArgs {
    /// Whether nothing is wrapped.
    pub(crate) fn is_off(&self) -> bool {
        *self == Self::default()
    }

    /// What is known of the program, if one is wrapped, with its batch and what a run may take.
    #[cfg(unix)]
    pub(crate) fn asked(
        &self,
        batch: Option<u64>,
        data_seed: u64,
        timeout: Option<Duration>,
    ) -> anyhow::Result<Option<Wrap>> {
        if !self.wrap {
            return Ok(None);
        }
        let (Some(metric), Some(direction), Some(examples), Some(batch)) =
            (&self.metric, self.direction, self.examples, batch)
        else {
            return Err(Usage::error(
                "--wrap needs --metric, --direction, --examples and --batch",
            ));
        };
        let test_metric = self.test_metric.as_ref();
        let test_metric = test_metric.map(|text| pattern("--test-metric", text));
        Ok(Some(Wrap {
            metric: pattern("--metric", metric)?,
            test_metric: test_metric.transpose()?,
            direction,
            examples,
            batch,
            data_seed,
            timeout,
        }))
    }
}

#[cfg(unix)]
fn pattern(option: &str, text: &str) -> anyhow::Result<Pattern> {
    text.parse()
        .map_err(|error| Usage::error(format!("{option}: {error}")))
}

fn direction(text: &str) -> Result<Direction, String> {
    match text {
        "higher" => Ok(Direction::Higher),
        "lower" => Ok(Direction::Lower),
        _ => Err(String::from("write higher or lower")),
    }
}
