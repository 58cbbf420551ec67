//! What the golden tests share: the numbers that `golden/engine/make.py` is fed with, and its
//! results.

use serde_json::Value;

/// Values in -1..1: the same hash of (index, seed) as in `make.py`, times a power of two.
pub(crate) fn numbers(count: usize, seed: u32, scale: f32) -> Vec<f32> {
    let value = |i: u32| {
        let mut z = i.wrapping_mul(2_654_435_761);
        z = z.wrapping_add(seed.wrapping_mul(2_246_822_519).wrapping_add(374_761_393));
        z ^= z >> 15;
        z = z.wrapping_mul(2_246_822_519);
        z ^= z >> 13;
        z = z.wrapping_mul(3_266_489_917);
        z ^= z >> 16;
        ((z >> 8) as f32 / 8_388_608.0 - 1.0) * scale
    };
    (0..count as u32).map(value).collect()
}

/// A file of `golden/engine`.
pub(crate) fn golden(name: &str) -> Value {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../golden/engine/");
    let text = std::fs::read_to_string(format!("{folder}{name}")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// A list of numbers.
pub(crate) fn list(value: &Value) -> Vec<f64> {
    let numbers = value.as_array().unwrap().iter();
    numbers.map(|v| v.as_f64().unwrap()).collect()
}
