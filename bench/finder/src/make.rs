//! Problems made with cyclr's own engine: sweeps whose ends are drawn at random, and the grid of trainings that is their
//! truth.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::Result;
use cyclr_engine::data::{Dataset, Images, Normalization, Shape};
use cyclr_engine::net::{Init, Layer, Net, Param};
use cyclr_engine::rng::{Purpose, Rng};
use cyclr_engine::{EngineConfig, EngineLab, Optimizer};
use cyclr_train::find::{Ramp, RangeTest, Shape as Rise, range_test};
use cyclr_train::{Budget, Interrupt, Outcome, Task, Watch, side_by_side, train};
use serde_json::json;

/// The updates of a sweep, and of a training of the grid: three cycles.
const UPDATES: u64 = 240;
const SEEDS: u64 = 5;
const REPEATS: u32 = 5;
/// Held out to measure by; the data sets' own test images are added.
const VALIDATION: usize = 3000;
/// The grid of max_lr, from its lowest rate on.
const STEP: f64 = 2.154_434_690_031_884;
const RATES: i32 = 13;

/// Data, net and optimizer, and the lowest rate of the grid.
struct Setting {
    name: &'static str,
    data: fn() -> Result<Dataset>,
    net: fn(usize) -> Result<Net>,
    optimizer: Optimizer,
    batch: usize,
    lowest: f64,
}

const SGD: Optimizer = Optimizer::Sgd {
    momentum: 0.0,
    nesterov: false,
};
const MOMENTUM: Optimizer = Optimizer::Sgd {
    momentum: 0.9,
    nesterov: false,
};
const NESTEROV: Optimizer = Optimizer::Sgd {
    momentum: 0.95,
    nesterov: true,
};
const ADAM: Optimizer = Optimizer::Adam {
    beta1: 0.9,
    beta2: 0.999,
    eps: 1e-8,
};
const ADAMW: Optimizer = Optimizer::AdamW {
    beta1: 0.9,
    beta2: 0.999,
    eps: 1e-8,
};
const RMSPROP: Optimizer = Optimizer::RmsProp {
    alpha: 0.99,
    eps: 1e-8,
    momentum: 0.0,
};
const ADAGRAD: Optimizer = Optimizer::AdaGrad { eps: 1e-10 };

#[rustfmt::skip]
const SETTINGS: &[Setting] = &[
    Setting { name: "e-mlp-fashion-momentum", data: fashion, net: mlp, optimizer: MOMENTUM, batch: 100, lowest: 1e-3 },
    Setting { name: "e-mlp-fashion-adam", data: fashion, net: mlp, optimizer: ADAM, batch: 50, lowest: 1e-5 },
    Setting { name: "e-softmax-fashion-sgd", data: fashion, net: softmax, optimizer: SGD, batch: 32, lowest: 1e-4 },
    Setting { name: "e-deep-fashion-rmsprop", data: fashion, net: deep, optimizer: RMSPROP, batch: 64, lowest: 1e-6 },
    Setting { name: "e-mlp-noisy-nesterov", data: noisy, net: mlp, optimizer: NESTEROV, batch: 64, lowest: 1e-4 },
    Setting { name: "e-mlp-blobs-adagrad", data: blobs, net: mlp, optimizer: ADAGRAD, batch: 32, lowest: 1e-4 },
    Setting { name: "e-deep-blobs-sgd", data: blobs, net: deep, optimizer: SGD, batch: 64, lowest: 1e-3 },
    Setting { name: "e-lenet-fashion-momentum", data: fashion, net: lenet, optimizer: MOMENTUM, batch: 32, lowest: 1e-4 },
    Setting { name: "e-resnet8-fashion-adamw", data: fashion, net: resnet8, optimizer: ADAMW, batch: 16, lowest: 1e-5 },
];

/// Makes every problem that is not in the folder yet.
pub fn make(folder: &Path) -> Result<()> {
    for (n, setting) in SETTINGS.iter().enumerate() {
        let path = folder.join(setting.name);
        if path.join("grid.json").exists() {
            continue;
        }
        fs::create_dir_all(&path)?;
        let lab = setting.lab()?;
        let mut random = Rng::new(n as u64, Purpose::Weights, 7);
        sweeps(&lab, setting, &mut random, &path)?;
        let accuracy = grid(&lab, setting)?;
        let best = accuracy
            .iter()
            .max_by(|a, b| mean(&a.1).total_cmp(&mean(&b.1)))
            .map_or(setting.lowest, |cell| cell.0);
        let cells: BTreeMap<String, &Vec<f64>> =
            accuracy.iter().map(|(lr, seeds)| (lr.to_string(), seeds)).collect();
        let grid = json!({
            "problem": setting.name,
            "policy": format!("triangular base=max/4 step={} updates={UPDATES}", UPDATES / 6),
            "accuracy": cells,
            "base": bases(&lab, best)?,
        });
        fs::write(path.join("grid.json"), serde_json::to_string_pretty(&grid)?)?;
        println!("{}: best max_lr {best:.2e}", setting.name);
    }
    Ok(())
}

impl Setting {
    fn lab(&self) -> Result<EngineLab> {
        let dataset = (self.data)()?;
        let net = (self.net)(dataset.classes().len())?;
        let splits = dataset.split(VALIDATION, 0)?;
        let normalization = Normalization::per_channel(&splits.train);
        let config = EngineConfig {
            optimizer: self.optimizer,
            batch: self.batch,
            ..EngineConfig::new(net, normalization)
        };
        Ok(EngineLab::new(config, splits)?)
    }

    fn rates(&self) -> impl Iterator<Item = f64> + '_ {
        (0..RATES).map(|k| self.lowest * STEP.powi(k))
    }
}

/// An exponential test that ends at random within 1.2 decades above the grid, and a linear one that ends between 1/20 and 3
/// times the largest rate that all of the exponential ones stood.
fn sweeps(lab: &EngineLab, setting: &Setting, random: &mut Rng, folder: &Path) -> Result<()> {
    let top = setting.rates().last().unwrap_or(setting.lowest);
    let end = top * 10f64.powf(1.2 * random.uniform());
    let rising = Ramp::new(Rise::Exponential, setting.lowest / 100.0, end, UPDATES)?;
    let stood = sweep(lab, rising, &folder.join("exp"))?;
    let end = stood * 20f64.powf(-1.0) * 60f64.powf(random.uniform());
    sweep(lab, Ramp::new(Rise::Linear, 0.0, end, UPDATES)?, &folder.join("lin"))?;
    Ok(())
}

/// Makes the repeats of a sweep, writes them as `NAME-0.csv` and so on, and gives the largest rate that all stood.
fn sweep(lab: &EngineLab, ramp: Ramp, name: &Path) -> Result<f64> {
    let test = RangeTest {
        seed: 500,
        repeats: REPEATS,
        ramp: Some(ramp),
        ..RangeTest::default()
    };
    let watch = Watch {
        observer: &mut |_| {},
        interrupt: &Interrupt::new(),
    };
    let found = range_test(lab, &test, watch)?;
    for (n, curve) in found.curves.iter().enumerate() {
        fs::write(format!("{}-{n}.csv", name.display()), curve.to_csv())?;
    }
    Ok(found.reading.largest_stable().unwrap_or(ramp.to()))
}

/// The accuracy of every rate's trainings.
fn grid(lab: &EngineLab, setting: &Setting) -> Result<Vec<(f64, Vec<f64>)>> {
    let rates: Vec<f64> = setting.rates().collect();
    let jobs: Vec<(f64, f64)> = rates.iter().map(|&max| (max / 4.0, max)).collect();
    let outcomes = trainings(lab, &jobs, None)?;
    let accuracy = outcomes.into_iter().map(|of_rate| of_rate.iter().map(|o| accuracy(lab, o)).collect());
    Ok(rates.into_iter().zip(accuracy).collect())
}

/// The accuracy on the way, for each of several bases at the best max_lr.
fn bases(lab: &EngineLab, best: f64) -> Result<serde_json::Value> {
    const EVERY: u64 = UPDATES / 20;
    let jobs: Vec<(f64, f64)> = (0..6).map(|k| (best / f64::from(1 << k), best)).collect();
    let outcomes = trainings(lab, &jobs, Some(EVERY))?;
    let at: Vec<u64> = (1..=20).map(|k| k * EVERY).collect();
    let way = |outcome: &Outcome| -> Vec<f64> {
        let read = |made: &u64| {
            let reading = outcome.readings.iter().find(|r| r.made == *made);
            reading.and_then(|r| Some(r.metrics.get("accuracy")?.value)).unwrap_or(0.0)
        };
        at.iter().map(read).collect()
    };
    let accuracy: BTreeMap<String, Vec<Vec<f64>>> = jobs
        .iter()
        .zip(&outcomes)
        .map(|((base, _), seeds)| (base.to_string(), seeds.iter().map(way).collect()))
        .collect();
    Ok(json!({ "at_updates": at, "accuracy": accuracy }))
}

/// Triangular trainings between (base, max), on all seeds.
fn trainings(lab: &EngineLab, jobs: &[(f64, f64)], every: Option<u64>) -> Result<Vec<Vec<Outcome>>> {
    let runs: Vec<(f64, f64, u64)> = jobs
        .iter()
        .flat_map(|&(base, max)| (0..SEEDS).map(move |seed| (base, max, seed)))
        .collect();
    let outcomes = side_by_side(2, runs.len(), &mut |_, (): &()| {}, |n, _| {
        let (base, max, seed) = runs[n];
        let spec = format!("triangular(base={base}, max={max}, step={})", UPDATES / 6);
        let task = Task {
            read_every: every.and_then(std::num::NonZeroU64::new),
            ..Task::new(spec.parse()?, seed, Budget::Updates(UPDATES))
        };
        let watch = Watch {
            observer: &mut |_| {},
            interrupt: &Interrupt::new(),
        };
        Ok(train(lab, &task, watch)?)
    });
    let outcomes: Vec<Outcome> = outcomes.into_iter().collect::<Result<_>>()?;
    Ok(outcomes.chunks(SEEDS as usize).map(<[Outcome]>::to_vec).collect())
}

/// Over all held-out images; of a training that diverged, that of a guess.
fn accuracy(lab: &EngineLab, outcome: &Outcome) -> f64 {
    let last = outcome.readings.last().and_then(|r| r.metrics.get("accuracy"));
    let test = outcome.test.as_ref().and_then(|m| m.get("accuracy"));
    match (last, test) {
        (Some(a), Some(b)) => {
            let correct = a.correct.unwrap_or(0) + b.correct.unwrap_or(0);
            correct as f64 / (a.count + b.count) as f64
        }
        _ => 1.0 / lab.dataset().classes().len() as f64,
    }
}

fn fashion() -> Result<Dataset> {
    Ok(Dataset::embedded())
}

/// Fashion-MNIST with a fifth of the training labels drawn at random.
fn noisy() -> Result<Dataset> {
    let whole = Dataset::embedded().split(0, 0)?;
    let mut random = Rng::new(1, Purpose::Weights, 1);
    let images = |examples: &cyclr_engine::data::Examples, noise: f64, random: &mut Rng| {
        let mut images = Images::default();
        for pick in 0..examples.len() as u32 {
            images.pixels.extend_from_slice(examples.image(pick));
            let drawn = (10.0 * random.uniform()) as u16;
            let wrong = random.uniform() < noise;
            images.labels.push(if wrong { drawn } else { examples.label(pick) });
        }
        images
    };
    let train = images(&whole.train, 0.2, &mut random);
    let test = images(&whole.test, 0.0, &mut random);
    let classes = Dataset::embedded().classes().to_vec();
    Ok(Dataset::new(whole.train.shape(), classes, train, test)?)
}

/// Points around two centres for each of five classes, in 64 dimensions.
fn blobs() -> Result<Dataset> {
    let mut random = Rng::new(2, Purpose::Weights, 2);
    let centres: Vec<Vec<f64>> = (0..10).map(|_| (0..64).map(|_| 128.0 + 18.0 * random.normal()).collect()).collect();
    let mut images = |count: usize| {
        let mut images = Images::default();
        for n in 0..count {
            let centre = &centres[n % 10];
            images.pixels.extend(centre.iter().map(|c| (c + 40.0 * random.normal()).clamp(0.0, 255.0) as u8));
            images.labels.push((n % 5) as u16);
        }
        images
    };
    let shape = Shape { height: 8, width: 8, channels: 1 };
    let classes = ["a", "b", "c", "d", "e"].map(String::from).to_vec();
    let (train, test) = (images(9000), images(2000));
    Ok(Dataset::new(shape, classes, train, test)?)
}

fn mlp(classes: usize) -> Result<Net> {
    Ok(Net::named("mlp", classes)?)
}

fn lenet(classes: usize) -> Result<Net> {
    Ok(Net::named("lenet", classes)?)
}

fn resnet8(classes: usize) -> Result<Net> {
    Ok(Net::named("resnet8", classes)?)
}

/// Softmax regression.
fn softmax(classes: usize) -> Result<Net> {
    Ok(Net::new("softmax", vec![dense("fc", classes)]))
}

/// Six hidden layers of 64.
fn deep(classes: usize) -> Result<Net> {
    let hidden = (1..=6).flat_map(|n| [dense(&format!("fc{n}"), 64), Layer::Relu]);
    Ok(Net::new("deep", hidden.chain([dense("out", classes)]).collect()))
}

fn dense(name: &str, out: usize) -> Layer {
    let param = |init| Param { init, lr_mult: 1.0, decay_mult: 1.0 };
    Layer::Dense {
        name: name.into(),
        out,
        weight: param(Init::He),
        bias: Some(param(Init::Constant(0.0))),
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
