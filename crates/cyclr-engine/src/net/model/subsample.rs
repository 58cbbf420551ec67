//! The shortcut that takes every n-th row and column, and adds channels of zeros.

use super::Image;
use crate::cpu::Cpu;

pub(super) fn subsample(
    cpu: &Cpu,
    x: &[f32],
    from: Image,
    y: &mut [f32],
    to: Image,
    stride: usize,
) {
    let (from_len, to_len) = (from.0 * from.1 * from.2, to.0 * to.1 * to.2);
    let images = x.chunks(from_len).zip(y.chunks_mut(to_len)).collect();
    cpu.run(images, |(x, y): (&[f32], &mut [f32])| {
        for (pixel, y) in y.chunks_mut(to.2).enumerate() {
            let place = source(pixel, from, to, stride);
            let (copied, added) = y.split_at_mut(from.2);
            copied.copy_from_slice(&x[place..place + from.2]);
            added.fill(0.0);
        }
    });
}

pub(super) fn subsample_backward(
    cpu: &Cpu,
    dy: &[f32],
    to: Image,
    dx: &mut [f32],
    from: Image,
    stride: usize,
) {
    let (from_len, to_len) = (from.0 * from.1 * from.2, to.0 * to.1 * to.2);
    let images = dy.chunks(to_len).zip(dx.chunks_mut(from_len)).collect();
    cpu.run(images, |(dy, dx): (&[f32], &mut [f32])| {
        dx.fill(0.0);
        for (pixel, dy) in dy.chunks(to.2).enumerate() {
            let place = source(pixel, from, to, stride);
            dx[place..place + from.2].copy_from_slice(&dy[..from.2]);
        }
    });
}

/// The place of the input pixel that an output pixel is taken from.
fn source(pixel: usize, from: Image, to: Image, stride: usize) -> usize {
    let (row, column) = (pixel / to.1, pixel % to.1);
    (row * stride * from.1 + column * stride) * from.2
}
