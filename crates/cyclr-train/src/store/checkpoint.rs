//! A checkpoint: eight bytes of name, the version, a JSON header and the trainer's state, each
//! with its length before it, and a checksum over all of it. Numbers are little-endian.

use std::path::Path;

use crc32c::crc32c;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::run::Progress;
use crate::store::VERSION;
use crate::store::files::{bad, check_version, write_atomically};
use crate::store::regular::read_state;

const NAME: &[u8; 8] = b"cyclrckp";

/// What goes before the state.
#[derive(Debug, Serialize, Deserialize)]
struct Header<P> {
    progress: P,
    logs: Offsets,
}

/// The lengths of the logs when the checkpoint was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Offsets {
    pub(super) events: u64,
    pub(super) tensorboard: u64,
}

pub(super) struct Checkpoint {
    pub(super) progress: Progress,
    pub(super) logs: Offsets,
    pub(super) state: Vec<u8>,
}

pub(super) fn write(
    path: &Path,
    progress: &Progress,
    logs: Offsets,
    state: &[u8],
) -> Result<(), Error> {
    let header = serde_json::to_vec(&Header { progress, logs }).map_err(bad(path))?;
    let mut bytes = Vec::with_capacity(header.len() + state.len() + 32);
    bytes.extend(NAME);
    bytes.extend(VERSION.to_le_bytes());
    for part in [header.as_slice(), state] {
        bytes.extend((part.len() as u64).to_le_bytes());
        bytes.extend(part);
    }
    bytes.extend(crc32c(&bytes).to_le_bytes());
    write_atomically(path, &bytes)
}

pub(super) fn read(path: &Path) -> Result<Checkpoint, Error> {
    let bytes = read_state(path).map_err(Error::io("read", path))?;
    let damaged = || bad(path)("it is cut short or damaged");
    let (content, checksum) = bytes.split_last_chunk::<4>().ok_or_else(damaged)?;
    if crc32c(content) != u32::from_le_bytes(*checksum) {
        return Err(damaged());
    }
    let rest = content.strip_prefix(NAME).ok_or_else(damaged)?;
    let (version, rest) = rest.split_first_chunk().ok_or_else(damaged)?;
    check_version(path, u32::from_le_bytes(*version))?;
    let (header, rest) = part(rest).ok_or_else(damaged)?;
    let (state, _) = part(rest).ok_or_else(damaged)?;
    let header: Header<Progress> = serde_json::from_slice(header).map_err(bad(path))?;
    Ok(Checkpoint {
        logs: header.logs,
        progress: header.progress,
        state: state.to_vec(),
    })
}

/// What the length at the start covers, and the rest.
fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)
}
