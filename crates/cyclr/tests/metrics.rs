//! Metrics from elsewhere are checked.

use cyclr::trainer::Metric;

#[test]
fn an_accuracy_is_the_fraction_of_the_correct_examples() {
    let of = |value| Metric {
        value,
        ..Metric::accuracy(3, 4)
    };
    assert!(of(0.75).checked().is_ok());
    for value in [0.7, f64::NAN, f64::INFINITY] {
        assert!(of(value).checked().is_err(), "{value}");
    }
}
