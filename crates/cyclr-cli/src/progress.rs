//! What is shown while work is done: a bar if there is a terminal, now and then a plain line if
//! there is not.

mod timed_bar;

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::say::{note, printable};
use cyclr::readable;
use cyclr::trainer::Metrics;
use cyclr_train::{Event, Interrupt, ValidationPoint, find::FindEvent};

use crate::chart::rate;
use indicatif::MultiProgress;
use timed_bar::TimedBar;

/// How often a plain line is written.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Is requested by Ctrl-C and by the signals that ask a process to end; a second one ends it at
/// once. There is one for the process, as there are signals.
pub(crate) fn interrupt() -> anyhow::Result<Interrupt> {
    static INTERRUPT: OnceLock<Interrupt> = OnceLock::new();
    if let Some(interrupt) = INTERRUPT.get() {
        return Ok(interrupt.clone());
    }
    let interrupt = INTERRUPT.get_or_init(Interrupt::new).clone();
    let asked = interrupt.clone();
    ctrlc::set_handler(move || {
        if asked.is_requested() {
            std::process::exit(130);
        }
        asked.request();
        note!("\nstopping; press Ctrl-C again to stop at once");
    })?;
    Ok(interrupt)
}

/// When this process began, as near as it can be told.
static BEGAN: OnceLock<Instant> = OnceLock::new();

/// Starts the clock of [`in_all`].
pub(crate) fn start_clock() {
    BEGAN.get_or_init(Instant::now);
}

/// What a command takes from its start to its end if it takes `seconds` from now on: what
/// was spent to read data and to measure the pace is a part of it.
pub(crate) fn in_all(seconds: f64) -> f64 {
    BEGAN.get_or_init(Instant::now).elapsed().as_secs_f64() + seconds
}

/// A predicted time in words, as [`words`]; below a second the start of a process counts too much for digits.
pub(crate) fn predicted(seconds: f64) -> String {
    if seconds < 0.95 {
        String::from("less than 1 s")
    } else {
        words(seconds)
    }
}

/// A time in words: `1.5 s`, `12 s`, `3 min` or `2.5 h`.
pub(crate) fn words(seconds: f64) -> String {
    if seconds < 9.95 {
        format!("{seconds:.1} s")
    } else if seconds < 100.0 {
        format!("{seconds:.0} s")
    } else if seconds < 6000.0 {
        format!("{:.0} min", seconds / 60.0)
    } else {
        format!("{:.1} h", seconds / 3600.0)
    }
}

/// The progress of a piece of work that counts updates: a bar for the whole, and below it one for
/// each run of several.
pub(crate) struct Progress {
    bars: MultiProgress,
    whole: TimedBar,
    runs: BTreeMap<String, TimedBar>,
    /// The updates of each repeat of the sweeps that are being made.
    repeats: BTreeMap<u32, u64>,
    plain: bool,
    last: Instant,
}

impl Progress {
    pub(crate) fn new(updates: u64) -> Self {
        let bars = MultiProgress::new();
        let template = "{wide_bar} {pos}/{len} updates  {msg}";
        Self {
            whole: TimedBar::new(&bars, updates, template),
            // Where bars cannot be drawn: no terminal, or one that cannot move its cursor.
            plain: bars.is_hidden(),
            bars,
            runs: BTreeMap::new(),
            repeats: BTreeMap::new(),
            last: Instant::now(),
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
                "{} are {updates} updates of {} ms",
                words(*seconds),
                readable(1e3 * seconds_per_update, 3)
            )),
            Event::Adjusted { budget, end } => {
                self.say(&format!(
                    "the run ends at a trough, after {end} of the {budget} updates that were given"
                ));
            }
            Event::Started {
                updates_done,
                end,
                updates_per_epoch,
                ..
            } => {
                self.whole.started(*updates_done, *end, *updates_per_epoch);
                self.last = Instant::now();
            }
            Event::Damaged { file, reason } => self.say(&format!(
                "{} is damaged ({reason}): the one before it is used",
                file.display()
            )),
            Event::Updated {
                update,
                hyper,
                metrics,
                ..
            } => {
                self.whole.bar.set_position(update + 1);
                if self.is_time() {
                    self.show(self.whole.describe(*hyper, metrics));
                }
            }
            Event::Evaluated(evaluation) => self.evaluated(evaluation),
            _ => {}
        }
    }

    fn evaluated(&mut self, evaluation: &ValidationPoint) {
        let is_usable = evaluation.metrics.is_finite();
        let trough = evaluation.trough.filter(|_| is_usable);
        let trough = trough.map_or_else(String::new, |k| {
            format!(", trough {k}: you could stop here")
        });
        let average = evaluation.average.as_ref();
        let average = average.map_or_else(String::new, |metrics| {
            format!("; averaged: {}", figures(metrics))
        });
        self.say(&format!(
            "after {} updates: validation {}{average}{trough}",
            evaluation.updates_done,
            figures(&evaluation.metrics)
        ));
    }

    /// Shows what happens in a range test.
    pub(crate) fn find_event(&mut self, event: &FindEvent) {
        match event {
            FindEvent::SweepBegan { ramp, repeats } => {
                self.repeats.clear();
                self.say(&format!(
                    "sweep of {repeats} × {} updates, rate from {} to {} ({})",
                    ramp.updates(),
                    rate(ramp.from()),
                    rate(ramp.to()),
                    format!("{:?}", ramp.shape()).to_lowercase(),
                ));
            }
            FindEvent::Measured { repeat, point } => {
                let updates_done = self.repeats.insert(*repeat, point.update + 1);
                self.whole
                    .bar
                    .inc(point.update + 1 - updates_done.unwrap_or(0));
                if self.is_time() {
                    self.show(format!(
                        "rate {}, {:.0}/s",
                        rate(point.lr),
                        self.whole.speed()
                    ));
                }
            }
            FindEvent::Probed(result) => {
                self.whole.bar.inc(result.made);
                let end = match (result.figure, result.loss) {
                    (Some(figure), _) => format!("ended at {figure:.3}"),
                    (None, Some(loss)) => format!("ended at a loss of {loss:.4}"),
                    (None, None) => String::from("diverged"),
                };
                let (lr, made) = (rate(result.probe.lr), result.made);
                self.say(&format!("probe of {made} updates at rate {lr}: {end}"));
            }
            _ => {}
        }
    }

    /// Counts from the start again, to the total updates of several runs.
    pub(crate) fn begin(&mut self, updates: u64) {
        self.whole.bar.reset();
        self.whole.started(0, updates, 1);
        self.last = Instant::now();
    }

    /// Shows what one of several runs does, and counts it.
    pub(crate) fn event_of(&mut self, run: &str, event: &Event) {
        match event {
            Event::Started {
                updates_done,
                end,
                updates_per_epoch,
                ..
            } => {
                self.whole.skip(*updates_done);
                let template = "  {bar:20} {pos}/{len} {prefix}  {msg}";
                let mut timed = TimedBar::new(&self.bars, *end, template);
                timed.bar.set_prefix(run.to_owned());
                timed.started(*updates_done, *end, *updates_per_epoch);
                self.runs.insert(run.to_owned(), timed);
            }
            Event::Updated {
                update,
                hyper,
                metrics,
                ..
            } => {
                if let Some(timed) = self.runs.get_mut(run) {
                    // Of a run that another machine makes, not every update is seen, and some are
                    // seen again.
                    self.whole.bar.inc(timed.reach(update + 1));
                }
                if self.is_time() {
                    if let Some(timed) = self.runs.get_mut(run) {
                        timed.mark();
                        timed.bar.set_message(timed.describe(*hyper, metrics));
                    }
                    self.show(format!("{:.0}/s", self.whole.speed()));
                }
            }
            _ => {}
        }
    }

    /// Takes away the bar of a run that is over. What is left of the updates that were planned was
    /// made before, or never will be.
    pub(crate) fn over(&mut self, run: &str, planned: u64) {
        let counted = self.runs.remove(run).map_or(0, |timed| {
            self.bars.remove(&timed.bar);
            timed.bar.position()
        });
        self.whole.skip(planned.saturating_sub(counted));
    }

    /// A line that stays.
    pub(crate) fn say(&self, line: &str) {
        if self.plain {
            note!("{line}");
        } else {
            // Where the terminal is gone, so is the reader.
            let _ = self.bars.println(printable(line));
        }
    }

    pub(crate) fn finish(&self) {
        let _ = self.bars.clear();
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

    fn show(&mut self, mut message: String) {
        self.whole.mark();
        if let Some(seconds) = self.whole.seconds_left() {
            message += &format!(", ETA {}", words(seconds));
        }
        if self.plain {
            let bar = &self.whole.bar;
            let (updates_done, all) = (bar.position(), bar.length().unwrap_or(0));
            note!("{updates_done}/{all} updates, {message}");
        } else {
            self.whole.bar.set_message(message);
        }
    }
}

/// `loss 0.413, accuracy 0.872`
pub(crate) fn figures(metrics: &Metrics) -> String {
    let figures: Vec<String> = metrics
        .iter()
        .map(|metric| format!("{} {}", metric.name, readable(metric.value, 4)))
        .collect();
    figures.join(", ")
}

#[cfg(test)]
mod tests {
    use cyclr::Hyper;

    use super::*;

    fn started(updates_done: u64) -> Event {
        Event::Started {
            updates_done,
            end: 100,
            updates_per_epoch: 1,
            resumable: true,
        }
    }

    fn updated(update: u64) -> Event {
        Event::Updated {
            update,
            hyper: Hyper::lr(0.1),
            metrics: Metrics::new([]),
            seconds: 0.1,
        }
    }

    /// Of three runs one was made before, one was begun, and one ends early.
    #[test]
    fn updates_made_before_a_resume_count_and_do_not_change_the_pace() {
        let mut progress = Progress::new(0);
        progress.begin(300);
        let so_far = |progress: &Progress| {
            let done = progress.whole.bar.position();
            (done, progress.whole.made())
        };
        progress.over("read", 100);
        assert_eq!(so_far(&progress), (100, 0));
        progress.event_of("begun", &started(40));
        assert_eq!(so_far(&progress), (140, 0));
        // As another machine has made them, which goes on from a checkpoint.
        for update in [59, 49, 99] {
            progress.event_of("begun", &updated(update));
        }
        assert_eq!(so_far(&progress), (200, 60));
        progress.over("begun", 100);
        progress.event_of("diverges", &started(0));
        progress.event_of("diverges", &updated(9));
        progress.over("diverges", 100);
        assert_eq!(so_far(&progress), (300, 70));
    }

    #[test]
    fn a_predicted_time_has_two_digits() {
        assert_eq!(words(0.24), "0.2 s");
        assert_eq!(predicted(0.24), "less than 1 s");
        assert_eq!(predicted(0.96), "1.0 s");
        assert_eq!(words(1.52), "1.5 s");
        assert_eq!(words(12.3), "12 s");
        assert_eq!(words(170.0), "3 min");
        assert_eq!(words(9000.0), "2.5 h");
    }
}
