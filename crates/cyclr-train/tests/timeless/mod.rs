//! Records without what differs from one process to the next.

use serde_json::Value;

/// A record without what is measured by the clock, and without these fields, at any depth.
pub(crate) fn timeless(mut record: Value, without: &[&str]) -> Value {
    strip(&mut record, without);
    record
}

fn strip(value: &mut Value, without: &[&str]) {
    match value {
        Value::Object(fields) => {
            fields.retain(|key, _| !key.contains("seconds") && !without.contains(&key.as_str()));
            fields.values_mut().for_each(|field| strip(field, without));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| strip(item, without)),
        _ => {}
    }
}
