//! A net's layers as text, which a run's state holds so that it meets the same layers again.
//!
//! The text is part of the state's format: it names every part of a layer, and does not follow the
//! names of the code. Changing it needs another format number (`state::FORMAT`).

use super::{Init, Layer, Net, Param, Shortcut, Window};

impl Net {
    /// The layers, one on a line; the body of a residual is indented below it.
    pub(crate) fn describe(&self) -> String {
        let mut text = String::new();
        write_layers(self.layers(), 0, &mut text);
        text
    }
}

fn write_layers(layers: &[Layer], depth: usize, text: &mut String) {
    for layer in layers {
        text.push_str(&"  ".repeat(depth));
        text.push_str(&describe(layer));
        text.push('\n');
        if let Layer::Residual { body, .. } = layer {
            write_layers(body, depth + 1, text);
        }
    }
}

/// A layer without the body of a residual.
fn describe(layer: &Layer) -> String {
    match layer {
        Layer::Conv {
            name,
            out,
            window,
            weight,
            bias,
        } => {
            let (window, params) = (describe_window(*window), weight_and_bias(*weight, *bias));
            format!("conv(name={name}, out={out}, {window}, {params})")
        }
        Layer::Dense {
            name,
            out,
            weight,
            bias,
        } => {
            let params = weight_and_bias(*weight, *bias);
            format!("dense(name={name}, out={out}, {params})")
        }
        Layer::MaxPool(window) => format!("max_pool({})", describe_window(*window)),
        Layer::AvgPool(window) => format!("avg_pool({})", describe_window(*window)),
        Layer::GlobalAvgPool => "global_avg_pool".into(),
        Layer::Relu => "relu".into(),
        Layer::Lrn { size, alpha, beta } => format!("lrn(size={size}, alpha={alpha}, beta={beta})"),
        Layer::BatchNorm { name } => format!("batch_norm(name={name})"),
        Layer::Dropout { p } => format!("dropout(p={p})"),
        Layer::Residual { shortcut, .. } => match shortcut {
            Shortcut::Identity => "residual(shortcut=identity)".into(),
            Shortcut::Subsample { stride, out } => {
                format!("residual(shortcut=subsample(stride={stride}, out={out}))")
            }
        },
    }
}

fn describe_window(window: Window) -> String {
    let Window {
        size,
        stride,
        pad,
        ceil,
    } = window;
    format!("size={size}, stride={stride}, pad={pad}, ceil={ceil}")
}

fn weight_and_bias(weight: Param, bias: Option<Param>) -> String {
    let bias = bias.map_or_else(|| "none".into(), describe_param);
    format!("weight={}, bias={bias}", describe_param(weight))
}

fn describe_param(param: Param) -> String {
    let Param {
        init,
        lr_mult,
        decay_mult,
    } = param;
    let init = match init {
        Init::Constant(value) => format!("constant(value={value})"),
        Init::Gaussian(deviation) => format!("gaussian(deviation={deviation})"),
        Init::He => "he".into(),
        Init::Xavier => "xavier".into(),
    };
    format!("param(init={init}, lr_mult={lr_mult}, decay_mult={decay_mult})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{conv, param, window, zeros};

    /// States of earlier runs hold these texts: they change only with the state's format number.
    #[test]
    fn named_nets_keep_their_text() {
        let texts = [
            ("mlp", include_str!("../../tests/names/mlp.txt")),
            ("lenet", include_str!("../../tests/names/lenet.txt")),
            (
                "cifar10_quick",
                include_str!("../../tests/names/cifar10_quick.txt"),
            ),
            (
                "cifar10_full",
                include_str!("../../tests/names/cifar10_full.txt"),
            ),
            ("resnet8", include_str!("../../tests/names/resnet8.txt")),
            ("resnet20", include_str!("../../tests/names/resnet20.txt")),
            ("resnet56", include_str!("../../tests/names/resnet56.txt")),
        ];
        assert!(Net::names().eq(texts.map(|(name, _)| name)));
        for (name, text) in texts {
            let net = Net::named(name, 10).expect("a named net");
            assert_eq!(net.describe(), text, "{name}");
        }
    }

    /// The layers that no named net has.
    #[test]
    fn other_layers_keep_their_text() {
        let wide = param(Init::Constant(0.5)).decay_mult(0.25);
        let layers = vec![
            Layer::Residual {
                body: vec![conv("a", 3, window(1), wide, zeros())],
                shortcut: Shortcut::Subsample { stride: 1, out: 3 },
            },
            Layer::Dropout { p: 0.3 },
        ];
        let expected = "\
residual(shortcut=subsample(stride=1, out=3))
  conv(name=a, out=3, size=1, stride=1, pad=0, ceil=false, \
weight=param(init=constant(value=0.5), lr_mult=1, decay_mult=0.25), \
bias=param(init=constant(value=0), lr_mult=1, decay_mult=1))
dropout(p=0.3)
";
        assert_eq!(Net::new("odd", layers).describe(), expected);
    }
}
