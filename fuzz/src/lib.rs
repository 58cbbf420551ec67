//! Fuzz targets: each gives bytes to a reader of cyclr, which must refuse them or read them without a panic.
//!
//! libFuzzer runs them through `fuzz_targets/` (`cargo +nightly fuzz run TARGET --features libfuzzer`). A test of
//! `cyclr-cli` runs the same functions on stable Rust: it replays `corpus/` and mutates it for some seconds.
//!
//! An input that stands for several files has them one after the other, with a line `=====` between two.

pub mod corpus;
mod data;
mod nets;
mod place;
mod runs;
mod texts;

/// What is given bytes.
pub type Target = fn(&[u8]);

/// Every target, by the name of its file in `fuzz_targets/` and of its folder in `corpus/`.
pub const TARGETS: [(&str, Target); 16] = [
    ("spec", texts::spec),
    ("study", texts::study),
    ("winner", texts::winner),
    ("curves", texts::curves),
    ("protocol", texts::protocol),
    ("idx", data::idx),
    ("cifar", data::cifar),
    ("image", data::image),
    ("weights", nets::weights),
    ("predictor", nets::predictor),
    ("state", nets::state),
    ("checkpoint", runs::checkpoint),
    ("records", runs::records),
    ("comparison", runs::comparison),
    ("report", runs::report),
    ("judge", texts::judged),
];

/// Gives `data` to the target of that name.
///
/// # Panics
/// If there is no such target, and where the target finds a fault.
pub fn run(name: &str, data: &[u8]) {
    let found = TARGETS.iter().find(|(known, _)| *known == name);
    let (_, target) = found.expect("a target of that name");
    target(data);
}
