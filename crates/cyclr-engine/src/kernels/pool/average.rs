//! Average pooling.

use super::{Geometry, PoolSpec, Windows};
use crate::{
    cpu::Cpu,
    kernels::{
        GeometryError, images, images_a_task,
        lanes::{Lanes, at_level},
    },
};

/// What the sum over a window is divided by, in average pooling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Divisor {
    /// The part of the window inside the *padded* image: Caffe, and torch's `count_include_pad =
    /// True`. Without padding that is the part inside the image.
    Padded,
    /// The part of the window inside the image: torch's `count_include_pad = False`.
    Inside,
}

/// An average pool of checked geometry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AvgPool {
    geometry: Geometry,
    divisor: Divisor,
}

impl AvgPool {
    /// Checks the sizes.
    ///
    /// # Errors
    /// [`GeometryError`] if a size is 0, the window does not fit, or the padding is as large as
    /// the window.
    pub fn new(spec: PoolSpec, divisor: Divisor) -> Result<Self, GeometryError> {
        Ok(Self {
            geometry: Geometry::new(spec)?,
            divisor,
        })
    }

    /// One window that is the whole image: global average pooling.
    ///
    /// # Errors
    /// [`GeometryError`] if a size is 0.
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
                average_forward(cpu.instructions(), &self.geometry, &factors, x, y);
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
                average_backward(cpu.instructions(), &self.geometry, &over, &factors, dy, dx);
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
