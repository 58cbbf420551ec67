use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use cyclr::trainer::TrainerError;

use crate::Error;

/// A request to stop, shared between the one who makes it (such as a Ctrl-C handler) and the work,
/// which checks it between updates.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// No stop is requested.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks all work that shares this interrupt to save and stop. It may be called in a signal
    /// handler.
    pub fn request(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether anybody has asked.
    pub fn is_requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Whether work that has nothing to save may go on.
    ///
    /// # Errors
    /// [`Error::Interrupted`] if anybody has asked.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.is_requested() {
            return Err(Error::Interrupted { updates_done: None });
        }
        Ok(())
    }

    /// An error of work, as what it is: a trainer whose process ended was interrupted if this
    /// process is asked to stop as well. A cluster sends the signal to both, and the end of the
    /// one may be known before the wish is.
    pub(crate) fn explain(&self, error: Error) -> Error {
        const AT_THE_SAME_TIME: Duration = Duration::from_millis(500);
        let Error::Trainer(TrainerError::Ended { .. }) = error else {
            return error;
        };
        let deadline = Instant::now() + AT_THE_SAME_TIME;
        while !self.is_requested() && Instant::now() < deadline {
            sleep(Duration::from_millis(10));
        }
        if self.is_requested() {
            Error::Interrupted { updates_done: None }
        } else {
            error
        }
    }
}
