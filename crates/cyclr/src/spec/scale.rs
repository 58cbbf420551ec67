//! Specs made from specs: the same shape at another height or over another length.

use alloc::{format, vec::Vec};

use crate::policy::{Policy, Warmup};
use crate::spec::value::{Quantity, Scaling};
use crate::spec::{Args, Fault, Field, Kind, Spec, SpecError, Stage};

impl Spec {
    /// The largest rate that the spec names, which is the highest that it reaches if nothing in it
    /// grows (`gamma` above 1) and no warm-up starts above what it leads to.
    ///
    /// ```
    /// let spec: cyclr::Spec = "triangular2(base=0.01, max=0.04, step=2ep)".parse().unwrap();
    /// assert_eq!(spec.peak(), 0.04);
    /// ```
    pub fn peak(&self) -> f64 {
        let fields = self.stages.iter().flat_map(Stage::fields);
        let rates = fields.map(|field| match field.quantity {
            Quantity::Rate(rate) => rate,
            _ => 0.0,
        });
        rates.fold(0.0, f64::max)
    }

    /// The same shape at another height: every rate is multiplied by `peak / self.peak()`, so that
    /// the ratios between them stay as they are.
    ///
    /// ```
    /// let spec: cyclr::Spec = "triangular2(base=0.01, max=0.04, step=2ep)".parse().unwrap();
    /// assert_eq!(spec.with_peak(0.1).unwrap().to_string(), "triangular2(base=0.025, max=0.1, step=2ep)");
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfRange`](crate::Error) if `peak`, or the peak that the spec has, is not finite
    /// and above 0.
    pub fn with_peak(&self, peak: f64) -> Result<Self, SpecError> {
        let from = self.peak();
        self.scaled(Scaling::Peak { from, to: peak })
    }

    /// The same shape over a run `factor` times as long: lengths in updates and epochs are
    /// multiplied (updates to the nearest whole number, at least 1), per cent stay, and what
    /// decays by the update (`gamma` of `exponential`, `inv`, `sigmoid` and `exp_range`) decays as
    /// much over the whole run as before.
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
    /// [`Error::OutOfRange`](crate::Error) if `factor` is not finite and above 0; the error of the
    /// value if a length or a `gamma` leaves its range.
    pub fn stretched(&self, factor: f64) -> Result<Self, SpecError> {
        self.scaled(Scaling::Length {
            factor,
            warmups: true,
        })
    }

    /// As [`stretched`](Self::stretched), but warm-ups in updates and epochs stay as long as they
    /// are, so that runs of several lengths begin alike.
    ///
    /// ```
    /// let spec: cyclr::Spec = "wsd(lr=0.1, cooldown=200, warmup=50)".parse().unwrap();
    /// assert_eq!(
    ///     spec.stretched_after_warmup(0.5).unwrap().to_string(),
    ///     "wsd(lr=0.1, cooldown=100, warmup=50)"
    /// );
    /// ```
    ///
    /// # Errors
    /// As [`stretched`](Self::stretched).
    pub fn stretched_after_warmup(&self, factor: f64) -> Result<Self, SpecError> {
        self.scaled(Scaling::Length {
            factor,
            warmups: false,
        })
    }

    fn scaled(&self, scaling: Scaling) -> Result<Self, SpecError> {
        let scaled = || {
            let scaling = scaling.check()?;
            let stages = self.stages.iter().map(|stage| stage.scaled(scaling));
            Ok(Self::new(stages.collect::<Result<Vec<_>, Fault>>()?)?)
        };
        scaled().map_err(|fault: Fault| {
            let text = format!("{self}");
            SpecError::new(&text, 0..text.len(), fault.kind)
        })
    }
}

impl Stage {
    fn fields(&self) -> Vec<Field> {
        match &self.kind {
            Kind::Warmup(warmup) => warmup.fields(),
            Kind::Policy(policy) => policy.fields(),
            Kind::Repeat(repeat) => repeat.stages.iter().flat_map(Self::fields).collect(),
        }
    }

    fn scaled(&self, scaling: Scaling) -> Result<Self, Fault> {
        Ok(match &self.kind {
            Kind::Warmup(warmup) => {
                let fields = scaling.fields(warmup.fields(), |_| true)?;
                Self::warmup(Warmup::read(&Args::of_fields("warmup", fields))?)
            }
            Kind::Policy(policy) => {
                let fields = scaling.fields(policy.fields(), |key| key == "warmup")?;
                let policy = Policy::read(&Args::of_fields(policy.name(), fields))?;
                match self.length {
                    Some(length) => Self::lasting(policy, scaling.length(length)?)?,
                    None => Self::open(policy),
                }
            }
            Kind::Repeat(repeat) => {
                let stages = repeat.stages.iter().map(|stage| stage.scaled(scaling));
                let stages = stages.collect::<Result<Vec<_>, Fault>>()?;
                Self::repeated(stages, repeat.times, repeat.gamma)?
            }
        })
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
                // torch's one-cycle counts its turning points from the update before, so the
                // shapes agree up to one.
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
    fn warm_ups_may_keep_their_length() {
        for (text, shorter) in [
            (
                "warmup(40) then cosine(lr=0.2) for 100 then fixed(lr=0.1)",
                "warmup(40) then cosine(lr=0.2) for 50 then fixed(lr=0.1)",
            ),
            (
                "(warmup(2ep) then triangular(base=0, max=1, step=4ep) for 20ep) x 2",
                "(warmup(2ep) then triangular(base=0, max=1, step=2ep) for 10ep) x 2",
            ),
            (
                "linear(lr=1, warmup=5%) for 60 then exponential(lr=1, gamma=0.5)",
                "linear(lr=1, warmup=5%) for 30 then exponential(lr=1, gamma=0.25)",
            ),
        ] {
            let found = spec(text).stretched_after_warmup(0.5).unwrap();
            assert_eq!(found.to_string(), spec(shorter).to_string());
        }
        assert!(spec("fixed(lr=1)").stretched_after_warmup(0.0).is_err());
    }

    #[test]
    fn specs_without_a_peak_cannot_be_scaled() {
        assert!(spec("fixed(lr=0)").with_peak(0.1).is_err());
        assert!(spec("fixed(lr=1)").with_peak(0.0).is_err());
        assert!(spec("fixed(lr=1)").with_peak(f64::NAN).is_err());
        assert!(spec("fixed(lr=1)").stretched(0.0).is_err());
        let two = spec("fixed(lr=1) for 1e-300ep then fixed(lr=2)");
        assert!(two.stretched(1e-300).is_err());
        assert_eq!(
            spec("step(lr=1, gamma=0.5, every=3)")
                .stretched(0.01)
                .unwrap()
                .to_string(),
            "step(lr=1, gamma=0.5, every=1)"
        );
    }
}
