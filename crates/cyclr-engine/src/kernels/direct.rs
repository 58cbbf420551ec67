//! Convolutions as plain sums, for every geometry.

use std::ops::Range;

use super::conv::Conv2d;
use super::outer::{Outer, outer};
use super::padded::{Padded, Staged, stage};
use super::panels::{add_unpacked, pack, pack_rows, panels_len};
use super::tiles::{Gather, Segment, gather};
use super::{LinearBackward, LinearForward, images_a_task, in_backward_tasks};
use crate::cpu::{Cpu, Scratch};

/// Computes the outputs; the lengths are checked.
pub(super) fn forward(cpu: &Cpu, conv: &Conv2d, input: &LinearForward<'_>, y: &mut [f32]) {
    let s = conv.spec();
    let mut panels = cpu.scratch(panels_len(conv.depth(), s.out_c));
    pack_rows(s.out_c, input.w, &mut panels);
    let source = padded_input(conv);
    let pixels = conv.out_h() * conv.out_w();
    let place = |p: usize| source.at(p / conv.out_w() * s.stride.0, p % conv.out_w() * s.stride.1);
    let from: Vec<u32> = (0..pixels).map(place).collect();
    let to: Vec<u32> = (0..pixels).map(|p| (p * s.out_c) as u32).collect();
    let segments: Vec<Segment> = source.rows(s.kernel).collect();
    let many = images_a_task(input.x.len() / conv.in_len());
    let tasks = input
        .x
        .chunks(many * conv.in_len())
        .zip(y.chunks_mut(many * conv.out_len()));
    cpu.run(tasks.collect(), |(x, y)| {
        let mut padded = source.scratch(cpu, 1);
        for (x, y) in x.chunks(conv.in_len()).zip(y.chunks_mut(conv.out_len())) {
            let g = Gather {
                x: source.fill(x, &mut padded),
                from: &from,
                to: &to,
                segments: &segments,
                panels: &panels,
                depth: conv.depth(),
                skip: 0,
                outs: s.out_c,
                bias: input.bias,
                relu: input.relu,
            };
            gather(cpu.instructions(), &g, y);
        }
    });
}

/// Computes the gradients; the lengths are checked, and there is at least one image.
pub(super) fn backward(
    cpu: &Cpu,
    conv: &Conv2d,
    input: &LinearBackward<'_>,
    dx: Option<&mut [f32]>,
    dw: &mut [f32],
    db: Option<&mut [f32]>,
) {
    let batch = input.x.len() / conv.in_len();
    let back = Back::new(cpu, conv, input, dx.is_some());
    let out_c = conv.spec().out_c;
    let weights_len = panels_len(conv.depth(), out_c);
    let sums_len = weights_len + db.as_ref().map_or(0, |db| db.len());
    let sums = in_backward_tasks(cpu, conv, batch, dx, sums_len, |images, dx, sums| {
        back.images(cpu, input, images, dx, sums);
    });
    let rows = conv.depth().div_ceil(8);
    let tasks = dw.chunks_mut(rows * out_c).enumerate().collect();
    cpu.run(tasks, |(n, dw): (usize, &mut [f32])| {
        for sums in sums.chunks(sums_len) {
            add_unpacked(conv.depth(), out_c, sums, n * rows, dw);
        }
    });
    if let Some(db) = db {
        add_biases(&sums, sums_len, db);
    }
}

/// Adds up the bias's gradients, which stand at the end of each task's sums, in the order of the
/// tasks.
pub(super) fn add_biases(sums: &[f32], sums_len: usize, db: &mut [f32]) {
    let outs = db.len();
    for sums in sums.chunks(sums_len) {
        for (db, sum) in db.iter_mut().zip(&sums[sums_len - outs..]) {
            *db += sum;
        }
    }
}

/// The input with the convolution's own padding.
fn padded_input(conv: &Conv2d) -> Padded {
    let s = conv.spec();
    Padded {
        size: (s.in_h, s.in_w),
        channels: s.in_c,
        before: s.pad,
        after: s.pad,
    }
}

/// What the backward pass needs for every image.
struct Back<'a> {
    conv: &'a Conv2d,
    input: Padded,
    output: Padded,
    /// Where each weight's input is, counted from the window's first pixel.
    offsets: Vec<u32>,
    phases: Vec<Phase<'a>>,
    /// Whether some pixels of the input lie under no window.
    gaps: bool,
}

/// The input pixels that see the same weights: with a stride of 2, every other one. Their gradient
/// is a convolution of the padded output gradient with those weights, flipped.
struct Phase<'a> {
    bands: Vec<Band>,
    segments: Vec<Segment>,
    depth: usize,
    panels: Scratch<'a>,
}

/// Pixels of neighbouring rows that see the same rows of the window over the output; the other
/// rows are padding.
struct Band {
    taps: Range<usize>,
    from: Vec<u32>,
    to: Vec<u32>,
}

impl<'a> Back<'a> {
    fn new(cpu: &'a Cpu, conv: &'a Conv2d, input: &LinearBackward<'_>, needs_dx: bool) -> Self {
        let s = conv.spec();
        let source = padded_input(conv);
        let mut offsets = Vec::with_capacity(conv.depth());
        for y in 0..s.kernel.0 {
            for x in 0..s.kernel.1 {
                offsets.extend((0..s.in_c).map(|i| source.at(y, x) + i as u32));
            }
        }
        let mut back = Self {
            conv,
            input: source,
            output: Padded {
                size: (conv.out_h(), conv.out_w()),
                channels: s.out_c,
                before: (0, 0),
                after: (0, 0),
            },
            offsets,
            phases: Vec::new(),
            gaps: s.kernel.0 < s.stride.0 || s.kernel.1 < s.stride.1,
        };
        if needs_dx {
            let before = |kernel: usize, stride: usize| kernel.div_ceil(stride) - 1;
            let after = |size: usize, stride: usize, pad: usize, out: usize| {
                ((size - 1 + pad) / stride).saturating_sub(out - 1)
            };
            back.output.before = (
                before(s.kernel.0, s.stride.0),
                before(s.kernel.1, s.stride.1),
            );
            back.output.after = (
                after(s.in_h, s.stride.0, s.pad.0, conv.out_h()),
                after(s.in_w, s.stride.1, s.pad.1, conv.out_w()),
            );
            for y in 0..s.stride.0.min(s.kernel.0) {
                for x in 0..s.stride.1.min(s.kernel.1) {
                    let phase = back.phase(cpu, input.w, (y, x));
                    back.phases.push(phase);
                }
            }
        }
        back
    }

    /// The input pixels whose place in the padded input is `(y, x)` modulo the stride.
    fn phase(&self, cpu: &'a Cpu, w: &[f32], (y, x): (usize, usize)) -> Phase<'a> {
        let s = self.conv.spec();
        let taps = (
            (s.kernel.0 - y).div_ceil(s.stride.0),
            (s.kernel.1 - x).div_ceil(s.stride.1),
        );
        let places = |first: usize, size: usize, stride: usize, pad: usize| {
            (0..size)
                .filter(move |i| (i + pad) % stride == first)
                .map(move |i| (i, (i + pad) / stride))
        };
        let mut bands: Vec<Band> = Vec::new();
        let before = self.output.before;
        for (iy, oy) in places(y, s.in_h, s.stride.0, s.pad.0) {
            // Tap t of the flipped window lies on row oy + 1 - taps + t of the output.
            let first = (taps.0 - 1).saturating_sub(oy);
            let last = (self.output.size.0 + taps.0).saturating_sub(oy + 1);
            let inside = first..last.clamp(first, taps.0);
            if bands.last().is_none_or(|band| band.taps != inside) {
                bands.push(Band {
                    taps: inside,
                    from: Vec::new(),
                    to: Vec::new(),
                });
            }
            let band = bands
                .last_mut()
                .expect("one was pushed where there was none");
            for (ix, ox) in places(x, s.in_w, s.stride.1, s.pad.1) {
                let row = oy + before.0 + 1 - taps.0;
                band.from
                    .push(self.output.at(row, ox + before.1 + 1 - taps.1));
                band.to.push(((iy * s.in_w + ix) * s.in_c) as u32);
            }
        }
        let depth = taps.0 * taps.1 * s.out_c;
        let mut panels = cpu.scratch(panels_len(depth, s.in_c));
        pack(depth, s.in_c, &mut panels, |k, first, lanes| {
            let (tap, o) = (k / s.out_c, k % s.out_c);
            let ky = y + s.stride.0 * (taps.0 - 1 - tap / taps.1);
            let kx = x + s.stride.1 * (taps.1 - 1 - tap % taps.1);
            let row = (ky * s.kernel.1 + kx) * s.in_c + first;
            for (i, lane) in lanes.iter_mut().enumerate() {
                *lane = w[(row + i) * s.out_c + o];
            }
        });
        Phase {
            bands,
            segments: self.output.rows(taps).collect(),
            depth,
            panels,
        }
    }

    fn images(
        &self,
        cpu: &Cpu,
        input: &LinearBackward<'_>,
        range: Range<usize>,
        mut dx: Option<&mut [f32]>,
        sums: &mut [f32],
    ) {
        let (conv, s) = (self.conv, self.conv.spec());
        let (sums, bias) = sums.split_at_mut(panels_len(conv.depth(), s.out_c));
        let mut x_memory = self.input.scratch(cpu, 1);
        // Whole vectors are read at the last pixel.
        let mut dy = cpu.scratch(self.output.len() + 8);
        dy.fill(0.0);
        for (place, n) in range.enumerate() {
            let out = n * conv.out_len()..(n + 1) * conv.out_len();
            let staged = Staged {
                output: &self.output,
                dy: &input.dy[out.clone()],
                relu_y: input.relu_y.map(|y| &y[out]),
            };
            stage(cpu.instructions(), &staged, &mut dy, bias);
            let x = &input.x[n * conv.in_len()..(n + 1) * conv.in_len()];
            let o = Outer {
                x: self.input.fill(x, &mut x_memory),
                dy: &dy[self.output.origin()..],
                grid: (conv.out_h(), conv.out_w()),
                x_steps: (s.stride.0 * self.input.row_len(), s.stride.1 * s.in_c),
                dy_steps: (self.output.row_len(), s.out_c),
                offsets: &self.offsets,
                outs: s.out_c,
            };
            outer(cpu.instructions(), &o, sums);
            if let Some(dx) = dx.as_deref_mut() {
                self.input_gradient(cpu, &dy, &mut dx[place * conv.in_len()..][..conv.in_len()]);
            }
        }
    }

    fn input_gradient(&self, cpu: &Cpu, dy: &[f32], dx: &mut [f32]) {
        if self.gaps {
            dx.fill(0.0);
        }
        for phase in &self.phases {
            let row = phase.depth / phase.segments.len();
            for band in &phase.bands {
                let g = Gather {
                    x: dy,
                    from: &band.from,
                    to: &band.to,
                    segments: &phase.segments[band.taps.clone()],
                    panels: &phase.panels,
                    depth: phase.depth,
                    skip: band.taps.start * row,
                    outs: self.conv.spec().in_c,
                    bias: None,
                    relu: false,
                };
                gather(cpu.instructions(), &g, dx);
            }
        }
    }
}
