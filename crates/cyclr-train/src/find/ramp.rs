use crate::Error;

/// How a rate rises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// By equal steps, as in the paper.
    Linear,
    /// By equal factors.
    Exponential,
}

/// A rate that rises from update to update, with its ends at the first and the last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ramp {
    shape: Shape,
    from: f64,
    to: f64,
    updates: u64,
}

/// The fewest updates of a sweep that can be read.
pub(super) const FEWEST: u64 = 16;

/// The most, which keeps a curve in memory and all counts of updates far from their limits.
const MOST: u64 = 1_000_000_000;

impl Ramp {
    /// # Errors
    /// [`Error::BadSweep`] unless `0 <= from < to` are finite (`from` above 0 if exponential) and
    /// there are at least 16 updates, and at most 1e9.
    pub fn new(shape: Shape, from: f64, to: f64, updates: u64) -> Result<Self, Error> {
        let refuse = |reason| Err(Error::BadSweep { reason });
        if !(from.is_finite() && to.is_finite() && 0.0 <= from && from < to) {
            return refuse(format!(
                "its rate goes from {from} to {to}: give 0 <= from < to"
            ));
        }
        if shape == Shape::Exponential && from == 0.0 {
            return refuse("an exponential one cannot start at 0: give a rate above it".into());
        }
        if updates < FEWEST {
            return refuse(format!(
                "a sweep of {updates} updates cannot be read: it needs {FEWEST} (more --epochs, a larger --budget or fewer --repeats)"
            ));
        }
        if updates > MOST {
            return refuse(format!(
                "a sweep of {updates} updates is too long: give at most {MOST}"
            ));
        }
        Ok(Self {
            shape,
            from,
            to,
            updates,
        })
    }

    /// The rate of an update, counted from 0.
    pub fn at(&self, update: u64) -> f64 {
        let fraction = update as f64 / (self.updates - 1) as f64;
        match self.shape {
            Shape::Linear => self.from + (self.to - self.from) * fraction,
            Shape::Exponential => self.from * libm::pow(self.to / self.from, fraction),
        }
    }

    /// How it rises.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The first rate.
    pub fn from(&self) -> f64 {
        self.from
    }

    /// The last rate.
    pub fn to(&self) -> f64 {
        self.to
    }

    /// The updates.
    pub fn updates(&self) -> u64 {
        self.updates
    }
}
