//! From stored pixels to inputs.

use super::images;
use crate::cpu::Cpu;

/// `y = (pixel - mean) · inv_std` for images of bytes (0 to 255), NHWC. `mean` and `inv_std` have one number for each
/// channel, or one for each number of an image.
pub fn normalize(cpu: &Cpu, pixels: &[u8], mean: &[f32], inv_std: &[f32], y: &mut [f32]) {
    let period = mean.len();
    assert_eq!(inv_std.len(), period, "the length of the factors");
    assert_eq!(y.len(), pixels.len(), "the length of the output");
    images(pixels.len(), period);
    // Long enough to be worth a task, and a whole number of periods.
    let chunk = period * (16_384usize.div_ceil(period));
    let tasks = pixels.chunks(chunk).zip(y.chunks_mut(chunk)).collect();
    cpu.run(tasks, |(pixels, y): (&[u8], &mut [f32])| {
        for (pixels, y) in pixels.chunks(period).zip(y.chunks_mut(period)) {
            for (((y, &p), m), s) in y.iter_mut().zip(pixels).zip(mean).zip(inv_std) {
                *y = (f32::from(p) - m) * s;
            }
        }
    });
}
