//! How long a comparison takes.

use cyclr::trainer::TrainerInfo;

use super::Plan;
use crate::find::RangeTest;
use crate::run::troughs_of;
use crate::{Error, Pace};

impl Plan {
    /// What the plan takes with `jobs` runs side by side (0 counts as 1), each at this pace: its
    /// range test, its runs, and a round of further trials if it may have one, as most searches
    /// need.
    ///
    /// # Errors
    /// As [`Plan::check`], for an arm that does not fit its run.
    pub fn predicted_seconds(
        &self,
        pace: &Pace,
        info: &TrainerInfo,
        jobs: usize,
    ) -> Result<f64, Error> {
        self.seconds_with(self.rounds().min(1), self.first_seeds(), pace, info, jobs)
    }

    /// As [`Plan::predicted_seconds`], if tuning takes all its rounds and a race all its seeds.
    ///
    /// # Errors
    /// As [`Plan::check`], for an arm that does not fit its run.
    pub fn longest_seconds(
        &self,
        pace: &Pace,
        info: &TrainerInfo,
        jobs: usize,
    ) -> Result<f64, Error> {
        self.seconds_with(self.rounds(), self.seeds.len(), pace, info, jobs)
    }

    fn seconds_with(
        &self,
        rounds: u32,
        seeds: usize,
        pace: &Pace,
        info: &TrainerInfo,
        jobs: usize,
    ) -> Result<f64, Error> {
        let jobs = jobs.max(1);
        let test = self.bounds.range_test().map_or(0.0, |test| {
            let test = RangeTest {
                threads: jobs,
                ..test
            };
            test.seconds(info, pace)
        });
        let mut runs_alone = 0.0;
        for runs in self.planned(rounds, seeds) {
            let spec = runs.arm.spec(self.any_bounds(), None, self, info)?;
            let (_, schedule) = runs.arm.schedule(&spec, runs.fraction, self, info)?;
            let troughs = troughs_of(&schedule)?.len() as u64;
            let evaluations = self.grid(runs.fraction).len() + troughs;
            let mut run = pace.seconds_of_run(schedule.updates(), evaluations);
            if runs.is_final {
                let shared = self.shared(runs.arm, &spec, runs.fraction, info)?;
                run += pace.seconds_of_test(info) - shared as f64 * pace.seconds_per_update;
            }
            runs_alone += runs.count as f64 * run;
        }
        Ok(test + runs_alone / jobs as f64)
    }
}
