//! The binary, as the tests run it.

use std::ffi::OsStr;

use assert_cmd::Command;

/// Runs the binary: exit code, stdout, stderr.
pub(crate) fn cyclr(args: &[impl AsRef<OsStr>]) -> (i32, String, String) {
    let output = Command::cargo_bin("cyclr")
        .unwrap()
        .args(args)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}
