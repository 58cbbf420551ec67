use std::ffi::OsString;

use pyo3::prelude::*;

/// Does what a command line says, the program's name first, and returns the code that the process
/// should end with.
#[pyfunction]
pub(crate) fn run_cli(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| cyclr_cli::run(arguments))
}
