//! What people and other programs write: specs, studies, curves, messages.

use cyclr::Spec;
use cyclr::range::{Rule, Sweep, read_bounds};
use cyclr::trainer::{Direction, TrainerInfo};
use cyclr::units::Horizon;
use cyclr_train::compare::{Study, WinnerFile};
use cyclr_train::find::{Curve, Smoothed, copies, read_recorded};
use cyclr_train::judge::{Figure, Judgement, Question, judge, read_values};
use cyclr_train::noisy_quadratic::NoisyQuadratic;

use super::place::Place;

/// A spec reads back from its own text; its rates are finite and at least 0 everywhere.
pub(crate) fn spec(data: &[u8]) {
    let Some(spec) = text(data).and_then(|text| text.parse::<Spec>().ok()) else {
        return;
    };
    let written = spec.to_string();
    assert_eq!(
        written.parse::<Spec>().as_ref(),
        Ok(&spec),
        "{written} reads back"
    );
    let (_, _) = (spec.describe(), spec.shown_in(Some(20)));
    check_rates(&spec);
    for other in [spec.stretched(0.37), spec.with_peak(0.01)]
        .into_iter()
        .flatten()
    {
        check_rates(&other);
    }
}

fn check_rates(spec: &Spec) {
    let horizons = [
        (1, 1, 1),
        (7, 100, 10),
        (1000, 50_000, 100),
        (1 << 40, 1 << 50, 3),
        (u64::MAX, 10, 10),
    ];
    for (updates, examples, batch) in horizons {
        let run = Horizon::of_updates(updates).and_then(|run| run.with_epoch(examples, batch));
        let Ok(schedule) = run.and_then(|run| spec.schedule(&run)) else {
            continue;
        };
        let ends = [0, 1, 2, updates / 3, updates / 2, updates - 1, updates];
        for update in ends.into_iter().chain([u64::MAX]) {
            let lr = schedule.at(update).lr;
            assert!(
                lr.is_finite() && lr >= 0.0,
                "{spec} at {update} of {updates}: {lr}"
            );
            let _ = schedule.position(update);
        }
        // The troughs of the longest runs are too many to walk through.
        let mut last = 0;
        for trough in schedule.troughs().take(100) {
            assert!(
                trough > last && trough <= updates,
                "{spec} over {updates}: trough {trough} after {last}"
            );
            last = trough;
        }
    }
}

/// The plans of a study can be checked, whole and shortened.
pub(crate) fn study(data: &[u8]) {
    let Some(study) = text(data).and_then(|text| Study::read(text).ok()) else {
        return;
    };
    let shorter = study.clone().scaled(0.04);
    for study in [Ok(study), shorter].into_iter().flatten() {
        for comparison in &study.comparisons {
            if comparison.plan.check(&info()).is_ok() {
                let (_, _) = (comparison.plan.runs(), comparison.plan.updates_of_runs());
            }
        }
    }
}

pub(crate) fn info() -> TrainerInfo {
    NoisyQuadratic::default().info
}

/// The winner of a comparison makes a schedule.
pub(crate) fn winner(data: &[u8]) {
    let Some(winner) = text(data).and_then(|text| WinnerFile::read(text).ok()) else {
        return;
    };
    let run = Horizon::of_updates(winner.updates)
        .and_then(|run| run.with_epoch(winner.updates_per_epoch, 1));
    if let Ok(schedule) = run.and_then(|run| winner.policy.schedule(&run)) {
        let _ = schedule.at(winner.updates / 2);
    }
}

/// Recorded curves, in one file or in two. The first byte says what is known about the average.
pub(crate) fn curves(data: &[u8]) {
    thread_local!(static PLACE: Place = Place::new());
    let Some((&way, data)) = data.split_first() else {
        return;
    };
    let smoothed = match way % 4 {
        0 => None,
        1 => Some(Smoothed::Raw),
        2 => Some(Smoothed::ByFactor(0.98)),
        _ => "fastai".parse().ok(),
    };
    let read = PLACE.with(|place| {
        let folder = place.of_parts(&["a.csv", "b.csv", "c.csv"], data);
        let files: Vec<_> = ["a.csv", "b.csv", "c.csv"]
            .map(|name| folder.join(name))
            .into();
        let files: Vec<_> = files.into_iter().filter(|file| file.exists()).collect();
        read_recorded(&files, smoothed)
    });
    if let Ok(recorded) = read {
        let _ = copies(&recorded);
        let sweeps: Vec<Sweep> = recorded.into_iter().map(|one| one.sweep).collect();
        let _ = format!("{:?}", read_bounds(&sweeps, &Rule::default()));
    }
    if let Some(curve) = text(data).and_then(|text| Curve::from_csv(text).ok()) {
        let again = Curve::from_csv(&curve.to_csv());
        assert!(again.is_ok(), "{again:?}: {}", curve.to_csv());
    }
}

/// A table of results, judged beside its first arm. The first byte says what is known about it.
pub(crate) fn judged(data: &[u8]) {
    thread_local!(static PLACE: Place = Place::new());
    let Some((&way, data)) = data.split_first() else {
        return;
    };
    let mut question = Question {
        figure: Figure {
            direction: (way & 1 != 0).then_some(Direction::Lower),
            fraction: [None, Some(true), Some(false), None][usize::from(way >> 1) % 4],
            ..Figure::default()
        },
        margin: (way & 8 != 0).then_some(0.1),
        examples: (way & 16 != 0).then_some(2000),
        unpaired: way & 32 != 0,
        ..Question::default()
    };
    let read = PLACE.with(|place| read_values(&place.write("table", data), &question));
    let Ok(values) = read else { return };
    question.reference.clone_from(&values.arms()[0]);
    let Ok(judgement) = judge(&values, &question) else {
        return;
    };
    let written = serde_json::to_string(&judgement).expect("a record can be written");
    let again: Judgement = serde_json::from_str(&written).expect("a record reads back");
    assert_eq!(again, judgement);
    for width in [40, 120] {
        let texts = judgement
            .tasks
            .iter()
            .map(|task| task.conclusion.text(width));
        assert!(texts.map(|text| text.len()).sum::<usize>() > 0);
    }
    let _ = cyclr_cli::fuzzing::judgement(&judgement);
}

/// A line that a child writes.
pub(crate) fn protocol(data: &[u8]) {
    cyclr_cli::fuzzing::read_answer(data);
}

fn text(data: &[u8]) -> Option<&str> {
    // Files that are no text are refused before anything is read from them.
    std::str::from_utf8(data).ok()
}
