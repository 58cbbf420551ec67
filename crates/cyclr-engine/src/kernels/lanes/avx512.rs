//! Sixteen numbers in one register of AVX-512.

use std::arch::x86_64::{
    __m512, _mm512_add_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_max_ps, _mm512_set1_ps,
    _mm512_setzero_ps, _mm512_storeu_ps, _mm512_sub_ps,
};

use super::Lanes;

/// AVX-512. Used only if [`crate::cpu::Cpu`] has found it in the processor.
#[derive(Clone, Copy)]
pub(in crate::kernels) struct Avx512;

impl Lanes for Avx512 {
    const WIDTH: usize = 16;

    type V = __m512;

    #[inline(always)]
    fn splat(value: f32) -> Self::V {
        // SAFETY: this type is used only if the processor has AVX-512.
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::V {
        // SAFETY: as above, and the caller guarantees sixteen numbers.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, v: Self::V) {
        // SAFETY: as above, and the caller guarantees sixteen numbers.
        unsafe { _mm512_storeu_ps(to, v) }
    }

    #[inline(always)]
    fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // SAFETY: this type is used only if the processor has AVX-512.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn add(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: this type is used only if the processor has AVX-512.
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    fn sub(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: this type is used only if the processor has AVX-512.
        unsafe { _mm512_sub_ps(a, b) }
    }

    #[inline(always)]
    fn relu(v: Self::V) -> Self::V {
        // The second operand is returned where one is NaN.
        // SAFETY: this type is used only if the processor has AVX-512.
        unsafe { _mm512_max_ps(_mm512_setzero_ps(), v) }
    }
}
