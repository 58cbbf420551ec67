//! In what two records differ, in words.

use serde::Serialize;
use serde_json::{Map, Value};

/// A longer text is not shown.
const MOST: usize = 160;

/// The first thing in which two records differ: `updates 120 instead of 240`, and of what is no
/// number or short text `a different value of arms`.
pub(super) fn difference(
    was: &impl Serialize,
    is: &impl Serialize,
) -> Result<Option<String>, serde_json::Error> {
    let (was, is) = (serde_json::to_value(was)?, serde_json::to_value(is)?);
    Ok(of_values("", &was, &is))
}

/// The difference of two values of that name.
fn of_values(name: &str, was: &Value, is: &Value) -> Option<String> {
    if was == is {
        return None;
    }
    if let (Value::Object(was), Value::Object(is)) = (was, is) {
        return of_objects(name, was, is);
    }
    Some(match (shown(was), shown(is)) {
        (Some(was), Some(is)) => format!("{name} {was} instead of {is}"),
        _ => format!("a different value of {name}"),
    })
}

fn of_objects(name: &str, was: &Map<String, Value>, is: &Map<String, Value>) -> Option<String> {
    let mut keys = was.keys().chain(is.keys());
    keys.find_map(|key| {
        let inner = match name {
            "" => key.clone(),
            _ => format!("{name}.{key}"),
        };
        let value = |of: &Map<String, Value>| of.get(key).cloned().unwrap_or_default();
        of_values(&inner, &value(was), &value(is))
    })
}

/// A value that people read at a glance.
fn shown(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::from("none")),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::String(text) => (text.chars().count() <= MOST).then(|| format!("`{text}`")),
        Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn short_values_are_shown_and_long_ones_named() {
        let long = "x".repeat(200);
        for (was, is, said) in [
            (json!({"a": 1, "b": 2}), json!({"a": 1, "b": 2}), None),
            (
                json!({"a": 1, "updates": 120}),
                json!({"a": 1, "updates": 240}),
                Some("updates 120 instead of 240"),
            ),
            (
                json!({"spec": "fixed(lr=1)"}),
                json!({"spec": "fixed(lr=2)"}),
                Some("spec `fixed(lr=1)` instead of `fixed(lr=2)`"),
            ),
            (
                json!({"budget": {"updates": 1}}),
                json!({"budget": {"updates": 2}}),
                Some("budget.updates 1 instead of 2"),
            ),
            (
                json!({}),
                json!({"target": 0.5}),
                Some("target none instead of 0.5"),
            ),
            (
                json!({"race": null}),
                json!({"race": {"level": 0.016}}),
                Some("a different value of race"),
            ),
            (
                json!({"arms": [1]}),
                json!({"arms": [1, 2]}),
                Some("a different value of arms"),
            ),
            (
                json!({"title": long}),
                json!({"title": "short"}),
                Some("a different value of title"),
            ),
        ] {
            let found = difference(&was, &is).unwrap();
            assert_eq!(found.as_deref(), said, "{was} {is}");
        }
    }
}
