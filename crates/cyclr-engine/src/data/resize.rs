//! Resizing in whole numbers, so that every machine gives the same bytes.

use super::{Shape, image::Image};

/// Fraction bits of a weight. A sum of weights is 1, so 8 bits of pixel and these fit an `i32`.
const FRACTION: u32 = 22;

/// Which pixels of a line an output pixel is made of, and in what shares.
struct Window {
    first: usize,
    weights: Vec<i32>,
}

/// Resizes with a triangle filter that widens when it shrinks (no aliasing). The aspect is not
/// kept. Equals Pillow's `resize((width, height), BILINEAR)` byte for byte.
pub(super) fn to(image: Image, height: usize, width: usize) -> Image {
    let Image {
        shape,
        mut pixels,
        largest_wide,
    } = image;
    if shape.width != width {
        let windows = windows(shape.width, width);
        pixels = across(&pixels, shape, &windows);
    }
    let shape = Shape { width, ..shape };
    if shape.height != height {
        let windows = windows(shape.height, height);
        pixels = down(&pixels, shape, &windows);
    }
    let shape = Shape { height, ..shape };
    Image {
        shape,
        pixels,
        largest_wide,
    }
}

fn across(pixels: &[u8], shape: Shape, windows: &[Window]) -> Vec<u8> {
    let channels = shape.channels;
    let mut out = Vec::with_capacity(shape.height * windows.len() * channels);
    for row in pixels.chunks_exact(shape.width * channels) {
        for window in windows {
            for channel in 0..channels {
                let start = window.first * channels + channel;
                out.push(window.blend(row[start..].iter().step_by(channels)));
            }
        }
    }
    out
}

fn down(pixels: &[u8], shape: Shape, windows: &[Window]) -> Vec<u8> {
    let row = shape.width * shape.channels;
    let mut out = Vec::with_capacity(windows.len() * row);
    for window in windows {
        for column in 0..row {
            let start = window.first * row + column;
            out.push(window.blend(pixels[start..].iter().step_by(row)));
        }
    }
    out
}

impl Window {
    fn blend<'a>(&self, pixels: impl Iterator<Item = &'a u8>) -> u8 {
        let terms = self.weights.iter().zip(pixels);
        let sum: i32 = terms
            .map(|(&weight, &pixel)| weight * i32::from(pixel))
            .sum();
        ((sum + (1 << (FRACTION - 1))) >> FRACTION).clamp(0, 255) as u8
    }
}

fn windows(from: usize, to: usize) -> Vec<Window> {
    let scale = from as f64 / to as f64;
    (0..to)
        .map(|at| window((at as f64 + 0.5) * scale, scale.max(1.0), from))
        .collect()
}

/// Weights of the pixels around `center` that fall off linearly to nothing `reach` away.
fn window(center: f64, reach: f64, from: usize) -> Window {
    let first = (center - reach + 0.5).max(0.0) as usize;
    let end = ((center + reach + 0.5) as usize).min(from);
    let raw: Vec<f64> = (first..end)
        .map(|at| (1.0 - ((at as f64 - center + 0.5) / reach).abs()).max(0.0))
        .collect();
    let total: f64 = raw.iter().sum();
    let one = f64::from(1_u32 << FRACTION);
    Window {
        first,
        weights: raw
            .iter()
            .map(|weight| (0.5 + weight / total * one) as i32)
            .collect(),
    }
}
