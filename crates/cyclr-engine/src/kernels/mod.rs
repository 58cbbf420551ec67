//! The arithmetic of training, on dense slices of `f32`.
//!
//! Activations are NHWC: image by image, row by row, pixel by pixel, with the channels of a pixel
//! side by side. The number of images is read off the slice lengths. Weights of a convolution are
//! `[kernel row][kernel column][input channel][output channel]`; those of a fully connected layer
//! `[input][output]`.
//!
//! Geometries are checked once, when they are made; after that slices of the wrong length are a
//! bug of the caller and panic. Gradients of parameters are *added* to what their slices hold,
//! gradients of activations overwrite theirs. Every result is the same bits for any number of
//! threads.
#![expect(
    unsafe_code,
    reason = "vector instructions and register tiles need raw pointers; safe functions check lengths"
)]
#![expect(
    clippy::inline_always,
    reason = "a generic body takes on the instructions of the function that it is inlined into"
)]

use std::ops::Range;

use crate::cpu::{Cpu, Scratch};

mod conv;
mod dense;
mod direct;
mod lanes;
mod loss;
mod lrn;
mod norm;
mod outer;
mod padded;
mod panels;
mod points;
mod pointwise;
mod pool;
mod tiled;
mod tiles;
mod winograd;

pub use conv::{Conv2d, Conv2dSpec};
pub use dense::Dense;
pub use loss::{LossSum, SoftmaxCrossEntropy};
pub use lrn::Lrn;
pub use norm::{
    BatchNorm, BatchNormBackward, BatchNormForward, BatchNormGradients, BatchStatistics,
};
pub use pointwise::{add, dropout, relu, relu_backward, sum_of_squares};
pub use pool::{AvgPool, Divisor, MaxPool, PoolSpec};

/// What the forward pass of a convolution or a fully connected layer reads.
#[derive(Clone, Copy, Debug)]
pub struct LinearForward<'a> {
    /// The inputs, image by image or example by example.
    pub x: &'a [f32],
    /// The weights.
    pub w: &'a [f32],
    /// One number for each output channel, if there is a bias.
    pub bias: Option<&'a [f32]>,
    /// Whether a ReLU follows; in a convolution it then costs nothing.
    pub relu: bool,
}

/// What the backward pass of a convolution or a fully connected layer reads.
#[derive(Clone, Copy, Debug)]
pub struct LinearBackward<'a> {
    /// The inputs.
    pub x: &'a [f32],
    /// The weights.
    pub w: &'a [f32],
    /// The gradient of the outputs.
    pub dy: &'a [f32],
    /// The outputs, if the forward pass had its ReLU; the gradient then passes only where the
    /// output is positive.
    pub relu_y: Option<&'a [f32]>,
}

/// Why there is no layer of such a geometry.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GeometryError {
    /// A size that must be at least 1 is 0.
    #[error("{what} is 0; it must be at least 1")]
    Zero {
        /// Which size.
        what: &'static str,
    },
    /// The window does not fit the padded image.
    #[error("a window of {window} does not fit an image of {image} padded by {pad} on each side")]
    Window {
        /// The window's size along one side.
        window: usize,
        /// The image's size along that side.
        image: usize,
        /// The padding along that side.
        pad: usize,
    },
    /// A pool's padding is as large as its window, so that a window could lie wholly outside the
    /// image.
    #[error("a pool with a window of {window} is padded by {pad}; use less than the window")]
    Padding {
        /// The window's size along one side.
        window: usize,
        /// The padding along that side.
        pad: usize,
    },
    /// A max pool's window has too many cells.
    #[error("a max pool's window has {cells} cells; at most 256 are possible")]
    WindowCells {
        /// The number of cells.
        cells: usize,
    },
    /// The array would exceed the address space.
    #[error("{what} would have more elements than can be addressed; use smaller sizes")]
    TooLarge {
        /// Which array.
        what: &'static str,
    },
    /// A constant outside its range.
    #[error("{what} is {value}; it must be {range}")]
    Constant {
        /// Which constant.
        what: &'static str,
        /// What was given.
        value: f64,
        /// What is possible.
        range: &'static str,
    },
}

/// The whole number of images that a slice holds.
#[track_caller]
fn images(len: usize, image: usize) -> usize {
    assert!(
        len.is_multiple_of(image),
        "a slice of {len} elements does not hold whole images of {image}"
    );
    len / image
}

/// How many images of a batch one task takes, if results do not depend on it.
fn images_a_task(batch: usize) -> usize {
    batch.div_ceil(32).max(1)
}

/// How many tasks the images of a batch are divided among in the backward pass. Each has its own
/// sums of the weights' gradient, so this number, like every order of summation, must not depend
/// on the number of threads.
const BACKWARD_TASKS: usize = 10;

/// The backward pass of a convolution over a batch of at least one image. `task` gets a range of images,
/// their part of `dx`, and sums of its own that begin at 0. Returns the sums of all tasks, in their order.
fn in_backward_tasks<'c>(
    cpu: &'c Cpu,
    conv: &Conv2d,
    batch: usize,
    dx: Option<&mut [f32]>,
    sums_len: usize,
    task: impl Fn(Range<usize>, Option<&mut [f32]>, &mut [f32]) + Sync + Send,
) -> Scratch<'c> {
    let many = batch.div_ceil(BACKWARD_TASKS);
    let mut sums = cpu.scratch(sums_len * batch.div_ceil(many));
    let dx: Vec<Option<&mut [f32]>> = match dx {
        Some(dx) => dx.chunks_mut(many * conv.in_len()).map(Some).collect(),
        None => (0..batch.div_ceil(many)).map(|_| None).collect(),
    };
    let tasks = dx.into_iter().zip(sums.chunks_mut(sums_len)).enumerate();
    cpu.run(tasks.collect(), |(n, (dx, sums))| {
        sums.fill(0.0);
        task(n * many..batch.min((n + 1) * many), dx, sums);
    });
    sums
}

/// The product of sizes, none of them 0.
pub(crate) fn checked_len(what: &'static str, sizes: &[usize]) -> Result<usize, GeometryError> {
    sizes
        .iter()
        .try_fold(1usize, |product, &size| product.checked_mul(size))
        .filter(|&len| isize::try_from(len.saturating_mul(4)).is_ok())
        .ok_or(GeometryError::TooLarge { what })
}

/// Refuses a constant unless it is `good`, that is, in `range`.
fn check_constant(
    what: &'static str,
    value: f64,
    range: &'static str,
    good: bool,
) -> Result<(), GeometryError> {
    if good {
        Ok(())
    } else {
        Err(GeometryError::Constant { what, value, range })
    }
}

/// The place of the largest value; of equals, of the first.
pub(crate) fn first_largest<T: PartialOrd>(values: &[T]) -> usize {
    let larger = |best, k| if values[k] > values[best] { k } else { best };
    (1..values.len()).fold(0, larger)
}

/// Refuses sizes of 0.
fn nonzero(sizes: &[(&'static str, usize)]) -> Result<(), GeometryError> {
    match sizes.iter().find(|(_, size)| *size == 0) {
        Some(&(what, _)) => Err(GeometryError::Zero { what }),
        None => Ok(()),
    }
}
