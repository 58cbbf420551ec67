/// Up to this exponent powers are products, and sums of powers are sums.
const PRODUCTS: u64 = 64;

/// A factor that is applied again and again: `gamma^n` without the cost of a general power.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Decay {
    gamma: f64,
    ln_gamma: f64,
}

impl Decay {
    /// A decay by `gamma`, which is finite and above 0.
    pub(super) fn new(gamma: f64) -> Self {
        Self {
            gamma,
            ln_gamma: libm::log(gamma),
        }
    }

    /// The factor itself.
    pub(super) fn gamma(self) -> f64 {
        self.gamma
    }

    /// The sum of the first `n` powers of the factor, `1 + gamma + … + gamma^(n - 1)`. That of
    /// whole numbers is exact while it has few terms.
    pub(super) fn sum(self, n: u64) -> f64 {
        if self.gamma == 1.0 {
            n as f64
        } else if n > PRODUCTS {
            libm::expm1(self.ln_gamma * n as f64) / (self.gamma - 1.0)
        } else {
            (0..n).fold(0.0, |sum, _| sum * self.gamma + 1.0)
        }
    }

    /// The `n` for which [`Decay::sum`] comes to `sum`, not whole where it lies between two.
    #[inline]
    pub(super) fn terms(self, sum: f64) -> f64 {
        if self.gamma == 1.0 {
            sum
        } else {
            libm::log1p(sum * (self.gamma - 1.0)) / self.ln_gamma
        }
    }

    /// `gamma^n` for any `n`: relative error below `2.3e-16 · |n · ln gamma|`.
    #[inline]
    pub(super) fn smooth(self, n: f64) -> f64 {
        libm::exp(self.ln_gamma * n)
    }

    /// `gamma^n` for whole `n`. The first powers are products: those of whole numbers are exact,
    /// and a rate that drops ten-fold prints as one would write it.
    #[inline]
    pub(super) fn stepped(self, n: u64) -> f64 {
        if n > PRODUCTS {
            return self.smooth(n as f64);
        }
        (0..n).fold(1.0, |power, _| power * self.gamma)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_are_those_of_pow() {
        for gamma in [0.1, 0.5, 0.9, 0.99994, 1.0, 1.0001] {
            let decay = Decay::new(gamma);
            for n in [0_u32, 1, 2, 63, 64, 65, 100, 10_000, 99_999] {
                let (exact, n) = (libm::pow(gamma, f64::from(n)), u64::from(n));
                for power in [decay.smooth(n as f64), decay.stepped(n)] {
                    assert!(
                        (power - exact).abs() <= 1e-14 * exact.max(1.0),
                        "{gamma}^{n}: {power} for {exact}"
                    );
                }
            }
        }
    }
}
