//! `cyclr judge TABLE`: verdicts on runs that were made elsewhere.

use std::path::Path;

use anyhow::anyhow;
use cyclr_train::judge::{JudgeError, Judgement, judge, read_values};
use cyclr_train::store::{VERSION, Versioned, write_atomically};

use super::report;
use crate::args::JudgeArgs;
use crate::exit::{NoReliableAnswer, NotBetter, Usage};
use crate::report::Report;
use crate::say::{columns, note, out, unless_unread};

pub(super) fn run(args: &JudgeArgs) -> anyhow::Result<()> {
    let question = args.question();
    let values = read_values(&args.table, &question)?;
    let judgement = judge(&values, &question).map_err(|error| match error {
        JudgeError::Asked(_) | JudgeError::NoReference { .. } => Usage::error(error),
        _ => error.into(),
    })?;
    let required = args.require.as_deref();
    let failed = required.map(|arm| failed(&judgement, arm)).transpose()?;
    let failed = failed.flatten();
    // What is kept, and the exit code, do not depend on whether anybody reads what is printed.
    let kept = match &args.out {
        Some(folder) => {
            report::refuse_other_results(folder, &[])?;
            write(&judgement, folder)
        }
        None => Ok(()),
    };
    unless_unread(if args.json {
        out!("{}", serde_json::to_string(&judgement)?)
    } else {
        print(&judgement)
    })?;
    kept?;
    match failed {
        Some(reason) => Err(NotBetter(reason).into()),
        _ if !judgement.has_verdict() => Err(anyhow!(NoReliableAnswer)),
        _ => Ok(()),
    }
}

/// Why the arm with this label is not better than the reference; `None` if it is.
fn failed(judgement: &Judgement, label: &str) -> anyhow::Result<Option<String>> {
    let arm = judgement.arm(label).ok_or_else(|| {
        Usage::error(format!(
            "--require {label}: the table has no arm of that name"
        ))
    })?;
    if arm == judgement.reference {
        return Err(Usage::error(format!(
            "--require {label}: it is the reference itself"
        )));
    }
    let said = judgement.not_better(arm).map(|judged| {
        let verdict = &judged.conclusion.table[arm].verdict;
        match &judged.task {
            Some(task) => format!("{task}: {verdict}"),
            None => verdict.clone(),
        }
    });
    let said: Vec<String> = said.collect();
    let reference = judgement.standings(&judgement.tasks[0]);
    let reference = reference.label(judgement.reference);
    Ok((!said.is_empty()).then(|| {
        format!(
            "{label} is not shown to be better than {reference} ({})",
            said.join(", ")
        )
    }))
}

fn print(judgement: &Judgement) -> std::io::Result<()> {
    out!("{}", judgement.text(columns()).trim_end())
}

fn write(judgement: &Judgement, folder: &Path) -> anyhow::Result<()> {
    report::write(&Report::of_judgement(judgement), folder)?;
    let record = Versioned {
        version: VERSION,
        record: judgement,
    };
    for (name, text) in [
        ("judgement.json", serde_json::to_string_pretty(&record)?),
        ("verdict.txt", judgement.to_string()),
    ] {
        write_atomically(&folder.join(name), text.as_bytes())?;
    }
    note!("judgement: {}", folder.join("judgement.json").display());
    Ok(())
}
