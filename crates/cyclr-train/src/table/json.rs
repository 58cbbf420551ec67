//! JSON in which no key of an object stands twice: of two values one would be lost.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// A value that was checked so.
pub(super) struct Checked(pub(super) Value);

impl<'de> Deserialize<'de> for Checked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Anything)
    }
}

struct Anything;

impl<'de> Visitor<'de> for Anything {
    type Value = Checked;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Checked, E> {
        Ok(Checked(Value::Null))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Checked, E> {
        Ok(Checked(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Checked, E> {
        Ok(Checked(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Checked, E> {
        Ok(Checked(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Checked, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("a number has no end"))?;
        Ok(Checked(number.into()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Checked, E> {
        Ok(Checked(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Checked, A::Error> {
        let mut values = Vec::new();
        while let Some(Checked(value)) = list.next_element()? {
            values.push(value);
        }
        Ok(Checked(values.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Checked, A::Error> {
        let mut values = Map::new();
        while let Some((key, Checked(value))) = object.next_entry::<String, Checked>()? {
            if values.contains_key(&key) {
                let reason = format!("the key `{key}` stands twice in one object; rename one");
                return Err(A::Error::custom(reason));
            }
            values.insert(key, value);
        }
        Ok(Checked(values.into()))
    }
}
