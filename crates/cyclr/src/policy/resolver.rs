use crate::error::Error;
use crate::units::{Horizon, Length, rounding, snapped};

/// Turns the lengths of one stage's policy into updates. Its places are in updates of the run.
pub(crate) struct Resolver<'a> {
    /// The run.
    pub(crate) run: &'a Horizon,
    /// Where the stage begins exactly, or a warm-up that leads into it. Per cent are of what lies
    /// from here to the end.
    pub(crate) begin: f64,
    /// Where the stage itself begins exactly.
    pub(crate) exact_start: f64,
    /// The first update of the stage, from which the policy counts.
    pub(crate) start: f64,
    /// Where the stage ends exactly.
    pub(crate) end: f64,
}

impl Resolver<'_> {
    /// A length that must come out longer than 0, by more than the rounding of the stage's borders.
    pub(super) fn updates(&self, key: &'static str, length: Length) -> Result<f64, Error> {
        let updates = self.fraction(length)?;
        if updates > rounding(self.room()) {
            Ok(updates)
        } else {
            Err(Error::ZeroLength { key, length })
        }
    }

    /// A length that may be none.
    pub(super) fn fraction(&self, length: Length) -> Result<f64, Error> {
        self.run.updates_within(length, self.end - self.begin)
    }

    /// A place, as the policy counts: per cent from where the stage begins, a warm-up that leads
    /// into it included; updates and epochs from the policy's own first update.
    pub(super) fn place(&self, length: Length) -> Result<f64, Error> {
        let updates = self.fraction(length)?;
        Ok(match length {
            Length::Percent(_) => snapped(updates - (self.start - self.begin)),
            Length::Updates(_) | Length::Epochs(_) => updates,
        })
    }

    /// A place that lies within the policy's updates.
    pub(super) fn place_within(&self, key: &'static str, length: Length) -> Result<f64, Error> {
        let place = self.place(length)?;
        if place >= 0.0 && place <= self.room() + rounding(self.room()) {
            Ok(place)
        } else {
            Err(Error::Outside {
                key,
                length,
                at: self.start + place,
                start: self.start,
                end: self.end,
            })
        }
    }

    /// The updates of the stage.
    fn room(&self) -> f64 {
        self.end - self.start
    }

    /// Refuses what is longer than the stage.
    pub(super) fn fits(&self, key: &'static str, taken: f64) -> Result<(), Error> {
        let room = self.room();
        if taken <= room + rounding(room) {
            Ok(())
        } else {
            Err(Error::TooLong {
                key,
                taken,
                updates: room,
            })
        }
    }

    /// Refuses what leaves nothing of the stage.
    pub(super) fn leaves_room(&self, key: &'static str, taken: f64) -> Result<(), Error> {
        let room = self.room();
        if taken < room {
            Ok(())
        } else {
            Err(Error::TooLong {
                key,
                taken,
                updates: room,
            })
        }
    }
}
