use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use crate::store::files::bad;
use crate::{Error, Event};

/// Reads the `events.jsonl` of a run's folder, line by line. The last line of a run that was
/// killed may be incomplete; it is then an error like any other, and the last item.
///
/// # Errors
/// [`Error::Io`] if the file cannot be opened; each item [`Error::BadRecord`] if its line is no
/// event.
pub fn read_events(folder: &Path) -> Result<impl Iterator<Item = Result<Event, Error>>, Error> {
    let path = folder.join(Event::FILE);
    let file = File::open(&path).map_err(Error::io("read", &path))?;
    let lines = BufReader::new(file).lines().enumerate();
    Ok(lines.map(move |(n, line)| {
        let line = line.map_err(Error::io("read", &path))?;
        serde_json::from_str(&line).map_err(|error| bad(&path)(format!("line {}: {error}", n + 1)))
    }))
}
