//! Where stages, periods, drops and warm-ups begin, by exact arithmetic on whole numbers.
#![expect(clippy::unwrap_used, reason = "an integration test")]

use cyclr::{Error, Schedule, Spec, units::Horizon};
use proptest::prelude::*;

fn try_schedule(text: &str, updates: u64) -> Result<Schedule, Error> {
    let spec: Spec = text.parse().unwrap_or_else(|e| panic!("{e}"));
    spec.schedule(&Horizon::of_updates(updates).unwrap())
}

fn schedule(text: &str, updates: u64) -> Schedule {
    try_schedule(text, updates).unwrap_or_else(|e| panic!("{text} over {updates}: {e}"))
}

/// The `k` for which `k` times a length of `tenths` of a per cent is a whole number of updates,
/// with that number.
fn whole_multiples(tenths: u64, updates: u64) -> impl Iterator<Item = (u64, u64)> {
    (1..60)
        .filter(move |k| (k * tenths * updates).is_multiple_of(1000))
        .map(move |k| (k, k * tenths * updates / 1000))
        .take_while(move |&(_, i)| i <= updates)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whole_multiples_of_a_length_in_per_cent_are_borders(tenths in 1..1000u64, updates in 2..100_000u64) {
        let percent = tenths as f64 / 10.0;
        let restarts = schedule(&format!("cosine_restarts(max=1, min=0, period={percent}%)"), updates);
        let step = schedule(&format!("step(lr=1, gamma=0.5, every={percent}%)"), updates);
        let wave = schedule(&format!("triangular(base=0, max=1, step={percent}%)"), updates);
        let smith = schedule(&format!("one_cycle_smith(base=0.1, max=1, step={percent}%)"), updates);
        for (k, i) in whole_multiples(tenths, updates) {
            prop_assert_eq!(restarts.at(i).lr, 1.0, "restart {} at {}", k, i);
            prop_assert!(restarts.troughs().any(|trough| trough == i));
            prop_assert_eq!(step.at(i).lr, 0.5_f64.powi(k as i32), "drop {} at {}", k, i);
            prop_assert!((wave.at(i).lr - (k % 2) as f64).abs() < 1e-12, "turn {} at {}", k, i);
            if k == 2 {
                prop_assert_eq!(smith.at(i).lr, 0.0001, "the tail from {}", i);
            }
        }
    }

    #[test]
    fn a_cooldown_of_whole_updates_starts_at_the_full_rate(cooldown in prop::sample::select(vec![5, 10, 20, 25]), warmup in 1..200u64, twenties in 1..1000u64) {
        let updates = 20 * twenties;
        let text = format!("wsd(lr=1, warmup={}%, cooldown={cooldown}%)", warmup as f64 / 10.0);
        let start = updates - cooldown * updates / 100;
        prop_assert!((schedule(&text, updates).at(start).lr - 1.0).abs() < 1e-12, "{} at {}", text, start);
    }

    #[test]
    fn a_warm_up_inside_is_one_in_front(tenths in 1..1000u64, updates in 2..3000u64, after in prop::sample::select(vec!["linear(lr=1", "linear(lr=1, end=0.2", "cosine(lr=1", "wsd(lr=1", "wsd(lr=1, cooldown=7%, shape=cos"])) {
        let percent = tenths as f64 / 10.0;
        let inside = try_schedule(&format!("{after}, warmup={percent}%)"), updates);
        let front = try_schedule(&format!("warmup({percent}%) then {after})"), updates);
        prop_assert_eq!(inside.is_ok(), front.is_ok(), "{:?} and {:?}", inside, front);
        if let (Ok(inside), Ok(front)) = (inside, front) {
            prop_assert!(inside.curve().eq(front.curve()), "{}, {}%, {}", after, percent, updates);
        }
    }

    #[test]
    fn drops_in_per_cent_count_from_the_start_of_the_run(warmup in 1..400u64, drop in 1..=1000u64, updates in 10..20_000u64) {
        let text = format!("warmup({}%) then multistep(lr=1, gamma=0.5, at=[{}%])", warmup as f64 / 10.0, drop as f64 / 10.0);
        let first = (drop * updates).div_ceil(1000);
        let warm = (warmup * updates).div_ceil(1000);
        match try_schedule(&text, updates) {
            Ok(schedule) => {
                prop_assert_eq!(schedule.at(first).lr, 0.5, "{} of {}", text, updates);
                prop_assert!(first <= warm || schedule.at(first - 1).lr == 1.0, "{} of {}", text, updates);
            }
            // In the warm-up.
            Err(Error::Outside { .. }) => prop_assert!(drop * updates < 1000 * warm, "{} of {}", text, updates),
            Err(Error::EmptyStage { .. }) => prop_assert_eq!(warm, updates),
            Err(error) => prop_assert!(false, "{}", error),
        }
    }
}

#[test]
fn drops_are_where_the_spec_says() {
    // (spec, the updates of 100 at which the rate drops)
    for (text, drops) in [
        ("multistep(lr=1, gamma=0.1, at=[50%, 75%])", vec![50, 75]),
        (
            "warmup(10%) then multistep(lr=1, gamma=0.1, at=[50%, 75%])",
            vec![50, 75],
        ),
        (
            "warmup(10%) then multistep(lr=1, gamma=0.1, at=[95%])",
            vec![95],
        ),
        (
            "warmup(10) then multistep(lr=1, gamma=0.1, at=[50])",
            vec![60],
        ),
        // In a stage: of the stage, from its start.
        (
            "fixed(lr=1) for 40% then multistep(lr=1, gamma=0.1, at=[50%])",
            vec![70],
        ),
        (
            "fixed(lr=1) for 20% then warmup(10%, from=1) then multistep(lr=1, gamma=0.1, at=[50%])",
            vec![60],
        ),
    ] {
        let schedule = schedule(text, 100);
        let rates: Vec<f64> = schedule.curve().map(|hyper| hyper.lr).collect();
        let found: Vec<usize> = (1..100).filter(|&i| rates[i] < rates[i - 1]).collect();
        assert_eq!(found, drops, "{text}");
    }
}

#[test]
fn drops_that_never_come_are_refused() {
    for text in [
        "multistep(lr=1, gamma=0.1, at=[50, 101])",
        "warmup(10) then multistep(lr=1, gamma=0.1, at=[91])",
        "warmup(10%) then multistep(lr=1, gamma=0.1, at=[5%])",
        "multistep(lr=1, gamma=0.1, at=[60]) for 50% then fixed(lr=1)",
    ] {
        let refused = try_schedule(text, 100).unwrap_err();
        assert!(
            matches!(refused, Error::Outside { key: "at", .. }),
            "{text}: {refused}"
        );
    }
    let refused = try_schedule(
        "warmup(10) then multistep(lr=1, gamma=0.1, at=[80, 95])",
        100,
    );
    assert_eq!(
        refused.unwrap_err().to_string(),
        "at = 95 is at update 105, and the policy has the updates from 10 to 100: give a place among them"
    );
}

/// What the docs say of a warm-up without a way up, and of one that takes the whole run.
#[test]
fn a_one_cycle_without_a_way_up_or_down() {
    let values = |more: &str, updates: u64| {
        let text = format!("one_cycle(max=1, div=10, final_div=10, anneal=linear, {more})");
        let schedule = schedule(&text, updates);
        [0, updates - 1, updates, updates + 7].map(|i| schedule.at(i).lr)
    };
    let end = [1.0, 0.01, 0.01, 0.01];
    for (more, updates, right) in [
        ("warmup=1", 10, end),
        ("warmup=0", 10, end),
        ("warmup=10%", 10, end),
        ("warmup=1, phases=3", 10, end),
        ("warmup=10", 10, [0.1, 1.0, 1.0, 1.0]),
        ("warmup=1", 1, [1.0; 4]),
        ("warmup=30%", 1, [1.0; 4]),
        // The foot is at 2 · 5.5 - 2 = 9.
        ("warmup=50%, phases=3", 10, [0.1, 0.01, 0.01, 0.01]),
    ] {
        for (found, right) in values(more, updates).into_iter().zip(right) {
            assert!((found - right).abs() < 1e-12, "{more}: {found}");
        }
    }
}

#[test]
fn a_one_cycle_may_end_above_its_start_but_not_above_its_maximum() {
    let text = "one_cycle(max=0.001, warmup=2%, div=100, final_div=0.1)";
    let schedule = schedule(text, 1000);
    assert!((schedule.at(0).lr - 1e-5).abs() < 1e-17);
    assert!((schedule.at(999).lr - 1e-4).abs() < 1e-16);
    assert!(
        "one_cycle(max=1, div=10, final_div=0.09)"
            .parse::<Spec>()
            .is_err()
    );
}

#[test]
fn a_description_says_what_per_cent_are_of() {
    let describe = |text: &str| text.parse::<Spec>().unwrap().describe();
    assert_eq!(
        describe("warmup(10%) then multistep(lr=1, gamma=0.1, at=[50%, 75%])"),
        "a warm-up from 0 over 10 % of the run; then the rate starts at 1 and is multiplied by 0.1 \
         at 50 % of the run, at 75 % of the run"
    );
    assert_eq!(
        describe("fixed(lr=1) for 40% then multistep(lr=1, gamma=0.1, at=[50%])"),
        "for 40 % of the run, the rate stays at 1; then the rate starts at 1 and is multiplied by 0.1 \
         at 50 % of the stage"
    );
    assert_eq!(
        describe("multistep(lr=1, gamma=0.1, at=[50, 2ep])"),
        "the rate starts at 1 and is multiplied by 0.1 after 50 updates, after 2 epochs"
    );
}

#[test]
fn lengths_within_the_rounding_of_borders_are_no_lengths() {
    // 1e-25 % of 2^53 updates are 9e-12 of one: more cycles than can be counted.
    for text in [
        "triangular(base=0, max=1, step=1e-25%)",
        "cosine_restarts(max=1, min=0, period=1e-25%)",
        "step(lr=1, gamma=0.5, every=1e-25%)",
    ] {
        let refused = try_schedule(text, 1 << 53);
        let key = text.split(['(', ' ', '=']).rev().nth(1).unwrap();
        let message = refused.unwrap_err().to_string();
        assert!(message.starts_with(&format!("{key} = 1e-25%")), "{message}");
    }
    // Periods far below an update, and more of them than doubles can tell apart.
    let restarts = "cosine_restarts(max=1, min=0, period=2e-17%, mult=1.0000000000000002)";
    let schedule = schedule(restarts, 1 << 53);
    for update in [1, 1 << 30, (1 << 52) + 1, 1 << 53] {
        let (lr, phase) = (
            schedule.at(update).lr,
            schedule.position(update).unwrap().phase,
        );
        assert!(
            (0.0..=1.0).contains(&lr) && (0.0..=1.0).contains(&phase),
            "{lr} {phase}"
        );
    }
}

#[test]
fn the_smallest_rates_do_not_fall_below_0() {
    let text = "one_cycle(max=1.5e-323, div=1e300)";
    assert!(schedule(text, 100).curve().all(|hyper| hyper.lr >= 0.0));
}

/// Numbers stand in messages as the grammar writes them, with an exponent rather than with hundreds of zeros.
#[test]
fn errors_write_numbers_as_specs_do() {
    let says = |text: &str| text.parse::<Spec>().unwrap_err().kind().to_string();
    assert!(says("fixed(lr=-1e300)").starts_with("lr = -1e300 is out of range"));
    assert!(says("fixed(lr=-1e-300)").starts_with("lr = -1e-300 is out of range"));
    assert!(
        says("triangular(base=2e200, max=1e200, step=5)")
            .starts_with("base = 2e200 is above max = 1e200")
    );
    assert!(says("fixed(lr=-2)").starts_with("lr = -2 is out of range"));
}
