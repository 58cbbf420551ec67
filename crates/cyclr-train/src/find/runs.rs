//! Runs that go back to where they began, so that a script is not started for every probe: it may
//! take seconds to import what it needs.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use cyclr::trainer::{Known, Metrics, Trainer, TrainerError, TrainerFactory};

/// Starts runs, or takes one that is over back to where it began. Of what is started, no more is
/// alive than is at work at the same time.
pub(super) struct Runs<'f> {
    factory: &'f dyn TrainerFactory,
    /// Those that are over, and can go back.
    idle: Mutex<Vec<Run<'f>>>,
    /// Whether none failed to go back so far.
    go_back: AtomicBool,
}

/// A run at its beginning.
pub(super) struct Run<'f> {
    pub(super) trainer: Box<dyn Trainer + 'f>,
    seed: u64,
    /// What it was told that it is planned for.
    updates: u64,
    /// Its state at the beginning; `None` if it cannot go back.
    beginning: Option<Vec<u8>>,
    /// The metrics of its first batch, if it has gone through it before.
    first: Option<Metrics>,
}

impl Run<'_> {
    fn is_of(&self, seed: u64, updates: u64) -> bool {
        (self.seed, self.updates) == (seed, updates)
    }

    /// Goes back to the beginning; whether it could.
    fn goes_back(&mut self) -> bool {
        let beginning = self.beginning.as_deref();
        beginning.is_some_and(|state| self.trainer.restore(state).is_ok())
    }
}

impl<'f> Runs<'f> {
    pub(super) fn new(factory: &'f dyn TrainerFactory) -> Self {
        Self {
            factory,
            idle: Mutex::default(),
            go_back: AtomicBool::new(true),
        }
    }

    /// A run of that seed at its beginning, which is told for how many updates it is planned.
    pub(super) fn begin(&self, seed: u64, updates: u64) -> Result<Run<'f>, TrainerError> {
        match self.take(seed, updates) {
            Some(mut run) if run.is_of(seed, updates) => {
                if run.goes_back() {
                    return Ok(run);
                }
                // A fresh one can do what it could not.
                self.go_back.store(false, Ordering::Relaxed);
            }
            Some(mut other) => other.trainer.end()?,
            None => {}
        }
        self.start(seed, updates)
    }

    /// Whether the run began as before. One that did not has not gone back, although it says so: no
    /// other is asked to, and what it did does not count.
    pub(super) fn began_as_before(&self, run: &Run<'f>, first: Option<&Metrics>) -> bool {
        let as_before = run.first.is_none() || run.first.as_ref() == first;
        if !as_before {
            self.go_back.store(false, Ordering::Relaxed);
        }
        as_before
    }

    /// Keeps a run that is over for the next one of its seed, or ends it if it cannot go back.
    pub(super) fn over(
        &self,
        mut run: Run<'f>,
        first: Option<Metrics>,
    ) -> Result<(), TrainerError> {
        if run.beginning.is_none() || !self.go_back.load(Ordering::Relaxed) {
            return run.trainer.end();
        }
        run.first = first;
        self.idle().push(run);
        Ok(())
    }

    /// Ends those that are left.
    pub(super) fn end(&self) -> Result<(), TrainerError> {
        let mut idle = std::mem::take(&mut *self.idle());
        idle.iter_mut().try_for_each(|run| run.trainer.end())
    }

    /// Of those that are over the one that is asked for, or else any.
    fn take(&self, seed: u64, updates: u64) -> Option<Run<'f>> {
        let mut idle = self.idle();
        let place = idle.iter().position(|run| run.is_of(seed, updates));
        let place = place.or_else(|| idle.len().checked_sub(1))?;
        Some(idle.swap_remove(place))
    }

    fn start(&self, seed: u64, updates: u64) -> Result<Run<'f>, TrainerError> {
        let known = Known {
            updates: Some(updates),
            folder: None,
        };
        let mut trainer = self.factory.start_known(seed, known)?;
        let mut beginning = None;
        if trainer.info().snapshots && self.go_back.load(Ordering::Relaxed) {
            beginning = trainer.state().ok();
            if beginning.is_none() {
                // This costs starts and nothing else: the test itself needs no state.
                self.go_back.store(false, Ordering::Relaxed);
                trainer = self.factory.start_known(seed, known)?;
            }
        }
        Ok(Run {
            trainer,
            seed,
            updates,
            beginning,
            first: None,
        })
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Run<'f>>> {
        self.idle.lock().expect("no panic while it is held")
    }
}
