//! Batch normalisation.

use super::{GeometryError, images, nonzero};
use crate::cpu::Cpu;

/// Batch normalisation over all pixels of a batch, channel by channel, as torch's `BatchNorm2d`:
/// `y = γ · (x - mean) / sqrt(var + eps) + β`. In training, mean and (biased) variance are the batch's; running
/// statistics follow as `running += momentum · (batch's - running)`, with the unbiased variance.
///
/// Two neighbours can be had in the same pass: a residual that is added to the output, and then a ReLU.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNorm {
    channels: usize,
    eps: f32,
    momentum: f32,
}

/// The batch's statistics, which the way back needs: one number for each channel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BatchStatistics {
    /// The mean.
    pub mean: Vec<f32>,
    /// `1 / sqrt(var + eps)`.
    pub inv_std: Vec<f32>,
}

/// What batch normalisation reads on the way forward.
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

/// What batch normalisation reads on the way back.
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
    /// The output, where the forward pass had its ReLU.
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
    /// The gradient of the residual, where there was one; overwritten.
    pub dresidual: Option<&'a mut [f32]>,
}

impl BatchNorm {
    /// Checks the constants: eps above 0, momentum from 0 to 1. torch's defaults are 1e-5 and 0.1.
    ///
    /// # Errors
    /// [`GeometryError`] where there are no channels or a constant is outside its range.
    pub fn new(channels: usize, eps: f32, momentum: f32) -> Result<Self, GeometryError> {
        nonzero(&[("the number of channels", channels)])?;
        let constant = |what, value: f32, range, good| {
            let value = f64::from(value);
            if good {
                Ok(())
            } else {
                Err(GeometryError::Constant { what, value, range })
            }
        };
        constant(
            "eps",
            eps,
            "finite and above 0",
            eps.is_finite() && eps > 0.0,
        )?;
        constant(
            "momentum",
            momentum,
            "from 0 to 1",
            (0.0..=1.0).contains(&momentum),
        )?;
        Ok(Self {
            channels,
            eps,
            momentum,
        })
    }

    /// The number of channels.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Normalises by the batch's own statistics, which go to `batch`, and moves the running ones.
    pub fn forward_train(
        &self,
        cpu: &Cpu,
        input: BatchNormForward<'_>,
        running: (&mut [f32], &mut [f32]),
        batch: &mut BatchStatistics,
        y: &mut [f32],
    ) {
        let pixels = images(input.x.len(), self.channels);
        let n = pixels as f64;
        let mut mean = vec![0.0f64; self.channels];
        let mut var = vec![0.0f64; self.channels];
        for pixel in input.x.chunks(self.channels) {
            for (m, x) in mean.iter_mut().zip(pixel) {
                *m += f64::from(*x);
            }
        }
        for m in &mut mean {
            *m /= n;
        }
        for pixel in input.x.chunks(self.channels) {
            for ((v, m), x) in var.iter_mut().zip(&mean).zip(pixel) {
                *v += (f64::from(*x) - m) * (f64::from(*x) - m);
            }
        }
        assert_eq!(
            (running.0.len(), running.1.len()),
            (self.channels, self.channels),
            "the running statistics"
        );
        let momentum = f64::from(self.momentum);
        batch.mean.clear();
        batch.inv_std.clear();
        for c in 0..self.channels {
            let biased = var[c] / n;
            let unbiased = if pixels > 1 {
                var[c] / (n - 1.0)
            } else {
                f64::NAN
            };
            batch.mean.push(mean[c] as f32);
            batch
                .inv_std
                .push((1.0 / libm::sqrt(biased + f64::from(self.eps))) as f32);
            let follow = |running: &mut f32, value: f64| {
                *running = (f64::from(*running) + momentum * (value - f64::from(*running))) as f32;
            };
            follow(&mut running.0[c], mean[c]);
            follow(&mut running.1[c], unbiased);
        }
        self.apply(cpu, &input, batch, y);
    }

    /// Normalises by the running statistics (mean, variance), as in evaluation.
    pub fn forward_eval(
        &self,
        cpu: &Cpu,
        input: BatchNormForward<'_>,
        running: (&[f32], &[f32]),
        y: &mut [f32],
    ) {
        let batch = BatchStatistics {
            mean: running.0.to_vec(),
            inv_std: running
                .1
                .iter()
                .map(|&v| (1.0 / libm::sqrt(f64::from(v) + f64::from(self.eps))) as f32)
                .collect(),
        };
        self.apply(cpu, &input, &batch, y);
    }

    /// Computes the gradients of a forward pass in training.
    pub fn backward(
        &self,
        cpu: &Cpu,
        input: BatchNormBackward<'_>,
        gradients: BatchNormGradients<'_>,
    ) {
        let pixels = images(input.x.len(), self.channels);
        assert_eq!(
            input.dy.len(),
            input.x.len(),
            "the length of the output's gradient"
        );
        assert_eq!(
            gradients.dx.len(),
            input.x.len(),
            "the length of the input's gradient"
        );
        let c = self.channels;
        let mut dy = input.dy.to_vec();
        if let Some(y) = input.relu_y {
            super::relu_backward(cpu, y, &mut dy);
        }
        let mut sums = vec![(0.0f64, 0.0f64); c];
        for (x, dy) in input.x.chunks(c).zip(dy.chunks(c)) {
            for i in 0..c {
                let hat = (x[i] - input.batch.mean[i]) * input.batch.inv_std[i];
                sums[i].0 += f64::from(dy[i]);
                sums[i].1 += f64::from(dy[i] * hat);
            }
        }
        for i in 0..c {
            gradients.dbeta[i] += sums[i].0 as f32;
            gradients.dgamma[i] += sums[i].1 as f32;
        }
        for (p, dx) in gradients.dx.chunks_mut(c).enumerate() {
            for i in 0..c {
                let (mean, inv_std) = (input.batch.mean[i], input.batch.inv_std[i]);
                let hat = (input.x[p * c + i] - mean) * inv_std;
                let n = pixels as f64;
                let (m, h) = ((sums[i].0 / n) as f32, (sums[i].1 / n) as f32);
                dx[i] = input.gamma[i] * inv_std * (dy[p * c + i] - m - hat * h);
            }
        }
        if let Some(dresidual) = gradients.dresidual {
            dresidual.copy_from_slice(&dy);
        }
    }

    fn apply(
        &self,
        _cpu: &Cpu,
        input: &BatchNormForward<'_>,
        batch: &BatchStatistics,
        y: &mut [f32],
    ) {
        assert_eq!(y.len(), input.x.len(), "the length of the output");
        assert_eq!(
            (input.gamma.len(), input.beta.len()),
            (self.channels, self.channels),
            "the length of γ and β"
        );
        let c = self.channels;
        for (p, y) in y.chunks_mut(c).enumerate() {
            for i in 0..c {
                let hat = (input.x[p * c + i] - batch.mean[i]) * batch.inv_std[i];
                let mut v = input.gamma[i] * hat + input.beta[i];
                if let Some(residual) = input.residual {
                    v += residual[p * c + i];
                }
                y[i] = if input.relu && v <= 0.0 { 0.0 } else { v };
            }
        }
    }
}
