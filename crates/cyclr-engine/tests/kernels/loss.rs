use cyclr_engine::kernels::SoftmaxCrossEntropy;

use crate::{Numbers, assert_close, differences, wide};

fn plain(logits: &[f64], labels: &[u16], classes: usize, smoothing: f64) -> f64 {
    let losses = logits.chunks(classes).zip(labels).map(|(logits, &label)| {
        let total: f64 = logits.iter().map(|l| l.exp()).sum();
        let of = |k: usize| -(logits[k].exp() / total).ln();
        let mean = (0..classes).map(of).sum::<f64>() / classes as f64;
        (1.0 - smoothing) * of(usize::from(label)) + smoothing * mean
    });
    losses.sum()
}

#[test]
fn equals_the_definition_and_its_differences() {
    for (classes, batch, smoothing) in [
        (10, 7, 0.0),
        (10, 3, 0.1),
        (1, 2, 0.3),
        (100, 2, 0.2),
        (3, 5, 1.0),
    ] {
        let loss = SoftmaxCrossEntropy::new(classes, smoothing).unwrap();
        let mut n = Numbers::new(8);
        let logits: Vec<f32> = n.values(classes * batch).iter().map(|x| 6.0 * x).collect();
        let labels: Vec<u16> = (0..batch).map(|_| n.below(classes) as u16).collect();
        let (mut gradient, mut hits) = (vec![f32::NAN; logits.len()], vec![false; batch]);
        let sum = loss.run(
            &logits,
            &labels,
            Some((&mut gradient, 0.5)),
            Some(&mut hits),
        );
        let f = |logits: &[f64]| vec![plain(logits, &labels, classes, smoothing)];
        let expected = f(&wide(&logits))[0];
        assert!(
            (sum.loss - expected).abs() <= 1e-12 * (1.0 + expected),
            "{} {expected}",
            sum.loss
        );
        let expected = differences(&wide(&logits), &[0.5], f);
        assert_close(
            "gradient",
            &gradient,
            &expected,
            &vec![1.0; logits.len()],
            1e-7,
        );
        let right: Vec<bool> = logits
            .chunks(classes)
            .zip(&labels)
            .map(|(l, &label)| {
                l.iter()
                    .enumerate()
                    .all(|(k, v)| k == usize::from(label) || *v < l[usize::from(label)])
            })
            .collect();
        assert_eq!(hits, right);
        assert_eq!(
            sum.correct,
            right.iter().map(|&r| u64::from(r)).sum::<u64>()
        );
        assert_eq!(loss.run(&logits, &labels, None, None), sum);
    }
}

#[test]
fn large_logits_do_not_overflow_and_nan_shows() {
    let loss = SoftmaxCrossEntropy::new(3, 0.0).unwrap();
    let sum = loss.run(&[3e38, -3e38, 0.0], &[0], None, None);
    assert_eq!((sum.loss, sum.correct), (0.0, 1));
    let mut gradient = [0.0; 3];
    for bad in [f32::NAN, f32::INFINITY] {
        let sum = loss.run(&[1.0, bad, 0.0], &[0], Some((&mut gradient, 1.0)), None);
        assert!(!sum.loss.is_finite(), "{bad}: {}", sum.loss);
        assert!(gradient.iter().all(|g| g.is_nan()), "{bad}: {gradient:?}");
    }
}

/// Two equal logits share the probability: the loss is ln 2, and the gradient softmax less target.
#[test]
fn a_logit_of_minus_infinity_is_a_probability_of_0() {
    let loss = SoftmaxCrossEntropy::new(3, 0.0).unwrap();
    let logits = [0.0, f32::NEG_INFINITY, 0.0];
    let mut gradient = [f32::NAN; 3];
    let sum = loss.run(&logits, &[0], Some((&mut gradient, 1.0)), None);
    assert!((sum.loss - std::f64::consts::LN_2).abs() < 1e-15);
    assert_eq!(gradient, [-0.5, 0.0, 0.5]);
    let sum = loss.run(&logits, &[1], None, None);
    assert_eq!((sum.loss, sum.correct), (f64::INFINITY, 0));
}
