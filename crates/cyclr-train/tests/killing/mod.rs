//! Kills processes at moments that what they have logged decides, and no clock.

use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread::sleep;
use std::time::Duration;

/// The bytes of all logs of runs in a folder.
pub(crate) fn logged(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    let length = |path: PathBuf| match path.metadata() {
        Ok(file) if file.is_dir() => logged(&path),
        Ok(file) if path.ends_with("events.jsonl") => file.len(),
        // A temporary file may be gone already.
        _ => 0,
    };
    entries.flatten().map(|entry| length(entry.path())).sum()
}

/// Kills a process as soon as a number of bytes is logged in a folder; whether it was still at work.
pub(crate) fn kill_at(mut process: Child, folder: &Path, bytes: u64) -> bool {
    while logged(folder) < bytes && process.try_wait().unwrap().is_none() {
        sleep(Duration::from_millis(2));
    }
    process.kill().unwrap();
    !process.wait().unwrap().success()
}
