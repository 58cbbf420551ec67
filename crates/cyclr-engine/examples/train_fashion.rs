//! Trains `lenet` on the embedded Fashion-MNIST subset and prints its test accuracy:
//! `cargo run --release -p cyclr-engine --example train_fashion`
#![expect(clippy::print_stdout, reason = "an example talks to its user")]

use std::{error::Error, time::Instant};

use cyclr::{
    Hyper,
    trainer::{Split, Trainer},
};
use cyclr_engine::{
    EngineConfig, EngineFactory,
    data::{Augment, Dataset, Normalization},
    net::Net,
};

const EPOCHS: u64 = 8;
const RATE: f64 = 0.02;

fn main() -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let splits = Dataset::embedded().split(0, 0)?;
    let config = EngineConfig {
        batch: 50,
        augment: Augment { pad: 0, flip: true },
        threads: std::thread::available_parallelism()?.get().min(4),
        ..EngineConfig::new(
            Net::named("lenet", 10)?,
            Normalization::per_channel(&splits.train),
        )
    };
    let factory = EngineFactory::new(config, splits)?;
    let mut run = factory.run(0)?;
    let per_epoch = run.info().updates_per_epoch();
    let horizon = EPOCHS * per_epoch;
    for update in 0..horizon {
        // Linear from RATE to zero.
        let rate = RATE * (horizon - update) as f64 / horizon as f64;
        let metrics = run.update(Hyper::lr(rate))?;
        if update % per_epoch == 0 {
            let loss = metrics.loss().map_or(f64::NAN, |m| m.value);
            println!("update {update:5}  rate {rate:.5}  training loss {loss:.4}");
        }
    }
    let test = run.evaluate(Split::Test)?.metrics;
    let accuracy = test.get("accuracy").map_or(f64::NAN, |m| 100.0 * m.value);
    println!(
        "test accuracy {accuracy:.2} % (n = {}) after {horizon} updates, {:.1} s",
        run.info().test,
        start.elapsed().as_secs_f64()
    );
    Ok(())
}
