//! A run of the engine, driven update by update.

use cyclr::{
    Hyper,
    trainer::{self, Evaluation, Metric, Metrics, Split, Trainer, TrainerError, TrainerInfo},
};

use crate::{
    average::Average,
    config::EngineError,
    cpu::Cpu,
    data::{Augment, Batches, Examples},
    ensemble::Ensemble,
    factory::EngineFactory,
    kernels::{self, LossSum},
    net::{self, Model, Pass},
    optim::{Group, Optim},
    predict,
    state::{self, Averages, Place},
};

/// A net under training.
#[derive(Debug)]
pub struct EngineTrainer<'a> {
    pub(crate) factory: &'a EngineFactory,
    pub(crate) model: Model,
    optim: Optim,
    pub(crate) batches: Batches,
    pub(crate) labels: Vec<u16>,
    pub(crate) average: Average,
    pub(crate) ensemble: Ensemble,
    info: TrainerInfo,
    seed: u64,
    /// The update about to be made.
    update: u64,
}

impl<'a> EngineTrainer<'a> {
    /// A fresh run.
    pub(crate) fn start(factory: &'a EngineFactory, seed: u64) -> Result<Self, EngineError> {
        let config = &factory.config;
        let cpu = Cpu::new(factory.level, config.threads)?;
        let mut model = Model::new(factory.plan.clone(), factory.micro_batch, cpu);
        let (params, stats) = (&mut model.params, &mut model.stats);
        match &factory.weights {
            Some(weights) => weights.start(&factory.plan, seed, params, stats),
            None => net::start(&factory.plan, seed, params, stats),
        }
        let groups = factory.plan.params.iter().map(|info| Group {
            range: info.range.clone(),
            lr_mult: info.param.lr_mult,
            decay_mult: info.param.decay_mult,
        });
        Ok(Self {
            factory,
            model,
            optim: Optim::new(config.optimizer, config.weight_decay, groups.collect()),
            batches: factory.batches(seed)?,
            labels: Vec::with_capacity(factory.micro_batch),
            average: Average::default(),
            ensemble: Ensemble::default(),
            info: factory.info(),
            seed,
            update: 0,
        })
    }

    /// The model as a file for others.
    pub(crate) fn file(&self) -> Vec<u8> {
        let (factory, model) = (self.factory, &self.model);
        let words = predict::metadata(
            factory.config.net.name(),
            factory.dataset(),
            &factory.config.normalization,
        );
        net::export(&words, &factory.plan, &model.params, &model.stats)
    }

    /// Adds up the gradients of the mean loss over the batch, micro-batch by micro-batch.
    fn gradients(&mut self) -> (LossSum, usize) {
        let Self {
            factory,
            model,
            batches,
            labels,
            seed,
            update,
            ..
        } = self;
        let picks = batches.at(*update);
        let count = picks.len();
        let augment = factory.config.augment;
        let views = if augment == Augment::NONE {
            Vec::new()
        } else {
            augment.views(*seed, *update, count)
        };
        model.begin_update(*seed, *update);
        let mut sum = LossSum::default();
        for (index, picks) in picks.chunks(model.capacity()).enumerate() {
            let start = index * model.capacity();
            // Empty if images are not augmented.
            let views = match views[..] {
                [] => &[],
                _ => &views[start..start + picks.len()],
            };
            factory.load(&factory.splits.train, picks, views, model, labels);
            model.forward(picks.len(), Pass::Train);
            let (logits, gradient) = model.output(picks.len());
            let of_part =
                factory
                    .loss
                    .run(logits, labels, Some((gradient, 1.0 / count as f64)), None);
            sum.loss += of_part.loss;
            sum.correct += of_part.correct;
            model.backward(picks.len());
        }
        (sum, count)
    }

    /// What gradients are multiplied by so that their norm is at most `clip_norm`.
    fn clip_factor(&self) -> f32 {
        let Some(most) = self.factory.config.clip_norm else {
            return 1.0;
        };
        let norm = libm::sqrt(kernels::sum_of_squares(&self.model.grads));
        // A NaN stays one, so that divergence shows.
        let factor = most / (norm + 1e-6);
        if factor > 1.0 { 1.0 } else { factor as f32 }
    }
}

impl Trainer for EngineTrainer<'_> {
    fn info(&self) -> &TrainerInfo {
        &self.info
    }

    fn update(&mut self, hyper: Hyper) -> Result<Metrics, TrainerError> {
        check_hyper(&hyper, &self.info)?;
        let (sum, count) = self.gradients();
        let factor = self.clip_factor();
        let model = &mut self.model;
        self.optim.step(
            &model.cpu,
            &mut model.params,
            &mut model.grads,
            hyper,
            (self.update + 1, factor),
        );
        self.update += 1;
        Ok(metrics(sum, count))
    }

    fn evaluate(&mut self, split: Split) -> Result<Evaluation, TrainerError> {
        let (factory, model) = (self.factory, &mut self.model);
        let examples = factory.held_out(split)?;
        let mut correct = vec![false; examples.len()];
        let mut sum = LossSum::default();
        let all: Vec<u32> = (0..examples.len() as u32).collect();
        let parts = correct.chunks_mut(model.capacity());
        for (picks, correct) in all.chunks(model.capacity()).zip(parts) {
            factory.load(examples, picks, &[], model, &mut self.labels);
            model.forward(picks.len(), Pass::Evaluate);
            let (logits, _) = model.output(picks.len());
            let of_part = factory
                .plain_loss
                .run(logits, &self.labels, None, Some(correct));
            sum.loss += of_part.loss;
            sum.correct += of_part.correct;
        }
        Ok(Evaluation {
            metrics: metrics(sum, examples.len()),
            correct: Some(correct),
        })
    }

    fn state(&mut self) -> Result<Vec<u8>, TrainerError> {
        let place = Place {
            seed: self.seed,
            update: self.update,
            momentum: self.optim.momentum,
            weight_decay: self.optim.weight_decay,
            averaged: self.average.taken,
            ensemble: self.ensemble.len() as u64,
        };
        let mut lists: Vec<(&str, &[f32])> = vec![
            ("parameters", &self.model.params),
            ("norm_statistics", &self.model.stats),
        ];
        let names = self.factory.config.optimizer.memory();
        let memory = self.optim.memory.iter().map(Vec::as_slice);
        lists.extend(names.iter().copied().zip(memory));
        if self.average.taken > 0 {
            lists.push((state::AVERAGE, &self.average.params));
        }
        let ensemble = self.ensemble.lists();
        if !self.ensemble.is_empty() {
            lists.extend(
                state::ENSEMBLE_LISTS
                    .into_iter()
                    .zip(ensemble.iter().map(Vec::as_slice)),
            );
        }
        let fingerprint = &self.factory.fingerprint;
        Ok(state::write(fingerprint, self.factory.level, place, &lists))
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), TrainerError> {
        let config = &self.factory.config;
        let bad = |reason| TrainerError::BadState { reason };
        let (params, stats) = (self.model.params.len(), self.model.stats.len());
        let mut averages = Averages {
            average: vec![0.0; params],
            sizes: [params, stats],
            ensemble: Default::default(),
        };
        let mut lists: Vec<(&str, &mut [f32])> = vec![
            ("parameters", &mut self.model.params),
            ("norm_statistics", &mut self.model.stats),
        ];
        let memory = self.optim.memory.iter_mut().map(Vec::as_mut_slice);
        lists.extend(config.optimizer.memory().iter().copied().zip(memory));
        let level = (!config.allow_inexact).then_some(self.factory.level);
        let fingerprint = &self.factory.fingerprint;
        let place = state::read(bytes, fingerprint, level, lists, &mut averages).map_err(bad)?;
        self.batches = self
            .factory
            .batches(place.seed)
            .map_err(|e| bad(e.to_string()))?;
        self.seed = place.seed;
        self.update = place.update;
        self.optim.momentum = place.momentum;
        self.optim.weight_decay = place.weight_decay;
        self.average = match place.averaged {
            0 => Average::default(),
            taken => Average::of_state(taken, averages.average),
        };
        self.ensemble = Ensemble::of_lists(place.ensemble as usize, &averages.ensemble);
        Ok(())
    }

    fn model(&mut self) -> Result<Option<Vec<u8>>, TrainerError> {
        Ok(Some(self.file()))
    }

    fn average(&mut self, how: trainer::Average) -> Result<(), TrainerError> {
        match how {
            trainer::Average::Troughs if self.ensemble.is_empty() => {
                self.average.take(&self.model.params);
            }
            trainer::Average::Ensemble(last) if self.average.taken == 0 => {
                self.ensemble.take(&self.model, last.get() as usize);
            }
            _ => {
                return Err(TrainerError::Unsupported {
                    what: "average in two ways",
                    reason: "a run averages weights or predictions".into(),
                });
            }
        }
        Ok(())
    }

    fn evaluate_average(&mut self, split: Split) -> Result<Evaluation, TrainerError> {
        if self.ensemble.is_empty() {
            return self.with_average(|run| run.evaluate(split));
        }
        self.evaluate_ensemble(split)
    }

    fn average_models(&mut self) -> Result<Vec<Vec<u8>>, TrainerError> {
        if self.ensemble.is_empty() {
            return self.with_average(|run| Ok(vec![run.file()]));
        }
        Ok(self.ensemble_models())
    }
}

impl EngineFactory {
    /// The examples of a split.
    pub(crate) fn held_out(&self, split: Split) -> Result<&Examples, TrainerError> {
        let (examples, name) = match split {
            Split::Validation => (&self.splits.validation, "validation"),
            Split::Test => (&self.splits.test, "test"),
        };
        if examples.is_empty() {
            return Err(TrainerError::Unsupported {
                what: "evaluate",
                reason: format!(
                    "its data have no {name} part; cut one off, or choose data with one"
                ),
            });
        }
        Ok(examples)
    }

    /// Loads examples and their labels as input of the net.
    pub(crate) fn load(
        &self,
        examples: &Examples,
        picks: &[u32],
        views: &[crate::data::View],
        model: &mut Model,
        labels: &mut Vec<u16>,
    ) {
        /// Images in a task.
        const CHUNK: usize = 10;
        labels.clear();
        labels.extend(picks.iter().map(|&pick| examples.label(pick)));
        let normalization = &self.config.normalization;
        let values = examples.shape().values();
        let (cpu, input) = model.input(picks.len());
        let parts = input.chunks_mut(CHUNK * values).zip(picks.chunks(CHUNK));
        let tasks = parts.enumerate().collect();
        cpu.run(
            tasks,
            |(index, (out, picks)): (usize, (&mut [f32], &[u32]))| {
                let start = index * CHUNK;
                if views.is_empty() {
                    examples.fill(picks, normalization, out);
                } else {
                    let views = &views[start..start + picks.len()];
                    examples.fill_views(picks, views, normalization, out);
                }
            },
        );
    }
}

fn metrics(sum: LossSum, count: usize) -> Metrics {
    let n = count as u64;
    Metrics::new([
        Metric::loss(sum.loss / count as f64, n),
        Metric::accuracy(sum.correct, n),
    ])
}

fn check_hyper(hyper: &Hyper, info: &TrainerInfo) -> Result<(), TrainerError> {
    let wrong = |name: &str, value: f64, range: &str| {
        Err(TrainerError::Unsupported {
            what: "make this update",
            reason: format!("{name} is {value}; it must be {range}"),
        })
    };
    let not_negative = |value: f64| value.is_finite() && value >= 0.0;
    if !not_negative(hyper.lr) {
        return wrong("the rate", hyper.lr, "finite and at least 0");
    }
    if let Some(momentum) = hyper.momentum {
        if !info.momentum {
            return wrong("momentum", momentum, "left alone: this optimizer has none");
        }
        if !(0.0..1.0).contains(&momentum) {
            return wrong("momentum", momentum, "at least 0 and below 1");
        }
    }
    match hyper.weight_decay {
        Some(decay) if !not_negative(decay) => {
            wrong("weight decay", decay, "finite and at least 0")
        }
        _ => Ok(()),
    }
}
