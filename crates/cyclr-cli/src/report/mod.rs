//! The report of one or several comparisons, or of a judged table: one HTML page that needs nothing else, and its
//! figures as files.

mod cells;
mod differences;
mod figures;
mod forest;
mod judged;
mod page;
mod provenance;
mod runs;
#[cfg(test)]
mod tests;
mod verdicts;

use std::fmt::Write as _;
use std::path::PathBuf;

use cyclr_train::compare::record::Record;
use cyclr_train::judge::Judgement;
use serde::Deserialize;

use crate::chart::{self, Chart, DrawError};

/// The size of a chart in a file of its own, in points.
const SIZE: (u32, u32) = (960, 540);

/// Of a chart of rows: its height without them, and the height of a row.
const ROWS_SIZE: (u32, u32) = (130, 52);

/// A report: its page, its charts, and every run.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    html: String,
    charts: Vec<Chart>,
    runs_csv: String,
}

impl Report {
    /// The report of comparisons, in order.
    ///
    /// # Errors
    /// The error of a spec that does not fit its run, which no comparison has made.
    pub(crate) fn new(records: &[Record]) -> Result<Self, cyclr::Error> {
        let charts = records
            .iter()
            .enumerate()
            .map(|(n, record)| figures::charts(record, &prefix(n, records.len())))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            html: page::html(records, &charts),
            charts: charts.into_iter().flatten().collect(),
            runs_csv: runs::csv(records),
        })
    }

    /// The report of a judged table.
    pub(crate) fn of_judgement(judgement: &Judgement) -> Self {
        let tasks = judgement.tasks.iter().enumerate();
        let charts: Vec<Chart> = tasks
            .map(|(n, task)| judged::chart(judgement, task, &prefix(n, judgement.tasks.len())))
            .collect();
        Self {
            html: judged::html(judgement, &charts),
            charts: judged::with_points(charts),
            runs_csv: judged::csv(judgement),
        }
    }

    /// One self-contained HTML page.
    pub(crate) fn html(&self) -> &str {
        &self.html
    }

    /// The points of every chart: `chart,series,x,y,low,high`.
    pub(crate) fn figures_csv(&self) -> String {
        let mut text = String::from("chart,series,x,y,low,high\n");
        for chart in &self.charts {
            for line in chart.csv().lines().skip(1) {
                let _ = writeln!(text, "{},{line}", chart.id);
            }
        }
        text
    }

    /// The points of every chart, with their titles, axes and captions.
    pub(crate) fn figures_json(&self) -> String {
        serde_json::to_string_pretty(&self.charts).expect("charts hold text and numbers only")
    }

    /// Every final run, a row each.
    pub(crate) fn runs_csv(&self) -> &str {
        &self.runs_csv
    }

    /// Everything there is, as files: their names and contents. The page first, then the figures
    /// as JSON and CSV, then each chart as SVG and PNG in the folder `charts`.
    ///
    /// # Errors
    /// [`DrawError`] if a chart cannot be drawn.
    pub(crate) fn files(&self) -> Result<Vec<(PathBuf, Vec<u8>)>, DrawError> {
        let mut files = vec![
            (PathBuf::from("report.html"), self.html.clone().into_bytes()),
            (
                PathBuf::from("figures.json"),
                self.figures_json().into_bytes(),
            ),
            (
                PathBuf::from("figures.csv"),
                self.figures_csv().into_bytes(),
            ),
            (
                PathBuf::from("runs.csv"),
                self.runs_csv.clone().into_bytes(),
            ),
        ];
        for chart in &self.charts {
            let [svg, png] = chart_files(&chart.id);
            let alone = std::slice::from_ref(chart);
            let size = match chart.x.names.len() as u32 {
                0 => SIZE,
                rows => (SIZE.0, ROWS_SIZE.0 + rows * ROWS_SIZE.1),
            };
            files.push((svg, chart::svg(alone, size)?.into_bytes()));
            files.push((png, chart::png(alone, size)?));
        }
        Ok(files)
    }

    /// The charts of an earlier report that this one does not have, as files: they would be taken
    /// for its own. `figures` is the text of the earlier `figures.json`.
    ///
    /// # Errors
    /// If the text is no list of charts.
    pub(crate) fn outdated(&self, figures: &str) -> Result<Vec<PathBuf>, serde_json::Error> {
        #[derive(Deserialize)]
        struct Drawn {
            id: String,
        }
        let drawn: Vec<Drawn> = serde_json::from_str(figures)?;
        let is_id = |id: &str| id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        let kept = |id: &str| self.charts.iter().any(|chart| chart.id == id);
        let outdated = drawn.iter().filter(|old| is_id(&old.id) && !kept(&old.id));
        Ok(outdated.flat_map(|old| chart_files(&old.id)).collect())
    }
}

/// Where a chart is drawn.
fn chart_files(id: &str) -> [PathBuf; 2] {
    ["svg", "png"].map(|kind| PathBuf::from(format!("charts/{id}.{kind}")))
}

/// The titles of comparisons, with their places behind those that several have.
fn titles(records: &[Record]) -> Vec<String> {
    let title = |(n, record): (usize, &Record)| {
        let title = &record.plan.title;
        let same = records.iter().filter(|other| other.plan.title == *title);
        match same.count() {
            1 => title.clone(),
            _ => format!("{title} ({})", n + 1),
        }
    };
    records.iter().enumerate().map(title).collect()
}

/// What keeps the charts of several sections of a page apart.
fn prefix(section: usize, sections: usize) -> String {
    if sections > 1 {
        format!("{}-", section + 1)
    } else {
        String::new()
    }
}
