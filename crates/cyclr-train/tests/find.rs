//! Range tests of the noisy quadratic: what they read, what they leave behind, and how they
//! refuse to answer.
#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use cyclr::Hyper;
use cyclr::range::{Allowance, NoAnswer};
use cyclr::trainer::{
    Direction, Evaluation, Metric, Metrics, Objective, Split, Trainer, TrainerError,
    TrainerFactory, TrainerInfo,
};
use cyclr_train::find::{
    AnswerRecord, Curve, CurveError, CurvePoint, FindEvent, Found, Measure, Ramp, RangeTest, Shape,
    SweepTest, Swept, range_test, range_test_in_place, sweep_test,
};
use cyclr_train::noisy_quadratic::NoisyQuadratic;
use cyclr_train::{Error, Interrupt, Watch};

/// A run that goes wrong at an update: it panics, fails, gives NaN, or somebody interrupts.
struct Spoilt<'a> {
    net: Box<dyn Trainer + 'a>,
    at: u64,
    how: How,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum How {
    Panic,
    Fail,
    Nan,
    Interrupt,
    Never,
}

impl Trainer for Spoilt<'_> {
    fn info(&self) -> &TrainerInfo {
        self.net.info()
    }

    fn update(&mut self, hyper: Hyper) -> Result<Metrics, TrainerError> {
        self.at = self.at.wrapping_sub(1);
        let metrics = self.net.update(hyper)?;
        match self.how {
            How::Panic if self.at == 0 => panic!("spoilt"),
            How::Fail if self.at == 0 => Err(TrainerError::Failed {
                reason: "spoilt".into(),
            }),
            How::Nan if self.at == 0 => Ok(Metrics::new([Metric::loss(f64::NAN, 1)])),
            _ => Ok(metrics),
        }
    }

    fn evaluate(&mut self, split: Split) -> Result<Evaluation, TrainerError> {
        self.net.evaluate(split)
    }

    fn state(&mut self) -> Result<Vec<u8>, TrainerError> {
        self.net.state()
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), TrainerError> {
        self.net.restore(state)
    }
}

fn train(net: &mut dyn Trainer, updates: u64) -> Vec<Metrics> {
    (0..updates)
        .map(|_| net.update(Hyper::lr(0.05)).unwrap())
        .collect()
}

fn ramp() -> Ramp {
    Ramp::new(Shape::Exponential, 1e-6, 1e6, 120).unwrap()
}

#[test]
fn a_test_in_mid_training_leaves_no_trace_whatever_happens() {
    let noisy_quadratic = NoisyQuadratic::default();
    for how in [How::Never, How::Nan, How::Fail, How::Interrupt, How::Panic] {
        for measure in [Measure::Training, Measure::Validation { points: 20 }] {
            let mut straight = noisy_quadratic.start(5).unwrap();
            let net = noisy_quadratic.start(5).unwrap();
            let mut tested = Spoilt {
                net,
                at: 137 + 50,
                how,
            };
            assert_eq!(train(&mut *straight, 137), train(&mut tested, 137));

            let interrupt = Interrupt::new();
            let mut observer = |point: &CurvePoint| {
                if how == How::Interrupt && point.update >= 40 {
                    interrupt.request();
                }
            };
            let watch = Watch {
                observer: &mut observer,
                interrupt: &interrupt,
            };
            let result = catch_unwind(AssertUnwindSafe(|| {
                range_test_in_place(&mut tested, &ramp(), measure, watch)
            }));
            match (how, &result) {
                (How::Panic, Err(_))
                | (How::Fail, Ok(Err(Error::Trainer(_))))
                | (How::Interrupt, Ok(Err(Error::Interrupted { .. }))) => {}
                (How::Never | How::Nan, Ok(Ok(curve))) => assert!(curve.diverged.is_some()),
                _ => panic!("{how:?}: {result:?}"),
            }

            assert_eq!(train(&mut *straight, 60), train(&mut tested, 60), "{how:?}");
            assert_eq!(
                straight.state().unwrap(),
                tested.state().unwrap(),
                "{how:?}"
            );
        }
    }
}

fn found(factory: &dyn TrainerFactory, test: &RangeTest) -> Result<Found, Error> {
    let watch = Watch {
        observer: &mut |_: &FindEvent| {},
        interrupt: &Interrupt::new(),
    };
    range_test(factory, test, watch)
}

fn swept(factory: &dyn TrainerFactory, test: &SweepTest) -> Result<Swept, Error> {
    let watch = Watch {
        observer: &mut |_: &FindEvent| {},
        interrupt: &Interrupt::new(),
    };
    sweep_test(factory, test, watch)
}

fn linear(to: f64, updates: u64) -> SweepTest {
    SweepTest::new(Ramp::new(Shape::Linear, 0.0, to, updates).unwrap())
}

#[test]
fn bounds_lie_where_the_quadratic_learns_and_is_stable() {
    for (curvature, momentum) in [(1.0, 0.0), (1.0, 0.9), (100.0, 0.0)] {
        let noisy_quadratic = NoisyQuadratic {
            curvature,
            momentum,
            ..NoisyQuadratic::default()
        };
        let found = found(&noisy_quadratic, &RangeTest::default()).unwrap();
        let bounds = found.answer.unwrap();
        let edge = 2.0 * (1.0 + momentum) / curvature;
        let (base, max) = (bounds.base_lr, bounds.max_lr);
        assert!(
            base.value < max.value && max.value < edge,
            "{base:?} {max:?}"
        );
        assert!(max.interval.low < max.value && max.value < max.interval.high);
        let run = cyclr::units::Horizon::of_updates(2000)
            .unwrap()
            .with_epoch(1000, 50)
            .unwrap();
        let spec = cyclr::advice::suggest(base.value, max.value, &run).unwrap();
        let troughs = spec.schedule(&run).unwrap().troughs().count();
        assert!(troughs >= 3, "{spec}");
    }
}

#[test]
fn ten_times_the_curvature_is_a_tenth_of_the_rate() {
    let at = |curvature: f64| {
        // Without noise the loss is the same where curvature times rate is.
        let quadratic = NoisyQuadratic {
            curvature,
            noise: 0.0,
            ..NoisyQuadratic::default()
        };
        found(&quadratic, &RangeTest::default())
            .unwrap()
            .answer
            .unwrap()
            .max_lr
            .value
    };
    let ratio = at(1.0) / at(16.0);
    assert!((ratio / 16.0).ln().abs() < 1.5_f64.ln(), "{ratio}");
}

#[test]
fn the_answer_hardly_depends_on_what_it_cost() {
    let quadratic = NoisyQuadratic::default();
    let at = |budget| {
        let test = RangeTest::for_budget(budget, 0.1, &quadratic.info);
        found(&quadratic, &test).unwrap().answer.unwrap()
    };
    // One seed alone says little here, where losses near 0 differ by factors.
    let answers = [4800, 9600, 19_200, 38_400].map(at);
    let highest = answers.iter().map(|b| b.max_lr.value).fold(0.0, f64::max);
    for bounds in answers {
        assert!(highest / bounds.max_lr.value < 1.5, "{answers:?}");
    }
}

#[test]
fn the_test_is_the_same_for_any_number_of_threads() {
    let test = |threads| {
        let test = RangeTest {
            threads,
            ..RangeTest::default()
        };
        found(&NoisyQuadratic::default(), &test).unwrap()
    };
    let (one, four) = (test(1), test(4));
    assert_eq!(one.answer, four.answer);
    assert_eq!(one.probes, four.probes);
}

#[test]
fn a_test_costs_no_more_than_it_says() {
    let factory = NoisyQuadratic::default();
    for budget in [10, 400, 700, 2400, 10_000, 100_000] {
        for fraction in [0.01, 0.1, 0.5] {
            let test = RangeTest::for_budget(budget, fraction, &factory.info);
            let asked = (fraction * budget as f64) as u64;
            assert!(
                test.updates >= asked && test.updates <= asked.max(240),
                "{test:?}"
            );
            let found = found(&factory, &test).unwrap();
            assert!(
                found.updates() <= test.updates,
                "{} {test:?}",
                found.updates()
            );
            let usual = Allowance::of(test.updates, &factory.info).usual();
            assert!(
                found.updates() >= usual / 2,
                "{} of {usual} {test:?}",
                found.updates()
            );
        }
    }
}

#[test]
fn threads_and_repeats_do_not_change_a_curve() {
    let test = |threads, repeats| {
        let test = SweepTest {
            threads,
            repeats,
            ..linear(1.0, 100)
        };
        assert_eq!(test.cost(), 100 * u64::from(repeats));
        swept(&NoisyQuadratic::default(), &test).unwrap().curves
    };
    let one = test(1, 3);
    assert_eq!(one, test(3, 3));
    assert_eq!(one[..1], test(1, 1));
    assert_ne!(one[0], one[1]);
}

#[test]
fn nothing_learnt_is_said() {
    let swept = swept(&NoisyQuadratic::default(), &linear(1e-9, 300)).unwrap();
    assert!(matches!(
        swept.reading.answer,
        Err(NoAnswer::NothingLearnt { .. })
    ));
}

/// A run whose metrics do not depend on what it is told.
struct Deaf {
    info: TrainerInfo,
    metrics: fn(u64) -> Metrics,
    update: u64,
}

impl Trainer for Deaf {
    fn info(&self) -> &TrainerInfo {
        &self.info
    }

    fn update(&mut self, _: Hyper) -> Result<Metrics, TrainerError> {
        self.update += 1;
        Ok((self.metrics)(self.update))
    }

    fn evaluate(&mut self, _: Split) -> Result<Evaluation, TrainerError> {
        unreachable!("a range test on training batches evaluates nothing")
    }

    fn state(&mut self) -> Result<Vec<u8>, TrainerError> {
        Ok(self.update.to_le_bytes().to_vec())
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), TrainerError> {
        self.update = u64::from_le_bytes(state.try_into().expect("a state of this run"));
        Ok(())
    }
}

struct DeafFactory(fn(u64) -> Metrics, Option<Objective>);

impl TrainerFactory for DeafFactory {
    fn start(&self, seed: u64) -> Result<Box<dyn Trainer + '_>, TrainerError> {
        Ok(Box::new(Deaf {
            info: TrainerInfo {
                objective: self.1.clone(),
                ..NoisyQuadratic::default().info
            },
            metrics: self.0,
            update: 1000 * seed,
        }))
    }
}

#[test]
fn a_net_that_cannot_learn_has_no_bounds() {
    let flat: fn(u64) -> Metrics = |_| Metrics::new([Metric::loss(2.3, 50)]);
    let test = RangeTest {
        updates: 100,
        ..RangeTest::default()
    };
    let nothing = found(&DeafFactory(flat, None), &test).unwrap();
    let answer = nothing.answer;
    // Longer probes were tried too.
    assert!(
        nothing.updates() > test.updates
            && nothing.updates() <= test.updates + test.longer(&NoisyQuadratic::default().info)
    );
    assert!(
        matches!(answer, Err(NoAnswer::NoBetterThanUntrained { .. })),
        "{answer:?}"
    );

    // A loss that falls by itself, at an accuracy that stays near a tenth.
    let guessing: fn(u64) -> Metrics = |update| {
        let loss = 2.3 + 1.0 / (1.0 + (update % 1000) as f64);
        Metrics::new([
            Metric::loss(loss, 50),
            Metric::accuracy(update * 7 % 11, 50),
        ])
    };
    let answer = found(&DeafFactory(guessing, None), &RangeTest::default())
        .unwrap()
        .answer;
    assert!(
        matches!(answer, Err(NoAnswer::NoBetterThanUntrained { .. })),
        "{answer:?}"
    );

    let never: fn(u64) -> Metrics = |update| {
        let loss = if update % 1000 < 30 { 1.0 } else { f64::NAN };
        Metrics::new([Metric::loss(loss, 50)])
    };
    let answer = found(&DeafFactory(never, None), &RangeTest::default())
        .unwrap()
        .answer;
    assert!(
        matches!(answer, Err(NoAnswer::ProbesDiverged { .. })),
        "{answer:?}"
    );
}

/// What a trainer declares decides, and not what it happens to measure first.
#[test]
fn the_declared_objective_is_what_is_measured() {
    let metrics: fn(u64) -> Metrics = |update| {
        Metrics::new([
            Metric::loss(1.0 / update as f64, 50),
            Metric::accuracy(update % 50, 50),
            Metric {
                name: "error".into(),
                direction: Direction::Lower,
                value: 0.5 / update as f64,
                count: 50,
                correct: None,
            },
        ])
    };
    let declared = |name: &'static str, direction| Objective {
        name: name.into(),
        direction,
        unit: cyclr::trainer::Unit::Own,
    };
    let curve = |objective| {
        let factory = DeafFactory(metrics, objective);
        let curves = swept(&factory, &linear(0.1, 40)).unwrap().curves;
        curves.into_iter().next().unwrap()
    };
    let loss = curve(Some(declared("loss", Direction::Lower)));
    assert!(loss.points.iter().all(|point| point.figure.is_none()));
    assert_eq!(loss.direction, Direction::Lower);
    let error = curve(Some(declared("error", Direction::Lower)));
    assert_eq!(error.direction, Direction::Lower);
    for point in &error.points {
        assert_eq!(point.figure, Some(point.loss.unwrap() / 2.0));
    }
    let first = curve(None);
    assert_eq!(first.direction, Direction::Higher);
    assert!(first.points.iter().all(|point| point.correct.is_some()));
}

/// A figure of which more is better.
fn score(value: f64) -> Metric {
    Metric {
        name: "score".into(),
        direction: Direction::Higher,
        value,
        count: 50,
        correct: None,
    }
}

#[test]
fn losses_of_either_sign_and_figures_alone_are_read() {
    // The quadratic's loss less two, as a log-likelihood may be, or less that of the first batch,
    // which is then 0; and their negatives as a figure of which more is better.
    struct Shifted(NoisyQuadratic, fn(f64, f64) -> Metric);
    struct ShiftedTrainer<'a>(Box<dyn Trainer + 'a>, fn(f64, f64) -> Metric, Option<f64>);
    impl TrainerFactory for Shifted {
        fn start(&self, seed: u64) -> Result<Box<dyn Trainer + '_>, TrainerError> {
            Ok(Box::new(ShiftedTrainer(self.0.start(seed)?, self.1, None)))
        }
    }
    impl Trainer for ShiftedTrainer<'_> {
        fn info(&self) -> &TrainerInfo {
            self.0.info()
        }
        fn update(&mut self, hyper: Hyper) -> Result<Metrics, TrainerError> {
            let loss = self.0.update(hyper)?.loss().unwrap().value;
            let first = *self.2.get_or_insert(loss);
            Ok(Metrics::new([(self.1)(loss, first)]))
        }
        fn evaluate(&mut self, split: Split) -> Result<Evaluation, TrainerError> {
            self.0.evaluate(split)
        }
        fn state(&mut self) -> Result<Vec<u8>, TrainerError> {
            self.0.state()
        }
        fn restore(&mut self, state: &[u8]) -> Result<(), TrainerError> {
            self.0.restore(state)
        }
    }
    let plain = found(&NoisyQuadratic::default(), &RangeTest::default()).unwrap();
    let plain = plain.answer.unwrap().max_lr.value;
    let shifts: [fn(f64, f64) -> Metric; 4] = [
        |loss, _| Metric::loss(loss - 2.0, 50),
        |loss, first| Metric::loss(loss - first, 50),
        |loss, _| score(2.0 - loss),
        |loss, first| score(first - loss),
    ];
    for shift in shifts {
        let factory = Shifted(NoisyQuadratic::default(), shift);
        let max_lr = found(&factory, &RangeTest::default())
            .unwrap()
            .answer
            .unwrap()
            .max_lr;
        assert!(
            (max_lr.value / plain).ln().abs() < 4.0_f64.ln(),
            "{max_lr:?} {plain}"
        );
    }
}

#[test]
fn the_answer_is_kept_as_text() {
    let found = found(&NoisyQuadratic::default(), &RangeTest::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    found.keep(folder.path()).unwrap();
    let sweep = std::fs::read_to_string(folder.path().join("sweep-0.csv")).unwrap();
    let sweep = Curve::from_csv(&sweep).unwrap();
    assert_eq!(sweep.points, found.sweep.curves[0].points);
    let probes = std::fs::read_to_string(folder.path().join("probes.csv")).unwrap();
    assert_eq!(probes.lines().count(), 1 + found.probes.len());
    let run = cyclr::units::Horizon::of_updates(2000).unwrap();
    let run = run.with_epoch(1000, 50).unwrap();
    let record = AnswerRecord::of(&found, &run).unwrap();
    let read: AnswerRecord =
        serde_json::from_str(&serde_json::to_string(&record).unwrap()).unwrap();
    assert_eq!(read, record);
}

#[test]
fn nan_from_the_first_update_is_no_answer() {
    struct Broken(NoisyQuadratic);
    impl TrainerFactory for Broken {
        fn start(&self, seed: u64) -> Result<Box<dyn Trainer + '_>, TrainerError> {
            let net = self.0.start(seed)?;
            Ok(Box::new(Spoilt {
                net,
                at: 1,
                how: How::Nan,
            }))
        }
    }
    let factory = Broken(NoisyQuadratic::default());
    let swept = swept(&factory, &SweepTest::new(ramp())).unwrap();
    let answer = swept.reading.answer;
    assert!(matches!(answer, Err(NoAnswer::TooFewPoints { .. })));
    assert!(swept.curves.iter().all(|c| c.points.len() == 1));
    assert_eq!(swept.reading.largest_stable(), None);
    let found = found(&factory, &RangeTest::default()).unwrap();
    assert!(matches!(
        found.answer,
        Err(NoAnswer::BreaksAtOnce { updates: 0 })
    ));
    assert_eq!((found.updates(), found.probes.len()), (1, 0));
}

#[test]
fn the_validation_split_can_be_measured_and_must_be_there() {
    let test = SweepTest {
        measure: Measure::Validation { points: 20 },
        ..linear(1.0, 100)
    };
    let on_held_out = swept(&NoisyQuadratic::default(), &test).unwrap();
    for curve in &on_held_out.curves {
        let updates: Vec<u64> = curve.points.iter().map(|p| p.update).collect();
        assert!(
            updates.iter().copied().eq((4..100).step_by(5)),
            "{updates:?}"
        );
        assert!(curve.points.iter().all(|p| p.count == 500));
    }
    let answer = AnswerRecord::of_sweeps(&on_held_out, None, None).unwrap();
    let answer = serde_json::to_value(answer).unwrap();
    assert_eq!(answer["updates"], 300, "three sweeps of a hundred updates");
    assert!(
        answer["fixed_lr"].is_null(),
        "no probe measured it: {answer}"
    );
    let mut noisy_quadratic = NoisyQuadratic::default();
    noisy_quadratic.info.validation = 0;
    assert!(matches!(
        swept(&noisy_quadratic, &test),
        Err(Error::Undecidable { .. })
    ));
}

#[test]
fn a_weight_decay_is_obeyed_or_refused() {
    let at = |weight_decay| RangeTest {
        weight_decay,
        ..RangeTest::default()
    };
    let mut quadratic = NoisyQuadratic::default();
    let losses = |test: &RangeTest| found(&NoisyQuadratic::default(), test).unwrap().probes;
    assert_eq!(losses(&at(None)), losses(&at(Some(0.0))));
    assert_ne!(losses(&at(None)), losses(&at(Some(0.1))));
    quadratic.info.weight_decay = false;
    let refused = found(&quadratic, &at(Some(0.0)));
    assert!(matches!(refused, Err(Error::NotObeyed { .. })));
}

#[test]
fn sweeps_that_mean_nothing_are_refused() {
    use Shape::{Exponential, Linear};
    for (shape, from, to, updates) in [
        (Linear, 1.0, 0.5, 100),
        (Linear, -1.0, 0.5, 100),
        (Linear, 0.0, f64::INFINITY, 100),
        (Linear, f64::NAN, 1.0, 100),
        (Exponential, 0.0, 1.0, 100),
        (Linear, 0.0, 1.0, 15),
    ] {
        assert!(
            Ramp::new(shape, from, to, updates).is_err(),
            "{shape:?} {from} {to} {updates}"
        );
    }
    let none = SweepTest {
        repeats: 0,
        ..linear(1.0, 100)
    };
    assert!(matches!(
        swept(&NoisyQuadratic::default(), &none),
        Err(Error::BadSweep { .. })
    ));
    let short = RangeTest {
        updates: 90,
        ..RangeTest::default()
    };
    assert!(matches!(
        found(&NoisyQuadratic::default(), &short),
        Err(Error::BadSweep { .. })
    ));
}

#[test]
fn curves_survive_as_text() {
    let test = SweepTest::new(ramp());
    let curve = &swept(&NoisyQuadratic::default(), &test).unwrap().curves[0];
    let read = Curve::from_csv(&curve.to_csv()).unwrap();
    assert_eq!(read.points, curve.points);
    assert_eq!(read.sweep().unwrap(), curve.sweep().unwrap());
}

#[test]
fn a_curve_of_losses_alone_is_read_and_may_end_in_nan() {
    let curve = Curve::from_csv("update,lr,loss\r\n0,0.1,2.5\r\n7,0.2,nan\r\n\r\n").unwrap();
    assert_eq!((curve.points.len(), curve.points[1].update), (2, 7));
    assert_eq!(curve.points[0].figure, None);
    assert_eq!(curve.sweep().unwrap().broke_at(), Some(0.2));
    let again = Curve::from_csv(&curve.to_csv()).unwrap();
    assert!(again.points[1].loss.unwrap().is_nan());
}

#[test]
fn a_curve_of_any_figure_survives_as_text() {
    let text = "update,lr,loss,lower,count\n0,0.1,,30.5,20\n1,0.2,,28.25,20\n2,0.4,,inf,20\n";
    let curve = Curve::from_csv(text).unwrap();
    assert_eq!(curve.direction, Direction::Lower);
    let first = curve.points[0];
    assert_eq!(
        (first.loss, first.figure, first.correct, first.count),
        (None, Some(30.5), None, 20)
    );
    assert_eq!(curve.sweep().unwrap().broke_at(), Some(0.4));
    assert_eq!(curve.to_csv(), text);
    let higher = "update,lr,loss,higher,count\n0,0.1,2.5,0.25,20\n";
    let curve = Curve::from_csv(higher).unwrap();
    assert_eq!(curve.direction, Direction::Higher);
    assert_eq!(curve.to_csv(), higher);
}

#[test]
fn bad_curves_are_refused_with_their_place() {
    let refusal = |text: &str| Curve::from_csv(text).unwrap_err();
    assert!(matches!(refusal(""), CurveError::Header { .. }));
    assert!(matches!(
        refusal("step,lr,loss\n"),
        CurveError::Header { .. }
    ));
    let full = |row: &str| {
        refusal(&format!(
            "update,lr,loss,correct,count\n0,0.1,2,5,10\n{row}\n"
        ))
    };
    assert!(matches!(
        full("1,0.2,2,5"),
        CurveError::Columns {
            line: 3,
            found: 4,
            expected: 5
        }
    ));
    for (row, name) in [
        ("x,0.2,2,5,10", "update"),
        ("1,o.2,2,5,10", "lr"),
        ("1,0.2,x,5,10", "loss"),
        ("1,0.2,2,11,10", "correct"),
        ("1,0.2,2,-5,10", "correct"),
        ("1,0.2,2,0,0", "count"),
    ] {
        let error = full(row);
        assert!(
            matches!(error, CurveError::Cell { line: 3, column, .. } if column == name),
            "{row}: {error:?}"
        );
    }
    // A rate that does not rise, and a loss that is there in the line before.
    for row in ["1,0.1,2,5,10", "1,0.2,,5,10"] {
        assert!(matches!(
            full(row),
            CurveError::NotASweep { line: Some(3), .. }
        ));
    }
    assert!(matches!(
        refusal("update,lr,loss\n"),
        CurveError::NotASweep { line: None, .. }
    ));
}

/// A noisy quadratic that may fail to go back to where it began, and counts its starts.
struct Leaving {
    inner: NoisyQuadratic,
    how: Leaves,
    starts: AtomicU64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Leaves {
    GoesBack,
    /// It says so beforehand.
    HasNoState,
    CannotSave,
    CannotRestore,
    /// It says that it went back, and is where it was.
    DoesNotRestore,
}

struct LeavingRun<'a> {
    inner: Box<dyn Trainer + 'a>,
    how: Leaves,
}

impl Leaving {
    fn new(how: Leaves) -> Self {
        let mut inner = NoisyQuadratic::default();
        inner.info.snapshots = how != Leaves::HasNoState;
        Self {
            inner,
            how,
            starts: AtomicU64::new(0),
        }
    }
}

impl TrainerFactory for Leaving {
    fn start(&self, seed: u64) -> Result<Box<dyn Trainer + '_>, TrainerError> {
        self.starts.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(LeavingRun {
            inner: self.inner.start(seed)?,
            how: self.how,
        }))
    }

    fn info(&self) -> Result<TrainerInfo, TrainerError> {
        self.inner.info()
    }
}

impl Trainer for LeavingRun<'_> {
    fn info(&self) -> &TrainerInfo {
        self.inner.info()
    }

    fn update(&mut self, hyper: Hyper) -> Result<Metrics, TrainerError> {
        self.inner.update(hyper)
    }

    fn evaluate(&mut self, split: Split) -> Result<Evaluation, TrainerError> {
        self.inner.evaluate(split)
    }

    fn state(&mut self) -> Result<Vec<u8>, TrainerError> {
        match self.how {
            Leaves::HasNoState | Leaves::CannotSave => Err(failed("no state")),
            _ => self.inner.state(),
        }
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), TrainerError> {
        match self.how {
            Leaves::DoesNotRestore => Ok(()),
            Leaves::CannotRestore => Err(failed("not here")),
            _ => self.inner.restore(state),
        }
    }
}

fn failed(reason: &str) -> TrainerError {
    TrainerError::Failed {
        reason: reason.into(),
    }
}

/// Where a run can go back, the probes of a seed have one; where it cannot, the answer is the same.
#[test]
fn probes_start_over_without_another_start() {
    for threads in [1, 3] {
        let test = RangeTest {
            threads,
            updates: 1500,
            ..RangeTest::default()
        };
        let made = |how| {
            let factory = Leaving::new(how);
            let found = found(&factory, &test).unwrap();
            (found.probes, factory.starts.into_inner())
        };
        let (straight, every) = made(Leaves::HasNoState);
        assert_eq!(
            every,
            straight.len() as u64 + 1,
            "the sweep, and each probe"
        );
        for how in [
            Leaves::GoesBack,
            Leaves::CannotSave,
            Leaves::CannotRestore,
            Leaves::DoesNotRestore,
        ] {
            let (probes, starts) = made(how);
            assert_eq!(probes, straight, "{how:?}, {threads} at a time");
            if how == Leaves::GoesBack {
                assert!(2 * starts < every, "{starts} starts in place of {every}");
            }
        }
    }
}
