use alloc::vec::Vec;

use crate::spec::number;
use crate::trainer::Direction;

/// What one update of a range test, or one held-out measurement during it, showed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// The learning rate that the update used; finite and at least 0.
    pub lr: f64,
    /// The mean loss over the batch, if there is one. Not finite where training diverged.
    pub loss: Option<f64>,
    /// The figure that the bounds are read from (usually accuracy), if there is one beside the
    /// loss.
    pub figure: Option<f64>,
    /// The examples measured, at least 1. They weigh the point against its neighbours.
    pub count: u64,
}

impl Point {
    /// A point that has a loss alone.
    pub const fn loss(lr: f64, loss: f64) -> Self {
        Self {
            lr,
            loss: Some(loss),
            figure: None,
            count: 1,
        }
    }

    /// A point with a loss and an accuracy: `correct` of `count` examples.
    pub fn accuracy(lr: f64, loss: f64, correct: u64, count: u64) -> Self {
        Self {
            lr,
            loss: Some(loss),
            figure: Some(correct as f64 / count as f64),
            count,
        }
    }
}

/// One recorded range test: at least one point, with rates that strictly rise.
///
/// Every point has the same figures as the first. Figures are finite up to where training
/// diverged, and nothing finite follows. The points after the first that is not finite are left
/// out, as they measure nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Sweep {
    points: Vec<Point>,
    direction: Direction,
    broke_at: Option<f64>,
    known_raw: bool,
}

impl Sweep {
    /// Checks a recorded test. `direction` is that of [`Point::figure`]; a sweep of losses alone
    /// is [`Direction::Lower`] whatever is given here.
    ///
    /// # Errors
    /// [`SweepError`], with the index of the first point at fault, if the points are not a sweep.
    pub fn new(mut points: Vec<Point>, direction: Direction) -> Result<Self, SweepError> {
        let first = *points.first().ok_or(SweepError::Empty)?;
        for (index, point) in points.iter().enumerate() {
            check_point(index, point, &first)?;
            let before = index.checked_sub(1).map(|i| points[i].lr);
            if let Some(previous) = before.filter(|&lr| lr >= point.lr) {
                return Err(SweepError::NotRising {
                    index,
                    lr: point.lr,
                    previous,
                });
            }
        }
        let broke = points.iter().position(|p| !is_finite(p));
        let broke_at = broke.map(|index| points[index].lr);
        if let Some(start) = broke {
            if let Some(later) = points[start..].iter().position(is_finite) {
                let index = start + later;
                return Err(SweepError::FiniteAgain { index, start });
            }
            points.truncate(start);
        }
        let direction = match first.figure {
            Some(_) => direction,
            None => Direction::Lower,
        };
        Ok(Self {
            points,
            direction,
            broke_at,
            known_raw: false,
        })
    }

    /// The same sweep, with losses that are known to be each update's own. Those of other sweeps
    /// without any other figure are refused if they look like a lagging average, which many tools
    /// record.
    pub fn of_raw_losses(self) -> Self {
        Self {
            known_raw: true,
            ..self
        }
    }

    /// The points whose figures are finite, in rising order of the rate; none if the first already
    /// was not.
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// Whether more or less of the objective is better.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// The rate of the first update whose figures were not finite, if there was one.
    pub fn broke_at(&self) -> Option<f64> {
        self.broke_at
    }

    /// Whether its losses are known to be each update's own.
    pub(super) fn is_known_raw(&self) -> bool {
        self.known_raw
    }

    /// Whether another sweep measured the same, to the last bit.
    pub(super) fn is_copy_of(&self, other: &Self) -> bool {
        (&self.points, self.direction, self.broke_at)
            == (&other.points, other.direction, other.broke_at)
    }

    /// Whether there is nothing but losses to read.
    pub(super) fn is_of_losses(&self) -> bool {
        self.points.iter().all(|p| p.figure.is_none())
    }

    /// The objective of each point: [`Point::figure`], or the loss if there is nothing else.
    pub(super) fn deciding(&self) -> impl Iterator<Item = f64> {
        let either = |p: &Point| p.figure.or(p.loss).unwrap_or(f64::NAN);
        self.points.iter().map(either)
    }

    /// The loss of each point, or the objective turned so that less is better.
    pub(super) fn losses(&self) -> impl Iterator<Item = f64> {
        let turned = -self.direction.sign();
        let either = move |p: &Point| p.loss.or(p.figure.map(|f| turned * f)).unwrap_or(f64::NAN);
        self.points.iter().map(either)
    }
}

fn check_point(index: usize, point: &Point, first: &Point) -> Result<(), SweepError> {
    let Point {
        lr,
        loss,
        figure,
        count,
    } = *point;
    if !(lr.is_finite() && lr >= 0.0) {
        return Err(SweepError::BadRate { index, lr });
    }
    if loss.is_none() && figure.is_none() || count == 0 {
        return Err(SweepError::NothingMeasured { index });
    }
    if (loss.is_some(), figure.is_some()) != (first.loss.is_some(), first.figure.is_some()) {
        return Err(SweepError::FiguresDiffer { index });
    }
    Ok(())
}

fn is_finite(point: &Point) -> bool {
    point.loss.is_none_or(f64::is_finite) && point.figure.is_none_or(f64::is_finite)
}

/// Why points are not a range test.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SweepError {
    /// There are no points.
    #[error("the sweep has no points; record at least one update")]
    Empty,
    /// A rate that is negative or not finite.
    #[error("point {index} has the rate {}; rates are finite and at least 0", number(*lr))]
    BadRate {
        /// The point's index, from 0.
        index: usize,
        /// Its rate.
        lr: f64,
    },
    /// A rate that does not exceed the one before.
    #[error(
        "point {index} has the rate {} after {}; give the points of one sweep in strictly rising order",
        number(*lr),
        number(*previous)
    )]
    NotRising {
        /// The point's index, from 0.
        index: usize,
        /// Its rate.
        lr: f64,
        /// The rate before it.
        previous: f64,
    },
    /// A point without figures, or over no examples.
    #[error("point {index} has neither loss nor figure, or a count of 0; leave it out")]
    NothingMeasured {
        /// The point's index, from 0.
        index: usize,
    },
    /// A point with other figures than the first.
    #[error(
        "point {index} has other figures than the first; give every point a loss, a figure, or both"
    )]
    FiguresDiffer {
        /// The point's index, from 0.
        index: usize,
    },
    /// Finite figures after one that is not.
    #[error(
        "point {index} is finite again after point {start} was not; a sweep ends where training diverges: remove the points \
         from there on"
    )]
    FiniteAgain {
        /// The index of the finite point, from 0.
        index: usize,
        /// The index of the first point that is not finite.
        start: usize,
    },
}
