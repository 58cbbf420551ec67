//! Decoding the images of all parts, on all cores, each into its own place.

use std::{
    num::NonZero,
    path::{Path, PathBuf},
    thread,
};

use super::{
    Color, DataError, Images, OpenOptions, Shape,
    file::{self, show},
    image::{self, Image},
    resize,
};

/// An image's file, and its class.
pub(super) struct Labelled {
    pub(super) path: PathBuf,
    pub(super) label: u16,
}

/// The images of the parts.
pub(super) struct Decoded {
    pub(super) shape: Shape,
    pub(super) parts: [Images; 3],
    pub(super) notes: Vec<String>,
}

/// What every image must become.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    shape: Shape,
    color: Color,
    resized: bool,
    /// The image that the shape was taken from.
    first: &'a Path,
}

/// What was found while the images of a part were decoded.
#[derive(Default)]
struct Findings {
    /// Images that cannot be read, each with the reason.
    damaged: Vec<(String, String)>,
    /// Images with 16 bits a sample.
    wide: usize,
    /// The largest of their samples.
    largest_wide: u16,
}

/// Decodes all files. Damaged ones are all looked for before any is reported.
pub(super) fn read_parts(
    parts: [&[Labelled]; 3],
    options: &OpenOptions,
) -> Result<Decoded, DataError> {
    // RGB, as the option documents.
    let color = options.color.unwrap_or_default();
    let (shape, first) = common_shape(parts[0], options.size, color)?;
    let wanted = Wanted {
        shape,
        color,
        resized: options.size.is_some(),
        first,
    };
    let mut findings = Findings::default();
    let mut read = |files| {
        let (images, found) = read_images(files, wanted)?;
        findings.merge(found);
        Ok(images)
    };
    let parts = [read(parts[0])?, read(parts[1])?, read(parts[2])?];
    findings.check()?;
    Ok(Decoded {
        shape,
        parts,
        notes: findings.note().into_iter().collect(),
    })
}

/// The shape that is asked for, or that of the first image that can be read.
fn common_shape(
    files: &[Labelled],
    size: Option<u32>,
    color: Color,
) -> Result<(Shape, &Path), DataError> {
    if let Some(size) = size {
        let shape = Shape {
            height: size as usize,
            width: size as usize,
            channels: color.channels(),
        };
        return Ok((shape, &files[0].path));
    }
    let mut findings = Findings::default();
    for file in files {
        match image::read(&file.path, color) {
            Ok(image) => return Ok((image.shape, &file.path)),
            Err(error) => findings.take(error)?,
        }
    }
    findings.check()?;
    Err(DataError::Contents {
        problem: "there are no training images".into(),
    })
}

fn read_images(files: &[Labelled], wanted: Wanted<'_>) -> Result<(Images, Findings), DataError> {
    let values = wanted.shape.values();
    let mut pixels = Vec::new();
    file::reserve(
        &mut pixels,
        files.len() as u128 * values as u128,
        wanted.first,
    )?;
    pixels.resize(files.len() * values, 0);
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    let each = files.len().div_ceil(workers).max(1);
    let mut findings = Findings::default();
    thread::scope(|scope| {
        let chunks = files.chunks(each).zip(pixels.chunks_mut(each * values));
        let running: Vec<_> = chunks
            .map(|(files, pixels)| scope.spawn(move || read_chunk(files, pixels, wanted)))
            .collect();
        running.into_iter().try_for_each(|thread| {
            let found = thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            findings.merge(found);
            Ok(())
        })
    })?;
    let labels = files.iter().map(|file| file.label).collect();
    Ok((Images { pixels, labels }, findings))
}

fn read_chunk(
    files: &[Labelled],
    pixels: &mut [u8],
    wanted: Wanted<'_>,
) -> Result<Findings, DataError> {
    let mut findings = Findings::default();
    let places = pixels.chunks_exact_mut(wanted.shape.values());
    for (file, place) in files.iter().zip(places) {
        match read_one(&file.path, wanted) {
            Ok(image) => {
                place.copy_from_slice(&image.pixels);
                findings.wide += usize::from(image.largest_wide.is_some());
                findings.largest_wide = findings.largest_wide.max(image.largest_wide.unwrap_or(0));
            }
            Err(error) => findings.take(error)?,
        }
    }
    Ok(findings)
}

fn read_one(path: &Path, wanted: Wanted<'_>) -> Result<Image, DataError> {
    let mut image = image::read(path, wanted.color)?;
    if wanted.resized {
        image = resize::to(image, wanted.shape.height, wanted.shape.width);
    }
    if image.shape != wanted.shape {
        return Err(DataError::ShapeMismatch {
            path: show(path),
            found: image.shape,
            first: show(wanted.first),
            expected: wanted.shape,
        });
    }
    Ok(image)
}

impl Findings {
    /// Keeps an image that cannot be read for the list; any other error is returned.
    fn take(&mut self, error: DataError) -> Result<(), DataError> {
        match error {
            DataError::Image { path, reason } => {
                self.damaged.push((path, reason));
                Ok(())
            }
            other => Err(other),
        }
    }

    fn merge(&mut self, other: Self) {
        self.damaged.extend(other.damaged);
        self.wide += other.wide;
        self.largest_wide = self.largest_wide.max(other.largest_wide);
    }

    fn check(&mut self) -> Result<(), DataError> {
        match &mut self.damaged[..] {
            [] => Ok(()),
            [(path, reason)] => Err(DataError::Image {
                path: std::mem::take(path),
                reason: std::mem::take(reason),
            }),
            several => {
                let lines = several
                    .iter()
                    .map(|(path, reason)| format!("{path}: {reason}"));
                Err(DataError::Images {
                    found: several.len(),
                    listed: file::shorten(lines.collect()),
                })
            }
        }
    }

    /// Samples of fewer bits are sometimes stored in 16 without scaling. They are not scaled here:
    /// how many bits they have can only be guessed.
    fn note(&self) -> Option<String> {
        if self.wide == 0 || self.largest_wide > u16::MAX / 2 {
            return None;
        }
        let (images, largest) = (self.wide, self.largest_wide);
        let bits = u16::BITS - largest.leading_zeros();
        let left = 1 + (largest >> 8);
        Some(format!(
            "{images} images have 16 bits a sample, but none of their samples is above {largest} \
             ({bits} bits); they are taken to fill the range from 0 to 65535, which leaves {left} \
             levels; scale them to that range first"
        ))
    }
}
