//! The report of a real comparison (of noisy quadratics), read back, and shown by a browser.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use cyclr::trainer::Direction;
use cyclr_train::compare::record::Record;
use cyclr_train::compare::{Arm, BoundsSource, Plan, Settings, compare, read_comparison};
use cyclr_train::noisy_quadratic::NoisyQuadratic;
use cyclr_train::{Average, Interrupt, Watch};
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
        plan.bounds = BoundsSource::Found {
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
            Watch {
                observer: &mut |_| {},
                interrupt: &interrupt,
            },
        )
        .unwrap()
    })
}

fn report() -> Report {
    Report::new(&[record().clone()]).unwrap()
}

#[test]
fn the_page_needs_nothing_else_and_is_small() {
    let report = report();
    let html = report.html();
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
    let (record, report) = (record(), report());
    let html = report.html();
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

/// One is no plural, no range test took no updates, and a smaller loss is better.
#[test]
fn the_page_says_what_is_true_of_a_short_comparison() {
    let mut record = record().clone();
    record.plan.bounds = BoundsSource::Unneeded;
    record.range = None;
    record.plan.updates = record.info.updates_per_epoch();
    record.plan.margin = 1.0;
    record.objective.direction = Direction::Lower;
    for arm in &mut record.arms {
        for budget in &mut arm.budgets {
            budget.runs.truncate(1);
        }
    }
    let report = Report::new(std::slice::from_ref(&record)).unwrap();
    let page = report.html();
    let (kicker, _) = page.split_once("</p>").unwrap();
    assert!(kicker.ends_with(" a run &middot; 1 epoch"), "{kicker}");
    assert!(page.contains("<dd>1 point</dd>"));
    assert!(!page.contains("The range test took"));
    assert!(page.contains("target: fixed plus the margin"));
}

/// The model that was trained stands beside its average, and what is shared is counted once.
#[test]
fn the_page_shows_averages_and_branches() {
    let arm = |policy: &str| Arm {
        tuned: false,
        ..Arm::of(policy.parse().unwrap())
    };
    let mut plan = Plan::new(480);
    plan.arms = vec![
        arm("fixed(lr=0.05)"),
        arm("triangular(base=0.02, max=0.2, step=25%)"),
    ];
    plan.arms[1].average = Some(Average::Troughs);
    (plan.tuning, plan.bounds) = (None, BoundsSource::Unneeded);
    (plan.budgets, plan.branches) = (vec![0.5, 1.0], true);
    let folder = tempfile::tempdir().unwrap();
    let watch = Watch {
        observer: &mut |_| {},
        interrupt: &Interrupt::new(),
    };
    let (net, settings) = (NoisyQuadratic::default(), Settings::default());
    let record = compare(&net, &plan, folder.path(), &settings, watch).unwrap();
    let report = Report::new(std::slice::from_ref(&record)).unwrap();
    let html = report.html();
    let cell = |text: &str| html.contains(&format!(">{text}</td>"));
    assert!(html.contains("before averaging (%)"));
    for run in &record.arms[1].whole().runs {
        let last = run.evaluations.last().unwrap();
        let trained = record.objective.value(&last.metrics).unwrap();
        assert!(cell(&format!("{trained:.2}")), "{trained}");
    }
    // Five seeds of 480 updates, with which those of 240 are made, and five of 480 and of 240.
    assert!(cell("240 (240 shared)") && cell("2,400") && cell("3,600"));
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

/// Rates of damaged records: a walk from 1e-320 to 1e308 by the decade is short, one from
/// -infinity has no end.
#[test]
fn rates_at_the_ends_of_the_numbers_are_drawn() {
    let mut record = record().clone();
    let lr = &mut record.range.as_mut().unwrap().sweeps[0].lr;
    let last = lr.len() - 1;
    (lr[0], lr[last]) = (1e-320, 1e308);
    let files = Report::new(&[record]).unwrap().files().unwrap();
    assert!(files.iter().any(|(path, _)| path.ends_with("range.svg")));
}

/// A record may be of another hand; its words stay words in every file.
#[test]
fn control_characters_do_not_break_a_file() {
    let mut record = record().clone();
    record.plan.arms[0].label = String::from("\u{1b}[31mred\r\n\u{0}");
    let report = Report::new(&[record]).unwrap();
    for (path, bytes) in report.files().unwrap() {
        let text = String::from_utf8_lossy(&bytes);
        let is_text = path.extension().is_some_and(|e| e == "svg" || e == "html");
        if is_text {
            let raw = text
                .chars()
                .find(|c| c.is_control() && *c != '\n' && *c != '\t');
            assert_eq!(raw, None, "in {}", path.display());
        }
    }
    let quoted = "\"\u{1b}[31mred\r\n\u{0}";
    assert!(report.runs_csv().contains(quoted));
}

fn runs(record: &Record) -> usize {
    let budgets = record.arms.iter().flat_map(|arm| &arm.budgets);
    budgets.map(|budget| budget.runs.len()).sum()
}

#[test]
fn several_comparisons_share_a_page_without_mixing() {
    let report = Report::new(&[record().clone(), record().clone()]).unwrap();
    let html = report.html();
    assert!(html.contains("2 comparisons"));
    assert!(html.contains("id=\"1-accuracy\"") && html.contains("id=\"2-accuracy\""));
    for place in [1, 2] {
        let title = format!("{} ({place})", record().plan.title);
        let rows = report.runs_csv().lines().filter(|row| row.contains(&title));
        assert_eq!(rows.count(), runs(record()), "{title}");
    }
    assert!(html.len() < 1_500_000);
}

/// What a reader of the page would see and do: every chart is drawn, and pointing at it shows
/// values. On a phone as on a desk nothing is wider than the page.
#[test]
fn a_browser_draws_every_chart_and_shows_values_at_the_pointer() {
    let Some(browser) = browser() else {
        let skipped = "skipped: no chromium is installed, so the page was not shown by a browser\n";
        std::io::stderr().write_all(skipped.as_bytes()).unwrap();
        return;
    };
    for width in [400, 1100] {
        let seen = probe(&browser, report().html(), width);
        assert_eq!(seen["problems"], Value::Array(Vec::new()));
        assert_eq!(seen["width"], width);
        let page = seen["page"].as_u64().unwrap();
        assert!(
            page <= width,
            "a page of {width} pixels scrolls over {page}"
        );
        check_charts(&seen["charts"]);
        check_forest(&seen["forest"]);
    }
}

fn check_charts(charts: &Value) {
    let charts = charts.as_object().unwrap();
    assert!(charts.len() >= 8, "{charts:?}");
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
        let ticks = chart["ticks"].as_array().unwrap();
        assert!(ticks.len() >= 2, "{id} has the ticks {ticks:?}");
        for tick in ticks {
            let digits = tick.as_str().unwrap().replace([',', '.', '-'], "");
            let digits = digits.split('e').next().unwrap().trim_matches('0');
            assert!(digits.len() <= 3, "{id} has the tick {tick}");
        }
    }
    let rate = charts["rate"]["tip"].as_str().unwrap();
    let spec = record().arms[0].spec.as_ref().unwrap();
    let shown = rate.contains(&format!("{:.3}", spec.peak())[..4]);
    assert!(shown, "the fixed rate {} is in `{rate}`", spec.peak());
}

/// Every whisker lies where its numbers say, on the scale that the ticks give.
fn check_forest(forest: &Value) {
    let place = |value: f64| {
        let tick = |n: usize| {
            let tick = &forest["ticks"][n];
            let text = tick["text"].as_str().unwrap().replace('−', "-");
            (text.parse::<f64>().unwrap(), tick["at"].as_f64().unwrap())
        };
        let ((a, at_a), (b, at_b)) = (tick(0), tick(1));
        at_a + (value - a) / (b - a) * (at_b - at_a)
    };
    let rows = forest["rows"].as_array().unwrap();
    let arms = record().whole().enumerate();
    let arms = arms.filter(|(arm, _)| *arm != record().plan.reference);
    let differences = arms.flat_map(|(_, arm)| &arm.against);
    let expected: Vec<_> = differences
        .filter_map(|against| Some(against.difference?.difference))
        .collect();
    assert!(rows.len() >= 3 && rows.len() == expected.len());
    for sample in expected {
        // A difference that is the same at every seed has no interval, and no whisker.
        let ends = sample.interval;
        let places = [
            ("low", ends.map(|ends| place(ends.low))),
            ("high", ends.map(|ends| place(ends.high))),
            ("mean", Some(place(sample.mean))),
        ];
        let found = rows.iter().any(|row| {
            places
                .iter()
                .all(|(name, at)| match (row[name].as_f64(), at) {
                    (Some(seen), Some(at)) => (seen - at).abs() < 1.5,
                    (seen, at) => seen.is_none() && at.is_none(),
                })
        });
        assert!(found, "no whisker at {places:?} in {rows:?}");
    }
}

/// In the page's head: keeps what goes wrong.
const BEFORE: &str = "<script>window.problems = []; addEventListener('error', e => problems.push(e.message));\
        console.error = (...x) => problems.push(x.join(' '));</script>";

/// At the page's end: points at every chart, and says what is then to be seen.
const AFTER: &str = r#"<script>
        const rest = () => new Promise(done => setTimeout(done, 40));
        const box = element => element.getBoundingClientRect();
        (async () => {
          const charts = {};
          for (const [id, plot] of window.cyclr) {
            await rest();
            const over = plot.over, at = box(over);
            const move = name => over.dispatchEvent(new MouseEvent(name, {
              clientX: at.left + at.width * 0.26, clientY: at.top + at.height * 0.5, movementX: 3, movementY: 1, bubbles: true }));
            move("mouseenter"); move("mousemove");
            await rest();
            const canvas = plot.ctx.canvas, pixels = plot.ctx.getImageData(0, 0, canvas.width, canvas.height).data;
            let ink = 0;
            for (let n = 3; n < pixels.length; n += 4) if (pixels[n] > 60) ink++;
            const tip = over.querySelector(".tip");
            charts[id] = { ink, tip: tip.hidden ? "" : tip.textContent, ticks: plot.axes.flatMap(axis => axis._values) };
          }
          const middle = element => (box(element).left + box(element).right) / 2;
          const forest = {
            ticks: [...document.querySelectorAll(".forest .axis span")].map(s => ({ text: s.textContent, at: middle(s) })),
            rows: [...document.querySelectorAll(".forest .strip")].map(row => {
              const bar = row.querySelector(".bar");
              const [low, high] = bar ? [box(bar).left, box(bar).right] : [null, null];
              return { low, high, mean: middle(row.querySelector(".dot")) };
            }),
          };
          const page = document.documentElement.scrollWidth;
          parent.postMessage({ charts, forest, page, width: innerWidth, problems }, "*");
        })().catch(e => parent.postMessage({ failed: String(e) }, "*"));
        </script></body>"#;

/// Shows the page at a width, and says what is then to be seen.
fn probe(browser: &Path, html: &str, width: u64) -> Value {
    let page = html
        .replacen("<head>", &format!("<head>{BEFORE}"), 1)
        .replace("</body>", AFTER);
    let dom = shown(browser, &framed(&page, width));
    let seen = dom
        .rsplit_once("id=\"seen\">SEEN")
        .and_then(|(_, rest)| rest.split_once("SEEN"));
    let (seen, _) = seen.expect("the page says what is to be seen");
    let seen: Value = serde_json::from_slice(&base64(seen)).unwrap();
    assert_eq!(seen["failed"], Value::Null);
    seen
}

/// Every number of a record, replaced by ones that no comparison has: the record is refused or
/// shown, and takes neither the memory nor the time that such a number of updates would.
#[test]
fn a_wild_number_in_a_record_is_refused_or_shown() {
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("result.json");
    std::fs::copy(
        testdata.join("comparison-v1/comparison.json"),
        folder.path().join("comparison.json"),
    )
    .unwrap();
    let old = std::fs::read(testdata.join("comparison-v1/result.json")).unwrap();
    let old: Value = serde_json::from_slice(&old).unwrap();
    let now = serde_json::to_value(record()).unwrap();
    let (mut refused, mut shown) = (0, 0);
    let wild = ["9007199254740992", "1e308"];
    for (good, version, wild) in [(old, 1, &wild[..]), (now, 2, &wild[..1])] {
        for place in numbers(&good) {
            for wild in wild {
                let mut record = good.clone();
                *record.pointer_mut(&place).unwrap() = serde_json::from_str(wild).unwrap();
                record["version"] = version.into();
                std::fs::write(&file, record.to_string()).unwrap();
                match read_comparison(folder.path()) {
                    Ok(record) => {
                        let report = Report::new(&[record.unwrap()]);
                        shown += usize::from(report.is_ok_and(|report| !report.html().is_empty()));
                    }
                    Err(error) => {
                        assert!(
                            error.to_string().contains("result.json"),
                            "{place}: {error}"
                        );
                        refused += 1;
                    }
                }
            }
        }
    }
    assert!(
        refused > 10 && shown > 10,
        "{refused} refused, {shown} shown"
    );
}

/// A place of each kind at which a document has a number: of a list, the last entry's.
fn numbers(document: &Value) -> Vec<String> {
    let under = |key: &str, inner: &Value| {
        let places = numbers(inner).into_iter();
        places.map(|place| format!("/{key}{place}")).collect()
    };
    match document {
        Value::Number(_) => vec![String::new()],
        Value::Object(members) => {
            let members = members.iter();
            members
                .flat_map(|(key, inner)| -> Vec<String> { under(key, inner) })
                .collect()
        }
        Value::Array(entries) => match entries.last() {
            Some(last) => under(&(entries.len() - 1).to_string(), last),
            None => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// The page in a frame, as a window of a browser cannot be as narrow as a phone. What it says is
/// written below it.
fn framed(page: &str, width: u64) -> String {
    const LISTEN: &str = "<!doctype html><script>addEventListener('message', e => {
        const seen = document.createElement('pre');
        seen.id = 'seen';
        seen.textContent = 'SEEN' + btoa(unescape(encodeURIComponent(JSON.stringify(e.data)))) + 'SEEN';
        document.body.append(seen);
    });</script>";
    format!(
        "{LISTEN}<body><iframe style=\"border:0\" width=\"{width}\" height=\"900\" srcdoc=\"{}\"></iframe></body>",
        super::cells::escaped(page)
    )
}

/// What a browser makes of a page.
fn shown(browser: &Path, page: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.html");
    std::fs::write(&file, page).unwrap();
    let profile = folder.path().join("profile");
    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--window-size=1300,1000",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            "--virtual-time-budget=20000",
            "--dump-dom",
        ])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("file://{}", file.display()))
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
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
