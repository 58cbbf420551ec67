//! What is trained: the options that make a trainer factory of the embedded engine or of a user's
//! program, which a run's record keeps.

use std::path::{Path, PathBuf};
#[cfg(unix)]
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::{Args, ValueEnum};
use cyclr::trainer::TrainerFactory;
use cyclr_engine::{
    EngineConfig, EngineError, EngineFactory, Optimizer,
    data::{Augment, Color, Dataset, Normalization, OpenOptions, Order, Splits},
    net::Net,
};
use serde::{Deserialize, Serialize};

use crate::args::WrapArgs;
#[cfg(unix)]
use crate::child::{ChildFactory, WrapFactory};
use crate::exit::Usage;
use crate::files::Files;
#[cfg(unix)]
use crate::progress::interrupt;
use crate::say::note;

/// The data, the net and the optimizer.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
#[command(next_help_heading = "What is trained")]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TrainerArgs {
    /// A folder of IDX files, CIFAR-10 or CIFAR-100 (binary), or images by class; without it, the
    /// embedded Fashion-MNIST
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    pub(crate) data: Option<PathBuf>,
    /// The side that a folder's images are resized to
    #[arg(
        long,
        value_name = "PIXELS",
        requires = "data",
        conflicts_with = "command"
    )]
    pub(crate) size: Option<u32>,
    /// Read a folder's images in gray
    #[arg(long, requires = "data", conflicts_with = "command")]
    pub(crate) gray: bool,
    /// The net: mlp, lenet, cifar10_quick, cifar10_full, resnet8, resnet20 or resnet56 [default:
    /// mlp; cifar10_quick for colour]
    #[arg(long, conflicts_with = "command")]
    pub(crate) net: Option<String>,
    /// Training images that are held out to decide by [default: a fifth, at most 5000]
    #[arg(long, value_name = "N", conflicts_with = "command")]
    pub(crate) validation: Option<usize>,
    /// Decides which images are held out; the same for all runs
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub(crate) data_seed: u64,
    /// Examples that an update sees [default: 100; a COMMAND's own]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) batch: Option<u64>,
    /// Examples that go through the net at a time
    #[arg(long, value_name = "N", conflicts_with = "command")]
    pub(crate) micro_batch: Option<usize>,
    /// How parameters follow their gradients
    #[arg(long, value_enum, default_value_t, conflicts_with = "command")]
    pub(crate) optimizer: OptimizerName,
    /// Momentum (beta1 of adam and adamw), if the policy does not move it [default: 0.9; 0 for
    /// rmsprop]
    #[arg(long, conflicts_with = "command")]
    pub(crate) momentum: Option<f64>,
    /// Weight decay
    #[arg(
        long,
        value_name = "WD",
        default_value_t = 5e-4,
        conflicts_with = "command"
    )]
    pub(crate) weight_decay: f64,
    /// What pixels become [default: channel; pixel-mean for cifar10_quick and cifar10_full, whose
    /// first weights are made for it]
    #[arg(long, value_enum, conflicts_with = "command")]
    pub(crate) normalize: Option<NormalizationName>,
    /// Shift training images by up to so many pixels, at random
    #[arg(
        long,
        value_name = "PIXELS",
        default_value_t = 0,
        conflicts_with = "command"
    )]
    pub(crate) crop: u16,
    /// Mirror training images, at random
    #[arg(long, conflicts_with = "command")]
    pub(crate) flip: bool,
    /// Take the training images in the file's order, as Caffe does
    #[arg(long, conflicts_with = "command")]
    pub(crate) stored_order: bool,
    /// How much of the label is spread over all classes
    #[arg(
        long,
        value_name = "EPSILON",
        default_value_t = 0.0,
        conflicts_with = "command"
    )]
    pub(crate) label_smoothing: f64,
    /// Scale gradients down to this norm where they are larger
    #[arg(long, value_name = "NORM", conflicts_with = "command")]
    pub(crate) clip_norm: Option<f64>,
    /// Weights to start from: a safetensors file
    #[arg(long, value_name = "FILE", conflicts_with = "command")]
    pub(crate) weights: Option<PathBuf>,
    /// What any answer of COMMAND may take [default: 10 minutes, and later 20 times its own pace
    /// or a minute]
    #[arg(long, value_name = "SECONDS", value_parser = seconds, requires = "command")]
    pub(crate) child_timeout: Option<f64>,
    #[command(flatten)]
    #[serde(skip_serializing_if = "WrapArgs::is_off")]
    pub(crate) wrap: WrapArgs,
    /// Train with a program of your own, one process a run (docs/protocol.md): -- python train.py
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
    /// The working directory of COMMAND's processes.
    #[arg(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) directory: Option<PathBuf>,
    /// The files that COMMAND or an option names, and what was in them when the run began.
    #[arg(skip)]
    #[serde(skip_serializing_if = "Files::is_empty")]
    pub(crate) files: Files,
}

/// What a study may say, or be combined with, where a COMMAND is trained.
const OF_COMMANDS: [&str; 5] = ["command", "child_timeout", "batch", "data_seed", "wrap"];

/// Seconds above 0.
fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|s: &f64| *s > 0.0 && *s < 1e9);
    seconds.ok_or_else(|| format!("`{text}` is no number of seconds above 0"))
}

#[derive(Clone, Copy, Debug, Default, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OptimizerName {
    /// SGD with momentum, as torch has it
    #[default]
    Sgd,
    /// Nesterov's, as torch has it
    Nesterov,
    /// SGD with the rate inside the velocity, as Caffe has it
    CaffeSgd,
    /// Nesterov's, as Caffe has it
    CaffeNesterov,
    Adam,
    #[value(name = "adamw")]
    #[serde(rename = "adamw")]
    AdamW,
    #[value(name = "rmsprop")]
    #[serde(rename = "rmsprop")]
    RmsProp,
    #[value(name = "adagrad")]
    #[serde(rename = "adagrad")]
    AdaGrad,
    #[value(name = "adadelta")]
    #[serde(rename = "adadelta")]
    AdaDelta,
}

#[derive(Clone, Copy, Debug, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum NormalizationName {
    /// Mean 0 and standard deviation 1 in each channel of the training part
    Channel,
    /// Mean 0 and standard deviation 1 in each pixel
    Pixel,
    /// Minus the mean of each pixel, unscaled, as Caffe does
    PixelMean,
    /// Divided by 255
    Unit,
}

impl Default for TrainerArgs {
    /// What the command line takes if nothing is said.
    fn default() -> Self {
        #[derive(clap::Parser)]
        struct Alone {
            #[command(flatten)]
            factory: TrainerArgs,
        }
        <Alone as clap::Parser>::parse_from(["cyclr"]).factory
    }
}

impl TrainerArgs {
    /// Refuses options that a study declares itself.
    pub(crate) fn check_with_study(&self) -> anyhow::Result<()> {
        let allowed: &[&str] = if self.command.is_empty() {
            &["data"]
        } else {
            &OF_COMMANDS
        };
        let allowed = |name: &str| allowed.contains(&name);
        let (given, usual) = (
            serde_json::to_value(self)?,
            serde_json::to_value(Self::default())?,
        );
        let (Some(given), Some(usual)) = (given.as_object(), usual.as_object()) else {
            return Ok(());
        };
        match given
            .iter()
            .find(|(name, value)| !allowed(name) && usual.get(*name) != Some(value))
        {
            None => Ok(()),
            Some((name, _)) => Err(Usage::error(format!(
                "--{} cannot be combined with --study: write it into the study's [train] table",
                name.replace('_', "-")
            ))),
        }
    }

    /// What a study trains: what its `[train]` table says, in the data folder that was given, or
    /// the COMMAND that was given, if the table says nothing else.
    pub(crate) fn of_study(&self, table: &toml::Table) -> anyhow::Result<Self> {
        if !self.command.is_empty() {
            return match table.keys().next() {
                None => Ok(self.clone()),
                Some(key) => Err(Usage::error(format!(
                    "the study says itself what is trained (`{key}` in [train]): leave the COMMAND out, or take the table out of the study"
                ))),
            };
        }
        let mut table = table.clone();
        if table.contains_key("command")
            && let Some(other) = table
                .keys()
                .find(|key| !OF_COMMANDS.contains(&key.as_str()))
        {
            return Err(Usage::error(format!(
                "the study's [train]: `{other}` is of the embedded engine and means nothing to a command"
            )));
        }
        let named = table.remove("data");
        let factory: Self = table
            .try_into()
            .map_err(|error| Usage::error(format!("the study's [train]: {error}")))?;
        match named.as_ref().and_then(toml::Value::as_str) {
            Some(name) if name != "fashion" && self.data.is_none() => Err(Usage::error(format!(
                "the study needs the data set {name}: give its folder with --data DIR"
            ))),
            _ => Ok(Self {
                data: self.data.clone(),
                ..factory
            }),
        }
    }

    /// As the record of a run or comparison has it: with absolute paths, the working directory,
    /// and what is in the files.
    pub(crate) fn placed(&self) -> anyhow::Result<Self> {
        let absolute = |path: &Option<PathBuf>| path.as_ref().map(std::path::absolute).transpose();
        let mut placed = Self {
            data: absolute(&self.data)?,
            weights: absolute(&self.weights)?,
            ..self.clone()
        };
        let directory = std::env::current_dir().context("the working directory is gone")?;
        placed.files = Files::of(&self.command, placed.weights.as_deref(), &directory)?;
        placed.directory = (!self.command.is_empty()).then_some(directory);
        Ok(placed)
    }

    /// Shows the recorded command that is about to run, and refuses files that are not what they
    /// were.
    pub(crate) fn announce_again(&self, allow_changed: bool) -> anyhow::Result<()> {
        if !self.command.is_empty() {
            let place = self
                .directory
                .as_deref()
                .map_or_else(String::new, |directory| {
                    format!("in {}, ", directory.display())
                });
            note!("{place}running: {}", self.command.join(" "));
        }
        match self.files.changed() {
            Some(change) if !allow_changed => Err(Usage::error(format!(
                "{change}: put it back as it was, or go on all the same with --allow-changed"
            ))),
            _ => Ok(()),
        }
    }

    /// What the record of a run or comparison says.
    pub(crate) fn recorded(record: serde_json::Value, file: &Path) -> anyhow::Result<Self> {
        serde_json::from_value(record).with_context(|| {
            format!(
                "{}: its record of what is trained cannot be read; restore the file from a copy, or begin anew in \
                 another folder",
                file.display()
            )
        })
    }

    /// The trainer factory, each of whose runs works with so many threads.
    pub(crate) fn factory(
        &self,
        threads: usize,
        allow_inexact: bool,
    ) -> anyhow::Result<Box<dyn TrainerFactory>> {
        if self.command.is_empty() {
            Ok(Box::new(self.engine(threads, allow_inexact)?))
        } else {
            self.child()
        }
    }

    /// The trainer factory, each of whose runs works with one thread, and what is trained, in a
    /// few words.
    pub(crate) fn titled(&self) -> anyhow::Result<(Box<dyn TrainerFactory>, String)> {
        if !self.command.is_empty() {
            return Ok((self.child()?, self.command.join(" ")));
        }
        let factory = self.engine(1, false)?;
        let title = title(&factory);
        Ok((Box::new(factory), title))
    }

    /// Runs side by side, if nobody says how many: one for each core; one alone of a command,
    /// which may use all cores by itself.
    pub(crate) fn jobs(&self, asked: Option<usize>) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let usual = || if self.command.is_empty() { cores() } else { 1 };
        asked.unwrap_or_else(usual)
    }

    #[cfg(unix)]
    fn child(&self) -> anyhow::Result<Box<dyn TrainerFactory>> {
        let timeout = self.child_timeout.map(Duration::try_from_secs_f64);
        let timeout = timeout.transpose()?;
        let (command, directory) = (self.command.clone(), self.directory.clone());
        if let Some(wrap) = self.wrap.asked(self.batch, self.data_seed, timeout)? {
            let interrupt = interrupt()?;
            let stop = Box::new(move || interrupt.is_requested());
            let factory = WrapFactory::new(command, directory, wrap, stop);
            return Ok(Box::new(factory.map_err(Usage::error)?));
        }
        let (batch, data_seed) = (self.batch, self.data_seed);
        Ok(Box::new(ChildFactory::new(
            command, directory, batch, data_seed, timeout,
        )))
    }

    #[cfg(not(unix))]
    fn child(&self) -> anyhow::Result<Box<dyn TrainerFactory>> {
        Err(Usage::error(
            "a COMMAND needs a Unix system (Linux, macOS, WSL): its pipes are inherited descriptors",
        ))
    }

    fn engine(&self, threads: usize, allow_inexact: bool) -> anyhow::Result<EngineFactory> {
        let splits = self.splits()?;
        let dataset = splits.train.dataset();
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
            EngineError::Setting { .. }
            | EngineError::SingleExample { .. }
            | EngineError::Data(_) => Usage::error(error),
            EngineError::Weights(error) => {
                let path = self.weights.as_deref().unwrap_or(Path::new("no file"));
                anyhow!(
                    "{} cannot be used: {error}; the weights must be those of the same net",
                    path.display()
                )
            }
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
        Ok(Dataset::open(path, &options)?)
    }

    fn splits(&self) -> anyhow::Result<Splits> {
        const MOST_HELD_OUT: usize = 5000;
        let dataset = self.dataset()?;
        // A validation part that the data came with is used, and no other is cut off.
        let usual = match dataset.validation_len() {
            0 => (dataset.train_len() / 5).min(MOST_HELD_OUT),
            _ => 0,
        };
        let validation = self.validation.unwrap_or(usual);
        Ok(dataset.split(validation, self.data_seed)?)
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
        let bytes = std::fs::read(path)
            .with_context(|| format!("the weights {} cannot be read", path.display()))?;
        Ok(Some(bytes))
    }
}

/// What is trained, in a few words.
fn title(factory: &EngineFactory) -> String {
    let source = match factory.dataset().source() {
        "embedded" => "the embedded Fashion-MNIST",
        path => path,
    };
    format!("{} on {source}", factory.net().name())
}
