//! The problems that are made with cyclr's engine: data, net and optimizer.

use anyhow::Result;
use cyclr_engine::data::{Dataset, Examples, Images, Normalization, Shape};
use cyclr_engine::net::{Init, Layer, Net, Param};
use cyclr_engine::rng::{Purpose, Rng};
use cyclr_engine::{EngineConfig, EngineFactory, Optimizer};

/// Held out to measure by; the data sets' own test images are added.
const VALIDATION: usize = 3000;

/// The grid of max_lr, from its lowest rate on.
const STEP: f64 = 2.154_434_690_031_884;
const RATES: i32 = 13;

/// Data, net and optimizer, and the lowest rate of the grid.
pub struct Setting {
    pub name: &'static str,
    data: fn() -> Result<Dataset>,
    net: fn(usize) -> Result<Net>,
    optimizer: Optimizer,
    batch: usize,
    pub lowest: f64,
}

const SGD: Optimizer = Optimizer::Sgd {
    momentum: 0.0,
    nesterov: false,
};
const MOMENTUM: Optimizer = Optimizer::Sgd {
    momentum: 0.9,
    nesterov: false,
};
const NESTEROV: Optimizer = Optimizer::Sgd {
    momentum: 0.95,
    nesterov: true,
};
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
const ADAGRAD: Optimizer = Optimizer::AdaGrad { eps: 1e-10 };

#[rustfmt::skip]
pub const SETTINGS: &[Setting] = &[
    Setting { name: "e-mlp-fashion-momentum", data: fashion, net: mlp, optimizer: MOMENTUM, batch: 100, lowest: 1e-3 },
    Setting { name: "e-mlp-fashion-adam", data: fashion, net: mlp, optimizer: ADAM, batch: 50, lowest: 1e-5 },
    Setting { name: "e-softmax-fashion-sgd", data: fashion, net: softmax, optimizer: SGD, batch: 32, lowest: 1e-4 },
    Setting { name: "e-deep-fashion-rmsprop", data: fashion, net: deep, optimizer: RMSPROP, batch: 64, lowest: 1e-6 },
    Setting { name: "e-mlp-noisy-nesterov", data: noisy, net: mlp, optimizer: NESTEROV, batch: 64, lowest: 1e-4 },
    Setting { name: "e-mlp-blobs-adagrad", data: blobs, net: mlp, optimizer: ADAGRAD, batch: 32, lowest: 1e-4 },
    Setting { name: "e-deep-blobs-sgd", data: blobs, net: deep, optimizer: SGD, batch: 64, lowest: 1e-3 },
    Setting { name: "e-lenet-fashion-momentum", data: fashion, net: lenet, optimizer: MOMENTUM, batch: 32, lowest: 1e-4 },
    Setting { name: "e-resnet8-fashion-adamw", data: fashion, net: resnet8, optimizer: ADAMW, batch: 16, lowest: 1e-5 },
];

impl Setting {
    pub fn factory(&self) -> Result<EngineFactory> {
        let dataset = (self.data)()?;
        let net = (self.net)(dataset.classes().len())?;
        let splits = dataset.split(VALIDATION, 0)?;
        let normalization = Normalization::per_channel(&splits.train);
        let config = EngineConfig {
            optimizer: self.optimizer,
            batch: self.batch,
            ..EngineConfig::new(net, normalization)
        };
        Ok(EngineFactory::new(config, splits)?)
    }

    pub fn rates(&self) -> impl Iterator<Item = f64> + '_ {
        (0..RATES).map(|k| self.lowest * STEP.powi(k))
    }
}

fn fashion() -> Result<Dataset> {
    Ok(Dataset::embedded())
}

/// Fashion-MNIST with a fifth of the training labels drawn at random.
fn noisy() -> Result<Dataset> {
    let whole = Dataset::embedded().split(0, 0)?;
    let mut random = Rng::new(1, Purpose::Weights, 1);
    let images = |examples: &Examples, noise: f64, random: &mut Rng| {
        let mut images = Images::default();
        for pick in 0..examples.len() as u32 {
            images.pixels.extend_from_slice(examples.image(pick));
            let drawn = (10.0 * random.uniform()) as u16;
            let wrong = random.uniform() < noise;
            images
                .labels
                .push(if wrong { drawn } else { examples.label(pick) });
        }
        images
    };
    let train = images(&whole.train, 0.2, &mut random);
    let test = images(&whole.test, 0.0, &mut random);
    let classes = Dataset::embedded().classes().to_vec();
    Ok(Dataset::new(whole.train.shape(), classes, train, test)?)
}

/// Points around two centres for each of five classes, in 64 dimensions.
fn blobs() -> Result<Dataset> {
    let mut random = Rng::new(2, Purpose::Weights, 2);
    let centres: Vec<Vec<f64>> = (0..10)
        .map(|_| (0..64).map(|_| 128.0 + 18.0 * random.normal()).collect())
        .collect();
    let mut images = |count: usize| {
        let mut images = Images::default();
        for n in 0..count {
            let centre = &centres[n % 10];
            images.pixels.extend(
                centre
                    .iter()
                    .map(|c| (c + 40.0 * random.normal()).clamp(0.0, 255.0) as u8),
            );
            images.labels.push((n % 5) as u16);
        }
        images
    };
    let shape = Shape {
        height: 8,
        width: 8,
        channels: 1,
    };
    let classes = ["a", "b", "c", "d", "e"].map(String::from).to_vec();
    let (train, test) = (images(9000), images(2000));
    Ok(Dataset::new(shape, classes, train, test)?)
}

fn mlp(classes: usize) -> Result<Net> {
    Ok(Net::named("mlp", classes)?)
}

fn lenet(classes: usize) -> Result<Net> {
    Ok(Net::named("lenet", classes)?)
}

fn resnet8(classes: usize) -> Result<Net> {
    Ok(Net::named("resnet8", classes)?)
}

/// Softmax regression.
fn softmax(classes: usize) -> Result<Net> {
    Ok(Net::new("softmax", vec![dense("fc", classes)]))
}

/// Six hidden layers of 64.
fn deep(classes: usize) -> Result<Net> {
    let hidden = (1..=6).flat_map(|n| [dense(&format!("fc{n}"), 64), Layer::Relu]);
    Ok(Net::new(
        "deep",
        hidden.chain([dense("out", classes)]).collect(),
    ))
}

fn dense(name: &str, out: usize) -> Layer {
    let param = |init| Param {
        init,
        lr_mult: 1.0,
        decay_mult: 1.0,
    };
    Layer::Dense {
        name: name.into(),
        out,
        weight: param(Init::He),
        bias: Some(param(Init::Constant(0.0))),
    }
}
