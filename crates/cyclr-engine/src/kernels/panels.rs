//! Weights as register tiles walk through them: in blocks of neighbouring outputs.

/// Neighbouring outputs that are computed together: one or two vectors of eight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) first: usize,
    pub(super) vectors: usize,
    /// How many of the block's `8 · vectors` lanes are outputs.
    pub(super) lanes: usize,
}

/// The blocks of a number of outputs: pairs of vectors, and at the end a single one.
pub(super) fn blocks(outs: usize) -> impl Iterator<Item = Block> {
    let total = outs.div_ceil(8);
    (0..total).step_by(2).map(move |next| {
        let (first, vectors) = (8 * next, (total - next).min(2));
        Block {
            first,
            vectors,
            lanes: (outs - first).min(8 * vectors),
        }
    })
}

/// Numbers in the packed form of `depth × outs` weights.
pub(super) fn panels_len(depth: usize, outs: usize) -> usize {
    depth * outs.next_multiple_of(8)
}

/// Packs weights: block by block, and in a block for each depth its lanes side by side, filled up
/// with zeros.
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
