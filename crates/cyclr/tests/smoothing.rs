//! Losses that are averages, and sweeps that only look like repeats: told apart, undone or
//! refused. The averages are written here as the tools write them, update by update.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use cyclr::range::{
    Basis, NoAnswer, Point, Rule, Smoothing, Sweep, SweepReading, Unlike, looks_undone_wrongly,
    read_bounds,
};
use cyclr::trainer::Direction;
use proptest::prelude::*;

fn read(sweeps: &[Sweep]) -> SweepReading {
    read_bounds(sweeps, &Rule::default())
}

fn rates(n: usize) -> Vec<f64> {
    let at = |i: usize| 1e-7 * 1e8_f64.powf(i as f64 / (n - 1) as f64);
    (0..n).map(at).collect()
}

fn sweep(losses: &[f64]) -> Sweep {
    let rates = rates(losses.len());
    let points = rates.iter().zip(losses).map(|(&lr, &l)| Point::loss(lr, l));
    Sweep::new(points.collect(), Direction::Lower).unwrap()
}

/// Nearly normal deviates.
fn normal(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut uniform = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    move || (0..12).map(|_| uniform()).sum::<f64>() - 6.0
}

fn noise(n: usize, seed: u64) -> Vec<f64> {
    let mut normal = normal(seed);
    (0..n).map(|_| 2.3 + 0.08 * normal()).collect()
}

/// A loss that falls from 2.3 to 1 around 1e-3 and rises from 0.2 on.
fn learning(n: usize, seed: u64) -> Vec<f64> {
    let fall = |lr: f64| 1.3 / (1.0 + (1e-3 / lr).powf(1.6));
    let rise = |lr: f64| (((lr / 0.2).powf(1.5) - 1.0) * 0.8).clamp(0.0, 30.0);
    let losses = rates(n).into_iter().zip(noise(n, seed));
    losses
        .map(|(lr, noise)| noise - fall(lr) + rise(lr))
        .collect()
}

fn as_torch_lr_finder(losses: &[f64], smooth_f: f64) -> Vec<f64> {
    let mut history: Vec<f64> = Vec::new();
    for &loss in losses {
        let last = history.last().copied();
        history.push(last.map_or(loss, |last| smooth_f * loss + (1.0 - smooth_f) * last));
    }
    history
}

/// `late` is 1 as Lightning counts updates, and 0 as fastai does.
fn corrected(losses: &[f64], beta: f64, late: i32) -> Vec<f64> {
    let mut average = 0.0;
    let mut next = |(step, loss): (i32, &f64)| {
        average = beta * average + (1.0 - beta) * loss;
        average / (1.0 - beta.powi(step + late))
    };
    (1..).zip(losses).map(&mut next).collect()
}

fn smoothed(losses: &[f64]) -> [(&'static str, f64, Vec<f64>); 3] {
    [
        ("torch-lr-finder", 0.95, as_torch_lr_finder(losses, 0.05)),
        ("fastai", 0.98, corrected(losses, 0.98, 0)),
        ("lightning", 0.98, corrected(losses, 0.98, 1)),
    ]
}

#[test]
fn averages_are_undone() {
    let losses = learning(150, 3);
    let close = |raw: Vec<f64>| {
        let far = |(a, b): (&f64, &f64)| (a - b).abs() > 1e-9;
        !raw.iter().zip(&losses).any(far)
    };
    for (tool, factor, averages) in smoothed(&losses) {
        assert!(
            close(tool.parse::<Smoothing>().unwrap().undo(&averages)),
            "{tool}"
        );
        // Which tool's average it is shows in its first values.
        let guessed = Smoothing::with_factor(factor, &averages).unwrap();
        assert_eq!(guessed, tool.parse().unwrap());
        assert!(close(guessed.undo(&averages)), "{tool}");
    }
    let own: Smoothing = "lightning=0.9".parse().unwrap();
    assert!(close(own.undo(&corrected(&losses, 0.9, 1))));
    assert_eq!(own.to_string(), "lightning=0.9");
    for wrong in [
        "keras",
        "fastai=1",
        "fastai=0",
        "fastai=nan",
        "fastai=x",
        "0.98",
        "",
    ] {
        assert!(wrong.parse::<Smoothing>().is_err(), "{wrong}");
    }
}

/// From the tool's averages comes the answer that the losses themselves give.
#[test]
fn undone_averages_give_the_answer_of_the_losses() {
    let (mut found, mut noticed) = (0, 0);
    for seed in 1..=10 {
        let losses = learning(200, seed);
        let expected = read(&[sweep(&losses)]).answer.unwrap();
        for (tool, _, averages) in smoothed(&losses) {
            let answer = read(&[sweep(&averages)]).answer;
            found += usize::from(matches!(answer, Err(NoAnswer::Smoothed { .. })));
            let undone = sweep(&tool.parse::<Smoothing>().unwrap().undo(&averages));
            assert!(!looks_undone_wrongly(&undone));
            let answer = read(&[undone]).answer.unwrap();
            let near = |a: f64, b: f64| (a / b - 1.0).abs() < 1e-6;
            assert!(near(answer.max_lr.value, expected.max_lr.value), "{tool}");
            assert!(near(answer.base_lr.value, expected.base_lr.value), "{tool}");
        }
        let never_averaged = "fastai".parse::<Smoothing>().unwrap().undo(&losses);
        noticed += usize::from(looks_undone_wrongly(&sweep(&never_averaged)));
    }
    assert!(found >= 28, "{found} of 30");
    // Half of them are noticed: a help, and no proof.
    assert!(noticed >= 4, "{noticed} of 10");
}

/// Raw losses from which nothing is learnt, and averages of them.
#[test]
fn noise_gives_no_bounds_smoothed_or_not() {
    let (mut bounds, mut flagged, mut made) = (0, 0, 0);
    for seed in 0..300 {
        let n = [100, 200, 400][seed as usize % 3];
        let losses = noise(n, 7 + seed);
        let answer = read(&[sweep(&losses)]).answer;
        assert!(answer.is_err(), "{n} raw losses, seed {seed}: {answer:?}");
        assert!(
            !matches!(answer, Err(NoAnswer::Smoothed { .. })),
            "{n}, seed {seed}"
        );
        for (_, _, averages) in smoothed(&losses) {
            made += 1;
            let answer = read(&[sweep(&averages)]).answer;
            bounds += usize::from(answer.is_ok());
            flagged += usize::from(matches!(answer, Err(NoAnswer::Smoothed { .. })));
        }
    }
    assert!(
        bounds <= 9,
        "{bounds} of {made} averaged curves give bounds"
    );
    assert!(
        flagged >= 850,
        "{flagged} of {made} averaged curves are found to be so"
    );
}

#[test]
fn raw_losses_are_not_taken_for_averages() {
    let taken = |n| {
        let is = |&seed: &u64| {
            let answer = read(&[sweep(&learning(n, seed))]).answer;
            matches!(answer, Err(NoAnswer::Smoothed { .. }))
        };
        (1..=100).filter(is).count()
    };
    let taken = [50, 100, 200].map(taken);
    assert!(
        taken[0] <= 8 && taken[1] <= 6 && taken[2] <= 1,
        "{taken:?} of 100 each"
    );
    // Without any noise there is nothing to average.
    let exact: Vec<f64> = rates(200)
        .iter()
        .map(|lr| 0.3 + 2.0 / (1.0 + (lr / 0.01_f64).powi(2)) + (lr / 0.7).powi(8))
        .collect();
    assert!(read(&[sweep(&exact)]).answer.is_ok());
    // A user who knows that losses are raw can say so.
    let (_, _, averages) = &smoothed(&learning(200, 1))[1];
    let answer = read(&[sweep(averages).of_raw_losses()]).answer;
    assert!(!matches!(answer, Err(NoAnswer::Smoothed { .. })));
}

#[test]
fn sweeps_of_different_kinds_get_no_answer() {
    let losses = learning(200, 1);
    let exponential = sweep(&losses);
    let linear = (1..=200).map(|i| Point::loss(0.01 * f64::from(i), losses[i as usize - 1]));
    let linear = Sweep::new(linear.collect(), Direction::Lower).unwrap();
    let with_figure = exponential.points().iter().map(|p| Point {
        figure: p.loss,
        ..*p
    });
    let with_figure: Vec<Point> = with_figure.collect();
    let lower = Sweep::new(with_figure.clone(), Direction::Lower).unwrap();
    let higher = Sweep::new(with_figure, Direction::Higher).unwrap();
    let second = sweep(&learning(200, 2));
    for (other, how) in [
        (&linear, Unlike::Ramp),
        (&lower, Unlike::Figure),
        (&higher, Unlike::Figure),
    ] {
        let sweeps = [exponential.clone(), second.clone(), other.clone()];
        let expected = NoAnswer::NotRepeats {
            first: 0,
            second: 2,
            how,
        };
        assert_eq!(read(&sweeps).answer, Err(expected));
    }
    let answer = read(&[lower, higher]).answer;
    let how = Unlike::Direction;
    assert_eq!(
        answer,
        Err(NoAnswer::NotRepeats {
            first: 0,
            second: 1,
            how
        })
    );
}

#[test]
fn a_copy_is_no_repeat() {
    let [one, other] = [1, 2].map(|seed| sweep(&learning(200, seed)));
    let alone = read(std::slice::from_ref(&one)).answer.unwrap();
    assert_eq!(
        read(&[one.clone(), one.clone(), one.clone()]).answer,
        Ok(alone)
    );
    assert_eq!(alone.max_lr.basis, Basis::Bootstrap);
    let answer = read(&[one.clone(), one, other]).answer.unwrap();
    assert_eq!(answer.max_lr.basis, Basis::Repeats { read: 2, made: 2 });
}

#[test]
fn each_way_to_learn_nothing_has_its_reason() {
    let reason = |losses: &[f64]| read(&[sweep(losses)]).answer.unwrap_err();
    assert_eq!(reason(&[2.3; 120]), NoAnswer::Constant { value: 2.3 });
    assert_eq!(
        reason(&[f64::MAX; 120]),
        NoAnswer::Constant { value: f64::MAX }
    );
    let mut normal = normal(4);
    let worse: Vec<f64> = (0..120)
        .map(|i| 0.3 + 0.01 * f64::from(i) + 0.01 * normal())
        .collect();
    assert_eq!(
        reason(&worse),
        NoAnswer::BestAtFirst {
            first_lr: (1e-7_f64.ln()).exp()
        }
    );
    let noise = reason(&noise(120, 4));
    assert!(matches!(noise, NoAnswer::NothingLearnt { clearness, needed } if clearness < needed));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// A row at rate 0 in front changes neither the shape nor, by more than its own weight, the
    /// answer.
    #[test]
    fn a_row_at_rate_0_is_no_ramp(seed in 1u64..1000) {
        let plain = sweep(&learning(200, seed));
        let mut points = plain.points().to_vec();
        points.insert(0, Point::loss(0.0, 2.31));
        let after_zero = Sweep::new(points, Direction::Lower).unwrap();
        let [a, b] = [plain, after_zero].map(|sweep| read(&[sweep]).answer);
        prop_assert!((a.unwrap().max_lr.value / b.unwrap().max_lr.value).ln().abs() < 0.05);
    }
}
