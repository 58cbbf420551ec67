//! What a request may take.

use std::collections::BTreeMap;
use std::time::Duration;

/// What a request may take whose like has not been timed yet: setting up, compiling, the first
/// evaluation.
const FIRST: Duration = Duration::from_secs(600);

/// What any later request may take: this long, or this multiple of what the child's own pace so far
/// predicts.
const LATER: Duration = Duration::from_secs(60);
const TIMES_ITS_PACE: f64 = 20.0;

/// How long a child may take to end after `shutdown`, in good order.
pub(super) const TO_END: Duration = Duration::from_secs(60);

/// What the requests of each method took.
#[derive(Debug, Default)]
pub(super) struct Paces(BTreeMap<&'static str, Pace>);

/// Seconds for a number of updates, or examples, or requests.
#[derive(Clone, Copy, Debug, Default)]
struct Pace {
    seconds: f64,
    units: f64,
}

impl Paces {
    pub(super) fn note(&mut self, method: &'static str, took: Duration, units: f64) {
        let pace = self.0.entry(method).or_default();
        pace.seconds += took.as_secs_f64();
        pace.units += units;
    }

    /// What a request of `units` may take.
    pub(super) fn limit(&self, method: &str, units: f64) -> Duration {
        match self.0.get(method) {
            None if method == "shutdown" => TO_END,
            None => FIRST,
            Some(pace) => {
                let seconds = TIMES_ITS_PACE * pace.seconds / pace.units * units;
                LATER.max(Duration::try_from_secs_f64(seconds).unwrap_or(FIRST))
            }
        }
    }
}
