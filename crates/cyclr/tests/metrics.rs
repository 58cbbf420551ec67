//! Metrics from elsewhere are checked.

use cyclr::trainer::{Metric, Metrics};

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

#[test]
fn no_metric_is_dropped_for_another_of_its_name() {
    let loss = |value| Metric::loss(value, 10);
    assert!(
        Metrics::new([loss(1.0), Metric::accuracy(5, 10)])
            .checked()
            .is_ok()
    );
    let refused = Metrics::new([loss(1.0), loss(2.0)]).checked().unwrap_err();
    assert!(
        refused.to_string().contains("two metrics `loss`"),
        "{refused}"
    );
}
