//! The two products that convolutions and fully connected layers are made of, held in registers.
//!
//! [`gather`] computes outputs: a few pixels × 8 to 24 outputs stay in registers while the inputs are walked through.
//! [`outer`] computes weight gradients: a few weights × 8 to 24 outputs stay in registers while the pixels are. The
//! order of every sum follows from the shapes alone.

use super::lanes::{Lanes, at_level};

/// Bytes of weights that are walked through at a time; they are to stay in the first-level cache.
const PANEL_BYTES: usize = 24 * 1024;

/// Pixels whose contributions to a weight gradient are added up in registers at a time.
const PIXELS: usize = 128;

/// Neighbouring outputs that are computed together: up to three vectors of eight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Block {
    first: usize,
    vectors: usize,
    /// How many of the block's `8 · vectors` lanes are outputs.
    lanes: usize,
}

/// The blocks of so many outputs: pairs of vectors, and at the end a single one or three.
fn blocks(outs: usize) -> impl Iterator<Item = Block> {
    let total = outs.div_ceil(8);
    let mut next = 0;
    std::iter::from_fn(move || {
        let vectors = match total - next {
            0 => return None,
            3 => 3,
            left => left.min(2),
        };
        let first = 8 * next;
        next += vectors;
        let lanes = (outs - first).min(8 * vectors);
        Some(Block {
            first,
            vectors,
            lanes,
        })
    })
}

/// Numbers in the packed form of `depth × outs` weights.
pub(super) fn panels_len(depth: usize, outs: usize) -> usize {
    depth * outs.next_multiple_of(8)
}

/// Packs weights: block by block, and in a block for each depth its lanes side by side, filled up with zeros.
pub(super) fn pack(
    depth: usize,
    outs: usize,
    panels: &mut [f32],
    mut lanes_at: impl FnMut(usize, usize, &mut [f32]),
) {
    for block in blocks(outs) {
        let width = 8 * block.vectors;
        let panel = &mut panels[depth * block.first..][..depth * width];
        for (k, row) in panel.chunks_exact_mut(width).enumerate() {
            lanes_at(k, block.first, &mut row[..block.lanes]);
            row[block.lanes..].fill(0.0);
        }
    }
}

/// Packs weights that lie in rows of `outs`, one row for each depth.
pub(super) fn pack_rows(outs: usize, w: &[f32], panels: &mut [f32]) {
    pack(w.len() / outs, outs, panels, |k, first, lanes| {
        lanes.copy_from_slice(&w[k * outs + first..][..lanes.len()]);
    });
}

/// Adds packed weight gradients for the depths from `from` on to rows of `outs` numbers.
pub(super) fn add_unpacked(
    depth: usize,
    outs: usize,
    panels: &[f32],
    from: usize,
    rows: &mut [f32],
) {
    for block in blocks(outs) {
        let width = 8 * block.vectors;
        let panel = &panels[depth * block.first + from * width..];
        for (row, packed) in rows.chunks_exact_mut(outs).zip(panel.chunks_exact(width)) {
            let row = &mut row[block.first..][..block.lanes];
            for (to, value) in row.iter_mut().zip(packed) {
                *to += value;
            }
        }
    }
}

/// A run of inputs that lie side by side.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    /// Where it starts, counted from the pixel's own start.
    pub(super) start: usize,
    /// How many inputs it has.
    pub(super) len: usize,
}

/// `y[to[p] + o] = bias[o] + Σ x[from[p] + k] · w[k][o]`, where k walks through the segments.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gather<'a> {
    pub(super) x: &'a [f32],
    /// For each pixel, where its inputs start.
    pub(super) from: &'a [u32],
    /// For each pixel, where its outputs go.
    pub(super) to: &'a [u32],
    pub(super) segments: &'a [Segment],
    /// The weights, packed.
    pub(super) panels: &'a [f32],
    /// The depth of the packed weights, of which those from `skip` on are used.
    pub(super) depth: usize,
    pub(super) skip: usize,
    pub(super) outs: usize,
    pub(super) bias: Option<&'a [f32]>,
    pub(super) relu: bool,
}

at_level! {
    /// Computes the outputs of all pixels.
    pub(super) fn gather(g: &Gather<'_>, y: &mut [f32]) = gather_all
}

#[inline(always)]
fn gather_all<L: Lanes>(_: L, g: &Gather<'_>, y: &mut [f32]) {
    let used = g.segments.iter().map(|s| s.len).sum::<usize>();
    let reach = g
        .segments
        .iter()
        .map(|s| s.start + s.len)
        .max()
        .unwrap_or(0);
    let last = |starts: &[u32]| starts.iter().max().map_or(0, |&last| last as usize);
    assert_eq!(
        g.from.len(),
        g.to.len(),
        "each pixel has inputs and outputs"
    );
    assert!(
        last(g.from) + reach <= g.x.len(),
        "the inputs lie inside their slice"
    );
    assert!(
        last(g.to) + g.outs <= y.len(),
        "the outputs lie inside their slice"
    );
    assert!(
        g.skip + used <= g.depth && g.panels.len() >= panels_len(g.depth, g.outs),
        "the weights are complete"
    );
    assert!(
        g.bias.is_none_or(|bias| bias.len() == g.outs),
        "the bias has one number an output"
    );
    for block in blocks(g.outs) {
        // SAFETY: the assertions above hold for every pixel, segment and block.
        unsafe {
            match block.vectors {
                1 => gather_block::<L, 8, 1>(g, block, y),
                2 => gather_block::<L, 6, 2>(g, block, y),
                _ => gather_block::<L, 4, 3>(g, block, y),
            }
        }
    }
}

/// # Safety
/// The assertions of [`gather_all`] hold, and the block has `NV` vectors.
#[inline(always)]
unsafe fn gather_block<L: Lanes, const MR: usize, const NV: usize>(
    g: &Gather<'_>,
    block: Block,
    y: &mut [f32],
) {
    let mut panel = g.panels[g.depth * block.first + g.skip * NV * 8..].as_ptr();
    let mut left = g.segments;
    let mut part = Part {
        first: true,
        last: false,
    };
    while !part.last {
        let (mut count, mut inputs) = (0, 0);
        while count < left.len()
            && (count == 0 || (inputs + left[count].len) * NV * 32 <= PANEL_BYTES)
        {
            inputs += left[count].len;
            count += 1;
        }
        let (segments, rest) = left.split_at(count);
        part.last = rest.is_empty();
        // SAFETY: as for this function; the panel has the weights of these segments next.
        unsafe {
            let mut p = 0;
            while p + MR <= g.from.len() {
                gather_tile::<L, MR, NV>(g, block, segments, panel, part, p, y);
                p += MR;
            }
            if p + 4 <= g.from.len() {
                gather_tile::<L, 4, NV>(g, block, segments, panel, part, p, y);
                p += 4;
            }
            if p + 2 <= g.from.len() {
                gather_tile::<L, 2, NV>(g, block, segments, panel, part, p, y);
                p += 2;
            }
            if p < g.from.len() {
                gather_tile::<L, 1, NV>(g, block, segments, panel, part, p, y);
            }
            panel = panel.add(inputs * NV * 8);
        }
        left = rest;
        part.first = false;
    }
}

/// Which part of the depth a tile walks through.
#[derive(Clone, Copy)]
struct Part {
    first: bool,
    last: bool,
}

/// # Safety
/// As [`gather_block`]; `panel` has the segments' weights, and pixels `p..p + MR` exist.
#[inline(always)]
unsafe fn gather_tile<L: Lanes, const MR: usize, const NV: usize>(
    g: &Gather<'_>,
    block: Block,
    segments: &[Segment],
    panel: *const f32,
    part: Part,
    p: usize,
    y: &mut [f32],
) {
    let tail = block.lanes - 8 * (NV - 1);
    // SAFETY: all offsets were checked by `gather_all`: inputs by `from` and the segments' reach, outputs by `to` and
    // `outs`, weights by the length of the panels; partial vectors read and write only the block's own lanes.
    unsafe {
        let out: [*mut f32; MR] = std::array::from_fn(|i| {
            y.as_mut_ptr()
                .add(*g.to.get_unchecked(p + i) as usize + block.first)
        });
        let zero = L::splat(0.0);
        let mut acc = [[zero; NV]; MR];
        if !part.first {
            for i in 0..MR {
                acc[i] = load_lanes::<L, NV>(out[i], tail);
            }
        } else if let Some(bias) = g.bias {
            acc = [load_lanes::<L, NV>(bias.as_ptr().add(block.first), tail); MR];
        }
        let x: [*const f32; MR] =
            std::array::from_fn(|i| g.x.as_ptr().add(*g.from.get_unchecked(p + i) as usize));
        let mut w = panel;
        for segment in segments {
            let x: [*const f32; MR] = std::array::from_fn(|i| x[i].add(segment.start));
            for k in 0..segment.len {
                let weights: [L::V; NV] = std::array::from_fn(|v| L::load(w.add(8 * v)));
                w = w.add(8 * NV);
                for i in 0..MR {
                    let input = L::splat(*x[i].add(k));
                    for v in 0..NV {
                        acc[i][v] = L::mul_add(input, weights[v], acc[i][v]);
                    }
                }
            }
        }
        for i in 0..MR {
            if part.last && g.relu {
                acc[i] = std::array::from_fn(|v| L::relu(acc[i][v]));
            }
            store_lanes::<L, NV>(out[i], acc[i], tail);
        }
    }
}

/// # Safety
/// `from` is valid for reading `8 · (NV - 1) + tail` numbers, and `tail` is from 1 to 8.
#[inline(always)]
unsafe fn load_lanes<L: Lanes, const NV: usize>(from: *const f32, tail: usize) -> [L::V; NV] {
    // SAFETY: the caller vouches for it.
    std::array::from_fn(|v| unsafe {
        if v + 1 < NV || tail == 8 {
            L::load(from.add(8 * v))
        } else {
            L::load_first(from.add(8 * v), tail)
        }
    })
}

/// # Safety
/// `to` is valid for writing `8 · (NV - 1) + tail` numbers, and `tail` is from 1 to 8.
#[inline(always)]
unsafe fn store_lanes<L: Lanes, const NV: usize>(to: *mut f32, values: [L::V; NV], tail: usize) {
    for (v, value) in values.into_iter().enumerate() {
        // SAFETY: the caller vouches for it.
        unsafe {
            if v + 1 < NV || tail == 8 {
                L::store(to.add(8 * v), value);
            } else {
                L::store_first(to.add(8 * v), value, tail);
            }
        }
    }
}

/// `y[row][o] = Σ x[row][k] · w[k][o]`: a [`Gather`] of rows that follow each other, for short sums.
#[derive(Clone, Copy, Debug)]
pub(super) struct Product<'a> {
    pub(super) x: &'a [f32],
    /// How far apart the rows of `x` are.
    pub(super) x_width: usize,
    pub(super) rows: usize,
    /// The weights, packed.
    pub(super) panels: &'a [f32],
    pub(super) depth: usize,
    /// How far apart the rows of `y` are: the number of outputs, filled up to whole vectors.
    pub(super) outs: usize,
}

at_level! {
    /// Computes the product.
    pub(super) fn product(p: &Product<'_>, y: &mut [f32]) = product_all
}

#[inline(always)]
fn product_all<L: Lanes>(_: L, p: &Product<'_>, y: &mut [f32]) {
    if p.rows == 0 {
        return;
    }
    assert!(
        (p.rows - 1) * p.x_width + p.depth <= p.x.len(),
        "the inputs lie inside their slice"
    );
    assert!(
        p.outs.is_multiple_of(8) && p.rows * p.outs <= y.len(),
        "the outputs lie inside their slice"
    );
    assert!(
        p.panels.len() >= panels_len(p.depth, p.outs),
        "the weights are complete"
    );
    for block in blocks(p.outs) {
        let panel = p.panels[p.depth * block.first..].as_ptr();
        // SAFETY: the assertions above hold for every row and block.
        unsafe {
            let y = y.as_mut_ptr().add(block.first);
            match block.vectors {
                1 => product_block::<L, 8, 1>(p, panel, y),
                2 => product_block::<L, 6, 2>(p, panel, y),
                _ => product_block::<L, 4, 3>(p, panel, y),
            }
        }
    }
}

/// # Safety
/// The assertions of [`product_all`] hold; the panel has a block of `NV` vectors, and `y` is where its outputs start.
#[inline(always)]
unsafe fn product_block<L: Lanes, const MR: usize, const NV: usize>(
    p: &Product<'_>,
    panel: *const f32,
    y: *mut f32,
) {
    let mut row = 0;
    // SAFETY: as for this function; only rows that exist are computed.
    unsafe {
        while row + MR <= p.rows {
            product_tile::<L, MR, NV>(p, panel, row, y);
            row += MR;
        }
        if row + 4 <= p.rows {
            product_tile::<L, 4, NV>(p, panel, row, y);
            row += 4;
        }
        if row + 2 <= p.rows {
            product_tile::<L, 2, NV>(p, panel, row, y);
            row += 2;
        }
        if row < p.rows {
            product_tile::<L, 1, NV>(p, panel, row, y);
        }
    }
}

/// # Safety
/// As [`product_block`]; rows `row..row + MR` exist.
#[inline(always)]
unsafe fn product_tile<L: Lanes, const MR: usize, const NV: usize>(
    p: &Product<'_>,
    panel: *const f32,
    row: usize,
    y: *mut f32,
) {
    // SAFETY: the assertions of `product_all` cover every row, depth and output.
    unsafe {
        let mut acc = [[L::splat(0.0); NV]; MR];
        let x: [*const f32; MR] = std::array::from_fn(|i| p.x.as_ptr().add((row + i) * p.x_width));
        let mut w = panel;
        for k in 0..p.depth {
            let weights: [L::V; NV] = std::array::from_fn(|v| L::load(w.add(8 * v)));
            w = w.add(8 * NV);
            for i in 0..MR {
                let input = L::splat(*x[i].add(k));
                for v in 0..NV {
                    acc[i][v] = L::mul_add(input, weights[v], acc[i][v]);
                }
            }
        }
        for i in 0..MR {
            for v in 0..NV {
                L::store(y.add((row + i) * p.outs + 8 * v), acc[i][v]);
            }
        }
    }
}

/// `w[k][o] += Σ x[pixel + offsets[k]] · dy[pixel + o]` over a grid of pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outer<'a> {
    pub(super) x: &'a [f32],
    pub(super) dy: &'a [f32],
    /// Rows and columns of the grid.
    pub(super) grid: (usize, usize),
    /// How far apart the inputs of neighbouring pixels are, from row to row and from column to column.
    pub(super) x_steps: (usize, usize),
    /// How far apart the outputs are.
    pub(super) dy_steps: (usize, usize),
    pub(super) offsets: &'a [u32],
    /// At the last pixel, `dy` goes on for this number rounded up to 8.
    pub(super) outs: usize,
}

at_level! {
    /// Adds the weight gradients to their packed form.
    pub(super) fn outer(o: &Outer<'_>, panels: &mut [f32]) = outer_all
}

#[inline(always)]
fn outer_all<L: Lanes>(_: L, o: &Outer<'_>, panels: &mut [f32]) {
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
                    2 => outer_block::<L, 6, 2>(o, block, &rows, panel),
                    _ => outer_block::<L, 4, 3>(o, block, &rows, panel),
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
    // SAFETY: as for this function; the panel has `8 · NV` numbers for each offset.
    unsafe {
        while let Some((tile, rest)) = offsets.split_first_chunk() {
            outer_tile::<L, MR, NV>(o, block, rows, tile, panel);
            panel = panel.add(MR * NV * 8);
            offsets = rest;
        }
        if let Some((tile, rest)) = offsets.split_first_chunk() {
            outer_tile::<L, 4, NV>(o, block, rows, tile, panel);
            panel = panel.add(4 * NV * 8);
            offsets = rest;
        }
        if let Some((tile, rest)) = offsets.split_first_chunk() {
            outer_tile::<L, 2, NV>(o, block, rows, tile, panel);
            panel = panel.add(2 * NV * 8);
            offsets = rest;
        }
        if let Some((tile, _)) = offsets.split_first_chunk() {
            outer_tile::<L, 1, NV>(o, block, rows, tile, panel);
        }
    }
}

/// # Safety
/// As [`outer_block`]; `panel` has the `MR · NV · 8` numbers of these offsets.
#[inline(always)]
unsafe fn outer_tile<L: Lanes, const MR: usize, const NV: usize>(
    o: &Outer<'_>,
    block: Block,
    rows: &std::ops::Range<usize>,
    offsets: &[u32; MR],
    panel: *mut f32,
) {
    // SAFETY: all offsets were checked by `outer_all`; whole vectors are read from `dy`, which goes on for them.
    unsafe {
        let mut acc: [[L::V; NV]; MR] =
            std::array::from_fn(|i| std::array::from_fn(|v| L::load(panel.add((i * NV + v) * 8))));
        for row in rows.clone() {
            let x = o.x.as_ptr().add(row * o.x_steps.0);
            let x: [*const f32; MR] = std::array::from_fn(|i| x.add(offsets[i] as usize));
            let mut dy = o.dy.as_ptr().add(row * o.dy_steps.0 + block.first);
            let mut k = 0;
            for _ in 0..o.grid.1 {
                let gradients: [L::V; NV] = std::array::from_fn(|v| L::load(dy.add(8 * v)));
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
        for i in 0..MR {
            for v in 0..NV {
                L::store(panel.add((i * NV + v) * 8), acc[i][v]);
            }
        }
    }
}
