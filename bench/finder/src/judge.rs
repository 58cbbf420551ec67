//! Range tests of many seeds at several costs, scored by the truth.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use cyclr::policy::Policy;
use cyclr::range::{
    Allowance, Basis, Estimate, Probe, ProbeReading, ProbeResult, Start, Suggestions, Sweep,
    find_max_lr, read_bounds,
};
use cyclr::stats::Interval;

use crate::bank::{self, Bank};
use crate::problems::{Child, Problem, Use};
use crate::truth::{POLICIES, SHARES, Truth};

/// The costs, as shares of the budget; a readable test may cost more.
pub const COSTS: [f64; 3] = [0.05, 0.1, 0.2];

/// The range tests of each cost.
pub const TESTS: u64 = 12;

/// The seed of a test's sweep and first probes.
pub const fn seed_of(test: u64) -> u64 {
    1000 + 10 * test
}

/// The rules that a test stands beside.
pub const OTHERS: [&str; 7] = [
    "the sweep's own reading",
    "least loss",
    "minimum/10",
    "steepest (Lightning, torch-lr-finder)",
    "valley (fastai)",
    "slide (fastai)",
    "TPE (Optuna)",
];

const NO_OTHERS: [Option<f64>; OTHERS.len()] = [None; OTHERS.len()];

/// All answers of a problem.
pub struct Judged {
    pub name: &'static str,
    pub use_: Use,
    pub truths: [Option<Truth>; POLICIES.len()],
    /// Grids of shorter trainings, for each of [`SHARES`].
    pub shorter: [Option<Truth>; SHARES.len()],
    /// For each of [`COSTS`].
    pub tests: Vec<Vec<Test>>,
}

/// One range test, and what sweeps of the same cost say to other rules.
pub struct Test {
    /// `max_lr`, where there was a reliable answer.
    pub answer: Option<Estimate>,
    /// The updates made, as a share of the budget.
    pub cost: f64,
    /// None of an answer that was only recorded.
    pub probes: Vec<ProbeResult>,
    /// The loss before anything was learnt.
    pub opening: f64,
    /// What each of [`OTHERS`] answers with as many updates.
    pub others: [Option<f64>; OTHERS.len()],
}

impl Test {
    pub fn max_lr(&self) -> Option<f64> {
        self.answer.map(|max_lr| max_lr.value)
    }
}

/// Makes the tests of a problem, with what the bank holds and with new trainings.
pub fn judge(
    problem: &'static Problem,
    folder: &Path,
    cifar: &str,
    others: bool,
) -> Result<Judged> {
    let mut bank = Bank::open(problem, folder, cifar)?;
    let mut tests = Vec::new();
    for cost in COSTS {
        let made: Result<Vec<Test>> = (0..TESTS)
            .map(|k| test(&mut bank, cost, seed_of(k), others))
            .collect();
        tests.push(made?);
    }
    Judged::new(problem.name, problem.use_, tests, folder)
}

/// The answers that `child/judge.py` recorded, and TPE's.
pub fn read(child: &'static Child, folder: &Path, others: bool) -> Result<Judged> {
    let mut tests: Vec<Vec<Test>> = COSTS.iter().map(|_| Vec::new()).collect();
    let sweeps = bank::sweeps(folder, child.name)?;
    for row in bank::rows(folder, child.name, "answers")? {
        let cost: f64 = row[0].parse()?;
        let of = COSTS.iter().position(|c| *c == cost / 100.0);
        let of = of.ok_or_else(|| anyhow::anyhow!("{}: no cost of {cost} %", child.name))?;
        let (seed, updates) = (row[1].parse()?, row[5].parse()?);
        let mut test = recorded(&row, child.budget)?;
        if others {
            let sweep = sweeps
                .get(&(updates, seed))
                .context("run child/judge.py sweeps")?;
            test.others = picks(sweep, bank::tpe(folder, child.name, COSTS[of], seed)?);
        }
        tests[of].push(test);
    }
    for (cost, tests) in COSTS.iter().zip(&tests) {
        let made = tests.len();
        ensure!(
            made as u64 == TESTS,
            "{}: {made} answers at a cost of {cost}, not {TESTS}: run child/judge.py",
            child.name
        );
    }
    Judged::new(child.name, Use::Fresh, tests, folder)
}

fn recorded(row: &[String], budget: u64) -> Result<Test> {
    let max_lr = || -> Result<Estimate> {
        Ok(Estimate {
            value: row[2].parse()?,
            interval: Interval {
                low: row[3].parse()?,
                high: row[4].parse()?,
            },
            basis: Basis::Prediction,
        })
    };
    Ok(Test {
        answer: (!row[2].is_empty()).then(max_lr).transpose()?,
        cost: row[5].parse::<f64>()? / budget as f64,
        probes: Vec::new(),
        opening: f64::NAN,
        others: NO_OTHERS,
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
        answer: reading.answer.ok().map(|bounds| bounds.max_lr),
        cost: made as f64 / budget as f64,
        probes: reading.probes,
        opening,
        others: if others {
            picks(&bank.sweep(allowance.updates, seed)?, bank.tpe(cost, seed)?)
        } else {
            NO_OTHERS
        },
    })
}

/// What rules for a sweep alone pick from one that costs as much as the whole test; TPE's answer last.
fn picks(sweep: &Sweep, tpe: Option<f64>) -> [Option<f64>; OTHERS.len()] {
    let read = read_bounds(std::slice::from_ref(sweep), &cyclr::range::Rule::default());
    let picks = Suggestions::of(sweep);
    [
        read.answer.ok().map(|bounds| bounds.max_lr.value),
        Start::of(sweep, false).ok().map(|start| start.lr),
        picks.map(|p| p.minimum_tenth),
        picks.map(|p| p.steepest),
        picks.map(|p| p.valley),
        picks.map(|p| p.slide),
        tpe,
    ]
}

impl Judged {
    fn new(name: &'static str, use_: Use, tests: Vec<Vec<Test>>, folder: &Path) -> Result<Self> {
        let [linear, triangular2, triangular, fixed] =
            POLICIES.map(|policy| Truth::read(name, folder, policy));
        let [tenth, quarter, half] = SHARES.map(|share| Truth::read_shorter(name, folder, share));
        Ok(Self {
            name,
            use_,
            truths: [linear?, triangular2?, triangular?, fixed?],
            shorter: [tenth?, quarter?, half?],
            tests,
        })
    }

    /// The points that answers lose under a policy, at the peak that `cyclr` then gives it.
    pub fn regrets(&self, policy: usize, rates: impl Iterator<Item = f64>) -> Option<Vec<f64>> {
        let over = Policy::max_over_peak(POLICIES[policy]).expect("a name is enough for it");
        self.regrets_at(policy, rates.map(|lr| lr / over))
    }

    /// The points that peaks lose under a policy.
    pub fn regrets_at(&self, policy: usize, rates: impl Iterator<Item = f64>) -> Option<Vec<f64>> {
        let truth = self.truths[policy].as_ref()?;
        let regrets: Vec<f64> = rates.map(|lr| truth.regret(lr)).collect();
        (!regrets.is_empty()).then_some(regrets)
    }
}
