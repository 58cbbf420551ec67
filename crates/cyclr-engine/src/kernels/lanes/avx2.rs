//! Eight numbers in one AVX register.

use std::arch::x86_64::{
    __m256, _CMP_NLE_UQ, _CMP_ORD_Q, _mm256_add_ps, _mm256_and_ps, _mm256_blendv_ps, _mm256_cmp_ps,
    _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_max_ps, _mm256_set1_ps, _mm256_setzero_ps,
    _mm256_storeu_ps, _mm256_sub_ps,
};

use super::{Lanes, Largest};

/// AVX2 with fused multiply-add. Used only if [`crate::cpu::Cpu`] has found both in the
/// processor.
#[derive(Clone, Copy)]
pub(in crate::kernels) struct Avx2;

impl Lanes for Avx2 {
    const WIDTH: usize = 8;

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
}

impl Largest for Avx2 {
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
