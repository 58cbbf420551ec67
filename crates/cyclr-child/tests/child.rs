//! A loop of one's own under a cyclr that is played here, by hand-written messages. This program
//! starts itself as the child.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "an integration test")]

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use cyclr::trainer::{Evaluation, Metric, Metrics, Split, TrainerInfo};
use cyclr::units::Horizon;
use cyclr::{Schedule, Spec};
use cyclr_child::{Error, Trained, VARIABLES, begin};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Descent in a bowl.
struct Bowl(f64);

impl Trained for Bowl {
    fn evaluate(&mut self, split: Split) -> Result<Evaluation, String> {
        match split {
            Split::Validation => Ok(Evaluation {
                metrics: Metrics::new([Metric::loss(self.0.powi(2), 2)]),
                correct: Some(vec![true, false]),
            }),
            Split::Test => Err("the test data are away".into()),
        }
    }

    fn state(&mut self) -> Result<Vec<u8>, String> {
        Ok(self.0.to_le_bytes().to_vec())
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), String> {
        let bytes = state.try_into().map_err(|_| "it is no weight")?;
        self.0 = f64::from_le_bytes(bytes);
        Ok(())
    }
}

fn info() -> TrainerInfo {
    TrainerInfo {
        validation: 2,
        test: 2,
        snapshots: true,
        ..TrainerInfo::new(100, 10)
    }
}

fn train() -> Vec<f64> {
    let run = begin(3).unwrap();
    let mut bowl = Bowl(run.seed as f64);
    let mut lr = run.attach(info(), alone()).unwrap();
    let mut losses = Vec::new();
    while let Some(hyper) = lr.next(&mut bowl).unwrap() {
        losses.push(bowl.0.powi(2));
        lr.made(Metrics::new([Metric::loss(bowl.0.powi(2), 10)]));
        bowl.0 -= hyper.lr * 2.0 * bowl.0;
    }
    losses
}

fn alone() -> Schedule {
    let spec = "fixed(lr=0.25)".parse::<Spec>().unwrap();
    spec.schedule(&Horizon::of_updates(4).unwrap()).unwrap()
}

/// The losses of a plain loop.
fn descent(mut weight: f64, rates: &[f64]) -> Vec<f64> {
    let mut losses = Vec::new();
    for lr in rates {
        losses.push(weight.powi(2));
        weight -= lr * 2.0 * weight;
    }
    losses
}

#[test]
#[ignore = "the child of the other tests"]
fn is_a_child() {
    train();
}

#[test]
fn alone_the_loop_follows_its_schedule() {
    assert_eq!(train(), descent(3.0, &[0.25; 4]));
}

/// A loop that forgets to tell would be given the same update for ever.
#[test]
fn each_update_is_told_once() {
    for told in [0, 2] {
        let run = begin(3).unwrap();
        let mut bowl = Bowl(3.0);
        let mut lr = run.attach(info(), alone()).unwrap();
        assert!(lr.next(&mut bowl).unwrap().is_some());
        for _ in 0..told {
            lr.made(Metrics::new([Metric::loss(9.0, 10)]));
        }
        let refused = lr.next(&mut bowl);
        assert!(
            matches!(refused, Err(Error::NotOnce { calls, updates: 1 }) if calls == told),
            "{refused:?}"
        );
    }
}

#[test]
fn a_loop_is_driven_over_the_socket_where_the_pipes_are_closed() {
    let place = TempDir::new().unwrap();
    let path = place.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let mut command = child();
    command.env("CYCLR_FD", "98,99").env("CYCLR_SOCKET", &path);
    let running = command.spawn().unwrap();
    let (socket, _) = listener.accept().unwrap();
    let sent = socket.try_clone().unwrap();
    converse(sent, socket, place.path(), running);
}

#[test]
fn a_loop_is_driven_over_its_pipes() {
    let place = TempDir::new().unwrap();
    let pipes = ["requests", "answers"].map(|name| place.path().join(name));
    assert!(
        Command::new("mkfifo")
            .args(&pipes)
            .status()
            .unwrap()
            .success()
    );
    let identity = pipes.each_ref().map(|pipe| {
        let found = fs::metadata(pipe).unwrap();
        format!("{}:{}", found.dev(), found.ino())
    });
    let itself = child();
    let mut command = Command::new("sh");
    command.args(["-c", r#"exec 3<"$1" 4>"$2"; shift 2; exec "$@""#, "sh"]);
    command
        .args(&pipes)
        .arg(itself.get_program())
        .args(itself.get_args());
    command
        .env("CYCLR_FD", "3,4")
        .env("CYCLR_PIPES", identity.join(","));
    let running = command.stdout(Stdio::null()).spawn().unwrap();
    let sent = OpenOptions::new().write(true).open(&pipes[0]).unwrap();
    let told = File::open(&pipes[1]).unwrap();
    converse(sent, told, place.path(), running);
}

/// Files of the program's own at the numbers of the pipes are left alone.
#[test]
fn foreign_descriptors_are_not_written_to() {
    let place = TempDir::new().unwrap();
    let own = place.path().join("results.csv");
    fs::write(&own, "").unwrap();
    let itself = child();
    let mut command = Command::new("sh");
    command
        .args(["-c", r#"exec 3<"$1" 4>>"$1"; shift; exec "$@""#, "sh"])
        .arg(&own);
    command.arg(itself.get_program()).args(itself.get_args());
    command.env("CYCLR_FD", "3,4").env("CYCLR_PIPES", "1:2,3:4");
    let done = command.output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(
        !done.status.success() && said.contains("Unreached"),
        "{said}"
    );
    assert_eq!(fs::read_to_string(own).unwrap(), "");
}

/// This program as a child.
fn child() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["is_a_child", "--exact", "--ignored", "--nocapture"]);
    for variable in VARIABLES {
        command.env_remove(variable);
    }
    command.stdout(Stdio::null());
    command
}

/// A whole run, from `initialize` to `shutdown`.
fn converse(mut sent: impl Write, told: impl Read, place: &Path, mut running: Child) {
    let mut told = BufReader::new(told);
    let mut ask = |id: u64, method: &str, params: Value| {
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        writeln!(sent, "{request}").unwrap();
        let mut line = String::new();
        told.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            (&answer["jsonrpc"], &answer["id"]),
            (&json!("2.0"), &json!(id))
        );
        answer
    };
    let updates = |rates: &[f64]| {
        let updates: Vec<Value> = rates.iter().map(|lr| json!({ "lr": lr })).collect();
        json!({ "updates": updates })
    };
    let losses = |answer: &Value| -> Vec<f64> {
        let made = answer["result"]["metrics"].as_array().unwrap();
        made.iter()
            .map(|metrics| metrics[0]["value"].as_f64().unwrap())
            .collect()
    };
    let params = json!({ "protocol": 1, "seed": 5, "data_seed": 0, "batch": null, "unknown": 1 });
    let info = ask(1, "initialize", params)["result"].clone();
    assert_eq!(
        (&info["protocol"], &info["examples"]),
        (&json!(1), &json!(100))
    );

    let rates = [0.1, 0.2, 0.3, 0.05, 0.15];
    let wanted = descent(5.0, &rates);
    assert_eq!(
        losses(&ask(2, "updates", updates(&rates[..2]))),
        wanted[..2]
    );
    let state = place.join("state");
    assert_eq!(
        ask(3, "state", json!({ "path": state }))["result"],
        json!({})
    );
    assert_eq!(
        losses(&ask(4, "updates", updates(&rates[2..]))),
        wanted[2..]
    );
    ask(5, "restore", json!({ "path": state }));
    assert_eq!(
        losses(&ask(6, "updates", updates(&rates[2..]))),
        wanted[2..]
    );
    let measured = ask(7, "evaluate", json!({ "split": "validation" }))["result"].clone();
    assert_eq!(measured["correct"], "10");
    let refused = ask(8, "evaluate", json!({ "split": "test" }));
    assert_eq!(refused["error"]["message"], "the test data are away");
    for (id, method) in [(9, "average"), (10, "of_a_later_version")] {
        let error = ask(id, method, json!({}))["error"].clone();
        let message = format!("there is no method `{method}`");
        assert_eq!(error, json!({ "code": -32601, "message": message }));
    }
    // It diverges, and is asked for more.
    let made = ask(11, "updates", updates(&[1e200, 1e200, 1e200, 1e200]));
    let made = made["result"]["metrics"].as_array().unwrap();
    assert!(
        made.len() < 4 && made.last().unwrap()[0]["value"].is_null(),
        "{made:?}"
    );
    assert_eq!(ask(12, "shutdown", json!({}))["result"], json!({}));
    assert!(running.wait().unwrap().success());
}
