//! Softmax and cross-entropy.

use super::{GeometryError, check_constant, first_largest, images, nonzero};

/// The cross-entropy between softmax of the logits and the labels, with label smoothing ε as
/// torch's `CrossEntropyLoss`: the target is 1 - ε + ε/K for the label and ε/K for each other of
/// the K classes.
#[derive(Clone, Debug, PartialEq)]
pub struct SoftmaxCrossEntropy {
    classes: usize,
    smoothing: f64,
}

/// What a batch came to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LossSum {
    /// The sum of the examples' losses; divide by their number for the mean.
    pub loss: f64,
    /// How many examples have their label as the class of the largest logit (the first, if several
    /// are equal).
    pub correct: u64,
}

impl SoftmaxCrossEntropy {
    /// Checks the constants: at least one class, and a smoothing from 0 to 1.
    ///
    /// # Errors
    /// [`GeometryError`] if they are outside their ranges.
    pub fn new(classes: usize, smoothing: f64) -> Result<Self, GeometryError> {
        nonzero(&[("the number of classes", classes)])?;
        check_constant(
            "label smoothing",
            smoothing,
            "from 0 to 1",
            (0.0..=1.0).contains(&smoothing),
        )?;
        Ok(Self { classes, smoothing })
    }

    /// Sums the losses. With `gradient`, a slice of the logits' length is overwritten by the
    /// gradient of the summed loss times `factor` (1 / batch for the mean). With `correct`, a
    /// slice with one element an example says which were classified correctly. Labels are below
    /// the number of classes.
    ///
    /// A logit that is NaN or ∞ makes the loss and the gradients of its example NaN. A logit of -∞
    /// is a probability of 0, and makes the loss infinite if its class is a target, as in torch.
    pub fn run(
        &self,
        logits: &[f32],
        labels: &[u16],
        gradient: Option<(&mut [f32], f64)>,
        correct: Option<&mut [bool]>,
    ) -> LossSum {
        let batch = images(logits.len(), self.classes);
        assert_eq!(labels.len(), batch, "the number of labels");
        let mut sum = LossSum::default();
        let (mut gradient, factor) = match gradient {
            Some((gradient, factor)) => {
                assert_eq!(gradient.len(), logits.len(), "the length of the gradient");
                (Some(gradient), factor)
            }
            None => (None, 0.0),
        };
        let mut correct = correct;
        if let Some(correct) = &correct {
            assert_eq!(correct.len(), batch, "the number of examples");
        }
        let mut exps = vec![0.0; self.classes];
        for (n, (logits, &label)) in logits.chunks(self.classes).zip(labels).enumerate() {
            let label = usize::from(label);
            assert!(
                label < self.classes,
                "label {label} of {} classes",
                self.classes
            );
            let (loss, total) = self.example(logits, label, &mut exps);
            let hit = first_largest(logits) == label;
            sum.loss += loss;
            sum.correct += u64::from(hit);
            if let Some(correct) = correct.as_deref_mut() {
                correct[n] = hit;
            }
            if let Some(gradient) = gradient.as_deref_mut() {
                let gradient = &mut gradient[n * self.classes..][..self.classes];
                for (k, (g, e)) in gradient.iter_mut().zip(&exps).enumerate() {
                    *g = ((e / total - self.target(k == label)) * factor) as f32;
                }
            }
        }
        sum
    }

    /// The loss of one example and the sum of the exponentials, which are left in `exps`.
    fn example(&self, logits: &[f32], label: usize, exps: &mut [f64]) -> (f64, f64) {
        let largest = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        let mut total = 0.0;
        let mut plain = 0.0;
        for (e, &logit) in exps.iter_mut().zip(logits) {
            let shifted = f64::from(logit) - largest;
            *e = libm::exp(shifted);
            total += *e;
            plain += shifted;
        }
        let ln = libm::log(total);
        let of_label = ln - (f64::from(logits[label]) - largest);
        if self.smoothing == 0.0 {
            return (of_label, total);
        }
        let mean = ln - plain / self.classes as f64;
        (
            (1.0 - self.smoothing) * of_label + self.smoothing * mean,
            total,
        )
    }

    fn target(&self, label: bool) -> f64 {
        let others = self.smoothing / self.classes as f64;
        if label {
            1.0 - self.smoothing + others
        } else {
            others
        }
    }
}
