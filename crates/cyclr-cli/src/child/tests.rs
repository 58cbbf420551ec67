//! What an answer may not be.

use cyclr::trainer::{Metric, TrainerInfo};

use super::answers::correct;
use super::other_info;

fn metric(text: &str) -> Metric {
    serde_json::from_str(text).unwrap()
}

#[test]
fn values_that_are_not_finite_have_words() {
    for (word, value) in [
        ("null", f64::NAN),
        ("\"NaN\"", f64::NAN),
        ("\"Infinity\"", f64::INFINITY),
        ("\"-Infinity\"", f64::NEG_INFINITY),
        ("-2.5e-3", -0.0025),
        ("3", 3.0),
    ] {
        let text = format!(
            r#"{{"name": "loss", "value": {word}, "count": 5, "direction": "lower", "new": 1}}"#
        );
        let read = metric(&text).checked().unwrap().value;
        assert!(read == value || read.is_nan() && value.is_nan(), "{word}");
    }
}

#[test]
fn a_missing_field_is_named() {
    let whole = r#"{"name": "loss", "value": null, "count": 5, "direction": "lower"}"#;
    let whole: serde_json::Value = serde_json::from_str(whole).unwrap();
    for field in ["name", "value", "count", "direction"] {
        let mut less = whole.clone();
        less.as_object_mut().unwrap().remove(field);
        let error = serde_json::from_value::<Metric>(less)
            .unwrap_err()
            .to_string();
        assert!(error.contains(field), "{field}: {error}");
    }
}

#[test]
fn an_accuracy_is_the_fraction_that_it_says() {
    let accuracy = |value: &str, correct: u64| {
        let metric = metric(&format!(
            r#"{{"name": "accuracy", "value": {value}, "count": 40, "direction": "higher", "correct": {correct}}}"#
        ));
        metric.checked().map_err(|error| error.to_string())
    };
    assert!(accuracy("0.75", 30).is_ok());
    assert!(accuracy("75.0", 30).unwrap_err().contains("fraction"));
    assert!(accuracy("1.025", 41).is_err());
}

#[test]
fn the_digits_of_an_evaluation_are_one_for_each_example() {
    assert_eq!(correct("0110", 4).unwrap(), [false, true, true, false]);
    assert!(correct("011", 4).unwrap_err().contains("3 characters"));
    assert!(correct("01x0", 4).is_err());
}

#[test]
fn other_data_for_another_seed_are_told_from_another_trainer() {
    let info = |checksum: Option<&str>, validation| TrainerInfo {
        validation,
        data_checksum: checksum.map(String::from),
        ..TrainerInfo::new(400, 20)
    };
    let was = info(Some("split 1"), 100);
    let said = other_info(&was, &info(Some("split 2"), 100));
    assert!(
        said.starts_with("its data are not those of the run before (split 2, and split 1 before)")
    );
    assert!(other_info(&was, &info(None, 100)).contains("(none, and split 1 before)"));
    let said = other_info(&was, &info(Some("split 2"), 50));
    assert!(said.starts_with("the script says of itself TrainerInfo {"));
}
