//! The recorded tests of the problems, and what a rule makes of them.

use cyclr::range::{Pair, Point, Rule, Sweep, read_bounds};
use cyclr::trainer::Direction;

use crate::numbers::{deviation, mean, median, per_problem};
use crate::problem::{Lost, Problem};

/// One recorded test of one problem.
pub struct Case<'a> {
    pub problem: &'a Problem,
    pub test: &'a str,
    pub sweeps: Vec<Sweep>,
    /// Whether the test covers what it should: of the rates within half a point of the best it goes on to the middle,
    /// and to twice the lowest, with at least 20 updates below the middle.
    pub good: bool,
}

pub fn cases(problems: &[Problem], loss_only: bool) -> Vec<Case<'_>> {
    let mut cases = Vec::new();
    for problem in problems {
        for (test, sweeps) in problem.tests() {
            cases.push(Case {
                problem,
                test,
                sweeps: if loss_only {
                    sweeps.iter().map(losses).collect()
                } else {
                    sweeps.to_vec()
                },
                good: is_good(problem, sweeps),
            });
        }
    }
    cases
}

fn is_good(problem: &Problem, sweeps: &[Sweep]) -> bool {
    let (low, high) = problem.truth.window();
    let middle = (low * high).sqrt();
    sweeps.iter().all(|sweep| {
        let end = sweep.points().last().map_or(0.0, |p| p.lr);
        let below = sweep.points().iter().filter(|p| p.lr < middle).count();
        end >= middle.max(2.0 * low) && below >= 20
    })
}

fn losses(sweep: &Sweep) -> Sweep {
    let point = |p: &Point| Point { figure: None, ..*p };
    Sweep::new(sweep.points().iter().map(point).collect(), Direction::Lower)
        .expect("a part of a sweep is one")
}

impl Case<'_> {
    pub fn is(&self, kind: &str) -> bool {
        self.good && self.test.starts_with(kind)
    }

    pub fn name(&self) -> &str {
        &self.problem.name
    }

    /// Every choice of so many of the sweeps.
    pub fn choices(&self, repeats: usize) -> Vec<Vec<Sweep>> {
        let pick =
            |selection: &Vec<usize>| selection.iter().map(|&i| self.sweeps[i].clone()).collect();
        choices(self.sweeps.len(), repeats)
            .iter()
            .map(pick)
            .collect()
    }

    /// What a rule makes of every choice of so many repeats.
    pub fn score(&self, repeats: usize, rule: &Rule) -> Score {
        let mut score = Score::default();
        let truth = &self.problem.truth;
        let choices = self.choices(repeats);
        for sweeps in &choices {
            let Ok(bounds) = read_bounds(sweeps, rule).answer else {
                score.none += 1.0 / choices.len() as f64;
                continue;
            };
            let max_lr = bounds.max_lr.value;
            score.regrets.push(truth.regret(max_lr));
            score.lost.extend(truth.lost(bounds.base_lr.value));
            score.lost_at_quarter.extend(truth.lost(max_lr / 4.0));
        }
        score
    }

    /// How far single repeats' readings of the two bounds lie from each other: (base_lr, max_lr), the standard deviations in
    /// decades, where at least two could be read.
    pub fn spread(&self, rule: &Rule) -> Option<(f64, f64)> {
        let pairs = read_bounds(&self.sweeps, rule).repeats;
        let pairs: Vec<Pair> = pairs.into_iter().flatten().collect();
        let deviation = |of: fn(&Pair) -> f64| deviation(pairs.iter().map(|p| of(p).log10()));
        (pairs.len() > 1).then(|| (deviation(|p| p.base_lr), deviation(|p| p.max_lr)))
    }
}

/// The choices of `k` of the numbers below `n`.
pub fn choices(n: usize, k: usize) -> Vec<Vec<usize>> {
    let all = (0u32..1 << n).filter(|bits| bits.count_ones() as usize == k);
    all.map(|bits| (0..n).filter(|i| bits >> i & 1 == 1).collect())
        .collect()
}

/// What a rule makes of one test, over the choices of its repeats.
#[derive(Default)]
pub struct Score {
    pub regrets: Vec<f64>,
    pub lost: Vec<Lost>,
    /// As `lost`, for a base of a quarter of `max_lr`.
    pub lost_at_quarter: Vec<Lost>,
    /// The share of choices without an answer.
    pub none: f64,
}

/// What a rule makes of many tests: means over the problems.
pub struct Scores {
    pub regret: f64,
    pub median: f64,
    pub worst: f64,
    pub none: f64,
    pub lost: Lost,
    /// As `lost`, for a base of a quarter of `max_lr`.
    pub lost_at_quarter: Lost,
    /// The spread of single repeats' readings in decades, of base_lr and of max_lr.
    pub spread: (f64, f64),
    pub tests: usize,
    pub problems: usize,
}

impl Scores {
    /// Over the good tests of a kind.
    pub fn of(cases: &[Case], kind: &str, repeats: usize, rule: &Rule) -> Self {
        let good: Vec<&Case> = cases.iter().filter(|c| c.is(kind)).collect();
        let scores: Vec<Score> = good.iter().map(|c| c.score(repeats, rule)).collect();
        let per = |of: &dyn Fn(&Score) -> f64| {
            per_problem(good.iter().map(|c| c.name()).zip(scores.iter().map(of)))
        };
        let lost = |of: fn(&Score) -> &[Lost]| {
            let over =
                |part: fn(&Lost) -> f64| mean(per(&|s| mean(of(s).iter().map(part))).into_values());
            Lost {
                updates: over(|lost| lost.updates),
                points: over(|lost| lost.points),
            }
        };
        let regrets = per(&|s| mean(s.regrets.iter().copied()));
        let spreads: Vec<_> = good.iter().filter_map(|c| c.spread(rule)).collect();
        Self {
            regret: mean(regrets.values().copied()),
            median: median(regrets.values().copied()),
            worst: scores
                .iter()
                .flat_map(|s| &s.regrets)
                .copied()
                .fold(0.0, f64::max),
            none: mean(scores.iter().map(|s| s.none)),
            lost: lost(|s| &s.lost),
            lost_at_quarter: lost(|s| &s.lost_at_quarter),
            spread: (
                mean(spreads.iter().map(|s| s.0)),
                mean(spreads.iter().map(|s| s.1)),
            ),
            tests: good.len(),
            problems: regrets.len(),
        }
    }
}
