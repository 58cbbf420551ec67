//! From tiles of inputs to points.

use super::{Picture, Points, Tile};
use crate::kernels::lanes::{Lanes, at_level, groups, load};

at_level! {
    /// Turns tiles of inputs into points.
    pub(in crate::kernels) fn read_inputs(taps: usize, x: &[f32], source: Picture, tiles: &[Tile], points: &mut Points<'_>) = inputs, and pairs
}

#[inline(always)]
fn inputs<L: Lanes, P: Lanes>(
    _: L,
    _: P,
    taps: usize,
    x: &[f32],
    source: Picture,
    tiles: &[Tile],
    points: &mut Points<'_>,
) {
    if taps == 3 {
        inputs_of::<L, P, 4, 4>(x, source, tiles, points);
    } else {
        inputs_of::<L, P, 6, 7>(x, source, tiles, points);
    }
}

/// Turns tiles of `N × N` inputs into `T × T` points.
#[inline(always)]
fn inputs_of<L: Lanes, P: Lanes, const N: usize, const T: usize>(
    x: &[f32],
    source: Picture,
    tiles: &[Tile],
    points: &mut Points<'_>,
) {
    let channels = source.channels;
    source.check_squares(N, tiles.iter().map(|tile| tile.from), x.len());
    points.check(T * T, tiles.len(), channels);
    for (n, tile) in tiles.iter().enumerate() {
        for (first, many) in groups::<L, P>(channels) {
            // SAFETY: the checks above hold for every tile, and whole vectors fit the rounded
            // width.
            unsafe {
                let from = x.as_ptr().add(tile.from as usize + first);
                let to = points.memory.as_mut_ptr().add(n * points.width + first);
                let to = (to, points.stride);
                if many == P::WIDTH {
                    input_tile::<P, N, T>((from, source, P::WIDTH), to);
                } else if many == L::WIDTH {
                    input_tile::<L, N, T>((from, source, L::WIDTH), to);
                } else {
                    input_tile::<L, N, T>((from, source, many), to);
                }
            }
        }
    }
}

/// # Safety
/// The tile's pixels are valid for reading `lanes` numbers, its points for writing `WIDTH`.
#[inline(always)]
unsafe fn input_tile<L: Lanes, const N: usize, const T: usize>(
    (from, source, lanes): (*const f32, Picture, usize),
    (to, stride): (*mut f32, usize),
) {
    let mut rows = [[L::splat(0.0); T]; N];
    for (row, points) in rows.iter_mut().enumerate() {
        let mut pixels = [L::splat(0.0); N];
        for (column, pixel) in pixels.iter_mut().enumerate() {
            // SAFETY: the caller guarantees the pixel.
            *pixel = unsafe {
                load::<L>(
                    from.add(row * source.row_len + column * source.channels),
                    lanes,
                )
            };
        }
        *points = input_transform::<L, N, T>(pixels);
    }
    for column in 0..T {
        let mut pixels = [L::splat(0.0); N];
        for (pixel, row) in pixels.iter_mut().zip(&rows) {
            *pixel = row[column];
        }
        for (row, v) in input_transform::<L, N, T>(pixels).into_iter().enumerate() {
            // SAFETY: the caller guarantees the point.
            unsafe { L::store(to.add((row * T + column) * stride), v) };
        }
    }
}

/// `N` neighbouring inputs as `T` points.
#[inline(always)]
fn input_transform<L: Lanes, const N: usize, const T: usize>(d: [L::V; N]) -> [L::V; T] {
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
