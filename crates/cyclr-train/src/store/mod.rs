//! What a run leaves in its folder, and how it is read back.
//!
//! | file | what it holds |
//! |---|---|
//! | `run.json` | what was asked and planned ([`RunRecord`]) |
//! | `events.jsonl` | what happened, one [`Event`](crate::Event) a line, only ever appended to |
//! | `checkpoints/` | the last two states from which the run can go on |
//! | `events.out.tfevents.*` | the same curves for TensorBoard |
//! | `result.json` | what came of it ([`Outcome`](crate::Outcome)); a run with this file is finished |
//! | `output.log` | what the trainer printed, where it prints; going on appends to it, up to 16 MiB |
//! | `failed.json` | why the last try failed, if it did ([`Failure`]) |
//! | `unlocked.txt` | the host on which the run was made without a lock that others see, if it was |
//! | `model.safetensors` | the trained model, where the trainer has such a form |
//! | `average.safetensors` | the same with averaged weights, of a run that averages |
//! | `ensemble-1.safetensors` … | the models of an ensemble, the oldest first |
//!
//! `docs/schema` holds a JSON Schema of each record.
//!
//! Whole files are written beside their place, flushed to the disk, and renamed into it, so that a
//! reader or a crash finds the old file or the new one. A checkpoint names the length of the two
//! logs when it was made; continuing from it cuts them there. While a process works in the folder
//! it holds a lock on `.lock`, which the system releases when the process ends, however it ends.

mod checkpoint;
mod events;
mod failed;
mod files;
mod folder;
mod heartbeat;
mod lock;
mod regular;
mod run;
mod seen;
mod tensorboard;

pub use events::read_events;
pub use failed::Failure;
pub use files::{Versioned, write_atomically};
pub(crate) use files::{
    bad, if_there, parse_record, read_checked, read_record, read_versioned, write_checked,
    write_record,
};
pub(crate) use folder::{RunFolder, holds_only};
pub use folder::{Stage, check_absent, stage};
pub use heartbeat::check_lock;
pub(crate) use heartbeat::{Heartbeat, unlocked};
pub use lock::Lock;
pub(crate) use regular::read_stdin;
pub use regular::{open_regular, read_regular, read_regular_text, read_state};
pub use run::{ChangeRecord, RunRecord, read_outcome, read_run};
pub use seen::{Seen, State};

/// The version of all records, those of comparisons included.
pub const VERSION: u32 = 2;
