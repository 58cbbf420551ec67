//! A chart whose x axis has names, in files: a row for each name, with its value and whisker
//! across.

use plotters::coord::Shift;
use plotters::prelude::*;

use super::axis::Scaled;
use super::draw::{Context, INK, PALE, SOFT, colour, text};
use super::{Chart, Series, shortened};

/// The most characters of a name beside its row.
const MOST: usize = 60;

impl Chart {
    /// Draws the rows at `scale` pixels to a point, the first at the top.
    pub(super) fn draw_rows<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        scale: u32,
    ) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        let px = |points: u32| points * scale;
        let names = self.x.names.iter().rev().map(|name| shortened(name, MOST));
        let names: Vec<String> = names.collect();
        let widths = names.iter().map(|name| {
            let size = area.estimate_text_size(name, &text(14, scale))?;
            Ok(size.0)
        });
        let widths: Vec<u32> = widths.collect::<Result<_, DrawingAreaErrorKind<B::ErrorType>>>()?;
        let room = widths.into_iter().max().unwrap_or(0) + px(14);
        let mut builder = ChartBuilder::on(area);
        if !self.title.is_empty() {
            builder.caption(&self.title, text(20, scale));
        }
        let mut chart = builder
            .margin(px(14))
            .margin_right(px(24))
            .x_label_area_size(px(48))
            .y_label_area_size(room.min(area.dim_in_pixel().0 / 2))
            .build_cartesian_2d(
                Scaled::new(self.y_extent(), false, &[]),
                Scaled::new(None, false, &names),
            )?;
        self.draw_margin(&mut chart)?;
        chart
            .configure_mesh()
            .x_desc(&self.y.label)
            .axis_desc_style(text(15, scale))
            .label_style(text(14, scale))
            .axis_style(INK)
            .bold_line_style(PALE)
            .light_line_style(TRANSPARENT)
            .draw()?;
        self.draw_level_lines(&mut chart, scale)?;
        for series in &self.series {
            self.draw_row(&mut chart, series, scale)?;
        }
        Ok(())
    }

    /// The stretch between the lowest and the highest level, shaded.
    fn draw_margin<B: DrawingBackend>(
        &self,
        chart: &mut Context<'_, B>,
    ) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        let levels = || self.levels.iter().map(|level| level.at);
        let (low, high) = (levels().reduce(f64::min), levels().reduce(f64::max));
        if let (Some(low), Some(high)) = (low, high) {
            let rows = chart.y_range();
            let corners = [(low, rows.start), (high, rows.end)];
            let fill = RGBColor(0, 98, 178).mix(0.07).filled();
            chart.draw_series([Rectangle::new(corners, fill)])?;
        }
        Ok(())
    }

    /// A line at each level: solid at zero, dashed elsewhere.
    fn draw_level_lines<B: DrawingBackend>(
        &self,
        chart: &mut Context<'_, B>,
        scale: u32,
    ) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        let dash = (3 * scale).cast_signed();
        let rows = chart.y_range();
        for level in &self.levels {
            let ends = [(level.at, rows.start), (level.at, rows.end)];
            if level.at == 0.0 {
                chart.draw_series([PathElement::new(ends, INK.stroke_width(scale))])?;
            } else {
                let style = SOFT.stroke_width(scale);
                chart.draw_series(DashedLineSeries::new(ends, dash, dash, style))?;
            }
        }
        Ok(())
    }

    fn draw_row<B: DrawingBackend>(
        &self,
        chart: &mut Context<'_, B>,
        series: &Series,
        scale: u32,
    ) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        let colour = colour(series);
        let top = self.x.names.len() as f64 - 1.0;
        for point in &series.points {
            let row = top - point.x;
            if let (Some(low), Some(high)) = (point.low, point.high) {
                let ends = [(low, row), (high, row)];
                chart.draw_series([PathElement::new(ends, colour.stroke_width(3 * scale))])?;
            }
            if let Some(mean) = point.y {
                chart.draw_series([Circle::new((mean, row), 5 * scale, colour.filled())])?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_keeps_both_ends() {
        let name = format!("{}{}", "a".repeat(50), "é".repeat(50));
        let expected = format!("{}...{}", "a".repeat(30), "é".repeat(30));
        assert_eq!(shortened(&name, MOST), expected);
        assert_eq!(shortened(&"é".repeat(60), MOST), "é".repeat(60));
    }
}
