//! `cyclr watch DIR`: how far a run or comparison is, from its folder alone.
//!
//! It shows no verdict before the end: who looks at one on the way may stop at the moment that
//! suits.

mod curve;
mod serve;
mod terminal;

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind, IsTerminal, Write as _};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use anyhow::Context;
use cyclr_train::Error;
use cyclr_train::compare::{Begin, is_comparison, read_comparison, read_plan, read_work};
use cyclr_train::store::{RunRecord, Seen, State, read_run};

use crate::args::WatchArgs;
use crate::exit::describe;
use crate::say::{columns, stdout_failed};

/// How often it is looked at.
const LOOKS: Duration = Duration::from_secs(1);

pub(crate) fn run(args: &WatchArgs) -> anyhow::Result<()> {
    if let Some(port) = args.serve {
        // A folder that is none is refused at once.
        look(&args.folder)?;
        return serve::serve(args.folder.clone(), port);
    }
    let is_terminal = io::stdout().is_terminal();
    let lives = is_terminal && !args.once;
    let mut drawn = 0;
    loop {
        let overview = look(&args.folder)?;
        let size = terminal_size::terminal_size();
        let rows = size.filter(|_| lives).map(|(_, rows)| usize::from(rows.0));
        // Nothing breaks the lines of a file or a pipe.
        let width = if is_terminal { columns() } else { usize::MAX };
        let lines = terminal::lines(&overview, width, rows);
        // Up to where the last picture began, and clear from there.
        let back = if drawn > 0 {
            format!("\x1b[{drawn}A\x1b[J")
        } else {
            String::new()
        };
        let text = lines.join("\n") + "\n";
        let mut out = io::stdout();
        let shown = out
            .write_all((back + &text).as_bytes())
            .and_then(|()| out.flush());
        shown.map_err(stdout_failed)?;
        if !lives || overview.is_over {
            return Ok(());
        }
        drawn = lines.len();
        sleep(LOOKS);
    }
}

fn look(folder: &Path) -> anyhow::Result<Overview> {
    Overview::of(folder).map_err(|error| match error.downcast_ref() {
        // Perhaps it is just being started.
        Some(Error::NotARun { .. }) => error.context("there is nothing to watch yet"),
        _ => error,
    })
}

/// A run or comparison, as it is seen.
struct Overview {
    title: String,
    /// The runs of the plan, those not counted that an edge or a race may add; `None` if there is no plan.
    planned: Option<u64>,
    /// What happens to the unit that a comparison begins with, until it is done.
    begin: Option<State>,
    runs: Vec<Row>,
    /// Why records of the comparison itself cannot be read.
    unreadable: Vec<String>,
    /// Links that lead out of the folder, which are not followed.
    outside: usize,
    /// Whether the whole has its result.
    is_over: bool,
    folder: PathBuf,
}

/// A run.
struct Row {
    /// Its folder, as seen from the comparison's.
    name: String,
    folder: PathBuf,
    /// How far it is, or why that cannot be read.
    seen: Result<Seen, String>,
}

impl Overview {
    fn of(folder: &Path) -> anyhow::Result<Self> {
        if is_comparison(folder) {
            let plan = read_plan(folder)?.plan;
            let (runs, outside) = rows(folder)?;
            let (mut begin, mut is_over, mut unreadable) = (None, false, Vec::new());
            match Begin::seen(folder) {
                Ok(state) => begin = state,
                Err(error) => unreadable.push(error.to_string()),
            }
            match read_comparison(folder) {
                Ok(record) => is_over = record.is_some(),
                Err(error) => unreadable.push(error.to_string()),
            }
            return Ok(Self {
                planned: Some(plan.runs()),
                title: plan.title,
                begin,
                runs,
                unreadable,
                outside,
                is_over,
                folder: folder.to_owned(),
            });
        }
        if !folder.join(RunRecord::FILE).exists() && read_work(folder).is_ok() {
            return Ok(Self {
                title: String::from("a comparison that has no plan yet"),
                planned: None,
                begin: Begin::seen(folder)?,
                runs: Vec::new(),
                unreadable: Vec::new(),
                outside: 0,
                is_over: false,
                folder: folder.to_owned(),
            });
        }
        let spec = read_run(folder)?.plan.task.spec;
        let seen = Seen::of(folder)?;
        Ok(Self {
            title: spec.to_string(),
            planned: None,
            is_over: matches!(seen.state, State::Done(_)),
            begin: None,
            runs: vec![Row {
                name: folder.display().to_string(),
                folder: folder.to_owned(),
                seen: Ok(seen),
            }],
            unreadable: Vec::new(),
            outside: 0,
            folder: folder.to_owned(),
        })
    }

    /// Whether it is no single run.
    fn is_comparison(&self) -> bool {
        self.planned.is_some() || self.runs.is_empty()
    }

    fn count(&self, is: impl Fn(&State) -> bool) -> u64 {
        let states = self.runs.iter().filter_map(|row| row.seen.as_ref().ok());
        states.filter(|seen| is(&seen.state)).count() as u64
    }

    /// The runs that cannot be read.
    fn damaged(&self) -> u64 {
        self.runs.iter().filter(|row| row.seen.is_err()).count() as u64
    }

    fn done(&self) -> u64 {
        self.count(|state| matches!(state, State::Done(_)))
    }

    fn at_work(&self) -> u64 {
        self.count(|state| matches!(state, State::AtWork(_)))
    }

    fn failed(&self) -> u64 {
        self.count(|state| matches!(state, State::Failed(_)))
    }

    /// Those to come, as far as they are known.
    fn waiting(&self) -> u64 {
        let known = self.runs.len() as u64;
        let all = self.planned.map_or(known, |planned| planned.max(known));
        all - self.done() - self.at_work() - self.failed() - self.damaged()
    }
}

/// The runs within a folder, at whatever depth, and how many links lead out of it. Folders may come
/// and go meanwhile; one that cannot be read is a row that says why.
fn rows(folder: &Path) -> anyhow::Result<(Vec<Row>, usize)> {
    let root = folder.canonicalize();
    let root = root.with_context(|| folder.display().to_string())?;
    let (mut rows, mut outside) = (Vec::new(), 0);
    let mut folders = vec![folder.to_owned()];
    // A link may lead back.
    let mut known = BTreeSet::new();
    while let Some(inner) = folders.pop() {
        let seen = match found(&inner, &root, &mut known) {
            Ok(Found::Run(seen)) => Ok(*seen),
            Ok(Found::Folders(more)) => {
                folders.extend(more);
                continue;
            }
            Ok(Found::Outside) => {
                outside += 1;
                continue;
            }
            Err(error) => Err(describe(&error)),
        };
        let name = inner.strip_prefix(folder).unwrap_or(&inner);
        rows.push(Row {
            name: name.display().to_string(),
            folder: inner,
            seen,
        });
    }
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((rows, outside))
}

/// What a folder of a comparison is.
enum Found {
    Run(Box<Seen>),
    /// No run, with these folders in it.
    Folders(Vec<PathBuf>),
    /// A link to another place.
    Outside,
}

fn found(folder: &Path, root: &Path, known: &mut BTreeSet<PathBuf>) -> anyhow::Result<Found> {
    let place = unless_gone(folder.canonicalize());
    let place = place.with_context(|| folder.display().to_string())?;
    let Some(place) = place else {
        return Ok(Found::Folders(Vec::new()));
    };
    if !place.starts_with(root) {
        return Ok(Found::Outside);
    }
    if !known.insert(place) {
        return Ok(Found::Folders(Vec::new()));
    }
    if folder.join(RunRecord::FILE).exists() {
        match Seen::of(folder) {
            Err(Error::NotARun { .. }) => {}
            Err(Error::Io { source, .. }) if is_gone(&source) => {}
            seen => return Ok(Found::Run(Box::new(seen?))),
        }
    }
    let folders = folders_in(folder).with_context(|| folder.display().to_string())?;
    Ok(Found::Folders(folders))
}

fn folders_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in unless_gone(fs::read_dir(folder))?.into_iter().flatten() {
        let path = entry?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    Ok(folders)
}

fn unless_gone<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Err(error) if is_gone(&error) => Ok(None),
        found => found.map(Some),
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}
