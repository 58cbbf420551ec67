//! The fully connected layer.

use super::outer::{Outer, outer};
use super::panels::{add_unpacked, pack, pack_rows, panels_len};
use super::relu_backward;
use super::tiles::{Gather, Segment, gather};
use super::{GeometryError, LinearBackward, LinearForward, checked_len, images, nonzero};
use crate::cpu::Cpu;

/// A fully connected layer: `y[o] = bias[o] + Σ x[i] · w[i][o]` for each example.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Dense {
    inputs: usize,
    outputs: usize,
}

impl Dense {
    /// A layer with this many inputs and outputs.
    ///
    /// # Errors
    /// [`GeometryError`] if one of them is 0 or the weights would be too large.
    pub fn new(inputs: usize, outputs: usize) -> Result<Self, GeometryError> {
        nonzero(&[
            ("the number of inputs", inputs),
            ("the number of outputs", outputs),
        ])?;
        checked_len("the weights", &[inputs, outputs])?;
        // Places inside a task are kept in 32 bits.
        if inputs.max(outputs) > u32::MAX as usize / EXAMPLES {
            return Err(GeometryError::TooLarge {
                what: "one task's examples",
            });
        }
        Ok(Self { inputs, outputs })
    }

    /// Numbers in the weights.
    pub fn weights_len(&self) -> usize {
        self.inputs * self.outputs
    }

    /// Computes the outputs.
    pub fn forward(&self, cpu: &Cpu, input: LinearForward<'_>, y: &mut [f32]) {
        let batch = images(input.x.len(), self.inputs);
        assert_eq!(y.len(), batch * self.outputs, "the length of the outputs");
        assert_eq!(
            input.w.len(),
            self.weights_len(),
            "the length of the weights"
        );
        if let Some(bias) = input.bias {
            assert_eq!(bias.len(), self.outputs, "the length of the bias");
        }
        let mut panels = cpu.scratch(panels_len(self.inputs, self.outputs));
        pack_rows(self.outputs, input.w, &mut panels);
        let product = Product {
            inputs: self.inputs,
            outputs: self.outputs,
            panels: &panels,
            bias: input.bias,
            relu: input.relu,
        };
        product.run(cpu, input.x, y);
    }

    /// Computes the gradients: of the input into `dx` (if it is needed), and adds those of the
    /// weights and the bias to `dw` and `db`.
    pub fn backward(
        &self,
        cpu: &Cpu,
        input: LinearBackward<'_>,
        dx: Option<&mut [f32]>,
        dw: &mut [f32],
        db: Option<&mut [f32]>,
    ) {
        let batch = images(input.x.len(), self.inputs);
        assert_eq!(
            input.dy.len(),
            batch * self.outputs,
            "the length of the outputs' gradient"
        );
        assert_eq!(
            input.w.len(),
            self.weights_len(),
            "the length of the weights"
        );
        assert_eq!(
            dw.len(),
            self.weights_len(),
            "the length of the weights' gradient"
        );
        let mut dy = cpu.scratch(input.dy.len() + 8);
        let passed = &mut dy[..input.dy.len()];
        passed.copy_from_slice(input.dy);
        if let Some(y) = input.relu_y {
            relu_backward(cpu, y, passed);
        }
        if let Some(db) = db {
            assert_eq!(db.len(), self.outputs, "the length of the bias's gradient");
            for dy in passed.chunks_exact(self.outputs) {
                for (db, d) in db.iter_mut().zip(dy) {
                    *db += d;
                }
            }
        }
        self.weight_gradient(cpu, input.x, &dy, dw);
        if let Some(dx) = dx {
            self.input_gradient(cpu, input.w, &dy[..input.dy.len()], dx);
        }
    }

    /// Computes the inputs' gradient: the product of the outputs' with the weights, turned.
    fn input_gradient(&self, cpu: &Cpu, w: &[f32], dy: &[f32], dx: &mut [f32]) {
        assert_eq!(
            dx.len() * self.outputs,
            dy.len() * self.inputs,
            "the length of the inputs' gradient"
        );
        let mut panels = cpu.scratch(panels_len(self.outputs, self.inputs));
        pack(self.outputs, self.inputs, &mut panels, |o, first, lanes| {
            for (i, lane) in lanes.iter_mut().enumerate() {
                *lane = w[(first + i) * self.outputs + o];
            }
        });
        let product = Product {
            inputs: self.outputs,
            outputs: self.inputs,
            panels: &panels,
            bias: None,
            relu: false,
        };
        product.run(cpu, dy, dx);
    }

    /// Adds the weights' gradient. The tasks are runs of inputs, so that each sum is made by one
    /// of them; `dy` goes on for 8 numbers after its end.
    fn weight_gradient(&self, cpu: &Cpu, x: &[f32], dy: &[f32], dw: &mut [f32]) {
        let batch = x.len() / self.inputs;
        if batch == 0 {
            return;
        }
        let many = self.inputs.div_ceil(16).next_multiple_of(12);
        let tasks = dw.chunks_mut(many * self.outputs).enumerate().collect();
        cpu.run(tasks, |(n, dw): (usize, &mut [f32])| {
            let inputs = dw.len() / self.outputs;
            let offsets: Vec<u32> = (0..inputs as u32).collect();
            let mut sums = cpu.scratch(panels_len(inputs, self.outputs));
            sums.fill(0.0);
            let o = Outer {
                x: &x[n * many..],
                dy,
                grid: (1, batch),
                x_steps: (0, self.inputs),
                dy_steps: (0, self.outputs),
                offsets: &offsets,
                outs: self.outputs,
            };
            outer(cpu.instructions(), &o, &mut sums);
            add_unpacked(inputs, self.outputs, &sums, 0, dw);
        });
    }
}

/// A product of examples and packed weights.
struct Product<'a> {
    inputs: usize,
    outputs: usize,
    panels: &'a [f32],
    bias: Option<&'a [f32]>,
    relu: bool,
}

impl Product<'_> {
    fn run(&self, cpu: &Cpu, x: &[f32], y: &mut [f32]) {
        let segments: Vec<Segment> = (0..self.inputs)
            .step_by(SEGMENT)
            .map(|start| Segment {
                start,
                len: SEGMENT.min(self.inputs - start),
            })
            .collect();
        let starts = |step: usize| {
            (0..EXAMPLES)
                .map(|n| (n * step) as u32)
                .collect::<Vec<u32>>()
        };
        let (from, to) = (starts(self.inputs), starts(self.outputs));
        let tasks = x
            .chunks(EXAMPLES * self.inputs)
            .zip(y.chunks_mut(EXAMPLES * self.outputs));
        cpu.run(tasks.collect(), |(x, y)| {
            let examples = x.len() / self.inputs;
            let g = Gather {
                x,
                from: &from[..examples],
                to: &to[..examples],
                segments: &segments,
                panels: self.panels,
                depth: self.inputs,
                skip: 0,
                outs: self.outputs,
                bias: self.bias,
                relu: self.relu,
            };
            gather(cpu.instructions(), &g, y);
        });
    }
}

/// Examples in a task of a product.
const EXAMPLES: usize = 24;

/// Inputs that are walked through at a time, so that their weights stay in the first-level cache.
const SEGMENT: usize = 256;
