/// A short training that shows what a rate is worth: it warms up to `lr` over 5 % of its updates,
/// and falls to zero over the others, both in a straight line.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Probe {
    /// The highest rate, above 0.
    pub lr: f64,
    /// Its updates, at least 1.
    pub updates: u64,
    /// Which of the seeds of the test it runs on, counted from 0.
    pub repeat: u64,
}

impl Probe {
    /// The rate of an update, counted from 0.
    ///
    /// ```
    /// let probe = cyclr::range::Probe { lr: 1.0, updates: 40, repeat: 0 };
    /// assert_eq!([0, 1, 2, 21].map(|update| probe.at(update)), [0.5, 1.0, 1.0, 0.5]);
    /// ```
    pub fn at(&self, update: u64) -> f64 {
        let warmup = (self.updates / 20).max(1);
        if update < warmup {
            self.lr * (update + 1) as f64 / warmup as f64
        } else {
            let left = self.updates.saturating_sub(update);
            self.lr * left as f64 / self.updates.saturating_sub(warmup).max(1) as f64
        }
    }

    /// The updates at its end whose mean training loss is its result: a fifth of all, at least 3.
    pub const fn tail(&self) -> u64 {
        let fifth = self.updates.saturating_add(2) / 5;
        if fifth > 3 { fifth } else { 3 }
    }
}

/// What a probe showed.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ProbeResult {
    /// The training.
    pub probe: Probe,
    /// The mean training loss over [`Probe::tail`], or the objective turned so that less is better
    /// if there is no loss; `None` if the training diverged.
    pub loss: Option<f64>,
    /// The mean of the objective beside the loss (usually accuracy) over the same updates, if
    /// there is one.
    pub figure: Option<f64>,
    /// Of an accuracy: the number correct over the same updates.
    pub correct: Option<u64>,
    /// The examples of those updates.
    pub count: u64,
    /// The updates that were made; fewer than asked for only where it diverged.
    pub made: u64,
}

impl ProbeResult {
    /// The loss, infinite if the training diverged.
    pub(super) fn loss_or_infinity(&self) -> f64 {
        self.loss.unwrap_or(f64::INFINITY)
    }
}
