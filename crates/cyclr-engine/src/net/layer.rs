//! Layers as data.

/// One layer of a [`Net`](super::Net). Images are height × width × channels; a net starts with the
/// data's.
#[derive(Clone, Debug, PartialEq)]
pub enum Layer {
    /// A convolution (cross-correlation).
    Conv {
        /// The name of its parameters: `NAME.weight`, `NAME.bias`.
        name: String,
        /// Channels of its output.
        out: usize,
        /// Kernel, stride and padding.
        window: Window,
        /// Its weights.
        weight: Param,
        /// Its bias, if it has one.
        bias: Option<Param>,
    },
    /// A fully connected layer, over all values of an image.
    Dense {
        /// The name of its parameters: `NAME.weight`, `NAME.bias`.
        name: String,
        /// How many outputs.
        out: usize,
        /// Its weights.
        weight: Param,
        /// Its bias, if it has one.
        bias: Option<Param>,
    },
    /// The largest value of each window.
    MaxPool(Window),
    /// The mean of each window, of the part of it that lies inside the padded image, as Caffe
    /// divides.
    AvgPool(Window),
    /// The mean of each channel over the whole image.
    GlobalAvgPool,
    /// `max(x, 0)`.
    Relu,
    /// Local response normalisation within each channel, as Caffe's `WITHIN_CHANNEL`: `x · (1 + α
    /// · mean(x²))^-β`, the mean over a square window padded by zeros.
    Lrn {
        /// The side of the window, odd.
        size: usize,
        /// α.
        alpha: f32,
        /// β.
        beta: f32,
    },
    /// Batch normalisation as torch's `BatchNorm2d` with its defaults (eps 1e-5, momentum 0.1),
    /// starting from γ = 1, β = 0, mean 0 and variance 1. Its parameters are `NAME.weight`,
    /// `NAME.bias`, its statistics `NAME.running_mean`, `NAME.running_var`.
    BatchNorm {
        /// The name of its parameters and statistics.
        name: String,
    },
    /// In training each value is set to 0 with this probability, and divided by 1 - `p` otherwise.
    Dropout {
        /// The probability of 0, at least 0 and below 1.
        p: f32,
    },
    /// `body(x) + shortcut(x)`.
    Residual {
        /// The way through the layers; not empty.
        body: Vec<Layer>,
        /// The way past them.
        shortcut: Shortcut,
    },
}

/// The way past the body of a [`Layer::Residual`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortcut {
    /// `x` itself; the body must keep the shape.
    Identity,
    /// Every `stride`-th row and column of `x`, with channels of zeros appended until there
    /// are `out`: option A of He et al. (arXiv 1512.03385, section 4.2). It has no parameters.
    Subsample {
        /// The step from one row or column that is kept to the next.
        stride: usize,
        /// Channels of the result.
        out: usize,
    },
}

/// A square window that moves over an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its side.
    pub size: usize,
    /// Its step.
    pub stride: usize,
    /// Zeros (for a max pool: nothing) around the image, on each side.
    pub pad: usize,
    /// For pools: whether a last window may reach past the image (Caffe always, torch's
    /// `ceil_mode`).
    pub ceil: bool,
}

/// A parameter: how it starts, and how the run's rate and weight decay apply to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Param {
    /// The distribution of its initial values.
    pub init: Init,
    /// What the rate is multiplied by.
    pub lr_mult: f64,
    /// What the weight decay is multiplied by.
    pub decay_mult: f64,
}

/// The distribution that a parameter's initial values are drawn from. *Fan-in* is the number of
/// values that enter one output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// All the same.
    Constant(f32),
    /// Normal, with mean 0 and this standard deviation.
    Gaussian(f64),
    /// Normal, with mean 0 and standard deviation `sqrt(2 / fan-in)` (He et al., arXiv
    /// 1502.01852).
    He,
    /// Uniform between `±sqrt(3 / fan-in)`: Caffe's `xavier`.
    Xavier,
}

/// A square window of this size, with stride 1 and no padding.
pub const fn window(size: usize) -> Window {
    Window {
        size,
        stride: 1,
        pad: 0,
        ceil: false,
    }
}

impl Window {
    /// With another step.
    pub const fn stride(self, stride: usize) -> Self {
        Self { stride, ..self }
    }

    /// With padding on each side.
    pub const fn pad(self, pad: usize) -> Self {
        Self { pad, ..self }
    }

    /// With a last window that may reach past the image.
    pub const fn ceil(self) -> Self {
        Self { ceil: true, ..self }
    }
}

/// A parameter that starts like this, with multipliers of 1.
pub const fn param(init: Init) -> Param {
    Param {
        init,
        lr_mult: 1.0,
        decay_mult: 1.0,
    }
}

/// A parameter that starts at 0, with multipliers of 1.
pub const fn zeros() -> Param {
    param(Init::Constant(0.0))
}

impl Param {
    /// With another multiplier of the rate.
    pub const fn lr_mult(self, lr_mult: f64) -> Self {
        Self { lr_mult, ..self }
    }

    /// With another multiplier of the weight decay.
    pub const fn decay_mult(self, decay_mult: f64) -> Self {
        Self { decay_mult, ..self }
    }
}

/// A convolution; see [`Layer::Conv`].
pub fn conv(
    name: impl Into<String>,
    out: usize,
    window: Window,
    weight: Param,
    bias: impl Into<Option<Param>>,
) -> Layer {
    Layer::Conv {
        name: name.into(),
        out,
        window,
        weight,
        bias: bias.into(),
    }
}

/// A fully connected layer; see [`Layer::Dense`].
pub fn dense(
    name: impl Into<String>,
    out: usize,
    weight: Param,
    bias: impl Into<Option<Param>>,
) -> Layer {
    Layer::Dense {
        name: name.into(),
        out,
        weight,
        bias: bias.into(),
    }
}

/// Batch normalisation; see [`Layer::BatchNorm`].
pub fn batch_norm(name: impl Into<String>) -> Layer {
    Layer::BatchNorm { name: name.into() }
}
