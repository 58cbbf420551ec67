//! What a run leaves in its folder, and how it is read back.
//!
//! | file | what it holds |
//! |---|---|
//! | `run.json` | what was asked and planned ([`RunRecord`]) |
//! | `events.jsonl` | what happened, one [`EventRecord`] a line, only ever appended to |
//! | `checkpoints/` | the last two states from which the run can go on |
//! | `events.out.tfevents.*` | the same curves for TensorBoard |
//! | `result.json` | what came of it ([`ResultRecord`]); a run with this file is finished |
//! | `output.log` | what the trainer printed, where it prints; going on appends to it |
//! | `failed.json` | why the last try failed, if it did ([`FailedRecord`]) |
//! | `model.safetensors` | the trained model, where the trainer has such a form |
//!
//! `docs/schema` holds a JSON Schema of each record.
//!
//! Whole files are written beside their place, flushed to the disk, and renamed into it, so that a reader or a crash
//! finds the old file or the new one. A checkpoint names the length of the two logs when it was made; going on from it
//! cuts them there. While a process works in the folder it holds a lock on `.lock`, which the system releases when the
//! process ends, however it ends.

mod checkpoint;
mod event;
mod failed;
mod files;
mod folder;
mod lock;
mod result;
mod run;
mod tensorboard;

pub use event::{EventRecord, read_events};
pub use failed::{FailedRecord, read_failed};
pub(crate) use files::{read_json, write_atomically, write_json};
pub(crate) use folder::RunFolder;
pub use folder::{Stage, stage};
pub use lock::Lock;
pub use result::{
    Better, MetricRecord, ResultRecord, StopReasonRecord, ValidationPointRecord, read_result,
};
pub use run::{BudgetRecord, ChangeRecord, RunRecord, TrainerInfoRecord, read_run};

/// The version of all records in a run's folder.
pub const VERSION: u32 = 1;
