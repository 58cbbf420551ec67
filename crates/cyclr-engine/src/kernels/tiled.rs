//! Convolutions by tiles with fewer multiplications: the way through a batch.

use std::ops::Range;

use super::conv::Conv2d;
use super::direct::add_biases;
use super::padded::{Padded, Staged, stage};
use super::points::{End, Picture, Tile, tiles};
use super::winograd::{Filter, Forward};
use super::{LinearBackward, LinearForward, images_a_task, in_backward_tasks};
use crate::cpu::{Cpu, Scratch};

/// Tiles that are worth taking together; small images are taken several at a time.
const TILES: usize = 64;

/// Computes the outputs; the lengths are checked.
pub(super) fn forward(
    cpu: &Cpu,
    conv: &Conv2d,
    filter: Filter,
    input: &LinearForward<'_>,
    y: &mut [f32],
) {
    let mut panels = cpu.scratch(filter.panels_len());
    filter.pack(cpu, input.w, &mut panels);
    let source = padded_input(conv);
    let size = (conv.out_h(), conv.out_w());
    let together = images_together(size);
    let tiles = tiles(together, size, |image, row, column| {
        (
            (image * source.len()) as u32 + source.at(row, column),
            (image * conv.out_len() + (row * size.1 + column) * filter.out_c) as u32,
        )
    });
    let many = images_a_task(input.x.len() / conv.in_len());
    let tasks = input
        .x
        .chunks(many * conv.in_len())
        .zip(y.chunks_mut(many * conv.out_len()));
    cpu.run(tasks.collect(), |(x, y)| {
        let mut memory = source.scratch(cpu, together);
        let groups = x
            .chunks(together * conv.in_len())
            .zip(y.chunks_mut(together * conv.out_len()));
        for (x, y) in groups {
            let pass = Forward {
                x: source.fill(x, &mut memory),
                source: picture(&source),
                tiles: &tiles[..x.len() / conv.in_len() * (tiles.len() / together)],
                panels: &panels,
                end: End {
                    bias: input.bias,
                    relu: input.relu,
                    target: Picture {
                        row_len: size.1 * filter.out_c,
                        channels: filter.out_c,
                    },
                },
            };
            filter.forward(cpu, &pass, y);
        }
    });
}

/// Computes the gradients; the lengths are checked, and there is at least one image.
pub(super) fn backward(
    cpu: &Cpu,
    conv: &Conv2d,
    filter: Filter,
    input: &LinearBackward<'_>,
    dx: Option<&mut [f32]>,
    dw: &mut [f32],
    db: Option<&mut [f32]>,
) {
    let batch = input.x.len() / conv.in_len();
    let back = Back::new(cpu, conv, filter, input, dx.is_some());
    let sums_len = filter.panels_len() + db.as_ref().map_or(0, |db| db.len());
    let sums = in_backward_tasks(cpu, conv, batch, dx, sums_len, |images, dx, sums| {
        back.images(cpu, input, images, dx, sums);
    });
    filter.add_unpacked(cpu, &sums, sums_len, dw);
    if let Some(db) = db {
        add_biases(&sums, sums_len, db);
    }
}

/// The input with the convolution's own padding, and as much more as whole tiles take.
fn padded_input(conv: &Conv2d) -> Padded {
    let s = conv.spec();
    Padded {
        size: (s.in_h, s.in_w),
        channels: s.in_c,
        before: s.pad,
        after: (s.pad.0 + conv.out_h() % 2, s.pad.1 + conv.out_w() % 2),
    }
}

fn picture(padded: &Padded) -> Picture {
    Picture {
        row_len: padded.row_len(),
        channels: padded.channels,
    }
}

fn images_together(size: (usize, usize)) -> usize {
    (TILES / (size.0.div_ceil(2) * size.1.div_ceil(2))).max(1)
}

/// What the backward pass needs for every image.
struct Back<'a> {
    conv: &'a Conv2d,
    filter: Filter,
    input: Padded,
    output: Padded,
    together: usize,
    /// From input to output gradient, for the weights.
    tiles: Vec<Tile>,
    dx: Option<InputGradient<'a>>,
}

/// The gradient of the input: a convolution of the padded output gradient with the weights
/// flipped.
struct InputGradient<'a> {
    filter: Filter,
    panels: Scratch<'a>,
    tiles: Vec<Tile>,
}

impl<'a> Back<'a> {
    fn new(
        cpu: &'a Cpu,
        conv: &'a Conv2d,
        filter: Filter,
        input: &LinearBackward<'_>,
        needs_dx: bool,
    ) -> Self {
        let s = conv.spec();
        let size = (conv.out_h(), conv.out_w());
        let around = if needs_dx {
            (filter.taps - 1 - s.pad.0, filter.taps - 1 - s.pad.1)
        } else {
            (0, 0)
        };
        let source = padded_input(conv);
        let output = Padded {
            size,
            channels: s.out_c,
            before: around,
            after: (
                (around.0 + s.in_h % 2).max(size.0 % 2),
                (around.1 + s.in_w % 2).max(size.1 % 2),
            ),
        };
        let together = images_together(size);
        let pairs = tiles(together, size, |image, row, column| {
            (
                (image * source.len()) as u32 + source.at(row, column),
                (image * output.len() + output.origin()) as u32 + output.at(row, column),
            )
        });
        let dx =
            needs_dx.then(|| InputGradient::new(cpu, conv, filter, &output, together, input.w));
        Self {
            conv,
            filter,
            input: source,
            output,
            together,
            tiles: pairs,
            dx,
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
        let conv = self.conv;
        let (sums, bias) = sums.split_at_mut(self.filter.panels_len());
        let mut x_memory = self.input.scratch(cpu, self.together);
        let mut dy = cpu.scratch(self.together * self.output.len());
        dy.fill(0.0);
        let start = range.start;
        for first in range.clone().step_by(self.together) {
            let last = range.end.min(first + self.together);
            let out = first * conv.out_len()..last * conv.out_len();
            let staged = Staged {
                output: &self.output,
                dy: &input.dy[out.clone()],
                relu_y: input.relu_y.map(|y| &y[out]),
            };
            stage(cpu.instructions(), &staged, &mut dy, bias);
            let x = &input.x[first * conv.in_len()..last * conv.in_len()];
            let x = (self.input.fill(x, &mut x_memory), picture(&self.input));
            let tiles = &self.tiles[..self.tiles.len() / self.together * (last - first)];
            self.filter
                .weights(cpu, x, (&dy, picture(&self.output)), tiles, sums);
            if let (Some(gradient), Some(dx)) = (&self.dx, dx.as_deref_mut()) {
                let dx = &mut dx[(first - start) * conv.in_len()..(last - start) * conv.in_len()];
                let pass = Forward {
                    x: &dy,
                    source: picture(&self.output),
                    tiles: &gradient.tiles[..gradient.tiles.len() / self.together * (last - first)],
                    panels: &gradient.panels,
                    end: End {
                        bias: None,
                        relu: false,
                        target: Picture {
                            row_len: conv.spec().in_w * conv.spec().in_c,
                            channels: conv.spec().in_c,
                        },
                    },
                };
                gradient.filter.forward(cpu, &pass, dx);
            }
        }
    }
}

impl<'a> InputGradient<'a> {
    fn new(
        cpu: &'a Cpu,
        conv: &Conv2d,
        filter: Filter,
        output: &Padded,
        together: usize,
        w: &[f32],
    ) -> Self {
        let s = conv.spec();
        let filter = Filter {
            taps: filter.taps,
            in_c: s.out_c,
            out_c: s.in_c,
        };
        let mut flipped = cpu.scratch(w.len());
        let plane = s.in_c * s.out_c;
        for (to, from) in flipped
            .chunks_exact_mut(plane)
            .zip(w.chunks_exact(plane).rev())
        {
            for (o, to) in to.chunks_exact_mut(s.in_c).enumerate() {
                for (to, from) in to.iter_mut().zip(from[o..].iter().step_by(s.out_c)) {
                    *to = *from;
                }
            }
        }
        let mut panels = cpu.scratch(filter.panels_len());
        filter.pack(cpu, &flipped, &mut panels);
        let tiles = tiles(together, (s.in_h, s.in_w), |image, row, column| {
            (
                (image * output.len()) as u32 + output.at(row, column),
                (image * conv.in_len() + (row * s.in_w + column) * s.in_c) as u32,
            )
        });
        Self {
            filter,
            panels,
            tiles,
        }
    }
}
