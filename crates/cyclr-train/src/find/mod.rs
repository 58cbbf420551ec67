//! The learning-rate range test: which bounds suit a cyclical policy.
//!
//! [`range_test`] makes one exponential sweep, which shows where the loss is least while the rate
//! rises, and then probes: short trainings around that rate, each with a peak of its own. `max_lr`
//! is the centre of the peaks that end nearly as well as the best; `base_lr` a fixed fraction of
//! it. [`sweep_test`] makes sweeps alone and reads them as the paper does (Smith, arXiv
//! 1506.01186, section 3.3).
//!
//! ```
//! use cyclr_train::{Interrupt, Watch, noisy_quadratic::NoisyQuadratic, find::{RangeTest, range_test}};
//!
//! let test = RangeTest { updates: 300, ..RangeTest::default() };
//! let watch = Watch { observer: &mut |_event| {}, interrupt: &Interrupt::new() };
//! let found = range_test(&NoisyQuadratic::default(), &test, watch)?;
//! let bounds = found.answer.expect("the noisy quadratic is easy to learn");
//! // Curvature 1 and momentum 0.9: nothing above 2·(1 + 0.9) = 3.8 is stable.
//! assert!(bounds.base_lr.value < bounds.max_lr.value && bounds.max_lr.value < 3.8);
//! # Ok::<(), cyclr_train::Error>(())
//! ```

use std::fmt::Write as _;
use std::path::Path;

use cyclr::range::{
    Allowance, Bounds, NoAnswer, Probe, ProbeReading, ProbeResult, Start, find_max_lr,
};
use cyclr::trainer::{TrainerFactory, TrainerInfo};

use crate::parallel::all_side_by_side;
use crate::run::refuse_for_whole_runs;
use crate::store::write_atomically;
use crate::{Error, Pace, Watch};

mod answer;
mod curve;
mod kept;
mod probe;
mod ramp;
mod recorded;
mod refuse;
mod runs;
mod sweep;
mod sweeps;

pub use answer::{
    AnswerRecord, ReadFrom, describe as describe_intervals, describe_basis, what_to_try,
};
pub use curve::{Curve, CurveError, CurvePoint, Diverged};
pub(crate) use kept::Kept;
pub use probe::train_probe;
use probe::{check_probes, train_probe_and_first};
pub use ramp::{Ramp, Shape};
pub use recorded::{Recorded, RecordedError, Smoothed, copies, read_recorded};
use refuse::{check_obeyed, check_seed};
use runs::Runs;
pub use sweep::{Measure, range_test_in_place};
pub use sweeps::{SweepTest, Swept, sweep_test};

/// The share of a budget that range tests may cost unless more is asked for.
pub const FRACTION: f64 = 0.1;

/// A range test.
#[derive(Clone, Debug, PartialEq)]
pub struct RangeTest {
    /// The seed of the sweep and of the first probes.
    pub seed: u64,
    /// The most probes that run at the same time; 0 counts as 1. The answer does not depend on
    /// it.
    pub threads: usize,
    /// The updates of sweep and probes together, at least 100. [`RangeTest::longer`] are added if
    /// the probes learn too little.
    pub updates: u64,
    /// The weight decay, if it is not the trainer's own.
    pub weight_decay: Option<f64>,
}

impl Default for RangeTest {
    /// Seed 0, 2 threads, 1,000 updates.
    fn default() -> Self {
        Self {
            seed: 0,
            threads: 2,
            updates: 1000,
            weight_decay: None,
        }
    }
}

impl RangeTest {
    /// The test for a training of `budget` updates: it costs `fraction` of them, but no less than
    /// a readable test needs.
    pub fn for_budget(budget: u64, fraction: f64, info: &TrainerInfo) -> Self {
        Self {
            updates: Allowance::new(budget, fraction, info).updates,
            ..Self::default()
        }
    }

    /// The updates that are added if the probes learn too little to distinguish rates.
    pub fn longer(&self, info: &TrainerInfo) -> u64 {
        Allowance::of(self.updates, info).longer()
    }

    /// The seconds that it usually takes: a sweep, and groups of probes side by side, at `pace`. If a
    /// run can go back to its beginning, one is started for each seed and not for each probe.
    pub fn seconds(&self, info: &TrainerInfo, pace: &Pace) -> f64 {
        let allowance = Allowance::of(self.updates, info);
        let groups = allowance.groups();
        let rounds: u64 = groups
            .iter()
            .map(|n| n.div_ceil(self.threads.max(1) as u64))
            .sum();
        // The first two groups are of one seed.
        let seeds = groups.len() as u64 - 1;
        let starts = if info.snapshots { seeds } else { rounds };
        pace.seconds_of_run(allowance.sweep, 0)
            + starts as f64 * pace.seconds_per_start
            + (rounds * allowance.probe) as f64 * pace.seconds_per_update
    }

    /// Refuses a test that a trainer with this info cannot make, before it starts.
    ///
    /// # Errors
    /// [`Error::BadSweep`] if there are too few updates, or no seeds after its own; [`Error::NotObeyed`] if the trainer does
    /// not obey weight decay.
    pub fn check(&self, info: &TrainerInfo) -> Result<(), Error> {
        refuse_for_whole_runs(
            info,
            "a range test",
            "give `compare` the bounds (--bounds LO..HI, --from FILE) or whole specs, and `train` a --policy",
        )?;
        check_obeyed(self.weight_decay, info)?;
        check_seed(self.seed, Allowance::MOST_SEEDS)?;
        if self.updates < Allowance::FEWEST_UPDATES {
            return Err(Error::BadSweep {
                reason: format!(
                    "{} updates are too few for a sweep and probes: give at least {}",
                    self.updates,
                    Allowance::FEWEST_UPDATES
                ),
            });
        }
        Ok(())
    }
}

/// What happens during a range test.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum FindEvent {
    /// The repeats of a sweep begin.
    SweepBegan {
        /// The sweep.
        ramp: Ramp,
        /// The repeats.
        repeats: u32,
    },
    /// Some updates of a sweep were made.
    Measured {
        /// The repeat, counted from 0.
        repeat: u32,
        /// The last update, counted from 0, and what was measured there.
        point: CurvePoint,
    },
    /// Some updates of a probe were made.
    Probing {
        /// The probe.
        probe: Probe,
        /// Its updates so far.
        updates_done: u64,
    },
    /// A probe ended.
    Probed(ProbeResult),
}

/// What a range test found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The test that was made.
    pub test: RangeTest,
    /// The bounds, or why there is no reliable answer.
    pub answer: Result<Bounds, NoAnswer>,
    /// The probes, in the order in which they were made.
    pub probes: Vec<ProbeResult>,
    /// The sweep before them, and what the paper's rule reads from it by itself.
    pub sweep: Swept,
    /// Whether all runs start from the same given weights, so that they differ in the order of the
    /// data only.
    pub given_weights: bool,
}

impl Found {
    /// The updates that were made.
    pub fn updates(&self) -> u64 {
        let swept = self.sweep.curves.iter().map(|c| c.points.len() as u64);
        let probed = self.probes.iter().map(|probe| probe.made);
        swept.chain(probed).sum()
    }

    /// Writes the sweep and the probes into a folder, which is made if need be: `sweep-0.csv`, and
    /// `probes.csv` with the columns `lr,updates,repeat,loss,figure,made` (loss and figure are
    /// empty if the training diverged). Where a weight decay was tried it stands before the name,
    /// as in `wd0.001-sweep-0.csv`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn keep(&self, folder: &Path) -> Result<(), Error> {
        let decay = self.test.weight_decay;
        let prefix = decay.map_or_else(String::new, |wd| format!("wd{wd}-"));
        self.sweep.keep(folder, &prefix)?;
        let mut csv = String::from("lr,updates,repeat,loss,figure,made\n");
        let cell = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
        for result in &self.probes {
            let (loss, figure) = (cell(result.loss), cell(result.figure));
            let Probe {
                lr,
                updates,
                repeat,
            } = result.probe;
            let made = result.made;
            let _ = writeln!(csv, "{lr},{updates},{repeat},{loss},{figure},{made}");
        }
        write_atomically(&folder.join(format!("{prefix}probes.csv")), csv.as_bytes())
    }
}

/// Makes a range test with runs of its own, so that it leaves no trace in any other.
///
/// # Errors
/// Those of [`RangeTest::check`]; [`Error::SeedNotObeyed`] and [`Error::RateNotObeyed`] if the
/// sweeps show it; [`Error::Trainer`] and [`Error::Interrupted`].
pub fn range_test(
    factory: &dyn TrainerFactory,
    test: &RangeTest,
    watch: Watch<FindEvent>,
) -> Result<Found, Error> {
    range_test_keeping(factory, test, &Kept::default(), watch)
}

/// Makes what is not finished yet of a range test.
pub(crate) fn range_test_keeping(
    factory: &dyn TrainerFactory,
    test: &RangeTest,
    kept: &Kept,
    mut watch: Watch<FindEvent>,
) -> Result<Found, Error> {
    let sweep = if let Some(sweep) = kept.sweep()? {
        sweep
    } else {
        let sweep = sweep_first(factory, test, watch.reborrow())?;
        kept.keep_sweep(&sweep)?;
        sweep
    };
    probe_from(factory, test, sweep, kept, watch)
}

/// The sweep of a range test, which comes first.
fn sweep_first(
    factory: &dyn TrainerFactory,
    test: &RangeTest,
    watch: Watch<FindEvent>,
) -> Result<Swept, Error> {
    let info = factory.info()?;
    test.check(&info)?;
    let allowance = Allowance::of(test.updates, &info);
    sweep_test(
        factory,
        &SweepTest {
            seed: test.seed,
            repeats: 1,
            threads: 1,
            weight_decay: test.weight_decay,
            ..SweepTest::new(scale_ramp(allowance.sweep)?)
        },
        watch,
    )
}

/// The probes of a range test, from its sweep.
fn probe_from(
    factory: &dyn TrainerFactory,
    test: &RangeTest,
    sweep: Swept,
    kept: &Kept,
    mut watch: Watch<FindEvent>,
) -> Result<Found, Error> {
    let info = factory.info()?;
    let allowance = Allowance::of(test.updates, &info);
    let made = sweep.curves[0].points.len() as u64;
    let points = sweep.curves[0].sweep().map_err(|error| Error::BadSweep {
        reason: error.to_string(),
    })?;
    let start = Start::of(&points, info.given_weights);
    let runs = Runs::new(factory);
    let mut train = |probes: &[Probe]| train_probes(&runs, test, probes, kept, watch.reborrow());
    let reading = match start {
        Ok(start) => find_max_lr(start, &allowance, test.updates - made, &mut train)?,
        Err(reason) => ProbeReading {
            answer: Err(reason),
            probes: Vec::new(),
        },
    };
    runs.end()?;
    if !learnt_nothing(&reading) {
        check_probes(test.seed, &reading.probes)?;
    }
    Ok(Found {
        test: test.clone(),
        answer: reading.answer,
        probes: reading.probes,
        sweep,
        given_weights: info.given_weights,
    })
}

/// The sweep over all rates that nets are trained with.
///
/// # Errors
/// [`Error::BadSweep`] if the updates are too few.
pub fn scale_ramp(updates: u64) -> Result<Ramp, Error> {
    Ramp::new(Shape::Exponential, 1e-7, 10.0, updates)
}

/// Trains those of the probes that are not finished yet, side by side.
fn train_probes(
    runs: &Runs<'_>,
    test: &RangeTest,
    probes: &[Probe],
    kept: &Kept,
    watch: Watch<FindEvent>,
) -> Result<Vec<ProbeResult>, Error> {
    let Watch {
        observer: observe,
        interrupt,
    } = watch;
    let mut observer = |_: usize, event: &FindEvent| observe(event);
    all_side_by_side(test.threads, probes.len(), &mut observer, |n, emit| {
        let probe = probes[n];
        if let Some(result) = kept.probe(probe) {
            emit(FindEvent::Probed(result));
            return Ok(result);
        }
        let mut observer = |&updates_done: &u64| {
            emit(FindEvent::Probing {
                probe,
                updates_done,
            });
        };
        let mut watch = Watch {
            observer: &mut observer,
            interrupt,
        };
        let result = loop {
            let mut run = runs.begin(test.seed + probe.repeat, probe.updates)?;
            let net = &mut *run.trainer;
            let (result, first) = train_probe_and_first(net, probe, test.weight_decay, &mut watch)?;
            if runs.began_as_before(&run, first.as_ref()) {
                runs.over(run, first)?;
                break result;
            }
        };
        kept.keep_probe(result)?;
        emit(FindEvent::Probed(result));
        Ok(result)
    })
}

/// Whether the probes did not learn: then their losses may well be the same.
fn learnt_nothing(reading: &ProbeReading) -> bool {
    matches!(
        reading.answer,
        Err(NoAnswer::HardlyLearns { .. }
            | NoAnswer::NoBetterThanUntrained { .. }
            | NoAnswer::NothingLearnt { .. }
            | NoAnswer::Constant { .. })
    )
}
