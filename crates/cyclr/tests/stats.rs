//! The statistics against tables of scipy, statsmodels and mpmath (golden/stats), and their errors
//! and properties.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails it by panicking"
)]

use cyclr::{
    stats::{
        Comparison, Interval, LogSummary, Median, Obstacle, Paired, Rules, StatsError, Summary,
        Time, Verdict, Welch, binomial_tail, chi_square_cdf, chi_square_quantile, compare, holm,
        mcnemar, mean, median_time, seeds_to_decide, seeds_to_detect, seeds_to_equate, sign_test,
        student_cdf, student_quantile, time_ratio,
    },
    trainer::Direction,
};
use proptest::prelude::*;
use serde_json::Value;

const RULES: Rules = Rules::new(0.5, Direction::Higher);

fn table(name: &str) -> Vec<Value> {
    let text = include_str!("../../../golden/stats/tables.json");
    let tables: Value = serde_json::from_str(text).unwrap();
    tables[name].as_array().unwrap().clone()
}

fn number(row: &Value) -> f64 {
    row.as_f64().unwrap()
}

fn count(row: &Value) -> u64 {
    row.as_u64().unwrap()
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

/// Checks a function of a number and of degrees of freedom against every row of a table.
fn check_table(name: &str, function: impl Fn(f64, f64) -> Result<f64, StatsError>) {
    let rows = table(name);
    assert!(rows.len() > 50, "{name} has {} rows", rows.len());
    for row in rows {
        let row = numbers(&row);
        let what = format!("{name}({}, {})", row[0], row[1]);
        let relative = if row[1] <= 1e4 { 1e-12 } else { 1e-10 };
        check(&what, function(row[0], row[1]).unwrap(), row[2], relative);
    }
}

#[test]
fn a_summary_made_by_hand_has_no_interval_without_two_values() {
    for n in [0, 1] {
        let odd = Summary {
            n,
            mean: 1.0,
            sd: Some(1.0),
            interval: None,
        };
        assert_eq!(odd.at_level(0.05).unwrap().interval, None);
        assert!(matches!(
            seeds_to_decide(&odd, 0.5, 1),
            Err(StatsError::TooFew { needed: 2, .. })
        ));
    }
}

#[test]
fn distributions_equal_mpmath() {
    check_table("student_cdf", student_cdf);
    check_table("student_quantile", student_quantile);
    check_table("chi_square_cdf", chi_square_cdf);
    check_table("chi_square_quantile", chi_square_quantile);
    for row in table("binomial_tail") {
        let (k, n, p) = (count(&row[0]), count(&row[1]), number(&row[2]));
        let what = format!("P(X >= {k}), n {n}, p {p}");
        check(
            &what,
            binomial_tail(k, n, p).unwrap(),
            number(&row[3]),
            1e-12,
        );
    }
}

/// Values of mpmath 1.3 with 40 digits, by the sum of the terms from k on.
#[test]
fn the_binomial_keeps_its_digits_for_many_trials() {
    for (k, n, p, expected) in [
        (500_500, 1_000_000, 0.5, 0.158_897_345_681_652_77),
        (102_000, 1_000_000, 0.1, 1.507_172_568_203_606e-11),
        (500_015_811, 1_000_000_000, 0.5, 0.158_668_848_489_512_92),
        (100_009_486, 1_000_000_000, 0.1, 0.158_689_254_232_059_07),
        (500_094_868, 1_000_000_000, 0.5, 9.869_064_602_101_32e-10),
    ] {
        let what = format!("P(X >= {k}), n {n}, p {p}");
        check(&what, binomial_tail(k, n, p).unwrap(), expected, 1e-10);
    }
}

#[test]
fn distributions_at_their_ends() {
    assert_eq!(student_cdf(f64::NEG_INFINITY, 4.0), Ok(0.0));
    assert_eq!(student_cdf(f64::INFINITY, 4.0), Ok(1.0));
    assert_eq!(student_cdf(0.0, 1e6), Ok(0.5));
    assert_eq!(student_quantile(0.5, 1.0), Ok(0.0));
    assert_eq!(chi_square_cdf(0.0, 3.0), Ok(0.0));
    assert_eq!(binomial_tail(u64::MAX, 3, 0.5), Ok(0.0));
    // P(T < t) of one degree of freedom is about 1/(-pi t) far out.
    check(
        "far tail",
        student_quantile(1e-300, 1.0).unwrap(),
        -1e300 / core::f64::consts::PI,
        1e-12,
    );
}

#[test]
fn summaries_equal_scipy() {
    for row in table("summaries") {
        let summary = Summary::of(&numbers(&row["values"])).unwrap();
        let interval = summary.interval.unwrap();
        check("mean", summary.mean, number(&row["mean"]), 1e-13);
        check("sd", summary.sd.unwrap(), number(&row["sd"]), 1e-12);
        check("low", interval.low, number(&row["low"]), 1e-12);
        check("high", interval.high, number(&row["high"]), 1e-12);
    }
    for row in table("log_summaries") {
        let summary = LogSummary::of(&numbers(&row["values"])).unwrap();
        let interval = summary.interval.unwrap();
        check("mean", summary.mean, number(&row["mean"]), 1e-13);
        check(
            "ln sd",
            summary.ln_sd.unwrap(),
            number(&row["ln_sd"]),
            1e-12,
        );
        check("low", interval.low, number(&row["low"]), 1e-12);
        check("high", interval.high, number(&row["high"]), 1e-12);
    }
}

#[test]
fn one_value_has_no_spread_and_no_interval() {
    let summary = Summary::of(&[3.0]).unwrap();
    assert_eq!(
        (summary.mean, summary.sd, summary.interval),
        (3.0, None, None)
    );
    let rates = LogSummary::of(&[0.5]).unwrap();
    assert_eq!((rates.mean, rates.ln_sd, rates.interval), (0.5, None, None));
    let same = Summary::of(&[3.0; 4]).unwrap();
    let point = Interval {
        low: 3.0,
        high: 3.0,
    };
    assert_eq!((same.sd, same.interval), (Some(0.0), Some(point)));
}

#[test]
fn families_equal_scipy_and_statsmodels() {
    let mut seen = [0; 4];
    for row in table("families") {
        let arms: Vec<Vec<f64>> = row["arms"]
            .as_array()
            .unwrap()
            .iter()
            .map(numbers)
            .collect();
        let arms: Vec<&[f64]> = arms.iter().map(Vec::as_slice).collect();
        let margin = number(&row["margin"]);
        let rules = Rules { margin, ..RULES };
        let found = compare(&numbers(&row["reference"]), &arms, rules).unwrap();
        for (i, comparison) in found.iter().enumerate() {
            check_comparison(comparison, |name| number(&row[name][i]));
            let verdict = expected_verdict(|name| number(&row[name][i]));
            assert_eq!(kind(comparison.verdict), verdict);
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
    // The differences of numbers near 71 have lost two digits before any test sees them.
    check("t", t.statistic, want("t"), 1e-10);
    check("p", t.p, want("p"), 1e-10);
    check("low", interval.low, want("low"), 1e-10);
    check("high", interval.high, want("high"), 1e-10);
    check("holm", comparison.adjusted_p, want("holm"), 1e-10);
    check("p below", tost.p_below, want("p_below"), 1e-10);
    check("p above", tost.p_above, want("p_above"), 1e-10);
    check("tost", tost.p, want("tost"), 1e-10);
    check(
        "tost holm",
        comparison.adjusted_tost_p,
        want("tost_holm"),
        1e-10,
    );
    assert_eq!(comparison.within_margin, want("tost_holm") < 0.05);
}

/// The documented rule, from the libraries' figures.
fn expected_verdict(want: impl Fn(&str) -> f64) -> usize {
    if want("holm") < 0.05 {
        usize::from(want("t") < 0.0)
    } else if want("tost_holm") < 0.05 {
        2
    } else {
        3
    }
}

fn kind(verdict: Verdict) -> usize {
    match verdict {
        Verdict::Better => 0,
        Verdict::Worse => 1,
        Verdict::Equivalent => 2,
        Verdict::Undecided(_) => 3,
    }
}

#[test]
fn holm_equals_statsmodels() {
    for row in table("holm") {
        let adjusted = holm(&numbers(&row["p"])).unwrap();
        for (got, want) in adjusted.iter().zip(numbers(&row["holm"])) {
            check("holm", *got, want, 1e-14);
        }
    }
    assert_eq!(holm(&[]), Ok(vec![]));
}

fn verdict_of(arm: &[f64], reference: &[f64], direction: Direction) -> (Verdict, bool) {
    let rules = Rules { direction, ..RULES };
    let found = compare(reference, &[arm], rules).unwrap()[0];
    (found.verdict, found.within_margin)
}

#[test]
fn a_real_but_small_difference_is_better_and_within_the_margin() {
    let (reference, arm) = ([71.0, 72.0, 73.0], [71.10, 72.11, 73.12]);
    let found = |direction| verdict_of(&arm, &reference, direction);
    assert_eq!(found(Direction::Higher), (Verdict::Better, true));
    assert_eq!(found(Direction::Lower), (Verdict::Worse, true));
    let mirrored = verdict_of(&reference, &arm, Direction::Higher);
    assert_eq!(mirrored, (Verdict::Worse, true));
}

#[test]
fn what_cannot_be_tested_is_undecided() {
    let undecided = |obstacle| (Verdict::Undecided(obstacle), false);
    let found = |arm: &[f64], reference: &[f64]| verdict_of(arm, reference, Direction::Higher);
    assert_eq!(found(&[72.0], &[71.0]), undecided(Obstacle::OneSeed));
    let values = [71.0, 72.5, 70.25];
    assert_eq!(found(&values, &values), undecided(Obstacle::NoSpread));
    // 0.1 each time, up to the last bits of the subtraction.
    let (arm, reference) = ([71.3, 72.3, 0.3], [71.2, 72.2, 0.2]);
    assert_ne!(arm[0] - reference[0], arm[2] - reference[2]);
    assert_eq!(found(&arm, &reference), undecided(Obstacle::NoSpread));
    // An interval of width 0 would claim that the true difference is known.
    let rules = Rules::new(0.5, Direction::Higher);
    let found = compare(&reference, &[&arm], rules).unwrap()[0];
    assert_eq!(found.difference.interval, None);
}

#[test]
fn an_arm_without_a_test_still_counts_in_the_family() {
    let reference = [71.0, 72.0, 73.0];
    let arm: &[f64] = &[72.0, 73.1, 73.9];
    let alone = compare(&reference, &[arm], RULES).unwrap();
    let with_a_twin = compare(&reference, &[&reference, arm], RULES).unwrap();
    assert_eq!(with_a_twin[0].adjusted_p, 1.0);
    assert_eq!(with_a_twin[1].adjusted_p, 2.0 * alone[0].adjusted_p);
}

#[test]
fn seeds_equal_the_exact_power_within_one() {
    for row in table("seeds_to_detect") {
        let (effect, comparisons) = (number(&row[0]), count(&row[1]) as usize);
        let got = seeds_to_detect(effect, comparisons).unwrap();
        let exact = count(&row[2]);
        assert!(
            got.abs_diff(exact) <= 1,
            "{effect} {comparisons}: {got}, exact {exact}"
        );
    }
    for row in table("seeds_to_equate") {
        let (margin, mean, comparisons) =
            (number(&row[0]), number(&row[1]), count(&row[2]) as usize);
        let got = seeds_to_equate(margin - mean, comparisons).unwrap();
        let exact = count(&row[3]);
        // Halving the rest is exact for a true difference of 0 and plans for more seeds than
        // needed elsewhere.
        let enough = exact.saturating_sub(1)..=if mean == 0.0 {
            exact + 1
        } else {
            exact * 3 / 2 + 2
        };
        assert!(
            enough.contains(&got),
            "{margin} {mean} {comparisons}: {got}, exact {exact}"
        );
    }
}

#[test]
fn the_seeds_that_decide() {
    // Worked by hand: sd 1, n 5, so the true sd is in sqrt(4/7.779) = 0.717 to sqrt(4/1.0636) =
    // 1.939. The mean of 2 is
    // 2.79 to 1.03 of these: 4 to 10 seeds detect it. Of 4 and of the 5 that have run, one more than 5 stands.
    let difference = Summary {
        n: 5,
        mean: 2.0,
        sd: Some(1.0),
        interval: None,
    };
    let range = seeds_to_decide(&difference, 0.5, 1).unwrap();
    assert_eq!((range.low, range.high), (6, 10));
    // No difference to be seen, and a margin of 1.39 to 0.516 of these: 7 to 34 seeds equate the
    // two.
    let equal = Summary {
        mean: 0.0,
        ..difference
    };
    let range = seeds_to_decide(&equal, 1.0, 1).unwrap();
    assert_eq!((range.low, range.high), (7, 34));
    // A margin far below the spread: more than the cap.
    let range = seeds_to_decide(&equal, 0.01, 1).unwrap();
    assert_eq!((range.low, range.high), (1000, 1000));
}

/// At half of the error one arm needs as many seeds as two arms do.
#[test]
fn a_stricter_level_needs_more_seeds() {
    let (reference, arm) = ([71.0, 72.0, 73.0, 70.0], [71.8, 71.9, 74.1, 70.2]);
    let found = |level| {
        let rules = Rules {
            level,
            ..Rules::new(0.5, Direction::Higher)
        };
        compare(&reference, &[&arm], rules).unwrap()[0].verdict
    };
    let pair = Paired::new(&arm, &reference).unwrap();
    let seeds = |arms| seeds_to_decide(pair.differences(), 0.5, arms).unwrap();
    let open = |seeds| Verdict::Undecided(Obstacle::TooFewSeeds(seeds));
    assert_eq!(
        (found(0.05), found(0.025)),
        (open(seeds(1)), open(seeds(2)))
    );
    assert!(seeds(2).high > seeds(1).high);
}

#[test]
fn mcnemar_equals_scipy() {
    for row in table("mcnemar") {
        let (gained, lost) = (count(&row[0]), count(&row[1]));
        let mut before = vec![true, false];
        let mut after = vec![true, false];
        for i in 0..gained + lost {
            before.push(i >= gained);
            after.push(i < gained);
        }
        let found = mcnemar(&before, &after).unwrap();
        assert_eq!((found.gained, found.lost), (gained, lost));
        check("p", found.p, number(&row[2]), 1e-11);
    }
}

#[test]
fn the_sign_test_equals_statsmodels() {
    for row in table("sign_tests") {
        let found = sign_test(&numbers(&row["differences"])).unwrap();
        let want = (count(&row["above"]), count(&row["below"]));
        assert_eq!((found.above, found.below), want);
        check("p", found.p, number(&row["p"]), 1e-11);
    }
    // Nothing but zeros tells nothing.
    assert_eq!(sign_test(&[0.0, -0.0]).unwrap().p.to_bits(), 1f64.to_bits());
}

fn times(values: &[f64], horizon: f64) -> Vec<Time> {
    let time = |&t: &f64| {
        if t < horizon {
            Time::Reached(t)
        } else {
            Time::Censored(horizon)
        }
    };
    values.iter().map(time).collect()
}

#[test]
fn medians_equal_scipy() {
    for row in table("order_statistics") {
        let found = median_time(&times(&numbers(&row["times"]), f64::INFINITY)).unwrap();
        check("median", found.median.low, number(&row["median"]), 1e-13);
        assert_eq!(found.median.low, found.median.high);
        let scipy = Interval {
            low: number(&row["low"]),
            high: number(&row["high"]),
        };
        assert_eq!(found.interval, scipy);
        check(
            "confidence",
            found.confidence,
            number(&row["confidence"]),
            1e-12,
        );
    }
}

#[test]
fn censored_ratios_equal_their_extremes() {
    let mut open_ends = 0;
    for row in table("ratios") {
        let horizon = number(&row["horizon"]);
        let arm = times(&numbers(&row["arm"]), horizon);
        let reference = times(&numbers(&row["reference"]), horizon);
        let found = time_ratio(&arm, &reference).unwrap();
        let reached = (found.arm_reached as u64, found.reference_reached as u64);
        assert_eq!(
            reached,
            (count(&row["arm_reached"]), count(&row["reference_reached"]))
        );
        check(
            "confidence",
            found.ratio.confidence,
            number(&row["confidence"]),
            1e-12,
        );
        for (got, want) in [
            (found.ratio.median, "ln_median"),
            (found.ratio.interval, "ln_interval"),
        ] {
            for (end, ln) in [got.low, got.high].into_iter().zip(numbers(&row[want])) {
                if ln.abs() > 300.0 {
                    open_ends += 1;
                    assert_eq!(end, if ln < 0.0 { 0.0 } else { f64::INFINITY }, "{want}");
                } else {
                    check(want, end, ln.exp(), 1e-12);
                }
            }
        }
    }
    assert!(open_ends >= 5, "censoring reached only {open_ends} ends");
}

#[test]
fn bad_input_is_refused() {
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    let empty = StatsError::TooFew { n: 0, needed: 1 };
    assert_eq!(Summary::of(&[]), Err(empty.clone()));
    assert_eq!(LogSummary::of(&[]), Err(empty.clone()));
    assert_eq!(Paired::new(&[], &[]), Err(empty.clone()));
    assert_eq!(mcnemar(&[], &[]), Err(empty.clone()));
    assert_eq!(median_time(&[]), Err(empty.clone()));
    assert_eq!(time_ratio(&[], &[]), Err(empty.clone()));
    assert_eq!(sign_test(&[]), Err(empty));
    for value in [inf, -inf, 1e101, -1e300] {
        let refused = StatsError::NotFinite { index: 1, value };
        assert_eq!(Summary::of(&[1.0, value]), Err(refused.clone()));
        assert_eq!(sign_test(&[1.0, value]), Err(refused));
    }
    assert!(matches!(
        Summary::of(&[nan]),
        Err(StatsError::NotFinite { index: 0, .. })
    ));
    let refused = compare(&[1.0, 2.0], &[&[1.0, 2.0], &[nan, 2.0]], RULES);
    assert!(matches!(
        refused,
        Err(StatsError::NotFinite { index: 0, .. })
    ));
    assert!(matches!(
        Paired::new(&[1.0], &[nan]),
        Err(StatsError::NotFinite { index: 0, .. })
    ));
    for value in [0.0, -1.0, inf, nan, 1e-101] {
        assert!(matches!(
            LogSummary::of(&[value]),
            Err(StatsError::NotPositive { index: 0, .. })
        ));
        for time in [Time::Reached(value), Time::Censored(value)] {
            assert!(matches!(
                median_time(&[time]),
                Err(StatsError::NotPositive { index: 0, .. })
            ));
        }
    }
    let unpaired = StatsError::Unpaired {
        arm: 1,
        reference: 2,
    };
    assert_eq!(Paired::new(&[1.0], &[1.0, 2.0]), Err(unpaired.clone()));
    assert_eq!(mcnemar(&[true, true], &[true]), Err(unpaired.clone()));
    let time = Time::Reached(1.0);
    assert_eq!(time_ratio(&[time], &[time, time]), Err(unpaired));
}

#[test]
fn arguments_outside_their_range_are_refused() {
    let nan = f64::NAN;
    let pair = Paired::new(&[1.0, 2.0], &[1.5, 1.0]).unwrap();
    let sample = Summary::of(&[1.0, 2.0]).unwrap();
    let mut refused = vec![
        student_cdf(nan, 4.0),
        chi_square_cdf(-1.0, 4.0),
        binomial_tail(1, 2_000_000_000, 0.5),
    ];
    for df in [0.0, 0.5, 1e7, nan] {
        refused.extend([student_cdf(1.0, df), student_quantile(0.3, df)]);
        refused.extend([chi_square_cdf(1.0, df), chi_square_quantile(0.3, df)]);
    }
    for p in [0.0, 1.0, -0.1, 1.1, nan] {
        refused.extend([student_quantile(p, 4.0), chi_square_quantile(p, 4.0)]);
        refused.push(binomial_tail(1, 2, p));
    }
    for margin in [0.0, -0.5, f64::INFINITY, nan] {
        refused.push(pair.tost(margin).map(|tost| tost.p));
        refused.push(seeds_to_decide(&sample, margin, 1).map(|range| range.low as f64));
        let rules = Rules { margin, ..RULES };
        refused.push(compare(&[1.0], &[], rules).map(|_| 0.0));
    }
    for (effect, comparisons) in [(-1.0, 1), (nan, 1), (1.0, 0)] {
        refused.push(seeds_to_detect(effect, comparisons).map(|n| n as f64));
        refused.push(seeds_to_equate(effect, comparisons).map(|n| n as f64));
    }
    for p in [-0.1, 1.1, nan] {
        refused.push(holm(&[0.5, p]).map(|_| 0.0));
    }
    for result in refused {
        assert!(
            matches!(result, Err(StatsError::Range { .. })),
            "{result:?}"
        );
    }
    let one = Paired::new(&[1.0], &[2.0]).unwrap();
    assert_eq!(one.t_test(), Err(StatsError::TooFew { n: 1, needed: 2 }));
    let same = Paired::new(&[1.0, 2.0], &[2.0, 3.0]).unwrap();
    assert_eq!(
        same.tost(1.0),
        Err(StatsError::NoSpread { n: 2, value: -1.0 })
    );
}

/// scipy 1.17.1, with a = [1, 3, 2.5] and b = [5, 1, 4]: `ttest_rel(a, b)`, `ttest_ind(a, b,
/// equal_var=False)` and `pearsonr(a, b)`. None of them depends on the unit, not even on one in
/// which squares are below every number.
#[test]
fn tests_do_not_depend_on_the_unit() {
    for unit in [1.0, 1e-99, 1e-120, 1e-200, 1e-300] {
        let [arm, reference] = [[1.0, 3.0, 2.5], [5.0, 1.0, 4.0]].map(|x| x.map(|x| x * unit));
        let pair = Paired::new(&arm, &reference).unwrap();
        check("paired", pair.t_test().unwrap().p, PAIRED_P, 1e-12);
        check("r", pair.correlation().unwrap().r, PEARSON_R, 1e-12);
        let welch = Welch::new(&arm, &reference).unwrap();
        let test = welch.t_test().unwrap();
        check("Welch's p", test.p, WELCH_P, 1e-12);
        check("Welch's df", test.df, WELCH_DF, 1e-12);
        // s² are 13/12 and 13/3.
        let sd = (13.0_f64 / 12.0 + 13.0 / 3.0).sqrt();
        check("sd", welch.sd().unwrap(), sd * unit, 1e-12);
    }
    // The least numbers that there are.
    let (arm, reference) = ([5e-324, 1e-323], [0.0, 0.0]);
    let tests = [
        Paired::new(&arm, &reference).unwrap().t_test(),
        Welch::new(&arm, &reference).unwrap().t_test(),
    ];
    for test in tests {
        let holds = match &test {
            Ok(test) => test.p > 0.05,
            Err(error) => matches!(error, StatsError::NoSpread { .. }),
        };
        assert!(holds, "{test:?}");
    }
}

const PAIRED_P: f64 = 0.571_606_957_046_526_8;
const WELCH_P: f64 = 0.450_302_759_429_520_6;
const WELCH_DF: f64 = 2.941_176_470_588_236;
const PEARSON_R: f64 = -0.846_153_846_153_846_3;

fn any_time() -> impl Strategy<Value = Time> {
    let at = 0.1..10.0;
    at.prop_flat_map(|at| prop_oneof![Just(Time::Reached(at)), Just(Time::Censored(at))])
}

/// The plain median of one possible world.
fn plain_median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    (values[(n - 1) / 2] * values[n / 2]).sqrt()
}

fn possible(time: Time, longer: f64) -> f64 {
    match time {
        Time::Reached(at) => at,
        Time::Censored(at) => at * longer,
    }
}

fn holds(range: Interval, value: f64) -> bool {
    range.low <= value * (1.0 + 1e-12) && value <= range.high * (1.0 + 1e-12)
}

proptest! {
    #[test]
    fn quantile_inverts_the_distribution(p in 1e-9..0.999_999, df in 1.0..5000.0) {
        let t = student_quantile(p, df).unwrap();
        check("student", student_cdf(t, df).unwrap(), p, 1e-11);
        let x = chi_square_quantile(p, df).unwrap();
        check("chi-square", chi_square_cdf(x, df).unwrap(), p, 1e-10);
    }

    #[test]
    fn holm_never_lowers_and_keeps_the_order(p in prop::collection::vec(0.0..=1.0, 1..12)) {
        let adjusted = holm(&p).unwrap();
        for i in 0..p.len() {
            prop_assert!(adjusted[i] >= p[i] && adjusted[i] <= 1.0);
            prop_assert!(adjusted[i] <= p[i] * p.len() as f64);
            for j in 0..p.len() {
                prop_assert!(p[i] > p[j] || adjusted[i] <= adjusted[j]);
            }
        }
    }

    #[test]
    fn a_larger_margin_never_undoes_equivalence(
        values in prop::collection::vec((-1.0..1.0, -1.0..1.0), 2..8), margin in 0.01..2.0,
    ) {
        let (arm, reference): (Vec<f64>, Vec<f64>) = values.into_iter().unzip();
        let pair = Paired::new(&arm, &reference).unwrap();
        prop_assume!(pair.t_test().is_ok());
        prop_assert!(pair.tost(margin * 1.1).unwrap().p <= pair.tost(margin).unwrap().p);
    }

    /// Whatever the censored times turn out to be, the median is where it was said to be.
    #[test]
    fn every_possible_median_is_within_its_bounds(
        pairs in prop::collection::vec((any_time(), any_time(), 1.0..20.0, 1.0..20.0), 1..12),
    ) {
        let arm: Vec<Time> = pairs.iter().map(|pair| pair.0).collect();
        let reference: Vec<Time> = pairs.iter().map(|pair| pair.1).collect();
        let times: Vec<f64> = pairs.iter().map(|p| possible(p.0, p.2)).collect();
        let ratios = pairs.iter().map(|p| possible(p.0, p.2) / possible(p.1, p.3)).collect();
        let found = time_ratio(&arm, &reference).unwrap().ratio;
        prop_assert!(holds(found.median, plain_median(ratios)), "{found:?}");
        prop_assert!(holds(median_time(&arm).unwrap().median, plain_median(times)));
        let Median { median, interval, .. } = found;
        prop_assert!(interval.low <= median.low && median.high <= interval.high);
    }

    #[test]
    fn swapping_the_arms_inverts_the_ratio(pairs in prop::collection::vec((any_time(), any_time()), 1..12)) {
        let (arm, reference): (Vec<Time>, Vec<Time>) = pairs.into_iter().unzip();
        let there = time_ratio(&arm, &reference).unwrap();
        let back = time_ratio(&reference, &arm).unwrap();
        prop_assert_eq!(there.arm_reached, back.reference_reached);
        for (a, b) in [(there.ratio.median, back.ratio.median), (there.ratio.interval, back.ratio.interval)] {
            check("low", a.low, 1.0 / b.high, 1e-14);
            check("high", a.high, 1.0 / b.low, 1e-14);
        }
    }
}

/// Sums of these depend on the order in which they are made.
#[test]
fn a_mean_does_not_depend_on_the_order() {
    let values = [0.1, -0.3, 0.2, 1e16, -1e16, 0.7];
    let backwards: Vec<f64> = values.iter().rev().copied().collect();
    let sums = [&values[..], &backwards].map(|values| values.iter().sum::<f64>());
    assert_ne!(sums[0].to_bits(), sums[1].to_bits());
    let means = [&values[..], &backwards].map(mean);
    assert_eq!(means[0].to_bits(), means[1].to_bits());
    assert!(mean(&[]).is_nan());
}
