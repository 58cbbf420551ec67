//! From layers to steps: every size checked, every buffer's place decided, before the first image is seen.

use std::ops::Range;

use super::{
    Init, Layer, Net, NetError, Param, Shortcut, Window,
    weights::{Layout, ParamInfo, StatInfo},
};
use crate::kernels::{
    AvgPool, BatchNorm, Conv2d, Conv2dSpec, Dense, Divisor, GeometryError, Lrn, MaxPool, PoolSpec,
};

/// Height, width, channels.
pub(crate) type Image = (usize, usize, usize);

/// A net laid out for a shape of images. Value 0 is the input; each step computes a value from earlier ones.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Numbers per image of each value.
    pub(crate) values: Vec<usize>,
    pub(crate) steps: Vec<Step>,
    pub(crate) params: Vec<ParamInfo>,
    pub(crate) stats: Vec<StatInfo>,
    /// Numbers per image of each gradient buffer.
    pub(crate) slots: Vec<usize>,
    /// The gradient buffer of each value, where it has a gradient.
    pub(crate) slot_of: Vec<Option<usize>>,
    pub(crate) dropouts: usize,
    /// Whether a batch norm sees one pixel an image.
    pub(crate) norm_of_single_pixels: bool,
}

/// One step: `y` from `x`, and on the way back the gradient of `x` from that of `y`.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) op: Op,
    pub(crate) x: usize,
    /// Equal to `x` where the step works in place.
    pub(crate) y: usize,
    pub(crate) dx: Target,
    /// Where the gradient of the residual or the second summand goes.
    pub(crate) dother: Target,
}

/// Where a gradient goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Nobody needs it.
    Nowhere,
    /// It is the first for its value.
    Slot(usize),
    /// Its value has one already in `sum`; it is computed in `temporary` and added.
    Add { temporary: usize, sum: usize },
}

/// What a step does. Ranges are places among the parameters.
#[derive(Debug)]
pub(crate) enum Op {
    Conv(Conv2d, Affine),
    Dense(Dense, Affine),
    MaxPool(MaxPool),
    AvgPool(AvgPool),
    Relu,
    Lrn(Lrn),
    BatchNorm(BatchNorm, Scaled),
    Dropout {
        p: f32,
        /// Which of the net's dropout layers it is.
        ordinal: usize,
    },
    Subsample {
        from: Image,
        to: Image,
        stride: usize,
    },
    /// The sum of `x` and another value.
    Add {
        other: usize,
    },
}

/// What goes with a convolution or a fully connected layer.
#[derive(Debug)]
pub(crate) struct Affine {
    pub(crate) weight: Range<usize>,
    pub(crate) bias: Option<Range<usize>>,
    /// Whether a ReLU follows.
    pub(crate) relu: bool,
}

/// What goes with a batch norm.
#[derive(Debug)]
pub(crate) struct Scaled {
    pub(crate) gamma: Range<usize>,
    pub(crate) beta: Range<usize>,
    /// Places of mean and variance among the statistics.
    pub(crate) running: (Range<usize>, Range<usize>),
    /// The value that is added.
    pub(crate) residual: Option<usize>,
    /// Whether a ReLU follows.
    pub(crate) relu: bool,
}

impl Plan {
    pub(crate) fn new(net: &Net, image: Image) -> Result<Self, NetError> {
        let mut builder = Builder {
            net: net.name(),
            plan: Self {
                values: vec![image.0 * image.1 * image.2],
                steps: Vec::new(),
                params: Vec::new(),
                stats: Vec::new(),
                slots: Vec::new(),
                slot_of: Vec::new(),
                dropouts: 0,
                norm_of_single_pixels: false,
            },
            at: At { value: 0, image },
            shared: 0,
        };
        builder.layers(net.layers())?;
        if builder.plan.params.is_empty() {
            return Err(builder.wrong("the list of layers", "nothing in it is trained".into()));
        }
        let mut plan = builder.plan;
        plan.place_gradients();
        Ok(plan)
    }

    /// Numbers that are trained.
    pub(crate) fn parameters(&self) -> usize {
        self.params.last().map_or(0, |p| p.range.end)
    }

    /// Running statistics of batch norms.
    pub(crate) fn statistics(&self) -> usize {
        self.stats.last().map_or(0, |s| s.range.end)
    }

    /// The value that the net ends in.
    pub(crate) fn output(&self) -> usize {
        self.values.len() - 1
    }

    /// See [`Net::flops`].
    pub(crate) fn flops(&self) -> u64 {
        let of = |step: &Step| {
            let passes = if step.x == 0 { 2 } else { 3 };
            let multiplications = match &step.op {
                Op::Conv(conv, _) => conv.multiplications(),
                Op::Dense(dense, _) => dense.weights_len(),
                _ => 0,
            };
            2 * passes * multiplications as u64
        };
        self.steps.iter().map(of).sum()
    }

    /// Decides which buffer holds which gradient. Going backwards, a value's gradient lives from its last reader to its
    /// writer; buffers are reused as soon as they are free.
    fn place_gradients(&mut self) {
        let mut slots = Slots::default();
        let mut slot_of = vec![None; self.values.len()];
        let output = self.output();
        slot_of[output] = Some(slots.take(self.values[output]));
        for step in self.steps.iter_mut().rev() {
            if step.x == step.y {
                continue;
            }
            let other = match step.op {
                Op::BatchNorm(_, Scaled { residual, .. }) => residual,
                Op::Add { other } => Some(other),
                _ => None,
            };
            let mut unneeded = None;
            step.dx = slots.target(step.x, &self.values, &mut slot_of);
            if step.dx == Target::Nowhere && matches!(step.op, Op::BatchNorm(..)) {
                // A batch norm computes this gradient in any case.
                let unused = slots.take(self.values[step.x]);
                step.dx = Target::Slot(unused);
                unneeded = Some(unused);
            }
            if let Some(other) = other {
                step.dother = slots.target(other, &self.values, &mut slot_of);
            }
            for target in [step.dx, step.dother] {
                if let Target::Add { temporary, .. } = target {
                    slots.free.push(temporary);
                }
            }
            slots.free.extend(unneeded);
            slots
                .free
                .push(slot_of[step.y].expect("every value but the input has a reader behind it"));
        }
        self.slots = slots.sizes;
        self.slot_of = slot_of;
    }
}

/// Buffers, sized by the largest gradient each will hold.
#[derive(Default)]
struct Slots {
    sizes: Vec<usize>,
    free: Vec<usize>,
}

impl Slots {
    fn take(&mut self, size: usize) -> usize {
        let free = 0..self.free.len();
        // The smallest that is large enough, else the largest, which grows.
        let chosen = free
            .clone()
            .filter(|&i| self.sizes[self.free[i]] >= size)
            .min_by_key(|&i| self.sizes[self.free[i]])
            .or_else(|| free.max_by_key(|&i| self.sizes[self.free[i]]));
        let slot = chosen.map_or_else(
            || {
                self.sizes.push(0);
                self.sizes.len() - 1
            },
            |i| self.free.swap_remove(i),
        );
        self.sizes[slot] = self.sizes[slot].max(size);
        slot
    }

    fn target(&mut self, value: usize, sizes: &[usize], slot_of: &mut [Option<usize>]) -> Target {
        if value == 0 {
            return Target::Nowhere;
        }
        let slot = self.take(sizes[value]);
        if let Some(sum) = slot_of[value] {
            return Target::Add {
                temporary: slot,
                sum,
            };
        }
        slot_of[value] = Some(slot);
        Target::Slot(slot)
    }
}

#[derive(Clone, Copy)]
struct At {
    value: usize,
    image: Image,
}

struct Builder<'a> {
    net: &'a str,
    plan: Plan,
    at: At,
    /// Values up to this one have readers elsewhere, so that nothing may work in place on them.
    shared: usize,
}

impl Builder<'_> {
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
        let ones = super::param(Init::Constant(1.0));
        let vector = Layout::Vector(channels);
        let gamma = self.param(format!("{name}.weight"), vector, channels, ones)?;
        let beta = self.param(format!("{name}.bias"), vector, channels, super::zeros())?;
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
                    "stride {stride} to {out} channels from {}; the stride must be at least 1 and no channel lost",
                    from.2
                );
                return Err(self.wrong("a shortcut", reason));
            }
            let to = (from.0.div_ceil(stride), from.1.div_ceil(stride), out);
            if (to.0 * to.1)
                .checked_mul(out)
                .is_none_or(|len| len > isize::MAX as usize / 4)
            {
                return Err(self.wrong("a shortcut", format!("{out} channels are too many")));
            }
            self.push(Op::Subsample { from, to, stride }, to);
        }
        Ok(self.at)
    }

    /// A ReLU is part of the step before it where that has one, and in place where nothing else reads the value.
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

    fn param(
        &mut self,
        name: String,
        layout: Layout,
        fan_in: usize,
        param: Param,
    ) -> Result<Range<usize>, NetError> {
        self.check_name(&name)?;
        for (what, value) in [("lr_mult", param.lr_mult), ("decay_mult", param.decay_mult)] {
            if !(value.is_finite() && value >= 0.0) {
                let reason = format!("its {what} is {value}; it must be finite and at least 0");
                return Err(self.wrong(&name, reason));
            }
        }
        let start = self.plan.parameters();
        let range = start..start + layout.len();
        self.plan.params.push(ParamInfo {
            name,
            layout,
            range: range.clone(),
            fan_in,
            param,
        });
        Ok(range)
    }

    fn statistic(
        &mut self,
        name: String,
        len: usize,
        start: f32,
    ) -> Result<Range<usize>, NetError> {
        self.check_name(&name)?;
        let first = self.plan.statistics();
        let range = first..first + len;
        self.plan.stats.push(StatInfo {
            name,
            range: range.clone(),
            start,
        });
        Ok(range)
    }

    fn check_name(&self, name: &str) -> Result<(), NetError> {
        let params = self.plan.params.iter().map(|p| &p.name);
        let mut taken = params.chain(self.plan.stats.iter().map(|s| &s.name));
        if taken.any(|known| known == name) {
            return Err(self.wrong(name, "another layer has that name".into()));
        }
        Ok(())
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

    fn wrong(&self, layer: &str, reason: String) -> NetError {
        NetError::Layer {
            net: self.net.into(),
            layer: layer.into(),
            reason,
        }
    }
}

impl Step {
    fn new(op: Op, x: usize, y: usize) -> Self {
        Self {
            op,
            x,
            y,
            dx: Target::Nowhere,
            dother: Target::Nowhere,
        }
    }
}
