//! The transforms of minimal filtering: from tiles of pixels to points, and back.

use super::lanes::{Lanes, at_level};
use crate::cpu::{Cpu, Scratch};

/// A picture that tiles are read from or written to: rows of so many numbers, pixels of so many channels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Picture {
    pub(super) row_len: usize,
    pub(super) channels: usize,
}

/// Where tiles lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tile {
    /// Where the tile starts in what is read.
    pub(super) from: u32,
    /// Where it starts in what is written, or in the gradient that is read beside.
    pub(super) to: u32,
    /// How many rows and columns of the 2×2 outputs there are.
    pub(super) inside: (u8, u8),
}

/// The tiles of pictures of `size` outputs; `places` gives where the pixel (image, row, column) is read and written.
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

/// What becomes of outputs.
#[derive(Clone, Copy, Debug)]
pub(super) struct End<'a> {
    pub(super) bias: Option<&'a [f32]>,
    pub(super) relu: bool,
    pub(super) target: Picture,
}

/// The points of a group of tiles: for each point, tile by tile, the channels filled up to whole vectors. Points are
/// kept an odd number of cache lines apart, so that they do not fall on each other's places in the cache.
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

    pub(super) fn point(&self, point: usize) -> &[f32] {
        &self.memory[point * self.stride..][..self.stride]
    }
}

at_level! {
    /// Turns tiles of inputs into points.
    pub(super) fn read_inputs(taps: usize, x: &[f32], source: Picture, tiles: &[Tile], points: &mut Points<'_>) = inputs
}

#[inline(always)]
fn inputs<L: Lanes>(
    _: L,
    taps: usize,
    x: &[f32],
    source: Picture,
    tiles: &[Tile],
    points: &mut Points<'_>,
) {
    if taps == 3 {
        inputs_of::<L, 4, 4>(x, source, tiles, points);
    } else {
        inputs_of::<L, 6, 7>(x, source, tiles, points);
    }
}

/// Turns tiles of `N × N` inputs into `T × T` points.
#[inline(always)]
fn inputs_of<L: Lanes, const N: usize, const T: usize>(
    x: &[f32],
    source: Picture,
    tiles: &[Tile],
    points: &mut Points<'_>,
) {
    let Picture { row_len, channels } = source;
    let reach = (N - 1) * row_len + N * channels;
    assert!(
        tiles
            .iter()
            .all(|tile| tile.from as usize + reach <= x.len()),
        "the tiles lie inside"
    );
    assert!(points.width == rounded(channels) && tiles.len() * points.width <= points.stride);
    assert!(
        T * T * points.stride <= points.memory.len(),
        "the points have room"
    );
    for (n, tile) in tiles.iter().enumerate() {
        for first in (0..channels).step_by(8) {
            // SAFETY: the assertions above hold for every tile, and whole vectors fit the rounded width.
            unsafe {
                let from = x.as_ptr().add(tile.from as usize + first);
                let to = points.memory.as_mut_ptr().add(n * points.width + first);
                if channels - first >= 8 {
                    input_tile::<L, N, T>((from, source, 8), (to, points.stride));
                } else {
                    input_tile::<L, N, T>((from, source, channels - first), (to, points.stride));
                }
            }
        }
    }
}

/// # Safety
/// The tile's pixels are valid for reading `lanes` numbers, its points for writing 8.
#[inline(always)]
unsafe fn input_tile<L: Lanes, const N: usize, const T: usize>(
    (from, source, lanes): (*const f32, Picture, usize),
    (to, stride): (*mut f32, usize),
) {
    let mut rows = [[L::splat(0.0); T]; N];
    for (row, points) in rows.iter_mut().enumerate() {
        let mut pixels = [L::splat(0.0); N];
        for (column, pixel) in pixels.iter_mut().enumerate() {
            // SAFETY: the caller vouches for the pixel.
            *pixel = unsafe {
                load::<L>(
                    from.add(row * source.row_len + column * source.channels),
                    lanes,
                )
            };
        }
        *points = spread_inputs::<L, N, T>(pixels);
    }
    for column in 0..T {
        let mut pixels = [L::splat(0.0); N];
        for (pixel, row) in pixels.iter_mut().zip(&rows) {
            *pixel = row[column];
        }
        for (row, v) in spread_inputs::<L, N, T>(pixels).into_iter().enumerate() {
            // SAFETY: the caller vouches for the point.
            unsafe { L::store(to.add((row * T + column) * stride), v) };
        }
    }
}

/// # Safety
/// `from` is valid for reading `lanes` numbers, 1 to 8.
#[inline(always)]
unsafe fn load<L: Lanes>(from: *const f32, lanes: usize) -> L::V {
    // SAFETY: the caller vouches for it.
    unsafe {
        if lanes == 8 {
            L::load(from)
        } else {
            L::load_first(from, lanes)
        }
    }
}

/// `N` neighbouring inputs as `T` points.
#[inline(always)]
fn spread_inputs<L: Lanes, const N: usize, const T: usize>(d: [L::V; N]) -> [L::V; T] {
    let mut points = [d[0]; T];
    points[0] = L::sub(d[0], d[2]);
    points[1] = L::add(d[1], d[2]);
    points[2] = L::sub(d[2], d[1]);
    points[3] = L::sub(d[1], d[3]);
    if T == 7 {
        points[4] = L::sub(d[3], d[N - 2]);
        points[5] = d[N - 2];
        points[6] = L::sub(d[N - 1], d[N - 2]);
    }
    points
}

/// `T` points as two neighbouring outputs.
#[inline(always)]
fn gather_outputs<L: Lanes, const T: usize>(m: [L::V; T]) -> [L::V; 2] {
    let mut first = L::add(m[0], L::add(m[1], m[2]));
    let mut second = L::sub(L::sub(m[1], m[2]), m[3]);
    if T == 7 {
        first = L::add(first, L::add(m[T - 3], m[T - 2]));
        second = L::add(second, L::add(m[T - 2], m[T - 1]));
    }
    [first, second]
}

/// The gradients of two neighbouring outputs as those of `T` points.
#[inline(always)]
fn spread_gradients<L: Lanes, const T: usize>([first, second]: [L::V; 2]) -> [L::V; T] {
    let mut points = [first; T];
    points[1] = L::add(first, second);
    points[2] = L::sub(first, second);
    points[3] = L::sub(L::splat(0.0), second);
    if T == 7 {
        points[T - 2] = points[1];
        points[T - 1] = second;
    }
    points
}

at_level! {
    /// Turns points into tiles of outputs, with bias and ReLU.
    pub(super) fn write_outputs(
        taps: usize,
        points: &Points<'_>,
        end: &End<'_>,
        tiles: &[Tile],
        y: &mut [f32],
    ) = outputs
}

#[inline(always)]
fn outputs<L: Lanes>(
    _: L,
    taps: usize,
    points: &Points<'_>,
    end: &End<'_>,
    tiles: &[Tile],
    y: &mut [f32],
) {
    if taps == 3 {
        outputs_of::<L, 4>(points, end, tiles, y);
    } else {
        outputs_of::<L, 7>(points, end, tiles, y);
    }
}

/// Turns `T × T` points into tiles of 2×2 outputs.
#[inline(always)]
fn outputs_of<L: Lanes, const T: usize>(
    points: &Points<'_>,
    end: &End<'_>,
    tiles: &[Tile],
    y: &mut [f32],
) {
    let Picture { row_len, channels } = end.target;
    let reach = |tile: &Tile| {
        let (rows, columns) = (usize::from(tile.inside.0), usize::from(tile.inside.1));
        tile.to as usize + (rows - 1) * row_len + columns * channels
    };
    assert!(
        tiles.iter().all(|tile| reach(tile) <= y.len()),
        "the tiles lie inside"
    );
    assert!(points.width == rounded(channels) && tiles.len() * points.width <= points.stride);
    assert!(
        T * T * points.stride <= points.memory.len(),
        "the points are complete"
    );
    assert!(
        end.bias.is_none_or(|bias| bias.len() == channels),
        "the bias has one number an output"
    );
    for first in (0..channels).step_by(8) {
        let lanes = (channels - first).min(8);
        let bias = match end.bias {
            // SAFETY: the bias has one number a channel.
            Some(bias) => unsafe { load::<L>(bias.as_ptr().add(first), lanes) },
            None => L::splat(0.0),
        };
        for (n, tile) in tiles.iter().enumerate() {
            // SAFETY: the assertions above hold for every tile, and whole vectors fit the rounded width.
            unsafe {
                let from = points.memory.as_ptr().add(n * points.width + first);
                let tile_outputs = output_tile::<L, T>(from, points.stride);
                for (row, outputs) in tile_outputs.iter().enumerate().take(tile.inside.0.into()) {
                    for (column, v) in outputs.iter().enumerate().take(tile.inside.1.into()) {
                        let v = L::add(*v, bias);
                        let v = if end.relu { L::relu(v) } else { v };
                        let to = tile.to as usize + row * row_len + column * channels + first;
                        let to = y.as_mut_ptr().add(to);
                        if lanes == 8 {
                            L::store(to, v);
                        } else {
                            L::store_first(to, v, lanes);
                        }
                    }
                }
            }
        }
    }
}

/// # Safety
/// The tile's points are valid for reading 8 numbers.
#[inline(always)]
unsafe fn output_tile<L: Lanes, const T: usize>(from: *const f32, stride: usize) -> [[L::V; 2]; 2] {
    let mut rows = [[L::splat(0.0); 2]; T];
    for (row, pair) in rows.iter_mut().enumerate() {
        let mut points = [L::splat(0.0); T];
        for (column, point) in points.iter_mut().enumerate() {
            // SAFETY: the caller vouches for the point.
            *point = unsafe { L::load(from.add((row * T + column) * stride)) };
        }
        *pair = gather_outputs::<L, T>(points);
    }
    let mut columns = [[L::splat(0.0); T]; 2];
    for (row, pair) in rows.iter().enumerate() {
        columns[0][row] = pair[0];
        columns[1][row] = pair[1];
    }
    let (left, right) = (
        gather_outputs::<L, T>(columns[0]),
        gather_outputs::<L, T>(columns[1]),
    );
    [[left[0], right[0]], [left[1], right[1]]]
}

at_level! {
    /// Turns tiles of output gradients into those of points.
    pub(super) fn read_gradients(taps: usize, dy: &[f32], target: Picture, tiles: &[Tile], points: &mut Points<'_>) = gradients
}

#[inline(always)]
fn gradients<L: Lanes>(
    _: L,
    taps: usize,
    dy: &[f32],
    target: Picture,
    tiles: &[Tile],
    points: &mut Points<'_>,
) {
    if taps == 3 {
        gradients_of::<L, 4>(dy, target, tiles, points);
    } else {
        gradients_of::<L, 7>(dy, target, tiles, points);
    }
}

/// Turns tiles of 2×2 output gradients into those of `T × T` points.
#[inline(always)]
fn gradients_of<L: Lanes, const T: usize>(
    dy: &[f32],
    target: Picture,
    tiles: &[Tile],
    points: &mut Points<'_>,
) {
    let Picture { row_len, channels } = target;
    let reach = row_len + 2 * channels;
    assert!(
        tiles
            .iter()
            .all(|tile| tile.to as usize + reach <= dy.len()),
        "the tiles lie inside"
    );
    assert!(points.width == rounded(channels) && tiles.len() * points.width <= points.stride);
    assert!(
        T * T * points.stride <= points.memory.len(),
        "the points have room"
    );
    for (n, tile) in tiles.iter().enumerate() {
        for first in (0..channels).step_by(8) {
            // SAFETY: the assertions above hold for every tile, and whole vectors fit the rounded width.
            unsafe {
                let from = dy.as_ptr().add(tile.to as usize + first);
                let to = points.memory.as_mut_ptr().add(n * points.width + first);
                if channels - first >= 8 {
                    gradient_tile::<L, T>((from, target, 8), (to, points.stride));
                } else {
                    gradient_tile::<L, T>((from, target, channels - first), (to, points.stride));
                }
            }
        }
    }
}

/// # Safety
/// The tile's pixels are valid for reading `lanes` numbers, its points for writing 8.
#[inline(always)]
unsafe fn gradient_tile<L: Lanes, const T: usize>(
    (from, target, lanes): (*const f32, Picture, usize),
    (to, stride): (*mut f32, usize),
) {
    let mut rows = [[L::splat(0.0); T]; 2];
    for (row, points) in rows.iter_mut().enumerate() {
        // SAFETY: the caller vouches for the pixels.
        *points = unsafe {
            let from = from.add(row * target.row_len);
            spread_gradients::<L, T>([
                load::<L>(from, lanes),
                load::<L>(from.add(target.channels), lanes),
            ])
        };
    }
    let [above, below] = rows;
    for (column, pair) in above.into_iter().zip(below).enumerate() {
        let input_transform = spread_gradients::<L, T>([pair.0, pair.1]);
        for (row, v) in input_transform.into_iter().enumerate() {
            // SAFETY: the caller vouches for the point.
            unsafe { L::store(to.add((row * T + column) * stride), v) };
        }
    }
}

/// Channels filled up to whole vectors.
pub(super) fn rounded(channels: usize) -> usize {
    channels.next_multiple_of(8)
}
