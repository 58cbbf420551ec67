//! The names of the series, at the foot of a chart in a file.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::FontError;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::draw::{colour, draw_dashes, text};
use super::{Form, Series, shortened};

/// The height of a row, in points.
pub(super) const ROW: u32 = 22;

/// The size of the letters, in points.
const LETTERS: u32 = 14;

/// The room of an entry beside its name, in points: for its line or dot, and up to the next entry.
const BESIDE: u32 = 46;

/// The names, in rows as wide as the chart.
pub(super) struct Legend<'a>(Vec<Vec<Entry<'a>>>);

/// The name of a series, shortened if it is longer than a row.
struct Entry<'a> {
    series: &'a Series,
    name: String,
    /// Its width with what stands beside it, in pixels.
    width: u32,
}

impl<'a> Legend<'a> {
    /// The names of these series in rows of `width` pixels; none if there is one series alone.
    pub(super) fn new(series: &'a [Series], width: u32, scale: u32) -> Result<Self, FontError> {
        let mut rows: Vec<Vec<Entry<'a>>> = Vec::new();
        if series.len() < 2 {
            return Ok(Self(rows));
        }
        let mut taken = 0;
        for series in series {
            let entry = Entry::new(series, width, scale)?;
            match rows.last_mut() {
                Some(row) if taken + entry.width <= width => {
                    taken += entry.width;
                    row.push(entry);
                }
                _ => {
                    taken = entry.width;
                    rows.push(vec![entry]);
                }
            }
        }
        Ok(Self(rows))
    }

    /// How many rows it has.
    pub(super) fn rows(&self) -> u32 {
        self.0.len() as u32
    }

    /// Draws the rows, each in the middle, the last at the foot.
    pub(super) fn draw<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        scale: u32,
    ) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        let (width, height) = area.dim_in_pixel();
        for (row, from_foot) in self.0.iter().rev().zip(0..) {
            let taken: u32 = row.iter().map(|entry| entry.width).sum();
            let mut at = (width.cast_signed() - taken.cast_signed()) / 2;
            let y = height.cast_signed() - ((18 + ROW * from_foot) * scale).cast_signed();
            for entry in row {
                draw_entry(area, entry, (at, y), scale)?;
                at += entry.width.cast_signed();
            }
        }
        Ok(())
    }
}

impl<'a> Entry<'a> {
    fn new(series: &'a Series, most: u32, scale: u32) -> Result<Self, FontError> {
        let font = text(LETTERS, scale).font;
        let width = |name: &str| Ok(font.box_size(name)?.0 + BESIDE * scale);
        let mut name = series.label.clone();
        let mut chars = name.chars().count();
        while width(&name)? > most && chars > 3 {
            chars = 9 * chars / 10;
            name = shortened(&series.label, chars);
        }
        Ok(Self {
            series,
            width: width(&name)?,
            name,
        })
    }
}

fn draw_entry<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    entry: &Entry<'_>,
    (at, y): (i32, i32),
    scale: u32,
) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
    let px = |points: u32| (points * scale).cast_signed();
    let Entry { series, name, .. } = entry;
    if series.form == Form::Points {
        let dot = Circle::new((at + px(12), y), 4 * scale, colour(series).filled());
        area.draw(&dot)?;
    } else {
        let line = [
            (f64::from(at), f64::from(y)),
            (f64::from(at + px(24)), f64::from(y)),
        ];
        draw_dashes(area, &line, series, scale)?;
    }
    let style = text(LETTERS, scale).pos(Pos::new(HPos::Left, VPos::Center));
    area.draw(&Text::new(name.as_str(), (at + px(30), y), style))
}
