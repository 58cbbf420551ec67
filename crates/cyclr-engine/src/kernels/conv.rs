//! Two-dimensional convolution.

use std::ops::Range;

use super::lanes::{Lanes, at_level};
use super::tiles::{
    Gather, Outer, Segment, add_unpacked, gather, outer, pack, pack_rows, panels_len,
};
use super::{GeometryError, checked_len, images, images_a_task, nonzero};
use crate::cpu::{Cpu, Scratch};

/// The sizes of a convolution. Pairs are (vertical, horizontal).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Conv2dSpec {
    /// Rows of the input image.
    pub in_h: usize,
    /// Columns of the input image.
    pub in_w: usize,
    /// Channels of the input image.
    pub in_c: usize,
    /// Channels of the output image.
    pub out_c: usize,
    /// The window.
    pub kernel: (usize, usize),
    /// How far the window moves from one output pixel to the next.
    pub stride: (usize, usize),
    /// Zeros around the input, on each side.
    pub pad: (usize, usize),
}

/// A convolution (a cross-correlation, as everywhere in deep learning) of checked geometry:
/// `y[oy][ox][o] = bias[o] + Σ x[oy·stride + ky - pad][ox·stride + kx - pad][i] · w[ky][kx][i][o]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Conv2d {
    spec: Conv2dSpec,
    out_h: usize,
    out_w: usize,
}

/// What a convolution reads on the way forward.
#[derive(Clone, Copy, Debug)]
pub struct ConvForward<'a> {
    /// The input images.
    pub x: &'a [f32],
    /// The weights, `[kernel row][kernel column][in_c][out_c]`.
    pub w: &'a [f32],
    /// One number for each output channel, where there is a bias.
    pub bias: Option<&'a [f32]>,
    /// Whether a ReLU follows; it then costs nothing.
    pub relu: bool,
}

/// What a convolution reads on the way back.
#[derive(Clone, Copy, Debug)]
pub struct ConvBackward<'a> {
    /// The input images.
    pub x: &'a [f32],
    /// The weights.
    pub w: &'a [f32],
    /// The gradient of the output.
    pub dy: &'a [f32],
    /// The output, where the forward pass had its ReLU; the gradient then passes only where the output is positive.
    pub relu_y: Option<&'a [f32]>,
}

impl Conv2d {
    /// Checks the sizes.
    ///
    /// # Errors
    /// [`GeometryError`] where a size is 0, the window does not fit, or an array would be too large.
    pub fn new(spec: Conv2dSpec) -> Result<Self, GeometryError> {
        nonzero(&[
            ("the height of the input", spec.in_h),
            ("the width of the input", spec.in_w),
            ("the number of input channels", spec.in_c),
            ("the number of output channels", spec.out_c),
            ("the height of the kernel", spec.kernel.0),
            ("the width of the kernel", spec.kernel.1),
            ("the vertical stride", spec.stride.0),
            ("the horizontal stride", spec.stride.1),
        ])?;
        let out_h = out_size(spec.in_h, spec.kernel.0, spec.stride.0, spec.pad.0)?;
        let out_w = out_size(spec.in_w, spec.kernel.1, spec.stride.1, spec.pad.1)?;
        checked_len("the output", &[out_h, out_w, spec.out_c])?;
        checked_len(
            "the weights",
            &[spec.kernel.0, spec.kernel.1, spec.in_c, spec.out_c],
        )?;
        let padded = (spec.in_h + 2 * spec.pad.0, spec.in_w + 2 * spec.pad.1);
        let padded = checked_len("the padded input", &[padded.0, padded.1, spec.in_c])?;
        let reach = (
            out_h + spec.in_h + spec.kernel.0,
            out_w + spec.in_w + spec.kernel.1,
        );
        let padded_gradient = checked_len("the padded gradient", &[reach.0, reach.1, spec.out_c])?;
        // Places inside a padded image are kept in 32 bits.
        if padded.max(padded_gradient) > u32::MAX as usize {
            return Err(GeometryError::TooLarge {
                what: "one padded image",
            });
        }
        Ok(Self { spec, out_h, out_w })
    }

    /// The sizes it was made with.
    pub fn spec(&self) -> &Conv2dSpec {
        &self.spec
    }

    /// Rows of the output image: `floor((in_h + 2·pad - kernel) / stride) + 1`.
    pub fn out_h(&self) -> usize {
        self.out_h
    }

    /// Columns of the output image.
    pub fn out_w(&self) -> usize {
        self.out_w
    }

    /// Numbers in one input image.
    pub fn in_len(&self) -> usize {
        self.spec.in_h * self.spec.in_w * self.spec.in_c
    }

    /// Numbers in one output image.
    pub fn out_len(&self) -> usize {
        self.out_h * self.out_w * self.spec.out_c
    }

    /// Numbers in the weights.
    pub fn weights_len(&self) -> usize {
        self.spec.kernel.0 * self.spec.kernel.1 * self.spec.in_c * self.spec.out_c
    }

    /// Multiplications of one image on the way forward; a pass takes twice as many floating-point operations.
    pub fn multiplications(&self) -> usize {
        self.out_h * self.out_w * self.weights_len()
    }

    /// Computes the output images.
    pub fn forward(&self, cpu: &Cpu, input: ConvForward<'_>, y: &mut [f32]) {
        let batch = images(input.x.len(), self.in_len());
        assert_eq!(y.len(), batch * self.out_len(), "the length of the output");
        assert_eq!(
            input.w.len(),
            self.weights_len(),
            "the length of the weights"
        );
        if let Some(bias) = input.bias {
            assert_eq!(bias.len(), self.spec.out_c, "the length of the bias");
        }
        let s = &self.spec;
        let mut panels = cpu.scratch(panels_len(self.depth(), s.out_c));
        pack_rows(s.out_c, input.w, &mut panels);
        let source = self.padded_input();
        let mut from = Vec::with_capacity(self.out_h * self.out_w);
        for y in 0..self.out_h {
            for x in 0..self.out_w {
                from.push(source.at(y * s.stride.0, x * s.stride.1));
            }
        }
        let to: Vec<u32> = (0..self.out_h * self.out_w)
            .map(|p| (p * s.out_c) as u32)
            .collect();
        let segments: Vec<Segment> = source.rows(s.kernel).collect();
        let many = images_a_task(batch);
        let tasks = input
            .x
            .chunks(many * self.in_len())
            .zip(y.chunks_mut(many * self.out_len()));
        cpu.run(tasks.collect(), |(x, y)| {
            let mut padded = source.scratch(cpu);
            for (x, y) in x.chunks(self.in_len()).zip(y.chunks_mut(self.out_len())) {
                let g = Gather {
                    x: source.fill(cpu, x, &mut padded),
                    from: &from,
                    to: &to,
                    segments: &segments,
                    panels: &panels,
                    outs: s.out_c,
                    bias: input.bias,
                    relu: input.relu,
                };
                gather(cpu.level(), &g, y);
            }
        });
    }

    /// Computes the gradients: of the input into `dx` (where it is needed), and adds those of the weights and the bias
    /// to `dw` and `db`.
    pub fn backward(
        &self,
        cpu: &Cpu,
        input: ConvBackward<'_>,
        dx: Option<&mut [f32]>,
        dw: &mut [f32],
        db: Option<&mut [f32]>,
    ) {
        let batch = images(input.x.len(), self.in_len());
        assert_eq!(
            input.dy.len(),
            batch * self.out_len(),
            "the length of the output's gradient"
        );
        assert_eq!(
            input.w.len(),
            self.weights_len(),
            "the length of the weights"
        );
        assert_eq!(
            dw.len(),
            self.weights_len(),
            "the length of the weights' gradient"
        );
        if let Some(y) = input.relu_y {
            assert_eq!(y.len(), input.dy.len(), "the length of the output");
        }
        if let Some(dx) = &dx {
            assert_eq!(
                dx.len(),
                input.x.len(),
                "the length of the input's gradient"
            );
        }
        if let Some(db) = &db {
            assert_eq!(
                db.len(),
                self.spec.out_c,
                "the length of the bias's gradient"
            );
        }
        if batch == 0 {
            return;
        }
        let back = Back::new(cpu, self, &input, dx.is_some());
        let sums_len = back.sums_len();
        let many = batch.div_ceil(BACKWARD_TASKS);
        let mut sums = cpu.scratch(sums_len * batch.div_ceil(many));
        let images = many * self.in_len();
        let dx: Vec<Option<&mut [f32]>> = match dx {
            Some(dx) => dx.chunks_mut(images).map(Some).collect(),
            None => (0..batch.div_ceil(many)).map(|_| None).collect(),
        };
        let tasks = dx.into_iter().zip(sums.chunks_mut(sums_len)).enumerate();
        cpu.run(tasks.collect(), |(n, (dx, sums))| {
            sums.fill(0.0);
            let range = n * many..batch.min((n + 1) * many);
            back.images(cpu, &input, range, dx, sums);
        });
        self.add_sums(cpu, &sums, sums_len, dw, db);
    }

    /// Adds up the tasks' gradients of the weights and the bias, in the order of the tasks.
    fn add_sums(
        &self,
        cpu: &Cpu,
        sums: &[f32],
        sums_len: usize,
        dw: &mut [f32],
        db: Option<&mut [f32]>,
    ) {
        let out_c = self.spec.out_c;
        let depth = self.depth();
        let rows = depth.div_ceil(8);
        let tasks = dw.chunks_mut(rows * out_c).enumerate().collect();
        cpu.run(tasks, |(n, dw): (usize, &mut [f32])| {
            for sums in sums.chunks(sums_len) {
                add_unpacked(depth, out_c, sums, n * rows, dw);
            }
        });
        if let Some(db) = db {
            for sums in sums.chunks(sums_len) {
                for (db, sum) in db.iter_mut().zip(&sums[panels_len(depth, out_c)..]) {
                    *db += sum;
                }
            }
        }
    }

    /// Weights of one output.
    fn depth(&self) -> usize {
        self.spec.kernel.0 * self.spec.kernel.1 * self.spec.in_c
    }

    fn padded_input(&self) -> Padded {
        let s = &self.spec;
        Padded {
            size: (s.in_h, s.in_w),
            channels: s.in_c,
            before: s.pad,
            after: s.pad,
        }
    }
}

/// How many tasks the images of a batch are dealt to on the way back. Each has its own sums of the weights' gradient,
/// so this number, like every order of summation, must not depend on the number of threads.
const BACKWARD_TASKS: usize = 10;

/// An image with zeros around it.
#[derive(Clone, Copy, Debug)]
struct Padded {
    size: (usize, usize),
    channels: usize,
    before: (usize, usize),
    after: (usize, usize),
}

impl Padded {
    fn is_bare(&self) -> bool {
        (self.before, self.after) == ((0, 0), (0, 0))
    }

    fn row_len(&self) -> usize {
        (self.before.1 + self.size.1 + self.after.1) * self.channels
    }

    fn len(&self) -> usize {
        (self.before.0 + self.size.0 + self.after.0) * self.row_len()
    }

    /// Where a pixel of the padded image starts.
    fn at(&self, row: usize, column: usize) -> u32 {
        (row * self.row_len() + column * self.channels) as u32
    }

    /// Where the image itself starts.
    fn origin(&self) -> usize {
        self.before.0 * self.row_len() + self.before.1 * self.channels
    }

    /// A window's rows, counted from its first pixel.
    fn rows(self, (height, width): (usize, usize)) -> impl Iterator<Item = Segment> {
        (0..height).map(move |y| Segment {
            start: y * self.row_len(),
            len: width * self.channels,
        })
    }

    /// Memory for one padded image, all zeros, with room for one vector more.
    fn scratch<'a>(&self, cpu: &'a Cpu) -> Scratch<'a> {
        let mut memory = cpu.scratch(if self.is_bare() { 0 } else { self.len() });
        memory.fill(0.0);
        memory
    }

    /// The image padded, in `memory`; an image without padding is used where it is.
    fn fill<'a>(&self, _cpu: &Cpu, image: &'a [f32], memory: &'a mut [f32]) -> &'a [f32] {
        if self.is_bare() {
            return image;
        }
        let width = self.size.1 * self.channels;
        let rows = memory[self.origin()..].chunks_mut(self.row_len());
        for (to, from) in rows.zip(image.chunks_exact(width)) {
            to[..width].copy_from_slice(from);
        }
        memory
    }
}

/// What the way back needs for every image.
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

/// The input pixels that see the same weights: with a stride of 2, every other one. Their gradient is a convolution of
/// the padded output gradient with those weights, flipped.
struct Phase<'a> {
    from: Vec<u32>,
    to: Vec<u32>,
    segments: Vec<Segment>,
    panels: Scratch<'a>,
}

impl<'a> Back<'a> {
    fn new(cpu: &'a Cpu, conv: &'a Conv2d, input: &ConvBackward<'_>, needs_dx: bool) -> Self {
        let s = &conv.spec;
        let source = conv.padded_input();
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
                size: (conv.out_h, conv.out_w),
                channels: s.out_c,
                before: (0, 0),
                after: (0, 0),
            },
            offsets,
            phases: Vec::new(),
            gaps: s.kernel.0 < s.stride.0 || s.kernel.1 < s.stride.1,
        };
        if needs_dx {
            back.output.before = (
                s.kernel.0.div_ceil(s.stride.0) - 1,
                s.kernel.1.div_ceil(s.stride.1) - 1,
            );
            back.output.after = (
                ((s.in_h - 1 + s.pad.0) / s.stride.0).saturating_sub(conv.out_h - 1),
                ((s.in_w - 1 + s.pad.1) / s.stride.1).saturating_sub(conv.out_w - 1),
            );
            for y in 0..s.stride.0.min(s.kernel.0) {
                for x in 0..s.stride.1.min(s.kernel.1) {
                    let phase = back.phase(cpu, input.w, (y, x));
                    back.phases.extend((!phase.to.is_empty()).then_some(phase));
                }
            }
        }
        back
    }

    /// The input pixels whose place in the padded input is `(y, x)` modulo the stride.
    fn phase(&self, cpu: &'a Cpu, w: &[f32], (y, x): (usize, usize)) -> Phase<'a> {
        let s = &self.conv.spec;
        let taps = (
            (s.kernel.0 - y).div_ceil(s.stride.0),
            (s.kernel.1 - x).div_ceil(s.stride.1),
        );
        let places = |first: usize, size: usize, stride: usize, pad: usize| {
            (0..size)
                .filter(move |i| (i + pad) % stride == first)
                .map(move |i| (i, (i + pad) / stride))
        };
        let (mut from, mut to) = (Vec::new(), Vec::new());
        for (iy, oy) in places(y, s.in_h, s.stride.0, s.pad.0) {
            for (ix, ox) in places(x, s.in_w, s.stride.1, s.pad.1) {
                from.push(self.output.at(
                    oy + self.output.before.0 + 1 - taps.0,
                    ox + self.output.before.1 + 1 - taps.1,
                ));
                to.push(((iy * s.in_w + ix) * s.in_c) as u32);
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
            from,
            to,
            segments: self.output.rows(taps).collect(),
            panels,
        }
    }

    /// Numbers of one task's sums: the weights', packed, and the bias's.
    fn sums_len(&self) -> usize {
        let out_c = self.conv.spec.out_c;
        panels_len(self.conv.depth(), out_c) + out_c
    }

    fn images(
        &self,
        cpu: &Cpu,
        input: &ConvBackward<'_>,
        range: Range<usize>,
        mut dx: Option<&mut [f32]>,
        sums: &mut [f32],
    ) {
        let (conv, s) = (self.conv, &self.conv.spec);
        let (sums, bias) = sums.split_at_mut(panels_len(conv.depth(), s.out_c));
        let mut x_memory = self.input.scratch(cpu);
        let mut dy = cpu.scratch(self.output.len() + 8);
        dy.fill(0.0);
        for (place, n) in range.enumerate() {
            let out = n * conv.out_len()..(n + 1) * conv.out_len();
            let staged = Staged {
                output: &self.output,
                dy: &input.dy[out.clone()],
                relu_y: input.relu_y.map(|y| &y[out]),
            };
            stage(cpu.level(), &staged, &mut dy, bias);
            let x = &input.x[n * conv.in_len()..(n + 1) * conv.in_len()];
            let o = Outer {
                x: self.input.fill(cpu, x, &mut x_memory),
                dy: &dy[self.output.origin()..],
                grid: (conv.out_h, conv.out_w),
                x_steps: (s.stride.0 * self.input.row_len(), s.stride.1 * s.in_c),
                dy_steps: (self.output.row_len(), s.out_c),
                offsets: &self.offsets,
                outs: s.out_c,
            };
            outer(cpu.level(), &o, sums);
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
            let g = Gather {
                x: dy,
                from: &phase.from,
                to: &phase.to,
                segments: &phase.segments,
                panels: &phase.panels,
                outs: self.conv.spec.in_c,
                bias: None,
                relu: false,
            };
            gather(cpu.level(), &g, dx);
        }
    }
}

/// The output gradient of one image on its way into padded memory.
struct Staged<'a> {
    output: &'a Padded,
    dy: &'a [f32],
    relu_y: Option<&'a [f32]>,
}

at_level! {
    /// Copies the output gradient, as far as the ReLU lets it pass, into padded memory, and adds it to the bias's.
    fn stage(staged: &Staged<'_>, memory: &mut [f32], bias: &mut [f32]) = stage_image
}

#[inline(always)]
fn stage_image<L: Lanes>(_: L, staged: &Staged<'_>, memory: &mut [f32], bias: &mut [f32]) {
    let Staged { output, dy, relu_y } = staged;
    let width = output.size.1 * output.channels;
    let rows = memory[output.origin()..].chunks_mut(output.row_len());
    for (n, (to, dy)) in rows.zip(dy.chunks_exact(width)).enumerate() {
        let to = &mut to[..width];
        match relu_y {
            Some(y) => {
                for ((to, dy), y) in to.iter_mut().zip(dy).zip(&y[n * width..][..width]) {
                    *to = if *y > 0.0 { *dy } else { 0.0 };
                }
            }
            None => to.copy_from_slice(dy),
        }
        for pixel in to.chunks_exact(bias.len()) {
            for (sum, dy) in bias.iter_mut().zip(pixel) {
                *sum += dy;
            }
        }
    }
}

fn out_size(
    image: usize,
    window: usize,
    stride: usize,
    pad: usize,
) -> Result<usize, GeometryError> {
    let padded = pad.checked_mul(2).and_then(|p| p.checked_add(image));
    let padded = padded.ok_or(GeometryError::TooLarge {
        what: "the padded input",
    })?;
    let room = padded
        .checked_sub(window)
        .ok_or(GeometryError::Window { window, image, pad })?;
    Ok(room / stride + 1)
}
