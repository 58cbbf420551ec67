//! Bad input of every kind gets a message that names it and says what to do, and nothing that was
//! done is lost.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "an integration test"
)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::cyclr;
use tempfile::TempDir;

/// A command that has to fail with this code and these words.
fn refused(args: &[&str], code: i32, words: &[&str]) {
    let (found, _, err) = cyclr(args);
    assert_eq!(found, code, "{args:?}: {err}");
    for word in words {
        assert!(err.contains(word), "{args:?} should say `{word}`: {err}");
    }
    assert!(!err.contains("panicked"), "{err}");
}

/// A short run.
fn train<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let short = [
        "train",
        "--net",
        "mlp",
        "--policy",
        "fixed(lr=0.05)",
        "--updates",
        "20",
    ];
    [&short[..], more].concat()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A folder of images by class, with a number of 8×8 ones of each.
fn images(folder: &Path, classes: &[(&str, usize)]) {
    for (class, count) in classes {
        let class_folder = folder.join(class);
        fs::create_dir_all(&class_folder).unwrap();
        for n in 0..*count {
            let file = fs::File::create(class_folder.join(format!("{n}.png"))).unwrap();
            let mut writer = png::Encoder::new(file, 8, 8).write_header().unwrap();
            writer.write_image_data(&[n as u8; 64]).unwrap();
            writer.finish().unwrap();
        }
    }
}

/// A CIFAR-10 folder with a number of images a file, the last file a number of bytes short.
fn cifar(folder: &Path, images: usize, short: usize) {
    fs::create_dir_all(folder).unwrap();
    let names = (1..=5).map(|n| format!("data_batch_{n}.bin"));
    for name in names.chain([String::from("test_batch.bin")]) {
        let mut bytes = Vec::new();
        for n in 0..images {
            bytes.push((n % 10) as u8);
            bytes.extend([n as u8; 3072]);
        }
        if name.starts_with("test") {
            bytes.truncate(bytes.len() - short);
        }
        fs::write(folder.join(name), bytes).unwrap();
    }
}

/// A small data set of IDX files, by EMNIST's names.
fn emnist(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for part in ["train", "test"] {
        let images = [0x803_u32, 40, 8, 8].map(u32::to_be_bytes).concat();
        let labels = [0x801_u32, 40].map(u32::to_be_bytes).concat();
        let pixels = (0..40 * 64).map(|n| (n / 64 * 6) as u8);
        let name = |kind| folder.join(format!("emnist-letters-{part}-{kind}-ubyte"));
        fs::write(name("images-idx3"), [images, pixels.collect()].concat()).unwrap();
        let classes = (0..40).map(|n| n / 10);
        fs::write(name("labels-idx1"), [labels, classes.collect()].concat()).unwrap();
    }
}

/// How the data were read is said by each command that reads them, once.
#[test]
fn notes_about_the_data_are_printed_once() {
    let folder = TempDir::new().unwrap();
    let (letters, pictures) = (
        folder.path().join("letters"),
        folder.path().join("pictures"),
    );
    emnist(&letters);
    for part in ["train", "val", "test"] {
        images(&pictures.join(part), &[("cat", 12), ("dog", 12)]);
    }
    let (letters, pictures) = (text(&letters), text(&pictures));
    let policy = [
        "--policy",
        "fixed(lr=0.01)",
        "--updates",
        "4",
        "--batch",
        "4",
    ];
    let run = folder.path().join("run");
    let train = [
        &["train", "--data", letters, "--out", text(&run)][..],
        &policy,
    ]
    .concat();
    let compare = [
        "compare", "--plan", "--data", letters, "--budget", "40", "--batch", "4",
    ];
    let find = [
        "find", "--plan", "--data", pictures, "--net", "mlp", "--batch", "4",
    ];
    for (args, words) in [
        (&train[..], "EMNIST stores its images transposed"),
        (&compare, "EMNIST stores its images transposed"),
        (&find, "are the validation split"),
    ] {
        let (code, _, err) = cyclr(args);
        assert_eq!(
            (code, err.matches(words).count()),
            (0, 1),
            "{args:?}: {err}"
        );
    }
}

#[test]
fn folders_of_data_that_hold_none() {
    let folder = TempDir::new().unwrap();
    refused(
        &["find", "--data", "/no/such/folder"],
        1,
        &["/no/such/folder", "folder"],
    );
    refused(
        &["find", "--data", text(folder.path())],
        1,
        &["which is empty", text(folder.path())],
    );
    refused(&["data", text(folder.path())], 1, &["which is empty"]);
}

#[test]
fn data_that_are_cut_or_too_few() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    cifar(&path("cut"), 20, 100);
    refused(
        &["train", "--data", text(&path("cut"))],
        1,
        &["test_batch.bin", "3073"],
    );
    images(&path("one class"), &[("cats", 9)]);
    refused(
        &["train", "--data", text(&path("one class"))],
        1,
        &["cats", "class"],
    );
    images(&path("one image"), &[("cats", 9), ("dogs", 1)]);
    refused(
        &["train", "--data", text(&path("one image"))],
        1,
        &["dogs", "1 training image"],
    );
    images(&path("few"), &[("cats", 9), ("dogs", 9)]);
    refused(
        &[
            "train",
            "--data",
            text(&path("few")),
            "--net",
            "mlp",
            "--batch",
            "100",
            "--policy",
            "fixed(lr=0.1)",
        ],
        2,
        &["batch", "100"],
    );
}

#[test]
fn targets_that_cannot_be_reached() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("run");
    refused(
        &train(&["--target", "1.5", "--out", text(&out)]),
        2,
        &["1.5", "accuracy"],
    );
    let (code, words, err) = cyclr(&train(&[
        "--target",
        "0.999",
        "--evaluate-every",
        "10",
        "--out",
        text(&out),
    ]));
    assert_eq!(code, 0, "{err}");
    assert!(words.contains("the target was not reached"), "{words}");
}

#[test]
fn training_that_is_nan_from_its_first_updates() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("run");
    let args = [
        "train",
        "--net",
        "mlp",
        "--policy",
        "fixed(lr=1e38)",
        "--updates",
        "20",
        "--out",
        text(&out),
    ];
    let said =
        "error: training diverged at update 1, so there is no trained model: try a lower rate\n";
    let (code, words, err) = cyclr(&args);
    assert!(code == 5 && err.ends_with(said), "{code}: {err}");
    assert!(
        words.contains("ended after 2 updates: training diverged\n"),
        "{words}"
    );
    let result = fs::read_to_string(out.join("result.json")).unwrap();
    assert!(result.contains("diverged"), "{result}");
    assert!(!out.join("model.safetensors").exists());
    // What is there already says the same.
    let (code, text, err) = cyclr(&["resume", text(&out), "--json"]);
    assert!(code == 5 && err.ends_with(said), "{code}: {err}");
    let shown: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(shown["stop_reason"]["why"], "diverged");
    let sweep = [
        "find", "--net", "mlp", "--epochs", "1", "--min-lr", "1e30", "--max-lr", "1e38",
    ];
    let (code, words, _) = cyclr(&sweep);
    assert!(code == 3 && words.contains("no reliable answer"), "{words}");
}

#[test]
fn a_range_test_that_cannot_be_made_names_the_option() {
    let folder = TempDir::new().unwrap();
    for part in ["train", "test"] {
        images(&folder.path().join(part), &[("cat", 20), ("dog", 20)]);
    }
    let data = text(folder.path());
    for (args, words) in [
        (&["find", "--budget", "5"][..], "--budget 5"),
        (&["find", "--epochs", "0.1", "--max-lr", "1"], "--epochs"),
        (&["find", "--data", data, "--net", "mlp"], "--batch"),
        (
            &[
                "find",
                "--data",
                data,
                "--net",
                "cifar10_quick",
                "--batch",
                "4",
            ],
            "--size",
        ),
    ] {
        refused(args, 2, &[words]);
    }
}

#[test]
fn folders_that_are_not_a_run() {
    let folder = TempDir::new().unwrap();
    refused(
        &["resume", text(folder.path())],
        1,
        &["is not the folder of a run or comparison", "run.json"],
    );
    refused(&["report", text(folder.path())], 1, &["comparison.json"]);
    refused(
        &["predict", text(folder.path()), "x.png"],
        1,
        &["is not the folder of a run or comparison"],
    );
    fs::write(folder.path().join("mine.txt"), "precious").unwrap();
    // Before anything is said of what would be done, or done.
    let compare = [
        "compare",
        "--net",
        "mlp",
        "--budget",
        "60",
        "--bounds",
        "0.01..0.1",
    ];
    for command in [
        train(&[]),
        vec!["train", "--net", "mlp", "--updates", "600"],
        compare.to_vec(),
    ] {
        let (code, _, err) = cyclr(&[&command[..], &["--out", text(folder.path())]].concat());
        assert_eq!((code, err.lines().count()), (1, 1), "{err}");
        assert!(err.contains("choose another folder"), "{err}");
    }
    fs::write(folder.path().join("probes.csv"), "precious").unwrap();
    refused(
        &train(&["--out", text(&folder.path().join("mine.txt"))]),
        1,
        &["mine.txt", "choose another folder"],
    );
    let (code, _, err) = cyclr(&["find", "--net", "mlp", "--out", text(folder.path())]);
    assert_eq!((code, err.lines().count()), (2, 1), "{err}");
    assert!(err.contains("give another --out"), "{err}");
    assert_eq!(
        fs::read_to_string(folder.path().join("mine.txt")).unwrap(),
        "precious"
    );
}

#[test]
fn runs_of_another_version_and_damaged_ones() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("run");
    let (code, _, err) = cyclr(&train(&["--out", text(&out)]));
    assert_eq!(code, 0, "{err}");
    refused(
        &train(&["--out", text(&out)]),
        1,
        &["choose another folder", "resume"],
    );
    refused(&["report", text(&out)], 2, &["is a single run", "resume"]);
    let record = out.join("run.json");
    let good = fs::read_to_string(&record).unwrap();
    fs::write(
        &record,
        good.replacen("\"version\": 2", "\"version\": 99", 1),
    )
    .unwrap();
    refused(&["resume", text(&out)], 1, &["version 99", "version 2"]);
    fs::write(&record, &good[..good.len() / 2]).unwrap();
    refused(&["resume", text(&out)], 1, &["run.json", "line"]);
}

#[test]
fn names_with_a_carriage_return_are_shown_whole() {
    refused(
        &["data", "no\rwhere"],
        1,
        &["error: no\\rwhere is not a folder"],
    );
}

/// A file system of few bytes, where the system lets us make one.
struct Small(PathBuf);

impl Small {
    fn mount(folder: &Path, options: &str) -> Option<Self> {
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(folder)
            .output();
        mount
            .is_ok_and(|output| output.status.success())
            .then(|| Self(folder.to_owned()))
    }

    fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        let mount = Command::new("mount")
            .args(["-o", &options])
            .arg(&self.0)
            .status();
        assert!(mount.unwrap().success());
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn disks_that_are_full_or_only_to_be_read() {
    let folder = TempDir::new().unwrap();
    let Some(small) = Small::mount(folder.path(), "size=600k") else {
        eprintln!("skipped: only root can make a file system");
        return;
    };
    let out = folder.path().join("run");
    let args = [
        "train",
        "--net",
        "mlp",
        "--policy",
        "triangular(base=0.01, max=0.05, step=10)",
        "--updates",
        "400",
        "--out",
        text(&out),
    ];
    refused(
        &args,
        1,
        &[text(&out), "No space left", "what was saved before is kept"],
    );
    small.remount("size=64m");
    let (code, words, err) = cyclr(&["resume", text(&out)]);
    assert_eq!(code, 0, "{err}");
    assert!(words.contains("ended after 400 updates"), "{words}");
    small.remount("ro");
    let other = folder.path().join("other");
    refused(
        &train(&["--out", text(&other)]),
        1,
        &["Read-only file system", text(&other)],
    );
    refused(
        &[
            "schedule",
            "fixed(lr=1)",
            "--out",
            text(&folder.path().join("plot.svg")),
        ],
        1,
        &["cannot write", "plot.svg: Read-only file system"],
    );
}

#[test]
fn a_picture_outlives_a_full_disk() {
    let folder = TempDir::new().unwrap();
    let Some(small) = Small::mount(folder.path(), "size=64k") else {
        eprintln!("skipped: only root can make a file system");
        return;
    };
    let picture = folder.path().join("plot.svg");
    let args = ["schedule", "fixed(lr=1)", "--updates", "5"];
    let args = [&args[..], &["--out", text(&picture)]].concat();
    assert_eq!(cyclr(&args).0, 0);
    let good = fs::read(&picture).unwrap();
    let rest = fs::write(small.0.join("rest"), vec![0; 64 << 10]);
    assert!(rest.is_err(), "the disk is full");
    refused(&args, 1, &["plot.svg: No space left", "make room"]);
    assert_eq!(fs::read(&picture).unwrap(), good);
}
