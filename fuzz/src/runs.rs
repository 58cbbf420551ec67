//! What runs and comparisons leave in their folders.

use std::fs;
use std::path::Path;

use cyclr_train::compare::{Settings, compare, read_comparison, read_plan};
use cyclr_train::noisy_quadratic::NoisyQuadratic;
use cyclr_train::store::{read_events, read_outcome, read_run, stage};
use cyclr_train::{Budget, Interrupt, Task, Watch, resume, train_in};

use super::place::{Place, parts};

/// The folder of a run that was stopped, but for its checkpoints.
struct Stopped {
    place: Place,
    files: Vec<(String, Vec<u8>)>,
}

impl Stopped {
    fn new() -> Self {
        let place = Place::new();
        let folder = place.path().join("run");
        train(&folder, Some(20));
        let files = files_of(&folder);
        Self { place, files }
    }

    /// The folder with one checkpoint.
    fn with_checkpoint(&self, checkpoint: &[u8]) -> &Path {
        self.place.of_parts(&[], &[]);
        for (name, content) in &self.files {
            self.place.write(name, content);
        }
        self.place
            .write("checkpoints/000000000040.ckpt", checkpoint);
        self.place.path()
    }
}

/// A short run, which is interrupted after a number of events.
fn train(folder: &Path, events: Option<u64>) {
    let spec = "triangular(base=0.01, max=0.1, step=20)".parse();
    let task = Task::new(spec.expect("a spec"), 1, Budget::Updates(100));
    let interrupt = Interrupt::new();
    let mut seen = 0;
    let mut observer = |_: &_| {
        seen += 1;
        if Some(seen) == events {
            interrupt.request();
        }
    };
    let watch = Watch {
        observer: &mut observer,
        interrupt: &interrupt,
    };
    let factory = NoisyQuadratic::default();
    let trained = train_in(folder, &factory, serde_json::Value::Null, &task, watch);
    assert_eq!(trained.is_err(), events.is_some(), "{trained:?}");
}

/// The header and the state of a checkpoint, and all of it without its checksum.
pub(crate) fn checkpoint_parts() -> [Vec<u8>; 3] {
    let place = Place::new();
    let folder = place.path().join("run");
    train(&folder, Some(20));
    let (_, mut whole) = files_of(&folder.join("checkpoints"))
        .pop()
        .expect("a checkpoint");
    whole.truncate(whole.len() - 4);
    let part = |bytes: &[u8]| {
        let (length, rest) = bytes.split_first_chunk().expect("a part has a length");
        let (part, rest) = rest.split_at(u64::from_le_bytes(*length) as usize);
        (part.to_vec(), rest.to_vec())
    };
    let (header, rest) = part(&whole[NAME.len() + 4..]);
    let (state, _) = part(&rest);
    [header, state, whole]
}

/// The records of a run as the target `records` takes them, with the first events.
pub(crate) fn records_of_run(finished: bool) -> Vec<u8> {
    let place = Place::new();
    let folder = place.path().join("run");
    train(&folder, (!finished).then_some(20));
    let read = |name: &str| fs::read(folder.join(name)).expect("the run wrote it");
    let events = read("events.jsonl");
    let events: Vec<&[u8]> = events.split(|&b| b == b'\n').take(4).collect();
    let mut parts = vec![read("run.json"), events.join(&b'\n')];
    if finished {
        parts.push(read("result.json"));
    }
    parts.join(&b"\n=====\n"[..])
}

fn files_of(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).expect("the run left a folder");
    let paths = entries.map(|entry| entry.expect("the folder can be read").path());
    let files = paths.filter(|path| path.is_file()).map(|path| {
        let name = path.file_name().expect("a file has a name");
        let content = fs::read(&path).expect("a file can be read");
        (name.to_string_lossy().into_owned(), content)
    });
    files.collect()
}

/// A checkpoint, to which the right checksum is added: all of it, or its header and the state of the trainer.
pub(crate) fn checkpoint(data: &[u8]) {
    thread_local!(static STOPPED: Stopped = Stopped::new());
    let mut content = if data.starts_with(NAME) {
        data.to_vec()
    } else {
        of_header_and_state(data)
    };
    content.extend(crc32c::crc32c(&content).to_le_bytes());
    STOPPED.with(|stopped| go_on(stopped.with_checkpoint(&content)));
}

const NAME: &[u8] = b"cyclrckp";

fn of_header_and_state(data: &[u8]) -> Vec<u8> {
    let mut content = [NAME, &cyclr_train::store::VERSION.to_le_bytes()].concat();
    let mut parts = parts(data);
    parts.resize(2, b"");
    for part in parts {
        content.extend((part.len() as u64).to_le_bytes());
        content.extend(part);
    }
    content
}

/// Goes on with a run, which is stopped before its first update.
fn go_on(folder: &Path) {
    let interrupt = Interrupt::new();
    interrupt.request();
    let watch = Watch {
        observer: &mut |_: &_| {},
        interrupt: &interrupt,
    };
    // Whether it is refused or not: it must not panic.
    let _ = resume(folder, &NoisyQuadratic::default(), None, watch);
}

/// The records of a run: `run.json`, `events.jsonl`, `result.json`, in this order.
pub(crate) fn records(data: &[u8]) {
    thread_local!(static PLACE: Place = Place::new());
    PLACE.with(|place| {
        let folder = place.of_parts(&["run.json", "events.jsonl", "result.json"], data);
        let _ = stage(folder);
        let _ = read_outcome(folder);
        if let Ok(events) = read_events(folder) {
            let _ = events.count();
        }
        if read_run(folder).is_ok() {
            go_on(folder);
        }
    });
}

/// A comparison that was begun: `comparison.json`, `begin.json`, `range.json`. It is stopped before its first run.
pub(crate) fn comparison(data: &[u8]) {
    thread_local!(static PLACE: Place = Place::new());
    PLACE.with(|place| {
        let folder = place.of_parts(&["comparison.json", "begin.json", "range.json"], data);
        let Ok(manifest) = read_plan(folder) else {
            return;
        };
        let settings = Settings {
            trainer: manifest.trainer,
            about: manifest.about,
            ..Settings::default()
        };
        let interrupt = Interrupt::new();
        interrupt.request();
        // Whether it is refused or not: it must not panic.
        let _ = compare(
            &NoisyQuadratic::default(),
            &manifest.plan,
            folder,
            &settings,
            Watch {
                observer: &mut |_| {},
                interrupt: &interrupt,
            },
        );
    });
}

/// The result of a comparison, of either version, and its report.
pub(crate) fn report(data: &[u8]) {
    thread_local!(static PLACE: Place = Place::new());
    PLACE.with(|place| {
        place.of_parts(&["result.json"], data);
        place.write("comparison.json", b"{}");
        if let Ok(Some(record)) = read_comparison(place.path()) {
            let _ = cyclr_cli::fuzzing::report(&record);
        }
    });
}
