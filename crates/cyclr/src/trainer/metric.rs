use alloc::{borrow::Cow, format, string::String, vec::Vec};

use super::TrainerError;
use crate::names::unseen;

/// Whether more or less of a metric is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Direction {
    /// More is better, as for accuracy.
    Higher,
    /// Less is better, as for a loss.
    Lower,
}

impl Direction {
    /// Whether `a` is better than `b`. Nothing is better than itself, and NaN is better than
    /// nothing.
    pub fn is_better(self, a: f64, b: f64) -> bool {
        match self {
            Self::Higher => a > b,
            Self::Lower => a < b,
        }
    }

    /// 1 if more is better, -1 if less is: `sign * value` grows as things get better.
    pub const fn sign(self) -> f64 {
        match self {
            Self::Higher => 1.0,
            Self::Lower => -1.0,
        }
    }
}

/// One measured figure.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Metric {
    /// Its name in records and charts: `loss`, `accuracy`, or the trainer's own.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub name: Cow<'static, str>,
    /// Whether more or less of it is better.
    pub direction: Direction,
    /// The mean over `count` examples. It may be NaN or infinite: that is how divergence shows. In
    /// records it is then `null`; `null`, `"NaN"`, `"Infinity"` and `"-Infinity"` are read.
    #[cfg_attr(feature = "serde", serde(with = "not_finite"))]
    #[cfg_attr(feature = "schema", schemars(with = "not_finite::Number"))]
    pub value: f64,
    /// The examples it was measured on; at least 1.
    pub count: u64,
    /// Of an accuracy: how many examples were classified correctly; `value` is then this fraction
    /// of `count`.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub correct: Option<u64>,
}

impl Metric {
    /// The mean loss over `count` examples.
    pub const fn loss(value: f64, count: u64) -> Self {
        Self {
            name: Cow::Borrowed("loss"),
            direction: Direction::Lower,
            value,
            count,
            correct: None,
        }
    }

    /// The fraction of `count` examples that were classified correctly.
    pub fn accuracy(correct: u64, count: u64) -> Self {
        let value = correct as f64 / count as f64;
        Self {
            name: Cow::Borrowed("accuracy"),
            direction: Direction::Higher,
            value,
            count,
            correct: Some(correct),
        }
    }

    /// Whether this value is better than `other`'s. Nothing is better than itself, and NaN is
    /// better than nothing.
    pub fn is_better_than(&self, other: &Self) -> bool {
        self.direction.is_better(self.value, other.value)
    }

    /// The metric, if it can be true. What comes from another process or language goes through
    /// here.
    ///
    /// # Errors
    /// [`TrainerError::Impossible`] for a name that is empty or has control characters, no
    /// examples, or a value that is not the fraction of correct examples.
    pub fn checked(self) -> Result<Self, TrainerError> {
        /// Fractions are often computed in single precision.
        const ROUNDING: f64 = 1e-5;
        let (name, value, count) = (&self.name, self.value, self.count);
        let impossible = |reason| Err(TrainerError::Impossible { reason });
        if name.trim().is_empty() || unseen(name).is_some() {
            return impossible(format!(
                "a metric is named {name:?}: names are not empty, and have no control characters or invisible ones"
            ));
        }
        if count == 0 {
            return impossible(format!("`{name}` has the count 0: it must be at least 1"));
        }
        let Some(correct) = self.correct else {
            return Ok(self);
        };
        let fraction = correct as f64 / count as f64;
        if correct > count || value.is_nan() || (value - fraction).abs() > ROUNDING {
            return impossible(format!(
                "`{name}` is {value}, and {correct} correct of {count} are {fraction}: an accuracy is a fraction, \
                 as in 0.75"
            ));
        }
        Ok(self)
    }
}

/// The figures of one update or one evaluation.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(from = "Vec<Metric>", into = "Vec<Metric>")
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(with = "Vec<Metric>"))]
pub struct Metrics(Vec<Metric>);

impl Metrics {
    /// Gathers metrics.
    pub fn new(metrics: impl IntoIterator<Item = Metric>) -> Self {
        Self(metrics.into_iter().collect())
    }

    /// The metrics, if they can be true.
    ///
    /// # Errors
    /// [`TrainerError::Impossible`] if there is none, or two of one name, or as [`Metric::checked`].
    pub fn checked(self) -> Result<Self, TrainerError> {
        if self.0.is_empty() {
            return Err(TrainerError::Impossible {
                reason: String::from("there are no metrics: give at least the loss"),
            });
        }
        let is_again =
            |&(n, metric): &(usize, &Metric)| self.0[..n].iter().any(|m| m.name == metric.name);
        if let Some((_, metric)) = self.0.iter().enumerate().find(is_again) {
            return Err(TrainerError::Impossible {
                reason: format!(
                    "there are two metrics `{}`: give each name once",
                    metric.name
                ),
            });
        }
        let metrics = self.0.into_iter().map(Metric::checked);
        Ok(Self(metrics.collect::<Result<_, _>>()?))
    }

    /// The metric of that name.
    pub fn get(&self, name: &str) -> Option<&Metric> {
        self.0.iter().find(|m| m.name == name)
    }

    /// The loss, if there is one.
    pub fn loss(&self) -> Option<&Metric> {
        self.get("loss")
    }

    /// What decides if the trainer does not declare an objective: the first metric that is not the
    /// loss, or the loss if there is no other.
    pub fn first_objective(&self) -> Option<&Metric> {
        self.0
            .iter()
            .find(|m| m.name != "loss")
            .or_else(|| self.0.first())
    }

    /// Whether every value is a finite number.
    pub fn is_finite(&self) -> bool {
        self.0.iter().all(|m| m.value.is_finite())
    }

    /// All of them, in the trainer's order.
    pub fn iter(&self) -> core::slice::Iter<'_, Metric> {
        self.0.iter()
    }
}

impl From<Vec<Metric>> for Metrics {
    fn from(metrics: Vec<Metric>) -> Self {
        Self::new(metrics)
    }
}

impl From<Metrics> for Vec<Metric> {
    fn from(metrics: Metrics) -> Self {
        metrics.0
    }
}

impl<'a> IntoIterator for &'a Metrics {
    type Item = &'a Metric;
    type IntoIter = core::slice::Iter<'a, Metric>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// What [`Trainer::evaluate`](super::Trainer::evaluate) measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// The figures over the whole split.
    pub metrics: Metrics,
    /// Which examples were classified correctly, in the split's own fixed order, if the trainer
    /// can say. Paired tests between two states of a run (`McNemar`) need it.
    pub correct: Option<Vec<bool>>,
}

/// Numbers that may not be finite, in formats that have no word for those.
#[cfg(feature = "serde")]
pub(crate) mod not_finite {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// A number, finite or not.
    #[derive(Clone, Copy, Deserialize)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    #[serde(
        untagged,
        expecting = "a value should be a number, null, \"NaN\", \"Infinity\" or \"-Infinity\""
    )]
    pub(crate) enum Number {
        Finite(f64),
        NotFinite(NotFinite),
        Null(()),
    }

    #[derive(Clone, Copy, Deserialize)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    pub(crate) enum NotFinite {
        #[serde(rename = "NaN")]
        NaN,
        Infinity,
        #[serde(rename = "-Infinity")]
        MinusInfinity,
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's own signature")]
    pub(crate) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        value.is_finite().then_some(value).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        Ok(match Number::deserialize(deserializer)? {
            Number::Finite(value) => value,
            Number::NotFinite(NotFinite::NaN) | Number::Null(()) => f64::NAN,
            Number::NotFinite(NotFinite::Infinity) => f64::INFINITY,
            Number::NotFinite(NotFinite::MinusInfinity) => f64::NEG_INFINITY,
        })
    }
}
