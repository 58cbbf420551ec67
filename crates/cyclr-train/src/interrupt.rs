use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A wish to stop, shared between whoever has it (a Ctrl-C handler, say) and the work, which heeds
/// it between updates.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Nobody wishes to stop.
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
}
