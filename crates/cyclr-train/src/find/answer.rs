use cyclr::advice;
use cyclr::range::{Bounds, Estimate, Interval, NoAnswer, SweepReading};
use cyclr::units::Horizon;
use serde::{Deserialize, Serialize};

use super::Found;
use crate::Error;
use crate::store::VERSION;

/// What a range test answers, as programs read it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "answer", rename_all = "lowercase", deny_unknown_fields)]
pub enum AnswerRecord {
    /// The bounds could be read.
    Bounds {
        /// The version of this form, 1.
        version: u32,
        /// The weight decay that was tried, where one was.
        weight_decay: Option<f64>,
        /// The lower bound of the rate.
        base_lr: f64,
        /// Its interval.
        base_interval: [f64; 2],
        /// The upper bound of the rate.
        max_lr: f64,
        /// Its interval.
        max_interval: [f64; 2],
        /// What the intervals are: their level, and what they were made from.
        interval: String,
        /// The lowest rate at which a repeat diverged, where `max_lr` is held below it.
        held_by: Option<f64>,
        /// The largest rate that all repeats stood.
        largest_stable: Option<f64>,
        /// The step size in updates that is advised for the budget, where one is known.
        step: Option<u64>,
        /// The cycles in it.
        cycles: Option<u64>,
        /// The policy that bounds and budget suggest.
        policy: Option<String>,
    },
    /// There is no reliable answer.
    None {
        /// The version of this form, 1.
        version: u32,
        /// The weight decay that was tried, where one was.
        weight_decay: Option<f64>,
        /// Why not.
        reason: String,
        /// What to try.
        r#try: String,
        /// The largest rate that all repeats stood.
        largest_stable: Option<f64>,
    },
}

impl AnswerRecord {
    /// What a test found, and what it means for a run.
    ///
    /// # Errors
    /// Those of [`advice::suggest`].
    pub fn of(found: &Found, run: &Horizon) -> Result<Self, Error> {
        let (_, reading) = found.read();
        let mut answer = Self::read(found.answer(), reading, Some(run))?;
        let (Self::Bounds { weight_decay, .. } | Self::None { weight_decay, .. }) = &mut answer;
        *weight_decay = found.weight_decay;
        Ok(answer)
    }

    /// What was read from curves that were recorded elsewhere.
    pub fn of_reading(reading: &SweepReading) -> Self {
        Self::read(reading.answer, reading, None).expect("only a run can fail")
    }

    fn read(
        answer: Result<Bounds, NoAnswer>,
        reading: &SweepReading,
        run: Option<&Horizon>,
    ) -> Result<Self, Error> {
        let largest_stable = reading.largest_stable();
        let bounds = match answer {
            Ok(bounds) => bounds,
            Err(reason) => {
                return Ok(Self::None {
                    version: VERSION,
                    weight_decay: None,
                    reason: reason.to_string(),
                    r#try: reason.advice().to_string(),
                    largest_stable,
                });
            }
        };
        let cycles = run.map(advice::cycles).transpose()?;
        let (base_lr, max_lr) = (bounds.base_lr.value, bounds.max_lr.value);
        let suggest = |run| advice::suggest(base_lr, max_lr, run);
        let policy = run.map(suggest).transpose()?;
        let ends = |estimate: Estimate| [estimate.low, estimate.high];
        Ok(Self::Bounds {
            version: VERSION,
            weight_decay: None,
            base_lr: bounds.base_lr.value,
            base_interval: ends(bounds.base_lr),
            max_lr: bounds.max_lr.value,
            max_interval: ends(bounds.max_lr),
            interval: describe(&bounds),
            held_by: bounds.held_by,
            largest_stable,
            step: cycles.as_ref().map(|cycles| cycles.step),
            cycles: cycles.as_ref().map(|cycles| cycles.cycles),
            policy: policy.map(|policy| policy.to_string()),
        })
    }
}

/// What the intervals of two bounds are, in words.
pub fn describe(bounds: &Bounds) -> String {
    let [base, max] =
        [bounds.base_lr, bounds.max_lr].map(|bound| describe_interval(bound.interval));
    if base == max {
        return max;
    }
    format!("base_lr: {base}; max_lr: {max}")
}

/// What an interval is, in words.
pub fn describe_interval(interval: Interval) -> String {
    match interval {
        Interval::Repeats { read, made } if read == made => {
            format!("95 %, t on ln rate over {made} repeats")
        }
        Interval::Repeats { read, made } => {
            format!("95 %, t on ln rate over the {read} of {made} repeats that could be read")
        }
        Interval::Bootstrap => String::from("95 %, block bootstrap of one repeat: not other seeds"),
    }
}
