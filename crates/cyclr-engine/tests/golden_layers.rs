//! Every layer's forward pass and gradients against torch's in f64 (`golden/engine/make.py`), at
//! every level this processor has and at 1 and 3 threads.
#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod common;

use common::{golden, list, numbers};
use cyclr_engine::{
    cpu::{Cpu, Level},
    kernels::{
        self, AvgPool, BatchNorm, BatchNormBackward, BatchNormForward, BatchNormGradients,
        BatchStatistics, Conv2d, Conv2dSpec, Dense, Divisor, LinearBackward, LinearForward, Lrn,
        MaxPool, PoolSpec, SoftmaxCrossEntropy,
    },
};
use serde_json::Value;

/// One case of `layers.json`: its inputs made, its results ready to be compared.
struct Case {
    info: Value,
    inputs: Vec<Vec<f32>>,
    dy: Vec<f32>,
}

impl Case {
    fn new(info: Value) -> Self {
        let shapes = info["shapes"].as_array().unwrap();
        let scales = list(&info["scales"]);
        let inputs = shapes
            .iter()
            .zip(scales)
            .zip(1..)
            .map(|((shape, scale), seed)| {
                let count = list(shape).iter().product::<f64>();
                numbers(count as usize, seed, scale as f32)
            });
        let dy = numbers(list(&info["y"]).len(), 9, 1.0);
        Self {
            inputs: inputs.collect(),
            dy,
            info,
        }
    }

    fn size(&self, name: &str) -> usize {
        self.info[name].as_u64().unwrap() as usize
    }

    fn pair(&self, name: &str) -> (usize, usize) {
        let pair = list(&self.info[name]);
        (pair[0] as usize, pair[1] as usize)
    }

    fn number(&self, name: &str) -> f64 {
        self.info[name].as_f64().unwrap()
    }

    fn flag(&self, name: &str) -> bool {
        self.info[name].as_bool().unwrap()
    }

    fn shape(&self, input: usize) -> Vec<usize> {
        let shape = list(&self.info["shapes"][input]);
        shape.into_iter().map(|s| s as usize).collect()
    }

    fn pool(&self) -> PoolSpec {
        let image = self.shape(0);
        PoolSpec {
            in_h: image[1],
            in_w: image[2],
            channels: image[3],
            kernel: self.pair("kernel"),
            stride: self.pair("stride"),
            pad: self.pair("pad"),
            ceil: self.flag("ceil"),
        }
    }

    fn close(&self, what: &str, found: &[f32], expected: &Value) {
        let expected = list(expected);
        assert_eq!(
            found.len(),
            expected.len(),
            "{what} of {}",
            self.info["kind"]
        );
        // Sums of up to some hundred f32 products: a few units in the last place of the largest.
        let largest = expected.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
        for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
            let apart = (f64::from(*found) - expected).abs();
            assert!(
                apart <= 2e-6 * largest.max(0.1),
                "{what}[{i}] of {}: {found} for {expected}",
                self.info["kind"]
            );
        }
    }

    fn check(&self, y: &[f32], grads: &[&[f32]]) {
        self.close("y", y, &self.info["y"]);
        for (k, grad) in grads.iter().enumerate() {
            self.close(&format!("gradient {k}"), grad, &self.info["grads"][k]);
        }
        assert_eq!(grads.len(), self.inputs.len());
    }
}

#[test]
fn layers_are_those_of_torch() {
    let cases = golden("layers.json")["cases"].take();
    let cases: Vec<Case> = cases
        .as_array()
        .unwrap()
        .iter()
        .cloned()
        .map(Case::new)
        .collect();
    assert_eq!(cases.len(), 27);
    for level in [Level::Portable, Level::Avx2] {
        for threads in [1, 3] {
            if level.is_supported() {
                let cpu = Cpu::new(level, threads).unwrap();
                for case in &cases {
                    check(&cpu, case);
                }
            }
        }
    }
}

fn check(cpu: &Cpu, case: &Case) {
    match case.info["kind"].as_str().unwrap() {
        "conv" => conv(cpu, case),
        "dense" => dense(cpu, case),
        "max_pool" => max_pool(cpu, case),
        "avg_pool" => avg_pool(cpu, case),
        "relu" => relu(cpu, case),
        "lrn" => lrn(cpu, case),
        "batch_norm" => batch_norm(cpu, case),
        "cross_entropy" => cross_entropy(case),
        "dropout" => dropout(cpu, case),
        kind => panic!("no test for {kind}"),
    }
}

fn conv(cpu: &Cpu, case: &Case) {
    let (image, weights) = (case.shape(0), case.shape(1));
    let conv = Conv2d::new(Conv2dSpec {
        in_h: image[1],
        in_w: image[2],
        in_c: image[3],
        out_c: weights[3],
        kernel: case.pair("kernel"),
        stride: case.pair("stride"),
        pad: case.pair("pad"),
    })
    .unwrap();
    let relu = case.flag("relu");
    let (x, w, bias) = (
        &case.inputs[0][..],
        &case.inputs[1][..],
        &case.inputs[2][..],
    );
    let mut y = vec![0.0; case.dy.len()];
    let bias = Some(bias);
    conv.forward(cpu, LinearForward { x, w, bias, relu }, &mut y);
    let (mut dx, mut dw) = (vec![0.0; x.len()], vec![0.0; w.len()]);
    let mut db = vec![0.0; weights[3]];
    let input = LinearBackward {
        x,
        w,
        dy: &case.dy,
        relu_y: relu.then_some(&y),
    };
    conv.backward(cpu, input, Some(&mut dx), &mut dw, Some(&mut db));
    case.check(&y, &[&dx, &dw, &db]);
}

fn dense(cpu: &Cpu, case: &Case) {
    let weights = case.shape(1);
    let dense = Dense::new(weights[0], weights[1]).unwrap();
    let relu = case.flag("relu");
    let (x, w, bias) = (
        &case.inputs[0][..],
        &case.inputs[1][..],
        &case.inputs[2][..],
    );
    let mut y = vec![0.0; case.dy.len()];
    let bias = Some(bias);
    dense.forward(cpu, LinearForward { x, w, bias, relu }, &mut y);
    let (mut dx, mut dw) = (vec![0.0; x.len()], vec![0.0; w.len()]);
    let mut db = vec![0.0; weights[1]];
    let input = LinearBackward {
        x,
        w,
        dy: &case.dy,
        relu_y: relu.then_some(&y),
    };
    dense.backward(cpu, input, Some(&mut dx), &mut dw, Some(&mut db));
    case.check(&y, &[&dx, &dw, &db]);
}

fn max_pool(cpu: &Cpu, case: &Case) {
    let pool = MaxPool::new(case.pool()).unwrap();
    let x = &case.inputs[0];
    let (mut y, mut cells) = (vec![0.0; case.dy.len()], vec![0; case.dy.len()]);
    pool.forward(cpu, x, &mut y, &mut cells);
    let mut dx = vec![0.0; x.len()];
    pool.backward(cpu, &case.dy, &cells, &mut dx);
    case.check(&y, &[&dx]);
}

fn avg_pool(cpu: &Cpu, case: &Case) {
    let divisor = if case.flag("padded") {
        Divisor::Padded
    } else {
        Divisor::Inside
    };
    let pool = AvgPool::new(case.pool(), divisor).unwrap();
    let x = &case.inputs[0];
    let mut y = vec![0.0; case.dy.len()];
    pool.forward(cpu, x, &mut y);
    let mut dx = vec![0.0; x.len()];
    pool.backward(cpu, &case.dy, &mut dx);
    case.check(&y, &[&dx]);
}

fn relu(cpu: &Cpu, case: &Case) {
    let (mut y, mut dx) = (case.inputs[0].clone(), case.dy.clone());
    kernels::relu(cpu, &mut y);
    kernels::relu_backward(cpu, &y, &mut dx);
    case.check(&y, &[&dx]);
}

fn lrn(cpu: &Cpu, case: &Case) {
    let shape = case.shape(0);
    let image = (shape[1], shape[2], shape[3]);
    let (alpha, beta) = (case.number("alpha") as f32, case.number("beta") as f32);
    let lrn = Lrn::new(image, case.size("size"), alpha, beta).unwrap();
    let x = &case.inputs[0];
    let (mut y, mut dx) = (vec![0.0; x.len()], vec![0.0; x.len()]);
    lrn.forward(cpu, x, &mut y);
    lrn.backward(cpu, x, &case.dy, &mut dx);
    case.check(&y, &[&dx]);
}

fn batch_norm(cpu: &Cpu, case: &Case) {
    let channels = case.shape(1)[0];
    let norm = BatchNorm::new(channels, 1e-5, 0.1).unwrap();
    let (x, relu) = (&case.inputs[0], case.flag("relu"));
    let input = BatchNormForward {
        x,
        gamma: &case.inputs[1],
        beta: &case.inputs[2],
        residual: case.inputs.get(3).map(Vec::as_slice),
        relu,
    };
    let (mut mean, mut var) = (vec![0.0; channels], vec![1.0; channels]);
    let (mut batch, mut y) = (BatchStatistics::default(), vec![0.0; x.len()]);
    norm.forward_train(cpu, input, (&mut mean, &mut var), &mut batch, &mut y);
    case.close("mean", &mean, &case.info["mean"]);
    case.close("var", &var, &case.info["var"]);

    let (mut dx, mut dresidual) = (vec![0.0; x.len()], vec![0.0; x.len()]);
    let (mut dgamma, mut dbeta) = (vec![0.0; channels], vec![0.0; channels]);
    let residual = case.flag("residual");
    let input = BatchNormBackward {
        x,
        gamma: &case.inputs[1],
        batch: &batch,
        dy: &case.dy,
        relu_y: relu.then_some(&y),
    };
    let gradients = BatchNormGradients {
        dx: &mut dx,
        dgamma: &mut dgamma,
        dbeta: &mut dbeta,
        dresidual: residual.then_some(&mut dresidual),
    };
    norm.backward(cpu, input, gradients);
    let grads: [&[f32]; 4] = [&dx, &dgamma, &dbeta, &dresidual];
    case.check(&y, &grads[..case.inputs.len()]);
}

fn cross_entropy(case: &Case) {
    let shape = case.shape(0);
    let loss = SoftmaxCrossEntropy::new(shape[1], case.number("smoothing")).unwrap();
    let labels: Vec<u16> = list(&case.info["labels"])
        .iter()
        .map(|&l| l as u16)
        .collect();
    let x = &case.inputs[0];
    let (mut dx, mut correct) = (vec![0.0; x.len()], vec![false; labels.len()]);
    let mean = Some((&mut dx[..], 1.0 / labels.len() as f64));
    let sum = loss.run(x, &labels, mean, Some(&mut correct));
    case.close("gradient", &dx, &case.info["grads"][0]);
    let expected: f64 = list(&case.info["y"]).iter().sum();
    assert!(
        (sum.loss - expected).abs() < 1e-8 * expected,
        "{} for {expected}",
        sum.loss
    );
    let hits = case.info["correct"].as_array().unwrap().iter();
    assert!(
        hits.map(|v| v.as_bool().unwrap())
            .eq(correct.iter().copied())
    );
    assert_eq!(sum.correct, correct.iter().filter(|&&c| c).count() as u64);
}

fn dropout(cpu: &Cpu, case: &Case) {
    let x = &case.inputs[0];
    let kept: Vec<bool> = numbers(x.len(), 5, 1.0).iter().map(|&v| v > 0.0).collect();
    let factor = (1.0 / (1.0 - case.number("p"))) as f32;
    let (mut y, mut dx) = (vec![0.0; x.len()], vec![0.0; x.len()]);
    kernels::dropout(cpu, x, &kept, factor, &mut y);
    kernels::dropout(cpu, &case.dy, &kept, factor, &mut dx);
    case.check(&y, &[&dx]);
}
