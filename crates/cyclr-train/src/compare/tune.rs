use cyclr::trainer::Direction;

use super::record::{Trial, Tuning};

/// How far beyond an edge the next rate is.
const BEYOND: f64 = 2.0;

/// The place of the best trial: by validation, and of equals the smallest rate. `None` if all
/// diverged.
pub(super) fn best(trials: &[Trial], direction: Direction) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    for (place, trial) in trials.iter().enumerate() {
        let Some(value) = trial.validation else {
            continue;
        };
        if best.is_none_or(|(_, than)| direction.is_better(value, than)) {
            best = Some((place, value));
        }
    }
    best.map(|(place, _)| place)
}

/// What one more trial of an arm should try: beyond the edge if the best is at an edge, else
/// between the best and the better of its neighbours, so that every arm has as many trials. If all
/// diverged, below them all. Nothing for an arm without trials.
pub(super) fn one_more(trials: &[Trial], direction: Direction) -> Vec<f64> {
    let Some(last) = trials.len().checked_sub(1) else {
        return Vec::new();
    };
    let at = |place: usize| trials[place].multiple;
    vec![match best(trials, direction) {
        None | Some(0) => at(0) / BEYOND,
        Some(place) if place == last => at(last) * BEYOND,
        Some(place) => {
            let sides = [trials[place - 1].clone(), trials[place + 1].clone()];
            let side = [place - 1, place + 1][best(&sides, direction).unwrap_or(0)];
            (at(place) * at(side)).sqrt()
        }
    }]
}

/// Whether any arm's best is at an edge, and so every arm has one more trial.
pub(super) fn needs_more(arms: &[Vec<Trial>], direction: Direction) -> bool {
    arms.iter().any(|trials| at_edge(trials, direction))
}

fn at_edge(trials: &[Trial], direction: Direction) -> bool {
    // A single rate is a choice, not a search with edges.
    let best = best(trials, direction);
    trials.len() > 1 && best.is_none_or(|place| place == 0 || place == trials.len() - 1)
}

/// The search in the order of its rates, with its choice.
pub(super) fn tuning(trials: Vec<Trial>, direction: Direction) -> Tuning {
    Tuning {
        chosen: best(&trials, direction),
        at_edge: at_edge(&trials, direction),
        trials,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trials(values: &[(f64, Option<f64>)]) -> Vec<Trial> {
        let trial = |&(multiple, validation): &(f64, Option<f64>)| Trial {
            multiple,
            peak: multiple,
            extra: false,
            validation,
            folder: String::new(),
            updates: 1,
            seconds: 0.0,
        };
        values.iter().map(trial).collect()
    }

    #[test]
    fn the_best_rate_is_chosen_and_the_smallest_of_equals() {
        let t = trials(&[
            (1.0, Some(3.0)),
            (2.0, Some(5.0)),
            (4.0, Some(5.0)),
            (8.0, None),
        ]);
        assert_eq!(
            (best(&t, Direction::Higher), best(&t, Direction::Lower)),
            (Some(1), Some(0))
        );
        assert_eq!(best(&trials(&[(1.0, None)]), Direction::Higher), None);
    }

    #[test]
    fn one_more_goes_beyond_an_edge_or_between_the_best_two() {
        for (values, next) in [
            ([Some(9.0), Some(5.0), Some(4.0)], 0.5),
            ([Some(1.0), Some(5.0), Some(6.0)], 8.0),
            ([Some(1.0), Some(9.0), Some(6.0)], 8_f64.sqrt()),
            ([Some(7.0), Some(9.0), None], 2_f64.sqrt()),
            ([None, None, None], 0.5),
        ] {
            let t: Vec<_> = [1.0, 2.0, 4.0].into_iter().zip(values).collect();
            assert_eq!(
                one_more(&trials(&t), Direction::Higher),
                [next],
                "{values:?}"
            );
        }
    }

    #[test]
    fn an_edge_is_an_edge() {
        let t = |values: [Option<f64>; 3]| {
            trials(&[1.0, 2.0, 4.0].into_iter().zip(values).collect::<Vec<_>>())
        };
        let inside = t([Some(1.0), Some(3.0), Some(2.0)]);
        let edge = t([Some(1.0), Some(2.0), Some(3.0)]);
        assert!(!needs_more(
            std::slice::from_ref(&inside),
            Direction::Higher
        ));
        assert!(needs_more(&[inside, edge], Direction::Higher));
        assert!(!needs_more(
            &[trials(&[(1.0, Some(1.0))])],
            Direction::Higher
        ));
    }
}
