//! Prints the regret of `cyclr`'s range-test rule beside other rules, over recorded problems.
//!
//! `finder FOLDER… [--detail]`: each folder holds problems in the form of testdata/range-curves.
//! `finder make FOLDER`: makes problems with cyclr's engine.

mod case;
mod constants;
mod make;
mod noise;
mod numbers;
mod others;
mod problem;
mod quality;
mod settings;
mod traps;

use std::path::Path;

use anyhow::Result;
use case::cases;
use cyclr::range::Rule;
use problem::Problem;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [verb, folder] = arguments.as_slice()
        && verb == "make"
    {
        return make::make(Path::new(folder));
    }
    let (flags, folders): (Vec<&String>, Vec<&String>) =
        arguments.iter().partition(|a| a.starts_with("--"));
    let problems = problems(&folders)?;
    let rule = Rule::default();
    if flags.iter().any(|flag| *flag == "--detail") {
        quality::detail(&problems, &rule);
    }
    for (label, loss_only) in [("accuracy", false), ("loss alone", true)] {
        let cases = cases(&problems, loss_only);
        println!("\n# read from {label}");
        quality::summary(&cases, &rule);
        println!("\n## leave one problem out");
        constants::leave_one_out(&cases);
        println!("\n## one constant at a time");
        constants::one_at_a_time(&cases);
        println!("\n## cut sweeps and noise");
        traps::must_be_none(&cases, &rule);
    }
    noise::floor(&problems);
    others::others(&cases(&problems, false));
    Ok(())
}

/// All problems of the folders, by name.
fn problems(folders: &[&String]) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for folder in folders {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.join("grid.json").exists() {
                problems.push(Problem::read(&path)?);
            }
        }
    }
    problems.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(problems)
}
