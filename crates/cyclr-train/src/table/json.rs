//! Tables in JSON: an object of lists, or a list of objects.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::parse::{Comma, Row, Table};

/// # Errors
/// What is wrong and what to do, in words.
pub(super) fn from_json(text: &str) -> Result<Table, String> {
    let text = quoted_non_finite(text);
    let mut stream = serde_json::Deserializer::from_str(&text).into_iter::<Checked>();
    let (mut values, mut lines) = (Vec::new(), Vec::new());
    let (mut line, mut counted) = (1, 0);
    while let Some(value) = stream.next() {
        let Checked(value) = value.map_err(|error| format!("it is not valid JSON: {error}"))?;
        values.push(value);
        let end = stream.byte_offset();
        line += text[counted..end].matches('\n').count();
        counted = end;
        lines.push(format!("line {line}"));
    }
    match values.as_slice() {
        [Value::Object(columns)] if columns.is_empty() => {
            Err("it is empty: give a table with columns and rows".into())
        }
        [Value::Array(rows)] if rows.is_empty() => {
            Err("it is empty: give a table with columns and rows".into())
        }
        [Value::Object(columns)] if columns.values().any(|v| v.is_array() || v.is_object()) => {
            from_lists(columns)
        }
        [Value::Array(rows)] => {
            let records = (1..=rows.len()).map(|n| format!("record {n}"));
            from_records(rows, records.collect())
        }
        // One object a line.
        rows => from_records(rows, lines),
    }
}

/// The lists of `{"lr": […], "loss": […]}`, or the columns that pandas writes: `{"lr": {"0": …},
/// …}`. What is no list is no column.
fn from_lists(columns: &Map<String, Value>) -> Result<Table, String> {
    check_keys(columns)?;
    let list = |value: &Value| match value {
        Value::Array(values) if !values.iter().any(Value::is_object) => {
            Some(values.iter().map(text_of).collect())
        }
        Value::Object(values) => Some(
            numbered(values)?
                .into_iter()
                .map(|(_, text)| text)
                .collect(),
        ),
        _ => None,
    };
    let lists: Vec<(&String, Vec<String>)> = columns
        .iter()
        .filter_map(|(name, value)| Some((name, list(value)?)))
        .collect();
    if lists.is_empty() {
        return Err(no_lists(columns));
    }
    let names: Vec<String> = lists.iter().map(|(name, _)| (*name).clone()).collect();
    let longest = lists.iter().map(|(_, list)| list.len()).max().unwrap_or(0);
    if let Some((name, list)) = lists.iter().find(|(_, list)| list.len() != longest) {
        return Err(format!(
            "its list {name} has {} values, and another {longest}: keep only lists of the same length",
            list.len()
        ));
    }
    let row = |n: usize| Row {
        place: format!("value {}", n + 1),
        cells: lists.iter().map(|(_, list)| list[n].clone()).collect(),
    };
    Ok(Table {
        names,
        rows: (0..longest).map(row).collect(),
        comma: Comma::None,
    })
}

/// What is wrong with an object that has no lists of its own.
fn no_lists(columns: &Map<String, Value>) -> String {
    let holds_table = |value: &Value| match value {
        Value::Array(rows) => rows.iter().all(Value::is_object),
        Value::Object(columns) => columns.values().any(Value::is_array),
        _ => false,
    };
    match columns.iter().find(|(_, value)| holds_table(value)) {
        Some((name, _)) => {
            format!("its table is within `{name}`: write what that holds into a file of its own")
        }
        None => "it has no lists: write them as {\"lr\": […], \"loss\": […]}".into(),
    }
}

/// Refuses columns of `{"0": …, "1": …}` that have other keys than each other: what stands in a row
/// together must have the same.
fn check_keys(columns: &Map<String, Value>) -> Result<(), String> {
    let keys = |(name, column): (&String, &Value)| {
        let keys = numbered(column.as_object()?)?.into_iter();
        Some((name.clone(), keys.map(|(key, _)| key).collect::<Vec<u64>>()))
    };
    // What has no such keys is no column of this kind.
    let keyed: Vec<_> = columns.iter().filter_map(keys).collect();
    match keyed.windows(2).find(|pair| pair[0].1 != pair[1].1) {
        Some([(first, _), (second, _)]) => Err(format!(
            "its columns {first} and {second} have other keys than each other: give every row a value in each, or null"
        )),
        _ => Ok(()),
    }
}

/// The values of `{"0": …, "1": …}` with their keys and in the order of these, where they are
/// numbers.
fn numbered(values: &Map<String, Value>) -> Option<Vec<(u64, String)>> {
    let number = |(key, value): (&String, &Value)| Some((key.parse::<u64>().ok()?, text_of(value)));
    let mut numbered: Vec<(u64, String)> = values.iter().map(number).collect::<Option<_>>()?;
    numbered.sort_by_key(|(key, _)| *key);
    Some(numbered)
}

/// A list of objects, one for each update; or of `[wall time, step, value]`, as TensorBoard gives
/// it.
fn from_records(records: &[Value], places: Vec<String>) -> Result<Table, String> {
    let of_three = |record: &Value| record.as_array().is_some_and(|list| list.len() == 3);
    let keys: BTreeSet<String> = records
        .iter()
        .filter_map(Value::as_object)
        .flat_map(|record| record.keys().cloned())
        .collect();
    let tensorboard = !records.is_empty() && records.iter().all(of_three);
    let names: Vec<String> = if tensorboard {
        ["Wall time", "Step", "Value"].map(String::from).into()
    } else if records.iter().all(Value::is_object) {
        keys.into_iter().collect()
    } else if let Some(n) = records.iter().position(|record| !record.is_object())
        && records.iter().any(Value::is_object)
    {
        return Err(format!(
            "{} is no object of columns and values, as others are: write every row in the same way",
            places[n]
        ));
    } else {
        return Err(
            "its lists have no names: write them as {\"lr\": […], \"loss\": […]}, as json.dump(dict(lr=lrs, loss=losses), \
             file) does, or as one object a line"
                .into(),
        );
    };
    let cell = |record: &Value, n: usize, name: &String| {
        let value = record.get(name).or_else(|| record.get(n));
        value.map_or_else(String::new, text_of)
    };
    let row = |(record, place): (&Value, String)| Row {
        place,
        cells: names
            .iter()
            .enumerate()
            .map(|(n, name)| cell(record, n, name))
            .collect(),
    };
    Ok(Table {
        rows: records.iter().zip(places).map(row).collect(),
        names,
        comma: Comma::None,
    })
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Python writes NaN and Infinity into JSON, which has no such numbers: they become strings.
fn quoted_non_finite(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    for (n, part) in split_at_quotes(text).into_iter().enumerate() {
        if n % 2 == 1 {
            result += part;
            continue;
        }
        let part = part.replace("-Infinity", "\"-inf\"");
        result += &part
            .replace("Infinity", "\"inf\"")
            .replace("NaN", "\"nan\"");
    }
    result
}

/// Parts outside and inside of JSON strings by turns, the strings with their quotes.
fn split_at_quotes(text: &str) -> Vec<&str> {
    let (mut parts, mut start) = (Vec::new(), 0);
    let (mut inside, mut escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        if byte == b'"' && !escaped {
            let end = at + usize::from(inside);
            parts.push(&text[start..end]);
            (start, inside) = (end, !inside);
        }
        escaped = inside && byte == b'\\' && !escaped;
    }
    parts.push(&text[start..]);
    parts
}

/// A value in which no key of an object stands twice: of two values one would be lost.
struct Checked(Value);

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
