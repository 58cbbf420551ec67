//! Runs and experiments over the [trainer interface](cyclr::trainer): training under any schedule,
//! the learning-rate range test, comparisons of policies, and their records.
//!
//! This crate knows nothing of nets: it trains and tests anything that implements
//! [`TrainerFactory`](cyclr::trainer::TrainerFactory). It never prints: the work emits [`Event`]s,
//! and the caller shows them.
//!
//! - [`Task`] says what to train, [`RunPlan`] what will be done, and [`train`], [`train_in`] and
//!   [`resume`] do it.
//! - [`find`]: the range test.
//! - [`compare`](mod@compare): which of several policies wins.
//! - [`judge`](mod@judge): the same verdicts on runs of other programs.
//! - [`verdict`]: the sentences of both.
//! - [`check`]: whether a trainer does what the others rely on.
//! - [`store`]: what a run leaves in its folder.
//! - [`noisy_quadratic`]: a net that fits in a page, for tests and examples.
//!
//! ```
//! use cyclr_train::{Budget, Interrupt, Task, Watch, noisy_quadratic::NoisyQuadratic, train};
//!
//! let spec = "triangular2(base=0.01, max=0.3, step=5ep)".parse().unwrap();
//! let task = Task::new(spec, 1, Budget::Updates(800));
//! let watch = Watch { observer: &mut |_event| {}, interrupt: &Interrupt::new() };
//! let outcome = train(&NoisyQuadratic::default(), &task, watch)?;
//! assert_eq!(outcome.evaluations.iter().map(|r| r.updates_done).collect::<Vec<_>>(), [200, 400, 600, 800]);
//! # Ok::<(), cyclr_train::Error>(())
//! ```
#![forbid(unsafe_code)]

pub mod check;
pub mod compare;
mod error;
mod event;
pub mod find;
mod interrupt;
pub mod judge;
mod machine;
pub mod noisy_quadratic;
mod obeyed;
mod pace;
mod parallel;
mod run;
pub mod store;
mod table;
pub mod verdict;

pub use error::Error;
pub use event::{Event, Watch};
pub use interrupt::Interrupt;
pub use machine::Machine;
pub use pace::Pace;
pub use parallel::side_by_side;
pub use run::{
    Average, Branch, Budget, Change, Outcome, Planned, RunPlan, StopReason, Task, ValidationPoint,
    resume, train, train_in,
};
pub use table::TableError;
