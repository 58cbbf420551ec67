//! The backward pass: from the gradient of the output to those of the parameters.

use std::{mem, ops::Range};

use super::{Model, Saved, subsample::subsample_backward};
use crate::{
    cpu::Cpu,
    kernels::{
        self, BatchNorm, BatchNormBackward, BatchNormGradients, BatchStatistics, LinearBackward,
    },
    net::plan::{Affine, Op, Scaled, Target},
};

impl Model {
    pub(super) fn step_backward(&mut self, index: usize, n: usize) {
        let Self {
            plan,
            cpu,
            params,
            grads,
            values,
            slots,
            saved,
            ..
        } = self;
        let step = &plan.steps[index];
        let len = |value: usize| n * plan.values[value];
        let slot = plan.slot_of[step.y].expect("every value but the input has a gradient");
        let mut output = mem::take(&mut slots[slot]);
        let mut dx = take(slots, step.dx);
        let mut dother = take(slots, step.dother);
        let (x_len, other_len) = (len(step.x), step.op.other().map_or(0, len));
        let step_backward = Backward {
            cpu,
            params,
            grads,
            x: &values[step.x][..x_len],
            y: &values[step.y][..len(step.y)],
            dy: &mut output[..len(step.y)],
            dother: dother.as_mut().map(|buffer| &mut buffer[..other_len]),
        };
        let x_gradient = dx.as_mut().map(|buffer| &mut buffer[..x_len]);
        step_backward.run(&step.op, &saved[index], x_gradient);
        // If both are gradients of one value, the second is added to the first, in its place.
        give_back(cpu, slots, step.dx, dx, x_len);
        give_back(cpu, slots, step.dother, dother, other_len);
        slots[slot] = output;
    }
}

/// What the backward pass of a step reads, and where it writes.
struct Backward<'a> {
    cpu: &'a Cpu,
    params: &'a [f32],
    grads: &'a mut [f32],
    x: &'a [f32],
    y: &'a [f32],
    dy: &'a mut [f32],
    /// Where the gradient of the second summand goes, if it is needed.
    dother: Option<&'a mut [f32]>,
}

impl<'a> Backward<'a> {
    /// One arm for each kind of step.
    fn run(self, op: &Op, saved: &Saved, dx: Option<&mut [f32]>) {
        let cpu = self.cpu;
        match (op, saved, dx) {
            (Op::Conv(conv, affine), _, dx) => {
                let (input, dw, db) = self.linear(affine);
                conv.backward(cpu, input, dx, dw, db);
            }
            (Op::Dense(dense, affine), _, dx) => {
                let (input, dw, db) = self.linear(affine);
                dense.backward(cpu, input, dx, dw, db);
            }
            (Op::BatchNorm(norm, scaled), Saved::Statistics(batch), Some(dx)) => {
                self.batch_norm(norm, scaled, batch, dx);
            }
            (Op::Relu, _, dx) => {
                kernels::relu_backward(cpu, self.y, self.dy);
                if let Some(dx) = dx {
                    dx.copy_from_slice(self.dy);
                }
            }
            (Op::Add { .. }, _, dx) => {
                for target in [dx, self.dother].into_iter().flatten() {
                    target.copy_from_slice(self.dy);
                }
            }
            (Op::BatchNorm(..), _, None) => {
                unreachable!("a batch norm's input has a gradient")
            }
            (_, _, None) => {}
            (Op::MaxPool(pool), Saved::Cells(cells), Some(dx)) => {
                pool.backward(cpu, self.dy, &cells[..self.dy.len()], dx);
            }
            (Op::AvgPool(pool), _, Some(dx)) => pool.backward(cpu, self.dy, dx),
            (Op::Lrn(lrn), _, Some(dx)) => lrn.backward(cpu, self.x, self.dy, dx),
            (Op::Dropout { p, .. }, Saved::Mask(mask), Some(dx)) => {
                kernels::dropout(cpu, self.dy, &mask[..self.dy.len()], 1.0 / (1.0 - p), dx);
            }
            (Op::Subsample { from, to, stride }, _, Some(dx)) => {
                subsample_backward(cpu, self.dy, *to, dx, *from, *stride);
            }
            (op, saved, _) => unreachable!("{op:?} saves {saved:?}"),
        }
    }

    /// The input, and the gradients of the weights and of the bias.
    fn linear(self, affine: &Affine) -> (LinearBackward<'a>, &'a mut [f32], Option<&'a mut [f32]>) {
        let input = LinearBackward {
            x: self.x,
            w: &self.params[affine.weight.clone()],
            dy: self.dy,
            relu_y: affine.relu.then_some(self.y),
        };
        let (dw, db) = weight_and_bias(self.grads, &affine.weight, affine.bias.as_ref());
        (input, dw, db)
    }

    fn batch_norm(
        self,
        norm: &BatchNorm,
        scaled: &Scaled,
        batch: &BatchStatistics,
        dx: &mut [f32],
    ) {
        let input = BatchNormBackward {
            x: self.x,
            gamma: &self.params[scaled.gamma.clone()],
            batch,
            dy: self.dy,
            relu_y: scaled.relu.then_some(self.y),
        };
        let (dgamma, dbeta) = weight_and_bias(self.grads, &scaled.gamma, Some(&scaled.beta));
        let gradients = BatchNormGradients {
            dx,
            dgamma,
            dbeta: dbeta.expect("there is a β"),
            dresidual: self.dother,
        };
        norm.backward(self.cpu, input, gradients);
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

/// A bias, if there is one, follows its weights.
fn weight_and_bias<'a>(
    grads: &'a mut [f32],
    weight: &Range<usize>,
    bias: Option<&Range<usize>>,
) -> (&'a mut [f32], Option<&'a mut [f32]>) {
    let end = bias.map_or(weight.end, |bias| bias.end);
    let (weights, biases) = grads[weight.start..end].split_at_mut(weight.len());
    (weights, bias.map(|_| biases))
}
