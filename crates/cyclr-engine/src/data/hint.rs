//! What may have been meant by a folder that holds no data set.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
};

use super::{
    DataError, file,
    file::show,
    folder::{has_extension, is_folder, is_held_out, is_image, is_other_image},
    idx,
    open::meant,
};

/// The folders within that are looked into, at most.
const MOST_FOLDERS: usize = 200;

const ARCHIVES: [&str; 7] = ["zip", "tar", "tgz", "gz", "bz2", "xz", "7z"];
const TABLES: [&str; 12] = [
    "npz", "npy", "csv", "parquet", "arrow", "h5", "hdf5", "mat", "pkl", "pickle", "pt", "tfrecord",
];

/// What is in the folder instead, and what to do, in brackets; nothing if that is not known.
pub(super) fn hint(paths: &[PathBuf]) -> Result<String, DataError> {
    if paths.is_empty() {
        return Ok(", which is empty".to_owned());
    }
    if is_cifar_of_python(paths) {
        return Ok(" (these look like CIFAR's Python files; get the binary version)".to_owned());
    }
    if paths.iter().any(|path| is_image(path)) {
        return Ok(
            " (it has images, but no folders of classes; put the images of each class into a \
             folder with its name)"
                .to_owned(),
        );
    }
    if let Some(held_out) = paths.iter().find(|path| is_held_out(path)) {
        return Ok(format!(
            " ({} is for held-out images, and there is no folder of training images; name that \
             `train`)",
            show(held_out)
        ));
    }
    if let Some(path) = paths.iter().find(|path| idx::is_one(path)) {
        return Ok(format!(
            " ({} is an IDX file by its contents; give the four files the names expected)",
            show(path)
        ));
    }
    let within = Within::of(paths)?;
    Ok(within
        .hint()
        .or_else(|| of_names(paths))
        .unwrap_or_default())
}

/// What is in the folders within.
#[derive(Default)]
struct Within {
    sets: Vec<PathBuf>,
    cifar_of_python: Option<PathBuf>,
    other_image: Option<PathBuf>,
}

impl Within {
    /// Held-out images are no data set by themselves, so that their folders are passed over.
    fn of(paths: &[PathBuf]) -> Result<Self, DataError> {
        let folders = |paths: &[PathBuf]| {
            let folders = paths.iter().filter(|p| is_folder(p) && !is_held_out(p));
            folders.cloned().collect::<Vec<_>>()
        };
        let mut found = Self::default();
        let mut queue: VecDeque<PathBuf> = folders(paths).into();
        for _ in 0..MOST_FOLDERS {
            let Some(folder) = queue.pop_front() else {
                break;
            };
            let paths = file::list(&folder)?;
            if !meant(&paths)?.is_empty() {
                found.sets.push(folder);
                continue;
            }
            if is_cifar_of_python(&paths) {
                found.cifar_of_python.get_or_insert(folder);
            }
            if let Some(image) = paths.iter().find(|path| is_other_image(path)) {
                found.other_image.get_or_insert(image.clone());
            }
            queue.extend(folders(&paths));
        }
        Ok(found)
    }

    fn hint(&self) -> Option<String> {
        let shown = |path: &Option<PathBuf>| path.as_deref().map(show);
        match &self.sets[..] {
            [only] => Some(format!(
                " (but there is one in {}; give that folder)",
                show(only)
            )),
            [first, second, ..] => Some(format!(
                " (but there are files of some in {}, {} and others; give one folder that holds \
                 all files of a set)",
                show(first),
                show(second)
            )),
            [] => {
                let python = shown(&self.cifar_of_python).map(|folder| {
                    format!(" (the files in {folder} look like CIFAR's Python files; get the binary version)")
                });
                python.or_else(|| {
                    let image = shown(&self.other_image)?;
                    Some(format!(
                        " ({image} is neither PNG nor JPEG; convert the images to one of them)"
                    ))
                })
            }
        }
    }
}

/// What the names of files say.
fn of_names(paths: &[PathBuf]) -> Option<String> {
    let named = |extensions: &[&str]| {
        let path = paths.iter().find(|path| has_extension(path, extensions))?;
        Some(show(path))
    };
    let archive = named(&ARCHIVES).map(|path| format!(" ({path} is an archive; unpack it)"));
    archive.or_else(|| {
        Some(format!(
            " ({} is not read; write its images as PNG files into a folder for each class, or as \
             IDX files)",
            named(&TABLES)?
        ))
    })
}

/// Whether these are the files of CIFAR-10 or CIFAR-100 that Python wrote.
fn is_cifar_of_python(paths: &[PathBuf]) -> bool {
    let holds = |name: &str| {
        let is = |path: &Path| path.file_name().is_some_and(|n| n == name) && path.is_file();
        paths.iter().any(|path| is(path))
    };
    holds("data_batch_1") || ["meta", "train", "test"].into_iter().all(holds)
}
