//! `cyclr data [DIR]`: what a data set holds.

use std::io;

use cyclr_engine::data::{Dataset, OpenOptions, PartSummary, Summary};
use serde_json::{Value, json};

use crate::args::DataArgs;
use crate::say::out;

pub(crate) fn run(args: &DataArgs) -> anyhow::Result<()> {
    let dataset = match &args.folder {
        Some(folder) => Dataset::open(
            folder,
            &OpenOptions {
                size: args.size,
                ..OpenOptions::default()
            },
        )?,
        None => Dataset::embedded(),
    };
    let summary = dataset.summary();
    if args.json {
        out!("{}", document(&summary))?;
        return Ok(());
    }
    Ok(print(&summary)?)
}

fn document(summary: &Summary) -> Value {
    let part = |part: &PartSummary| {
        let channels: Vec<Value> = part
            .channels
            .iter()
            .map(|(mean, sd)| json!({ "mean": mean, "sd": sd }))
            .collect();
        json!({ "examples": part.examples, "per_class": part.per_class, "channels": channels })
    };
    json!({
        "source": summary.source, "format": summary.format, "bytes": summary.bytes,
        "height": summary.shape.height, "width": summary.shape.width, "channels": summary.shape.channels,
        "classes": summary.classes, "train": part(&summary.train), "test": part(&summary.test),
        "ignored": summary.ignored,
    })
}

fn print(summary: &Summary) -> io::Result<()> {
    let shape = summary.shape;
    out!("{} ({})", summary.source, summary.format)?;
    out!(
        "images   {} × {} × {} (height, width, channels)",
        shape.height,
        shape.width,
        shape.channels
    )?;
    out!(
        "memory   {:.1} MB, shared by all runs",
        summary.bytes as f64 / 1e6
    )?;
    for (name, part) in [("train", &summary.train), ("test", &summary.test)] {
        let channels: Vec<String> = part
            .channels
            .iter()
            .map(|(mean, sd)| format!("{mean:.1} ± {sd:.1}"))
            .collect();
        out!(
            "{name:8} {} images; channels {} (mean ± sd, of 255)",
            part.examples,
            channels.join(", ")
        )?;
    }
    out!("classes  train / test")?;
    for (n, class) in summary.classes.iter().enumerate() {
        out!(
            "  {class:20} {:6} / {:6}",
            summary.train.per_class[n],
            summary.test.per_class[n]
        )?;
    }
    if !summary.ignored.is_empty() {
        out!("not read {}", summary.ignored.join(", "))?;
    }
    Ok(())
}
