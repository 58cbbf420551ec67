//! GF/s of the convolutions of the built-in nets at batch 100, beside the fused multiply-adds that one thread can make.
//!
//! `cargo bench -p cyclr-engine --bench kernels [-- THREADS…]`. Each figure is the median of 15 runs of at least 20 ms;
//! the peak is measured again for each layer, since other work on the machine and its clock move both.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use std::time::Instant;

use cyclr_engine::cpu::{Cpu, Level};
use cyclr_engine::kernels::{Conv2d, Conv2dSpec, ConvBackward, ConvForward};

const BATCH: usize = 100;

/// Name, input size, input channels, output channels, kernel, stride, padding.
const LAYERS: [(&str, usize, usize, usize, usize, usize, usize); 12] = [
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
    let threads = if wanted.is_empty() {
        vec![1, 2]
    } else {
        wanted
    };
    for threads in threads {
        let cpu = Cpu::from_environment(threads).expect("the level and threads asked for");
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
    }
}

fn row(
    cpu: &Cpu,
    (name, size, in_c, out_c, kernel, stride, pad): (
        &str,
        usize,
        usize,
        usize,
        usize,
        usize,
        usize,
    ),
) {
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
    let fill = |len: usize| {
        (0..len)
            .map(|i| (i % 17) as f32 / 17.0 - 0.4)
            .collect::<Vec<f32>>()
    };
    let (x, w, b) = (
        fill(BATCH * conv.in_len()),
        fill(conv.weights_len()),
        fill(out_c),
    );
    let dy = fill(BATCH * conv.out_len());
    let (mut y, mut dx) = (dy.clone(), x.clone());
    let (mut dw, mut db) = (w.clone(), b.clone());
    let work = 2.0 * (BATCH * conv.multiplications()) as f64;
    let peak = peak(cpu);
    let forward = seconds(|| {
        conv.forward(
            cpu,
            ConvForward {
                x: &x,
                w: &w,
                bias: Some(&b),
                relu: true,
            },
            &mut y,
        );
    });
    let back = ConvBackward {
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

/// The median of 15 runs, each of as many calls as take 20 ms.
fn seconds(mut run: impl FnMut()) -> f64 {
    run();
    let start = Instant::now();
    run();
    let calls = (0.02 / start.elapsed().as_secs_f64())
        .ceil()
        .clamp(1.0, 1000.0) as u32;
    let mut times: Vec<f64> = (0..15)
        .map(|_| {
            let start = Instant::now();
            (0..calls).for_each(|_| run());
            start.elapsed().as_secs_f64() / f64::from(calls)
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
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
