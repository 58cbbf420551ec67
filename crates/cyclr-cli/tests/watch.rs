//! The page of `cyclr watch DIR --serve` in a browser, while a comparison is made.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "an integration test")]

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Read, Write, pipe, stderr};
use std::net::TcpStream;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use command_fds::{CommandFdExt, FdMapping};
use serde_json::{Value, json};

#[path = "common/study.rs"]
mod study;

use study::STUDY;

/// The child of the first run stops itself after an evaluation, and goes on when it has been seen.
const LAUNCHER: &str = r#"#!/bin/sh
dir=$1; shift
if [ "$1" = begin ]; then
    touch seen; cyclr work "$dir" begin; rm seen; exit
fi
cyclr work "$dir" "$1" & shift
until [ -e seen ]; do sleep 0.05; done
cd pids && kill -CONT * 2> /dev/null; cd ..
wait
for unit; do cyclr work "$dir" "$unit"; done
"#;

const PATIENCE: Duration = Duration::from_secs(60);

/// A process that ends with the test, whatever comes of it.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        // One that has ended need not be ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn cyclr(place: &Path, words: &str) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_cyclr"));
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", program.parent().unwrap().display());
    let mut command = Command::new(program);
    command.args(words.split(' ')).current_dir(place);
    command.env("PATH", path).stderr(Stdio::null());
    command
}

fn compare(place: &Path) -> Ends {
    fs::write(
        place.join("study.toml"),
        format!("title = \"Small\"\n{STUDY}"),
    )
    .unwrap();
    fs::write(place.join("launcher.sh"), LAUNCHER).unwrap();
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(place.join("launcher.sh"), executable).unwrap();
    fs::create_dir(place.join("pids")).unwrap();
    let child = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/child/bowl.py");
    let words = "compare --study study.toml --out x --on launcher.sh -- python3";
    let mut command = cyclr(place, words);
    command.arg(child).args(["--pids", "pids"]);
    command.args(["--wrong", "stopped", "--seed", "1", "--at", "15"]);
    command.args(["--unless", "seen"]).stdout(Stdio::null());
    Ends(command.spawn().unwrap())
}

/// The server, and the address that it prints.
fn serve(place: &Path) -> (Ends, String) {
    let mut command = cyclr(place, "watch x --serve");
    let mut server = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut printed = BufReader::new(server.stdout.take().unwrap());
    let mut url = String::new();
    printed.read_line(&mut url).unwrap();
    (Ends(server), url.trim().to_owned())
}

/// The status of the answer to a request.
fn status(address: &str, head: &str) -> String {
    let answer = answer(address, head);
    answer.split(' ').nth(1).unwrap().to_owned()
}

fn answer(address: &str, head: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "{head}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Status and body of what a server gives for a name below its address.
fn get(url: &str, name: &str) -> (String, String) {
    let (address, token) = url.trim_start_matches("http://").split_once('/').unwrap();
    let head = format!("GET /{token}{name} HTTP/1.1\r\nHost: {address}");
    let answer = answer(address, &head);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().to_owned(), body.to_owned())
}

/// A browser that is asked over two pipes, and the page that it shows.
struct Browser {
    _process: Ends,
    _profile: tempfile::TempDir,
    requests: PipeWriter,
    answers: BufReader<PipeReader>,
    session: Value,
    asked: u64,
}

impl Browser {
    fn show(program: &Path, url: &str) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let (their_requests, requests) = pipe().unwrap();
        let (answers, their_answers) = pipe().unwrap();
        let mut command = Command::new(program);
        command.args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
        ]);
        command.args(["--window-size=1100,900", "--remote-debugging-pipe"]);
        command.arg(format!("--user-data-dir={}", profile.path().display()));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let fd = |parent_fd, child_fd| FdMapping {
            parent_fd,
            child_fd,
        };
        let pipes = vec![fd(their_requests.into(), 3), fd(their_answers.into(), 4)];
        command.fd_mappings(pipes).unwrap();
        let mut browser = Self {
            _process: Ends(command.spawn().unwrap()),
            _profile: profile,
            requests,
            answers: BufReader::new(answers),
            session: Value::Null,
            asked: 0,
        };
        // Its ends of the pipes.
        drop(command);
        let target = browser.ask("Target.createTarget", &json!({ "url": url }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        browser.session = browser.ask("Target.attachToTarget", &attach)["sessionId"].clone();
        browser
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        let answer = self.answer(method, params);
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].clone()
    }

    fn answer(&mut self, method: &str, params: &Value) -> Value {
        self.asked += 1;
        let mut request = json!({ "id": self.asked, "method": method, "params": params });
        if !self.session.is_null() {
            request["sessionId"] = self.session.clone();
        }
        self.requests
            .write_all(format!("{request}\0").as_bytes())
            .unwrap();
        loop {
            let mut answer = Vec::new();
            self.answers.read_until(0, &mut answer).unwrap();
            assert_eq!(answer.pop(), Some(0), "the browser has ended");
            let answer: Value = serde_json::from_slice(&answer).unwrap();
            if answer["id"] == self.asked {
                return answer;
            }
        }
    }

    /// What the page says as soon as it says `wanted`.
    fn text_with(&mut self, wanted: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // While the page is loaded again there is no answer.
            let said = self.answer(
                EVALUATE,
                &expression("document.body ? document.body.innerText : ''"),
            );
            let text = said["result"]["result"]["value"].as_str();
            let text = text.unwrap_or_default().to_owned();
            if text.contains(wanted) {
                return text;
            }
            assert!(Instant::now() < deadline, "no `{wanted}` in:\n{text}");
            sleep(Duration::from_millis(50));
        }
    }

    fn evaluate(&mut self, what: &str) -> Value {
        self.ask(EVALUATE, &expression(what))["result"]["value"].clone()
    }
}

const EVALUATE: &str = "Runtime.evaluate";

fn expression(what: &str) -> Value {
    json!({ "expression": what, "returnByValue": true })
}

/// Chromium, where it is installed.
fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let files = std::env::split_paths(&path).flat_map(|folder| names.map(|name| folder.join(name)));
    files.into_iter().find(|file| file.is_file())
}

#[test]
fn a_browser_shows_a_comparison_at_work_and_then_its_report() {
    let Some(program) = browser() else {
        let skipped = "skipped: no chromium is installed, so the page was not shown by a browser\n";
        stderr().write_all(skipped.as_bytes()).unwrap();
        return;
    };
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    let mut comparison = compare(place);
    let deadline = Instant::now() + PATIENCE;
    while !place.join("x/comparison.json").exists() {
        assert!(Instant::now() < deadline, "the comparison has not begun");
        sleep(Duration::from_millis(20));
    }
    let (_server, url) = serve(place);
    let mut browser = Browser::show(&program, &url);

    let text = browser.text_with("1 at work");
    assert!(text.contains("20 updates"), "{text}");
    assert!(text.contains("3 waiting"), "{text}");
    let text = browser.text_with("accuracy");
    assert!(text.contains("10\t20\t"), "half of its updates:\n{text}");
    let points = "cyclr.loss.plot.data[0].length";
    assert_eq!(browser.evaluate(points), 10);
    let ink = "(() => { const c = cyclr.loss.plot.ctx; \
         return c.getImageData(0, 0, c.canvas.width, c.canvas.height).data.filter(x => x > 60).length })()";
    let ink = browser.evaluate(ink).as_u64().unwrap();
    assert!(ink > 500, "the chart is nearly blank: {ink}");

    let (address, token) = url
        .trim_start_matches("http://")
        .split_once('/')
        .map(|(address, path)| (address, format!("/{path}")))
        .unwrap();
    let wrong = token.replace(|digit: char| digit.is_ascii_hexdigit(), "0");
    for (head, expected) in [
        (format!("GET {token} HTTP/1.1\r\nHost: {address}"), "200"),
        (format!("GET {wrong} HTTP/1.1\r\nHost: {address}"), "404"),
        (format!("GET {token} HTTP/1.1\r\nHost: evil.test"), "403"),
        (format!("POST {token} HTTP/1.1\r\nHost: {address}"), "405"),
        (
            format!("GET {token}../run.json HTTP/1.1\r\nHost: {address}"),
            "404",
        ),
    ] {
        assert_eq!(status(address, &head), expected, "{head}");
    }

    fs::write(place.join("seen"), "").unwrap();
    assert!(comparison.0.wait().unwrap().success());
    let result: Value =
        serde_json::from_slice(&fs::read(place.join("x/result.json")).unwrap()).unwrap();
    let headline = result["conclusion"]["headline"].as_str().unwrap();
    assert!(
        headline.len() > 10 && !text.contains(headline),
        "a verdict before the end:\n{text}"
    );
    let report = browser.text_with(headline);
    assert!(
        !report.contains("There is no verdict before the end"),
        "{report}"
    );
}

/// The report is written a moment after the result, and the page may look in between.
#[test]
fn a_page_waits_for_the_report_of_a_comparison_that_is_over() {
    let Some(program) = browser() else {
        return;
    };
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    finished(place);
    let (report, aside) = (place.join("x/report.html"), place.join("aside"));
    fs::rename(&report, &aside).unwrap();
    let (_server, url) = serve(place);
    let mut browser = Browser::show(&program, &url);
    browser.text_with("4 done");
    fs::rename(&aside, &report).unwrap();
    browser.text_with("reference");
}

/// A finished comparison in `x`.
fn finished(place: &Path) {
    fs::write(
        place.join("study.toml"),
        format!("title = \"Small\"\n{STUDY}"),
    )
    .unwrap();
    let child = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/child/bowl.py");
    let mut command = cyclr(place, "compare --study study.toml --out x -- python3");
    let made = command.arg(child).stdout(Stdio::null()).status().unwrap();
    assert!(made.success());
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// What a folder from elsewhere may hold: nothing is shown but the figures of its own runs, nothing
/// hangs, and the server lives on.
#[test]
fn a_hostile_folder_shows_nothing_but_its_figures() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    finished(place);
    let runs = place.join("x/final/1");
    let run = runs.join("1-a-seed1");
    let odd = "<img src=x onerror=alert(1)>\u{1b}[2J";
    for name in [OsStr::new(odd), OsStr::from_bytes(b"\xff\xfe")] {
        copy(&run, &runs.join(name));
    }
    fs::write(place.join("secret"), "for nobody else").unwrap();
    copy(&run, &place.join("away/hidden"));
    fs::remove_file(place.join("x/report.html")).unwrap();
    for (target, link) in [
        (place.join("secret"), "report.html"),
        (place.join("away"), "final/away"),
        (PathBuf::from("/"), "final/root"),
        (PathBuf::from("."), "final/again"),
    ] {
        symlink(target, place.join("x").join(link)).unwrap();
    }
    let log = run.join("events.jsonl");
    let good = fs::read_to_string(&log).unwrap();
    let first = good.lines().next().unwrap();
    let last = format!("\"update\":{},", u64::MAX);
    let last = first.replace("\"update\":0,", &last);
    assert_ne!(first, last);
    fs::write(&log, format!("{good}{last}\n{last}\nno event\n\u{0}\n")).unwrap();
    // A file with holes takes no place on the disk.
    let huge = runs.join("2-b-seed1/events.jsonl");
    fs::File::create(&huge).unwrap().set_len(1 << 40).unwrap();

    let (_server, url) = serve(place);
    let (code, page) = get(&url, "");
    assert_eq!(code, "200");
    assert!(!page.contains("for nobody else") && page.contains("cyclr watch"));
    let figures = || {
        let (code, figures) = get(&url, "figures.json");
        assert_eq!(code, "200", "{figures}");
        serde_json::from_str::<Value>(&figures).unwrap()
    };
    let shown = figures();
    let names: Vec<&str> = shown["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["name"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), 6, "{names:?}");
    assert!(
        names.contains(&format!("final/1/{odd}").as_str()),
        "{names:?}"
    );
    assert!(
        names.iter().all(|name| !name.contains("hidden")),
        "{names:?}"
    );
    let counts = shown["counts"].as_str().unwrap();
    assert!(
        counts.ends_with("not followed: 2 links to other places"),
        "{counts}"
    );
    assert_eq!(shown["report"], false);

    let output = cyclr(place, "watch x --once").output().unwrap();
    assert!(output.status.success() && !output.stdout.contains(&0x1b));

    // What cannot be read is said, for as long as it is there, and the others are shown.
    for name in ["events.jsonl", "run.json", "result.json"] {
        let (file, aside) = (run.join(name), place.join("aside"));
        for pipe in [true, false] {
            fs::rename(&file, &aside).unwrap();
            if pipe {
                let made = Command::new("mkfifo").arg(&file).status().unwrap();
                assert!(made.success());
            } else {
                fs::write(&file, "{\"version\": 2").unwrap();
            }
            // A log that is cut in the middle of a line is no fault.
            let expected = usize::from(name != "events.jsonl" || pipe);
            assert_eq!(damaged(&figures(), name), expected, "{name}");
            let look = cyclr(place, "watch x --once").output().unwrap();
            let look = String::from_utf8(look.stdout).unwrap();
            assert_eq!(look.matches("damaged (").count(), expected, "{look}");
            assert!(look.matches(": done").count() >= 4, "{look}");
            fs::rename(&aside, &file).unwrap();
            assert_eq!(damaged(&figures(), name), 0);
        }
    }
    // So is the comparison's own result.
    fs::write(place.join("x/result.json"), "{\"version\": 2").unwrap();
    let shown = figures();
    let counts = shown["counts"].as_str().unwrap();
    assert!(
        counts.contains("x/result.json is not a valid record"),
        "{counts}"
    );
    assert_eq!(shown["over"], false);
}

/// How many runs of a page are shown as damaged, each with the file that is.
fn damaged(figures: &Value, file: &str) -> usize {
    let runs = figures["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 6);
    let said = runs.iter().map(|run| run["said"].as_str().unwrap());
    let damaged: Vec<&str> = said.filter(|said| said.starts_with("damaged (")).collect();
    assert!(
        damaged.iter().all(|said| said.contains(file)),
        "{damaged:?}"
    );
    damaged.len()
}

/// Whatever is removed or put back while it looks.
#[test]
fn folders_may_come_and_go_while_they_are_watched() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    finished(place);
    let (run, gone) = (place.join("x/final/1/1-a-seed1"), place.join("x/gone"));
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                for name in ["result.json", "run.json"] {
                    fs::rename(run.join(name), place.join(name)).unwrap();
                    fs::rename(place.join(name), run.join(name)).unwrap();
                }
                fs::rename(&run, &gone).unwrap();
                fs::rename(&gone, &run).unwrap();
            }
        });
        let looks: Vec<_> = (0..100)
            .map(|_| {
                cyclr(place, "watch x --once")
                    .stderr(Stdio::piped())
                    .output()
                    .unwrap()
            })
            .collect();
        is_over.store(true, Ordering::Relaxed);
        for look in looks {
            assert!(
                look.status.success(),
                "{}",
                String::from_utf8_lossy(&look.stderr)
            );
            let said = String::from_utf8(look.stdout).unwrap();
            let runs = said.matches("final/1/").count() + said.matches(" gone: ").count();
            assert!((3..=5).contains(&runs), "{said}");
        }
    });
}
