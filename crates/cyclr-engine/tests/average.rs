//! The running average of a run's weights, against plain sums over the files of its models, and
//! its norm statistics, against a convolution and sums written out.
#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::collections::BTreeMap;

use cyclr::{
    Hyper,
    trainer::{Average, Split, Trainer, TrainerError},
};
use cyclr_engine::{
    EngineConfig, EngineFactory,
    cpu::Level,
    data::{Augment, Batches, Dataset, Normalization, Order},
    net::{Init, Layer, Net, Shortcut, batch_norm, conv, dense, param, window, zeros},
};
use safetensors::SafeTensors;

const BATCH: usize = 62;
const MICRO_BATCH: usize = 25;
const SEED: u64 = 3;
const CHANNELS: usize = 6;

/// Two norms, one of them behind dropout; images are augmented while training.
fn factory(threads: usize) -> EngineFactory {
    let he = param(Init::He);
    let same = window(3).pad(1);
    let layers = vec![
        conv("conv1", CHANNELS, window(5).stride(3), he, None),
        batch_norm("bn1"),
        Layer::Relu,
        Layer::Dropout { p: 0.25 },
        Layer::Residual {
            body: vec![
                conv("conv2", CHANNELS, same, he, zeros()),
                batch_norm("bn2"),
            ],
            shortcut: Shortcut::Identity,
        },
        Layer::Relu,
        dense("fc", 10, he, zeros()),
    ];
    let splits = Dataset::embedded().split(200, 0).unwrap();
    let normalization = Normalization::per_channel(&splits.train);
    let config = EngineConfig {
        batch: BATCH,
        micro_batch: Some(MICRO_BATCH),
        augment: Augment { pad: 2, flip: true },
        level: Some(Level::Portable),
        threads,
        ..EngineConfig::new(Net::new("small", layers), normalization)
    };
    EngineFactory::new(config, splits).unwrap()
}

fn drive(run: &mut dyn Trainer, updates: u64) -> Vec<u64> {
    let mut loss = || run.update(Hyper::lr(0.05)).unwrap().loss().unwrap().value;
    (0..updates).map(|_| loss().to_bits()).collect()
}

/// The numbers in a model's file.
fn tensors(file: &[u8]) -> BTreeMap<String, Vec<f64>> {
    let file = SafeTensors::deserialize(file).unwrap();
    let numbers = |data: &[u8]| {
        let number = |bytes: &[u8]| f64::from(f32::from_le_bytes(bytes.try_into().unwrap()));
        data.chunks_exact(4).map(number).collect()
    };
    let tensor =
        |(name, view): (String, safetensors::tensor::TensorView)| (name, numbers(view.data()));
    file.tensors().into_iter().map(tensor).collect()
}

fn model(run: &mut dyn Trainer) -> BTreeMap<String, Vec<f64>> {
    tensors(&run.model().unwrap().unwrap())
}

#[test]
fn it_is_the_mean_of_the_models_and_leaves_no_trace_in_the_training() {
    let factory = factory(2);
    let (mut run, mut plain) = (factory.run(SEED).unwrap(), factory.run(SEED).unwrap());
    let mut models = Vec::new();
    for updates in [7, 20, 30, 11] {
        assert_eq!(drive(&mut run, updates), drive(&mut plain, updates));
        run.average(Average::Troughs).unwrap();
        let measured = run.evaluate_average(Split::Validation).unwrap();
        assert_eq!(measured.correct.unwrap().len(), 200);
        models.push(model(&mut run));
    }
    let average = tensors(&run.average_models().unwrap()[0]);
    assert_eq!(run.model().unwrap(), plain.model().unwrap());
    for (name, numbers) in &average {
        if name.contains("running") {
            continue;
        }
        for (i, number) in numbers.iter().enumerate() {
            let mean = models.iter().map(|model| model[name][i]).sum::<f64>() / 4.0;
            assert!((number - mean).abs() < 1e-6, "{name} {i}: {number} {mean}");
        }
    }
}

#[test]
fn its_norm_statistics_are_those_of_the_training_data() {
    let factory = factory(1);
    let mut run = factory.run(SEED).unwrap();
    for _ in 0..2 {
        drive(&mut run, 15);
        run.average(Average::Troughs).unwrap();
    }
    let file = run.average_models().unwrap().remove(0);
    let average = tensors(&file);
    let splits = Dataset::embedded().split(200, 0).unwrap();
    let (_, words) = SafeTensors::read_metadata(&file).unwrap();
    let words = words.metadata().as_ref().unwrap();
    let constant = |name: &str| serde_json::from_str::<[f64; 1]>(&words[name]).unwrap()[0];
    let (mean, scale) = (constant("mean"), constant("scale"));
    let mut batches = Batches::new(splits.train.len(), BATCH, Order::Shuffled, SEED).unwrap();
    let mut sums = [[0.0; 2]; CHANNELS];
    let mut passes = 0.0;
    for update in 0..batches.updates_per_epoch() {
        for picks in batches.at(update).chunks(MICRO_BATCH) {
            let mut values = vec![Vec::new(); CHANNELS];
            for &pick in picks {
                let image = splits.train.image(pick);
                convolve(image, &average["conv1.weight"], (mean, scale), &mut values);
            }
            for (sums, values) in sums.iter_mut().zip(&values) {
                let n = values.len() as f64;
                let mean = values.iter().sum::<f64>() / n;
                let squares = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
                sums[0] += mean;
                sums[1] += squares / (n - 1.0);
            }
            passes += 1.0;
        }
    }
    for (channel, sums) in sums.iter().enumerate() {
        for (name, sum) in ["bn1.running_mean", "bn1.running_var"].iter().zip(sums) {
            let (found, expected) = (average[*name][channel], sum / passes);
            let off = (found - expected).abs() / expected.abs().max(0.1);
            assert!(off < 1e-5, "{name} {channel}: {found} {expected}");
        }
    }
}

/// The 5×5 windows of a 28×28 image, at every third pixel, for each channel.
fn convolve(image: &[u8], weights: &[f64], (mean, scale): (f64, f64), values: &mut [Vec<f64>]) {
    let image: Vec<f64> = image
        .iter()
        .map(|&p| (f64::from(p) - mean) * scale)
        .collect();
    for (values, weights) in values.iter_mut().zip(weights.chunks_exact(25)) {
        for y in 0..8 {
            for x in 0..8 {
                let cell = |i: usize| weights[i] * image[(3 * y + i / 5) * 28 + 3 * x + i % 5];
                values.push((0..25).map(cell).sum());
            }
        }
    }
}

#[test]
fn a_state_holds_it() {
    let (one, other) = (factory(1), factory(2));
    let mut run = one.run(SEED).unwrap();
    let mut again = other.run(9).unwrap();
    let without = run.state().unwrap();
    for _ in 0..2 {
        drive(&mut run, 5);
        run.average(Average::Troughs).unwrap();
        again.restore(&run.state().unwrap()).unwrap();
    }
    assert_eq!(
        again.average_models().unwrap(),
        run.average_models().unwrap()
    );
    for run in [&mut run, &mut again] {
        drive(run, 5);
        run.average(Average::Troughs).unwrap();
    }
    assert_eq!(again.state().unwrap(), run.state().unwrap());
    let [one, other] = [&mut run, &mut again].map(|run| run.evaluate_average(Split::Test).unwrap());
    assert_eq!(one, other);
    again.restore(&without).unwrap();
    assert_eq!(again.state().unwrap(), without);
    let refused = again.evaluate_average(Split::Test);
    assert!(
        matches!(refused, Err(TrainerError::Unsupported { .. })),
        "{refused:?}"
    );
}
