//! Final runs of shorter budgets that begin as those of the whole budget.

use super::runs::Job;
use super::{Comparing, Observer};
use crate::run::Branch;
use crate::{Error, Outcome};

impl Comparing<'_> {
    /// Makes final runs: first all that branch off no other, together with what is shared with
    /// them, and then the branches.
    pub(super) fn run_with_branches(
        &self,
        mut jobs: Vec<Job>,
        observer: Observer,
    ) -> Result<(Vec<Job>, Vec<Outcome>), Error> {
        tell_of_branches(&mut jobs);
        let planned = jobs.into_iter().enumerate();
        let (branches, others): (Vec<_>, Vec<_>) = planned.partition(|(_, job)| job.shared > 0);
        // The process that makes the whole run finds them declared.
        branches.iter().try_for_each(|(_, job)| self.declare(job))?;
        let mut made = Vec::new();
        for part in [others, branches] {
            if part.is_empty() {
                continue;
            }
            let (places, jobs): (Vec<usize>, Vec<Job>) = part.into_iter().unzip();
            let outcomes = self.run(&jobs, false, observer)?;
            made.extend(places.into_iter().zip(jobs.into_iter().zip(outcomes)));
        }
        made.sort_by_key(|&(place, _)| place);
        Ok(made.into_iter().map(|(_, made)| made).unzip())
    }
}

/// Tells the runs of the whole budget, which are the last of their arm and seed, what branches off
/// them.
fn tell_of_branches(jobs: &mut [Job]) {
    for n in 0..jobs.len() {
        let job = &jobs[n];
        if job.shared == 0 {
            continue;
        }
        let of = |job: &Job| (job.name.arm, job.name.seed);
        let (arm_and_seed, folder, shared) = (of(job), job.name.folder.clone(), job.shared);
        let whole = jobs.iter_mut().rfind(|job| of(job) == arm_and_seed);
        let whole = whole.expect("a branch is among the jobs itself");
        let up = "../".repeat(whole.name.folder.split('/').count());
        let folder = up + &folder;
        whole.branches.push(Branch { folder, shared });
    }
}
