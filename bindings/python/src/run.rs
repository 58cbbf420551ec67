use cyclr::units::{Epochs, Horizon};
use pyo3::prelude::*;

use crate::{CyclrError, refused, whole};

/// How long a run is, as it was given.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    pub(crate) updates: Option<u64>,
    pub(crate) epochs: Option<f64>,
    pub(crate) examples: Option<u64>,
    pub(crate) batch: Option<u64>,
}

impl FromPyObject<'_, '_> for Run {
    type Error = PyErr;

    /// Field by field, for a derived one would make a `TypeError` of every error.
    fn extract(given: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        let count = |name| whole(&given.getattr(name)?);
        Ok(Self {
            updates: count("updates")?,
            epochs: given.getattr("epochs")?.extract()?,
            examples: count("examples")?,
            batch: count("batch")?,
        })
    }
}

impl Run {
    pub(crate) fn horizon(self) -> PyResult<Horizon> {
        let epoch = match (self.examples, self.batch) {
            (Some(examples), Some(batch)) => Some((examples, batch)),
            (None, None) => None,
            _ => {
                return Err(CyclrError::new_err(
                    "examples and batch go together: give both",
                ));
            }
        };
        let horizon = match (self.updates, self.epochs, epoch) {
            (Some(updates), None, None) => Horizon::of_updates(updates),
            (Some(updates), None, Some((examples, batch))) => {
                Horizon::of_updates(updates).and_then(|run| run.with_epoch(examples, batch))
            }
            (None, Some(epochs), Some((examples, batch))) => {
                Epochs::new(epochs).and_then(|epochs| Horizon::of_epochs(epochs, examples, batch))
            }
            _ => {
                return Err(CyclrError::new_err(
                    "how long is the run? give updates=…, or epochs=… with examples=… and batch=…",
                ));
            }
        };
        horizon.map_err(refused)
    }
}
