//! The HTML page: words and tables; the charts draw themselves from the data at its foot.

use std::fmt::Write as _;

use cyclr_train::compare::record::{
    Against, ArmRecord, ArmResult, ArmSoon, Because, BudgetRecord, Difference, Record, Role,
    Sample, Soon, Verdict, Winner,
};
use serde_json::json;

use super::figures::colour;
use crate::chart::{COLOURS, COLOURS_ON_DARK, Chart, DASHES};

const UPLOT: &str = include_str!("../../assets/uPlot.iife.min.js");
const UPLOT_STYLE: &str = include_str!("../../assets/uPlot.min.css");
const UPLOT_LICENCE: &str = include_str!("../../assets/uPlot.LICENSE");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page for these records and their charts.
pub(super) fn html(records: &[Record], charts: &[Vec<Chart>]) -> String {
    let title = match records {
        [record] => escaped(&record.plan.title),
        _ => format!("{} comparisons", records.len()),
    };
    let mut body = String::new();
    if records.len() > 1 {
        body.push_str(&contents(records, &title));
    }
    for (n, (record, charts)) in records.iter().zip(charts).enumerate() {
        body.push_str(&comparison(record, charts, n, records.len() == 1));
    }
    let all: Vec<&Chart> = charts.iter().flatten().collect();
    let hex = |colours: &[(u8, u8, u8)]| -> Vec<String> {
        let hex = |&(r, g, b): &(u8, u8, u8)| format!("#{r:02x}{g:02x}{b:02x}");
        colours.iter().map(hex).collect()
    };
    let data = json!({
        "charts": all, "light": hex(&COLOURS), "dark": hex(&COLOURS_ON_DARK), "dashes": DASHES,
    });
    // A `<` in the data could end the script element.
    let data = data.to_string().replace('<', "\\u003c");
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>{title}</title>\n\
         <style>{UPLOT_STYLE}</style>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{body}\
         <footer>Made by cyclr {version}. Charts by uPlot.</footer>\n</main>\n\
         <script type=\"application/json\" id=\"data\">{data}</script>\n\
         <script>\n/*\n{UPLOT_LICENCE}*/\n{UPLOT}\n</script>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n",
        version = env!("CARGO_PKG_VERSION"),
    )
}

/// The list of several comparisons.
fn contents(records: &[Record], title: &str) -> String {
    let items = records.iter().enumerate().map(|(n, record)| {
        format!(
            "<li><a href=\"#comparison-{n}\">{}</a>: {}</li>\n",
            escaped(&record.plan.title),
            escaped(&record.conclusion.headline)
        )
    });
    format!(
        "<h1>{title}</h1>\n<ul>\n{}</ul>\n",
        items.collect::<String>()
    )
}

fn comparison(record: &Record, charts: &[Chart], n: usize, alone: bool) -> String {
    let conclusion = &record.conclusion;
    let heading = if alone { "h1" } else { "h2" };
    let mut html = format!(
        "<section id=\"comparison-{n}\">\n<p class=\"kicker\">{} &middot; {} seeds &middot; {} updates a run &middot; \
         {} epochs</p>\n<{heading}>{}</{heading}>\n",
        escaped(&record.plan.title),
        record.plan.seeds.len(),
        thousands(record.plan.updates),
        figure(record.plan.updates as f64 / record.data.updates_per_epoch as f64),
        escaped(&conclusion.headline),
    );
    html.push_str(&list(&conclusion.sentences));
    html.push_str(&winner(record, conclusion.winner.as_ref()));
    if let Some(whole) = record.budgets.last() {
        html.push_str(&summary(record, whole));
    }
    let drawn = |wanted: &dyn Fn(&str) -> bool| -> String {
        let charts = charts.iter().filter(|chart| wanted(stem(&chart.id)));
        charts.map(figure_of).collect()
    };
    let decides = |id: &str| id.starts_with("differences") || id == "budget";
    let on_the_way =
        |id: &str| ["accuracy", "troughs", "rate"].contains(&id) || id.starts_with("training");
    let chosen = |id: &str| ["range", "tuning"].contains(&id);
    html.push_str("<h2>How large the differences are</h2>\n");
    html.push_str(&drawn(&decides));
    if let Some(whole) = record.budgets.last() {
        html.push_str(
            &whole
                .against
                .iter()
                .map(difference_table)
                .collect::<String>(),
        );
    }
    html.push_str("<h2>How soon</h2>\n");
    html.push_str(&soon(record));
    html.push_str("<h2>On the way</h2>\n<p class=\"soft small hint\">Point at a chart for its values; drag to zoom, \
        double-click to go back; the names switch lines off and on.</p>\n");
    html.push_str(&drawn(&on_the_way));
    html.push_str("<h2>How the rates were chosen</h2>\n");
    html.push_str(&range(record));
    html.push_str(&drawn(&chosen));
    html.push_str(&tuning(record));
    html.push_str("<h2>What it cost</h2>\n");
    html.push_str(&costs(record));
    html.push_str("<h2>Every run</h2>\n");
    html.push_str(&runs(record));
    html.push_str("<h2>The plan and the machine</h2>\n");
    html.push_str(&facts(record));
    html.push_str("</section>\n");
    html
}

/// The id of a chart without the number of its comparison.
fn stem(id: &str) -> &str {
    id.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-')
}

fn figure_of(chart: &Chart) -> String {
    format!(
        "<figure>\n<header><h3>{}</h3><div class=\"units\"></div></header>\n<figcaption>{}</figcaption>\n\
         <div class=\"keys\"></div>\n<div class=\"chart\" id=\"{}\" data-unit=\"0\"></div>\n</figure>\n",
        escaped(&chart.title),
        escaped(&chart.caption),
        chart.id
    )
}

fn winner(record: &Record, winner: Option<&Winner>) -> String {
    let Some(winner) = winner else {
        return String::new();
    };
    let arm = record.arms.iter().find(|arm| arm.label == winner.label);
    let spec = arm.and_then(|arm| arm.spec.as_deref()).unwrap_or("");
    let because = match winner.because {
        Because::Better => "To go on with",
        Because::NoneBetter => "To go on with: nothing was better than the reference",
        Because::Validation => "To go on with: the reference diverged, and this arm validates best",
        Because::Cheapest => {
            "To go on with: nothing separates the best arms, and this one costs the least"
        }
    };
    format!(
        "<div class=\"winner\"><div class=\"small soft\">{because}</div><strong>{}</strong> <code>{}</code></div>\n",
        escaped(&winner.label),
        escaped(spec)
    )
}

/// The main table: an arm a row.
fn summary(record: &Record, whole: &BudgetRecord) -> String {
    let reference = &record.plan.reference;
    let published = record.plan.arms.iter().any(|arm| arm.published.is_some());
    let mut head = vec![
        text("Arm"),
        text("Policy at its peak rate"),
        number(&format!("Test {}{}", record.measure.name, percent(record))),
        number(&format!("Difference from {reference}")),
        text("Verdict"),
        number(&format!("Time to target / {reference}'s")),
    ];
    if published {
        head.push(number("Published"));
    }
    let declared = whole.against.iter().find(|a| a.role == Role::Declared);
    let rows = whole.arms.iter().map(|arm| {
        let difference = declared.and_then(|a| a.differences.iter().find(|d| d.label == arm.label));
        let soon = declared.and_then(|a| a.soon.as_ref());
        let soon = soon.and_then(|s| s.arms.iter().find(|s| s.label == arm.label));
        let mut row = vec![
            Cell::name(arm_name(record, &arm.label)),
            Cell::text(format!(
                "<code>{}</code>",
                escaped(arm.spec.as_deref().unwrap_or(""))
            )),
            Cell::number(sample_of(arm)),
            Cell::number(difference.map_or_else(dash, |d| with_range(d.sample.as_ref()))),
            Cell::text(difference.map_or_else(|| String::from("reference"), verdict)),
            Cell::number(soon.map_or_else(dash, |soon| ratio(soon, &arm.label == reference))),
        ];
        if published {
            let figure = record.plan.arms.iter().find(|a| a.label == arm.label);
            let figure = figure.and_then(|a| a.published);
            row.push(Cell::number(figure.map_or_else(dash, |x| format!("{x}"))));
        }
        row
    });
    table(&head, rows)
}

/// Mean ± standard deviation of the test value, its interval below.
fn sample_of(arm: &ArmResult) -> String {
    let n = arm.runs.len();
    let diverged = match arm.diverged {
        0 => String::new(),
        k => format!("<span class=\"range diverged\">{k} of {n} diverged</span>"),
    };
    let Some(sample) = &arm.test else {
        return diverged;
    };
    let sd = sample
        .sd
        .map_or_else(String::new, |sd| format!(" &plusmn; {}", decimals(sd)));
    let interval = sample.interval.map_or_else(String::new, |[low, high]| {
        format!("{} to {}, ", decimals(low), decimals(high))
    });
    format!(
        "{}{sd}<span class=\"range\">{interval}n = {}</span>{diverged}",
        decimals(sample.mean),
        sample.n
    )
}

fn with_range(sample: Option<&Sample>) -> String {
    let Some(sample) = sample else { return dash() };
    let interval = sample.interval.map_or_else(String::new, |[low, high]| {
        format!(
            "<span class=\"range\">{} to {}</span>",
            signed(low),
            signed(high)
        )
    });
    format!("{}{interval}", signed(sample.mean))
}

fn verdict(difference: &Difference) -> String {
    let (class, word) = match difference.verdict {
        Verdict::Better => ("better", "better"),
        Verdict::Worse => ("worse", "worse"),
        Verdict::Equivalent => ("equivalent", "equivalent"),
        Verdict::Undecided => ("undecided", "undecided"),
        Verdict::Diverged => ("diverged", "diverged"),
    };
    let small = match difference.verdict {
        Verdict::Better | Verdict::Worse if difference.within_margin => {
            "<span class=\"range\">by less than the margin</span>"
        }
        _ => "",
    };
    let seeds = difference
        .seeds_to_decide
        .map_or_else(String::new, |range| {
            format!("<span class=\"range\">{} might decide</span>", seeds(range))
        });
    format!("<span class=\"{class}\">{word}</span>{small}{seeds}")
}

fn seeds([low, high]: [u64; 2]) -> String {
    if low == high {
        format!("{low} seeds")
    } else {
        format!("{low} to {high} seeds")
    }
}

/// The ratio of times to the target, and how many runs reached it.
fn ratio(soon: &ArmSoon, reference: bool) -> String {
    let reached = format!(
        "<span class=\"range\">{} of {} reached it</span>",
        soon.reached,
        soon.updates.len()
    );
    if reference {
        return format!("1{reached}");
    }
    format!("{}{reached}", span(soon.ratio))
}

/// A median as far as it is known: a number, or the ends that it lies between.
fn span([low, high]: [Option<f64>; 2]) -> String {
    match (low, high) {
        (Some(low), Some(high)) if low == high => figure(low),
        (Some(0.0), Some(high)) => format!("&le; {}", figure(high)),
        (Some(low), Some(high)) => format!("{} to {}", figure(low), figure(high)),
        (Some(low), None) => format!("&ge; {}", figure(low)),
        (None, _) => dash(),
    }
}

fn difference_table(against: &Against) -> String {
    let role = match against.role {
        Role::Declared => "the declared reference",
        Role::BestNonCyclical => "the arm without cycles that validates best",
    };
    let head = [
        text("Arm"),
        number("Mean difference"),
        number("p (Holm)"),
        number("p of equivalence (TOST, Holm)"),
        number("n"),
        text("Verdict"),
    ];
    let p = |p: Option<f64>| p.map_or_else(dash, figure);
    let rows = against.differences.iter().map(|d| {
        vec![
            Cell::text(escaped(&d.label)),
            Cell::number(with_range(d.sample.as_ref())),
            Cell::number(p(d.p)),
            Cell::number(p(d.equivalence_p)),
            Cell::number(d.sample.map_or_else(dash, |s| format!("{}", s.n))),
            Cell::text(verdict(d)),
        ]
    });
    format!(
        "<h3>Beside {}, {role}</h3>\n{}",
        escaped(&against.reference),
        table(&head, rows)
    )
}

fn soon(record: &Record) -> String {
    let Some(whole) = record.budgets.last() else {
        return String::new();
    };
    let tables = whole.against.iter().filter_map(|against| {
        let soon = against.soon.as_ref()?;
        Some(soon_table(record, against, soon))
    });
    format!(
        "<p>A run has reached the target when its validation value is there at one point of the common grid and at the \
         next. Runs that never do count as longer than they lasted. Each arm is divided by the reference's own time, \
         seed by seed. Tuning is not in these times; it stands beside them.</p>\n{}",
        tables.collect::<String>()
    )
}

fn soon_table(record: &Record, against: &Against, soon: &Soon) -> String {
    let head = [
        text("Arm"),
        number("Reached"),
        number("Median updates"),
        number("Median seconds, alone"),
        number(&format!("Median ratio to {}", against.reference)),
        number("Its interval"),
        number("Tuning updates"),
    ];
    let rows = soon.arms.iter().map(|arm| {
        let interval = format!(
            "{}<span class=\"range\">{} % sure</span>",
            span(arm.ratio_interval),
            decimals(100.0 * arm.ratio_confidence)
        );
        let reference = arm.label == against.reference;
        vec![
            Cell::name(arm_name(record, &arm.label)),
            Cell::number(format!("{} of {}", arm.reached, arm.updates.len())),
            Cell::number(span(arm.median_updates)),
            Cell::number(span(arm.median_seconds)),
            Cell::number(if reference {
                String::from("1")
            } else {
                span(arm.ratio)
            }),
            Cell::number(if reference { dash() } else { interval }),
            Cell::number(thousands(arm.tuning_updates)),
        ]
    });
    format!(
        "<h3>To {}{}: {}'s mean final validation {} the margin</h3>\n{}",
        decimals(soon.target),
        if record.measure.unit == "points" {
            " %"
        } else {
            ""
        },
        escaped(&against.reference),
        if record.measure.higher_is_better {
            "less"
        } else {
            "plus"
        },
        table(&head, rows)
    )
}

fn range(record: &Record) -> String {
    let Some(range) = &record.range else {
        return String::from("<p>The bounds were given, not found.</p>\n");
    };
    let interval = |interval: Option<[f64; 2]>| {
        interval.map_or_else(String::new, |[low, high]| {
            format!(" ({} to {})", figure(low), figure(high))
        })
    };
    format!(
        "<p>The range test found base_lr = {}{} and max_lr = {}{}; 95 % intervals over {} repeats.</p>\n",
        figure(range.base_lr),
        interval(range.base_interval),
        figure(range.max_lr),
        interval(range.max_interval),
        range.sweeps.len()
    )
}

fn tuning(record: &Record) -> String {
    let tuned = record
        .arms
        .iter()
        .filter_map(|arm| Some((arm, arm.tuning.as_ref()?)));
    let head = [
        text("Arm"),
        number("Peak rate"),
        number("Times max_lr"),
        number(&format!(
            "Validation {}{}",
            record.measure.name,
            percent(record)
        )),
        text(""),
    ];
    let rows = tuned.flat_map(|(arm, tuning)| {
        tuning.trials.iter().enumerate().map(move |(n, trial)| {
            let chosen = tuning.chosen == Some(n);
            let mut words: Vec<&str> = Vec::new();
            words.extend(chosen.then_some("<strong>chosen</strong>"));
            words.extend((chosen && tuning.at_edge).then_some("at the edge of what was tried"));
            words.extend(trial.extra.then_some("added"));
            let value = trial.validation.map_or_else(
                || String::from("<span class=\"diverged\">diverged</span>"),
                decimals,
            );
            vec![
                Cell::name(arm_name(record, &arm.label)),
                Cell::number(figure(trial.peak)),
                Cell::number(figure(trial.multiple)),
                Cell::number(value),
                Cell::text(words.join(", ")),
            ]
        })
    });
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return String::new();
    }
    format!(
        "<details><summary>Every rate that was tried</summary>\n{}</details>\n",
        table(&head, rows.into_iter())
    )
}

fn costs(record: &Record) -> String {
    let head = [
        text("Arm"),
        number("Tuning updates"),
        number("Updates of final runs"),
        number("Seconds of training, alone"),
    ];
    let row = |arm: &ArmRecord| {
        let runs = record.budgets.iter().flat_map(|budget| &budget.arms);
        let runs = runs.filter(|result| result.label == arm.label);
        let updates: u64 = runs
            .flat_map(|result| &result.runs)
            .map(|run| run.made)
            .sum();
        let seconds = (arm.tuning_updates + updates) as f64 * record.pace.seconds_per_update;
        vec![
            Cell::name(arm_name(record, &arm.label)),
            Cell::number(thousands(arm.tuning_updates)),
            Cell::number(thousands(updates)),
            Cell::number(figure(seconds)),
        ]
    };
    let sweeps = record.range.as_ref().map_or(0, |range| range.updates);
    format!(
        "{}<p class=\"small soft\">The range test took {} updates once, for all arms. An update takes {} s when nothing \
         else runs (median of {}), a reading of the validation split {} s.</p>\n",
        table(&head, record.arms.iter().map(row)),
        thousands(sweeps),
        figure(record.pace.seconds_per_update),
        record.pace.updates_timed,
        figure(record.pace.seconds_per_reading)
    )
}

fn runs(record: &Record) -> String {
    let head = [
        number("Updates"),
        text("Arm"),
        number("Seed"),
        number(&format!("Validation{}", percent(record))),
        number(&format!("Test{}", percent(record))),
        number("Seconds, side by side"),
        text("Folder"),
    ];
    let of_budget = |budget: &BudgetRecord| -> Vec<Vec<Cell>> {
        let runs = budget
            .arms
            .iter()
            .flat_map(|arm| arm.runs.iter().map(move |run| (arm, run)));
        let value = |x: Option<f64>| x.map_or_else(dash, decimals);
        runs.map(|(arm, run)| {
            let added = if run.added { " (added)" } else { "" };
            let diverged = if run.diverged {
                " <span class=\"diverged\">diverged</span>"
            } else {
                ""
            };
            vec![
                Cell::number(thousands(run.made)),
                Cell::name(arm_name(record, &arm.label) + diverged),
                Cell::number(format!("{}{added}", run.seed)),
                Cell::number(value(run.validation)),
                Cell::number(value(run.test)),
                Cell::number(figure(run.seconds)),
                Cell::text(format!("<code>{}</code>", escaped(&run.folder))),
            ]
        })
        .collect()
    };
    let rows: Vec<_> = record.budgets.iter().flat_map(of_budget).collect();
    format!(
        "<details><summary>{} final runs, value by value</summary>\n{}</details>\n",
        rows.len(),
        table(&head, rows.into_iter())
    )
}

fn facts(record: &Record) -> String {
    let plan = &record.plan;
    let numbers = |seeds: &[u64]| {
        seeds
            .iter()
            .map(u64::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    };
    let mut facts = vec![
        (String::from("seeds"), numbers(&plan.seeds)),
        (String::from("reference"), plan.reference.clone()),
        (
            String::from("margin"),
            format!("{} {}", plan.margin, record.measure.unit),
        ),
        (
            String::from("data"),
            format!(
                "{} training, {} validation and {} test examples; batches of {}; {} updates an epoch",
                thousands(record.data.examples),
                thousands(record.data.validation),
                thousands(record.data.test),
                record.data.batch,
                record.data.updates_per_epoch
            ),
        ),
    ];
    if let Some(tune) = &plan.tuning {
        let multiples: Vec<String> = tune.multiples.iter().map(|m| figure(*m)).collect();
        let text = format!(
            "{} times max_lr, on seed {}",
            multiples.join(", "),
            tune.seed
        );
        facts.push((String::from("tuning"), text));
    }
    if !plan.added_seeds.is_empty() {
        facts.push((
            String::from("seeds added later"),
            numbers(&plan.added_seeds),
        ));
    }
    for arm in &plan.arms {
        let note = arm
            .note
            .as_ref()
            .map_or_else(String::new, |note| format!(" ({note})"));
        facts.push((
            format!("arm {}", arm.label),
            format!("{}{note}", arm.policy),
        ));
    }
    facts.extend(record.about.iter().map(|(k, v)| (k.clone(), v.clone())));
    let rows = facts
        .iter()
        .map(|(name, value)| format!("<dt>{}</dt><dd>{}</dd>\n", escaped(name), escaped(value)));
    format!(
        "<dl>\n{}</dl>\n<h3>What these figures cannot say</h3>\n{}",
        rows.collect::<String>(),
        list(&record.conclusion.limits)
    )
}

/// Sentences, one below the other.
fn list(sentences: &[String]) -> String {
    let mut html = String::from("<ul>\n");
    for sentence in sentences {
        let _ = writeln!(html, "<li>{}</li>", escaped(sentence));
    }
    html.push_str("</ul>\n");
    html
}

/// A cell of a table: its content as HTML, and what it is.
struct Cell {
    html: String,
    class: &'static str,
}

impl Cell {
    fn text(html: String) -> Self {
        Self {
            html,
            class: "text",
        }
    }

    /// Text that stays on one line.
    fn name(html: String) -> Self {
        Self {
            html,
            class: "name",
        }
    }

    fn number(html: String) -> Self {
        Self {
            html,
            class: "number",
        }
    }
}

/// A head cell over text.
fn text(label: &str) -> Cell {
    Cell::text(escaped(label))
}

/// A head cell over numbers.
fn number(label: &str) -> Cell {
    Cell::number(escaped(label))
}

fn table(head: &[Cell], rows: impl Iterator<Item = Vec<Cell>>) -> String {
    let row = |cells: &[Cell], tag: &str| {
        let cells = cells
            .iter()
            .map(|cell| format!("<{tag} class=\"{}\">{}</{tag}>", cell.class, cell.html));
        format!("<tr>{}</tr>\n", cells.collect::<String>())
    };
    let rows: String = rows.map(|cells| row(&cells, "td")).collect();
    format!(
        "<div class=\"table\"><table>\n<thead>{}</thead>\n<tbody>\n{rows}</tbody></table></div>\n",
        row(head, "th")
    )
}

/// An arm's name with the colour that it has in the charts.
fn arm_name(record: &Record, label: &str) -> String {
    let place = colour(record, label);
    let (r, g, b) = COLOURS[place % COLOURS.len()];
    format!(
        "<span class=\"swatch\" data-colour=\"{place}\" style=\"border-color:rgb({r},{g},{b})\"></span>{}",
        escaped(label)
    )
}

fn percent(record: &Record) -> &'static str {
    if record.measure.unit == "points" {
        " (%)"
    } else {
        ""
    }
}

fn dash() -> String {
    String::from("&ndash;")
}

/// A measured value: two decimals, three below a tenth, or three digits where it is smaller still.
fn decimals(x: f64) -> String {
    match x.abs() {
        0.0 => String::from("0"),
        0.1.. => format!("{x:.2}"),
        0.001.. => format!("{x:.3}"),
        _ => figure(x),
    }
}

fn signed(x: f64) -> String {
    let sign = match x {
        0.0 => "",
        _ if x < 0.0 => "&minus;",
        _ => "+",
    };
    format!("{sign}{}", decimals(x.abs()))
}

/// A number in three digits, or four below a hundred thousand.
pub(super) fn figure(x: f64) -> String {
    if x == 0.0 {
        return String::from("0");
    }
    let digits: f64 = format!("{x:.2e}").parse().unwrap_or(x);
    if x.abs() >= 1000.0 && x.abs() < 1e15 {
        thousands(x.abs().round() as u64)
    } else if (1e-4..1000.0).contains(&x.abs()) {
        format!("{digits}")
    } else {
        format!("{digits:e}")
    }
}

/// A count with its thousands apart.
fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let parts: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .filter_map(|part| std::str::from_utf8(part).ok())
        .collect();
    parts.join(",")
}

/// Text as HTML shows it.
pub(super) fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            _ => html.push(c),
        }
    }
    html
}
