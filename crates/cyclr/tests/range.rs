//! The bounds read from range tests: recorded ones, whose truth is a grid of trainings; made ones,
//! whose truth is known by construction; and ones that must not get an answer.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{fs, path::PathBuf};

use cyclr::range::{
    Basis, NoAnswer, Point, Rule, Suggestions, Sweep, SweepError, SweepReading, read_bounds,
};
use cyclr::trainer::Direction;
use proptest::prelude::*;

fn read(sweeps: &[Sweep]) -> SweepReading {
    read_bounds(sweeps, &Rule::default())
}

// ---- recorded sweeps

fn data(name: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/range-curves");
    fs::read_to_string(root.join(name)).unwrap()
}

fn points(csv: &str) -> Vec<Point> {
    let point = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        let number = |i: usize| cells[i].parse::<f64>().unwrap();
        Point::accuracy(number(1), number(2), number(3) as u64, number(4) as u64)
    };
    csv.lines().skip(1).map(point).collect()
}

fn recorded(problem: &str, test: &str, repeats: usize) -> Vec<Sweep> {
    let file = |r: usize| data(&format!("{problem}/{test}-{r}.csv"));
    let sweep = |r| Sweep::new(points(&file(r)), Direction::Higher).unwrap();
    (0..repeats).map(sweep).collect()
}

fn losses_only(sweep: &Sweep) -> Sweep {
    let point = |p: &Point| Point { figure: None, ..*p };
    Sweep::new(sweep.points().iter().map(point).collect(), Direction::Lower).unwrap()
}

/// Points of accuracy lost against the best of the problem's grid.
fn regret(problem: &str, max_lr: f64) -> f64 {
    let grid: serde_json::Value =
        serde_json::from_str(&data(&format!("{problem}/grid.json"))).unwrap();
    let mut cells = Vec::new();
    for (lr, seeds) in grid["accuracy"].as_object().unwrap() {
        let seeds: Vec<f64> = seeds
            .as_array()
            .unwrap()
            .iter()
            .map(|s| s.as_f64().unwrap())
            .collect();
        let worst = seeds.iter().copied().fold(f64::MAX, f64::min);
        let best = seeds.iter().copied().fold(f64::MIN, f64::max);
        let mean = seeds.iter().sum::<f64>() / seeds.len() as f64;
        cells.push((
            lr.parse::<f64>().unwrap().ln(),
            if best - worst > 0.2 { worst } else { mean },
        ));
    }
    cells.sort_by(|a, b| a.0.total_cmp(&b.0));
    let best = cells.iter().map(|c| c.1).fold(f64::MIN, f64::max);
    let x = max_lr.ln();
    let pair = cells
        .windows(2)
        .find(|w| w[0].0 <= x && x <= w[1].0)
        .unwrap();
    let at = pair[0].1 + (pair[1].1 - pair[0].1) * (x - pair[0].0) / (pair[1].0 - pair[0].0);
    100.0 * (best - at)
}

/// Problem, test, repeats on record, and the regret that every choice of three stays within.
const RECORDED: [(&str, &str, usize, f64); 12] = [
    ("lenet-fashion-sgd", "exp", 5, 0.5),
    ("lenet-fashion-sgd", "lin", 5, 0.5),
    ("mlp-digits-sgd", "exp", 5, 1.5),
    ("mlp-digits-sgd", "lin", 5, 1.5),
    ("mlp-fashion-adam", "exp", 3, 0.5),
    ("mlp-fashion-adam", "lin2", 3, 0.5),
    ("cnnbn-fashion-momentum", "exp", 3, 0.5),
    ("cnnbn-fashion-momentum", "lin2", 3, 0.5),
    ("tanh-digits-momentum", "exp", 3, 0.5),
    ("tanh-digits-momentum", "lin", 3, 0.5),
    ("mlp-table-rmsprop", "exp", 3, 1.0),
    ("mlp-table-rmsprop", "lin", 3, 0.5),
];

fn threes(sweeps: &[Sweep]) -> Vec<Vec<Sweep>> {
    let n = sweeps.len();
    let all = (0..n).flat_map(|a| (a + 1..n).flat_map(move |b| (b + 1..n).map(move |c| [a, b, c])));
    all.map(|three| three.iter().map(|&i| sweeps[i].clone()).collect())
        .collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn three_recorded_repeats_give_a_good_max_lr() {
    let mut total = Vec::new();
    for (problem, test, repeats, limit) in RECORDED {
        for three in threes(&recorded(problem, test, repeats)) {
            let bounds = read(&three)
                .answer
                .unwrap_or_else(|e| panic!("{problem} {test}: {e}"));
            let lost = regret(problem, bounds.max_lr.value);
            assert!(
                lost <= limit,
                "{problem} {test}: {lost:.2} points at {:?}",
                bounds.max_lr
            );
            assert!(bounds.base_lr.value < bounds.max_lr.value);
            let three = Basis::Repeats { read: 3, made: 3 };
            assert_eq!([bounds.base_lr.basis, bounds.max_lr.basis], [three; 2]);
            total.push(lost);
        }
    }
    assert!(
        mean(&total) <= 0.6,
        "mean regret {:.2} over {}",
        mean(&total),
        total.len()
    );
}

#[test]
fn one_recorded_repeat_gives_a_fair_max_lr_with_a_bootstrap() {
    let mut total = Vec::new();
    let mut nones = 0;
    for (problem, test, repeats, _) in RECORDED {
        for sweep in recorded(problem, test, repeats) {
            let Ok(bounds) = read(&[sweep]).answer else {
                nones += 1;
                continue;
            };
            assert_eq!(bounds.max_lr.basis, Basis::Bootstrap);
            assert!(
                bounds.max_lr.interval.low <= bounds.max_lr.value
                    && bounds.max_lr.value <= bounds.max_lr.interval.high
            );
            total.push(regret(problem, bounds.max_lr.value));
        }
    }
    assert!(
        mean(&total) <= 1.0,
        "mean regret {:.2} over {}",
        mean(&total),
        total.len()
    );
    assert!(
        nones <= 4,
        "{nones} of {} without an answer",
        nones + total.len()
    );
}

#[test]
fn losses_alone_give_a_good_max_lr() {
    let mut total = Vec::new();
    for (problem, test, repeats, _) in RECORDED {
        let sweeps: Vec<Sweep> = recorded(problem, test, repeats)
            .iter()
            .map(losses_only)
            .collect();
        let bounds = read(&sweeps)
            .answer
            .unwrap_or_else(|e| panic!("{problem} {test}: {e}"));
        total.push(regret(problem, bounds.max_lr.value));
    }
    assert!(
        mean(&total) <= 0.8,
        "mean regret {:.2} over {}",
        mean(&total),
        total.len()
    );
}

#[test]
fn sweeps_cut_before_the_slowing_get_no_answer() {
    for (problem, test, repeats, _) in RECORDED {
        let sweeps = recorded(problem, test, repeats);
        let max_lr = read(&sweeps).answer.unwrap().max_lr.value;
        for fraction in [0.05, 0.1, 0.2, 0.3, 0.4, 0.5] {
            let before = |s: &Sweep| {
                let kept = s.points().iter().filter(|p| p.lr < fraction * max_lr);
                Sweep::new(kept.copied().collect(), s.direction()).unwrap()
            };
            let cut: Vec<Sweep> = sweeps.iter().map(before).collect();
            let reading = read(&cut);
            let answer = reading.answer;
            assert!(
                answer.is_err(),
                "{problem} {test} cut at {fraction}: {answer:?}"
            );
            // Its base_lr may be shown all the same, by most repeats or not at all.
            if let Some(base_lr) = reading.base_lr {
                assert!(2 * base_lr.basis.read() > repeats);
                assert!(base_lr.value < fraction * max_lr);
            }
        }
    }
}

/// The expected rates are from testdata/range-curves/picks.py, which says whose rules they are.
#[test]
fn picks_equal_the_published_rules() {
    let table = data("picks.csv");
    let lines: Vec<&str> = table.lines().skip(1).collect();
    assert_eq!(lines.len(), 22);
    for line in lines {
        let (name, numbers) = line.split_once(',').unwrap();
        let expected: Vec<f64> = numbers.split(',').map(|n| n.parse().unwrap()).collect();
        let sweep = Sweep::new(points(&data(name)), Direction::Higher).unwrap();
        let p = Suggestions::of(&sweep).unwrap();
        for (got, want) in [p.minimum_tenth, p.steepest, p.valley, p.slide]
            .iter()
            .zip(&expected)
        {
            assert!(
                (got / want - 1.0).abs() < 1e-12,
                "{name}: {p:?}, expected {expected:?}"
            );
        }
    }
}

// ---- made sweeps

/// A figure that is 0.1 up to the rate `leave`, rises steadily in ln rate to 0.9 at `turn`, stays
/// until `fall`, and is back at 0.1 at `end`.
#[derive(Clone, Copy)]
struct Shape {
    leave: f64,
    turn: f64,
    fall: f64,
    end: f64,
}

impl Shape {
    fn at(&self, lr: f64) -> f64 {
        let fraction = |a: f64, b: f64| (lr / a).ln() / (b / a).ln();
        let up = fraction(self.leave, self.turn).clamp(0.0, 1.0);
        let down = fraction(self.fall, self.end).clamp(0.0, 1.0);
        0.1 + 0.8 * (up - down)
    }
}

const SHAPE: Shape = Shape {
    leave: 1e-3,
    turn: 1e-1,
    fall: 1.0,
    end: 10.0,
};

fn exponential(from: f64, to: f64, n: usize) -> impl Iterator<Item = f64> {
    (0..n).map(move |i| from * (to / from).powf(i as f64 / (n - 1) as f64))
}

fn linear(to: f64, n: usize) -> impl Iterator<Item = f64> {
    (0..n).map(move |i| to * i as f64 / (n - 1) as f64)
}

fn figure(lr: f64, value: f64) -> Point {
    Point {
        lr,
        loss: None,
        figure: Some(value),
        count: 1,
    }
}

/// Deterministic noise with mean 0 and standard deviation 1, nearly normal.
fn noise(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut uniform = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    move || (0..12).map(|_| uniform()).sum::<f64>() - 6.0
}

fn made(rates: impl Iterator<Item = f64>, sd: f64, seed: u64, value: impl Fn(f64) -> f64) -> Sweep {
    let mut noise = noise(seed);
    let point = |lr: f64| figure(lr, value(lr) + sd * noise());
    Sweep::new(rates.map(point).collect(), Direction::Higher).unwrap()
}

fn near(got: f64, want: f64, within: f64) {
    assert!(
        (got / want).ln().abs() <= within.ln(),
        "{got:e}, expected {want:e}"
    );
}

#[test]
fn a_made_exponential_sweep_is_read_at_its_corners() {
    let sweep = made(exponential(1e-5, 100.0, 500), 0.0, 1, |lr| SHAPE.at(lr));
    let bounds = read(&[sweep.clone(), sweep]).answer.unwrap();
    // A tenth of two decades above 1e-3.
    near(bounds.base_lr.value, 10f64.powf(-2.8), 1.15);
    // 70 % of the rise at 10^-1.6, 30 % of the fall at 10^0.3, and their middle.
    near(bounds.max_lr.value, 10f64.powf(-0.65), 1.1);
}

#[test]
fn a_made_linear_sweep_is_read_where_it_slows() {
    let shape = Shape {
        leave: 0.02,
        turn: 0.2,
        fall: 1e3,
        end: 1e4,
    };
    let sweep = made(linear(1.0, 500), 0.0, 1, |lr| shape.at(lr));
    let bounds = read(&[sweep.clone(), sweep]).answer.unwrap();
    near(bounds.base_lr.value, 0.02 * 10f64.powf(0.1), 1.2);
    near(bounds.max_lr.value, 0.02 * 10f64.powf(0.9), 1.1);
}

#[test]
fn intervals_of_noisy_repeats_cover_the_noiseless_reading() {
    let rates = || exponential(1e-5, 100.0, 300);
    let exact = made(rates(), 0.0, 1, |lr| SHAPE.at(lr));
    let exact = read(&[exact.clone(), exact]).answer.unwrap();
    let covered = (0..200u64).filter(|test| {
        let repeat = |r: u64| made(rates(), 0.05, 1 + 3 * test + r, |lr| SHAPE.at(lr));
        let repeats: Vec<Sweep> = (0..3).map(repeat).collect();
        let max_lr = read(&repeats).answer.unwrap().max_lr;
        (max_lr.interval.low..=max_lr.interval.high).contains(&exact.max_lr.value)
    });
    // 95 % with a standard error of 1.5 %; noise bends the reading a little as well.
    let covered = covered.count();
    assert!((178..=199).contains(&covered), "{covered} of 200");
}

#[test]
fn noise_gets_no_answer() {
    for seed in 0..300 {
        for rates in [
            exponential(1e-6, 1.0, 220).collect::<Vec<_>>(),
            linear(0.5, 300).collect(),
        ] {
            let accuracy = |s: u64| {
                let mut noise = noise(1000 * s + seed);
                let point = |&lr: &f64| {
                    let correct = (10.0 + 3.0 * noise()).clamp(0.0, 100.0) as u64;
                    Point::accuracy(lr, 2.3 + 0.05 * noise(), correct, 100)
                };
                Sweep::new(rates.iter().map(point).collect(), Direction::Higher).unwrap()
            };
            let repeats: Vec<Sweep> = (1..=3).map(accuracy).collect();
            let losses: Vec<Sweep> = repeats.iter().map(losses_only).collect();
            for sweeps in [&repeats[..], &repeats[..1], &losses[..], &losses[..1]] {
                let answer = read(sweeps).answer;
                assert!(
                    matches!(answer, Err(NoAnswer::NothingLearnt { .. })),
                    "{seed}: {answer:?}"
                );
            }
        }
    }
}

/// Noise that explodes at the end is still noise, with a largest stable rate.
#[test]
fn noise_that_diverges_gets_no_answer_but_a_stable_rate() {
    let mut noise = noise(5);
    let mut points: Vec<Point> = exponential(1e-4, 1.0, 100)
        .map(|lr| Point::loss(lr, 2.3 + 0.02 * noise()))
        .collect();
    points[99].loss = Some(f64::NAN);
    points[98].loss = Some(900.0);
    let stable = points[97].lr;
    let reading = read(&[Sweep::new(points.clone(), Direction::Lower).unwrap()]);
    assert!(matches!(
        reading.answer,
        Err(NoAnswer::NothingLearnt { .. })
    ));
    assert_eq!(reading.largest_stable(), Some(stable));
    assert_eq!(reading.stability[0].unwrap().diverged, Some(points[98].lr));
}

/// A sweep that another program makes has not cyclr's options.
#[test]
fn advice_on_recorded_sweeps_names_no_option() {
    for reason in [
        NoAnswer::TooFewPoints {
            points: 1,
            needed: 16,
        },
        NoAnswer::NothingLearnt {
            clearness: 1.0,
            needed: 4.0,
        },
        NoAnswer::Constant { value: 2.3 },
        NoAnswer::BestAtFirst { first_lr: 0.1 },
        NoAnswer::StartsTooHigh {
            first_lr: 0.1,
            learning_at: 0.2,
        },
        NoAnswer::EndsBeforeSlowing {
            last_lr: 0.2,
            still_rising_at: 0.1,
        },
        NoAnswer::RepeatsDisagree {
            lowest: 0.1,
            highest: 1.0,
        },
        NoAnswer::DivergesAtOnce {
            diverged: 0.2,
            base_lr: 0.1,
        },
    ] {
        let advice = reason.advice_on_recorded();
        assert!(!advice.contains("--"), "{reason}: {advice}");
    }
}

#[test]
fn every_reason_is_given_where_it_holds() {
    let rising = |lr: f64| SHAPE.at(lr);
    let short = made(exponential(1e-5, 100.0, 15), 0.0, 1, rising);
    let answer = read(&[short]).answer;
    assert!(matches!(
        answer,
        Err(NoAnswer::TooFewPoints {
            points: 15,
            needed: 16
        })
    ));
    assert!(matches!(
        read(&[]).answer,
        Err(NoAnswer::TooFewPoints { points: 0, .. })
    ));

    let early = made(exponential(1e-5, 0.03, 200), 0.01, 1, rising);
    assert!(matches!(
        read(&[early]).answer,
        Err(NoAnswer::EndsBeforeSlowing { .. })
    ));

    let late = made(exponential(0.004, 100.0, 200), 0.01, 1, rising);
    let answer = read(&[late]).answer;
    assert!(
        matches!(answer, Err(NoAnswer::StartsTooHigh { .. })),
        "{answer:?}"
    );

    let repeat = |by: f64| {
        made(exponential(1e-6, 1e4, 300), 0.01, 1, move |lr| {
            SHAPE.at(lr * by)
        })
    };
    let answer = read(&[repeat(0.1), repeat(1.0), repeat(10.0)]).answer;
    assert!(
        matches!(answer, Err(NoAnswer::RepeatsDisagree { .. })),
        "{answer:?}"
    );

    let fine = |seed| made(exponential(1e-5, 100.0, 200), 0.01, seed, rising);
    let fragile = made(exponential(1e-5, 9e-4, 200), 0.01, 1, rising);
    let mut points = fragile.points().to_vec();
    points.push(figure(9.1e-4, f64::NAN));
    let fragile = Sweep::new(points, Direction::Higher).unwrap();
    let answer = read(&[fine(1), fine(2), fragile]).answer;
    assert!(
        matches!(answer, Err(NoAnswer::DivergesAtOnce { .. })),
        "{answer:?}"
    );
}

#[test]
fn max_lr_stays_below_a_third_of_the_rate_at_which_a_repeat_diverged() {
    let rates = || exponential(1e-5, 100.0, 300);
    let fine = |seed| made(rates(), 0.01, seed, |lr| SHAPE.at(lr));
    let mut points = fine(3).points().to_vec();
    let at = points.iter().position(|p| p.lr > 0.3).unwrap();
    points.truncate(at + 1);
    points[at].figure = Some(f64::INFINITY);
    let diverged = points[at].lr;
    let fragile = Sweep::new(points, Direction::Higher).unwrap();
    let free = read(&[fine(1), fine(2)]).answer.unwrap();
    assert!(free.held_by.is_none() && free.max_lr.value > diverged / 3.0);
    let bounds = read(&[fine(1), fine(2), fragile]).answer.unwrap();
    assert_eq!(bounds.held_by, Some(diverged));
    assert!(bounds.base_lr.interval.high <= bounds.max_lr.value);
    assert!(bounds.max_lr.value <= diverged / 3.0 && bounds.max_lr.interval.high <= diverged / 3.0);
}

#[test]
fn sweeps_are_checked() {
    let new = |points: Vec<Point>| Sweep::new(points, Direction::Higher).unwrap_err();
    let ok = |lr: f64| Point::loss(lr, 1.0);
    assert_eq!(new(vec![]), SweepError::Empty);
    assert_eq!(
        new(vec![ok(0.0), ok(-1.0)]),
        SweepError::BadRate { index: 1, lr: -1.0 }
    );
    let falling = SweepError::NotRising {
        index: 2,
        lr: 1.0,
        previous: 1.0,
    };
    assert_eq!(new(vec![ok(0.0), ok(1.0), ok(1.0)]), falling);
    assert_eq!(
        new(vec![ok(0.0), figure(1.0, 1.0)]),
        SweepError::FiguresDiffer { index: 1 }
    );
    assert_eq!(
        new(vec![Point {
            count: 0,
            ..ok(1.0)
        }]),
        SweepError::NothingMeasured { index: 0 }
    );
    let again = vec![ok(0.0), Point::loss(1.0, f64::NAN), ok(2.0)];
    assert_eq!(new(again), SweepError::FiniteAgain { index: 2, start: 1 });
}

// ---- properties

fn rates_times(sweep: &Sweep, factor: f64) -> Sweep {
    let point = |p: &Point| Point {
        lr: factor * p.lr,
        ..*p
    };
    Sweep::new(
        sweep.points().iter().map(point).collect(),
        sweep.direction(),
    )
    .unwrap()
}

fn close(a: f64, b: f64) -> bool {
    (a / b - 1.0).abs() < 1e-6
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// The unit of the rate does not matter.
    #[test]
    fn scaled_rates_scale_the_answer(seed in 1u64..1000, ln_factor in -12.0..12.0f64, is_linear: bool) {
        let factor = ln_factor.exp();
        let sweep = |s: u64| if is_linear {
            made(linear(3.0, 300), 0.03, s, |lr| SHAPE.at(lr * 0.3))
        } else {
            made(exponential(1e-5, 100.0, 300), 0.03, s, |lr| SHAPE.at(lr))
        };
        let sweeps = [sweep(seed), sweep(seed + 1000)];
        let scaled = [rates_times(&sweeps[0], factor), rates_times(&sweeps[1], factor)];
        match (read(&sweeps).answer, read(&scaled).answer) {
            (Ok(a), Ok(b)) => {
                prop_assert!(close(a.max_lr.value * factor, b.max_lr.value));
                prop_assert!(close(a.base_lr.value * factor, b.base_lr.value));
                prop_assert!(close(a.max_lr.interval.high * factor, b.max_lr.interval.high));
            }
            (a, b) => prop_assert_eq!(a.is_err(), b.is_err()),
        }
    }

    /// Neither the order of the repeats nor a second copy of each changes anything: a copy is no
    /// repeat.
    #[test]
    fn repeats_have_no_order(seed in 1u64..1000) {
        let sweep = |s: u64| made(exponential(1e-5, 100.0, 200), 0.04, s, |lr| SHAPE.at(lr));
        let [a, b, c] = [sweep(seed), sweep(seed + 1000), sweep(seed + 2000)];
        let one = read(&[a.clone(), b.clone(), c.clone()]).answer.unwrap();
        let other = read(&[c.clone(), a.clone(), b.clone()]).answer.unwrap();
        let twice = read(&[a.clone(), b.clone(), c.clone(), a, b, c]).answer.unwrap();
        prop_assert!(close(one.max_lr.value, other.max_lr.value) && close(one.max_lr.interval.low, other.max_lr.interval.low));
        prop_assert_eq!(one, twice);
    }

    /// A figure of which more is better and its negative of which less is better say the same.
    #[test]
    fn direction_is_only_a_sign(seed in 1u64..1000) {
        let up = made(exponential(1e-5, 100.0, 200), 0.04, seed, |lr| SHAPE.at(lr));
        let turned = up.points().iter().map(|p| figure(p.lr, -p.figure.unwrap()));
        let down = Sweep::new(turned.collect(), Direction::Lower).unwrap();
        prop_assert_eq!(read(&[up]), read(&[down]));
    }

    /// Whatever the points are, there is a reading or an error, and an answer keeps its promises.
    #[test]
    fn anything_is_read_or_refused(
        values in prop::collection::vec((any::<f64>(), any::<f64>(), 0u64..3), 0..120),
        steps in prop::collection::vec(1e-3..3.0f64, 120),
        from in prop_oneof![Just(0.0), 1e-300..1.0f64, any::<f64>()],
        figures in 0usize..3,
    ) {
        let mut lr = from;
        let mut points = Vec::new();
        for ((loss, value, count), step) in values.into_iter().zip(steps) {
            let (loss, figure) = [(Some(loss), None), (Some(loss), Some(value)), (None, Some(value))][figures];
            points.push(Point { lr, loss, figure, count: count + 1 });
            lr = lr.max(1e-300) * (1.0 + step);
        }
        if let Ok(sweep) = Sweep::new(points, Direction::Higher) {
            for sweeps in [vec![sweep.clone()], vec![sweep.clone(), sweep.clone(), sweep]] {
                let reading = read(&sweeps);
                prop_assert_eq!(reading.repeats.len(), sweeps.len());
                if let Ok(bounds) = reading.answer {
                    let (base, max) = (bounds.base_lr, bounds.max_lr);
                    prop_assert!(0.0 < base.interval.low && base.interval.contains(base.value));
                    prop_assert!(base.value < max.value && max.interval.contains(max.value));
                }
            }
        }
    }
}
