//! The transforms of minimal filtering: from tiles of pixels to points, and back.

mod gradients;
mod inputs;
mod outputs;

pub(super) use gradients::read_gradients;
pub(super) use inputs::read_inputs;
pub(super) use outputs::{End, write_outputs};

use crate::cpu::{Cpu, Scratch};

/// A picture that tiles are read from or written to: its row length and its channels per pixel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Picture {
    pub(super) row_len: usize,
    pub(super) channels: usize,
}

impl Picture {
    /// Panics unless the squares of `side` pixels that begin at `starts` lie inside `len` numbers.
    #[inline(always)]
    fn check_squares(self, side: usize, mut starts: impl Iterator<Item = u32>, len: usize) {
        let reach = (side - 1) * self.row_len + side * self.channels;
        assert!(
            starts.all(|start| start as usize + reach <= len),
            "the tiles lie inside"
        );
    }
}

/// Where tiles lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tile {
    /// Where the tile starts in what is read.
    pub(super) from: u32,
    /// Where it starts in what is written, or in the gradient that is read with it.
    pub(super) to: u32,
    /// How many rows and columns of the 2×2 outputs there are.
    pub(super) inside: (u8, u8),
}

/// The tiles of pictures of `size` outputs; `places` gives where the pixel (image, row, column) is
/// read and written.
pub(super) fn tiles(
    images: usize,
    size: (usize, usize),
    places: impl Fn(usize, usize, usize) -> (u32, u32),
) -> Vec<Tile> {
    let mut tiles = Vec::with_capacity(images * size.0.div_ceil(2) * size.1.div_ceil(2));
    for image in 0..images {
        for row in (0..size.0).step_by(2) {
            for column in (0..size.1).step_by(2) {
                let (from, to) = places(image, row, column);
                let inside = ((size.0 - row).min(2) as u8, (size.1 - column).min(2) as u8);
                tiles.push(Tile { from, to, inside });
            }
        }
    }
    tiles
}

/// The points of a group of tiles: for each point, tile by tile, the channels filled up to whole
/// vectors. Points are kept an odd number of cache lines apart, so that they do not fall on each
/// other's places in the cache.
pub(super) struct Points<'a> {
    pub(super) memory: Scratch<'a>,
    /// Numbers of a tile.
    pub(super) width: usize,
    /// Numbers from one point to the next.
    pub(super) stride: usize,
}

impl<'a> Points<'a> {
    pub(super) fn new(cpu: &'a Cpu, points: usize, tiles: usize, channels: usize) -> Self {
        let width = rounded(channels);
        let lines = (tiles * width).div_ceil(16) | 1;
        Self {
            memory: cpu.scratch(points * 16 * lines),
            width,
            stride: 16 * lines,
        }
    }

    /// Panics unless there is room for all points of all tiles and channels.
    #[inline(always)]
    fn check(&self, points: usize, tiles: usize, channels: usize) {
        assert!(
            self.width == rounded(channels) && tiles * self.width <= self.stride,
            "a point has room for the tiles"
        );
        assert!(
            points * self.stride <= self.memory.len(),
            "the points are complete"
        );
    }

    pub(super) fn point(&self, point: usize) -> &[f32] {
        &self.memory[point * self.stride..][..self.stride]
    }
}

/// Channels filled up to whole vectors.
pub(super) fn rounded(channels: usize) -> usize {
    channels.next_multiple_of(8)
}
