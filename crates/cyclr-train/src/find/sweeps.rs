//! The paper's range test: sweeps alone, and what is read from them.

use std::path::Path;

use cyclr::range::{Rule, SweepReading, read_bounds};
use cyclr::trainer::{Known, TrainerFactory, TrainerInfo};

use super::refuse::{check_obeyed, check_seed};
use super::{Curve, CurvePoint, FindEvent, Measure, Ramp, sweep};
use crate::obeyed::Beginning;
use crate::parallel::all_side_by_side;
use crate::store::write_atomically;
use crate::{Error, Watch};

/// A learning-rate range test as in the paper (Smith, arXiv 1506.01186, section 3.3): one sweep,
/// which is repeated with other weights and another order of the data.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepTest {
    /// The seed of the first repeat; the others have those that follow.
    pub seed: u64,
    /// How often the sweep is made, at least 1. From given weights only the order of the data
    /// varies.
    pub repeats: u32,
    /// The most repeats that run at the same time.
    pub threads: usize,
    /// The sweep.
    pub ramp: Ramp,
    /// What is measured.
    pub measure: Measure,
    /// The weight decay, if it is not the trainer's own.
    pub weight_decay: Option<f64>,
}

impl SweepTest {
    /// Three repeats on two threads from seed 0, measured on training batches.
    pub fn new(ramp: Ramp) -> Self {
        Self {
            seed: 0,
            repeats: 3,
            threads: 2,
            ramp,
            measure: Measure::Training,
            weight_decay: None,
        }
    }

    /// The updates that it costs at most.
    pub fn cost(&self) -> u64 {
        self.ramp.updates() * u64::from(self.repeats)
    }

    /// Refuses a test that could not be made of what has these facts, before any of it is.
    ///
    /// # Errors
    /// [`Error::BadSweep`] if there are no repeats, or no seeds for them; [`Error::Undecidable`] if the validation split
    /// is to be measured and there is none; [`Error::NotObeyed`] if the trainer does not obey
    /// weight decay.
    pub fn check(&self, info: &TrainerInfo) -> Result<(), Error> {
        sweep::check_measure(info, self.measure)?;
        check_obeyed(self.weight_decay, info)?;
        check_seed(self.seed, u64::from(self.repeats))?;
        if self.repeats == 0 {
            return Err(Error::BadSweep {
                reason: "it has no repeats: give at least 1".into(),
            });
        }
        Ok(())
    }
}

/// What sweeps measured, and what is read from them. No probe confirmed it.
#[derive(Clone, Debug)]
pub struct Swept {
    /// The curve of each repeat.
    pub curves: Vec<Curve>,
    /// What they say.
    pub reading: SweepReading,
}

/// Makes the sweeps of a test with runs of their own, and reads them.
///
/// # Errors
/// Those of [`SweepTest::check`]; [`Error::Trainer`] and [`Error::Interrupted`].
pub fn sweep_test(
    factory: &dyn TrainerFactory,
    test: &SweepTest,
    watch: Watch<FindEvent>,
) -> Result<Swept, Error> {
    test.check(&factory.info()?)?;
    let Watch {
        observer: observe,
        interrupt,
    } = watch;
    observe(&FindEvent::SweepBegan {
        ramp: test.ramp,
        repeats: test.repeats,
    });
    let mut observer = |repeat: usize, &point: &CurvePoint| {
        observe(&FindEvent::Measured {
            repeat: repeat as u32,
            point,
        });
    };
    let repeats = test.repeats as usize;
    let curves = all_side_by_side(test.threads, repeats, &mut observer, |repeat, emit| {
        let known = Known {
            updates: Some(test.ramp.updates()),
            folder: None,
        };
        let mut net = factory.start_known(test.seed + repeat as u64, known)?;
        let mut observer = |point: &CurvePoint| emit(*point);
        let mut watch = Watch {
            observer: &mut observer,
            interrupt,
        };
        let (ramp, decay) = (&test.ramp, test.weight_decay);
        let mut curve = sweep::sweep(&mut *net, ramp, decay, test.measure, &mut watch)?;
        net.end()?;
        curve.printed = net.output();
        Ok::<_, Error>(curve)
    })?;
    check_repeats(test, &curves)?;
    Swept::of(curves)
}

/// Refuses repeats that are one and the same sweep.
fn check_repeats(test: &SweepTest, curves: &[Curve]) -> Result<(), Error> {
    if test.measure != Measure::Training {
        // Held-out data at the lowest rates may be alike for all seeds that start from given
        // weights.
        return Ok(());
    }
    let mut known: Vec<Beginning> = Vec::new();
    for (repeat, curve) in curves.iter().enumerate() {
        // A point without a loss has nothing to compare.
        let points = curve.points.iter();
        let points = points.filter_map(|point| Some((point.lr, point.loss?)));
        let (rates, losses) = points.take(Beginning::LENGTH).unzip();
        let beginning = Beginning {
            seed: test.seed + repeat as u64,
            rates,
            losses,
        };
        for other in &known {
            beginning.check_against(other)?;
        }
        known.push(beginning);
    }
    Ok(())
}

impl Swept {
    /// What the repeats of a sweep say.
    pub(crate) fn of(curves: Vec<Curve>) -> Result<Self, Error> {
        let sweeps: Result<Vec<_>, _> = curves.iter().map(Curve::sweep).collect();
        let sweeps = sweeps.map_err(|error| Error::BadSweep {
            reason: error.to_string(),
        })?;
        let reading = read_bounds(&sweeps, &Rule::default());
        Ok(Self { curves, reading })
    }

    /// Writes every curve into a folder, which is made if need be: `sweep-0.csv` is the first
    /// repeat, and `sweep-0.log` what its trainer printed, where it did. `prefix` stands before
    /// each name. `cyclr find --from` reads the curves again.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn keep(&self, folder: &Path, prefix: &str) -> Result<(), Error> {
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        for (n, curve) in self.curves.iter().enumerate() {
            let csv = folder.join(format!("{prefix}sweep-{n}.csv"));
            write_atomically(&csv, curve.to_csv().as_bytes())?;
            if !curve.printed.is_empty() {
                write_atomically(&csv.with_extension("log"), &curve.printed)?;
            }
        }
        Ok(())
    }
}
