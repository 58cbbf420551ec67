//! One pass over all parameters for each update.

use std::ops::Range;

use cyclr::Hyper;

use super::{
    Optimizer,
    rules::{Chunk, Rates},
};
use crate::cpu::Cpu;

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
    /// For parameters in these groups, which follow each other.
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

    /// Makes the `number`-th update, counted from 1, with `factor` times the gradients, and sets
    /// them to 0.
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

#[cfg(test)]
#[path = "../../tests/common/mod.rs"]
mod common;

#[cfg(test)]
mod tests {
    use super::{
        common::{golden, list, numbers},
        *,
    };
    use crate::cpu::Level;

    const PARAMS: usize = 40;

    /// Parameters after the updates that the golden file shows, with the rates and momenta of
    /// `make.py`.
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
