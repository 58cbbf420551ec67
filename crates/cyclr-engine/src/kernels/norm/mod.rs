//! Batch normalisation.

mod backward;
mod forward;

use super::{GeometryError, check_constant, nonzero};
use crate::cpu::Cpu;

/// Batch normalisation over all pixels of a batch, channel by channel, as torch's `BatchNorm2d`:
/// `y = γ · (x - mean) / sqrt(var + eps) + β`. In training, mean and (biased) variance are the
/// batch's; running statistics follow as `running += momentum · (batch's - running)`, with the
/// unbiased variance.
///
/// Two neighbours can be done in the same pass: a residual that is added to the output, and then a
/// ReLU.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNorm {
    channels: usize,
    eps: f32,
    momentum: f32,
}

/// The batch's statistics, which the backward pass needs: one number for each channel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BatchStatistics {
    /// The mean.
    pub mean: Vec<f32>,
    /// `1 / sqrt(var + eps)`.
    pub inv_std: Vec<f32>,
}

/// What the forward pass of batch normalisation reads.
#[derive(Clone, Copy, Debug)]
pub struct BatchNormForward<'a> {
    /// The input images, pixel by pixel.
    pub x: &'a [f32],
    /// γ, one number for each channel.
    pub gamma: &'a [f32],
    /// β, one number for each channel.
    pub beta: &'a [f32],
    /// A residual of the input's shape, added to the normalised value before the ReLU.
    pub residual: Option<&'a [f32]>,
    /// Whether a ReLU follows.
    pub relu: bool,
}

/// What the backward pass of batch normalisation reads.
#[derive(Clone, Copy, Debug)]
pub struct BatchNormBackward<'a> {
    /// The input images.
    pub x: &'a [f32],
    /// γ.
    pub gamma: &'a [f32],
    /// The statistics that the forward pass in training gave.
    pub batch: &'a BatchStatistics,
    /// The gradient of the output.
    pub dy: &'a [f32],
    /// The output, if the forward pass had its ReLU.
    pub relu_y: Option<&'a [f32]>,
}

/// Where the gradients of batch normalisation go.
#[derive(Debug)]
pub struct BatchNormGradients<'a> {
    /// The gradient of the input; overwritten.
    pub dx: &'a mut [f32],
    /// The gradient of γ; added to.
    pub dgamma: &'a mut [f32],
    /// The gradient of β; added to.
    pub dbeta: &'a mut [f32],
    /// The gradient of the residual, if there was one; overwritten.
    pub dresidual: Option<&'a mut [f32]>,
}

impl BatchNorm {
    /// Checks the constants: eps above 0, momentum from 0 to 1. torch's defaults are 1e-5 and 0.1.
    ///
    /// # Errors
    /// [`GeometryError`] if there are no channels or a constant is outside its range.
    pub fn new(channels: usize, eps: f32, momentum: f32) -> Result<Self, GeometryError> {
        nonzero(&[("the number of channels", channels)])?;
        check_constant(
            "eps",
            f64::from(eps),
            "finite and above 0",
            eps.is_finite() && eps > 0.0,
        )?;
        check_constant(
            "momentum",
            f64::from(momentum),
            "from 0 to 1",
            (0.0..=1.0).contains(&momentum),
        )?;
        Ok(Self {
            channels,
            eps,
            momentum,
        })
    }

    /// The same norm, whose running statistics follow a batch by this much, from 0 to 1.
    pub(crate) fn with_momentum(&self, momentum: f32) -> Self {
        Self {
            momentum,
            ..self.clone()
        }
    }

    /// The number of channels.
    pub fn channels(&self) -> usize {
        self.channels
    }

    fn inv_std(&self, var: f64) -> f32 {
        (1.0 / (var + f64::from(self.eps)).sqrt()) as f32
    }

    /// Each channel's two sums, added up over the tasks in their order.
    fn summed<T: Send>(
        &self,
        cpu: &Cpu,
        parts: Vec<T>,
        sum: impl Fn(T, &mut [f64]) + Sync + Send,
    ) -> Vec<(f64, f64)> {
        let mut sums = vec![0.0f64; 2 * self.channels * parts.len()];
        let tasks = parts
            .into_iter()
            .zip(sums.chunks_mut(2 * self.channels))
            .collect();
        cpu.run(tasks, |(part, sums)| sum(part, sums));
        let mut totals = vec![(0.0, 0.0); self.channels];
        for sums in sums.chunks(2 * self.channels) {
            let (first, second) = sums.split_at(self.channels);
            for (total, (first, second)) in totals.iter_mut().zip(first.iter().zip(second)) {
                total.0 += first;
                total.1 += second;
            }
        }
        totals
    }

    /// How often the channels are repeated, so that a line of constants is long enough for
    /// vectors.
    fn repeats(&self) -> usize {
        256usize.div_ceil(self.channels)
    }

    fn repeated(&self, line: &[f32]) -> Vec<f32> {
        line.repeat(self.repeats())
    }

    /// Numbers in a task: whole lines of constants. It follows from the channels alone, as must
    /// the order of sums.
    fn chunk(&self) -> usize {
        let line = self.repeats() * self.channels;
        line * 16_384usize.div_ceil(line)
    }
}
