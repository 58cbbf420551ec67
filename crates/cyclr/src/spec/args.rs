use alloc::{format, string::String, vec::Vec};
use core::ops::Range;

use crate::error::Error;
use crate::policy::Momentum;
use crate::spec::error::{SpecErrorKind, nearest};
use crate::spec::value::{Field, Quantity};
use crate::units::{Epochs, Length, MAX_UPDATES, Percent, Updates};

/// A fault without its text: what is wrong, and the bytes it is about where they are known
/// already.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(super) kind: SpecErrorKind,
    pub(super) place: Option<Range<usize>>,
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self {
            kind: error.into(),
            place: None,
        }
    }
}

impl Fault {
    pub(super) fn at(place: Range<usize>, kind: impl Into<SpecErrorKind>) -> Self {
        Self {
            kind: kind.into(),
            place: Some(place),
        }
    }

    /// The same fault, at `place` unless it knows a better one.
    pub(super) fn or_at(self, place: impl FnOnce(&SpecErrorKind) -> Range<usize>) -> Self {
        let place = self.place.unwrap_or_else(|| place(&self.kind));
        Self {
            kind: self.kind,
            place: Some(place),
        }
    }
}

/// A value as it stands in the text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Number(f64),
    Epochs(f64),
    Percent(f64),
    Range(f64, f64),
    List(Vec<Literal>),
    Word(String),
}

impl From<Length> for Value {
    fn from(length: Length) -> Self {
        match length {
            Length::Updates(updates) => Self::Number(updates.0 as f64),
            Length::Epochs(epochs) => Self::Epochs(epochs.get()),
            Length::Percent(percent) => Self::Percent(percent.get()),
        }
    }
}

impl From<Quantity> for Value {
    fn from(quantity: Quantity) -> Self {
        match quantity {
            Quantity::Rate(value)
            | Quantity::FactorPerUpdate(value)
            | Quantity::AmountPerUpdate(value)
            | Quantity::Number(value) => Self::Number(value),
            Quantity::Length(length) => Self::from(length),
            Quantity::Lengths(lengths) => {
                let literals = lengths
                    .into_iter()
                    .map(|length| Literal::unplaced(length.into()));
                Self::List(literals.collect())
            }
            Quantity::Range(lo, hi) => Self::Range(lo, hi),
            Quantity::Word(word) => Self::Word(String::from(word)),
        }
    }
}

/// A value and its place in the text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Literal {
    pub(super) value: Value,
    pub(super) place: Range<usize>,
}

impl Literal {
    /// A value that no text has.
    fn unplaced(value: Value) -> Self {
        Self { value, place: 0..0 }
    }
}

/// `key=value`.
#[derive(Debug)]
pub(super) struct Arg {
    pub(super) key: String,
    pub(super) key_place: Range<usize>,
    pub(super) literal: Literal,
}

/// A name and its arguments, from which a policy reads its values by key.
#[derive(Debug)]
pub(crate) struct Args<'t> {
    pub(super) text: &'t str,
    pub(super) name: &'t str,
    pub(super) name_place: Range<usize>,
    /// From the name to the closing parenthesis.
    pub(super) place: Range<usize>,
    pub(super) list: Vec<Arg>,
}

impl<'t> Args<'t> {
    /// The arguments that read as these fields.
    pub(super) fn of_fields(name: &'t str, fields: Vec<Field>) -> Self {
        let list = fields.into_iter().map(|field| Arg {
            key: String::from(field.key),
            key_place: 0..0,
            literal: Literal::unplaced(field.quantity.into()),
        });
        Self {
            text: "",
            name,
            name_place: 0..0,
            place: 0..0,
            list: list.collect(),
        }
    }
}

impl Args<'_> {
    pub(crate) fn name(&self) -> &str {
        self.name
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// A number that must be there.
    pub(crate) fn number(&self, key: &'static str) -> Result<f64, Fault> {
        let arg = self.needed(key)?;
        match arg.literal.value {
            Value::Number(number) => Ok(number),
            _ => Err(self.wrong_kind(arg, "a number")),
        }
    }

    /// A number that may be left out.
    pub(crate) fn number_or(&self, key: &'static str, default: f64) -> Result<f64, Fault> {
        if self.has(key) {
            self.number(key)
        } else {
            Ok(default)
        }
    }

    /// A length that must be there.
    pub(crate) fn length(&self, key: &'static str) -> Result<Length, Fault> {
        let arg = self.needed(key)?;
        length(key, &arg.literal)?.ok_or_else(|| self.wrong_kind(arg, LENGTH))
    }

    /// A length that may be left out.
    pub(crate) fn optional_length(&self, key: &'static str) -> Result<Option<Length>, Fault> {
        if self.has(key) {
            self.length(key).map(Some)
        } else {
            Ok(None)
        }
    }

    /// A list of lengths, `[1000, 2000]`.
    pub(crate) fn lengths(&self, key: &'static str) -> Result<Vec<Length>, Fault> {
        let arg = self.needed(key)?;
        let wrong = || self.wrong_kind(arg, "a list of lengths such as [1000, 2000]");
        let Value::List(literals) = &arg.literal.value else {
            return Err(wrong());
        };
        literals
            .iter()
            .map(|literal| length(key, literal)?.ok_or_else(wrong))
            .collect()
    }

    /// The bounds of momentum, `momentum=lo..hi`, where they are given.
    pub(crate) fn momentum(&self) -> Result<Option<Momentum>, Fault> {
        let Some(arg) = self.get("momentum") else {
            return Ok(None);
        };
        match arg.literal.value {
            Value::Range(lo, hi) => Ok(Some(Momentum::new(lo, hi)?)),
            _ => Err(self.wrong_kind(arg, "a range such as 0.85..0.95")),
        }
    }

    /// One of a set of words, if it is given.
    pub(crate) fn choice<T: Copy>(
        &self,
        key: &'static str,
        words: &[(&str, T)],
    ) -> Result<Option<T>, Fault> {
        let Some(arg) = self.get(key) else {
            return Ok(None);
        };
        let has = |word: &str| matches!(&arg.literal.value, Value::Word(found) if found == word);
        if let Some(&(_, value)) = words.iter().find(|(word, _)| has(word)) {
            Ok(Some(value))
        } else {
            let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            Err(self.wrong_kind(arg, &words.join(" or ")))
        }
    }

    /// `key` stands beside keys that it excludes.
    pub(crate) fn excludes(&self, key: &'static str, other: &'static str) -> Fault {
        let kind = SpecErrorKind::ExcludedKey {
            key: String::from(key),
            other,
        };
        Fault {
            kind,
            place: self.get(key).map(|arg| arg.key_place.clone()),
        }
    }

    /// No policy has this name.
    pub(crate) fn unknown_name(&self, names: &'static [&'static str]) -> Fault {
        let (name, nearest) = (shortened(self.name), nearest(self.name, names));
        Fault::at(
            self.name_place.clone(),
            SpecErrorKind::UnknownPolicy {
                name,
                nearest,
                names,
            },
        )
    }

    /// Refuses doubled keys, and keys that are not among `keys`.
    pub(super) fn check_keys(&self, keys: &'static [&'static str]) -> Result<(), Fault> {
        for (n, Arg { key, key_place, .. }) in self.list.iter().enumerate() {
            let (key, place) = (key.clone(), key_place.clone());
            if !keys.contains(&key.as_str()) {
                let (policy, nearest) = (String::from(self.name), nearest(&key, keys));
                return Err(Fault::at(
                    place,
                    SpecErrorKind::UnknownKey {
                        policy,
                        key: shortened(&key),
                        nearest,
                        keys,
                    },
                ));
            }
            if self.list[..n].iter().any(|before| before.key == key) {
                return Err(Fault::at(place, SpecErrorKind::DoubledKey { key }));
            }
        }
        Ok(())
    }

    /// Where the value stands that an error is about: the argument it names, or the whole policy.
    pub(super) fn place_of(&self, kind: &SpecErrorKind) -> Range<usize> {
        let key = match kind {
            SpecErrorKind::Value(
                Error::OutOfRange { key, .. }
                | Error::ZeroLength { key, .. }
                | Error::NotRising { key, .. },
            ) => key,
            SpecErrorKind::Value(Error::Crossed { low_key, .. }) => low_key,
            _ => return self.place.clone(),
        };
        let key = if key.starts_with("momentum") {
            "momentum"
        } else {
            key
        };
        self.get(key).map_or_else(
            || self.place.clone(),
            |arg| arg.key_place.start..arg.literal.place.end,
        )
    }

    fn get(&self, key: &str) -> Option<&Arg> {
        self.list.iter().find(|arg| arg.key == key)
    }

    fn needed(&self, key: &'static str) -> Result<&Arg, Fault> {
        let kind = || SpecErrorKind::MissingKey {
            policy: String::from(self.name),
            key,
        };
        self.get(key)
            .ok_or_else(|| Fault::at(self.place.clone(), kind()))
    }

    fn wrong_kind(&self, arg: &Arg, expected: &str) -> Fault {
        let place = arg.literal.place.clone();
        let found = shortened(&self.text[place.clone()]);
        Fault::at(
            place,
            SpecErrorKind::WrongKind {
                key: arg.key.clone(),
                expected: String::from(expected),
                found,
            },
        )
    }
}

pub(super) const LENGTH: &str = "a length: 2000 (updates), 8ep or 30%";

/// The length that a literal stands for, if it is one.
pub(super) fn length(key: &'static str, literal: &Literal) -> Result<Option<Length>, Fault> {
    let at = |error: Error| Fault::at(literal.place.clone(), error);
    Ok(Some(match literal.value {
        Value::Number(value) => Length::from(whole(key, value).map_err(at)?),
        Value::Epochs(value) => Length::from(Epochs::new(value).map_err(at)?),
        Value::Percent(value) => Length::from(Percent::new(value).map_err(at)?),
        _ => return Ok(None),
    }))
}

fn whole(key: &'static str, value: f64) -> Result<Updates, Error> {
    let fits = |v: f64| v >= 0.0 && v <= MAX_UPDATES as f64 && v as u64 as f64 == v;
    crate::error::in_range(key, value, "a whole number of updates, up to 2^53", fits)
        .map(|v| Updates(v as u64))
}

/// The text, cut if it is too long to quote.
pub(super) fn shortened(text: &str) -> String {
    const MOST: usize = 40;
    match text.char_indices().nth(MOST) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => String::from(text),
    }
}
