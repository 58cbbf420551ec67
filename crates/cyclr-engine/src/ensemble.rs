//! The models of a run whose predictions are averaged: a snapshot ensemble.

use std::mem;

use cyclr::trainer::{Evaluation, Metric, Metrics, Split, TrainerError};

use crate::{
    kernels::first_largest,
    net::{Model, Pass},
    predict,
    trainer::EngineTrainer,
};

/// Models at some points of a run.
#[derive(Debug, Default)]
pub(crate) struct Ensemble {
    /// The oldest first.
    members: Vec<Member>,
}

/// What one of the models has been trained to.
#[derive(Debug)]
struct Member {
    params: Vec<f32>,
    /// The norm statistics of its training.
    stats: Vec<f32>,
}

impl Member {
    /// Changes places with the weights of the model.
    fn swap(&mut self, model: &mut Model) {
        mem::swap(&mut self.params, &mut model.params);
        mem::swap(&mut self.stats, &mut model.stats);
    }
}

impl Ensemble {
    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// Takes a model, and drops the oldest if there are too many.
    pub(crate) fn take(&mut self, model: &Model, last: usize) {
        self.members.push(Member {
            params: model.params.clone(),
            stats: model.stats.clone(),
        });
        let over = self.members.len().saturating_sub(last);
        self.members.drain(..over);
    }

    /// All parameters, model by model, and all norm statistics.
    pub(crate) fn lists(&self) -> [Vec<f32>; 2] {
        let join = |of: fn(&Member) -> &Vec<f32>| self.members.iter().flat_map(of).copied();
        [join(|w| &w.params).collect(), join(|w| &w.stats).collect()]
    }

    /// The ensemble of `models` models whose numbers these are.
    pub(crate) fn of_lists(models: usize, [params, stats]: &[Vec<f32>; 2]) -> Self {
        let part = |list: &[f32], n: usize| {
            let size = list.len() / models;
            list[n * size..][..size].to_vec()
        };
        let member = |n| Member {
            params: part(params, n),
            stats: part(stats, n),
        };
        Self {
            members: (0..models).map(member).collect(),
        }
    }
}

impl EngineTrainer<'_> {
    /// The files of the models of the ensemble.
    pub(crate) fn ensemble_models(&mut self) -> Vec<Vec<u8>> {
        let mut files = Vec::with_capacity(self.ensemble.len());
        for n in 0..self.ensemble.len() {
            self.ensemble.members[n].swap(&mut self.model);
            files.push(self.file());
            self.ensemble.members[n].swap(&mut self.model);
        }
        files
    }

    /// Measures the mean of the probabilities that the models give to each class.
    pub(crate) fn evaluate_ensemble(&mut self, split: Split) -> Result<Evaluation, TrainerError> {
        let examples = self.factory.held_out(split)?;
        let all: Vec<u32> = (0..examples.len() as u32).collect();
        let mut correct = Vec::with_capacity(all.len());
        let mut loss = 0.0;
        for picks in all.chunks(self.model.capacity()) {
            let sums = self.probabilities(split, picks)?;
            let classes = sums.len() / picks.len();
            for (sums, &label) in sums.chunks(classes).zip(&self.labels) {
                let sum = sums[usize::from(label)];
                // The least that a number can be, where every model is sure of another class.
                let mean = if sum == 0.0 {
                    f64::MIN_POSITIVE
                } else {
                    sum / self.ensemble.len() as f64
                };
                loss -= libm::log(mean);
                correct.push(first_largest(sums) == usize::from(label));
            }
        }
        let count = all.len() as u64;
        let right = correct.iter().filter(|&&hit| hit).count() as u64;
        Ok(Evaluation {
            metrics: Metrics::new([
                Metric::loss(loss / count as f64, count),
                Metric::accuracy(right, count),
            ]),
            correct: Some(correct),
        })
    }

    /// The sum over the models of the probabilities of each class, example by example.
    fn probabilities(&mut self, split: Split, picks: &[u32]) -> Result<Vec<f64>, TrainerError> {
        let examples = self.factory.held_out(split)?;
        let mut sums = Vec::new();
        for n in 0..self.ensemble.len() {
            self.ensemble.members[n].swap(&mut self.model);
            self.factory
                .load(examples, picks, &[], &mut self.model, &mut self.labels);
            self.model.forward(picks.len(), Pass::Evaluate);
            let (outputs, _) = self.model.output(picks.len());
            sums.resize(outputs.len(), 0.0);
            let classes = outputs.len() / picks.len();
            for (sums, outputs) in sums.chunks_mut(classes).zip(outputs.chunks(classes)) {
                let probabilities = predict::softmax(outputs);
                sums.iter_mut()
                    .zip(probabilities)
                    .for_each(|(s, p)| *s += p);
            }
            self.ensemble.members[n].swap(&mut self.model);
        }
        Ok(sums)
    }
}
