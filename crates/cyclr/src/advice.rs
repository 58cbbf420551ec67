//! How long a cycle should be, how many there should be, and what replaces a stepped schedule.
//!
//! The rules are Smith's ([CLR] section 3.2): a step size of 2 to 10 epochs, of which 8 is only
//! slightly better than 2; at least 3 cycles, 4 being better; a run that stops at the end of a
//! cycle, where the rate is at its minimum.
//!
//! At a fixed budget of 2.5 to 19 epochs, fewer cycles ended better (`bench/finder`: four small
//! nets, three seeds each, at the `max_lr` of the range test). Under `triangular2` one cycle ended
//! 0.48 ± 0.42 points above four, and sixteen 1.4 ± 1.4 points below. Several cycles give a choice of
//! places to stop.
//!
//! [CLR]: https://arxiv.org/abs/1506.01186

use alloc::vec::Vec;

use crate::error::{Error, above_zero, in_range};
use crate::policy::{Completion, Policy, Triangular2, Warmup, Wave};
use crate::rounded;
use crate::schedule::ConstantStep;
use crate::spec::{Spec, Stage};
use crate::units::{Horizon, Length, Percent, Updates};

/// The fewest cycles that a run should have.
pub const FEWEST_CYCLES: u64 = 3;
/// The number of cycles that a run should rather have.
const GOOD_CYCLES: u64 = 4;
/// The shortest and the longest step size that the paper advises, in epochs.
pub const STEP_EPOCHS: (u64, u64) = (2, 10);
/// The step size for a run that has room for more than [`GOOD_CYCLES`] of the longest, in epochs.
const AMPLE_STEP_EPOCHS: u64 = 8;
/// The digits of a rate that is computed: `gamma^k` leaves rounding errors after them.
const RATE_DIGITS: usize = 12;
/// The digits that a range test can know of a rate.
const SUGGESTED_DIGITS: usize = 3;
/// The most constant steps of a schedule that [`cyclical`] converts.
const MOST_STEPS: usize = 1000;

/// A step size, a number of cycles, and the budget that they fill.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cycles {
    /// Half a cycle, in updates; at least 1.
    pub step: u64,
    /// Whole cycles.
    pub cycles: u64,
    /// The budget that ends at the last trough: `2·step·cycles`, at most the updates that were
    /// given.
    pub updates: u64,
    /// The step size in epochs.
    pub step_epochs: f64,
    /// Whether the budget is too short for [`FEWEST_CYCLES`] cycles of the shortest advised step
    /// size.
    pub short: bool,
}

impl Cycles {
    /// The step size as a length.
    pub fn step(&self) -> Length {
        Length::from(Updates(self.step))
    }

    /// The step size as a share of the run, for a run that may become a little longer or shorter
    /// than planned: rounded down, to four decimals of a per cent, so that the last trough lies
    /// inside.
    ///
    /// ```
    /// use cyclr::{advice, units::Horizon};
    ///
    /// let three = advice::cycles(&Horizon::of_updates(600)?.with_epoch(50_000, 100)?)?;
    /// assert_eq!((three.cycles, three.share().to_string().as_str()), (3, "16.6666%"));
    /// # Ok::<(), cyclr::Error>(())
    /// ```
    pub fn share(&self) -> Length {
        let percent = libm::floor(50e4 / self.cycles.max(1) as f64) / 1e4;
        Length::from(Percent::new(percent).expect("at most half the run"))
    }
}

/// The step size and the number of cycles for a run.
///
/// Four cycles if the step size then lies within 2 to 10 epochs; more cycles, of 8 epochs a step,
/// if the run is longer; three if it is shorter, and then [`Cycles::short`] says whether even
/// these are shorter than advised. If three cycles would leave a tenth of a short run or more
/// unused, it has as many (up to five) as use the most of it.
///
/// ```
/// use cyclr::{advice, units::{Epochs, Horizon}};
///
/// // 50,000 examples in batches of 100, 32 epochs: four cycles of 2 × 4 epochs.
/// let advice = advice::cycles(&Horizon::of_epochs(Epochs::new(32.0)?, 50_000, 100)?)?;
/// assert_eq!((advice.step, advice.cycles, advice.updates, advice.short), (2_000, 4, 16_000, false));
/// # Ok::<(), cyclr::Error>(())
/// ```
///
/// # Errors
/// [`Error::UnknownEpoch`] if the run's epoch is unknown; [`Error::TooShort`] if it has fewer than
/// 6 updates.
pub fn cycles(run: &Horizon) -> Result<Cycles, Error> {
    let unknown = Length::Updates(Updates(run.updates()));
    let epoch = run
        .updates_per_epoch()
        .ok_or(Error::UnknownEpoch { length: unknown })?;
    let updates = run.updates();
    // More updates than can be counted are more than any run has.
    let in_epochs = |epochs: u64| epoch.saturating_mul(epochs);
    let cycles = if updates > in_epochs(2 * GOOD_CYCLES * STEP_EPOCHS.1) {
        updates / in_epochs(2 * AMPLE_STEP_EPOCHS)
    } else if updates >= in_epochs(2 * GOOD_CYCLES * STEP_EPOCHS.0) {
        GOOD_CYCLES
    } else if updates >= in_epochs(2 * FEWEST_CYCLES * STEP_EPOCHS.0) {
        FEWEST_CYCLES
    } else {
        fewest_cycles(updates)
    };
    let step = updates / (2 * cycles);
    if step == 0 {
        return Err(Error::TooShort {
            updates,
            fewest: 2 * FEWEST_CYCLES,
        });
    }
    let short = step < in_epochs(STEP_EPOCHS.0);
    Ok(Cycles {
        step,
        cycles,
        updates: 2 * step * cycles,
        step_epochs: step as f64 / epoch as f64,
        short,
    })
}

/// The number of cycles for a run that is too short for three of the shortest advised step size.
fn fewest_cycles(updates: u64) -> u64 {
    let used = |cycles: u64| updates / (2 * cycles) * (2 * cycles);
    if 10 * used(FEWEST_CYCLES) > 9 * updates {
        return FEWEST_CYCLES;
    }
    // Of several that use the same updates, the fewest.
    let candidates = (FEWEST_CYCLES..=FEWEST_CYCLES + 2).rev();
    candidates
        .max_by_key(|&cycles| used(cycles))
        .unwrap_or(FEWEST_CYCLES)
}

/// The range of the base by the paper's rule of thumb, if only the maximum is known: `max/4` to
/// `max/3` for several cycles, `max/20` to `max/10` for a single one ([CLR] section 3.3). The range
/// test takes `max/25`, which ended better than `max/4` (METHOD.md).
///
/// ```
/// assert_eq!(cyclr::advice::base_from_max(0.012, 4)?, (0.003, 0.004));
/// # Ok::<(), cyclr::Error>(())
/// ```
///
/// # Errors
/// [`Error::OutOfRange`] if `max_lr` is not finite and above 0.
///
/// [CLR]: https://arxiv.org/abs/1506.01186
pub fn base_from_max(max_lr: f64, cycles: u64) -> Result<(f64, f64), Error> {
    let max_lr = above_zero("max", max_lr)?;
    Ok(if cycles == 1 {
        (max_lr / 20.0, max_lr / 10.0)
    } else {
        (max_lr / 4.0, max_lr / 3.0)
    })
}

/// The cyclical policy for bounds and a budget: `triangular2` between `base_lr` and `max_lr` (to
/// three digits), with the step size of [`cycles`].
///
/// ```
/// use cyclr::{advice, units::{Epochs, Horizon}};
///
/// let run = Horizon::of_epochs(Epochs::new(32.0)?, 50_000, 100)?;
/// let spec = advice::suggest(0.001234, 0.01, &run)?;
/// assert_eq!(spec.to_string(), "triangular2(base=0.00123, max=0.01, step=2000)");
/// # Ok::<(), cyclr::Error>(())
/// ```
///
/// # Errors
/// Those of [`cycles`]; [`Error::OutOfRange`] or [`Error::Crossed`] unless `0 <= base_lr <=
/// max_lr`, with `max_lr` above 0.
pub fn suggest(base_lr: f64, max_lr: f64, run: &Horizon) -> Result<Spec, Error> {
    let step = cycles(run)?.step();
    complete("triangular2", base_lr, max_lr, step).expect("triangular2 can be completed")
}

/// The policy of that name for the bounds of a range test (to three digits), with that step size.
/// Its peak is `max_lr`, or lower if its rate does not fall to the end ([`Policy::max_over_peak`]);
/// its base is lower by as much. `None` if the name alone does not say what the policy does
/// ([`Policy::completable`] has the names).
///
/// ```
/// use cyclr::{advice, units::{Length, Updates}};
///
/// let step = Length::from(Updates(2_000));
/// let text = |name| advice::complete(name, 0.001, 0.01, step).map(|spec| spec.map(|s| s.to_string()));
/// assert_eq!(text("triangular2"), Some(Ok(String::from("triangular2(base=0.001, max=0.01, step=2000)"))));
/// assert_eq!(text("triangular"), Some(Ok(String::from("triangular(base=0.000714, max=0.00714, step=2000)"))));
/// assert_eq!(text("linear"), Some(Ok(String::from("linear(lr=0.01, warmup=5%)"))));
/// assert_eq!(text("fixed"), Some(Ok(String::from("fixed(lr=0.0025)"))));
/// assert_eq!(text("multistep"), None);
/// # Ok::<(), cyclr::Error>(())
/// ```
///
/// # Errors
/// [`Error::OutOfRange`] or [`Error::Crossed`] unless `0 <= base_lr <= max_lr`, with `max_lr` above
/// 0.
pub fn complete(
    name: &str,
    base_lr: f64,
    max_lr: f64,
    step: Length,
) -> Option<Result<Spec, Error>> {
    let over = Policy::max_over_peak(name)?;
    let shown = |lr: f64| rounded(lr / over, SUGGESTED_DIGITS);
    let with = Completion {
        base_lr: shown(base_lr),
        max_lr: shown(max_lr),
        step,
    };
    Policy::complete(name, &with).map(|policy| policy.map(Spec::from))
}

/// The cyclical equivalent of a stepped schedule, as the paper's Table 2 makes it: at least three
/// cycles of `triangular2` in place of each constant step, with the step's rate as their base and
/// `ratio` times it as their maximum (5 in the paper).
///
/// A step of `L` updates becomes `max(3, L / 16 epochs)` cycles; what does not divide is left off
/// its end, so that every stage ends at a trough. A warm-up stays, and leads to the base of the
/// cycles after it. The lengths of the result say how long it is.
///
/// ```
/// use cyclr::{Spec, advice, units::Horizon};
///
/// let stepped: Spec = "multistep(lr=0.001, gamma=0.1, at=[12000, 18000])".parse().unwrap();
/// let run = Horizon::of_updates(24_000)?.with_epoch(50_000, 100)?;
/// assert_eq!(
///     advice::cyclical(&stepped, &run, 5.0)?.to_string(),
///     "triangular2(base=0.001, max=0.005, step=2000) for 12000 then \
///      triangular2(base=0.0001, max=0.0005, step=1000) for 6000 then \
///      triangular2(base=1e-5, max=5e-5, step=1000) for 6000"
/// );
/// # Ok::<(), cyclr::Error>(())
/// ```
///
/// # Errors
/// [`Error::NotStepped`] if the spec is not made of constant steps and warm-ups alone (or of more
/// than a thousand); [`Error::TooShort`] if a step has fewer than 6 updates; those of
/// [`Spec::schedule`] and [`cycles`].
pub fn cyclical(stepped: &Spec, run: &Horizon, ratio: f64) -> Result<Spec, Error> {
    let ratio = in_range("ratio", ratio, "a finite number above 1", |r| r > 1.0)?;
    let steps = stepped
        .schedule(run)?
        .constant_steps(MOST_STEPS)
        .ok_or(Error::NotStepped { most: MOST_STEPS })?;
    let unknown = Length::Updates(Updates(run.updates()));
    let epoch = run
        .updates_per_epoch()
        .ok_or(Error::UnknownEpoch { length: unknown })?;
    let stages: Result<Vec<Stage>, Error> = steps
        .iter()
        .map(|step| replaced(step, epoch, ratio))
        .collect();
    Spec::new(stages?)
}

/// The cycles that replace one constant step. A warm-up stays as it is.
fn replaced(step: &ConstantStep, epoch: u64, ratio: f64) -> Result<Stage, Error> {
    let updates = step.end - step.start;
    if let Some(from) = step.warmup_from {
        return Ok(Stage::warmup(Warmup::new(Updates(updates), from)?));
    }
    let lr = rounded(step.lr, RATE_DIGITS);
    let ample = epoch.saturating_mul(2 * AMPLE_STEP_EPOCHS);
    let cycles = (updates / ample).max(FEWEST_CYCLES);
    let step = updates / (2 * cycles);
    if step == 0 {
        return Err(Error::TooShort {
            updates,
            fewest: 2 * FEWEST_CYCLES,
        });
    }
    let wave = Wave::new(lr, rounded(lr * ratio, RATE_DIGITS), Updates(step))?;
    Stage::lasting(Triangular2::new(wave), Updates(2 * step * cycles))
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};

    use super::*;
    use crate::units::Epochs;

    fn advised(epochs: f64) -> Cycles {
        cycles(&Horizon::of_epochs(Epochs::new(epochs).unwrap(), 1_000, 10).unwrap()).unwrap()
    }

    #[test]
    fn cycles_follow_the_papers_rules() {
        // (epochs, step size in updates, cycles, short)
        for (epochs, step, cycles, short) in [
            (6.0, 100, 3, true),
            (12.0, 200, 3, false),
            (16.0, 200, 4, false),
            (80.0, 1000, 4, false),
            (160.0, 800, 10, false),
        ] {
            let advice = advised(epochs);
            assert_eq!(
                (advice.step, advice.cycles, advice.short),
                (step, cycles, short),
                "{epochs} epochs"
            );
            assert_eq!(advice.updates, 2 * step * cycles);
        }
    }

    #[test]
    fn short_runs_use_the_updates_that_they_can() {
        // (updates, cycles, step): of 11 updates three cycles would leave 5, and five leave 1.
        for (updates, cycles, step) in [
            (6, 3, 1),
            (7, 3, 1),
            (8, 4, 1),
            (11, 5, 1),
            (12, 3, 2),
            (17, 4, 2),
            (21, 5, 2),
            (23, 5, 2),
            (41, 4, 5),
            (53, 3, 8),
            (64, 3, 10),
            (640, 3, 106),
        ] {
            let run = Horizon::of_updates(updates).unwrap();
            let advice = super::cycles(&run.with_epoch(1_000, 1).unwrap()).unwrap();
            assert_eq!((advice.cycles, advice.step), (cycles, step), "{updates}");
        }
    }

    #[test]
    fn a_run_with_room_for_three_cycles_of_two_epochs_is_not_short() {
        // (updates, cycles, step, short): of epochs of 3 updates, three cycles of 2 × 2 epochs take
        // 36 updates, and four 48.
        for (updates, cycles, step, short) in [
            (35, 4, 4, true),
            (36, 3, 6, false),
            (40, 3, 6, false),
            (47, 3, 7, false),
            (48, 4, 6, false),
        ] {
            let run = Horizon::of_updates(updates).unwrap();
            let advice = super::cycles(&run.with_epoch(3, 1).unwrap()).unwrap();
            assert_eq!(
                (advice.cycles, advice.step, advice.short),
                (cycles, step, short),
                "{updates}"
            );
        }
    }

    #[test]
    fn epochs_of_more_updates_than_any_run_has_are_taken() {
        for epoch in [1 << 60, u64::MAX] {
            let run = Horizon::of_updates(40).unwrap();
            let run = run.with_epoch(epoch, 1).unwrap();
            let advice = cycles(&run).unwrap();
            assert_eq!((advice.cycles, advice.step, advice.short), (4, 5, true));
            let spec = cyclical(&"fixed(lr=1)".parse().unwrap(), &run, 5.0).unwrap();
            let expected = "triangular2(base=1, max=5, step=6) for 36";
            assert_eq!(spec.to_string(), expected);
        }
    }

    #[test]
    fn a_warm_up_stays_in_front_of_the_cycles() {
        let run = Horizon::of_updates(1_000)
            .unwrap()
            .with_epoch(100, 10)
            .unwrap();
        let stepped = "warmup(5ep, from=0.1) then step(lr=1, gamma=0.5, every=50%)";
        let spec = cyclical(&stepped.parse().unwrap(), &run, 5.0).unwrap();
        // The drop is 500 updates after the warm-up's end.
        assert_eq!(
            spec.to_string(),
            "warmup(50, from=0.1) then triangular2(base=1, max=5, step=83) for 498 then \
             triangular2(base=0.5, max=2.5, step=75) for 450"
        );
    }

    #[test]
    fn the_advised_budget_is_at_most_the_given_one_and_ends_at_a_trough() {
        for tenths in 10..2_000 {
            let run = Horizon::of_epochs(Epochs::new(f64::from(tenths) / 10.0).unwrap(), 777, 10)
                .unwrap();
            let advice = cycles(&run).unwrap();
            assert!(advice.updates <= run.updates() && advice.cycles >= FEWEST_CYCLES);
            let wave = Wave::new(0.1, 1.0, Updates(advice.step)).unwrap();
            let schedule = Spec::from(Triangular2::new(wave))
                .schedule(&Horizon::of_updates(advice.updates).unwrap())
                .unwrap();
            assert_eq!(schedule.troughs().last(), Some(advice.updates));
        }
    }

    /// The 1-based formula in which articles retell the paper. `epoch_counter` must have the unit
    /// of `stepsize`.
    fn retold_triangular(epoch_counter: f64, stepsize: f64, base_lr: f64, max_lr: f64) -> f64 {
        let cycle = libm::floor(1.0 + epoch_counter / (2.0 * stepsize));
        let x = (epoch_counter / stepsize - 2.0 * cycle + 1.0).abs();
        base_lr + (max_lr - base_lr) * (1.0 - x).max(0.0)
    }

    #[test]
    fn the_retold_formula_is_triangular() {
        for (step, base, max) in [(2000, 0.001, 0.006), (7, 0.0, 1.0), (1, 0.5, 0.5)] {
            let wave = Wave::new(base, max, Updates(step)).unwrap();
            let spec = Spec::from(crate::policy::Triangular::new(wave));
            let schedule = spec
                .schedule(&Horizon::of_updates(100_000).unwrap())
                .unwrap();
            for update in (0..100_000).step_by(37) {
                let retold = retold_triangular(update as f64, step as f64, base, max);
                assert!(
                    (schedule.at(update).lr - retold).abs() <= 1e-12 * max,
                    "{update}"
                );
            }
        }
    }

    #[test]
    fn a_name_that_cannot_be_completed_is_none() {
        let step = Length::from(Updates(1));
        assert_eq!(complete("multistep", 0.1, 1.0, step), None);
        let crossed = complete("linear", 0.1, f64::NAN, step);
        assert!(matches!(crossed, Some(Err(Error::OutOfRange { .. }))));
    }

    #[test]
    fn cycles_of_a_share_of_the_run_fit_whatever_its_length() {
        for planned in [6, 100, 600, 2_400, 100_000] {
            let run = |updates| {
                let run = Horizon::of_updates(updates).unwrap();
                run.with_epoch(8_000, 100).unwrap()
            };
            let cycles = cycles(&run(planned)).unwrap();
            let spec = complete("triangular", 0.1, 1.0, cycles.share());
            let spec = spec.unwrap().unwrap();
            for updates in [planned - planned / 8, planned, planned + planned / 3] {
                let schedule = spec.schedule(&run(updates)).unwrap();
                let troughs: Vec<u64> = schedule.troughs().collect();
                assert_eq!(troughs.len() as u64, cycles.cycles, "{spec}, {updates}");
                // Each step may be a millionth of the run too short.
                let most = 2 * cycles.cycles * updates / 1_000_000 + 1;
                assert!(
                    troughs.last() >= Some(&(updates - most)),
                    "{spec}, {updates}"
                );
            }
        }
    }

    #[test]
    fn only_constant_steps_have_an_equivalent() {
        let run = Horizon::of_updates(1_000)
            .unwrap()
            .with_epoch(100, 10)
            .unwrap();
        let equivalent = |text: &str| cyclical(&text.parse().unwrap(), &run, 5.0);
        assert!(matches!(
            equivalent("linear(lr=1)"),
            Err(Error::NotStepped { .. })
        ));
        assert!(matches!(
            equivalent("step(lr=1, gamma=0.9, every=3)"),
            Err(Error::TooShort { .. })
        ));
        let mixed =
            equivalent("fixed(lr=1) for 50% then step(lr=0.1, gamma=0.5, every=25%)").unwrap();
        let stages: Vec<String> = mixed
            .to_string()
            .split(" then ")
            .map(String::from)
            .collect();
        assert_eq!(stages.len(), 5);
        assert_eq!(stages[0], "triangular2(base=1, max=5, step=83) for 498");
        assert_eq!(
            stages[4],
            "triangular2(base=0.0125, max=0.0625, step=20) for 120"
        );
        let everlasting = Horizon::of_updates(1 << 50)
            .unwrap()
            .with_epoch(100, 10)
            .unwrap();
        let many: Spec = "step(lr=1, gamma=0.9, every=1)".parse().unwrap();
        assert!(matches!(
            cyclical(&many, &everlasting, 5.0),
            Err(Error::NotStepped { .. })
        ));
    }
}
