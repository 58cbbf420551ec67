//! What is shown while work is done: a bar where there is a terminal, now and then a plain line where there is not.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use cyclr::seam::Metrics;
use cyclr_train::{Event, Interrupt, find::FindEvent};
use indicatif::{ProgressBar, ProgressStyle};

/// How often a plain line is written.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Is requested by Ctrl-C and by the signals that ask a process to end; a second one ends it at once.
pub(crate) fn interrupt() -> anyhow::Result<Interrupt> {
    let interrupt = Interrupt::new();
    let asked = interrupt.clone();
    ctrlc::set_handler(move || {
        if asked.is_requested() {
            std::process::exit(130);
        }
        asked.request();
        eprintln!("\nstopping, and keeping what was done; once more to stop at once");
    })?;
    Ok(interrupt)
}

/// The progress of a piece of work that counts updates.
pub(crate) struct Progress {
    bar: ProgressBar,
    plain: bool,
    began: Instant,
    last: Instant,
    start: u64,
}

impl Progress {
    pub(crate) fn new(updates: u64) -> Self {
        let bar = ProgressBar::new(updates);
        let style =
            ProgressStyle::with_template("{wide_bar} {pos}/{len} updates  {msg}  ETA {eta}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        let (plain, now) = (!std::io::stderr().is_terminal(), Instant::now());
        Self {
            bar,
            plain,
            began: now,
            last: now,
            start: 0,
        }
    }

    /// Shows what happens in a run.
    pub(crate) fn run_event(&mut self, event: &Event) {
        match event {
            Event::Timed {
                seconds,
                seconds_per_update,
                updates,
            } => self.say(&format!(
                "{seconds:.0} s are {updates} updates, of {:.2} ms each",
                1e3 * seconds_per_update
            )),
            Event::Adjusted { budget, end } => {
                self.say(&format!(
                    "the run ends at a trough, after {end} of the {budget} updates that were given"
                ));
            }
            Event::Started { made, end, .. } => {
                self.start = *made;
                self.bar.set_length(*end);
                self.bar.set_position(*made);
            }
            Event::Damaged { file, reason } => self.say(&format!(
                "{} is damaged ({reason}): the one before it is taken",
                file.display()
            )),
            Event::Updated {
                update,
                hyper,
                metrics,
                ..
            } => {
                self.bar.set_position(update + 1);
                if self.is_time() {
                    let speed =
                        (update + 1 - self.start) as f64 / self.began.elapsed().as_secs_f64();
                    self.show(format!(
                        "rate {:.3e}, {}, {speed:.0}/s",
                        hyper.lr,
                        figures(metrics)
                    ));
                }
            }
            Event::Read(reading) => {
                let trough = reading.trough.map_or_else(String::new, |k| {
                    format!(", trough {k}: you could stop here")
                });
                self.say(&format!(
                    "after {} updates: validation {}{trough}",
                    reading.made,
                    figures(&reading.metrics)
                ));
            }
            _ => {}
        }
    }

    /// Shows what happens in a range test.
    pub(crate) fn find_event(&mut self, event: &FindEvent) {
        match event {
            FindEvent::Began {
                ramp,
                repeats,
                weight_decay,
            } => {
                let decay =
                    weight_decay.map_or_else(String::new, |wd| format!(" at weight decay {wd}"));
                self.say(&format!(
                    "{repeats} × {} updates, the rate rising from {:.3e} to {:.3e} ({}){decay}",
                    ramp.updates(),
                    ramp.from(),
                    ramp.to(),
                    format!("{:?}", ramp.shape()).to_lowercase(),
                ));
            }
            FindEvent::Measured { point, .. } => {
                self.bar.inc(1);
                if self.is_time() {
                    self.show(format!("rate {:.3e}", point.lr));
                }
            }
            _ => {}
        }
    }

    /// Counts from the start again, to so many updates.
    pub(crate) fn begin(&mut self, updates: u64) {
        self.bar.reset();
        self.bar.set_length(updates);
        self.start = 0;
        self.began = Instant::now();
    }

    /// Counts what one of several runs does.
    pub(crate) fn count(&mut self, event: &Event) {
        match event {
            Event::Started { made, .. } => self.bar.inc(*made),
            Event::Updated { .. } => {
                self.bar.inc(1);
                if self.is_time() {
                    let speed = self.bar.position() as f64 / self.began.elapsed().as_secs_f64();
                    self.show(format!("{speed:.0}/s"));
                }
            }
            _ => {}
        }
    }

    /// A line that stays.
    pub(crate) fn say(&self, line: &str) {
        if self.plain {
            eprintln!("{line}");
        } else {
            self.bar.println(line);
        }
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// Whether something should be shown again.
    fn is_time(&mut self) -> bool {
        let every = if self.plain {
            LINE_EVERY
        } else {
            Duration::from_millis(200)
        };
        let due = self.last.elapsed() >= every;
        if due {
            self.last = Instant::now();
        }
        due
    }

    fn show(&self, message: String) {
        if self.plain {
            let (made, all) = (self.bar.position(), self.bar.length().unwrap_or(0));
            eprintln!("{made}/{all} updates, {message}");
        } else {
            self.bar.set_message(message);
        }
    }
}

/// `loss 0.413, accuracy 0.872`
pub(crate) fn figures(metrics: &Metrics) -> String {
    let figures: Vec<String> = metrics
        .iter()
        .map(|metric| format!("{} {:.4}", metric.name, metric.value))
        .collect();
    figures.join(", ")
}
