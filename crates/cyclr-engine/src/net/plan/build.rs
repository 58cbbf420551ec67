//! From layers to steps: each layer is checked against the images that reach it.

use std::ops::Range;

use super::{Affine, Image, Op, Plan, Scaled, Step};
use crate::{
    kernels::{
        AvgPool, BatchNorm, Conv2d, Conv2dSpec, Dense, Divisor, GeometryError, Lrn, MaxPool,
        PoolSpec, checked_len,
    },
    net::{Init, Layer, NetError, Param, Shortcut, Window, param, weights::Layout, zeros},
};

#[derive(Clone, Copy)]
struct At {
    value: usize,
    image: Image,
}

pub(super) struct Builder<'a> {
    net: &'a str,
    pub(super) plan: Plan,
    at: At,
    /// Values up to this one have readers elsewhere, so that nothing may work in place on them.
    shared: usize,
}

impl<'a> Builder<'a> {
    pub(super) fn new(net: &'a str, image: Image) -> Self {
        let plan = Plan {
            values: Vec::new(),
            steps: Vec::new(),
            params: Vec::new(),
            stats: Vec::new(),
            slots: Vec::new(),
            slot_of: Vec::new(),
            dropouts: 0,
            norm_of_single_pixels: false,
        };
        Self {
            net,
            plan,
            at: At { value: 0, image },
            shared: 0,
        }
    }

    /// The plan of these layers, whose gradients have no place yet.
    pub(super) fn build(mut self, layers: &[Layer]) -> Result<Plan, NetError> {
        let (h, w, c) = self.at.image;
        let values = self.fit("the input", checked_len("an image", &[h, w, c]))?;
        self.plan.values.push(values);
        self.layers(layers)?;
        if self.plan.params.is_empty() {
            return Err(self.wrong("the list of layers", "nothing in it is trained".into()));
        }
        Ok(self.plan)
    }

    fn layers(&mut self, layers: &[Layer]) -> Result<(), NetError> {
        layers.iter().try_for_each(|layer| self.layer(layer))
    }

    fn layer(&mut self, layer: &Layer) -> Result<(), NetError> {
        match layer {
            Layer::Conv {
                name,
                out,
                window,
                weight,
                bias,
            } => self.conv(name, *out, *window, *weight, *bias),
            Layer::Dense {
                name,
                out,
                weight,
                bias,
            } => self.dense(name, *out, *weight, *bias),
            Layer::MaxPool(window) => {
                let pool = self.fit("a max pool", MaxPool::new(self.pool(*window)))?;
                let (h, w) = (pool.out_h(), pool.out_w());
                self.push(Op::MaxPool(pool), (h, w, self.at.image.2));
                Ok(())
            }
            Layer::AvgPool(window) => {
                let pool = AvgPool::new(self.pool(*window), Divisor::Padded);
                let pool = self.fit("an average pool", pool)?;
                let (h, w) = (pool.out_h(), pool.out_w());
                self.push(Op::AvgPool(pool), (h, w, self.at.image.2));
                Ok(())
            }
            Layer::GlobalAvgPool => {
                let (h, w, c) = self.at.image;
                let pool = self.fit("the global average pool", AvgPool::global(h, w, c))?;
                self.push(Op::AvgPool(pool), (1, 1, c));
                Ok(())
            }
            Layer::Relu => {
                self.relu();
                Ok(())
            }
            Layer::Lrn { size, alpha, beta } => {
                let lrn = Lrn::new(self.at.image, *size, *alpha, *beta);
                let lrn = self.fit("local response normalisation", lrn)?;
                self.push(Op::Lrn(lrn), self.at.image);
                Ok(())
            }
            Layer::BatchNorm { name } => self.batch_norm(name),
            Layer::Dropout { p } => self.dropout(*p),
            Layer::Residual { body, shortcut } => self.residual(body, *shortcut),
        }
    }

    fn conv(
        &mut self,
        name: &str,
        out: usize,
        window: Window,
        weight: Param,
        bias: Option<Param>,
    ) -> Result<(), NetError> {
        let (in_h, in_w, in_c) = self.at.image;
        let spec = Conv2dSpec {
            in_h,
            in_w,
            in_c,
            out_c: out,
            kernel: (window.size, window.size),
            stride: (window.stride, window.stride),
            pad: (window.pad, window.pad),
        };
        let conv = self.fit(name, Conv2d::new(spec))?;
        let fan_in = window.size * window.size * in_c;
        let layout = Layout::Conv {
            rows: window.size,
            columns: window.size,
            inputs: in_c,
            outputs: out,
        };
        let weight = self.param(format!("{name}.weight"), layout, fan_in, weight)?;
        let bias = self.bias(name, out, fan_in, bias)?;
        let image = (conv.out_h(), conv.out_w(), out);
        let affine = Affine {
            weight,
            bias,
            relu: false,
        };
        self.push(Op::Conv(conv, affine), image);
        Ok(())
    }

    fn dense(
        &mut self,
        name: &str,
        out: usize,
        weight: Param,
        bias: Option<Param>,
    ) -> Result<(), NetError> {
        let (height, width, channels) = self.at.image;
        let fan_in = height * width * channels;
        let dense = self.fit(name, Dense::new(fan_in, out))?;
        let layout = Layout::Dense {
            height,
            width,
            channels,
            outputs: out,
        };
        let weight = self.param(format!("{name}.weight"), layout, fan_in, weight)?;
        let bias = self.bias(name, out, fan_in, bias)?;
        let affine = Affine {
            weight,
            bias,
            relu: false,
        };
        self.push(Op::Dense(dense, affine), (1, 1, out));
        Ok(())
    }

    fn bias(
        &mut self,
        name: &str,
        out: usize,
        fan_in: usize,
        bias: Option<Param>,
    ) -> Result<Option<Range<usize>>, NetError> {
        bias.map(|bias| self.param(format!("{name}.bias"), Layout::Vector(out), fan_in, bias))
            .transpose()
    }

    fn batch_norm(&mut self, name: &str) -> Result<(), NetError> {
        let (height, width, channels) = self.at.image;
        self.plan.norm_of_single_pixels |= height * width == 1;
        let norm = self.fit(name, BatchNorm::new(channels, 1e-5, 0.1))?;
        let ones = param(Init::Constant(1.0));
        let vector = Layout::Vector(channels);
        let gamma = self.param(format!("{name}.weight"), vector, channels, ones)?;
        let beta = self.param(format!("{name}.bias"), vector, channels, zeros())?;
        let running = (
            self.statistic(format!("{name}.running_mean"), channels, 0.0)?,
            self.statistic(format!("{name}.running_var"), channels, 1.0)?,
        );
        let scaled = Scaled {
            gamma,
            beta,
            running,
            residual: None,
            relu: false,
        };
        self.push(Op::BatchNorm(norm, scaled), self.at.image);
        Ok(())
    }

    fn dropout(&mut self, p: f32) -> Result<(), NetError> {
        if !(0.0..1.0).contains(&p) {
            return Err(self.wrong("dropout", format!("p is {p}; it must be in 0..1")));
        }
        let ordinal = self.plan.dropouts;
        self.plan.dropouts += 1;
        self.push(Op::Dropout { p, ordinal }, self.at.image);
        Ok(())
    }

    fn residual(&mut self, body: &[Layer], shortcut: Shortcut) -> Result<(), NetError> {
        let start = self.at;
        let shared = std::mem::replace(&mut self.shared, start.value);
        let past = self.shortcut(shortcut)?;
        self.shared = self.shared.max(past.value);
        self.at = start;
        self.layers(body)?;
        if self.at.value <= self.shared || self.at.image != past.image {
            let (body, past) = (self.at.image, past.image);
            let reason = format!("its body gives {body:?} and its shortcut {past:?}");
            return Err(self.wrong("a residual", reason));
        }
        self.shared = shared;
        match self.plan.steps.last_mut().map(|step| &mut step.op) {
            Some(Op::BatchNorm(_, norm)) if norm.residual.is_none() && !norm.relu => {
                norm.residual = Some(past.value);
            }
            _ => self.push(Op::Add { other: past.value }, self.at.image),
        }
        Ok(())
    }

    fn shortcut(&mut self, shortcut: Shortcut) -> Result<At, NetError> {
        if let Shortcut::Subsample { stride, out } = shortcut {
            let from = self.at.image;
            if stride == 0 || out < from.2 {
                let reason = format!(
                    "stride {stride} to {out} channels from {}; the stride must be at least 1 \
                     and no channel lost",
                    from.2
                );
                return Err(self.wrong("a shortcut", reason));
            }
            let to = (from.0.div_ceil(stride), from.1.div_ceil(stride), out);
            self.fit("a shortcut", checked_len("its result", &[to.0, to.1, out]))?;
            self.push(Op::Subsample { from, to, stride }, to);
        }
        Ok(self.at)
    }

    /// A ReLU is part of the step before it if that has one, and in place if nothing else reads
    /// the value.
    fn relu(&mut self) {
        let own = self.at.value > self.shared;
        match self.plan.steps.last_mut().map(|step| &mut step.op) {
            Some(
                Op::Conv(_, Affine { relu, .. })
                | Op::Dense(_, Affine { relu, .. })
                | Op::BatchNorm(_, Scaled { relu, .. }),
            ) if own => *relu = true,
            _ if own => {
                let value = self.at.value;
                self.plan.steps.push(Step::new(Op::Relu, value, value));
            }
            _ => self.push(Op::Relu, self.at.image),
        }
    }

    fn pool(&self, window: Window) -> PoolSpec {
        let (in_h, in_w, channels) = self.at.image;
        PoolSpec {
            in_h,
            in_w,
            channels,
            kernel: (window.size, window.size),
            stride: (window.stride, window.stride),
            pad: (window.pad, window.pad),
            ceil: window.ceil,
        }
    }

    fn push(&mut self, op: Op, image: Image) {
        let y = self.plan.values.len();
        self.plan.values.push(image.0 * image.1 * image.2);
        self.plan.steps.push(Step::new(op, self.at.value, y));
        self.at = At { value: y, image };
    }

    fn fit<T>(&self, layer: &str, made: Result<T, GeometryError>) -> Result<T, NetError> {
        let (height, width, channels) = self.at.image;
        made.map_err(|source| NetError::Geometry {
            net: self.net.into(),
            layer: layer.into(),
            height,
            width,
            channels,
            source,
        })
    }

    pub(super) fn wrong(&self, layer: &str, reason: String) -> NetError {
        NetError::Layer {
            net: self.net.into(),
            layer: layer.into(),
            reason,
        }
    }
}
