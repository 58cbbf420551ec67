//! How single values are written.

use std::error::Error;
use std::num::{IntErrorKind, ParseFloatError, ParseIntError};
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context;
use clap::builder::RangedU64ValueParser;
use clap::error::{ContextKind, ContextValue};
use cyclr::units::{Horizon, MAX_UPDATES};
use cyclr::{Spec, SpecError};

use crate::exit::Usage;

/// Things of which there is at least one.
pub(super) fn count() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=4096)
}

/// A whole number of at least 1.
pub(super) fn positive<T: FromStr>(text: &str) -> Result<T, String> {
    let number = text.parse();
    number.map_err(|_| format!("it must be a whole number of at least 1{}", digits(text)))
}

/// What is wrong with the value of an option that takes a number, in place of what the standard library
/// says of its digits; `None` of any other error.
pub(crate) fn not_a_number(error: &clap::Error) -> Option<String> {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let source = error.source()?;
    let value = context(ContextKind::InvalidValue)?;
    let said = match source.downcast_ref::<ParseIntError>() {
        Some(wrong) if *wrong.kind() == IntErrorKind::PosOverflow => {
            format!("`{value}` is too large")
        }
        Some(_) => format!("`{value}` is not a whole number{}", digits(value)),
        None if source.is::<ParseFloatError>() => format!("`{value}` is not a number"),
        None => return None,
    };
    let option = context(ContextKind::InvalidArg)?;
    Some(format!("{option}: {said}"))
}

/// How a whole number is written that was written otherwise, as `1e3` or `1,000`; nothing of any other
/// text.
fn digits(text: &str) -> String {
    let plain = text.replace(['_', ',', '\''], "");
    // What is no number is told by the caller.
    let number = plain.parse().ok();
    let is_whole = |x: &f64| x.fract() == 0.0 && (0.0..=MAX_UPDATES as f64).contains(x);
    let whole = number.filter(is_whole);
    whole.map_or_else(String::new, |whole| format!("; write {whole}"))
}

/// A share of something, in per cent.
pub(super) fn percent(text: &str) -> Result<f64, String> {
    // What is no number is refused with the others.
    let value = text.parse().ok().filter(|p: &f64| *p > 0.0 && *p <= 100.0);
    value.ok_or_else(|| String::from("it must be above 0, and at most 100"))
}

/// `1/4` or `0.25`
pub(super) fn fraction(text: &str) -> Result<f64, String> {
    // What is no number is refused below.
    let number = |part: &str| part.trim().parse::<f64>().ok();
    let value = match text.split_once('/') {
        Some((a, b)) => number(a).zip(number(b)).map(|(a, b)| a / b),
        None => number(text),
    };
    value
        .filter(|v| *v > 0.0 && *v <= 1.0)
        .ok_or_else(|| format!("`{text}` is not a fraction: write it as in 1/4 or 0.25"))
}

/// `0.001..0.02`
pub(super) fn bounds(text: &str) -> Result<(f64, f64), String> {
    // What is no number is refused below.
    let number = |part: &str| part.trim().parse::<f64>().ok();
    let pair = text.split_once("..");
    let (low, high) = pair
        .and_then(|(low, high)| number(low).zip(number(high)))
        .ok_or_else(|| format!("`{text}` is not LO..HI: write bounds as in 0.001..0.02"))?;
    if low > 0.0 && low < high && high.is_finite() {
        Ok((low, high))
    } else {
        Err(format!(
            "`{text}`: both bounds must be above 0, the lower one first"
        ))
    }
}

/// `90s`, `10m`, `1h30m`: numbers with units that fall.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let refuse = || format!("`{text}` is not a time: write it as in 90s, 10m or 1h30m");
    let (mut rest, mut seconds) = (text, 0.0);
    for (unit, length) in [('h', 3600.0), ('m', 60.0), ('s', 1.0)] {
        if let Some((number, after)) = rest.split_once(unit) {
            seconds += length * number.parse::<f64>().map_err(|_| refuse())?;
            rest = after;
        }
    }
    let known = rest.is_empty() && seconds > 0.0;
    if known {
        Duration::try_from_secs_f64(seconds).map_err(|_| refuse())
    } else {
        Err(refuse())
    }
}

/// A length in updates or epochs, in updates.
pub(crate) fn updates(text: &str, updates_per_epoch: u64) -> anyhow::Result<u64> {
    let refuse = || {
        Usage::error(format!(
            "`{text}` is not a budget: write it as in 2000 (updates) or 30ep, at least one update and at most 2^53"
        ))
    };
    let updates = match text.strip_suffix("ep") {
        Some(epochs) => {
            let epochs: f64 = epochs.parse().map_err(|_| refuse())?;
            // What is no count of updates becomes 0 or is beyond the largest.
            (epochs * updates_per_epoch as f64).round() as u64
        }
        None => text.parse().map_err(|_| refuse())?,
    };
    if (1..=MAX_UPDATES).contains(&updates) {
        Ok(updates)
    } else {
        Err(refuse())
    }
}

/// Reads a spec, or an [`ArmPolicy`](cyclr_train::compare::ArmPolicy), from an argument.
pub(crate) fn read_policy<P: FromStr<Err = SpecError>>(text: &str) -> anyhow::Result<P> {
    text.parse()
        .map_err(|error| Usage::error(format!("the policy cannot be read\n{error}")))
}

/// The schedule of a spec for a run.
pub(crate) fn schedule(spec: &Spec, run: &Horizon) -> anyhow::Result<cyclr::Schedule> {
    spec.schedule(run)
        .map_err(Usage::error)
        .with_context(|| spec.to_string())
}
