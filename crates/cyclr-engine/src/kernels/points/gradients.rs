//! From tiles of output gradients to points.

use super::{Picture, Points, Tile};
use crate::kernels::lanes::{Lanes, at_level, groups, load};

at_level! {
    /// Turns tiles of output gradients into those of points.
    pub(in crate::kernels) fn read_gradients(taps: usize, dy: &[f32], target: Picture, tiles: &[Tile], points: &mut Points<'_>) = gradients, and pairs
}

#[inline(always)]
fn gradients<L: Lanes, P: Lanes>(
    _: L,
    _: P,
    taps: usize,
    dy: &[f32],
    target: Picture,
    tiles: &[Tile],
    points: &mut Points<'_>,
) {
    if taps == 3 {
        gradients_of::<L, P, 4>(dy, target, tiles, points);
    } else {
        gradients_of::<L, P, 7>(dy, target, tiles, points);
    }
}

/// Turns tiles of 2×2 output gradients into those of `T × T` points.
#[inline(always)]
fn gradients_of<L: Lanes, P: Lanes, const T: usize>(
    dy: &[f32],
    target: Picture,
    tiles: &[Tile],
    points: &mut Points<'_>,
) {
    let channels = target.channels;
    target.check_squares(2, tiles.iter().map(|tile| tile.to), dy.len());
    points.check(T * T, tiles.len(), channels);
    for (n, tile) in tiles.iter().enumerate() {
        for (first, many) in groups::<L, P>(channels) {
            // SAFETY: the checks above hold for every tile, and whole vectors fit the rounded
            // width.
            unsafe {
                let from = dy.as_ptr().add(tile.to as usize + first);
                let to = points.memory.as_mut_ptr().add(n * points.width + first);
                let to = (to, points.stride);
                if many == P::WIDTH {
                    gradient_tile::<P, T>((from, target, P::WIDTH), to);
                } else if many == L::WIDTH {
                    gradient_tile::<L, T>((from, target, L::WIDTH), to);
                } else {
                    gradient_tile::<L, T>((from, target, many), to);
                }
            }
        }
    }
}

/// # Safety
/// The tile's pixels are valid for reading `lanes` numbers, its points for writing `WIDTH`.
#[inline(always)]
unsafe fn gradient_tile<L: Lanes, const T: usize>(
    (from, target, lanes): (*const f32, Picture, usize),
    (to, stride): (*mut f32, usize),
) {
    let mut rows = [[L::splat(0.0); T]; 2];
    for (row, points) in rows.iter_mut().enumerate() {
        // SAFETY: the caller guarantees the pixels.
        *points = unsafe {
            let from = from.add(row * target.row_len);
            gradient_transform::<L, T>([
                load::<L>(from, lanes),
                load::<L>(from.add(target.channels), lanes),
            ])
        };
    }
    let [above, below] = rows;
    for (column, pair) in above.into_iter().zip(below).enumerate() {
        let points = gradient_transform::<L, T>([pair.0, pair.1]);
        for (row, v) in points.into_iter().enumerate() {
            // SAFETY: the caller guarantees the point.
            unsafe { L::store(to.add((row * T + column) * stride), v) };
        }
    }
}

/// The gradients of two neighbouring outputs as those of `T` points.
#[inline(always)]
fn gradient_transform<L: Lanes, const T: usize>([first, second]: [L::V; 2]) -> [L::V; T] {
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
