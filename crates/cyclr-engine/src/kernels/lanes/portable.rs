//! Eight numbers in plain code.

use super::{Lanes, Largest};

/// Plain code; a product is rounded before it is added.
#[derive(Clone, Copy)]
pub(in crate::kernels) struct Portable;

#[inline(always)]
fn map(a: [f32; 8], b: [f32; 8], f: impl Fn(f32, f32) -> f32) -> [f32; 8] {
    let mut out = [0.0; 8];
    for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
        *out = f(a, b);
    }
    out
}

impl Lanes for Portable {
    const WIDTH: usize = 8;

    type V = [f32; 8];

    #[inline(always)]
    fn splat(value: f32) -> Self::V {
        [value; 8]
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::V {
        // SAFETY: the caller guarantees eight numbers; an array of `f32` is aligned as `f32` is.
        unsafe { from.cast::<[f32; 8]>().read() }
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, v: Self::V) {
        // SAFETY: the caller guarantees eight numbers; an array of `f32` is aligned as `f32` is.
        unsafe { to.cast::<[f32; 8]>().write(v) }
    }

    #[inline(always)]
    fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        map(map(a, b, |a, b| a * b), c, |p, c| p + c)
    }

    #[inline(always)]
    fn add(a: Self::V, b: Self::V) -> Self::V {
        map(a, b, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(a: Self::V, b: Self::V) -> Self::V {
        map(a, b, |a, b| a - b)
    }

    #[inline(always)]
    fn relu(v: Self::V) -> Self::V {
        map(v, v, |v, _| if v <= 0.0 { 0.0 } else { v })
    }
}

impl Largest for Portable {
    #[inline(always)]
    fn take_larger(v: Self::V, best: Self::V, yes: Self::V, no: Self::V) -> (Self::V, Self::V) {
        let mut larger = best;
        let mut chosen = no;
        for i in 0..8 {
            if v[i] > best[i] || (v[i].is_nan() && !best[i].is_nan()) {
                larger[i] = v[i];
                chosen[i] = yes[i];
            }
        }
        (larger, chosen)
    }
}
