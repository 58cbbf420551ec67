//! The engine behind the trainer interface: a trainer factory that makes runs, and a run that is driven update by update.

use std::{fmt, sync::Arc};

use cyclr::{
    Hyper,
    trainer::{
        Evaluation, Metric, Metrics, Split, Trainer, TrainerError, TrainerFactory, TrainerInfo,
    },
};

use crate::{
    config::{EngineConfig, EngineError},
    cpu::{Cpu, CpuError, Level},
    data::{Augment, Batches, Dataset, Examples, Order, Splits},
    kernels::{self, LossSum, SoftmaxCrossEntropy},
    net::{self, Model, Net, NetError, Pass, Plan, Weights},
    optim::{Group, Optim},
    predict,
    state::{self, Fingerprint, Place},
};

/// Makes runs of one net on one data set. Its runs share the pixels.
pub struct EngineFactory {
    config: EngineConfig,
    splits: Splits,
    plan: Arc<Plan>,
    weights: Option<Weights>,
    level: Level,
    micro_batch: usize,
    loss: SoftmaxCrossEntropy,
    /// Without label smoothing.
    plain_loss: SoftmaxCrossEntropy,
    fingerprint: Fingerprint,
}

impl EngineFactory {
    /// Checks that all fits together.
    ///
    /// # Errors
    /// [`EngineError`], naming what does not fit.
    pub fn new(config: EngineConfig, splits: Splits) -> Result<Self, EngineError> {
        config.check()?;
        let (shape, classes) = (splits.train.shape(), splits.train.dataset().classes().len());
        let plan = Plan::new(&config.net, (shape.height, shape.width, shape.channels))?;
        let values = plan.values[plan.output()];
        if values != classes {
            let net = config.net.name().into();
            return Err(NetError::Outputs {
                net,
                values,
                classes,
            }
            .into());
        }
        let (found, expected) = (config.normalization.values(), shape.values());
        if found != expected {
            return Err(EngineError::Normalization { found, expected });
        }
        config.check_augment(shape)?;
        Batches::new(splits.train.len(), config.batch, config.order, 0)?;
        let micro_batch = config.micro_batch.unwrap_or(config.batch);
        check_smallest_pass(&config, &plan, splits.train.len(), micro_batch)?;
        let level = match config.level {
            Some(level) => level,
            None => Level::from_environment()?,
        };
        if config.threads == 0 {
            return Err(CpuError::NoThreads.into());
        }
        Cpu::new(level, 1)?;
        let weights = config.weights.as_deref();
        let weights = weights
            .map(|bytes| Weights::read(bytes, &plan))
            .transpose()?;
        let loss = |smoothing| {
            SoftmaxCrossEntropy::new(classes, smoothing).map_err(|source| NetError::Geometry {
                net: config.net.name().into(),
                layer: "the loss".into(),
                height: 1,
                width: 1,
                channels: classes,
                source,
            })
        };
        Ok(Self {
            loss: loss(config.label_smoothing)?,
            plain_loss: loss(0.0)?,
            fingerprint: fingerprint(&config, &splits.train, &plan, micro_batch),
            plan: Arc::new(plan),
            weights,
            level,
            micro_batch,
            config,
            splits,
        })
    }

    /// A fresh run, as [`TrainerFactory::start`] gives it.
    ///
    /// # Errors
    /// [`EngineError::Cpu`] where the system refuses the threads.
    pub fn run(&self, seed: u64) -> Result<EngineTrainer<'_>, EngineError> {
        let config = &self.config;
        let cpu = Cpu::new(self.level, config.threads)?;
        let mut model = Model::new(self.plan.clone(), self.micro_batch, cpu);
        let (params, stats) = (&mut model.params, &mut model.stats);
        match &self.weights {
            Some(weights) => weights.start(&self.plan, seed, params, stats),
            None => net::start(&self.plan, seed, params, stats),
        }
        let groups = self.plan.params.iter().map(|info| Group {
            range: info.range.clone(),
            lr_mult: info.param.lr_mult,
            decay_mult: info.param.decay_mult,
        });
        Ok(EngineTrainer {
            factory: self,
            model,
            optim: Optim::new(config.optimizer, config.weight_decay, groups.collect()),
            batches: self.batches(seed)?,
            labels: Vec::with_capacity(self.micro_batch),
            info: self.info(),
            seed,
            update: 0,
        })
    }

    /// The net.
    pub fn net(&self) -> &Net {
        &self.config.net
    }

    /// The data set that the splits are of.
    pub fn dataset(&self) -> &Dataset {
        self.splits.train.dataset()
    }

    fn batches(&self, seed: u64) -> Result<Batches, EngineError> {
        let config = &self.config;
        let batches = Batches::new(self.splits.train.len(), config.batch, config.order, seed);
        batches.map_err(EngineError::from)
    }

    fn info(&self) -> TrainerInfo {
        TrainerInfo {
            examples: self.splits.train.len() as u64,
            batch: self.config.batch as u64,
            validation: self.splits.validation.len() as u64,
            test: self.splits.test.len() as u64,
            momentum: self.config.optimizer.momentum().is_some(),
            weight_decay: true,
            snapshots: true,
            given_weights: self.weights.is_some(),
        }
    }
}

impl fmt::Debug for EngineFactory {
    /// Without the data and its normalisation, which would fill pages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let factory = &mut f.debug_struct("EngineLab");
        factory
            .field("level", &self.level)
            .field("threads", &self.config.threads);
        factory
            .field("run", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

impl TrainerFactory for EngineFactory {
    fn start(&self, seed: u64) -> Result<Box<dyn Trainer + '_>, TrainerError> {
        match self.run(seed) {
            Ok(run) => Ok(Box::new(run)),
            Err(error) => Err(TrainerError::Failed {
                reason: error.to_string(),
            }),
        }
    }
}

/// A net under training.
#[derive(Debug)]
pub struct EngineTrainer<'a> {
    factory: &'a EngineFactory,
    model: Model,
    optim: Optim,
    batches: Batches,
    labels: Vec<u16>,
    info: TrainerInfo,
    seed: u64,
    /// The update about to be made.
    update: u64,
}

impl EngineTrainer<'_> {
    /// Adds up the gradients of the mean loss over the batch, one micro-batch after the other.
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
        let suggestions = batches.at(*update);
        let count = suggestions.len();
        let augment = factory.config.augment;
        let views = if augment == Augment::NONE {
            Vec::new()
        } else {
            augment.views(*seed, *update, count)
        };
        model.begin_update(*seed, *update);
        let mut sum = LossSum::default();
        for (index, suggestions) in suggestions.chunks(model.capacity()).enumerate() {
            let start = index * model.capacity();
            let views = views
                .get(start..start + suggestions.len())
                .unwrap_or_default();
            factory.load(&factory.splits.train, suggestions, views, model, labels);
            model.forward(suggestions.len(), Pass::Train);
            let (logits, gradient) = model.output(suggestions.len());
            let of_part =
                factory
                    .loss
                    .run(logits, labels, Some((gradient, 1.0 / count as f64)), None);
            sum.loss += of_part.loss;
            sum.correct += of_part.correct;
            model.backward(suggestions.len());
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
        let (examples, name) = match split {
            Split::Validation => (&factory.splits.validation, "validation"),
            Split::Test => (&factory.splits.test, "test"),
        };
        if examples.is_empty() {
            return Err(TrainerError::Unsupported {
                what: "evaluate",
                reason: format!(
                    "its data have no {name} part; cut one off, or choose data with one"
                ),
            });
        }
        let mut correct = vec![false; examples.len()];
        let mut sum = LossSum::default();
        let all: Vec<u32> = (0..examples.len() as u32).collect();
        let parts = correct.chunks_mut(model.capacity());
        for (suggestions, correct) in all.chunks(model.capacity()).zip(parts) {
            factory.load(examples, suggestions, &[], model, &mut self.labels);
            model.forward(suggestions.len(), Pass::Evaluate);
            let (logits, _) = model.output(suggestions.len());
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
        };
        let mut lists: Vec<(&str, &[f32])> = vec![
            ("parameters", &self.model.params),
            ("norm_statistics", &self.model.stats),
        ];
        let names = self.factory.config.optimizer.memory();
        let memory = self.optim.memory.iter().map(Vec::as_slice);
        lists.extend(names.iter().copied().zip(memory));
        let fingerprint = &self.factory.fingerprint;
        Ok(state::write(fingerprint, self.factory.level, place, &lists))
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), TrainerError> {
        let config = &self.factory.config;
        let bad = |reason| TrainerError::BadState { reason };
        let mut lists: Vec<(&str, &mut [f32])> = vec![
            ("parameters", &mut self.model.params),
            ("norm_statistics", &mut self.model.stats),
        ];
        let memory = self.optim.memory.iter_mut().map(Vec::as_mut_slice);
        lists.extend(config.optimizer.memory().iter().copied().zip(memory));
        let level = (!config.allow_inexact).then_some(self.factory.level);
        let place =
            state::read(bytes, &self.factory.fingerprint, level, &mut lists).map_err(bad)?;
        self.batches = self
            .factory
            .batches(place.seed)
            .map_err(|e| bad(e.to_string()))?;
        self.seed = place.seed;
        self.update = place.update;
        self.optim.momentum = place.momentum;
        self.optim.weight_decay = place.weight_decay;
        Ok(())
    }

    fn model(&mut self) -> Result<Option<Vec<u8>>, TrainerError> {
        let (factory, model) = (self.factory, &self.model);
        let words = predict::metadata(
            factory.config.net.name(),
            factory.dataset(),
            &factory.config.normalization,
        );
        let file = net::export(&words, &factory.plan, &model.params, &model.stats);
        Ok(Some(file))
    }
}

impl EngineFactory {
    /// Puts examples and their labels in front of the net.
    fn load(
        &self,
        examples: &Examples,
        suggestions: &[u32],
        views: &[crate::data::View],
        model: &mut Model,
        labels: &mut Vec<u16>,
    ) {
        /// Images in a task.
        const CHUNK: usize = 10;
        labels.clear();
        labels.extend(suggestions.iter().map(|&pick| examples.label(pick)));
        let normalization = &self.config.normalization;
        let values = examples.shape().values();
        let (cpu, input) = model.input(suggestions.len());
        let parts = input
            .chunks_mut(CHUNK * values)
            .zip(suggestions.chunks(CHUNK));
        let tasks = parts.enumerate().collect();
        cpu.run(
            tasks,
            |(index, (out, suggestions)): (usize, (&mut [f32], &[u32]))| {
                let start = index * CHUNK;
                match views.get(start..start + suggestions.len()) {
                    Some(views) => examples.fill_views(suggestions, views, normalization, out),
                    None => examples.fill(suggestions, normalization, out),
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

fn check_smallest_pass(
    config: &EngineConfig,
    plan: &Plan,
    examples: usize,
    micro_batch: usize,
) -> Result<(), EngineError> {
    let last = match config.order {
        Order::Shuffled => examples % config.batch,
        Order::Stored => 0,
    };
    let single = |batch: usize| batch > 0 && (batch % micro_batch == 1 || micro_batch == 1);
    if plan.norm_of_single_pixels && (single(config.batch) || single(last)) {
        return Err(EngineError::SingleExample {
            examples,
            batch: config.batch,
            micro_batch,
        });
    }
    Ok(())
}

/// What later updates depend on, apart from what changes. The texts are part of the state's format.
fn fingerprint(
    config: &EngineConfig,
    train: &Examples,
    plan: &Plan,
    micro_batch: usize,
) -> Fingerprint {
    let clip = config
        .clip_norm
        .map_or("none".into(), |norm| norm.to_string());
    let (name, layers) = (config.net.name(), config.net.describe());
    let net = format!("{name} of {} parameters\n{layers}", plan.parameters());
    Fingerprint::from([
        ("net", net),
        ("data", data_fingerprint(train, config)),
        ("optimizer", config.optimizer.describe()),
        ("batch", format!("{} by {micro_batch}", config.batch)),
        ("order", config.order.describe().into()),
        ("augment", config.augment.describe()),
        ("label_smoothing", config.label_smoothing.to_string()),
        ("clip_norm", clip),
    ])
}

/// The size of the training part, with a checksum over its labels, some of its images, and the normalisation.
fn data_fingerprint(train: &Examples, config: &EngineConfig) -> String {
    let mut crc = crc32fast::Hasher::new();
    let len = train.len() as u32;
    for pick in 0..len {
        crc.update(&train.label(pick).to_le_bytes());
    }
    for pick in (0..len).step_by(train.len().div_ceil(64)) {
        crc.update(train.image(pick));
    }
    let normalization = &config.normalization;
    for number in normalization.mean().iter().chain(normalization.scale()) {
        crc.update(&number.to_le_bytes());
    }
    let (shape, crc) = (train.shape(), crc.finalize());
    format!("{len} images of {shape} ({crc:08x})")
}
