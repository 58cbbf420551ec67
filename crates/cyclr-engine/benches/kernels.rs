//! GF/s of the convolutions of the built-in nets at batch 100, beside the fused multiply-adds that
//! one thread can make.
//!
//! `cargo bench -p cyclr-engine --bench kernels [-- [without-avx512] THREADS…]`. Each figure is the
//! fastest of 40 short runs; the peak, of 256-bit vectors, is measured again for each layer, since
//! other work on the machine and its clock move both.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use std::time::Instant;

use cyclr_engine::cpu::{Cpu, Level};
use cyclr_engine::kernels::{
    AvgPool, BatchNorm, BatchNormBackward, BatchNormForward, BatchNormGradients, BatchStatistics,
    Conv2d, Conv2dSpec, Dense, Divisor, LinearBackward, LinearForward, Lrn, MaxPool, PoolSpec,
};

const BATCH: usize = 100;

/// Name, input size, input channels, output channels, kernel, stride, padding.
type Layer = (&'static str, usize, usize, usize, usize, usize, usize);

const LAYERS: [Layer; 12] = [
    ("cifar10 conv1", 32, 3, 32, 5, 1, 2),
    ("cifar10 conv2", 16, 32, 32, 5, 1, 2),
    ("cifar10 conv3", 8, 32, 64, 5, 1, 2),
    ("lenet conv1", 28, 1, 20, 5, 1, 0),
    ("lenet conv2", 12, 20, 50, 5, 1, 0),
    ("resnet first", 32, 3, 16, 3, 1, 1),
    ("resnet 16", 32, 16, 16, 3, 1, 1),
    ("resnet 16-32", 32, 16, 32, 3, 2, 1),
    ("resnet 32", 16, 32, 32, 3, 1, 1),
    ("resnet 32-64", 16, 32, 64, 3, 2, 1),
    ("resnet 64", 8, 64, 64, 3, 1, 1),
    ("shortcut 16-32", 32, 16, 32, 1, 2, 0),
];

fn main() {
    let wanted: Vec<usize> = std::env::args().filter_map(|a| a.parse().ok()).collect();
    let narrow = std::env::args().any(|a| a == "without-avx512");
    let threads = if wanted.is_empty() {
        vec![1, 2]
    } else {
        wanted
    };
    for threads in threads {
        let cpu = Cpu::from_environment(threads).expect("the level and threads asked for");
        let cpu = if narrow { cpu.without_avx512() } else { cpu };
        println!(
            "level {}, {threads} threads, batch {BATCH}; GF/s (ms)",
            cpu.level()
        );
        println!(
            "{:16}{:>8}{:>18}{:>18}{:>18}",
            "layer", "peak", "forward", "backward", "without dx"
        );
        for layer in LAYERS {
            row(&cpu, layer);
        }
        println!(
            "{:34}{:>14}{:>14}",
            "other layers; ms", "forward", "backward"
        );
        pools(&cpu);
        norms(&cpu);
        dense(&cpu);
    }
}

fn row(cpu: &Cpu, (name, size, in_c, out_c, kernel, stride, pad): Layer) {
    let conv = Conv2d::new(Conv2dSpec {
        in_h: size,
        in_w: size,
        in_c,
        out_c,
        kernel: (kernel, kernel),
        stride: (stride, stride),
        pad: (pad, pad),
    })
    .expect("a convolution that exists");
    let (x, w, b) = (
        numbers(BATCH * conv.in_len()),
        numbers(conv.weights_len()),
        numbers(out_c),
    );
    let dy = numbers(BATCH * conv.out_len());
    let (mut y, mut dx) = (dy.clone(), x.clone());
    let (mut dw, mut db) = (w.clone(), b.clone());
    let work = 2.0 * (BATCH * conv.multiplications()) as f64;
    let peak = peak(cpu);
    let forward = seconds(|| {
        conv.forward(
            cpu,
            LinearForward {
                x: &x,
                w: &w,
                bias: Some(&b),
                relu: true,
            },
            &mut y,
        );
    });
    let back = LinearBackward {
        x: &x,
        w: &w,
        dy: &dy,
        relu_y: Some(&y),
    };
    let both = seconds(|| conv.backward(cpu, back, Some(&mut dx), &mut dw, Some(&mut db)));
    let weights = seconds(|| conv.backward(cpu, back, None, &mut dw, Some(&mut db)));
    let cell =
        |work: f64, seconds: f64| format!("{:.1} ({:.2})", work / seconds / 1e9, seconds * 1e3);
    println!(
        "{name:16}{:>8.1}{:>18}{:>18}{:>18}",
        peak,
        cell(work, forward),
        cell(2.0 * work, both),
        cell(work, weights)
    );
}

fn report(name: &str, forward: impl FnMut(), backward: impl FnMut()) {
    println!(
        "{name:34}{:>14.3}{:>14.3}",
        seconds(forward) * 1e3,
        seconds(backward) * 1e3
    );
}

fn numbers(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i % 17) as f32 / 17.0 - 0.4).collect()
}

fn pools(cpu: &Cpu) {
    for (size, channels, window, stride) in [(32, 32, 3, 2), (16, 32, 3, 2), (24, 20, 2, 2)] {
        let spec = PoolSpec {
            in_h: size,
            in_w: size,
            channels,
            kernel: (window, window),
            stride: (stride, stride),
            pad: (0, 0),
            ceil: true,
        };
        let pool = MaxPool::new(spec).expect("a pool that exists");
        let (x, dy) = (
            numbers(BATCH * pool.in_len()),
            numbers(BATCH * pool.out_len()),
        );
        let (mut y, mut cells, mut dx) = (dy.clone(), vec![0; dy.len()], x.clone());
        pool.forward(cpu, &x, &mut y, &mut cells);
        let winners = cells.clone();
        let name = format!("max {window}x{window} of {size}x{size}x{channels}");
        report(
            &name,
            || pool.forward(cpu, &x, &mut y, &mut cells),
            || pool.backward(cpu, &dy, &winners, &mut dx),
        );
        let pool = AvgPool::new(spec, Divisor::Padded).expect("a pool that exists");
        let name = format!("average {window}x{window} of {size}x{size}x{channels}");
        report(
            &name,
            || pool.forward(cpu, &x, &mut y),
            || pool.backward(cpu, &dy, &mut dx),
        );
    }
}

fn norms(cpu: &Cpu) {
    for (size, channels) in [(16, 32), (8, 32)] {
        let lrn =
            Lrn::new((size, size, channels), 3, 5e-5, 0.75).expect("a normalisation that exists");
        let x = numbers(BATCH * lrn.image_len());
        let (dy, mut y, mut dx) = (x.clone(), x.clone(), x.clone());
        let name = format!("response norm {size}x{size}x{channels}");
        report(
            &name,
            || lrn.forward(cpu, &x, &mut y),
            || lrn.backward(cpu, &x, &dy, &mut dx),
        );
    }
    for (size, channels) in [(32, 16), (16, 32), (8, 64)] {
        let norm = BatchNorm::new(channels, 1e-5, 0.1).expect("a normalisation that exists");
        let x = numbers(BATCH * size * size * channels);
        let (dy, residual, line) = (x.clone(), x.clone(), numbers(channels));
        let (mut y, mut dx, mut dresidual) = (x.clone(), x.clone(), x.clone());
        let (mut mean, mut var) = (line.clone(), line.clone());
        let (mut dgamma, mut dbeta) = (line.clone(), line.clone());
        let mut batch = BatchStatistics::default();
        let input = BatchNormForward {
            x: &x,
            gamma: &line,
            beta: &line,
            residual: Some(&residual),
            relu: true,
        };
        norm.forward_train(cpu, input, (&mut mean, &mut var), &mut batch, &mut y);
        let (kept, mut fresh) = (y.clone(), BatchStatistics::default());
        let name = format!("batch norm, sum, ReLU {size}x{size}x{channels}");
        report(
            &name,
            || norm.forward_train(cpu, input, (&mut mean, &mut var), &mut fresh, &mut y),
            || {
                let back = BatchNormBackward {
                    x: &x,
                    gamma: &line,
                    batch: &batch,
                    dy: &dy,
                    relu_y: Some(&kept),
                };
                let to = BatchNormGradients {
                    dx: &mut dx,
                    dgamma: &mut dgamma,
                    dbeta: &mut dbeta,
                    dresidual: Some(&mut dresidual),
                };
                norm.backward(cpu, back, to);
            },
        );
    }
}

fn dense(cpu: &Cpu) {
    for (inputs, outputs) in [(800, 500), (1024, 64), (1024, 10), (64, 10)] {
        let layer = Dense::new(inputs, outputs).expect("a layer that exists");
        let (x, w, b) = (
            numbers(BATCH * inputs),
            numbers(inputs * outputs),
            numbers(outputs),
        );
        let dy = numbers(BATCH * outputs);
        let (mut y, mut dx, mut dw, mut db) = (dy.clone(), x.clone(), w.clone(), b.clone());
        report(
            &format!("fully connected {inputs} to {outputs}"),
            || {
                layer.forward(
                    cpu,
                    LinearForward {
                        x: &x,
                        w: &w,
                        bias: Some(&b),
                        relu: true,
                    },
                    &mut y,
                );
            },
            || {
                let back = LinearBackward {
                    x: &x,
                    w: &w,
                    dy: &dy,
                    relu_y: None,
                };
                layer.backward(cpu, back, Some(&mut dx), &mut dw, Some(&mut db));
            },
        );
    }
}

/// The fastest of 40 runs, each of as many calls as take 5 ms: what other work on the machine
/// disturbs least.
fn seconds(mut run: impl FnMut()) -> f64 {
    run();
    let start = Instant::now();
    run();
    let calls = (0.005 / start.elapsed().as_secs_f64())
        .ceil()
        .clamp(1.0, 1000.0) as u32;
    let times = (0..40).map(|_| {
        let start = Instant::now();
        (0..calls).for_each(|_| run());
        start.elapsed().as_secs_f64() / f64::from(calls)
    });
    times.fold(f64::INFINITY, f64::min)
}

/// GF/s of independent fused multiply-adds on all threads; 0 where the level has none.
fn peak(cpu: &Cpu) -> f64 {
    if cpu.level() != Level::Avx2 {
        return 0.0;
    }
    let steps = 100_000;
    let seconds = seconds(|| {
        let tasks = vec![(); cpu.threads()];
        // SAFETY: the level says that the processor has these instructions.
        #[cfg(target_arch = "x86_64")]
        cpu.run(tasks, |()| unsafe { multiply_adds(steps) });
    });
    (cpu.threads() * steps * 12 * 16) as f64 / seconds / 1e9
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn multiply_adds(steps: usize) {
    use std::arch::x86_64::{_mm256_fmadd_ps, _mm256_set1_ps};
    let mut sums = [_mm256_set1_ps(1.0); 12];
    let factor = std::hint::black_box(_mm256_set1_ps(0.5));
    for _ in 0..steps {
        for sum in &mut sums {
            *sum = _mm256_fmadd_ps(*sum, factor, factor);
        }
    }
    std::hint::black_box(sums);
}
