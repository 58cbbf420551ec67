//! Range tests of the noisy noisy quadratic: what they read, what they leave behind, and how they refuse to answer.
#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use cyclr::Hyper;
use cyclr::range::NoAnswer;
use cyclr::trainer::{
    Direction, Evaluation, Metric, Metrics, Split, Trainer, TrainerError, TrainerFactory,
    TrainerInfo,
};
use cyclr_train::find::{
    Curve, CurveError, CurvePoint, FindEvent, Found, Measure, Ramp, RangeTest, Shape, range_test,
    range_test_in_place, range_test_over_weight_decay,
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

fn found(noisy_quadratic: &NoisyQuadratic, test: &RangeTest) -> Result<Found, Error> {
    let watch = Watch {
        observer: &mut |_: &FindEvent| {},
        interrupt: &Interrupt::new(),
    };
    range_test(noisy_quadratic, test, watch)
}

#[test]
fn bounds_lie_where_the_bowl_learns_and_is_stable() {
    for (curvature, momentum) in [(1.0, 0.0), (1.0, 0.9), (100.0, 0.0)] {
        let noisy_quadratic = NoisyQuadratic {
            curvature,
            momentum,
            ..NoisyQuadratic::default()
        };
        let found = found(&noisy_quadratic, &RangeTest::default()).unwrap();
        let bounds = found.answer().unwrap();
        let edge = 2.0 * (1.0 + momentum) / curvature;
        let (base, max) = (bounds.base_lr, bounds.max_lr);
        assert!(
            base.value < max.value && max.value < edge,
            "{base:?} {max:?}"
        );
        assert!(base.low <= base.value && base.value <= base.high);
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
fn threads_and_repeats_do_not_change_a_curve() {
    let test = |threads, repeats| {
        let ramp = Some(Ramp::new(Shape::Linear, 0.0, 1.0, 100).unwrap());
        let test = RangeTest {
            threads,
            repeats,
            ramp,
            ..RangeTest::default()
        };
        assert_eq!(test.cost(), 100 * u64::from(repeats));
        found(&NoisyQuadratic::default(), &test).unwrap().curves
    };
    let one = test(1, 3);
    assert_eq!(one, test(3, 3));
    assert_eq!(one[..1], test(1, 1));
    assert_ne!(one[0], one[1]);
}

#[test]
fn sweeps_cost_what_they_say() {
    let test = RangeTest {
        updates: 1000,
        ..RangeTest::default()
    };
    let found = found(&NoisyQuadratic::default(), &test).unwrap();
    let (scale, _) = found.scale.as_ref().unwrap();
    let updates: usize = scale
        .iter()
        .chain(&found.curves)
        .map(|c| c.points.len())
        .sum();
    assert!(updates as u64 <= test.cost() && test.cost() <= 1000);
    assert!(updates as u64 >= 600, "{updates}");
}

#[test]
fn each_bound_is_read_from_the_sweep_of_which_more_repeats_show_it() {
    let swept = |shape, from, to| {
        let ramp = Some(Ramp::new(shape, from, to, 300).unwrap());
        let test = RangeTest {
            ramp,
            ..RangeTest::default()
        };
        found(&NoisyQuadratic::default(), &test).unwrap()
    };
    let scale = swept(Shape::Exponential, 1e-5, 10.0);
    let after = |linear: Found| Found {
        scale: Some((scale.curves.clone(), scale.reading.clone())),
        ..linear
    };
    assert!(scale.answer().is_ok());

    let readable = |found: &Found| found.reading.repeats.iter().filter(|r| r.is_ok()).count();
    let whole = swept(Shape::Linear, 0.0, 2.0);
    assert_eq!(readable(&whole), 3);
    assert_eq!(after(whole.clone()).answer(), whole.answer());

    let two = swept(Shape::Linear, 0.0, 4.0);
    assert!(readable(&two) == 2 && two.answer().is_ok());
    assert_eq!(after(two).answer(), scale.answer());

    // Too low for max_lr, and high enough for a base_lr.
    let low = swept(Shape::Linear, 0.0, 0.003);
    assert!(low.answer().is_err());
    let base_lr = low.reading.base_lr.unwrap();
    let both = after(low).answer().unwrap();
    assert_eq!(both.base_lr, base_lr.capped(both.max_lr.value));
    assert_eq!(both.max_lr, scale.answer().unwrap().max_lr);

    // Too low for anything to be learnt.
    let cut = swept(Shape::Linear, 0.0, 1e-4);
    assert!(cut.answer().is_err());
    let both = after(cut);
    assert_eq!(both.answer(), scale.answer());
    assert_eq!(both.read().0, &scale.curves[..]);
}

#[test]
fn nothing_learnt_is_said() {
    let ramp = Some(Ramp::new(Shape::Linear, 0.0, 1e-9, 300).unwrap());
    let found = found(
        &NoisyQuadratic::default(),
        &RangeTest {
            ramp,
            ..RangeTest::default()
        },
    )
    .unwrap();
    assert!(matches!(
        found.answer(),
        Err(NoAnswer::NothingLearnt { .. })
    ));
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
    let watch = Watch {
        observer: &mut |_: &FindEvent| {},
        interrupt: &Interrupt::new(),
    };
    let ramp = Some(ramp());
    let test = RangeTest {
        ramp,
        ..RangeTest::default()
    };
    let factory = Broken(NoisyQuadratic::default());
    let found = range_test(&factory, &test, watch).unwrap();
    assert!(matches!(found.answer(), Err(NoAnswer::TooFewPoints { .. })));
    assert!(found.curves.iter().all(|c| c.points.len() == 1));
    assert_eq!(found.reading.largest_stable(), None);
}

#[test]
fn the_validation_split_can_be_measured_and_must_be_there() {
    let ramp = Some(Ramp::new(Shape::Linear, 0.0, 1.0, 100).unwrap());
    let measure = Measure::Validation { points: 20 };
    let test = RangeTest {
        ramp,
        measure,
        ..RangeTest::default()
    };
    let found_on_held_out = found(&NoisyQuadratic::default(), &test).unwrap();
    for curve in &found_on_held_out.curves {
        let updates: Vec<u64> = curve.points.iter().map(|p| p.update).collect();
        assert!(
            updates.iter().copied().eq((4..100).step_by(5)),
            "{updates:?}"
        );
        assert!(curve.points.iter().all(|p| p.count == 500));
    }
    let mut noisy_quadratic = NoisyQuadratic::default();
    noisy_quadratic.info.validation = 0;
    assert!(matches!(
        found(&noisy_quadratic, &test),
        Err(Error::Undecidable { .. })
    ));
}

#[test]
fn weight_decays_are_swept_alike() {
    let watch = || (Interrupt::new(), |_: &FindEvent| {});
    let (interrupt, mut observer) = watch();
    let over = |noisy_quadratic: &NoisyQuadratic, observer: &mut dyn FnMut(&FindEvent)| {
        let watch = Watch {
            observer,
            interrupt: &interrupt,
        };
        range_test_over_weight_decay(noisy_quadratic, &RangeTest::default(), &[0.0, 0.1], watch)
    };
    let found = over(&NoisyQuadratic::default(), &mut observer).unwrap();
    assert_eq!(
        found.iter().map(|f| f.weight_decay).collect::<Vec<_>>(),
        [Some(0.0), Some(0.1)]
    );
    let rates = |f: &Found| {
        f.curves[0]
            .points
            .iter()
            .take(50)
            .map(|p| p.lr)
            .collect::<Vec<_>>()
    };
    assert_eq!(rates(&found[0]), rates(&found[1]));
    assert_ne!(found[0].curves, found[1].curves);

    let mut noisy_quadratic = NoisyQuadratic::default();
    noisy_quadratic.info.weight_decay = false;
    assert!(matches!(
        over(&noisy_quadratic, &mut observer),
        Err(Error::NotObeyed { .. })
    ));
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
    let none = RangeTest {
        repeats: 0,
        ..RangeTest::default()
    };
    assert!(matches!(
        found(&NoisyQuadratic::default(), &none),
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
    let ramp = Some(ramp());
    let test = RangeTest {
        ramp,
        repeats: 1,
        ..RangeTest::default()
    };
    let found = found(&NoisyQuadratic::default(), &test).unwrap();
    let read = Curve::from_csv(&found.curves[0].to_csv()).unwrap();
    assert_eq!(read.points, found.curves[0].points);
    assert_eq!(read.sweep().unwrap(), found.curves[0].sweep().unwrap());
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
fn what_is_no_curve_is_refused_with_its_place() {
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
