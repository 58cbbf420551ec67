//! Range tests of many seeds at several costs, scored by the truth.

use std::path::Path;

use anyhow::Result;
use cyclr::range::{
    Allowance, Bounds, NoAnswer, Probe, ProbeReading, ProbeResult, Start, Suggestions, find_max_lr,
    read_bounds,
};

use crate::bank::Bank;
use crate::problems::{Problem, Use};
use crate::truth::{POLICIES, Truth};

/// The costs, as shares of the budget; a readable test may cost more.
pub const COSTS: [f64; 3] = [0.05, 0.1, 0.2];

/// The range tests of each cost.
pub const TESTS: u64 = 12;

/// The seed of a test's sweep and first probes.
pub const fn seed_of(test: u64) -> u64 {
    1000 + 10 * test
}

/// All answers of a problem.
pub struct Judged<'a> {
    pub problem: &'a Problem,
    pub truths: [Option<Truth>; 3],
    /// For each of [`COSTS`].
    pub tests: Vec<Vec<Test>>,
}

/// One range test, and what sweeps of the same cost say to other rules.
pub struct Test {
    pub answer: Result<Bounds, NoAnswer>,
    /// The updates made, as a share of the budget.
    pub cost: f64,
    pub probes: Vec<ProbeResult>,
    /// The loss before anything was learnt.
    pub opening: f64,
    pub others: Vec<(&'static str, Option<f64>)>,
}

impl Test {
    pub fn max_lr(&self) -> Option<f64> {
        self.answer.ok().map(|bounds| bounds.max_lr.value)
    }
}

/// Makes the tests of a problem, with what the bank holds and with new trainings.
pub fn judge<'a>(
    problem: &'a Problem,
    folder: &Path,
    cifar: &str,
    others: bool,
) -> Result<Judged<'a>> {
    let mut bank = Bank::open(problem, folder, cifar)?;
    let mut tests = Vec::new();
    for cost in COSTS {
        let made: Result<Vec<Test>> = (0..TESTS)
            .map(|k| test(&mut bank, cost, seed_of(k), others))
            .collect();
        tests.push(made?);
    }
    let truth = |policy| Truth::read(problem, folder, policy);
    let [linear, triangular2, triangular] = POLICIES.map(truth);
    Ok(Judged {
        problem,
        truths: [linear?, triangular2?, triangular?],
        tests,
    })
}

fn test(bank: &mut Bank, cost: f64, seed: u64, others: bool) -> Result<Test> {
    let budget = bank.problem.budget;
    let allowance = Allowance::new(budget, cost, &bank.problem.info());
    let sweep = bank.sweep(allowance.sweep, seed)?;
    let swept = sweep.points().len() as u64;
    let opening = Start::of(&sweep, false).map_or(f64::NAN, |start| start.opening);
    let reading = match Start::of(&sweep, false) {
        Ok(start) => {
            let mut train = |probes: &[Probe]| -> Result<Vec<ProbeResult>> {
                probes
                    .iter()
                    .map(|&probe| bank.probe(probe, seed + probe.repeat))
                    .collect()
            };
            find_max_lr(start, &allowance, allowance.updates - swept, &mut train)?
        }
        Err(reason) => ProbeReading {
            answer: Err(reason),
            probes: Vec::new(),
        },
    };
    let made = swept + reading.probes.iter().map(|probe| probe.made).sum::<u64>();
    Ok(Test {
        answer: reading.answer,
        cost: made as f64 / budget as f64,
        probes: reading.probes,
        opening,
        others: if others {
            other_rules(bank, cost, allowance.updates, seed)?
        } else {
            Vec::new()
        },
    })
}

/// What rules for a sweep alone pick from one that costs as much as the whole test.
fn other_rules(
    bank: &mut Bank,
    cost: f64,
    updates: u64,
    seed: u64,
) -> Result<Vec<(&'static str, Option<f64>)>> {
    let sweep = bank.sweep(updates, seed)?;
    let tpe = bank.tpe(cost, seed)?;
    let read = read_bounds(std::slice::from_ref(&sweep), &cyclr::range::Rule::default());
    let picks = Suggestions::of(&sweep);
    Ok(vec![
        (
            "the sweep's own reading",
            read.answer.ok().map(|bounds| bounds.max_lr.value),
        ),
        (
            "least loss",
            Start::of(&sweep, false).ok().map(|start| start.lr),
        ),
        ("minimum/10", picks.map(|p| p.minimum_tenth)),
        (
            "steepest (Lightning, torch-lr-finder)",
            picks.map(|p| p.steepest),
        ),
        ("valley (fastai)", picks.map(|p| p.valley)),
        ("slide (fastai)", picks.map(|p| p.slide)),
        ("TPE (Optuna)", tpe),
    ])
}

impl Judged<'_> {
    pub fn is(&self, use_: Use) -> bool {
        self.problem.use_ == use_
    }

    /// The points that rates lose under a policy.
    pub fn regrets(&self, policy: usize, rates: impl Iterator<Item = f64>) -> Option<Vec<f64>> {
        let truth = self.truths[policy].as_ref()?;
        let regrets: Vec<f64> = rates.map(|lr| truth.regret(lr)).collect();
        (!regrets.is_empty()).then_some(regrets)
    }
}
