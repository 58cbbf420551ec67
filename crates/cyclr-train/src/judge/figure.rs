//! What the judged values are: their name, unit and direction.

use cyclr::trainer::{Direction, Objective, Unit};

use super::JudgeError;
use crate::verdict::MARGIN_POINTS;

/// What is said of the judged values.
#[derive(Clone, Debug, Default)]
pub struct Figure {
    /// Its name: that of its column, or of the figure in a column of figures' names.
    pub name: Option<String>,
    /// Whether more or less of it is better; if `None`, its name must tell.
    pub direction: Option<Direction>,
    /// Of an accuracy, or an error rate: whether it is written as a fraction, and not in per cent.
    /// `None` for any other figure, and if that is not known.
    pub fraction: Option<bool>,
}

/// Words in the names of figures of which less is better.
const LOWER: [&str; 29] = [
    "loss",
    "losses",
    "error",
    "errors",
    "err",
    "rmse",
    "mse",
    "mae",
    "nll",
    "perplexity",
    "ppl",
    "wer",
    "cer",
    "fid",
    "bpc",
    "bpb",
    "time",
    "seconds",
    "secs",
    "minutes",
    "hours",
    "ms",
    "latency",
    "cost",
    "regret",
    "brier",
    "ece",
    "entropy",
    "crossentropy",
];

/// Words in the names of figures of which more is better.
const HIGHER: [&str; 25] = [
    "accuracy",
    "accuracies",
    "acc",
    "auc",
    "auroc",
    "f1",
    "score",
    "reward",
    "return",
    "returns",
    "r2",
    "bleu",
    "rouge",
    "map",
    "precision",
    "recall",
    "iou",
    "miou",
    "dice",
    "success",
    "mcc",
    "psnr",
    "ssim",
    "top1",
    "top5",
];

/// Words that turn the meaning of another one round, as in scikit-learn's `neg_log_loss`.
const TURNED: [&str; 8] = [
    "neg",
    "negative",
    "minus",
    "inverse",
    "reduction",
    "decrease",
    "drop",
    "improvement",
];

impl Figure {
    /// The objective that the values are of, the name of whose column is known or not.
    pub(super) fn objective(&self, column: Option<&str>) -> Result<Objective, JudgeError> {
        let usual = if self.fraction.is_some() {
            "accuracy"
        } else {
            "value"
        };
        let name = self.name.as_deref().or(column);
        let name = String::from(name.unwrap_or(usual));
        let direction = match (self.direction, &directions_in(&name)[..]) {
            (Some(direction), _) | (None, &[direction]) => direction,
            // Of what has such a unit, an error rate says what it is.
            (None, []) if self.fraction.is_some() => Direction::Higher,
            (None, _) => {
                return Err(JudgeError::Asked(format!(
                    "`{name}` does not tell whether higher or lower is better: give --higher or --lower"
                )));
            }
        };
        let unit = match self.fraction {
            Some(_) => Unit::Points,
            None => Unit::Own,
        };
        Ok(Objective {
            name: name.into(),
            direction,
            unit,
        })
    }

    /// A value in the objective's unit.
    ///
    /// # Errors
    /// What is wrong with an accuracy that its unit does not allow.
    pub(super) fn in_unit(&self, value: f64) -> Result<f64, String> {
        match self.fraction {
            Some(true) if !(0.0..=1.0).contains(&value) => Err(format!(
                "{value} is not a fraction of 1: percentages need --unit percent"
            )),
            Some(false) if !(0.0..=100.0).contains(&value) => Err(format!(
                "{value} is not a percentage: it must be from 0 to 100"
            )),
            Some(true) => Ok(Unit::Points.of(value)),
            Some(false) | None => Ok(value),
        }
    }
}

/// The margin that was given, or the usual one of an accuracy.
pub(super) fn checked_margin(
    objective: &Objective,
    margin: Option<f64>,
) -> Result<f64, JudgeError> {
    match (margin, objective.unit) {
        (Some(margin), _) if margin > 0.0 && margin.is_finite() => Ok(margin),
        (Some(margin), _) => Err(JudgeError::Asked(format!(
            "the margin is {margin}: it must be above 0"
        ))),
        (None, Unit::Points) => Ok(MARGIN_POINTS),
        (None, Unit::Own) => Err(JudgeError::Asked(format!(
            "give with --margin a difference in `{}` that does not matter; for an accuracy give --unit fraction or \
             --unit percent, and the margin is {MARGIN_POINTS} points",
            objective.name
        ))),
    }
}

/// What words of the name say is better: both, if they contradict each other, as in `top1_error`.
fn directions_in(name: &str) -> Vec<Direction> {
    let name = name.to_lowercase();
    let has = |known: &[&str]| {
        let mut words = name.split(|c: char| !c.is_alphanumeric());
        words.any(|word| known.contains(&word))
    };
    let turned = has(&TURNED);
    let lower = (turned || has(&LOWER)).then_some(Direction::Lower);
    let higher = (turned || has(&HIGHER)).then_some(Direction::Higher);
    lower.into_iter().chain(higher).collect()
}
