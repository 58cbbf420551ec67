//! The picture in the terminal.

use cyclr::readable;
use cyclr::trainer::Metric;
use cyclr_train::compare::Begin;
use cyclr_train::store::{Seen, State};

use super::{Overview, Row};
use crate::chart::rate;
use crate::progress::words;
use crate::say::printable;

/// The characters of a bar.
const BAR: usize = 16;

/// The columns from which on bars are drawn.
const WIDE: usize = 70;

/// The picture in at most `most` lines of at most `columns` characters.
pub(super) fn lines(overview: &Overview, columns: usize, most: Option<usize>) -> Vec<String> {
    let runs = in_order(overview);
    let head = [overview.title.clone(), counts(overview)];
    // The last line of a screen is left to the cursor, and one says what is not shown.
    let room = most.map_or(usize::MAX, |rows| {
        rows.saturating_sub(head.len() + 3).max(1)
    });
    let hidden = runs.len().saturating_sub(room);
    let mut lines = Vec::from(head);
    let bars = columns >= WIDE;
    lines.extend(runs.iter().take(room).map(|row| line(row, bars)));
    if hidden > 0 {
        lines.push(format!("and {hidden} more"));
    }
    if overview.is_over {
        let folder = overview.folder.display();
        lines.push(format!("over; the result is in {folder}"));
    }
    lines
        .iter()
        .map(|line| cut(&printable(line), columns))
        .collect()
}

/// The runs, those at work first and those done last.
pub(super) fn in_order(overview: &Overview) -> Vec<&Row> {
    let mut runs: Vec<&Row> = overview.runs.iter().collect();
    runs.sort_by_key(|row| match row.seen.as_ref().map(|seen| &seen.state) {
        Ok(State::AtWork(_)) => 0,
        Ok(State::Failed(_)) | Err(_) => 1,
        Ok(State::Waiting) => 2,
        Ok(State::Done(_)) => 3,
    });
    runs
}

/// `3 done, 2 at work, 7 waiting, 0 failed`, and what is to be known beside that.
pub(super) fn counts(overview: &Overview) -> String {
    let counts = [
        (overview.done(), "done"),
        (overview.at_work(), "at work"),
        (overview.waiting(), "waiting"),
        (overview.failed(), "failed"),
    ];
    let counts: Vec<String> = counts
        .iter()
        .map(|(n, what)| format!("{n} {what}"))
        .collect();
    let mut counts = counts.join(", ");
    if overview.damaged() > 0 {
        counts += &format!(", {} damaged", overview.damaged());
    }
    if let Some(begin) = &overview.begin {
        counts += &format!("; {}: {}", Begin::UNIT, stands(begin));
    }
    if overview.outside > 0 {
        counts += &format!("; not followed: {} links to other places", overview.outside);
    }
    for reason in &overview.unreadable {
        counts += &format!("; {reason}");
    }
    counts
}

/// `████████░░░░░░░░   480/960    final/…: at work on n2, 12 s left, validation accuracy 0.872, loss 0.413, rate 0.01`
fn line(row: &Row, bars: bool) -> String {
    let said = format!("{}: {}", row.name, said(row));
    let Ok(Seen {
        updates_done, end, ..
    }) = row.seen
    else {
        return said;
    };
    if bars {
        let bar = bar(updates_done, end);
        format!("{bar} {updates_done:>7}/{end:<7} {said}")
    } else {
        format!("{updates_done}/{end} {said}")
    }
}

fn bar(done: u64, all: u64) -> String {
    let full = (BAR as u128 * u128::from(done.min(all)) / u128::from(all.max(1))) as usize;
    "█".repeat(full) + &"░".repeat(BAR - full)
}

/// How a run stands, in words.
pub(super) fn said(row: &Row) -> String {
    match &row.seen {
        Ok(seen) => facts(seen).join(", "),
        Err(reason) => format!("damaged ({})", first_line(reason)),
    }
}

fn facts(seen: &Seen) -> Vec<String> {
    let mut said = vec![stands(&seen.state)];
    match &seen.state {
        State::Failed(_) => return said,
        State::Done(outcome) if outcome.diverged() => return said,
        State::AtWork(_) => {
            let left = seen.seconds_left();
            said.extend(left.map(|seconds| format!("{} left", words(seconds))));
        }
        State::Done(_) | State::Waiting => {}
    }
    let value = |figure: &Metric| readable(figure.value, 4);
    let figure = seen.figure.as_ref();
    said.extend(figure.map(|figure| format!("validation {} {}", figure.name, value(figure))));
    let average = seen.average.as_ref();
    said.extend(average.map(|figure| format!("averaged {}", value(figure))));
    if let (false, Some((hyper, metrics))) = (matches!(seen.state, State::Done(_)), &seen.last) {
        let loss = metrics.loss();
        said.extend(loss.map(|loss| format!("loss {}", readable(loss.value, 4))));
        said.push(format!("rate {}", rate(hyper.lr)));
    }
    said
}

/// `at work on n2`
fn stands(state: &State) -> String {
    match state {
        State::Done(outcome) if outcome.diverged() => String::from("diverged"),
        State::Done(_) => String::from("done"),
        State::Failed(reason) => format!("failed ({})", first_line(reason)),
        State::Waiting => String::from("waiting"),
        State::AtWork(Some(host)) => format!("at work on {host}"),
        State::AtWork(None) => String::from("at work"),
    }
}

fn first_line(reason: &str) -> &str {
    reason.lines().next().unwrap_or("no reason is given")
}

/// The line, so short that the terminal does not break it.
fn cut(line: &str, columns: usize) -> String {
    if line.chars().count() <= columns {
        return line.to_owned();
    }
    let kept: String = line.chars().take(columns.saturating_sub(1)).collect();
    kept + "…"
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn seen(state: State, updates_done: u64) -> Seen {
        Seen {
            state,
            updates_done,
            end: 200,
            last: None,
            figure: None,
            average: None,
            seconds_per_update: Some(0.5),
        }
    }

    fn overview() -> Overview {
        let row = |name: &str, seen| Row {
            name: name.into(),
            folder: PathBuf::from("dir").join(name),
            seen: Ok(seen),
        };
        Overview {
            title: "a title".into(),
            planned: Some(6),
            begin: None,
            runs: vec![
                row("a", seen(State::Waiting, 0)),
                row(
                    "b",
                    seen(State::Failed("on n1: out of memory\nat 3".into()), 0),
                ),
                row("c", seen(State::AtWork(Some("n2".into())), 50)),
            ],
            unreadable: Vec::new(),
            outside: 0,
            is_over: false,
            folder: PathBuf::from("dir"),
        }
    }

    #[test]
    fn what_is_at_work_comes_first_and_runs_to_come_are_counted() {
        assert_eq!(
            lines(&overview(), 100, None),
            [
                "a title",
                "0 done, 1 at work, 4 waiting, 1 failed",
                "████░░░░░░░░░░░░      50/200     c: at work on n2, 75 s left",
                "░░░░░░░░░░░░░░░░       0/200     b: failed (on n1: out of memory)",
                "░░░░░░░░░░░░░░░░       0/200     a: waiting",
            ]
        );
    }

    #[test]
    fn what_comes_before_the_runs_is_shown_until_it_is_done() {
        let overview = Overview {
            begin: Some(State::AtWork(Some("n1".into()))),
            ..overview()
        };
        assert_eq!(
            counts(&overview),
            "0 done, 1 at work, 4 waiting, 1 failed; begin: at work on n1"
        );
    }

    #[test]
    fn an_averaged_model_stands_beside_the_trained_one() {
        let metric = |correct| Some(Metric::accuracy(correct, 1000));
        let seen = Seen {
            figure: metric(872),
            average: metric(881),
            ..seen(State::AtWork(None), 50)
        };
        assert_eq!(
            facts(&seen).join(", "),
            "at work, 75 s left, validation accuracy 0.872, averaged 0.881"
        );
    }

    #[test]
    fn the_picture_fits_the_screen() {
        let lines = lines(&overview(), 20, Some(7));
        assert!(
            lines.iter().all(|line| line.chars().count() <= 20),
            "{lines:?}"
        );
        assert_eq!(lines.len(), 5);
        assert_eq!(lines[2], "50/200 c: at work o…");
        assert_eq!(lines[4], "and 1 more");
    }
}
