use alloc::{format, string::String, vec::Vec};
use core::ops::Range;

use crate::policy::{Policy, Warmup};
use crate::spec::args::{Arg, Args, Fault, LENGTH, Literal, Value, length, shortened};
use crate::spec::error::{SpecError, SpecErrorKind};
use crate::spec::{Spec, Stage};
use crate::units::Length;

/// The most bytes that a spec may have.
const MOST_BYTES: usize = 1 << 16;

/// Reads a whole spec.
pub(super) fn spec(text: &str) -> Result<Spec, SpecError> {
    if text.len() > MOST_BYTES {
        let kind = SpecErrorKind::TooLong {
            bytes: text.len(),
            most: MOST_BYTES,
        };
        return Err(SpecError::new(text, 0..0, kind));
    }
    let read = Parser { text, at: 0 }
        .spec()
        .map_err(|fault| fault.or_at(|_| 0..text.len()));
    read.map_err(|fault| SpecError::new(text, fault.place.unwrap_or(0..0), fault.kind))
}

/// A place in the text; each method reads one part of the grammar from there on.
struct Parser<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Parser<'t> {
    /// `PART (then PART)*`, each a stage or a repeat.
    fn spec(mut self) -> Result<Spec, Fault> {
        let mut stages = Vec::new();
        loop {
            self.skip_space();
            let repeats = self.symbol("(");
            stages.push(if repeats {
                self.repeat()?
            } else {
                self.stage()?
            });
            if self.rest().is_empty() {
                return Ok(Spec::new(stages)?);
            }
            if !self.keyword("then") {
                return Err(self.expected(if repeats {
                    "`gamma=`, `then` or the end"
                } else {
                    "`then`, `for` or the end"
                }));
            }
        }
    }

    /// The rest of `(STAGE (then STAGE)*) x TIMES`, whose parenthesis is open, and of
    /// `gamma=FACTOR` behind it.
    fn repeat(&mut self) -> Result<Stage, Fault> {
        let start = self.at;
        let mut stages = alloc::vec![self.stage()?];
        while !self.symbol(")") {
            if !self.keyword("then") {
                return Err(self.expected("`then`, `for` or `)`"));
            }
            stages.push(self.stage()?);
        }
        if !self.symbol("x") {
            return Err(self.expected("`x` and how many times, as in `x 5`"));
        }
        let times = self.times()?;
        let gamma = if self.keyword("gamma") {
            if !self.symbol("=") {
                return Err(self.expected("`=`"));
            }
            self.number()?
        } else {
            1.0
        };
        Stage::repeated(stages, times, gamma).map_err(|error| Fault::at(start..self.at, error))
    }

    /// A whole number.
    fn times(&mut self) -> Result<u64, Fault> {
        let start = self.skip_space();
        let times = self.number()?;
        if times >= 0.0 && times as u64 as f64 == times {
            return Ok(times as u64);
        }
        let found = shortened(&self.text[start..self.at]);
        let kind = SpecErrorKind::WrongKind {
            key: String::from("x"),
            expected: String::from("a whole number of times"),
            found,
        };
        Err(Fault::at(start..self.at, kind))
    }

    /// `NAME(…)`, and how long it lasts if that is said.
    fn stage(&mut self) -> Result<Stage, Fault> {
        let args = self.call()?;
        if args.name == "warmup" {
            args.check_keys(Warmup::KEYS)?;
            let warmup =
                Warmup::read(&args).map_err(|fault| fault.or_at(|kind| args.place_of(kind)))?;
            return Ok(Stage::warmup(warmup));
        }
        args.check_keys(Policy::keys(args.name).ok_or_else(|| args.unknown_name(Policy::NAMES))?)?;
        let policy =
            Policy::read(&args).map_err(|fault| fault.or_at(|kind| args.place_of(kind)))?;
        if !self.keyword("for") {
            return Ok(Stage::open(policy));
        }
        let (lasts, place) = self.lasting()?;
        Stage::lasting(policy, lasts).map_err(|error| Fault::at(place, error))
    }

    /// The length after `for`.
    fn lasting(&mut self) -> Result<(Length, Range<usize>), Fault> {
        let literal = self.literal()?;
        if let Some(length) = length("for", &literal)? {
            Ok((length, literal.place))
        } else {
            let found = shortened(&self.text[literal.place.clone()]);
            let kind = SpecErrorKind::WrongKind {
                key: String::from("for"),
                expected: String::from(LENGTH),
                found,
            };
            Err(Fault::at(literal.place, kind))
        }
    }

    /// `NAME(key=value, …)`
    fn call(&mut self) -> Result<Args<'t>, Fault> {
        let name_place = self.word("the name of a policy")?;
        let mut args = Args {
            text: self.text,
            name: &self.text[name_place.clone()],
            place: name_place.clone(),
            name_place,
            list: Vec::new(),
        };
        if !self.symbol("(") {
            return Err(
                if args.name == "warmup" || Policy::NAMES.contains(&args.name) {
                    self.expected("`(` and keys, as in fixed(lr=0.1)")
                } else {
                    args.unknown_name(Policy::NAMES)
                },
            );
        }
        while !self.symbol(")") {
            if !args.list.is_empty() && !self.symbol(",") {
                return Err(self.expected("`,` or `)`"));
            }
            args.list.push(self.arg(args.name, args.list.is_empty())?);
        }
        args.place.end = self.at;
        Ok(args)
    }

    /// `key=value`; the length of a warm-up, where it comes first, needs no key.
    fn arg(&mut self, name: &str, first: bool) -> Result<Arg, Fault> {
        if name == "warmup" && first && !self.rest().starts_with(char::is_alphabetic) {
            let literal = self.literal()?;
            let key_place = literal.place.start..literal.place.start;
            return Ok(Arg {
                key: String::from("length"),
                key_place,
                literal,
            });
        }
        let key_place = self.word("a key, as in `lr=0.1`")?;
        if !self.symbol("=") {
            return Err(self.expected("`=`"));
        }
        Ok(Arg {
            key: String::from(&self.text[key_place.clone()]),
            key_place,
            literal: self.literal()?,
        })
    }

    /// A number, a length, a range, a list, or a word.
    fn literal(&mut self) -> Result<Literal, Fault> {
        let start = self.skip_space();
        let value = if self.symbol("[") {
            self.list()?
        } else if self.rest().starts_with(char::is_alphabetic) {
            let word = self.word("a value")?;
            Value::Word(String::from(&self.text[word]))
        } else {
            self.quantity()?
        };
        Ok(Literal {
            value,
            place: start..self.at,
        })
    }

    /// The rest of a list whose bracket is open.
    fn list(&mut self) -> Result<Value, Fault> {
        let mut literals = Vec::new();
        while !self.symbol("]") {
            if !literals.is_empty() && !self.symbol(",") {
                return Err(self.expected("`,` or `]`"));
            }
            let start = self.skip_space();
            let value = self.quantity()?;
            literals.push(Literal {
                value,
                place: start..self.at,
            });
        }
        Ok(Value::List(literals))
    }

    /// `0.1`, `8ep`, `30%` or `0.85..0.95`
    fn quantity(&mut self) -> Result<Value, Fault> {
        let low = self.number()?;
        let here = &self.text[self.at..];
        if here.starts_with("..") {
            self.at += 2;
            return Ok(Value::Range(low, self.number()?));
        }
        if here.starts_with('%') {
            self.at += 1;
            return Ok(Value::Percent(low));
        }
        let unit = here
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(here.len());
        match &here[..unit] {
            "" => Ok(Value::Number(low)),
            "ep" => {
                self.at += unit;
                Ok(Value::Epochs(low))
            }
            other => {
                let found = format!("the unit `{}`", shortened(other));
                let kind = SpecErrorKind::Syntax {
                    expected: "a number, or a length: 2000 (updates), 8ep or 30%",
                    found,
                };
                Err(Fault::at(self.at..self.at + unit, kind))
            }
        }
    }

    fn number(&mut self) -> Result<f64, Fault> {
        let start = self.skip_space();
        let length = number_length(self.rest());
        let value: f64 = self.text[start..start + length]
            .parse()
            .map_err(|_| self.expected("a value"))?;
        self.at = start + length;
        // -0 becomes 0.
        Ok(value + 0.0)
    }

    /// A word's place.
    fn word(&mut self, expected: &'static str) -> Result<Range<usize>, Fault> {
        let start = self.skip_space();
        let rest = self.rest();
        let length = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        if length == 0 || rest.starts_with(|c: char| c.is_numeric()) {
            return Err(self.expected(expected));
        }
        self.at = start + length;
        Ok(start..self.at)
    }

    fn keyword(&mut self, keyword: &str) -> bool {
        self.skip_space();
        let before = self.at;
        let found = self
            .word("")
            .is_ok_and(|place| &self.text[place] == keyword);
        if !found {
            self.at = before;
        }
        found
    }

    fn symbol(&mut self, symbol: &str) -> bool {
        let start = self.skip_space();
        let found = self.rest().starts_with(symbol);
        self.at = start + if found { symbol.len() } else { 0 };
        found
    }

    fn skip_space(&mut self) -> usize {
        self.at = self.text.len() - self.text[self.at..].trim_start().len();
        self.at
    }

    /// The text from here on, without leading space.
    fn rest(&self) -> &'t str {
        self.text[self.at..].trim_start()
    }

    /// The grammar expects something else here.
    fn expected(&self, expected: &'static str) -> Fault {
        let start = self.text.len() - self.rest().len();
        let found = match self.rest().chars().next() {
            Some(c) => format!("`{}`", c.escape_debug()),
            None => String::from("the end"),
        };
        let end = start + self.rest().chars().next().map_or(0, char::len_utf8);
        Fault::at(start..end, SpecErrorKind::Syntax { expected, found })
    }
}

/// How many bytes at the start of `text` are a number: a sign, digits with a point that no second
/// point follows (that would be a range), and an exponent.
fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits = |from: usize| {
        bytes[from..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count()
    };
    let sign = |from: usize| usize::from(matches!(bytes.get(from), Some(b'+' | b'-')));
    let mut at = sign(0);
    at += digits(at);
    if bytes.get(at) == Some(&b'.') && bytes.get(at + 1) != Some(&b'.') {
        at += 1;
        at += digits(at);
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let exponent = at + 1 + sign(at + 1);
        if digits(exponent) > 0 {
            at = exponent + digits(exponent);
        }
    }
    at
}
