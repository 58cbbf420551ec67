use pyo3::prelude::*;

use crate::refused;
use crate::run::Run;
use crate::schedule::{AnySpec, Spec};

#[derive(IntoPyObject)]
pub(crate) struct Cycles {
    step: u64,
    cycles: u64,
    updates: u64,
    step_epochs: f64,
    short: bool,
}

#[pyfunction]
pub(crate) fn cycles(run: Run) -> PyResult<Cycles> {
    let advice = cyclr::advice::cycles(&run.horizon()?).map_err(refused)?;
    Ok(Cycles {
        step: advice.step,
        cycles: advice.cycles,
        updates: advice.updates,
        step_epochs: advice.step_epochs,
        short: advice.short,
    })
}

#[pyfunction]
pub(crate) fn base_from_max(max_lr: f64, cycles: u64) -> PyResult<(f64, f64)> {
    cyclr::advice::base_from_max(max_lr, cycles).map_err(refused)
}

#[pyfunction]
pub(crate) fn cyclical(stepped: AnySpec, run: Run, ratio: f64) -> PyResult<Spec> {
    let spec = cyclr::advice::cyclical(&stepped.0, &run.horizon()?, ratio).map_err(refused)?;
    Ok(spec.into())
}

/// `triangular2` between the bounds, with the cycles that the run suggests.
#[pyfunction]
pub(crate) fn suggest(base_lr: f64, max_lr: f64, run: Run) -> PyResult<Spec> {
    let spec = cyclr::advice::suggest(base_lr, max_lr, &run.horizon()?).map_err(refused)?;
    Ok(spec.into())
}
