use cyclr::policy::Policy;
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

/// The policy of that name between the bounds, with the cycles that suit the run.
#[pyfunction]
pub(crate) fn suggest(policy: &str, base_lr: f64, max_lr: f64, run: Run) -> PyResult<Spec> {
    let cycles = cyclr::advice::cycles(&run.horizon()?).map_err(refused)?;
    let spec = cyclr::advice::complete(policy, base_lr, max_lr, cycles.step());
    let spec = spec.ok_or_else(|| {
        let names: Vec<_> = Policy::completable().collect();
        refused(format!(
            "bounds alone do not complete {policy:?}: give one of {}",
            names.join(", ")
        ))
    })?;
    Ok(spec.map_err(refused)?.into())
}
