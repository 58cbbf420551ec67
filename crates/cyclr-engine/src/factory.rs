//! The engine behind the trainer interface: a trainer factory that makes runs, and a run that is
//! driven update by update.

use std::{fmt, sync::Arc};

use cyclr::trainer::{Objective, Trainer, TrainerError, TrainerFactory, TrainerInfo};

use crate::{
    config::{EngineConfig, EngineError},
    cpu::{Cpu, CpuError, Level},
    data::{Batches, Dataset, Order, Splits},
    fingerprint::fingerprint,
    kernels::SoftmaxCrossEntropy,
    net::{Net, NetError, Plan, Weights},
    state::Fingerprint,
    trainer::EngineTrainer,
};

/// Makes runs of one net on one data set. Its runs share the pixels.
pub struct EngineFactory {
    pub(crate) config: EngineConfig,
    pub(crate) splits: Splits,
    pub(crate) plan: Arc<Plan>,
    pub(crate) weights: Option<Weights>,
    pub(crate) level: Level,
    pub(crate) micro_batch: usize,
    pub(crate) loss: SoftmaxCrossEntropy,
    /// Without label smoothing.
    pub(crate) plain_loss: SoftmaxCrossEntropy,
    pub(crate) fingerprint: Fingerprint,
    data_checksum: String,
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
            data_checksum: splits.checksum(),
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
    /// [`EngineError::Cpu`] if the system cannot start the threads.
    pub fn run(&self, seed: u64) -> Result<EngineTrainer<'_>, EngineError> {
        EngineTrainer::start(self, seed)
    }

    /// The net.
    pub fn net(&self) -> &Net {
        &self.config.net
    }

    /// The data set that the splits are of.
    pub fn dataset(&self) -> &Dataset {
        self.splits.train.dataset()
    }

    pub(crate) fn batches(&self, seed: u64) -> Result<Batches, EngineError> {
        let config = &self.config;
        let batches = Batches::new(self.splits.train.len(), config.batch, config.order, seed);
        batches.map_err(EngineError::from)
    }

    pub(crate) fn info(&self) -> TrainerInfo {
        TrainerInfo {
            examples: self.splits.train.len() as u64,
            batch: self.config.batch as u64,
            validation: self.splits.validation.len() as u64,
            test: self.splits.test.len() as u64,
            momentum: self.config.optimizer.momentum().is_some(),
            weight_decay: true,
            snapshots: true,
            given_weights: self.weights.is_some(),
            averages: true,
            ensembles: true,
            objective: Some(Objective::ACCURACY),
            whole_runs: None,
            data_checksum: Some(self.data_checksum.clone()),
        }
    }
}

impl fmt::Debug for EngineFactory {
    /// Without the data and its normalisation, which would fill pages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let factory = &mut f.debug_struct("EngineFactory");
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
