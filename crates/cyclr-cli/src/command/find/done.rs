//! What came of the tests: kept, shown, or the reason why there is no answer.

use std::path::Path;

use anyhow::anyhow;
use cyclr::units::Horizon;
use cyclr_train::find::{AnswerRecord, Found, Swept};

use super::{plot, show};
use crate::args::{FindArgs, MeasuredOn};
use crate::exit::NoReliableAnswer;
use crate::say::{note, out};

/// What came of them.
pub(super) enum Done {
    Probes(Vec<Found>),
    Sweeps(Vec<(Option<f64>, Swept)>),
}

impl Done {
    /// Writes the curves and the probes down.
    pub(super) fn keep(&self, folder: &Path) -> anyhow::Result<()> {
        match self {
            Self::Probes(all) => {
                for found in all {
                    found.keep(folder)?;
                    plot::save(&plot::of_found(found), folder, found.test.weight_decay)?;
                }
            }
            Self::Sweeps(all) => {
                for (decay, swept) in all {
                    let prefix = decay.map_or_else(String::new, |wd| format!("wd{wd}-"));
                    swept.keep(folder, &prefix)?;
                    plot::save(&plot::of_sweeps(&swept.curves, "", None), folder, *decay)?;
                }
            }
        }
        note!("the curves are in {}", folder.display());
        Ok(())
    }

    /// The answer of each test and its plot, or why there is none.
    pub(super) fn show(&self, args: &FindArgs, run: &Horizon) -> anyhow::Result<()> {
        if args.json {
            self.print_json(run)
        } else {
            self.print(args, run)
        }
    }

    /// An error if no test gave an answer.
    pub(super) fn check_answers(&self) -> anyhow::Result<()> {
        let answers = match self {
            Self::Probes(all) => all.iter().any(|found| found.answer.is_ok()),
            Self::Sweeps(all) => all.iter().any(|(_, swept)| swept.reading.answer.is_ok()),
        };
        // Of tests at several weight decays, one that gives an answer is enough.
        if answers {
            Ok(())
        } else {
            Err(anyhow!(NoReliableAnswer))
        }
    }

    fn print_json(&self, run: &Horizon) -> anyhow::Result<()> {
        let answers: Vec<AnswerRecord> = match self {
            Self::Probes(all) => all
                .iter()
                .map(|found| AnswerRecord::of(found, run))
                .collect::<Result<_, _>>()?,
            Self::Sweeps(all) => all
                .iter()
                .map(|(decay, swept)| AnswerRecord::of_sweeps(swept, *decay, Some(run)))
                .collect::<Result<_, _>>()?,
        };
        match answers.as_slice() {
            [answer] => out!("{}", serde_json::to_string(answer)?)?,
            answers => out!("{}", serde_json::to_string(answers)?)?,
        }
        Ok(())
    }

    fn print(&self, args: &FindArgs, run: &Horizon) -> anyhow::Result<()> {
        let heading = |decay: Option<f64>| decay.map_or(Ok(()), |wd| out!("weight decay {wd}"));
        match self {
            Self::Probes(all) => {
                for found in all {
                    heading(found.test.weight_decay)?;
                    show::found(found, run)?;
                }
            }
            Self::Sweeps(all) => {
                let examples = match args.measured_on {
                    MeasuredOn::Train => " of training batches",
                    MeasuredOn::Val => " of held-out examples",
                };
                for (decay, swept) in all {
                    heading(*decay)?;
                    show::sweeps(swept, examples, Some(run))?;
                }
            }
        }
        Ok(())
    }
}
