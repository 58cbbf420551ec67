//! What hand-made comparisons say, to the letter.

use std::collections::BTreeMap;

use cyclr::trainer::{Direction, Metric, Metrics, Objective, TrainerInfo, Unit};

use cyclr::stats::Race;

use super::super::record::{FinalValues, RaceEnd, RunOutcome, Trial, Tuning};
use super::super::{Arm, BoundsSource, Plan, Tune};
use super::*;
use crate::compare::record::ArmOutcome;
use crate::{Pace, ValidationPoint};

/// An arm by its label and spec, and its final values by seed; `None` if the run diverged.
type Values<'a> = (&'a str, &'a str, &'a [Option<f64>]);

/// The first evaluation of every run.
const FIRST: f64 = 0.2;

fn accuracies(values: &[f64]) -> Vec<Option<f64>> {
    values.iter().copied().map(Some).collect()
}

fn record(objective: Objective, arms: &[Values<'_>]) -> Record {
    let mut record = unjudged(objective, arms);
    judge(&mut record);
    record
}

fn judge(record: &mut Record) {
    for arm in &mut record.arms {
        for budget in &mut arm.budgets {
            budget.against.clear();
        }
    }
    let Record {
        plan,
        info,
        objective,
        arms,
        ..
    } = record;
    analyse::compare_arms(arms, plan, info, objective).unwrap();
    record.conclusion = conclusion(record);
}

fn unjudged(objective: Objective, arms: &[Values<'_>]) -> Record {
    let seeds = arms[0].2.len() as u64;
    let plan = Plan {
        arms: arms
            .iter()
            .map(|(label, spec, _)| Arm {
                label: String::from(*label),
                ..Arm::of(spec.parse().unwrap())
            })
            .collect(),
        seeds: (1..=seeds).collect(),
        bounds: BoundsSource::Unneeded,
        tuning: None,
        ..Plan::new(1000)
    };
    Record {
        info: TrainerInfo {
            validation: 100,
            test: 200,
            objective: Some(objective.clone()),
            ..TrainerInfo::new(800, 8)
        },
        about: BTreeMap::new(),
        pace: Pace {
            seconds_per_start: 0.0,
            seconds_per_update: 0.001,
            seconds_per_evaluation: 0.0,
            updates_timed: 10,
        },
        range: None,
        arms: arms.iter().map(|arm| outcome(&objective, arm)).collect(),
        race: None,
        conclusion: Conclusion::default(),
        objective,
        plan,
    }
}

fn outcome(objective: &Objective, (_, spec, values): &Values<'_>) -> ArmOutcome {
    let spec: Spec = spec.parse().unwrap();
    let runs = values.iter().zip(1..).map(|(value, seed)| RunOutcome {
        seed,
        added: false,
        folder: format!("{seed}"),
        updates_done: 1000,
        updates_shared: 0,
        values: value.map(|value| FinalValues {
            validation: value,
            test: value,
        }),
        evaluations: evaluations(objective, *value),
        training: Vec::new(),
        seconds: 1.0,
    });
    ArmOutcome {
        cyclical: spec.to_string().contains("triangular"),
        tuning: None,
        budgets: vec![BudgetOutcome {
            spec: Some(spec.clone()),
            updates: 1000,
            runs: runs.collect(),
            samples: None,
            against: Vec::new(),
        }],
        spec: Some(spec),
    }
}

/// The run is at its final value from half of its length on.
fn evaluations(objective: &Objective, last: Option<f64>) -> Vec<ValidationPoint> {
    let first = objective.unit.of(FIRST);
    let first = if objective.direction == Direction::Higher {
        first
    } else {
        10.0
    };
    let scale = objective.unit.of(1.0);
    let point = |k: u64| ValidationPoint {
        updates_done: 84 * k,
        trough: None,
        metrics: Metrics::new([Metric {
            name: objective.name.clone(),
            direction: objective.direction,
            value: if k < 6 { first } else { last.unwrap_or(first) } / scale,
            count: 100,
            correct: None,
        }]),
        average: None,
        compute_seconds: 0.0,
    };
    (1..=11).map(point).collect()
}

fn loss() -> Objective {
    Objective {
        name: "loss".into(),
        direction: Direction::Lower,
        unit: Unit::Own,
    }
}

/// The lines of a text, for a message that shows where two differ.
#[track_caller]
fn same(found: &str, expected: &str) {
    let expected = expected.trim_start_matches('\n');
    assert!(found == expected, "found:\n{found}\nexpected:\n{expected}");
}

const FIXED: &str = "fixed(lr=0.05)";
const LINEAR: &str = "linear(lr=0.1)";
const CYCLES: &str = "triangular2(base=0.01, max=0.1, step=125)";

fn usual() -> Record {
    record(
        Objective::ACCURACY,
        &[
            ("fixed", FIXED, &accuracies(&[84.0, 85.0, 86.0, 85.5, 84.5])),
            (
                "triangular2",
                CYCLES,
                &accuracies(&[84.3, 85.1, 86.0, 85.2, 85.1]),
            ),
            (
                "linear",
                LINEAR,
                &accuracies(&[85.9, 87.1, 88.0, 87.4, 86.6]),
            ),
        ],
    )
}

#[test]
fn the_usual_comparison_leads_with_the_winner_and_fits_80_columns() {
    let text = usual().conclusion.brief(80);
    same(
        &text,
        "
linear wins: +2.00 points over fixed (1.88 to 2.12, n = 5)

arm          test ± 95 %   difference, 95 %       verdict    time to target
fixed        85.00 ± 0.98  –                      reference  1× (4/5)
triangular2  85.14 ± 0.75  +0.14 (-0.28 to 0.56)  undecided  1.00× (4/5)
linear       87.00 ± 0.99  +2.00 (1.88 to 2.12)   better     1.00× (5/5)

fixed        fixed(lr=0.05)
triangular2  triangular2(base=0.01, max=0.1, step=125)
linear       linear(lr=0.1)

note: triangular2 is worse than linear, the best arm without cycles, -1.86
      points (-2.23 to -1.49, n = 5); 0 of 5 runs came within the margin.
note: Seeds in all that might decide: triangular2 7 to 37.
spread: Correlation with fixed by seed: triangular2 0.92 (0.19 to 0.99, n = 5),
        linear 0.99 (0.88 to 1.00, n = 5).
spread: 200 test examples by themselves: a standard deviation of 2.52 points, at
        least 91 % (fixed), 95 % (triangular2) and 90 % (linear) of the
        variance.
",
    );
}

#[test]
fn a_wide_terminal_has_the_policies_in_the_table() {
    let text = usual().conclusion.brief(140);
    same(&text, "
linear wins: +2.00 points over fixed (1.88 to 2.12, n = 5)

arm          test ± 95 %   difference, 95 %       verdict    time to target  policy
fixed        85.00 ± 0.98  –                      reference  1× (4/5)        fixed(lr=0.05)
triangular2  85.14 ± 0.75  +0.14 (-0.28 to 0.56)  undecided  1.00× (4/5)     triangular2(base=0.01, max=0.1, step=125)
linear       87.00 ± 0.99  +2.00 (1.88 to 2.12)   better     1.00× (5/5)     linear(lr=0.1)

note: triangular2 is worse than linear, the best arm without cycles, -1.86 points (-2.23 to -1.49, n = 5); 0 of 5 runs came within the
      margin.
note: Seeds in all that might decide: triangular2 7 to 37.
spread: Correlation with fixed by seed: triangular2 0.92 (0.19 to 0.99, n = 5), linear 0.99 (0.88 to 1.00, n = 5).
spread: 200 test examples by themselves: a standard deviation of 2.52 points, at least 91 % (fixed), 95 % (triangular2) and 90 % (linear) of
        the variance.
");
}

#[test]
fn long_labels_and_specs_of_many_arms_stay_whole() {
    let values =
        [[84.0, 85.0, 86.0], [84.3, 85.1, 86.0], [70.0, 71.0, 71.5]].map(|v| accuracies(&v));
    let long = "warmup(10%) then multistep(lr=0.1, at=[30%, 50%, 70%, 80%], gamma=0.1)";
    let labels = [
        "fixed",
        "a label of forty-odd characters, no less",
        "学習率を下げる",
        "multistep",
        "linear",
        "six",
    ];
    let specs = [FIXED, CYCLES, LINEAR, long, LINEAR, FIXED];
    let arms: Vec<Values<'_>> = (0..6)
        .map(|n| (labels[n], specs[n], &values[n % 3][..]))
        .collect();
    let text = record(Objective::ACCURACY, &arms).conclusion.brief(80);
    same(
        &text,
        "
no winner: a label of forty-odd characters, no less is not shown to differ from
fixed, +0.13 points (-0.25 to 0.51, n = 3); fixed, a label of forty-odd
characters, no less, multistep and linear cost least

  test ± 95 %   difference, 95 %           verdict    time to target
fixed
  85.00 ± 2.48  –                          reference  1× (2/3)
  fixed(lr=0.05)
a label of forty-odd characters, no less
  85.13 ± 2.11  +0.13 (-0.25 to 0.51)      undecided  1.00× (2/3)
  triangular2(base=0.01, max=0.1, step=125)
学習率を下げる
  70.83 ± 1.90  -14.17 (-14.88 to -13.45)  worse      ≥1.98× (0/3)
  linear(lr=0.1)
multistep
  85.00 ± 2.48  +0.00                      undecided  1.00× (2/3)
  warmup(10%) then multistep(lr=0.1, gamma=0.1, at=[30%, 50%, 70%, 80%])
linear
  85.13 ± 2.11  +0.13 (-0.25 to 0.51)      undecided  1.00× (2/3)
  linear(lr=0.1)
six
  70.83 ± 1.90  -14.17 (-14.88 to -13.45)  worse      ≥1.98× (0/3)
  fixed(lr=0.05)

note: a label of forty-odd characters, no less is not shown to differ from
      linear, the best arm without cycles, +0.00 points (n = 3); it took 1.00×
      the updates to come within the margin.
note: Seeds in all that might decide: a label of forty-odd characters, no less 4
      to 25, linear 4 to 25.
note: At every seed the value of multistep is that of fixed, so that nothing can
      be tested.
spread: Correlation with fixed by seed: a label of forty-odd characters, no less
        1.00 (n = 3), 学習率を下げる 0.98 (n = 3), multistep 1.00 (n = 3),
        linear 1.00 (n = 3), six 0.98 (n = 3).
spread: 200 test examples by themselves: a standard deviation of 2.52 points, at
        least 86 % (fixed), 90 % (a label of forty-odd characters, no less), 95
        % (学習率を下げる), 86 % (multistep), 90 % (linear) and 95 % (six) of
        the variance.
",
    );
}

#[test]
fn of_a_loss_less_is_better_and_digits_follow_the_uncertainty() {
    let record = record(
        loss(),
        &[
            (
                "fixed",
                FIXED,
                &accuracies(&[0.412, 0.415, 0.411, 0.414, 0.413]),
            ),
            (
                "linear",
                LINEAR,
                &accuracies(&[0.402, 0.404, 0.4015, 0.4035, 0.4026]),
            ),
        ],
    );
    same(
        &record.conclusion.brief(100),
        "
linear wins: -0.01028 in loss against fixed (-0.01098 to -0.00958, n = 5), less than the margin

arm     test ± 95 %      difference, 95 %                 verdict         time to target
fixed   0.413 ± 0.002    –                                reference       1× (5/5)
linear  0.4027 ± 0.0013  -0.01028 (-0.01098 to -0.00958)  better (small)  1.00× (5/5)

fixed   fixed(lr=0.05)
linear  linear(lr=0.1)

note: small: the difference is shown to be less than the margin of 0.5.
spread: Correlation with fixed by seed: linear 0.99 (0.92 to 1.00, n = 5).
",
    );
}

#[test]
fn an_arm_that_diverged_says_so_and_the_others_are_compared() {
    let good = accuracies(&[80.0, 81.0, 80.5]);
    let better = accuracies(&[84.0, 85.1, 84.4]);
    let record = record(
        Objective::ACCURACY,
        &[
            ("fixed", FIXED, &good),
            ("linear", LINEAR, &better),
            ("triangular2", CYCLES, &[Some(86.0), None, Some(86.5)]),
            ("none", LINEAR, &[None, None, None]),
        ],
    );
    same(
        &record.conclusion.brief(100),
        "
linear wins: +4.00 points over fixed (3.75 to 4.25, n = 3)

arm          test ± 95 %   difference, 95 %      verdict         time to target
fixed        80.50 ± 1.24  –                     reference       1× (3/3)
linear       84.50 ± 1.38  +4.00 (3.75 to 4.25)  better          1.00× (3/3)
triangular2  86.25 ± 3.18  –                     diverged (1/3)  1.00× (2/3)
none         –             –                     diverged (3/3)  ≥1.98× (0/3)

fixed        fixed(lr=0.05)
linear       linear(lr=0.1)
triangular2  triangular2(base=0.01, max=0.1, step=125)
none         linear(lr=0.1)

spread: Correlation with fixed by seed: linear 0.99 (n = 3).
spread: 200 test examples by themselves: a standard deviation of 2.80 points, at least 97 % (fixed),
        95 % (linear) and 98 % (triangular2) of the variance.
",
    );
}

#[test]
fn without_the_reference_nothing_is_compared() {
    let record = record(
        Objective::ACCURACY,
        &[
            ("fixed", FIXED, &[None, Some(80.0), None]),
            ("linear", LINEAR, &accuracies(&[84.0, 85.0, 84.5])),
        ],
    );
    same(
        &record.conclusion.brief(100),
        "
no winner: the reference fixed diverged in 2 of 3 runs; linear validates best

arm     test ± 95 %   difference, 95 %  verdict         time to target  policy
fixed   80.00         –                 diverged (2/3)  –               fixed(lr=0.05)
linear  84.50 ± 1.24  –                 not compared    –               linear(lr=0.1)

spread: 200 test examples by themselves: a standard deviation of 2.83 points, at least 96 % (linear)
        of the variance.
",
    );
}

#[test]
fn one_seed_shows_nothing_and_published_figures_stand_beside() {
    let mut record = unjudged(
        Objective::ACCURACY,
        &[
            ("fixed", FIXED, &[Some(80.0)]),
            ("linear", LINEAR, &[Some(81.0)]),
        ],
    );
    record.plan.arms[0].published = Some(81.4);
    judge(&mut record);
    same(
        &record.conclusion.brief(100),
        "
no winner: linear is not shown to differ from fixed, +1.00 points (n = 1); fixed and linear cost
least

arm     test ± 95 %  difference, 95 %  verdict    time to target  policy
fixed   80.00        –                 reference  1× (1/1)        fixed(lr=0.05)
linear  81.00        +1.00             undecided  1.00× (1/1)     linear(lr=0.1)

note: With one seed there is no interval and nothing can be shown: give more, as in --seeds 5.
note: Published: fixed 81.4.
spread: 200 test examples by themselves: a standard deviation of 2.83 points.
",
    );
}

#[test]
fn small_and_undecided_differences_are_explained() {
    let mut record = unjudged(
        Objective::ACCURACY,
        &[
            ("fixed", FIXED, &accuracies(&[84.0, 85.0, 86.0, 85.5, 84.5])),
            (
                "small",
                LINEAR,
                &accuracies(&[84.21, 85.2, 86.19, 85.7, 84.7]),
            ),
            (
                "unclear",
                LINEAR,
                &accuracies(&[84.9, 84.8, 86.9, 85.4, 85.3]),
            ),
        ],
    );
    record.arms[1].tuning = Some(Tuning {
        trials: vec![Trial {
            multiple: 1.0,
            peak: 0.1,
            fraction: 1.0,
            extra: false,
            validation: Some(84.0),
            runs: Vec::new(),
        }],
        best: Some(0),
        peak: Some(0.1),
        at_edge: true,
    });
    judge(&mut record);
    same(
        &record.conclusion.brief(100),
        "
small wins: +0.20 points over fixed (0.19 to 0.21, n = 5), less than the margin

arm      test ± 95 %   difference, 95 %       verdict         time to target  policy
fixed    85.00 ± 0.98  –                      reference       1× (4/5)        fixed(lr=0.05)
small    85.20 ± 0.97  +0.20 (0.19 to 0.21)   better (small)  1.00× (4/5)     linear(lr=0.1)
unclear  85.46 ± 1.05  +0.46 (-0.23 to 1.15)  undecided       1.00× (5/5)     linear(lr=0.1)

note: small: the difference is shown to be less than the margin of 0.5 points.
note: The best peak rate of small is the lowest or the highest that was tried, so there may be a
      better one.
note: Seeds in all that might decide: unclear 10 to 56.
spread: Correlation with fixed by seed: small 1.00 (1.00 to 1.00, n = 5), unclear 0.77 (-0.35 to
        0.98, n = 5).
spread: 200 test examples by themselves: a standard deviation of 2.52 points, at least 91 % (fixed),
        91 % (small) and 90 % (unclear) of the variance.
",
    );
}

/// The record has all notes; a terminal and `verdict.txt` have the first three, and say so.
#[test]
fn notes_beyond_the_third_are_counted_where_they_are_not_shown() {
    let mut record = unjudged(
        Objective::ACCURACY,
        &[
            ("fixed", FIXED, &[Some(80.0)]),
            ("linear", LINEAR, &[Some(10.0)]),
        ],
    );
    let noted = |record: &mut Record| {
        judge(record);
        let text = record.conclusion.brief(200);
        let shown = text.lines().filter(|line| line.starts_with("note: "));
        let shown: Vec<String> = shown.map(|line| line[6..].to_owned()).collect();
        (record.conclusion.notes.clone(), shown)
    };
    record.plan.added_seeds = vec![1];
    record.plan.arms[0].published = Some(81.4);
    let (all, shown) = noted(&mut record);
    assert_eq!(
        (all.len(), &shown),
        (
            4,
            &[
                &all[..3],
                &["1 more is in result.json and in the report.".into()]
            ]
            .concat()
        )
    );
    record.plan.arms[0].published = None;
    let (all, shown) = noted(&mut record);
    assert_eq!((all.len(), &shown), (3, &all));
}

#[test]
fn nothing_better_and_nothing_decided_have_headlines_of_their_own() {
    let fixed = accuracies(&[84.0, 85.0, 86.0, 85.5, 84.5]);
    let headline = |other: &[f64]| {
        let other = accuracies(other);
        let arms = [("fixed", FIXED, &fixed[..]), ("linear", LINEAR, &other)];
        record(Objective::ACCURACY, &arms).conclusion.headline
    };
    let headlines = [
        headline(&[80.1, 81.0, 82.0, 81.4, 80.5]),
        headline(&[84.1, 85.0, 86.0, 85.4, 84.5]),
        headline(&[85.1, 84.0, 86.6, 85.4, 84.5]),
    ];
    same(&headlines.join("\n"), "
fixed wins: linear comes closest, -4.00 points (-4.09 to -3.91, n = 5)
no winner: linear is equivalent to fixed, +0.00 points (-0.09 to 0.09, n = 5); fixed and linear cost least
no winner: linear is not shown to differ from fixed, +0.12 points (-0.86 to 1.10, n = 5); fixed and linear cost least");
}

#[test]
fn all_diverged_is_said_first() {
    let none = [None, None];
    let arms = [("fixed", FIXED, &none[..]), ("linear", LINEAR, &none)];
    let conclusion = record(loss(), &arms).conclusion;
    assert_eq!(conclusion.headline, "no winner: runs of every arm diverged");
    assert_eq!(conclusion.winner, None);
}

/// The interval is 1.5 ± t·0.1·√(8/7)/√8, where t is scipy's `t.ppf(0.992, 7)`, 3.1568.
#[test]
fn a_race_says_how_many_seeds_it_took_and_why_it_ended() {
    let raced = |other: &[f64], most: u64, because| {
        let reference = [70.0; 8].map(Some);
        let other = accuracies(other);
        let arms: [Values<'_>; 2] = [
            ("fixed", "fixed(lr=0.1)", &reference),
            ("linear", "linear(lr=0.1)", &other),
        ];
        let mut record = unjudged(Objective::ACCURACY, &arms);
        record.plan.seeds = (1..=most).collect();
        record.plan.race = Some(Race::up_to(most).unwrap());
        record.race = Some(RaceEnd { seeds: 8, because });
        judge(&mut record);
        record.conclusion
    };
    let far = [71.4, 71.6, 71.4, 71.6, 71.4, 71.6, 71.4, 71.6];
    let decided = raced(&far, 16, RaceEndReason::Decided);
    assert_eq!(
        decided.headline,
        "linear wins: +1.50 points over fixed (1.38 to 1.62, n = 8)"
    );
    assert_eq!(
        decided.notes[0],
        "Race: 8 of at most 16 seeds, every verdict is decided. Intervals and verdicts allow for its looks at 4, 8, \
         12 and 16 seeds."
    );
    let wide = [68.0, 73.0, 69.0, 72.0, 68.0, 73.0, 69.0, 72.0];
    let open = raced(&wide, 8, RaceEndReason::MostSeeds);
    assert!(
        open.notes[0].starts_with("Race: all 8 seeds, linear still undecided. "),
        "{:?}",
        open.notes
    );
}

#[test]
fn an_arm_that_never_came_within_the_margin_took_no_time_to_it() {
    let record = record(
        Objective::ACCURACY,
        &[
            ("a", "fixed(lr=0.1)", &accuracies(&[80.0, 81.0, 82.0])),
            ("b", "linear(lr=0.1)", &accuracies(&[85.0, 86.2, 87.0])),
            (
                "c",
                "triangular2(base=0.01, max=0.1, step=25%)",
                &accuracies(&[80.0, 81.1, 82.0]),
            ),
        ],
    );
    let notes = record.conclusion.notes.concat();
    let said = "c is worse than b, the best arm without cycles, -5.03 points (-5.18 to -4.89, n = 3); 0 of 3 runs came \
                within the margin.";
    assert!(notes.contains(said), "{notes}");
}

/// Of peak rates nothing is said where none was tuned.
#[test]
fn limits_are_those_of_what_was_done() {
    let mut record = unjudged(
        Objective::ACCURACY,
        &[
            ("a", "fixed(lr=0.1)", &accuracies(&[80.0, 81.0])),
            ("b", "linear(lr=0.1)", &accuracies(&[81.0, 82.5])),
        ],
    );
    record.plan.budgets = vec![0.5, 1.0];
    let of_peaks = |record: &Record| {
        let limits = conclusion(record).limits.into_iter();
        limits.filter(|limit| limit.contains("eak rate")).count()
    };
    assert_eq!(of_peaks(&record), 0);
    record.plan.tuning = Some(Tune::default());
    assert_eq!(of_peaks(&record), 2);
    let limits = conclusion(&record).limits;
    let one =
        "Peak rates were tuned among few values on seed 1001; other seeds might choose others.";
    assert!(limits.iter().any(|limit| limit == one), "{limits:#?}");
    record.plan.tuning = Some(Tune {
        seeds: vec![8, 9],
        rungs: vec![0.25, 0.5],
        ..Tune::default()
    });
    let limits = conclusion(&record).limits.concat();
    let two = "on seeds 8 and 9, in trainings of 0.25 and 0.5 times the budget; other seeds";
    assert!(limits.contains(two), "{limits}");
    record.plan.arms[1].updates = Some(1500);
    let limits = conclusion(&record).limits.concat();
    assert!(limits.contains("up to 1500 updates"), "{limits}");
}
