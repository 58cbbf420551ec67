//! Turning an image upright, as its Exif data say.

use exif::{In, Reader, Tag};

use super::{Shape, image::Image};

/// How stored pixels are to be shown: the value of the Exif tag `Orientation`, 1 to 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Orientation(u32);

impl Orientation {
    const UPRIGHT: Self = Self(1);

    /// The orientation in an image's Exif data. Data that cannot be read, or that lack the tag,
    /// leave the image as it is stored, as viewers do.
    pub(super) fn of_exif(data: Option<&[u8]>) -> Self {
        let Some(data) = data else {
            return Self::UPRIGHT;
        };
        let mut reader = Reader::new();
        // Other tags may be damaged without harm.
        reader.continue_on_error(true);
        let read = reader.read_raw(data.to_vec());
        let read = read.or_else(|error| error.distill_partial_result(|_| ()));
        let value = match read {
            Ok(exif) => {
                let field = exif.get_field(Tag::Orientation, In::PRIMARY);
                field.and_then(|field| field.value.get_uint(0))
            }
            Err(_) => None,
        };
        match value {
            Some(value @ 1..=8) => Self(value),
            _ => Self::UPRIGHT,
        }
    }

    /// Turns and mirrors the image.
    pub(super) fn apply(self, image: Image) -> Image {
        if self == Self::UPRIGHT {
            return image;
        }
        let Shape {
            height,
            width,
            channels,
        } = image.shape;
        let on_its_side = self.0 >= 5;
        let (rows, columns) = if on_its_side {
            (width, height)
        } else {
            (height, width)
        };
        let mut pixels = Vec::with_capacity(image.pixels.len());
        for row in 0..rows {
            for column in 0..columns {
                let (y, x) = self.source((row, column), (height, width));
                let start = (y * width + x) * channels;
                pixels.extend_from_slice(&image.pixels[start..start + channels]);
            }
        }
        Image {
            shape: Shape {
                height: rows,
                width: columns,
                channels,
            },
            pixels,
            ..image
        }
    }

    /// The row and column of the stored pixel that is shown at this row and column.
    fn source(
        self,
        (row, column): (usize, usize),
        (height, width): (usize, usize),
    ) -> (usize, usize) {
        match self.0 {
            2 => (row, width - 1 - column),
            3 => (height - 1 - row, width - 1 - column),
            4 => (height - 1 - row, column),
            5 => (column, row),
            6 => (height - 1 - column, row),
            7 => (height - 1 - column, width - 1 - row),
            8 => (column, width - 1 - row),
            _ => (row, column),
        }
    }
}
