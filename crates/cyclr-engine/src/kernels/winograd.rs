//! Convolutions of stride 1 with a 3×3 or 5×5 window, with fewer multiplications (Winograd's minimal filtering,
//! arXiv 1509.09308).
//!
//! Two neighbouring outputs of three taps, `F(2, 3)`, take 4 multiplications instead of 6; two outputs of two taps,
//! `F(2, 2)`, take 3 instead of 4. Five taps are three and two, hence 7 instead of 10. In two dimensions an output tile
//! of 2×2 takes 16 instead of 36, or 49 instead of 100. Only sums, differences and halves occur in these transforms, so
//! that rounding errors stay about those of the plain sum; larger tiles would save more and lose digits.
//!
//! Each of the 16 or 49 *points* is a product of matrices: (tiles × input channels) · (input channels × outputs).

use super::lanes::{Lanes, at_level};
use super::tiles::{Outer, Product, add_unpacked, outer, pack_rows, panels_len, product};
use crate::cpu::{Cpu, Level, Scratch};

/// How weights of three taps become 4 points.
const THREE: [&[f32]; 4] = [
    &[1.0, 0.0, 0.0],
    &[0.5, 0.5, 0.5],
    &[0.5, -0.5, 0.5],
    &[0.0, 0.0, 1.0],
];

/// How weights of five taps become 7 points.
const FIVE: [&[f32]; 7] = [
    &[1.0, 0.0, 0.0, 0.0, 0.0],
    &[0.5, 0.5, 0.5, 0.0, 0.0],
    &[0.5, -0.5, 0.5, 0.0, 0.0],
    &[0.0, 0.0, 1.0, 0.0, 0.0],
    &[0.0, 0.0, 0.0, 1.0, 0.0],
    &[0.0, 0.0, 0.0, 1.0, 1.0],
    &[0.0, 0.0, 0.0, 0.0, 1.0],
];

/// Bytes that the points of one group of tiles may take, so that they stay in the second-level cache.
const GROUP_BYTES: usize = 512 * 1024;

/// A convolution of so many taps in each direction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filter {
    pub(super) taps: usize,
    pub(super) in_c: usize,
    pub(super) out_c: usize,
}

impl Filter {
    /// Whether there is such a filter, and it is faster than the plain sum: with few channels the transforms cost more
    /// than they save.
    pub(super) fn pays(&self) -> bool {
        (self.taps == 3 || self.taps == 5) && self.in_c >= 32 && self.out_c >= 32
    }

    fn matrix(&self) -> &'static [&'static [f32]] {
        if self.taps == 3 { &THREE } else { &FIVE }
    }

    /// Points of a tile.
    pub(super) fn points(&self) -> usize {
        self.matrix().len() * self.matrix().len()
    }

    /// Numbers in the packed weights, or weight gradients, of all points.
    pub(super) fn panels_len(&self) -> usize {
        self.points() * panels_len(self.in_c, self.out_c)
    }

    /// How many tiles are taken together, of so many that there are.
    fn group(&self, tiles: usize) -> usize {
        let bytes = 4 * self.points() * (rounded(self.in_c) + rounded(self.out_c));
        let most = (GROUP_BYTES / bytes).clamp(24, 128);
        tiles.div_ceil(tiles.div_ceil(most)).next_multiple_of(6)
    }

    /// Turns weights, `[tap][tap][in_c][out_c]`, into points and packs them.
    pub(super) fn pack(&self, cpu: &Cpu, w: &[f32], panels: &mut [f32]) {
        let (taps, side, plane) = (self.taps, self.matrix().len(), self.in_c * self.out_c);
        let mut half = cpu.scratch(taps * side * plane);
        for (w, half) in w
            .chunks_exact(taps * plane)
            .zip(half.chunks_exact_mut(side * plane))
        {
            combine(cpu.level(), self.matrix(), w, half);
        }
        let mut full = cpu.scratch(side * side * plane);
        combine(cpu.level(), self.matrix(), &half, &mut full);
        let panels = panels.chunks_exact_mut(panels_len(self.in_c, self.out_c));
        cpu.run(
            full.chunks_exact(plane).zip(panels).collect(),
            |(w, panels)| {
                pack_rows(self.out_c, w, panels);
            },
        );
    }

    /// Adds up the points' weight gradients of all tasks, in their order, and adds them to `dw` as weights.
    pub(super) fn add_unpacked(&self, cpu: &Cpu, sums: &[f32], sums_len: usize, dw: &mut [f32]) {
        let (taps, side, plane) = (self.taps, self.matrix().len(), self.in_c * self.out_c);
        let panel = panels_len(self.in_c, self.out_c);
        let mut full = cpu.scratch(side * side * plane);
        cpu.run(
            full.chunks_exact_mut(plane).enumerate().collect(),
            |(f, full): (usize, &mut [f32])| {
                full.fill(0.0);
                for sums in sums.chunks_exact(sums_len) {
                    add_unpacked(self.in_c, self.out_c, &sums[f * panel..][..panel], 0, full);
                }
            },
        );
        let transposed: Vec<Vec<f32>> = (0..taps)
            .map(|k| self.matrix().iter().map(|row| row[k]).collect())
            .collect();
        let transposed: Vec<&[f32]> = transposed.iter().map(Vec::as_slice).collect();
        let mut half = cpu.scratch(taps * side * plane);
        combine(cpu.level(), &transposed, &full, &mut half);
        let mut row = cpu.scratch(taps * plane);
        for (half, dw) in half
            .chunks_exact(side * plane)
            .zip(dw.chunks_exact_mut(taps * plane))
        {
            combine(cpu.level(), &transposed, half, &mut row);
            for (dw, d) in dw.iter_mut().zip(row.iter()) {
                *dw += d;
            }
        }
    }
}

/// `to[t] = Σ matrix[t][k] · from[k]` for whole planes of numbers.
fn combine(level: Level, matrix: &[&[f32]], from: &[f32], to: &mut [f32]) {
    let from_plane = from.len() / matrix[0].len();
    for (row, to) in matrix.iter().zip(to.chunks_exact_mut(from_plane)) {
        to.fill(0.0);
        for (&factor, from) in row.iter().zip(from.chunks_exact(from_plane)) {
            if factor != 0.0 {
                add_multiple(level, factor, from, to);
            }
        }
    }
}

at_level! {
    fn add_multiple(factor: f32, from: &[f32], to: &mut [f32]) = add_multiple_of
}

#[inline(always)]
fn add_multiple_of<L: Lanes>(_: L, factor: f32, from: &[f32], to: &mut [f32]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += factor * from;
    }
}

fn rounded(channels: usize) -> usize {
    channels.next_multiple_of(8)
}

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

/// The points of a group of tiles: for each point, tile by tile, the channels filled up to whole vectors. Points are
/// kept an odd number of cache lines apart, so that they do not fall on each other's places in the cache.
struct Points<'a> {
    memory: Scratch<'a>,
    /// Numbers of a tile.
    width: usize,
    /// Numbers from one point to the next.
    stride: usize,
}

impl<'a> Points<'a> {
    fn new(cpu: &'a Cpu, points: usize, tiles: usize, channels: usize) -> Self {
        let width = rounded(channels);
        let lines = (tiles * width).div_ceil(16) | 1;
        Self {
            memory: cpu.scratch(points * 16 * lines),
            width,
            stride: 16 * lines,
        }
    }

    fn point(&self, point: usize) -> &[f32] {
        &self.memory[point * self.stride..][..self.stride]
    }
}

/// What a filter computes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Forward<'a> {
    pub(super) x: &'a [f32],
    pub(super) source: Picture,
    pub(super) tiles: &'a [Tile],
    pub(super) panels: &'a [f32],
    pub(super) bias: Option<&'a [f32]>,
    pub(super) relu: bool,
    pub(super) target: Picture,
}

impl Filter {
    /// Computes the outputs of all tiles.
    pub(super) fn forward(&self, cpu: &Cpu, pass: &Forward<'_>, y: &mut [f32]) {
        let group = self.group(pass.tiles.len());
        let mut inputs = Points::new(cpu, self.points(), group, self.in_c);
        let mut outputs = Points::new(cpu, self.points(), group, self.out_c);
        let panel = panels_len(self.in_c, self.out_c);
        for tiles in pass.tiles.chunks(group) {
            read_inputs(
                cpu.level(),
                self.taps,
                pass.x,
                pass.source,
                tiles,
                &mut inputs,
            );
            for point in 0..self.points() {
                let p = Product {
                    x: inputs.point(point),
                    x_width: inputs.width,
                    rows: tiles.len(),
                    panels: &pass.panels[point * panel..][..panel],
                    depth: self.in_c,
                    outs: outputs.width,
                };
                let (stride, memory) = (outputs.stride, &mut outputs.memory);
                product(cpu.level(), &p, &mut memory[point * stride..][..stride]);
            }
            write_outputs(cpu.level(), self.taps, &outputs, pass, tiles, y);
        }
    }

    /// Adds the weight gradients of all tiles to their points, packed.
    pub(super) fn weights(
        &self,
        cpu: &Cpu,
        (x, source): (&[f32], Picture),
        (dy, target): (&[f32], Picture),
        tiles: &[Tile],
        sums: &mut [f32],
    ) {
        let group = self.group(tiles.len());
        let mut inputs = Points::new(cpu, self.points(), group, self.in_c);
        let mut outputs = Points::new(cpu, self.points(), group, self.out_c);
        let offsets: Vec<u32> = (0..self.in_c as u32).collect();
        for tiles in tiles.chunks(group) {
            read_inputs(cpu.level(), self.taps, x, source, tiles, &mut inputs);
            read_gradients(cpu.level(), self.taps, dy, target, tiles, &mut outputs);
            let sums = sums.chunks_exact_mut(panels_len(self.in_c, self.out_c));
            for (point, sums) in sums.enumerate() {
                let o = Outer {
                    x: inputs.point(point),
                    dy: outputs.point(point),
                    grid: (1, tiles.len()),
                    x_steps: (0, inputs.width),
                    dy_steps: (0, outputs.width),
                    offsets: &offsets,
                    outs: self.out_c,
                };
                outer(cpu.level(), &o, sums);
            }
        }
    }
}

at_level! {
    fn read_inputs(taps: usize, x: &[f32], source: Picture, tiles: &[Tile], points: &mut Points<'_>) = inputs
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
    fn write_outputs(
        taps: usize,
        points: &Points<'_>,
        pass: &Forward<'_>,
        tiles: &[Tile],
        y: &mut [f32],
    ) = outputs
}

#[inline(always)]
fn outputs<L: Lanes>(
    _: L,
    taps: usize,
    points: &Points<'_>,
    pass: &Forward<'_>,
    tiles: &[Tile],
    y: &mut [f32],
) {
    if taps == 3 {
        outputs_of::<L, 4>(points, pass, tiles, y);
    } else {
        outputs_of::<L, 7>(points, pass, tiles, y);
    }
}

/// Turns `T × T` points into tiles of 2×2 outputs.
#[inline(always)]
fn outputs_of<L: Lanes, const T: usize>(
    points: &Points<'_>,
    pass: &Forward<'_>,
    tiles: &[Tile],
    y: &mut [f32],
) {
    let Picture { row_len, channels } = pass.target;
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
        pass.bias.is_none_or(|bias| bias.len() == channels),
        "the bias has one number an output"
    );
    for first in (0..channels).step_by(8) {
        let lanes = (channels - first).min(8);
        let bias = match pass.bias {
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
                        let v = if pass.relu { L::relu(v) } else { v };
                        let to = tile.to as usize + row * row_len + column * channels + first;
                        let to = y.as_mut_ptr().add(to);
                        if lanes == 8 {
                            L::store(to, v)
                        } else {
                            L::store_first(to, v, lanes)
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
    fn read_gradients(taps: usize, dy: &[f32], target: Picture, tiles: &[Tile], points: &mut Points<'_>) = gradients
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
    for column in 0..T {
        let spread = spread_gradients::<L, T>([rows[0][column], rows[1][column]]);
        for (row, v) in spread.into_iter().enumerate() {
            // SAFETY: the caller vouches for the point.
            unsafe { L::store(to.add((row * T + column) * stride), v) };
        }
    }
}
