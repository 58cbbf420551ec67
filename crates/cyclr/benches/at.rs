//! Nanoseconds per `at()`, for each policy. `cargo bench -p cyclr --bench at`; beside torch: `bench/schedules/run.sh`.
#![expect(clippy::unwrap_used, reason = "a benchmark")]

use cyclr::{Spec, units::Horizon};
use divan::{AllocProfiler, Bencher, black_box, counter::ItemsCount};

/// Shows that `at()` allocates nothing.
#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

/// Calls in one sample's loop, so that the loop's own cost is small.
const CALLS: u64 = 1000;

const SPECS: [&str; 20] = [
    "fixed(lr=0.1)",
    "step(lr=0.1, gamma=0.5, every=1000)",
    "multistep(lr=0.1, gamma=0.1, at=[30000, 60000, 90000])",
    "exponential(lr=0.1, gamma=0.9999)",
    "inv(lr=0.1, gamma=0.0001, power=0.75)",
    "sigmoid(lr=0.1, gamma=-0.001, at=50000)",
    "poly(lr=0.1, power=2)",
    "linear(lr=0.1)",
    "cosine(lr=0.1)",
    "cosine_restarts(max=0.1, min=0, period=1000)",
    "cosine_restarts(max=0.1, min=0, period=1000, mult=2)",
    "wsd(lr=0.1)",
    "rex(lr=0.1)",
    "triangular(base=0.001, max=0.006, step=2000)",
    "triangular(base=0.001, max=0.006, step=2000, momentum=0.85..0.95)",
    "triangular2(base=0.001, max=0.006, step=2000)",
    "exp_range(base=0.001, max=0.006, step=2000, gamma=0.99994)",
    "one_cycle(max=0.1)",
    "one_cycle_smith(base=0.1, max=3, step=40000)",
    "warmup(5%) then triangular2(base=0.001, max=0.006, step=2000) for 45% then linear(lr=0.001)",
];

fn main() {
    divan::main();
}

#[divan::bench(args = SPECS)]
fn at(bencher: Bencher, spec: &str) {
    let schedule = spec
        .parse::<Spec>()
        .unwrap()
        .schedule(&Horizon::of_updates(100_000).unwrap())
        .unwrap();
    // The rate alone is kept alive: what a training loop reads.
    bencher.counter(ItemsCount::new(CALLS)).bench_local(|| {
        for update in 0..CALLS {
            black_box(schedule.at(black_box(update * 97)).lr);
        }
    });
}
