//! Student's t, chi-square and the binomial, to 1e-12 of the value up to 10,000 degrees of
//! freedom, and 1e-10 beyond.

use core::f64::consts::PI;

use libm::{exp, fabs, log, pow, sqrt};

use super::{
    StatsError, check_range,
    special::{gamma_parts, solve, stirling_error, student_parts},
};

/// P(T <= t) for Student's t with `df` degrees of freedom (Student 1908).
///
/// Lower-tail values keep their relative accuracy, so a two-sided p-value is `2 *
/// student_cdf(-t.abs(), df)`.
///
/// # Errors
/// [`StatsError::Range`] if `t` is NaN or `df` is outside 1..=1e6.
pub fn student_cdf(t: f64, df: f64) -> Result<f64, StatsError> {
    check_df(df)?;
    check_range("t", t, f64::NEG_INFINITY..=f64::INFINITY, "the numbers")?;
    Ok(lower_student(t, df))
}

/// The t with P(T <= t) = `p` for Student's t with `df` degrees of freedom.
///
/// # Errors
/// [`StatsError::Range`] if `p` is outside 1e-300..1 or `df` outside 1..=1e6.
pub fn student_quantile(p: f64, df: f64) -> Result<f64, StatsError> {
    check_df(df)?;
    check_p(p)?;
    Ok(student_at(p, df))
}

/// P(X <= x) for the chi-square distribution with `df` degrees of freedom.
///
/// # Errors
/// [`StatsError::Range`] if `x` is negative or not finite, or `df` is outside 1..=1e6.
pub fn chi_square_cdf(x: f64, df: f64) -> Result<f64, StatsError> {
    check_df(df)?;
    check_range("x", x, 0.0..=f64::MAX, "0..inf")?;
    if x == 0.0 {
        return Ok(0.0);
    }
    Ok(gamma_parts(df / 2.0, x / 2.0).lower)
}

/// The x with P(X <= x) = `p` for the chi-square distribution with `df` degrees of freedom.
///
/// # Errors
/// [`StatsError::Range`] if `p` is outside 1e-300..1 or `df` outside 1..=1e6.
pub fn chi_square_quantile(p: f64, df: f64) -> Result<f64, StatsError> {
    check_df(df)?;
    check_p(p)?;
    Ok(2.0
        * solve(|x| {
            let parts = gamma_parts(df / 2.0, x);
            if p < 0.5 {
                (log(parts.lower) - log(p), parts.slope / parts.lower)
            } else {
                (log(1.0 - p) - log(parts.upper), parts.slope / parts.upper)
            }
        }))
}

/// P(X >= k) for X successes in `n` trials of probability `p`: the exact sum of binomial terms.
///
/// ```
/// // Five heads in five throws.
/// assert_eq!(cyclr::stats::binomial_tail(5, 5, 0.5), Ok(1.0 / 32.0));
/// ```
///
/// # Errors
/// [`StatsError::Range`] if `p` is not strictly between 0 and 1, or `n` is above 1e9.
pub fn binomial_tail(k: u64, n: u64, p: f64) -> Result<f64, StatsError> {
    if p.is_nan() || p <= 0.0 || p >= 1.0 {
        let range = "0..1, both ends excluded";
        let name = "the probability of success";
        return Err(StatsError::Range {
            name,
            value: p,
            range,
        });
    }
    check_range("the number of trials", n as f64, 0.0..=1e9, "0..=1e9")?;
    Ok(upper_binomial(k, n, p))
}

/// [`student_cdf`] of arguments that are known to be good.
pub(super) fn lower_student(t: f64, df: f64) -> f64 {
    let parts = student_parts(fabs(t), df);
    if t < 0.0 {
        parts.upper
    } else {
        0.5 + parts.lower
    }
}

/// [`student_quantile`] of arguments that are known to be good.
pub(super) fn student_at(p: f64, df: f64) -> f64 {
    if p == 0.5 {
        return 0.0;
    }
    // By symmetry the positive side is enough. 1 - p is exact from 1/2 up, and so is the distance
    // from 1/2 around it.
    let tail = if p < 0.5 { p } else { 1.0 - p };
    let t = if tail < 0.25 {
        solve(|t| {
            let parts = student_parts(t, df);
            (log(tail) - log(parts.upper), parts.slope / parts.upper)
        })
    } else {
        solve(|t| {
            let parts = student_parts(t, df);
            (
                log(parts.lower) - log(0.5 - tail),
                parts.slope / parts.lower,
            )
        })
    };
    if p < 0.5 { -t } else { t }
}

/// [`binomial_tail`] of a probability that is known to be good. Sums outward from the term at `k`,
/// on the side where the terms shrink.
pub(super) fn upper_binomial(k: u64, n: u64, p: f64) -> f64 {
    if k == 0 {
        return 1.0;
    }
    if k > n {
        return 0.0;
    }
    if k as f64 > n as f64 * p {
        shrinking_sum(k, n, p)
    } else {
        // P(X < k) is the upper tail of the failures.
        1.0 - shrinking_sum(n - k + 1, n, 1.0 - p)
    }
}

/// P(X = k) + P(X = k + 1) + …, for k at or above the mode.
fn shrinking_sum(k: u64, n: u64, p: f64) -> f64 {
    let (mut term, mut sum) = (binomial_term(k, n, p), 0.0);
    for i in k..=n {
        sum += term;
        term *= (n - i) as f64 / (i + 1) as f64 * (p / (1.0 - p));
        if term <= sum * 1e-17 {
            break;
        }
    }
    sum
}

/// P(X = k) by Loader's form (2000), whose terms do not cancel each other for large n.
fn binomial_term(k: u64, n: u64, p: f64) -> f64 {
    let (q, trials) = (1.0 - p, n as f64);
    if k == 0 {
        return pow(q, trials);
    }
    if k == n {
        return pow(p, trials);
    }
    let (hits, misses) = (k as f64, (n - k) as f64);
    let deviance = deviance(hits, trials * p) + deviance(misses, trials * q);
    let stirling = stirling_error(trials) - stirling_error(hits) - stirling_error(misses);
    sqrt(trials / (2.0 * PI * hits * misses)) * exp(stirling - deviance)
}

/// `x·ln(x/mean) - (x - mean)`, which close to the mean is much less than either term: there by the
/// series of `ln(x/mean) = 2·atanh((x - mean)/(x + mean))`, as Loader has it.
fn deviance(x: f64, mean: f64) -> f64 {
    const MOST_TERMS: u32 = 1000;
    let (apart, sum) = (x - mean, x + mean);
    if fabs(apart) >= 0.1 * sum {
        return x * log(x / mean) - apart;
    }
    let v = apart / sum;
    let (mut term, mut total) = (2.0 * x * v, apart * v);
    for k in 1..MOST_TERMS {
        term *= v * v;
        let more = total + term / f64::from(2 * k + 1);
        if more == total {
            break;
        }
        total = more;
    }
    total
}

fn check_df(df: f64) -> Result<f64, StatsError> {
    check_range("the degrees of freedom", df, 1.0..=1e6, "1..=1e6")
}

fn check_p(p: f64) -> Result<f64, StatsError> {
    let below_one = 1.0 - f64::EPSILON / 2.0;
    check_range("the probability", p, 1e-300..=below_one, "1e-300..1")
}
