//! Other tools' rules on the same tests.

use cyclr::range::{Rule, Sweep, SweepReading, read_bounds};

use crate::case::{Case, choices};
use crate::numbers::{mean, median, per_problem};

/// A rule of one sweep: a rate from the reading, for three repeats their geometric mean.
type Pick = (&'static str, fn(&SweepReading, &Sweep) -> Option<f64>);

const PICKS: [Pick; 8] = [
    ("minimum/10", |r, _| Some(r.suggestions[0]?.minimum_tenth)),
    ("steepest", |r, _| Some(r.suggestions[0]?.steepest)),
    ("valley", |r, _| Some(r.suggestions[0]?.valley)),
    ("slide", |r, _| Some(r.suggestions[0]?.slide)),
    ("last/4", |_, s| Some(s.points().last()?.lr / 4.0)),
    ("last/10", |_, s| Some(s.points().last()?.lr / 10.0)),
    ("stable/4", |r, _| Some(r.largest_stable()? / 4.0)),
    ("stable/10", |r, _| Some(r.largest_stable()? / 10.0)),
];

pub fn others(cases: &[Case]) {
    println!("\n# other rules, three repeats, mean regret over problems (worst test)");
    for (name, pick) in PICKS {
        print!("{name:12}");
        for kind in ["exp", "lin"] {
            let scores: Vec<(&str, f64)> = cases
                .iter()
                .filter(|c| c.is(kind))
                .map(|c| (c.name(), regret(c, pick)))
                .collect();
            let per = per_problem(scores.iter().copied());
            let worst = scores.iter().map(|s| s.1).fold(0.0, f64::max);
            print!(
                "  {kind} {:5.2} median {:5.2} ({worst:.1})",
                mean(per.values().copied()),
                median(per.values().copied())
            );
        }
        println!();
    }
}

fn regret(case: &Case, pick: fn(&SweepReading, &Sweep) -> Option<f64>) -> f64 {
    let rate = |s: &Sweep| pick(&read_bounds(std::slice::from_ref(s), &Rule::default()), s);
    let rates: Vec<Option<f64>> = case.sweeps.iter().map(rate).collect();
    let of_choice = |selection: Vec<usize>| {
        let logs: Option<Vec<f64>> = selection.iter().map(|&i| rates[i].map(f64::ln)).collect();
        Some(case.problem.truth.regret(mean(logs?).exp()))
    };
    mean(choices(rates.len(), 3).into_iter().filter_map(of_choice))
}
