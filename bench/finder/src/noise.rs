//! What the noise of the grids costs even a rule that makes no mistake.

use cyclr_engine::rng::{Purpose, Rng};

use crate::numbers::mean;
use crate::problem::{Problem, Truth};

const DRAWS: usize = 2000;

/// The regret of the best rate, as it is measured: against the best of cells that are noisy, as it is itself. Simulated, with the
/// grid's smoothed top as the truth.
pub fn floor(problems: &[Problem]) {
    let mut random = Rng::new(0, Purpose::Weights, 0);
    let floors: Vec<f64> = problems
        .iter()
        .map(|problem| of_one(&problem.truth, &mut random))
        .collect();
    println!(
        "\n# regret that the grid's noise charges a rule without mistakes: mean {:.2}, highest {:.2} ({} problems)",
        mean(floors.iter().copied()),
        floors.iter().copied().fold(0.0, f64::max),
        floors.len()
    );
}

fn of_one(truth: &Truth, random: &mut Rng) -> f64 {
    let top = truth.smooth_top();
    let best = (0..top.len()).max_by(|&a, &b| top[a].total_cmp(&top[b]));
    let best = best.expect("the best cell is near the best");
    let draw = |_| {
        let seen: Vec<f64> = top
            .iter()
            .map(|t| t + truth.error * random.normal())
            .collect();
        seen.iter().copied().fold(f64::MIN, f64::max) - seen[best]
    };
    mean((0..DRAWS).map(draw))
}
