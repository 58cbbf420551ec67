use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crc32c::crc32c;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::Error;
use crate::store::VERSION;
use crate::store::regular::{check_place, read_regular};

/// Replaces a file by `bytes`, or leaves it as it is. What stands in its place, such as a link or a
/// named pipe, is replaced itself and not written to.
///
/// # Errors
/// [`Error::Io`].
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let name = path.file_name().expect("a file has a name");
    let mut name = name.to_owned();
    name.push(".tmp");
    let temporary = path.with_file_name(name);
    check_place(&temporary).map_err(Error::io("write", &temporary))?;
    let write = || {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        sync_folder(path)
    };
    write().map_err(|source| {
        // What is half written helps nobody, and on a full disk it is in the way.
        let _ = fs::remove_file(&temporary);
        Error::io("write", path)(source)
    })
}

/// Replaces a text that is read here alone, with a checksum as its last line.
pub(crate) fn write_checked(path: &Path, text: &str) -> Result<(), Error> {
    write_atomically(path, (String::from(text) + &checksum(text)).as_bytes())
}

/// Reads what [`write_checked`] wrote.
pub(crate) fn read_checked(path: &Path) -> Result<String, Error> {
    let bytes = read_regular(path).map_err(Error::io("read", path))?;
    let mut text = String::from_utf8(bytes).map_err(bad(path))?;
    let end = text.len().saturating_sub(checksum("").len());
    match text.split_at_checked(end) {
        Some((content, last)) if last == checksum(content) => {
            text.truncate(end);
            Ok(text)
        }
        _ => Err(bad(path)("it is cut short or damaged")),
    }
}

fn checksum(text: &str) -> String {
    format!("{:08x}\n", crc32c(text.as_bytes()))
}

/// Makes a rename last through a power cut.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        // The parent of a bare name is the working directory.
        Some(parent) if cfg!(unix) => File::open(Path::new(".").join(parent))?.sync_all(),
        _ => Ok(()),
    }
}

/// A record as its file has it: with the version of its form.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Versioned<T> {
    /// The version of the record: [`VERSION`].
    pub version: u32,
    /// What it says.
    #[serde(flatten)]
    pub record: T,
}

pub(crate) fn write_record(path: &Path, record: &impl Serialize) -> Result<(), Error> {
    let record = Versioned {
        version: VERSION,
        record,
    };
    let mut text = serde_json::to_vec_pretty(&record).map_err(bad(path))?;
    text.push(b'\n');
    write_atomically(path, &text)
}

/// Reads a record of this version.
pub(crate) fn read_record<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let (version, record) = read_versioned(path)?;
    check_version(path, version)?;
    parse_record(path, record)
}

/// What was read; `None` if there is no such file. To ask beforehand is not the same: another
/// process may remove it meanwhile.
pub(crate) fn if_there<T>(read: Result<T, Error>) -> Result<Option<T>, Error> {
    let is_missing =
        |kind: ErrorKind| matches!(kind, ErrorKind::NotFound | ErrorKind::NotADirectory);
    match read {
        Err(Error::Io { source, .. }) if is_missing(source.kind()) => Ok(None),
        read => read.map(Some),
    }
}

/// The version of a record, and what else it says.
pub(crate) fn read_versioned(path: &Path) -> Result<(u32, Value), Error> {
    let text = read_regular(path).map_err(Error::io("read", path))?;
    let mut record: Map<String, Value> = serde_json::from_slice(&text).map_err(bad(path))?;
    let version = record.remove("version").and_then(|v| v.as_u64());
    let version = version
        .and_then(|v| u32::try_from(v).ok())
        .ok_or_else(|| bad(path)("it has no `version`, a whole number"))?;
    Ok((version, Value::Object(record)))
}

/// The record that the file at `path` holds as a value.
pub(crate) fn parse_record<T: DeserializeOwned>(path: &Path, record: Value) -> Result<T, Error> {
    serde_path_to_error::deserialize(record).map_err(|error| {
        let place = error.path().to_string();
        bad(path)(format!("at `{place}`: {}", error.inner()))
    })
}

pub(super) fn check_version(path: &Path, found: u32) -> Result<(), Error> {
    if found == VERSION {
        return Ok(());
    }
    Err(Error::Version {
        path: path.to_owned(),
        found,
        known: VERSION,
    })
}

/// For `map_err` on a record that cannot be read or made.
pub(crate) fn bad<E: ToString>(path: &Path) -> impl Fn(E) -> Error {
    move |error| Error::BadRecord {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

/// A file that only grows, but for being cut back to where a checkpoint was made.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    file: BufWriter<File>,
    length: u64,
}

impl Log {
    /// Opens the log at its end, made if need be.
    pub(super) fn open(path: PathBuf) -> Result<Self, Error> {
        let open = || {
            check_place(&path)?;
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)?;
            let length = file.seek(SeekFrom::End(0))?;
            Ok((BufWriter::new(file), length))
        };
        let (file, length) = open().map_err(Error::io("open", &path))?;
        Ok(Self { path, file, length })
    }

    /// Its bytes, those included that are not yet on the disk.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Drops what comes after the first `length` bytes; it is at least as long.
    pub(super) fn cut(&mut self, length: u64) -> Result<(), Error> {
        let cut = |file: &mut BufWriter<File>| {
            file.seek(SeekFrom::Start(length))?;
            file.get_ref().set_len(length)
        };
        cut(&mut self.file).map_err(Error::io("cut", &self.path))?;
        self.length = length;
        Ok(())
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.length += bytes.len() as u64;
        self.file
            .write_all(bytes)
            .map_err(Error::io("append to", &self.path))
    }

    /// Hands everything so far to the system, so that others can read it.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        let flushed = self.file.flush();
        flushed.map_err(Error::io("write", &self.path))
    }

    /// Makes everything so far last, and says how long the log is.
    pub(super) fn sync(&mut self) -> Result<u64, Error> {
        let sync = |file: &mut BufWriter<File>| {
            file.flush()?;
            file.get_ref().sync_data()
        };
        sync(&mut self.file).map_err(Error::io("write", &self.path))?;
        Ok(self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_digit_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kept");
        for text in ["", "a,b\n1,2.25\n", "no line"] {
            write_checked(&path, text).unwrap();
            assert_eq!(read_checked(&path).unwrap(), text);
        }
        write_checked(&path, "0.25\n").unwrap();
        let text = fs::read_to_string(&path).unwrap();
        for other in [
            &text.replacen("0.25", "0.26", 1),
            &text[1..],
            &text[..13],
            "é",
            "",
        ] {
            fs::write(&path, other).unwrap();
            let error = read_checked(&path).unwrap_err().to_string();
            assert!(error.contains("damaged"), "{other}: {error}");
        }
    }
}
