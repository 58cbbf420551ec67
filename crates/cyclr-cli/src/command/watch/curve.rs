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
    /// Updates done, and the objective of the model that is trained.
    figures: Vec<(u64, f64)>,
    /// The same of the averaged model.
    averages: Vec<(u64, f64)>,
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
            averages: Vec::new(),
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
                    let place =
                        |metrics| Some((point.updates_done, info.objective_in(metrics)?.value));
                    self.figures.extend(place(&point.metrics));
                    self.averages.extend(point.average.as_ref().and_then(place));
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
    use std::fs;

    use cyclr_train::noisy_quadratic::NoisyQuadratic;
    use cyclr_train::{Average, Budget, Interrupt, Task, Watch, train_in};

    use super::*;

    #[test]
    fn an_average_is_a_curve_beside_that_of_the_model() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("run");
        let spec = "triangular(base=0.01, max=0.1, step=10)".parse().unwrap();
        let task = Task {
            average: Some(Average::Troughs),
            evaluate_every: 10.try_into().ok(),
            ..Task::new(spec, 1, Budget::Updates(60))
        };
        let watch = Watch {
            observer: &mut |_| {},
            interrupt: &Interrupt::new(),
        };
        let net = NoisyQuadratic::default();
        train_in(&folder, &net, serde_json::Value::Null, &task, watch).unwrap();
        let mut curve = Curve::new();
        curve.follow(&folder).unwrap();
        let at = |points: &[(u64, f64)]| points.iter().map(|&(at, _)| at).collect::<Vec<_>>();
        assert_eq!(at(&curve.figures), [10, 20, 30, 40, 50, 60]);
        assert_eq!(at(&curve.averages), [20, 30, 40, 50, 60]);
        // As the log has them.
        let log = fs::read_to_string(folder.join(Event::FILE)).unwrap();
        for (_, value) in curve.figures.iter().chain(&curve.averages) {
            assert!(log.contains(&format!("{value}")), "{value}");
        }
    }

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
