//! The report of a real comparison (of noisy quadratics), read back, and shown by a browser.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use cyclr_train::Interrupt;
use cyclr_train::compare::record::Record;
use cyclr_train::compare::{Arm, Bounds, Plan, Settings, compare};
use cyclr_train::noisy_quadratic::NoisyQuadratic;
use serde_json::Value;

use super::Report;

fn record() -> &'static Record {
    static RECORD: OnceLock<Record> = OnceLock::new();
    RECORD.get_or_init(|| {
        let mut plan = Plan::new(480);
        plan.title = String::from("A net <of & for> tests");
        plan.budgets = vec![0.5, 1.0];
        plan.arms.push(Arm::untuned());
        plan.arms[0].published = Some(81.4);
        plan.bounds = Bounds::Found {
            repeats: 3,
            updates: 1500,
            seed: 2001,
        };
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings {
            jobs: 2,
            ..Settings::default()
        };
        let interrupt = Interrupt::new();
        compare(
            &NoisyQuadratic::default(),
            &plan,
            folder.path(),
            &settings,
            &mut |_| {},
            &interrupt,
        )
        .unwrap()
    })
}

fn report() -> Report {
    Report::new(vec![record().clone()]).unwrap()
}

#[test]
fn the_page_needs_nothing_else_and_is_small() {
    let html = report().html();
    assert!(html.len() < 1_500_000, "{} bytes", html.len());
    for outside in [
        "src=\"",
        "href=\"http",
        "@import",
        "url(http",
        "fetch(",
        "XMLHttpRequest",
    ] {
        assert!(
            !html.contains(outside),
            "the page reaches outside by {outside}"
        );
    }
    assert!(
        html.contains("Permission is hereby granted"),
        "uPlot's licence is with it"
    );
}

#[test]
fn the_page_says_the_verdict_first_and_every_run_s_value() {
    let (record, html) = (record(), report().html());
    let escaped = super::cells::escaped(&record.conclusion.headline);
    assert!(html.contains(&format!("<h1>{escaped}</h1>")));
    assert!(html.contains("A net &lt;of &amp; for&gt; tests") && !html.contains("<of & for>"));
    for arm in &record.arms {
        for run in arm.budgets.iter().flat_map(|budget| &budget.runs) {
            assert!(html.contains(&run.folder));
            assert!(html.contains(&format!("{:.2}", run.values.unwrap().test)));
        }
        assert!(html.contains(&arm.spec.as_ref().unwrap().to_string()));
    }
}

#[test]
fn every_figure_is_there_as_json_csv_svg_and_png() {
    let files = report().files().unwrap();
    let file = |name: &str| {
        let found = files.iter().find(|(path, _)| path == Path::new(name));
        &found.unwrap_or_else(|| panic!("{name} is missing")).1
    };
    let ids = [
        "budget",
        "differences",
        "accuracy",
        "troughs",
        "training-loss",
        "training-accuracy",
        "rate",
        "range",
        "tuning",
    ];
    let json: Value = serde_json::from_slice(file("figures.json")).unwrap();
    let csv = String::from_utf8(file("figures.csv").clone()).unwrap();
    for id in ids {
        assert!(
            json.as_array()
                .unwrap()
                .iter()
                .any(|chart| chart["id"] == id),
            "{id}"
        );
        assert!(
            csv.lines().any(|line| line.starts_with(&format!("{id},"))),
            "{id}"
        );
        let svg = String::from_utf8(file(&format!("charts/{id}.svg")).clone()).unwrap();
        assert!(
            svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>") && !svg.contains("NaN")
        );
        let png = png::Decoder::new(std::io::Cursor::new(file(&format!("charts/{id}.png"))));
        let mut png = png.read_info().unwrap();
        let mut pixels = vec![0; png.output_buffer_size().unwrap()];
        png.next_frame(&mut pixels).unwrap();
        assert!(
            pixels.iter().filter(|&&p| p < 200).count() > 5_000,
            "{id} is nearly blank"
        );
    }
    let runs = String::from_utf8(file("runs.csv").clone()).unwrap();
    assert_eq!(
        runs.lines().count(),
        1 + 2 * 4 * 5,
        "two budgets, four arms, five seeds"
    );
    assert!(csv.lines().all(|line| line.split(',').count() >= 6));
}

#[test]
fn several_comparisons_share_a_page_without_mixing() {
    let report = Report::new(vec![record().clone(), record().clone()]).unwrap();
    let html = report.html();
    assert!(html.contains("2 comparisons"));
    assert!(html.contains("id=\"1-accuracy\"") && html.contains("id=\"2-accuracy\""));
    assert!(html.len() < 1_500_000);
}

/// What a reader of the page would see and do: every chart is drawn, and pointing at it shows values.
#[test]
fn a_browser_draws_every_chart_and_shows_values_at_the_pointer() {
    let Some(browser) = browser() else {
        let skipped = "skipped: no chromium is installed, so the page was not shown by a browser\n";
        std::io::stderr().write_all(skipped.as_bytes()).unwrap();
        return;
    };
    let seen = probe(&browser, &report().html());
    assert_eq!(seen["problems"], Value::Array(Vec::new()));
    let charts = seen["charts"].as_object().unwrap();
    assert!(charts.len() >= 9, "{seen}");
    for (id, chart) in charts {
        let ink = chart["ink"].as_u64().unwrap();
        assert!(ink > 500, "{id} is nearly blank: {ink} pixels");
        let tip = chart["tip"].as_str().unwrap();
        assert!(
            tip.chars().any(|c| c.is_ascii_digit()),
            "{id} shows `{tip}`"
        );
        if id != "range" {
            assert!(
                tip.contains("fixed") || tip.contains("triangular2"),
                "{id} shows `{tip}`"
            );
        }
    }
    let rate = charts["rate"]["tip"].as_str().unwrap();
    let spec = record().arms[0].spec.as_ref().unwrap();
    let shown = rate.contains(&format!("{:.3}", spec.peak())[..4]);
    assert!(shown, "the fixed rate {} is in `{rate}`", spec.peak());
}

/// Shows the page, points at the middle of every chart, and says what is then to be seen.
fn probe(browser: &Path, html: &str) -> Value {
    const BEFORE: &str = "<script>window.problems = []; addEventListener('error', e => problems.push(e.message));\
        console.error = (...x) => problems.push(x.join(' '));</script>";
    const AFTER: &str = r#"<script>
        const rest = () => new Promise(done => setTimeout(done, 40));
        (async () => {
          const charts = {};
          for (const [id, plot] of window.cyclr) {
            await rest();
            const over = plot.over, at = over.getBoundingClientRect();
            const move = name => over.dispatchEvent(new MouseEvent(name, {
              clientX: at.left + at.width * 0.26, clientY: at.top + at.height * 0.5, movementX: 3, movementY: 1, bubbles: true }));
            move("mouseenter"); move("mousemove");
            await rest();
            const canvas = plot.ctx.canvas, pixels = plot.ctx.getImageData(0, 0, canvas.width, canvas.height).data;
            let ink = 0;
            for (let n = 3; n < pixels.length; n += 4) if (pixels[n] > 60) ink++;
            const tip = over.querySelector(".tip");
            charts[id] = { ink, tip: tip.hidden ? "" : tip.textContent };
          }
          const seen = document.createElement("pre");
          seen.id = "seen";
          seen.textContent = "SEEN" + btoa(unescape(encodeURIComponent(JSON.stringify({ charts, problems })))) + "SEEN";
          document.body.append(seen);
        })().catch(e => { document.title = "probe failed: " + e; });
        </script></body>"#;
    let page = html
        .replacen("<head>", &format!("<head>{BEFORE}"), 1)
        .replace("</body>", AFTER);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.html");
    std::fs::write(&file, page).unwrap();
    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--window-size=1100,900",
        ])
        .args([
            "--host-resolver-rules=MAP * ~NOTFOUND",
            "--virtual-time-budget=20000",
            "--dump-dom",
        ])
        .arg(format!(
            "--user-data-dir={}",
            folder.path().join("profile").display()
        ))
        .arg(format!("file://{}", file.display()))
        .output()
        .unwrap();
    let dom = String::from_utf8_lossy(&output.stdout);
    let seen = dom
        .rsplit_once("id=\"seen\">SEEN")
        .and_then(|(_, rest)| rest.split_once("SEEN"));
    let seen = seen.map(|(seen, _)| seen);
    let seen = seen.unwrap_or_else(|| {
        panic!(
            "the browser shows nothing: {:?} {}",
            dom.split_once("probe failed")
                .map(|(_, why)| &why[..200.min(why.len())]),
            String::from_utf8_lossy(&output.stderr)
        )
    });
    serde_json::from_slice(&base64(seen)).unwrap()
}

/// The bytes of a base64 text.
fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut held, mut bytes) = (0_u32, 0, Vec::new());
    for c in text.bytes().filter(|c| *c != b'=') {
        let digit = DIGITS.iter().position(|d| *d == c).unwrap();
        bits = (bits << 6) | digit as u32;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    bytes
}

/// Chromium, where it is installed.
fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let files = std::env::split_paths(&path).flat_map(|folder| names.map(|name| folder.join(name)));
    files.into_iter().find(|file| file.is_file())
}
