use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::args::WrapArgs;
use crate::files::Files;

/// The data, the net and the optimizer.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
#[command(next_help_heading = "What is trained")]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TrainerArgs {
    /// A folder of IDX files, CIFAR-10 or CIFAR-100 (binary), or images by class [default: the
    /// embedded Fashion-MNIST subset]
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    pub(crate) data: Option<PathBuf>,
    /// Resize a folder's images to this side
    #[arg(
        long,
        value_name = "PIXELS",
        requires = "data",
        conflicts_with = "command"
    )]
    pub(crate) size: Option<u32>,
    /// Read a folder's images as grayscale
    #[arg(long, requires = "data", conflicts_with = "command")]
    pub(crate) gray: bool,
    /// The net: mlp, lenet, cifar10_quick, cifar10_full, resnet8, resnet20 or resnet56 [default:
    /// mlp; cifar10_quick for colour]
    #[arg(long, conflicts_with = "command")]
    pub(crate) net: Option<String>,
    /// Training images held out for validation [default: a fifth, at most 5000, but at least one of
    /// each class]
    #[arg(long, value_name = "N", conflicts_with = "command")]
    pub(crate) validation: Option<usize>,
    /// The seed that chooses the held-out images; the same for all runs
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub(crate) data_seed: u64,
    /// The batch size: examples per update [default: 100; a COMMAND's own]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) batch: Option<u64>,
    /// Examples that go through the net at a time; an update still sees --batch
    #[arg(long, value_name = "N", conflicts_with = "command")]
    pub(crate) micro_batch: Option<usize>,
    /// The optimizer
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
    /// How pixels are normalized [default: channel; pixel-mean for cifar10_quick and cifar10_full,
    /// whose initial weights are made for it]
    #[arg(long, value_enum, conflicts_with = "command")]
    pub(crate) normalize: Option<NormalizationName>,
    /// Shift training images at random, by up to this many pixels
    #[arg(
        long,
        value_name = "PIXELS",
        default_value_t = 0,
        conflicts_with = "command"
    )]
    pub(crate) crop: u16,
    /// Mirror training images at random
    #[arg(long, conflicts_with = "command")]
    pub(crate) flip: bool,
    /// Take the training images in the file's order, as in Caffe
    #[arg(long, conflicts_with = "command")]
    pub(crate) stored_order: bool,
    /// Label smoothing: the part of each label that is spread over all classes
    #[arg(
        long,
        value_name = "EPSILON",
        default_value_t = 0.0,
        conflicts_with = "command"
    )]
    pub(crate) label_smoothing: f64,
    /// Clip gradients to this norm
    #[arg(long, value_name = "NORM", conflicts_with = "command")]
    pub(crate) clip_norm: Option<f64>,
    /// Weights to start from: a safetensors file
    #[arg(long, value_name = "FILE", conflicts_with = "command")]
    pub(crate) weights: Option<PathBuf>,
    /// The time limit of each answer of COMMAND [default: 10 minutes; later 20 times its own pace,
    /// at least a minute]
    #[arg(long, value_name = "SECONDS", value_parser = seconds, requires = "command")]
    pub(crate) child_timeout: Option<f64>,
    #[command(flatten)]
    #[serde(skip_serializing_if = "WrapArgs::is_off")]
    pub(crate) wrap: WrapArgs,
    /// Train with your own program, one process per run (docs/protocol.md): -- python train.py
    #[arg(last = true, value_name = "COMMAND", help_heading = None)]
    pub(crate) command: Vec<String>,
    /// The working directory of COMMAND's processes.
    #[arg(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) directory: Option<PathBuf>,
    /// The files that COMMAND or an option names, and what was in them when the run began.
    #[arg(skip)]
    #[serde(skip_serializing_if = "Files::is_empty")]
    pub(crate) files: Files,
    /// The options that were given on the command line, as they are written there.
    #[arg(skip)]
    #[serde(skip)]
    pub(crate) given: Vec<String>,
}

impl TrainerArgs {
    /// Takes down which of these options a command line has.
    pub(crate) fn note_given(&mut self, matches: &ArgMatches) {
        let own = Self::augment_args(Command::new("cyclr"));
        let is_given = |arg: &&Arg| {
            matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine)
        };
        let name = |arg: &Arg| match arg.get_long() {
            Some(name) => format!("--{name}"),
            None => String::from("a COMMAND"),
        };
        self.given = own.get_arguments().filter(is_given).map(name).collect();
    }
}

/// Seconds above 0.
fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|s: &f64| *s > 0.0 && *s < 1e9);
    seconds.ok_or_else(|| format!("`{text}` is not a number of seconds above 0"))
}

#[derive(Clone, Copy, Debug, Default, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OptimizerName {
    /// SGD with momentum, as in torch
    #[default]
    Sgd,
    /// Nesterov momentum, as in torch
    Nesterov,
    /// SGD with the rate inside the velocity, as in Caffe
    CaffeSgd,
    /// Nesterov momentum, as in Caffe
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
    /// Minus the mean of each pixel, unscaled, as in Caffe
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
