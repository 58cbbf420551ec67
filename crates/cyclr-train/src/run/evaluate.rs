//! What a run evaluates on the held-out data, and what that decides.

use cyclr::trainer::{Metrics, Split, Trainer};

use super::recorder::Recorder;
use crate::run::{Outcome, Run, StopReason, ValidationPoint};
use crate::{Error, Event};

impl Recorder<'_> {
    /// Averages, evaluates the validation split, and says whether what it shows ends the run.
    pub(super) fn evaluate(&mut self, net: &mut dyn Trainer) -> Result<Option<StopReason>, Error> {
        let updates_done = self.progress.updates_done;
        let average = self.plan.average_at(updates_done);
        if let Some(average) = average {
            net.average(average)?;
        }
        if self.plan.info().validation == 0 {
            return Ok(None);
        }
        let evaluation = net.evaluate(Split::Validation)?;
        let mut correct = evaluation.correct;
        let average = if average.is_some() {
            let of_average = net.evaluate_average(Split::Validation)?;
            correct = of_average.correct;
            Some(of_average.metrics)
        } else {
            // Between two troughs the average stays as it is.
            let last = self.progress.evaluations.last();
            last.and_then(|point| point.average.clone())
        };
        let point = ValidationPoint {
            updates_done,
            trough: self.plan.trough(updates_done),
            metrics: evaluation.metrics,
            average,
            compute_seconds: self.progress.compute_seconds,
        };
        self.emit(&Event::Evaluated(point.clone()))?;
        let stop_reason = self.decide(&point, correct.as_deref())?;
        if point.trough.is_some() {
            self.progress.trough_correct = correct;
        }
        self.progress.evaluations.push(point);
        Ok(stop_reason)
    }

    /// Whether an evaluation ends the run.
    fn decide(
        &self,
        evaluation: &ValidationPoint,
        correct: Option<&[bool]>,
    ) -> Result<Option<StopReason>, Error> {
        if !evaluation.metrics.is_finite() || !evaluation.declared().is_finite() {
            return Ok(Some(StopReason::Diverged {
                update: evaluation.updates_done,
            }));
        }
        if self.plan.decides_at(evaluation.updates_done)
            && self.reaches_target(evaluation.declared())
        {
            return Ok(Some(StopReason::Target));
        }
        let may_be_flat = self.plan.task().stop_on_plateau && evaluation.trough.is_some();
        if may_be_flat
            && self
                .progress
                .is_plateau(evaluation, correct, self.plan.info())?
        {
            return Ok(Some(StopReason::Plateau));
        }
        Ok(None)
    }

    fn reaches_target(&self, metrics: &Metrics) -> bool {
        let (Some(metric), Some(target)) = (
            self.plan.info().objective_in(metrics),
            self.plan.task().target,
        ) else {
            return false;
        };
        !metric.direction.is_better(target, metric.value)
    }
}

impl Run<'_, '_> {
    /// Evaluates the test split, and gives the outcome.
    pub(super) fn test(&mut self) -> Result<Outcome, Error> {
        let updates_done = self.progress.updates_done;
        let stop_reason = self
            .progress
            .stop_reason
            .expect("a run that is finished has ended");
        self.emit(&Event::Ended {
            stop_reason,
            updates_done,
        })?;
        let diverged = matches!(stop_reason, StopReason::Diverged { .. });
        let test = if self.plan.task().test && self.plan.info().test > 0 && !diverged {
            let evaluation = match self.plan.task().average {
                Some(_) => self.net.evaluate_average(Split::Test)?,
                None => self.net.evaluate(Split::Test)?,
            };
            let metrics = evaluation.metrics;
            self.emit(&Event::Tested {
                updates_done,
                metrics: metrics.clone(),
            })?;
            Some(metrics)
        } else {
            None
        };
        Ok(Outcome {
            stop_reason,
            updates_done,
            updates_shared: self.progress.updates_shared,
            test,
            compute_seconds: self.progress.compute_seconds,
            wall_seconds: self.spent(),
            machines: std::mem::take(&mut self.progress.machines),
            evaluations: std::mem::take(&mut self.progress.evaluations),
        })
    }
}
