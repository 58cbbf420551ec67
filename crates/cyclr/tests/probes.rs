//! Which probes a range test makes, and what it reads from them; the trainings are formulas here.

use std::convert::Infallible;

use cyclr::range::{
    Allowance, NoAnswer, Point, Probe, ProbeReading, ProbeResult, Start, Sweep, find_max_lr,
};
use cyclr::trainer::{Direction, TrainerInfo};
use proptest::prelude::*;

const START: Start = Start {
    lr: 0.01,
    opening: 2.3,
    deviation: 0.05,
    figure: None,
    count: 1000,
    given_weights: false,
};

fn info(batch: u64) -> TrainerInfo {
    TrainerInfo::new(20_000, batch)
}

/// Probes whose losses are a function of their rate; `None` if they diverge, after half of their
/// updates.
fn read(start: Start, updates: u64, loss: impl Fn(Probe) -> Option<f64>) -> ProbeReading {
    let allowance = Allowance::of(updates, &info(100));
    let one = |&probe: &Probe| {
        let loss = loss(probe);
        ProbeResult {
            probe,
            loss,
            figure: None,
            correct: None,
            count: 100 * probe.tail(),
            made: if loss.is_some() {
                probe.updates
            } else {
                probe.updates / 2
            },
        }
    };
    let mut train = |probes: &[Probe]| Ok::<_, Infallible>(probes.iter().map(one).collect());
    find_max_lr(start, &allowance, updates - allowance.sweep, &mut train).unwrap()
}

/// A trough in ln rate, of this half width if the loss is e times the least.
fn trough(best: f64, width: f64) -> impl Fn(Probe) -> Option<f64> {
    move |probe| Some(0.5 * ((probe.lr / best).ln() / width).powi(2).exp())
}

#[test]
fn the_centre_of_a_trough_is_found_wherever_the_search_starts() {
    for best in [1e-4, 3e-3, 0.02, 0.5] {
        for off in [1.0 / 60.0, 0.2, 1.0, 5.0, 60.0] {
            let start = Start {
                lr: best * off,
                ..START
            };
            let reading = read(start, 2000, trough(best, 2.0));
            let max_lr = reading.answer.unwrap().max_lr;
            assert!(
                (max_lr.value / best).ln().abs() < 0.25,
                "{best} {off}: {max_lr:?}"
            );
            assert!(max_lr.interval.low < best && best < max_lr.interval.high);
        }
    }
}

#[test]
fn max_lr_keeps_clear_of_what_diverged() {
    // Better and better up to a cliff at 0.1.
    let cliff = |probe: Probe| (probe.lr < 0.1).then(|| 2.0 / (1.0 + 100.0 * probe.lr));
    let bounds = read(START, 2000, cliff).answer.unwrap();
    // The powers of 2 around it are 0.0625 and 0.125.
    assert!(bounds.max_lr.value <= 0.0625, "{bounds:?}");
    assert!((bounds.max_lr.value / bounds.base_lr.value - 25.0).abs() < 1e-9);
}

#[test]
fn other_seeds_are_averaged_where_there_is_room() {
    let offset = |probe: Probe| 1.0 + 0.3 * probe.repeat as f64;
    let bumpy = |probe: Probe| Some(offset(probe) * trough(0.01, 2.0)(probe).unwrap());
    let reading = read(START, 4000, bumpy);
    assert_eq!(reading.probes.iter().map(|r| r.probe.repeat).max(), Some(4));
    // A seed whose losses are all higher moves nothing.
    let plain = read(START, 4000, trough(0.01, 2.0)).answer.unwrap();
    let found = reading.answer.unwrap();
    assert!((found.max_lr.value / plain.max_lr.value).ln().abs() < 0.02);
}

#[test]
fn probes_that_do_not_learn_are_made_again_with_more_updates() {
    let slow = |probe: Probe| {
        if probe.updates < 50 {
            Some(2.29)
        } else {
            trough(0.01, 2.0)(probe)
        }
    };
    let (short, long) = (
        Allowance::of(240, &info(100)).probe,
        2 * Allowance::of(240, &info(100)).probe,
    );
    let reading = read(START, 240, slow);
    assert!(reading.answer.is_ok(), "{reading:?}");
    let lengths: Vec<u64> = reading.probes.iter().map(|r| r.probe.updates).collect();
    assert!(
        lengths.contains(&short) && lengths.contains(&long),
        "{lengths:?}"
    );
    let flat = read(START, 240, |_| Some(2.29)).answer;
    assert!(
        matches!(flat, Err(NoAnswer::HardlyLearns { .. })),
        "{flat:?}"
    );
    let taught = Start {
        given_weights: true,
        ..START
    };
    assert!(read(taught, 240, |_| Some(2.29)).answer.is_ok());
    // What is the same at every rate is not followed for ever.
    let rates = |loss: fn(Probe) -> Option<f64>| {
        let probes = read(START, 1_000_000, loss).probes;
        probes.into_iter().map(|r| r.probe.lr).collect::<Vec<_>>()
    };
    assert!(rates(|_| Some(2.29)).iter().all(|&lr| lr > 1e-13));
    assert!(rates(|_| None).iter().all(|&lr| lr > 1e-13));
    let higher_is_better = rates(|probe| Some(2.0 / (1.0 + probe.lr)));
    assert!(higher_is_better.iter().all(|&lr| lr < 1e7));
}

/// A figure turned so that less is better, such as -accuracy, is no logarithm; its unit is what was
/// learnt.
#[test]
fn a_figure_that_stays_what_it_was_is_not_learning() {
    let start = Start {
        opening: -0.1,
        ..START
    };
    let stays = |probe: Probe| Some(if probe.lr < 0.01 { -0.1 } else { -0.05 });
    for updates in [240, 2000] {
        let answer = read(start, updates, stays).answer;
        assert!(
            matches!(answer, Err(NoAnswer::NoBetterThanUntrained { clearness, .. }) if clearness < 1e-9),
            "{answer:?}"
        );
        let taught = Start {
            given_weights: true,
            ..start
        };
        let max_lr = read(taught, updates, stays).answer.unwrap().max_lr;
        assert!(max_lr.value < 0.01, "{max_lr:?}");
    }
}

/// Losses of any sign and size that only chance moves, as rewards of an agent that learns nothing.
#[test]
fn a_loss_that_only_chance_moves_is_not_learning() {
    for opening in [0.0, -3.0, 3.0] {
        let start = Start {
            opening,
            deviation: 10.0,
            ..START
        };
        let answered = |seed: u64| {
            // The mean loss of 800 examples.
            let by_chance = |probe: Probe| {
                let of_probe = seed ^ probe.lr.to_bits() ^ (probe.repeat << 7);
                Some(opening + 10.0 / 800_f64.sqrt() * normal(of_probe))
            };
            read(start, 1000, by_chance).answer.is_ok()
        };
        let answers = (0..300).filter(|&seed| answered(seed)).count();
        assert!(answers < 15, "{answers} of 300 at {opening}");
        // Five standard errors are no chance.
        let learns = |probe: Probe| Some(opening - 5.0 + 5.0 * trough(0.01, 2.0)(probe).unwrap());
        assert!(read(start, 1000, learns).answer.is_ok());
    }
}

/// A sweep that diverges at once has few losses of an untrained net, and those differ much.
#[test]
fn a_loss_that_falls_to_a_millionth_is_learning_whatever_its_noise() {
    let start = Start {
        opening: 1e7,
        deviation: 1e8,
        count: 150,
        ..START
    };
    let answer = read(start, 1000, trough(0.01, 2.0)).answer;
    assert!(answer.is_ok(), "{answer:?}");
}

/// A standard normal number that belongs to an index.
fn normal(index: u64) -> f64 {
    // Twelve uniform numbers less 6, by splitmix64.
    let uniform = |n: u64| {
        let mut z = index.wrapping_mul(12).wrapping_add(n + 1);
        z = z.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..12).map(uniform).sum::<f64>() - 6.0
}

#[test]
fn an_accuracy_that_is_chance_is_not_learning() {
    let allowance = Allowance::of(1000, &info(100));
    let start = Start {
        figure: Some(0.1),
        ..START
    };
    let answer = |correct: u64| {
        let one = |&probe: &Probe| ProbeResult {
            probe,
            loss: trough(0.01, 2.0)(probe),
            figure: Some(correct as f64 / 500.0),
            correct: Some(correct),
            count: 500,
            made: probe.updates,
        };
        let mut train = |probes: &[Probe]| Ok::<_, Infallible>(probes.iter().map(one).collect());
        find_max_lr(start, &allowance, 800, &mut train)
            .unwrap()
            .answer
    };
    assert!(matches!(
        answer(50),
        Err(NoAnswer::NoBetterThanUntrained { .. })
    ));
    assert!(answer(90).is_ok());
}

#[test]
fn where_everything_diverges_there_is_no_answer() {
    let answer = read(START, 1000, |_| None).answer;
    assert!(
        matches!(answer, Err(NoAnswer::ProbesDiverged { lowest }) if lowest < 1e-3),
        "{answer:?}"
    );
}

#[test]
fn where_only_another_seed_reaches_the_opening_the_first_seed_decides() {
    // A net that is given with every example right, judged by its accuracy: no rate is better.
    let start = Start {
        opening: -1.0,
        given_weights: true,
        ..START
    };
    let accuracy = |probe: Probe| match probe.repeat {
        0 => 0.99 - 0.01 * (probe.lr / 0.0156).log2().abs(),
        _ => 1.0,
    };
    let reading = read(start, 4000, |probe| Some(-accuracy(probe)));
    let max_lr = reading.answer.unwrap().max_lr;
    assert!((max_lr.value / 0.0156).ln().abs() < 0.25, "{max_lr:?}");
}

#[test]
fn numbers_at_the_ends_of_their_range_do_not_overflow() {
    let many = |lr| Point {
        count: u64::MAX / 2,
        ..Point::loss(lr, 1.0)
    };
    let points = (1..30).map(|i| many(f64::from(i))).collect();
    let sweep = Sweep::new(points, Direction::Lower).unwrap();
    assert_eq!(Start::of(&sweep, false).unwrap().count, u64::MAX);
    let reading = read(Start { lr: 0.0, ..START }, 500, trough(0.01, 2.0));
    assert_eq!(reading.probes[0].probe.lr, 2.0_f64.powi(-40));
    assert_eq!(Allowance::of(500, &info(100)).after(u64::MAX), None);
    let none = Probe {
        lr: 1.0,
        updates: 0,
        repeat: 0,
    };
    assert_eq!((none.at(1), none.tail()), (0.0, 3));
}

#[test]
fn the_start_is_where_the_smoothed_loss_is_least() {
    let loss = |lr: f64| 0.3 + 2.0 / (1.0 + (lr / 0.01).powi(2)) + (lr / 0.7).powi(8);
    let rates = (0..60).map(|i| 1e-7 * (1e8_f64).powf(f64::from(i) / 59.0));
    let points = rates.map(|lr| Point::loss(lr, loss(lr)));
    let sweep = Sweep::new(points.collect(), Direction::Lower).unwrap();
    let start = Start::of(&sweep, false).unwrap();
    assert!((0.1..0.6).contains(&start.lr), "{start:?}");
    assert!((start.opening - 2.3).abs() < 0.01 && start.figure.is_none());
}

/// Of data that are not normalised, trainings may diverge at 1e-5 already.
#[test]
fn a_sweep_that_breaks_early_has_a_start_if_it_shows_an_untrained_net() {
    let start = |finite: usize| {
        let rates = (0..40).map(|i| 1e-7 * (1e8_f64).powf(f64::from(i) / 39.0));
        let losses = [2.3, 2.31, 2.29, 2.1, 1.5, 1.9];
        let points = rates.zip(losses.into_iter().take(finite));
        let broken = Point::loss(1.0, f64::NAN);
        let points = points.map(|(lr, loss)| Point::loss(lr, loss));
        let sweep = Sweep::new(points.chain([broken]).collect(), Direction::Lower).unwrap();
        Start::of(&sweep, false)
    };
    let early = start(6).unwrap();
    assert!((early.opening - 2.3).abs() < 1e-9 && early.lr < 2e-6);
    assert!((early.deviation - 0.01).abs() < 1e-9);
    assert!(matches!(
        start(2),
        Err(NoAnswer::BreaksAtOnce { updates: 2 })
    ));
}

#[test]
fn a_test_costs_what_was_asked_or_what_can_be_read() {
    let updates = |budget, batch| Allowance::new(budget, 0.1, &info(batch)).updates;
    // A tenth; five probes of 40 updates and a sweep; more of them for small batches; a quarter of
    // a short budget.
    assert_eq!(
        [(9600, 100), (1000, 100), (2700, 32), (500, 100), (50, 1)].map(|(b, n)| updates(b, n)),
        [960, 240, 282, 125, 100]
    );
    let dealt = Allowance::of(3840, &info(100));
    assert_eq!(
        (dealt.usual(), dealt.groups()),
        (1200, vec![3, 2, 5, 5, 5, 5])
    );
    let dealt = Allowance::of(400, &info(100));
    assert_eq!((dealt.usual(), dealt.groups()), (386, vec![3, 2, 3]));
}

#[test]
fn the_same_probes_are_made_whatever_the_budget() {
    let lengths = [2400, 4800, 9600, 19_200, 38_400];
    let lengths = lengths.map(|budget| Allowance::new(budget, 0.1, &info(100)).probe);
    assert_eq!(lengths, [40; 5]);
    // Three of the rates again, where all five cannot be paid.
    let reading = read(START, 400, trough(0.01, 2.0));
    let again = reading.probes.iter().filter(|r| r.probe.repeat == 1);
    assert_eq!(again.count(), 3);
}

#[test]
fn slow_problems_have_longer_probes_if_the_updates_allow() {
    // The loss falls by a tenth in 40 updates, by a half in 160.
    let slow = |probe: Probe| {
        let learnt = if probe.updates < 160 { 0.1 } else { 0.5 };
        let off = (probe.lr / 0.01).ln() / 2.0;
        Some(2.3 * (1.0 - learnt * (-off * off).exp()))
    };
    let longest = |updates| {
        let probes = read(START, updates, slow).probes;
        probes.iter().map(|r| r.probe.updates).max()
    };
    assert_eq!(
        [300, 750, 2000, 4000].map(longest),
        [40, 80, 160, 160].map(Some)
    );
    let taught = Start {
        given_weights: true,
        ..START
    };
    let probes = read(taught, 4000, slow).probes;
    assert!(probes.iter().all(|r| r.probe.updates == 40));
}

proptest! {
    #[test]
    fn nothing_is_spent_that_was_not_granted(
        ln_start in -10.0..0.0_f64,
        ln_best in -10.0..0.0_f64,
        width in 0.3..4.0_f64,
        cliff in -9.0..3.0_f64,
        updates in 100_u64..5000,
    ) {
        let start = Start { lr: ln_start.exp(), ..START };
        let inner = trough(ln_best.exp(), width);
        let loss = |probe: Probe| inner(probe).filter(|_| probe.lr.ln() < cliff);
        let reading = read(start, updates, loss);
        let allowance = Allowance::of(updates, &info(100));
        let spent: u64 = reading.probes.iter().map(|r| r.made).sum();
        prop_assert!(allowance.sweep + spent <= updates + allowance.longer());
        for result in &reading.probes {
            prop_assert_eq!(result.probe.lr.log2().fract(), 0.0);
        }
        if let Ok(bounds) = reading.answer {
            let max = bounds.max_lr;
            prop_assert!(max.interval.low < max.value && max.value < max.interval.high);
            let stood = reading.probes.iter().filter(|r| r.loss.is_none()).map(|r| r.probe.lr);
            prop_assert!(stood.fold(f64::INFINITY, f64::min) >= 2.0 * max.value);
        }
    }

    /// Four times the start and the trough's place is four times the answer.
    #[test]
    fn the_answer_moves_with_the_trough(ln_best in -8.0..-1.0_f64, off in -2.0..2.0_f64, width in 0.5..3.0_f64) {
        let at = |factor: f64| {
            let start = Start { lr: factor * (ln_best + off).exp(), ..START };
            read(start, 1500, trough(factor * ln_best.exp(), width)).answer.unwrap().max_lr.value
        };
        let ratio = at(4.0) / at(1.0);
        prop_assert!((ratio / 4.0).ln().abs() < 1e-6, "{ratio}");
    }
}
