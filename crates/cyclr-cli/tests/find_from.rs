//! `cyclr find --from`, on curves of other tools whose right answers
//! testdata/curves-of-other-tools/README.md has.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use common::cyclr;
use serde_json::Value;

mod common;

fn find(files: &[&str], options: &[&str]) -> (i32, Value, String) {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../testdata/curves-of-other-tools"
    );
    let mut args: Vec<String> = ["find", "--json", "--from"].map(String::from).into();
    args.extend(files.iter().map(|file| format!("{folder}/{file}")));
    args.extend(options.iter().map(|&option| option.to_owned()));
    let (code, out, err) = cyclr(&args);
    let answer = if out.is_empty() {
        Value::Null
    } else {
        serde_json::from_str(&out).unwrap()
    };
    (code, answer, err)
}

const LIGHTNING: [&str; 3] = ["lightning-0.csv", "lightning-1.csv", "lightning-2.csv"];

#[test]
fn averages_are_refused_with_the_option_that_undoes_them() {
    let (code, answer, _) = find(&LIGHTNING, &[]);
    assert_eq!((code, &answer["answer"]), (3, &Value::from("none")));
    assert!(
        answer["reason"].as_str().unwrap().contains("smoothed"),
        "{answer}"
    );
    assert!(
        answer["try"].as_str().unwrap().contains("--smoothed"),
        "{answer}"
    );

    let (code, answer, err) = find(&LIGHTNING, &["--smoothed", "0.98"]);
    assert_eq!(code, 0, "{err}");
    // The interval that the raw losses of the same runs give.
    assert!(
        (0.0206..0.0396).contains(&answer["max_lr"].as_f64().unwrap()),
        "{answer}"
    );
    assert!(err.contains("lightning=0.98"), "{err}");

    let (code, _, err) = find(&LIGHTNING, &["--smoothed", "keras"]);
    assert_eq!(code, 2);
    assert!(
        err.contains("torch-lr-finder, fastai or lightning"),
        "{err}"
    );
}

#[test]
fn advice_on_recorded_curves_names_no_option() {
    let high = [0, 1, 2].map(|n| format!("starts-too-high-{n}.csv"));
    let high = high.each_ref().map(String::as_str);
    for files in [&high[..], &["best-at-first.csv"], &["constant.csv"]] {
        let (code, answer, err) = find(files, &[]);
        assert_eq!(code, 3, "{err}");
        let advice = answer["try"].as_str().unwrap();
        assert!(!advice.is_empty() && !advice.contains("--"), "{advice}");
    }
}

#[test]
fn copies_are_said_to_be_one_repeat() {
    let (code, answer, err) = find(&["raw-0.csv"; 3], &[]);
    assert_eq!(code, 0, "{err}");
    assert!(
        answer["interval"].as_str().unwrap().contains("one repeat"),
        "{answer}"
    );
    assert!(err.contains("count as one repeat"), "{err}");
}

#[test]
fn other_sweeps_are_refused_with_both_files() {
    let (code, _, err) = find(&["raw-0.csv", "starts-too-high-0.csv"], &[]);
    assert_eq!(code, 1);
    assert!(
        err.contains("raw-0.csv") && err.contains("starts-too-high-0.csv"),
        "{err}"
    );
    let (code, answer, err) = find(&["tensorboard-lr.csv", "tensorboard-loss.csv"], &[]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(
        format!("{:.1e}", answer["max_lr"].as_f64().unwrap()),
        "2.5e-2"
    );
}
