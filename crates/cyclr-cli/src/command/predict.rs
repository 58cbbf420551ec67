//! `cyclr predict RUN IMAGE…`: the likeliest classes of an image, with their probabilities.

use std::path::{Path, PathBuf};

use anyhow::Context;
use cyclr_engine::Predictor;
use cyclr_engine::data::read_image;
use cyclr_train::Error;
use cyclr_train::compare::read_plan;
use cyclr_train::store::{read_run, read_state};
use serde_json::{Value, json};

use crate::args::PredictArgs;
use crate::exit::Usage;
use crate::say::out;

pub(crate) fn run(args: &PredictArgs) -> anyhow::Result<()> {
    let path = model(&args.run)?;
    let bytes = read_state(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let mut predictor = Predictor::read(&bytes).with_context(|| format!("{}", path.display()))?;
    let mut documents = Vec::new();
    for image in &args.images {
        let likeliest = likeliest(&mut predictor, image, args.top.max(1))?;
        if args.json {
            documents.push(document(image, &likeliest));
        } else {
            let classes = likeliest
                .iter()
                .map(|(class, probability)| format!("{class} {:.1} %", 100.0 * probability));
            let classes: Vec<String> = classes.collect();
            out!("{}: {}", image.display(), classes.join(", "))?;
        }
    }
    if args.json {
        out!("{}", json!({ "predictions": documents }))?;
    }
    Ok(())
}

/// The model's file of a run.
fn model(run: &Path) -> anyhow::Result<PathBuf> {
    if run.is_file() {
        return Ok(run.to_owned());
    }
    let path = run.join("model.safetensors");
    if path.is_file() {
        return Ok(path);
    }
    match read_plan(run) {
        Ok(_) => {
            return Err(Usage::error(format!(
                "{} is a comparison: give one of its runs, as in {}",
                run.display(),
                run.join("final/1/1-fixed-seed1").display()
            )));
        }
        // No comparison: then it must be a run.
        Err(Error::NotARun { .. }) => {}
        Err(damaged) => return Err(damaged.into()),
    }
    read_run(run)?;
    Err(Usage::error(format!(
        "{} has no model.safetensors: a run of the embedded engine leaves it when it ends (cyclr \
         resume {})",
        run.display(),
        run.display()
    )))
}

/// The likeliest classes with their probabilities, falling.
fn likeliest(
    predictor: &mut Predictor,
    image: &Path,
    top: usize,
) -> anyhow::Result<Vec<(String, f64)>> {
    let pixels = read_image(image, predictor.shape())?;
    let probabilities = predictor.probabilities(&pixels);
    let names = predictor.classes().iter().cloned();
    let mut classes: Vec<(String, f64)> = names.zip(probabilities).collect();
    classes.sort_by(|a, b| b.1.total_cmp(&a.1));
    classes.truncate(top);
    Ok(classes)
}

fn document(image: &Path, likeliest: &[(String, f64)]) -> Value {
    let class = |(class, probability): &(String, f64)| json!({ "class": class, "probability": probability });
    json!({ "image": image, "classes": likeliest.iter().map(class).collect::<Vec<Value>>() })
}
