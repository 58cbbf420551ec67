//! A run that was stopped in any way and resumed equals one that was not, and no folder is harmed.
#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::fs;
use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::{sleep, spawn};
use std::time::Duration;

use cyclr::Hyper;
use cyclr::trainer::{
    Evaluation, Metrics, Split, Trainer, TrainerError, TrainerFactory, TrainerInfo,
};
use cyclr_train::noisy_quadratic::NoisyQuadratic;
use cyclr_train::store::{
    Failure, Lock, Seen, Stage, State, read_events, read_outcome, read_run, stage,
};
use cyclr_train::{
    Average, Budget, Change, Error, Event, Interrupt, Outcome, StopReason, Task, Watch, resume,
    train_in,
};
use proptest::prelude::*;
use tempfile::TempDir;

fn task(updates: u64) -> Task {
    let spec = "triangular2(base=0.01, max=0.3, step=40, momentum=0.8..0.95)";
    let mut task = Task::new(spec.parse().unwrap(), 3, Budget::Updates(updates));
    task.evaluate_every = NonZeroU64::new(30);
    task
}

/// As [`task`] of 400 updates, saved as often as can be.
fn often_saved() -> Task {
    Task {
        save_every: Duration::ZERO,
        ..task(400)
    }
}

/// Does something in a folder, stopped when the observer says so.
fn watched<T>(observe: impl FnMut(&Event, &Interrupt), work: impl FnOnce(Watch) -> T) -> T {
    let (interrupt, mut observe) = (Interrupt::new(), observe);
    let mut observer = |event: &Event| observe(event, &interrupt);
    work(Watch {
        observer: &mut observer,
        interrupt: &interrupt,
    })
}

fn begin(
    folder: &Path,
    task: &Task,
    observe: impl FnMut(&Event, &Interrupt),
) -> Result<Outcome, Error> {
    let factory = serde_json::json!({ "net": "noisy quadratic" });
    watched(observe, |watch| {
        train_in(folder, &NoisyQuadratic::default(), factory, task, watch)
    })
}

fn go_on(
    folder: &Path,
    change: Option<Change>,
    observe: impl FnMut(&Event, &Interrupt),
) -> Result<Outcome, Error> {
    watched(observe, |watch| {
        resume(folder, &NoisyQuadratic::default(), change, watch)
    })
}

/// What a finished folder says, without the times.
fn says(folder: &Path) -> (Vec<Event>, Outcome) {
    let mut events: Vec<Event> = read_events(folder)
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    for event in &mut events {
        match event {
            Event::Updated { seconds, .. } => *seconds = 0.0,
            Event::Evaluated(evaluation) => evaluation.compute_seconds = 0.0,
            _ => {}
        }
    }
    let mut result = read_outcome(folder).unwrap().unwrap();
    (result.compute_seconds, result.wall_seconds) = (0.0, 0.0);
    let made = result.machines.iter().map(|machine| machine.updates);
    assert_eq!(made.sum::<u64>(), result.updates_done);
    for machine in &mut result.machines {
        machine.compute_seconds = 0.0;
    }
    for evaluation in &mut result.evaluations {
        evaluation.compute_seconds = 0.0;
    }
    (events, result)
}

/// The state in the last checkpoint: its last bytes but for the checksum.
fn state(folder: &Path) -> Vec<u8> {
    let mut files: Vec<_> = fs::read_dir(folder.join("checkpoints"))
        .unwrap()
        .map(|f| f.unwrap().path())
        .collect();
    files.sort();
    let bytes = fs::read(files.last().unwrap()).unwrap();
    let state = 16 + 24 * NoisyQuadratic::default().dimensions + 4;
    bytes[bytes.len() - 4 - state..bytes.len() - 4].to_vec()
}

fn straight(task: &Task) -> TempDir {
    let folder = TempDir::new().unwrap();
    begin(&folder.path().join("run"), task, |_, _| {}).unwrap();
    folder
}

/// Stops the work after an update, with a save or as a crash.
fn stop_after(update: u64, crash: bool) -> impl FnMut(&Event, &Interrupt) {
    move |event, interrupt| {
        if matches!(event, Event::Updated { update: now, .. } if *now == update) {
            if crash {
                resume_unwind(Box::new("crashed"));
            }
            interrupt.request();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_stopped_run_equals_a_straight_one(
        mut stops in prop::collection::vec((0u64..400, any::<bool>()), 1..5),
        save_every in prop_oneof![Just(Duration::ZERO), Just(Duration::from_secs(60))],
        average in prop_oneof![Just(None), Just(Some(Average::Troughs))],
    ) {
        let task = Task { save_every, average, ..task(400) };
        let expected = straight(&task);
        let expected = expected.path().join("run");
        let folder = TempDir::new().unwrap();
        let folder = folder.path().join("run");
        stops.sort_unstable();
        let (first, crash) = stops[0];
        let _ = catch_unwind(AssertUnwindSafe(|| begin(&folder, &task, stop_after(first, crash))));
        for &(update, crash) in &stops[1..] {
            let _ = catch_unwind(AssertUnwindSafe(|| go_on(&folder, None, stop_after(update, crash))));
        }
        go_on(&folder, None, |_, _| {}).unwrap();
        prop_assert_eq!(says(&folder), says(&expected));
        prop_assert_eq!(state(&folder), state(&expected));
    }
}

#[test]
fn an_interrupt_saves_and_says_where() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path().join("run");
    let mut saved = None;
    let result = begin(&folder, &task(400), |event, interrupt| match *event {
        Event::Updated { update: 99, .. } => interrupt.request(),
        Event::Saved { updates_done } => saved = Some(updates_done),
        _ => {}
    });
    let Err(Error::Interrupted {
        updates_done: Some(updates_done),
    }) = result
    else {
        panic!("{result:?}")
    };
    assert!(updates_done >= 100 && saved == Some(updates_done));
    assert_eq!(stage(&folder).unwrap(), Stage::Unfinished);
    // Its log has just grown, and still nobody is at work on this machine. On another one, whose
    // lock may not reach here, somebody may be.
    assert_eq!(Seen::of(&folder).unwrap().state, State::Waiting);
    fs::write(folder.join(Lock::FILE), "1 elsewhere").unwrap();
    assert_eq!(Seen::of(&folder).unwrap().state, State::AtWork(None));
    let mut started = None;
    go_on(&folder, None, |event, _| {
        if let Event::Started { updates_done, .. } = *event {
            started = Some(updates_done);
        }
    })
    .unwrap();
    assert_eq!(started, Some(updates_done));
}

#[test]
fn a_finished_run_is_read_and_not_made_again() {
    let folder = straight(&task(400));
    let folder = folder.path().join("run");
    let outcome = go_on(&folder, None, |event, _| panic!("{event:?}")).unwrap();
    assert_eq!(
        (outcome.updates_done, stage(&folder).unwrap()),
        (400, Stage::Finished)
    );
    assert_eq!(outcome, read_outcome(&folder).unwrap().unwrap());
}

#[test]
fn a_run_that_ended_early_and_was_killed_before_its_result_ends_there_again() {
    let mut task = task(4000);
    task.stop_on_plateau = true;
    let folder = straight(&task);
    let folder = folder.path().join("run");
    let expected = says(&folder);
    assert_eq!(expected.1.stop_reason, StopReason::Plateau);
    fs::remove_file(folder.join("result.json")).unwrap();
    go_on(&folder, None, |_, _| {}).unwrap();
    assert_eq!(says(&folder), expected);
}

#[test]
fn what_a_flat_run_compares_with_survives() {
    for seed in 0..6 {
        let spec = "triangular(base=0.002, max=0.004, step=50)"
            .parse()
            .unwrap();
        let task = Task {
            spec,
            seed,
            stop_on_plateau: true,
            ..task(4000)
        };
        let expected = straight(&task);
        let expected = says(&expected.path().join("run"));
        let folder = TempDir::new().unwrap();
        let folder = folder.path().join("run");
        begin(
            &folder,
            &task,
            stop_after(expected.1.updates_done - 50, false),
        )
        .unwrap_err();
        go_on(&folder, None, |_, _| {}).unwrap();
        assert_eq!(says(&folder), expected, "seed {seed}");
    }
}

#[test]
fn a_damaged_checkpoint_is_passed_over_and_said() {
    let expected = straight(&task(400));
    let expected = says(&expected.path().join("run"));
    for left in [0, 1] {
        let folder = TempDir::new().unwrap();
        let folder = folder.path().join("run");
        begin(&folder, &often_saved(), stop_after(250, false)).unwrap_err();
        let mut files: Vec<_> = fs::read_dir(folder.join("checkpoints"))
            .unwrap()
            .map(|f| f.unwrap().path())
            .collect();
        assert_eq!(files.len(), 2, "old checkpoints are pruned");
        files.sort();
        for (n, file) in files[left..].iter().enumerate() {
            let mut bytes = fs::read(file).unwrap();
            if n == 0 {
                let last = bytes.len() - 30;
                bytes[last] ^= 4;
            } else {
                bytes.truncate(bytes.len() / 2);
            }
            fs::write(file, bytes).unwrap();
        }
        let (mut damaged, mut started_over) = (Vec::new(), false);
        go_on(&folder, None, |event, _| match event {
            Event::Damaged { file, .. } => damaged.push(file.with_extension("ckpt")),
            Event::StartedOver => started_over = true,
            _ => {}
        })
        .unwrap();
        damaged.sort();
        assert_eq!(damaged, files[left..]);
        assert_eq!(started_over, left == 0, "said if no checkpoint is left");
        let usable = fs::read_dir(folder.join("checkpoints")).unwrap();
        let usable = usable.map(|file| file.unwrap().path());
        let usable = usable.filter(|file| file.extension().is_some_and(|e| e == "ckpt"));
        assert_eq!(
            usable.count(),
            2,
            "new checkpoints are kept beside the damaged ones"
        );
        assert_eq!(says(&folder), expected);
    }
}

#[test]
fn a_run_that_cannot_be_saved_starts_over() {
    let mut noisy_quadratic = NoisyQuadratic::default();
    noisy_quadratic.info.snapshots = false;
    let folder = TempDir::new().unwrap();
    let folder = folder.path().join("run");
    let train = |observe| {
        watched(observe, |watch| {
            train_in(
                &folder,
                &noisy_quadratic,
                serde_json::Value::Null,
                &task(400),
                watch,
            )
        })
    };
    train(stop_after(250, false)).unwrap_err();
    let outcome = watched(
        |_, _| {},
        |watch| resume(&folder, &noisy_quadratic, None, watch),
    )
    .unwrap();
    let expected = straight(&task(400));
    assert_eq!(says(&folder).0, says(&expected.path().join("run")).0);
    assert_eq!(outcome.updates_done, 400);
}

/// A finished run is given more updates, and is killed before its next checkpoint: it continues to
/// the new end.
#[test]
fn an_extension_that_was_killed_is_not_finished() {
    let folder = straight(&task(400));
    let folder = folder.path().join("run");
    let change = Change::KeepShape { updates: 800 };
    let killed = catch_unwind(|| {
        go_on(&folder, Some(change), |event, _| {
            assert!(!matches!(event, Event::Updated { update: 450, .. }));
        })
    });
    assert!(killed.is_err(), "it dies at update 450");
    let outcome = go_on(&folder, None, |_, _| {}).unwrap();
    assert_eq!(outcome.updates_done, 800);
    let rates = rates(&folder);
    assert_eq!(rates.len(), 800);
}

fn rates(folder: &Path) -> Vec<f64> {
    let rate = |event| match event {
        Ok(Event::Updated { hyper, .. }) => Some(hyper.lr),
        _ => None,
    };
    read_events(folder).unwrap().filter_map(rate).collect()
}

/// Trains 200 of 400 updates of a spec in a folder.
fn stopped(spec: &str, folder: &Path) {
    let task = Task {
        spec: spec.parse().unwrap(),
        ..task(400)
    };
    begin(folder, &task, stop_after(199, false)).unwrap_err();
}

/// Trains 200 of 400 updates of a spec, and continues with a change.
fn changed(spec: &str, change: Change) -> (Result<Outcome, Error>, Vec<f64>) {
    let folder = TempDir::new().unwrap();
    let folder = folder.path().join("run");
    stopped(spec, &folder);
    let updates_done = rates(&folder).len();
    let outcome = go_on(&folder, Some(change), |_, _| {});
    if outcome.is_ok() {
        let record = read_run(&folder).unwrap();
        assert_eq!(
            (record.changes.len(), record.changes[0].updates_done),
            (1, updates_done as u64)
        );
        assert_eq!(
            (record.changes[0].horizon, record.changes[0].end),
            (400, 400)
        );
    }
    (outcome, rates(&folder))
}

fn curve(spec: &str, updates: u64, over: std::ops::Range<u64>) -> Vec<f64> {
    let run = cyclr::units::Horizon::of_updates(updates).unwrap();
    let schedule = spec.parse::<cyclr::Spec>().unwrap().schedule(&run).unwrap();
    over.map(|update| schedule.at(update).lr).collect()
}

#[test]
fn a_new_horizon_keeps_the_shape_or_stretches_it() {
    let (cycles, linear, cosine) = (
        "triangular(base=0.01, max=0.3, step=50)",
        "linear(lr=0.3)",
        "cosine(lr=0.3, min=0.1)",
    );
    let (outcome, updates_done) = changed(cycles, Change::KeepShape { updates: 650 });
    assert_eq!(
        (outcome.unwrap().updates_done, updates_done),
        (600, curve(cycles, 600, 0..600))
    );

    let (outcome, updates_done) = changed(cosine, Change::KeepShape { updates: 500 });
    assert_eq!(
        (outcome.unwrap().updates_done, updates_done),
        (500, curve(cosine, 400, 0..500))
    );

    let (outcome, updates_done) = changed(linear, Change::KeepShape { updates: 300 });
    assert_eq!(
        (outcome.unwrap().updates_done, updates_done),
        (300, curve(linear, 400, 0..300))
    );

    // Cycles in per cent are over, and the rate stays at their base.
    let shares = "triangular(base=0.01, max=0.3, step=12.5%)";
    let (outcome, updates_done) = changed(shares, Change::KeepShape { updates: 500 });
    assert_eq!(
        (outcome.unwrap().updates_done, updates_done),
        (500, curve(shares, 400, 0..500))
    );

    let (outcome, updates_done) = changed(linear, Change::Stretch { updates: 800 });
    let split = updates_done
        .iter()
        .zip(curve(linear, 400, 0..400))
        .take_while(|(a, b)| **a == *b)
        .count();
    assert!(split >= 200 && outcome.unwrap().updates_done == 800);
    assert_eq!(updates_done[split..], curve(linear, 800, split as u64..800));

    let (outcome, _) = changed(linear, Change::KeepShape { updates: 800 });
    assert!(matches!(
        outcome,
        Err(Error::BadHorizon { updates: 800, .. })
    ));
    let (outcome, _) = changed(linear, Change::Stretch { updates: 150 });
    assert!(matches!(
        outcome,
        Err(Error::BadHorizon { updates: 150, .. })
    ));
}

#[test]
fn an_end_at_a_trough_is_said_of_the_new_budget() {
    for (spec, updates, expected) in [
        (
            "triangular(base=0.01, max=0.3, step=50)",
            650,
            Some((650, 600)),
        ),
        (
            "triangular(base=0.01, max=0.3, step=50)",
            350,
            Some((350, 300)),
        ),
        ("linear(lr=0.3)", 300, None),
        ("triangular(base=0.01, max=0.3, step=12.5%)", 500, None),
    ] {
        let folder = TempDir::new().unwrap();
        let folder = folder.path().join("run");
        stopped(spec, &folder);
        let mut said = None;
        let change = Change::KeepShape { updates };
        go_on(&folder, Some(change), |event, _| {
            if let Event::Adjusted { budget, end } = event {
                said = Some((*budget, *end));
            }
        })
        .unwrap();
        assert_eq!(said, expected, "{spec} for {updates}");
    }
}

#[test]
fn a_finished_run_can_be_given_more_and_its_result_is_kept() {
    let folder = straight(&task(400));
    let folder = folder.path().join("run");
    let before = fs::read(folder.join("result.json")).unwrap();
    go_on(&folder, Some(Change::KeepShape { updates: 720 }), |_, _| {}).unwrap();
    assert_eq!(fs::read(folder.join("result-400.json")).unwrap(), before);
    let longer = straight(&task(720));
    assert_eq!(says(&folder), says(&longer.path().join("run")));
}

#[test]
fn one_process_at_a_time() {
    let folder = straight(&task(400));
    let folder = folder.path().join("run");
    fs::remove_file(folder.join("result.json")).unwrap();
    let lock = Lock::take(&folder).unwrap();
    let error = go_on(&folder, None, |_, _| {}).unwrap_err();
    let me = std::process::id().to_string();
    assert!(matches!(error, Error::Locked { pid, .. } if pid == me));
    drop(lock);
    go_on(&folder, None, |_, _| {}).unwrap();
}

#[test]
fn folders_that_are_not_for_this_are_refused_and_left_alone() {
    let run = straight(&task(400));
    let run = run.path().join("run");
    let hint = |error| match error {
        Error::Occupied { hint, .. } => hint,
        error => panic!("{error:?}"),
    };
    assert!(hint(begin(&run, &task(400), |_, _| {}).unwrap_err()).contains("resume"));

    let other = TempDir::new().unwrap();
    fs::write(other.path().join("thesis.tex"), "precious").unwrap();
    assert_eq!(
        hint(begin(other.path(), &task(400), |_, _| {}).unwrap_err()),
        ""
    );
    assert!(matches!(
        go_on(other.path(), None, |_, _| {}),
        Err(Error::NotARun { .. })
    ));
    assert_eq!(fs::read_dir(other.path()).unwrap().count(), 1);

    let empty = TempDir::new().unwrap();
    begin(empty.path(), &task(400), |_, _| {}).unwrap();
}

#[test]
fn a_run_goes_on_with_the_data_that_it_was_begun_with() {
    let of = |checksum: Option<&str>| {
        let mut factory = NoisyQuadratic::default();
        factory.info.data_checksum = checksum.map(String::from);
        factory
    };
    let begun = |checksum| {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("run");
        let stop = stop_after(100, false);
        let began = watched(stop, |watch| {
            train_in(
                &path,
                &of(checksum),
                serde_json::Value::Null,
                &task(400),
                watch,
            )
        });
        assert!(matches!(began, Err(Error::Interrupted { .. })));
        folder
    };
    let goes_on = |folder: &TempDir, checksum| {
        let path = folder.path().join("run");
        watched(|_, _| {}, |watch| resume(&path, &of(checksum), None, watch))
    };
    let folder = begun(Some("first"));
    for (checksum, said) in [
        (Some("second"), "(first then, second now)"),
        (None, "(first then, no checksum now)"),
    ] {
        let error = goes_on(&folder, checksum).unwrap_err();
        assert!(matches!(error, Error::OtherData { .. }), "{error:?}");
        assert!(error.to_string().contains(said), "{error}");
    }
    goes_on(&folder, Some("first")).unwrap();
    // Records of earlier versions have none.
    let folder = begun(None);
    let record = fs::read_to_string(folder.path().join("run/run.json")).unwrap();
    assert!(!record.contains("data_checksum"));
    goes_on(&folder, Some("first")).unwrap();
}

#[test]
fn records_of_another_version_or_lab_are_refused() {
    let folder = straight(&task(400));
    let folder = folder.path().join("run");
    fs::remove_file(folder.join("result.json")).unwrap();

    let mut noisy_quadratic = NoisyQuadratic::default();
    noisy_quadratic.info.batch = 10;
    let error = watched(
        |_, _| {},
        |watch| resume(&folder, &noisy_quadratic, None, watch),
    )
    .unwrap_err();
    assert!(matches!(error, Error::OtherTrainer { .. }));
    let wider = NoisyQuadratic {
        dimensions: 9,
        ..NoisyQuadratic::default()
    };
    let error = watched(|_, _| {}, |watch| resume(&folder, &wider, None, watch)).unwrap_err();
    assert!(matches!(
        error,
        Error::Trainer(TrainerError::BadState { .. })
    ));

    let path = folder.join("run.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"version\": 2", "\"version\": 7")).unwrap();
    assert!(matches!(
        read_run(&folder),
        Err(Error::Version {
            found: 7,
            known: 2,
            ..
        })
    ));
    fs::write(&path, &text[..text.len() / 2]).unwrap();
    assert!(matches!(read_run(&folder), Err(Error::BadRecord { .. })));
    // With such lengths the run would never end.
    let whole: serde_json::Value = serde_json::from_str(&text).unwrap();
    let end = whole["plan"]["end"].as_u64().unwrap();
    for (key, bad) in [
        ("end", end + 1),
        ("end", u64::MAX),
        ("horizon", 0),
        ("horizon", u64::MAX),
    ] {
        let mut other = whole.clone();
        other["plan"][key] = bad.into();
        fs::write(&path, other.to_string()).unwrap();
        let error = read_run(&folder).unwrap_err();
        assert!(matches!(error, Error::BadRecord { .. }), "{key} = {bad}");
        assert!(error.to_string().contains(&format!("`plan.{key}`")));
    }
}

#[test]
fn what_was_saved_before_a_write_failed_is_kept() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path().join("run");
    let (checkpoints, aside) = (folder.join("checkpoints"), folder.join("aside"));
    let result = begin(&folder, &often_saved(), |event, _| {
        if matches!(event, Event::Updated { update: 200, .. }) {
            fs::rename(&checkpoints, &aside).unwrap();
        }
    });
    assert!(matches!(result, Err(Error::Io { .. })), "{result:?}");
    fs::rename(&aside, &checkpoints).unwrap();
    let mut started = 0;
    go_on(&folder, None, |event, _| {
        if let Event::Started { updates_done, .. } = *event {
            started = updates_done;
        }
    })
    .unwrap();
    assert!(started >= 80, "{started}");
    let expected = straight(&task(400));
    assert_eq!(says(&folder), says(&expected.path().join("run")));
}

/// A noisy quadratic whose updates take a while, for a process that is to be killed. It fails at
/// one rate.
struct Slow(NoisyQuadratic);

const FAILS: f64 = 0.75;

struct SlowRun<'a>(Box<dyn Trainer + 'a>);

impl TrainerFactory for Slow {
    fn start(&self, seed: u64) -> Result<Box<dyn Trainer + '_>, TrainerError> {
        Ok(Box::new(SlowRun(self.0.start(seed)?)))
    }
}

impl Trainer for SlowRun<'_> {
    fn info(&self) -> &TrainerInfo {
        self.0.info()
    }
    fn update(&mut self, hyper: Hyper) -> Result<Metrics, TrainerError> {
        if hyper.lr == FAILS {
            let reason = String::from("no memory");
            return Err(TrainerError::Failed { reason });
        }
        sleep(Duration::from_micros(500));
        self.0.update(hyper)
    }
    fn evaluate(&mut self, split: Split) -> Result<Evaluation, TrainerError> {
        self.0.evaluate(split)
    }
    fn state(&mut self) -> Result<Vec<u8>, TrainerError> {
        self.0.state()
    }
    fn restore(&mut self, state: &[u8]) -> Result<(), TrainerError> {
        self.0.restore(state)
    }
}

/// The next process that takes the run finds the failure there, and removes it.
#[test]
fn a_failure_is_written_down_before_the_run_is_let_go() {
    let place = TempDir::new().unwrap();
    let (folder, slow) = (place.path().join("run"), Slow(NoisyQuadratic::default()));
    let spec = format!("fixed(lr={FAILS})").parse().unwrap();
    let task = Task::new(spec, 1, Budget::Updates(10));
    let failed = folder.join(Failure::FILE);
    for again in [false, true] {
        let (held, is_held) = mpsc::channel();
        let watched_folder = folder.clone();
        let written_when_let_go = spawn(move || {
            while !Lock::is_held(&watched_folder).unwrap() {}
            held.send(()).unwrap();
            while Lock::is_held(&watched_folder).unwrap() {}
            watched_folder.join(Failure::FILE).exists()
        });
        let wait = |event: &Event, _: &Interrupt| {
            if matches!(event, Event::Started { .. }) {
                is_held.recv().unwrap();
            }
        };
        let made = watched(wait, |watch| {
            if again {
                resume(&folder, &slow, None, watch)
            } else {
                train_in(&folder, &slow, serde_json::Value::Null, &task, watch)
            }
        });
        assert!(matches!(made, Err(Error::Trainer(_))), "{made:?}");
        assert!(written_when_let_go.join().unwrap());
        assert!(fs::read_to_string(&failed).unwrap().contains("no memory"));
    }
    // A failure elsewhere, such as that of a process that lost the run, is not that of its holder.
    let lock = Lock::take(&folder).unwrap();
    Failure::of("of another".into()).write(&folder).unwrap();
    assert!(!fs::read_to_string(&failed).unwrap().contains("another"));
    drop(lock);
    Failure::of("of another".into()).write(&folder).unwrap();
    assert!(fs::read_to_string(&failed).unwrap().contains("another"));
}

const FOLDER: &str = "CYCLR_TRAIN_TEST_FOLDER";

/// Not a test by itself: the process that the next test kills.
#[test]
#[ignore = "the next test runs it"]
fn a_process_that_trains() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let (folder, slow) = (Path::new(&folder), Slow(NoisyQuadratic::default()));
    let task = Task {
        save_every: Duration::from_millis(5),
        ..task(400)
    };
    watched(
        |_, _| {},
        |watch| match stage(folder).unwrap() {
            Stage::Absent => train_in(folder, &slow, serde_json::Value::Null, &task, watch),
            Stage::Unfinished | Stage::Finished => resume(folder, &slow, None, watch),
        },
    )
    .unwrap();
}

fn train_elsewhere(folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "a_process_that_trains"])
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Whether a run has begun, and saved itself after at least a number of updates.
fn has_saved(folder: &Path, updates_done: u64) -> bool {
    let Ok(entries) = fs::read_dir(folder.join("checkpoints")) else {
        return false;
    };
    let update = |path: PathBuf| path.file_stem()?.to_str()?.parse().ok();
    let mut saved = entries.flatten().filter_map(|entry| update(entry.path()));
    updates_done == 0 || saved.any(|update: u64| update >= updates_done)
}

#[test]
fn a_killed_process_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path().join("run");
    let mut kills = 0;
    for updates_done in [0, 20, 80, 140, 200, 260, 320] {
        let mut child = train_elsewhere(&folder);
        while !has_saved(&folder, updates_done) && child.try_wait().unwrap().is_none() {
            sleep(Duration::from_millis(1));
        }
        kills += u32::from(child.try_wait().unwrap().is_none());
        // The system's own way to end a process at once: SIGKILL on Unix.
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(kills >= 3, "it was killed {kills} times");
    assert!(train_elsewhere(&folder).wait().unwrap().success());
    let task = Task {
        save_every: Duration::from_millis(5),
        ..task(400)
    };
    let expected = straight(&task);
    assert_eq!(says(&folder), says(&expected.path().join("run")));
    assert_eq!(state(&folder), state(&expected.path().join("run")));
}
