use super::DataError;
use crate::rng::{Purpose, Rng};

/// The order of training examples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// Every epoch is a fresh permutation, given by the seed and the epoch's number. An epoch is
    /// `ceil(examples / batch)` updates, the last of which gets what is left.
    Shuffled,
    /// The order they are stored in, over and over, every batch full: after the last example the
    /// same batch goes on with the first. This is how Caffe reads.
    Stored,
}

impl Order {
    /// Its text in a run's state, which is part of the state's format.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::Shuffled => "shuffled",
            Self::Stored => "stored",
        }
    }
}

/// Which examples each update sees: a function of the update alone, so that the place in the data
/// is a number.
///
/// The permutation of the epoch last asked for is kept, so going through updates in order costs
/// one shuffle an epoch.
#[derive(Clone, Debug)]
pub struct Batches {
    examples: u32,
    batch: u32,
    order: Order,
    seed: u64,
    epoch: Option<u64>,
    permutation: Vec<u32>,
}

impl Batches {
    /// Batches of `batch` examples out of `examples`. The seed has no effect on [`Order::Stored`].
    ///
    /// # Errors
    /// [`DataError::Batch`] if the batch is 0 or exceeds the examples.
    pub fn new(examples: usize, batch: usize, order: Order, seed: u64) -> Result<Self, DataError> {
        let fits = batch >= 1 && batch <= examples;
        match (u32::try_from(examples), u32::try_from(batch)) {
            (Ok(examples), Ok(batch)) if fits => Ok(Self {
                examples,
                batch,
                order,
                seed,
                epoch: None,
                permutation: Vec::new(),
            }),
            _ => Err(DataError::Batch { batch, examples }),
        }
    }

    /// Updates in an epoch: `ceil(examples / batch)`.
    pub fn updates_per_epoch(&self) -> u64 {
        u64::from(self.examples.div_ceil(self.batch))
    }

    /// The examples that an update sees, counted from 0.
    pub fn at(&mut self, update: u64) -> &[u32] {
        match self.order {
            Order::Shuffled => self.shuffled(update),
            Order::Stored => self.stored(update),
        }
    }

    fn shuffled(&mut self, update: u64) -> &[u32] {
        let epoch = update / self.updates_per_epoch();
        if self.epoch != Some(epoch) {
            self.permutation.clear();
            self.permutation.extend(0..self.examples);
            Rng::new(self.seed, Purpose::Shuffle, epoch).shuffle(&mut self.permutation);
            self.epoch = Some(epoch);
        }
        let batch = self.batch as usize;
        let start = (update % self.updates_per_epoch()) as usize * batch;
        let end = (start + batch).min(self.permutation.len());
        &self.permutation[start..end]
    }

    fn stored(&mut self, update: u64) -> &[u32] {
        let (examples, batch) = (u64::from(self.examples), u64::from(self.batch));
        // Both factors are below 2³², so the product fits.
        let start = (update % examples) * batch % examples;
        self.permutation.clear();
        self.permutation
            .extend((start..start + batch).map(|at| (at % examples) as u32));
        &self.permutation
    }
}
