//! Weight gradients: a few weights × 8 or 16 outputs are held in registers while the pixels are
//! walked through. The order of every sum follows from the shapes alone, not from how many weights
//! and outputs are taken together.

use super::lanes::{Lanes, at_level};
use super::panels::{Block, blocks, panels_len};

/// Pixels whose contributions are added up in registers at a time; their inputs are to stay in the
/// first-level cache.
const PIXELS: usize = 128;

/// `w[k][o] += Σ x[pixel + offsets[k]] · dy[pixel + o]` over a grid of pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outer<'a> {
    pub(super) x: &'a [f32],
    pub(super) dy: &'a [f32],
    /// Rows and columns of the grid.
    pub(super) grid: (usize, usize),
    /// How far apart the inputs of neighbouring pixels are, from row to row and from column to
    /// column.
    pub(super) x_steps: (usize, usize),
    /// How far apart the outputs are.
    pub(super) dy_steps: (usize, usize),
    pub(super) offsets: &'a [u32],
    /// At the last pixel, `dy` goes on for this number rounded up to 8.
    pub(super) outs: usize,
}

at_level! {
    /// Adds the weight gradients to their packed form.
    pub(super) fn outer(o: &Outer<'_>, panels: &mut [f32]) = outer_all, and pairs
}

#[inline(always)]
fn outer_all<L: Lanes, P: Lanes>(_: L, _: P, o: &Outer<'_>, panels: &mut [f32]) {
    let depth = o.offsets.len();
    let (rows, columns) = o.grid;
    if rows == 0 || columns == 0 {
        return;
    }
    let last = |steps: (usize, usize)| (rows - 1) * steps.0 + (columns - 1) * steps.1;
    let reach = o.offsets.iter().max().map_or(0, |&last| last as usize + 1);
    assert!(
        last(o.x_steps) + reach <= o.x.len(),
        "the inputs lie inside their slice"
    );
    let width = o.outs.next_multiple_of(8);
    assert!(
        last(o.dy_steps) + width <= o.dy.len(),
        "the gradients lie inside their slice"
    );
    assert!(
        panels.len() >= panels_len(depth, o.outs),
        "the weights are complete"
    );
    let height = (PIXELS / columns).max(1);
    for first in (0..rows).step_by(height) {
        let rows = first..rows.min(first + height);
        for block in blocks(o.outs) {
            let panel = &mut panels[depth * block.first..][..depth * 8 * block.vectors];
            // SAFETY: the assertions above hold for every pixel, offset and block.
            unsafe {
                match block.vectors {
                    1 => outer_block::<L, 8, 1>(o, block, &rows, panel),
                    2 if P::WIDTH == 16 => outer_block::<P, 16, 1>(o, block, &rows, panel),
                    _ => outer_block::<L, 6, 2>(o, block, &rows, panel),
                }
            }
        }
    }
}

/// # Safety
/// The assertions of [`outer_all`] hold, and the block has `NV` vectors.
#[inline(always)]
unsafe fn outer_block<L: Lanes, const MR: usize, const NV: usize>(
    o: &Outer<'_>,
    block: Block,
    rows: &std::ops::Range<usize>,
    panel: &mut [f32],
) {
    let mut panel = panel.as_mut_ptr();
    let mut offsets = o.offsets;
    // SAFETY: as for this function; the panel has `NV` vectors for each offset.
    unsafe {
        while let Some((tile, rest)) = offsets.split_first_chunk() {
            outer_tile::<L, MR, NV>(o, block, rows, tile, panel);
            panel = panel.add(MR * NV * L::WIDTH);
            offsets = rest;
        }
        while let Some((tile, rest)) = offsets.split_first_chunk() {
            outer_tile::<L, 4, NV>(o, block, rows, tile, panel);
            panel = panel.add(4 * NV * L::WIDTH);
            offsets = rest;
        }
        if let Some((tile, rest)) = offsets.split_first_chunk() {
            outer_tile::<L, 2, NV>(o, block, rows, tile, panel);
            panel = panel.add(2 * NV * L::WIDTH);
            offsets = rest;
        }
        if let Some((tile, _)) = offsets.split_first_chunk() {
            outer_tile::<L, 1, NV>(o, block, rows, tile, panel);
        }
    }
}

/// # Safety
/// As [`outer_block`]; `panel` has the `MR · NV` vectors of these offsets.
#[inline(always)]
unsafe fn outer_tile<L: Lanes, const MR: usize, const NV: usize>(
    o: &Outer<'_>,
    block: Block,
    rows: &std::ops::Range<usize>,
    offsets: &[u32; MR],
    panel: *mut f32,
) {
    // SAFETY: all offsets were checked by `outer_all`; whole vectors are read from `dy`, which
    // goes on for them.
    unsafe {
        let mut acc: [[L::V; NV]; MR] = std::array::from_fn(|i| {
            std::array::from_fn(|v| L::load(panel.add((i * NV + v) * L::WIDTH)))
        });
        for row in rows.clone() {
            let x = o.x.as_ptr().add(row * o.x_steps.0);
            let x: [*const f32; MR] = std::array::from_fn(|i| x.add(offsets[i] as usize));
            let mut dy = o.dy.as_ptr().add(row * o.dy_steps.0 + block.first);
            let mut k = 0;
            for _ in 0..o.grid.1 {
                let gradients: [L::V; NV] = std::array::from_fn(|v| L::load(dy.add(L::WIDTH * v)));
                for i in 0..MR {
                    let input = L::splat(*x[i].add(k));
                    for v in 0..NV {
                        acc[i][v] = L::mul_add(input, gradients[v], acc[i][v]);
                    }
                }
                k += o.x_steps.1;
                dy = dy.wrapping_add(o.dy_steps.1);
            }
        }
        for (i, sum) in acc.as_flattened().iter().enumerate() {
            L::store(panel.add(L::WIDTH * i), *sum);
        }
    }
}
