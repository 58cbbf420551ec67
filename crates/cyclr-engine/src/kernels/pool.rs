//! Max and average pooling.

use std::ops::Range;

use super::lanes::{Lanes, at_level};
use super::{GeometryError, checked_len, images, images_a_task, nonzero};
use crate::cpu::Cpu;

/// The sizes of a pool. Pairs are (vertical, horizontal).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PoolSpec {
    /// Rows of the input image.
    pub in_h: usize,
    /// Columns of the input image.
    pub in_w: usize,
    /// Channels of both images.
    pub channels: usize,
    /// The window.
    pub kernel: (usize, usize),
    /// How far the window moves from one output pixel to the next.
    pub stride: (usize, usize),
    /// Padding on each side, less than the window. It never wins a maximum.
    pub pad: (usize, usize),
    /// Whether the last window may reach past the padded image, so that nothing is left over: Caffe's way, and
    /// `ceil_mode` in torch. A window always starts inside the image or its leading padding.
    pub ceil: bool,
}

/// What the sum over a window is divided by, in average pooling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Divisor {
    /// The part of the window inside the *padded* image: Caffe, and torch's `count_include_pad = True`. Without
    /// padding that is the part inside the image.
    Padded,
    /// The part of the window inside the image: torch's `count_include_pad = False`.
    Inside,
}

/// A max pool of checked geometry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MaxPool {
    geometry: Geometry,
}

/// An average pool of checked geometry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AvgPool {
    geometry: Geometry,
    divisor: Divisor,
}

impl MaxPool {
    /// Checks the sizes.
    ///
    /// # Errors
    /// [`GeometryError`] where a size is 0, the window does not fit or has more than 256 cells, or the padding is as
    /// large as the window.
    pub fn new(spec: PoolSpec) -> Result<Self, GeometryError> {
        let geometry = Geometry::new(spec)?;
        let cells = spec.kernel.0 * spec.kernel.1;
        if cells > 256 {
            return Err(GeometryError::WindowCells { cells });
        }
        Ok(Self { geometry })
    }

    /// Rows of the output image.
    pub fn out_h(&self) -> usize {
        self.geometry.out_h
    }

    /// Columns of the output image.
    pub fn out_w(&self) -> usize {
        self.geometry.out_w
    }

    /// Numbers in one input image.
    pub fn in_len(&self) -> usize {
        self.geometry.in_len()
    }

    /// Numbers in one output image.
    pub fn out_len(&self) -> usize {
        self.geometry.out_len()
    }

    /// Computes the maxima, and for each of them its cell in the window (row by row from the window's first), which
    /// the way back needs. The first of equal cells wins, and a NaN wins over everything.
    pub fn forward(&self, cpu: &Cpu, x: &[f32], y: &mut [f32], argmax: &mut [u8]) {
        let batch = images(x.len(), self.in_len());
        assert_eq!(y.len(), batch * self.out_len(), "the length of the output");
        assert_eq!(argmax.len(), y.len(), "the length of the cells");
        let many = images_a_task(batch);
        let (image_in, image_out) = (many * self.in_len(), many * self.out_len());
        let outs = y.chunks_mut(image_out).zip(argmax.chunks_mut(image_out));
        cpu.run(
            x.chunks(image_in).zip(outs).collect(),
            |(x, (y, argmax))| {
                let outs = y
                    .chunks_mut(self.out_len())
                    .zip(argmax.chunks_mut(self.out_len()));
                for (x, (y, argmax)) in x.chunks(self.in_len()).zip(outs) {
                    max_forward(cpu.level(), &self.geometry, x, y, argmax);
                }
            },
        );
    }

    /// Sends each output's gradient to the input that won.
    pub fn backward(&self, cpu: &Cpu, dy: &[f32], argmax: &[u8], dx: &mut [f32]) {
        let batch = images(dx.len(), self.in_len());
        assert_eq!(
            dy.len(),
            batch * self.out_len(),
            "the length of the output's gradient"
        );
        assert_eq!(argmax.len(), dy.len(), "the length of the cells");
        let many = images_a_task(batch);
        let (image_in, image_out) = (many * self.in_len(), many * self.out_len());
        let outs = dy.chunks(image_out).zip(argmax.chunks(image_out));
        let over = self.geometry.windows_over_pixels();
        cpu.run(
            dx.chunks_mut(image_in).zip(outs).collect(),
            |(dx, (dy, argmax))| {
                let outs = dy.chunks(self.out_len()).zip(argmax.chunks(self.out_len()));
                for (dx, (dy, argmax)) in dx.chunks_mut(self.in_len()).zip(outs) {
                    max_backward(cpu.level(), &self.geometry, &over, dy, argmax, dx);
                }
            },
        );
    }
}

impl AvgPool {
    /// Checks the sizes.
    ///
    /// # Errors
    /// [`GeometryError`] where a size is 0, the window does not fit, or the padding is as large as the window.
    pub fn new(spec: PoolSpec, divisor: Divisor) -> Result<Self, GeometryError> {
        Ok(Self {
            geometry: Geometry::new(spec)?,
            divisor,
        })
    }

    /// One window that is the whole image: global average pooling.
    ///
    /// # Errors
    /// [`GeometryError`] where a size is 0.
    pub fn global(in_h: usize, in_w: usize, channels: usize) -> Result<Self, GeometryError> {
        let spec = PoolSpec {
            in_h,
            in_w,
            channels,
            kernel: (in_h, in_w),
            stride: (1, 1),
            pad: (0, 0),
            ceil: false,
        };
        Self::new(spec, Divisor::Inside)
    }

    /// Rows of the output image.
    pub fn out_h(&self) -> usize {
        self.geometry.out_h
    }

    /// Columns of the output image.
    pub fn out_w(&self) -> usize {
        self.geometry.out_w
    }

    /// Numbers in one input image.
    pub fn in_len(&self) -> usize {
        self.geometry.in_len()
    }

    /// Numbers in one output image.
    pub fn out_len(&self) -> usize {
        self.geometry.out_len()
    }

    /// Computes the averages.
    pub fn forward(&self, cpu: &Cpu, x: &[f32], y: &mut [f32]) {
        let batch = images(x.len(), self.in_len());
        assert_eq!(y.len(), batch * self.out_len(), "the length of the output");
        let many = images_a_task(batch);
        let factors = self.factors();
        let tasks = x
            .chunks(many * self.in_len())
            .zip(y.chunks_mut(many * self.out_len()));
        cpu.run(tasks.collect(), |(x, y)| {
            for (x, y) in x.chunks(self.in_len()).zip(y.chunks_mut(self.out_len())) {
                average_forward(cpu.level(), &self.geometry, &factors, x, y);
            }
        });
    }

    /// Spreads each output's gradient evenly over its window.
    pub fn backward(&self, cpu: &Cpu, dy: &[f32], dx: &mut [f32]) {
        let batch = images(dx.len(), self.in_len());
        assert_eq!(
            dy.len(),
            batch * self.out_len(),
            "the length of the output's gradient"
        );
        let many = images_a_task(batch);
        let factors = self.factors();
        let over = self.geometry.windows_over_pixels();
        let tasks = dx
            .chunks_mut(many * self.in_len())
            .zip(dy.chunks(many * self.out_len()));
        cpu.run(tasks.collect(), |(dx, dy)| {
            for (dx, dy) in dx.chunks_mut(self.in_len()).zip(dy.chunks(self.out_len())) {
                average_backward(cpu.level(), &self.geometry, &over, &factors, dy, dx);
            }
        });
    }

    /// What each window's sum is multiplied by.
    fn factors(&self) -> Vec<f32> {
        (0..self.out_h() * self.out_w())
            .map(|pixel| self.factor(pixel))
            .collect()
    }

    /// What a window's sum is multiplied by.
    fn factor(&self, pixel: usize) -> f32 {
        let g = &self.geometry;
        let (oy, ox) = (pixel / g.out_w, pixel % g.out_w);
        let count = |o: usize, image: usize, window: usize, stride: usize, pad: usize| {
            let start = o * stride;
            match self.divisor {
                Divisor::Padded => (start + window).min(image + 2 * pad) - start,
                Divisor::Inside => (start + window).min(image + pad) - start.max(pad),
            }
        };
        let s = &g.spec;
        let rows = count(oy, s.in_h, s.kernel.0, s.stride.0, s.pad.0);
        let columns = count(ox, s.in_w, s.kernel.1, s.stride.1, s.pad.1);
        1.0 / (rows * columns) as f32
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Geometry {
    spec: PoolSpec,
    out_h: usize,
    out_w: usize,
}

impl Geometry {
    fn new(spec: PoolSpec) -> Result<Self, GeometryError> {
        nonzero(&[
            ("the height of the input", spec.in_h),
            ("the width of the input", spec.in_w),
            ("the number of channels", spec.channels),
            ("the height of the window", spec.kernel.0),
            ("the width of the window", spec.kernel.1),
            ("the vertical stride", spec.stride.0),
            ("the horizontal stride", spec.stride.1),
        ])?;
        checked_len("the input", &[spec.in_h, spec.in_w, spec.channels])?;
        checked_len("the window", &[spec.kernel.0, spec.kernel.1])?;
        let out_h = out_size(
            spec.in_h,
            spec.kernel.0,
            spec.stride.0,
            spec.pad.0,
            spec.ceil,
        )?;
        let out_w = out_size(
            spec.in_w,
            spec.kernel.1,
            spec.stride.1,
            spec.pad.1,
            spec.ceil,
        )?;
        checked_len("the output", &[out_h, out_w, spec.channels])?;
        Ok(Self { spec, out_h, out_w })
    }

    fn in_len(&self) -> usize {
        self.spec.in_h * self.spec.in_w * self.spec.channels
    }

    fn out_len(&self) -> usize {
        self.out_h * self.out_w * self.spec.channels
    }

    /// The part of a window inside the image: rows, and columns.
    fn inside(&self, oy: usize, ox: usize) -> (Range<usize>, Range<usize>) {
        let s = &self.spec;
        let part = |o: usize, size: usize, window: usize, stride: usize, pad: usize| {
            (o * stride).saturating_sub(pad)..(o * stride + window - pad).min(size)
        };
        (
            part(oy, s.in_h, s.kernel.0, s.stride.0, s.pad.0),
            part(ox, s.in_w, s.kernel.1, s.stride.1, s.pad.1),
        )
    }

    /// A pixel's cell in a window over it.
    fn cell(&self, (oy, ox): (usize, usize), (iy, ix): (usize, usize)) -> usize {
        let s = &self.spec;
        (iy + s.pad.0 - oy * s.stride.0) * s.kernel.1 + ix + s.pad.1 - ox * s.stride.1
    }

    fn windows_over_pixels(&self) -> Windows {
        let s = &self.spec;
        let over = |size: usize, window: usize, stride: usize, pad: usize, out: usize| {
            let first = move |i: usize| (i + pad + 1).saturating_sub(window).div_ceil(stride);
            (0..size)
                .map(|i| first(i)..((i + pad) / stride + 1).min(out))
                .collect()
        };
        Windows {
            rows: over(s.in_h, s.kernel.0, s.stride.0, s.pad.0, self.out_h),
            columns: over(s.in_w, s.kernel.1, s.stride.1, s.pad.1, self.out_w),
        }
    }
}

/// The windows over each row and each column of the input.
struct Windows {
    rows: Vec<Range<usize>>,
    columns: Vec<Range<usize>>,
}

at_level! {
    fn max_forward(g: &Geometry, x: &[f32], y: &mut [f32], argmax: &mut [u8]) = max_forward_image
}

#[inline(always)]
fn max_forward_image<L: Lanes>(_: L, g: &Geometry, x: &[f32], y: &mut [f32], argmax: &mut [u8]) {
    let c = g.spec.channels;
    for (pixel, (y, argmax)) in y
        .chunks_exact_mut(c)
        .zip(argmax.chunks_exact_mut(c))
        .enumerate()
    {
        let window = (pixel / g.out_w, pixel % g.out_w);
        let (rows, columns) = g.inside(window.0, window.1);
        let eights = y.chunks_mut(EIGHT).zip(argmax.chunks_mut(EIGHT));
        for (block, (y, argmax)) in eights.enumerate() {
            let lanes = y.len();
            let mut best = L::splat(f32::NEG_INFINITY);
            let mut winner = L::splat(g.cell(window, (rows.start, columns.start)) as f32);
            for iy in rows.clone() {
                for ix in columns.clone() {
                    let x = &x[(iy * g.spec.in_w + ix) * c + block * EIGHT..][..lanes];
                    // SAFETY: the slice has that many numbers.
                    let x = unsafe {
                        if lanes == EIGHT {
                            L::load(x.as_ptr())
                        } else {
                            L::load_first(x.as_ptr(), lanes)
                        }
                    };
                    let cell = L::splat(g.cell(window, (iy, ix)) as f32);
                    (best, winner) = L::take_larger(x, best, cell, winner);
                }
            }
            let mut cells = [0.0; EIGHT];
            // SAFETY: the array has eight numbers, and `y` as many as it has lanes.
            unsafe {
                L::store(cells.as_mut_ptr(), winner);
                L::store_first(y.as_mut_ptr(), best, lanes);
            }
            for (argmax, cell) in argmax.iter_mut().zip(cells) {
                *argmax = cell as u8;
            }
        }
    }
}

/// Channels that are looked at together.
const EIGHT: usize = 8;

at_level! {
    fn max_backward(g: &Geometry, over: &Windows, dy: &[f32], argmax: &[u8], dx: &mut [f32]) = max_backward_image
}

#[inline(always)]
fn max_backward_image<L: Lanes>(
    _: L,
    g: &Geometry,
    over: &Windows,
    dy: &[f32],
    argmax: &[u8],
    dx: &mut [f32],
) {
    let c = g.spec.channels;
    for (pixel, dx) in dx.chunks_exact_mut(c).enumerate() {
        let place = (pixel / g.spec.in_w, pixel % g.spec.in_w);
        dx.fill(0.0);
        for oy in over.rows[place.0].clone() {
            for ox in over.columns[place.1].clone() {
                let cell = g.cell((oy, ox), place) as u8;
                let start = (oy * g.out_w + ox) * c;
                let outs = dy[start..][..c].iter().zip(&argmax[start..][..c]);
                for (dx, (dy, winner)) in dx.iter_mut().zip(outs) {
                    *dx += if *winner == cell { *dy } else { 0.0 };
                }
            }
        }
    }
}

at_level! {
    fn average_forward(g: &Geometry, factors: &[f32], x: &[f32], y: &mut [f32]) = average_forward_image
}

#[inline(always)]
fn average_forward_image<L: Lanes>(_: L, g: &Geometry, factors: &[f32], x: &[f32], y: &mut [f32]) {
    let c = g.spec.channels;
    for (pixel, y) in y.chunks_exact_mut(c).enumerate() {
        let (rows, columns) = g.inside(pixel / g.out_w, pixel % g.out_w);
        y.fill(0.0);
        for iy in rows {
            for ix in columns.clone() {
                for (y, x) in y.iter_mut().zip(&x[(iy * g.spec.in_w + ix) * c..][..c]) {
                    *y += x;
                }
            }
        }
        for y in y.iter_mut() {
            *y *= factors[pixel];
        }
    }
}

at_level! {
    fn average_backward(g: &Geometry, over: &Windows, factors: &[f32], dy: &[f32], dx: &mut [f32]) = average_backward_image
}

#[inline(always)]
fn average_backward_image<L: Lanes>(
    _: L,
    g: &Geometry,
    over: &Windows,
    factors: &[f32],
    dy: &[f32],
    dx: &mut [f32],
) {
    let c = g.spec.channels;
    for (pixel, dx) in dx.chunks_exact_mut(c).enumerate() {
        dx.fill(0.0);
        for oy in over.rows[pixel / g.spec.in_w].clone() {
            for ox in over.columns[pixel % g.spec.in_w].clone() {
                let window = oy * g.out_w + ox;
                let factor = factors[window];
                for (dx, dy) in dx.iter_mut().zip(&dy[window * c..][..c]) {
                    *dx += dy * factor;
                }
            }
        }
    }
}

fn out_size(
    image: usize,
    window: usize,
    stride: usize,
    pad: usize,
    ceil: bool,
) -> Result<usize, GeometryError> {
    if pad >= window {
        return Err(GeometryError::Padding { window, pad });
    }
    let padded = pad.checked_mul(2).and_then(|p| p.checked_add(image));
    let padded = padded.ok_or(GeometryError::TooLarge {
        what: "the padded input",
    })?;
    let room = padded
        .checked_sub(window)
        .ok_or(GeometryError::Window { window, image, pad })?;
    if !ceil {
        return Ok(room / stride + 1);
    }
    let out = room.div_ceil(stride) + 1;
    // The last window must start inside the image or its leading padding.
    Ok(if (out - 1) * stride >= image + pad {
        out - 1
    } else {
        out
    })
}
