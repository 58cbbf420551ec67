//! Runs of shorter budgets that branch off the whole budget's, beside runs that are trained from the start.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod killing;
mod timeless;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use cyclr_train::compare::record::Record;
use cyclr_train::compare::{
    Arm, BoundsSource, CompareEvent, Plan, Settings, compare, read_comparison,
};
use cyclr_train::noisy_quadratic::NoisyQuadratic;
use cyclr_train::{
    Average, Budget, Change, Error, Event, Interrupt, Task, ValidationPoint, Watch, resume, train,
};
use killing::{kill_at, logged};
use serde_json::Value;
use timeless::timeless;

const SEEDS: u64 = 2;

/// Arms that are not tuned, at a quarter, a half and the whole of a number of updates.
fn plan(updates: u64, branches: bool, arms: &[&str]) -> Plan {
    let arm = |policy: &&str| Arm {
        tuned: false,
        ..Arm::of(policy.parse().unwrap())
    };
    Plan {
        arms: arms.iter().map(arm).collect(),
        seeds: (1..=SEEDS).collect(),
        tuning: None,
        bounds: BoundsSource::Unneeded,
        budgets: vec![0.25, 0.5, 1.0],
        branches,
        ..Plan::new(updates)
    }
}

const ARMS: [&str; 4] = [
    "fixed(lr=0.05)",
    "wsd(lr=0.1, cooldown=20%)",
    "fixed(lr=0.1) for 75% then linear(lr=0.1)",
    "triangular(base=0.02, max=0.2, step=12.5%)",
];

/// Carries out a plan until a number of updates is made, and counts them.
fn run_until(folder: &Path, plan: &Plan, jobs: usize, most: u64) -> (Result<Record, Error>, u64) {
    let (interrupt, mut made) = (Interrupt::new(), 0);
    let mut observer = |event: &CompareEvent| {
        let updated = matches!(
            event,
            CompareEvent::Run {
                event: Event::Updated { .. },
                ..
            }
        );
        made += u64::from(updated);
        if made >= most {
            interrupt.request();
        }
    };
    let watch = Watch {
        observer: &mut observer,
        interrupt: &interrupt,
    };
    let settings = Settings {
        jobs,
        ..Settings::default()
    };
    let record = compare(&NoisyQuadratic::default(), plan, folder, &settings, watch);
    (record, made)
}

fn run_in(folder: &Path, plan: &Plan, jobs: usize) -> (Record, u64) {
    let (record, made) = run_until(folder, plan, jobs, u64::MAX);
    (record.unwrap(), made)
}

/// What the record says, but for times and for who made which updates.
fn said(record: &Record) -> Value {
    let record = serde_json::to_value(record).unwrap();
    timeless(record, &["updates_shared", "branches"])
}

/// The log of every final run, but for times.
fn logs(folder: &Path, record: &Record) -> Vec<String> {
    let budgets = record.arms.iter().flat_map(|arm| &arm.budgets);
    let runs = budgets.flat_map(|budget| &budget.runs);
    let timeless = |line: &str| {
        let mut event: Value = serde_json::from_str(line).unwrap();
        event
            .as_object_mut()
            .unwrap()
            .retain(|key, _| !key.contains("seconds"));
        event.to_string()
    };
    let log = |run: &cyclr_train::compare::record::RunOutcome| {
        let log = fs::read_to_string(folder.join(&run.folder).join("events.jsonl")).unwrap();
        log.lines().map(timeless).collect::<Vec<_>>().join("\n")
    };
    runs.map(log).collect()
}

/// The updates that the runs of each arm share, by budget, the same for every seed.
fn shared(record: &Record) -> Vec<[u64; 3]> {
    let of_arm = |arm: &cyclr_train::compare::record::ArmOutcome| {
        let budget = |place: usize| {
            let runs = &arm.budgets[place].runs;
            assert_eq!(runs.len(), record.seeds().len());
            let first = runs[0].updates_shared;
            assert!(runs.iter().all(|run| run.updates_shared == first));
            first
        };
        [budget(0), budget(1), budget(2)]
    };
    record.arms.iter().map(of_arm).collect()
}

#[test]
fn branches_are_what_training_anew_gives_and_cost_less() {
    let [anew, branched, side_by_side] = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let (expected, made_anew) = run_in(anew.path(), &plan(240, false, &ARMS), 2);
    // A quarter, a half and the whole of 240 updates, for two seeds of four arms.
    assert_eq!(made_anew, (60 + 120 + 240) * 2 * 4);

    let branches = plan(240, true, &ARMS);
    let (found, made) = run_in(branched.path(), &branches, 1);
    assert_eq!(said(&found), said(&expected));
    assert_eq!(logs(branched.path(), &found), logs(anew.path(), &expected));
    // wsd's rate is its own until after the update where the cooldown begins, at 80 %, and so is that
    // of the third arm, at 75 %. Another triangle has another rate from the second update on.
    let expected_shared = vec![[60, 120, 0], [49, 97, 0], [46, 91, 0], [0, 0, 0]];
    assert_eq!(shared(&found), expected_shared);
    let saved: u64 = expected_shared.iter().flatten().sum();
    assert_eq!(made, made_anew - SEEDS * saved);
    let info = NoisyQuadratic::default().info;
    assert_eq!(
        branches.updates_shared(&info).unwrap(),
        [180, 146, 137, 0],
        "as the plan says"
    );
    assert_eq!(read_comparison(branched.path()).unwrap(), Some(found));

    let (found, also_made) = run_in(side_by_side.path(), &branches, 3);
    assert_eq!((said(&found), also_made), (said(&expected), made));
    // What is finished is not made again.
    let (again, none) = run_in(side_by_side.path(), &branches, 3);
    assert_eq!((again, none), (found, 0));
}

/// Beside the same specs by themselves: without branches, a warm-up is shortened with the run.
#[test]
fn a_warm_up_in_updates_is_shared() {
    let mut plan = plan(
        240,
        true,
        &["wsd(lr=0.1, warmup=12)", "wsd(lr=0.1, warmup=5%)"],
    );
    let place = tempfile::tempdir().unwrap();
    let (record, _) = run_in(place.path(), &plan, 2);
    assert_eq!(shared(&record), [[49, 97, 0], [0; 3]]);
    for arm in &record.arms {
        for (place, budget) in arm.budgets.iter().enumerate() {
            let every = [5, 10, 20][place].try_into().ok();
            for run in &budget.runs {
                let spec = budget.spec.clone().unwrap();
                let task = Task {
                    evaluate_every: every,
                    ..Task::new(spec, run.seed, Budget::Updates(budget.updates))
                };
                let watch = Watch {
                    observer: &mut |_| {},
                    interrupt: &Interrupt::new(),
                };
                let alone = train(&NoisyQuadratic::default(), &task, watch).unwrap();
                let metrics = |points: &[ValidationPoint]| -> Vec<_> {
                    let point = |p: &ValidationPoint| (p.updates_done, p.metrics.clone());
                    points.iter().map(point).collect()
                };
                assert_eq!(metrics(&run.evaluations), metrics(&alone.evaluations));
                let test = record.objective.value(&alone.test.unwrap());
                assert_eq!(run.values.map(|values| values.test), test);
            }
        }
    }
    plan.arms[0].policy = "wsd(lr=0.1, warmup=61)".parse().unwrap();
    let refused = plan.check(&NoisyQuadratic::default().info);
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("warmup"), "{refused}");
}

/// Rates that are too high, and an average whose troughs are each run's own.
#[test]
fn a_run_that_diverges_takes_its_branches_along_and_averages_do_not_branch() {
    let plan = |branches| {
        let mut plan = plan(240, branches, &["fixed(lr=1e6)", "wsd(lr=0.1)", ARMS[3]]);
        let cycles = "fixed(lr=0.1) for 50% then triangular(base=0.02, max=0.2, step=12.5%)";
        plan.arms[2].policy = cycles.parse().unwrap();
        plan.arms[2].average = Some(Average::Troughs);
        plan
    };
    let [anew, branched] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let (expected, _) = run_in(anew.path(), &plan(false), 2);
    let (found, _) = run_in(branched.path(), &plan(true), 2);
    assert!(found.arms[0].whole().diverged() > 0);
    assert_eq!(said(&found), said(&expected));
    assert_eq!(logs(branched.path(), &found), logs(anew.path(), &expected));
    let [diverged, _, averaged] = shared(&found)[..] else {
        panic!("three arms")
    };
    assert!(diverged[0] < 60 && diverged == [diverged[0], diverged[0], 0]);
    assert_eq!(diverged[0], found.arms[0].whole().runs[0].updates_done);
    assert_eq!(averaged, [0; 3]);
}

#[test]
fn a_comparison_that_is_stopped_goes_on_with_its_branches() {
    let mut plan = plan(240, true, &ARMS[1..3]);
    plan.seeds = vec![1];
    let straight = tempfile::tempdir().unwrap();
    let (straight, made) = run_in(straight.path(), &plan, 1);
    // In the first run, in a later one, and in a branch, when all whole runs are made.
    for stop_after in [55, 300, 485] {
        let folder = tempfile::tempdir().unwrap();
        let (stopped, before) = run_until(folder.path(), &plan, 1, stop_after);
        assert!(
            matches!(stopped, Err(Error::Interrupted { .. })),
            "{stop_after} of {made}"
        );
        let (record, after) = run_in(folder.path(), &plan, 1);
        assert_eq!(said(&record), said(&straight), "after {stop_after}");
        assert_eq!(shared(&record), shared(&straight), "after {stop_after}");
        assert_eq!(before + after, made, "after {stop_after}");
    }
}

/// A branch is no part of a run that was given other rates.
#[test]
fn a_run_that_is_stretched_leaves_its_branches_alone() {
    let mut plan = plan(240, true, &ARMS[..2]);
    plan.seeds = vec![1];
    let folder = tempfile::tempdir().unwrap();
    let (stopped, _) = run_until(folder.path(), &plan, 1, 55);
    assert!(
        matches!(stopped, Err(Error::Interrupted { .. })),
        "{stopped:?}"
    );
    let of = |budget: &str| {
        let runs = folder.path().join("final").join(budget);
        runs.join("1-fixed_lr_0_05_-seed1")
    };
    let log = || fs::read_to_string(of("0.5").join("events.jsonl")).unwrap();
    let before = log();
    assert!(before.contains(r#""update":50,"#), "{before}");
    let watch = Watch {
        observer: &mut |_| {},
        interrupt: &Interrupt::new(),
    };
    let change = Change::Stretch { updates: 480 };
    let net = NoisyQuadratic::default();
    let outcome = resume(&of("1"), &net, Some(change), watch).unwrap();
    assert_eq!((outcome.updates_done, log()), (480, before));
}

/// What a killed process runs: the test binary starts itself with this test alone.
#[test]
#[ignore = "it is the process that `killed_branches_go_on_to_the_same_record` kills"]
fn to_be_killed() {
    // Run by itself, it has nothing to do.
    let Ok(folder) = std::env::var("CYCLR_TEST_FOLDER") else {
        return;
    };
    run_in(Path::new(&folder), &plan(2400, true, &ARMS[1..3]), 2);
}

#[test]
fn killed_branches_go_on_to_the_same_record() {
    const KILLS: u64 = 2;
    let alone = tempfile::tempdir().unwrap();
    let (straight, _) = run_in(alone.path(), &plan(2400, false, &ARMS[1..3]), 2);
    let (folder, mut killed) = (tempfile::tempdir().unwrap(), 0);
    for kill in 1..=KILLS {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "to_be_killed", "--ignored"])
            .env("CYCLR_TEST_FOLDER", folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let bytes = logged(alone.path()) * kill / (KILLS + 1);
        killed += u64::from(kill_at(child, folder.path(), bytes));
    }
    assert!(killed > 0, "it was over before it could be killed");
    let (record, _) = run_in(folder.path(), &plan(2400, true, &ARMS[1..3]), 2);
    assert_eq!(said(&record), said(&straight));
    assert_eq!(logs(folder.path(), &record), logs(alone.path(), &straight));
}

#[test]
fn branches_are_refused_where_there_can_be_none() {
    let info = NoisyQuadratic::default().info;
    let mut one_budget = plan(240, true, &ARMS);
    one_budget.budgets = vec![1.0];
    let refused = one_budget.check(&info).unwrap_err().to_string();
    assert!(refused.contains("--budgets 1/4,1/2,1"), "{refused}");

    let plan = plan(240, true, &ARMS);
    let mut unsaved = info;
    unsaved.snapshots = false;
    let refused = plan.check(&unsaved).unwrap_err().to_string();
    assert!(refused.contains("leave out --branches"), "{refused}");
}
