//! Trains `cifar10_quick` as Caffe's solver does, on the CIFAR-10 binary files in a folder, and
//! prints its test accuracy: `cargo run --release -p cyclr-engine --example train_cifar -- FOLDER`
#![expect(clippy::print_stdout, reason = "an example talks to its user")]

use std::{error::Error, time::Instant};

use cyclr::{
    Hyper,
    trainer::{Split, Trainer},
};
use cyclr_engine::{
    EngineConfig, EngineFactory, Optimizer,
    data::{Dataset, Normalization, OpenOptions, Order},
    net::Net,
};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args()
        .nth(1)
        .ok_or("give the folder of CIFAR-10's binary files")?;
    let start = Instant::now();
    let splits = Dataset::open(folder, &OpenOptions::default())?.split(0, 0)?;
    let config = EngineConfig {
        optimizer: Optimizer::CaffeSgd {
            momentum: 0.9,
            nesterov: false,
        },
        weight_decay: 0.004,
        order: Order::Stored,
        threads: std::thread::available_parallelism()?.get().min(4),
        ..EngineConfig::new(
            Net::named("cifar10_quick", 10)?,
            Normalization::pixel_mean(&splits.train),
        )
    };
    let factory = EngineFactory::new(config, splits)?;
    let mut run = factory.run(0)?;
    for update in 0..5000_u64 {
        let rate = if update < 4000 { 0.001 } else { 0.0001 };
        let metrics = run.update(Hyper::lr(rate))?;
        if update % 500 == 0 {
            let loss = metrics.loss().map_or(f64::NAN, |m| m.value);
            let seconds = start.elapsed().as_secs_f64();
            println!("update {update:4}  rate {rate:.4}  training loss {loss:.4}  {seconds:.0} s");
        }
    }
    let test = run.evaluate(Split::Test)?.metrics;
    let accuracy = test.get("accuracy").map_or(f64::NAN, |m| 100.0 * m.value);
    println!(
        "test accuracy {accuracy:.2} % (n = {}) after 5000 updates, {:.0} s",
        run.info().test,
        start.elapsed().as_secs_f64()
    );
    Ok(())
}
