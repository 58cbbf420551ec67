//! `cyclr judge TABLE`: verdicts on runs that were made elsewhere.

use std::path::Path;

use anyhow::{Context, anyhow};
use cyclr_train::judge::{JudgeError, Judged, Judgement, judge, read_values};
use cyclr_train::store::{VERSION, Versioned};

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
        Some(reason) if !reason.is_empty() => Err(NotBetter(reason).into()),
        _ if !judgement.has_verdict() => Err(anyhow!(NoReliableAnswer)),
        _ => Ok(()),
    }
}

/// Why an arm is not better than the reference; empty if it is.
fn failed(judgement: &Judgement, arm: &str) -> anyhow::Result<String> {
    let arms = judgement.tasks.iter().flat_map(|task| &task.arms);
    let reference = arms.map(|arm| &arm.label).nth(judgement.reference);
    if reference.is_some_and(|reference| reference == arm) {
        return Err(Usage::error(format!(
            "--require {arm}: it is the reference itself"
        )));
    }
    let failed = judgement.not_better(arm).ok_or_else(|| {
        Usage::error(format!(
            "--require {arm}: the table has no arm of that name"
        ))
    })?;
    let said = failed.iter().map(|task| {
        let rows = &task.conclusion.table;
        let verdict = rows.iter().find(|row| row.arm == arm);
        let verdict = verdict.map_or("", |row| &row.verdict);
        match &task.task {
            Some(task) => format!("{task}: {verdict}"),
            None => String::from(verdict),
        }
    });
    let said: Vec<String> = said.collect();
    Ok(if said.is_empty() {
        String::new()
    } else {
        let reference = reference.map_or("", String::as_str);
        format!(
            "{arm} is not shown to be better than {reference} ({})",
            said.join(", ")
        )
    })
}

fn print(judgement: &Judgement) -> std::io::Result<()> {
    let texts: Vec<String> = judgement
        .tasks
        .iter()
        .map(|judged| text(judged, columns()))
        .collect();
    out!("{}", texts.join("\n").trim_end())
}

/// The verdict on one task, under its name if there are several.
fn text(judged: &Judged, columns: usize) -> String {
    let said = judged.conclusion.text(columns);
    match &judged.task {
        Some(task) => format!("== {task}\n{said}"),
        None => said,
    }
}

fn write(judgement: &Judgement, folder: &Path) -> anyhow::Result<()> {
    report::write(&Report::of_judgement(judgement), folder)?;
    let record = Versioned {
        version: VERSION,
        record: judgement,
    };
    let texts = judgement.tasks.iter().map(|judged| match &judged.task {
        Some(task) => format!("== {task}\n{}", judged.conclusion),
        None => judged.conclusion.to_string(),
    });
    let verdict = texts.collect::<Vec<_>>().join("\n");
    for (name, text) in [
        ("judgement.json", serde_json::to_string_pretty(&record)?),
        ("verdict.txt", verdict),
    ] {
        let path = folder.join(name);
        let written = std::fs::write(&path, text);
        written.with_context(|| format!("{} cannot be written", path.display()))?;
    }
    note!("judgement: {}", folder.join("judgement.json").display());
    Ok(())
}
