//! The curve of a run, read from its log as it grows.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use anyhow::Context;
use cyclr_train::Event;
use cyclr_train::store::{open_regular, read_run};
use serde::Serialize;

/// The most updates and evaluations of a run that are shown: every second one is left out whenever
/// there are more.
const MOST: usize = 400;

/// More bytes than any line has that is an event.
const LONGEST: usize = 1 << 20;

/// What a log says, as far as it was read.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Curve {
    /// Updates done, loss and rate, at even distances in updates.
    updates: Thinned<(u64, Option<f64>, f64)>,
    /// Updates done, and the objective of the model that is trained.
    figures: Thinned<(u64, f64)>,
    /// The same of the averaged model.
    averages: Thinned<(u64, f64)>,
    /// The bytes of the log that were read.
    #[serde(skip)]
    read: u64,
}

impl Curve {
    pub(super) fn new() -> Self {
        Self {
            updates: Thinned::new(),
            figures: Thinned::new(),
            averages: Thinned::new(),
            read: 0,
        }
    }

    /// Reads the whole lines that were added to the log of a run, as long as there are bytes `left`
    /// to take in.
    pub(super) fn follow(&mut self, folder: &Path, left: &mut u64) -> anyhow::Result<()> {
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
        file.take(*left)
            .read_to_end(&mut added)
            .with_context(of_file)?;
        *left -= added.len() as u64;
        let whole = added.iter().rposition(|&b| b == b'\n').map_or(0, |n| n + 1);
        if added.len() > LONGEST && whole == 0 {
            // No event is so long, and the rest of such a line is none, either.
            self.read += added.len() as u64;
        }
        if whole == 0 {
            return Ok(());
        }
        let info = read_run(folder)?.plan.info;
        for line in added[..whole].split(|&b| b == b'\n') {
            // A line that is no event is an error when the run goes on, and shows nothing.
            match serde_json::from_slice(line) {
                Ok(Event::Updated {
                    update,
                    hyper,
                    metrics,
                    ..
                }) => {
                    let loss = metrics.loss().map(|loss| loss.value);
                    self.updates
                        .push((update.saturating_add(1), loss, hyper.lr));
                }
                Ok(Event::Evaluated(point)) => {
                    let place =
                        |metrics| Some((point.updates_done, info.objective_in(metrics)?.value));
                    if let Some(figure) = place(&point.metrics) {
                        self.figures.push(figure);
                    }
                    if let Some(average) = point.average.as_ref().and_then(place) {
                        self.averages.push(average);
                    }
                }
                _ => {}
            }
        }
        self.read += whole as u64;
        Ok(())
    }
}

/// Points of a curve at even distances.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
struct Thinned<P> {
    points: Vec<P>,
    #[serde(skip)]
    every: u64,
    #[serde(skip)]
    seen: u64,
}

impl<P> Thinned<P> {
    fn new() -> Self {
        let (points, every, seen) = (Vec::new(), 1, 0);
        Self {
            points,
            every,
            seen,
        }
    }

    fn push(&mut self, point: P) {
        self.seen += 1;
        if self.seen.is_multiple_of(self.every) {
            self.points.push(point);
        }
        if self.points.len() > MOST {
            self.every *= 2;
            let mut n = 0;
            self.points.retain(|_| {
                n += 1;
                n % 2 == 0
            });
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
        let mut left = u64::MAX;
        curve.follow(&folder, &mut left).unwrap();
        let at = |points: &[(u64, f64)]| points.iter().map(|&(at, _)| at).collect::<Vec<_>>();
        assert_eq!(at(&curve.figures.points), [10, 20, 30, 40, 50, 60]);
        assert_eq!(at(&curve.averages.points), [20, 30, 40, 50, 60]);
        // As the log has them.
        let log = fs::read_to_string(folder.join(Event::FILE)).unwrap();
        for (_, value) in curve.figures.points.iter().chain(&curve.averages.points) {
            assert!(log.contains(&format!("{value}")), "{value}");
        }
    }

    #[test]
    fn a_long_curve_keeps_evenly_spaced_updates() {
        let mut curve = Thinned::new();
        (1..=10_000).for_each(|update| curve.push(update));
        let updates: Vec<u64> = curve.points;
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
