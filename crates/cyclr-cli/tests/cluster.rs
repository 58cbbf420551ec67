//! Comparisons whose runs a launcher has made. The oracle is the comparison of one process.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "an integration test")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

#[path = "common/study.rs"]
mod study;

use study::STUDY;

const SMALL: &str = "compare --study study.toml";
const FIRST: &str = "final/1/1-a-seed1";

/// The study of this training.
fn study(train: &str) -> String {
    format!("title = \"Small\"\n\n{train}{STUDY}")
}

/// A folder for a test.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(TempDir::new().unwrap());
        let train = "[train]\nvalidation = 100\n";
        fs::write(place.path("study.toml"), study(train)).unwrap();
        fs::write(place.path("child.toml"), study("")).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A launcher of this text, which finds DIR in `dir` and its units in `"$@"`.
    fn launcher(&self, text: &str) {
        let path = self.path("launcher.sh");
        fs::write(
            &path,
            format!("#!/bin/sh\necho \"$*\" >> rounds\ndir=$1; shift\n{text}\n"),
        )
        .unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn command(&self, words: &str) -> Command {
        let program = Path::new(env!("CARGO_BIN_EXE_cyclr"));
        let path = std::env::var("PATH").unwrap();
        let mut command = Command::new(program);
        command
            .args(words.split_whitespace())
            .current_dir(self.0.path());
        command.env(
            "PATH",
            format!("{}:{path}", program.parent().unwrap().display()),
        );
        command
    }

    /// Exit code and stderr.
    fn cyclr(&self, words: &str) -> (Option<i32>, String) {
        let Output { status, stderr, .. } = self.command(words).output().unwrap();
        (status.code(), String::from_utf8(stderr).unwrap())
    }

    fn done(&self, words: &str) -> String {
        let (code, err) = self.cyclr(words);
        assert_eq!(code, Some(0), "{words}: {err}");
        err
    }

    /// How often the launcher was called.
    fn rounds(&self) -> usize {
        let rounds = fs::read_to_string(self.path("rounds"));
        rounds.map_or(0, |rounds| rounds.lines().count())
    }

    fn result(&self, folder: &str) -> Value {
        let text = fs::read(self.path(folder).join("result.json")).unwrap();
        timeless(serde_json::from_slice(&text).unwrap())
    }
}

/// A record without times and places.
fn timeless(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let of_place =
                |key: &str| key.contains("seconds") || ["pace", "machines"].contains(&key);
            let fields = fields.into_iter().filter(|(key, _)| !of_place(key));
            fields.map(|(key, value)| (key, timeless(value))).collect()
        }
        Value::Array(items) => items.into_iter().map(timeless).collect(),
        other => other,
    }
}

fn shipped(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../launchers")
        .join(name);
    path.display().to_string()
}

/// With a range test, whose sweep and probes the unit `begin` makes; it is also killed when its
/// first probe is finished, and goes on from there.
#[test]
fn a_launcher_comes_to_the_same_as_this_process() {
    let place = Place::new();
    place.launcher(
        r#"if [ "$1" = begin ] && [ -e "$dir/comparison.json" ] && [ ! -e struck ]; then
               touch struck; cyclr work "$dir" begin & work=$!
               until [ -e "$dir/sweeps/.probes.jsonl" ] || [ -e "$dir/range.json" ]; do sleep 0.02; done
               kill -KILL $work; exit
           fi
           for unit; do cyclr work "$dir" "$unit"; done"#,
    );
    let words = "compare --arm fixed --arm linear --seeds 2 --budget 20 --validation 100";
    place.done(&format!("{words} --out here"));
    place.done(&format!("{words} --out there --on {}", shipped("local.sh")));
    place.done(&format!("{words} --out killed --on launcher.sh"));
    assert!(place.path("struck").exists());
    for folder in ["there", "killed"] {
        assert_eq!(place.result("here"), place.result(folder));
        for file in ["sweep-0.csv", "probes.csv"] {
            let read = |folder| fs::read(place.path(folder).join("sweeps").join(file)).unwrap();
            assert!(read("here") == read(folder), "{folder}: {file}");
        }
    }
    let run = "there/final/1/1-fixed-seed1";
    let outcome: Value =
        serde_json::from_slice(&fs::read(place.path(run).join("result.json")).unwrap()).unwrap();
    let machine = &outcome["machines"][0];
    assert_eq!(machine["updates"], 20);
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(machine["host"], host.trim());
    // A unit that is done is not made again, and what is over stays so.
    let (code, err) = place.cyclr("work there final/1/1-fixed-seed1");
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("is done"), "{err}");
    let out = place.command("watch there").output().unwrap();
    let seen = String::from_utf8(out.stdout).unwrap();
    assert!(seen.contains("0 at work, 0 waiting, 0 failed"), "{seen}");
    assert!(seen.contains("20/20") && seen.contains("over"), "{seen}");
    check_page(&place);
}

/// Each look's runs are launched when the look before has left a verdict open.
#[test]
fn a_race_is_launched_look_by_look() {
    let place = Place::new();
    let text = fs::read_to_string(place.path("study.toml")).unwrap();
    let raced = text.replace("seeds = [1, 2]", "race = 8");
    assert_ne!(text, raced);
    fs::write(place.path("study.toml"), raced).unwrap();
    place.launcher(r#"for unit; do cyclr work "$dir" "$unit" || exit; done"#);
    place.done(&format!("{SMALL} --out here"));
    place.done(&format!("{SMALL} --out there --on launcher.sh"));
    let record = place.result("here");
    assert_eq!(record, place.result("there"));
    let seeds = record["race"]["seeds"].as_u64().unwrap() as usize;
    // One round for what is measured first, and one a look, with two seeds of both arms.
    assert_eq!(place.rounds(), 1 + seeds / 2);
}

/// What runs share is made by the unit of the whole run, which is stopped on the way and launched
/// again, and their branches follow in a stage of their own.
#[test]
fn branches_are_launched_when_the_runs_are_done_that_they_branch_off() {
    let place = Place::new();
    let text = fs::read_to_string(place.path("child.toml")).unwrap();
    let branched = text.replace(
        "updates = 20",
        "updates = 20\nbudgets = [0.5, 1]\nbranches = true",
    );
    let branched = branched.replace("seeds = [1, 2]", "seeds = [1]");
    fs::write(place.path("child.toml"), branched).unwrap();
    place.launcher(
        r#"if [ "$1" = begin ] || [ -e struck ]; then
               for unit; do cyclr work "$dir" "$unit"; done; exit
           fi
           touch struck; whole="$dir/final/1/1-a-seed1"
           cyclr work "$dir" final/1/1-a-seed1 & work=$!
           until [ -s "$whole/events.jsonl" ]; do sleep 0.02; done
           kill -TERM $work; wait $work; echo $? > code"#,
    );
    let child = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/child/bowl.py");
    let compare = |out: &str| {
        let mut command = place.command(&format!("compare --study child.toml {out} --"));
        command.arg("python3").arg(&child).args(["--slow", "0.02"]);
        let Output { status, stderr, .. } = command.output().unwrap();
        let err = String::from_utf8_lossy(&stderr);
        assert!(status.success(), "{err}");
    };
    compare("--out here --jobs 4");
    compare("--out there --on launcher.sh");
    let record = place.result("here");
    assert_eq!(record, place.result("there"));
    let shared = |arm: usize| &record["arms"][arm]["budgets"][0]["runs"][0]["updates_shared"];
    assert_eq!(
        (shared(0).as_u64(), shared(1).as_u64()),
        (Some(10), Some(1))
    );
    let code = fs::read_to_string(place.path("code")).unwrap();
    assert_eq!(code.trim(), "130");
    let rounds = fs::read_to_string(place.path("rounds")).unwrap();
    let units = rounds.lines().map(|line| line.split(' ').count() - 1);
    // What is measured first; whole runs, twice; branches.
    assert_eq!(units.collect::<Vec<_>>(), [1, 2, 2, 2], "{rounds}");
}

/// The page of a comparison that is over is its report, and its figures are those of its runs.
fn check_page(place: &Place) {
    let mut command = place.command("watch there --serve");
    let mut server = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut url = String::new();
    let mut printed = BufReader::new(server.stdout.take().unwrap());
    printed.read_line(&mut url).unwrap();
    let (host, path) = url
        .trim()
        .trim_start_matches("http://")
        .split_once('/')
        .unwrap();
    let get = |path: &str| {
        let mut stream = TcpStream::connect(host).unwrap();
        write!(stream, "GET /{path} HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let report = fs::read_to_string(place.path("there/report.html")).unwrap();
    let (head, body) = get(path)
        .split_once("\r\n\r\n")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(body == report);
    let figures = get(&format!("{path}figures.json"));
    let (_, figures) = figures.split_once("\r\n\r\n").unwrap();
    let figures: Value = serde_json::from_str(figures).unwrap();
    let runs = figures["runs"].as_array().unwrap();
    assert!(figures["over"] == true && runs.len() >= 12, "{figures}");
    assert!(runs.iter().all(|run| run["updates"] == 20));
    assert_eq!(runs[0]["curve"]["updates"].as_array().unwrap().len(), 20);
    assert!(get("figures.json").starts_with("HTTP/1.1 404"));
    server.kill().unwrap();
    server.wait().unwrap();
}

/// The first unit of the first round is killed, the second one's folder removed.
#[test]
fn units_that_a_round_leaves_are_launched_again() {
    let place = Place::new();
    place.launcher(
        r#"case $1 in begin) cyclr work "$dir" begin; exit;; esac
           if [ ! -e struck ]; then
               touch struck; shift; rm -r "$dir/$1"; shift
           fi
           for unit; do cyclr work "$dir" "$unit"; done; exit 3"#,
    );
    place.done(&format!("{SMALL} --out here"));
    place.done(&format!("{SMALL} --out there --on launcher.sh"));
    assert_eq!(place.result("here"), place.result("there"));
    let rounds = fs::read_to_string(place.path("rounds")).unwrap();
    let units: Vec<usize> = rounds
        .lines()
        .map(|line| line.split(' ').count() - 1)
        .collect();
    assert_eq!(units, [1, 4, 2], "{rounds}");
}

#[test]
fn a_bad_launcher_is_refused_before_anything_is_done() {
    let place = Place::new();
    fs::write(place.path("text"), "no program").unwrap();
    for (launcher, said) in [
        ("nowhere.sh", "No such file"),
        (".", "it is no file"),
        ("text", "chmod +x"),
    ] {
        let (code, err) = place.cyclr(&format!("{SMALL} --out x --on {launcher}"));
        assert_eq!(code, Some(2), "{err}");
        assert!(err.contains(said) && err.contains(launcher), "{err}");
        assert!(!place.path("x").exists());
    }
    // What cannot be called shows when it is.
    fs::set_permissions(place.path("text"), fs::Permissions::from_mode(0o755)).unwrap();
    let (code, err) = place.cyclr(&format!("{SMALL} --out x --on text"));
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("name an interpreter"), "{err}");
}

#[test]
fn a_launcher_that_does_nothing_is_called_once() {
    let place = Place::new();
    place.launcher("exit 7");
    let (code, err) = place.cyclr(&format!("{SMALL} --out x --on launcher.sh"));
    assert_eq!((code, place.rounds()), (Some(1), 1), "{err}");
    assert!(
        err.contains("(exit status: 7)") && err.contains("begin"),
        "{err}"
    );
    // The same of a stage of runs: two calls for it and the begin before.
    place.launcher(r#"[ "$1" = begin ] && cyclr work "$dir" begin"#);
    fs::remove_file(place.path("rounds")).unwrap();
    let (code, err) = place.cyclr(&format!("{SMALL} --out x --on launcher.sh"));
    assert_eq!((code, place.rounds()), (Some(1), 2), "{err}");
    assert!(err.contains("none of these 4 made progress"), "{err}");
    assert!(err.contains(FIRST), "{err}");
    // Somebody else can end it.
    place.done("resume x");
    assert!(place.path("x/result.json").exists());
}

/// The launcher itself calls a second coordinator.
#[test]
fn two_coordinators_are_refused() {
    let place = Place::new();

    place.launcher(
        r#"case $1 in begin) cyclr work "$dir" begin; exit;; esac
           cyclr resume "$dir" --on ./launcher.sh 2> second"#,
    );
    let (code, err) = place.cyclr(&format!("{SMALL} --out x --on launcher.sh"));
    assert_eq!(code, Some(1), "{err}");
    let second = fs::read_to_string(place.path("second")).unwrap();
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert!(second.contains("is in use by process"), "{second}");
    assert!(second.contains(host.trim()), "{second}");
}

/// Each is refused where the unit is, and said by the coordinator.
#[test]
fn a_node_that_differs_is_refused() {
    for (prelude, said) in [
        (
            r#"sed -i 's/"cyclr": "[^"]*"/"cyclr": "0.0.7"/' "$dir/work.json""#,
            "the comparison was started by cyclr 0.0.7: install the same",
        ),
        (
            r#"sed -i 's/"level": "[^"]*"/"level": "abacus"/' "$dir/work.json""#,
            "work.json cannot go on: the CPU level here is",
        ),
        ("mv weights gone", "weights"),
    ] {
        let place = Place::new();
        let begin = "case $1 in begin) cyclr work \"$dir\" begin; exit;; esac";
        let rest = "for unit; do cyclr work \"$dir\" \"$unit\"; done";
        place.launcher(&format!("{begin}\n{prelude}\n{rest}"));
        place.done("train --updates 1 --policy fixed(lr=0.1) --validation 100 --out run");
        fs::copy(place.path("run/model.safetensors"), place.path("weights")).unwrap();
        let train = "[train]\nvalidation = 100\nweights = \"weights\"\n";
        fs::write(place.path("study.toml"), study(train)).unwrap();
        let (code, err) = place.cyclr(&format!("{SMALL} --out x --on launcher.sh"));
        assert_eq!(code, Some(1), "{err}");
        assert!(err.contains("4 of 4 runs failed"), "{err}");
        assert!(err.contains(said) && err.contains("on "), "{err}");
    }
}

#[test]
fn a_launched_range_test_without_an_answer_says_so_and_is_no_failure() {
    let place = Place::new();
    place.launcher(r#"for unit; do cyclr work "$dir" "$unit" 2> said; done"#);
    let child = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/child/bowl.py");
    let said = |words: &str| {
        let words = format!("compare --arm fixed --arm linear --budget 50 --margin 1 {words}");
        let mut command = place.command(&words);
        command.args(["--", "python3"]).arg(&child);
        let output = command.args(["--ignore", "gradient"]).output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{err}");
        let (_, reason) = err.split_once("error: the range test gives").expect(&err);
        let (reason, _) = reason.split_once("(the curves are in").expect(reason);
        reason.to_owned()
    };
    assert_eq!(said("--out here"), said("--out there --on launcher.sh"));
    let (code, err) = place.cyclr("resume there --on launcher.sh");
    assert_eq!(code, Some(3), "{err}");
}

/// What shows that the trainer cannot be compared ends a comparison with exit code 2, as it does
/// in one process, whether a unit finds it or the coordinator beside several runs.
#[test]
fn an_ignored_seed_or_rate_is_refused_wherever_it_shows() {
    let place = Place::new();
    let child = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/child/bowl.py");
    let arms = "compare --arm fixed --arm linear --seeds 2 --budget 60 --margin 1";
    for (bounds, options, said) in [
        ("--out range", "--ignore rate", "the rate is not obeyed"),
        (
            "--out runs --bounds 0.01..0.1",
            "--ignore rate",
            "the rate is not obeyed",
        ),
        (
            "--out begin",
            "--objective bleu:higher:own",
            "`bleu`, and its evaluation has loss, accuracy",
        ),
    ] {
        let words = format!("{arms} {bounds} --on {}", shipped("local.sh"));
        let mut command = place.command(&words);
        command.args(["--", "python3"]).arg(&child);
        let output = command.args(options.split(' ')).output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{words}: {err}");
        let (_, message) = err.rsplit_once("error: ").expect(&err);
        assert!(message.contains(said), "{words}: {err}");
    }
}

/// A variable that is not set where a unit is made has the coordinator's value; one that is set
/// otherwise keeps its own, and the log says both.
#[test]
fn a_unit_takes_over_what_is_not_set() {
    let place = Place::new();
    place.launcher(
        r#"for unit; do
               env -u CYCLR_CPU -u PYTHONPATH CONDA_PREFIX=/node cyclr work "$dir" "$unit" 2>> said
           done"#,
    );
    let mut command = place.command("compare --study child.toml --out there --on launcher.sh --");
    command
        .env("PYTHONPATH", "/of the coordinator")
        .env("CONDA_PREFIX", "/login");
    let child = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/child/bowl.py");
    let script = format!(
        "echo \"$PYTHONPATH, $CONDA_PREFIX\" >> seen; exec python3 {}",
        child.display()
    );
    let output = command.args(["sh", "-c", &script]).output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{err}");
    let seen = fs::read_to_string(place.path("seen")).unwrap();
    assert!(
        seen.lines()
            .all(|line| line == "/of the coordinator, /node"),
        "{seen}"
    );
    let said = fs::read_to_string(place.path("said")).unwrap();
    for line in [
        "PYTHONPATH is not set here: using the coordinator's, /of the coordinator",
        "CONDA_PREFIX is /node here, and /login for the coordinator",
    ] {
        assert!(said.contains(line), "{said}");
    }

    let mut command = place.command(&format!("{SMALL} --out portable --on launcher.sh"));
    let output = command.env("CYCLR_CPU", "portable").output().unwrap();
    assert!(output.status.success());
    assert_eq!(place.result("portable")["about"]["level"], "portable");
}

/// The disk that all share is full: what was done is kept, and the rest is made when there is room.
#[test]
fn a_shared_disk_that_is_full() {
    let place = Place::new();
    let shared = place.path("shared");
    fs::create_dir(&shared).unwrap();
    let mount = |words: &str| {
        let mut mount = Command::new("mount");
        mount.args(words.split(' ')).arg(&shared);
        mount.output().is_ok_and(|output| output.status.success())
    };
    if !mount("-t tmpfs -o size=1200k tmpfs") {
        let skipped = "skipped: only root can make a file system that is full\n";
        std::io::stderr().write_all(skipped.as_bytes()).unwrap();
        return;
    }
    place.done(&format!("{SMALL} --out here"));
    let on = format!("--on {}", shipped("local.sh"));
    let (code, err) = place.cyclr(&format!("{SMALL} --out shared/x {on}"));
    let larger = mount("-o remount,size=64m");
    let resumed = place.cyclr(&format!("resume shared/x {on}"));
    let same = larger && resumed.0 == Some(0) && place.result("here") == place.result("shared/x");
    let umount = Command::new("umount").arg(&shared).status();
    assert!(umount.unwrap().success());
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("No space left on device"), "{err}");
    assert!(same, "{}", resumed.1);
}

#[test]
fn a_unit_lies_within_the_comparison() {
    let place = Place::new();
    place.launcher("exit 0");
    place.cyclr(&format!("{SMALL} --out x --on launcher.sh"));
    for unit in ["../x", "/tmp", ".", "final/nothing"] {
        let (code, err) = place.cyclr(&format!("work x {unit}"));
        assert_eq!(code, Some(2), "{err}");
        assert!(err.contains("is not a unit"), "{err}");
    }
    assert!(!place.path("x/final").exists());
    let (code, err) = place.cyclr("work nowhere begin");
    assert_eq!(code, Some(1), "{err}");
    assert!(
        err.contains("nowhere is not the folder of a run or comparison"),
        "{err}"
    );
}

#[test]
fn a_comparison_without_a_launcher_has_no_units() {
    let place = Place::new();
    place.done(&format!("{SMALL} --out alone"));
    let (code, err) = place.cyclr("work alone begin");
    assert_eq!(code, Some(1), "{err}");
    let said = "alone holds a comparison that no launcher makes";
    assert!(err.contains(said) && err.contains("--on"), "{err}");
}

/// A cluster sends SIGTERM to every process of a job: the child is dead before it can be asked for
/// its state. The first round ends so; the second goes on.
#[test]
fn a_child_that_dies_with_its_job_was_interrupted() {
    let place = Place::new();
    let child = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/child/bowl.py");
    fs::create_dir(place.path("pids")).unwrap();
    place.launcher(
        r#"case $1 in begin) cyclr work "$dir" begin; exit;; esac
           if [ ! -e struck ]; then
               touch struck; unit=$1; shift
               cyclr work "$dir" "$unit" 2> first & work=$!
               until [ -s "$dir/$unit/events.jsonl" ]; do sleep 0.05; done
               kill -TERM $(cat /proc/$work/task/$work/children) $work
               wait $work; echo $? > code
               ls "$dir/$unit" > left
           fi
           for unit; do cyclr work "$dir" "$unit"; done"#,
    );

    let command = |out: &str| {
        let mut command = place.command(&format!("compare --study child.toml {out}"));
        command
            .args(["--", "python3"])
            .arg(&child)
            .args(["--pids", "pids", "--slow", "0.02"]);
        let Output { status, stderr, .. } = command.output().unwrap();
        assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    };
    command("--out here --jobs 4");
    command("--out there --on launcher.sh");
    assert_eq!(place.result("here"), place.result("there"));
    let code = fs::read_to_string(place.path("code")).unwrap();
    let first = fs::read_to_string(place.path("first")).unwrap();
    assert_eq!(code.trim(), "130", "{first}");
    let left = fs::read_to_string(place.path("left")).unwrap();
    assert!(!left.contains("failed.json"), "{left}: {first}");
}
