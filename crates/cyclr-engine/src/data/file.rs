//! Files and memory, with errors that name the path.

use std::{
    fs::{self, File},
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
};

use cyclr::names::unseen;

use super::{DataError, Summary};

/// Opens a regular file (anything else could block forever) and gives its length.
pub(super) fn open(path: &Path) -> Result<(File, u64), DataError> {
    let io = |source| DataError::io(path, source);
    let metadata = fs::metadata(path).map_err(io)?;
    if !metadata.is_file() {
        return Err(io(std::io::Error::new(
            ErrorKind::InvalidInput,
            "not a regular file",
        )));
    }
    Ok((File::open(path).map_err(io)?, metadata.len()))
}

/// Whether something of this name is there.
pub(super) fn exists(path: &Path) -> Result<bool, DataError> {
    path.try_exists()
        .map_err(|source| DataError::io(path, source))
}

/// What is in a folder, in the order of the names' bytes.
pub(super) fn list(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let io = |source| DataError::io(folder, source);
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(io)? {
        paths.push(entry.map_err(io)?.path());
    }
    paths.sort_unstable();
    Ok(paths)
}

/// Makes room for exactly this many bytes more, or says that there is none.
pub(super) fn reserve(pixels: &mut Vec<u8>, bytes: u128, path: &Path) -> Result<(), DataError> {
    let room = match usize::try_from(bytes) {
        Ok(bytes) => pixels.try_reserve_exact(bytes).is_ok(),
        Err(_) => false,
    };
    if room {
        return Ok(());
    }
    Err(DataError::Memory {
        path: show(path),
        bytes,
    })
}

/// Reads a small text file whole, and none of more than 64 KiB.
pub(super) fn read_text(path: &Path) -> Result<String, DataError> {
    const MOST: u64 = 1 << 16;
    let io = |source| DataError::io(path, source);
    let (file, length) = open(path)?;
    if length > MOST {
        let reason = format!("it has {length} bytes, where a list of names has at most {MOST}");
        return Err(io(std::io::Error::new(ErrorKind::FileTooLarge, reason)));
    }
    let mut text = String::new();
    file.take(MOST).read_to_string(&mut text).map_err(io)?;
    Ok(text)
}

pub(super) fn show(path: &Path) -> String {
    path.display().to_string()
}

/// The names of those paths that were not read.
pub(super) fn unread(paths: &[PathBuf], read: &[&Path]) -> Vec<String> {
    let others = paths.iter().filter(|path| !read.contains(&path.as_path()));
    shorten(others.map(|path| show(path)).collect())
}

/// The first names, and how many more there are.
pub(super) fn shorten(mut names: Vec<String>) -> Vec<String> {
    if names.len() > Summary::IGNORED_LISTED {
        let more = names.len() - Summary::IGNORED_LISTED;
        names.truncate(Summary::IGNORED_LISTED);
        names.push(format!("and {more} more"));
    }
    names
}

/// Refuses the name of a class that has a character which nobody sees.
pub(super) fn check_name(name: &str, path: &Path) -> Result<(), DataError> {
    match unseen(name) {
        Some(unseen) => Err(DataError::UnseenName {
            path: show(path),
            name: name.into(),
            unseen,
        }),
        None => Ok(()),
    }
}
