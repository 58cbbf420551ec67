use cyclr::advice;
use cyclr::range::{Basis, Bounds, NoAnswer, SweepReading};
use cyclr::stats::Interval;
use cyclr::units::Horizon;
use serde::{Deserialize, Serialize};

use super::{Found, Swept};
use crate::Error;
use crate::store::VERSION;

/// What a range test answers, as programs read it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "answer", rename_all = "lowercase", deny_unknown_fields)]
pub enum AnswerRecord {
    /// The bounds could be read.
    Bounds {
        /// The version of this form, 2.
        version: u32,
        /// What the bounds are read from.
        read_from: ReadFrom,
        /// The updates of the training that they are for, if it is known.
        budget: Option<u64>,
        /// The updates that the test made.
        updates: u64,
        /// The weight decay that was tried, where one was.
        weight_decay: Option<f64>,
        /// The lower bound of the rate.
        base_lr: f64,
        /// Its interval.
        base_interval: Interval,
        /// The upper bound of the rate, for triangular2; also the peak rate of linear-to-zero.
        max_lr: f64,
        /// Its interval.
        max_interval: Interval,
        /// The rate of a training that never lowers it; `null` if the bounds are read from sweeps.
        fixed_lr: Option<f64>,
        /// What the intervals are: their level, and what they were made from.
        interval: String,
        /// The lowest rate at which a run diverged, where `max_lr` is held below it.
        held_by: Option<f64>,
        /// `base_lr` and `max_lr` as the paper's rule reads them from the sweep alone, where it
        /// can.
        paper: Option<[f64; 2]>,
        /// The largest rate that all sweeps stood.
        largest_stable: Option<f64>,
        /// The step size in updates that is advised for the budget, if one is known.
        step: Option<u64>,
        /// The cycles in it.
        cycles: Option<u64>,
        /// The policy that bounds and budget suggest.
        policy: Option<String>,
    },
    /// There is no reliable answer.
    None {
        /// The version of this form, 2.
        version: u32,
        /// What was tried to read the bounds from.
        read_from: ReadFrom,
        /// The updates of the training that was asked about, if it is known.
        budget: Option<u64>,
        /// The updates that the test made.
        updates: u64,
        /// The weight decay that was tried, where one was.
        weight_decay: Option<f64>,
        /// Why not.
        reason: String,
        /// What to try.
        r#try: String,
        /// The largest rate that all sweeps stood.
        largest_stable: Option<f64>,
    },
}

/// What bounds are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ReadFrom {
    /// Short trainings.
    Probes,
    /// Sweeps alone, as in the paper.
    Sweeps,
}

impl AnswerRecord {
    /// What a test found, and what it means for a run.
    ///
    /// # Errors
    /// Those of [`advice::suggest`].
    pub fn of(found: &Found, run: &Horizon) -> Result<Self, Error> {
        let mut record = Self::new(
            ReadFrom::Probes,
            found.answer,
            &found.sweep.reading,
            Some(run),
        )?;
        if let Self::Bounds { paper, .. } = &mut record {
            // Why the sweep alone gives no answer is no part of this record.
            let read = found.sweep.reading.answer.ok();
            *paper = read.map(|bounds| [bounds.base_lr.value, bounds.max_lr.value]);
        }
        Ok(record.with(found.updates(), found.test.weight_decay))
    }

    /// What sweeps alone say, made with a weight decay where one was tried; `run` is the training
    /// that they are for, if it is known.
    ///
    /// # Errors
    /// Those of [`advice::suggest`].
    pub fn of_sweeps(
        swept: &Swept,
        weight_decay: Option<f64>,
        run: Option<&Horizon>,
    ) -> Result<Self, Error> {
        // Of held-out data there are fewer points than updates. No curve that was read is empty.
        let last = swept.curves.iter().filter_map(|curve| curve.points.last());
        let made = last.map(|point| point.update + 1);
        let reading = &swept.reading;
        let record = Self::new(ReadFrom::Sweeps, reading.answer, reading, run)?;
        Ok(record.with(made.sum(), weight_decay))
    }

    fn with(mut self, made: u64, decay: Option<f64>) -> Self {
        let (Self::Bounds {
            updates,
            weight_decay,
            ..
        }
        | Self::None {
            updates,
            weight_decay,
            ..
        }) = &mut self;
        (*updates, *weight_decay) = (made, decay);
        self
    }

    fn new(
        read_from: ReadFrom,
        answer: Result<Bounds, NoAnswer>,
        reading: &SweepReading,
        run: Option<&Horizon>,
    ) -> Result<Self, Error> {
        let largest_stable = reading.largest_stable();
        let budget = run.map(Horizon::updates);
        let bounds = match answer {
            Ok(bounds) => bounds,
            Err(reason) => {
                return Ok(Self::None {
                    version: VERSION,
                    read_from,
                    budget,
                    updates: 0,
                    weight_decay: None,
                    reason: reason.to_string(),
                    r#try: what_to_try(reason, run).to_string(),
                    largest_stable,
                });
            }
        };
        let cycles = run.map(advice::cycles).transpose()?;
        let (base_lr, max_lr) = (bounds.base_lr.value, bounds.max_lr.value);
        let suggest = |run| advice::suggest(base_lr, max_lr, run);
        let policy = run.map(suggest).transpose()?;
        Ok(Self::Bounds {
            version: VERSION,
            read_from,
            budget,
            updates: 0,
            weight_decay: None,
            base_lr: bounds.base_lr.value,
            base_interval: bounds.base_lr.interval,
            max_lr: bounds.max_lr.value,
            max_interval: bounds.max_lr.interval,
            fixed_lr: bounds.fixed_lr,
            interval: describe(&bounds),
            held_by: bounds.held_by,
            paper: None,
            largest_stable,
            step: cycles.as_ref().map(|cycles| cycles.step),
            cycles: cycles.as_ref().map(|cycles| cycles.cycles),
            policy: policy.map(|policy| policy.to_string()),
        })
    }
}

/// What the intervals of two bounds are, in words.
pub fn describe(bounds: &Bounds) -> String {
    let [base, max] = [bounds.base_lr, bounds.max_lr].map(|bound| describe_basis(bound.basis));
    if base == max {
        return max;
    }
    format!("base_lr: {base}; max_lr: {max}")
}

/// What to try after a test for a run; without one, the curves were recorded elsewhere.
pub fn what_to_try(reason: NoAnswer, run: Option<&Horizon>) -> &'static str {
    match run {
        Some(_) => reason.advice(),
        None => reason.advice_on_recorded(),
    }
}

/// What an interval covers, in words.
pub fn describe_basis(basis: Basis) -> String {
    match basis {
        Basis::Prediction => String::from("95 %, the answer of another seed at another cost"),
        Basis::Repeats { read, made } if read == made => {
            format!("95 %, t on ln rate over {made} repeats")
        }
        Basis::Repeats { read, made } => {
            format!("95 %, t on ln rate over the {read} of {made} repeats that could be read")
        }
        Basis::Bootstrap => String::from("95 %, block bootstrap of one repeat: not other seeds"),
    }
}
