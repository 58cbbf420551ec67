//! What holds for every schedule, over random specs.
#![expect(clippy::unwrap_used, reason = "an integration test")]

use cyclr::policy::{Completion, Policy};
use cyclr::units::{Horizon, Length, Percent};
use cyclr::{Error, Schedule, Spec, SpecErrorKind};
use proptest::prelude::*;

fn rate() -> impl Strategy<Value = f64> {
    (-7.0..1.0).prop_map(|e: f64| 10f64.powf(e))
}

fn length() -> impl Strategy<Value = String> {
    prop_oneof![
        (1..400u32).prop_map(|n| n.to_string()),
        (1..40u32).prop_map(|n| format!("{n}ep")),
        (1..400u32).prop_map(|n| format!("{}%", f64::from(n) / 10.0)),
    ]
}

/// The text of a wave's arguments.
fn wave() -> impl Strategy<Value = String> {
    let halves = prop_oneof![
        length().prop_map(|s| format!("step={s}")),
        (length(), length()).prop_map(|(up, down)| format!("up={up}, down={down}")),
    ];
    let momentum = prop_oneof![
        Just(String::new()),
        Just(String::from(", momentum=0.85..0.95"))
    ];
    (rate(), 1.0..10.0, halves, momentum).prop_map(|(base, ratio, halves, momentum)| {
        format!("base={base}, max={}, {halves}{momentum}", base * ratio)
    })
}

/// The text of one policy.
fn policy() -> impl Strategy<Value = String> {
    let lr = rate;
    prop_oneof![
        lr().prop_map(|lr| format!("fixed(lr={lr})")),
        (lr(), 0.01..1.0, length())
            .prop_map(|(lr, g, s)| format!("step(lr={lr}, gamma={g}, every={s})")),
        (lr(), 0.01..1.0)
            .prop_map(|(lr, g)| format!("multistep(lr={lr}, gamma={g}, at=[3, 8, 9])")),
        (lr(), 0.9..1.0).prop_map(|(lr, g)| format!("exponential(lr={lr}, gamma={g})")),
        (lr(), 0.001..1.0, 0.1..3.0)
            .prop_map(|(lr, g, p)| format!("inv(lr={lr}, gamma={g}, power={p})")),
        (lr(), length()).prop_map(|(lr, at)| format!("sigmoid(lr={lr}, gamma=-0.1, at={at})")),
        (lr(), 0.1..3.0).prop_map(|(lr, p)| format!("poly(lr={lr}, power={p})")),
        (lr(), lr()).prop_map(|(lr, end)| format!("linear(lr={lr}, end={end}, warmup=5%)")),
        lr().prop_map(|lr| format!("cosine(lr={lr}, warmup=3)")),
        (lr(), length(), 1..4u32).prop_map(|(lr, s, m)| format!(
            "cosine_restarts(max={lr}, min=0, period={s}, mult={m})"
        )),
        lr().prop_map(|lr| format!("wsd(lr={lr}, cooldown=30%, shape=cos)")),
        lr().prop_map(|lr| format!("rex(lr={lr})")),
        wave().prop_map(|w| format!("triangular({w})")),
        wave().prop_map(|w| format!("triangular2({w})")),
        (wave(), 0.99..1.0).prop_map(|(w, g)| format!("exp_range({w}, gamma={g})")),
        (wave(), 0.99..1.0).prop_map(|(w, g)| format!("exp_range({w}, gamma={g}, decays=bounds)")),
        (lr(), 2..3u32)
            .prop_map(|(lr, p)| format!("one_cycle(max={lr}, phases={p}, momentum=0.85..0.95)")),
        (lr(), length())
            .prop_map(|(lr, s)| format!("one_cycle_smith(base={}, max={lr}, step={s})", lr / 10.0)),
    ]
}

/// The text of a whole spec for a run that is long enough.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        policy(),
        policy().prop_map(|p| format!("warmup(4%) then {p}")),
        (policy(), 2..40u32, policy())
            .prop_map(|(a, percent, b)| format!("{a} for {percent}% then {b}")),
        (policy(), policy(), policy()).prop_map(|(a, b, c)| format!(
            "{a} for 30% then warmup(1%) then {b} for 29% then {c} for 40%"
        )),
        (policy(), 2..5u32, gamma()).prop_map(|(a, times, gamma)| format!(
            "({a} for {}%) x {times}{gamma}",
            100.0 / f64::from(times)
        )),
        (policy(), policy(), policy(), gamma()).prop_map(|(a, b, c, gamma)| format!(
            "(warmup(1%) then {a} for 19% then {b} for 20%) x 2{gamma} then {c}"
        )),
    ]
}

/// The text of a factor for each time of a repeat, or none.
fn gamma() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        (0.1..1.0).prop_map(|gamma| format!(" gamma={gamma}")),
    ]
}

fn run(updates: u64) -> Horizon {
    Horizon::of_updates(updates)
        .unwrap()
        .with_epoch(100, 7)
        .unwrap()
}

fn schedule(text: &str, updates: u64) -> Schedule {
    text.parse::<Spec>()
        .unwrap_or_else(|e| panic!("{e}"))
        .schedule(&run(updates))
        .unwrap()
}

/// The largest and the smallest rate that the numbers of a spec's text allow.
fn bounds(text: &str) -> (f64, f64) {
    let numbers = |key: &str| -> Vec<f64> {
        let found = text
            .match_indices(key)
            .filter(|(at, _)| !text[..*at].ends_with(char::is_alphabetic));
        let value = |at: usize| {
            text[at + key.len()..]
                .split([',', ')'])
                .next()
                .unwrap()
                .parse()
                .unwrap()
        };
        found.map(|(at, _)| value(at)).collect()
    };
    let highs: Vec<f64> = ["lr=", "max=", "end="]
        .iter()
        .flat_map(|key| numbers(key))
        .collect();
    (0.0, highs.into_iter().fold(0.0, f64::max))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn rates_stay_within_their_bounds_at_every_update(text in text(), updates in 500..3000u64, far: u64) {
        let (low, high) = bounds(&text);
        let schedule = schedule(&text, updates);
        for update in (0..updates + 5).chain([far, u64::MAX - 1, u64::MAX]) {
            let hyper = schedule.at(update);
            prop_assert!(hyper.lr >= low && hyper.lr <= high * (1.0 + 1e-12), "{text} at {update}: {hyper:?}");
            if let Some(momentum) = hyper.momentum {
                prop_assert!((0.85 - 1e-12..=0.95 + 1e-12).contains(&momentum), "{text} at {update}: {hyper:?}");
            }
        }
    }

    #[test]
    fn past_the_end_the_value_at_the_end_holds(text in text(), updates in 500..3000u64, past: u64) {
        let schedule = schedule(&text, updates);
        prop_assert_eq!(schedule.at(updates.saturating_add(past)), schedule.at(updates));
    }

    #[test]
    fn the_curve_and_at_agree(text in text(), updates in 500..2000u64) {
        let schedule = schedule(&text, updates);
        prop_assert!(schedule.curve().enumerate().all(|(i, hyper)| hyper == schedule.at(i as u64)));
        prop_assert_eq!(schedule.curve().count() as u64, updates);
    }

    #[test]
    fn a_spec_prints_back_as_itself(text in text()) {
        let spec: Spec = text.parse().unwrap();
        let printed = spec.to_string();
        prop_assert_eq!(&printed.parse::<Spec>().unwrap(), &spec);
        prop_assert_eq!(printed.parse::<Spec>().unwrap().to_string(), printed);
    }

    #[test]
    fn at_twice_the_peak_every_rate_is_double_and_momentum_the_same(text in text(), updates in 500..2000u64) {
        let spec: Spec = text.parse().unwrap();
        let doubled = spec.with_peak(2.0 * spec.peak()).unwrap();
        let (single, double) = (spec.schedule(&run(updates)).unwrap(), doubled.schedule(&run(updates)).unwrap());
        for (a, b) in single.curve().zip(double.curve()) {
            prop_assert!((2.0 * a.lr - b.lr).abs() <= 1e-12 * spec.peak(), "{}: {:?} and {:?}", doubled, a, b);
            prop_assert_eq!(a.momentum, b.momentum);
        }
    }

    #[test]
    fn over_a_run_as_long_a_spec_stays_itself(text in text()) {
        let spec: Spec = text.parse().unwrap();
        prop_assert_eq!(&spec.stretched(1.0).unwrap(), &spec);
    }

    #[test]
    fn troughs_rise_within_the_run_and_rates_are_lowest_there(base in rate(), ratio in 1.5..10.0f64, step in 1..300u64, updates in 1..3000u64) {
        let text = format!("triangular(base={base}, max={}, step={step})", base * ratio);
        let schedule = schedule(&text, updates);
        let troughs: Vec<u64> = schedule.troughs().collect();
        prop_assert_eq!(troughs.len() as u64, updates / (2 * step));
        for (k, &trough) in troughs.iter().enumerate() {
            prop_assert_eq!(trough, (k as u64 + 1) * 2 * step);
            prop_assert!((schedule.at(trough).lr - base).abs() <= 1e-12 * base);
        }
    }

    #[test]
    fn fractional_steps_have_their_troughs_rounded_up(tenths in 1..500u64, updates in 1..3000u64) {
        let text = format!("triangular(base=0.1, max=1, step={}%)", tenths as f64 / 10.0);
        // Exact in whole numbers: trough k is at ceil(2·k·tenths·updates / 1000).
        let exact = (1..).map(|k| (2 * k * tenths * updates).div_ceil(1000)).take_while(|&t| t <= updates);
        // Cycles that end within one update share a trough.
        let mut exact: Vec<u64> = exact.collect();
        exact.dedup();
        prop_assert_eq!(schedule(&text, updates).troughs().collect::<Vec<_>>(), exact);
    }

    #[test]
    fn a_repeat_is_its_stages_written_out(a in policy(), b in policy(), times in 2..6u32, gamma in 0.2..1.0f64, updates in 500..3000u64) {
        let percent = 80.0 / f64::from(times);
        let once = format!("{a} for {percent}% then {b} for 3%");
        let rest = 100.0 - f64::from(times) * (percent + 3.0);
        let end = format!("fixed(lr=1) for {rest}%");
        let repeated = schedule(&format!("({once}) x {times} gamma={gamma} then {end}"), updates);
        let written = schedule(&format!("{} then {end}", vec![once; times as usize].join(" then ")), updates);
        let border = |time: u32| (f64::from(time) * (percent + 3.0) * updates as f64 / 100.0 - 1e-6).ceil() as u64;
        for time in 0..times {
            let factor = gamma.powi(time.cast_signed());
            for update in border(time)..border(time + 1) {
                let (one, other) = (repeated.at(update), written.at(update));
                prop_assert!((one.lr - factor * other.lr).abs() <= 1e-12 * one.lr, "{} and {} at {}", one.lr, other.lr, update);
                prop_assert_eq!(one.momentum, other.momentum);
            }
        }
    }

    #[test]
    fn each_time_of_a_repeat_without_cycles_is_one(tenths in 1..250u64, times in 2..5u64, updates in 1000..3000u64) {
        let percent = tenths as f64 / 10.0;
        let text = format!("(fixed(lr=1) for {percent}% then linear(lr=1) for {percent}%) x {times} then fixed(lr=0.1)");
        let spec: Spec = match text.parse() {
            Ok(spec) => spec,
            Err(_) if 2 * tenths * times >= 1000 => return Ok(()),
            Err(error) => panic!("{error}"),
        };
        let schedule = spec.schedule(&run(updates)).unwrap();
        // Exact in whole numbers: the k-th time ends at ceil(2·k·tenths·updates / 1000).
        let ends: Vec<u64> = (1..=times).map(|k| (2 * k * tenths * updates).div_ceil(1000)).collect();
        prop_assert_eq!(schedule.troughs().collect::<Vec<_>>(), ends.clone());
        for update in 0..updates {
            let over = ends.iter().filter(|&&end| end <= update).count() as u64;
            let cycle = schedule.position(update).map(|position| position.cycle);
            prop_assert_eq!(cycle, (over < times).then_some(over), "{}", update);
        }
    }

    #[test]
    fn a_triangle_is_periodic_symmetric_monotone_and_continuous(base in rate(), ratio in 1.0..10.0f64, step in 2..200u64, i in 0..100_000u64) {
        let max = base * ratio;
        let schedule = schedule(&format!("triangular(base={base}, max={max}, step={step})"), 200_000);
        let (here, rounding) = (schedule.at(i).lr, 1e-12 * max);
        prop_assert!((schedule.at(i + 2 * step).lr - here).abs() <= rounding);
        let past = i % (2 * step);
        prop_assert!((schedule.at(2 * step - past).lr - here).abs() <= rounding);
        let slope = schedule.at(i + 1).lr - here;
        let upward = if past < step { slope } else { -slope };
        prop_assert!(upward >= -rounding, "{} at {}", slope, i);
        prop_assert!(slope.abs() <= (max - base) / step as f64 + rounding);
    }

    #[test]
    fn positions_agree_with_troughs(text in wave().prop_map(|w| format!("triangular2({w})")), updates in 500..3000u64) {
        let schedule = schedule(&text, updates);
        let troughs: Vec<u64> = schedule.troughs().collect();
        for update in 0..updates {
            let position = schedule.position(update).unwrap();
            let passed = troughs.iter().filter(|&&trough| trough <= update).count() as u64;
            prop_assert_eq!(position.cycle, passed, "{} at {}", text, update);
            prop_assert!((0.0..=1.0).contains(&position.phase));
        }
    }

    #[test]
    fn the_parser_survives_any_text(text in "\\PC{0,200}") {
        let _ = text.parse::<Spec>().map_err(|error| error.to_string());
    }

    #[test]
    fn the_parser_survives_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = String::from_utf8_lossy(&bytes).parse::<Spec>().map_err(|error| error.to_string());
    }

    #[test]
    fn the_parser_survives_damaged_specs(text in text(), cut in 0..200usize, put in "[ -~]{0,3}", at in 0..200usize) {
        let mut damaged: String = text.chars().take(cut.max(1)).collect();
        let at = damaged.char_indices().nth(at).map_or(damaged.len(), |(i, _)| i);
        damaged.insert_str(at, &put);
        if let Err(error) = damaged.parse::<Spec>() {
            let place = error.place();
            prop_assert!(place.start <= place.end && place.end <= damaged.len());
            prop_assert!(error.to_string().lines().count() == 3);
        }
    }
}

#[test]
fn horizons_of_any_length_are_total() {
    for text in [
        "exponential(lr=1, gamma=0.5)",
        "triangular2(base=0, max=1, step=1)",
        "cosine_restarts(max=1, min=0, period=1, mult=2)",
        "rex(lr=1)",
    ] {
        let run = Horizon::of_updates(cyclr::units::MAX_UPDATES).unwrap();
        let schedule = text.parse::<Spec>().unwrap().schedule(&run).unwrap();
        for update in [0, 1, 1 << 52, (1 << 53) - 1, 1 << 53, u64::MAX] {
            assert!(
                (0.0..=1.0).contains(&schedule.at(update).lr),
                "{text} at {update}"
            );
            assert!(
                schedule
                    .position(update)
                    .is_none_or(|p| (0.0..=1.0).contains(&p.phase))
            );
        }
    }
}

#[test]
fn warm_up_inside_and_in_front_are_the_same() {
    for (inside, front) in [
        ("linear(lr=1, warmup=10%)", "warmup(10%) then linear(lr=1)"),
        (
            "cosine(lr=1, min=0.1, warmup=77)",
            "warmup(77) then cosine(lr=1, min=0.1)",
        ),
        ("wsd(lr=1, warmup=2ep)", "warmup(2ep) then wsd(lr=1)"),
        (
            "wsd(lr=1, cooldown=33%, shape=linear, warmup=10%)",
            "warmup(10%) then wsd(lr=1, cooldown=33%, shape=linear)",
        ),
    ] {
        let (inside, front) = (schedule(inside, 1000), schedule(front, 1000));
        for update in 0..1010 {
            assert!(
                (inside.at(update).lr - front.at(update).lr).abs() < 1e-15,
                "at {update}"
            );
        }
    }
}

#[test]
fn a_bare_name_becomes_the_usual_spec() {
    let with = Completion {
        base_lr: 0.0125,
        max_lr: 0.05,
        step: Length::from(Percent::new(12.5).unwrap()),
    };
    let usual = [
        ("fixed", "fixed(lr=0.05)"),
        ("linear", "linear(lr=0.05, warmup=5%)"),
        ("cosine", "cosine(lr=0.05, warmup=5%)"),
        ("wsd", "wsd(lr=0.05, cooldown=20%, warmup=5%)"),
        ("rex", "rex(lr=0.05)"),
        (
            "triangular",
            "triangular(base=0.0125, max=0.05, step=12.5%)",
        ),
        (
            "triangular2",
            "triangular2(base=0.0125, max=0.05, step=12.5%)",
        ),
        (
            "one_cycle",
            "one_cycle(max=0.05, warmup=30%, div=25, final_div=10000)",
        ),
    ];
    for (name, text) in usual {
        let policy = Policy::complete(name, &with).unwrap().unwrap();
        assert_eq!(Spec::from(policy).to_string(), text);
    }
    for name in Policy::completable() {
        let policy = Policy::complete(name, &with).unwrap().unwrap();
        assert_eq!((policy.name(), Spec::from(policy).peak()), (name, 0.05));
    }
    assert!(Policy::complete("step", &with).is_none());
    let nothing = Completion {
        max_lr: 0.0,
        base_lr: 0.0,
        ..with
    };
    assert!(matches!(
        Policy::complete("one_cycle", &nothing),
        Some(Err(Error::OutOfRange { key: "max", .. }))
    ));
}

#[test]
fn values_out_of_range_are_refused() {
    let kind = |text: &str| text.parse::<Spec>().unwrap_err().kind().clone();
    let out_of_range = |text: &str, name: &str| {
        let kind = kind(text);
        assert!(
            matches!(&kind, SpecErrorKind::Value(Error::OutOfRange { key, .. }) if *key == name),
            "{text}: {kind:?}"
        );
    };
    out_of_range("fixed(lr=-0.1)", "lr");
    out_of_range("fixed(lr=1e999)", "lr");
    out_of_range("step(lr=1, gamma=0, every=1)", "gamma");
    out_of_range("exp_range(base=0, max=1, step=1, gamma=1.01)", "gamma");
    out_of_range("sigmoid(lr=1, gamma=0, at=1)", "gamma");
    out_of_range("triangular(base=0, max=0, step=1)", "max");
    out_of_range("triangular(base=0, max=1, step=1.5)", "step");
    out_of_range("triangular(base=0, max=1, step=-5)", "step");
    out_of_range("triangular(base=0, max=1, step=130%)", "percent");
    out_of_range("one_cycle(max=1, phases=4)", "phases");
    out_of_range(
        "triangular(base=0, max=1, step=1, momentum=0.5..1)",
        "momentum",
    );
    assert!(matches!(
        kind("triangular(base=2, max=1, step=1)"),
        SpecErrorKind::Value(Error::Crossed { .. })
    ));
    assert!(matches!(
        kind("cosine(lr=1, min=2)"),
        SpecErrorKind::Value(Error::Crossed { .. })
    ));
    assert!(matches!(
        kind("triangular(base=0, max=1, step=0)"),
        SpecErrorKind::Value(Error::ZeroLength { .. })
    ));
    assert!(matches!(
        kind("multistep(lr=1, gamma=0.1, at=[])"),
        SpecErrorKind::Value(Error::NotRising { .. })
    ));
    assert!(matches!(
        kind("multistep(lr=1, gamma=0.1, at=[5, 5])"),
        SpecErrorKind::Value(Error::NotRising { .. })
    ));
    assert!(matches!(
        kind("fixed(lr=nan)"),
        SpecErrorKind::WrongKind { .. }
    ));
    assert!(matches!(
        kind("fixed(lr=8ep)"),
        SpecErrorKind::WrongKind { .. }
    ));
    assert!(matches!(
        kind("fixed(lr=1, lr=2)"),
        SpecErrorKind::DoubledKey { .. }
    ));
    assert!(matches!(
        kind("fixed(lr=1, momentum=0.8..0.9)"),
        SpecErrorKind::UnknownKey { .. }
    ));
    assert!(matches!(kind("fixed()"), SpecErrorKind::MissingKey { .. }));
    assert!(matches!(
        kind("triangular(base=0, max=1, step=1, up=1, down=1)"),
        SpecErrorKind::ExcludedKey { .. }
    ));
    assert!(matches!(
        kind("tringular(base=0)"),
        SpecErrorKind::UnknownPolicy {
            nearest: Some("triangular"),
            ..
        }
    ));
    assert!(matches!(
        kind("step(lr=1, gamma=0.1, every=3weeks)"),
        SpecErrorKind::Syntax { .. }
    ));
    assert!(matches!(kind(""), SpecErrorKind::Syntax { .. }));
    assert!(matches!(
        kind(&"x".repeat(1 << 17)),
        SpecErrorKind::TooLong { .. }
    ));
    for text in [
        "fixed(lr=1) then fixed(lr=2)",
        "warmup(10)",
        "warmup(10) then warmup(10) then fixed(lr=1)",
        "fixed(lr=1) for 60% then fixed(lr=2) for 50%",
        "fixed(lr=1) for 60% then fixed(lr=2) for 30%",
        "fixed(lr=1) for 100% then fixed(lr=2)",
    ] {
        assert!(
            matches!(kind(text), SpecErrorKind::Value(Error::Sequence { .. })),
            "{text}"
        );
    }
}

#[test]
fn cycles_that_end_within_one_update_share_a_trough() {
    for step in ["0.1%", "0.24%", "0.0001%"] {
        let schedule = schedule(&format!("triangular(base=0, max=1, step={step})"), 100);
        assert!(schedule.troughs().eq(1..=100), "{step}");
    }
    let text = "cosine_restarts(max=0.1, min=0, period=1184467440737095516160ep, mult=2)";
    assert_eq!(schedule(text, 100).troughs().next(), None);
}

#[test]
fn a_repeat_that_cannot_be_is_refused() {
    let kind = |text: &str| text.parse::<Spec>().unwrap_err().kind().clone();
    let out_of_range = |text: &str, name: &str| {
        let kind = kind(text);
        assert!(
            matches!(&kind, SpecErrorKind::Value(Error::OutOfRange { key, .. }) if *key == name),
            "{text}: {kind:?}"
        );
    };
    out_of_range("(fixed(lr=1) for 10) x 1", "x");
    out_of_range("(fixed(lr=1) for 10) x 1001", "x");
    out_of_range("(fixed(lr=1) for 10) x 2 gamma=0", "gamma");
    out_of_range("(fixed(lr=1) for 10) x 2 gamma=1.1", "gamma");
    assert!(matches!(
        kind("(fixed(lr=1) for 10) x 2.5"),
        SpecErrorKind::WrongKind { .. }
    ));
    for text in [
        "(fixed(lr=1) for 10)",
        "((fixed(lr=1) for 10) x 2 then fixed(lr=1) for 1) x 2",
        "(fixed(lr=1) for 10) x 2 for 30",
        "(fixed(lr=1) for 10 x 2",
        "() x 2",
    ] {
        assert!(
            matches!(kind(text), SpecErrorKind::Syntax { .. }),
            "{text}: {:?}",
            kind(text)
        );
    }
    let many = ["fixed(lr=1) for 1"; 11].join(" then ");
    for text in [
        "(fixed(lr=1)) x 2",
        "(warmup(10)) x 2 then fixed(lr=1)",
        "(fixed(lr=1) for 10 then warmup(10)) x 2 then fixed(lr=1)",
        "warmup(10) then (warmup(10) then fixed(lr=1) for 10) x 2",
        "(fixed(lr=1) for 30%) x 4",
        "(fixed(lr=1) for 30%) x 3",
        "(fixed(lr=1) for 50%) x 2 then fixed(lr=1)",
        &format!("({many}) x 1000"),
    ] {
        assert!(
            matches!(kind(text), SpecErrorKind::Value(Error::Sequence { .. })),
            "{text}"
        );
    }
}

#[test]
fn lengths_that_do_not_fit_the_run_are_refused() {
    let refuse = |text: &str| {
        text.parse::<Spec>()
            .unwrap()
            .schedule(&Horizon::of_updates(100).unwrap())
            .unwrap_err()
    };
    assert!(matches!(
        refuse("fixed(lr=1) for 50 then fixed(lr=2) for 51"),
        Error::Unfilled { .. }
    ));
    assert!(matches!(
        refuse("fixed(lr=1) for 50 then fixed(lr=2) for 49"),
        Error::Unfilled { .. }
    ));
    assert!(matches!(
        refuse("fixed(lr=1) for 100 then fixed(lr=2)"),
        Error::EmptyStage { stage: 2, .. }
    ));
    assert!(matches!(
        refuse("fixed(lr=1) for 120 then fixed(lr=2)"),
        Error::Unfilled { .. }
    ));
    assert!(matches!(
        refuse("triangular(base=0, max=1, step=2ep)"),
        Error::UnknownEpoch { .. }
    ));
    assert!(matches!(
        refuse("linear(lr=1, warmup=100)"),
        Error::TooLong { .. }
    ));
    assert!(matches!(
        refuse("wsd(lr=1, cooldown=60, warmup=50)"),
        Error::TooLong { .. }
    ));
    assert!(matches!(
        refuse("one_cycle(max=1, warmup=60%, phases=3)"),
        Error::TooLong { .. }
    ));
    assert!(matches!(
        refuse("exponential(lr=1, gamma=1e300)"),
        Error::Overflow { .. }
    ));
    assert!(matches!(
        refuse("multistep(lr=1, gamma=0.1, at=[70, 60%])"),
        Error::NotRising { .. }
    ));
}

#[test]
fn serde_reads_and_writes_the_same_text_and_nothing_invalid() {
    let spec: Spec = serde_json::from_str("\"triangular(base=0.1, max=1, step=5)\"").unwrap();
    assert_eq!(
        serde_json::to_string(&spec).unwrap(),
        "\"triangular(base=0.1, max=1, step=5)\""
    );
    let refused =
        serde_json::from_str::<Spec>("\"triangular(base=2, max=1, step=5)\"").unwrap_err();
    assert!(
        refused.to_string().contains("base = 2 is above max = 1"),
        "{refused}"
    );
}
