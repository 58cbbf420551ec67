//! The average of the predictions of a run's models, against a plain sum over the predictions of
//! their files.
#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::num::NonZeroU32;

use cyclr::Hyper;
use cyclr::trainer::{Average, Split, Trainer, TrainerError};
use cyclr_engine::cpu::Level;
use cyclr_engine::data::{Dataset, Normalization, Splits};
use cyclr_engine::net::{Init, Layer, Net, batch_norm, conv, dense, param, window, zeros};
use cyclr_engine::{EngineConfig, EngineFactory, Predictor};

const LAST_TWO: Average = Average::Ensemble(NonZeroU32::new(2).unwrap());

fn splits() -> Splits {
    Dataset::embedded().split(200, 0).unwrap()
}

fn factory(net: Net, threads: usize) -> EngineFactory {
    let splits = splits();
    let normalization = Normalization::per_channel(&splits.train);
    let config = EngineConfig {
        batch: 50,
        level: Some(Level::Portable),
        threads,
        ..EngineConfig::new(net, normalization)
    };
    EngineFactory::new(config, splits).unwrap()
}

/// With norm statistics, so that models are more than their parameters.
fn normed() -> Net {
    let he = param(Init::He);
    let layers = vec![
        conv("conv", 4, window(5).stride(3), he, None),
        batch_norm("bn"),
        Layer::Relu,
        dense("fc", 10, he, zeros()),
    ];
    Net::new("normed", layers)
}

fn drive(run: &mut dyn Trainer, updates: u64) -> Vec<u64> {
    let mut loss = || run.update(Hyper::lr(0.05)).unwrap().loss().unwrap().value;
    (0..updates).map(|_| loss().to_bits()).collect()
}

#[test]
fn it_is_the_mean_of_the_last_predictions_and_leaves_no_trace_in_the_training() {
    let factory = factory(Net::named("mlp", 10).unwrap(), 2);
    let (mut run, mut plain) = (factory.run(3).unwrap(), factory.run(3).unwrap());
    let mut files = Vec::new();
    for updates in [5, 20, 40] {
        assert_eq!(drive(&mut run, updates), drive(&mut plain, updates));
        run.average(LAST_TWO).unwrap();
        run.evaluate_average(Split::Validation).unwrap();
        files.push(run.model().unwrap().unwrap());
    }
    assert_eq!(run.average_models().unwrap(), files[1..]);
    assert_eq!(run.model().unwrap(), plain.model().unwrap());

    let measured = run.evaluate_average(Split::Validation).unwrap();
    let mut predictors: Vec<_> = files[1..]
        .iter()
        .map(|f| Predictor::read(f).unwrap())
        .collect();
    let examples = splits().validation;
    let (mut loss, mut hits) = (0.0, Vec::new());
    for n in 0..examples.len() {
        let each = predictors
            .iter_mut()
            .map(|p| p.probabilities(examples.image(n as u32)));
        let each: Vec<_> = each.collect();
        let mean: Vec<f64> = (0..10)
            .map(|k| f64::midpoint(each[0][k], each[1][k]))
            .collect();
        let label = usize::from(examples.label(n as u32));
        loss -= mean[label].ln() / 200.0;
        hits.push(mean.iter().all(|&p| p <= mean[label]));
    }
    let accuracy = hits.iter().filter(|&&hit| hit).count() as f64 / 200.0;
    let found = measured.metrics.loss().unwrap().value;
    assert!((found - loss).abs() < 1e-6, "{found}, {loss}");
    let of = |name| {
        measured
            .metrics
            .iter()
            .find(|m| m.name == name)
            .unwrap()
            .value
    };
    assert_eq!(
        (of("accuracy"), measured.correct.unwrap()),
        (accuracy, hits)
    );
}

#[test]
fn a_state_holds_it() {
    let (one, other) = (factory(normed(), 1), factory(normed(), 2));
    let mut run = one.run(3).unwrap();
    let mut again = other.run(9).unwrap();
    let without = run.state().unwrap();
    // One model, and then two of three.
    for _ in 0..3 {
        drive(&mut run, 5);
        run.average(LAST_TWO).unwrap();
        again.restore(&run.state().unwrap()).unwrap();
        assert_eq!(
            again.average_models().unwrap(),
            run.average_models().unwrap()
        );
    }
    for run in [&mut run, &mut again] {
        drive(run, 5);
        run.average(LAST_TWO).unwrap();
    }
    assert_eq!(again.state().unwrap(), run.state().unwrap());
    let [one, other] = [&mut run, &mut again].map(|run| run.evaluate_average(Split::Test).unwrap());
    assert_eq!(one, other);
    again.restore(&without).unwrap();
    assert_eq!(again.state().unwrap(), without);
}

#[test]
fn a_run_averages_in_one_way() {
    let factory = factory(normed(), 1);
    for (first, second) in [(Average::Troughs, LAST_TWO), (LAST_TWO, Average::Troughs)] {
        let mut run = factory.run(3).unwrap();
        run.average(first).unwrap();
        let refused = run.average(second);
        assert!(matches!(refused, Err(TrainerError::Unsupported { .. })));
    }
}
