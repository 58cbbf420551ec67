use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use crate::store::files::bad;
use crate::store::open_regular;
use crate::{Error, Event};

/// No event is longer, in MiB. A log without lines is not taken in whole.
const LONGEST: u64 = 16;

/// Reads the `events.jsonl` of a run's folder, line by line. The last line of a run that was
/// killed may be incomplete; it is then an error like any other, and the last item.
///
/// # Errors
/// [`Error::Io`] if the file cannot be opened; each item [`Error::BadRecord`] if its line is no
/// event.
pub fn read_events(folder: &Path) -> Result<impl Iterator<Item = Result<Event, Error>>, Error> {
    let path = folder.join(Event::FILE);
    let file = open_regular(&path).map_err(Error::io("read", &path))?;
    let mut rest = BufReader::new(file);
    let lines = std::iter::from_fn(move || next_line(&mut rest).transpose()).enumerate();
    Ok(lines.map(move |(n, line)| {
        let line = line.map_err(Error::io("read", &path))?;
        if line.len() as u64 > LONGEST << 20 {
            let reason = format!("line {} has more than {LONGEST} MiB", n + 1);
            return Err(bad(&path)(reason));
        }
        serde_json::from_slice(&line)
            .map_err(|error| bad(&path)(format!("line {}: {error}", n + 1)))
    }))
}

/// The next line with its end, or the beginning of one that is too long.
fn next_line(rest: &mut BufReader<File>) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    rest.take((LONGEST << 20) + 1)
        .read_until(b'\n', &mut line)?;
    Ok((!line.is_empty()).then_some(line))
}
