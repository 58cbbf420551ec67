//! Numbers side by side: eight in plain code or in one AVX register, sixteen in one of AVX-512.

mod portable;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

#[cfg(target_arch = "x86_64")]
pub(super) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(super) use avx512::Avx512;
pub(super) use portable::Portable;

/// Arithmetic on [`Lanes::WIDTH`] numbers at once. What becomes of a number does not depend on how
/// many there are. Kernels are written once over this and compiled for each of the
/// [`crate::cpu::Instructions`].
pub(super) trait Lanes: Copy {
    /// How many numbers, at most [`WIDEST`].
    const WIDTH: usize;

    /// The numbers.
    type V: Copy;

    /// The same number in every place.
    fn splat(value: f32) -> Self::V;

    /// Reads the numbers.
    ///
    /// # Safety
    /// `from` is valid for reading `WIDTH` numbers.
    unsafe fn load(from: *const f32) -> Self::V;

    /// Writes the numbers.
    ///
    /// # Safety
    /// `to` is valid for writing `WIDTH` numbers.
    unsafe fn store(to: *mut f32, v: Self::V);

    /// `a · b + c`.
    fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V;

    /// `a + b`.
    fn add(a: Self::V, b: Self::V) -> Self::V;

    /// `a - b`.
    fn sub(a: Self::V, b: Self::V) -> Self::V;

    /// The larger of 0 and each number; NaN stays.
    fn relu(v: Self::V) -> Self::V;

    /// Reads the first `n` numbers (1 to `WIDTH`); the others are 0.
    ///
    /// # Safety
    /// `from` is valid for reading `n` numbers.
    #[inline(always)]
    unsafe fn load_first(from: *const f32, n: usize) -> Self::V {
        let mut all = [0.0; WIDEST];
        // SAFETY: the caller guarantees `n` numbers at `from`, and `n` is at most `WIDEST`.
        unsafe {
            std::ptr::copy_nonoverlapping(from, all.as_mut_ptr(), n);
            Self::load(all.as_ptr())
        }
    }

    /// Writes the first `n` numbers (1 to `WIDTH`).
    ///
    /// # Safety
    /// `to` is valid for writing `n` numbers.
    #[inline(always)]
    unsafe fn store_first(to: *mut f32, v: Self::V, n: usize) {
        let mut all = [0.0; WIDEST];
        // SAFETY: the caller guarantees `n` numbers at `to`, and `n` is at most `WIDEST`.
        unsafe {
            Self::store(all.as_mut_ptr(), v);
            std::ptr::copy_nonoverlapping(all.as_ptr(), to, n);
        }
    }
}

/// The most numbers of a [`Lanes`].
pub(super) const WIDEST: usize = 16;

/// What a max pool needs besides. With 16 numbers at once it was slower.
pub(super) trait Largest: Lanes {
    /// The larger of each two numbers, and `yes` where it is `v`'s, `no` where it is `best`'s. Equal
    /// numbers count as `best`'s; a NaN is larger than any number, and one in `best` stays.
    fn take_larger(v: Self::V, best: Self::V, yes: Self::V, no: Self::V) -> (Self::V, Self::V);
}

/// Numbers that are computed together: where they begin and how many they are. As many at a time as
/// the wider `P` holds, or the narrower `L`, and fewer at the end.
#[inline(always)]
pub(super) fn groups<L: Lanes, P: Lanes>(numbers: usize) -> impl Iterator<Item = (usize, usize)> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let first = next;
        let left = numbers - first;
        next += if left >= P::WIDTH {
            P::WIDTH
        } else {
            left.min(L::WIDTH)
        };
        (left > 0).then_some((first, next - first))
    })
}

/// Reads `n` numbers, 1 to `WIDTH`; the others are 0.
///
/// # Safety
/// `from` is valid for reading `n` numbers.
#[inline(always)]
pub(super) unsafe fn load<L: Lanes>(from: *const f32, n: usize) -> L::V {
    // SAFETY: the caller guarantees it.
    unsafe {
        if n == L::WIDTH {
            L::load(from)
        } else {
            L::load_first(from, n)
        }
    }
}

/// Writes the first `n` numbers, 1 to `WIDTH`.
///
/// # Safety
/// `to` is valid for writing `n` numbers.
#[inline(always)]
pub(super) unsafe fn store<L: Lanes>(to: *mut f32, v: L::V, n: usize) {
    // SAFETY: the caller guarantees it.
    unsafe {
        if n == L::WIDTH {
            L::store(to, v);
        } else {
            L::store_first(to, v, n);
        }
    }
}

/// Makes a function that runs `$body`, a function generic over [`Lanes`] (or over nothing, for
/// plain loops that the compiler vectorises by itself), compiled for the instructions given as its
/// first argument. With `and pairs`, the body has a second type of [`Lanes`], for two neighbouring
/// vectors of eight: twice as wide where there is such a one, else the same.
macro_rules! at_level {
    ($(#[$attribute:meta])* $vis:vis fn $name:ident ($($arg:ident: $type:ty),* $(,)?) = $body:path) => {
        $(#[$attribute])*
        $vis fn $name (instructions: $crate::cpu::Instructions, $($arg: $type),*) {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2 ($($arg: $type),*) {
                $body(crate::kernels::lanes::Avx2, $($arg),*);
            }
            match instructions {
                // SAFETY: a `Cpu` of these instructions exists only if the processor has them.
                #[cfg(target_arch = "x86_64")]
                $crate::cpu::Instructions::Avx2 | $crate::cpu::Instructions::Avx512 => unsafe {
                    avx2($($arg),*)
                },
                _ => $body(crate::kernels::lanes::Portable, $($arg),*),
            }
        }
    };
    ($(#[$attribute:meta])* $vis:vis fn $name:ident ($($arg:ident: $type:ty),* $(,)?) = $body:path, and pairs) => {
        $(#[$attribute])*
        $vis fn $name (instructions: $crate::cpu::Instructions, $($arg: $type),*) {
            use crate::kernels::lanes;
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2 ($($arg: $type),*) {
                $body(lanes::Avx2, lanes::Avx2, $($arg),*);
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,avx512f")]
            fn avx512 ($($arg: $type),*) {
                $body(lanes::Avx2, lanes::Avx512, $($arg),*);
            }
            match instructions {
                // SAFETY: a `Cpu` of these instructions exists only if the processor has them.
                #[cfg(target_arch = "x86_64")]
                $crate::cpu::Instructions::Avx2 => unsafe { avx2($($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                $crate::cpu::Instructions::Avx512 => unsafe { avx512($($arg),*) },
                _ => $body(lanes::Portable, lanes::Portable, $($arg),*),
            }
        }
    };
}
pub(super) use at_level;
