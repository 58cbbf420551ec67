//! The curve of a run, read from its log as it grows.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use anyhow::Context;
use cyclr_train::Event;
use cyclr_train::store::{open_regular, read_run};
use serde::Serialize;

/// The most updates of a run that are shown: every second one is left out whenever there are more.
const MOST: usize = 400;

/// The most bytes of a log that are taken in at once.
const AT_ONCE: u64 = 64 << 20;

/// What a log says, as far as it was read.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Curve {
    /// Updates done, loss and rate of every so many updates.
    updates: Vec<(u64, Option<f64>, f64)>,
    /// Updates done, and what decides.
    figures: Vec<(u64, f64)>,
    #[serde(skip)]
    every: u64,
    /// The bytes of the log that were read.
    #[serde(skip)]
    read: u64,
}

impl Curve {
    pub(super) fn new() -> Self {
        Self {
            updates: Vec::new(),
            figures: Vec::new(),
            every: 1,
            read: 0,
        }
    }

    /// Reads the whole lines that were added to the log of a run.
    pub(super) fn follow(&mut self, folder: &Path) -> anyhow::Result<()> {
        let path = folder.join(Event::FILE);
        if !path.exists() {
            return Ok(());
        }
        let of_file = || path.display().to_string();
        let mut file = open_regular(&path).with_context(of_file)?;
        let length = file.metadata().with_context(of_file)?.len();
        if length < self.read {
            // It was cut to its last checkpoint.
            *self = Self::new();
        }
        file.seek(SeekFrom::Start(self.read))
            .with_context(of_file)?;
        let mut added = Vec::new();
        file.take(AT_ONCE)
            .read_to_end(&mut added)
            .with_context(of_file)?;
        let whole = added.iter().rposition(|&b| b == b'\n').map_or(0, |n| n + 1);
        if whole == 0 {
            return Ok(());
        }
        let info = read_run(folder)?.plan.info;
        for line in added[..whole].split(|&b| b == b'\n') {
            // A line that is no event is an error to whoever goes on with the run, and shows nothing.
            match serde_json::from_slice(line) {
                Ok(Event::Updated {
                    update,
                    hyper,
                    metrics,
                    ..
                }) => self.push(update + 1, metrics.loss().map(|loss| loss.value), hyper.lr),
                Ok(Event::Evaluated(point)) => {
                    let figure = info.objective_in(&point.metrics).map(|figure| figure.value);
                    self.figures
                        .extend(figure.map(|value| (point.updates_done, value)));
                }
                _ => {}
            }
        }
        self.read += whole as u64;
        Ok(())
    }

    fn push(&mut self, updates_done: u64, loss: Option<f64>, rate: f64) {
        if updates_done.is_multiple_of(self.every) {
            self.updates.push((updates_done, loss, rate));
        }
        if self.updates.len() > MOST {
            self.every *= 2;
            let every = self.every;
            self.updates
                .retain(|&(updates_done, ..)| updates_done.is_multiple_of(every));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_curve_keeps_evenly_spaced_updates() {
        let mut curve = Curve::new();
        (1..=10_000).for_each(|update| curve.push(update, Some(0.5), 0.1));
        let updates: Vec<u64> = curve.updates.iter().map(|&(update, ..)| update).collect();
        assert!(
            updates.len() <= MOST && updates.len() > MOST / 2 - 50,
            "{}",
            updates.len()
        );
        assert!(
            updates.windows(2).all(|pair| pair[1] - pair[0] == 32),
            "{updates:?}"
        );
        assert_eq!(updates.last(), Some(&9984));
    }
}
