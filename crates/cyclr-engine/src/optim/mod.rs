//! Optimizers: one pass over the parameters an update.

mod rules;
mod step;

pub(crate) use step::{Group, Optim};

/// How parameters follow their gradients. `w` is a parameter, `g` its gradient, `lr` the rate
/// times the parameter's multiplier, `wd` the weight decay times its own. Except for
/// [`Optimizer::AdamW`], weight decay is added to the gradient first: `g += wd · w`.
///
/// The rules are torch's, but for [`Optimizer::CaffeSgd`]. All state starts at 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimizer {
    /// `v = μ·v + g; w -= lr·v`, with the rate outside of the velocity: `torch.optim.SGD`. With
    /// `nesterov`, `w -= lr·(g + μ·v)`.
    Sgd {
        /// μ, at least 0 and below 1.
        momentum: f64,
        /// Whether to look ahead along the velocity.
        nesterov: bool,
    },
    /// `v = μ·v + lr·g; w -= v`, with the rate inside the velocity: Caffe's `SGD`. With
    /// `nesterov`, `w -= (1 + μ)·v - μ·v_before`: Caffe's `Nesterov`.
    CaffeSgd {
        /// μ, at least 0 and below 1.
        momentum: f64,
        /// Whether to look ahead along the velocity.
        nesterov: bool,
    },
    /// `m = β₁·m + (1 - β₁)·g; s = β₂·s + (1 - β₂)·g²; w -= lr·m̂ / (sqrt(ŝ) + ε)`, where `m̂ = m
    /// / (1 - β₁ᵗ)` and `ŝ = s / (1 - β₂ᵗ)` in the `t`-th update, counted from 1:
    /// `torch.optim.Adam`. If β₁ changes, its present value is used in `β₁ᵗ`.
    Adam {
        /// β₁, at least 0 and below 1.
        beta1: f64,
        /// β₂, at least 0 and below 1.
        beta2: f64,
        /// ε, above 0.
        eps: f64,
    },
    /// [`Optimizer::Adam`] with weight decay apart from the gradient, `w *= 1 - lr·wd` first:
    /// `torch.optim.AdamW`.
    AdamW {
        /// β₁, at least 0 and below 1.
        beta1: f64,
        /// β₂, at least 0 and below 1.
        beta2: f64,
        /// ε, above 0.
        eps: f64,
    },
    /// `s = α·s + (1 - α)·g²; v = μ·v + g / (sqrt(s) + ε); w -= lr·v`: `torch.optim.RMSprop`.
    RmsProp {
        /// α, at least 0 and below 1.
        alpha: f64,
        /// ε, above 0.
        eps: f64,
        /// μ, at least 0 and below 1.
        momentum: f64,
    },
    /// `s += g²; w -= lr·g / (sqrt(s) + ε)`: `torch.optim.Adagrad`.
    AdaGrad {
        /// ε, above 0.
        eps: f64,
    },
    /// `s = ρ·s + (1 - ρ)·g²; d = g·sqrt(u + ε) / sqrt(s + ε); u = ρ·u + (1 - ρ)·d²; w -= lr·d`:
    /// `torch.optim.Adadelta`.
    AdaDelta {
        /// ρ, at least 0 and below 1.
        rho: f64,
        /// ε, above 0.
        eps: f64,
    },
}

impl Optimizer {
    /// The momentum (β₁ of the Adam family) that it starts with; none for [`Optimizer::AdaGrad`]
    /// and [`Optimizer::AdaDelta`], which have neither.
    pub fn momentum(&self) -> Option<f64> {
        match *self {
            Self::Sgd { momentum, .. }
            | Self::CaffeSgd { momentum, .. }
            | Self::RmsProp { momentum, .. } => Some(momentum),
            Self::Adam { beta1, .. } | Self::AdamW { beta1, .. } => Some(beta1),
            Self::AdaGrad { .. } | Self::AdaDelta { .. } => None,
        }
    }

    /// Its text in a run's state, which is part of the state's format.
    pub(crate) fn describe(&self) -> String {
        match *self {
            Self::Sgd { momentum, nesterov } => {
                format!("sgd(momentum={momentum}, nesterov={nesterov})")
            }
            Self::CaffeSgd { momentum, nesterov } => {
                format!("caffe_sgd(momentum={momentum}, nesterov={nesterov})")
            }
            Self::Adam { beta1, beta2, eps } => {
                format!("adam(beta1={beta1}, beta2={beta2}, eps={eps})")
            }
            Self::AdamW { beta1, beta2, eps } => {
                format!("adamw(beta1={beta1}, beta2={beta2}, eps={eps})")
            }
            Self::RmsProp {
                alpha,
                eps,
                momentum,
            } => format!("rmsprop(alpha={alpha}, eps={eps}, momentum={momentum})"),
            Self::AdaGrad { eps } => format!("adagrad(eps={eps})"),
            Self::AdaDelta { rho, eps } => format!("adadelta(rho={rho}, eps={eps})"),
        }
    }

    /// Its constants, by name, with whether each must be in `0..1` (or else above 0).
    fn constants(&self) -> Vec<(&'static str, f64, bool)> {
        match *self {
            Self::Sgd { momentum, .. } | Self::CaffeSgd { momentum, .. } => {
                vec![("momentum", momentum, true)]
            }
            Self::Adam { beta1, beta2, eps } | Self::AdamW { beta1, beta2, eps } => {
                vec![
                    ("beta1", beta1, true),
                    ("beta2", beta2, true),
                    ("eps", eps, false),
                ]
            }
            Self::RmsProp {
                alpha,
                eps,
                momentum,
            } => vec![
                ("alpha", alpha, true),
                ("eps", eps, false),
                ("momentum", momentum, true),
            ],
            Self::AdaGrad { eps } => vec![("eps", eps, false)],
            Self::AdaDelta { rho, eps } => vec![("rho", rho, true), ("eps", eps, false)],
        }
    }

    /// The first constant outside its range: its name, its value, and the range.
    pub(crate) fn wrong_constant(&self) -> Option<(&'static str, f64, &'static str)> {
        self.constants()
            .into_iter()
            .find_map(|(name, value, fraction)| {
                let (good, range) = if fraction {
                    ((0.0..1.0).contains(&value), "at least 0 and below 1")
                } else {
                    // Below the least single-precision number it would be 0, and 0 / 0 without a
                    // gradient.
                    let single = value as f32;
                    let good = single > 0.0 && single.is_finite();
                    (good, "finite and above 0 in single precision")
                };
                (!good).then_some((name, value, range))
            })
    }

    /// The names of what it keeps for each parameter.
    pub(crate) fn memory(&self) -> &'static [&'static str] {
        match self {
            Self::Sgd { .. } | Self::CaffeSgd { .. } => &["velocity"],
            Self::Adam { .. } | Self::AdamW { .. } => &["mean", "mean_square"],
            Self::RmsProp { .. } => &["mean_square", "velocity"],
            Self::AdaGrad { .. } => &["sum_square"],
            Self::AdaDelta { .. } => &["mean_square", "mean_square_step"],
        }
    }
}
