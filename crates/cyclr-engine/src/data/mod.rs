//! Image data sets: reading them, splitting them, and the order and form of batches.
//!
//! A [`Dataset`] holds every pixel once, as `u8` in height × width × channel order, behind an
//! `Arc`: cloning it, and any number of runs that train on it, share that copy. [`Dataset::split`]
//! cuts the validation part off and gives three [`Examples`], which are views. [`Batches`] says
//! which examples update `i` sees, as a function of `i` alone, so that the place in the data is a
//! number. [`Examples::fill`] turns a batch into normalised NHWC `f32`.
//!
//! ```
//! use cyclr_engine::data::{Batches, Dataset, Normalization, Order};
//!
//! let splits = Dataset::embedded().split(1000, 0)?;
//! let train = &splits.train;
//! let normalization = Normalization::per_channel(train);
//! let mut batches = Batches::new(train.len(), 100, Order::Shuffled, 7)?;
//! let picks = batches.at(137);
//! let mut pixels = vec![0.0_f32; picks.len() * train.shape().values()];
//! train.fill(picks, &normalization, &mut pixels);
//! let labels: Vec<u16> = picks.iter().map(|&pick| train.label(pick)).collect();
//! # Ok::<(), cyclr_engine::data::DataError>(())
//! ```

mod augment;
mod batches;
mod cifar;
mod decode;
mod embedded;
mod error;
mod examples;
mod file;
mod folder;
mod hint;
mod idx;
mod image;
mod normalization;
mod open;
mod orientation;
mod resize;
mod split;
mod summary;

use std::sync::Arc;

pub use augment::{Augment, View};
pub use batches::{Batches, Order};
pub use error::DataError;
pub use examples::Examples;
pub use image::read_image;
pub use normalization::Normalization;
pub use open::{Color, OpenOptions};
pub use split::Splits;
pub use summary::{PartSummary, Summary};

/// The size of one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Values in a pixel: 1 for gray, 3 for RGB.
    pub channels: usize,
}

impl Shape {
    /// Values in one image: height × width × channels, or the most that can be counted.
    pub const fn values(self) -> usize {
        self.height
            .saturating_mul(self.width)
            .saturating_mul(self.channels)
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}×{}×{}", self.height, self.width, self.channels)
    }
}

/// Images and their labels, as they lie in memory.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Images {
    /// One image after the other, each in height × width × channel order, 0 to 255.
    pub pixels: Vec<u8>,
    /// The class of each image, counted from 0.
    pub labels: Vec<u16>,
}

impl std::fmt::Debug for Images {
    /// Without the pixels, which would fill pages.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Images")
            .field("images", &self.labels.len())
            .finish_non_exhaustive()
    }
}

/// A labelled set of images of one size: a training part, and validation and test parts that may
/// be empty.
///
/// Cloning it shares the pixels.
#[derive(Clone, Debug)]
pub struct Dataset(Arc<Contents>);

#[derive(Debug)]
struct Contents {
    source: String,
    format: &'static str,
    shape: Shape,
    classes: Vec<String>,
    train: Images,
    /// Empty if the data set comes without a validation part.
    validation: Images,
    test: Images,
    /// The files of the training and the test labels, where each part has one.
    label_files: Option<[String; 2]>,
    ignored: Vec<String>,
    notes: Vec<String>,
}

/// One of the parts a data set comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Train,
    Validation,
    Test,
}

impl Dataset {
    /// A data set from memory. `classes` are the names of labels 0, 1, …; the test part may be
    /// empty.
    ///
    /// # Errors
    /// [`DataError::Contents`] if pixels, labels and shape do not fit each other,
    /// [`DataError::LabelRange`] if a label has no class, [`DataError::OneClass`] if the training
    /// part has fewer than two classes, [`DataError::UnseenName`] for a class name that should not
    /// be printed ([`cyclr::names`]).
    pub fn new(
        shape: Shape,
        classes: Vec<String>,
        train: Images,
        test: Images,
    ) -> Result<Self, DataError> {
        let source = "memory".to_owned();
        for name in &classes {
            file::check_name(name, source.as_ref())?;
        }
        Self::from_contents(Contents {
            source,
            format: "images in memory",
            shape,
            classes,
            train,
            validation: Images::default(),
            test,
            label_files: None,
            ignored: Vec::new(),
            notes: Vec::new(),
        })
    }

    /// The size of its images.
    pub fn shape(&self) -> Shape {
        self.0.shape
    }

    /// The names of its classes; label `k` is `classes()[k]`.
    pub fn classes(&self) -> &[String] {
        &self.0.classes
    }

    /// Where it was read from: a path, `embedded`, or `memory`.
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// Images of the training part, before anything is cut off.
    pub fn train_len(&self) -> usize {
        self.0.train.labels.len()
    }

    /// Images of the validation part that the data set came with; 0 if it came without one.
    pub fn validation_len(&self) -> usize {
        self.0.validation.labels.len()
    }

    /// What a person should know about how the files were read: a sentence for each thing.
    pub fn notes(&self) -> &[String] {
        &self.0.notes
    }

    fn from_contents(contents: Contents) -> Result<Self, DataError> {
        if contents.shape.values() == 0 || contents.train.labels.is_empty() {
            return Err(DataError::Contents {
                problem: format!(
                    "{} training images of {} values each",
                    contents.train.labels.len(),
                    contents.shape
                ),
            });
        }
        check_part(&contents, Part::Train)?;
        let first = contents.train.labels[0];
        if contents.train.labels.iter().all(|&label| label == first) {
            return Err(DataError::OneClass {
                source_name: match contents.label_files {
                    Some([train, _]) => train,
                    None => contents.source,
                },
                class: contents.classes[usize::from(first)].clone(),
                images: contents.train.labels.len(),
            });
        }
        check_part(&contents, Part::Validation)?;
        check_part(&contents, Part::Test)?;
        Ok(Self(Arc::new(contents)))
    }

    fn part(&self, part: Part) -> &Images {
        self.0.part(part)
    }
}

impl Contents {
    fn part(&self, part: Part) -> &Images {
        match part {
            Part::Train => &self.train,
            Part::Validation => &self.validation,
            Part::Test => &self.test,
        }
    }

    /// Where the labels of a part are from.
    fn labels_of(&self, part: Part) -> String {
        match (&self.label_files, part) {
            (Some([train, _]), Part::Train) => train.clone(),
            (Some([_, test]), Part::Test) => test.clone(),
            _ => format!("the {} part of {}", part.name(), self.source),
        }
    }
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Train => "training",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

fn check_part(contents: &Contents, part: Part) -> Result<(), DataError> {
    let images = contents.part(part);
    let (pixels, labels) = (images.pixels.len(), images.labels.len());
    if labels.checked_mul(contents.shape.values()) != Some(pixels) || u32::try_from(labels).is_err()
    {
        return Err(DataError::Contents {
            problem: format!(
                "{pixels} {} pixel values for {labels} labels of {} each",
                part.name(),
                contents.shape
            ),
        });
    }
    let classes = contents.classes.len();
    match images
        .labels
        .iter()
        .position(|&label| usize::from(label) >= classes)
    {
        Some(at) => Err(DataError::LabelRange {
            source_name: contents.labels_of(part),
            record: at as u64,
            label: images.labels[at],
            classes,
        }),
        None => Ok(()),
    }
}
