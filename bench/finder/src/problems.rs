//! Nets, data and optimizers, each with the budget that its bounds are for.

use anyhow::{Context, Result};
use cyclr::trainer::TrainerInfo;
use cyclr_engine::data::{Dataset, Examples, Images, Normalization, OpenOptions, Shape};
use cyclr_engine::net::{
    Init, Layer, Net, Shortcut, batch_norm, conv, dense, param, window, zeros,
};
use cyclr_engine::rng::{Purpose, Rng};
use cyclr_engine::{EngineConfig, EngineFactory, Optimizer};

/// Examples held out of the training part; a truth cell is measured on them and on the test part.
const VALIDATION: usize = 2000;

/// What a problem is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Constants are chosen on it.
    Choosing,
    /// Answers are scored on it, and nothing is chosen.
    Scoring,
    /// The same, declared when the search stood, and scored once.
    Fresh,
    /// It cannot be learnt, and must get no answer.
    Trap,
}

pub struct Problem {
    pub name: &'static str,
    pub use_: Use,
    data: Data,
    net: &'static str,
    optimizer: Optimizer,
    decay: f64,
    batch: usize,
    /// The updates of the whole training.
    pub budget: u64,
    /// The peaks of the truth, as powers of 2.
    pub peaks: (i32, i32),
}

#[derive(Clone, Copy)]
enum Data {
    /// The embedded images, with this share of the training labels drawn at random.
    Fashion { wrong: f64 },
    /// The same at 14×14 with a border of one.
    Fashion16,
    /// 12,000 images of CIFAR-10 at 16×16.
    Cifar16,
}

const FASHION: Data = Data::Fashion { wrong: 0.0 };
const SGD: Optimizer = sgd(0.0, false);
const MOMENTUM: Optimizer = sgd(0.9, false);
const ADAM: Optimizer = Optimizer::Adam {
    beta1: 0.9,
    beta2: 0.999,
    eps: 1e-8,
};
const ADAMW: Optimizer = Optimizer::AdamW {
    beta1: 0.9,
    beta2: 0.999,
    eps: 1e-8,
};
const RMSPROP: Optimizer = Optimizer::RmsProp {
    alpha: 0.99,
    eps: 1e-8,
    momentum: 0.0,
};

const fn sgd(momentum: f64, nesterov: bool) -> Optimizer {
    Optimizer::Sgd { momentum, nesterov }
}

/// A problem in Python, for which `child/judge.py` makes truth and answers. Each is [`Use::Fresh`].
pub struct Child {
    pub name: &'static str,
    pub budget: u64,
}

#[rustfmt::skip]
pub const CHILDREN: &[Child] = &[
    Child { name: "teacher", budget: 1500 },
    Child { name: "counting", budget: 2000 },
];

#[rustfmt::skip]
pub const PROBLEMS: &[Problem] = &[
    Problem { name: "mlp-sgd9", use_: Use::Choosing, data: FASHION, net: "mlp", optimizer: MOMENTUM, decay: 5e-4, batch: 100, budget: 2400, peaks: (-13, 3) },
    Problem { name: "mlp-adam", use_: Use::Choosing, data: FASHION, net: "mlp", optimizer: ADAM, decay: 5e-4, batch: 50, budget: 2400, peaks: (-17, -1) },
    Problem { name: "mlp-sgd0", use_: Use::Choosing, data: FASHION, net: "mlp", optimizer: SGD, decay: 5e-4, batch: 50, budget: 1600, peaks: (-9, 5) },
    Problem { name: "lenet-sgd9", use_: Use::Choosing, data: Data::Fashion16, net: "lenet", optimizer: MOMENTUM, decay: 5e-4, batch: 50, budget: 2000, peaks: (-13, 3) },
    Problem { name: "quick-sgd9", use_: Use::Choosing, data: Data::Cifar16, net: "quick", optimizer: MOMENTUM, decay: 4e-3, batch: 32, budget: 1500, peaks: (-13, 3) },
    Problem { name: "res4-sgd9", use_: Use::Choosing, data: Data::Cifar16, net: "res4", optimizer: MOMENTUM, decay: 5e-4, batch: 50, budget: 1500, peaks: (-10, 4) },
    Problem { name: "res4-adamw", use_: Use::Choosing, data: Data::Cifar16, net: "res4", optimizer: ADAMW, decay: 5e-2, batch: 50, budget: 1500, peaks: (-14, -1) },
    Problem { name: "deep-sgd9", use_: Use::Scoring, data: FASHION, net: "deep", optimizer: MOMENTUM, decay: 5e-4, batch: 64, budget: 4000, peaks: (-13, 3) },
    Problem { name: "lenet-adamw", use_: Use::Scoring, data: Data::Fashion16, net: "lenet", optimizer: ADAMW, decay: 1e-2, batch: 32, budget: 1500, peaks: (-17, -1) },
    Problem { name: "noisy-nesterov", use_: Use::Scoring, data: Data::Fashion { wrong: 0.2 }, net: "mlp", optimizer: sgd(0.95, true), decay: 5e-4, batch: 64, budget: 2000, peaks: (-13, 3) },
    Problem { name: "deep-rms", use_: Use::Scoring, data: FASHION, net: "deep", optimizer: RMSPROP, decay: 5e-4, batch: 64, budget: 4000, peaks: (-14, -6) },
    Problem { name: "quick-adamw", use_: Use::Scoring, data: Data::Cifar16, net: "quick", optimizer: ADAMW, decay: 1e-2, batch: 32, budget: 1500, peaks: (-13, -3) },
    Problem { name: "mlp-short", use_: Use::Scoring, data: FASHION, net: "mlp", optimizer: MOMENTUM, decay: 5e-4, batch: 100, budget: 600, peaks: (-10, 1) },
    Problem { name: "softmax-long", use_: Use::Scoring, data: FASHION, net: "softmax", optimizer: MOMENTUM, decay: 5e-4, batch: 100, budget: 9600, peaks: (-9, 1) },
    Problem { name: "softmax-adam", use_: Use::Fresh, data: FASHION, net: "softmax", optimizer: ADAM, decay: 0.0, batch: 25, budget: 20_000, peaks: (-14, -6) },
    Problem { name: "small-adamw", use_: Use::Fresh, data: FASHION, net: "small", optimizer: ADAMW, decay: 5e-2, batch: 100, budget: 1000, peaks: (-13, -4) },
    Problem { name: "noisy-adam", use_: Use::Fresh, data: Data::Fashion { wrong: 0.1 }, net: "thin", optimizer: ADAM, decay: 0.0, batch: 50, budget: 3000, peaks: (-14, -5) },
    Problem { name: "norm-nesterov", use_: Use::Fresh, data: Data::Fashion16, net: "norm", optimizer: sgd(0.9, true), decay: 5e-4, batch: 25, budget: 800, peaks: (-8, 2) },
    Problem { name: "thin-sgd5", use_: Use::Fresh, data: FASHION, net: "thin", optimizer: sgd(0.5, false), decay: 1e-4, batch: 20, budget: 4000, peaks: (-10, 0) },
    Problem { name: "trap-mlp", use_: Use::Trap, data: Data::Fashion { wrong: 1.0 }, net: "mlp", optimizer: MOMENTUM, decay: 5e-4, batch: 100, budget: 2400, peaks: (0, 0) },
    Problem { name: "trap-deep-adam", use_: Use::Trap, data: Data::Fashion { wrong: 1.0 }, net: "deep", optimizer: ADAM, decay: 0.0, batch: 64, budget: 2400, peaks: (0, 0) },
    Problem { name: "trap-dead", use_: Use::Trap, data: FASHION, net: "dead", optimizer: MOMENTUM, decay: 0.0, batch: 100, budget: 2400, peaks: (0, 0) },
];

impl Problem {
    /// The facts that the cost of a test follows from.
    pub fn info(&self) -> TrainerInfo {
        let examples = match self.data {
            Data::Cifar16 => 10_000,
            _ => 8000,
        };
        TrainerInfo::new(examples, self.batch as u64)
    }

    /// `cifar` is the folder of CIFAR-10's binary files.
    pub fn factory(&self, cifar: &str) -> Result<EngineFactory> {
        let dataset = match self.data {
            Data::Fashion { wrong: 0.0 } => Dataset::embedded(),
            Data::Fashion { wrong } => mislabelled(wrong)?,
            Data::Fashion16 => halved(&Dataset::embedded(), (usize::MAX, usize::MAX))?,
            Data::Cifar16 => {
                let whole = Dataset::open(cifar, &OpenOptions::default());
                let whole = whole.context("give the folder of CIFAR-10's binary files")?;
                halved(&whole, (10_000 + VALIDATION, 3000))?
            }
        };
        let splits = dataset.split(VALIDATION, 0)?;
        let config = EngineConfig {
            optimizer: self.optimizer,
            weight_decay: self.decay,
            batch: self.batch,
            ..EngineConfig::new(net(self.net)?, Normalization::per_channel(&splits.train))
        };
        Ok(EngineFactory::new(config, splits)?)
    }
}

fn net(name: &str) -> Result<Net> {
    let he = param(Init::He);
    Ok(match name {
        "softmax" => Net::new(name, vec![dense("out", 10, he, zeros())]),
        "deep" => deep(6, 64),
        "thin" => deep(3, 32),
        "small" => deep(1, 24),
        "norm" => norm(),
        // So deep and narrow that nothing comes through.
        "dead" => deep(60, 2),
        // cifar10_quick with He starts and half its channels: with Caffe's own starts it does not leave its plateau at 16×16.
        "quick" => quick(),
        "res4" => res4(),
        named => Net::named(named, 10)?,
    })
}

fn deep(layers: usize, width: usize) -> Net {
    let he = param(Init::He);
    let hidden = |n| [dense(format!("fc{n}"), width, he, zeros()), Layer::Relu];
    let mut all: Vec<Layer> = (1..=layers).flat_map(hidden).collect();
    all.push(dense("out", 10, he, zeros()));
    Net::new("deep", all)
}

fn quick() -> Net {
    let he = param(Init::He);
    let (same, halve) = (window(5).pad(2), window(3).stride(2).ceil());
    let conv = |n, channels| conv(format!("conv{n}"), channels, same, he, zeros());
    let layers = vec![
        conv(1, 16),
        Layer::MaxPool(halve),
        Layer::Relu,
        conv(2, 16),
        Layer::Relu,
        Layer::AvgPool(halve),
        conv(3, 32),
        Layer::Relu,
        Layer::AvgPool(halve),
        dense("ip1", 64, he, zeros()),
        dense("ip2", 10, he, zeros()),
    ];
    Net::new("quick", layers)
}

/// A convolution and its batch norm.
fn normed(name: &str, channels: usize, stride: usize) -> Vec<Layer> {
    let window = window(3).pad(1).stride(stride);
    let conv = conv(
        format!("{name}.conv"),
        channels,
        window,
        param(Init::He),
        None,
    );
    vec![conv, batch_norm(format!("{name}.bn"))]
}

/// Three convolutions with batch norm.
fn norm() -> Net {
    let mut layers = Vec::new();
    for (name, channels) in [("a", 8), ("b", 16), ("c", 16)] {
        layers.extend(normed(name, channels, 2));
        layers.push(Layer::Relu);
    }
    layers.extend([
        Layer::GlobalAvgPool,
        dense("fc", 10, param(Init::He), zeros()),
    ]);
    Net::new("norm", layers)
}

/// A small residual net with batch norm.
fn res4() -> Net {
    let he = param(Init::He);
    let mut layers = normed("stem", 16, 2);
    layers.push(Layer::Relu);
    for (name, channels, stride, shortcut) in [
        ("b1", 16, 1, Shortcut::Identity),
        ("b2", 32, 2, Shortcut::Subsample { stride: 2, out: 32 }),
    ] {
        let mut body = normed(&format!("{name}.1"), channels, stride);
        body.push(Layer::Relu);
        body.extend(normed(&format!("{name}.2"), channels, 1));
        layers.extend([Layer::Residual { body, shortcut }, Layer::Relu]);
    }
    layers.extend([Layer::GlobalAvgPool, dense("fc", 10, he, zeros())]);
    Net::new("res4", layers)
}

/// The first training and test images, at most `most.0` and `most.1`, at half their size, in a frame of 16×16.
fn halved(data: &Dataset, most: (usize, usize)) -> Result<Dataset> {
    const SIDE: usize = 16;
    let whole = data.split(0, 0)?;
    let shape = Shape {
        height: SIDE,
        width: SIDE,
        channels: whole.train.shape().channels,
    };
    let images = |examples: &Examples, most: usize| {
        let mut images = Images::default();
        for pick in 0..examples.len().min(most) as u32 {
            images
                .pixels
                .extend(halved_image(examples.image(pick), examples.shape()));
            images.labels.push(examples.label(pick));
        }
        images
    };
    let (train, test) = (images(&whole.train, most.0), images(&whole.test, most.1));
    Ok(Dataset::new(shape, data.classes().to_vec(), train, test)?)
}

/// The means of 2×2 pixels, in a frame of 16×16.
fn halved_image(from: &[u8], shape: Shape) -> Vec<u8> {
    const SIDE: usize = 16;
    let (height, width, channels) = (shape.height / 2, shape.width / 2, shape.channels);
    let pad = (SIDE - height) / 2;
    let mut to = vec![0; SIDE * SIDE * channels];
    for (y, x, k) in (0..height * width * channels)
        .map(|i| (i / channels / width, i / channels % width, i % channels))
    {
        let at = |dy, dx| u32::from(from[((2 * y + dy) * shape.width + 2 * x + dx) * channels + k]);
        let mean = (at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1) + 2) / 4;
        to[((y + pad) * SIDE + x + pad) * channels + k] = mean as u8;
    }
    to
}

/// The embedded images, a share of whose training labels is drawn at random.
fn mislabelled(share: f64) -> Result<Dataset> {
    let whole = Dataset::embedded().split(0, 0)?;
    let mut random = Rng::new(1, Purpose::Weights, 1);
    let mut images = |examples: &Examples, share: f64| {
        let mut images = Images::default();
        for pick in 0..examples.len() as u32 {
            images.pixels.extend_from_slice(examples.image(pick));
            let drawn = (10.0 * random.uniform()) as u16;
            let is_wrong = random.uniform() < share;
            images.labels.push(if is_wrong {
                drawn
            } else {
                examples.label(pick)
            });
        }
        images
    };
    let (train, test) = (images(&whole.train, share), images(&whole.test, 0.0));
    let classes = Dataset::embedded().classes().to_vec();
    Ok(Dataset::new(whole.train.shape(), classes, train, test)?)
}
