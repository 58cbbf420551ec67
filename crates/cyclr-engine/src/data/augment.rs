use std::ops::Range;

use super::Shape;
use crate::rng::{Purpose, Rng};

/// Random changes to training images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Augment {
    /// Shift by up to this many pixels each way: a crop of the image's own size out of the image
    /// padded that far with black.
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

    /// Its text in a run's state, which is part of the state's format.
    pub(crate) fn describe(self) -> String {
        let Self { pad, flip } = self;
        format!("augment(pad={pad}, flip={flip})")
    }

    /// How each of the `count` images of an update is seen: a function of the seed, the update and
    /// the position in the batch.
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
        let (channels, row_values) = (shape.channels, shape.width * shape.channels);
        let (top, rows) = inside(self.down, shape.height);
        let (left, columns) = inside(self.right, shape.width);
        out.fill(0);
        if columns.is_empty() {
            return;
        }
        for y in rows {
            let from = y.wrapping_add_signed(top) * row_values;
            let first = columns.start.wrapping_add_signed(left) * channels;
            let seen = &image[from + first..][..columns.len() * channels];
            let row = &mut out[y * row_values..][..row_values];
            row[columns.start * channels..columns.end * channels].copy_from_slice(seen);
            if self.mirrored {
                row.reverse();
                row.chunks_exact_mut(channels).for_each(<[u8]>::reverse);
            }
        }
    }
}

/// The shift as an index, and the rows (or columns) of a window moved by it that show a part of
/// the image.
fn inside(shift: i32, size: usize) -> (isize, Range<usize>) {
    let (shift, size) = (shift as isize, size.cast_signed());
    let start = (-shift).clamp(0, size);
    let end = (size - shift).clamp(start, size);
    (shift, start.cast_unsigned()..end.cast_unsigned())
}
