//! Products of inputs and packed weights: a few pixels × 8 or 16 outputs are held in registers
//! while the inputs are walked through. The order of every sum follows from the shapes alone, not
//! from how many pixels and outputs are taken together.

use super::lanes::{self, Lanes, at_level};
use super::panels::{Block, blocks, panels_len};

/// Bytes of weights that are walked through at a time; they are to stay in the first-level cache.
const PANEL_BYTES: usize = 24 * 1024;

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
    pub(super) fn gather(g: &Gather<'_>, y: &mut [f32]) = gather_all, and pairs
}

#[inline(always)]
fn gather_all<L: Lanes, P: Lanes>(_: L, _: P, g: &Gather<'_>, y: &mut [f32]) {
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
                2 if P::WIDTH == 16 => gather_block::<P, 12, 1>(g, block, y),
                _ => gather_block::<L, 6, 2>(g, block, y),
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
    let mut panel = g.panels[g.depth * block.first + g.skip * NV * L::WIDTH..].as_ptr();
    let mut left = g.segments;
    let mut part = Part {
        first: true,
        last: false,
    };
    while !part.last {
        let (mut count, mut inputs) = (0, 0);
        while count < left.len()
            && (count == 0 || (inputs + left[count].len) * NV * L::WIDTH * 4 <= PANEL_BYTES)
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
            while p + 4 <= g.from.len() {
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
            panel = panel.add(inputs * NV * L::WIDTH);
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
    let tail = block.lanes - L::WIDTH * (NV - 1);
    // SAFETY: all offsets were checked by `gather_all`: inputs by `from` and the segments' reach,
    // outputs by `to` and `outs`, weights by the length of the panels; partial vectors read and
    // write only the block's own lanes.
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
                let weights: [L::V; NV] = std::array::from_fn(|v| L::load(w.add(L::WIDTH * v)));
                w = w.add(L::WIDTH * NV);
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
/// `from` is valid for reading `WIDTH · (NV - 1) + tail` numbers, and `tail` is from 1 to `WIDTH`.
#[inline(always)]
unsafe fn load_lanes<L: Lanes, const NV: usize>(from: *const f32, tail: usize) -> [L::V; NV] {
    // SAFETY: the caller guarantees it.
    std::array::from_fn(|v| unsafe {
        let n = if v + 1 < NV { L::WIDTH } else { tail };
        lanes::load::<L>(from.add(L::WIDTH * v), n)
    })
}

/// # Safety
/// `to` is valid for writing `WIDTH · (NV - 1) + tail` numbers, and `tail` is from 1 to `WIDTH`.
#[inline(always)]
unsafe fn store_lanes<L: Lanes, const NV: usize>(to: *mut f32, values: [L::V; NV], tail: usize) {
    for (v, value) in values.into_iter().enumerate() {
        let n = if v + 1 < NV { L::WIDTH } else { tail };
        // SAFETY: the caller guarantees it.
        unsafe { lanes::store::<L>(to.add(L::WIDTH * v), value, n) };
    }
}

/// `y[row][o] = Σ x[row][k] · w[k][o]`: a [`Gather`] of rows that follow each other, for short
/// sums.
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
    pub(super) fn product(p: &Product<'_>, y: &mut [f32]) = product_all, and pairs
}

#[inline(always)]
fn product_all<L: Lanes, P: Lanes>(_: L, _: P, p: &Product<'_>, y: &mut [f32]) {
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
                2 if P::WIDTH == 16 => product_block::<P, 16, 1>(p, panel, y),
                _ => product_block::<L, 6, 2>(p, panel, y),
            }
        }
    }
}

/// # Safety
/// The assertions of [`product_all`] hold; the panel has a block of `NV` vectors, and `y` is where
/// its outputs start.
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
        while row + 4 <= p.rows {
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
            let weights: [L::V; NV] = std::array::from_fn(|v| L::load(w.add(L::WIDTH * v)));
            w = w.add(L::WIDTH * NV);
            for i in 0..MR {
                let input = L::splat(*x[i].add(k));
                for v in 0..NV {
                    acc[i][v] = L::mul_add(input, weights[v], acc[i][v]);
                }
            }
        }
        for (i, sums) in acc.into_iter().enumerate() {
            store_lanes::<L, NV>(y.add((row + i) * p.outs), sums, L::WIDTH);
        }
    }
}
