//! Two-dimensional convolution.

use super::winograd::Filter;
use super::{
    GeometryError, LinearBackward, LinearForward, checked_len, direct, images, nonzero, tiled,
};
use crate::cpu::Cpu;

/// The sizes of a convolution. Pairs are (vertical, horizontal).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Conv2dSpec {
    /// Rows of the input image.
    pub in_h: usize,
    /// Columns of the input image.
    pub in_w: usize,
    /// Channels of the input image.
    pub in_c: usize,
    /// Channels of the output image.
    pub out_c: usize,
    /// The window.
    pub kernel: (usize, usize),
    /// How far the window moves from one output pixel to the next.
    pub stride: (usize, usize),
    /// Zeros around the input, on each side.
    pub pad: (usize, usize),
}

/// A convolution (a cross-correlation, as everywhere in deep learning) of checked geometry:
/// `y[oy][ox][o] = bias[o] + Σ x[oy·stride + ky - pad][ox·stride + kx - pad][i] ·
/// w[ky][kx][i][o]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Conv2d {
    spec: Conv2dSpec,
    out_h: usize,
    out_w: usize,
}

impl Conv2d {
    /// Checks the sizes.
    ///
    /// # Errors
    /// [`GeometryError`] if a size is 0, the window does not fit, or an array would be too large.
    pub fn new(spec: Conv2dSpec) -> Result<Self, GeometryError> {
        nonzero(&[
            ("the height of the input", spec.in_h),
            ("the width of the input", spec.in_w),
            ("the number of input channels", spec.in_c),
            ("the number of output channels", spec.out_c),
            ("the height of the kernel", spec.kernel.0),
            ("the width of the kernel", spec.kernel.1),
            ("the vertical stride", spec.stride.0),
            ("the horizontal stride", spec.stride.1),
        ])?;
        let out_h = out_size(spec.in_h, spec.kernel.0, spec.stride.0, spec.pad.0)?;
        let out_w = out_size(spec.in_w, spec.kernel.1, spec.stride.1, spec.pad.1)?;
        checked_len("the output", &[out_h, out_w, spec.out_c])?;
        checked_len(
            "the weights",
            &[spec.kernel.0, spec.kernel.1, spec.in_c, spec.out_c],
        )?;
        let padded = (spec.in_h + 2 * spec.pad.0, spec.in_w + 2 * spec.pad.1);
        let padded = checked_len("the padded input", &[padded.0, padded.1, spec.in_c])?;
        let reach = (
            out_h + spec.in_h + spec.kernel.0,
            out_w + spec.in_w + spec.kernel.1,
        );
        let padded_gradient = checked_len("the padded gradient", &[reach.0, reach.1, spec.out_c])?;
        // Places inside a padded image are kept in 32 bits.
        if padded.max(padded_gradient) > u32::MAX as usize {
            return Err(GeometryError::TooLarge {
                what: "one padded image",
            });
        }
        Ok(Self { spec, out_h, out_w })
    }

    /// The sizes it was made with.
    pub fn spec(&self) -> &Conv2dSpec {
        &self.spec
    }

    /// Rows of the output image: `floor((in_h + 2·pad - kernel) / stride) + 1`.
    pub fn out_h(&self) -> usize {
        self.out_h
    }

    /// Columns of the output image.
    pub fn out_w(&self) -> usize {
        self.out_w
    }

    /// Numbers in one input image.
    pub fn in_len(&self) -> usize {
        self.spec.in_h * self.spec.in_w * self.spec.in_c
    }

    /// Numbers in one output image.
    pub fn out_len(&self) -> usize {
        self.out_h * self.out_w * self.spec.out_c
    }

    /// Numbers in the weights.
    pub fn weights_len(&self) -> usize {
        self.spec.kernel.0 * self.spec.kernel.1 * self.spec.in_c * self.spec.out_c
    }

    /// Multiplications of one image in the forward pass; a pass takes twice as many floating-point
    /// operations.
    pub fn multiplications(&self) -> usize {
        self.out_h * self.out_w * self.weights_len()
    }

    /// Computes the output images.
    pub fn forward(&self, cpu: &Cpu, input: LinearForward<'_>, y: &mut [f32]) {
        let batch = images(input.x.len(), self.in_len());
        assert_eq!(y.len(), batch * self.out_len(), "the length of the output");
        assert_eq!(
            input.w.len(),
            self.weights_len(),
            "the length of the weights"
        );
        if let Some(bias) = input.bias {
            assert_eq!(bias.len(), self.spec.out_c, "the length of the bias");
        }
        match self.filter() {
            Some(filter) => tiled::forward(cpu, self, filter, &input, y),
            None => direct::forward(cpu, self, &input, y),
        }
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
        let batch = images(input.x.len(), self.in_len());
        assert_eq!(
            input.dy.len(),
            batch * self.out_len(),
            "the length of the output's gradient"
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
        if let Some(y) = input.relu_y {
            assert_eq!(y.len(), input.dy.len(), "the length of the output");
        }
        if let Some(dx) = &dx {
            assert_eq!(
                dx.len(),
                input.x.len(),
                "the length of the input's gradient"
            );
        }
        if let Some(db) = &db {
            assert_eq!(
                db.len(),
                self.spec.out_c,
                "the length of the bias's gradient"
            );
        }
        if batch == 0 {
            return;
        }
        match self.filter() {
            Some(filter) => tiled::backward(cpu, self, filter, &input, dx, dw, db),
            None => direct::backward(cpu, self, &input, dx, dw, db),
        }
    }

    /// Weights of one output.
    pub(super) fn depth(&self) -> usize {
        self.spec.kernel.0 * self.spec.kernel.1 * self.spec.in_c
    }

    /// The way with fewer multiplications, if there is one and it is faster.
    fn filter(&self) -> Option<Filter> {
        let s = &self.spec;
        let filter = Filter {
            taps: s.kernel.0,
            in_c: s.in_c,
            out_c: s.out_c,
        };
        let square = s.kernel.0 == s.kernel.1 && s.stride == (1, 1);
        let within = s.pad.0 < s.kernel.0 && s.pad.1 < s.kernel.1;
        (square && within && filter.pays()).then_some(filter)
    }
}

fn out_size(
    image: usize,
    window: usize,
    stride: usize,
    pad: usize,
) -> Result<usize, GeometryError> {
    let padded = pad.checked_mul(2).and_then(|p| p.checked_add(image));
    let padded = padded.ok_or(GeometryError::TooLarge {
        what: "the padded input",
    })?;
    let room = padded
        .checked_sub(window)
        .ok_or(GeometryError::Window { window, image, pad })?;
    Ok(room / stride + 1)
}
