//! A net at work: its parameters, and the buffers of one forward and backward pass. All memory is taken when it is made.

use std::{mem, ops::Range, sync::Arc};

use super::{
    Plan,
    plan::{Image, Op, Target},
};
use crate::{
    cpu::Cpu,
    kernels::{
        self, BatchNormBackward, BatchNormForward, BatchNormGradients, BatchStatistics,
        ConvBackward, ConvForward, DenseBackward, DenseForward,
    },
    rng::{Purpose, Rng},
};

/// Whether a forward pass is of training (batch statistics, dropout) or of evaluation (running ones, none).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    Train,
    Evaluate,
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
    /// What each step keeps for the way back.
    kept: Vec<Manifest>,
    dropouts: Vec<Rng>,
}

#[derive(Debug)]
enum Manifest {
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
        let keep = |step: &super::plan::Step| match &step.op {
            Op::MaxPool(pool) => Manifest::Cells(vec![0; capacity * pool.out_len()]),
            Op::Dropout { .. } => Manifest::Mask(vec![false; capacity * plan.values[step.y]]),
            Op::BatchNorm(norm, _) => Manifest::Statistics(BatchStatistics {
                mean: Vec::with_capacity(norm.channels()),
                inv_std: Vec::with_capacity(norm.channels()),
            }),
            _ => Manifest::Nothing,
        };
        Self {
            cpu,
            params: vec![0.0; plan.parameters()],
            grads: vec![0.0; plan.parameters()],
            stats: vec![0.0; plan.statistics()],
            capacity,
            values: buffers(&plan.values),
            slots: buffers(&plan.slots),
            kept: plan.steps.iter().map(keep).collect(),
            dropouts: Vec::with_capacity(plan.dropouts),
            plan,
        }
    }

    /// How many images fit a pass.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Opens the random numbers of an update's dropout. Its micro-batches draw from them one after the other.
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

    /// What the net gave for the `n` images of the last forward pass, and where the gradient of it goes.
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

    /// One arm for each kind of step.
    fn step_forward(&mut self, index: usize, n: usize, pass: Pass) {
        let Self {
            plan,
            cpu,
            params,
            stats,
            values,
            kept,
            dropouts,
            ..
        } = self;
        let step = &plan.steps[index];
        let len = |value: usize| n * plan.values[value];
        let mut output = mem::take(&mut values[step.y]);
        let y = &mut output[..len(step.y)];
        // Empty where the step works in place.
        let x = values[step.x].get(..len(step.x)).unwrap_or_default();
        let slice = |range: &Range<usize>| &params[range.clone()];
        match (&step.op, &mut kept[index]) {
            (Op::Conv(conv, affine), _) => {
                let input = ConvForward {
                    x,
                    w: slice(&affine.weight),
                    bias: affine.bias.as_ref().map(slice),
                    relu: affine.relu,
                };
                conv.forward(cpu, input, y);
            }
            (Op::Dense(dense, affine), _) => {
                let input = DenseForward {
                    x,
                    w: slice(&affine.weight),
                    bias: affine.bias.as_ref().map(slice),
                    relu: affine.relu,
                };
                dense.forward(cpu, input, y);
            }
            (Op::MaxPool(pool), Manifest::Cells(cells)) => {
                let cells = &mut cells[..y.len()];
                pool.forward(cpu, x, y, cells);
            }
            (Op::AvgPool(pool), _) => pool.forward(cpu, x, y),
            (Op::Lrn(lrn), _) => lrn.forward(cpu, x, y),
            (Op::Relu, _) => {
                if step.x != step.y {
                    y.copy_from_slice(x);
                }
                kernels::relu(cpu, y);
            }
            (Op::BatchNorm(norm, scaled), Manifest::Statistics(batch)) => {
                let input = BatchNormForward {
                    x,
                    gamma: slice(&scaled.gamma),
                    beta: slice(&scaled.beta),
                    residual: scaled.residual.map(|value| &values[value][..len(value)]),
                    relu: scaled.relu,
                };
                let (mean, var) = two_ranges(stats, &scaled.running);
                match pass {
                    Pass::Train => norm.forward_train(cpu, input, (mean, var), batch, y),
                    Pass::Evaluate => norm.forward_eval(cpu, input, (mean, var), y),
                }
            }
            (Op::Dropout { p, ordinal }, Manifest::Mask(mask)) => match pass {
                Pass::Train => {
                    let mask = &mut mask[..y.len()];
                    draw_mask(mask, *p, &mut dropouts[*ordinal]);
                    kernels::dropout(cpu, x, mask, 1.0 / (1.0 - p), y);
                }
                Pass::Evaluate => y.copy_from_slice(x),
            },
            (Op::Subsample { from, to, stride }, _) => subsample(cpu, x, *from, y, *to, *stride),
            (Op::Add { other }, _) => {
                y.copy_from_slice(x);
                kernels::add(cpu, &values[*other][..len(*other)], y);
            }
            (op, kept) => unreachable!("{op:?} keeps {kept:?}"),
        }
        values[step.y] = output;
    }

    /// One arm for each kind of step.
    fn step_backward(&mut self, index: usize, n: usize) {
        let Self {
            plan,
            cpu,
            params,
            grads,
            values,
            slots,
            kept,
            ..
        } = self;
        let step = &plan.steps[index];
        let len = |value: usize| n * plan.values[value];
        let slot = plan.slot_of[step.y].expect("every value but the input has a gradient");
        let mut output = mem::take(&mut slots[slot]);
        let dy = &mut output[..len(step.y)];
        let (x, y) = (
            &values[step.x][..len(step.x)],
            &values[step.y][..len(step.y)],
        );
        let mut dx_buffer = take(slots, step.dx);
        let dx = dx_buffer.as_mut().map(|buffer| &mut buffer[..len(step.x)]);
        let slice = |range: &Range<usize>| &params[range.clone()];
        match (&step.op, &kept[index], dx) {
            (Op::Conv(conv, affine), _, dx) => {
                let input = ConvBackward {
                    x,
                    w: slice(&affine.weight),
                    dy,
                    relu_y: affine.relu.then_some(y),
                };
                let (dw, db) = weight_and_bias(grads, &affine.weight, affine.bias.as_ref());
                conv.backward(cpu, input, dx, dw, db);
            }
            (Op::Dense(dense, affine), _, dx) => {
                let input = DenseBackward {
                    x,
                    w: slice(&affine.weight),
                    dy,
                    relu_y: affine.relu.then_some(y),
                };
                let (dw, db) = weight_and_bias(grads, &affine.weight, affine.bias.as_ref());
                dense.backward(cpu, input, dx, dw, db);
            }
            (Op::BatchNorm(norm, scaled), Manifest::Statistics(batch), dx) => {
                let input = BatchNormBackward {
                    x,
                    gamma: slice(&scaled.gamma),
                    batch,
                    dy,
                    relu_y: scaled.relu.then_some(y),
                };
                let mut other = take(slots, step.dother);
                let size = scaled.residual.map_or(0, len);
                let (dgamma, dbeta) = weight_and_bias(grads, &scaled.gamma, Some(&scaled.beta));
                let gradients = BatchNormGradients {
                    dx: dx.expect("a batch norm's input has a gradient"),
                    dgamma,
                    dbeta: dbeta.expect("there is a β"),
                    dresidual: other.as_mut().map(|buffer| &mut buffer[..size]),
                };
                norm.backward(cpu, input, gradients);
                give_back(cpu, slots, step.dother, other, size);
            }
            (Op::Relu, _, dx) => {
                kernels::relu_backward(cpu, y, dy);
                if let Some(dx) = dx {
                    dx.copy_from_slice(dy);
                }
            }
            (Op::Add { other }, _, dx) => {
                if let Some(dx) = dx {
                    dx.copy_from_slice(dy);
                }
                let size = len(*other);
                let mut buffer = take(slots, step.dother);
                if let Some(buffer) = &mut buffer {
                    buffer[..size].copy_from_slice(dy);
                }
                give_back(cpu, slots, step.dother, buffer, size);
            }
            (_, _, None) => {}
            (Op::MaxPool(pool), Manifest::Cells(cells), Some(dx)) => {
                pool.backward(cpu, dy, &cells[..dy.len()], dx);
            }
            (Op::AvgPool(pool), _, Some(dx)) => pool.backward(cpu, dy, dx),
            (Op::Lrn(lrn), _, Some(dx)) => lrn.backward(cpu, x, dy, dx),
            (Op::Dropout { p, .. }, Manifest::Mask(mask), Some(dx)) => {
                kernels::dropout(cpu, dy, &mask[..dy.len()], 1.0 / (1.0 - p), dx);
            }
            (Op::Subsample { from, to, stride }, _, Some(dx)) => {
                subsample_backward(cpu, dy, *to, dx, *from, *stride);
            }
            (op, kept, _) => unreachable!("{op:?} keeps {kept:?}"),
        }
        give_back(cpu, slots, step.dx, dx_buffer, len(step.x));
        slots[slot] = output;
    }
}

/// Takes the buffer that a gradient is computed in.
fn take(slots: &mut [Vec<f32>], target: Target) -> Option<Vec<f32>> {
    match target {
        Target::Nowhere => None,
        Target::Slot(slot)
        | Target::Add {
            temporary: slot, ..
        } => Some(mem::take(&mut slots[slot])),
    }
}

/// Puts the buffer back, and adds it to where it belongs.
fn give_back(
    cpu: &Cpu,
    slots: &mut [Vec<f32>],
    target: Target,
    buffer: Option<Vec<f32>>,
    len: usize,
) {
    match (target, buffer) {
        (Target::Slot(slot), Some(buffer)) => slots[slot] = buffer,
        (Target::Add { temporary, sum }, Some(buffer)) => {
            kernels::add(cpu, &buffer[..len], &mut slots[sum][..len]);
            slots[temporary] = buffer;
        }
        _ => {}
    }
}

/// A bias, where there is one, lies behind its weights.
fn weight_and_bias<'a>(
    grads: &'a mut [f32],
    weight: &Range<usize>,
    bias: Option<&Range<usize>>,
) -> (&'a mut [f32], Option<&'a mut [f32]>) {
    let end = bias.map_or(weight.end, |bias| bias.end);
    let (weights, biases) = grads[weight.start..end].split_at_mut(weight.len());
    (weights, bias.map(|_| biases))
}

fn two_ranges<'a>(
    stats: &'a mut [f32],
    (first, second): &(Range<usize>, Range<usize>),
) -> (&'a mut [f32], &'a mut [f32]) {
    stats[first.start..second.end].split_at_mut(first.len())
}

fn draw_mask(mask: &mut [bool], p: f32, rng: &mut Rng) {
    let dropped = (f64::from(p) * (1_u64 << 32) as f64) as u64;
    for kept in mask {
        *kept = u64::from(rng.next_u32()) >= dropped;
    }
}

fn subsample(cpu: &Cpu, x: &[f32], from: Image, y: &mut [f32], to: Image, stride: usize) {
    let (from_len, to_len) = (from.0 * from.1 * from.2, to.0 * to.1 * to.2);
    let images = x.chunks(from_len).zip(y.chunks_mut(to_len)).collect();
    cpu.run(images, |(x, y): (&[f32], &mut [f32])| {
        for (pixel, y) in y.chunks_mut(to.2).enumerate() {
            let place = source(pixel, from, to, stride);
            let (copied, added) = y.split_at_mut(from.2);
            copied.copy_from_slice(&x[place..place + from.2]);
            added.fill(0.0);
        }
    });
}

fn subsample_backward(
    cpu: &Cpu,
    dy: &[f32],
    to: Image,
    dx: &mut [f32],
    from: Image,
    stride: usize,
) {
    let (from_len, to_len) = (from.0 * from.1 * from.2, to.0 * to.1 * to.2);
    let images = dy.chunks(to_len).zip(dx.chunks_mut(from_len)).collect();
    cpu.run(images, |(dy, dx): (&[f32], &mut [f32])| {
        dx.fill(0.0);
        for (pixel, dy) in dy.chunks(to.2).enumerate() {
            let place = source(pixel, from, to, stride);
            dx[place..place + from.2].copy_from_slice(&dy[..from.2]);
        }
    });
}

/// The place of the input pixel that an output pixel is taken from.
fn source(pixel: usize, from: Image, to: Image, stride: usize) -> usize {
    let (row, column) = (pixel / to.1, pixel % to.1);
    (row * stride * from.1 + column * stride) * from.2
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
        // For each parameter, the slope along its own gradient: f32 leaves that about three digits, and a small step
        // crosses few of the kinks of ReLU and max pool.
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
