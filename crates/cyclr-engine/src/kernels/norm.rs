//! Batch normalisation.

use super::lanes::{Lanes, at_level};
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

    /// Normalises by the batch's own statistics, which go to `batch`, and moves the running ones (mean, variance). Of
    /// one pixel there is no unbiased variance, and the running one becomes NaN.
    pub fn forward_train(
        &self,
        cpu: &Cpu,
        input: BatchNormForward<'_>,
        (running_mean, running_var): (&mut [f32], &mut [f32]),
        batch: &mut BatchStatistics,
        y: &mut [f32],
    ) {
        let n = images(input.x.len(), self.channels) as f64;
        let lengths = (running_mean.len(), running_var.len());
        assert_eq!(
            lengths,
            (self.channels, self.channels),
            "the running statistics"
        );
        let step = self.chunk();
        let sums = self.summed(cpu, input.x.chunks(step).collect(), |x, sums| {
            add_moments(cpu.level(), x, sums);
        });
        let momentum = f64::from(self.momentum);
        batch.mean.clear();
        batch.inv_std.clear();
        for (c, (sum, squares)) in sums.into_iter().enumerate() {
            let mean = sum / n;
            // A maximum that keeps NaN.
            let input_transform = squares - sum * mean;
            let input_transform = if input_transform < 0.0 {
                0.0
            } else {
                input_transform
            };
            batch.mean.push(mean as f32);
            batch.inv_std.push(self.inv_std(input_transform / n));
            let follow = |running: &mut f32, value: f64| {
                *running = (f64::from(*running) * (1.0 - momentum) + momentum * value) as f32;
            };
            follow(&mut running_mean[c], mean);
            follow(&mut running_var[c], input_transform / (n - 1.0));
        }
        self.apply(cpu, &input, &batch.mean, &batch.inv_std, y);
    }

    /// Normalises by the running statistics (mean, variance), as in evaluation.
    pub fn forward_eval(
        &self,
        cpu: &Cpu,
        input: BatchNormForward<'_>,
        running: (&[f32], &[f32]),
        y: &mut [f32],
    ) {
        let lengths = (running.0.len(), running.1.len());
        assert_eq!(
            lengths,
            (self.channels, self.channels),
            "the running statistics"
        );
        let inv_std: Vec<f32> = running
            .1
            .iter()
            .map(|&var| self.inv_std(f64::from(var)))
            .collect();
        self.apply(cpu, &input, running.0, &inv_std, y);
    }

    /// Computes the gradients of a forward pass in training.
    pub fn backward(
        &self,
        cpu: &Cpu,
        input: BatchNormBackward<'_>,
        gradients: BatchNormGradients<'_>,
    ) {
        let n = images(input.x.len(), self.channels) as f64;
        let BatchNormGradients {
            dx,
            dgamma,
            dbeta,
            dresidual,
        } = gradients;
        assert_eq!(
            input.dy.len(),
            input.x.len(),
            "the length of the output's gradient"
        );
        assert_eq!(
            dx.len(),
            input.x.len(),
            "the length of the input's gradient"
        );
        assert_eq!(
            (dgamma.len(), dbeta.len()),
            (self.channels, self.channels),
            "the gradients of γ and β"
        );
        assert_eq!(input.gamma.len(), self.channels, "the length of γ");
        let statistics = (input.batch.mean.len(), input.batch.inv_std.len());
        assert_eq!(
            statistics,
            (self.channels, self.channels),
            "the batch's statistics"
        );
        if let Some(y) = input.relu_y {
            assert_eq!(y.len(), input.x.len(), "the length of the output");
        }
        if let Some(dresidual) = &dresidual {
            assert_eq!(
                dresidual.len(),
                input.x.len(),
                "the length of the residual's gradient"
            );
        }
        let step = self.chunk();
        let (passed, dx) = match dresidual {
            Some(dresidual) => (dresidual, Some(dx)),
            None => (dx, None),
        };
        let sums = self.summed(
            cpu,
            passed.chunks_mut(step).enumerate().collect(),
            |(i, passed), sums| {
                let range = i * step..i * step + passed.len();
                let pass = Pass {
                    x: &input.x[range.clone()],
                    dy: &input.dy[range.clone()],
                    relu_y: input.relu_y.map(|y| &y[range]),
                    mean: &input.batch.mean,
                };
                add_pass(cpu.level(), &pass, passed, sums);
            },
        );
        let mut lines = [const { Vec::new() }; 4];
        for (c, (sum, product)) in sums.into_iter().enumerate() {
            let inv_std = f64::from(input.batch.inv_std[c]);
            dbeta[c] += sum as f32;
            dgamma[c] += (product * inv_std) as f32;
            lines[0].push((sum / n) as f32);
            lines[1].push(input.batch.mean[c]);
            lines[2].push((product / n * inv_std * inv_std) as f32);
            lines[3].push(input.gamma[c] * input.batch.inv_std[c]);
        }
        let lines = lines.map(|line| self.repeated(&line));
        match dx {
            None => cpu.run(
                input.x.chunks(step).zip(passed.chunks_mut(step)).collect(),
                |(x, dx)| finish(cpu.level(), x, &lines, dx),
            ),
            Some(dx) => {
                let targets = passed.chunks(step).zip(dx.chunks_mut(step));
                cpu.run(
                    input.x.chunks(step).zip(targets).collect(),
                    |(x, (passed, dx))| {
                        dx.copy_from_slice(passed);
                        finish(cpu.level(), x, &lines, dx);
                    },
                );
            }
        }
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

    fn apply(
        &self,
        cpu: &Cpu,
        input: &BatchNormForward<'_>,
        mean: &[f32],
        inv_std: &[f32],
        y: &mut [f32],
    ) {
        images(input.x.len(), self.channels);
        assert_eq!(y.len(), input.x.len(), "the length of the output");
        let lengths = (input.gamma.len(), input.beta.len());
        assert_eq!(
            lengths,
            (self.channels, self.channels),
            "the length of γ and β"
        );
        if let Some(residual) = input.residual {
            assert_eq!(residual.len(), input.x.len(), "the length of the residual");
        }
        let factor: Vec<f32> = input
            .gamma
            .iter()
            .zip(inv_std)
            .map(|(g, s)| g * s)
            .collect();
        let shift: Vec<f32> = (0..self.channels)
            .map(|c| (f64::from(input.beta[c]) - f64::from(mean[c]) * f64::from(factor[c])) as f32)
            .collect();
        let lines = [self.repeated(&factor), self.repeated(&shift)];
        let step = self.chunk();
        cpu.run(
            y.chunks_mut(step).enumerate().collect(),
            |(i, y): (usize, &mut [f32])| {
                let range = i * step..i * step + y.len();
                let part = Scaled {
                    x: &input.x[range.clone()],
                    residual: input.residual.map(|residual| &residual[range]),
                    lines: &lines,
                    floor: if input.relu { 0.0 } else { f32::NEG_INFINITY },
                };
                scale_and_shift(cpu.level(), &part, y);
            },
        );
    }

    /// How often the channels are repeated, so that a line of constants is long enough for vectors.
    fn repeats(&self) -> usize {
        256usize.div_ceil(self.channels)
    }

    fn repeated(&self, line: &[f32]) -> Vec<f32> {
        line.repeat(self.repeats())
    }

    /// Numbers in a task: whole lines of constants. It follows from the channels alone, as must the order of sums.
    fn chunk(&self) -> usize {
        let line = self.repeats() * self.channels;
        line * 16_384usize.div_ceil(line)
    }
}

at_level! {
    fn add_moments(x: &[f32], sums: &mut [f64]) = moments
}

/// Adds each channel's sum and sum of squares.
#[inline(always)]
fn moments<L: Lanes>(_: L, x: &[f32], sums: &mut [f64]) {
    let channels = sums.len() / 2;
    let (sums, squares) = sums.split_at_mut(channels);
    let mut first = 0;
    while first + 8 <= channels {
        let mut sum = [0.0; 8];
        let mut square = [0.0; 8];
        for pixel in x.chunks_exact(channels) {
            for (i, x) in pixel[first..first + 8].iter().enumerate() {
                let x = f64::from(*x);
                sum[i] += x;
                square[i] += x * x;
            }
        }
        sums[first..first + 8].copy_from_slice(&sum);
        squares[first..first + 8].copy_from_slice(&square);
        first += 8;
    }
    for c in first..channels {
        for x in x[c..].iter().step_by(channels) {
            sums[c] += f64::from(*x);
            squares[c] += f64::from(*x) * f64::from(*x);
        }
    }
}

/// One task's part of the first pass on the way back.
struct Pass<'a> {
    x: &'a [f32],
    dy: &'a [f32],
    relu_y: Option<&'a [f32]>,
    mean: &'a [f32],
}

at_level! {
    fn add_pass(pass: &Pass<'_>, passed: &mut [f32], sums: &mut [f64]) = first_pass
}

/// Writes the gradient as far as the ReLU lets it pass, and adds each channel's sum of it and of its products with
/// the centred input.
#[inline(always)]
fn first_pass<L: Lanes>(_: L, pass: &Pass<'_>, passed: &mut [f32], sums: &mut [f64]) {
    match pass.relu_y {
        Some(y) => {
            for (passed, (dy, y)) in passed.iter_mut().zip(pass.dy.iter().zip(y)) {
                *passed = if *y > 0.0 { *dy } else { 0.0 };
            }
        }
        None => passed.copy_from_slice(pass.dy),
    }
    let channels = pass.mean.len();
    let (sums, products) = sums.split_at_mut(channels);
    let mut first = 0;
    while first + 8 <= channels {
        let mut sum = [0.0; 8];
        let mut product = [0.0; 8];
        let mut mean = [0.0; 8];
        mean.copy_from_slice(&pass.mean[first..first + 8]);
        for (x, dy) in pass
            .x
            .chunks_exact(channels)
            .zip(passed.chunks_exact(channels))
        {
            let (x, dy) = (&x[first..first + 8], &dy[first..first + 8]);
            for i in 0..8 {
                sum[i] += f64::from(dy[i]);
                product[i] += f64::from(dy[i] * (x[i] - mean[i]));
            }
        }
        sums[first..first + 8].copy_from_slice(&sum);
        products[first..first + 8].copy_from_slice(&product);
        first += 8;
    }
    for c in first..channels {
        for (x, dy) in pass.x[c..].iter().zip(&passed[c..]).step_by(channels) {
            sums[c] += f64::from(*dy);
            products[c] += f64::from(dy * (x - pass.mean[c]));
        }
    }
}

at_level! {
    fn finish(x: &[f32], lines: &[Vec<f32>; 4], dx: &mut [f32]) = second_pass
}

/// From the gradient that passed, in `dx`, to the input's: less its mean and its part along the input, times the
/// factor of the way forward.
#[inline(always)]
fn second_pass<L: Lanes>(
    _: L,
    x: &[f32],
    [average, mean, slope, factor]: &[Vec<f32>; 4],
    dx: &mut [f32],
) {
    let line = average.len();
    let (mean, slope, factor) = (&mean[..line], &slope[..line], &factor[..line]);
    for (x, dx) in x.chunks(line).zip(dx.chunks_mut(line)) {
        for (i, (x, dx)) in x.iter().zip(dx).enumerate() {
            *dx = (*dx - average[i] - (x - mean[i]) * slope[i]) * factor[i];
        }
    }
}

/// One task's part of the way forward.
struct Scaled<'a> {
    x: &'a [f32],
    residual: Option<&'a [f32]>,
    lines: &'a [Vec<f32>; 2],
    floor: f32,
}

at_level! {
    fn scale_and_shift(part: &Scaled<'_>, y: &mut [f32]) = forward_part
}

#[inline(always)]
fn forward_part<L: Lanes>(_: L, part: &Scaled<'_>, y: &mut [f32]) {
    let [factor, shift] = part.lines;
    let (line, floor) = (factor.len(), part.floor);
    let shift = &shift[..line];
    let clip = |v: f32| if v < floor { floor } else { v };
    for (n, (x, y)) in part.x.chunks(line).zip(y.chunks_mut(line)).enumerate() {
        if let Some(residual) = part.residual {
            let residual = &residual[n * line..][..x.len()];
            for (i, ((x, y), residual)) in x.iter().zip(y).zip(residual).enumerate() {
                *y = clip(x * factor[i] + shift[i] + residual);
            }
        } else {
            for (i, (x, y)) in x.iter().zip(y).enumerate() {
                *y = clip(x * factor[i] + shift[i]);
            }
        }
    }
}
