//! Predicted times, held against what was really asked of a trainer whose costs are known: nothing
//! is timed.

use std::sync::atomic::{AtomicU64, Ordering};

use cyclr::Hyper;
use cyclr::trainer::{
    Evaluation, Metrics, Split, Trainer, TrainerError, TrainerFactory, TrainerInfo,
};
use cyclr_train::compare::{Begin, Plan, Settings, compare};
use cyclr_train::find::{RangeTest, range_test};
use cyclr_train::noisy_quadratic::NoisyQuadratic;
use cyclr_train::{Interrupt, Pace, Watch};

/// A start costs a hundred updates, as of a script that imports a framework, and an evaluation
/// twenty.
const PACE: Pace = Pace {
    seconds_per_start: 1.0,
    seconds_per_update: 0.01,
    seconds_per_evaluation: 0.2,
    updates_timed: 50,
};

/// A noisy quadratic that counts what it is asked for.
#[derive(Default)]
struct Counting {
    inner: NoisyQuadratic,
    starts: AtomicU64,
    updates: AtomicU64,
    evaluations: AtomicU64,
}

struct CountingRun<'a> {
    inner: Box<dyn Trainer + 'a>,
    counts: &'a Counting,
}

impl Counting {
    /// What all of it took.
    fn seconds(&self) -> f64 {
        let count = |of: &AtomicU64| of.load(Ordering::Relaxed) as f64;
        count(&self.starts) * PACE.seconds_per_start
            + count(&self.updates) * PACE.seconds_per_update
            + count(&self.evaluations) * PACE.seconds_per_evaluation
    }
}

impl TrainerFactory for Counting {
    fn start(&self, seed: u64) -> Result<Box<dyn Trainer + '_>, TrainerError> {
        self.starts.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(CountingRun {
            inner: self.inner.start(seed)?,
            counts: self,
        }))
    }

    fn info(&self) -> Result<TrainerInfo, TrainerError> {
        self.inner.info()
    }
}

impl Trainer for CountingRun<'_> {
    fn info(&self) -> &TrainerInfo {
        self.inner.info()
    }

    fn update(&mut self, hyper: Hyper) -> Result<Metrics, TrainerError> {
        self.counts.updates.fetch_add(1, Ordering::Relaxed);
        self.inner.update(hyper)
    }

    fn evaluate(&mut self, split: Split) -> Result<Evaluation, TrainerError> {
        self.counts.evaluations.fetch_add(1, Ordering::Relaxed);
        self.inner.evaluate(split)
    }

    fn state(&mut self) -> Result<Vec<u8>, TrainerError> {
        self.inner.state()
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), TrainerError> {
        self.inner.restore(state)
    }
}

#[track_caller]
fn assert_near(predicted: f64, taken: f64) {
    let ratio = taken / predicted;
    assert!(
        (0.8..=1.25).contains(&ratio),
        "{predicted} s were predicted, and it took {taken} s"
    );
}

#[test]
fn a_range_test_takes_what_was_predicted() {
    for (budget, snapshots) in [(600, true), (4000, true), (20_000, true), (4000, false)] {
        let mut counting = Counting::default();
        counting.inner.info.snapshots = snapshots;
        let info = counting.info().unwrap();
        let test = RangeTest {
            threads: 1,
            ..RangeTest::for_budget(budget, 0.1, &info)
        };
        let watch = Watch {
            observer: &mut |_| {},
            interrupt: &Interrupt::new(),
        };
        range_test(&counting, &test, watch).unwrap();
        assert_near(test.seconds(&info, &PACE), counting.seconds());
    }
}

#[test]
fn a_comparison_takes_what_was_predicted() {
    for updates in [120, 600] {
        let counting = Counting::default();
        let (_, info) = Pace::measure(&counting.inner, 0).unwrap();
        let plan = Plan::new(updates);
        let begin = Begin {
            pace: PACE,
            info: info.clone(),
            undeclared: false,
            title: String::new(),
        };
        let settings = Settings {
            jobs: 1,
            begin: Some(begin),
            ..Settings::default()
        };
        let watch = Watch {
            observer: &mut |_| {},
            interrupt: &Interrupt::new(),
        };
        let folder = tempfile::tempdir().unwrap();
        compare(&counting, &plan, folder.path(), &settings, watch).unwrap();
        let taken = counting.seconds();
        assert_near(plan.predicted_seconds(&PACE, &info, 1).unwrap(), taken);
        assert!(taken <= plan.longest_seconds(&PACE, &info, 1).unwrap());
        let [none, one] = [0, 1].map(|jobs| plan.predicted_seconds(&PACE, &info, jobs).unwrap());
        assert_eq!(none, one, "0 jobs count as 1");
    }
}
