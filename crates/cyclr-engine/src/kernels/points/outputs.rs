//! From points to tiles of outputs.

use super::{Picture, Points, Tile};
use crate::kernels::lanes::{Lanes, at_level, groups, load, store};

/// What becomes of outputs.
#[derive(Clone, Copy, Debug)]
pub(in crate::kernels) struct End<'a> {
    pub(in crate::kernels) bias: Option<&'a [f32]>,
    pub(in crate::kernels) relu: bool,
    pub(in crate::kernels) target: Picture,
}

at_level! {
    /// Turns points into tiles of outputs, with bias and ReLU.
    pub(in crate::kernels) fn write_outputs(
        taps: usize,
        points: &Points<'_>,
        end: &End<'_>,
        tiles: &[Tile],
        y: &mut [f32],
    ) = outputs, and pairs
}

#[inline(always)]
fn outputs<L: Lanes, P: Lanes>(
    _: L,
    _: P,
    taps: usize,
    points: &Points<'_>,
    end: &End<'_>,
    tiles: &[Tile],
    y: &mut [f32],
) {
    if taps == 3 {
        outputs_of::<L, P, 4>(points, end, tiles, y);
    } else {
        outputs_of::<L, P, 7>(points, end, tiles, y);
    }
}

/// Turns `T × T` points into tiles of 2×2 outputs.
#[inline(always)]
fn outputs_of<L: Lanes, P: Lanes, const T: usize>(
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
    points.check(T * T, tiles.len(), channels);
    assert!(
        end.bias.is_none_or(|bias| bias.len() == channels),
        "the bias has one number an output"
    );
    for group in groups::<L, P>(channels) {
        // SAFETY: the assertions above hold for every tile, and whole vectors fit the rounded width.
        unsafe {
            if group.1 == P::WIDTH {
                group_outputs::<P, T>(points, end, tiles, group, y);
            } else {
                group_outputs::<L, T>(points, end, tiles, group, y);
            }
        }
    }
}

/// # Safety
/// The assertions of [`outputs_of`] hold, and the group's channels are no more than `WIDTH`.
#[inline(always)]
unsafe fn group_outputs<L: Lanes, const T: usize>(
    points: &Points<'_>,
    end: &End<'_>,
    tiles: &[Tile],
    (first, lanes): (usize, usize),
    y: &mut [f32],
) {
    let Picture { row_len, channels } = end.target;
    let bias = match end.bias {
        // SAFETY: the bias has one number a channel.
        Some(bias) => unsafe { load::<L>(bias.as_ptr().add(first), lanes) },
        None => L::splat(0.0),
    };
    for (n, tile) in tiles.iter().enumerate() {
        // SAFETY: the caller guarantees the points, the outputs and the rounded width.
        unsafe {
            let from = points.memory.as_ptr().add(n * points.width + first);
            let tile_outputs = output_tile::<L, T>(from, points.stride);
            for (row, outputs) in tile_outputs.iter().enumerate().take(tile.inside.0.into()) {
                for (column, v) in outputs.iter().enumerate().take(tile.inside.1.into()) {
                    let v = L::add(*v, bias);
                    let v = if end.relu { L::relu(v) } else { v };
                    let to = tile.to as usize + row * row_len + column * channels + first;
                    let to = y.as_mut_ptr().add(to);
                    store::<L>(to, v, lanes);
                }
            }
        }
    }
}

/// # Safety
/// The tile's points are valid for reading `WIDTH` numbers.
#[inline(always)]
unsafe fn output_tile<L: Lanes, const T: usize>(from: *const f32, stride: usize) -> [[L::V; 2]; 2] {
    let mut rows = [[L::splat(0.0); 2]; T];
    for (row, pair) in rows.iter_mut().enumerate() {
        let mut points = [L::splat(0.0); T];
        for (column, point) in points.iter_mut().enumerate() {
            // SAFETY: the caller guarantees the point.
            *point = unsafe { L::load(from.add((row * T + column) * stride)) };
        }
        *pair = output_transform::<L, T>(points);
    }
    let mut columns = [[L::splat(0.0); T]; 2];
    for (row, pair) in rows.iter().enumerate() {
        columns[0][row] = pair[0];
        columns[1][row] = pair[1];
    }
    let (left, right) = (
        output_transform::<L, T>(columns[0]),
        output_transform::<L, T>(columns[1]),
    );
    [[left[0], right[0]], [left[1], right[1]]]
}

/// `T` points as two neighbouring outputs.
#[inline(always)]
fn output_transform<L: Lanes, const T: usize>(m: [L::V; T]) -> [L::V; 2] {
    let mut first = L::add(m[0], L::add(m[1], m[2]));
    let mut second = L::sub(L::sub(m[1], m[2]), m[3]);
    if T == 7 {
        first = L::add(first, L::add(m[T - 3], m[T - 2]));
        second = L::add(second, L::add(m[T - 2], m[T - 1]));
    }
    [first, second]
}
