//! What was in the files that a run depends on when it began.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use cyclr_train::store::{open_regular, read_regular_text};
use serde::{Deserialize, Serialize};

/// Files, and what was in them: their length and the CRC-32C of their bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Files(BTreeMap<PathBuf, String>);

impl Files {
    /// The regular files among the words of a command (a script, `--config=FILE`, data), seen from
    /// a directory, and the weights. A program that is found by the PATH, or is no script, is none
    /// of them: it comes with the system.
    pub(crate) fn of(
        command: &[String],
        weights: Option<&Path>,
        directory: &Path,
    ) -> anyhow::Result<Self> {
        let named = command.iter().enumerate().filter_map(|(n, word)| {
            let path = directory.join(word.split_once('=').map_or(word.as_str(), |(_, file)| file));
            let file = path.is_file() && (n > 0 || word.contains('/') && is_script(&path));
            file.then_some(path)
        });
        let all = named.chain(weights.map(Path::to_owned));
        let content = |path: PathBuf| {
            let content = content(&path)?;
            Ok((path, content))
        };
        all.map(content).collect::<anyhow::Result<_>>().map(Self)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first file that is not what it was, in words.
    pub(crate) fn changed(&self) -> Option<String> {
        self.0.iter().find_map(|(path, was)| {
            let name = path.display();
            match content(path) {
                Ok(is) if is == *was => None,
                Ok(is) => Some(format!(
                    "{name} has changed since the run began ({was} then, {is} now)"
                )),
                Err(error) => Some(format!("{error:#}")),
            }
        })
    }
}

/// `1200 bytes, CRC-32C 89abcdef`
fn content(path: &Path) -> anyhow::Result<String> {
    let read = || {
        let mut file = open_regular(path)?;
        let (mut crc, mut length, mut bytes) = (0, 0, vec![0; 1 << 20]);
        loop {
            let n = file.read(&mut bytes)?;
            if n == 0 {
                return Ok::<_, std::io::Error>((length, crc));
            }
            crc = crc32c::crc32c_append(crc, &bytes[..n]);
            length += n;
        }
    };
    let (length, crc) = read().with_context(|| format!("{} cannot be read", path.display()))?;
    Ok(format!("{length} bytes, CRC-32C {crc:08x}"))
}

/// The text of a file that was named on the command line, which should be what is wanted.
pub(crate) fn read_text(path: &Path, wanted: &str) -> anyhow::Result<String> {
    let text = read_regular_text(path)
        .map_err(|error| anyhow!("{} cannot be read: {error}; give {wanted}", path.display()))?;
    // Some editors begin a file with this mark.
    match text.strip_prefix('\u{feff}') {
        Some(rest) => Ok(String::from(rest)),
        None => Ok(text),
    }
}

/// Whether a program begins with `#!`.
fn is_script(program: &Path) -> bool {
    let begins = open_regular(program).and_then(|mut file| {
        let mut begin = [0; 2];
        file.read_exact(&mut begin).map(|()| begin)
    });
    // A program that cannot be read is no script; whether it can be run shows when it is.
    begins.is_ok_and(|begin| begin == *b"#!")
}
