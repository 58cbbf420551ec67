//! Noisy descent in a bowl under cyclr: `cyclr compare --budget 300 -- target/debug/examples/bowl`.

use cyclr::Spec;
use cyclr::trainer::{Evaluation, Metric, Metrics, Split, TrainerInfo};
use cyclr::units::Horizon;
use cyclr_child::{Trained, begin};

/// A weight, and the state of a generator.
struct Bowl {
    weight: f64,
    random: u64,
}

impl Bowl {
    /// Even between -1 and 1 (Knuth's linear congruential generator).
    fn noise(&mut self) -> f64 {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) as f64 / f64::from(1 << 30) - 1.0
    }
}

impl Trained for Bowl {
    fn evaluate(&mut self, _split: Split) -> Result<Evaluation, String> {
        Ok(Evaluation {
            metrics: Metrics::new([Metric::loss(self.weight.powi(2), 100)]),
            correct: None,
        })
    }

    fn state(&mut self) -> Result<Vec<u8>, String> {
        Ok([self.weight.to_bits(), self.random]
            .map(u64::to_le_bytes)
            .concat())
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), String> {
        let (words, rest) = state.as_chunks();
        let ([weight, random], []) = (words, rest) else {
            return Err(format!("{} bytes are no state of a bowl", state.len()));
        };
        self.weight = f64::from_bits(u64::from_le_bytes(*weight));
        self.random = u64::from_le_bytes(*random);
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let run = begin(0)?;
    let mut bowl = Bowl {
        weight: 0.0,
        random: run.seed,
    };
    bowl.weight = 4.0 + (0..10).map(|_| bowl.noise()).sum::<f64>();
    let info = TrainerInfo {
        validation: 100,
        test: 100,
        snapshots: true,
        ..TrainerInfo::new(1000, 50)
    };
    let alone = "cosine(lr=0.1)".parse::<Spec>()?;
    let mut lr = run.attach(info, alone.schedule(&Horizon::of_updates(300)?)?)?;
    while let Some(hyper) = lr.next(&mut bowl)? {
        let loss = bowl.weight.powi(2);
        bowl.weight -= hyper.lr * (2.0 * bowl.weight + bowl.noise());
        lr.made(Metrics::new([Metric::loss(loss, 50)]));
    }
    Ok(())
}
