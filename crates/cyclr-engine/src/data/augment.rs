use super::Shape;
use crate::rng::{Purpose, Rng};

/// Random changes to training images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Augment {
    /// Shift by up to this many pixels each way: a crop of the image's own size out of the image padded so far with
    /// black.
    pub pad: u16,
    /// Mirror left to right with probability one half.
    pub flip: bool,
}

impl Augment {
    /// No change.
    pub const NONE: Self = Self {
        pad: 0,
        flip: false,
    };

    /// How each of the `count` images of an update is seen: a function of the seed, the update and the position in the
    /// batch.
    pub fn views(self, seed: u64, update: u64, count: usize) -> Vec<View> {
        let mut numbers = Rng::new(seed, Purpose::Augment, update);
        (0..count)
            .map(|_| View {
                down: self.shift(&mut numbers),
                right: self.shift(&mut numbers),
                mirrored: numbers.below(2) == 1 && self.flip,
            })
            .collect()
    }

    fn shift(self, numbers: &mut Rng) -> i32 {
        let pad = u32::from(self.pad);
        numbers.below(2 * pad + 1).cast_signed() - pad.cast_signed()
    }
}

/// How one image is seen: moved, then mirrored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct View {
    /// Rows that the window lies below the image's top; negative above it.
    pub down: i32,
    /// Columns that the window lies right of the image's left edge; negative left of it.
    pub right: i32,
    /// Whether what the window shows is mirrored left to right.
    pub mirrored: bool,
}

impl View {
    pub(super) fn render(self, shape: Shape, image: &[u8], out: &mut [u8]) {
        let row_values = shape.width * shape.channels;
        for (y, row) in out.chunks_exact_mut(row_values).enumerate() {
            match moved(y, self.down, shape.height) {
                Some(from) => {
                    self.render_row(shape, &image[from * row_values..][..row_values], row);
                }
                None => row.fill(0),
            }
        }
    }

    fn render_row(self, shape: Shape, image: &[u8], row: &mut [u8]) {
        let channels = shape.channels;
        for (x, pixel) in row.chunks_exact_mut(channels).enumerate() {
            let x = if self.mirrored {
                shape.width - 1 - x
            } else {
                x
            };
            match moved(x, self.right, shape.width) {
                Some(from) => pixel.copy_from_slice(&image[from * channels..][..channels]),
                None => pixel.fill(0),
            }
        }
    }
}

/// The row or column that position `at` of the window shows, if it is inside the image.
fn moved(at: usize, shift: i32, size: usize) -> Option<usize> {
    at.checked_add_signed(shift as isize)
        .filter(|&from| from < size)
}
