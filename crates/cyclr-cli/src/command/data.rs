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
    let parts = parts(summary).map(|(name, of_part)| (name.to_owned(), part(of_part)));
    let mut document = json!({
        "source": summary.source, "format": summary.format, "bytes": summary.bytes,
        "height": summary.shape.height, "width": summary.shape.width,
        "channels": summary.shape.channels,
        "classes": summary.classes, "ignored": summary.ignored, "notes": summary.notes,
    });
    if let Value::Object(members) = &mut document {
        members.extend(parts);
    }
    document
}

/// The parts that a data set has. Train and test are always among them.
fn parts(summary: &Summary) -> impl Iterator<Item = (&'static str, &PartSummary)> {
    let validation = Some(("validation", &summary.validation));
    [
        Some(("train", &summary.train)),
        validation.filter(|(_, part)| part.examples > 0),
        Some(("test", &summary.test)),
    ]
    .into_iter()
    .flatten()
}

fn print(summary: &Summary) -> io::Result<()> {
    let shape = summary.shape;
    out!("{} ({})", summary.source, summary.format)?;
    out!(
        "images     {} × {} × {} (height, width, channels)",
        shape.height,
        shape.width,
        shape.channels
    )?;
    out!(
        "memory     {:.1} MB, shared by all runs",
        summary.bytes as f64 / 1e6
    )?;
    for (name, part) in parts(summary) {
        let channels: Vec<String> = part
            .channels
            .iter()
            .map(|(mean, sd)| format!("{mean:.1} ± {sd:.1}"))
            .collect();
        out!(
            "{name:10} {} images; channels {} (mean ± sd, of 255)",
            part.examples,
            channels.join(", ")
        )?;
    }
    let names: Vec<&str> = parts(summary).map(|(name, _)| name).collect();
    out!("classes    {}", names.join(" / "))?;
    for (n, class) in summary.classes.iter().enumerate() {
        let counts = parts(summary).map(|(_, part)| format!("{:6}", part.per_class[n]));
        let counts: Vec<String> = counts.collect();
        out!("  {class:20} {}", counts.join(" / "))?;
    }
    if !summary.ignored.is_empty() {
        out!("ignored    {}", summary.ignored.join(", "))?;
    }
    for note in &summary.notes {
        out!("note       {note}")?;
    }
    Ok(())
}
