//! `cyclr predict RUN IMAGE…`: the likeliest classes of an image, with their probabilities, by the
//! declared model of a run.

use std::path::{Path, PathBuf};

use anyhow::Context;
use cyclr_engine::Predictor;
use cyclr_engine::data::read_image;
use cyclr_train::compare::read_plan;
use cyclr_train::store::{read_outcome, read_run, read_state};
use cyclr_train::{Average, Error};
use serde_json::{Value, json};

use crate::args::PredictArgs;
use crate::exit::Usage;
use crate::say::{note, out};

pub(crate) fn run(args: &PredictArgs) -> anyhow::Result<()> {
    let paths = models(&args.run)?;
    let predictors = paths.iter().map(|path| predictor(path));
    let mut predictors = predictors.collect::<anyhow::Result<Vec<_>>>()?;
    check_alike(&predictors, &args.run)?;
    let mut documents = Vec::new();
    for image in &args.images {
        let likeliest = likeliest(&mut predictors, image, args.top)?;
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

/// The files of a run's declared model: several, if it is an ensemble.
fn models(run: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if run.is_file() {
        return Ok(vec![run.to_owned()]);
    }
    refuse_comparison(run)?;
    let average = declared(run)?;
    let names: Vec<String> = match average {
        None => vec![String::from("model.safetensors")],
        Some(Average::Troughs) => vec![String::from("average.safetensors")],
        Some(Average::Ensemble(last)) => (1..=models_of_ensemble(run, last.get().into())?)
            .map(of_ensemble)
            .collect(),
    };
    if let Some(missing) = names.iter().find(|name| !run.join(name).is_file()) {
        let run = run.display();
        return Err(Usage::error(format!(
            "{run} has no {missing}: a run of the embedded engine writes it at its end (cyclr resume {run})"
        )));
    }
    if average.is_some() {
        note!("by {}", names.join(", "));
    }
    Ok(names.into_iter().map(|name| run.join(name)).collect())
}

/// How many models the ensemble of a run has: fewer than it could have where the run had fewer
/// troughs.
fn models_of_ensemble(run: &Path, most: u64) -> anyhow::Result<u64> {
    let evaluations = read_outcome(run)?.map_or_else(Vec::new, |outcome| outcome.evaluations);
    let models = if evaluations.is_empty() {
        // Where nothing is held out, the files alone say how many troughs there were.
        let is_there = |n: &u64| run.join(of_ensemble(*n)).is_file();
        (1..=most).take_while(is_there).count()
    } else {
        let troughs = evaluations.iter().filter(|point| point.trough.is_some());
        troughs.count()
    };
    Ok((models as u64).clamp(1, most))
}

fn of_ensemble(n: u64) -> String {
    format!("ensemble-{n}.safetensors")
}

/// What is averaged in a run. A folder with nothing but a model is no run, and may be used.
fn declared(run: &Path) -> anyhow::Result<Option<Average>> {
    match read_run(run) {
        Ok(record) => Ok(record.plan.task.average),
        Err(Error::NotARun { .. }) if run.join("model.safetensors").is_file() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Refuses the folder of a comparison, whose runs have the models.
fn refuse_comparison(run: &Path) -> anyhow::Result<()> {
    match read_plan(run) {
        Ok(_) => Err(Usage::error(format!(
            "{} is a comparison: give one of its runs, as in {}",
            run.display(),
            run.join("final/1/1-fixed-seed1").display()
        ))),
        // No comparison: then it must be a run.
        Err(Error::NotARun { .. }) => Ok(()),
        Err(damaged) => Err(damaged.into()),
    }
}

fn predictor(path: &Path) -> anyhow::Result<Predictor> {
    let bytes = read_state(path).with_context(|| format!("{} cannot be read", path.display()))?;
    Predictor::read(&bytes).with_context(|| path.display().to_string())
}

/// Refuses an ensemble of models that are not of one run.
fn check_alike(predictors: &[Predictor], run: &Path) -> anyhow::Result<()> {
    let of = |predictor: &Predictor| (predictor.shape(), predictor.classes().to_vec());
    if predictors
        .windows(2)
        .all(|pair| of(&pair[0]) == of(&pair[1]))
    {
        return Ok(());
    }
    Err(Usage::error(format!(
        "the models of the ensemble in {} differ in their classes or image sizes: they are not from one run",
        run.display()
    )))
}

/// The likeliest classes with their probabilities, falling: of an ensemble, the means over its
/// models.
fn likeliest(
    predictors: &mut [Predictor],
    image: &Path,
    top: usize,
) -> anyhow::Result<Vec<(String, f64)>> {
    let pixels = read_image(image, predictors[0].shape())?;
    let names = predictors[0].classes().to_vec();
    let mut probabilities = vec![0.0; names.len()];
    let models = predictors.len() as f64;
    for predictor in predictors {
        let each = predictor.probabilities(&pixels);
        let sums = probabilities.iter_mut().zip(each);
        sums.for_each(|(sum, probability)| *sum += probability);
    }
    let names = names.into_iter();
    let probabilities = probabilities.into_iter().map(|sum| sum / models);
    let mut classes: Vec<(String, f64)> = names.zip(probabilities).collect();
    classes.sort_by(|a, b| b.1.total_cmp(&a.1));
    classes.truncate(top);
    Ok(classes)
}

fn document(image: &Path, likeliest: &[(String, f64)]) -> Value {
    let class = |(class, probability): &(String, f64)| json!({ "class": class, "probability": probability });
    json!({ "image": image, "classes": likeliest.iter().map(class).collect::<Vec<Value>>() })
}
