//! Sweeps that must get no answer: cut before the slowing, or shuffled.

use cyclr::range::{Point, Rule, Sweep, read_bounds};

use crate::case::{Case, choices};
use crate::numbers::mean;

/// The share of sweeps cut at half of `max_lr`, and of shuffled ones, that get an answer from one repeat.
pub fn false_answers(cases: &[Case], rule: &Rule) -> (f64, f64) {
    let answered = |s: &Sweep| f64::from(read_bounds(std::slice::from_ref(s), rule).answer.is_ok());
    let (mut cuts, mut noise, mut random) = (vec![], vec![], 1u64);
    for (case, max_lr) in answered_by(cases, &Rule::default()) {
        for sweep in &case.sweeps {
            cuts.extend(cut(sweep, 0.5 * max_lr).map(|s| answered(&s)));
            noise.extend((0..4).map(|_| answered(&shuffled(sweep, &mut random))));
        }
    }
    (mean(cuts), mean(noise))
}

/// Sweeps cut at a share of the rate that the whole one gives for max_lr, and shuffled figures.
pub fn must_be_none(cases: &[Case], rule: &Rule) {
    for fraction in [0.1, 0.25, 0.5, 0.75, 1.0] {
        cut_at(fraction, cases, rule);
    }
    let none = |sweeps: &[Sweep]| f64::from(read_bounds(sweeps, rule).answer.is_err());
    let (mut three, mut one, mut random) = (vec![], vec![], 1u64);
    for case in (0..20).flat_map(|_| cases) {
        let noise: Vec<Sweep> = case
            .sweeps
            .iter()
            .map(|s| shuffled(s, &mut random))
            .collect();
        three.push(none(&noise[..3]));
        one.push(none(&noise[..1]));
    }
    println!(
        "shuffled figures: none {} threes, {} ones",
        share_of(&three),
        share_of(&one)
    );
}

fn cut_at(fraction: f64, cases: &[Case], rule: &Rule) {
    let (mut three, mut one, mut regrets) = (vec![], vec![], vec![]);
    for (case, max_lr) in answered_by(cases, rule) {
        let cut: Vec<Sweep> = case
            .sweeps
            .iter()
            .filter_map(|s| cut(s, fraction * max_lr))
            .collect();
        for selection in choices(cut.len(), 3) {
            let sweeps: Vec<Sweep> = selection.iter().map(|&i| cut[i].clone()).collect();
            let answer = read_bounds(&sweeps, rule).answer;
            three.push(f64::from(answer.is_err()));
            let regret = |lr| {
                format!(
                    "{} {} {:.1}",
                    case.name(),
                    case.test,
                    case.problem.truth.regret(lr)
                )
            };
            regrets.extend(answer.ok().map(|b| regret(b.max_lr.value)));
        }
        one.extend(
            cut.iter()
                .map(|s| f64::from(read_bounds(std::slice::from_ref(s), rule).answer.is_err())),
        );
    }
    regrets.dedup();
    println!(
        "cut at {fraction} of max_lr: none {} threes, {} ones; answered with regrets {regrets:?}",
        share_of(&three),
        share_of(&one)
    );
}

fn share_of(none: &[f64]) -> String {
    format!(
        "{:.2} % of {}",
        100.0 * mean(none.iter().copied()),
        none.len()
    )
}

/// The good tests that a rule answers, with its max_lr.
fn answered_by<'a, 'b>(
    cases: &'a [Case<'b>],
    rule: &'a Rule,
) -> impl Iterator<Item = (&'a Case<'b>, f64)> {
    cases.iter().filter(|c| c.good).filter_map(|case| {
        let bounds = read_bounds(&case.sweeps, rule).answer.ok()?;
        Some((case, bounds.max_lr.value))
    })
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
