//! Problems made with cyclr's own engine: sweeps whose ends are drawn at random, and the grid of trainings that is their
//! truth.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::Result;
use cyclr_engine::EngineFactory;
use cyclr_engine::rng::{Purpose, Rng};
use cyclr_train::find::{Ramp, RangeTest, Shape as Rise, range_test};
use cyclr_train::{Budget, Interrupt, Outcome, Task, Watch, side_by_side, train};
use serde_json::json;

use crate::numbers::mean;
use crate::settings::{SETTINGS, Setting};

/// The updates of a sweep, and of a training of the grid: three cycles.
const UPDATES: u64 = 240;
const SEEDS: u64 = 5;
const REPEATS: u32 = 5;
/// Makes every problem that is not in the folder yet.
pub fn make(folder: &Path) -> Result<()> {
    for (n, setting) in SETTINGS.iter().enumerate() {
        let path = folder.join(setting.name);
        if path.join("grid.json").exists() {
            continue;
        }
        fs::create_dir_all(&path)?;
        let factory = setting.factory()?;
        let mut random = Rng::new(n as u64, Purpose::Weights, 7);
        sweeps(&factory, setting, &mut random, &path)?;
        let accuracy = grid(&factory, setting)?;
        let best = accuracy
            .iter()
            .max_by(|a, b| mean(a.1.iter().copied()).total_cmp(&mean(b.1.iter().copied())))
            .map_or(setting.lowest, |cell| cell.0);
        let cells: BTreeMap<String, &Vec<f64>> = accuracy
            .iter()
            .map(|(lr, seeds)| (lr.to_string(), seeds))
            .collect();
        let grid = json!({
            "problem": setting.name,
            "policy": format!("triangular base=max/4 step={} updates={UPDATES}", UPDATES / 6),
            "accuracy": cells,
            "base": bases(&factory, best)?,
        });
        fs::write(path.join("grid.json"), serde_json::to_string_pretty(&grid)?)?;
        println!("{}: best max_lr {best:.2e}", setting.name);
    }
    Ok(())
}

/// An exponential test that ends at random within 1.2 decades above the grid, and a linear one that ends between 1/20 and 3
/// times the largest rate that all of the exponential ones stood.
fn sweeps(
    factory: &EngineFactory,
    setting: &Setting,
    random: &mut Rng,
    folder: &Path,
) -> Result<()> {
    let top = setting.rates().last().unwrap_or(setting.lowest);
    let end = top * 10f64.powf(1.2 * random.uniform());
    let rising = Ramp::new(Rise::Exponential, setting.lowest / 100.0, end, UPDATES)?;
    let did_not_diverge = sweep(factory, rising, &folder.join("exp"))?;
    let end = did_not_diverge * 20f64.powf(-1.0) * 60f64.powf(random.uniform());
    sweep(
        factory,
        Ramp::new(Rise::Linear, 0.0, end, UPDATES)?,
        &folder.join("lin"),
    )?;
    Ok(())
}

/// Makes the repeats of a sweep, writes them as `NAME-0.csv` and so on, and gives the largest rate that all stood.
fn sweep(factory: &EngineFactory, ramp: Ramp, name: &Path) -> Result<f64> {
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
    let found = range_test(factory, &test, watch)?;
    for (n, curve) in found.curves.iter().enumerate() {
        fs::write(format!("{}-{n}.csv", name.display()), curve.to_csv())?;
    }
    Ok(found.reading.largest_stable().unwrap_or(ramp.to()))
}

/// The accuracy of every rate's trainings.
fn grid(factory: &EngineFactory, setting: &Setting) -> Result<Vec<(f64, Vec<f64>)>> {
    let rates: Vec<f64> = setting.rates().collect();
    let jobs: Vec<(f64, f64)> = rates.iter().map(|&max| (max / 4.0, max)).collect();
    let outcomes = trainings(factory, &jobs, None)?;
    let accuracy = outcomes
        .into_iter()
        .map(|of_rate| of_rate.iter().map(|o| accuracy(factory, o)).collect());
    Ok(rates.into_iter().zip(accuracy).collect())
}

/// The accuracy on the way, for each of several bases at the best max_lr.
fn bases(factory: &EngineFactory, best: f64) -> Result<serde_json::Value> {
    const EVERY: u64 = UPDATES / 20;
    let jobs: Vec<(f64, f64)> = (0..6).map(|k| (best / f64::from(1 << k), best)).collect();
    let outcomes = trainings(factory, &jobs, Some(EVERY))?;
    let at: Vec<u64> = (1..=20).map(|k| k * EVERY).collect();
    let way = |outcome: &Outcome| -> Vec<f64> {
        let read = |made: &u64| {
            let reading = outcome.evaluations.iter().find(|r| r.updates_done == *made);
            reading
                .and_then(|r| Some(r.metrics.get("accuracy")?.value))
                .unwrap_or(0.0)
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
fn trainings(
    factory: &EngineFactory,
    jobs: &[(f64, f64)],
    every: Option<u64>,
) -> Result<Vec<Vec<Outcome>>> {
    let runs: Vec<(f64, f64, u64)> = jobs
        .iter()
        .flat_map(|&(base, max)| (0..SEEDS).map(move |seed| (base, max, seed)))
        .collect();
    let outcomes = side_by_side(2, runs.len(), &mut |_, (): &()| {}, |n, _| {
        let (base, max, seed) = runs[n];
        let spec = format!("triangular(base={base}, max={max}, step={})", UPDATES / 6);
        let task = Task {
            evaluate_every: every.and_then(std::num::NonZeroU64::new),
            ..Task::new(spec.parse()?, seed, Budget::Updates(UPDATES))
        };
        let watch = Watch {
            observer: &mut |_| {},
            interrupt: &Interrupt::new(),
        };
        Ok(train(factory, &task, watch)?)
    });
    let outcomes: Vec<Outcome> = outcomes.into_iter().collect::<Result<_>>()?;
    Ok(outcomes
        .chunks(SEEDS as usize)
        .map(<[Outcome]>::to_vec)
        .collect())
}

/// Over all held-out images; of a training that diverged, that of a guess.
fn accuracy(factory: &EngineFactory, outcome: &Outcome) -> f64 {
    let last = outcome
        .evaluations
        .last()
        .and_then(|r| r.metrics.get("accuracy"));
    let test = outcome.test.as_ref().and_then(|m| m.get("accuracy"));
    match (last, test) {
        (Some(a), Some(b)) => {
            let correct = a.correct.unwrap_or(0) + b.correct.unwrap_or(0);
            correct as f64 / (a.count + b.count) as f64
        }
        _ => 1.0 / factory.dataset().classes().len() as f64,
    }
}
