//! The page of a judged table.

use std::fmt::Write as _;

use cyclr::trainer::Direction;
use cyclr_train::judge::{Judged, Judgement};

use super::cells::{
    Cell, counted, dash, escaped, list, named, number, table, text, thousands, value,
};
use super::differences::{colour, differences, percent};
use super::page::{contents, document, figure_of};
use super::verdicts::{summary, tests};
use crate::chart::{Chart, quoted};

/// Rows of values on a page; more are not read there.
const ROWS: usize = 1000;

/// The differences at one task.
pub(super) fn chart(judgement: &Judgement, judged: &Judged, prefix: &str) -> Chart {
    let mut chart = differences(&[judgement.standings(judged)]);
    chart.id = format!("{prefix}{}", chart.id);
    chart
}

/// The charts that show something: at a task whose reference is missing, nothing was compared.
pub(super) fn with_points(mut charts: Vec<Chart>) -> Vec<Chart> {
    charts.retain(|chart| !chart.series.is_empty());
    charts
}

/// The page for a judged table, and the charts of its tasks.
pub(super) fn html(judgement: &Judgement, charts: &[Chart]) -> String {
    let title = format!("{}, judged", judgement.source);
    let alone = judgement.tasks.len() == 1;
    let mut body = String::new();
    if !alone {
        let items = judgement.tasks.iter().map(|judged| {
            let task = judged.task.as_deref().unwrap_or("");
            (task, judged.conclusion.headline.as_str())
        });
        body.push_str(&contents(&title, items));
        let _ = write!(
            body,
            "<section>\n<h2>All {} tasks</h2>\n{}</section>\n",
            judgement.tasks.len(),
            list(&judgement.said_over_tasks())
        );
    }
    for (n, (judged, chart)) in judgement.tasks.iter().zip(charts).enumerate() {
        body.push_str(&section(judgement, judged, chart, (n, alone)));
    }
    let charts: Vec<&Chart> = charts.iter().collect();
    document(&title, &body, &charts)
}

fn section(
    judgement: &Judgement,
    judged: &Judged,
    chart: &Chart,
    (n, alone): (usize, bool),
) -> String {
    let conclusion = &judged.conclusion;
    let standings = judgement.standings(judged);
    let heading = if alone { "h1" } else { "h2" };
    let task = judged.task.as_deref().unwrap_or(&judgement.source);
    let better = match judgement.objective.direction {
        Direction::Higher => "more",
        Direction::Lower => "less",
    };
    let mut html = format!(
        "<section id=\"comparison-{n}\">\n<p class=\"kicker\">{} &middot; {}, of which {better} is better &middot; margin \
         {}</p>\n<{heading}>{}</{heading}>\n",
        escaped(task),
        escaped(&judgement.objective.name),
        standings.margin_in_words(),
        escaped(&conclusion.headline),
    );
    html.push_str(&summary(&standings, conclusion, &[]));
    html.push_str(&list(&conclusion.notes));
    html.push_str(&list(&conclusion.spread));
    if !chart.series.is_empty() {
        html.push_str("<h2>How large the differences are</h2>\n");
        html.push_str(&figure_of(judgement.objective.unit, chart));
        html.push_str(&tests(&standings, judgement.reference));
    }
    html.push_str("<h2>Every value</h2>\n");
    html.push_str(&values(judgement, judged));
    html.push_str("<h2>What these figures cannot say</h2>\n");
    html.push_str(&list(&conclusion.limits));
    html.push_str("</section>\n");
    html
}

fn values(judgement: &Judgement, judged: &Judged) -> String {
    let name = &judgement.objective.name;
    let unit = judgement.objective.unit;
    let head = [
        text("Arm"),
        number("Seed"),
        number(&format!("{name}{}", percent(unit))),
    ];
    let arms = judged.arms.iter().enumerate();
    let rows = arms.flat_map(|(place, arm)| {
        arm.values.iter().map(move |run| {
            let value = run.value.map_or_else(
                || String::from("<span class=\"diverged\">diverged</span>"),
                |x| value(unit, x),
            );
            vec![
                Cell::name(named(&arm.label, colour(judgement.reference, place))),
                Cell::number(run.seed.as_deref().map_or_else(dash, escaped)),
                Cell::number(value),
            ]
        })
    });
    let all: usize = judged.arms.iter().map(|arm| arm.values.len()).sum();
    let shown = if all > ROWS {
        format!(
            "The first {} of {} values; runs.csv has them all",
            thousands(ROWS as u64),
            thousands(all as u64)
        )
    } else {
        counted(&all.to_string(), "value")
    };
    format!(
        "<details><summary>{shown}</summary>\n{}</details>\n",
        table(&head, rows.take(ROWS))
    )
}

/// Every value, a row each.
pub(super) fn csv(judgement: &Judgement) -> String {
    let mut csv = String::from("task,arm,seed,value,diverged\n");
    for judged in &judgement.tasks {
        for arm in &judged.arms {
            for run in &arm.values {
                let _ = writeln!(
                    csv,
                    "{},{},{},{},{}",
                    judged.task.as_deref().map_or_else(String::new, quoted),
                    quoted(&arm.label),
                    run.seed.as_deref().map_or_else(String::new, quoted),
                    run.value.map_or_else(String::new, |x| format!("{x}")),
                    run.value.is_none()
                );
            }
        }
    }
    csv
}
