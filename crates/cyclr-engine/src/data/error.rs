use std::{io, path::PathBuf};

use super::Shape;

/// Why a data set cannot be read or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The folder is not there, or is not a folder.
    #[error("{path} is not a folder; give the folder that holds the data set's files")]
    NotAFolder {
        /// What was asked for.
        path: String,
    },
    /// The folder holds nothing that can be read.
    #[error(
        "no data set in {path}{hint}; expected IDX files (train-images-idx3-ubyte, …), CIFAR \
         binary files (data_batch_1.bin … or train.bin), or a folder of PNG or JPEG images for \
         each class"
    )]
    NoData {
        /// The folder.
        path: String,
        /// What was found instead, if that helps.
        hint: String,
    },
    /// The folder holds more than one data set.
    #[error("{path} holds more than one data set: {}; keep one in a folder", found.join(", "))]
    Several {
        /// The folder.
        path: String,
        /// What was found.
        found: Vec<String>,
    },
    /// A file of the set is missing.
    #[error("{path} is missing; copy the whole data set again")]
    MissingFile {
        /// The file.
        path: String,
    },
    /// The operating system cannot read it.
    #[error("cannot read {path}: {source}; check that it is there, readable and whole")]
    Io {
        /// The file or folder.
        path: String,
        /// What it said.
        source: io::Error,
    },
    /// A compressed file is damaged.
    #[error("cannot decompress {path}: {source}; download it again")]
    Gzip {
        /// The file.
        path: String,
        /// What is wrong.
        source: io::Error,
    },
    /// The file does not start as its format does.
    #[error(
        "{path} starts with {found:#010x}, not {expected:#010x} ({kind}); it is another kind of \
         file or damaged: get it again"
    )]
    Magic {
        /// The file.
        path: String,
        /// The first four bytes, big endian.
        found: u32,
        /// What they should be.
        expected: u32,
        /// What that means.
        kind: &'static str,
    },
    /// The header says nothing that could be images.
    #[error(
        "the header of {path} promises {count} images of {height}×{width}; each must be at least \
         1 and at most 65536 wide and high"
    )]
    Header {
        /// The file.
        path: String,
        /// Images.
        count: u32,
        /// Rows.
        height: u32,
        /// Columns.
        width: u32,
    },
    /// The header promises more than a file of this size can hold.
    #[error(
        "the header of {path} promises {promised} bytes, but the file can hold at most \
         {possible}; it is truncated or damaged, get it again"
    )]
    Truncated {
        /// The file.
        path: String,
        /// Bytes it should hold.
        promised: u128,
        /// Bytes that it holds, or, compressed, could hold.
        possible: u64,
    },
    /// There are bytes after the data that the header promises.
    #[error(
        "{path} goes on after the {promised} bytes that its header promises; it is damaged, get \
         it again"
    )]
    TooLong {
        /// The file.
        path: String,
        /// Bytes it should hold.
        promised: u128,
    },
    /// A CIFAR file is not a whole number of records.
    #[error(
        "{path} has {bytes} bytes, which is not a whole, positive number of {record}-byte \
         records; it is truncated or of another format: get it again"
    )]
    Records {
        /// The file.
        path: String,
        /// Its length.
        bytes: u64,
        /// The length of a record.
        record: u64,
    },
    /// The files of one set differ in length.
    #[error(
        "{path} has {found} records where {first} has {expected}; one of them is truncated, get \
         them again"
    )]
    UnequalFiles {
        /// The file.
        path: String,
        /// Its records.
        found: u64,
        /// The first file.
        first: String,
        /// Its records.
        expected: u64,
    },
    /// A label has no class.
    #[error(
        "label {label} of example {record} in {source_name} is out of range: there are {classes} \
         classes, counted from 0; get the data again, or correct the label"
    )]
    LabelRange {
        /// The file or part.
        source_name: String,
        /// The example, counted from 0.
        record: u64,
        /// Its label.
        label: u16,
        /// The classes there are.
        classes: usize,
    },
    /// Images and labels do not pair up.
    #[error(
        "{images_path} has {images} images but {labels_path} has {labels} labels; they are not \
         of one set, or one of them is damaged: get both again"
    )]
    CountMismatch {
        /// The file of images.
        images_path: String,
        /// Its images.
        images: u64,
        /// The file of labels.
        labels_path: String,
        /// Its labels.
        labels: u64,
    },
    /// Images differ in size.
    #[error("{path} is {found} where {first} is {expected}; resize them all with --size")]
    ShapeMismatch {
        /// The image.
        path: String,
        /// Its size.
        found: Shape,
        /// The first image.
        first: String,
        /// Its size.
        expected: Shape,
    },
    /// The files of one set hold images of two sizes.
    #[error(
        "the images of {path} are {found} and those of {first} {expected}; they are not of one \
         set: get both again"
    )]
    UnlikeFiles {
        /// The file.
        path: String,
        /// The size of its images.
        found: Shape,
        /// The first file.
        first: String,
        /// The size of its images.
        expected: Shape,
    },
    /// The file of class names does not fit.
    #[error(
        "{path} names {found} classes where the format has {expected}; remove it or get it again"
    )]
    ClassNames {
        /// The file.
        path: String,
        /// Names in it.
        found: usize,
        /// Names it should have.
        expected: usize,
    },
    /// There are fewer than two classes.
    #[error(
        "all {images} training labels of {source_name} are one class, {class}; at least two \
         classes are needed: get the data again, or give others"
    )]
    OneClass {
        /// The data set, or the file of its training labels.
        source_name: String,
        /// The class.
        class: String,
        /// Its images.
        images: usize,
    },
    /// Images lie where folders of classes should be.
    #[error(
        "{path} has images, but no folders of classes; put the images of each class into a \
         folder with its name"
    )]
    NoClassFolders {
        /// The folder.
        path: String,
    },
    /// A class has a folder but no image.
    #[error(
        "{path} holds no PNG or JPEG image; if it is a class, move or convert images into it; if \
         not, remove it"
    )]
    EmptyClass {
        /// The folder.
        path: String,
    },
    /// A class of the test part is not in the training part.
    #[error(
        "{path} is a class that the training images lack; add training images of it, or remove \
         the folder"
    )]
    UnknownClass {
        /// The folder.
        path: String,
    },
    /// A class cannot be divided.
    #[error(
        "class {class} has {images} training image(s), at least {needed} are needed to hold some \
         out; add images, remove the class, or {instead}"
    )]
    ClassTooSmall {
        /// The class.
        class: String,
        /// Its images.
        images: usize,
        /// What it takes.
        needed: usize,
        /// What else helps.
        instead: &'static str,
    },
    /// An image cannot be read.
    #[error("cannot read the image {path}: {reason}; replace or remove it")]
    Image {
        /// The file.
        path: String,
        /// What its decoder said.
        reason: String,
    },
    /// Several images cannot be read.
    #[error(
        "{found} images cannot be read; replace or remove them:\n  {}",
        listed.join("\n  ")
    )]
    Images {
        /// How many there are.
        found: usize,
        /// Each with the reason, at most 20; the last line says how many more there are.
        listed: Vec<String>,
    },
    /// A name cannot be shown or stored as text.
    #[error(
        "the folder name {path} is not valid UTF-8; rename it, since class names are written to \
         records"
    )]
    NotUtf8 {
        /// The folder, with the invalid bytes replaced.
        path: String,
    },
    /// A class name with a control character or an invisible one, which may look like another name.
    #[error(
        "the class {name:?} of {path} has the character U+{:04X}, which is invisible or changes the direction of the text; rename it",
        u32::from(*unseen)
    )]
    UnseenName {
        /// The folder, or the file of names.
        path: String,
        /// The name.
        name: String,
        /// The character.
        unseen: char,
    },
    /// More classes than labels can number.
    #[error("{path} has {found} class folders; at most 65536 are possible")]
    TooManyClasses {
        /// The folder.
        path: String,
        /// Its class folders.
        found: usize,
    },
    /// Options for folders of images were given for another format.
    #[error(
        "--size and --gray are options of image folders, but {path} holds {format}; leave them out"
    )]
    NotImages {
        /// The folder.
        path: String,
        /// What it holds.
        format: &'static str,
    },
    /// An option is out of its range.
    #[error("{option} is {value}; it must be {range}")]
    Option {
        /// The option.
        option: &'static str,
        /// What was given.
        value: String,
        /// What is possible.
        range: &'static str,
    },
    /// The batch does not fit the data.
    #[error(
        "a batch of {batch} out of {examples} training examples: give a --batch from 1 to {examples}"
    )]
    Batch {
        /// The batch asked for.
        batch: usize,
        /// Examples there are.
        examples: usize,
    },
    /// This many cannot be held out.
    #[error(
        "{asked} validation examples asked for; with one of each class on both sides it must be \
         0, or from {least} to {most}"
    )]
    Validation {
        /// Examples asked for.
        asked: usize,
        /// One for each class.
        least: usize,
        /// All but one for each class.
        most: usize,
    },
    /// The data set came with a validation part, so that no other is cut off.
    #[error(
        "{asked} validation examples asked for, but the data set has {found} validation examples \
         of its own, which are used; ask for none, or remove its validation folder"
    )]
    OwnValidation {
        /// Examples asked for.
        asked: usize,
        /// Examples that the data set came with.
        found: usize,
    },
    /// Data from memory contradicts itself.
    #[error("the data set is not consistent: {problem}")]
    Contents {
        /// What does not fit, with values.
        problem: String,
    },
    /// The pixels do not fit into memory.
    #[error("no memory for {bytes} bytes of pixels of {path}; use fewer or smaller images")]
    Memory {
        /// The data set.
        path: String,
        /// Bytes needed.
        bytes: u128,
    },
}

impl DataError {
    pub(super) fn io(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io {
            path: path.into().display().to_string(),
            source,
        }
    }
}
