//! Convolutions of stride 1 with a 3×3 or 5×5 window, with fewer multiplications (Winograd's
//! minimal filtering, arXiv 1509.09308).
//!
//! Two neighbouring outputs of three taps, `F(2, 3)`, take 4 multiplications instead of 6; two
//! outputs of two taps, `F(2, 2)`, take 3 instead of 4. Five taps are three and two, hence 7
//! instead of 10. In two dimensions an output tile of 2×2 takes 16 instead of 36, or 49 instead of
//! 100. Only sums, differences and halves occur in these transforms, so that rounding errors stay
//! about those of the plain sum; larger tiles would save more and lose digits.
//!
//! Each of the 16 or 49 *points* is a product of matrices: (tiles × input channels) · (input
//! channels × outputs).

use super::lanes::{Lanes, at_level};
use super::outer::{Outer, outer};
use super::panels::{add_unpacked, pack_rows, panels_len};
use super::points::{
    End, Picture, Points, Tile, read_gradients, read_inputs, rounded, write_outputs,
};
use super::tiles::{Product, product};
use crate::cpu::{Cpu, Instructions};

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

/// Bytes that the points of one group of tiles may take, so that they stay in the second-level
/// cache.
const GROUP_BYTES: usize = 512 * 1024;

/// A convolution by its taps in each direction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filter {
    pub(super) taps: usize,
    pub(super) in_c: usize,
    pub(super) out_c: usize,
}

impl Filter {
    /// Whether there is such a filter, and it is faster than the plain sum: with few channels the
    /// transforms cost more than they save.
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

    /// How many of the tiles are taken together.
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
            combine(cpu.instructions(), self.matrix(), w, half);
        }
        let mut full = cpu.scratch(side * side * plane);
        combine(cpu.instructions(), self.matrix(), &half, &mut full);
        let panels = panels.chunks_exact_mut(panels_len(self.in_c, self.out_c));
        cpu.run(
            full.chunks_exact(plane).zip(panels).collect(),
            |(w, panels)| {
                pack_rows(self.out_c, w, panels);
            },
        );
    }

    /// Adds up the points' weight gradients of all tasks, in their order, and adds them to `dw` as
    /// weights.
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
        combine(cpu.instructions(), &transposed, &full, &mut half);
        let mut row = cpu.scratch(taps * plane);
        for (half, dw) in half
            .chunks_exact(side * plane)
            .zip(dw.chunks_exact_mut(taps * plane))
        {
            combine(cpu.instructions(), &transposed, half, &mut row);
            for (dw, d) in dw.iter_mut().zip(row.iter()) {
                *dw += d;
            }
        }
    }
}

/// `to[t] = Σ matrix[t][k] · from[k]` for whole planes of numbers.
fn combine(instructions: Instructions, matrix: &[&[f32]], from: &[f32], to: &mut [f32]) {
    let from_plane = from.len() / matrix[0].len();
    for (row, to) in matrix.iter().zip(to.chunks_exact_mut(from_plane)) {
        to.fill(0.0);
        for (&factor, from) in row.iter().zip(from.chunks_exact(from_plane)) {
            if factor != 0.0 {
                add_multiple(instructions, factor, from, to);
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

/// What a filter computes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Forward<'a> {
    pub(super) x: &'a [f32],
    pub(super) source: Picture,
    pub(super) tiles: &'a [Tile],
    pub(super) panels: &'a [f32],
    pub(super) end: End<'a>,
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
                cpu.instructions(),
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
                product(
                    cpu.instructions(),
                    &p,
                    &mut memory[point * stride..][..stride],
                );
            }
            write_outputs(cpu.instructions(), self.taps, &outputs, &pass.end, tiles, y);
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
            read_inputs(cpu.instructions(), self.taps, x, source, tiles, &mut inputs);
            read_gradients(
                cpu.instructions(),
                self.taps,
                dy,
                target,
                tiles,
                &mut outputs,
            );
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
                outer(cpu.instructions(), &o, sums);
            }
        }
    }
}
