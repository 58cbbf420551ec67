//! Folders of images, one for each class.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    path::{Path, PathBuf},
};

use unicode_normalization::UnicodeNormalization as _;

use super::{
    Contents, DataError, OpenOptions,
    decode::{self, Labelled},
    file::{self, check_name, show},
    split,
};

pub(super) const FORMAT: &str = "a folder of images for each class";

/// One image in this many is held out if there is no test folder.
const TEST_SHARE: usize = 5;

/// What a folder's name says of its images, in upper or lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Train,
    Validation,
    Test,
}

impl Role {
    fn of(path: &Path) -> Option<Self> {
        if !is_folder(path) {
            return None;
        }
        // A name that is not UTF-8 is none of these.
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        match name.as_str() {
            "train" | "training" => Some(Self::Train),
            "val" | "valid" | "validation" => Some(Self::Validation),
            "test" | "testing" => Some(Self::Test),
            _ => None,
        }
    }
}

/// Whether a folder with these contents is meant to be classes of images.
pub(super) fn is_meant(paths: &[PathBuf]) -> Result<bool, DataError> {
    for path in paths.iter().filter(|path| is_folder(path)) {
        if Role::of(path) == Some(Role::Train) {
            return Ok(true);
        }
        // Held-out images alone are not a data set.
        if Role::of(path).is_none() && holds_images(path)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a folder's name says that its images are not for training.
pub(super) fn is_held_out(path: &Path) -> bool {
    matches!(Role::of(path), Some(Role::Validation | Role::Test))
}

pub(super) fn read(
    folder: &Path,
    paths: &[PathBuf],
    options: &OpenOptions,
) -> Result<Contents, DataError> {
    let (mut ignored, mut notes) = (Vec::new(), Vec::new());
    let parts = Parts::find(folder, paths, &mut ignored)?;
    let (classes, pool) = match parts.train {
        Some(train) => list_classes(train, &file::list(train)?, &mut ignored)?,
        None => list_classes(folder, paths, &mut ignored)?,
    };
    let mut held_out = |folder: Option<&Path>| match folder {
        Some(folder) => list_held_out(folder, &classes, &mut ignored),
        None => Ok(Vec::new()),
    };
    let (validation, test) = (held_out(parts.validation)?, held_out(parts.test)?);
    if let Some(folder) = parts.validation {
        let (images, folder) = (validation.len(), show(folder));
        notes.push(format!(
            "the {images} images of {folder} are the validation split"
        ));
    }
    let (train, test) = if parts.test.is_some() {
        (pool, test)
    } else {
        let (train, test) = hold_out(pool, &classes, options.data_seed)?;
        notes.push(format!(
            "there is no test folder: {} of the training images, chosen by the data seed, are \
             the test split",
            test.len()
        ));
        (train, test)
    };
    let decoded = decode::read_parts([&train, &validation, &test], options)?;
    notes.extend(decoded.notes);
    notes.extend(left_out(&ignored));
    let [train, validation, test] = decoded.parts;
    Ok(Contents {
        source: show(folder),
        format: FORMAT,
        shape: decoded.shape,
        classes: classes.into_keys().collect(),
        train,
        validation,
        test,
        label_files: None,
        ignored: file::shorten(ignored.iter().map(|path| show(path)).collect()),
        notes,
    })
}

/// The folders that hold the parts. Without a training folder, every folder is a class.
#[derive(Default)]
struct Parts<'a> {
    train: Option<&'a Path>,
    validation: Option<&'a Path>,
    test: Option<&'a Path>,
}

impl<'a> Parts<'a> {
    fn find(
        folder: &Path,
        paths: &'a [PathBuf],
        ignored: &mut Vec<PathBuf>,
    ) -> Result<Self, DataError> {
        let mut parts = Self::default();
        if !has_train_folder(paths)? {
            return Ok(parts);
        }
        for path in paths {
            let place = match Role::of(path) {
                Some(Role::Train) => &mut parts.train,
                Some(Role::Validation) => &mut parts.validation,
                Some(Role::Test) => &mut parts.test,
                None => {
                    ignored.push(path.clone());
                    continue;
                }
            };
            if let Some(first) = place.replace(path) {
                return Err(DataError::Several {
                    path: show(folder),
                    found: vec![show(first), show(path)],
                });
            }
        }
        Ok(parts)
    }
}

/// Whether a folder is the training part. A folder of images among others is a class, whatever its
/// name: cars, planes, trains.
fn has_train_folder(paths: &[PathBuf]) -> Result<bool, DataError> {
    let trains = |path: &&PathBuf| Role::of(path) == Some(Role::Train);
    let Some(train) = paths.iter().find(trains) else {
        return Ok(false);
    };
    if !holds_images(train)? {
        return Ok(true);
    }
    for path in paths {
        if Role::of(path).is_none() && is_folder(path) && holds_images(path)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Each class's label, in the order of the names.
type Classes = BTreeMap<String, u16>;

/// The classes of a folder and their images, in the order of their names.
fn list_classes(
    folder: &Path,
    paths: &[PathBuf],
    ignored: &mut Vec<PathBuf>,
) -> Result<(Classes, Vec<Labelled>), DataError> {
    let mut classes = Classes::new();
    let mut files = Vec::new();
    for (label, (name, folders)) in class_folders(folder, paths, ignored)?
        .into_iter()
        .enumerate()
    {
        let label = label as u16;
        classes.insert(name, label);
        for path in folders {
            let images = list_images(path, ignored)?;
            files.extend(images.into_iter().map(|path| Labelled { path, label }));
        }
    }
    Ok((classes, files))
}

/// The folders of each class. There are several if a name is there in both of Unicode's forms,
/// which look the same.
fn class_folders<'a>(
    folder: &Path,
    paths: &'a [PathBuf],
    ignored: &mut Vec<PathBuf>,
) -> Result<BTreeMap<String, Vec<&'a Path>>, DataError> {
    let mut classes: BTreeMap<String, Vec<&Path>> = BTreeMap::new();
    for path in paths {
        if is_folder(path) {
            classes.entry(class_name(path)?).or_default().push(path);
        } else {
            ignored.push(path.clone());
        }
    }
    if classes.len() > usize::from(u16::MAX) + 1 {
        return Err(DataError::TooManyClasses {
            path: show(folder),
            found: classes.len(),
        });
    }
    if classes.is_empty() {
        let path = show(folder);
        return Err(if paths.iter().any(|path| is_image(path)) {
            DataError::NoClassFolders { path }
        } else {
            DataError::EmptyClass { path }
        });
    }
    Ok(classes)
}

/// The images of a validation or test folder, whose classes are some of the training folder's.
fn list_held_out(
    folder: &Path,
    classes: &Classes,
    ignored: &mut Vec<PathBuf>,
) -> Result<Vec<Labelled>, DataError> {
    let (names, mut files) = list_classes(folder, &file::list(folder)?, ignored)?;
    let mut labels = Vec::new();
    for name in names.keys() {
        let label = classes.get(name).ok_or_else(|| DataError::UnknownClass {
            path: show(&folder.join(name)),
        })?;
        labels.push(*label);
    }
    for file in &mut files {
        file.label = labels[usize::from(file.label)];
    }
    Ok(files)
}

/// Cuts a test part out of the pool.
fn hold_out(
    pool: Vec<Labelled>,
    classes: &Classes,
    data_seed: u64,
) -> Result<(Vec<Labelled>, Vec<Labelled>), DataError> {
    let labels: Vec<u16> = pool.iter().map(|file| file.label).collect();
    let mut counts = vec![0; classes.len()];
    for &label in &labels {
        counts[usize::from(label)] += 1;
    }
    if let Some((name, _)) = classes
        .iter()
        .find(|(_, label)| counts[usize::from(**label)] < 2)
    {
        return Err(DataError::ClassTooSmall {
            class: name.clone(),
            images: 1,
            needed: 2,
            instead: "give a test folder beside a train folder",
        });
    }
    let held = (pool.len() / TEST_SHARE).clamp(counts.len(), pool.len() - counts.len());
    let cut = split::cut(
        &labels,
        &split::share(&counts, held),
        data_seed,
        split::Cut::Test,
    );
    let mut cut = cut.into_iter();
    Ok(pool.into_iter().partition(|_| cut.next() == Some(false)))
}

fn list_images(folder: &Path, ignored: &mut Vec<PathBuf>) -> Result<Vec<PathBuf>, DataError> {
    let (images, others): (Vec<_>, Vec<_>) = file::list(folder)?
        .into_iter()
        .partition(|path| is_image(path));
    if images.is_empty() {
        return Err(DataError::EmptyClass { path: show(folder) });
    }
    ignored.extend(others);
    Ok(images)
}

fn holds_images(folder: &Path) -> Result<bool, DataError> {
    Ok(file::list(folder)?.iter().any(|path| is_image(path)))
}

/// What may be meant as images, and is not read: a set without them is another set.
fn left_out(ignored: &[PathBuf]) -> Option<String> {
    let leads_nowhere = |path: &Path| path.is_symlink() && !path.exists();
    let is_one = |path: &&PathBuf| {
        let is_file = is_image(path) || is_other_image(path);
        is_file || leads_nowhere(path) || holds_images_within(path, DEEPEST)
    };
    let left_out: Vec<&PathBuf> = ignored.iter().filter(is_one).collect();
    let first = show(left_out.first()?);
    let are = match left_out.len() - 1 {
        0 => String::from("is"),
        more => format!("and {more} more are"),
    };
    Some(format!(
        "{first} {are} left out: only PNG and JPEG files are read, and links that lead to one, each directly in \
         the folder of its class"
    ))
}

/// How many folders deep images are looked for among what is not read; links may go round in circles.
const DEEPEST: u32 = 3;

/// Whether a folder, or one in it, holds images. What cannot be looked at holds none, and is listed as
/// not read.
fn holds_images_within(folder: &Path, deep: u32) -> bool {
    if deep == 0 || !is_folder(folder) {
        return false;
    }
    let is_one = |path: &PathBuf| is_image(path) || holds_images_within(path, deep - 1);
    file::list(folder).is_ok_and(|paths| paths.iter().any(is_one))
}

/// Whether it is a file with an image's name. What cannot be looked at is none, and is listed as
/// not read.
pub(super) fn is_image(path: &Path) -> bool {
    has_extension(path, &["png", "jpg", "jpeg"]) && !is_hidden(path) && path.is_file()
}

/// Whether it is a file with the name of an image in another format.
pub(super) fn is_other_image(path: &Path) -> bool {
    const OTHERS: [&str; 11] = [
        "webp", "bmp", "gif", "tif", "tiff", "ppm", "pgm", "avif", "heic", "jfif", "jp2",
    ];
    has_extension(path, &OTHERS) && !is_hidden(path) && path.is_file()
}

/// Whether a name ends with one of these, in upper or lower case.
pub(super) fn has_extension(path: &Path, known: &[&str]) -> bool {
    // An extension that is not UTF-8 is none of these.
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|e| known.iter().any(|known| e.eq_ignore_ascii_case(known)))
}

/// Whether it is a folder that can hold images. What cannot be looked at is none, and is listed as
/// not read.
pub(super) fn is_folder(path: &Path) -> bool {
    !is_hidden(path) && path.is_dir()
}

/// Whether its name says so. `__MACOSX` is what the archives of a Mac hold beside the files.
fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().map(OsStr::as_encoded_bytes);
    name.is_some_and(|name| name.starts_with(b".") || name == b"__MACOSX")
}

/// The folder's name, composed (NFC): file systems and archives differ in the form that they
/// store.
fn class_name(path: &Path) -> Result<String, DataError> {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| DataError::NotUtf8 { path: show(path) })?;
    check_name(name, path)?;
    Ok(name.nfc().collect())
}
