//! Whether a trainer does what an experiment relies on, seen in a few short runs.

use cyclr::Hyper;
use cyclr::trainer::{Metrics, Split, Trainer, TrainerError, TrainerFactory, TrainerInfo};
use serde::Serialize;

use crate::obeyed::says_something;
use crate::run::refuse_for_whole_runs;
use crate::{Error, Interrupt};

/// The updates of each half of a run.
const HALF: usize = 10;

/// The rate of the runs, and another one.
const RATE: f64 = 1e-2;
const OTHER_RATE: f64 = 1e-3;

/// Runs on some hardware differ in the last bits. So far apart, relatively, they are not the same.
const CLOSE: f64 = 1e-3;

/// One thing that an experiment relies on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What should be so.
    pub name: &'static str,
    /// Whether it is.
    pub finding: Finding,
    /// The figures that show it, and what to do if it is not so.
    pub detail: String,
}

/// Whether something is as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// It is.
    Ok,
    /// It is not.
    NotOk,
    /// The runs do not tell, or the trainer does not offer it.
    Unclear,
}

/// Makes four short runs, 70 updates in all, and says what they show of the seed, the rate, the
/// evaluation and the state.
///
/// ```
/// use cyclr_train::{Interrupt, check, noisy_quadratic::NoisyQuadratic};
///
/// let checks = check::check(&NoisyQuadratic::default(), &Interrupt::new())?;
/// assert!(checks.iter().all(|check| check.finding == check::Finding::Ok));
/// # Ok::<(), cyclr_train::Error>(())
/// ```
///
/// # Errors
/// [`Error::Trainer`] if the trainer fails; [`Error::Interrupted`].
pub fn check(factory: &dyn TrainerFactory, interrupt: &Interrupt) -> Result<Vec<Check>, Error> {
    refuse_for_whole_runs(
        &factory.info()?,
        "a check",
        "a comparison itself checks whether seed and rate are obeyed",
    )?;
    let check_interrupt = |updates_done| {
        if interrupt.is_requested() {
            return Err(Error::Interrupted {
                updates_done: Some(updates_done as u64),
            });
        }
        Ok(())
    };
    let straight = losses_of_run(factory, RATE, 2 * HALF)?;
    check_interrupt(2 * HALF)?;
    let halted = Halted::run(factory)?;
    check_interrupt(4 * HALF)?;
    let other = OtherSeed::run(factory, halted.state.as_deref())?;
    check_interrupt(6 * HALF)?;
    let slow = losses_of_run(factory, OTHER_RATE, HALF)?;
    let (before, after) = straight.split_at(HALF.min(straight.len()));
    let exact = compared(before, &halted.before) == Sameness::Same;
    Ok(vec![
        same_seed(before, &halted.before),
        other_seed(before, &other.still, exact),
        rate_zero(&other.evaluations),
        rate_obeyed(before, &slow, exact),
        no_trace(after, &halted.after, exact),
        restored(&halted, other.restored.as_ref(), exact),
    ])
}

/// A run that is evaluated and saved in the middle.
struct Halted {
    before: Vec<f64>,
    after: Vec<f64>,
    state: Option<Vec<u8>>,
}

impl Halted {
    fn run(factory: &dyn TrainerFactory) -> Result<Self, Error> {
        let mut trainer = factory.start(1)?;
        let before = losses(&mut *trainer, RATE, HALF)?;
        evaluation(&mut *trainer)?;
        let state = if trainer.info().snapshots {
            Some(trainer.state()?)
        } else {
            None
        };
        let after = losses(&mut *trainer, RATE, HALF)?;
        trainer.end()?;
        Ok(Self {
            before,
            after,
            state,
        })
    }
}

/// A run of another seed, at rate 0 first; then it continues from the state of the halted run.
struct OtherSeed {
    still: Vec<f64>,
    evaluations: [Vec<f64>; 2],
    /// What followed the state, or why it was refused; `None` if there are no states.
    restored: Option<Result<Vec<f64>, TrainerError>>,
}

impl OtherSeed {
    fn run(factory: &dyn TrainerFactory, state: Option<&[u8]>) -> Result<Self, Error> {
        let mut trainer = factory.start(2)?;
        let first = evaluation(&mut *trainer)?;
        let still = losses(&mut *trainer, 0.0, HALF)?;
        let second = evaluation(&mut *trainer)?;
        let restored = match state.map(|state| trainer.restore(state)) {
            None => None,
            Some(Ok(())) => Some(Ok(losses(&mut *trainer, RATE, HALF)?)),
            Some(Err(refused @ TrainerError::BadState { .. })) => Some(Err(refused)),
            Some(Err(other)) => return Err(other.into()),
        };
        // A run that refuses a state may be over.
        if !matches!(restored, Some(Err(_))) {
            trainer.end()?;
        }
        Ok(Self {
            still,
            evaluations: [first, second],
            restored,
        })
    }
}

/// What the batches of a whole run showed.
fn losses_of_run(
    factory: &dyn TrainerFactory,
    rate: f64,
    updates: usize,
) -> Result<Vec<f64>, Error> {
    let mut trainer = factory.start(1)?;
    let losses = losses(&mut *trainer, rate, updates)?;
    trainer.end()?;
    Ok(losses)
}

/// Makes updates, and gives what their batches showed: the losses, or whatever else there is.
fn losses(trainer: &mut dyn Trainer, rate: f64, updates: usize) -> Result<Vec<f64>, Error> {
    let metrics = trainer.updates(&vec![Hyper::lr(rate); updates])?;
    let value = |metrics: &Metrics| {
        metrics
            .loss()
            .or(metrics.first_objective())
            .map(|m| m.value)
    };
    // Every batch has some metric.
    Ok(metrics.iter().filter_map(value).collect())
}

/// All figures of the validation split, or of the test split if there is no other.
fn evaluation(trainer: &mut dyn Trainer) -> Result<Vec<f64>, Error> {
    let TrainerInfo {
        validation, test, ..
    } = *trainer.info();
    let split = match (validation, test) {
        (0, 0) => return Ok(Vec::new()),
        (0, _) => Split::Test,
        _ => Split::Validation,
    };
    let metrics = trainer.evaluate(split)?.metrics;
    Ok(metrics.iter().map(|metric| metric.value).collect())
}

/// How two lists of figures compare.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Sameness {
    Same,
    /// The largest relative difference, a small one.
    Close(f64),
    Different(f64),
}

fn compared(a: &[f64], b: &[f64]) -> Sameness {
    let apart = |(&a, &b): (&f64, &f64)| {
        if a.to_bits() == b.to_bits() {
            return 0.0;
        }
        (a - b).abs() / a.abs().max(b.abs())
    };
    // A figure that is not a number on one side only is as far apart as can be.
    let apart = a.iter().zip(b).map(apart);
    let most = apart.fold(
        0.0_f64,
        |most, apart| if apart.is_nan() { 2.0 } else { most.max(apart) },
    );
    match (a.len() == b.len(), most) {
        (true, 0.0) => Sameness::Same,
        (true, most) if most < CLOSE => Sameness::Close(most),
        (_, most) => Sameness::Different(most),
    }
}

fn made(name: &'static str, finding: Finding, detail: String) -> Check {
    Check {
        name,
        finding,
        detail,
    }
}

fn same_seed(first: &[f64], second: &[f64]) -> Check {
    let (finding, detail) = match compared(first, second) {
        Sameness::Same => (
            Finding::Ok,
            format!("{} losses, the same to the bit", first.len()),
        ),
        Sameness::Close(apart) => (
            Finding::Unclear,
            format!(
                "up to {apart:.1e} apart, relatively: the same but for the hardware's rounding"
            ),
        ),
        Sameness::Different(_) => (
            Finding::NotOk,
            format!(
                "{} and {}: let the seed decide the initial weights, the order of the data and dropout",
                shown(first),
                shown(second)
            ),
        ),
    };
    made("the same seed gives the same losses", finding, detail)
}

fn other_seed(first: &[f64], second: &[f64], exact: bool) -> Check {
    let (a, b) = (&first[..first.len().min(1)], &second[..second.len().min(1)]);
    let of_guessing = |loss: &f64| !says_something(*loss);
    let (finding, detail) = match compared(a, b) {
        Sameness::Same if a.first().is_some_and(of_guessing) => (
            Finding::Unclear,
            format!(
                "{} with either, as nets that have learnt nothing may have whatever the seed",
                shown(a)
            ),
        ),
        Sameness::Same => (
            Finding::NotOk,
            format!(
                "{} with either: use the seed that the run is given",
                shown(a)
            ),
        ),
        Sameness::Close(apart) if !exact => (Finding::Unclear, no_further(apart)),
        Sameness::Close(_) | Sameness::Different(_) => {
            (Finding::Ok, format!("{} and {}", shown(a), shown(b)))
        }
    };
    made("another seed gives another loss", finding, detail)
}

fn rate_zero([before, after]: &[Vec<f64>; 2]) -> Check {
    let (finding, detail) = match compared(before, after) {
        _ if before.is_empty() => (Finding::Unclear, "there is no held-out split".into()),
        Sameness::Same => (Finding::Ok, format!("{} before and after", shown(before))),
        Sameness::Close(_) | Sameness::Different(_) => (
            Finding::Unclear,
            format!(
                "{} before, {} after: norm statistics may cause that; if there are none, something else changes the weights",
                shown(before),
                shown(after)
            ),
        ),
    };
    made("rate 0 does not change the evaluation", finding, detail)
}

fn rate_obeyed(at_rate: &[f64], at_other: &[f64], exact: bool) -> Check {
    let (finding, detail) = match compared(at_rate, at_other) {
        Sameness::Same => (
            Finding::NotOk,
            format!(
                "{} losses, the same at {RATE} and {OTHER_RATE}: use the rate of each update, and remove the script's own schedule",
                at_rate.len()
            ),
        ),
        Sameness::Close(apart) if !exact => (Finding::Unclear, no_further(apart)),
        Sameness::Close(apart) | Sameness::Different(apart) => (
            Finding::Ok,
            format!(
                "at {RATE} and {OTHER_RATE} the losses are up to {apart:.1e} apart, relatively"
            ),
        ),
    };
    made("the rate is obeyed", finding, detail)
}

fn no_trace(straight: &[f64], halted: &[f64], exact: bool) -> Check {
    made_like(
        "an evaluation leaves no trace",
        straight,
        halted,
        exact,
        "let it restore the training mode, norm statistics and random numbers",
    )
}

fn restored(
    halted: &Halted,
    restored: Option<&Result<Vec<f64>, TrainerError>>,
    exact: bool,
) -> Check {
    let name = "a restored state continues as the run did";
    match restored {
        Some(Err(refused)) => made(name, Finding::NotOk, refused.to_string()),
        Some(Ok(restored)) => made_like(
            name,
            &halted.after,
            restored,
            exact,
            "save everything that later updates depend on (weights, optimizer, averages, random numbers, the place in the data), or declare `snapshots` false",
        ),
        None => made(
            name,
            Finding::Unclear,
            "the trainer takes no snapshots: an interrupted run starts over".into(),
        ),
    }
}

/// A check that two runs continue alike.
fn made_like(name: &'static str, a: &[f64], b: &[f64], exact: bool, advice: &str) -> Check {
    let (finding, detail) = match compared(a, b) {
        Sameness::Same => (
            Finding::Ok,
            format!("{} losses, the same to the bit", a.len()),
        ),
        Sameness::Close(apart) if !exact => (Finding::Unclear, no_further(apart)),
        Sameness::Close(apart) | Sameness::Different(apart) => (
            Finding::NotOk,
            format!(
                "up to {apart:.1e} apart, relatively ({} and {}): {advice}",
                shown(a),
                shown(b)
            ),
        ),
    };
    made(name, finding, detail)
}

/// What is said of runs that differ by no more than the hardware's rounding may do.
fn no_further(apart: f64) -> String {
    format!("up to {apart:.1e} apart, relatively, as two runs of one seed are too")
}

/// The first figures, with few digits.
fn shown(figures: &[f64]) -> String {
    let few: Vec<String> = figures.iter().take(3).map(|f| format!("{f:.6}")).collect();
    few.join(", ")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use cyclr::trainer::Evaluation;

    use super::*;
    use crate::noisy_quadratic::NoisyQuadratic;

    /// A noisy quadratic with one fault.
    struct Faulty {
        quadratic: NoisyQuadratic,
        fault: &'static str,
        /// Counts the runs.
        runs: AtomicU64,
    }

    struct FaultyTrainer<'a> {
        trainer: Box<dyn Trainer + 'a>,
        fault: &'static str,
        moved: bool,
    }

    impl TrainerFactory for Faulty {
        fn start(&self, seed: u64) -> Result<Box<dyn Trainer + '_>, TrainerError> {
            let run = self.runs.fetch_add(1, Ordering::Relaxed);
            let seed = match self.fault {
                "one seed" => 7,
                "no seed" => 100 + run,
                _ => seed,
            };
            Ok(Box::new(FaultyTrainer {
                trainer: self.quadratic.start(seed)?,
                fault: self.fault,
                moved: false,
            }))
        }
    }

    impl Trainer for FaultyTrainer<'_> {
        fn info(&self) -> &TrainerInfo {
            self.trainer.info()
        }

        fn update(&mut self, hyper: Hyper) -> Result<Metrics, TrainerError> {
            let own_rate = self.fault == "own rate" || self.moved;
            self.trainer
                .update(if own_rate { Hyper::lr(0.03) } else { hyper })
        }

        fn evaluate(&mut self, split: Split) -> Result<Evaluation, TrainerError> {
            self.moved = self.fault == "trace";
            self.trainer.evaluate(split)
        }

        fn state(&mut self) -> Result<Vec<u8>, TrainerError> {
            self.trainer.state()
        }

        fn restore(&mut self, state: &[u8]) -> Result<(), TrainerError> {
            if self.fault == "refused state" {
                let reason = String::from("start this run again");
                return Err(TrainerError::BadState { reason });
            }
            self.trainer.restore(state)?;
            if self.fault == "lost state" {
                self.trainer.update(Hyper::lr(0.01))?;
            }
            Ok(())
        }
    }

    #[test]
    fn each_fault_shows_where_it_is() {
        for (fault, shown) in [
            ("none", &[][..]),
            ("one seed", &["another seed gives another loss"]),
            ("no seed", &["the same seed gives the same losses"]),
            ("own rate", &["the rate is obeyed"]),
            ("trace", &["an evaluation leaves no trace"]),
            ("lost state", &["a restored state continues as the run did"]),
            (
                "refused state",
                &["a restored state continues as the run did"],
            ),
        ] {
            let factory = Faulty {
                quadratic: NoisyQuadratic::default(),
                fault,
                runs: AtomicU64::new(0),
            };
            let checks = check(&factory, &Interrupt::new()).unwrap();
            let not_ok = checks
                .iter()
                .filter(|check| check.finding == Finding::NotOk);
            let not_ok: Vec<_> = not_ok.map(|check| check.name).collect();
            assert!(
                shown.iter().all(|name| not_ok.contains(name)),
                "{fault}: {not_ok:?}"
            );
            assert!(
                !shown.is_empty() || checks.iter().all(|c| c.finding == Finding::Ok),
                "{fault}"
            );
        }
    }

    /// The natural logarithm of ten classes; rounding of a part in 10^7 where runs of one seed
    /// differ so, too.
    #[test]
    fn checks_that_a_loss_cannot_show_are_unclear() {
        let guess = f64::from(std::f32::consts::LN_10);
        for (first, second, exact, finding) in [
            (guess, guess, true, Finding::Unclear),
            (2.25, 2.25, true, Finding::NotOk),
            (2.25, 2.250_000_2, false, Finding::Unclear),
            (2.25, 2.250_000_2, true, Finding::Ok),
            (2.25, 2.5, false, Finding::Ok),
        ] {
            let check = other_seed(&[first], &[second], exact);
            assert_eq!(check.finding, finding, "{first} {second} {exact}");
        }
        let (rate, noise) = ([2.25, 2.0], [2.25, 2.000_000_2]);
        assert_eq!(rate_obeyed(&rate, &noise, false).finding, Finding::Unclear);
        assert_eq!(rate_obeyed(&rate, &noise, true).finding, Finding::Ok);
        assert_eq!(rate_obeyed(&rate, &[2.25, 1.5], false).finding, Finding::Ok);
    }

    #[test]
    fn an_interrupt_ends_the_check() {
        let interrupt = Interrupt::new();
        interrupt.request();
        let checked = check(&NoisyQuadratic::default(), &interrupt);
        assert!(matches!(checked, Err(Error::Interrupted { .. })));
    }
}
