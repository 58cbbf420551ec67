//! Data whose contents change while a run or comparison is under way, and their counts do not.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "an integration test")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

const COMPARE: &str = "compare --arm fixed --arm linear --bounds 0.01..0.04 --budget 10 \
                       --seeds 2 --data data --out c";

struct Place(TempDir);

impl Place {
    /// A data set of 4×4 images: IDX files of 200 images for training and 40 for the test.
    fn new() -> Self {
        let place = Self(TempDir::new().unwrap());
        fs::create_dir(place.path("data")).unwrap();
        for (part, count) in [("train", 200_u32), ("t10k", 40)] {
            let header = |magic: u32, sizes: &[u32]| {
                let words = [&[magic, count], sizes].concat();
                words
                    .into_iter()
                    .flat_map(u32::to_be_bytes)
                    .collect::<Vec<u8>>()
            };
            let pixels = (0..16 * count).map(|at| (at * 37 % 251) as u8);
            let images = [header(0x0803, &[4, 4]), pixels.collect()].concat();
            let labels = [
                header(0x0801, &[]),
                (0..count).map(|at| (at % 2) as u8).collect(),
            ];
            fs::write(
                place.path(&format!("data/{part}-images-idx3-ubyte")),
                images,
            )
            .unwrap();
            fs::write(
                place.path(&format!("data/{part}-labels-idx1-ubyte")),
                labels.concat(),
            )
            .unwrap();
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Exit code and stderr.
    fn cyclr(&self, words: &str) -> (Option<i32>, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cyclr"));
        command
            .args(words.split_whitespace())
            .current_dir(self.0.path());
        let output = command.output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    }

    fn done(&self, words: &str) {
        let (code, err) = self.cyclr(words);
        assert_eq!(code, Some(0), "{words}: {err}");
    }

    fn refused(&self, words: &str, splits: &[&str]) {
        let (code, err) = self.cyclr(words);
        assert_eq!(code, Some(1), "{words}: {err}");
        let (was, is) = err.split_once(" then, ").expect(&err);
        for split in ["training", "validation", "test"] {
            let sum = |text: &str| {
                let at = text.rfind(&format!("{split} ")).unwrap() + split.len() + 1;
                text[at..at + 8].to_owned()
            };
            let is = sum(is.split_once(" now)").unwrap().0);
            assert_eq!(sum(was) != is, splits.contains(&split), "{split}: {err}");
        }
        assert!(err.contains("start again in another folder"), "{err}");
    }

    /// Another byte in a file, which keeps its length.
    fn change(&self, file: &str, at: usize) {
        let path = self.path(file);
        let mut bytes = fs::read(&path).unwrap();
        bytes[at] ^= 1;
        fs::write(path, bytes).unwrap();
    }
}

#[test]
fn a_run_is_not_continued_on_other_images_or_labels() {
    let place = Place::new();
    place.done("train --policy fixed(lr=0.01) --updates 30 --data data --validation 0 --out r");
    let more = "resume r --updates 60 --keep-shape";
    place.change("data/t10k-images-idx3-ubyte", 16);
    place.refused(more, &["test"]);
    // Of a finished run nothing is left to do.
    place.done("resume r");
    place.change("data/t10k-images-idx3-ubyte", 16);
    place.change("data/t10k-labels-idx1-ubyte", 8);
    place.refused(more, &["test"]);
    place.change("data/t10k-labels-idx1-ubyte", 8);
    place.change("data/train-images-idx3-ubyte", 16 + 16 * 7);
    place.refused(more, &["training"]);
    place.change("data/train-images-idx3-ubyte", 16 + 16 * 7);
    place.done(more);
}

#[test]
fn a_comparison_is_not_continued_on_other_data() {
    let place = Place::new();
    place.done(COMPARE);
    fs::remove_file(place.path("c/result.json")).unwrap();
    fs::remove_dir_all(place.path("c/final/1/2-linear-seed2")).unwrap();
    place.change("data/t10k-images-idx3-ubyte", 16);
    for command in ["resume c", COMPARE] {
        place.refused(command, &["test"]);
    }
    place.change("data/t10k-images-idx3-ubyte", 16);
    place.done("resume c");
}

/// As on a machine with a copy of its own: in the first run, or in the range test.
#[test]
fn a_unit_is_not_made_on_other_data() {
    for bounds in ["--bounds 0.01..0.04", ""] {
        let place = Place::new();
        let text = format!(
            "#!/bin/sh\ndir=$1; shift\n[ ! -e $dir/comparison.json ] || cp {other} {test}\n\
             for unit; do {cyclr} work $dir $unit; done\n",
            other = place.path("other").display(),
            test = place.path("data/t10k-images-idx3-ubyte").display(),
            cyclr = env!("CARGO_BIN_EXE_cyclr"),
        );
        let launcher = place.path("launcher.sh");
        fs::write(&launcher, text).unwrap();
        fs::set_permissions(&launcher, fs::Permissions::from_mode(0o755)).unwrap();
        let test = place.path("data/t10k-images-idx3-ubyte");
        fs::copy(test, place.path("other")).unwrap();
        place.change("other", 16);
        let command = COMPARE.replace("--bounds 0.01..0.04", bounds);
        place.refused(&format!("{command} --on ./launcher.sh"), &["test"]);
        assert!(!place.path("c/range.json").exists());
    }
}
