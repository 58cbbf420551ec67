use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use crc32c::crc32c;
use cyclr::trainer::Metrics;

use crate::store::files::Log;
use crate::{Error, Event};

/// The most updates of a curve that are written; TensorBoard itself shows 1,000 points of a
/// curve.
const MOST_UPDATES: u64 = 2000;

/// Writes a run's curves as an event file of TensorBoard: records of TensorFlow's `TFRecord`
/// format, each holding an `Event` message in the wire format of protocol buffers.
#[derive(Debug)]
pub(super) struct TensorBoard {
    pub(super) log: Log,
    /// One in so many updates is written.
    pub(super) stride: u64,
}

impl TensorBoard {
    /// TensorBoard reads every file with `tfevents` in its name.
    pub(super) const FILE: &str = "events.out.tfevents.cyclr";

    pub(super) fn open(path: PathBuf, end: u64) -> Result<Self, Error> {
        Ok(Self {
            log: Log::open(path)?,
            stride: Self::stride(end),
        })
    }

    pub(super) fn stride(end: u64) -> u64 {
        end.div_ceil(MOST_UPDATES)
    }

    pub(super) fn record(&mut self, event: &Event) -> Result<(), Error> {
        match event {
            Event::Updated {
                update,
                hyper,
                metrics,
                ..
            } if update.is_multiple_of(self.stride) => {
                let hypers = [
                    ("schedule/learning_rate", Some(hyper.lr)),
                    ("schedule/momentum", hyper.momentum),
                    ("schedule/weight_decay", hyper.weight_decay),
                ];
                let hypers = hypers
                    .into_iter()
                    .filter_map(|(tag, value)| Some((tag.into(), value?)));
                self.write(*update, hypers.chain(tagged("train", metrics)).collect())
            }
            Event::Evaluated(evaluation) => {
                let average = evaluation.average.iter();
                let average = average.flat_map(|metrics| tagged("validation_average", metrics));
                let values = tagged("validation", &evaluation.metrics).chain(average);
                self.write(evaluation.updates_done, values.collect())
            }
            Event::Tested {
                updates_done,
                metrics,
            } => self.write(*updates_done, tagged("test", metrics).collect()),
            _ => Ok(()),
        }
    }

    /// Appends an event with the values of one step; the first of a file is preceded by its
    /// version.
    fn write(&mut self, step: u64, values: Vec<(String, f64)>) -> Result<(), Error> {
        if self.log.length() == 0 {
            let mut version = wall_time();
            bytes(3, b"brain.Event:2", &mut version);
            self.log.append(&record(&version))?;
        }
        let mut summary = Vec::new();
        for (tag, value) in values {
            let mut message = Vec::new();
            bytes(1, tag.as_bytes(), &mut message);
            message.push(2 << 3 | 5);
            message.extend((value as f32).to_le_bytes());
            bytes(1, &message, &mut summary);
        }
        let mut event = wall_time();
        event.push(2 << 3);
        varint(step, &mut event);
        bytes(5, &summary, &mut event);
        self.log.append(&record(&event))
    }
}

fn tagged<'a>(group: &'a str, metrics: &'a Metrics) -> impl Iterator<Item = (String, f64)> + 'a {
    metrics
        .iter()
        .map(move |metric| (format!("{group}/{}", metric.name), metric.value))
}

/// The start of an event message: its time in seconds since 1970, as field 1, a double.
fn wall_time() -> Vec<u8> {
    // A clock before 1970 dates the events at 0; nothing else depends on it.
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let mut event = vec![1 << 3 | 1];
    event.extend(now.as_secs_f64().to_le_bytes());
    event
}

/// A field of bytes, a string or a message.
fn bytes(field: u8, content: &[u8], message: &mut Vec<u8>) {
    message.push(field << 3 | 2);
    varint(content.len() as u64, message);
    message.extend(content);
}

fn varint(mut number: u64, message: &mut Vec<u8>) {
    while number > 0x7f {
        message.push(number as u8 | 0x80);
        number >>= 7;
    }
    message.push(number as u8);
}

/// A record: its length, the length's checksum, the data and the data's checksum.
fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [&length[..], &masked(&length), data, &masked(data)].concat()
}

/// The checksum as the format has it: rotated and shifted, so that a checksum of data with
/// checksums in it is sound.
fn masked(data: &[u8]) -> [u8; 4] {
    let crc = crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8);
    crc.to_le_bytes()
}
