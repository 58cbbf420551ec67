//! What the rule's constants are worth: chosen without a problem and tried on it, and varied one at a time.

use std::collections::BTreeMap;

use cyclr::range::{Rule, Sweep, read_bounds};

use crate::case::{Case, Scores};
use crate::numbers::{mean, median, per_problem};
use crate::traps;

/// A regret above this counts as this much where constants are chosen, so that one lost problem does not decide.
const MOST: f64 = 6.0;

/// The constants that matter for max_lr, chosen without each problem in turn and tried on it.
pub fn leave_one_out(cases: &[Case]) {
    let rules = rules();
    for (kind, repeats) in [("exp", 3), ("lin", 3), ("exp", 1), ("lin", 1)] {
        let table: Vec<BTreeMap<&str, f64>> = rules
            .iter()
            .map(|rule| regrets(cases, kind, repeats, rule))
            .collect();
        let mut names: Vec<&str> = cases.iter().map(Case::name).collect();
        names.dedup();
        let mut left_out = Vec::new();
        for name in names {
            let Some(place) = chosen_without(&table, name) else {
                continue;
            };
            let Some(&regret) = table[place].get(name) else {
                continue;
            };
            println!(
                "{kind} repeats {repeats} {name:24} {regret:5.2} with {}",
                describe(&rules[place])
            );
            left_out.push(regret);
        }
        let all = table.iter().map(|t| mean(t.values().copied()));
        println!(
            "{kind} repeats {repeats}, left out: mean {:.2} median {:.2}; the {} rules over all problems: {:.2} to {:.2}",
            mean(left_out.iter().copied()),
            median(left_out.iter().copied()),
            rules.len(),
            all.clone().fold(f64::MAX, f64::min),
            all.fold(0.0, f64::max)
        );
    }
}

fn rules() -> Vec<Rule> {
    let mut rules = Vec::new();
    for reach in [0.2, 0.3, 0.45, 0.6] {
        for least in [8, 12, 18] {
            for (top, loss_top, slowing) in [
                (0.6, 0.85, 0.8),
                (0.65, 0.9, 0.85),
                (0.7, 0.93, 0.88),
                (0.75, 0.95, 0.9),
                (0.8, 0.97, 0.92),
            ] {
                for below_divergence in [2.0, 3.0, 4.0] {
                    rules.push(Rule {
                        reach,
                        least,
                        top,
                        loss_top,
                        slowing,
                        below_divergence,
                        ..Rule::default()
                    });
                }
            }
        }
    }
    rules
}

fn describe(rule: &Rule) -> String {
    let Rule {
        reach,
        least,
        top,
        loss_top,
        slowing,
        below_divergence,
        ..
    } = rule;
    format!(
        "reach {reach} least {least} top {top} loss_top {loss_top} slowing {slowing} below_divergence {below_divergence}"
    )
}

/// The place of the rule that has the least mean regret on the other problems.
fn chosen_without(table: &[BTreeMap<&str, f64>], name: &str) -> Option<usize> {
    let others = |place: usize| {
        let others = table[place].iter().filter(|(n, _)| **n != name);
        mean(others.map(|(_, regret)| regret.min(MOST)))
    };
    (0..table.len()).min_by(|&a, &b| others(a).total_cmp(&others(b)))
}

/// The mean regret of each problem.
fn regrets<'a>(
    cases: &'a [Case],
    kind: &str,
    repeats: usize,
    rule: &Rule,
) -> BTreeMap<&'a str, f64> {
    let good = cases.iter().filter(|c| c.is(kind));
    per_problem(good.map(|case| {
        let regret = |sweeps: &Vec<Sweep>| {
            // A single repeat is given twice, which spares its bootstrap: the rates are the same.
            let twice: Vec<Sweep>;
            let sweeps = if let [only] = sweeps.as_slice() {
                twice = vec![only.clone(), only.clone()];
                &twice
            } else {
                sweeps
            };
            let bounds = read_bounds(sweeps, rule).answer.ok()?;
            Some(case.problem.truth.regret(bounds.max_lr.value))
        };
        (
            case.name(),
            mean(case.choices(repeats).iter().filter_map(regret)),
        )
    }))
}

/// A constant by name, the way to set it, and the values to try.
type Constant = (&'static str, fn(&mut Rule, f64), &'static [f64]);

const CONSTANTS: [Constant; 10] = [
    ("reach", |r, v| r.reach = v, &[0.1, 0.2, 0.3, 0.45, 0.6]),
    (
        "least",
        |r, v| r.least = v as usize,
        &[6.0, 8.0, 12.0, 18.0, 25.0],
    ),
    ("top", |r, v| r.top = v, &[0.6, 0.7, 0.75, 0.8, 0.9]),
    (
        "loss_top",
        |r, v| r.loss_top = v,
        &[0.7, 0.8, 0.9, 0.93, 0.95, 0.97],
    ),
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

/// How wide the plateau around each constant is.
pub fn one_at_a_time(cases: &[Case]) {
    for (name, set, values) in CONSTANTS {
        for &value in values {
            let mut rule = Rule::default();
            set(&mut rule, value);
            print!("{name:16} {value:5}");
            for kind in ["exp", "lin"] {
                let s = Scores::of(cases, kind, 3, &rule);
                print!(
                    "  {kind} regret {:.2} ({:.2}) none {:3.0} % base lost {:3.0} % {:.2} (max/4 {:3.0} % {:.2}), sd {:.2} and {:.2}",
                    s.regret,
                    s.median,
                    100.0 * s.none,
                    100.0 * s.lost.updates,
                    s.lost.points,
                    100.0 * s.lost_at_quarter.updates,
                    s.lost_at_quarter.points,
                    s.spread.0,
                    s.spread.1
                );
            }
            let (cut, noise) = traps::false_answers(cases, &rule);
            println!(
                "  answered: cut {:.1} % noise {:.2} %",
                100.0 * cut,
                100.0 * noise
            );
        }
    }
}
