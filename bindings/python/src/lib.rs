//! The extension module of the Python package `cyclr`. The package's own modules, in
//! `python/cyclr`, give its values their Python types; what is computed is computed here.

use pyo3::create_exception;
use pyo3::exceptions::{PyOverflowError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;

mod advice;
mod cli;
mod data;
mod find;
mod range;
mod run;
mod schedule;
mod stats;
mod trainer;

create_exception!(
    cyclr,
    CyclrError,
    PyValueError,
    "A value that cannot be: the message says what it was and what is allowed."
);
create_exception!(
    cyclr,
    SpecError,
    CyclrError,
    "A text that is no spec: the message points at the place."
);
create_exception!(
    cyclr,
    TrainerError,
    PyRuntimeError,
    "A trainer that failed or cannot do what was asked."
);

#[pymodule]
mod _cyclr {
    #[pymodule_export]
    use super::{CyclrError, SpecError, TrainerError};

    #[pymodule_export]
    use crate::schedule::{Hyper, Schedule, Spec};

    #[pymodule_export]
    use crate::advice::{base_from_max, cycles, cyclical, suggest};

    #[pymodule_export]
    use crate::range::read_bounds;

    #[pymodule_export]
    use crate::find::{find, train};

    #[pymodule_export]
    use crate::stats::{judge, summary};

    #[pymodule_export]
    use crate::data::fashion_mnist;

    #[pymodule_export]
    use crate::cli::run_cli;

    /// The version of the package.
    #[pymodule_export]
    #[expect(non_upper_case_globals, reason = "the name is Python's")]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}

/// A whole number that may be left out; one below 0 or beyond 64 bits is a value that cannot be.
fn whole(given: &Bound<'_, PyAny>) -> PyResult<Option<u64>> {
    given.extract().map_err(|error: PyErr| {
        if error.is_instance_of::<PyOverflowError>(given.py()) {
            refused(format_args!(
                "{given} is no number of this kind: give a whole number from 0 to 2**64 - 1"
            ))
        } else {
            error
        }
    })
}

/// Any error of the library as a `CyclrError`.
fn refused(error: impl std::fmt::Display) -> PyErr {
    CyclrError::new_err(error.to_string())
}
