//! The named nets. A new one is a function of the class count, and a line in [`NAMED`].

use super::{
    Net, NetError,
    layer::{Init, Layer, Shortcut, batch_norm, conv, dense, param, window, zeros},
};
use Layer::{AvgPool, GlobalAvgPool, MaxPool, Relu};

type Layers = fn(classes: usize) -> Vec<Layer>;

const NAMED: [(&str, Layers); 7] = [
    ("mlp", mlp),
    ("lenet", lenet),
    ("cifar10_quick", cifar10_quick),
    ("cifar10_full", cifar10_full),
    ("resnet8", |classes| resnet(1, classes)),
    ("resnet20", |classes| resnet(3, classes)),
    ("resnet56", |classes| resnet(9, classes)),
];

impl Net {
    /// The names that [`Net::named`] knows.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMED.iter().map(|(name, _)| *name)
    }

    /// A net by its name, for this number of classes:
    ///
    /// - `mlp`: two hidden layers of 256, ReLU;
    /// - `lenet`: Caffe's example of that name (conv 5×5 20, max pool, conv 5×5 50, max pool, 500,
    ///   ReLU, classes), for images of at least 15×15 (drawn for 28×28);
    /// - `cifar10_quick`, `cifar10_full`: Caffe's nets of these names, with their multipliers and
    ///   initial distributions;
    /// - `resnet8`, `resnet20`, `resnet56`: He et al.'s nets for CIFAR (6n + 2 layers, n = 1, 3,
    ///   9; arXiv 1512.03385, section 4.2), with shortcuts of option A, batch norm, and weights
    ///   that start as [`Init::He`].
    ///
    /// # Errors
    /// [`NetError::Unknown`] for any other name; [`NetError::Classes`] for fewer than two classes.
    pub fn named(name: &str, classes: usize) -> Result<Self, NetError> {
        match NAMED.iter().find(|(known, _)| *known == name) {
            Some((name, layers)) if classes >= 2 => Ok(Self::new(*name, layers(classes))),
            Some(_) => Err(NetError::Classes { classes }),
            None => Err(NetError::Unknown { name: name.into() }),
        }
    }
}

const fn gaussian(deviation: f64) -> super::Param {
    param(Init::Gaussian(deviation))
}

fn mlp(classes: usize) -> Vec<Layer> {
    let he = param(Init::He);
    vec![
        dense("fc1", 256, he, zeros()),
        Relu,
        dense("fc2", 256, he, zeros()),
        Relu,
        dense("fc3", classes, he, zeros()),
    ]
}

fn lenet(classes: usize) -> Vec<Layer> {
    let (weight, bias) = (param(Init::Xavier), zeros().lr_mult(2.0));
    let halve = MaxPool(window(2).stride(2).ceil());
    vec![
        conv("conv1", 20, window(5), weight, bias),
        halve.clone(),
        conv("conv2", 50, window(5), weight, bias),
        halve,
        dense("ip1", 500, weight, bias),
        Relu,
        dense("ip2", classes, weight, bias),
    ]
}

fn cifar10_quick(classes: usize) -> Vec<Layer> {
    let (same, halve) = (window(5).pad(2), window(3).stride(2).ceil());
    let bias = zeros().lr_mult(2.0);
    vec![
        conv("conv1", 32, same, gaussian(0.0001), bias),
        MaxPool(halve),
        Relu,
        conv("conv2", 32, same, gaussian(0.01), bias),
        Relu,
        AvgPool(halve),
        conv("conv3", 64, same, gaussian(0.01), bias),
        Relu,
        AvgPool(halve),
        dense("ip1", 64, gaussian(0.1), bias),
        dense("ip2", classes, gaussian(0.1), bias),
    ]
}

fn cifar10_full(classes: usize) -> Vec<Layer> {
    let (same, halve) = (window(5).pad(2), window(3).stride(2).ceil());
    let bias = zeros().lr_mult(2.0);
    let norm = Layer::Lrn {
        size: 3,
        alpha: 5e-5,
        beta: 0.75,
    };
    vec![
        conv("conv1", 32, same, gaussian(0.0001), bias),
        MaxPool(halve),
        Relu,
        norm.clone(),
        conv("conv2", 32, same, gaussian(0.01), bias),
        Relu,
        AvgPool(halve),
        norm,
        conv("conv3", 64, same, gaussian(0.01), zeros()),
        Relu,
        AvgPool(halve),
        dense(
            "ip1",
            classes,
            gaussian(0.01).decay_mult(250.0),
            bias.decay_mult(0.0),
        ),
    ]
}

/// Three stages of `n` blocks of two 3×3 convolutions, with 16, 32 and 64 channels.
fn resnet(n: usize, classes: usize) -> Vec<Layer> {
    let mut layers = conv_norm("conv1", "bn1", 16, 1).to_vec();
    layers.push(Relu);
    for (stage, channels) in [(1, 16), (2, 32), (3, 64)] {
        for block in 0..n {
            let narrows = stage > 1 && block == 0;
            layers.push(residual_block(
                &format!("layer{stage}.{block}"),
                channels,
                narrows,
            ));
            layers.push(Relu);
        }
    }
    layers.push(GlobalAvgPool);
    layers.push(dense("fc", classes, param(Init::He), zeros()));
    layers
}

fn residual_block(name: &str, channels: usize, narrows: bool) -> Layer {
    let (stride, shortcut) = if narrows {
        let stride = 2;
        (
            stride,
            Shortcut::Subsample {
                stride,
                out: channels,
            },
        )
    } else {
        (1, Shortcut::Identity)
    };
    let mut body = conv_norm(
        &format!("{name}.conv1"),
        &format!("{name}.bn1"),
        channels,
        stride,
    )
    .to_vec();
    body.push(Relu);
    body.extend(conv_norm(
        &format!("{name}.conv2"),
        &format!("{name}.bn2"),
        channels,
        1,
    ));
    Layer::Residual { body, shortcut }
}

fn conv_norm(conv_name: &str, norm_name: &str, channels: usize, stride: usize) -> [Layer; 2] {
    let window = window(3).pad(1).stride(stride);
    [
        conv(conv_name, channels, window, param(Init::He), None),
        batch_norm(norm_name),
    ]
}
