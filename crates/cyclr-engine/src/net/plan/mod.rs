//! From layers to steps: every size checked, every buffer's place decided, before the first image
//! is seen.

mod build;
mod gradients;
mod params;

use std::ops::Range;

use super::{
    Net, NetError,
    weights::{ParamInfo, StatInfo},
};
use crate::kernels::{AvgPool, BatchNorm, Conv2d, Dense, Lrn, MaxPool};
use build::Builder;

/// Height, width, channels.
pub(crate) type Image = (usize, usize, usize);

/// A net laid out for a shape of images. Value 0 is the input; each step computes a value from
/// earlier ones.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Numbers per image of each value.
    pub(crate) values: Vec<usize>,
    pub(crate) steps: Vec<Step>,
    pub(crate) params: Vec<ParamInfo>,
    pub(crate) stats: Vec<StatInfo>,
    /// Numbers per image of each gradient buffer.
    pub(crate) slots: Vec<usize>,
    /// The gradient buffer of each value, if it has a gradient.
    pub(crate) slot_of: Vec<Option<usize>>,
    pub(crate) dropouts: usize,
    /// Whether a batch norm sees one pixel an image.
    pub(crate) norm_of_single_pixels: bool,
}

/// One step: `y` from `x`, and in the backward pass the gradient of `x` from that of `y`.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) op: Op,
    pub(crate) x: usize,
    /// Equal to `x` if the step works in place.
    pub(crate) y: usize,
    pub(crate) dx: Target,
    /// Where the gradient of the residual or the second summand goes.
    pub(crate) dother: Target,
}

/// Where a gradient goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// It is not needed.
    Nowhere,
    /// It is the first for its value.
    Slot(usize),
    /// Its value has one already in `sum`; it is computed in `temporary` and added.
    Add { temporary: usize, sum: usize },
}

/// What a step does. Ranges are places among the parameters.
#[derive(Debug)]
pub(crate) enum Op {
    Conv(Conv2d, Affine),
    Dense(Dense, Affine),
    MaxPool(MaxPool),
    AvgPool(AvgPool),
    Relu,
    Lrn(Lrn),
    BatchNorm(BatchNorm, Scaled),
    Dropout {
        p: f32,
        /// Which of the net's dropout layers it is.
        ordinal: usize,
    },
    Subsample {
        from: Image,
        to: Image,
        stride: usize,
    },
    /// The sum of `x` and another value.
    Add {
        other: usize,
    },
}

impl Op {
    /// The value that is added to what the step computes.
    pub(crate) fn other(&self) -> Option<usize> {
        match *self {
            Self::BatchNorm(_, Scaled { residual, .. }) => residual,
            Self::Add { other } => Some(other),
            _ => None,
        }
    }
}

/// What goes with a convolution or a fully connected layer.
#[derive(Debug)]
pub(crate) struct Affine {
    pub(crate) weight: Range<usize>,
    pub(crate) bias: Option<Range<usize>>,
    /// Whether a ReLU follows.
    pub(crate) relu: bool,
}

/// What goes with a batch norm.
#[derive(Debug)]
pub(crate) struct Scaled {
    pub(crate) gamma: Range<usize>,
    pub(crate) beta: Range<usize>,
    /// Places of mean and variance among the statistics.
    pub(crate) running: (Range<usize>, Range<usize>),
    /// The value that is added.
    pub(crate) residual: Option<usize>,
    /// Whether a ReLU follows.
    pub(crate) relu: bool,
}

impl Plan {
    pub(crate) fn new(net: &Net, image: Image) -> Result<Self, NetError> {
        let mut plan = Builder::new(net.name(), image).build(net.layers())?;
        plan.place_gradients();
        Ok(plan)
    }

    /// Numbers that are trained.
    pub(crate) fn parameters(&self) -> usize {
        self.params.last().map_or(0, |p| p.range.end)
    }

    /// Running statistics of batch norms.
    pub(crate) fn statistics(&self) -> usize {
        self.stats.last().map_or(0, |s| s.range.end)
    }

    /// The value that the net ends in.
    pub(crate) fn output(&self) -> usize {
        self.values.len() - 1
    }

    /// See [`Net::flops`].
    pub(crate) fn flops(&self) -> u64 {
        let of = |step: &Step| {
            let passes = if step.x == 0 { 2 } else { 3 };
            let multiplications = match &step.op {
                Op::Conv(conv, _) => conv.multiplications(),
                Op::Dense(dense, _) => dense.weights_len(),
                _ => 0,
            };
            2 * passes * multiplications as u64
        };
        self.steps.iter().map(of).sum()
    }
}

impl Step {
    fn new(op: Op, x: usize, y: usize) -> Self {
        Self {
            op,
            x,
            y,
            dx: Target::Nowhere,
            dother: Target::Nowhere,
        }
    }
}
