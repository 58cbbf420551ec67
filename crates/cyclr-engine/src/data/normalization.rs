use super::{Examples, Shape};

/// How raw pixel values become what a net sees: `(pixel - mean) × scale`, with a mean and a scale
/// for each value of the image.
///
/// Means and deviations are taken over the examples given, which should be the training part after
/// the validation cut. The sums are whole numbers, so the result does not depend on any order.
/// Deviations are of the population (division by n), as in `numpy.std`. If the deviation is 0, the
/// scale is 1: a value that never varies becomes 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalization {
    mean: Vec<f32>,
    scale: Vec<f32>,
}

/// The whole-number sums of one value, over examples or over examples and pixels.
#[derive(Clone, Copy, Default)]
struct Sums {
    count: u64,
    sum: u64,
    squares: u64,
}

impl Normalization {
    /// `pixel / 255`: values from 0 to 1.
    pub fn unit(shape: Shape) -> Self {
        Self {
            mean: vec![0.0; shape.values()],
            scale: vec![1.0 / 255.0; shape.values()],
        }
    }

    /// Less the mean of that value over the examples, without scaling: what Caffe's CIFAR-10 nets
    /// are trained on.
    pub fn pixel_mean(examples: &Examples) -> Self {
        let sums = pixel_sums(examples);
        Self {
            mean: sums.iter().map(|s| s.mean() as f32).collect(),
            scale: vec![1.0; sums.len()],
        }
    }

    /// Mean 0 and deviation 1 for each value of the image over the examples.
    pub fn per_pixel(examples: &Examples) -> Self {
        Self::standard(pixel_sums(examples).into_iter())
    }

    /// Mean 0 and deviation 1 for each channel over the examples and all their pixels.
    pub fn per_channel(examples: &Examples) -> Self {
        let shape = examples.shape();
        let channels = channel_sums(&pixel_sums(examples), shape.channels);
        Self::standard(channels.into_iter().cycle().take(shape.values()))
    }

    /// Values in the images it is for.
    pub fn values(&self) -> usize {
        self.mean.len()
    }

    /// The mean taken off each value, in pixel units (0 to 255).
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// What each value is then multiplied by.
    pub fn scale(&self) -> &[f32] {
        &self.scale
    }

    /// From constants that were kept: one for each value of the image, or one for each channel.
    pub(crate) fn of_constants(mean: &[f32], scale: &[f32], shape: Shape) -> Option<Self> {
        let fits = |constants: &[f32]| {
            [shape.channels, shape.values()].contains(&constants.len())
                && constants.iter().all(|c| c.is_finite())
        };
        let all = |constants: &[f32]| {
            constants
                .iter()
                .copied()
                .cycle()
                .take(shape.values())
                .collect()
        };
        (fits(mean) && fits(scale)).then(|| Self {
            mean: all(mean),
            scale: all(scale),
        })
    }

    /// Mean and scale as [`Normalization::of_constants`] takes them, for each channel if that says
    /// all.
    pub(crate) fn constants(&self, channels: usize) -> [&[f32]; 2] {
        let by_channel = |constants: &[f32]| {
            let mut pixels = constants.chunks_exact(channels);
            let first = pixels.next();
            pixels.all(|pixel| Some(pixel) == first)
        };
        if by_channel(&self.mean) && by_channel(&self.scale) {
            [&self.mean[..channels], &self.scale[..channels]]
        } else {
            [&self.mean, &self.scale]
        }
    }

    fn standard(sums: impl Iterator<Item = Sums>) -> Self {
        let (mean, scale) = sums
            .map(|s| {
                let deviation = s.deviation();
                let scale = if deviation > 0.0 {
                    1.0 / deviation
                } else {
                    1.0
                };
                (s.mean() as f32, scale as f32)
            })
            .unzip();
        Self { mean, scale }
    }

    pub(crate) fn apply(&self, image: &[u8], out: &mut [f32]) {
        let constants = self.mean.iter().zip(&self.scale);
        for ((out, &pixel), (&mean, &scale)) in out.iter_mut().zip(image).zip(constants) {
            *out = (f32::from(pixel) - mean) * scale;
        }
    }
}

impl Sums {
    fn mean(self) -> f64 {
        self.sum as f64 / self.count.max(1) as f64
    }

    /// From `n·Σx² - (Σx)²`, which is exact in whole numbers, so that it cannot cancel.
    fn deviation(self) -> f64 {
        let n = u128::from(self.count.max(1));
        let deviations = n * u128::from(self.squares) - u128::from(self.sum) * u128::from(self.sum);
        (deviations as f64).sqrt() / n as f64
    }
}

/// Mean and deviation of each channel, in pixel units.
pub(super) fn channel_statistics(examples: &Examples) -> Vec<(f64, f64)> {
    channel_sums(&pixel_sums(examples), examples.shape().channels)
        .iter()
        .map(|s| (s.mean(), s.deviation()))
        .collect()
}

fn channel_sums(pixels: &[Sums], channels: usize) -> Vec<Sums> {
    let mut sums = vec![Sums::default(); channels];
    for (pixel, channel) in pixels.iter().zip((0..channels).cycle()) {
        sums[channel].count += pixel.count;
        sums[channel].sum += pixel.sum;
        sums[channel].squares += pixel.squares;
    }
    sums
}

/// Sums over at most `FLUSH` images fit 32 bits (255² × 2¹⁶ < 2³²), which the compiler adds many
/// at a time.
const FLUSH: usize = 1 << 16;

fn pixel_sums(examples: &Examples) -> Vec<Sums> {
    let values = examples.shape().values();
    let mut totals = vec![Sums::default(); values];
    let all: Vec<u32> = (0..examples.len() as u32).collect();
    for picks in all.chunks(FLUSH) {
        let mut sum = vec![0_u32; values];
        let mut squares = vec![0_u32; values];
        for &pick in picks {
            let sums = sum.iter_mut().zip(&mut squares);
            for ((sum, squares), &pixel) in sums.zip(examples.image(pick)) {
                let pixel = u32::from(pixel);
                *sum += pixel;
                *squares += pixel * pixel;
            }
        }
        for (total, (sum, squares)) in totals.iter_mut().zip(sum.into_iter().zip(squares)) {
            total.count += picks.len() as u64;
            total.sum += u64::from(sum);
            total.squares += u64::from(squares);
        }
    }
    totals
}
