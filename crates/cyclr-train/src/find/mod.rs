//! The learning-rate range test: train while the rate rises, and read the bounds of a cyclical policy from what happens.
//!
//! By default a short exponential sweep over eight decades finds the scale, and a linear one, as in the paper (Smith,
//! arXiv 1506.01186, section 3.3), reads the bounds. Each is repeated with other weights and another order of the data,
//! side by side.
//!
//! ```
//! use cyclr_train::{Interrupt, Watch, noisy_quadratic::NoisyQuadratic, find::{RangeTest, range_test}};
//!
//! let test = RangeTest { updates: 1500, ..RangeTest::default() };
//! let watch = Watch { observer: &mut |_event| {}, interrupt: &Interrupt::new() };
//! let found = range_test(&NoisyQuadratic::default(), &test, watch)?;
//! let bounds = found.answer().expect("the noisy_quadratic is easy to read");
//! // Curvature 1 and momentum 0.9: nothing above 2·(1 + 0.9) = 3.8 is stable.
//! assert!(bounds.base_lr.value < bounds.max_lr.value && bounds.max_lr.value < 3.8);
//! # Ok::<(), cyclr_train::Error>(())
//! ```

use std::path::Path;

use cyclr::range::{Bounds, Estimate, NoAnswer, Rule, SweepReading, read_bounds};
use cyclr::trainer::{Known, TrainerFactory, TrainerInfo};

use crate::obeyed::Beginning;
use crate::parallel::all_side_by_side;
use crate::store::write_atomically;
use crate::{Error, Watch};

mod answer;
mod curve;
mod ramp;
mod recorded;
mod sweep;

pub use answer::{AnswerRecord, describe as describe_intervals, describe_interval};
pub use curve::{Curve, CurveError, CurvePoint, Diverged};
pub use ramp::{Ramp, Shape};
pub use recorded::{Recorded, RecordedError, Smoothed, copies, read_recorded};
pub use sweep::{Measure, range_test_in_place};

/// The share of a budget that range tests may cost unless more is asked for.
pub const FRACTION: f64 = 0.1;

/// A range test, with its repeats.
#[derive(Clone, Debug, PartialEq)]
pub struct RangeTest {
    /// The seed of the first repeat; the others have those that follow.
    pub seed: u64,
    /// How often each sweep is made, at least 1. From given weights only the order of the data varies.
    pub repeats: u32,
    /// At most so many repeats run at the same time.
    pub threads: usize,
    /// The updates of all sweeps together.
    pub updates: u64,
    /// The sweep, where it is not to be found out. Its updates are those of one repeat, and `updates` is not used.
    pub ramp: Option<Ramp>,
    /// What is measured.
    pub measure: Measure,
    /// The constants of the reading.
    pub rule: Rule,
}

impl Default for RangeTest {
    /// Seed 0, 3 repeats on 2 threads, 3,000 updates, measured on training batches.
    fn default() -> Self {
        Self {
            seed: 0,
            repeats: 3,
            threads: 2,
            updates: 3000,
            ramp: None,
            measure: Measure::Training,
            rule: Rule::default(),
        }
    }
}

impl RangeTest {
    /// The updates that the test costs at most, all sweeps together.
    pub fn cost(&self) -> u64 {
        let repeats = u64::from(self.repeats);
        match self.ramp {
            Some(ramp) => ramp.updates() * repeats,
            None => self.updates / repeats.max(1) * repeats,
        }
    }

    /// Refuses a test that could not be made of what has these facts, before any of it is.
    ///
    /// # Errors
    /// [`Error::BadSweep`] where there are no repeats, or too few updates for their sweeps; [`Error::Undecidable`] where the
    /// validation split is to be measured and there is none.
    pub fn check(&self, info: &TrainerInfo) -> Result<(), Error> {
        sweep::check_measure(info, self.measure)?;
        if self.repeats == 0 {
            return Err(Error::BadSweep {
                reason: "it has no repeats: give at least 1".into(),
            });
        }
        let needed = 2 * ramp::FEWEST * u64::from(self.repeats);
        if self.ramp.is_none() && self.updates < needed {
            return Err(Error::BadSweep {
                reason: format!(
                    "it has {} updates for {} repeats, which need {needed}: give a larger budget, or fewer repeats",
                    self.updates, self.repeats
                ),
            });
        }
        Ok(())
    }

    /// The exponential sweep that finds the scale: half of a repeat's updates, at most 200.
    fn scale_ramp(&self) -> Result<Ramp, Error> {
        let each = self.updates / u64::from(self.repeats);
        Ramp::new(Shape::Exponential, 1e-7, 10.0, (each / 2).min(200))
    }
}

/// What happens during a range test.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum FindEvent {
    /// The repeats of a sweep begin.
    Began {
        /// The sweep.
        ramp: Ramp,
        /// The repeats.
        repeats: u32,
        /// The weight decay that is tried, where one is.
        weight_decay: Option<f64>,
    },
    /// Some updates were made.
    Measured {
        /// The repeat, counted from 0.
        repeat: u32,
        /// The last update, counted from 0, and what was measured there.
        point: CurvePoint,
    },
}

/// What a range test found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The weight decay that was tried, where one was.
    pub weight_decay: Option<f64>,
    /// The curve of each repeat of the exponential sweep that found the scale, and what they say; `None` where the sweep
    /// was given, or its scale found with another weight decay.
    pub scale: Option<(Vec<Curve>, SweepReading)>,
    /// The curve of each repeat of the sweep that the bounds should come from.
    pub curves: Vec<Curve>,
    /// What they say.
    pub reading: SweepReading,
    /// Whether the repeats start from the same given weights, so that they differ in the order of the data only.
    pub given_weights: bool,
}

impl Found {
    /// The curves that `max_lr` is read from, and what they say: those of the linear sweep, or, where more repeats of the
    /// exponential one before it could be read, of that one.
    pub fn read(&self) -> (&[Curve], &SweepReading) {
        match self.answering_scale() {
            Some((curves, reading)) => (curves, reading),
            None => (&self.curves, &self.reading),
        }
    }

    fn answering_scale(&self) -> Option<&(Vec<Curve>, SweepReading)> {
        let readable =
            |reading: &SweepReading| reading.answer.map_or(0, |b| b.max_lr.interval.read());
        let more = |(_, scale): &&(_, SweepReading)| readable(scale) > readable(&self.reading);
        self.scale.as_ref().filter(more)
    }

    /// The bounds, or why there is no reliable answer. Each is read from the sweep of which more repeats show it, the linear
    /// one at a tie. For `base_lr` too that one is better: of a net that learns in two stages an exponential sweep
    /// shows now the first, now the second.
    ///
    /// # Errors
    /// [`NoAnswer`], with what to try.
    pub fn answer(&self) -> Result<Bounds, NoAnswer> {
        let bounds = self.read().1.answer?;
        Ok(match self.linear_base() {
            Some(base_lr) => Bounds { base_lr, ..bounds },
            None => bounds,
        })
    }

    /// The linear sweep's `base_lr`, where `max_lr` is read from the exponential one.
    pub fn linear_base(&self) -> Option<Estimate> {
        let bounds = self.answering_scale()?.1.answer.ok()?;
        let base_lr = self.reading.base_lr?;
        let repeats = |estimate: Estimate| estimate.interval.read();
        (repeats(base_lr) >= repeats(bounds.base_lr) && base_lr.value < bounds.max_lr.value)
            .then(|| base_lr.capped(bounds.max_lr.value))
    }

    /// Writes every curve into a folder, which is made if need be, one CSV each: `sweep-0.csv` is the first repeat of the sweep
    /// that is read, `scale-0.csv` that of the one that found the scale. Where a weight decay was tried it stands in the
    /// name, as in `sweep-wd0.001-0.csv`. `cyclr find --from` reads them again. What a trainer printed stands beside its
    /// curve, as in `sweep-0.log`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn keep(&self, folder: &Path) -> Result<(), Error> {
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let decay = self
            .weight_decay
            .map_or_else(String::new, |wd| format!("-wd{wd}"));
        let scale = self.scale.iter().flat_map(|(curves, _)| curves);
        let scale = scale.enumerate().map(|(n, c)| (format!("scale-{n}"), c));
        let swept = self.curves.iter().enumerate();
        let swept = swept.map(|(n, c)| (format!("sweep{decay}-{n}"), c));
        for (name, curve) in scale.chain(swept) {
            let csv = folder.join(format!("{name}.csv"));
            write_atomically(&csv, curve.to_csv().as_bytes())?;
            if !curve.printed.is_empty() {
                write_atomically(&folder.join(format!("{name}.log")), &curve.printed)?;
            }
        }
        Ok(())
    }
}

/// Makes a range test with runs of its own, so that it leaves no trace in any other.
///
/// # Errors
/// Those of [`RangeTest::check`]; [`Error::SeedNotObeyed`] and [`Error::RateNotObeyed`] where the sweeps show it;
/// [`Error::Trainer`] and [`Error::Interrupted`].
pub fn range_test(
    factory: &dyn TrainerFactory,
    test: &RangeTest,
    watch: Watch<FindEvent>,
) -> Result<Found, Error> {
    let found = test_each(factory, test, &[None], watch)?;
    Ok(found
        .into_iter()
        .next()
        .expect("one finding for each weight decay"))
}

/// Makes the same sweeps at each of several weight decays (Smith, arXiv 1803.09820, section 4.4). The scale is found with
/// the first of them. `updates` of the test are those of each weight decay.
///
/// # Errors
/// As [`range_test`], and [`Error::NotObeyed`] where the trainer does not obey weight decay.
pub fn range_test_over_weight_decay(
    factory: &dyn TrainerFactory,
    test: &RangeTest,
    weight_decays: &[f64],
    watch: Watch<FindEvent>,
) -> Result<Vec<Found>, Error> {
    if !factory.info()?.weight_decay {
        return Err(Error::NotObeyed {
            what: "weight decay",
        });
    }
    let weight_decays: Vec<_> = weight_decays.iter().copied().map(Some).collect();
    test_each(factory, test, &weight_decays, watch)
}

fn test_each(
    factory: &dyn TrainerFactory,
    test: &RangeTest,
    weight_decays: &[Option<f64>],
    mut watch: Watch<FindEvent>,
) -> Result<Vec<Found>, Error> {
    let info = factory.info()?;
    test.check(&info)?;
    let given_weights = info.given_weights;
    let mut known = Vec::new();
    let mut repeat = |ramp: Ramp, weight_decay| {
        let curves = sweeps(factory, test, ramp, weight_decay, &mut watch)?;
        check_obeyed(test, &curves, &mut known)?;
        Ok::<_, Error>(curves)
    };
    let first = weight_decays.first().copied().flatten();
    let (scale, ramp) = if let Some(ramp) = test.ramp {
        (None, ramp)
    } else {
        let (curves, reading) = read(repeat(test.scale_ramp()?, first)?, &test.rule)?;
        let ramp = linear_ramp(test, &curves, &reading)?;
        (Some((curves, reading)), ramp)
    };
    let find = |(n, &weight_decay): (usize, &Option<f64>)| {
        let (curves, reading) = read(repeat(ramp, weight_decay)?, &test.rule)?;
        Ok(Found {
            weight_decay,
            scale: scale.clone().filter(|_| n == 0),
            curves,
            reading,
            given_weights,
        })
    };
    weight_decays.iter().enumerate().map(find).collect()
}

/// All repeats of one sweep.
fn sweeps(
    factory: &dyn TrainerFactory,
    test: &RangeTest,
    ramp: Ramp,
    weight_decay: Option<f64>,
    watch: &mut Watch<FindEvent>,
) -> Result<Vec<Curve>, Error> {
    let interrupt = watch.interrupt;
    (watch.observer)(&FindEvent::Began {
        ramp,
        repeats: test.repeats,
        weight_decay,
    });
    let mut observer = |repeat: usize, &point: &CurvePoint| {
        (watch.observer)(&FindEvent::Measured {
            repeat: repeat as u32,
            point,
        });
    };
    all_side_by_side(
        test.threads,
        test.repeats as usize,
        &mut observer,
        |repeat, emit| {
            let known = Known {
                updates: Some(ramp.updates()),
                folder: None,
            };
            let mut net = factory.start_known(test.seed + repeat as u64, known)?;
            let mut observer = |point: &CurvePoint| emit(*point);
            let mut watch = Watch {
                observer: &mut observer,
                interrupt,
            };
            let mut curve = sweep::sweep(&mut *net, &ramp, weight_decay, test.measure, &mut watch)?;
            net.end()?;
            curve.printed = net.output();
            Ok(curve)
        },
    )
}

/// Refuses repeats that are one and the same sweep, and sweeps on which the rate had no effect.
fn check_obeyed(
    test: &RangeTest,
    curves: &[Curve],
    known: &mut Vec<Beginning>,
) -> Result<(), Error> {
    if test.measure != Measure::Training {
        // Held-out data at the first, lowest rates may be alike for all seeds that start from given weights.
        return Ok(());
    }
    for (repeat, curve) in curves.iter().enumerate() {
        let points = curve
            .points
            .iter()
            .filter_map(|point| Some((point.lr, point.loss?)));
        let (rates, losses) = points.take(Beginning::LENGTH).unzip();
        let seed = test.seed + repeat as u64;
        let beginning = Beginning {
            seed,
            rates,
            losses,
        };
        known
            .iter()
            .try_for_each(|other| beginning.check_against(other))?;
        known.push(beginning);
    }
    Ok(())
}

fn read(curves: Vec<Curve>, rule: &Rule) -> Result<(Vec<Curve>, SweepReading), Error> {
    let sweeps: Result<Vec<_>, _> = curves.iter().map(Curve::sweep).collect();
    let sweeps = sweeps.map_err(|error| Error::BadSweep {
        reason: error.to_string(),
    })?;
    let reading = read_bounds(&sweeps, rule);
    Ok((curves, reading))
}

/// The linear sweep after the exponential one: up to four times its `max_lr`, where that could be read, and hardly above
/// the rate at which a repeat was given up.
fn linear_ramp(test: &RangeTest, curves: &[Curve], scale: &SweepReading) -> Result<Ramp, Error> {
    /// A slower sweep stands a little more than a fast one.
    const ABOVE_END: f64 = 1.5;
    let ends = curves
        .iter()
        .filter_map(|curve| Some(curve.points.last()?.lr));
    let end = ABOVE_END * ends.fold(f64::INFINITY, f64::min);
    let to = match scale.answer {
        Ok(Bounds { max_lr, .. }) => end.min(4.0 * max_lr.value),
        Err(NoAnswer::RepeatsDisagree { highest, .. }) => end.min(4.0 * highest),
        Err(_) => end,
    };
    let each = test.updates / u64::from(test.repeats);
    Ramp::new(Shape::Linear, 0.0, to, each - test.scale_ramp()?.updates())
}
