//! Times updates of a net, as `bench/speed` asks, and prints a line of JSON: `bench_speed NET
//! BATCH THREADS SECONDS [RUNS | cifar=FOLDER]`
//!
//! Data are random pixels in memory, or CIFAR-10 where a folder is given. With `RUNS` of 2 or
//! more, that many runs of THREADS threads each go side by side.
#![expect(clippy::print_stdout, reason = "a benchmark prints its result")]

use std::{
    error::Error,
    sync::Barrier,
    time::{Duration, Instant},
};

use cyclr::{
    Hyper,
    trainer::{Trainer, TrainerFactory},
};
use cyclr_engine::{
    EngineConfig, EngineFactory, Optimizer,
    data::{Dataset, Images, Normalization, OpenOptions, Shape, Splits},
    net::Net,
    rng::{Purpose, Rng},
};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [net, batch, threads, seconds, rest @ ..] = &args[..] else {
        return Err("usage: bench_speed NET BATCH THREADS SECONDS [RUNS | cifar=FOLDER]".into());
    };
    let (batch, threads): (usize, usize) = (batch.parse()?, threads.parse()?);
    let length = Duration::from_secs_f64(seconds.parse()?);
    let extra = rest.first().map_or("1", String::as_str);
    let folder = extra.strip_prefix("cifar=");
    let runs: usize = if folder.is_some() { 1 } else { extra.parse()? };

    let loading = Instant::now();
    let (splits, loaded) = match folder {
        Some(folder) => {
            let data = Dataset::open(folder, &OpenOptions::default())?;
            let seconds = loading.elapsed().as_secs_f64();
            (data.split(0, 0)?, Some(seconds))
        }
        None => (random_data(net, batch)?, None),
    };
    let shape = splits.train.shape();
    let net = Net::named(net, 10)?;
    let flops = net.flops((shape.height, shape.width, shape.channels))? * batch as u64;
    let config = EngineConfig {
        optimizer: Optimizer::Sgd {
            momentum: 0.9,
            nesterov: false,
        },
        batch,
        threads,
        ..EngineConfig::new(net, Normalization::per_channel(&splits.train))
    };
    let factory = EngineFactory::new(config, splits)?;
    let barrier = Barrier::new(runs);
    let medians = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..runs)
            .map(|seed| {
                scope.spawn({
                    let (factory, barrier) = (&factory, &barrier);
                    move || time_run(factory, seed as u64, barrier, length)
                })
            })
            .collect();
        let results = workers
            .into_iter()
            .map(|w| w.join().expect("a run panicked"));
        results.collect::<Result<Vec<_>, _>>()
    });
    let medians = medians?;
    let report = serde_json::json!({
        "median_ms": medians.iter().map(|(median, _)| median).collect::<Vec<_>>(),
        "updates": medians.iter().map(|(_, updates)| updates).collect::<Vec<_>>(),
        "gflop_per_update": flops as f64 / 1e9,
        "load_s": loaded,
        "peak_mib": peak_mib(),
    });
    println!("{report}");
    Ok(())
}

/// The median time of an update in milliseconds, and how many were timed.
fn time_run(
    factory: &EngineFactory,
    seed: u64,
    barrier: &Barrier,
    length: Duration,
) -> Result<(f64, usize), String> {
    let mut run = factory.start(seed).map_err(|e| e.to_string())?;
    let update = |run: &mut dyn Trainer| run.update(Hyper::lr(1e-3)).map_err(|e| e.to_string());
    for _ in 0..3 {
        update(&mut *run)?;
    }
    barrier.wait();
    let (start, mut times) = (Instant::now(), Vec::new());
    while start.elapsed() < length || times.len() < 5 {
        let one = Instant::now();
        update(&mut *run)?;
        times.push(one.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok((times[times.len() / 2], times.len()))
}

fn random_data(net: &str, batch: usize) -> Result<Splits, Box<dyn Error>> {
    let (side, channels) = if net == "lenet" || net == "mlp" {
        (28, 1)
    } else {
        (32, 3)
    };
    let shape = Shape {
        height: side,
        width: side,
        channels,
    };
    let mut rng = Rng::new(0, Purpose::Shuffle, 0);
    let count = 10 * batch;
    let train = Images {
        pixels: (0..count * shape.values())
            .map(|_| rng.next_u32() as u8)
            .collect(),
        labels: (0..count).map(|i| (i % 10) as u16).collect(),
    };
    let classes = (0..10).map(|k| k.to_string()).collect();
    Ok(Dataset::new(shape, classes, train, Images::default())?.split(0, 0)?)
}

/// The most memory this process has held, where the system tells.
fn peak_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0)
}
