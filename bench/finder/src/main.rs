//! Prints the regret of `cyclr`'s range-test rule beside other rules, over recorded problems.
//!
//! `finder FOLDER… [--detail]`: each folder holds problems in the form of testdata/range-curves.

mod make;
mod problem;

use std::collections::BTreeMap;

use anyhow::Result;
use cyclr::range::{Point, Reading, Rule, Sweep, read_bounds};
use cyclr::seam::Direction;
use problem::Problem;

fn main() -> Result<()> {
    let mut problems = Vec::new();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [verb, folder] = arguments.as_slice()
        && verb == "make"
    {
        return make::make(std::path::Path::new(folder));
    }
    for folder in arguments.iter().filter(|a| !a.starts_with("--")) {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.join("grid.json").exists() {
                problems.push(Problem::read(&path)?);
            }
        }
    }
    problems.sort_by(|a, b| a.name.cmp(&b.name));
    if arguments.iter().any(|a| a == "--detail") {
        detail(&problems, &Rule::default());
    }
    for (label, loss_only) in [("accuracy", false), ("loss alone", true)] {
        println!("\n# read from {label}");
        let cases = cases(&problems, loss_only);
        summary(&cases, &Rule::default());
        println!("\n## leave one problem out");
        leave_one_out(&cases);
    }
    println!("\n# one constant at a time");
    for loss_only in [false, true] {
        one_at_a_time(&cases(&problems, loss_only), &problems);
    }
    println!("\n# cut sweeps and noise");
    must_be_none(&problems, &Rule::default());
    others(&problems);
    Ok(())
}

/// One recorded test of one problem.
struct Case<'a> {
    problem: &'a Problem,
    test: &'a str,
    sweeps: Vec<Sweep>,
    /// Whether the test covers what it should: of the rates within half a point of the best it goes on to the middle,
    /// and to twice the lowest, with at least 20 updates below the middle.
    good: bool,
}

fn cases(problems: &[Problem], loss_only: bool) -> Vec<Case<'_>> {
    let mut cases = Vec::new();
    for problem in problems {
        let (low, high) = problem.truth.window();
        let middle = (low * high).sqrt();
        for (test, sweeps) in &problem.tests {
            let end = |s: &Sweep| s.points().last().map_or(0.0, |p| p.lr);
            let below = |s: &Sweep| s.points().iter().filter(|p| p.lr < middle).count();
            let good = sweeps
                .iter()
                .all(|s| end(s) >= middle.max(2.0 * low) && below(s) >= 20);
            let sweeps = sweeps
                .iter()
                .map(|s| if loss_only { losses(s) } else { s.clone() });
            cases.push(Case {
                problem,
                test,
                sweeps: sweeps.collect(),
                good,
            });
        }
    }
    cases
}

fn losses(sweep: &Sweep) -> Sweep {
    let point = |p: &Point| Point { figure: None, ..*p };
    Sweep::new(sweep.points().iter().map(point).collect(), Direction::Lower)
        .expect("a part of a sweep is one")
}

/// The regrets over all choices of `repeats` sweeps, and the share of choices without an answer.
#[derive(Default)]
struct Score {
    regrets: Vec<f64>,
    lost: Vec<f64>,
    /// As `lost`, for a base of a quarter of `max_lr`.
    quarter: Vec<f64>,
    none: f64,
}

fn score(case: &Case, repeats: usize, rule: &Rule) -> Score {
    let mut score = Score::default();
    let choices = choices(case.sweeps.len(), repeats);
    for choice in &choices {
        let sweeps: Vec<Sweep> = choice.iter().map(|&i| case.sweeps[i].clone()).collect();
        match read_bounds(&sweeps, rule).answer {
            Ok(bounds) => {
                score
                    .regrets
                    .push(case.problem.truth.regret(bounds.max_lr.value));
                score
                    .quarter
                    .extend(case.problem.truth.updates_lost(bounds.max_lr.value / 4.0));
                score
                    .lost
                    .extend(case.problem.truth.updates_lost(bounds.base_lr.value));
            }
            Err(_) => score.none += 1.0 / choices.len() as f64,
        }
    }
    score
}

fn choices(n: usize, k: usize) -> Vec<Vec<usize>> {
    let all = (0u32..1 << n).filter(|bits| bits.count_ones() as usize == k);
    all.map(|bits| (0..n).filter(|i| bits >> i & 1 == 1).collect())
        .collect()
}

fn detail(problems: &[Problem], rule: &Rule) {
    for case in cases(problems, false) {
        let reading = read_bounds(&case.sweeps, rule);
        let truth = &case.problem.truth;
        print!(
            "{:24} {:5} good {:5} best {:.2e} ",
            case.problem.name,
            case.test,
            case.good,
            truth.best_lr()
        );
        match &reading.answer {
            Ok(b) => println!(
                "base {:.2e} [{:.2e}, {:.2e}] max {:.2e} [{:.2e}, {:.2e}] regret {:.2} lost {:.2}",
                b.base_lr.value,
                b.base_lr.low,
                b.base_lr.high,
                b.max_lr.value,
                b.max_lr.low,
                b.max_lr.high,
                truth.regret(b.max_lr.value),
                truth.updates_lost(b.base_lr.value).unwrap_or(f64::NAN)
            ),
            Err(reason) => println!("{reason}"),
        }
        for repeat in reading.repeats.iter().filter_map(|r| r.err()) {
            println!("{:>36} {repeat}", "repeat:");
        }
    }
}

fn summary(cases: &[Case], rule: &Rule) {
    for repeats in [3, 1] {
        for kind in ["exp", "lin"] {
            let chosen: Vec<&Case> = cases
                .iter()
                .filter(|c| c.good && c.test.starts_with(kind))
                .collect();
            let scores: Vec<(&str, Score)> = chosen
                .iter()
                .map(|c| (c.problem.name.as_str(), score(c, repeats, rule)))
                .collect();
            let per = per_problem(scores.iter().map(|(name, s)| (*name, mean(&s.regrets))));
            let lost = mean_of(scores.iter().flat_map(|(_, s)| s.lost.iter().copied()));
            let worst = scores
                .iter()
                .flat_map(|(_, s)| &s.regrets)
                .fold(0.0, |a: f64, &b| a.max(b));
            let none = mean_of(scores.iter().map(|(_, s)| s.none));
            println!(
                "{kind} repeats {repeats}: regret mean {:.2} median {:.2} worst {worst:.1}, none {:.0} %, base lost {:.0} % ({} tests of {} problems)",
                mean(&per),
                median(&per),
                100.0 * none,
                100.0 * lost,
                chosen.len(),
                per.len()
            );
        }
    }
}

/// The constants that matter for max_lr, chosen without each problem in turn and tried on it.
fn leave_one_out(cases: &[Case]) {
    let mut rules = Vec::new();
    for reach in [0.2, 0.3, 0.45, 0.6] {
        for least in [8, 12, 18] {
            for (top, slowing) in [
                (0.6, 0.8),
                (0.65, 0.85),
                (0.7, 0.88),
                (0.75, 0.9),
                (0.8, 0.92),
            ] {
                for below_divergence in [2.0, 3.0, 4.0] {
                    rules.push(Rule {
                        reach,
                        least,
                        top,
                        slowing,
                        below_divergence,
                        ..Rule::default()
                    });
                }
            }
        }
    }
    for (kind, repeats) in [("exp", 3), ("lin", 3), ("exp", 1), ("lin", 1)] {
        let mut names: Vec<&str> = cases.iter().map(|c| c.problem.name.as_str()).collect();
        names.dedup();
        let table: Vec<BTreeMap<&str, f64>> = rules
            .iter()
            .map(|rule| regrets(cases, kind, repeats, rule))
            .collect();
        let mut held_out = Vec::new();
        for name in &names {
            let others = |t: &BTreeMap<&str, f64>| {
                mean_of(
                    t.iter()
                        .filter(|(n, _)| *n != name)
                        .map(|(_, v)| v.min(6.0)),
                )
            };
            let chosen =
                (0..rules.len()).min_by(|&a, &b| others(&table[a]).total_cmp(&others(&table[b])));
            if let Some((i, regret)) = chosen.and_then(|i| Some((i, *table[i].get(name)?))) {
                println!(
                    "{kind} repeats {repeats} {name:24} {regret:5.2} with reach {} least {} top {} slowing {} below_divergence {}",
                    rules[i].reach,
                    rules[i].least,
                    rules[i].top,
                    rules[i].slowing,
                    rules[i].below_divergence
                );
                held_out.push(regret);
            }
        }
        let all: Vec<f64> = table.iter().map(|t| mean_of(t.values().copied())).collect();
        println!(
            "{kind} repeats {repeats}, left out: mean {:.2} median {:.2}; the {} rules over all problems: {:.2} to {:.2}",
            mean(&held_out),
            median(&held_out),
            rules.len(),
            all.iter().copied().fold(f64::MAX, f64::min),
            all.iter().copied().fold(0.0, f64::max)
        );
    }
}

/// The mean regret of each problem. A single repeat is given twice, which spares its bootstrap: the rates are the same.
fn regrets<'a>(
    cases: &'a [Case],
    kind: &str,
    repeats: usize,
    rule: &Rule,
) -> BTreeMap<&'a str, f64> {
    let mut sums = BTreeMap::<&str, Vec<f64>>::new();
    for case in cases.iter().filter(|c| c.good && c.test.starts_with(kind)) {
        let mut regrets = Vec::new();
        for choice in choices(case.sweeps.len(), repeats) {
            let twice = choice.iter().chain(&choice);
            let sweeps: Vec<Sweep> = twice.map(|&i| case.sweeps[i].clone()).collect();
            let answer = read_bounds(
                if repeats == 1 {
                    &sweeps
                } else {
                    &sweeps[..repeats]
                },
                rule,
            )
            .answer;
            regrets.extend(
                answer
                    .ok()
                    .map(|b| case.problem.truth.regret(b.max_lr.value)),
            );
        }
        if !regrets.is_empty() {
            sums.entry(&case.problem.name)
                .or_default()
                .push(mean(&regrets));
        }
    }
    sums.into_iter()
        .map(|(name, values)| (name, mean(&values)))
        .collect()
}

/// How wide the plateau around each constant is.
fn one_at_a_time(cases: &[Case], problems: &[Problem]) {
    type Set = fn(&mut Rule, f64);
    let constants: [(&str, Set, &[f64]); 9] = [
        ("reach", |r, v| r.reach = v, &[0.1, 0.2, 0.3, 0.45, 0.6]),
        (
            "least",
            |r, v| r.least = v as usize,
            &[6.0, 8.0, 12.0, 18.0, 25.0],
        ),
        ("top", |r, v| r.top = v, &[0.6, 0.7, 0.75, 0.8, 0.9]),
        (
            "slowing",
            |r, v| r.slowing = v,
            &[0.8, 0.85, 0.9, 0.92, 0.95],
        ),
        (
            "leaving",
            |r, v| r.leaving = v,
            &[0.05, 0.1, 0.15, 0.2, 0.3, 0.5],
        ),
        (
            "clear_rise",
            |r, v| r.clear_rise = v,
            &[3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0],
        ),
        ("beyond", |r, v| r.beyond = v, &[1.25, 1.5, 2.0, 2.5, 3.0]),
        (
            "below_divergence",
            |r, v| r.below_divergence = v,
            &[1.0, 1.5, 2.0, 3.0, 4.0],
        ),
        (
            "agreement",
            |r, v| r.agreement = v,
            &[0.3, 0.5, 0.7, 1.0, 2.0],
        ),
    ];
    for (name, set, values) in constants {
        for &value in values {
            let mut rule = Rule::default();
            set(&mut rule, value);
            print!("{name:16} {value:5}");
            for kind in ["exp", "lin"] {
                let good = cases.iter().filter(|c| c.good && c.test.starts_with(kind));
                let scores: Vec<(&str, Score)> = good
                    .map(|c| (c.problem.name.as_str(), score(c, 3, &rule)))
                    .collect();
                let per = per_problem(scores.iter().map(|(name, s)| (*name, mean(&s.regrets))));
                let lost = per_problem(scores.iter().map(|(name, s)| (*name, mean(&s.lost))));
                let quarter = per_problem(scores.iter().map(|(name, s)| (*name, mean(&s.quarter))));
                let none = mean_of(scores.iter().map(|(_, s)| s.none));
                print!(
                    "  {kind} regret {:.2} ({:.2}) none {:3.0} % base lost {:3.0} % (max/4 {:3.0} %)",
                    mean(&per),
                    median(&per),
                    100.0 * none,
                    100.0 * mean(&lost),
                    100.0 * mean(&quarter)
                );
            }
            let (cut, noise) = false_answers(problems, &rule);
            println!(
                "  answered: cut {:.1} % noise {:.2} %",
                100.0 * cut,
                100.0 * noise
            );
        }
    }
}

/// The share of sweeps cut at half of `max_lr`, and of shuffled ones, that get an answer from one repeat.
fn false_answers(problems: &[Problem], rule: &Rule) -> (f64, f64) {
    let (mut cuts, mut noise, mut random) = (vec![], vec![], 1u64);
    for case in cases(problems, false).iter().filter(|c| c.good) {
        let Ok(bounds) = read_bounds(&case.sweeps, &Rule::default()).answer else {
            continue;
        };
        for sweep in &case.sweeps {
            let answered =
                |s: &Sweep| f64::from(read_bounds(std::slice::from_ref(s), rule).answer.is_ok());
            cuts.extend(cut(sweep, 0.5 * bounds.max_lr.value).map(|s| answered(&s)));
            noise.extend((0..4).map(|_| answered(&shuffled(sweep, &mut random))));
        }
    }
    (mean(&cuts), mean(&noise))
}

/// Sweeps cut at a share of the rate that the whole one gives for max_lr, and shuffled figures.
fn must_be_none(problems: &[Problem], rule: &Rule) {
    for share in [0.1, 0.25, 0.5, 0.75, 1.0] {
        let (mut three, mut one, mut regrets) = (vec![], vec![], vec![]);
        for case in cases(problems, false).iter().filter(|c| c.good) {
            let Ok(bounds) = read_bounds(&case.sweeps, rule).answer else {
                continue;
            };
            let limit = share * bounds.max_lr.value;
            let cut: Vec<Sweep> = case.sweeps.iter().filter_map(|s| cut(s, limit)).collect();
            for choice in choices(cut.len(), 3) {
                let sweeps: Vec<Sweep> = choice.iter().map(|&i| cut[i].clone()).collect();
                let answer = read_bounds(&sweeps, rule).answer;
                three.push(f64::from(answer.is_err()));
                if let Ok(b) = answer {
                    regrets.push(format!(
                        "{} {} {:.1}",
                        case.problem.name,
                        case.test,
                        case.problem.truth.regret(b.max_lr.value)
                    ));
                }
            }
            one.extend(
                cut.iter()
                    .map(|s| f64::from(read_bounds(std::slice::from_ref(s), rule).answer.is_err())),
            );
        }
        regrets.dedup();
        println!(
            "cut at {share} of max_lr: none {:.1} % of {} threes, {:.1} % of {} ones; answered with regrets {regrets:?}",
            100.0 * mean(&three),
            three.len(),
            100.0 * mean(&one),
            one.len()
        );
    }
    let (mut three, mut one) = (vec![], vec![]);
    let mut random = 1u64;
    for _ in 0..20 {
        for case in cases(problems, false) {
            let noise: Vec<Sweep> = case
                .sweeps
                .iter()
                .map(|s| shuffled(s, &mut random))
                .collect();
            three.push(f64::from(read_bounds(&noise[..3], rule).answer.is_err()));
            one.push(f64::from(read_bounds(&noise[..1], rule).answer.is_err()));
        }
    }
    println!(
        "shuffled figures: none {:.2} % of {} threes, {:.2} % of {} ones",
        100.0 * mean(&three),
        three.len(),
        100.0 * mean(&one),
        one.len()
    );
}

fn cut(sweep: &Sweep, limit: f64) -> Option<Sweep> {
    let points: Vec<Point> = sweep
        .points()
        .iter()
        .copied()
        .filter(|p| p.lr <= limit)
        .collect();
    Sweep::new(points, sweep.direction()).ok()
}

fn shuffled(sweep: &Sweep, random: &mut u64) -> Sweep {
    let mut points = sweep.points().to_vec();
    for i in (1..points.len()).rev() {
        *random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let j = (*random >> 33) as usize % (i + 1);
        let (a, b) = (points[i].lr, points[j].lr);
        points.swap(i, j);
        (points[i].lr, points[j].lr) = (a, b);
    }
    Sweep::new(points, sweep.direction()).expect("the rates are as they were")
}

/// A rule of one sweep: a rate from the reading, for three repeats their geometric mean.
type Pick = (&'static str, fn(&Reading, &Sweep) -> Option<f64>);

fn others(problems: &[Problem]) {
    println!("\n# other rules, three repeats, mean regret over problems (worst test)");
    let picks: [Pick; 8] = [
        ("minimum/10", |r, _| Some(r.picks[0]?.minimum_tenth)),
        ("steepest", |r, _| Some(r.picks[0]?.steepest)),
        ("valley", |r, _| Some(r.picks[0]?.valley)),
        ("slide", |r, _| Some(r.picks[0]?.slide)),
        ("last/4", |_, s| Some(s.points().last()?.lr / 4.0)),
        ("last/10", |_, s| Some(s.points().last()?.lr / 10.0)),
        ("stable/4", |r, _| Some(r.largest_stable()? / 4.0)),
        ("stable/10", |r, _| Some(r.largest_stable()? / 10.0)),
    ];
    for (name, pick) in picks {
        print!("{name:12}");
        for kind in ["exp", "lin"] {
            let mut scores = Vec::new();
            for case in cases(problems, false)
                .iter()
                .filter(|c| c.good && c.test.starts_with(kind))
            {
                let rates: Vec<Option<f64>> = case
                    .sweeps
                    .iter()
                    .map(|s| pick(&read_bounds(std::slice::from_ref(s), &Rule::default()), s))
                    .collect();
                let mut regrets = Vec::new();
                for choice in choices(rates.len(), 3) {
                    let logs: Option<Vec<f64>> =
                        choice.iter().map(|&i| rates[i].map(f64::ln)).collect();
                    regrets.extend(logs.map(|l| case.problem.truth.regret(mean(&l).exp())));
                }
                scores.push((case.problem.name.clone(), mean(&regrets)));
            }
            let per = per_problem(scores.iter().map(|(n, s)| (n.as_str(), *s)));
            let worst = scores.iter().map(|s| s.1).fold(0.0, f64::max);
            print!(
                "  {kind} {:5.2} median {:5.2} ({worst:.1})",
                mean(&per),
                median(&per)
            );
        }
        println!();
    }
}

fn per_problem<'a>(scores: impl Iterator<Item = (&'a str, f64)>) -> Vec<f64> {
    let mut by = BTreeMap::<&str, Vec<f64>>::new();
    for (name, score) in scores.filter(|s| s.1.is_finite()) {
        by.entry(name).or_default().push(score);
    }
    by.values().map(|v| mean(v)).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn mean_of(values: impl Iterator<Item = f64>) -> f64 {
    mean(&values.collect::<Vec<f64>>())
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    if n == 0 {
        f64::NAN
    } else {
        0.5 * (sorted[(n - 1) / 2] + sorted[n / 2])
    }
}
