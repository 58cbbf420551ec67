use std::time::Instant;

use cyclr::Hyper;
use cyclr::trainer::{Split, TrainerFactory};

use super::record::Pace;
use crate::Error;

/// Updates that are made before the clock starts, since the first ones wait for memory.
const UNTIMED: usize = 5;
const TIMED: usize = 51;

/// Times updates of a model that is then thrown away, while nothing else runs, at rate 0 so that nothing can diverge.
pub(super) fn measure(factory: &dyn TrainerFactory, seed: u64) -> Result<Pace, Error> {
    let mut net = factory.start(seed)?;
    net.updates(&[Hyper::lr(0.0); UNTIMED])?;
    let mut seconds = Vec::with_capacity(TIMED);
    for _ in 0..TIMED {
        let began = Instant::now();
        net.update(Hyper::lr(0.0))?;
        seconds.push(began.elapsed().as_secs_f64());
    }
    seconds.sort_unstable_by(f64::total_cmp);
    let began = Instant::now();
    net.evaluate(Split::Validation)?;
    Ok(Pace {
        seconds_per_update: seconds[TIMED / 2],
        seconds_per_evaluation: began.elapsed().as_secs_f64(),
        updates_timed: TIMED as u64,
    })
}
