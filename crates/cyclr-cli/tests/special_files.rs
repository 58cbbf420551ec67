//! Whatever stands in the place of a file that cyclr reads, a named pipe that nobody writes to or
//! a device without an end: the command ends, and says which file it is.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "an integration test")]

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A command that takes longer hangs: each needs a small part of a second.
const PATIENCE: Duration = Duration::from_secs(60);

fn command(place: &Path, words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cyclr"));
    command.args(words.split(' ')).current_dir(place);
    command
}

/// Trains or compares the script `bowl.py`.
fn make(place: &Path, words: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/child/bowl.py");
    let mut command = command(place, words);
    command.args(["--", "python3"]).arg(script);
    let made = command.output().unwrap();
    assert!(made.status.success(), "{made:?}");
}

/// A command that must be refused, with a word about the file. One that watches a comparison may say
/// it beside the runs that it can show.
fn refused(place: &Path, words: &str, file: &str) {
    let mut command = command(place, words);
    let shown = place.join("shown");
    let stdout = fs::File::create(&shown).unwrap();
    command.stdin(Stdio::null()).stdout(stdout);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let said = spawn(move || {
        let mut said = String::new();
        stderr.read_to_string(&mut said).map(|_| said)
    });
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if began.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("`{words}` hangs on {file}");
        }
        sleep(Duration::from_millis(5));
    };
    let said = said.join().unwrap().unwrap() + &fs::read_to_string(shown).unwrap();
    let shows = words.starts_with("watch cmp") && status.success();
    assert!(
        shows || matches!(status.code(), Some(1 | 2)),
        "{words}: {said}"
    );
    assert!(said.contains(file), "`{words}` should name {file}: {said}");
}

fn make_pipe(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}

/// Commands that must be refused while a pipe stands in the place of a file.
fn refused_beside_a_pipe(place: &Path, file: &str, commands: &[&str]) {
    let (path, aside) = (place.join(file), place.join("aside"));
    let was_there = path.exists();
    if was_there {
        fs::rename(&path, &aside).unwrap();
    }
    make_pipe(&path);
    for words in commands {
        refused(place, words, file);
    }
    fs::remove_file(&path).unwrap();
    if was_there {
        fs::rename(&aside, &path).unwrap();
    }
}

#[test]
fn pipes_in_the_folder_of_a_run() {
    let place = TempDir::new().unwrap();
    let place = place.path();
    make(
        place,
        "train --policy fixed(lr=0.05) --updates 20 --out run",
    );
    let check = |file: &str, commands: &[&str]| refused_beside_a_pipe(place, file, commands);
    check("run/result.json", &["resume run", "watch run --once"]);
    fs::remove_file(place.join("run/result.json")).unwrap();
    check("run/run.json", &["resume run", "watch run --once"]);
    check("run/events.jsonl", &["resume run", "watch run --once"]);
    check("run/.lock", &["resume run", "watch run --once"]);
    check("run/failed.json", &["watch run --once"]);
    check("run/events.out.tfevents.cyclr", &["resume run"]);
    check("run/result.json.tmp", &["resume run"]);
    let mut checkpoints = fs::read_dir(place.join("run/checkpoints")).unwrap();
    let checkpoint: PathBuf = checkpoints.next().unwrap().unwrap().path();
    let checkpoint = checkpoint.strip_prefix(place).unwrap().to_str().unwrap();
    check(checkpoint, &["resume run"]);
    let ended = command(place, "resume run").output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
}

#[test]
fn pipes_in_the_folder_of_a_comparison() {
    let place = TempDir::new().unwrap();
    let place = place.path();
    make(
        place,
        "compare --arm fixed --arm linear --seeds 2 --budget 40 --margin 0.01 --out cmp",
    );
    let check = |file: &str, commands: &[&str]| refused_beside_a_pipe(place, file, commands);
    let run = "cmp/final/1/1-fixed-seed1";
    check("cmp/result.json", &["report cmp", "watch cmp --once"]);
    check("cmp/comparison.json", &["resume cmp", "watch cmp --once"]);
    // A report is made again, whatever stands in its place.
    let report = place.join("cmp/report.html");
    fs::remove_file(&report).unwrap();
    make_pipe(&report);
    let made = command(place, "report cmp").output().unwrap();
    assert!(made.status.success() && report.is_file(), "{made:?}");
    check(
        "cmp/winner.toml",
        &["train --policy cmp/winner.toml --plan"],
    );
    check("cmp/begin.json", &["resume cmp"]);
    check("cmp/range.json", &["resume cmp"]);
    check("cmp/work.json", &["work cmp begin"]);
    check("cmp/.lock", &["resume cmp"]);
    check(
        &format!("{run}/run.json"),
        &["resume cmp", "watch cmp --once"],
    );
    check(
        &format!("{run}/events.jsonl"),
        &["resume cmp", "watch cmp --once"],
    );
    check(
        &format!("{run}/result.json"),
        &["resume cmp", "watch cmp --once"],
    );
}

/// The picture is given by a bare name, of which the folder is the working directory.
#[test]
fn a_picture_replaces_a_pipe() {
    let place = TempDir::new().unwrap();
    let place = place.path();
    make_pipe(&place.join("plot.svg"));
    let words = "schedule fixed(lr=1) --updates 5 --out plot.svg";
    let drawn = command(place, words).output().unwrap();
    assert!(drawn.status.success(), "{drawn:?}");
    assert!(place.join("plot.svg").is_file());
}

#[test]
fn pipes_and_devices_that_are_named() {
    let place = TempDir::new().unwrap();
    let place = place.path();
    std::os::unix::fs::symlink("/dev/zero", place.join("endless")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", place.join("endless.toml")).unwrap();
    make_pipe(&place.join("pipe"));
    make_pipe(&place.join("pipe.toml"));
    let policy = "--policy fixed(lr=0.01) --updates 20";
    for name in ["pipe", "endless"] {
        for words in [
            format!("compare --study {name} --plan"),
            format!("compare --arm fixed --arm linear --budget 40 --from {name} --plan"),
            format!("find --from {name}"),
            format!("judge {name} --reference a --metric loss --margin 0.1"),
            format!("predict {name} {name}"),
            format!("train --data {name} {policy}"),
            format!("train --weights {name} {policy}"),
        ] {
            refused(place, &words, name);
        }
        let words = format!("train --policy {name}.toml --plan");
        refused(place, &words, &format!("{name}.toml"));
    }
}
