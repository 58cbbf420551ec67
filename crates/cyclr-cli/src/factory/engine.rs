//! From options to a trainer factory of the embedded engine.

use std::path::Path;

use anyhow::anyhow;
use cyclr_engine::{
    EngineConfig, EngineError, EngineFactory, Optimizer,
    data::{Augment, Color, DataError, Dataset, Normalization, OpenOptions, Order, Splits},
    net::Net,
};
use cyclr_train::store::read_state;

use super::{NormalizationName, OptimizerName, TrainerArgs};
use crate::exit::Usage;
use crate::say::note;

impl TrainerArgs {
    /// The embedded engine's factory; says what is to be known of how the data were read.
    pub(super) fn engine(
        &self,
        threads: usize,
        allow_inexact: bool,
    ) -> anyhow::Result<EngineFactory> {
        let splits = self.splits()?;
        let dataset = splits.train.dataset();
        for about in dataset.notes() {
            note!("{}: {about}", dataset.source());
        }
        let default = if dataset.shape().channels == 1 {
            "mlp"
        } else {
            "cifar10_quick"
        };
        let name = self.net.as_deref().unwrap_or(default);
        let net = Net::named(name, dataset.classes().len()).map_err(Usage::error)?;
        let normalization = self.normalization(name, &splits);
        let config = EngineConfig {
            optimizer: self.optimizer(),
            weight_decay: self.weight_decay,
            batch: self.batch.map_or(100, |batch| batch as usize),
            micro_batch: self.micro_batch,
            order: if self.stored_order {
                Order::Stored
            } else {
                Order::Shuffled
            },
            augment: Augment {
                pad: self.crop,
                flip: self.flip,
            },
            label_smoothing: self.label_smoothing,
            clip_norm: self.clip_norm,
            threads,
            weights: self.weights()?,
            allow_inexact,
            ..EngineConfig::new(net, normalization)
        };
        EngineFactory::new(config, splits).map_err(|error| match error {
            EngineError::Setting { name, value, range } => Usage::error(format!(
                "{} is {value}; it must be {range}",
                option_of(name)
            )),
            EngineError::SingleExample { .. } | EngineError::Data(_) => Usage::error(error),
            EngineError::Weights(error) => {
                let path = self.weights.as_deref().unwrap_or(Path::new("no file"));
                anyhow!("{} cannot be used: {error}", path.display())
            }
            EngineError::Net(error) => Usage::error(format!(
                "{error}; give another --net, or images of another --size"
            )),
            other => other.into(),
        })
    }

    /// The data set, uncut.
    pub(crate) fn dataset(&self) -> anyhow::Result<Dataset> {
        let Some(path) = &self.data else {
            return Ok(Dataset::embedded());
        };
        let options = OpenOptions {
            size: self.size,
            color: self.gray.then_some(Color::Gray),
            data_seed: self.data_seed,
        };
        Dataset::open(path, &options).map_err(of_options)
    }

    fn splits(&self) -> anyhow::Result<Splits> {
        let dataset = self.dataset()?;
        let validation = self
            .validation
            .unwrap_or_else(|| dataset.usual_validation());
        dataset
            .split(validation, self.data_seed)
            .map_err(of_options)
    }

    fn normalization(&self, net: &str, splits: &Splits) -> Normalization {
        // Caffe's nets begin with weights so small that pixels scaled to about 1 hardly move them.
        let usual = match net {
            "cifar10_quick" | "cifar10_full" => NormalizationName::PixelMean,
            _ => NormalizationName::Channel,
        };
        match self.normalize.unwrap_or(usual) {
            NormalizationName::Channel => Normalization::per_channel(&splits.train),
            NormalizationName::Pixel => Normalization::per_pixel(&splits.train),
            NormalizationName::PixelMean => Normalization::pixel_mean(&splits.train),
            NormalizationName::Unit => Normalization::unit(splits.train.shape()),
        }
    }

    /// torch's defaults but for momentum.
    fn optimizer(&self) -> Optimizer {
        let momentum = self.momentum.unwrap_or(0.9);
        let (beta2, eps) = (0.999, 1e-8);
        match self.optimizer {
            OptimizerName::Sgd => Optimizer::Sgd {
                momentum,
                nesterov: false,
            },
            OptimizerName::Nesterov => Optimizer::Sgd {
                momentum,
                nesterov: true,
            },
            OptimizerName::CaffeSgd => Optimizer::CaffeSgd {
                momentum,
                nesterov: false,
            },
            OptimizerName::CaffeNesterov => Optimizer::CaffeSgd {
                momentum,
                nesterov: true,
            },
            OptimizerName::Adam => Optimizer::Adam {
                beta1: momentum,
                beta2,
                eps,
            },
            OptimizerName::AdamW => Optimizer::AdamW {
                beta1: momentum,
                beta2,
                eps,
            },
            OptimizerName::RmsProp => Optimizer::RmsProp {
                alpha: 0.99,
                eps,
                momentum: self.momentum.unwrap_or(0.0),
            },
            OptimizerName::AdaGrad => Optimizer::AdaGrad { eps: 1e-10 },
            OptimizerName::AdaDelta => Optimizer::AdaDelta {
                rho: 0.9,
                eps: 1e-6,
            },
        }
    }

    fn weights(&self) -> anyhow::Result<Option<Vec<u8>>> {
        let Some(path) = &self.weights else {
            return Ok(None);
        };
        let bytes = read_state(path).map_err(|error| {
            anyhow!(
                "the weights {} cannot be read: {error}; give the file that they are in",
                path.display()
            )
        })?;
        Ok(Some(bytes))
    }
}

/// The option that gives a setting of the engine.
fn option_of(setting: &str) -> String {
    match setting {
        "augment.pad" => String::from("--crop"),
        name => format!("--{}", name.replace('_', "-")),
    }
}

/// An error of the data, as one of usage if another option would mend it.
fn of_options(error: DataError) -> anyhow::Error {
    match error {
        DataError::Option { .. }
        | DataError::NotImages { .. }
        | DataError::Validation { .. }
        | DataError::OwnValidation { .. } => Usage::error(error),
        other => other.into(),
    }
}

/// What is trained, in a few words.
pub(super) fn title(factory: &EngineFactory) -> String {
    let source = match factory.dataset().source() {
        "embedded" => "the embedded Fashion-MNIST",
        path => path,
    };
    format!("{} on {source}", factory.net().name())
}
