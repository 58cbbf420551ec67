//! The one way in which files of others are opened. To open a named pipe waits until somebody
//! writes to it, and a device has no end: only regular files are opened.

use std::fs::{self, File, FileType};
use std::io::{self, ErrorKind, IsTerminal, Read};
use std::path::Path;

/// No record, study, policy or table that is meant is larger, in bytes.
const MOST: u64 = 512 << 20;

/// Opens a regular file for reading, however large it is.
///
/// # Errors
/// If it cannot be opened; [`ErrorKind::InvalidInput`] if it is no regular file, which is then not
/// opened.
pub fn open_regular(path: &Path) -> io::Result<File> {
    refuse_others(fs::metadata(path)?.file_type())?;
    File::open(path)
}

/// What is in a record, a study, a policy or a table.
///
/// # Errors
/// As [`open_regular`], and [`ErrorKind::FileTooLarge`] if it has more than 512 MiB.
pub fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    let file = open_regular(path)?;
    if file.metadata()?.len() > MOST {
        return Err(too_large());
    }
    read_all(file)
}

/// What comes on stdin, up to its end.
pub(crate) fn read_stdin() -> io::Result<Vec<u8>> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        let reason = "it is a terminal, and a file or the output of a program is needed";
        return Err(io::Error::new(ErrorKind::InvalidInput, reason));
    }
    read_all(stdin.lock())
}

fn read_all(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // A file may have grown since its length was known.
    from.take(MOST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST {
        return Err(too_large());
    }
    Ok(bytes)
}

fn too_large() -> io::Error {
    let reason = format!(
        "it has more than {} MiB, and nothing that is read here is so large; give the right file",
        MOST >> 20
    );
    io::Error::new(ErrorKind::FileTooLarge, reason)
}

/// As [`read_regular`], of a text.
///
/// # Errors
/// As [`read_regular`], and [`ErrorKind::InvalidData`] if it is no UTF-8.
pub fn read_regular_text(path: &Path) -> io::Result<String> {
    let text = String::from_utf8(read_regular(path)?);
    text.map_err(|error| io::Error::new(ErrorKind::InvalidData, error.utf8_error()))
}

/// What is in the state of a run or in a file of weights. It is as large as what is trained, so
/// that memory is the only limit.
///
/// # Errors
/// As [`open_regular`], and [`ErrorKind::OutOfMemory`].
pub fn read_state(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Refuses to write to something that is there and is no regular file.
pub(super) fn check_place(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(there) => refuse_others(there.file_type()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn refuse_others(kind: FileType) -> io::Result<()> {
    if kind.is_file() {
        return Ok(());
    }
    let kind = name(kind);
    let reason = format!(
        "it is {kind}, and only a regular file is read or written here; put one in its place, or \
         remove it"
    );
    Err(io::Error::new(ErrorKind::InvalidInput, reason))
}

#[cfg(unix)]
fn name(kind: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(not(unix))]
fn name(kind: FileType) -> &'static str {
    if kind.is_dir() {
        "a folder"
    } else {
        "a device"
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_are_opened() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let socket = folder.path().join("socket");
        let _socket = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        for (path, kind) in [
            (pipe.as_path(), "a pipe"),
            (&socket, "a socket"),
            (folder.path(), "a folder"),
            (Path::new("/dev/zero"), "a device"),
        ] {
            let refusals = [
                open_regular(path).unwrap_err(),
                read_regular(path).unwrap_err(),
                read_state(path).unwrap_err(),
                check_place(path).unwrap_err(),
            ];
            for error in refusals {
                assert_eq!(error.kind(), ErrorKind::InvalidInput, "{}", path.display());
                assert!(error.to_string().contains(kind), "{error}");
            }
        }
        check_place(&folder.path().join("nothing")).unwrap();
    }

    /// A file with holes takes no place on the disk.
    #[test]
    fn files_that_are_too_large_are_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large");
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        let error = read_regular(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FileTooLarge);
        fs::write(&path, "text").unwrap();
        assert_eq!(read_regular_text(&path).unwrap(), "text");
        fs::write(&path, [0xff]).unwrap();
        let error = read_regular_text(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
    }
}
