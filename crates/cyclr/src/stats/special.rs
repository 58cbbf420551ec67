//! The incomplete beta and gamma functions, as far as the distributions need them.
//!
//! Each is returned with its complement, the smaller of the two computed directly, so that neither
//! a far tail nor the neighbourhood of the median loses digits. Large parameters go through
//! Stirling's series and not through differences of ln Γ, which would cancel.

use core::f64::consts::PI;

use libm::{exp, fabs, lgamma, log, log1p, sqrt};

/// Enough for every parameter that the distributions let through.
const MAX_TERMS: u32 = 100_000;
const TINY: f64 = 1e-300;
/// Some last bits wide, so that rounding cannot keep a sum from ending.
const RELATIVE: f64 = 1e-15;

/// A probability, its complement, and the derivative of the first with respect to the logarithm of
/// the argument.
#[derive(Clone, Copy)]
pub(super) struct Parts {
    pub(super) lower: f64,
    pub(super) upper: f64,
    pub(super) slope: f64,
}

/// Student's distribution at `t` >= 0: P(0 < T < t) and P(T > t), which add up to 1/2.
///
/// With r = t/√df, x = 1/(1 + r²) and y = 1 - x, P(T > t) = `I_x`(df/2, 1/2)/2 (DLMF 8.17).
pub(super) fn student_parts(t: f64, df: f64) -> Parts {
    let (a, r) = (df / 2.0, t / sqrt(df));
    if r == 0.0 {
        return Parts {
            lower: 0.0,
            upper: 0.5,
            slope: 0.0,
        };
    }
    let (x, y) = (1.0 / (1.0 + r * r), 1.0 / (1.0 + 1.0 / (r * r)));
    // Both logarithms are exact where r² would overflow or vanish beside 1.
    let (ln_x, ln_y) = if r < 1.0 {
        (-log1p(r * r), 2.0 * log(r) - log1p(r * r))
    } else {
        let rest = log1p(1.0 / (r * r));
        (-2.0 * log(r) - rest, -rest)
    };
    let slope = exp(a * ln_x + 0.5 * ln_y + ln_inverse_beta_half(a));
    if x * (a + 2.5) < a + 1.0 {
        let upper = 0.5 * slope * beta_fraction(a, 0.5, x) / a;
        Parts {
            lower: 0.5 - upper,
            upper,
            slope,
        }
    } else {
        let lower = slope * beta_fraction(0.5, a, y);
        Parts {
            lower,
            upper: 0.5 - lower,
            slope,
        }
    }
}

/// The regularised incomplete gamma functions P(a, x) and Q(a, x) for `x` > 0 (DLMF 8.2, 8.7.1 and
/// 8.9.2).
pub(super) fn gamma_parts(a: f64, x: f64) -> Parts {
    let mu = (x - a) / a;
    let ln_ratio = if fabs(mu) < 0.5 {
        log1p(mu)
    } else {
        log(x / a)
    };
    let slope = sqrt(a / (2.0 * PI)) * exp(a * (ln_ratio - mu) - stirling_error(a));
    if x < a + 1.0 {
        let lower = slope * gamma_series(a, x);
        Parts {
            lower,
            upper: 1.0 - lower,
            slope,
        }
    } else {
        let upper = slope * gamma_fraction(a, x);
        Parts {
            lower: 1.0 - upper,
            upper,
            slope,
        }
    }
}

/// What Stirling's formula leaves of ln Γ: ln Γ(z) - (z - 1/2) ln z + z - ln √(2π) (DLMF 5.11.1),
/// for `z` > 0.
pub(super) fn stirling_error(z: f64) -> f64 {
    if z < 16.0 {
        return lgamma(z) - (z - 0.5) * log(z) + z - 0.5 * log(2.0 * PI);
    }
    let w = 1.0 / (z * z);
    let series = 1.0 / 1260.0 - w * (1.0 / 1680.0 - w / 1188.0);
    (1.0 / 12.0 - w * (1.0 / 360.0 - w * series)) / z
}

/// The root of an increasing function of ln x, returned as x. The function gives its value and its
/// slope; Newton steps that leave the bracket are replaced by bisection.
pub(super) fn solve(f: impl Fn(f64) -> (f64, f64)) -> f64 {
    let (mut low, mut high) = (-745.0, 709.0);
    let mut u = 0.0;
    for _ in 0..200 {
        let (value, slope) = f(exp(u));
        if value < 0.0 {
            low = u;
        } else {
            high = u;
        }
        let newton = u - value / slope;
        if newton >= low && newton <= high {
            let step = fabs(newton - u);
            u = newton;
            // Newton's error is squared at each step, so after so short a one it is below the last
            // bit.
            if step <= 1e-9 * fabs(u).max(1.0) {
                break;
            }
        } else {
            u = f64::midpoint(low, high);
        }
    }
    exp(u)
}

/// ln(1/B(a, 1/2)) = ln Γ(a + 1/2) - ln Γ(a) - ln √π.
fn ln_inverse_beta_half(a: f64) -> f64 {
    (a - 0.5) * log1p(0.5 / a) + 0.5 * log(a + 0.5) - 0.5 + stirling_error(a + 0.5)
        - stirling_error(a)
        - 0.5 * log(PI)
}

/// `I_x(a, b)`·a·B(a, b)/(xᵃ(1-x)ᵇ) by its continued fraction (DLMF 8.17.22), in Lentz's way.
fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut value = d;
    for m in 1..MAX_TERMS {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut factor = 1.0;
        for term in [even, odd] {
            d = 1.0 / away_from_zero(1.0 + term * d);
            c = away_from_zero(1.0 + term / c);
            factor *= c * d;
        }
        value *= factor;
        if fabs(factor - 1.0) <= RELATIVE {
            break;
        }
    }
    value
}

/// P(a, x)·Γ(a)·eˣ/xᵃ by its power series.
fn gamma_series(a: f64, x: f64) -> f64 {
    let mut term = 1.0 / a;
    let mut sum = term;
    for k in 1..MAX_TERMS {
        term *= x / (a + f64::from(k));
        sum += term;
        if term <= sum * RELATIVE {
            break;
        }
    }
    sum
}

/// Q(a, x)·Γ(a)·eˣ/xᵃ by its continued fraction, in Lentz's way.
fn gamma_fraction(a: f64, x: f64) -> f64 {
    let mut b = x + 1.0 - a;
    let mut c = 1.0 / TINY;
    let mut d = 1.0 / away_from_zero(b);
    let mut value = d;
    for k in 1..MAX_TERMS {
        let k = f64::from(k);
        let term = k * (a - k);
        b += 2.0;
        d = 1.0 / away_from_zero(term * d + b);
        c = away_from_zero(b + term / c);
        value *= c * d;
        if fabs(c * d - 1.0) <= RELATIVE {
            break;
        }
    }
    value
}

fn away_from_zero(x: f64) -> f64 {
    if fabs(x) < TINY { TINY } else { x }
}
