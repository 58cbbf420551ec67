use alloc::{format, string::String, vec::Vec};
use core::fmt;
use core::ops::Range;

use crate::error::Error;

/// Why a text is not a spec, and where.
///
/// It prints as two or three lines: what is wrong, the text, and carets under the place.
///
/// ```
/// let error = "triangular(base=0.001, maks=0.006, step=2000)".parse::<cyclr::Spec>().unwrap_err();
/// assert_eq!(error.place(), 23..27);
/// let lines: Vec<String> = error.to_string().lines().map(String::from).collect();
/// assert_eq!(lines[0], "triangular has no key `maks`: did you mean `max`?");
/// assert_eq!(lines[1], "  triangular(base=0.001, maks=0.006, step=2000)");
/// assert_eq!(lines[2], "                         ^^^^");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct SpecError {
    text: String,
    place: Range<usize>,
    kind: SpecErrorKind,
}

impl SpecError {
    pub(super) fn new(text: &str, place: Range<usize>, kind: SpecErrorKind) -> Self {
        Self {
            text: String::from(text),
            place,
            kind,
        }
    }

    /// What is wrong.
    pub fn kind(&self) -> &SpecErrorKind {
        &self.kind
    }

    /// The bytes of the text that it is about.
    pub fn place(&self) -> Range<usize> {
        self.place.clone()
    }
}

/// What is wrong with a text that should be a spec.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecErrorKind {
    /// A value, or a combination of values, that no policy may have.
    #[error(transparent)]
    Value(#[from] Error),
    /// No policy has that name.
    #[error("there is no policy `{name}`{}", suggestion(*nearest, names))]
    UnknownPolicy {
        /// The name that was given.
        name: String,
        /// The nearest name that exists.
        nearest: Option<&'static str>,
        /// All names.
        names: &'static [&'static str],
    },
    /// The policy does not take that key.
    #[error("{policy} has no key `{key}`{}", suggestion(*nearest, keys))]
    UnknownKey {
        /// The policy.
        policy: String,
        /// The key that was given.
        key: String,
        /// The nearest key that it takes.
        nearest: Option<&'static str>,
        /// All keys that it takes.
        keys: &'static [&'static str],
    },
    /// A key is given twice.
    #[error("`{key}` is given twice: leave one of them out")]
    DoubledKey {
        /// The key.
        key: String,
    },
    /// Two keys that exclude each other.
    #[error("`{key}` does not go with {other}: give one or the other")]
    ExcludedKey {
        /// The key.
        key: String,
        /// What it excludes.
        other: &'static str,
    },
    /// A key that the policy needs is missing.
    #[error("{policy} needs `{key}`: add {key}=…")]
    MissingKey {
        /// The policy.
        policy: String,
        /// The key.
        key: &'static str,
    },
    /// A value of a kind that the key does not take.
    #[error("`{key}` takes {expected}, not `{found}`")]
    WrongKind {
        /// The key.
        key: String,
        /// What it takes.
        expected: String,
        /// The text that was found.
        found: String,
    },
    /// The text does not follow the grammar here.
    #[error("expected {expected}, found {found}")]
    Syntax {
        /// What the grammar expects here.
        expected: &'static str,
        /// What does.
        found: String,
    },
    /// The text is too long to be a spec.
    #[error("a spec has at most {most} bytes, and this text has {bytes}")]
    TooLong {
        /// The bytes of the text.
        bytes: usize,
        /// The most that a spec may have.
        most: usize,
    },
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, offset, width) = self.excerpt();
        let carets = "^".repeat(width);
        write!(f, "{}\n  {line}\n  {:offset$}{carets}", self.kind, "")
    }
}

impl core::error::Error for SpecError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.kind)
    }
}

impl SpecError {
    /// The text around the place on one line, the place's offset in it and its width, in
    /// characters.
    fn excerpt(&self) -> (String, usize, usize) {
        const MOST: usize = 100;
        let flat = |c: char| if c.is_control() { ' ' } else { c };
        let before: Vec<char> = self.text[..self.place.start].chars().map(flat).collect();
        let inside: Vec<char> = self.text[self.place.clone()]
            .chars()
            .map(flat)
            .take(MOST)
            .collect();
        let after = self.text[self.place.end..].chars().map(flat);
        let cut = before.len().saturating_sub(MOST / 2);
        let lead = if cut > 0 { "…" } else { "" };
        let mut line = format!(
            "{lead}{}",
            before[cut..].iter().chain(&inside).collect::<String>()
        );
        let room = MOST.saturating_sub(inside.len());
        line.extend(after.clone().take(room));
        if after.count() > room {
            line.push('…');
        }
        (
            line,
            before.len() - cut + lead.chars().count(),
            inside.len().max(1),
        )
    }
}

/// Says the nearest name, or all of them.
fn suggestion(nearest: Option<&str>, all: &[&str]) -> String {
    match nearest {
        Some(nearest) => format!(": did you mean `{nearest}`?"),
        None => format!(": there are {}", all.join(", ")),
    }
}

/// The candidate that is fewest edits away from `name`, if they are few enough to be a typing
/// error.
pub(super) fn nearest(name: &str, candidates: &[&'static str]) -> Option<&'static str> {
    let distance = |candidate: &&'static str| edits(name, candidate);
    let best = candidates.iter().copied().min_by_key(distance)?;
    let few = 1 + name.chars().take(MOST_COMPARED).count() / 3;
    (distance(&best) <= few).then_some(best)
}

/// Longer names are compared by their first characters.
const MOST_COMPARED: usize = 100;

/// The least number of characters to insert, delete or replace to make `b` of `a` (Levenshtein's
/// distance).
fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().take(MOST_COMPARED).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.chars().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[row.len() - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_a_typing_error_away() {
        let names = ["triangular", "triangular2", "linear", "wsd"];
        assert_eq!(nearest("triangluar", &names), Some("triangular"));
        assert_eq!(nearest("triangular3", &names), Some("triangular"));
        assert_eq!(nearest("linaer", &names), Some("linear"));
        assert_eq!(nearest("adam", &names), None);
        assert_eq!(nearest(&"q".repeat(400), &names), None);
    }
}
