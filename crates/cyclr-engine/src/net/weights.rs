//! Where parameters lie, how they start, and their form in files.
//!
//! In files they have the names, shapes and order of torch (`[out, in, rows, columns]` for a
//! convolution, `[out, in]` for a fully connected layer, whose inputs are counted channel by
//! channel), so that a torch model of the same layer names loads them as they are.

use std::{collections::BTreeMap, ops::Range};

use super::{Init, Param, Plan};
use crate::{
    rng::{Purpose, Rng},
    tensors::{self, File, Tensor},
};

/// A parameter's place and form.
#[derive(Debug)]
pub(crate) struct ParamInfo {
    pub(crate) name: String,
    pub(crate) layout: Layout,
    pub(crate) range: Range<usize>,
    pub(crate) fan_in: usize,
    pub(crate) param: Param,
}

/// The place of a running statistic of batch norm, and its first value.
#[derive(Debug)]
pub(crate) struct StatInfo {
    pub(crate) name: String,
    pub(crate) range: Range<usize>,
    pub(crate) start: f32,
}

/// What a parameter's numbers are. In memory they lie as the kernels read them, outputs last.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Layout {
    Conv {
        rows: usize,
        columns: usize,
        inputs: usize,
        outputs: usize,
    },
    Dense {
        height: usize,
        width: usize,
        channels: usize,
        outputs: usize,
    },
    Vector(usize),
}

impl Layout {
    pub(crate) fn len(self) -> usize {
        self.file_shape().iter().product()
    }

    fn file_shape(self) -> Vec<usize> {
        match self {
            Self::Conv {
                rows,
                columns,
                inputs,
                outputs,
            } => vec![outputs, inputs, rows, columns],
            Self::Dense {
                height,
                width,
                channels,
                outputs,
            } => vec![outputs, height * width * channels],
            Self::Vector(len) => vec![len],
        }
    }

    /// For each number in the file's order, its place in memory.
    fn places(self) -> Vec<usize> {
        let (outputs, inputs, window) = match self {
            Self::Conv {
                rows,
                columns,
                inputs,
                outputs,
            } => (outputs, inputs, rows * columns),
            Self::Dense {
                height,
                width,
                channels,
                outputs,
            } => (outputs, channels, height * width),
            Self::Vector(len) => (len, 1, 1),
        };
        let mut places = Vec::with_capacity(outputs * inputs * window);
        for output in 0..outputs {
            for input in 0..inputs {
                places.extend((0..window).map(|cell| (cell * inputs + input) * outputs + output));
            }
        }
        places
    }
}

/// The numbers that training starts from.
#[derive(Clone, Debug)]
pub(crate) struct Weights {
    params: Vec<f32>,
    stats: Vec<f32>,
    /// Whether the last layer is drawn by the run's seed, because these weights are for other
    /// classes.
    pub(crate) new_head: bool,
}

impl Weights {
    /// Reads given weights for a net.
    pub(crate) fn read(bytes: &[u8], plan: &Plan) -> Result<Self, WeightsError> {
        let file = File::read(bytes).map_err(|reason| WeightsError::Format { reason })?;
        check_names(&file, plan)?;
        let head = head(plan);
        let of_param = |(index, info): (usize, &ParamInfo)| {
            let expected = info.layout.file_shape();
            let (found, numbers) = tensor(&file, &info.name)?;
            if found == expected {
                return Ok(Some(numbers));
            }
            let same_but_classes = !found.is_empty() && found[1..] == expected[1..];
            if head.contains(&index) && same_but_classes {
                return Ok(None);
            }
            Err(shape_error(&info.name, found, expected))
        };
        let of_stat = |info: &StatInfo| {
            let (found, numbers) = tensor(&file, &info.name)?;
            if found == [info.range.len()] {
                Ok(numbers)
            } else {
                Err(shape_error(&info.name, found, vec![info.range.len()]))
            }
        };
        let params = plan.params.iter().enumerate().map(of_param);
        let params = params.collect::<Result<Vec<_>, _>>()?;
        let stats = plan.stats.iter().map(of_stat);
        let stats = stats.collect::<Result<Vec<_>, _>>()?;
        // Memory is taken only now that the file is known to hold as much.
        let mut weights = Self {
            params: vec![0.0; plan.parameters()],
            stats: stats.into_iter().flatten().collect(),
            new_head: params.iter().any(Option::is_none),
        };
        for (info, numbers) in plan.params.iter().zip(params) {
            let target = &mut weights.params[info.range.clone()];
            for (place, number) in info
                .layout
                .places()
                .into_iter()
                .zip(numbers.into_iter().flatten())
            {
                target[place] = number;
            }
        }
        Ok(weights)
    }

    /// Fills the parameters and statistics of a run that starts from these weights.
    pub(crate) fn start(&self, plan: &Plan, seed: u64, params: &mut [f32], stats: &mut [f32]) {
        params.copy_from_slice(&self.params);
        stats.copy_from_slice(&self.stats);
        if self.new_head {
            for index in head(plan) {
                draw(plan, index, seed, params);
            }
        }
    }
}

/// Fills the parameters and statistics of a run that starts from nothing but its seed.
pub(crate) fn start(plan: &Plan, seed: u64, params: &mut [f32], stats: &mut [f32]) {
    for index in 0..plan.params.len() {
        draw(plan, index, seed, params);
    }
    for info in &plan.stats {
        stats[info.range.clone()].fill(info.start);
    }
}

/// A trained net as a file, with this metadata.
pub(crate) fn export(
    metadata: &BTreeMap<String, String>,
    plan: &Plan,
    params: &[f32],
    stats: &[f32],
) -> Vec<u8> {
    let ordered: Vec<Vec<f32>> = plan
        .params
        .iter()
        .map(|info| {
            let numbers = &params[info.range.clone()];
            let places = info.layout.places();
            places.into_iter().map(|place| numbers[place]).collect()
        })
        .collect();
    let of_params = plan.params.iter().zip(&ordered).map(|(info, data)| Tensor {
        name: &info.name,
        shape: info.layout.file_shape(),
        data,
    });
    let of_stats = plan.stats.iter().map(|info| Tensor {
        name: &info.name,
        shape: vec![info.range.len()],
        data: &stats[info.range.clone()],
    });
    let tensors: Vec<Tensor<'_>> = of_params.chain(of_stats).collect();
    tensors::write(metadata, &tensors, false)
}

fn draw(plan: &Plan, index: usize, seed: u64, params: &mut [f32]) {
    let info = &plan.params[index];
    let mut rng = Rng::new(seed, Purpose::Weights, index as u64);
    let fan_in = info.fan_in as f64;
    for weight in &mut params[info.range.clone()] {
        *weight = match info.param.init {
            Init::Constant(value) => value,
            Init::Gaussian(deviation) => (deviation * rng.normal()) as f32,
            Init::He => (libm::sqrt(2.0 / fan_in) * rng.normal()) as f32,
            Init::Xavier => (libm::sqrt(3.0 / fan_in) * (2.0 * rng.uniform() - 1.0)) as f32,
        };
    }
}

/// The indices of the last fully connected layer's parameters, which decide the classes.
fn head(plan: &Plan) -> Range<usize> {
    let is_dense = |info: &ParamInfo| matches!(info.layout, Layout::Dense { .. });
    let end = plan.params.len();
    plan.params.iter().rposition(is_dense).unwrap_or(end)..end
}

fn check_names(file: &File<'_>, plan: &Plan) -> Result<(), WeightsError> {
    let params = plan.params.iter().map(|info| &info.name);
    let known: Vec<&String> = params
        .chain(plan.stats.iter().map(|info| &info.name))
        .collect();
    // torch counts the batches of a batch norm, but uses the count only if there is no momentum.
    let counter = |name: &str| name.ends_with(".num_batches_tracked");
    let unknown = file
        .names()
        .find(|name| !counter(name) && !known.iter().any(|k| k == name));
    match unknown {
        Some(name) => Err(WeightsError::Unknown { name: name.into() }),
        None => Ok(()),
    }
}

fn tensor<'a>(
    file: &File<'a>,
    name: &str,
) -> Result<(Vec<usize>, impl Iterator<Item = f32> + Clone + use<'a>), WeightsError> {
    match file.tensor(name) {
        Some(Ok((shape, numbers))) => {
            if numbers.clone().all(f32::is_finite) {
                Ok((shape, numbers))
            } else {
                Err(WeightsError::NotFinite { name: name.into() })
            }
        }
        Some(Err(dtype)) => Err(WeightsError::Dtype {
            name: name.into(),
            found: format!("{dtype:?}"),
        }),
        None => Err(WeightsError::Missing { name: name.into() }),
    }
}

fn shape_error(name: &str, found: Vec<usize>, expected: Vec<usize>) -> WeightsError {
    WeightsError::Shape {
        name: name.into(),
        found,
        expected,
    }
}

/// Why given weights do not fit the net.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The bytes are not safetensors.
    #[error(
        "the weights are not safetensors: {reason}; give a safetensors file, such as the model.safetensors of a run"
    )]
    Format {
        /// What is wrong with them.
        reason: String,
    },
    /// A parameter or statistic is not among them.
    #[error("the weights lack `{name}`; use weights of the same net")]
    Missing {
        /// The tensor.
        name: String,
    },
    /// The net has no such parameter.
    #[error("the net has no `{name}`, which the weights hold; use weights of the same net")]
    Unknown {
        /// The tensor.
        name: String,
    },
    /// A tensor has another shape, and not only for other classes.
    #[error(
        "`{name}` is {found:?} in the weights and {expected:?} in the net; use weights of the \
         same net and image size"
    )]
    Shape {
        /// The tensor.
        name: String,
        /// Its shape in the file.
        found: Vec<usize>,
        /// Its shape in the net.
        expected: Vec<usize>,
    },
    /// The numbers are of another type.
    #[error("`{name}` holds {found} numbers; convert the weights to F32")]
    Dtype {
        /// The tensor.
        name: String,
        /// Its type.
        found: String,
    },
    /// A number is NaN or infinite.
    #[error(
        "`{name}` holds a number that is not finite; use weights of a run that did not diverge"
    )]
    NotFinite {
        /// The tensor.
        name: String,
    },
}
