use cyclr_engine::data::{Dataset, Examples};
use numpy::{PyArray1, PyArrayDyn, PyArrayMethods};
use pyo3::prelude::*;

use crate::refused;

/// Images, as (examples, height, width, channels), and their labels.
type Part<'py> = (Bound<'py, PyArrayDyn<u8>>, Bound<'py, PyArray1<i64>>);

/// The embedded data set, with `validation` examples cut out of the training part: training,
/// validation and test, and the names of the classes.
#[pyfunction]
pub(crate) fn fashion_mnist(
    py: Python<'_>,
    validation: usize,
    data_seed: u64,
) -> PyResult<(Vec<Part<'_>>, Vec<String>)> {
    let data = py.detach(Dataset::embedded);
    let splits = data.split(validation, data_seed).map_err(refused)?;
    let parts = [splits.train, splits.validation, splits.test];
    let parts = parts.iter().map(|examples| part(py, examples));
    Ok((parts.collect::<PyResult<_>>()?, data.classes().to_vec()))
}

fn part<'py>(py: Python<'py>, examples: &Examples) -> PyResult<Part<'py>> {
    let shape = examples.shape();
    let indices = 0..examples.len() as u32;
    let pixels: Vec<u8> = indices
        .clone()
        .flat_map(|index| examples.image(index))
        .copied()
        .collect();
    let labels = indices.map(|index| i64::from(examples.label(index)));
    let shape = [examples.len(), shape.height, shape.width, shape.channels];
    let images = PyArray1::from_vec(py, pixels).reshape(shape)?;
    Ok((images.to_dyn().clone(), PyArray1::from_iter(py, labels)))
}
