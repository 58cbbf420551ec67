//! The settings of a run, and the errors for settings that do not fit.

use crate::{
    Optimizer,
    cpu::{CpuError, Level},
    data::{Augment, DataError, Normalization, Order, Shape},
    net::{Net, NetError, WeightsError},
};

/// All settings of a run, apart from its data and its seed. Start from [`EngineConfig::new`] and
/// change fields.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// The net; its last layer gives a value for each class of the data.
    pub net: Net,
    /// How pixels become inputs.
    pub normalization: Normalization,
    /// How parameters follow their gradients.
    pub optimizer: Optimizer,
    /// The weight decay until a [`Hyper`](cyclr::Hyper) sets another; finite and at least 0. It is
    /// multiplied by each parameter's own factor.
    pub weight_decay: f64,
    /// Examples that an update sees; at most as many as there are to train on.
    pub batch: usize,
    /// Examples that go through the net at a time, at most [`batch`](Self::batch); their gradients
    /// are added up before the update. Fewer take less memory. Batch norm takes its statistics
    /// over them, as torch does if gradients are accumulated. `None` takes the whole batch, which
    /// is fastest.
    pub micro_batch: Option<usize>,
    /// The order of the examples.
    pub order: Order,
    /// Random changes to training images.
    pub augment: Augment,
    /// ε of the label smoothing, from 0 to 1. Evaluations do not smooth.
    pub label_smoothing: f64,
    /// The norm over all parameters that a gradient is scaled down to if it is larger; finite and
    /// above 0. As torch's `clip_grad_norm_`.
    pub clip_norm: Option<f64>,
    /// Threads of a run; at least 1. The results do not depend on them. Several runs side by side
    /// are fastest with one thread each.
    pub threads: usize,
    /// The instructions to use; `None` follows `CYCLR_CPU`, or takes the fastest there is.
    pub level: Option<Level>,
    /// The weights to start from, as a safetensors file such as
    /// [`Trainer::model`](cyclr::trainer::Trainer::model) gives, with torch's names and shapes. If
    /// they are for another number of classes, the last layer is new.
    pub weights: Option<Vec<u8>>,
    /// Whether a state from another [`Level`] is accepted. What follows then differs in the last
    /// bits from what would have followed there.
    pub allow_inexact: bool,
}

impl EngineConfig {
    /// SGD with momentum 0.9 and weight decay 5e-4, batches of 100 in shuffled order, on one
    /// thread; nothing else.
    pub fn new(net: Net, normalization: Normalization) -> Self {
        Self {
            net,
            normalization,
            optimizer: Optimizer::Sgd {
                momentum: 0.9,
                nesterov: false,
            },
            weight_decay: 5e-4,
            batch: 100,
            micro_batch: None,
            order: Order::Shuffled,
            augment: Augment::NONE,
            label_smoothing: 0.0,
            clip_norm: None,
            threads: 1,
            level: None,
            weights: None,
            allow_inexact: false,
        }
    }

    /// Checks what can be checked without the data.
    pub(crate) fn check(&self) -> Result<(), EngineError> {
        let not_negative = "finite and at least 0";
        check(
            "weight_decay",
            self.weight_decay,
            self.weight_decay.is_finite() && self.weight_decay >= 0.0,
            not_negative,
        )?;
        check(
            "label_smoothing",
            self.label_smoothing,
            (0.0..=1.0).contains(&self.label_smoothing),
            "from 0 to 1",
        )?;
        if let Some(norm) = self.clip_norm {
            let good = norm.is_finite() && norm > 0.0;
            check("clip_norm", norm, good, "finite and above 0")?;
        }
        if let Some(micro) = self.micro_batch {
            let good = (1..=self.batch).contains(&micro);
            check("micro_batch", micro as f64, good, "from 1 to batch")?;
        }
        match self.optimizer.wrong_constant() {
            Some((name, value, range)) => check(name, value, false, range),
            None => Ok(()),
        }
    }

    /// Checks that a random crop leaves something of an image.
    pub(crate) fn check_augment(&self, shape: Shape) -> Result<(), EngineError> {
        let pad = usize::from(self.augment.pad);
        let good = pad < shape.height.min(shape.width);
        check(
            "augment.pad",
            pad as f64,
            good,
            "less than the images' sides, in pixels",
        )
    }
}

fn check(
    name: &'static str,
    value: f64,
    good: bool,
    range: &'static str,
) -> Result<(), EngineError> {
    if good {
        return Ok(());
    }
    Err(EngineError::Setting { name, value, range })
}

/// Why a run is not possible.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The net is wrong, or does not fit the data.
    #[error(transparent)]
    Net(#[from] NetError),
    /// The given weights do not fit the net.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The batch does not fit the data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The level or the threads are not available.
    #[error(transparent)]
    Cpu(#[from] CpuError),
    /// A setting is out of its range.
    #[error("{name} is {value}; it must be {range}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// What was given.
        value: f64,
        /// What is possible.
        range: &'static str,
    },
    /// The normalisation is of another image size.
    #[error(
        "the normalisation is for images of {found} values, the data's have {expected}; make it \
         from the training part"
    )]
    Normalization {
        /// Values it is for.
        found: usize,
        /// Values in an image of the data.
        expected: usize,
    },
    /// A batch norm would see one number a channel, which has no variance.
    #[error(
        "batch norm at 1×1 pixels needs at least two examples in a pass, and {examples} examples in \
         batches of {batch} (micro-batches of {micro_batch}) leave a pass of one; use another batch"
    )]
    SingleExample {
        /// Training examples.
        examples: usize,
        /// The batch.
        batch: usize,
        /// The micro-batch.
        micro_batch: usize,
    },
}
