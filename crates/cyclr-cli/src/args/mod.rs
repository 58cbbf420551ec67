//! What may be written on the command line: a file for each command.

mod advise;
mod check;
mod cluster;
mod compare;
mod data;
mod find;
mod judge;
mod predict;
mod report;
mod resume;
mod run;
mod schedule;
mod train;
mod values;
mod wrap;

use clap::{ArgMatches, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;

pub(crate) use advise::AdviseArgs;
pub(crate) use check::CheckArgs;
pub(crate) use cluster::{LauncherArgs, WatchArgs, WorkArgs};
pub(crate) use compare::CompareArgs;
pub(crate) use data::DataArgs;
pub(crate) use find::{FindArgs, MeasuredOn};
pub(crate) use judge::JudgeArgs;
pub(crate) use predict::PredictArgs;
pub(crate) use report::ReportArgs;
pub(crate) use resume::ResumeArgs;
pub(crate) use schedule::ScheduleArgs;
pub(crate) use train::{StopWhen, TrainArgs};
pub(crate) use values::{not_a_number, read_policy, schedule, updates};
pub(crate) use wrap::WrapArgs;

/// Find a net's learning-rate bounds, train it in cycles, and show whether that wins.
#[derive(Parser)]
#[command(name = "cyclr", version, max_term_width = 100)]
#[command(after_help = "\
Examples:
  cyclr compare                          everything on embedded images, about a minute
  cyclr check -- python train.py         is your script ready for a comparison?
  cyclr compare -- python train.py       which policy wins on it?
  cyclr help compare                     the options of a command")]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Args {
    /// Reads them, with the names of the options that say what is trained.
    pub(crate) fn of(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut args = Self::from_arg_matches(matches)?;
        let trainer = match &mut args.command {
            Command::Find(args) => Some(&mut args.factory),
            Command::Compare(args) => Some(&mut args.factory),
            _ => None,
        };
        if let (Some(trainer), Some((_, matches))) = (trainer, matches.subcommand()) {
            trainer.note_given(matches);
        }
        Ok(args)
    }
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Print or draw the rates of a policy
    #[command(after_help = "\
Examples:
  cyclr schedule 'triangular(base=0.001, max=0.006, step=2000)'
  cyclr schedule 'cosine(lr=0.1)' 'wsd(lr=0.1)' --updates 1000 --out rates.svg
  cyclr schedule 'one_cycle(max=0.1)' --updates 1000 --format csv")]
    Schedule(ScheduleArgs),
    /// Advise a step size, a number of cycles and a budget, or cycles to replace a stepped schedule
    #[command(after_help = "\
Examples:
  cyclr advise --examples 50000 --batch 100 --epochs 30
  cyclr advise --examples 50000 --batch 100 --epochs 30 --from 'step(lr=0.1, gamma=0.1, every=10ep)'")]
    Advise(AdviseArgs),
    /// Check that a COMMAND uses the seed and the rate that it is given and can be evaluated and
    /// saved, and predict the cost of find and compare
    Check(CheckArgs),
    /// Find the bounds of a cyclical policy with a learning-rate range test
    #[command(after_help = "\
Examples:
  cyclr find --data cifar-10-batches-bin --net cifar10_quick --budget 20ep
  cyclr find --budget 2000 -- cyclr drive train.py
  cyclr find --from curve.csv --smoothed fastai")]
    Find(FindArgs),
    /// Train under a policy; if it has no rates, a range test finds them first
    #[command(after_help = "\
Examples:
  cyclr train --data cifar-10-batches-bin --net cifar10_quick --epochs 20
  cyclr train --policy 'triangular2(base=0.01, max=0.1, step=2ep)' --epochs 20 -- python train.py
  cyclr train --policy linear --epochs 20
  cyclr train --policy runs/compare-1/winner.toml")]
    Train(TrainArgs),
    /// Show which policy wins: fixed, triangular2 and linear, tuned alike, on paired seeds
    #[command(after_help = "\
Examples:
  cyclr compare --plan
  cyclr compare --data cifar-10-batches-bin --arm fixed --arm triangular2 --budget 20ep
  cyclr compare --arm fixed --arm 'mine=one_cycle(max=0.1)' --race 20 -- python train.py")]
    Compare(CompareArgs),
    /// Say which arm wins in a table of results from any program
    #[command(after_help = "\
Examples:
  cyclr judge results.csv --reference sgd --unit fraction
  cyclr judge results.csv --reference main --unit percent --require candidate")]
    Judge(JudgeArgs),
    /// Write the report of one or more comparisons again
    Report(ReportArgs),
    /// Resume an interrupted run or comparison
    Resume(ResumeArgs),
    /// Make or resume one run of a comparison: a LAUNCHER calls this on other machines
    Work(WorkArgs),
    /// Show the progress of a run or comparison, also if other machines make it
    #[command(after_help = "\
Examples:
  cyclr watch runs/compare-1
  cyclr watch runs/compare-1 --serve 8000")]
    Watch(WatchArgs),
    /// Classify images with a trained model
    Predict(PredictArgs),
    /// Describe a data set
    Data(DataArgs),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// The words of a command line, as a shell takes them.
    fn words(line: &str) -> Vec<String> {
        let parts = line.split('\'').enumerate();
        let quoted = |(n, part): (usize, &str)| match n % 2 {
            1 => part.replace(' ', "\u{a0}"),
            _ => part.to_owned(),
        };
        let line: String = parts.map(quoted).collect();
        let words = line.split(' ').filter(|word| !word.is_empty());
        words.map(|word| word.replace('\u{a0}', " ")).collect()
    }

    #[test]
    fn the_examples_of_the_help_are_commands() {
        let command = Args::command();
        let mut lines = Vec::new();
        for command in command.get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string);
            let help = help.unwrap_or_default();
            lines.extend(help.lines().skip(1).map(str::to_owned));
        }
        assert!(lines.len() > 15, "{lines:?}");
        for line in lines {
            let read = Args::try_parse_from(words(&line));
            assert!(read.is_ok(), "{line}: {}", read.err().unwrap());
        }
    }

    /// An option stands below the heading of what it belongs to.
    #[test]
    fn help_lists_a_command_s_own_options_first() {
        for name in ["find", "train", "compare", "check"] {
            let command = Args::command();
            let command = command.find_subcommand(name).unwrap();
            let heading = |option: &str| {
                let arg = command.get_arguments().find(|arg| arg.get_id() == option);
                arg.unwrap().get_help_heading()
            };
            assert_eq!(heading("json"), None, "{name}");
            assert_eq!(heading("command"), None, "{name}");
            assert_eq!(heading("net"), Some("What is trained"), "{name}");
            assert_eq!(heading("wrap"), Some("A program that can't be touched"));
        }
    }
}
