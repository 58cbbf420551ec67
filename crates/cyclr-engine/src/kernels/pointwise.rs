//! Operations on each number by itself, and sums.

use crate::cpu::Cpu;

/// Numbers in a task: the division is the same for any number of threads.
const CHUNK: usize = 16_384;

/// `y = max(x, 0)` in place; NaN stays.
pub fn relu(cpu: &Cpu, y: &mut [f32]) {
    cpu.run(y.chunks_mut(CHUNK).collect(), |y: &mut [f32]| {
        for y in y.iter_mut() {
            *y = if *y <= 0.0 { 0.0 } else { *y };
        }
    });
}

/// Zeroes the gradient, in place, where the ReLU's output `y` is not positive.
pub fn relu_backward(cpu: &Cpu, y: &[f32], dy: &mut [f32]) {
    assert_eq!(y.len(), dy.len(), "the length of the output");
    cpu.run(
        y.chunks(CHUNK).zip(dy.chunks_mut(CHUNK)).collect(),
        |(y, dy): (&[f32], &mut [f32])| {
            for (dy, y) in dy.iter_mut().zip(y) {
                *dy = if *y > 0.0 { *dy } else { 0.0 };
            }
        },
    );
}

/// `y += x`.
pub fn add(cpu: &Cpu, x: &[f32], y: &mut [f32]) {
    assert_eq!(x.len(), y.len(), "the length of the sum");
    cpu.run(
        x.chunks(CHUNK).zip(y.chunks_mut(CHUNK)).collect(),
        |(x, y): (&[f32], &mut [f32])| {
            y.iter_mut().zip(x).for_each(|(y, x)| *y += x);
        },
    );
}

/// `y = x · factor` where `kept`, and 0 elsewhere; in the backward pass the same with gradients.
/// The usual factor is 1 / (1 - p).
pub fn dropout(cpu: &Cpu, x: &[f32], kept: &[bool], factor: f32, y: &mut [f32]) {
    assert_eq!(x.len(), y.len(), "the length of the output");
    assert_eq!(kept.len(), y.len(), "the length of the mask");
    let tasks = x
        .chunks(CHUNK)
        .zip(kept.chunks(CHUNK))
        .zip(y.chunks_mut(CHUNK))
        .collect();
    cpu.run(tasks, |((x, kept), y): ((&[f32], &[bool]), &mut [f32])| {
        for ((y, x), kept) in y.iter_mut().zip(x).zip(kept) {
            *y = if *kept { x * factor } else { 0.0 };
        }
    });
}

/// The sum of squares in `f64`, in an order that depends on the length alone: 8 sums side by side,
/// then their sum.
pub fn sum_of_squares(x: &[f32]) -> f64 {
    let mut sums = [0.0f64; 8];
    let blocks = x.chunks_exact(8);
    let rest = blocks.remainder();
    for block in blocks {
        for (sum, x) in sums.iter_mut().zip(block) {
            *sum += f64::from(*x) * f64::from(*x);
        }
    }
    for (sum, x) in sums.iter_mut().zip(rest) {
        *sum += f64::from(*x) * f64::from(*x);
    }
    sums.iter().sum()
}
