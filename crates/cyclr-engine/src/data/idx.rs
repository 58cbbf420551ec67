//! IDX files, the format of MNIST and its relatives: a big-endian header and then the bytes.

use std::{
    io::{BufRead as _, BufReader, ErrorKind, Read},
    path::{Path, PathBuf},
};

use flate2::bufread::MultiGzDecoder;

use super::{
    Contents, DataError, Images, Shape,
    file::{self, show},
};

pub(super) const FORMAT: &str = "IDX files";

/// An IDX file of bytes with three dimensions: images, rows, columns.
const IMAGES: (u32, &str) = (0x0803, "IDX images: bytes in 3 dimensions");
/// An IDX file of bytes with one dimension.
const LABELS: (u32, &str) = (0x0801, "IDX labels: bytes in 1 dimension");
/// Deflate spends at least 2 bits on at most 258 bytes.
const MOST_PER_COMPRESSED_BYTE: u64 = 1032;
const MOST_SIDE: u32 = 1 << 16;
/// How every gzip file starts.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The four files of a set.
struct Files {
    train: (PathBuf, PathBuf),
    test: (PathBuf, PathBuf),
}

/// Images and labels that an IDX pair holds.
pub(super) struct Pair {
    pub(super) shape: Shape,
    pub(super) images: Images,
}

/// Whether a folder with these files is meant to be an IDX set.
pub(super) fn is_meant(paths: &[PathBuf]) -> bool {
    paths
        .iter()
        .any(|path| role(path).is_some_and(|(_, kind)| kind.contains("idx")))
}

/// Whether a file begins as an IDX file of images or labels does, whatever its name. What cannot be
/// read is none.
pub(super) fn is_one(path: &Path) -> bool {
    let begins = Stream::open(path).and_then(|mut stream| stream.word(4));
    begins.is_ok_and(|magic| [IMAGES.0, LABELS.0].contains(&magic))
}

/// Reads the set in a folder with these files.
pub(super) fn read(folder: &Path, paths: &[PathBuf]) -> Result<Contents, DataError> {
    let files = find(folder, paths)?;
    let train = read_files(&files.train)?;
    let test = read_files(&files.test)?;
    if train.shape != test.shape {
        return Err(DataError::UnlikeFiles {
            path: show(&files.test.0),
            found: test.shape,
            first: show(&files.train.0),
            expected: train.shape,
        });
    }
    let classes = train.images.labels.iter().max().map_or(0, |&most| most + 1);
    Ok(Contents {
        source: show(folder),
        format: FORMAT,
        shape: train.shape,
        classes: (0..classes).map(|label| label.to_string()).collect(),
        train: train.images,
        validation: Images::default(),
        test: test.images,
        label_files: Some([&files.train.1, &files.test.1].map(|path| show(path))),
        ignored: file::unread(paths, &files.all()),
        notes: notes(&files),
    })
}

/// EMNIST's files hold each image with rows and columns exchanged.
fn notes(files: &Files) -> Vec<String> {
    let is_emnist = files.all().iter().any(|path| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.to_ascii_lowercase().starts_with("emnist-"))
    });
    if !is_emnist {
        return Vec::new();
    }
    vec![
        "EMNIST stores its images transposed (rows and columns exchanged); they are used as \
         stored, so transpose any other image that a model trained on them is to predict"
            .to_owned(),
    ]
}

/// Reads a pair of streams. `holds` bounds what each can give, so that no header makes us reserve
/// more.
pub(super) fn read_pair(images: Stream<'_>, labels: Stream<'_>) -> Result<Pair, DataError> {
    let (images_path, labels_path) = (images.path, labels.path);
    let (shape, pixels) = read_images(images)?;
    let labels = read_labels(labels)?;
    let count = (pixels.len() / shape.values()) as u64;
    if count != labels.len() as u64 {
        return Err(DataError::CountMismatch {
            images_path: show(images_path),
            images: count,
            labels_path: show(labels_path),
            labels: labels.len() as u64,
        });
    }
    Ok(Pair {
        shape,
        images: Images {
            pixels,
            labels: labels.into_iter().map(u16::from).collect(),
        },
    })
}

/// The bytes of an IDX file, decompressed as they are read.
pub(super) struct Stream<'a> {
    path: &'a Path,
    bytes: Box<dyn Read + 'a>,
    compressed: bool,
    /// The most bytes that can come.
    holds: u64,
}

impl<'a> Stream<'a> {
    pub(super) fn plain(path: &'a Path, bytes: impl Read + 'a, length: u64) -> Self {
        Self {
            path,
            bytes: Box::new(bytes),
            compressed: false,
            holds: length,
        }
    }

    pub(super) fn gzip(path: &'a Path, bytes: impl Read + 'a, length: u64) -> Self {
        Self {
            path,
            bytes: Box::new(MultiGzDecoder::new(BufReader::new(bytes))),
            compressed: true,
            holds: length.saturating_mul(MOST_PER_COMPRESSED_BYTE),
        }
    }

    /// Tells compressed files by their first bytes: some tools unpack a `.gz` without renaming it.
    fn open(path: &'a Path) -> Result<Self, DataError> {
        let (file, length) = file::open(path)?;
        let mut bytes = BufReader::new(file);
        let start = bytes.fill_buf();
        let start = start.map_err(|source| DataError::io(path, source))?;
        Ok(if start.starts_with(&GZIP) {
            Self::gzip(path, bytes, length)
        } else {
            Self::plain(path, bytes, length)
        })
    }

    fn header<const N: usize>(
        &mut self,
        (magic, kind): (u32, &'static str),
    ) -> Result<[u32; N], DataError> {
        let found = self.word(4 + 4 * N as u128)?;
        if found != magic {
            return Err(DataError::Magic {
                path: show(self.path),
                found,
                expected: magic,
                kind,
            });
        }
        let mut sizes = [0; N];
        for size in &mut sizes {
            *size = self.word(4 + 4 * N as u128)?;
        }
        Ok(sizes)
    }

    fn word(&mut self, header: u128) -> Result<u32, DataError> {
        let mut word = [0; 4];
        match self.bytes.read_exact(&mut word) {
            Ok(()) => Ok(u32::from_be_bytes(word)),
            Err(error) => Err(self.failed(error, header)),
        }
    }

    /// Everything after a header of `header` bytes, which must be exactly `length` bytes.
    fn body(&mut self, header: u128, length: u128) -> Result<Vec<u8>, DataError> {
        let promised = header + length;
        if promised > u128::from(self.holds) {
            return Err(self.truncated(promised, self.holds));
        }
        let mut body = Vec::new();
        file::reserve(&mut body, length, self.path)?;
        let read = (&mut self.bytes).take(length as u64).read_to_end(&mut body);
        if let Err(error) = read {
            return Err(self.failed(error, promised));
        }
        if (body.len() as u128) < length {
            return Err(self.truncated(promised, header as u64 + body.len() as u64));
        }
        // Reading on to the end also makes the decoder compare the checksum.
        match self.bytes.read(&mut [0]) {
            Ok(0) => Ok(body),
            Ok(_) => Err(DataError::TooLong {
                path: show(self.path),
                promised,
            }),
            Err(error) => Err(self.failed(error, promised)),
        }
    }

    fn failed(&self, source: std::io::Error, promised: u128) -> DataError {
        let path = show(self.path);
        match source.kind() {
            ErrorKind::UnexpectedEof if !self.compressed => self.truncated(promised, self.holds),
            ErrorKind::UnexpectedEof | ErrorKind::InvalidInput | ErrorKind::InvalidData
                if self.compressed =>
            {
                DataError::Gzip { path, source }
            }
            _ => DataError::Io { path, source },
        }
    }

    fn truncated(&self, promised: u128, possible: u64) -> DataError {
        DataError::Truncated {
            path: show(self.path),
            promised,
            possible,
        }
    }
}

impl Files {
    fn all(&self) -> [&Path; 4] {
        [&self.train.0, &self.train.1, &self.test.0, &self.test.1].map(PathBuf::as_path)
    }
}

/// Finds the four files by the ends of their names, so that prefixes (`emnist-letters-`) and both
/// spellings in use (`images-idx3`, `images.idx3`) are found. If a file is there both plain and
/// compressed, the plain one is read.
fn find(folder: &Path, paths: &[PathBuf]) -> Result<Files, DataError> {
    let one = |part: Part, kind: &'static str| find_one(folder, paths, part, kind);
    Ok(Files {
        train: (
            one(Part::Train, IMAGES_KIND)?,
            one(Part::Train, LABELS_KIND)?,
        ),
        test: (one(Part::Test, IMAGES_KIND)?, one(Part::Test, LABELS_KIND)?),
    })
}

fn read_files((images, labels): &(PathBuf, PathBuf)) -> Result<Pair, DataError> {
    read_pair(Stream::open(images)?, Stream::open(labels)?)
}

fn read_images(mut stream: Stream<'_>) -> Result<(Shape, Vec<u8>), DataError> {
    let [count, height, width] = stream.header(IMAGES)?;
    let sides = 1..=MOST_SIDE;
    if count == 0 || !sides.contains(&height) || !sides.contains(&width) {
        return Err(DataError::Header {
            path: show(stream.path),
            count,
            height,
            width,
        });
    }
    let pixels = stream.body(
        16,
        u128::from(count) * u128::from(height) * u128::from(width),
    )?;
    let shape = Shape {
        height: height as usize,
        width: width as usize,
        channels: 1,
    };
    Ok((shape, pixels))
}

fn read_labels(mut stream: Stream<'_>) -> Result<Vec<u8>, DataError> {
    let [count] = stream.header(LABELS)?;
    stream.body(8, u128::from(count))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Train,
    Test,
}

const IMAGES_KIND: &str = "images-idx3-ubyte";
const LABELS_KIND: &str = "labels-idx1-ubyte";

fn find_one(
    folder: &Path,
    paths: &[PathBuf],
    part: Part,
    kind: &'static str,
) -> Result<PathBuf, DataError> {
    let mut found: Vec<&PathBuf> = paths
        .iter()
        .filter(|path| role(path) == Some((part, kind)))
        .collect();
    // Names are sorted, so a plain file comes right before its compressed copy.
    found.dedup_by(|later, first| {
        later.with_extension("") == **first && later.extension().is_some_and(|e| e == "gz")
    });
    match found[..] {
        [path] => Ok(path.clone()),
        [] => {
            let part = match part {
                Part::Train => "train",
                Part::Test => "t10k",
            };
            let path = show(&folder.join(format!("{part}-{kind}")));
            Err(DataError::MissingFile {
                path: format!("{path} (or {part}-{kind}.gz)"),
            })
        }
        _ => Err(DataError::Several {
            path: show(folder),
            found: found.iter().map(|path| show(path)).collect(),
        }),
    }
}

/// Which of the four files a name stands for. Archives unpack into folders of such names, too,
/// which are none of them.
fn role(path: &Path) -> Option<(Part, &'static str)> {
    if path.is_dir() {
        return None;
    }
    // The names are ASCII: a name that is not UTF-8 is none of them.
    let name = path.file_name()?.to_str()?;
    let name = name
        .strip_suffix(".gz")
        .unwrap_or(name)
        .replace(".idx", "-idx");
    [IMAGES_KIND, LABELS_KIND].into_iter().find_map(|kind| {
        let part = name.strip_suffix(kind)?.strip_suffix('-')?;
        if part.ends_with("train") {
            Some((Part::Train, kind))
        } else if part.ends_with("t10k") || part.ends_with("test") {
            Some((Part::Test, kind))
        } else {
            None
        }
    })
}
