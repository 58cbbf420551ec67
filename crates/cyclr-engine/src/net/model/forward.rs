//! The forward pass: from the input's values to the output's.

use std::{mem, ops::Range};

use super::{Model, Pass, Saved, subsample::subsample};
use crate::{
    cpu::Cpu,
    kernels::{self, BatchNorm, BatchNormForward, BatchStatistics, LinearForward},
    net::plan::{Affine, Op, Scaled},
    rng::Rng,
};

impl Model {
    pub(super) fn step_forward(&mut self, index: usize, n: usize, pass: Pass) {
        let step = &self.plan.steps[index];
        let len = |value: usize| n * self.plan.values[value];
        let mut output = mem::take(&mut self.values[step.y]);
        let y = &mut output[..len(step.y)];
        let x = if step.x == step.y {
            // The step works in place: its input lies in `y`.
            &[]
        } else {
            &self.values[step.x][..len(step.x)]
        };
        let other = step.op.other();
        let step_forward = Forward {
            cpu: &self.cpu,
            params: &self.params,
            x,
            other: other.map(|value| &self.values[value][..len(value)]),
            pass,
        };
        let (stats, dropouts) = (&mut self.stats, &mut self.dropouts);
        step_forward.run(&step.op, &mut self.saved[index], (stats, dropouts), y);
        self.values[step.y] = output;
    }
}

/// What a step reads.
struct Forward<'a> {
    cpu: &'a Cpu,
    params: &'a [f32],
    /// Empty if the step works in place.
    x: &'a [f32],
    /// The second summand, for steps that have one.
    other: Option<&'a [f32]>,
    pass: Pass,
}

impl<'a> Forward<'a> {
    /// One arm for each kind of step.
    fn run(
        self,
        op: &Op,
        saved: &mut Saved,
        (stats, dropouts): (&mut [f32], &mut [Rng]),
        y: &mut [f32],
    ) {
        let Self { cpu, x, .. } = self;
        match (op, saved) {
            (Op::Conv(conv, affine), _) => conv.forward(cpu, self.linear(affine), y),
            (Op::Dense(dense, affine), _) => dense.forward(cpu, self.linear(affine), y),
            (Op::MaxPool(pool), Saved::Cells(cells)) => {
                let cells = &mut cells[..y.len()];
                pool.forward(cpu, x, y, cells);
            }
            (Op::AvgPool(pool), _) => pool.forward(cpu, x, y),
            (Op::Lrn(lrn), _) => lrn.forward(cpu, x, y),
            (Op::Relu, _) => {
                if !x.is_empty() {
                    y.copy_from_slice(x);
                }
                kernels::relu(cpu, y);
            }
            (Op::BatchNorm(norm, scaled), Saved::Statistics(batch)) => {
                self.batch_norm(norm, scaled, stats, batch, y);
            }
            (Op::Dropout { p, ordinal }, Saved::Mask(mask)) => match self.pass {
                Pass::Train => {
                    let mask = &mut mask[..y.len()];
                    draw_mask(mask, *p, &mut dropouts[*ordinal]);
                    kernels::dropout(cpu, x, mask, 1.0 / (1.0 - p), y);
                }
                Pass::Evaluate | Pass::Measure { .. } => y.copy_from_slice(x),
            },
            (Op::Subsample { from, to, stride }, _) => subsample(cpu, x, *from, y, *to, *stride),
            (Op::Add { .. }, _) => {
                y.copy_from_slice(x);
                kernels::add(cpu, self.other.expect("a sum has two summands"), y);
            }
            (op, saved) => unreachable!("{op:?} saves {saved:?}"),
        }
    }

    fn linear(&self, affine: &Affine) -> LinearForward<'_> {
        LinearForward {
            x: self.x,
            w: self.param(&affine.weight),
            bias: affine.bias.as_ref().map(|bias| self.param(bias)),
            relu: affine.relu,
        }
    }

    fn batch_norm(
        &self,
        norm: &BatchNorm,
        scaled: &Scaled,
        stats: &mut [f32],
        batch: &mut BatchStatistics,
        y: &mut [f32],
    ) {
        let input = BatchNormForward {
            x: self.x,
            gamma: self.param(&scaled.gamma),
            beta: self.param(&scaled.beta),
            residual: self.other,
            relu: scaled.relu,
        };
        let (mean, var) = two_ranges(stats, &scaled.running);
        match self.pass {
            Pass::Train => norm.forward_train(self.cpu, input, (mean, var), batch, y),
            Pass::Evaluate => norm.forward_eval(self.cpu, input, (mean, var), y),
            Pass::Measure { passes } => {
                let share = 1.0 / (passes + 1) as f64;
                let norm = norm.with_momentum(share as f32);
                norm.forward_train(self.cpu, input, (mean, var), batch, y);
            }
        }
    }

    fn param(&self, range: &Range<usize>) -> &'a [f32] {
        &self.params[range.clone()]
    }
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
