//! The tables of README.md.

use crate::judge::{COSTS, Judged, OTHERS, Test};
use crate::problems::Use;
use crate::report::{cost_ratios, coverage, mean, most, quantile, regrets_of, seed_ratios};
use crate::truth::{FIXED, POLICIES, SHARES, TRIANGULAR, Truth};

/// The cost at which the test stands beside other rules: 10 %.
const BESIDE: usize = 1;

/// Its probes hardly learn; so it is shown by itself too.
const BY_ITSELF: &str = "quick-adamw";

struct Group<'a> {
    name: &'static str,
    problems: Vec<&'a Judged>,
}

pub fn print(all: &[Judged]) {
    let groups = groups(all);
    costs(&groups);
    beside(&groups);
    steadiness(&groups);
    shorter(all, &groups);
    fractions(
        &groups,
        TRIANGULAR,
        [0.7, 1.0, 1.2, 1.4, 1.7, 2.0, 2.8, 4.0],
    );
    fractions(
        &groups,
        FIXED,
        [1.0, 2.0, 2.8, 4.0, 5.6, 8.0, 11.0, 16.0, 32.0],
    );
}

/// What a policy loses at fractions of the answers at 10 %.
fn fractions<const N: usize>(groups: &[Group], policy: usize, over: [f64; N]) {
    println!(
        "\n| {} | {} |",
        POLICIES[policy],
        over.map(|over| format!("max_lr / {over}")).join(" | ")
    );
    println!("|---|{}", "---|".repeat(N));
    for group in groups {
        let at = |over: f64| {
            let regrets = |judged: &&Judged| {
                let rates = rates(judged, BESIDE).into_iter();
                judged.regrets_at(policy, rates.map(|lr| lr / over))
            };
            summary(
                &group
                    .problems
                    .iter()
                    .filter_map(regrets)
                    .collect::<Vec<_>>(),
            )
        };
        println!("| {} | {} |", group.name, over.map(at).join(" | "));
    }
}

/// Those that have problems.
fn groups(all: &[Judged]) -> Vec<Group<'_>> {
    let group = |name, holds: fn(&Judged) -> bool| Group {
        name,
        problems: all.iter().filter(|judged| holds(judged)).collect(),
    };
    let mut groups = vec![
        group("choosing", |j| j.use_ == Use::Choosing),
        group("scoring without quick-adamw", |j| {
            j.use_ == Use::Scoring && j.name != BY_ITSELF
        }),
        group("quick-adamw", |j| j.name == BY_ITSELF),
        group("fresh", |j| j.use_ == Use::Fresh),
        group("scoring and fresh", |j| {
            matches!(j.use_, Use::Scoring | Use::Fresh)
        }),
    ];
    groups.retain(|group| !group.problems.is_empty());
    groups
}

/// The test itself at each cost.
fn costs(groups: &[Group]) {
    println!(
        "| problems | cost asked, made | answers | {} |",
        POLICIES.join(" | ")
    );
    println!("|---|---|---|{}", "---|".repeat(POLICIES.len()));
    for group in groups {
        for (c, cost) in COSTS.iter().enumerate() {
            let tests = || group.problems.iter().flat_map(|judged| &judged.tests[c]);
            let made = mean(tests().map(|test| test.cost));
            let answers = tests().filter(|test| test.answer.is_some()).count();
            let cells = (0..POLICIES.len())
                .map(|policy| cell(&group.problems, policy, |judged| rates(judged, c)));
            println!(
                "| {} | {:.0} %, {:.0} % | {answers} of {} | {} |",
                group.name,
                100.0 * cost,
                100.0 * made,
                tests().count(),
                cells.collect::<Vec<_>>().join(" | ")
            );
        }
    }
    println!();
}

/// Other rules at the same cost.
fn beside(groups: &[Group]) {
    println!("| problems | rule | answers | linear | triangular2 |");
    println!("|---|---|---|---|---|");
    for group in groups {
        let row = |rule: &str, picks: &dyn Fn(&Judged) -> Vec<f64>| {
            let answers: usize = group
                .problems
                .iter()
                .map(|judged| picks(judged).len())
                .sum();
            let tests: usize = group
                .problems
                .iter()
                .map(|judged| judged.tests[BESIDE].len())
                .sum();
            if answers > 0 {
                let [linear, triangular2] =
                    [0, 1].map(|policy| cell(&group.problems, policy, picks));
                println!(
                    "| {} | {rule} | {answers} of {tests} | {linear} | {triangular2} |",
                    group.name
                );
            }
        };
        row("the test", &|judged| rates(judged, BESIDE));
        for (n, name) in OTHERS.iter().enumerate() {
            row(name, &|judged| {
                judged.tests[BESIDE]
                    .iter()
                    .filter_map(|test| test.others[n])
                    .collect()
            });
        }
    }
    println!();
}

/// What the best peak of a whole grid of shorter trainings loses, with what the test loses at 10 %.
fn shorter(all: &[Judged], groups: &[Group]) {
    println!(
        "| | {} |",
        ["linear", "triangular2"]
            .map(|policy| {
                let of = |share| format!("{policy}, {share} %");
                format!("{policy}, the test | {}", SHARES.map(of).join(" | "))
            })
            .join(" | ")
    );
    println!("|---|{}", "---|".repeat(2 * (1 + SHARES.len())));
    let row = |name: &str, problems: &[&Judged]| {
        let cells = [0, 1].into_iter().flat_map(|policy| {
            let test = cell_of_means(problems, policy, |judged| rates(judged, BESIDE));
            let of = move |share: usize| {
                cell_of_means(problems, policy, |judged| {
                    let grid = judged.shorter[share].as_ref();
                    grid.map(Truth::best_peak).into_iter().collect()
                })
            };
            std::iter::once(test).chain((0..SHARES.len()).map(of))
        });
        println!("| {name} | {} |", cells.collect::<Vec<_>>().join(" | "));
    };
    for judged in all.iter().filter(|judged| judged.use_ != Use::Trap) {
        row(judged.name, &[judged]);
    }
    for group in groups.iter().filter(|group| group.problems.len() > 1) {
        row(group.name, &group.problems);
    }
    println!();
}

/// Median over problems and the worst problem's mean; of one problem its mean.
fn cell_of_means(
    problems: &[&Judged],
    policy: usize,
    picks: impl Fn(&Judged) -> Vec<f64>,
) -> String {
    let means = means(&regrets_of(problems, policy, picks));
    match means[..] {
        [] => String::new(),
        [only] => format!("{only:.2}"),
        _ => format!("{:.2}, {:.2}", quantile(&means, 0.5), most(&means)),
    }
}

/// Intervals, costs and seeds.
fn steadiness(groups: &[Group]) {
    let row = |what: &str, of: &dyn Fn(&[&Judged]) -> String| {
        let cells: Vec<String> = groups.iter().map(|group| of(&group.problems)).collect();
        println!("| {what} | {} |", cells.join(" | "));
    };
    let names: Vec<String> = groups
        .iter()
        .map(|group| format!("{} ({})", group.name, group.problems.len()))
        .collect();
    println!("| | {} |", names.join(" | "));
    println!("|---|{}", "---|".repeat(groups.len()));
    row(
        "interval: holds the answer of another seed at any cost, of pairs",
        &|all| {
            let held = coverage(all);
            format!("{:.1} %", 100.0 * held.inside as f64 / held.pairs as f64)
        },
    );
    row("least, of a problem", &|all| {
        format!("{:.1} %", 100.0 * coverage(all).least.0)
    });
    row("median ratio of its ends", &|all| {
        format!("{:.2}", quantile(&coverage(all).widths, 0.5))
    });
    row(
        "means of 5 and 20 % (ratio: median, worst problem)",
        &|all| {
            let ratios = cost_ratios(all, 0, 2);
            format!("{:.2}, {:.2}", quantile(&ratios, 0.5), most(&ratios))
        },
    );
    row("two seeds at 10 %: within 1.3, within 2", &|all| {
        let ratios = seed_ratios(all, BESIDE);
        let within = |limit| {
            100.0 * ratios.iter().filter(|r| **r <= limit).count() as f64 / ratios.len() as f64
        };
        format!("{:.0}, {:.0} %", within(1.3), within(2.0))
    });
    row("quantiles of their ratio, 50, 75, 90, 99 %", &|all| {
        let ratios = seed_ratios(all, BESIDE);
        let cells = [0.5, 0.75, 0.9, 0.99].map(|q| format!("{:.2}", quantile(&ratios, q)));
        cells.join(", ")
    });
}

fn rates(judged: &Judged, cost: usize) -> Vec<f64> {
    judged.tests[cost].iter().filter_map(Test::max_lr).collect()
}

/// Median over problems, the worst problem's mean, the worst answer, and the problems.
fn cell(problems: &[&Judged], policy: usize, picks: impl Fn(&Judged) -> Vec<f64>) -> String {
    summary(&regrets_of(problems, policy, picks))
}

fn summary(regrets: &[Vec<f64>]) -> String {
    if regrets.is_empty() {
        return String::new();
    }
    let means = means(regrets);
    let single = regrets.iter().map(|r| most(r)).fold(f64::MIN, f64::max);
    let (median, worst) = (quantile(&means, 0.5), most(&means));
    format!("{median:.2}, {worst:.2}, {single:.2} ({})", means.len())
}

/// The mean of each problem.
fn means(regrets: &[Vec<f64>]) -> Vec<f64> {
    regrets.iter().map(|r| mean(r.iter().copied())).collect()
}
