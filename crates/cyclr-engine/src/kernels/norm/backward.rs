//! The backward pass: one pass for the sums, one for the gradient of the input.

use super::{BatchNorm, BatchNormBackward, BatchNormGradients};
use crate::{
    cpu::Cpu,
    kernels::{
        images,
        lanes::{Lanes, at_level},
    },
};

impl BatchNorm {
    /// Computes the gradients of a forward pass in training.
    pub fn backward(
        &self,
        cpu: &Cpu,
        input: BatchNormBackward<'_>,
        gradients: BatchNormGradients<'_>,
    ) {
        self.check_backward(&input, &gradients);
        let BatchNormGradients {
            dx,
            dgamma,
            dbeta,
            dresidual,
        } = gradients;
        // The residual's gradient is what passed the ReLU; without a residual that is computed in
        // place.
        let (passed, dx) = match dresidual {
            Some(dresidual) => (dresidual, Some(dx)),
            None => (dx, None),
        };
        let sums = self.pass(cpu, &input, passed);
        let lines = self.lines(&input, &sums, dgamma, dbeta);
        let step = self.chunk();
        match dx {
            None => cpu.run(
                input.x.chunks(step).zip(passed.chunks_mut(step)).collect(),
                |(x, dx)| finish(cpu.instructions(), x, &lines, dx),
            ),
            Some(dx) => {
                let targets = passed.chunks(step).zip(dx.chunks_mut(step));
                cpu.run(
                    input.x.chunks(step).zip(targets).collect(),
                    |(x, (passed, dx))| {
                        dx.copy_from_slice(passed);
                        finish(cpu.instructions(), x, &lines, dx);
                    },
                );
            }
        }
    }

    fn check_backward(&self, input: &BatchNormBackward<'_>, gradients: &BatchNormGradients<'_>) {
        let (values, channels) = (input.x.len(), self.channels);
        let check = |what: &str, len: usize, expected: usize| {
            assert_eq!(len, expected, "the length of {what}");
        };
        images(values, channels);
        check("the output's gradient", input.dy.len(), values);
        check("the input's gradient", gradients.dx.len(), values);
        check("γ", input.gamma.len(), channels);
        check("γ's gradient", gradients.dgamma.len(), channels);
        check("β's gradient", gradients.dbeta.len(), channels);
        check("the batch's means", input.batch.mean.len(), channels);
        check(
            "the batch's deviations",
            input.batch.inv_std.len(),
            channels,
        );
        if let Some(y) = input.relu_y {
            check("the output", y.len(), values);
        }
        if let Some(dresidual) = &gradients.dresidual {
            check("the residual's gradient", dresidual.len(), values);
        }
    }

    /// Writes the gradient that passes the ReLU. Gives, for each channel, its sum and the sum of
    /// its products with the centred input.
    fn pass(
        &self,
        cpu: &Cpu,
        input: &BatchNormBackward<'_>,
        passed: &mut [f32],
    ) -> Vec<(f64, f64)> {
        let step = self.chunk();
        self.summed(
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
                add_pass(cpu.instructions(), &pass, passed, sums);
            },
        )
    }

    /// Adds the gradients of γ and β, and gives the constants of the second pass.
    fn lines(
        &self,
        input: &BatchNormBackward<'_>,
        sums: &[(f64, f64)],
        dgamma: &mut [f32],
        dbeta: &mut [f32],
    ) -> [Vec<f32>; 4] {
        let n = (input.x.len() / self.channels) as f64;
        let mut lines = [const { Vec::new() }; 4];
        for (c, (sum, product)) in sums.iter().enumerate() {
            let inv_std = f64::from(input.batch.inv_std[c]);
            dbeta[c] += *sum as f32;
            dgamma[c] += (product * inv_std) as f32;
            lines[0].push((sum / n) as f32);
            lines[1].push(input.batch.mean[c]);
            lines[2].push((product / n * inv_std * inv_std) as f32);
            lines[3].push(input.gamma[c] * input.batch.inv_std[c]);
        }
        lines.map(|line| self.repeated(&line))
    }
}

/// One task's part of the first pass in the backward pass.
struct Pass<'a> {
    x: &'a [f32],
    dy: &'a [f32],
    relu_y: Option<&'a [f32]>,
    mean: &'a [f32],
}

at_level! {
    fn add_pass(pass: &Pass<'_>, passed: &mut [f32], sums: &mut [f64]) = first_pass
}

/// Writes the gradient as far as the ReLU lets it pass, and adds each channel's sum of it and of
/// its products with the centred input.
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

/// From the gradient that passed, in `dx`, to the input's: less its mean and its part along the
/// input, times the factor of the forward pass.
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
