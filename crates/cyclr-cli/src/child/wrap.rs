//! A program that cannot be asked: it is started once for a whole run, with the rates in its
//! arguments, and its figures are read from what it prints.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use cyclr::Hyper;
use cyclr::trainer::{
    Direction, Evaluation, Known, Metric, Metrics, Objective, Split, Trainer, TrainerError,
    TrainerFactory, TrainerInfo, Unit, WholeRuns,
};

use super::figure::{Figures, Pattern};
use super::output::{Output, noted};
use super::process::Process;
use super::run::hint;

/// How often a running program is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How long the last words of a program that has ended are waited for.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What is kept of what a program prints; a run's log ends there, too.
const MOST_PRINTED: usize = 16 << 20;

/// What the words of a command may hold.
const SCHEDULE: &str = "{schedule}";
const LR: &str = "{lr}";
const SEED: &str = "{seed}";
const DATA_SEED: &str = "{data_seed}";
const UPDATES: &str = "{updates}";
const FOLDER: &str = "{folder}";

/// What is to be known of a program beside its command.
#[derive(Clone, Debug)]
pub(crate) struct Wrap {
    /// Where the figure stands that decides.
    pub(crate) metric: Pattern,
    /// Where the figure stands that is reported, if that is another.
    pub(crate) test_metric: Option<Pattern>,
    /// Which of two figures is better.
    pub(crate) direction: Direction,
    /// The training examples.
    pub(crate) examples: u64,
    /// Those of an update.
    pub(crate) batch: u64,
    pub(crate) data_seed: u64,
    /// What a run may take.
    pub(crate) timeout: Option<Duration>,
}

/// Whether somebody wants the work to stop.
pub(crate) type Stop = Box<dyn Fn() -> bool + Send + Sync>;

/// Runs of a command, each one start of the program.
pub(crate) struct WrapFactory {
    command: Vec<String>,
    directory: Option<PathBuf>,
    wrap: Wrap,
    stop: Stop,
    info: TrainerInfo,
    /// Why a run had no figures. The command is then wrong, and no other run is started in vain.
    without_figures: OnceLock<String>,
}

impl fmt::Debug for WrapFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WrapFactory")
            .field("command", &self.command)
            .field("wrap", &self.wrap)
            .finish_non_exhaustive()
    }
}

impl WrapFactory {
    /// A command, and the folder that it is started in.
    ///
    /// # Errors
    /// What the command lacks, and what to write.
    pub(crate) fn new(
        command: Vec<String>,
        directory: Option<PathBuf>,
        wrap: Wrap,
        stop: Stop,
    ) -> Result<Self, String> {
        let has = |place: &str| command.iter().any(|word| word.contains(place));
        let schedule = has(SCHEDULE);
        if !schedule && !has(LR) {
            return Err(format!(
                "the command has neither {SCHEDULE} (a file with the rate of each update, one a line) nor {LR} (a constant \
                 rate), so that no rate would reach the program: write one where it takes its rate"
            ));
        }
        if !has(SEED) {
            return Err(format!(
                "the command has no {SEED}, so that all runs would be one: write it where the program takes its seed"
            ));
        }
        if !schedule && !has(UPDATES) {
            return Err(format!(
                "the command has no {UPDATES}, so that the program would not know how long to train: write it where the \
                 program takes its updates"
            ));
        }
        let info = TrainerInfo {
            validation: 1,
            test: 1,
            objective: Some(Objective {
                name: String::from(wrap.metric.name()).into(),
                direction: wrap.direction,
                unit: Unit::Own,
            }),
            whole_runs: Some(WholeRuns {
                schedule,
                test_apart: wrap.test_metric.is_some(),
            }),
            ..TrainerInfo::new(wrap.examples, wrap.batch)
        };
        Ok(Self {
            command,
            directory,
            wrap,
            stop,
            info: info.checked().map_err(|error| error.to_string())?,
            without_figures: OnceLock::new(),
        })
    }
}

impl TrainerFactory for WrapFactory {
    fn start(&self, seed: u64) -> Result<Box<dyn Trainer + '_>, TrainerError> {
        self.start_known(seed, Known::default())
    }

    fn start_known(&self, seed: u64, known: Known) -> Result<Box<dyn Trainer + '_>, TrainerError> {
        Ok(Box::new(Wrapped {
            factory: self,
            seed,
            folder: known.folder.map(String::from),
            printed: Vec::new(),
            figures: None,
        }))
    }
}

/// One run: nothing until its updates are asked for, all at once.
#[derive(Debug)]
struct Wrapped<'f> {
    factory: &'f WrapFactory,
    seed: u64,
    /// The run's folder, where it has one.
    folder: Option<String>,
    /// What was printed and not taken yet.
    printed: Vec<u8>,
    /// What decides and what is reported, once the run is made.
    figures: Option<[f64; 2]>,
}

impl Wrapped<'_> {
    /// Makes the whole run.
    fn make(&mut self, hypers: &[Hyper]) -> Result<[f64; 2], TrainerError> {
        if let Some(reason) = self.factory.without_figures.get() {
            return Err(failed(&format!(
                "not started, because in another run {reason}"
            )));
        }
        let (mut process, printed) = self.start(hypers)?;
        let output = Output::collect(printed);
        let Wrap {
            metric,
            test_metric,
            timeout,
            ..
        } = &self.factory.wrap;
        let mut figures = Figures::new(
            [Some(metric), test_metric.as_ref()]
                .into_iter()
                .flatten()
                .collect(),
        );
        let began = Instant::now();
        while process.lives() {
            self.read(&output, &mut figures);
            if (self.factory.stop)() {
                process.end();
                return Err(failed("it was stopped"));
            }
            if let Some(timeout) = timeout
                && began.elapsed() > *timeout
            {
                process.end();
                let seconds = timeout.as_secs_f64();
                return Err(last_words(
                    &format!("the program has not ended within {seconds} s"),
                    &output,
                ));
            }
            sleep(LOOK_EVERY);
        }
        output.wait(LAST_WORDS);
        let status = process.end();
        self.read(&output, &mut figures);
        if !status.as_ref().is_some_and(ExitStatus::success) {
            let how = status.map_or_else(|| String::from("unknown"), |status| status.to_string());
            return Err(last_words(&format!("the program failed ({how})"), &output));
        }
        let found = figures.found().map_err(|reason| {
            let error = last_words(&reason, &output);
            // Another run may have said it before.
            let _ = self.factory.without_figures.set(reason);
            error
        })?;
        let decides = found[0];
        Ok([decides, found.get(1).copied().unwrap_or(decides)])
    }

    fn start(&self, hypers: &[Hyper]) -> Result<(Process, std::io::PipeReader), TrainerError> {
        let WrapFactory {
            command, directory, ..
        } = self.factory;
        let (program, args) = command
            .split_first()
            .ok_or_else(|| failed("there is no command"))?;
        let started = Process::spawn(program, directory.as_deref(), |started, folder| {
            let schedule = folder.join("schedule.txt");
            let rates: Vec<String> = hypers.iter().map(|hyper| hyper.lr.to_string()).collect();
            fs::write(&schedule, rates.join("\n") + "\n")?;
            for word in args {
                started.arg(self.filled(word, hypers, &schedule)?);
            }
            Ok(())
        });
        let (process, (), printed) = started.map_err(|error| {
            failed(&format!(
                "`{program}` cannot be started: {error}{}",
                hint(&error)
            ))
        })?;
        Ok((process, printed))
    }

    /// A word of the command, for this run.
    fn filled(&self, word: &str, hypers: &[Hyper], schedule: &Path) -> std::io::Result<String> {
        let missing = |what| std::io::Error::other(format!("there is no {what} for `{word}`"));
        let mut filled = word.replace(SCHEDULE, &schedule.to_string_lossy());
        if filled.contains(LR) {
            let first = hypers.first().ok_or_else(|| missing("rate"))?;
            filled = filled.replace(LR, &first.lr.to_string());
        }
        if filled.contains(FOLDER) {
            let folder = self.folder.as_deref();
            let folder = folder.ok_or_else(|| missing("folder whose name is UTF-8"))?;
            filled = filled.replace(FOLDER, folder);
        }
        Ok(filled
            .replace(SEED, &self.seed.to_string())
            .replace(DATA_SEED, &self.factory.wrap.data_seed.to_string())
            .replace(UPDATES, &hypers.len().to_string()))
    }

    fn read(&mut self, output: &Output, figures: &mut Figures) {
        let (dropped, printed) = output.take_counted();
        if dropped > 0 {
            figures.lose(dropped);
        }
        figures.read(&printed);
        if self.printed.len() <= MOST_PRINTED {
            self.printed.extend(noted(dropped, printed));
        }
    }
}

impl Trainer for Wrapped<'_> {
    fn info(&self) -> &TrainerInfo {
        &self.factory.info
    }

    fn update(&mut self, hyper: Hyper) -> Result<Metrics, TrainerError> {
        self.updates(&[hyper]).map(|_| Metrics::default())
    }

    fn updates(&mut self, hypers: &[Hyper]) -> Result<Vec<Metrics>, TrainerError> {
        if self.figures.is_some() {
            return Err(cannot("go on", "it makes whole runs only"));
        }
        self.figures = Some(self.make(hypers)?);
        // Nothing is known of a single update.
        Ok(vec![Metrics::default(); hypers.len()])
    }

    fn evaluate(&mut self, split: Split) -> Result<Evaluation, TrainerError> {
        let Some([decides, reported]) = self.figures else {
            return Err(cannot("be measured", "its figures are there at the end"));
        };
        let objective = self.factory.info.objective.as_ref();
        let metric = objective.map(|objective| Metric {
            name: objective.name.clone(),
            direction: objective.direction,
            value: match split {
                Split::Validation => decides,
                Split::Test => reported,
            },
            count: 1,
            correct: None,
        });
        Ok(Evaluation {
            metrics: Metrics::new(metric),
            correct: None,
        })
    }

    fn state(&mut self) -> Result<Vec<u8>, TrainerError> {
        Err(cannot("be saved", "it makes whole runs only"))
    }

    fn restore(&mut self, _state: &[u8]) -> Result<(), TrainerError> {
        Err(cannot("be restored", "it makes whole runs only"))
    }

    fn output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.printed)
    }
}

fn last_words(reason: &str, output: &Output) -> TrainerError {
    output.wait(LAST_WORDS);
    failed(&match output.last_lines() {
        Some(lines) => format!("{reason}; the last lines that it printed:\n{lines}"),
        None => format!("{reason}; it printed nothing"),
    })
}

fn failed(reason: &str) -> TrainerError {
    TrainerError::Failed {
        reason: String::from(reason),
    }
}

fn cannot(what: &'static str, reason: &str) -> TrainerError {
    TrainerError::Unsupported {
        what,
        reason: String::from(reason),
    }
}
