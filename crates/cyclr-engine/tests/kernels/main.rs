//! Every kernel at every level against a plain loop in `f64`, over many odd shapes, and the same
//! bits at 1, 2, 3 and 8 threads.

mod conv;
mod dense;
mod loss;
mod lrn;
mod norm;
mod pointwise;
mod pool;

use cyclr_engine::cpu::{Cpu, Level};

/// Numbers to test with: a small generator of its own (an LCG of Knuth's constants), so that every
/// run is the same.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.next() as usize % n
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// From -1 to 1.
    pub(crate) fn value(&mut self) -> f32 {
        (self.next() as f64 / f64::from(1u32 << 30) - 1.0) as f32
    }

    pub(crate) fn values(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| self.value()).collect()
    }
}

/// The levels that this machine can run.
pub(crate) fn levels() -> impl Iterator<Item = Level> {
    [Level::Portable, Level::Avx2]
        .into_iter()
        .filter(|level| level.is_supported())
}

/// Runs a kernel at every level, at 1, 2, 3 and 8 threads and without 512-bit vectors; asserts the
/// same bits within a level and hands each level's results on.
pub(crate) fn at_all_levels(
    run: impl Fn(&Cpu) -> Vec<Vec<f32>>,
    check: impl Fn(Level, &[Vec<f32>]),
) {
    for level in levels() {
        let first = run(&Cpu::new(level, 1).expect("the level and threads"));
        check(level, &first);
        let cpu = |threads| Cpu::new(level, threads).expect("the level and threads");
        for threads in [2, 3, 8] {
            assert_same_bits(
                &first,
                &run(&cpu(threads)),
                &format!("{level} at {threads} threads"),
            );
        }
        let narrow = run(&cpu(1).without_avx512());
        assert_same_bits(&first, &narrow, &format!("{level} without 512-bit vectors"));
    }
}

fn assert_same_bits(first: &[Vec<f32>], again: &[Vec<f32>], what: &str) {
    for (a, b) in first.iter().zip(again) {
        let same = a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits());
        assert!(same && a.len() == b.len(), "{what} gives other bits");
    }
}

/// Asserts that `f32` results are those of `f64`, up to `tolerance` times the magnitude of what
/// was added up.
#[track_caller]
pub(crate) fn assert_close(
    what: &str,
    got: &[f32],
    expected: &[f64],
    magnitude: &[f64],
    tolerance: f64,
) {
    assert_eq!(got.len(), expected.len(), "{what}: length");
    for (i, ((got, expected), magnitude)) in got.iter().zip(expected).zip(magnitude).enumerate() {
        let error = (f64::from(*got) - expected).abs();
        assert!(
            error <= tolerance * magnitude + 1e-30,
            "{what}[{i}]: {got} instead of {expected}, off by {error:e}, magnitude {magnitude:e}"
        );
    }
}

/// The gradient of Σ dy·f(x) by central differences in `f64`.
pub(crate) fn differences(x: &[f64], dy: &[f32], f: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
    let weighed = |x: &[f64]| -> f64 { f(x).iter().zip(dy).map(|(y, d)| y * f64::from(*d)).sum() };
    let step = 1e-5;
    (0..x.len())
        .map(|i| {
            let mut moved = x.to_vec();
            moved[i] = x[i] + step;
            let above = weighed(&moved);
            moved[i] = x[i] - step;
            (above - weighed(&moved)) / (2.0 * step)
        })
        .collect()
}

/// The same numbers in `f64`.
pub(crate) fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&x| f64::from(x)).collect()
}
