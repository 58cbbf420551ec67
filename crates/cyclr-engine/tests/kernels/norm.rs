use cyclr_engine::cpu::Cpu;
use cyclr_engine::kernels::{
    BatchNorm, BatchNormBackward, BatchNormForward, BatchNormGradients, BatchStatistics,
};

use crate::{Numbers, assert_close, at_all_levels, differences, wide};

const EPS: f64 = 1e-5;

/// Mean and biased variance of each channel.
fn moments(x: &[f64], c: usize) -> Vec<(f64, f64)> {
    let n = (x.len() / c) as f64;
    (0..c)
        .map(|i| {
            let values = || x.iter().skip(i).step_by(c);
            let mean = values().sum::<f64>() / n;
            (mean, values().map(|x| (x - mean).powi(2)).sum::<f64>() / n)
        })
        .collect()
}

/// Input, γ, β and residual side by side, so that differences can be taken of all of them.
fn plain(all: &[f64], c: usize, relu: bool) -> Vec<f64> {
    let len = (all.len() - 2 * c) / 2;
    let (x, rest) = all.split_at(len);
    let (gamma, rest) = rest.split_at(c);
    let (beta, residual) = rest.split_at(c);
    let moments = moments(x, c);
    (0..len)
        .map(|i| {
            let (mean, var) = moments[i % c];
            let y = (x[i] - mean) / (var + EPS).sqrt() * gamma[i % c] + beta[i % c] + residual[i];
            if relu { y.max(0.0) } else { y }
        })
        .collect()
}

struct Case {
    norm: BatchNorm,
    x: Vec<f32>,
    gamma: Vec<f32>,
    beta: Vec<f32>,
    residual: Option<Vec<f32>>,
    relu: bool,
    dy: Vec<f32>,
}

impl Case {
    /// Both passes: output, running mean and variance, evaluation, and the gradients.
    fn run(&self, cpu: &Cpu) -> Vec<Vec<f32>> {
        let c = self.norm.channels();

        let input = BatchNormForward {
            x: &self.x,
            gamma: &self.gamma,
            beta: &self.beta,
            residual: self.residual.as_deref(),
            relu: self.relu,
        };
        let mut running = (vec![0.5; c], vec![2.0; c]);
        let mut batch = BatchStatistics::default();
        let (mut y, mut eval) = (vec![f32::NAN; self.x.len()], vec![f32::NAN; self.x.len()]);
        self.norm.forward_train(
            cpu,
            input,
            (&mut running.0, &mut running.1),
            &mut batch,
            &mut y,
        );
        self.norm
            .forward_eval(cpu, input, (&running.0, &running.1), &mut eval);
        let (mut dx, mut dresidual) = (vec![f32::NAN; self.x.len()], vec![f32::NAN; self.x.len()]);
        let (mut dgamma, mut dbeta) = (vec![1.0; c], vec![2.0; c]);
        let back = BatchNormBackward {
            x: &self.x,
            gamma: &self.gamma,
            batch: &batch,
            dy: &self.dy,
            relu_y: self.relu.then_some(&y),
        };
        let to = BatchNormGradients {
            dx: &mut dx,
            dgamma: &mut dgamma,
            dbeta: &mut dbeta,
            dresidual: self.residual.is_some().then_some(&mut dresidual),
        };
        self.norm.backward(cpu, back, to);
        vec![y, running.0, running.1, eval, dx, dgamma, dbeta, dresidual]
    }
}

fn check(c: usize, pixels: usize, relu: bool, with_residual: bool, offset: f32) {
    let norm = BatchNorm::new(c, EPS as f32, 0.1).expect("a normalisation that exists");
    let mut n = Numbers::new(7 + c as u64);
    let x: Vec<f32> = n.values(c * pixels).iter().map(|x| offset + x).collect();
    let (gamma, beta, dy) = (n.values(c), n.values(c), n.values(x.len()));
    let residual = if with_residual {
        n.values(x.len())
    } else {
        vec![0.0; x.len()]
    };
    let all: Vec<f64> = [&x, &gamma, &beta, &residual]
        .into_iter()
        .flat_map(|v| wide(v))
        .collect();
    let y = plain(&all, c, relu);
    // Differences take the square of the length.
    let gradients = (x.len() < 800).then(|| differences(&all, &dy, |all| plain(all, c, relu)));
    let case = Case {
        norm,
        x,
        gamma,
        beta,
        residual: with_residual.then_some(residual),
        relu,
        dy,
    };
    at_all_levels(
        |cpu| case.run(cpu),
        |level, got| {
            let tolerance = 4e-6 * (1.0 + f64::from(offset));
            let compare = |what: &str, got: &[f32], expected: &[f64], tolerance: f64| {
                let magnitude: Vec<f64> = expected.iter().map(|e| 1.0 + e.abs()).collect();
                assert_close(
                    &format!("{level} c {c} pixels {pixels} {what}"),
                    got,
                    expected,
                    &magnitude,
                    tolerance,
                );
            };
            compare("y", &got[0], &y, tolerance);
            let moments = moments(&wide(&case.x), c);
            let unbiased = pixels as f64 / (pixels as f64 - 1.0);
            let mean: Vec<f64> = moments.iter().map(|m| 0.5 * 0.9 + 0.1 * m.0).collect();
            let var: Vec<f64> = moments
                .iter()
                .map(|m| 2.0 * 0.9 + 0.1 * m.1 * unbiased)
                .collect();
            compare("running mean", &got[1], &mean, tolerance);
            compare("running var", &got[2], &var, tolerance);
            let eval: Vec<f64> = (0..case.x.len())
                .map(|i| {
                    let hat = (f64::from(case.x[i]) - mean[i % c]) / (var[i % c] + EPS).sqrt();
                    let y = hat * f64::from(case.gamma[i % c])
                        + f64::from(case.beta[i % c])
                        + case.residual.as_ref().map_or(0.0, |r| f64::from(r[i]));
                    if relu { y.max(0.0) } else { y }
                })
                .collect();
            compare("eval", &got[3], &eval, tolerance);
            if let Some(gradients) = &gradients {
                let (dx, rest) = gradients.split_at(case.x.len());
                compare("dx", &got[4], dx, 10.0 * tolerance);
                let more =
                    |g: &[f64], start: f64| g.iter().map(|g| g + start).collect::<Vec<f64>>();
                compare("dgamma", &got[5], &more(&rest[..c], 1.0), 10.0 * tolerance);
                compare(
                    "dbeta",
                    &got[6],
                    &more(&rest[c..2 * c], 2.0),
                    10.0 * tolerance,
                );
                if with_residual {
                    compare("dresidual", &got[7], &rest[2 * c..], tolerance);
                }
            }
        },
    );
}

#[test]
fn equals_the_plain_loop_and_its_differences() {
    for (c, pixels) in [
        (1, 7),
        (3, 50),
        (5, 33),
        (8, 20),
        (10, 12),
        (16, 40),
        (20, 9),
        (67, 5),
    ] {
        for (relu, residual) in [(false, false), (true, false), (false, true), (true, true)] {
            check(c, pixels, relu, residual, 0.0);
        }
    }
}

#[test]
fn long_batches_equal_the_plain_loop() {
    check(16, 5000, true, true, 0.0);
    check(67, 3000, false, false, 0.0);
    // Far from zero the variance must not drown in the square of the mean.
    check(3, 30_000, false, false, 100.0);
}
