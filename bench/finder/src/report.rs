//! What the tests are worth, in tables.

use cyclr::range::{Estimate, MAX_OVER_BASE};

use crate::judge::{COSTS, Judged, OTHERS, Test};
use crate::problems::Use;
use crate::truth::POLICIES;

/// The answers of each problem by itself.
pub fn problems(all: &[Judged]) {
    println!(
        "problem          cost made  answers  log2 max_lr   sd ln  probes  regret (mean/worst) {POLICIES:?}"
    );
    for judged in all {
        for (cost, tests) in COSTS.iter().zip(&judged.tests) {
            let rates: Vec<f64> = tests.iter().filter_map(Test::max_lr).collect();
            let logs: Vec<f64> = rates.iter().map(|lr| lr.ln()).collect();
            let made = mean(tests.iter().map(|test| test.cost));
            // Answers that were only recorded have none.
            let probes = match mean(tests.iter().map(|test| test.probes.len() as f64)) {
                0.0 => String::from("-"),
                probes => format!("{probes:.1}"),
            };
            let regrets: Vec<String> = (0..POLICIES.len())
                .map(
                    |policy| match judged.regrets(policy, rates.iter().copied()) {
                        Some(r) => format!("{:5.2}/{:5.2}", mean(r.iter().copied()), most(&r)),
                        None => String::from("     -     "),
                    },
                )
                .collect();
            println!(
                "{:16} {:3.0} % {:4.1} %  {:2} of {:2}  {:6.2}        {:4.2}    {probes:>4}   {}",
                judged.name,
                100.0 * cost,
                100.0 * made,
                rates.len(),
                tests.len(),
                mean(logs.iter().copied()) / std::f64::consts::LN_2,
                deviation(&logs),
                regrets.join("  "),
            );
        }
    }
}

/// Every answer, as CSV.
pub fn answers(all: &[Judged]) {
    println!("problem,use,cost,test,made,max_lr,low,high,probe,tail_examples,seeds,best,opening");
    for judged in all {
        for (cost, tests) in COSTS.iter().zip(&judged.tests) {
            for (n, test) in tests.iter().enumerate() {
                let Some(max_lr) = test.answer else { continue };
                let losses = test.probes.iter().filter_map(|probe| probe.loss);
                let best = losses.fold(f64::INFINITY, f64::min);
                let seeds = test.probes.iter().map(|p| p.probe.repeat + 1).max();
                let first = test.probes[0];
                println!(
                    "{},{},{cost},{n},{:.4},{:.6},{:.6},{:.6},{},{},{},{best:.4},{:.4}",
                    judged.name,
                    judged.use_ == Use::Choosing,
                    test.cost,
                    max_lr.value,
                    max_lr.interval.low,
                    max_lr.interval.high,
                    first.probe.updates,
                    test.probes
                        .iter()
                        .map(|probe| probe.count)
                        .max()
                        .unwrap_or(0),
                    seeds.unwrap_or(0),
                    test.opening,
                );
            }
        }
    }
}

/// Everything over the problems of one use.
pub fn summary(all: &[Judged], use_: Use) {
    let all: Vec<&Judged> = all.iter().filter(|judged| judged.use_ == use_).collect();
    for (c, cost) in COSTS.iter().enumerate() {
        let tests = || all.iter().flat_map(|judged| &judged.tests[c]);
        let answers = tests().filter(|test| test.answer.is_some()).count();
        println!(
            "\nat {:.0} %: {answers} answers of {}",
            100.0 * cost,
            tests().count()
        );
        for (policy, name) in POLICIES.iter().enumerate() {
            line(name, &all, policy, |judged| {
                judged.tests[c].iter().filter_map(Test::max_lr).collect()
            });
        }
        for (rule, name) in OTHERS.iter().enumerate() {
            let picks = |judged: &Judged| -> Vec<f64> {
                let tests = judged.tests[c].iter();
                tests.filter_map(|test| test.others[rule]).collect()
            };
            let share = all.iter().map(|judged| picks(judged).len()).sum::<usize>();
            if share == 0 {
                continue;
            }
            println!("  {name}: {share} answers");
            for (policy, name) in POLICIES.iter().enumerate().take(2) {
                line(name, &all, policy, picks);
            }
        }
    }
    between_costs(&all);
    between_seeds(&all);
    intervals(&all);
}

fn line(name: &str, all: &[&Judged], policy: usize, rates: impl Fn(&Judged) -> Vec<f64>) {
    let regrets = regrets_of(all, policy, rates);
    if regrets.is_empty() {
        return;
    }
    let means: Vec<f64> = regrets.iter().map(|r| mean(r.iter().copied())).collect();
    let single = regrets.iter().map(|r| most(r)).fold(f64::MIN, f64::max);
    println!(
        "    {name:12} regret: median {:.2}, worst problem {:.2}, worst answer {single:.2} (n = {})",
        quantile(&means, 0.5),
        most(&means),
        means.len()
    );
}

/// The points lost, by problem, where there is a truth and an answer.
pub fn regrets_of(
    all: &[&Judged],
    policy: usize,
    rates: impl Fn(&Judged) -> Vec<f64>,
) -> Vec<Vec<f64>> {
    all.iter()
        .filter_map(|judged| judged.regrets(policy, rates(judged).into_iter()))
        .collect()
}

/// How far the geometric means of two costs lie apart.
fn between_costs(all: &[&Judged]) {
    for (a, b) in [(0, 1), (1, 2), (0, 2)] {
        let ratios = cost_ratios(all, a, b);
        println!(
            "\nratio of {:.0} % to {:.0} % (means over seeds): median {:.2}, worst {:.2}, {} of {} within 1.3",
            100.0 * COSTS[a],
            100.0 * COSTS[b],
            quantile(&ratios, 0.5),
            most(&ratios),
            ratios.iter().filter(|r| **r <= 1.3).count(),
            ratios.len()
        );
    }
}

/// The ratio of the geometric means of two costs, 1 or more, for each problem that was answered at both.
pub fn cost_ratios(all: &[&Judged], a: usize, b: usize) -> Vec<f64> {
    let centre = |tests: &[Test]| mean(tests.iter().filter_map(Test::max_lr).map(f64::ln));
    let ratio = |judged: &&Judged| {
        let apart = centre(&judged.tests[a]) - centre(&judged.tests[b]);
        apart.abs().exp()
    };
    all.iter()
        .map(ratio)
        .filter(|ratio| ratio.is_finite())
        .collect()
}

fn between_seeds(all: &[&Judged]) {
    for (c, cost) in COSTS.iter().enumerate() {
        let ratios = seed_ratios(all, c);
        let within = |limit: f64| {
            100.0 * ratios.iter().filter(|r| **r <= limit).count() as f64 / ratios.len() as f64
        };
        let quantiles: Vec<String> = [0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0]
            .map(|q| format!("{:.2}", quantile(&ratios, q)))
            .to_vec();
        println!(
            "ratio of two seeds at {:.0} %: {:.0} % within 1.3, {:.0} % within 2; quantiles 25, 50, 75, 90, 95, 99, 100 %: {}",
            100.0 * cost,
            within(1.3),
            within(2.0),
            quantiles.join(", ")
        );
    }
}

/// The ratio of each pair of answers to one problem, 1 or more.
pub fn seed_ratios(all: &[&Judged], cost: usize) -> Vec<f64> {
    let mut ratios = Vec::new();
    for judged in all {
        let rates: Vec<f64> = judged.tests[cost].iter().filter_map(Test::max_lr).collect();
        for (n, a) in rates.iter().enumerate() {
            ratios.extend(rates[..n].iter().map(|b| (a / b).ln().abs().exp()));
        }
    }
    ratios
}

/// Whether the answers of other seeds at any cost lie in the interval.
fn intervals(all: &[&Judged]) {
    let held = coverage(all);
    println!(
        "interval of max_lr: holds the answer of another seed at any cost in {:.1} % of {} pairs (least: {:.1} %, {}); ratio of its ends: median {:.2}, 90 % {:.2}",
        100.0 * held.inside as f64 / held.pairs as f64,
        held.pairs,
        100.0 * held.least.0,
        held.least.1,
        quantile(&held.widths, 0.5),
        quantile(&held.widths, 0.9)
    );
}

/// What the intervals hold.
pub struct Coverage {
    /// Pairs of an interval and another seed's answer in it.
    pub inside: usize,
    pub pairs: usize,
    /// The least share of a problem's pairs, and its name.
    pub least: (f64, &'static str),
    /// The ratio of each interval's ends.
    pub widths: Vec<f64>,
}

pub fn coverage(all: &[&Judged]) -> Coverage {
    let (mut inside, mut pairs) = (0, 0);
    let (mut widths, mut least) = (Vec::new(), (f64::INFINITY, ""));
    for judged in all {
        let seeds = judged.tests[0].len();
        let answers: Vec<(usize, Estimate)> = (judged.tests.iter().flatten().enumerate())
            .filter_map(|(n, test)| Some((n % seeds, test.answer?)))
            .collect();
        let (mut here, mut of) = (0, 0);
        for (seed, Estimate { interval, .. }) in &answers {
            widths.push(interval.high / interval.low);
            for (_, other) in answers.iter().filter(|(other, _)| other != seed) {
                of += 1;
                here += usize::from(interval.contains(other.value));
            }
        }
        let share = here as f64 / of as f64;
        if share < least.0 {
            least = (share, judged.name);
        }
        (inside, pairs) = (inside + here, pairs + of);
    }
    Coverage {
        inside,
        pairs,
        least,
        widths,
    }
}

/// The accuracy of bases at a fixed share of the best peak.
pub fn bases(all: &[Judged], folder: &std::path::Path) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for judged in all {
        let path = folder.join(format!("{}-bases.csv", judged.name));
        if path.exists() {
            rows.extend(
                std::fs::read_to_string(path)?
                    .lines()
                    .skip(1)
                    .map(String::from),
            );
        }
    }
    println!(
        "\nbase_lr is max_lr / {MAX_OVER_BASE}; mean accuracy at a base of max/N (points, all nets and seeds):"
    );
    for policy in &POLICIES[1..3] {
        let mut by_ratio = std::collections::BTreeMap::<u64, Vec<f64>>::new();
        for row in &rows {
            let cells: Vec<&str> = row.split(',').collect();
            if cells[0] == *policy {
                let ratio: f64 = cells[2].parse()?;
                let accuracy = 50.0 * (cells[4].parse::<f64>()? + cells[5].parse::<f64>()?);
                by_ratio
                    .entry(ratio.round() as u64)
                    .or_default()
                    .push(accuracy);
            }
        }
        let cell = |(ratio, values): (&u64, &Vec<f64>)| {
            format!(
                "/{ratio} {:.2} (n = {})",
                mean(values.iter().copied()),
                values.len()
            )
        };
        println!(
            "  {policy}: {}",
            by_ratio.iter().map(cell).collect::<Vec<_>>().join(", ")
        );
    }
    Ok(())
}

pub fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0.0), |(sum, n), v| (sum + v, n + 1.0));
    sum / n
}

fn deviation(values: &[f64]) -> f64 {
    let centre = mean(values.iter().copied());
    let squares: f64 = values.iter().map(|v| (v - centre).powi(2)).sum();
    (squares / (values.len() as f64 - 1.0)).sqrt()
}

pub fn most(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::MIN, f64::max)
}

pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 0 && share == 0.5 => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
        n => sorted[((n - 1) as f64 * share).round() as usize],
    }
}
