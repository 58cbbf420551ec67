//! What a range test costs over the same number of bare updates at the same rates: `cargo bench -p cyclr-cli --bench find`.
//!
//! Both are timed whole, from the start of the run, in turn and now the one first, now the other, so that a change of the
//! machine's pace meets both. The goal is a ratio of at most 1.02. The embedded data and two small nets: the smaller an update, the more everything beside it shows.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::hint::black_box;
use std::time::Instant;

use cyclr::Hyper;
use cyclr::trainer::TrainerFactory;
use cyclr_engine::data::{Dataset, Normalization};
use cyclr_engine::net::Net;
use cyclr_engine::{EngineConfig, EngineFactory};
use cyclr_train::find::{Ramp, Shape, SweepTest, sweep_test};
use cyclr_train::{Interrupt, Watch};

const ROUNDS: usize = 31;

fn main() {
    println!("median of {ROUNDS} rounds, one repeat, one thread; the quartiles in brackets");
    for (net, updates) in [("mlp", 1000), ("lenet", 200)] {
        let factory = factory(net);
        let ramp = Ramp::new(Shape::Linear, 0.0, 0.02, updates).expect("a ramp");
        let mut ratios = Vec::new();
        let mut bare_times = Vec::new();
        for round in 0..ROUNDS as u64 {
            let bare = || seconds(|| bare(&factory, &ramp, round));
            let test = || seconds(|| test(&factory, ramp, round));
            let (bare, test) = if round % 2 == 0 {
                (bare(), test())
            } else {
                let test = test();
                (bare(), test)
            };
            ratios.push(test / bare);
            bare_times.push(bare);
        }
        let ([low, ratio, high], [_, bare, _]) = (quartiles(ratios), quartiles(bare_times));
        let update = 1e6 * bare / updates as f64;
        println!(
            "{net:6} {updates:5} updates of {update:.0} µs: ratio {ratio:.4} [{low:.4}, {high:.4}]"
        );
    }
}

fn factory(net: &str) -> EngineFactory {
    let data = Dataset::embedded();
    let classes = data.classes().len();
    let splits = data.split(2000, 0).expect("the embedded data are larger");
    let net = Net::named(net, classes).expect("a net of the zoo");
    let config = EngineConfig::new(net, Normalization::per_channel(&splits.train));
    EngineFactory::new(config, splits).expect("a small net on small images")
}

fn bare(factory: &EngineFactory, ramp: &Ramp, seed: u64) {
    let mut run = factory.start(seed).expect("it starts");
    for update in 0..ramp.updates() {
        let _ = black_box(run.update(Hyper::lr(ramp.at(update))).expect("it updates"));
    }
}

fn test(factory: &EngineFactory, ramp: Ramp, seed: u64) {
    let test = SweepTest {
        seed,
        repeats: 1,
        threads: 1,
        ..SweepTest::new(ramp)
    };
    let watch = Watch {
        observer: &mut |_| {},
        interrupt: &Interrupt::new(),
    };
    let found = sweep_test(factory, &test, watch).expect("it tests");
    assert_eq!(found.curves[0].points.len() as u64, ramp.updates());
}

fn seconds(work: impl FnOnce()) -> f64 {
    let began = Instant::now();
    work();
    began.elapsed().as_secs_f64()
}

fn quartiles(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| values[(values.len() - 1) * quarter / 4])
}
