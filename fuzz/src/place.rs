//! Inputs as files: a folder for each thread, in memory where the system has such a place.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

const BETWEEN: &[u8] = b"\n=====\n";

/// The parts of an input.
pub(crate) fn parts(data: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let mut rest = data;
    while let Some(at) = rest.windows(BETWEEN.len()).position(|w| w == BETWEEN) {
        parts.push(&rest[..at]);
        rest = &rest[at + BETWEEN.len()..];
    }
    parts.push(rest);
    parts
}

/// A folder that is removed in the end.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() {
            TempDir::new_in(memory)
        } else {
            TempDir::new()
        };
        Self(folder.expect("a temporary folder can be made"))
    }

    /// Empties the folder, and puts the parts of an input into it as files of these names. Names without a part get no
    /// file.
    pub(crate) fn of_parts(&self, names: &[&str], data: &[u8]) -> &Path {
        self.clear();
        for (name, part) in names.iter().zip(parts(data)) {
            self.write(name, part);
        }
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        let folder = path.parent().expect("a file is in a folder");
        fs::create_dir_all(folder).expect("a folder can be made");
        fs::write(&path, content).expect("a temporary file can be written");
        path
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    fn clear(&self) {
        for entry in fs::read_dir(self.0.path()).expect("the folder is there") {
            let path = entry.expect("the folder can be read").path();
            let removed = if path.is_dir() {
                fs::remove_dir_all(&path)
            } else {
                fs::remove_file(&path)
            };
            removed.expect("what is in the folder can be removed");
        }
    }
}
