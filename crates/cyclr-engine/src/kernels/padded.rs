//! Images with zeros around them, so that windows need not ask where the image ends.

use super::lanes::{Lanes, at_level};
use super::tiles::Segment;
use crate::cpu::{Cpu, Scratch};

/// How an image lies among zeros.
#[derive(Clone, Copy, Debug)]
pub(super) struct Padded {
    /// Rows and columns of the image.
    pub(super) size: (usize, usize),
    pub(super) channels: usize,
    /// Rows above it, and columns to its left.
    pub(super) before: (usize, usize),
    /// Rows below it, and columns to its right.
    pub(super) after: (usize, usize),
}

impl Padded {
    fn is_bare(&self) -> bool {
        (self.before, self.after) == ((0, 0), (0, 0))
    }

    /// Numbers in a padded row.
    pub(super) fn row_len(&self) -> usize {
        (self.before.1 + self.size.1 + self.after.1) * self.channels
    }

    /// Numbers in a padded image.
    pub(super) fn len(&self) -> usize {
        (self.before.0 + self.size.0 + self.after.0) * self.row_len()
    }

    /// Where a pixel of the padded image starts.
    pub(super) fn at(&self, row: usize, column: usize) -> u32 {
        (row * self.row_len() + column * self.channels) as u32
    }

    /// Where the image itself starts.
    pub(super) fn origin(&self) -> usize {
        self.at(self.before.0, self.before.1) as usize
    }

    /// A window's rows, counted from its first pixel.
    pub(super) fn rows(self, (height, width): (usize, usize)) -> impl Iterator<Item = Segment> {
        (0..height).map(move |y| Segment {
            start: y * self.row_len(),
            len: width * self.channels,
        })
    }

    /// Memory for a number of padded images, all zeros; for [`Padded::fill`].
    pub(super) fn scratch<'a>(&self, cpu: &'a Cpu, images: usize) -> Scratch<'a> {
        let mut memory = cpu.scratch(if self.is_bare() {
            0
        } else {
            images * self.len()
        });
        memory.fill(0.0);
        memory
    }

    /// The images padded, in `memory`; images without padding are used where they are.
    pub(super) fn fill<'a>(&self, images: &'a [f32], memory: &'a mut [f32]) -> &'a [f32] {
        if self.is_bare() {
            return images;
        }
        let width = self.size.1 * self.channels;
        for (image, memory) in images
            .chunks_exact(self.size.0 * width)
            .zip(memory.chunks_exact_mut(self.len()))
        {
            let rows = memory[self.origin()..].chunks_mut(self.row_len());
            for (to, from) in rows.zip(image.chunks_exact(width)) {
                to[..width].copy_from_slice(from);
            }
        }
        memory
    }
}

/// Output gradients on their way into padded memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Staged<'a> {
    pub(super) output: &'a Padded,
    pub(super) dy: &'a [f32],
    /// The outputs, if a ReLU decided what passes.
    pub(super) relu_y: Option<&'a [f32]>,
}

at_level! {
    /// Copies images of output gradients, as far as the ReLU lets them pass, into padded memory
    /// whose margins are zero, and adds each channel's sum to `bias` (empty if there is none).
    pub(super) fn stage(staged: &Staged<'_>, memory: &mut [f32], bias: &mut [f32]) = stage_images
}

#[inline(always)]
fn stage_images<L: Lanes>(_: L, staged: &Staged<'_>, memory: &mut [f32], bias: &mut [f32]) {
    let Staged { output, dy, relu_y } = staged;
    let width = output.size.1 * output.channels;
    let image = output.size.0 * width;
    for (n, (dy, memory)) in dy
        .chunks_exact(image)
        .zip(memory.chunks_exact_mut(output.len()))
        .enumerate()
    {
        let rows = memory[output.origin()..].chunks_mut(output.row_len());
        for (row, (to, dy)) in rows.zip(dy.chunks_exact(width)).enumerate() {
            let to = &mut to[..width];
            match relu_y {
                Some(y) => {
                    for ((to, dy), y) in to
                        .iter_mut()
                        .zip(dy)
                        .zip(&y[n * image + row * width..][..width])
                    {
                        *to = if *y > 0.0 { *dy } else { 0.0 };
                    }
                }
                None => to.copy_from_slice(dy),
            }
            if !bias.is_empty() {
                add_pixels(to, bias);
            }
        }
    }
}

/// Adds pixels to one sum for each channel, eight channels at a time.
#[inline(always)]
fn add_pixels(pixels: &[f32], sums: &mut [f32]) {
    let channels = sums.len();
    let mut first = 0;
    while first + 8 <= channels {
        let mut sum = [0.0; 8];
        for pixel in pixels.chunks_exact(channels) {
            for (sum, value) in sum.iter_mut().zip(&pixel[first..first + 8]) {
                *sum += value;
            }
        }
        for (total, sum) in sums[first..first + 8].iter_mut().zip(sum) {
            *total += sum;
        }
        first += 8;
    }
    let mut sum = [0.0; 8];
    for pixel in pixels.chunks_exact(channels) {
        for (sum, value) in sum.iter_mut().zip(&pixel[first..]) {
            *sum += value;
        }
    }
    for (total, sum) in sums[first..].iter_mut().zip(sum) {
        *total += sum;
    }
}
