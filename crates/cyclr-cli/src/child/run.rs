mod failure;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cyclr::Hyper;
use cyclr::trainer::{
    Average, Evaluation, Known, Metrics, Split, Trainer, TrainerError, TrainerInfo,
};
use cyclr_child::protocol::{
    Answer, Call, Done, ErrorObject, Evaluated, Initialized, NO_METHOD, Request, Updated, VERSION,
    Version,
};
use serde::de::DeserializeOwned;

use super::answers;
use super::channel::{Broken, Channel, Waiting};
use super::output::Output;
use super::pace::{Paces, TO_END};
use super::process::Process;
use super::state_file::{StateFile, no_file};
use crate::say::note;

pub(super) use failure::failed;
use failure::shown;

/// How long a child may take to end after `shutdown` if nothing depends on it any more.
const TO_END_UNASKED: Duration = Duration::from_secs(10);

/// After this long without a sign that the script knows cyclr, a hint is shown.
const HINT_AFTER: Duration = Duration::from_secs(10);

/// What a script needs that knows nothing of cyclr.
const HINT: &str = "run a PyTorch script unchanged with `-- cyclr drive train.py` (of cyclr's Python package); in any \
     Python script call cyclr.attach or cyclr.serve; another program follows docs/protocol.md, or runs unchanged \
     with --wrap";

/// How long the last words of a dead child are waited for.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The notes to the user that were shown, each once for all runs of a command.
#[derive(Debug, Default)]
pub(super) struct ShownNotes(Mutex<BTreeSet<String>>);

impl ShownNotes {
    fn tell(&self, notes: Vec<String>) {
        for line in notes {
            let mut told = self.0.lock().expect("no panic while it is held");
            if told.insert(line.clone()) {
                note!("{line}");
            }
        }
    }
}

/// One run: a process that is asked, one request at a time.
#[derive(Debug)]
pub(super) struct Child {
    process: Process,
    /// `None` once nothing can be asked any more.
    channel: Option<Channel>,
    output: Output,
    info: Option<TrainerInfo>,
    requests: u64,
    /// Whether it has read a request, or connected; or another process of the command has.
    heard: bool,
    /// What processes of the command have told the user.
    told: Arc<ShownNotes>,
    paces: Paces,
    timeout: Option<Duration>,
}

impl Child {
    pub(super) fn start(
        command: &[String],
        directory: Option<&Path>,
        timeout: Option<Duration>,
        is_known: bool,
        told: Arc<ShownNotes>,
    ) -> Result<Self, TrainerError> {
        let started = Process::start(command, directory);
        let (process, channel, printed) = started.map_err(|error| {
            let program = command.first().map_or("", String::as_str);
            let place = directory.map_or_else(String::new, |d| format!(" in {}", d.display()));
            failed(format!(
                "`{program}` cannot be started{place}: {error}{}",
                hint(&error)
            ))
        })?;
        Ok(Self {
            process,
            channel: Some(channel),
            output: Output::collect(printed),
            info: None,
            requests: 0,
            heard: is_known,
            told,
            paces: Paces::default(),
            timeout,
        })
    }

    /// The first request, after which the facts are known.
    pub(super) fn initialize(
        &mut self,
        seed: u64,
        data_seed: u64,
        batch: Option<u64>,
        known: Known,
    ) -> Result<(), TrainerError> {
        let call = Call::Initialize {
            protocol: VERSION,
            seed,
            data_seed,
            batch,
            updates: known.updates,
            folder: known.folder.map(String::from),
        };
        let answer: Initialized = self.get(call, 1.0)?;
        let info = answers::info(answer, batch).map_err(|e| self.wrong(&e))?;
        self.info = Some(info);
        Ok(())
    }

    /// Asks, and takes no error for an answer.
    fn get<T: DeserializeOwned>(&mut self, call: Call, units: f64) -> Result<T, TrainerError> {
        let method = call.method();
        self.ask(call, units)?.map_err(|error| {
            if error.code == NO_METHOD {
                let reason = format!("the script has no method `{method}` ({})", error.message);
                return TrainerError::Unsupported {
                    what: "do what was asked",
                    reason,
                };
            }
            let ErrorObject { code, message } = error;
            self.with_last_lines(&format!(
                "the script could not do `{method}`: {message} (code {code})"
            ))
        })
    }

    /// Sends a request and reads its answer. A child that gives none is ended.
    fn ask<T: DeserializeOwned>(
        &mut self,
        call: Call,
        units: f64,
    ) -> Result<Result<T, ErrorObject>, TrainerError> {
        let method = call.method();
        let limit = self
            .timeout
            .unwrap_or_else(|| self.paces.limit(method, units));
        let began = Instant::now();
        let line = self
            .exchange(call, began + limit)
            .map_err(|broken| self.give_up(method, &broken, limit))?;
        let answer: Answer<T> = serde_json::from_slice(&line)
            .map_err(|error| self.wrong(&format!("{}: {error}", shown(&line))))?;
        let Answer {
            jsonrpc: Version::Two,
            id,
            result,
            error,
        } = answer;
        if id != Some(self.requests) {
            let id = id.map_or_else(|| String::from("null"), |id| id.to_string());
            return Err(self.wrong(&format!(
                "the id {id} instead of {}, in {}",
                self.requests,
                shown(&line)
            )));
        }
        self.paces.note(method, began.elapsed(), units);
        match (result, error) {
            (Some(result), None) => Ok(Ok(result)),
            (None, Some(error)) => Ok(Err(error)),
            (None, None) => Err(self.wrong("missing field `result`")),
            (Some(_), Some(_)) => Err(self.wrong("both a result and an error")),
        }
    }

    fn exchange(&mut self, call: Call, deadline: Instant) -> Result<Vec<u8>, Broken> {
        let Some(channel) = &mut self.channel else {
            return Err(Broken::Closed(Vec::new()));
        };
        self.requests += 1;
        let request = Request {
            jsonrpc: Version::Two,
            id: self.requests,
            call,
        };
        let mut line = serde_json::to_vec(&request).map_err(|e| Broken::Io(e.into()))?;
        line.push(b'\n');
        let began = Instant::now();
        let (process, known) = (&self.process, &mut self.heard);
        let mut hinted = false;
        let answer = channel.exchange(
            &line,
            &mut Waiting {
                deadline,
                lives: &mut || process.lives(),
                heard: &mut |heard| {
                    *known |= heard;
                    if !*known && !hinted && began.elapsed() >= HINT_AFTER {
                        hinted = true;
                        note!("the script has not asked cyclr for anything yet. Unless it is just slow to start: {HINT}");
                    }
                },
            },
        )?;
        self.heard = true;
        self.told.tell(self.output.take_notes());
        Ok(answer)
    }

    /// Lets the child end by itself.
    fn shut_down(&mut self, most: Duration) -> Result<(), TrainerError> {
        if self.channel.is_none() {
            return Ok(());
        }
        let most = self.timeout.map_or(most, |timeout| timeout.min(most));
        // Whatever it answers: what counts is that it answers, and ends.
        let answer = self.exchange(Call::Shutdown {}, Instant::now() + most);
        if let Err(broken @ (Broken::Closed(_) | Broken::TooLong | Broken::Io(_))) = answer {
            return Err(self.give_up("shutdown", &broken, most));
        }
        // The end of the pipe says the same once more, to a script that reads on.
        self.channel = None;
        let by_itself = self.process.wait(most);
        self.process.end();
        self.output.wait(LAST_WORDS);
        self.told.tell(self.output.take_notes());
        if by_itself {
            return Ok(());
        }
        Err(self.with_last_lines(&format!(
            "the child had not ended {:.0} s after `shutdown`, and was killed",
            most.as_secs_f64().ceil()
        )))
    }

    /// Has the script measure a split in the way that `call` says.
    fn measure(&mut self, split: Split, call: Call) -> Result<Evaluation, TrainerError> {
        let examples = match split {
            Split::Validation => self.info().validation,
            Split::Test => self.info().test,
        };
        if examples == 0 {
            return Self::cannot("evaluate", "the script has no such held-out data");
        }
        let answer: Evaluated = self.get(call, examples as f64)?;
        let metrics = answer.metrics.checked();
        let metrics = metrics.map_err(|e| self.wrong(&e.to_string()))?;
        let correct = answer
            .correct
            .map(|digits| answers::correct(&digits, examples));
        let correct = correct.transpose().map_err(|e| self.wrong(&e))?;
        Ok(Evaluation { metrics, correct })
    }

    /// Refuses what a script cannot do that does not average.
    fn check_averages(&self) -> Result<(), TrainerError> {
        if self.info().averages || self.info().ensembles {
            return Ok(());
        }
        let reason = "the script says that it does not average";
        Self::cannot("average", reason)
    }
}

impl Trainer for Child {
    fn info(&self) -> &TrainerInfo {
        self.info
            .as_ref()
            .expect("a trainer hands out runs that are initialized")
    }

    fn update(&mut self, hyper: Hyper) -> Result<Metrics, TrainerError> {
        let mut metrics = self.updates(&[hyper])?;
        metrics
            .pop()
            .ok_or_else(|| self.wrong("`updates` with the metrics of none"))
    }

    fn updates(&mut self, hypers: &[Hyper]) -> Result<Vec<Metrics>, TrainerError> {
        let updates = hypers.to_vec();
        let answer: Updated = self.get(Call::Updates { updates }, hypers.len() as f64)?;
        let metrics: Vec<Metrics> = answer
            .metrics
            .into_iter()
            .map(Metrics::checked)
            .collect::<Result<_, _>>()
            .map_err(|e| self.wrong(&e.to_string()))?;
        check_count(&metrics, hypers.len()).map_err(|e| self.wrong(&e))?;
        Ok(metrics)
    }

    fn evaluate(&mut self, split: Split) -> Result<Evaluation, TrainerError> {
        self.measure(split, Call::Evaluate { split })
    }

    fn average(&mut self, how: Average) -> Result<(), TrainerError> {
        self.check_averages()?;
        let ensemble = match how {
            Average::Troughs => None,
            Average::Ensemble(last) => Some(last),
        };
        let Done {} = self.get(Call::Average { ensemble }, 1.0)?;
        Ok(())
    }

    fn evaluate_average(&mut self, split: Split) -> Result<Evaluation, TrainerError> {
        self.check_averages()?;
        self.measure(split, Call::EvaluateAverage { split })
    }

    fn state(&mut self) -> Result<Vec<u8>, TrainerError> {
        if !self.info().snapshots {
            return Self::cannot("be saved", "the script says that it takes no snapshots");
        }
        let file = StateFile::of(&self.process);
        let Done {} = self.get(Call::State { path: file.name()? }, 1.0)?;
        file.read()
            .map_err(|error| self.wrong(&format!("`state`, and its file cannot be read: {error}")))
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), TrainerError> {
        if !self.info().snapshots {
            return Self::cannot("be restored", "the script says that it takes no snapshots");
        }
        let file = StateFile::of(&self.process);
        fs::write(&file.path, state).map_err(no_file)?;
        let call = Call::Restore { path: file.name()? };
        let answer: Result<Done, ErrorObject> = self.ask(call, 1.0)?;
        answer
            .map(|Done {}| ())
            .map_err(|error| TrainerError::BadState {
                reason: error.message,
            })
    }

    fn output(&mut self) -> Vec<u8> {
        self.output.take()
    }

    fn end(&mut self) -> Result<(), TrainerError> {
        self.shut_down(TO_END)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.shut_down(TO_END_UNASKED);
    }
}

/// What to do about a program that is not there.
pub(super) fn hint(error: &io::Error) -> &'static str {
    // Other errors say by themselves what they need, such as a folder.
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => {
            "; give a program that is there and can be run"
        }
        _ => "",
    }
}

/// As many updates as were asked for, or fewer, the last of which is not finite.
fn check_count(all: &[Metrics], asked: usize) -> Result<(), String> {
    let finite = all.iter().take_while(|metrics| metrics.is_finite()).count();
    if all.len() > asked {
        return Err(format!(
            "{} updates where {asked} were asked for",
            all.len()
        ));
    }
    if finite + 1 < all.len() {
        return Err(format!(
            "metrics of update {}, though those of the one before it are not finite: stop there",
            finite + 2
        ));
    }
    if finite == all.len() && all.len() < asked {
        return Err(format!(
            "{finite} of {asked} updates, though all their metrics are finite"
        ));
    }
    Ok(())
}
