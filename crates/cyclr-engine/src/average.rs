//! The running average of a run's weights.

use std::mem;

use cyclr::trainer::TrainerError;

use crate::{net::Pass, trainer::EngineTrainer};

/// The mean of the weights at some points of a run.
#[derive(Debug, Default)]
pub(crate) struct Average {
    /// The points.
    pub(crate) taken: u64,
    /// Empty before the first.
    pub(crate) params: Vec<f32>,
    /// The norm statistics that the training data have under these weights, once they were
    /// measured.
    stats: Option<Vec<f32>>,
}

impl Average {
    /// The average of a state; its norm statistics are measured when they are needed.
    pub(crate) fn of_state(taken: u64, params: Vec<f32>) -> Self {
        let stats = None;
        Self {
            taken,
            params,
            stats,
        }
    }

    /// Takes one more point.
    pub(crate) fn take(&mut self, params: &[f32]) {
        self.taken += 1;
        self.stats = None;
        if self.params.is_empty() {
            self.params.extend_from_slice(params);
            return;
        }
        let share = (1.0 / self.taken as f64) as f32;
        for (mean, weight) in self.params.iter_mut().zip(params) {
            *mean += (weight - *mean) * share;
        }
    }
}

impl EngineTrainer<'_> {
    /// Does `work` while the model has the averaged weights and their norm statistics.
    pub(crate) fn with_average<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, TrainerError>,
    ) -> Result<T, TrainerError> {
        if self.average.taken == 0 {
            return Err(TrainerError::Unsupported {
                what: "evaluate its average",
                reason: "no weights have been averaged yet".into(),
            });
        }
        let trained = self.model.stats.clone();
        mem::swap(&mut self.model.params, &mut self.average.params);
        match self.average.stats.take() {
            Some(stats) => self.model.stats = stats,
            None => self.measure_norms(),
        }
        let done = work(self);
        mem::swap(&mut self.model.params, &mut self.average.params);
        self.average.stats = Some(mem::replace(&mut self.model.stats, trained));
        done
    }

    /// Sets the norm statistics to what the training data have under the weights of the model: the
    /// mean over the batches of the first epoch, images not augmented, without dropout.
    fn measure_norms(&mut self) {
        if self.model.stats.is_empty() {
            return;
        }
        self.model.stats.fill(0.0);
        let mut batches = self.batches.clone();
        let mut passes = 0;
        for update in 0..batches.updates_per_epoch() {
            for picks in batches.at(update).chunks(self.model.capacity()) {
                let train = &self.factory.splits.train;
                self.factory
                    .load(train, picks, &[], &mut self.model, &mut self.labels);
                self.model.forward(picks.len(), Pass::Measure { passes });
                passes += 1;
            }
        }
    }
}
