//! A noisy quadratic behind the trainer interface: a net that fits in a page, for
//! tests, examples and simulations.
//!
//! With weights `w`, curvatures `h_j` spread evenly from `curvature / 10` to `curvature`, and
//! noise `e` of standard deviation `noise`, an update is `v = momentum·v + h·w + e +
//! weight_decay·w; w = w - lr·v`. The loss is `sum_j(h_j·w_j²) / (2·dimensions)`; example `k` is
//! classified correctly where its difficulty, fixed by the data, is below `1 / (1 + loss)`. What
//! is known of it exactly: without momentum and weight decay it diverges for rates above `2 /
//! curvature`; with momentum, above `2·(1 + momentum) / curvature`. A larger rate arrives sooner
//! and stays further from the minimum, so that schedules matter.
//!
//! It uses no transcendental function, and gives the same bits on every machine.

use crc32c::crc32c;
use cyclr::Hyper;
use cyclr::trainer::{
    Average, Evaluation, Metric, Metrics, Objective, Split, Trainer, TrainerError, TrainerFactory,
    TrainerInfo,
};

/// A noisy quadratic; each of its runs starts elsewhere and meets noise of its
/// own.
#[derive(Clone, Debug, PartialEq)]
pub struct NoisyQuadratic {
    /// Weights; at least 1.
    pub dimensions: usize,
    /// The largest curvature; above 0.
    pub curvature: f64,
    /// Standard deviation of the gradient's noise; at least 0.
    pub noise: f64,
    /// The momentum that is used if a schedule does not set it, in `0..1`.
    pub momentum: f64,
    /// What the runs say of themselves. Sizes of the data decide how finely accuracy is measured,
    /// and nothing else.
    pub info: TrainerInfo,
}

impl Default for NoisyQuadratic {
    /// 8 dimensions, curvature 1, noise 0.3, momentum 0.9; 1,000 examples in batches of 50, 500
    /// held out twice.
    fn default() -> Self {
        Self {
            dimensions: 8,
            curvature: 1.0,
            noise: 0.3,
            momentum: 0.9,
            info: TrainerInfo {
                examples: 1000,
                batch: 50,
                validation: 500,
                test: 500,
                momentum: true,
                weight_decay: true,
                snapshots: true,
                given_weights: false,
                averages: true,
                ensembles: true,
                objective: Some(Objective::ACCURACY),
                whole_runs: None,
                data_checksum: None,
            },
        }
    }
}

impl TrainerFactory for NoisyQuadratic {
    fn start(&self, seed: u64) -> Result<Box<dyn Trainer + '_>, TrainerError> {
        let mut noise = Noise(seed);
        Ok(Box::new(NoisyQuadraticTrainer {
            weights: (0..self.dimensions).map(|_| 3.0 * noise.normal()).collect(),
            velocity: vec![0.0; self.dimensions],
            taken: 0,
            average: vec![0.0; self.dimensions],
            ensemble: Vec::new(),
            noise,
            noisy_quadratic: self,
        }))
    }
}

/// One descent into a [`NoisyQuadratic`].
#[derive(Clone, Debug)]
struct NoisyQuadraticTrainer<'a> {
    noisy_quadratic: &'a NoisyQuadratic,
    weights: Vec<f64>,
    velocity: Vec<f64>,
    /// How often the weights were taken into their average.
    taken: u64,
    average: Vec<f64>,
    /// The weights whose predictions are averaged, the oldest first.
    ensemble: Vec<Vec<f64>>,
    noise: Noise,
}

impl NoisyQuadraticTrainer<'_> {
    fn curvature(&self, j: usize) -> f64 {
        let last = (self.noisy_quadratic.dimensions - 1).max(1) as f64;
        self.noisy_quadratic.curvature * (1.0 - 0.9 * j as f64 / last)
    }

    fn loss(&self) -> f64 {
        self.loss_of(&self.weights)
    }

    fn loss_of(&self, weights: &[f64]) -> f64 {
        let of = |(j, w): (usize, &f64)| self.curvature(j) * w * w;
        let sum: f64 = weights.iter().enumerate().map(of).sum();
        sum / (2.0 * weights.len() as f64)
    }

    /// The difficulties below this are classified correctly.
    fn skill(&self) -> f64 {
        self.skill_of(&self.weights)
    }

    fn skill_of(&self, weights: &[f64]) -> f64 {
        1.0 / (1.0 + self.loss_of(weights))
    }

    fn evaluation(&self, split: Split, loss: f64, skill: f64) -> Result<Evaluation, TrainerError> {
        let (count, data_seed) = match split {
            Split::Validation => (self.noisy_quadratic.info.validation, 1),
            Split::Test => (self.noisy_quadratic.info.test, 2),
        };
        if count == 0 {
            return Err(TrainerError::Unsupported {
                what: "evaluate",
                reason: format!("the {split:?} split is empty"),
            });
        }
        let mut difficulty = Noise(data_seed);
        let correct: Vec<bool> = (0..count).map(|_| difficulty.uniform() < skill).collect();
        let sum = correct.iter().filter(|&&c| c).count() as u64;
        Ok(Evaluation {
            metrics: Metrics::new([Metric::loss(loss, count), Metric::accuracy(sum, count)]),
            correct: Some(correct),
        })
    }
}

impl Trainer for NoisyQuadraticTrainer<'_> {
    fn info(&self) -> &TrainerInfo {
        &self.noisy_quadratic.info
    }

    fn update(&mut self, hyper: Hyper) -> Result<Metrics, TrainerError> {
        let (loss, skill, batch) = (self.loss(), self.skill(), self.noisy_quadratic.info.batch);
        let correct = (0..batch).filter(|_| self.noise.uniform() < skill).count() as u64;
        let momentum = hyper.momentum.unwrap_or(self.noisy_quadratic.momentum);
        let decay = hyper.weight_decay.unwrap_or(0.0);
        for j in 0..self.weights.len() {
            let w = self.weights[j];
            let gradient = self.curvature(j) * w + self.noisy_quadratic.noise * self.noise.normal();
            self.velocity[j] = momentum * self.velocity[j] + gradient + decay * w;
            self.weights[j] = w - hyper.lr * self.velocity[j];
        }
        Ok(Metrics::new([
            Metric::loss(loss, batch),
            Metric::accuracy(correct, batch),
        ]))
    }

    fn evaluate(&mut self, split: Split) -> Result<Evaluation, TrainerError> {
        self.evaluation(split, self.loss(), self.skill())
    }

    fn state(&mut self) -> Result<Vec<u8>, TrainerError> {
        let floats = self.weights.iter().chain(&self.velocity);
        let floats = floats.chain(&self.average);
        let floats = floats.chain(self.ensemble.iter().flatten());
        let numbers = [self.noise.0, self.taken];
        let mut bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        bytes.extend(floats.flat_map(|x| x.to_le_bytes()));
        bytes.extend(crc32c(&bytes).to_le_bytes());
        Ok(bytes)
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), TrainerError> {
        let bad = |reason: String| TrainerError::BadState { reason };
        let (expected, of_model) = (16 + 24 * self.weights.len() + 4, 8 * self.weights.len());
        let more = state.len().checked_sub(expected);
        let Some(more) = more.filter(|more| more.is_multiple_of(of_model)) else {
            return Err(bad(format!("{} bytes, not {expected}", state.len())));
        };
        let (content, checksum) = state.split_at(state.len() - 4);
        if crc32c(content).to_le_bytes() != checksum {
            return Err(bad("its checksum is wrong: it is damaged".into()));
        }
        let (numbers, floats) = content.split_at(16);
        self.noise = Noise(u64::from_le_bytes(eight(&numbers[..8])));
        self.taken = u64::from_le_bytes(eight(&numbers[8..]));
        let slots = self.weights.iter_mut().chain(&mut self.velocity);
        self.ensemble = vec![vec![0.0; of_model / 8]; more / of_model];
        let slots = slots.chain(&mut self.average);
        let slots = slots.chain(self.ensemble.iter_mut().flatten());
        for (slot, bytes) in slots.zip(floats.chunks_exact(8)) {
            *slot = f64::from_le_bytes(eight(bytes));
        }
        Ok(())
    }

    fn average(&mut self, how: Average) -> Result<(), TrainerError> {
        if let Average::Ensemble(last) = how {
            self.ensemble.push(self.weights.clone());
            let over = self.ensemble.len().saturating_sub(last.get() as usize);
            self.ensemble.drain(..over);
            return Ok(());
        }
        self.taken += 1;
        for (mean, weight) in self.average.iter_mut().zip(&self.weights) {
            *mean += (weight - *mean) / self.taken as f64;
        }
        Ok(())
    }

    fn evaluate_average(&mut self, split: Split) -> Result<Evaluation, TrainerError> {
        if !self.ensemble.is_empty() {
            let mean = |of: fn(&Self, &[f64]) -> f64| {
                let sum: f64 = self.ensemble.iter().map(|weights| of(self, weights)).sum();
                sum / self.ensemble.len() as f64
            };
            let (loss, skill) = (mean(Self::loss_of), mean(Self::skill_of));
            return self.evaluation(split, loss, skill);
        }
        if self.taken == 0 {
            return Err(TrainerError::Unsupported {
                what: "evaluate its average",
                reason: String::from("no weights have been averaged yet"),
            });
        }
        std::mem::swap(&mut self.weights, &mut self.average);
        let evaluation = self.evaluate(split);
        std::mem::swap(&mut self.weights, &mut self.average);
        evaluation
    }
}

fn eight(bytes: &[u8]) -> [u8; 8] {
    bytes.try_into().expect("the length was checked")
}

/// Random numbers: Steele, Lea and Flood's `SplitMix64` (2014).
#[derive(Clone, Debug)]
struct Noise(u64);

impl Noise {
    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// In `0..1`.
    fn uniform(&mut self) -> f64 {
        (self.word() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Nearly normal, with mean 0 and variance 1: the sum of twelve uniform numbers, less 6.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn final_loss(noisy_quadratic: &NoisyQuadratic, lr: f64, updates: u64) -> f64 {
        let mut run = noisy_quadratic.start(1).unwrap();
        let mut loss = f64::NAN;
        for _ in 0..updates {
            let metrics = run.update(Hyper::lr(lr)).unwrap();
            loss = metrics.loss().unwrap().value;
        }
        loss
    }

    #[test]
    fn it_diverges_just_above_the_rate_that_theory_gives() {
        for momentum in [0.0, 0.9] {
            let noisy_quadratic = NoisyQuadratic {
                momentum,
                curvature: 4.0,
                noise: 0.0,
                ..NoisyQuadratic::default()
            };
            let edge = 2.0 * (1.0 + momentum) / 4.0;
            assert!(
                final_loss(&noisy_quadratic, 0.97 * edge, 3000) < 1e-6,
                "momentum {momentum}"
            );
            assert!(
                final_loss(&noisy_quadratic, 1.03 * edge, 300) > 1e6,
                "momentum {momentum}"
            );
        }
    }

    #[test]
    fn a_smaller_rate_comes_closer_in_the_end_and_a_larger_one_sooner() {
        let noisy_quadratic = NoisyQuadratic {
            momentum: 0.0,
            ..NoisyQuadratic::default()
        };
        assert!(
            final_loss(&noisy_quadratic, 0.01, 5000)
                < 0.2 * final_loss(&noisy_quadratic, 0.5, 5000)
        );
        assert!(
            final_loss(&noisy_quadratic, 0.5, 20) < 0.2 * final_loss(&noisy_quadratic, 0.01, 20)
        );
    }

    #[test]
    fn a_restored_run_goes_on_as_the_first() {
        let noisy_quadratic = NoisyQuadratic::default();
        let mut first = noisy_quadratic.start(3).unwrap();
        for _ in 0..137 {
            first.update(Hyper::lr(0.1)).unwrap();
        }
        let state = first.state().unwrap();
        let mut second = noisy_quadratic.start(99).unwrap();
        second.restore(&state).unwrap();
        for _ in 0..50 {
            assert_eq!(
                first.update(Hyper::lr(0.1)).unwrap(),
                second.update(Hyper::lr(0.1)).unwrap()
            );
        }
        assert_eq!(first.state().unwrap(), second.state().unwrap());
    }

    #[test]
    fn bytes_that_are_no_state_are_refused_and_change_nothing() {
        let noisy_quadratic = NoisyQuadratic::default();
        let mut run = noisy_quadratic.start(3).unwrap();
        let good = run.state().unwrap();
        for damage in [
            &good[..good.len() - 1],
            &[],
            &[7; 140],
            &[&good[..], &[0]].concat(),
        ] {
            assert!(matches!(
                run.restore(damage),
                Err(TrainerError::BadState { .. })
            ));
        }
        let mut flipped = good.clone();
        flipped[20] ^= 1;
        assert!(run.restore(&flipped).is_err());
        assert_eq!(run.state().unwrap(), good);
    }
}
