use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;

/// Does `jobs` pieces of work on at most `threads` threads and gives their results in order.
///
/// The work shows events through the function it is handed; `observer` sees all of them on the
/// calling thread, each with the index of its job. A panic in one of them continues here, after
/// the others are done.
pub fn side_by_side<E: Send, T: Send>(
    threads: usize,
    jobs: usize,
    observer: &mut dyn FnMut(usize, &E),
    work: impl Fn(usize, &mut dyn FnMut(E)) -> T + Sync,
) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<(usize, T)>> = Mutex::default();
    thread::scope(|scope| {
        let (sender, events) = mpsc::channel();
        for _ in 0..threads.clamp(1, jobs.max(1)) {
            let (sender, next, results, work) = (sender.clone(), &next, &results, &work);
            scope.spawn(move || {
                loop {
                    let job = next.fetch_add(1, Ordering::Relaxed);
                    if job >= jobs {
                        break;
                    }
                    // The receiver outlives the workers, so that sending cannot fail.
                    let result = work(job, &mut |event| drop(sender.send((job, event))));
                    let mut results = results.lock().expect("no panic while it is held");
                    results.push((job, result));
                }
            });
        }
        drop(sender);
        for (job, event) in events {
            observer(job, &event);
        }
    });
    let mut results = results.into_inner().expect("no panic while it is held");
    results.sort_by_key(|&(job, _)| job);
    results.into_iter().map(|(_, result)| result).collect()
}

/// As [`side_by_side`], of work that may fail: after a failure nothing more is begun.
///
/// # Errors
/// Of the failures the first in order.
pub(crate) fn all_side_by_side<E: Send, T: Send, F: Send>(
    threads: usize,
    jobs: usize,
    observer: &mut dyn FnMut(usize, &E),
    work: impl Fn(usize, &mut dyn FnMut(E)) -> Result<T, F> + Sync,
) -> Result<Vec<T>, F> {
    let failed = AtomicBool::new(false);
    let results = side_by_side(threads, jobs, observer, |job, emit| {
        if failed.load(Ordering::Relaxed) {
            return None;
        }
        let result = work(job, emit);
        failed.fetch_or(result.is_err(), Ordering::Relaxed);
        Some(result)
    });
    results.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_events_of_a_job_in_its_order() {
        let mut seen = vec![Vec::new(); 20];
        let squares = side_by_side(
            3,
            20,
            &mut |job, &event: &usize| seen[job].push(event),
            |job, emit| {
                (0..5).for_each(&mut *emit);
                job * job
            },
        );
        assert_eq!(squares, (0..20).map(|n| n * n).collect::<Vec<_>>());
        assert!(seen.iter().all(|events| *events == [0, 1, 2, 3, 4]));
    }

    #[test]
    fn no_jobs_give_no_results() {
        assert!(side_by_side(4, 0, &mut |_, (): &()| {}, |_, _| ()).is_empty());
    }

    #[test]
    #[should_panic(expected = "a scoped thread panicked")]
    fn a_panic_goes_on() {
        side_by_side(2, 4, &mut |_, (): &()| {}, |job, _| {
            assert!(job != 2, "job 2 fails");
        });
    }

    #[test]
    fn nothing_is_begun_after_a_failure() {
        let begun = AtomicUsize::new(0);
        let all = all_side_by_side(1, 5, &mut |_, &(): &()| (), |job, _| {
            begun.fetch_add(1, Ordering::Relaxed);
            if job < 2 { Ok(job) } else { Err(job) }
        });
        assert_eq!((all, begun.into_inner()), (Err(2), 3));
    }
}
