//! Max pooling.

use super::{Geometry, PoolSpec, Windows};
use crate::{
    cpu::Cpu,
    kernels::{
        GeometryError, images, images_a_task,
        lanes::{Lanes, Largest, WIDEST, at_level, load, store},
    },
};

/// A max pool of checked geometry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MaxPool {
    geometry: Geometry,
}

impl MaxPool {
    /// Checks the sizes.
    ///
    /// # Errors
    /// [`GeometryError`] if a size is 0, the window does not fit or has more than 256 cells, or
    /// the padding is as large as the window.
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

    /// Computes the maxima, and for each of them its cell in the window (row by row from the
    /// window's first), which the backward pass needs. The first of equal cells wins, and a NaN
    /// wins over everything.
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
                    max_forward(cpu.instructions(), &self.geometry, x, y, argmax);
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
                    max_backward(cpu.instructions(), &self.geometry, &over, dy, argmax, dx);
                }
            },
        );
    }
}

at_level! {
    fn max_forward(g: &Geometry, x: &[f32], y: &mut [f32], argmax: &mut [u8]) = max_forward_image
}

#[inline(always)]
fn max_forward_image<L: Largest>(_: L, g: &Geometry, x: &[f32], y: &mut [f32], argmax: &mut [u8]) {
    let c = g.spec.channels;
    for (pixel, (y, argmax)) in y
        .chunks_exact_mut(c)
        .zip(argmax.chunks_exact_mut(c))
        .enumerate()
    {
        let window = (pixel / g.out_w, pixel % g.out_w);
        let (rows, columns) = g.inside(window.0, window.1);
        let eights = y.chunks_mut(L::WIDTH).zip(argmax.chunks_mut(L::WIDTH));
        for (block, (y, argmax)) in eights.enumerate() {
            let lanes = y.len();
            let mut best = L::splat(f32::NEG_INFINITY);
            let mut winner = L::splat(g.cell(window, (rows.start, columns.start)) as f32);
            for iy in rows.clone() {
                for ix in columns.clone() {
                    let x = &x[(iy * g.spec.in_w + ix) * c + block * L::WIDTH..][..lanes];
                    // SAFETY: the slice has that many numbers.
                    let x = unsafe { load::<L>(x.as_ptr(), lanes) };
                    let cell = L::splat(g.cell(window, (iy, ix)) as f32);
                    (best, winner) = L::take_larger(x, best, cell, winner);
                }
            }
            let mut cells = [0.0; WIDEST];
            // SAFETY: the array has enough numbers, and `y` as many as it has lanes.
            unsafe {
                L::store(cells.as_mut_ptr(), winner);
                store::<L>(y.as_mut_ptr(), best, lanes);
            }
            for (argmax, cell) in argmax.iter_mut().zip(cells) {
                *argmax = cell as u8;
            }
        }
    }
}

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
