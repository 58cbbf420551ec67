//! The binary versions of CIFAR-10 and CIFAR-100: records of one or two label bytes and 32×32
//! pixels, plane by plane.

use std::{
    fs::File,
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
};

use super::{
    Contents, DataError, Images, Shape,
    file::{self, check_name, show},
};

const SHAPE: Shape = Shape {
    height: 32,
    width: 32,
    channels: 3,
};
const PLANE: usize = 32 * 32;

/// How the two versions differ.
#[derive(Debug)]
pub(super) struct Version {
    pub(super) format: &'static str,
    train: &'static [&'static str],
    test: &'static str,
    /// The range of each label byte of a record. The last is the class; CIFAR-100 has a coarse
    /// label before it.
    labels: &'static [u8],
    names: &'static str,
}

pub(super) const CIFAR10: Version = Version {
    format: "CIFAR-10 binary files",
    train: &[
        "data_batch_1.bin",
        "data_batch_2.bin",
        "data_batch_3.bin",
        "data_batch_4.bin",
        "data_batch_5.bin",
    ],
    test: "test_batch.bin",
    labels: &[10],
    names: "batches.meta.txt",
};

pub(super) const CIFAR100: Version = Version {
    format: "CIFAR-100 binary files",
    train: &["train.bin"],
    test: "test.bin",
    labels: &[20, 100],
    names: "fine_label_names.txt",
};

impl Version {
    /// Whether a folder with these files is meant to be this version.
    pub(super) fn is_meant(&self, paths: &[PathBuf]) -> bool {
        paths.iter().any(|path| {
            // The names are ASCII: a name that is not UTF-8 is none of them.
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| self.train.contains(&name) || name == self.test)
                && !path.is_dir()
        })
    }

    pub(super) fn read(&self, folder: &Path, paths: &[PathBuf]) -> Result<Contents, DataError> {
        let train: Vec<PathBuf> = self.train.iter().map(|name| folder.join(name)).collect();
        let (test, names) = (folder.join(self.test), folder.join(self.names));
        let mut read: Vec<&Path> = train.iter().map(PathBuf::as_path).collect();
        read.extend([test.as_path(), &names]);
        Ok(Contents {
            source: show(folder),
            format: self.format,
            shape: SHAPE,
            classes: self.class_names(&names)?,
            train: self.read_part(&train)?,
            validation: Images::default(),
            test: self.read_part(std::slice::from_ref(&test))?,
            label_files: None,
            ignored: file::unread(paths, &read),
            notes: Vec::new(),
        })
    }

    fn record(&self) -> usize {
        self.labels.len() + SHAPE.values()
    }

    fn classes(&self) -> usize {
        self.labels
            .last()
            .map_or(0, |&classes| usize::from(classes))
    }

    /// The names in the file beside the data, or numbers if there is none.
    fn class_names(&self, path: &Path) -> Result<Vec<String>, DataError> {
        let expected = self.classes();
        if !file::exists(path)? {
            return Ok((0..expected).map(|label| label.to_string()).collect());
        }
        let text = file::read_text(path)?;
        // Some editors begin a file with this mark.
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let names: Vec<String> = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect();
        for name in &names {
            check_name(name, path)?;
        }
        if names.len() != expected {
            return Err(DataError::ClassNames {
                path: show(path),
                found: names.len(),
                expected,
            });
        }
        Ok(names)
    }

    fn read_part(&self, paths: &[PathBuf]) -> Result<Images, DataError> {
        let mut images = Images::default();
        let mut files = Vec::new();
        for path in paths {
            files.push((path, self.open(path)?));
        }
        let records: u64 = files.iter().map(|(_, (_, records))| records).sum();
        let bytes = u128::from(records) * SHAPE.values() as u128;
        file::reserve(&mut images.pixels, bytes, &paths[0])?;
        for (path, (file, records)) in &mut files {
            self.read_file(path, file, *records, &mut images)?;
        }
        for (path, (_, records)) in &files {
            if *records != files[0].1.1 {
                return Err(DataError::UnequalFiles {
                    path: show(path),
                    found: *records,
                    first: show(files[0].0),
                    expected: files[0].1.1,
                });
            }
        }
        Ok(images)
    }

    fn open(&self, path: &Path) -> Result<(File, u64), DataError> {
        if !file::exists(path)? {
            return Err(DataError::MissingFile { path: show(path) });
        }
        let (file, bytes) = file::open(path)?;
        let record = self.record() as u64;
        if bytes == 0 || !bytes.is_multiple_of(record) {
            return Err(DataError::Records {
                path: show(path),
                bytes,
                record,
            });
        }
        Ok((file, bytes / record))
    }

    fn read_file(
        &self,
        path: &Path,
        file: &mut File,
        records: u64,
        images: &mut Images,
    ) -> Result<(), DataError> {
        let mut buffer = vec![0; self.record() * RECORDS_AT_ONCE];
        let mut done = 0;
        while done < records {
            let now = (records - done).min(RECORDS_AT_ONCE as u64) as usize;
            let buffer = &mut buffer[..now * self.record()];
            file.read_exact(buffer)
                .map_err(|source| match source.kind() {
                    ErrorKind::UnexpectedEof => DataError::Truncated {
                        path: show(path),
                        promised: u128::from(records) * self.record() as u128,
                        possible: done * self.record() as u64,
                    },
                    _ => DataError::io(path, source),
                })?;
            for record in buffer.chunks_exact(self.record()) {
                self.take(path, done, record, images)?;
                done += 1;
            }
        }
        Ok(())
    }

    fn take(
        &self,
        path: &Path,
        number: u64,
        record: &[u8],
        images: &mut Images,
    ) -> Result<(), DataError> {
        let (labels, planes) = record.split_at(self.labels.len());
        for (&label, &classes) in labels.iter().zip(self.labels) {
            if label >= classes {
                return Err(DataError::LabelRange {
                    source_name: show(path),
                    record: number,
                    label: u16::from(label),
                    classes: usize::from(classes),
                });
            }
        }
        images
            .labels
            .extend(labels.last().map(|&label| u16::from(label)));
        let (red, rest) = planes.split_at(PLANE);
        let (green, blue) = rest.split_at(PLANE);
        let mut pixels = [0; 3 * PLANE];
        for (pixel, ((&r, &g), &b)) in pixels
            .chunks_exact_mut(3)
            .zip(red.iter().zip(green).zip(blue))
        {
            pixel.copy_from_slice(&[r, g, b]);
        }
        images.pixels.extend_from_slice(&pixels);
        Ok(())
    }
}

/// About 200 kB, which stays in the cache.
const RECORDS_AT_ONCE: usize = 64;
