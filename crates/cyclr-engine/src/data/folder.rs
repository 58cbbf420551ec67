//! Folders of images, one for each class.

use std::{
    collections::BTreeMap,
    num::NonZero,
    path::{Path, PathBuf},
    thread,
};

use super::{
    Color, Contents, DataError, Images, OpenOptions, Shape,
    file::{self, show},
    image, resize, split,
};

pub(super) const FORMAT: &str = "a folder of images for each class";

/// Names that the held-out part goes by; where there are several, the first is taken.
const TEST_NAMES: [&str; 4] = ["test", "val", "valid", "validation"];
/// One in so many images is held out where there is no test folder.
const TEST_SHARE: usize = 5;

struct Labelled {
    path: PathBuf,
    label: u16,
}

/// Whether a folder with these contents is meant to be classes of images.
pub(super) fn is_meant(paths: &[PathBuf]) -> bool {
    let holds_images = |path: &PathBuf| {
        file::list(path).is_ok_and(|paths| paths.iter().any(|path| is_image(path)))
    };
    paths
        .iter()
        .filter(|path| is_class(path))
        .any(|path| named(path, "train") || holds_images(path))
}

pub(super) fn read(
    folder: &Path,
    paths: &[PathBuf],
    options: &OpenOptions,
) -> Result<Contents, DataError> {
    let mut ignored = Vec::new();
    let train_folder = paths
        .iter()
        .find(|path| named(path, "train") && path.is_dir());
    let pool_paths = match train_folder {
        Some(path) => file::list(path)?,
        None => paths.to_vec(),
    };
    let (classes, pool) = list_classes(
        train_folder.map_or(folder, |path| path),
        &pool_paths,
        &mut ignored,
    )?;
    let test_folder = train_folder.and_then(|_| {
        let by_name = |name: &str| paths.iter().find(|path| named(path, name) && path.is_dir());
        TEST_NAMES.iter().find_map(|name| by_name(name))
    });
    let (train, test) = match test_folder {
        Some(path) => (pool, list_test(path, &classes, &mut ignored)?),
        None => hold_out(pool, &classes, options.data_seed)?,
    };
    if train_folder.is_some() {
        let used = |path: &&PathBuf| Some(*path) == train_folder || Some(*path) == test_folder;
        ignored.extend(
            paths
                .iter()
                .filter(|path| !used(path))
                .map(|path| show(path)),
        );
    }
    let color = options.color.unwrap_or_default();
    let shape = common_shape(&train, options.size, color)?;
    let read_part = |files: &[Labelled]| {
        read_images(files, shape, options.size.is_some(), color, &train[0].path)
    };
    let (train_images, test_images) = (read_part(&train)?, read_part(&test)?);
    Ok(Contents {
        source: show(folder),
        format: FORMAT,
        shape,
        classes: classes.into_keys().collect(),
        train: train_images,
        test: test_images,
        ignored: file::shorten(ignored),
    })
}

type Classes = BTreeMap<String, u16>;

/// The classes of a folder and their images, in the order of their names.
fn list_classes(
    folder: &Path,
    paths: &[PathBuf],
    ignored: &mut Vec<String>,
) -> Result<(Classes, Vec<Labelled>), DataError> {
    let folders: Vec<&PathBuf> = paths.iter().filter(|path| is_class(path)).collect();
    ignored.extend(
        paths
            .iter()
            .filter(|path| !is_class(path))
            .map(|path| show(path)),
    );
    if u16::try_from(folders.len().saturating_sub(1)).is_err() {
        return Err(DataError::TooManyClasses {
            path: show(folder),
            found: folders.len(),
        });
    }
    if folders.is_empty() {
        return Err(DataError::EmptyClass { path: show(folder) });
    }
    let mut classes = Classes::new();
    let mut files = Vec::new();
    for (label, path) in folders.into_iter().enumerate() {
        let label = label as u16;
        classes.insert(class_name(path)?, label);
        let images = list_images(path, ignored)?;
        files.extend(images.into_iter().map(|path| Labelled { path, label }));
    }
    Ok((classes, files))
}

fn list_test(
    folder: &Path,
    classes: &Classes,
    ignored: &mut Vec<String>,
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

fn list_images(folder: &Path, ignored: &mut Vec<String>) -> Result<Vec<PathBuf>, DataError> {
    let (images, others): (Vec<_>, Vec<_>) = file::list(folder)?
        .into_iter()
        .partition(|path| is_image(path));
    if images.is_empty() {
        return Err(DataError::EmptyClass { path: show(folder) });
    }
    ignored.extend(others.iter().map(|path| show(path)));
    Ok(images)
}

fn is_image(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|e| {
        ["png", "jpg", "jpeg"]
            .iter()
            .any(|known| e.eq_ignore_ascii_case(known))
    }) && !is_hidden(path)
        && path.is_file()
}

fn is_class(path: &Path) -> bool {
    !is_hidden(path) && path.is_dir()
}

fn is_hidden(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn named(path: &Path, name: &str) -> bool {
    path.file_name().is_some_and(|found| found == name)
}

fn class_name(path: &Path) -> Result<String, DataError> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.map(str::to_owned)
        .ok_or_else(|| DataError::NotUtf8 { path: show(path) })
}

fn common_shape(files: &[Labelled], size: Option<u32>, color: Color) -> Result<Shape, DataError> {
    match size {
        Some(size) => Ok(Shape {
            height: size as usize,
            width: size as usize,
            channels: color.channels(),
        }),
        None => Ok(image::read(&files[0].path, color)?.shape),
    }
}

/// Decodes all files, on all cores, each into its own place.
fn read_images(
    files: &[Labelled],
    shape: Shape,
    resized: bool,
    color: Color,
    first: &Path,
) -> Result<Images, DataError> {
    let mut pixels = Vec::new();
    let bytes = files.len() as u128 * shape.values() as u128;
    file::reserve(&mut pixels, bytes, first)?;
    pixels.resize(files.len() * shape.values(), 0);
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    let each = files.len().div_ceil(workers).max(1);
    let read_chunk = |files: &[Labelled], pixels: &mut [u8]| {
        let places = pixels.chunks_exact_mut(shape.values());
        files.iter().zip(places).try_for_each(|(file, place)| {
            place.copy_from_slice(&read_one(&file.path, shape, resized, color, first)?);
            Ok(())
        })
    };
    thread::scope(|scope| {
        let chunks = files
            .chunks(each)
            .zip(pixels.chunks_mut(each * shape.values()));
        let running: Vec<_> = chunks
            .map(|(files, pixels)| scope.spawn(move || read_chunk(files, pixels)))
            .collect();
        running.into_iter().try_for_each(|thread| {
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    })?;
    Ok(Images {
        pixels,
        labels: files.iter().map(|file| file.label).collect(),
    })
}

fn read_one(
    path: &Path,
    shape: Shape,
    resized: bool,
    color: Color,
    first: &Path,
) -> Result<Vec<u8>, DataError> {
    let mut image = image::read(path, color)?;
    if resized {
        image = resize::to(image, shape.height, shape.width);
    }
    if image.shape != shape {
        return Err(DataError::ShapeMismatch {
            path: show(path),
            found: image.shape,
            first: show(first),
            expected: shape,
        });
    }
    Ok(image.pixels)
}
