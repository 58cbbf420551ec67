//! Eight numbers side by side, in plain code or in one AVX register.

/// Arithmetic on eight numbers at once. Kernels are written once over this and compiled for each
/// [`crate::cpu::Level`].
pub(super) trait Lanes: Copy {
    /// Eight numbers.
    type V: Copy;

    /// Eight times the same number.
    fn splat(value: f32) -> Self::V;

    /// Reads eight numbers.
    ///
    /// # Safety
    /// `from` is valid for reading eight numbers.
    unsafe fn load(from: *const f32) -> Self::V;

    /// Writes eight numbers.
    ///
    /// # Safety
    /// `to` is valid for writing eight numbers.
    unsafe fn store(to: *mut f32, v: Self::V);

    /// `a · b + c`.
    fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V;

    /// `a + b`.
    fn add(a: Self::V, b: Self::V) -> Self::V;

    /// `a - b`.
    fn sub(a: Self::V, b: Self::V) -> Self::V;

    /// The larger of 0 and each number; NaN stays.
    fn relu(v: Self::V) -> Self::V;

    /// The larger of each two numbers, and `yes` where it is `v`'s, `no` where it is `best`'s. Equal
    /// numbers count as `best`'s; a NaN is larger than any number, and one in `best` stays.
    fn take_larger(v: Self::V, best: Self::V, yes: Self::V, no: Self::V) -> (Self::V, Self::V);

    /// Reads the first `n` of eight numbers (1 to 8); the others are 0.
    ///
    /// # Safety
    /// `from` is valid for reading `n` numbers.
    #[inline(always)]
    unsafe fn load_first(from: *const f32, n: usize) -> Self::V {
        let mut all = [0.0; 8];
        // SAFETY: the caller guarantees `n` numbers at `from`, and `n` is at most 8.
        unsafe {
            std::ptr::copy_nonoverlapping(from, all.as_mut_ptr(), n);
            Self::load(all.as_ptr())
        }
    }

    /// Writes the first `n` of eight numbers (1 to 8).
    ///
    /// # Safety
    /// `to` is valid for writing `n` numbers.
    #[inline(always)]
    unsafe fn store_first(to: *mut f32, v: Self::V, n: usize) {
        let mut all = [0.0; 8];
        // SAFETY: the caller guarantees `n` numbers at `to`, and `n` is at most 8.
        unsafe {
            Self::store(all.as_mut_ptr(), v);
            std::ptr::copy_nonoverlapping(all.as_ptr(), to, n);
        }
    }
}

/// Plain code; a product is rounded before it is added.
#[derive(Clone, Copy)]
pub(super) struct Portable;

#[inline(always)]
fn map(a: [f32; 8], b: [f32; 8], f: impl Fn(f32, f32) -> f32) -> [f32; 8] {
    let mut out = [0.0; 8];
    for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
        *out = f(a, b);
    }
    out
}

impl Lanes for Portable {
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

#[cfg(target_arch = "x86_64")]
pub(super) use avx2::Avx2;

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        __m256, _CMP_NLE_UQ, _CMP_ORD_Q, _mm256_add_ps, _mm256_and_ps, _mm256_blendv_ps,
        _mm256_cmp_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_max_ps, _mm256_set1_ps,
        _mm256_setzero_ps, _mm256_storeu_ps, _mm256_sub_ps,
    };

    use super::Lanes;

    /// AVX2 with fused multiply-add. Used only if [`crate::cpu::Cpu`] has found both in the
    /// processor.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Avx2;

    impl Lanes for Avx2 {
        type V = __m256;

        #[inline(always)]
        fn splat(value: f32) -> Self::V {
            // SAFETY: this type is used only if the processor has AVX2 and FMA.
            unsafe { _mm256_set1_ps(value) }
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self::V {
            // SAFETY: as above, and the caller guarantees eight numbers.
            unsafe { _mm256_loadu_ps(from) }
        }

        #[inline(always)]
        unsafe fn store(to: *mut f32, v: Self::V) {
            // SAFETY: as above, and the caller guarantees eight numbers.
            unsafe { _mm256_storeu_ps(to, v) }
        }

        #[inline(always)]
        fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
            // SAFETY: this type is used only if the processor has AVX2 and FMA.
            unsafe { _mm256_fmadd_ps(a, b, c) }
        }

        #[inline(always)]
        fn add(a: Self::V, b: Self::V) -> Self::V {
            // SAFETY: this type is used only if the processor has AVX2 and FMA.
            unsafe { _mm256_add_ps(a, b) }
        }

        #[inline(always)]
        fn sub(a: Self::V, b: Self::V) -> Self::V {
            // SAFETY: this type is used only if the processor has AVX2 and FMA.
            unsafe { _mm256_sub_ps(a, b) }
        }

        #[inline(always)]
        fn relu(v: Self::V) -> Self::V {
            // The second operand is returned where one is NaN.
            // SAFETY: this type is used only if the processor has AVX2 and FMA.
            unsafe { _mm256_max_ps(_mm256_setzero_ps(), v) }
        }

        #[inline(always)]
        fn take_larger(v: Self::V, best: Self::V, yes: Self::V, no: Self::V) -> (Self::V, Self::V) {
            // SAFETY: this type is used only if the processor has AVX2 and FMA.
            unsafe {
                let not_smaller = _mm256_cmp_ps::<_CMP_NLE_UQ>(v, best);
                let ordered = _mm256_cmp_ps::<_CMP_ORD_Q>(best, best);
                let take = _mm256_and_ps(not_smaller, ordered);
                (
                    _mm256_blendv_ps(best, v, take),
                    _mm256_blendv_ps(no, yes, take),
                )
            }
        }
    }
}

/// Makes a function that runs `$body`, a function generic over [`Lanes`] (or over nothing, for
/// plain loops that the compiler vectorises by itself), compiled for the level given as its first
/// argument.
macro_rules! at_level {
    ($(#[$attribute:meta])* $vis:vis fn $name:ident ($($arg:ident: $type:ty),* $(,)?) = $body:path) => {
        $(#[$attribute])*
        $vis fn $name (level: $crate::cpu::Level, $($arg: $type),*) {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2 ($($arg: $type),*) {
                $body(crate::kernels::lanes::Avx2, $($arg),*);
            }
            match level {
                // SAFETY: a `Cpu` of this level exists only if the processor has AVX2 and FMA.
                #[cfg(target_arch = "x86_64")]
                $crate::cpu::Level::Avx2 => unsafe { avx2($($arg),*) },
                _ => $body(crate::kernels::lanes::Portable, $($arg),*),
            }
        }
    };
}
pub(super) use at_level;
