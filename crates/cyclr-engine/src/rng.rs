//! Random numbers that can be repeated from any update on.
//!
//! Every use of random numbers in the engine starts its own stream, keyed by the run's seed, a
//! [`Purpose`] and an index (an epoch, an update, a parameter). No generator is kept between two
//! updates, so resuming needs no saved generator: the numbers of update 137 are the same whether
//! or not updates 0 to 136 were made in this process.
//!
//! The generator is `ChaCha` with 8 rounds. Its bits are fixed by its definition, and the tests
//! pin them.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng as _, SeedableRng},
};

/// What a stream of random numbers is for. Streams of different purposes share nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u64)]
pub enum Purpose {
    /// Initial weights; indexed by the parameter's place in the net.
    Weights = 1,
    /// The order of the training examples; indexed by the epoch.
    Shuffle = 2,
    /// Random crops and flips; indexed by the update.
    Augment = 3,
    /// Dropout masks; indexed by the update.
    Dropout = 4,
    /// Cuts of the data, keyed by the data's own seed: the validation split (index 0), and the
    /// test part of a folder of images that comes without one (index 1).
    Validation = 5,
}

/// A stream of random numbers, decided by a seed, a purpose and an index.
///
/// ```
/// use cyclr_engine::rng::{Purpose, Rng};
///
/// let mut first = Rng::new(7, Purpose::Shuffle, 3);
/// let mut again = Rng::new(7, Purpose::Shuffle, 3);
/// assert_eq!(first.next_u64(), again.next_u64());
/// ```
#[derive(Clone, Debug)]
pub struct Rng {
    chacha: ChaCha8Rng,
    /// The second of a pair of normal numbers, which the next call returns.
    spare: Option<f64>,
}

impl Rng {
    /// Starts the stream.
    pub fn new(seed: u64, purpose: Purpose, index: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&(purpose as u64).to_le_bytes());
        let mut chacha = ChaCha8Rng::from_seed(key);
        chacha.set_stream(index);
        Self {
            chacha,
            spare: None,
        }
    }

    /// 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        self.chacha.next_u32()
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.chacha.next_u64()
    }

    /// A number in `[0, 1)`, uniform over the multiples of 2⁻⁵³.
    pub fn uniform(&mut self) -> f64 {
        const STEP: f64 = 1.0 / (1_u64 << 53) as f64;
        (self.next_u64() >> 11) as f64 * STEP
    }

    /// An integer in `0..bound`, each equally likely.
    ///
    /// # Panics
    /// If `bound` is 0, since there is no such integer.
    pub fn below(&mut self, bound: u32) -> u32 {
        assert!(bound > 0, "no integer lies below 0");
        // The low word of the product is uniform within each result; results whose low word falls
        // under 2³² mod bound are drawn once too often, and are drawn again (Lemire, arXiv
        // 1805.10941).
        let surplus = bound.wrapping_neg() % bound;
        loop {
            let product = u64::from(self.next_u32()) * u64::from(bound);
            if product as u32 >= surplus {
                return (product >> 32) as u32;
            }
        }
    }

    /// A normal number of mean 0 and variance 1 (Marsaglia's polar method, with a logarithm of
    /// fixed result).
    pub fn normal(&mut self) -> f64 {
        if let Some(second) = self.spare.take() {
            return second;
        }
        loop {
            let (x, y) = (2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0);
            let square = x * x + y * y;
            if square > 0.0 && square < 1.0 {
                let scale = libm::sqrt(-2.0 * libm::log(square) / square);
                self.spare = Some(y * scale);
                return x * scale;
            }
        }
    }

    /// Puts the items into a random order, each order equally likely.
    ///
    /// # Panics
    /// If there are more than `u32::MAX` items.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        let len = u32::try_from(items.len()).expect("at most u32::MAX items are shuffled");
        for last in (1..len).rev() {
            let chosen = self.below(last + 1);
            items.swap(last as usize, chosen as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_those_of_the_chacha_definition() {
        // The first block of ChaCha8 under an all-zero key and nonce
        // (draft-strombergson-chacha-test-vectors-01, TC1).
        let mut zero = ChaCha8Rng::from_seed([0; 32]);
        let bytes: Vec<u8> = (0..2).flat_map(|_| zero.next_u64().to_le_bytes()).collect();
        assert_eq!(
            bytes,
            [
                0x3e, 0x00, 0xef, 0x2f, 0x89, 0x5f, 0x40, 0xd6, 0x7f, 0x5b, 0xb8, 0xe8, 0x1f, 0x09,
                0xa5, 0xa1
            ]
        );
    }

    #[test]
    fn seed_purpose_and_index_each_change_the_stream() {
        let first = |seed, purpose, index| Rng::new(seed, purpose, index).next_u64();
        let base = first(1, Purpose::Weights, 0);
        assert_ne!(base, first(2, Purpose::Weights, 0));
        assert_ne!(base, first(1, Purpose::Shuffle, 0));
        assert_ne!(base, first(1, Purpose::Weights, 1));
    }

    #[test]
    fn values_stay_as_they_are() {
        let mut rng = Rng::new(42, Purpose::Dropout, 137);
        assert_eq!(rng.next_u64(), PINNED_U64);
        assert_eq!(rng.normal().to_bits(), PINNED_NORMAL.to_bits());
        let mut order: Vec<u8> = (0..8).collect();
        rng.shuffle(&mut order);
        assert_eq!(order, PINNED_ORDER);
    }

    const PINNED_U64: u64 = 445_274_418_333_800_366;
    const PINNED_NORMAL: f64 = 0.965_050_946_004_737;
    const PINNED_ORDER: [u8; 8] = [5, 4, 2, 1, 6, 0, 3, 7];

    #[test]
    fn below_is_even_and_in_range() {
        let mut rng = Rng::new(1, Purpose::Shuffle, 0);
        let mut counts = [0_u32; 6];
        for _ in 0..60_000 {
            counts[rng.below(6) as usize] += 1;
        }
        // Five sigma of a binomial of 60,000 at 1/6 is 456.
        assert!(
            counts.iter().all(|&n| n.abs_diff(10_000) < 456),
            "{counts:?}"
        );
        assert_eq!(rng.below(1), 0);
    }

    #[test]
    fn normal_has_the_moments_of_the_normal() {
        let mut rng = Rng::new(5, Purpose::Weights, 9);
        let draws: Vec<f64> = (0..100_000).map(|_| rng.normal()).collect();
        let moment = |power| draws.iter().map(|x: &f64| x.powi(power)).sum::<f64>() / 1e5;
        // Five standard errors each: 1, √2, √15 and √96 over √100,000.
        assert!(moment(1).abs() < 0.016, "{}", moment(1));
        assert!((moment(2) - 1.0).abs() < 0.023, "{}", moment(2));
        assert!(moment(3).abs() < 0.062, "{}", moment(3));
        assert!((moment(4) - 3.0).abs() < 0.155, "{}", moment(4));
    }

    #[test]
    fn shuffle_permutes() {
        let mut order: Vec<u32> = (0..1000).collect();
        Rng::new(3, Purpose::Shuffle, 0).shuffle(&mut order);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert!(sorted.iter().copied().eq(0..1000));
        assert_ne!(sorted, order);
    }
}
