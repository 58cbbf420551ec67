//! The forward pass: by the batch's statistics, or by the running ones.

use super::{BatchNorm, BatchNormForward, BatchStatistics};
use crate::{
    cpu::Cpu,
    kernels::{
        images,
        lanes::{Lanes, at_level},
    },
};

impl BatchNorm {
    /// Normalises by the batch's own statistics, which go to `batch`, and moves the running ones
    /// (mean, variance). Of one pixel there is no unbiased variance, and the running one becomes
    /// NaN.
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
            add_moments(cpu.instructions(), x, sums);
        });
        let momentum = f64::from(self.momentum);
        batch.mean.clear();
        batch.inv_std.clear();
        for (c, (sum, squares)) in sums.into_iter().enumerate() {
            let mean = sum / n;
            // A maximum that keeps NaN.
            let deviations = squares - sum * mean;
            let deviations = if deviations < 0.0 { 0.0 } else { deviations };
            batch.mean.push(mean as f32);
            batch.inv_std.push(self.inv_std(deviations / n));
            let follow = |running: &mut f32, value: f64| {
                *running = (f64::from(*running) * (1.0 - momentum) + momentum * value) as f32;
            };
            follow(&mut running_mean[c], mean);
            follow(&mut running_var[c], deviations / (n - 1.0));
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
                scale_and_shift(cpu.instructions(), &part, y);
            },
        );
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

/// One task's part of the forward pass.
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
