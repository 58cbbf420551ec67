//! The fully connected layer.

use super::{GeometryError, checked_len, images, nonzero};
use crate::cpu::Cpu;

/// A fully connected layer: `y[o] = bias[o] + Σ x[i] · w[i][o]` for each example.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Dense {
    inputs: usize,
    outputs: usize,
}

/// What a fully connected layer reads on the way forward.
#[derive(Clone, Copy, Debug)]
pub struct DenseForward<'a> {
    /// The inputs, example by example.
    pub x: &'a [f32],
    /// The weights, `[input][output]`.
    pub w: &'a [f32],
    /// One number for each output, where there is a bias.
    pub bias: Option<&'a [f32]>,
    /// Whether a ReLU follows.
    pub relu: bool,
}

/// What a fully connected layer reads on the way back.
#[derive(Clone, Copy, Debug)]
pub struct DenseBackward<'a> {
    /// The inputs.
    pub x: &'a [f32],
    /// The weights.
    pub w: &'a [f32],
    /// The gradient of the outputs.
    pub dy: &'a [f32],
    /// The outputs, where the forward pass had its ReLU.
    pub relu_y: Option<&'a [f32]>,
}

impl Dense {
    /// A layer of so many inputs and outputs.
    ///
    /// # Errors
    /// [`GeometryError`] where one of them is 0 or the weights would be too large.
    pub fn new(inputs: usize, outputs: usize) -> Result<Self, GeometryError> {
        nonzero(&[
            ("the number of inputs", inputs),
            ("the number of outputs", outputs),
        ])?;
        checked_len("the weights", &[inputs, outputs])?;
        Ok(Self { inputs, outputs })
    }

    /// Numbers in an example's input.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Numbers in an example's output.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Numbers in the weights.
    pub fn weights_len(&self) -> usize {
        self.inputs * self.outputs
    }

    /// Computes the outputs.
    pub fn forward(&self, cpu: &Cpu, input: DenseForward<'_>, y: &mut [f32]) {
        let batch = images(input.x.len(), self.inputs);
        assert_eq!(y.len(), batch * self.outputs, "the length of the outputs");
        assert_eq!(
            input.w.len(),
            self.weights_len(),
            "the length of the weights"
        );
        let tasks = input
            .x
            .chunks(self.inputs)
            .zip(y.chunks_mut(self.outputs))
            .collect();
        cpu.run(tasks, |(x, y): (&[f32], &mut [f32])| {
            match input.bias {
                Some(bias) => y.copy_from_slice(bias),
                None => y.fill(0.0),
            }
            for (x, w) in x.iter().zip(input.w.chunks(self.outputs)) {
                for (y, w) in y.iter_mut().zip(w) {
                    *y += x * w;
                }
            }
            if input.relu {
                for y in y.iter_mut() {
                    *y = if *y > 0.0 { *y } else { 0.0 };
                }
            }
        });
    }

    /// Computes the gradients: of the input into `dx` (where it is needed), and adds those of the weights and the bias
    /// to `dw` and `db`.
    pub fn backward(
        &self,
        cpu: &Cpu,
        input: DenseBackward<'_>,
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
        let mut dy = input.dy.to_vec();
        if let Some(y) = input.relu_y {
            super::relu_backward(cpu, y, &mut dy);
        }
        for (x, dy) in input.x.chunks(self.inputs).zip(dy.chunks(self.outputs)) {
            for (x, dw) in x.iter().zip(dw.chunks_mut(self.outputs)) {
                for (dw, d) in dw.iter_mut().zip(dy) {
                    *dw += x * d;
                }
            }
        }
        if let Some(db) = db {
            for dy in dy.chunks(self.outputs) {
                for (db, d) in db.iter_mut().zip(dy) {
                    *db += d;
                }
            }
        }
        if let Some(dx) = dx {
            assert_eq!(
                dx.len(),
                input.x.len(),
                "the length of the inputs' gradient"
            );
            for (dx, dy) in dx.chunks_mut(self.inputs).zip(dy.chunks(self.outputs)) {
                for (dx, w) in dx.iter_mut().zip(input.w.chunks(self.outputs)) {
                    *dx = w.iter().zip(dy).map(|(w, d)| w * d).sum();
                }
            }
        }
    }
}
