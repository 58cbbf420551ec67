//! Max and average pooling.

mod average;
mod max;

use std::ops::Range;

use super::{GeometryError, checked_len, nonzero};

pub use average::{AvgPool, Divisor};
pub use max::MaxPool;

/// The sizes of a pool. Pairs are (vertical, horizontal).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PoolSpec {
    /// Rows of the input image.
    pub in_h: usize,
    /// Columns of the input image.
    pub in_w: usize,
    /// Channels of both images.
    pub channels: usize,
    /// The window.
    pub kernel: (usize, usize),
    /// How far the window moves from one output pixel to the next.
    pub stride: (usize, usize),
    /// Padding on each side, less than the window. It never wins a maximum.
    pub pad: (usize, usize),
    /// Whether the last window may reach past the padded image, so that nothing is left over:
    /// Caffe's way, and `ceil_mode` in torch. A window always starts inside the image or its
    /// leading padding.
    pub ceil: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Geometry {
    spec: PoolSpec,
    out_h: usize,
    out_w: usize,
}

impl Geometry {
    fn new(spec: PoolSpec) -> Result<Self, GeometryError> {
        nonzero(&[
            ("the height of the input", spec.in_h),
            ("the width of the input", spec.in_w),
            ("the number of channels", spec.channels),
            ("the height of the window", spec.kernel.0),
            ("the width of the window", spec.kernel.1),
            ("the vertical stride", spec.stride.0),
            ("the horizontal stride", spec.stride.1),
        ])?;
        checked_len("the input", &[spec.in_h, spec.in_w, spec.channels])?;
        checked_len("the window", &[spec.kernel.0, spec.kernel.1])?;
        let out_h = out_size(
            spec.in_h,
            spec.kernel.0,
            spec.stride.0,
            spec.pad.0,
            spec.ceil,
        )?;
        let out_w = out_size(
            spec.in_w,
            spec.kernel.1,
            spec.stride.1,
            spec.pad.1,
            spec.ceil,
        )?;
        checked_len("the output", &[out_h, out_w, spec.channels])?;
        Ok(Self { spec, out_h, out_w })
    }

    fn in_len(&self) -> usize {
        self.spec.in_h * self.spec.in_w * self.spec.channels
    }

    fn out_len(&self) -> usize {
        self.out_h * self.out_w * self.spec.channels
    }

    /// The part of a window inside the image: rows, and columns.
    fn inside(&self, oy: usize, ox: usize) -> (Range<usize>, Range<usize>) {
        let s = &self.spec;
        let part = |o: usize, size: usize, window: usize, stride: usize, pad: usize| {
            (o * stride).saturating_sub(pad)..(o * stride + window - pad).min(size)
        };
        (
            part(oy, s.in_h, s.kernel.0, s.stride.0, s.pad.0),
            part(ox, s.in_w, s.kernel.1, s.stride.1, s.pad.1),
        )
    }

    /// A pixel's cell in a window over it.
    fn cell(&self, (oy, ox): (usize, usize), (iy, ix): (usize, usize)) -> usize {
        let s = &self.spec;
        (iy + s.pad.0 - oy * s.stride.0) * s.kernel.1 + ix + s.pad.1 - ox * s.stride.1
    }

    fn windows_over_pixels(&self) -> Windows {
        let s = &self.spec;
        let over = |size: usize, window: usize, stride: usize, pad: usize, out: usize| {
            let first = move |i: usize| (i + pad + 1).saturating_sub(window).div_ceil(stride);
            (0..size)
                .map(|i| first(i)..((i + pad) / stride + 1).min(out))
                .collect()
        };
        Windows {
            rows: over(s.in_h, s.kernel.0, s.stride.0, s.pad.0, self.out_h),
            columns: over(s.in_w, s.kernel.1, s.stride.1, s.pad.1, self.out_w),
        }
    }
}

/// The windows over each row and each column of the input.
struct Windows {
    rows: Vec<Range<usize>>,
    columns: Vec<Range<usize>>,
}

fn out_size(
    image: usize,
    window: usize,
    stride: usize,
    pad: usize,
    ceil: bool,
) -> Result<usize, GeometryError> {
    if pad >= window {
        return Err(GeometryError::Padding { window, pad });
    }
    let padded = pad.checked_mul(2).and_then(|p| p.checked_add(image));
    let padded = padded.ok_or(GeometryError::TooLarge {
        what: "the padded input",
    })?;
    let room = padded
        .checked_sub(window)
        .ok_or(GeometryError::Window { window, image, pad })?;
    if !ceil {
        return Ok(room / stride + 1);
    }
    let out = room.div_ceil(stride) + 1;
    // The last window must start inside the image or its leading padding.
    Ok(if (out - 1) * stride >= image + pad {
        out - 1
    } else {
        out
    })
}
