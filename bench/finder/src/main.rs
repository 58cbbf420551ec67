//! How good are the bounds that `cyclr find` gives? See README.md.

mod bank;
mod cycles;
mod judge;
mod probes;
mod problems;
mod report;
mod table;
mod truth;

use std::path::Path;

use anyhow::{Result, bail};

use bank::Bank;
use judge::{Judged, judge};
use problems::{CHILDREN, PROBLEMS, Problem, Use};

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["truth", bank, cifar, names @ ..] => {
            for problem in named(names)? {
                truth::make(problem, Path::new(bank), cifar)?;
            }
            Ok(())
        }
        ["shorter", bank, cifar, names @ ..] => {
            for problem in named(names)? {
                truth::make_shorter(problem, Path::new(bank), cifar)?;
            }
            Ok(())
        }
        ["judge", bank, cifar, names @ ..] => show(bank, cifar, names, false),
        ["table", bank, cifar, names @ ..] => {
            table::print(&judge_all(bank, cifar, names, true)?);
            Ok(())
        }
        ["answers", bank, cifar, names @ ..] => {
            let folder = Path::new(bank);
            let judge = |problem| judge(problem, folder, cifar, false);
            let judged = named(names)?.into_iter().map(judge);
            report::answers(&judged.collect::<Result<Vec<Judged>>>()?);
            Ok(())
        }
        ["beside", bank, cifar, names @ ..] => show(bank, cifar, names, true),
        ["cycles", bank, cifar, names @ ..] => {
            let (folder, problems) = (Path::new(bank), named(names)?);
            for problem in &problems {
                let judged = judge(problem, folder, cifar, false)?;
                cycles::make(problem, &judged, folder, cifar)?;
            }
            cycles::show(&problems, folder)
        }
        ["probes", bank, cifar, name] => {
            let problem = named(&[name])?[0];
            probes::answer(&mut Bank::open(problem, Path::new(bank), cifar)?)
        }
        _ => bail!(
            "give truth, shorter, judge, beside, table, answers, cycles or probes, then the bank's folder, that of CIFAR-10, and problems (all, if none)"
        ),
    }
}

/// Judges the named problems, two at a time.
fn judge_all(bank: &str, cifar: &str, names: &[&str], others: bool) -> Result<Vec<Judged>> {
    let folder = Path::new(bank);
    let is_child = |name: &&&str| CHILDREN.iter().any(|child| child.name == **name);
    let (children, engine): (Vec<&str>, Vec<&str>) = names.iter().partition(is_child);
    let only_children = !names.is_empty() && engine.is_empty();
    let mut left = if only_children {
        Vec::new()
    } else {
        named(&engine)?
    };
    // The memory of one problem's bank belongs to one thread.
    std::thread::scope(|scope| {
        let work = |problem| scope.spawn(move || judge(problem, folder, cifar, others));
        let mut done = Vec::new();
        while !left.is_empty() {
            let now: Vec<_> = left.drain(..left.len().min(2)).map(work).collect();
            for thread in now {
                done.push(thread.join().expect("a panic goes on here")?);
            }
        }
        for child in CHILDREN {
            if names.is_empty() || children.contains(&child.name) {
                done.push(judge::read(child, folder, others)?);
            }
        }
        Ok(done)
    })
}

fn show(bank: &str, cifar: &str, names: &[&str], others: bool) -> Result<()> {
    let judged = judge_all(bank, cifar, names, others)?;
    report::problems(&judged);
    for (use_, word) in [
        (Use::Choosing, "choosing"),
        (Use::Scoring, "scoring"),
        (Use::Fresh, "scoring, fresh"),
    ] {
        if judged.iter().any(|j| j.use_ == use_) {
            println!("\n## problems for {word}");
            report::summary(&judged, use_);
        }
    }
    report::bases(&judged, Path::new(bank))
}

fn named(names: &[&str]) -> Result<Vec<&'static Problem>> {
    if names.is_empty() {
        return Ok(PROBLEMS.iter().collect());
    }
    let find = |name: &&str| PROBLEMS.iter().find(|problem| problem.name == *name);
    names
        .iter()
        .map(|name| find(name).ok_or_else(|| anyhow::anyhow!("no problem {name}")))
        .collect()
}
