//! A net at work: its parameters, and the buffers of one forward and backward pass. All memory is
//! taken when it is made.

mod backward;
mod forward;
mod subsample;

use std::sync::Arc;

use super::{
    Plan,
    plan::{Image, Op, Step},
};
use crate::{
    cpu::Cpu,
    kernels::BatchStatistics,
    rng::{Purpose, Rng},
};

/// Whether a forward pass is of training (batch statistics, dropout), of evaluation (running ones,
/// none), or measures norm statistics (those of the batch, no dropout): the running ones become
/// the mean of all such passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    Train,
    Evaluate,
    Measure {
        /// The passes before this one.
        passes: u64,
    },
}

#[derive(Debug)]
pub(crate) struct Model {
    plan: Arc<Plan>,
    pub(crate) cpu: Cpu,
    pub(crate) params: Vec<f32>,
    /// The sum of the gradients since they were last set to 0.
    pub(crate) grads: Vec<f32>,
    /// The running statistics of batch norms.
    pub(crate) stats: Vec<f32>,
    capacity: usize,
    values: Vec<Vec<f32>>,
    slots: Vec<Vec<f32>>,
    /// What each step saves for the backward pass.
    saved: Vec<Saved>,
    dropouts: Vec<Rng>,
}

#[derive(Debug)]
enum Saved {
    Nothing,
    Cells(Vec<u8>),
    Mask(Vec<bool>),
    Statistics(BatchStatistics),
}

impl Model {
    /// Room for `capacity` images at a time. Parameters and statistics are 0.
    pub(crate) fn new(plan: Arc<Plan>, capacity: usize, cpu: Cpu) -> Self {
        let buffers = |sizes: &[usize]| {
            let buffer = |size: &usize| vec![0.0; capacity * size];
            sizes.iter().map(buffer).collect::<Vec<_>>()
        };
        let save = |step: &Step| match &step.op {
            Op::MaxPool(pool) => Saved::Cells(vec![0; capacity * pool.out_len()]),
            Op::Dropout { .. } => Saved::Mask(vec![false; capacity * plan.values[step.y]]),
            Op::BatchNorm(norm, _) => Saved::Statistics(BatchStatistics {
                mean: Vec::with_capacity(norm.channels()),
                inv_std: Vec::with_capacity(norm.channels()),
            }),
            _ => Saved::Nothing,
        };
        Self {
            cpu,
            params: vec![0.0; plan.parameters()],
            grads: vec![0.0; plan.parameters()],
            stats: vec![0.0; plan.statistics()],
            capacity,
            values: buffers(&plan.values),
            slots: buffers(&plan.slots),
            saved: plan.steps.iter().map(save).collect(),
            dropouts: Vec::with_capacity(plan.dropouts),
            plan,
        }
    }

    /// How many images fit a pass.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Starts the random numbers of an update's dropout. Its micro-batches draw from them in turn.
    pub(crate) fn begin_update(&mut self, seed: u64, update: u64) {
        let layers = self.plan.dropouts as u64;
        let stream = |layer| {
            let index = update.wrapping_mul(layers).wrapping_add(layer);
            Rng::new(seed, Purpose::Dropout, index)
        };
        self.dropouts.clear();
        self.dropouts.extend((0..layers).map(stream));
    }

    /// Where the input of `n` images goes, and what can fill it.
    pub(crate) fn input(&mut self, n: usize) -> (&Cpu, &mut [f32]) {
        (&self.cpu, &mut self.values[0][..n * self.plan.values[0]])
    }

    /// Computes the values of `n` images.
    pub(crate) fn forward(&mut self, n: usize, pass: Pass) {
        for index in 0..self.plan.steps.len() {
            self.step_forward(index, n, pass);
        }
    }

    /// What the net gave for the `n` images of the last forward pass, and where the gradient of it
    /// goes.
    pub(crate) fn output(&mut self, n: usize) -> (&[f32], &mut [f32]) {
        let output = self.plan.output();
        let len = n * self.plan.values[output];
        let slot = self.plan.slot_of[output].expect("the output has a gradient");
        (&self.values[output][..len], &mut self.slots[slot][..len])
    }

    /// Adds the parameters' gradients, for the gradient of the output that was left in its place.
    pub(crate) fn backward(&mut self, n: usize) {
        for index in (0..self.plan.steps.len()).rev() {
            self.step_backward(index, n);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cpu::Level,
        net::{Init, Layer, Net, Shortcut, batch_norm, conv, dense, param, start, window, zeros},
    };

    const IMAGES: usize = 4;

    /// Every kind of step, and every way for gradients to meet.
    fn net() -> Net {
        let he = param(Init::He);
        let same = window(3).pad(1);
        let layers = vec![
            conv("conv1", 4, same, he, zeros()),
            Layer::Lrn {
                size: 3,
                alpha: 0.3,
                beta: 0.75,
            },
            Layer::Residual {
                // Its first layer must not work in place: the shortcut reads the same value.
                body: vec![Layer::Relu, conv("conv2", 4, same, he, zeros())],
                shortcut: Shortcut::Identity,
            },
            Layer::MaxPool(window(2).stride(2)),
            Layer::Relu,
            Layer::Residual {
                body: vec![
                    conv("conv3", 6, same.stride(2), he, None),
                    batch_norm("bn3"),
                ],
                shortcut: Shortcut::Subsample { stride: 2, out: 6 },
            },
            Layer::Relu,
            Layer::Residual {
                body: vec![conv("conv4", 6, same, he, None), batch_norm("bn4")],
                shortcut: Shortcut::Identity,
            },
            Layer::Dropout { p: 0.3 },
            Layer::AvgPool(window(2)),
            dense("fc1", 9, he, zeros()),
            Layer::Relu,
            dense("fc2", 3, he, zeros()),
        ];
        Net::new("everything", layers)
    }

    /// The sum of the outputs, each times a number of its own.
    fn objective(model: &mut Model) -> f64 {
        model.begin_update(5, 11);
        for (i, x) in model.input(IMAGES).1.iter_mut().enumerate() {
            *x = (i as f32 * 0.37).sin();
        }
        model.forward(IMAGES, Pass::Train);
        let (y, dy) = model.output(IMAGES);
        for (i, dy) in dy.iter_mut().enumerate() {
            *dy = (i as f32 * 1.3).cos();
        }
        y.iter()
            .zip(dy)
            .map(|(y, d)| f64::from(*y) * f64::from(*d))
            .sum()
    }

    #[test]
    fn gradients_are_those_of_finite_differences() {
        let plan = Arc::new(Plan::new(&net(), (8, 10, 2)).expect("the net fits"));
        let cpu = Cpu::new(Level::Portable, 2).expect("two threads");
        let mut model = Model::new(plan.clone(), IMAGES, cpu);
        start(&plan, 1, &mut model.params, &mut model.stats);
        objective(&mut model);
        model.backward(IMAGES);
        let (params, grads) = (model.params.clone(), model.grads.clone());
        // For each parameter, the slope along its own gradient: f32 leaves that about three
        // digits, and a small step crosses few of the kinks of ReLU and max pool.
        for info in &plan.params {
            let squares = grads[info.range.clone()]
                .iter()
                .map(|g| f64::from(*g).powi(2));
            let norm = squares.sum::<f64>().sqrt();
            assert!(norm > 1e-3, "{} has no gradient", info.name);
            let mut along = |step: f64| {
                model.params.copy_from_slice(&params);
                for i in info.range.clone() {
                    model.params[i] += (step * f64::from(grads[i]) / norm) as f32;
                }
                objective(&mut model)
            };
            let h = 1e-3;
            let slope = (along(h) - along(-h)) / (2.0 * h);
            assert!(
                (slope / norm - 1.0).abs() < 0.01,
                "{}: {slope} for {norm}",
                info.name
            );
        }
    }

    #[test]
    fn evaluation_uses_the_running_statistics_and_no_dropout() {
        let plan = Arc::new(Plan::new(&net(), (8, 10, 2)).expect("the net fits"));
        let cpu = Cpu::new(Level::Portable, 1).expect("one thread");
        let mut model = Model::new(plan.clone(), IMAGES, cpu);
        start(&plan, 1, &mut model.params, &mut model.stats);
        objective(&mut model);
        let stats = model.stats.clone();
        model.forward(IMAGES, Pass::Evaluate);
        let together = model.output(IMAGES).0.to_vec();
        assert_eq!(model.stats, stats);
        // Without batch statistics each image's output is its own.
        model.forward(1, Pass::Evaluate);
        assert_eq!(model.output(1).0, &together[..3]);
    }
}
