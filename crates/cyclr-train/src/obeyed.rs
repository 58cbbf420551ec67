//! Whether runs show that the trainer uses the seed and the rate that it is given.

use crate::Error;

/// The beginning of a run: what is needed to see whether two runs are one and the same.
#[derive(Clone, Debug)]
pub(crate) struct Beginning {
    pub(crate) seed: u64,
    /// The rate of each update.
    pub(crate) rates: Vec<f64>,
    /// The loss of each update's batch, before it.
    pub(crate) losses: Vec<f64>,
}

impl Beginning {
    /// Updates that are looked at; more would show no more.
    pub(crate) const LENGTH: usize = 1000;

    /// Refuses two runs that show that the seed or the rate is not used.
    pub(crate) fn check_against(&self, other: &Self) -> Result<(), Error> {
        if self.seed != other.seed {
            return match self.same_start(other) {
                Some(loss) => Err(Error::SeedNotObeyed {
                    seeds: [other.seed, self.seed],
                    loss,
                }),
                None => Ok(()),
            };
        }
        match self.same_at_other_rates(other) {
            Some((rates, updates)) => Err(Error::RateNotObeyed {
                seed: self.seed,
                rates,
                updates,
            }),
            None => Ok(()),
        }
    }

    /// A loss that both have before anything could have drawn them together.
    ///
    /// Batches in another order have another loss, and so have other weights. But weights of 0 in
    /// the last layer give the logarithm of the number of classes whatever the batch. Such losses
    /// say nothing, and the next ones are looked at.
    fn same_start(&self, other: &Self) -> Option<f64> {
        let pairs = self.losses.iter().zip(&other.losses);
        let same = pairs.take_while(|(a, b)| a.to_bits() == b.to_bits());
        same.map(|(&loss, _)| loss)
            .find(|&loss| says_something(loss))
    }

    /// The rates where these first differ, and the updates after that, whose losses are
    /// nevertheless all the same.
    fn same_at_other_rates(&self, other: &Self) -> Option<([f64; 2], usize)> {
        let mut rates = self.rates.iter().zip(&other.rates);
        let at = rates.position(|(a, b)| (a - b).abs() > 0.01 * a.abs().max(b.abs()))?;
        let ours = self.losses.get(at + 1..)?;
        let theirs = other.losses.get(at + 1..)?;
        let updates = ours.len().min(theirs.len());
        let same = ours
            .iter()
            .zip(theirs)
            .all(|(a, b)| a.to_bits() == b.to_bits());
        let moves = ours
            .windows(2)
            .any(|pair| pair[0].to_bits() != pair[1].to_bits());
        (updates >= 2 && same && moves).then_some(([other.rates[at], self.rates[at]], updates))
    }
}

/// Whether a loss is none that every batch has: infinite, 0, or the logarithm of a number of
/// classes.
pub(crate) fn says_something(loss: f64) -> bool {
    let classes = libm::exp(loss);
    let guess = (classes - libm::round(classes)).abs() < 1e-5 * classes && classes < 1e6;
    loss.is_finite() && loss != 0.0 && !guess
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(seed: u64, rate: f64, losses: &[f64]) -> Beginning {
        Beginning {
            seed,
            rates: vec![rate; losses.len()],
            losses: losses.to_vec(),
        }
    }

    #[test]
    fn two_seeds_with_one_first_loss_are_refused() {
        let first = run(1, 0.1, &[2.25, 2.0, 1.5]);
        let refused = first.check_against(&run(2, 0.2, &[2.25, 2.125]));
        assert!(matches!(
            refused,
            Err(Error::SeedNotObeyed {
                seeds: [2, 1],
                loss: 2.25
            })
        ));
        first
            .check_against(&run(2, 0.1, &[2.250_000_000_000_001, 2.0]))
            .unwrap();
        first.check_against(&run(2, 0.1, &[])).unwrap();
    }

    /// Ten classes and an output layer of zeros: ln 10, in f32, whatever the seed.
    #[test]
    fn the_loss_of_guessing_says_nothing() {
        let guess = f64::from(std::f32::consts::LN_10);
        let first = run(1, 0.1, &[guess, 2.0, 1.5]);
        first.check_against(&run(2, 0.1, &[guess, 2.1])).unwrap();
        first.check_against(&run(2, 0.1, &[guess, guess])).unwrap();
        assert!(first.check_against(&run(2, 0.1, &[guess, 2.0])).is_err());
        let lost = run(1, 0.1, &[f64::NAN, 0.0]);
        lost.check_against(&run(2, 0.1, &[f64::NAN, 0.0])).unwrap();
    }

    #[test]
    fn one_trajectory_at_two_rates_is_refused() {
        let first = run(1, 0.1, &[2.25, 2.0, 1.5, 1.25]);
        let refused = first.check_against(&run(1, 0.2, &[2.25, 2.0, 1.5]));
        assert!(
            matches!(refused, Err(Error::RateNotObeyed { updates: 2, .. })),
            "{refused:?}"
        );
        first
            .check_against(&run(1, 0.2, &[2.25, 2.0, 1.5, 1.26]))
            .unwrap();
        first
            .check_against(&run(1, 0.1, &[2.25, 2.0, 1.5, 1.25]))
            .unwrap();
        // Learnt to the end, or too short to tell.
        let flat = run(1, 0.1, &[0.0; 9]);
        flat.check_against(&run(1, 0.2, &[0.0; 9])).unwrap();
        first.check_against(&run(1, 0.2, &[2.25, 2.0])).unwrap();
    }
}
