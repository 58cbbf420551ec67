//! The comparison: which policy wins, tuned alike, on the same seeds, with intervals.
//!
//! - [`Plan`] is what is declared beforehand; [`Study`] reads plans from a file.
//! - [`compare`] carries it out in a folder, where it can be stopped and continues by being called
//!   again.
//! - [`record`] is what comes of it; [`WinnerFile`] is what a trainer takes from it.
//!
//! Each arm has one tuned number, its peak rate, tried at the same multiples of the found
//! `max_lr`, at the whole budget, on a seed of its own, and chosen on the validation split. The
//! test split is read once for each final run. A plan may [race](Plan::race): then seeds are added
//! while a verdict is open, by a rule that it declares.
//!
//! ```
//! use cyclr_train::noisy_quadratic::NoisyQuadratic;
//! use cyclr_train::compare::{BoundsSource, Plan, Settings, compare};
//! use cyclr_train::{Interrupt, Watch};
//!
//! let folder = tempfile::tempdir().unwrap();
//! let mut plan = Plan::new(240);
//! plan.seeds = vec![1, 2, 3];
//! plan.bounds = BoundsSource::Given { base_lr: 0.02, max_lr: 0.2 };
//! let settings = Settings { jobs: 2, ..Settings::default() };
//! let watch = Watch { observer: &mut |_| {}, interrupt: &Interrupt::new() };
//! let record = compare(&NoisyQuadratic::default(), &plan, folder.path(), &settings, watch)?;
//! assert_eq!(record.arms.len(), 3);
//! # Ok::<(), cyclr_train::Error>(())
//! ```

mod analyse;
mod arm;
mod begin;
mod bounds;
mod branches;
mod difference;
mod execute;
mod export;
mod folder;
mod manifest;
mod plan;
mod race;
pub mod record;
mod study;
mod text;
mod time;
mod tune;
mod v1;

pub(crate) use analyse::example_spread;
pub use arm::{Arm, ArmPolicy};
pub use begin::Begin;
pub use execute::{CompareEvent, RunName, Settings, compare, launch_begin};
pub use export::{Evidence, FoundBounds, WinnerFile};
pub use folder::{
    Work, check_free, is_comparison, read_comparison, read_plan, read_work, work_begin,
};
pub use manifest::Manifest;
pub use plan::{BoundsSource, Grid, Plan};
pub use study::{Study, StudyComparison};
pub use tune::Tune;
