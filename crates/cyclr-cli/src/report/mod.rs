//! The report of one or several comparisons: one HTML page that needs nothing else, and its
//! figures as files.

mod cells;
mod figures;
mod forest;
mod page;
mod provenance;
#[cfg(test)]
mod tests;
mod verdicts;

use std::fmt::Write as _;
use std::path::PathBuf;

use cyclr_train::compare::record::Record;

use crate::chart::{self, Chart, DrawError, quoted};

/// The size of a chart in a file of its own, in points.
const SIZE: (u32, u32) = (960, 540);

/// Of a chart of rows: its height without them, and the height of a row.
const ROWS_SIZE: (u32, u32) = (130, 52);

/// A report: the records that it is about, in order.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    records: Vec<Record>,
    charts: Vec<Vec<Chart>>,
}

impl Report {
    /// # Errors
    /// The error of a spec that does not fit its run, which no comparison has made.
    pub(crate) fn new(records: Vec<Record>) -> Result<Self, cyclr::Error> {
        let several = records.len() > 1;
        let prefix = |n: usize| {
            if several {
                format!("{}-", n + 1)
            } else {
                String::new()
            }
        };
        let charts = records
            .iter()
            .enumerate()
            .map(|(n, record)| figures::charts(record, &prefix(n)))
            .collect::<Result<_, _>>()?;
        Ok(Self { records, charts })
    }

    /// One self-contained HTML page.
    pub(crate) fn html(&self) -> String {
        page::html(&self.records, &self.charts)
    }

    /// The points of every chart: `chart,series,x,y,low,high`.
    pub(crate) fn figures_csv(&self) -> String {
        let mut text = String::from("chart,series,x,y,low,high\n");
        for chart in self.charts() {
            for line in chart.csv().lines().skip(1) {
                let _ = writeln!(text, "{},{line}", chart.id);
            }
        }
        text
    }

    /// The points of every chart, with their titles, axes and captions.
    pub(crate) fn figures_json(&self) -> String {
        let charts: Vec<&Chart> = self.charts().collect();
        serde_json::to_string_pretty(&charts).expect("charts hold text and numbers only")
    }

    /// Every final run of every comparison, a row each.
    pub(crate) fn runs_csv(&self) -> String {
        let mut text = String::from(
            "comparison,budget,arm,spec,seed,added,updates,diverged,validation,test,seconds\n",
        );
        let number = |x: Option<f64>| x.map_or_else(String::new, |x| format!("{x}"));
        for record in &self.records {
            for (arm, outcome) in record.arms.iter().enumerate() {
                for (fraction, budget) in record.plan.budgets.iter().zip(&outcome.budgets) {
                    let spec = budget.spec.as_ref();
                    let spec = spec.map_or_else(String::new, ToString::to_string);
                    for run in &budget.runs {
                        let fields = [
                            quoted(&record.plan.title),
                            format!("{fraction}"),
                            quoted(record.label(arm)),
                            quoted(&spec),
                            format!("{}", run.seed),
                            format!("{}", run.added),
                            format!("{}", run.updates_done),
                            format!("{}", run.values.is_none()),
                            number(run.values.map(|values| values.validation)),
                            number(run.values.map(|values| values.test)),
                            format!("{}", run.seconds),
                        ];
                        text.push_str(&fields.join(","));
                        text.push('\n');
                    }
                }
            }
        }
        text
    }

    /// Everything there is, as files: their names and contents. The page first, then the figures
    /// as JSON and CSV, then each chart as SVG and PNG in the folder `charts`.
    ///
    /// # Errors
    /// [`DrawError`] if a chart cannot be drawn.
    pub(crate) fn files(&self) -> Result<Vec<(PathBuf, Vec<u8>)>, DrawError> {
        let mut files = vec![
            (PathBuf::from("report.html"), self.html().into_bytes()),
            (
                PathBuf::from("figures.json"),
                self.figures_json().into_bytes(),
            ),
            (
                PathBuf::from("figures.csv"),
                self.figures_csv().into_bytes(),
            ),
            (PathBuf::from("runs.csv"), self.runs_csv().into_bytes()),
        ];
        for chart in self.charts() {
            let file = |kind: &str| PathBuf::from(format!("charts/{}.{kind}", chart.id));
            let alone = std::slice::from_ref(chart);
            let size = match chart.x.names.len() as u32 {
                0 => SIZE,
                rows => (SIZE.0, ROWS_SIZE.0 + rows * ROWS_SIZE.1),
            };
            files.push((file("svg"), chart::svg(alone, size)?.into_bytes()));
            files.push((file("png"), chart::png(alone, size)?));
        }
        Ok(files)
    }

    fn charts(&self) -> impl Iterator<Item = &Chart> {
        self.charts.iter().flatten()
    }
}
