//! The rules of the optimizers.

use super::Optimizer;

/// What an update multiplies by, for one parameter.
#[derive(Clone, Copy)]
pub(super) struct Rates {
    pub(super) lr: f64,
    pub(super) decay: f64,
    pub(super) momentum: f64,
    pub(super) number: u64,
    pub(super) factor: f32,
}

/// Some parameters, their gradients, and what the optimizer keeps for them.
pub(super) struct Chunk<'a> {
    pub(super) w: &'a mut [f32],
    pub(super) g: &'a mut [f32],
    pub(super) a: &'a mut [f32],
    /// Empty if the optimizer keeps one number only.
    pub(super) b: &'a mut [f32],
}

impl Chunk<'_> {
    /// Splits the first `len` parameters off.
    pub(super) fn split(self, len: usize) -> (Self, Self) {
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
    /// Updates some parameters.
    pub(super) fn update(&self, chunk: &mut Chunk<'_>, rates: &Rates) {
        let decay = rates.decay as f32;
        match *self {
            Self::Sgd { nesterov, .. } => sgd(chunk, rates, nesterov),
            Self::CaffeSgd { nesterov, .. } => caffe_sgd(chunk, rates, nesterov),
            Self::Adam { beta2, eps, .. } => adam(chunk, rates, (beta2, eps), decay, 0.0),
            Self::AdamW { beta2, eps, .. } => {
                adam(chunk, rates, (beta2, eps), 0.0, rates.lr * rates.decay);
            }
            Self::RmsProp { alpha, eps, .. } => rms_prop(chunk, rates, alpha, eps),
            Self::AdaGrad { eps } => ada_grad(chunk, rates, eps),
            Self::AdaDelta { rho, eps } => ada_delta(chunk, rates, rho, eps),
        }
    }
}

impl Rates {
    /// The gradient, scaled and with the weight decay added.
    fn decayed(&self) -> impl Fn(f32, f32) -> f32 + use<> {
        let (factor, decay) = (self.factor, self.decay as f32);
        move |w, g| g * factor + decay * w
    }
}

fn sgd(chunk: &mut Chunk<'_>, rates: &Rates, nesterov: bool) {
    let (lr, mu, decayed) = (rates.lr as f32, rates.momentum as f32, rates.decayed());
    if nesterov {
        chunk.each1(|w, g, v| {
            let g = decayed(*w, g);
            *v = mu * *v + g;
            *w -= lr * (g + mu * *v);
        });
    } else {
        chunk.each1(|w, g, v| {
            *v = mu * *v + decayed(*w, g);
            *w -= lr * *v;
        });
    }
}

fn caffe_sgd(chunk: &mut Chunk<'_>, rates: &Rates, nesterov: bool) {
    let (lr, mu, decayed) = (rates.lr as f32, rates.momentum as f32, rates.decayed());
    if nesterov {
        chunk.each1(|w, g, v| {
            let before = *v;
            *v = mu * before + lr * decayed(*w, g);
            *w -= (1.0 + mu) * *v - mu * before;
        });
    } else {
        chunk.each1(|w, g, v| {
            *v = mu * *v + lr * decayed(*w, g);
            *w -= *v;
        });
    }
}

fn rms_prop(chunk: &mut Chunk<'_>, rates: &Rates, alpha: f64, eps: f64) {
    let (lr, mu, decayed) = (rates.lr as f32, rates.momentum as f32, rates.decayed());
    let (keep, take, eps) = (alpha as f32, (1.0 - alpha) as f32, eps as f32);
    chunk.each2(|w, g, s, v| {
        let g = decayed(*w, g);
        *s = keep * *s + take * (g * g);
        *v = mu * *v + g / (s.sqrt() + eps);
        *w -= lr * *v;
    });
}

fn ada_grad(chunk: &mut Chunk<'_>, rates: &Rates, eps: f64) {
    let (lr, decayed, eps) = (rates.lr as f32, rates.decayed(), eps as f32);
    chunk.each1(|w, g, s| {
        let g = decayed(*w, g);
        *s += g * g;
        *w -= lr * (g / (s.sqrt() + eps));
    });
}

fn ada_delta(chunk: &mut Chunk<'_>, rates: &Rates, rho: f64, eps: f64) {
    let (lr, decayed) = (rates.lr as f32, rates.decayed());
    let (keep, take, eps) = (rho as f32, (1.0 - rho) as f32, eps as f32);
    chunk.each2(|w, g, s, u| {
        let g = decayed(*w, g);
        *s = keep * *s + take * (g * g);
        let step = (*u + eps).sqrt() / (*s + eps).sqrt() * g;
        *u = keep * *u + take * (step * step);
        *w -= lr * step;
    });
}

/// Adam with weight decay `coupled` to the gradient, and parameters shrunk by `shrink` of
/// themselves first.
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
