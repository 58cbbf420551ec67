//! Arms that are not paired, what pairing is worth, and what test examples explain, against tables
//! of scipy and statsmodels (golden/stats).
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails it by panicking"
)]

use cyclr::{
    stats::{
        Comparison, ExampleSpread, Obstacle, Paired, Pairing, Rules, StatsError, Summary, Verdict,
        Welch, compare, compare_family,
    },
    trainer::Direction,
};
use proptest::prelude::*;
use serde_json::Value;

const RULES: Rules = Rules::new(0.5, Direction::Higher);

/// Test examples of the simulated nets.
const EXAMPLES: usize = 200;

fn table(name: &str) -> Vec<Value> {
    let text = include_str!("../../../golden/stats/tables.json");
    let tables: Value = serde_json::from_str(text).unwrap();
    tables[name].as_array().unwrap().clone()
}

fn number(row: &Value) -> f64 {
    row.as_f64().unwrap()
}

fn numbers(row: &Value) -> Vec<f64> {
    row.as_array().unwrap().iter().map(number).collect()
}

#[track_caller]
fn check(what: &str, got: f64, want: f64, relative: f64) {
    let off = (got - want).abs();
    assert!(
        got == want || off <= relative * want.abs(),
        "{what}: got {got}, want {want}, off by {:e} of it",
        off / want.abs()
    );
}

fn unpaired(arms: &[&[f64]], reference: &[f64], rules: Rules) -> Vec<Comparison> {
    let family: Vec<Pairing> = arms
        .iter()
        .map(|arm| Pairing::Unpaired(Welch::new(arm, reference).unwrap()))
        .collect();
    compare_family(&family, rules).unwrap()
}

#[test]
fn unpaired_families_equal_scipy_and_statsmodels() {
    let mut seen = [0; 4];
    for row in table("unpaired_families") {
        let arms: Vec<Vec<f64>> = row["arms"]
            .as_array()
            .unwrap()
            .iter()
            .map(numbers)
            .collect();
        let arms: Vec<&[f64]> = arms.iter().map(Vec::as_slice).collect();
        let reference = numbers(&row["reference"]);
        let margin = number(&row["margin"]);
        let found = unpaired(&arms, &reference, Rules { margin, ..RULES });
        for (i, comparison) in found.iter().enumerate() {
            let want = |name: &str| number(&row[name][i]);
            check_comparison(comparison, want);
            let difference = comparison.difference;
            assert_eq!(
                (difference.n, difference.reference_n),
                (arms[i].len(), Some(reference.len()))
            );
            assert_eq!(comparison.correlation, None);
            let verdict = match comparison.verdict {
                Verdict::Better => 0,
                Verdict::Worse => 1,
                Verdict::Equivalent => 2,
                Verdict::Undecided(_) => 3,
            };
            let expected = if want("holm") < 0.05 {
                usize::from(want("t") < 0.0)
            } else if want("tost_holm") < 0.05 {
                2
            } else {
                3
            };
            assert_eq!(verdict, expected);
            seen[verdict] += 1;
        }
    }
    assert!(
        seen.iter().all(|&cases| cases >= 3),
        "verdicts in the table: {seen:?}"
    );
}

fn check_comparison(comparison: &Comparison, want: impl Fn(&str) -> f64) {
    let (t, tost) = (comparison.t_test.unwrap(), comparison.tost.unwrap());
    let interval = comparison.difference.interval.unwrap();
    // The differences of means near 71 have lost two digits before any test sees them.
    check("t", t.statistic, want("t"), 1e-10);
    check("df", t.df, want("df"), 1e-10);
    check("p", t.p, want("p"), 1e-10);
    check("low", interval.low, want("low"), 1e-9);
    check("high", interval.high, want("high"), 1e-9);
    check("holm", comparison.adjusted_p, want("holm"), 1e-10);
    check("p below", tost.p_below, want("p_below"), 1e-9);
    check("p above", tost.p_above, want("p_above"), 1e-9);
    check("tost", tost.p, want("tost"), 1e-9);
    let adjusted = comparison.adjusted_tost_p;
    check("tost holm", adjusted, want("tost_holm"), 1e-9);
    assert_eq!(comparison.within_margin, want("tost_holm") < 0.05);
}

/// The exact power is Student's with equal variances; a margin far below the spread leaves the
/// decision to the test for a difference.
#[test]
fn unpaired_seeds_equal_the_exact_power_within_one() {
    let rows = table("unpaired_seeds");
    assert!(rows.len() >= 3);
    for row in rows {
        let (arm, reference) = (numbers(&row["arm"]), numbers(&row["reference"]));
        let rules = Rules {
            margin: 1e-6,
            ..RULES
        };
        let found = unpaired(&[&arm], &reference, rules)[0].verdict;
        let Verdict::Undecided(Obstacle::TooFewSeeds(seeds)) = found else {
            panic!("{found:?}");
        };
        let more = arm.len().min(reference.len()) as u64 + 1;
        for (got, exact) in [(seeds.low, &row["low"]), (seeds.high, &row["high"])] {
            let exact = exact.as_u64().unwrap().max(more);
            assert!(got.abs_diff(exact) <= 1, "{got}, exact {exact}");
        }
    }
}

#[test]
fn correlations_equal_scipy() {
    for row in table("correlations") {
        let pair = Paired::new(&numbers(&row["arm"]), &numbers(&row["reference"])).unwrap();
        let found = pair.correlation().unwrap();
        let interval = found.interval.unwrap();
        check("r", found.r, number(&row["r"]), 1e-11);
        check("low", interval.low, number(&row["low"]), 1e-10);
        check("high", interval.high, number(&row["high"]), 1e-10);
    }
}

#[test]
fn no_correlation_is_made_up() {
    let of = |arm: &[f64], reference: &[f64]| Paired::new(arm, reference).unwrap().correlation();
    assert_eq!(of(&[1.0, 2.0], &[3.0, 5.0]), None);
    assert_eq!(of(&[0.1; 5], &[3.0, 5.0, 1.0, 0.0, 2.0]), None);
    let three = of(&[1.0, 2.0, 4.0], &[2.0, 1.0, 3.0]).unwrap();
    assert_eq!(three.interval, None);
    let line = of(&[1.0, 2.0, 3.0, 4.0], &[-1.0, -2.0, -3.0, -4.0]).unwrap();
    check("r", line.r, -1.0, 1e-14);
    assert!(line.interval.is_none_or(|i| i.high < -0.999));
}

#[test]
fn example_spreads_equal_scipy() {
    for row in table("example_spreads") {
        let [examples, p, sd] = numbers(&row)[..] else {
            panic!("{row}")
        };
        let sample = Summary::of(&[100.0 * p - 0.5, 100.0 * p + 0.5]).unwrap();
        let found = ExampleSpread::of(&sample, 100.0, examples as u64).unwrap();
        check("sd", found.sd, 100.0 * sd, 1e-12);
        let variance = sample.sd.unwrap().powi(2);
        let share = found.sd.powi(2) / (found.sd.powi(2) + variance);
        check("share", found.share.unwrap(), share, 1e-12);
    }
    let of =
        |values: &[f64], examples| ExampleSpread::of(&Summary::of(values).unwrap(), 1.0, examples);
    assert_eq!(of(&[0.9], 10).unwrap().share, None);
    assert_eq!(of(&[1.0, 1.0], 10).unwrap().share, None);
    for refused in [of(&[0.9], 0), of(&[1.5], 10), of(&[-0.1], 10)] {
        assert!(matches!(refused, Err(StatsError::Range { .. })));
    }
}

/// By simulation: of nets that are right on each example of a population with chances of their own,
/// the examples' part of the variance is at least the part that is said.
#[test]
fn the_examples_part_is_a_lower_limit() {
    let mut state = 7_u64;
    let mut uniform = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let chances = |uniform: &mut dyn FnMut() -> f64| -> Vec<f64> {
        (0..EXAMPLES).map(|_| uniform().powf(0.2)).collect()
    };
    let accuracy = |chances: &[f64], uniform: &mut dyn FnMut() -> f64| {
        let skill = 0.04 * (uniform() - 0.5);
        let right = chances.iter().filter(|&&chance| uniform() < chance + skill);
        100.0 * right.count() as f64 / EXAMPLES as f64
    };
    let fixed = chances(&mut uniform);
    let same: Vec<f64> = (0..4000).map(|_| accuracy(&fixed, &mut uniform)).collect();
    let fresh: Vec<f64> = (0..4000)
        .map(|_| {
            let drawn = chances(&mut uniform);
            accuracy(&drawn, &mut uniform)
        })
        .collect();
    let same = Summary::of(&same).unwrap();
    let said = ExampleSpread::of(&same, 100.0, EXAMPLES as u64).unwrap();
    let total = Summary::of(&fresh).unwrap().sd.unwrap().powi(2);
    // 0.04·(u - 1/2) has the variance 0.04²/12, in points below.
    let of_nets = (4.0 / 12.0_f64.sqrt()).powi(2);
    let part = 1.0 - of_nets / total;
    let share = said.share.unwrap();
    assert!(share < part + 0.02, "said {share}, true {part}");
    assert!(share > 0.5 * part, "said {share}, true {part}");
}

#[test]
fn what_cannot_be_tested_is_undecided() {
    let verdict = |arm: &[f64], reference: &[f64]| unpaired(&[arm], reference, RULES)[0];
    let values = [70.0, 71.0, 72.0];
    for (arm, reference) in [(&[71.0][..], &values[..]), (&values, &[71.0])] {
        let found = verdict(arm, reference);
        assert_eq!(found.verdict, Verdict::Undecided(Obstacle::OneSeed));
        assert_eq!(found.difference.interval, None);
        assert_eq!((found.adjusted_p, found.t_test), (1.0, None));
    }
    // 0.1 three times has a mean that is off in the last bit.
    let found = verdict(&[0.1; 3], &[0.3; 6]);
    assert_eq!(found.verdict, Verdict::Undecided(Obstacle::NoSpread));
    assert_eq!(found.difference.interval, None);
    // One side that varies is enough.
    let found = verdict(&[0.1; 3], &values);
    assert_eq!(found.verdict, Verdict::Worse);
}

#[test]
fn numbers_at_the_ends_of_their_range_are_tested() {
    let found = unpaired(&[&[1e100, -1e100, 9e99]], &[-1e100, 1e100], RULES);
    assert!(found[0].t_test.unwrap().p.is_finite());
    let found = unpaired(&[&[1e-90, 2e-90]], &[3e-90, 9e-90, 4e-90], RULES);
    assert!(found[0].t_test.unwrap().p.is_finite());
    let refused = Welch::new(&[1.0, f64::NAN], &[1.0]);
    assert!(matches!(
        refused,
        Err(StatsError::NotFinite { index: 1, .. })
    ));
    assert!(matches!(
        Welch::new(&[], &[1.0]),
        Err(StatsError::TooFew { n: 0, .. })
    ));
}

/// A hundred thousand values on each side: the mean of 0..n is known, and so is its variance.
#[test]
fn large_samples_are_tested() {
    let arm: Vec<f64> = (0..100_000).map(f64::from).collect();
    let reference: Vec<f64> = arm.iter().map(|x| x + 1000.0).collect();
    let found = unpaired(&[&arm], &reference, RULES)[0];
    let n = 100_000.0_f64;
    let error = ((n * n - 1.0) / 12.0 / (n - 1.0) * 2.0).sqrt();
    check("t", found.t_test.unwrap().statistic, -1000.0 / error, 1e-11);
    check("df", found.t_test.unwrap().df, 2.0 * (n - 1.0), 1e-11);
    assert_eq!(found.verdict, Verdict::Worse);
}

/// A family may have arms of both kinds: each keeps its own test, and Holm counts them all.
#[test]
fn paired_and_unpaired_arms_are_one_family() {
    let reference = [71.0, 72.0, 71.5, 70.9];
    let arm = [71.4, 72.5, 71.8, 71.4];
    let family = [
        Pairing::BySeed(Paired::new(&arm, &reference).unwrap()),
        Pairing::Unpaired(Welch::new(&arm, &reference).unwrap()),
    ];
    let both = compare_family(&family, RULES).unwrap();
    let alone = compare(&reference, &[&arm], RULES).unwrap()[0];
    assert_eq!(both[0].t_test, alone.t_test);
    assert_eq!(both[0].adjusted_p, 2.0 * alone.adjusted_p);
    assert!(both[0].difference.is_paired() && !both[1].difference.is_paired());
    check(
        "mean",
        both[0].difference.mean,
        both[1].difference.mean,
        1e-12,
    );
    // The values go up and down together: pairing narrows the interval.
    assert!(both[0].correlation.unwrap().r > 0.9);
    let width = |c: &Comparison| c.difference.interval.unwrap().high - c.difference.mean;
    assert!(width(&both[0]) < 0.5 * width(&both[1]));
}

proptest! {
    #[test]
    fn swapping_the_arms_mirrors_the_difference(
        arm in prop::collection::vec(-10.0..10.0, 2..9), reference in prop::collection::vec(-10.0..10.0, 2..9),
    ) {
        let there = Welch::new(&arm, &reference).unwrap();
        let back = Welch::new(&reference, &arm).unwrap();
        prop_assume!(there.t_test().is_ok());
        let (a, b) = (there.t_test().unwrap(), back.t_test().unwrap());
        check("t", a.statistic, -b.statistic, 1e-12);
        check("p", a.p, b.p, 1e-10);
        let smaller = arm.len().min(reference.len()) as f64 - 1.0;
        let pooled = (arm.len() + reference.len()) as f64 - 2.0;
        prop_assert!(a.df >= smaller * (1.0 - 1e-12) && a.df <= pooled * (1.0 + 1e-12));
    }
}
