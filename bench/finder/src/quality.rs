//! How good the rule's bounds are.

use cyclr::range::{Rule, read_bounds};

use crate::case::{Case, Scores, cases};
use crate::problem::Problem;

/// A line for every kind of sweep and number of repeats.
pub fn summary(cases: &[Case], rule: &Rule) {
    for repeats in [3, 1] {
        for kind in ["exp", "lin"] {
            let s = Scores::of(cases, kind, repeats, rule);
            println!(
                "{kind} repeats {repeats}: regret mean {:.2} median {:.2} worst {:.1}, none {:.0} %, base lost {:.0} % of updates and {:.2} points (max/4: {:.0} % and {:.2}), sd of single repeats {:.2} decades (base) {:.2} (max) ({} tests of {} problems)",
                s.regret,
                s.median,
                s.worst,
                100.0 * s.none,
                100.0 * s.lost.updates,
                s.lost.points,
                100.0 * s.lost_at_quarter.updates,
                s.lost_at_quarter.points,
                s.spread.0,
                s.spread.1,
                s.tests,
                s.problems
            );
        }
    }
}

/// What all repeats of every test say together, also of tests that are not good.
pub fn detail(problems: &[Problem], rule: &Rule) {
    for case in cases(problems, false) {
        let reading = read_bounds(&case.sweeps, rule);
        let truth = &case.problem.truth;
        print!(
            "{:24} {:5} good {:5} best {:.2e} ",
            case.name(),
            case.test,
            case.good,
            truth.best_lr()
        );
        match &reading.answer {
            Ok(b) => println!(
                "base {:.2e} [{:.2e}, {:.2e}] max {:.2e} [{:.2e}, {:.2e}] regret {:.2}, base {:.2}",
                b.base_lr.value,
                b.base_lr.low,
                b.base_lr.high,
                b.max_lr.value,
                b.max_lr.low,
                b.max_lr.high,
                truth.regret(b.max_lr.value),
                truth
                    .lost(b.base_lr.value)
                    .map_or(f64::NAN, |lost| lost.points)
            ),
            Err(reason) => println!("{reason}"),
        }
        for repeat in reading.repeats.iter().filter_map(|r| r.err()) {
            println!("{:>36} {repeat}", "repeat:");
        }
    }
}
