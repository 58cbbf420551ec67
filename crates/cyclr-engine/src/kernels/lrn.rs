//! Local response normalisation within each channel, as Caffe has it.

use super::{GeometryError, checked_len, images, nonzero};
use crate::cpu::Cpu;

/// `y = x · s^-β` with `s = 1 + α · mean(x²)`, the mean over a square window of the same channel around each pixel.
/// The window is padded by zeros, and its sum always divided by its full area (Caffe's `WITHIN_CHANNEL`).
#[derive(Clone, Debug, PartialEq)]
pub struct Lrn {
    h: usize,
    w: usize,
    channels: usize,
    size: usize,
    alpha: f32,
    beta: f32,
}

impl Lrn {
    /// Checks the sizes and constants: an odd window, α >= 0, β > 0.
    ///
    /// # Errors
    /// [`GeometryError`] where a size is 0 or a constant outside its range.
    pub fn new(
        (h, w, channels): (usize, usize, usize),
        size: usize,
        alpha: f32,
        beta: f32,
    ) -> Result<Self, GeometryError> {
        nonzero(&[
            ("the height of the input", h),
            ("the width of the input", w),
            ("the number of channels", channels),
        ])?;
        checked_len("the input", &[h, w, channels])?;
        let constant = |what, value, range, good| {
            if good {
                Ok(())
            } else {
                Err(GeometryError::Constant { what, value, range })
            }
        };
        constant(
            "the window of the normalisation",
            size as f64,
            "odd and at most 255",
            size % 2 == 1 && size < 256,
        )?;
        constant(
            "alpha",
            f64::from(alpha),
            "finite and at least 0",
            alpha.is_finite() && alpha >= 0.0,
        )?;
        constant(
            "beta",
            f64::from(beta),
            "finite and above 0",
            beta.is_finite() && beta > 0.0,
        )?;
        Ok(Self {
            h,
            w,
            channels,
            size,
            alpha,
            beta,
        })
    }

    /// Numbers in one image.
    pub fn image_len(&self) -> usize {
        self.h * self.w * self.channels
    }

    /// Computes the normalised images.
    pub fn forward(&self, cpu: &Cpu, x: &[f32], y: &mut [f32]) {
        images(x.len(), self.image_len());
        assert_eq!(y.len(), x.len(), "the length of the output");
        let tasks = x
            .chunks(self.image_len())
            .zip(y.chunks_mut(self.image_len()))
            .collect();
        cpu.run(tasks, |(x, y): (&[f32], &mut [f32])| {
            let s = self.scales(x);
            for ((y, x), s) in y.iter_mut().zip(x).zip(s) {
                *y = x * libm::powf(s, -self.beta);
            }
        });
    }

    /// Computes the gradient of the input from the input and the gradient of the output.
    pub fn backward(&self, cpu: &Cpu, x: &[f32], dy: &[f32], dx: &mut [f32]) {
        images(x.len(), self.image_len());
        assert_eq!(dy.len(), x.len(), "the length of the output's gradient");
        assert_eq!(dx.len(), x.len(), "the length of the input's gradient");
        let image = self.image_len();
        let tasks = x
            .chunks(image)
            .zip(dy.chunks(image).zip(dx.chunks_mut(image)))
            .collect();
        cpu.run(tasks, |(x, (dy, dx)): (&[f32], (&[f32], &mut [f32]))| {
            let s = self.scales(x);
            let pull: Vec<f32> = (0..image)
                .map(|i| dy[i] * x[i] * libm::powf(s[i], -self.beta - 1.0))
                .collect();
            let pull = self.window_sums(&pull);
            let factor = 2.0 * self.alpha * self.beta / (self.size * self.size) as f32;
            for i in 0..image {
                dx[i] = dy[i] * libm::powf(s[i], -self.beta) - factor * x[i] * pull[i];
            }
        });
    }

    fn scales(&self, x: &[f32]) -> Vec<f32> {
        let squares: Vec<f32> = x.iter().map(|x| x * x).collect();
        let factor = self.alpha / (self.size * self.size) as f32;
        self.window_sums(&squares)
            .into_iter()
            .map(|s| 1.0 + factor * s)
            .collect()
    }

    fn window_sums(&self, v: &[f32]) -> Vec<f32> {
        let (r, c) = (self.size / 2, self.channels);
        let mut sums = vec![0.0; v.len()];
        for y in 0..self.h {
            for x in 0..self.w {
                for yy in y.saturating_sub(r)..(y + r + 1).min(self.h) {
                    for xx in x.saturating_sub(r)..(x + r + 1).min(self.w) {
                        for i in 0..c {
                            sums[(y * self.w + x) * c + i] += v[(yy * self.w + xx) * c + i];
                        }
                    }
                }
            }
        }
        sums
    }
}
