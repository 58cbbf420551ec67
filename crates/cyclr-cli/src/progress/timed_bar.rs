//! A bar that knows how fast it goes.

use std::time::Instant;

use cyclr::Hyper;
use cyclr::trainer::Metrics;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::figures;
use crate::chart::rate;

/// A bar, and what it takes to say how fast it goes.
pub(super) struct TimedBar {
    pub(super) bar: ProgressBar,
    began: Instant,
    /// Updates that count, and were not made since.
    skipped: u64,
    updates_per_epoch: u64,
    recent: Speed,
}

impl TimedBar {
    pub(super) fn new(bars: &MultiProgress, updates: u64, template: &str) -> Self {
        let style = ProgressStyle::with_template(template);
        let bar = ProgressBar::new(updates)
            .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self {
            bar: bars.add(bar),
            began: Instant::now(),
            skipped: 0,
            updates_per_epoch: 1,
            recent: Speed::default(),
        }
    }

    pub(super) fn started(&mut self, updates_done: u64, end: u64, updates_per_epoch: u64) {
        (self.skipped, self.updates_per_epoch) = (updates_done, updates_per_epoch);
        (self.began, self.recent) = (Instant::now(), Speed::default());
        self.bar.set_length(end);
        self.bar.set_position(updates_done);
    }

    /// Counts updates that are not made now.
    pub(super) fn skip(&mut self, updates: u64) {
        self.bar.inc(updates);
        self.skipped += updates;
    }

    /// Counts the updates up to here, and gives how many of them had not been counted.
    pub(super) fn reach(&mut self, updates_done: u64) -> u64 {
        let more = updates_done.saturating_sub(self.bar.position());
        self.bar.inc(more);
        more
    }

    /// The updates that were made since the start.
    pub(super) fn made(&self) -> u64 {
        self.bar.position().saturating_sub(self.skipped)
    }

    /// To be called now and then, so that the speed is that of the last minute.
    pub(super) fn mark(&mut self) {
        let now = (self.seconds(), self.made());
        self.recent.mark(now);
    }

    pub(super) fn speed(&self) -> f64 {
        self.recent.at((self.seconds(), self.made()))
    }

    fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// Seconds until the end at this speed; `None` if it is not known.
    pub(super) fn seconds_left(&self) -> Option<f64> {
        let left = self.bar.length()?.saturating_sub(self.bar.position());
        let seconds = left as f64 / self.speed();
        seconds.is_finite().then_some(seconds)
    }

    /// `epoch 3.2, rate 0.01, loss 0.413, accuracy 0.872, 340/s`
    pub(super) fn describe(&self, hyper: Hyper, metrics: &Metrics) -> String {
        format!(
            "epoch {:.1}, rate {}, {}, {:.0}/s",
            self.bar.position() as f64 / self.updates_per_epoch as f64,
            rate(hyper.lr),
            figures(metrics),
            self.speed()
        )
    }
}

/// The speed of the last half to whole minute, since a machine may be busy for a while.
#[derive(Default)]
struct Speed {
    /// Seconds and updates: where the time begins that counts, and where the next one does.
    marks: [(f64, u64); 2],
}

impl Speed {
    /// The seconds between marks.
    const EVERY: f64 = 30.0;

    fn mark(&mut self, now: (f64, u64)) {
        let [_, newer] = self.marks;
        if now.0 - newer.0 >= Self::EVERY {
            self.marks = [newer, now];
        }
    }

    /// Updates a second.
    fn at(&self, (seconds, made): (f64, u64)) -> f64 {
        let [since, _] = self.marks;
        made.saturating_sub(since.1) as f64 / (seconds - since.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_speed_is_that_of_the_last_minute() {
        let mut speed = Speed::default();
        let at = |speed: &mut Speed, seconds: u64, made: u64| {
            speed.mark((seconds as f64, made));
            speed.at((seconds as f64, made))
        };
        // 10 a second, then 1 a second.
        for second in 1..=100 {
            let found = at(&mut speed, second, 10 * second);
            assert!((found - 10.0).abs() < 1e-9, "{second}: {found}");
        }
        for second in 101..=300 {
            let found = at(&mut speed, second, 900 + second);
            let expected = if second >= 161 { 1.0..1.001 } else { 1.0..10.0 };
            assert!(expected.contains(&found), "{second}: {found}");
        }
    }
}
