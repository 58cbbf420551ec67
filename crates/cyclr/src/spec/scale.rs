//! Specs made from specs: the same shape at another height or over another length.

use alloc::{format, string::String, vec::Vec};

use crate::error::{Error, above_zero};
use crate::policy::Policy;
use crate::spec::{Field, Kind, Spec, SpecError, Stage, number, parse};
use crate::units::Length;

/// The keys whose values are rates, in every policy that has them.
const RATES: &[&str] = &["lr", "base", "max", "min", "end", "from"];

/// The keys whose values are lengths.
const LENGTHS: &[&str] = &[
    "length", "step", "up", "down", "every", "at", "period", "warmup", "cooldown",
];

impl Spec {
    /// The largest rate that the spec names, which is the highest that it reaches where nothing in it grows (`gamma`
    /// above 1) and no warm-up starts above what it leads to.
    ///
    /// ```
    /// let spec: cyclr::Spec = "triangular2(base=0.01, max=0.04, step=2ep)".parse().unwrap();
    /// assert_eq!(spec.peak(), 0.04);
    /// ```
    pub fn peak(&self) -> f64 {
        let fields = self.stages.iter().flat_map(fields);
        fields
            .filter(|field| RATES.contains(&field.key))
            .filter_map(|field| field.value.parse::<f64>().ok())
            .fold(0.0, f64::max)
    }

    /// The same shape at another height: every rate is multiplied by `peak / self.peak()`, so that the ratios between
    /// them stay as they are.
    ///
    /// ```
    /// let spec: cyclr::Spec = "triangular2(base=0.01, max=0.04, step=2ep)".parse().unwrap();
    /// assert_eq!(spec.with_peak(0.1).unwrap().to_string(), "triangular2(base=0.025, max=0.1, step=2ep)");
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfRange`] where `peak`, or the peak that the spec has, is not finite and above 0.
    pub fn with_peak(&self, peak: f64) -> Result<Self, SpecError> {
        let refused = |error: Error| SpecError::new(&format!("{self}"), 0..0, error.into());
        above_zero("peak", peak).map_err(refused)?;
        let own = above_zero("the peak of the spec", self.peak()).map_err(refused)?;
        self.rewritten(|_, field| {
            if !RATES.contains(&field.key) {
                return None;
            }
            let rate: f64 = field.value.parse().ok()?;
            Some(number(rate / own * peak))
        })
    }

    /// The same shape over a run `factor` times as long: lengths in updates and epochs are multiplied (updates to the
    /// nearest whole number, at least 1), per cent stay, and what decays by the update (`gamma` of `exponential`, `inv`,
    /// `sigmoid` and `exp_range`) decays as much over the whole run as before.
    ///
    /// ```
    /// let spec: cyclr::Spec = "triangular(base=0.001, max=0.006, step=2000) for 16000 then fixed(lr=0.001)".parse().unwrap();
    /// assert_eq!(
    ///     spec.stretched(0.1).unwrap().to_string(),
    ///     "triangular(base=0.001, max=0.006, step=200) for 1600 then fixed(lr=0.001)"
    /// );
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfRange`] where `factor` is not finite and above 0; the error of the value where a length or a
    /// `gamma` leaves its range.
    pub fn stretched(&self, factor: f64) -> Result<Self, SpecError> {
        above_zero("factor", factor)
            .map_err(|error| SpecError::new(&format!("{self}"), 0..0, error.into()))?;
        self.rewritten(|stage, field| {
            if LENGTHS.contains(&field.key) {
                return Some(stretched(&field.value, factor));
            }
            if field.key != "gamma" {
                return None;
            }
            let gamma: f64 = field.value.parse().ok()?;
            match &stage.kind {
                Kind::Policy(Policy::Exponential(_) | Policy::ExpRange(_)) => {
                    Some(number(libm::pow(gamma, 1.0 / factor)))
                }
                Kind::Policy(Policy::Inv(_) | Policy::Sigmoid(_)) => Some(number(gamma / factor)),
                _ => None,
            }
        })
    }

    /// The spec with the values that `new` gives; the others stay.
    fn rewritten(&self, new: impl Fn(&Stage, &Field) -> Option<String>) -> Result<Self, SpecError> {
        let stages: Vec<String> = self
            .stages
            .iter()
            .map(|stage| {
                let values = fields(stage).into_iter().map(|field| {
                    let value = new(stage, &field).unwrap_or(field.value);
                    Field {
                        key: field.key,
                        value,
                    }
                });
                text(stage, values, |length| {
                    new(stage, &Field::length("length", length))
                })
            })
            .collect();
        parse::spec(&stages.join(" then "))
    }
}

fn fields(stage: &Stage) -> Vec<Field> {
    match &stage.kind {
        Kind::Warmup(warmup) => warmup.fields(),
        Kind::Policy(policy) => policy.fields(),
    }
}

fn text(
    stage: &Stage,
    fields: impl Iterator<Item = Field>,
    new_length: impl Fn(Length) -> Option<String>,
) -> String {
    let fields: Vec<String> = fields.map(|field| format!("{field}")).collect();
    let fields = fields.join(", ");
    match (&stage.kind, stage.length) {
        (Kind::Warmup(_), _) => format!("warmup({fields})"),
        (Kind::Policy(policy), None) => format!("{}({fields})", policy.name()),
        (Kind::Policy(policy), Some(length)) => {
            let length = new_length(length).unwrap_or_else(|| format!("{length}"));
            format!("{}({fields}) for {length}", policy.name())
        }
    }
}

/// A length, or a list of them, as text, `factor` times as long.
fn stretched(value: &str, factor: f64) -> String {
    if let Some(list) = value.strip_prefix('[').and_then(|v| v.strip_suffix(']')) {
        let lengths: Vec<String> = list
            .split(", ")
            .map(|value| stretched(value, factor))
            .collect();
        return format!("[{}]", lengths.join(", "));
    }
    if value.ends_with('%') {
        return String::from(value);
    }
    let (amount, unit) = match value.strip_suffix("ep") {
        Some(epochs) => (epochs, "ep"),
        None => (value, ""),
    };
    match amount.parse::<f64>() {
        Ok(epochs) if unit == "ep" => format!("{}ep", number(epochs * factor)),
        // A length of none stays none: a warm-up of 0 updates is no warm-up.
        Ok(updates) if updates > 0.0 => number(libm::round(updates * factor).max(1.0)),
        _ => String::from(value),
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;
    use crate::units::Horizon;

    fn spec(text: &str) -> Spec {
        text.parse().unwrap()
    }

    #[test]
    fn every_rate_scales_with_the_peak_and_nothing_else_does() {
        for (text, scaled) in [
            ("fixed(lr=0.1)", "fixed(lr=0.3)"),
            ("linear(lr=0.2, end=0.1)", "linear(lr=0.3, end=0.15)"),
            (
                "warmup(10, from=0.1) then cosine(lr=0.2, min=0.02)",
                "warmup(10, from=0.15) then cosine(lr=0.3, min=0.03)",
            ),
            (
                "triangular(base=0, max=6, step=5, momentum=0.85..0.95) for 50% then fixed(lr=3) for 50%",
                "triangular(base=0, max=0.3, step=5, momentum=0.85..0.95) for 50% then fixed(lr=0.15) for 50%",
            ),
            (
                "one_cycle(max=1, warmup=25%, div=10, final_div=100)",
                "one_cycle(max=0.3, warmup=25%, div=10, final_div=100)",
            ),
        ] {
            let found = spec(text).with_peak(0.3).unwrap();
            let run = Horizon::of_updates(100).unwrap();
            let (a, b) = (
                spec(scaled).schedule(&run).unwrap(),
                found.schedule(&run).unwrap(),
            );
            for (a, b) in a.curve().zip(b.curve()) {
                assert!((a.lr - b.lr).abs() < 1e-15, "{text}: {found}");
                assert_eq!(a.momentum, b.momentum);
            }
        }
    }

    #[test]
    fn a_stretched_schedule_passes_through_the_same_rates() {
        for text in [
            "exponential(lr=0.1, gamma=0.99)",
            "inv(lr=0.1, gamma=0.01, power=0.75)",
            "sigmoid(lr=0.1, gamma=-0.05, at=100)",
            "step(lr=0.1, gamma=0.5, every=50)",
            "multistep(lr=0.1, gamma=0.5, at=[40, 120])",
            "triangular2(base=0.01, max=0.1, up=10, down=40)",
            "exp_range(base=0.01, max=0.1, step=20, gamma=0.99)",
            "cosine_restarts(max=0.1, min=0, period=20, mult=2)",
            "one_cycle(max=0.1, warmup=20%)",
            "warmup(20) then fixed(lr=0.1) for 80 then linear(lr=0.1)",
            "wsd(lr=0.1, cooldown=40, warmup=20)",
        ] {
            let long = spec(text)
                .schedule(&Horizon::of_updates(200).unwrap())
                .unwrap();
            let run = Horizon::of_updates(2_000).unwrap();
            let stretched = spec(text).stretched(10.0).unwrap();
            let longer = stretched.schedule(&run).unwrap();
            for i in 0..200 {
                let (a, b) = (long.at(i).lr, longer.at(10 * i).lr);
                // torch's one-cycle counts its turning points from the update before, so the shapes agree up to one.
                let slack = if text.starts_with("one_cycle") {
                    5e-3
                } else {
                    1e-12
                };
                assert!(
                    (a - b).abs() < slack,
                    "{text} at {i}: {a} and {b} of {stretched}"
                );
            }
        }
    }

    #[test]
    fn what_has_no_peak_cannot_be_scaled() {
        assert!(spec("fixed(lr=0)").with_peak(0.1).is_err());
        assert!(spec("fixed(lr=1)").with_peak(0.0).is_err());
        assert!(spec("fixed(lr=1)").with_peak(f64::NAN).is_err());
        assert!(spec("fixed(lr=1)").stretched(0.0).is_err());
        assert_eq!(
            spec("step(lr=1, gamma=0.5, every=3)")
                .stretched(0.01)
                .unwrap()
                .to_string(),
            "step(lr=1, gamma=0.5, every=1)"
        );
    }
}
