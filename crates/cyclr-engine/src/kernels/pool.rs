//! Max and average pooling.

use super::{GeometryError, checked_len, images, nonzero};
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
        let tasks = x
            .chunks(self.in_len())
            .zip(
                y.chunks_mut(self.out_len())
                    .zip(argmax.chunks_mut(self.out_len())),
            )
            .collect();
        let g = &self.geometry;
        cpu.run(
            tasks,
            |(x, (y, argmax)): (&[f32], (&mut [f32], &mut [u8]))| {
                y.fill(f32::NEG_INFINITY);
                argmax.fill(0);
                let mut seen = vec![false; y.len()];
                g.each_cell(|input, output, cell| {
                    for c in 0..g.spec.channels {
                        let (v, o) = (x[input + c], output + c);
                        if !seen[o] || v > y[o] || (v.is_nan() && !y[o].is_nan()) {
                            (y[o], argmax[o], seen[o]) = (v, cell as u8, true);
                        }
                    }
                });
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
        let g = &self.geometry;
        let tasks = dx
            .chunks_mut(self.in_len())
            .zip(dy.chunks(self.out_len()).zip(argmax.chunks(self.out_len())))
            .collect();
        cpu.run(
            tasks,
            |(dx, (dy, argmax)): (&mut [f32], (&[f32], &[u8]))| {
                dx.fill(0.0);
                g.each_cell(|input, output, cell| {
                    for c in 0..g.spec.channels {
                        if usize::from(argmax[output + c]) == cell {
                            dx[input + c] += dy[output + c];
                        }
                    }
                });
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
        let g = &self.geometry;
        let tasks = x
            .chunks(self.in_len())
            .zip(y.chunks_mut(self.out_len()))
            .collect();
        cpu.run(tasks, |(x, y): (&[f32], &mut [f32])| {
            y.fill(0.0);
            g.each_cell(|input, output, _| {
                for c in 0..g.spec.channels {
                    y[output + c] += x[input + c];
                }
            });
            for (pixel, y) in y.chunks_mut(g.spec.channels).enumerate() {
                let factor = self.factor(pixel);
                y.iter_mut().for_each(|y| *y *= factor);
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
        let g = &self.geometry;
        let tasks = dx
            .chunks_mut(self.in_len())
            .zip(dy.chunks(self.out_len()))
            .collect();
        cpu.run(tasks, |(dx, dy): (&mut [f32], &[f32])| {
            dx.fill(0.0);
            g.each_cell(|input, output, _| {
                let factor = self.factor(output / g.spec.channels);
                for c in 0..g.spec.channels {
                    dx[input + c] += dy[output + c] * factor;
                }
            });
        });
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

    /// Calls with (offset of the input pixel, offset of the output pixel, cell) for each cell of each window that lies
    /// inside the image.
    fn each_cell(&self, mut cell: impl FnMut(usize, usize, usize)) {
        let s = &self.spec;
        for oy in 0..self.out_h {
            for ox in 0..self.out_w {
                for ky in 0..s.kernel.0 {
                    for kx in 0..s.kernel.1 {
                        let (iy, ix) = (oy * s.stride.0 + ky, ox * s.stride.1 + kx);
                        if iy < s.pad.0
                            || ix < s.pad.1
                            || iy - s.pad.0 >= s.in_h
                            || ix - s.pad.1 >= s.in_w
                        {
                            continue;
                        }
                        cell(
                            ((iy - s.pad.0) * s.in_w + ix - s.pad.1) * s.channels,
                            (oy * self.out_w + ox) * s.channels,
                            ky * s.kernel.1 + kx,
                        );
                    }
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
