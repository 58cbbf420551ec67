use alloc::{format, string::String};

/// A number for people: `value` to `digits` significant decimal digits (at least 1; 0 counts as
/// 1), to the nearest, as the `f64` that prints with these digits. What is not finite, or would
/// become infinite, stays as it is.
///
/// ```
/// assert_eq!(cyclr::rounded(0.034_567, 3), 0.0346);
/// assert_eq!(cyclr::rounded(1234.5, 2), 1200.0);
/// assert_eq!(cyclr::rounded(0.1 + 0.2, 12), 0.3);
/// assert!(cyclr::rounded(f64::NAN, 3).is_nan());
/// ```
pub fn rounded(value: f64, digits: usize) -> f64 {
    // 17 digits distinguish all numbers, and `format` takes no more than 65,535.
    let decimals = digits.clamp(1, 17) - 1;
    // Decimal digits are exact only as text. What `format` writes always reads back; the largest
    // numbers may read back as infinite.
    let read: f64 = format!("{value:.decimals$e}").parse().unwrap_or(value);
    if read.is_finite() { read } else { value }
}

/// A number as people read it: [`rounded`], with an exponent only below 1e-4 and from 1e7 on.
///
/// ```
/// assert_eq!(cyclr::readable(0.029_621, 3), "0.0296");
/// assert_eq!(cyclr::readable(0.000_029_621, 3), "2.96e-5");
/// assert_eq!(cyclr::readable(-0.0, 3), "0");
/// ```
pub fn readable(value: f64, digits: usize) -> String {
    let value = rounded(value, digits);
    match value.abs() {
        0.0 => String::from("0"),
        1e-4..1e7 => format!("{value}"),
        _ if value.is_finite() => format!("{value:e}"),
        _ => format!("{value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rounds_to_the_nearest_and_keeps_the_sign() {
        for (value, digits, expected) in [
            (0.0, 3, 0.0),
            (-0.012_349, 3, -0.0123),
            (9.996, 3, 10.0),
            (0.000_123_45, 1, 0.0001),
            (5e-324, 4, 5e-324),
            (123.0, 0, 100.0),
            (0.1, usize::MAX, 0.1),
            (f64::MAX, 2, f64::MAX),
            (f64::INFINITY, 2, f64::INFINITY),
        ] {
            assert_eq!(rounded(value, digits), expected, "{value} to {digits}");
        }
    }

    #[test]
    fn an_exponent_stands_only_where_there_would_be_many_zeros() {
        for (value, expected) in [
            (0.000_1, "0.0001"),
            (0.000_099_99, "0.0001"),
            (0.000_012_34, "1.23e-5"),
            (9_999_999.0, "1e7"),
            (1_234_567.0, "1230000"),
            (-1e-320, "-1e-320"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(readable(value, 3), expected, "{value}");
        }
    }
}
