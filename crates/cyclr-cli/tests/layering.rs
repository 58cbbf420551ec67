//! The crates of the workspace depend on each other as ARCHITECTURE.md allows, and no further.
#![expect(clippy::unwrap_used, reason = "an integration test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Each crate of the workspace, and those of them that it depends on.
type Layers = BTreeMap<String, BTreeSet<String>>;

#[test]
fn crates_depend_on_each_other_as_the_architecture_says() {
    assert_eq!(
        found(),
        allowed(),
        "left: the manifests; right: ARCHITECTURE.md"
    );
}

/// What the manifests say. Development dependencies are free.
fn found() -> Layers {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let names: BTreeSet<String> = packages.iter().map(name).collect();
    let normal = |package: &Value| {
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        let normal = dependencies.filter(|dependency| dependency["kind"].is_null());
        normal.map(name).filter(|n| names.contains(n)).collect()
    };
    packages.iter().map(|p| (name(p), normal(p))).collect()
}

/// What the block `layers` of ARCHITECTURE.md says, a line a crate: `NAME → NAME, …`, or `NAME →
/// nothing`.
fn allowed() -> Layers {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let (_, block) = text.split_once("```layers\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let layer = |line: &str| {
        let (name, below) = line.split_once('→').unwrap();
        let below = below.split(',').map(|name| name.trim().to_owned());
        let below = below.filter(|name| name != "nothing").collect();
        (name.trim().to_owned(), below)
    };
    block.lines().map(layer).collect()
}

fn name(of: &Value) -> String {
    of["name"].as_str().unwrap().to_owned()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
