//! Nets as data: a name and a list of layers, which is checked and laid out for a shape of images.
//!
//! ```
//! use cyclr_engine::net::{Init, Layer, Net, conv, dense, param, window, zeros};
//!
//! let he = param(Init::He);
//! let tiny = Net::new("tiny", vec![
//!     conv("conv", 8, window(3).pad(1), he, zeros()),
//!     Layer::Relu,
//!     Layer::GlobalAvgPool,
//!     dense("head", 10, he, zeros()),
//! ]);
//! assert_eq!(tiny.parameters((28, 28, 1))?, 8 * 9 + 8 + 8 * 10 + 10);
//! # Ok::<(), cyclr_engine::net::NetError>(())
//! ```

mod describe;
mod layer;
mod model;
mod plan;
mod weights;
mod zoo;

pub use layer::{
    Init, Layer, Param, Shortcut, Window, batch_norm, conv, dense, param, window, zeros,
};
pub(crate) use model::{Model, Pass};
pub(crate) use plan::Plan;
pub use weights::WeightsError;
pub(crate) use weights::{Weights, export, start};

use crate::kernels::GeometryError;

/// A net, described by its layers. The last one gives a value for each class.
#[derive(Clone, Debug, PartialEq)]
pub struct Net {
    name: String,
    layers: Vec<Layer>,
}

impl Net {
    /// A net of these layers. They are checked when the net is laid out for a shape of images.
    pub fn new(name: impl Into<String>, layers: Vec<Layer>) -> Self {
        Self {
            name: name.into(),
            layers,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its layers, in order.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// How many numbers are trained, for images of this (height, width, channels).
    ///
    /// # Errors
    /// [`NetError`] if the net cannot be laid out for such images.
    pub fn parameters(&self, image: (usize, usize, usize)) -> Result<usize, NetError> {
        Plan::new(self, image).map(|plan| plan.parameters())
    }

    /// Floating-point operations of the convolutions and fully connected layers in one update, for
    /// each image: forward, gradient of the weights, and gradient of the input (not needed by the
    /// first layer).
    ///
    /// # Errors
    /// [`NetError`] if the net cannot be laid out for such images.
    pub fn flops(&self, image: (usize, usize, usize)) -> Result<u64, NetError> {
        Plan::new(self, image).map(|plan| plan.flops())
    }
}

/// Why there is no such net.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetError {
    /// No net has that name.
    #[error(
        "no net is called `{name}`; use one of {}",
        Net::names().collect::<Vec<_>>().join(", ")
    )]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// There are fewer than two classes.
    #[error("{classes} classes were asked for; at least 2 are needed")]
    Classes {
        /// What was asked for.
        classes: usize,
    },
    /// A layer does not fit the images that reach it.
    #[error("{layer} of `{net}` does not fit images of {height}×{width}×{channels}: {source}")]
    Geometry {
        /// The net.
        net: String,
        /// The layer.
        layer: String,
        /// Rows of the images that reach it.
        height: usize,
        /// Their columns.
        width: usize,
        /// Their channels.
        channels: usize,
        /// What does not fit.
        source: GeometryError,
    },
    /// A layer is not possible as described.
    #[error("{layer} of `{net}` is not possible: {reason}")]
    Layer {
        /// The net.
        net: String,
        /// The layer.
        layer: String,
        /// Why not, and what is possible.
        reason: String,
    },
    /// The last layer does not give a value for each class.
    #[error(
        "`{net}` ends in {values} values for {classes} classes; end it in a layer of {classes}"
    )]
    Outputs {
        /// The net.
        net: String,
        /// Values at its end.
        values: usize,
        /// Classes of the data.
        classes: usize,
    },
}
