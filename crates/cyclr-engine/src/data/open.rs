use std::path::{Path, PathBuf};

use super::{
    Contents, DataError, Dataset,
    cifar::{CIFAR10, CIFAR100},
    file::{self, show},
    folder,
    hint::hint,
    idx,
};

/// What [`Dataset::open`] cannot read off the files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenOptions {
    /// Images of a folder are resized to this many rows and columns. Without it they must all be
    /// of one size.
    pub size: Option<u32>,
    /// Images of a folder become RGB (the default) or gray.
    pub color: Option<Color>,
    /// Cuts the test part of a folder of images that comes without one; the same seed cuts the
    /// same images.
    pub data_seed: u64,
}

/// What the pixels of a folder of images become.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Color {
    /// Three channels; gray images get three equal ones.
    #[default]
    Rgb,
    /// One channel, the luma of ITU-R 601.
    Gray,
}

/// The formats a folder can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Cifar10,
    Cifar100,
    Idx,
    Images,
}

impl Dataset {
    /// Reads the data set in a folder, in any of these formats:
    ///
    /// - **IDX files** (MNIST, Fashion-MNIST, EMNIST, KMNIST …), plain or compressed by gzip, with
    ///   or without `.gz`: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`,
    ///   `t10k-images-idx3-ubyte`, `t10k-labels-idx1-ubyte`, with any prefix;
    /// - **CIFAR-10**, binary version: `data_batch_1.bin` to `data_batch_5.bin`, `test_batch.bin`;
    /// - **CIFAR-100**, binary version, fine labels: `train.bin`, `test.bin`;
    /// - **PNG or JPEG images in a folder for each class**: `train/CLASS/*` (or `training`) with
    ///   `val/CLASS/*` (or `valid`, `validation`) and `test/CLASS/*` (or `testing`), in upper or
    ///   lower case, or `CLASS/*` alone. A validation folder is the validation split. If there is
    ///   no test folder, a fifth of the training images becomes the test part, stratified by class
    ///   and chosen by the data seed. Names of classes are in Unicode's composed form (NFC), so
    ///   that both forms of a name are one class, and in the order of their bytes. Images are
    ///   turned as their Exif orientation says, and may have up to 134 megapixels; 16-bit samples
    ///   are taken to fill the range from 0 to 65535.
    ///
    /// Pixels are read straight into their final place, and no header makes it reserve more than
    /// its file can hold.
    ///
    /// # Errors
    /// [`DataError`], naming the file and what to do.
    pub fn open(path: impl AsRef<Path>, options: &OpenOptions) -> Result<Self, DataError> {
        let path = path.as_ref();
        if !path.is_dir() {
            return Err(DataError::NotAFolder { path: show(path) });
        }
        if let Some(size) = options.size
            && !(1..=MOST_SIDE).contains(&size)
        {
            return Err(DataError::Option {
                option: "size",
                value: size.to_string(),
                range: "from 1 to 4096",
            });
        }
        let paths = file::list(path)?;
        let format = detect(path, &paths)?;
        if format != Format::Images && (options.size.is_some() || options.color.is_some()) {
            return Err(DataError::NotImages {
                path: show(path),
                format: format.name(),
            });
        }
        Self::from_contents(format.read(path, &paths, options)?)
    }
}

const MOST_SIDE: u32 = 4096;

impl Format {
    const ALL: [Self; 4] = [Self::Cifar10, Self::Cifar100, Self::Idx, Self::Images];

    fn name(self) -> &'static str {
        match self {
            Self::Cifar10 => CIFAR10.format,
            Self::Cifar100 => CIFAR100.format,
            Self::Idx => idx::FORMAT,
            Self::Images => folder::FORMAT,
        }
    }

    fn is_meant(self, paths: &[PathBuf]) -> Result<bool, DataError> {
        match self {
            Self::Cifar10 => Ok(CIFAR10.is_meant(paths)),
            Self::Cifar100 => Ok(CIFAR100.is_meant(paths)),
            Self::Idx => Ok(idx::is_meant(paths)),
            Self::Images => folder::is_meant(paths),
        }
    }

    fn read(
        self,
        path: &Path,
        paths: &[PathBuf],
        options: &OpenOptions,
    ) -> Result<Contents, DataError> {
        match self {
            Self::Cifar10 => CIFAR10.read(path, paths),
            Self::Cifar100 => CIFAR100.read(path, paths),
            Self::Idx => idx::read(path, paths),
            Self::Images => folder::read(path, paths, options),
        }
    }
}

fn detect(path: &Path, paths: &[PathBuf]) -> Result<Format, DataError> {
    let meant = meant(paths)?;
    match meant[..] {
        [format] => Ok(format),
        [] => Err(DataError::NoData {
            path: show(path),
            hint: hint(paths)?,
        }),
        _ => Err(DataError::Several {
            path: show(path),
            found: meant.iter().map(|format| format.name().into()).collect(),
        }),
    }
}

/// The formats that a folder with these contents seems to be of.
pub(super) fn meant(paths: &[PathBuf]) -> Result<Vec<Format>, DataError> {
    let mut meant = Vec::new();
    for format in Format::ALL {
        match format.is_meant(paths) {
            Ok(true) => meant.push(format),
            Ok(false) => {}
            // A folder beside the files of another format, such as `lost+found`, need not be
            // readable: the summary lists it among what was not read.
            Err(_) if !meant.is_empty() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(meant)
}
