//! Optimizers: one pass over the parameters an update.

use std::ops::Range;

use cyclr::Hyper;

use crate::cpu::Cpu;

/// How parameters follow their gradients. `w` is a parameter, `g` its gradient, `lr` the rate times the parameter's
/// multiplier, `wd` the weight decay times its own. Except for [`Optimizer::AdamW`], weight decay is added to the
/// gradient first: `g += wd · w`.
///
/// The rules are torch's, but for [`Optimizer::CaffeSgd`]. All state starts at 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimizer {
    /// `v = μ·v + g; w -= lr·v`, with the rate outside of the velocity: `torch.optim.SGD`. With `nesterov`,
    /// `w -= lr·(g + μ·v)`.
    Sgd {
        /// μ, at least 0 and below 1.
        momentum: f64,
        /// Whether to look ahead along the velocity.
        nesterov: bool,
    },
    /// `v = μ·v + lr·g; w -= v`, with the rate inside the velocity: Caffe's `SGD`. With `nesterov`,
    /// `w -= (1 + μ)·v - μ·v_before`: Caffe's `Nesterov`.
    CaffeSgd {
        /// μ, at least 0 and below 1.
        momentum: f64,
        /// Whether to look ahead along the velocity.
        nesterov: bool,
    },
    /// `m = β₁·m + (1 - β₁)·g; s = β₂·s + (1 - β₂)·g²; w -= lr·m̂ / (sqrt(ŝ) + ε)`, where `m̂ = m / (1 - β₁ᵗ)` and
    /// `ŝ = s / (1 - β₂ᵗ)` in the `t`-th update, counted from 1: `torch.optim.Adam`. Where β₁ moves, its present value
    /// stands in `β₁ᵗ`.
    Adam {
        /// β₁, at least 0 and below 1.
        beta1: f64,
        /// β₂, at least 0 and below 1.
        beta2: f64,
        /// ε, above 0.
        eps: f64,
    },
    /// [`Optimizer::Adam`] with weight decay apart from the gradient, `w *= 1 - lr·wd` first: `torch.optim.AdamW`.
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
    /// The momentum (β₁ of the Adam family) that it starts with; none for [`Optimizer::AdaGrad`] and
    /// [`Optimizer::AdaDelta`], which have nothing of the kind.
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
                    (value > 0.0 && value.is_finite(), "finite and above 0")
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

/// A parameter's place, and how the run's rate and weight decay apply to it.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) range: Range<usize>,
    pub(crate) lr_mult: f64,
    pub(crate) decay_mult: f64,
}

/// An optimizer at work.
#[derive(Debug)]
pub(crate) struct Optim {
    rule: Optimizer,
    groups: Vec<Group>,
    /// What [`Optimizer::memory`] names, each as long as the parameters.
    pub(crate) memory: Vec<Vec<f32>>,
    /// The momentum or β₁ now.
    pub(crate) momentum: f64,
    /// The weight decay now.
    pub(crate) weight_decay: f64,
}

impl Optim {
    /// For parameters in these groups, which lie one behind the other.
    pub(crate) fn new(rule: Optimizer, weight_decay: f64, groups: Vec<Group>) -> Self {
        let len = groups.last().map_or(0, |group| group.range.end);
        Self {
            rule,
            groups,
            memory: rule.memory().iter().map(|_| vec![0.0; len]).collect(),
            momentum: rule.momentum().unwrap_or(0.0),
            weight_decay,
        }
    }

    /// Makes the `number`-th update, counted from 1, with `factor` times the gradients, and sets them to 0.
    pub(crate) fn step(
        &mut self,
        cpu: &Cpu,
        params: &mut [f32],
        grads: &mut [f32],
        hyper: Hyper,
        (number, factor): (u64, f32),
    ) {
        self.momentum = hyper.momentum.unwrap_or(self.momentum);
        self.weight_decay = hyper.weight_decay.unwrap_or(self.weight_decay);
        let (first, second) = self.memory.split_at_mut(1);
        let none: &mut [f32] = &mut [];
        let mut rest = Chunk {
            w: params,
            g: grads,
            a: &mut first[0],
            b: second.first_mut().map_or(none, |memory| memory),
        };
        let mut tasks = Vec::with_capacity(params_chunks(&self.groups));
        for group in &self.groups {
            let rates = Rates {
                lr: hyper.lr * group.lr_mult,
                decay: self.weight_decay * group.decay_mult,
                momentum: self.momentum,
                number,
                factor,
            };
            let mut left = group.range.len();
            while left > 0 {
                let len = left.min(CHUNK);
                let (chunk, behind) = rest.split(len);
                tasks.push((chunk, rates));
                rest = behind;
                left -= len;
            }
        }
        let rule = self.rule;
        cpu.run(tasks, |(mut chunk, rates)| rule.update(&mut chunk, &rates));
    }
}

/// Parameters in a task.
const CHUNK: usize = 16_384;

fn params_chunks(groups: &[Group]) -> usize {
    groups.iter().map(|g| g.range.len().div_ceil(CHUNK)).sum()
}

#[derive(Clone, Copy)]
struct Rates {
    lr: f64,
    decay: f64,
    momentum: f64,
    number: u64,
    factor: f32,
}

/// Some parameters, their gradients, and what the optimizer keeps for them.
struct Chunk<'a> {
    w: &'a mut [f32],
    g: &'a mut [f32],
    a: &'a mut [f32],
    /// Empty where the optimizer keeps one number only.
    b: &'a mut [f32],
}

impl Chunk<'_> {
    /// Splits the first `len` parameters off.
    fn split(self, len: usize) -> (Self, Self) {
        let (w, w_rest) = self.w.split_at_mut(len);
        let (g, g_rest) = self.g.split_at_mut(len);
        let (a, a_rest) = self.a.split_at_mut(len);
        let of_b = len.min(self.b.len());
        let (b, b_rest) = self.b.split_at_mut(of_b);
        let rest = Self {
            w: w_rest,
            g: g_rest,
            a: a_rest,
            b: b_rest,
        };
        (Self { w, g, a, b }, rest)
    }

    /// For each parameter: `rule(w, g, a)`; the gradient is 0 afterwards.
    fn each1(&mut self, rule: impl Fn(&mut f32, f32, &mut f32)) {
        for ((w, g), a) in self.w.iter_mut().zip(&mut *self.g).zip(&mut *self.a) {
            rule(w, *g, a);
            *g = 0.0;
        }
    }

    /// For each parameter: `rule(w, g, a, b)`; the gradient is 0 afterwards.
    fn each2(&mut self, rule: impl Fn(&mut f32, f32, &mut f32, &mut f32)) {
        let kept = self.a.iter_mut().zip(&mut *self.b);
        for ((w, g), (a, b)) in self.w.iter_mut().zip(&mut *self.g).zip(kept) {
            rule(w, *g, a, b);
            *g = 0.0;
        }
    }
}

impl Optimizer {
    fn update(&self, chunk: &mut Chunk<'_>, rates: &Rates) {
        let (lr, wd, mu) = (rates.lr as f32, rates.decay as f32, rates.momentum as f32);
        let factor = rates.factor;
        let decayed = |w: f32, g: f32| g * factor + wd * w;
        match *self {
            Self::Sgd {
                nesterov: false, ..
            } => chunk.each1(|w, g, v| {
                *v = mu * *v + decayed(*w, g);
                *w -= lr * *v;
            }),
            Self::Sgd { nesterov: true, .. } => chunk.each1(|w, g, v| {
                let g = decayed(*w, g);
                *v = mu * *v + g;
                *w -= lr * (g + mu * *v);
            }),
            Self::CaffeSgd {
                nesterov: false, ..
            } => chunk.each1(|w, g, v| {
                *v = mu * *v + lr * decayed(*w, g);
                *w -= *v;
            }),
            Self::CaffeSgd { nesterov: true, .. } => chunk.each1(|w, g, v| {
                let before = *v;
                *v = mu * before + lr * decayed(*w, g);
                *w -= (1.0 + mu) * *v - mu * before;
            }),
            Self::Adam { beta2, eps, .. } => adam(chunk, rates, (beta2, eps), wd, 0.0),
            Self::AdamW { beta2, eps, .. } => {
                adam(chunk, rates, (beta2, eps), 0.0, rates.lr * rates.decay);
            }
            Self::RmsProp { alpha, eps, .. } => {
                let (keep, take, eps) = (alpha as f32, (1.0 - alpha) as f32, eps as f32);
                chunk.each2(|w, g, s, v| {
                    let g = decayed(*w, g);
                    *s = keep * *s + take * (g * g);
                    *v = mu * *v + g / (s.sqrt() + eps);
                    *w -= lr * *v;
                });
            }
            Self::AdaGrad { eps } => {
                let eps = eps as f32;
                chunk.each1(|w, g, s| {
                    let g = decayed(*w, g);
                    *s += g * g;
                    *w -= lr * (g / (s.sqrt() + eps));
                });
            }
            Self::AdaDelta { rho, eps } => {
                let (keep, take, eps) = (rho as f32, (1.0 - rho) as f32, eps as f32);
                chunk.each2(|w, g, s, u| {
                    let g = decayed(*w, g);
                    *s = keep * *s + take * (g * g);
                    let step = (*u + eps).sqrt() / (*s + eps).sqrt() * g;
                    *u = keep * *u + take * (step * step);
                    *w -= lr * step;
                });
            }
        }
    }
}

/// Adam with weight decay `coupled` to the gradient, and parameters shrunk by `shrink` of themselves first.
fn adam(chunk: &mut Chunk<'_>, rates: &Rates, (beta2, eps): (f64, f64), coupled: f32, shrink: f64) {
    let beta1 = rates.momentum;
    let number = rates.number as f64;
    let (correct1, correct2) = (
        1.0 - libm::pow(beta1, number),
        1.0 - libm::pow(beta2, number),
    );
    let step = (rates.lr / correct1) as f32;
    let root = libm::sqrt(correct2) as f32;
    let (keep1, take1) = (beta1 as f32, (1.0 - beta1) as f32);
    let (keep2, take2, eps) = (beta2 as f32, (1.0 - beta2) as f32, eps as f32);
    let (kept, factor) = ((1.0 - shrink) as f32, rates.factor);
    chunk.each2(|w, g, m, s| {
        *w *= kept;
        let g = g * factor + coupled * *w;
        *m = keep1 * *m + take1 * g;
        *s = keep2 * *s + take2 * (g * g);
        *w -= step * (*m / (s.sqrt() / root + eps));
    });
}

#[cfg(test)]
#[path = "../tests/common/mod.rs"]
mod common;

#[cfg(test)]
mod tests {
    use super::{
        common::{golden, list, numbers},
        *,
    };
    use crate::cpu::Level;

    const PARAMS: usize = 40;

    /// Parameters after the updates that the golden file shows, with the rates and momenta of `make.py`.
    fn shown(rule: Optimizer, moving: bool, wd: f64, show: &[f64]) -> Vec<Vec<f32>> {
        let cpu = Cpu::new(Level::Portable, 2).unwrap();
        let group = |range: Range<usize>| Group {
            range,
            lr_mult: 1.0,
            decay_mult: 1.0,
        };
        let mut optim = Optim::new(rule, wd, vec![group(0..15), group(15..PARAMS)]);
        let mut w = numbers(PARAMS, 1, 1.0);
        let mut found = Vec::new();
        for step in 0..30_u32 {
            let mut g = numbers(PARAMS, 100 + step, 1.0);
            let hyper = Hyper {
                lr: 0.01 * f64::from(1 + step % 7),
                momentum: moving.then_some(0.8 + 0.01 * f64::from(step % 5)),
                weight_decay: None,
            };
            let number = u64::from(step) + 1;
            optim.step(&cpu, &mut w, &mut g, hyper, (number, 1.0));
            assert!(g.iter().all(|&g| g == 0.0));
            if show.contains(&(number as f64)) {
                found.push(w.clone());
            }
        }
        found
    }

    #[test]
    fn rules_are_those_of_torch_and_caffe() {
        let file = golden("optimizers.json");
        let (wd, show) = (file["weight_decay"].as_f64().unwrap(), list(&file["shown"]));
        let (momentum, eps) = (0.9, 1e-8);
        let (beta1, beta2) = (0.9, 0.99);
        let sgd = |nesterov| Optimizer::Sgd { momentum, nesterov };
        let caffe = |nesterov| Optimizer::CaffeSgd { momentum, nesterov };
        let rms = |momentum| Optimizer::RmsProp {
            alpha: 0.95,
            eps,
            momentum,
        };
        let cases = [
            ("sgd", sgd(false), true),
            ("nesterov", sgd(true), true),
            ("caffe_sgd", caffe(false), true),
            ("caffe_nesterov", caffe(true), true),
            ("adam", Optimizer::Adam { beta1, beta2, eps }, true),
            ("adamw", Optimizer::AdamW { beta1, beta2, eps }, true),
            ("rmsprop", rms(momentum), true),
            ("rmsprop_plain", rms(0.0), false),
            ("adagrad", Optimizer::AdaGrad { eps: 1e-10 }, false),
            (
                "adadelta",
                Optimizer::AdaDelta {
                    rho: 0.9,
                    eps: 1e-6,
                },
                false,
            ),
        ];
        assert_eq!(file["cases"].as_object().unwrap().len(), cases.len());
        for (name, rule, moving) in cases {
            let found = shown(rule, moving, wd, &show);
            for (at, found) in found.iter().enumerate() {
                let expected = list(&file["cases"][name][at]);
                for (found, expected) in found.iter().zip(&expected) {
                    // 30 roundings of values up to some units.
                    let apart = (f64::from(*found) - expected).abs();
                    assert!(
                        apart < 3e-6,
                        "{name} after {}: {found} for {expected}",
                        show[at]
                    );
                }
            }
        }
    }

    #[test]
    fn multipliers_are_those_of_the_parameter() {
        let cpu = Cpu::new(Level::Portable, 1).unwrap();
        let rule = Optimizer::Sgd {
            momentum: 0.0,
            nesterov: false,
        };
        let group = |range, lr_mult, decay_mult| Group {
            range,
            lr_mult,
            decay_mult,
        };
        let groups = vec![
            group(0..1, 1.0, 1.0),
            group(1..2, 2.0, 0.0),
            group(2..3, 0.5, 4.0),
        ];
        let mut optim = Optim::new(rule, 0.5, groups);
        let (mut w, mut g) = ([1.0; 3], [1.0; 3]);
        optim.step(&cpu, &mut w, &mut g, Hyper::lr(0.125), (1, 2.0));
        // 1 - lr · lr_mult · (2 · 1 + 0.5 · decay_mult · 1)
        assert_eq!(w, [0.6875, 0.5, 0.75]);
    }
}
