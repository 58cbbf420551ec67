//! The picture as one page on this machine: loopback only, GET only, behind a token, and nothing
//! but the figures and, at the end, the report.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use cyclr_train::store::read_regular;
use serde_json::json;

use super::curve::Curve;
use super::{Overview, terminal};
use crate::exit::describe;
use crate::say::out;

const PAGE: &str = include_str!("page.html");
const SCRIPT: &str = include_str!("page.js");
const STYLE: &str = include_str!("../../report/page.css");
const UPLOT: &str = include_str!("../../../assets/uPlot.iife.min.js");
const UPLOT_LICENCE: &str = include_str!("../../../assets/uPlot.LICENSE");
const UPLOT_STYLE: &str = include_str!("../../../assets/uPlot.min.css");

/// The runs whose curves are shown; those at work come first.
const SHOWN: usize = 24;

/// The bytes of logs that are taken in for a request.
const AT_ONCE: u64 = 64 << 20;

/// What a request may take: its head in bytes, and its time.
const HEAD: u64 = 16 * 1024;
const PATIENCE: Duration = Duration::from_secs(5);

/// The page allows nothing but itself.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Serves the page until the process ends.
pub(super) fn serve(folder: PathBuf, port: u16) -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .with_context(|| format!("port {port} of 127.0.0.1 cannot be used: give another"))?;
    let port = listener.local_addr()?.port();
    // Two hashes under a key that is drawn at random.
    let key = RandomState::new();
    let token = format!("{:016x}{:016x}", key.hash_one(0), key.hash_one(1));
    out!("http://127.0.0.1:{port}/{token}/")?;
    let site = Arc::new(Site {
        folder,
        hosts: [format!("127.0.0.1:{port}"), format!("localhost:{port}")],
        root: format!("/{token}/"),
        curves: Mutex::default(),
    });
    for stream in listener.incoming() {
        let site = Arc::clone(&site);
        // A browser that has gone is told nothing, and one that cannot be answered now asks again.
        let answer = stream
            .and_then(|stream| thread::Builder::new().spawn(move || drop(site.answer(&stream))));
        if answer.is_err() {
            thread::sleep(Duration::from_millis(100));
        }
    }
    Ok(())
}

struct Site {
    folder: PathBuf,
    /// The names by which a browser on this machine may call it.
    hosts: [String; 2],
    root: String,
    /// Of each run, by its folder.
    curves: Mutex<BTreeMap<PathBuf, Curve>>,
}

/// A status, a type, and what is sent.
type Answer = (&'static str, &'static str, Vec<u8>);

const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

impl Site {
    fn answer(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let (status, kind, body) = self.answer_to(&read_head(stream)?);
        let mut stream = stream;
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\
             Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\n\
             Content-Security-Policy: {POLICY}\r\n\r\n",
            body.len()
        )?;
        stream.write_all(&body)
    }

    fn answer_to(&self, head: &[String]) -> Answer {
        let refuse = |status, why: &str| (status, TEXT, format!("{why}\n").into_bytes());
        let mut words = head.first().map_or("", String::as_str).split(' ');
        let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let host = head.iter().skip(1).find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("host").then(|| value.trim())
        });
        if !host.is_some_and(|host| self.hosts.iter().any(|known| known == host)) {
            return refuse("403 Forbidden", "this page is for browsers on this machine");
        }
        if method != "GET" {
            return refuse("405 Method Not Allowed", "GET only");
        }
        let answer = match path.strip_prefix(&self.root) {
            Some("") => self.page(),
            Some("figures.json") => self.figures(),
            _ => return refuse("404 Not Found", "there is nothing here"),
        };
        answer.unwrap_or_else(|error| refuse("500 Internal Server Error", &format!("{error:#}")))
    }

    /// The report, once there is one.
    fn page(&self) -> anyhow::Result<Answer> {
        if Overview::of(&self.folder)?.is_over
            && let Some(report) = report(&self.folder)
        {
            return Ok(("200 OK", HTML, read_regular(&report)?));
        }
        let page = PAGE
            .replace("{style}", &format!("{UPLOT_STYLE}\n{STYLE}"))
            .replace("{uplot}", &format!("/*\n{UPLOT_LICENCE}*/\n{UPLOT}"))
            .replace("{script}", SCRIPT);
        Ok(("200 OK", HTML, page.into_bytes()))
    }

    fn figures(&self) -> anyhow::Result<Answer> {
        let overview = Overview::of(&self.folder)?;
        let (mut runs, mut left) = (Vec::new(), AT_ONCE);
        let mut curves = self.curves.lock().expect("no panic while it is held");
        for (n, row) in terminal::in_order(&overview).into_iter().enumerate() {
            let seen = row.seen.as_ref().ok();
            let mut run = json!({
                "name": row.name, "updates": seen.map(|seen| seen.updates_done),
                "end": seen.map(|seen| seen.end), "said": terminal::said(row),
            });
            if n < SHOWN && seen.is_some() {
                let curve = curves.entry(row.folder.clone());
                let curve = curve.or_insert_with(Curve::new);
                match curve.follow(&row.folder, &mut left) {
                    Ok(()) => run["curve"] = serde_json::to_value(&*curve)?,
                    Err(error) => run["said"] = json!(describe(&error)),
                }
            }
            runs.push(run);
        }
        let figures = json!({
            "title": overview.title, "counts": terminal::counts(&overview), "over": overview.is_over,
            "comparison": overview.is_comparison(), "report": report(&self.folder).is_some(), "runs": runs,
        });
        Ok(("200 OK", "application/json", serde_json::to_vec(&figures)?))
    }
}

/// The report of a comparison. A link would show a file of another place.
fn report(folder: &Path) -> Option<PathBuf> {
    let report = folder.join("report.html");
    // What cannot be looked at is not there yet.
    let is_file = fs::symlink_metadata(&report).is_ok_and(|there| there.is_file());
    is_file.then_some(report)
}

/// The lines of a request before its body.
fn read_head(stream: &TcpStream) -> io::Result<Vec<String>> {
    let lines = BufReader::new(stream.take(HEAD)).lines();
    lines
        .take_while(|line| !matches!(line.as_deref(), Ok("")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(request: &[&str]) -> &'static str {
        let site = Site {
            folder: PathBuf::from("nowhere"),
            hosts: ["127.0.0.1:80".into(), "localhost:80".into()],
            root: "/secret/".into(),
            curves: Mutex::default(),
        };
        let head: Vec<String> = request.iter().map(|line| String::from(*line)).collect();
        site.answer_to(&head).0
    }

    #[test]
    fn only_this_machine_and_who_knows_the_token_are_answered() {
        let host = "Host: 127.0.0.1:80";
        for (request, expected) in [
            (vec!["GET /secret/ HTTP/1.1", host], "500"),
            (vec!["GET /secret/ HTTP/1.1", "host: localhost:80"], "500"),
            (vec!["GET /secret/ HTTP/1.1", "Host: evil.example"], "403"),
            (vec!["GET /secret/ HTTP/1.1"], "403"),
            (vec!["POST /secret/ HTTP/1.1", host], "405"),
            (vec!["GET / HTTP/1.1", host], "404"),
            (vec!["GET /secre/ HTTP/1.1", host], "404"),
            (
                vec!["GET /secret/../secret/work.json HTTP/1.1", host],
                "404",
            ),
            (vec!["GET /secret/result.json HTTP/1.1", host], "404"),
            (vec![], "403"),
        ] {
            assert!(status(&request).starts_with(expected), "{request:?}");
        }
    }
}
