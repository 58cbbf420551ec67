//! The HTML page: words and tables; the charts draw themselves from the data at its foot.

use cyclr::trainer::{TrainerInfo, Unit};
use cyclr_train::compare::Tune;
use cyclr_train::compare::record::{Record, Winner, WinnerReason};
use serde_json::json;

use super::cells::{counted, escaped, figure, list, thousands};
use super::forest;
use super::provenance::{costs, range, runs, tuning};
use super::titles;
use super::verdicts::{differences, summary, times_to_target};
use crate::chart::{COLOURS, COLOURS_ON_DARK, Chart, DASHES};

const UPLOT: &str = include_str!("../../assets/uPlot.iife.min.js");
const UPLOT_STYLE: &str = include_str!("../../assets/uPlot.min.css");
const UPLOT_LICENCE: &str = include_str!("../../assets/uPlot.LICENSE");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page for these records and their charts.
pub(super) fn html(records: &[Record], charts: &[Vec<Chart>]) -> String {
    let title = match records {
        [record] => record.plan.title.clone(),
        _ => format!("{} comparisons", records.len()),
    };
    let titles = titles(records);
    let mut body = String::new();
    if records.len() > 1 {
        let items = titles.iter().zip(records);
        let items = items.map(|(title, record)| (&**title, &*record.conclusion.headline));
        body.push_str(&contents(&title, items));
    }
    for (n, (record, charts)) in records.iter().zip(charts).enumerate() {
        let place = (n, records.len() == 1);
        body.push_str(&comparison(record, &titles[n], charts, place));
    }
    let charts: Vec<&Chart> = charts.iter().flatten().collect();
    document(&title, &body, &charts)
}

/// A page that needs nothing else.
pub(super) fn document(title: &str, body: &str, charts: &[&Chart]) -> String {
    // Charts with names on an axis are on the page already, as rows.
    let named = |chart: &&&Chart| !chart.x.names.is_empty();
    let drawn: Vec<&&Chart> = charts.iter().filter(|chart| !named(chart)).collect();
    let title = escaped(title);
    let hex = |colours: &[(u8, u8, u8)]| -> Vec<String> {
        let hex = |&(r, g, b): &(u8, u8, u8)| format!("#{r:02x}{g:02x}{b:02x}");
        colours.iter().map(hex).collect()
    };
    let data = json!({
        "charts": drawn, "light": hex(&COLOURS), "dark": hex(&COLOURS_ON_DARK), "dashes": DASHES,
    });
    let colours = variables(&COLOURS);
    let dark_colours = variables(&COLOURS_ON_DARK);
    // A `<` in the data could end the script element.
    let data = data.to_string().replace('<', "\\u003c");
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>{title}</title>\n\
         <style>{UPLOT_STYLE}</style>\n<style>\n:root {{ {colours} }}\n@media (prefers-color-scheme: dark) {{ \
         :root:not([data-theme=\"light\"]) {{ {dark_colours} }} }}\n{STYLE}</style>\n</head>\n<body>\n<main>\n{body}\
         <footer>Made by cyclr {version}. Charts by uPlot.</footer>\n</main>\n\
         <script type=\"application/json\" id=\"data\">{data}</script>\n\
         <script>\n/*\n{UPLOT_LICENCE}*/\n{UPLOT}\n</script>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n",
        version = env!("CARGO_PKG_VERSION"),
    )
}

/// The palette as variables of CSS.
fn variables(colours: &[(u8, u8, u8)]) -> String {
    let mut text = String::new();
    for (n, (r, g, b)) in colours.iter().enumerate() {
        text += &format!("--c{n}: rgb({r} {g} {b});");
    }
    text
}

/// The list of several sections: the title and the headline of each.
pub(super) fn contents<'a>(title: &str, items: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let items = items.enumerate().map(|(n, (title, headline))| {
        format!(
            "<li><a href=\"#comparison-{n}\">{}</a>: {}</li>\n",
            escaped(title),
            escaped(headline)
        )
    });
    let title = escaped(title);
    format!(
        "<h1>{title}</h1>\n<ul>\n{}</ul>\n",
        items.collect::<String>()
    )
}

fn comparison(record: &Record, title: &str, charts: &[Chart], (n, alone): (usize, bool)) -> String {
    let conclusion = &record.conclusion;
    let heading = if alone { "h1" } else { "h2" };
    let (up_to, updates) = (record.plan.up_to(), record.plan.longest());
    let mut html = format!(
        "<section id=\"comparison-{n}\">\n<p class=\"kicker\">{} &middot; {} &middot; {up_to}{} a run &middot; {}</p>\n\
         <{heading}>{}</{heading}>\n",
        escaped(title),
        counted(&record.seeds().len().to_string(), "seed"),
        counted(&thousands(updates), "update"),
        counted(
            &figure(updates as f64 / record.info.updates_per_epoch() as f64),
            "epoch"
        ),
        escaped(&conclusion.headline),
    );
    let published: Vec<Option<f64>> = record.plan.arms.iter().map(|arm| arm.published).collect();
    let any = published.iter().any(Option::is_some);
    let published = if any { &published[..] } else { &[] };
    html.push_str(&summary(&record.standings(), conclusion, published));
    html.push_str(&list(&conclusion.notes));
    html.push_str(&list(&conclusion.spread));
    html.push_str(&winner(record, conclusion.winner));
    let drawn = |wanted: &dyn Fn(&str) -> bool| -> String {
        let charts = charts.iter().filter(|chart| wanted(stem(&chart.id)));
        charts
            .map(|chart| figure_of(record.objective.unit, chart))
            .collect()
    };
    let decides = |id: &str| ["differences", "budget"].contains(&id);
    let during =
        |id: &str| ["accuracy", "troughs", "rate"].contains(&id) || id.starts_with("training");
    let chosen = |id: &str| ["range", "tuning"].contains(&id);
    html.push_str("<h2>How large the differences are</h2>\n");
    html.push_str(&drawn(&decides));
    html.push_str(&differences(record));
    html.push_str("<h2>Time to target</h2>\n");
    html.push_str(&times_to_target(record));
    html.push_str("<h2>During training</h2>\n<p class=\"soft small hint\">Point at a chart for its values. Drag to zoom, \
        double-click to go back. The names switch lines off and on.</p>\n");
    html.push_str(&drawn(&during));
    html.push_str("<h2>How the rates were chosen</h2>\n");
    html.push_str(&range(record));
    html.push_str(&drawn(&chosen));
    html.push_str(&tuning(record));
    html.push_str("<h2>What it cost</h2>\n");
    html.push_str(&costs(record));
    html.push_str("<h2>Every run</h2>\n");
    html.push_str(&runs(record));
    html.push_str("<h2>The plan and the machine</h2>\n");
    html.push_str(&plan(record));
    html.push_str("</section>\n");
    html
}

/// The id of a chart without the number of its comparison.
fn stem(id: &str) -> &str {
    id.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-')
}

pub(super) fn figure_of(unit: Unit, chart: &Chart) -> String {
    if !chart.x.names.is_empty() {
        return forest::html(unit, chart);
    }
    format!(
        "<figure>\n<header><h3>{}</h3><div class=\"units\"></div></header>\n<figcaption>{}</figcaption>\n\
         <div class=\"keys\"></div>\n<div class=\"chart\" id=\"{}\" data-unit=\"0\"></div>\n</figure>\n",
        escaped(&chart.title),
        escaped(&chart.caption),
        chart.id
    )
}

fn winner(record: &Record, winner: Option<Winner>) -> String {
    let Some(Winner { arm, because }) = winner else {
        return String::new();
    };
    let because = match because {
        WinnerReason::Better => "Train with",
        WinnerReason::NoneBetter => "Train with: nothing was better than the reference",
        WinnerReason::Validation => {
            "Train with: the reference diverged, and this arm validates best"
        }
        WinnerReason::Cheapest => {
            "Train with: nothing separates the best arms, and none of them costs less"
        }
    };
    format!(
        "<div class=\"winner\"><div class=\"small soft\">{because}</div><strong>{}</strong> <code>{}</code></div>\n",
        escaped(record.label(arm)),
        // A table of a comparison has policies.
        escaped(record.conclusion.table[arm].policy.as_deref().unwrap_or(""))
    )
}

/// What was compared and on what, and what the figures cannot say.
fn plan(record: &Record) -> String {
    let rows = planned(record).into_iter().chain(record.about.clone());
    let rows = rows
        .map(|(name, value)| format!("<dt>{}</dt><dd>{}</dd>\n", escaped(&name), escaped(&value)));
    format!(
        "<dl>\n{}</dl>\n<h3>What these figures cannot say</h3>\n{}",
        rows.collect::<String>(),
        list(&record.conclusion.limits)
    )
}

/// The plan, name by name.
fn planned(record: &Record) -> Vec<(String, String)> {
    let plan = &record.plan;
    let mut info = vec![
        (String::from("seeds"), numbers(record.seeds())),
        (
            String::from("reference"),
            String::from(record.label(plan.reference)),
        ),
        (String::from("margin"), record.standings().margin_in_words()),
        (
            String::from("data"),
            format!(
                "{} training{} examples; batches of {}; {} updates an epoch",
                thousands(record.info.examples),
                held_out(&record.info),
                record.info.batch,
                record.info.updates_per_epoch()
            ),
        ),
    ];
    if let Some(tune) = &plan.tuning {
        info.push((String::from("tuning"), tuned(tune)));
    }
    if let Some(race) = &plan.race {
        let text = format!(
            "looks at {} seeds, each with an error of {} %; ended after {}",
            numbers(race.looks()),
            figure(100.0 * race.level()),
            record.seeds().len()
        );
        info.push((String::from("race"), text));
    }
    if !plan.added_seeds.is_empty() {
        info.push((
            String::from("seeds added later"),
            numbers(&plan.added_seeds),
        ));
    }
    for arm in &plan.arms {
        let note = arm
            .note
            .as_ref()
            .map_or_else(String::new, |note| format!(" ({note})"));
        info.push((
            format!("arm {}", arm.label),
            format!("{}{note}", arm.policy),
        ));
    }
    info
}

/// How peak rates are tuned.
fn tuned(tune: &Tune) -> String {
    let figures = |figures: &[f64]| {
        let figures: Vec<String> = figures.iter().map(|x| figure(*x)).collect();
        figures.join(", ")
    };
    let finer = if tune.rungs.len() > 1 {
        ", then finer"
    } else {
        ""
    };
    format!(
        "{} times max_lr{finer}; tuning seeds: {}; lengths, as parts of the budget: {}; rounds of one rate more: at most {}",
        figures(&tune.multiples),
        numbers(&tune.seeds),
        figures(&tune.rungs),
        tune.rounds
    )
}

/// `1, 2, 3`
fn numbers(numbers: &[u64]) -> String {
    let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
    numbers.join(", ")
}

/// `, 5,000 validation and 10,000 test`; nothing of a program that measures for itself.
fn held_out(info: &TrainerInfo) -> String {
    match info.whole_runs {
        Some(_) => String::new(),
        None => format!(
            ", {} validation and {} test",
            thousands(info.validation),
            thousands(info.test)
        ),
    }
}
