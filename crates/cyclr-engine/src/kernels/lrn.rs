//! Local response normalisation within each channel, as Caffe has it.

use super::lanes::{Lanes, at_level};
use super::{GeometryError, check_constant, checked_len, images, images_a_task, nonzero};
use crate::cpu::Cpu;

/// `y = x · s^-β` with `s = 1 + α · mean(x²)`, the mean over a square window of the same channel
/// around each pixel. The window is padded by zeros, and its sum always divided by its full area
/// (Caffe's `WITHIN_CHANNEL`).
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
    /// [`GeometryError`] if a size is 0 or a constant outside its range.
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
        check_constant(
            "the window of the normalisation",
            size as f64,
            "odd and at most 255",
            size % 2 == 1 && size < 256,
        )?;
        check_constant(
            "alpha",
            f64::from(alpha),
            "finite and at least 0",
            alpha.is_finite() && alpha >= 0.0,
        )?;
        check_constant(
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
        let image = self.image_len();
        let many = images_a_task(x.len() / image) * image;
        cpu.run(
            x.chunks(many).zip(y.chunks_mut(many)).collect(),
            |(x, y)| {
                let mut memory = cpu.scratch(2 * image);
                for (x, y) in x.chunks(image).zip(y.chunks_mut(image)) {
                    lrn_forward(cpu.instructions(), self, x, &mut memory, y);
                }
            },
        );
    }

    /// Computes the gradient of the input from the input and the gradient of the output.
    pub fn backward(&self, cpu: &Cpu, x: &[f32], dy: &[f32], dx: &mut [f32]) {
        images(x.len(), self.image_len());
        assert_eq!(dy.len(), x.len(), "the length of the output's gradient");
        assert_eq!(dx.len(), x.len(), "the length of the input's gradient");
        let image = self.image_len();
        let many = images_a_task(x.len() / image) * image;
        let tasks = x.chunks(many).zip(dy.chunks(many).zip(dx.chunks_mut(many)));
        cpu.run(tasks.collect(), |(x, (dy, dx))| {
            let mut memory = cpu.scratch(4 * image);
            let gradients = dy.chunks(image).zip(dx.chunks_mut(image));
            for (x, (dy, dx)) in x.chunks(image).zip(gradients) {
                lrn_backward(cpu.instructions(), self, x, dy, &mut memory, dx);
            }
        });
    }

    /// α divided by the area of the window.
    fn share(&self) -> f32 {
        self.alpha / (self.size * self.size) as f32
    }

    /// Replaces each scale s by `s^-β`.
    #[inline(always)]
    fn powers(&self, scales: &mut [f32]) {
        if self.beta == 0.75 {
            for s in scales {
                let root = s.sqrt();
                *s = 1.0 / (root * root.sqrt());
            }
        } else {
            for s in scales {
                *s = libm::powf(*s, -self.beta);
            }
        }
    }

    /// The sums over the window around each pixel: first along the rows, then along the columns.
    #[inline(always)]
    fn window_sums(&self, values: &[f32], rows: &mut [f32], sums: &mut [f32]) {
        let line = self.w * self.channels;
        for (values, sums) in values.chunks_exact(line).zip(rows.chunks_exact_mut(line)) {
            add_neighbours(values, self.channels, self.size / 2, sums);
        }
        add_neighbours(rows, line, self.size / 2, sums);
    }

    /// Each pixel's s; `squares` and `rows` are working memory.
    #[inline(always)]
    fn scales(&self, x: &[f32], squares: &mut [f32], rows: &mut [f32], s: &mut [f32]) {
        for (square, x) in squares.iter_mut().zip(x) {
            *square = x * x;
        }
        self.window_sums(squares, rows, s);
        let share = self.share();
        for s in s.iter_mut() {
            *s = 1.0 + share * *s;
        }
    }
}

at_level! {
    fn lrn_forward(lrn: &Lrn, x: &[f32], memory: &mut [f32], y: &mut [f32]) = forward_image
}

#[inline(always)]
fn forward_image<L: Lanes>(_: L, lrn: &Lrn, x: &[f32], memory: &mut [f32], y: &mut [f32]) {
    let (rows, s) = memory[..2 * x.len()].split_at_mut(x.len());
    lrn.scales(x, y, rows, s);
    lrn.powers(s);
    for ((y, x), power) in y.iter_mut().zip(x).zip(s) {
        *y = x * *power;
    }
}

at_level! {
    fn lrn_backward(lrn: &Lrn, x: &[f32], dy: &[f32], memory: &mut [f32], dx: &mut [f32]) = backward_image
}

#[inline(always)]
fn backward_image<L: Lanes>(
    _: L,
    lrn: &Lrn,
    x: &[f32],
    dy: &[f32],
    memory: &mut [f32],
    dx: &mut [f32],
) {
    let n = x.len();
    let (dy, dx) = (&dy[..n], &mut dx[..n]);
    let (rows, memory) = memory.split_at_mut(n);
    let (s, memory) = memory.split_at_mut(n);
    let (powers, memory) = memory.split_at_mut(n);
    let pull = &mut memory[..n];
    lrn.scales(x, dx, rows, s);
    powers.copy_from_slice(s);
    lrn.powers(powers);
    for i in 0..n {
        pull[i] = dy[i] * x[i] * powers[i] / s[i];
    }
    lrn.window_sums(pull, rows, s);
    let factor = 2.0 * lrn.beta * lrn.share();
    for i in 0..n {
        dx[i] = dy[i] * powers[i] - factor * x[i] * s[i];
    }
}

/// Each value and its neighbours at up to `reach` steps on both sides, added up.
#[inline(always)]
fn add_neighbours(values: &[f32], step: usize, reach: usize, sums: &mut [f32]) {
    sums.copy_from_slice(values);
    for far in (1..=reach)
        .map(|n| n * step)
        .take_while(|&far| far < values.len())
    {
        for (sum, value) in sums[far..].iter_mut().zip(values) {
            *sum += value;
        }
        for (sum, value) in sums.iter_mut().zip(&values[far..]) {
            *sum += value;
        }
    }
}
